//! The identities that nodes satisfy, as sums over multilinear extensions: what a proof has to show.
//!
//! Only [`linear`] nodes involve weights; whatever rounds is a [`clamp`]; the rest is affine ([`crate::gates`]).

pub mod clamp;
pub mod linear;
pub mod table;
