//! *What is true*: the model graph, its integer meaning, and the identity each node must satisfy.
//!
//! | module | holds |
//! |---|---|
//! | [`field`] | Goldilocks and its quadratic extension, the fields every claim is made in |
//! | [`tensor`] | batched integer tensors and their value ranges |
//! | [`quant`] | the one rounding rule of the system, `rescale` |
//! | [`graph`] | the public model graph: operators, shapes, scales, static bounds |
//! | [`weights`] | the secret half of a model, and its layout as one committed vector |
//! | [`codec`] | canonical bytes in and out, and the graph's digest |
//! | [`engine`] | the seam between a graph and a way to compute it; the one walk |
//! | [`clear`] | the engine of whoever sees every value |
//! | [`mod@reference`] | the plain integer engine, the oracle of every test |
//! | [`poly`] | multilinear extensions and folds of integer tensors |
//! | [`gates`] | a graph unfolded into products, affine maps and clamps, for proofs |
//! | [`relation`] | the identities that linear nodes and clamps satisfy |
//!
//! Nothing here trusts, talks or proves: see `serin-verifier` for when to believe, `serin` for how to do.

pub mod clear;
pub mod codec;
pub mod engine;
pub mod field;
pub mod gates;
pub mod graph;
pub mod poly;
pub mod quant;
pub mod reference;
pub mod relation;
pub mod tensor;
pub mod weights;
