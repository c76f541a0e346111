//! Private inference between two parties, in which the server sees nothing of the question and the client nothing of the model: the parts
//! it stands on. They are whole and tested, each by itself; the protocol that joins them is not here yet, and nothing offers it.
//!
//! | module | holds |
//! |---|---|
//! | [`ot`] | oblivious transfer, secure against a malicious sender and a malicious receiver |
//! | [`lattice`] | shares of a linear node's product with a client's random mask, by ring-LWE, before any question is asked |
//! | [`clamp`] | exact rounding and clamping on additive shares |
//! | [`pool`] | a folder of what is drawn ahead, spent at most once |

mod bits;
pub mod clamp;
pub mod lattice;
pub mod ot;
pub mod pool;
#[cfg(test)]
mod test_kit;
