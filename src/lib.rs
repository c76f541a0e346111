//! **serin**: know that the model you were promised is the model that answered, and that it answered truthfully.
//!
//! *How to do it*: import a model, prove, compute, talk, and put it on a command line. What is true is in `serin-circuits`,
//! when to believe it in `serin-verifier`; a client that only checks links those two alone.

pub mod adversary;
pub mod audit;
pub mod cli;
pub mod import;
pub mod measure;
pub mod net;
pub mod protocol;
pub mod prover;
pub mod session;
pub mod synthetic;
