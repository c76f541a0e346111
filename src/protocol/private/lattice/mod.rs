//! The offline linear phase: client and server share the product of the server's weights and the client's random
//! masks.
//!
//! ```text
//! client: R uniform modulo 2^k                                  server: weights W
//!   public key, switching key (once)        ─►
//!   query: fresh ciphertexts of R           ─►
//!                                           ◄─     answer: W∗R − S, blinded and flooded
//! client: W∗R − S                                               server: S, uniform modulo 2^k
//! ```
//! Ring-LWE encryption under the client's key, one product deep, no rotations: coefficient
//! packing makes a product of polynomials a convolution or a matrix product [Cheetah, Huang, Lu, Hong, Ding, USENIX
//! Security 2022, §3]. Where we differ from the source: the modulus is congruent to 1 modulo 2^32 instead of scaled
//! per message; whole batches, tiles and groups share polynomials, planned for the fewest bytes; noise is bounded in
//! the worst case, and the answer re-randomised (its mask a·W is otherwise read off by the client, who chose a) and
//! flooded by a stated statistical distance; flooded answers whose results are sparse are switched to a smaller ring.
//!
//! | file | holds |
//! |---|---|
//! | `ntt`, `ring`, `sample` | arithmetic, polynomials, coins |
//! | [`params`](Params) | modulus, security level, the noise budget with its proof |
//! | `shape` | a linear node as a correlation, its packing with its proof |
//! | `switch` | several sparse answers under one mask, with its proof |
//! | [`plan`](Plan) | which packing, and what it costs |
//! | `client`, `server` | the two sides |
//!
//! **Who is safe against what.** The client's masks: against a malicious server, computationally (128 bits), as
//! long as the client tells it nothing about what an answer decrypted to; that the answer is *right* is not checked
//! here. The server's weights: against a client that draws keys, errors and masks as told. Its view of an answer is
//! then within 2^−40 (statistically, per answer polynomial, see `params`) of one that is computationally made from
//! W∗R − S alone: floods replace noise, then the mask, a sample a_pk·u + e under a one-time secret u, is replaced
//! by a uniform polynomial, and the body follows from mask, key and result.
//!
//! Sizes, shapes and both messages' lengths follow from a [`Plan`], which both sides compute from public values;
//! nothing is read from a message but residues.

mod client;
mod ntt;
mod params;
mod plan;
mod ring;
mod sample;
mod server;
mod shape;
mod switch;
#[cfg(test)]
mod tests;

pub use client::Client;
pub use ntt::N;
pub use params::{KEY_WEIGHT, MODULI, Params, STATISTICAL};
pub use plan::{MAX_MESSAGE, Plan};
pub use server::{Answer, Server};

/// Why a linear node cannot be shared. None of them says anything about a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LatticeError {
    /// A parameter is out of range.
    #[error("{name} {value} are not from {least} to {most}")]
    Parameter {
        /// Which.
        name: &'static str,
        /// What it is.
        value: u32,
        /// The least allowed.
        least: u32,
        /// The greatest allowed.
        most: u32,
    },
    /// A linear node or batch that cannot be planned.
    #[error("the linear node or its batch does not fit: {0}; take a smaller batch or another model")]
    Geometry(&'static str),
    /// No packing leaves room for hiding.
    #[error(
        "results of {ring_bits} bits leave no room for hiding in a modulus of {modulus_bits} bits; take a larger one or smaller weights"
    )]
    NoRoom {
        /// k.
        ring_bits: u32,
        /// log₂ Q.
        modulus_bits: u32,
    },
    /// A message would be too large.
    #[error("a message would have {bytes} bytes, above {cap}; take a smaller batch")]
    TooLarge {
        /// How many.
        bytes: usize,
        /// The most allowed.
        cap: usize,
    },
    /// The plan was made for another modulus or switch.
    #[error("the plan is for another modulus or switch than this side's keys; plan again with its own")]
    Params,
    /// A list or message has another length than the plan's.
    #[error(
        "{what} has length {found} where the plan says {expected}; both sides must plan the same node and batch"
    )]
    Length {
        /// Which.
        what: &'static str,
        /// What it has.
        found: usize,
        /// What it should have.
        expected: usize,
    },
    /// A mask or weight is out of range.
    #[error("{what} {at} is {value}, beyond {bound}; reduce it or declare a larger bound")]
    Value {
        /// Mask or weight.
        what: &'static str,
        /// Its index.
        at: usize,
        /// What it is.
        value: i64,
        /// The greatest magnitude allowed.
        bound: i64,
    },
    /// A residue is not below its prime.
    #[error(
        "{what} holds {value} at coefficient {at}, which is not below its modulus; it is damaged, or for other parameters"
    )]
    Residue {
        /// The message.
        what: &'static str,
        /// The coefficient in its polynomial.
        at: usize,
        /// What was found.
        value: u64,
    },
    /// The fill of the last byte is not zero.
    #[error("{0} ends in bits that are not zero; it is damaged")]
    Leftover(&'static str),
}

/// That a plan is for this key: one key serves every ring and bound on weights under its modulus.
fn check(plan: &Plan, params: &Params) -> Result<(), LatticeError> {
    let same = plan.params.primes() == params.primes() && plan.params.switch() == params.switch();
    if same { Ok(()) } else { Err(LatticeError::Params) }
}
