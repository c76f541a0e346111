//! Why a step cannot be planned, and why one that was planned did not come to pass.

use crate::net::NetError;
use crate::protocol::private::ot::OtError;

/// Why there is no plan for a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A ring that shares cannot live in.
    #[error("shares of {0} bits are not supported; accumulators take 2 to 40 bits, results 1 to 64")]
    Ring(u32),
    /// A shift beyond what a rescale may take.
    #[error("a shift of {0} is beyond the 31 of a rescale")]
    Shift(u32),
    /// Bounds that are none.
    #[error("the bounds {low} to {high} are empty or beyond 32 bits")]
    Bounds {
        /// The least result.
        low: i64,
        /// The greatest.
        high: i64,
    },
    /// Accumulators that the ring cannot hold.
    #[error(
        "accumulators from {least} to {most}, counted from the lower bound, do not fit {ring} bits; share them in a larger ring"
    )]
    Range {
        /// The least accumulator, as z + half − low·2^s.
        least: i64,
        /// The greatest.
        most: i64,
        /// Bits of the ring.
        ring: u32,
    },
}

/// Why bytes are no material.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MaterialError {
    /// Fewer bytes than the plan needs.
    #[error(
        "material of {want} bytes is due where {got} are left; it was cut short, or made for another step: draw it anew"
    )]
    Truncated {
        /// Bytes that are left.
        got: usize,
        /// Bytes that are due.
        want: usize,
    },
    /// The last byte's fill is not zero.
    #[error(
        "material ends in a byte with bits set beyond its last number; it was altered, or made for another step: draw it anew"
    )]
    Filled,
}

/// Why a step failed. After any but [`ClampError::Misuse`] the link must be dropped, and the peer told nothing.
#[derive(Debug, thiserror::Error)]
pub enum ClampError {
    /// The link failed.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The transfers that are drawn ahead failed.
    #[error(transparent)]
    Transfer(#[from] OtError),
    /// A message of another length than both sides derive.
    #[error(
        "the peer's message {turn} of a clamp has {got} bytes where {want} are due; close the link and trust it no further"
    )]
    Length {
        /// Its number.
        turn: usize,
        /// Bytes that came.
        got: usize,
        /// Bytes that were due.
        want: usize,
    },
    /// The caller asked for what cannot be.
    #[error("this clamp cannot be asked for: {0}")]
    Misuse(&'static str),
}
