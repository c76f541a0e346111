//! Why private inference did not come to an end.

use serin_circuits::codec::DecodeError;
use serin_verifier::rejection::{Fault, Place, Rejection};

use super::clamp::ClampError;
use super::lattice::LatticeError;
use super::ot::OtError;
use super::plan::Unfit;
use super::pool::PoolError;
use super::wire::PLANNER;
use crate::net::NetError;

/// Why a lot could not be prepared or spent.
///
/// Whatever it is, the other end is told nothing of it but what [`NetError`] tells of form, and the link is of no use any more.
#[derive(Debug, thiserror::Error)]
pub enum PrivateError {
    /// The link failed, or the other end refused.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The model cannot be computed so.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// A product could not be shared.
    #[error("a product with masks cannot be shared: {0}")]
    Product(#[from] LatticeError),
    /// A rounding failed.
    #[error(transparent)]
    Rounding(#[from] ClampError),
    /// A message of another length than both ends derive.
    #[error(
        "the peer's {message} has {got} bytes where {want} are due; close the link and trust it no further"
    )]
    Length {
        /// Which.
        message: &'static str,
        /// Bytes that came.
        got: usize,
        /// Bytes that were due.
        want: usize,
    },
    /// A message that does not decode.
    #[error("the peer's message is malformed: {0}; close the link and trust it no further")]
    Malformed(#[from] DecodeError),
    /// A lot that is not there, or was spent.
    #[error(
        "no lot {0} is kept here: it was never prepared, or spent already; ask again, and another is taken"
    )]
    NoLot(String),
    /// The other end, or a lot, is of another release.
    #[error(
        "plans of version {theirs} where this release makes {PLANNER}: use the same release at both ends, and prepare lots anew"
    )]
    Planner {
        /// Theirs.
        theirs: u8,
    },
    /// This conversation broke off before.
    #[error("this conversation broke off before; open another")]
    Broken,
    /// A larger lot than is taken.
    #[error("a lot of {positions} positions, where this server takes at most {most}; prepare smaller ones")]
    Size {
        /// What was asked.
        positions: usize,
        /// What is taken.
        most: usize,
    },
    /// More lots are held than allowed.
    #[error("a lot is prepared and not yet spent, and no more are held; spend it first")]
    TooMany,
    /// No folder to keep lots in.
    #[error("this end keeps no lots beyond a conversation; start it with a pool to do so")]
    NoPool,
    /// Nothing is left of the pool.
    #[error(
        "the pool has lots for {left} of the {wanted} positions asked; fill it with `serin prepare`, or let lots be prepared as they are needed (`ask` without --pool-only)"
    )]
    Dry {
        /// Positions asked.
        wanted: usize,
        /// Positions in the pool.
        left: usize,
    },
    /// A lot on disk is not usable.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// A lot that does not hold what its plan says.
    #[error("the lot holds nothing for node `{node}`: this is a mistake of serin's; prepare another")]
    Hollow {
        /// The node.
        node: String,
    },
    /// The other end asks out of turn.
    #[error("the peer asks for a lot before keys were exchanged; close the link")]
    NoKeys,
    /// The operating system gave no randomness.
    #[error("no randomness from the operating system: {0}; nothing secret can be drawn here")]
    Random(#[from] rand::rngs::SysError),
    /// The answer is beyond what the model can say.
    #[error("the answer of position {position} is not one the model can give")]
    Answer {
        /// The first such position.
        position: usize,
    },
}

impl PrivateError {
    /// What a server may tell a client of it: where the client asked for what is not there.
    pub fn told(&self) -> Option<String> {
        match self {
            Self::Unfit(_)
            | Self::NoLot(_)
            | Self::TooMany
            | Self::NoKeys
            | Self::Size { .. }
            | Self::Planner { .. } => Some(self.to_string()),
            Self::NoPool => {
                Some("this server keeps no lots beyond a conversation: it runs without a pool".into())
            }
            Self::Pool(_) => Some("the lot cannot be kept or found here".into()),
            _ => None,
        }
    }

    /// What is found against the server, if this came to the client by its doing alone: no honest server of this
    /// release does it, nor, under TLS, a network.
    pub fn rejection(&self) -> Option<Rejection> {
        let found = match self {
            Self::Answer { .. } => {
                return Some(Rejection::new(Place::Statement, Fault::Answer(self.to_string())));
            }
            Self::Rounding(ClampError::Transfer(OtError::Peer { .. }) | ClampError::Length { .. })
            | Self::Product(
                LatticeError::Length { .. } | LatticeError::Residue { .. } | LatticeError::Leftover(_),
            )
            | Self::Length { .. } => true,
            Self::Net(error)
            | Self::Rounding(ClampError::Net(error) | ClampError::Transfer(OtError::Net(error))) => {
                matches!(error, NetError::WrongStep { .. } | NetError::Oversize { .. })
            }
            Self::Product(_)
            | Self::Rounding(_)
            | Self::Unfit(_)
            | Self::Malformed(_)
            | Self::NoLot(_)
            | Self::Planner { .. }
            | Self::Broken
            | Self::Size { .. }
            | Self::TooMany
            | Self::NoPool
            | Self::Dry { .. }
            | Self::Pool(_)
            | Self::Hollow { .. }
            | Self::NoKeys
            | Self::Random(_) => false,
        };
        found.then(|| Rejection::new(Place::Conversation, Fault::Conduct(self.to_string())))
    }
}
