//! The identities that nodes satisfy, as sums over multilinear extensions: what a proof has to show.
//!
//! Only [`linear`] nodes involve weights; every other operator is recomputed by whoever holds its input.

pub mod linear;
