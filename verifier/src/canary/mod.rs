//! Canary mixing: the mathematics of hiding tests among questions [Fusion, NDSS 2023; the bounds are derived here].
//!
//! A session asks R queries, B copies of each, and T *canaries* whose answers the client can check, all in one
//! uniformly shuffled batch of N = R·B + T positions ([`Mix`]). A *labelled* canary has a known truth, on which an
//! honest model errs at its claimed rate p0. A *reference* canary has the advertised model's own signed answer, on
//! which an honest server never errs, because every protocol returns the same exact integers.
//!
//! | question | file |
//! |---|---|
//! | how likely does a cheat stay hidden? | [`bounds`] |
//! | how many copies and canaries do I need? | [`plan`] for one answer, [`quality`] for the model's accuracy |
//! | where does each question go, and do the copies agree? | [`mixing`] |
//! | what does the outcome prove? | [`judge`] for one session, [`ledger`] across sessions |
//!
//! Units: rates and probabilities are `f64` in [0, 1], checked once by [`Rate`] and [`Level`]; counts are `u64`, held
//! below [`Mix::MAX_POSITIONS`] and [`Tally::MAX_ASKED`]; security is in bits, −log2 of the probability of staying
//! hidden. Everything here is a pure function: no clock, no thread, no randomness of its own, no panic.
//!
//! # What mixing does not give
//!
//! * It names no model: any function that is accurate on the canaries passes. Fresh or secret canaries, and a
//!   commitment to the weights, answer that.
//! * An abort tells a cheating server one bit: that it was caught.
//! * No answer is safe before its batch has ended and has been judged.
//! * In the clear a server may recognise a public canary, or see that two positions hold copies of one query; then
//!   no bound here holds. Only an input-hiding protocol hides them.
//!
//! The caller must still check that the canaries are fresh, that the shuffle came from the operating system's
//! generator, and that nothing of the layout leaves the client before the last answer has arrived.

pub mod bounds;
mod chance;
pub mod judge;
pub mod ledger;
mod mix;
pub mod mixing;
pub mod plan;
pub mod quality;
#[cfg(test)]
mod seeded;

pub use chance::{Level, Rate, Tally};
pub use mix::Mix;

use serde::Serialize;

/// The caller asked for something that makes no sense, or more than this module computes.
#[derive(Debug, Clone, PartialEq, Serialize, thiserror::Error)]
#[serde(tag = "error", rename_all = "snake_case")]
pub enum CanaryError {
    /// A session without a query.
    #[error("a session needs at least one query")]
    NoQueries,
    /// A session whose queries are never asked.
    #[error("each query needs at least one copy")]
    NoCopies,
    /// R·B + T is past what one batch may hold.
    #[error(
        "{queries} queries × {copies} copies + {canaries} canaries exceed {limit} positions: split the session"
    )]
    TooManyPositions {
        /// R.
        queries: u64,
        /// B.
        copies: u64,
        /// T.
        canaries: u64,
        /// [`Mix::MAX_POSITIONS`].
        limit: u64,
    },
    /// A security level outside what is planned for.
    #[error("{bits} bits asked for: choose between 1 and {limit}")]
    Bits {
        /// The level asked for.
        bits: u32,
        /// [`plan::MAX_BITS`].
        limit: u32,
    },
    /// No session within the limits reaches the level.
    #[error(
        "no mix for {queries} queries reaches {bits} bits: ask for fewer bits, or tolerate fewer wrong canaries"
    )]
    OutOfReach {
        /// R.
        queries: u64,
        /// The level asked for.
        bits: u32,
    },
    /// A tolerance past what the bound sums over.
    #[error(
        "a tolerance of {tolerance} wrong canaries exceeds {limit}: use a smaller canary set per session"
    )]
    Tolerance {
        /// c.
        tolerance: u64,
        /// [`bounds::Tolerance::MAX_WRONG`].
        limit: u64,
    },
    /// Not an error rate.
    #[error("{value} is not an error rate: choose 0 ≤ rate < 1")]
    Rate {
        /// What was given.
        value: f64,
    },
    /// Not the level of a test.
    #[error("{value} is not a test's error probability: choose 0 < level ≤ 0.5")]
    Level {
        /// What was given.
        value: f64,
    },
    /// More canaries wrong than asked.
    #[error("{wrong} canaries wrong of {asked} asked")]
    Tally {
        /// X.
        wrong: u64,
        /// T.
        asked: u64,
    },
    /// More canaries than the statistics are accurate for.
    #[error("{asked} canaries exceed {limit}, to which the statistics are accurate")]
    TooManyCanaries {
        /// T.
        asked: u64,
        /// [`Tally::MAX_ASKED`].
        limit: u64,
    },
    /// Nothing to tell apart.
    #[error("the alternative's error rate {alternative} must exceed the claimed {claimed}")]
    NotWorse {
        /// p0.
        claimed: f64,
        /// p1.
        alternative: f64,
    },
    /// Too fine a difference for the canaries that can be asked.
    #[error("error rates {claimed} and {alternative} are not told apart within {limit} canaries")]
    TooClose {
        /// p0.
        claimed: f64,
        /// p1.
        alternative: f64,
        /// [`Tally::MAX_ASKED`].
        limit: u64,
    },
}
