//! **serin**: know that the model you were promised is the model that answered, and that it answered truthfully.
//!
//! *How to do it*: import a model, prove, compute, talk, and put it on a command line. What is true is in `serin-circuits`,
//! when to believe it in `serin-verifier`; a client that only checks links those two alone.
//!
//! | module | holds |
//! |---|---|
//! | [`import`] | from an ONNX file to integers |
//! | [`prover`] | the serving engine, the commitment, the witnesses |
//! | [`protocol`] | what a session may ask: `plain`, `proved`; and who answers |
//! | [`net`] | ordered links between two peers: memory, TCP, TLS; the server |
//! | [`session`], [`audit`] | questions hidden among canaries, recorded and judged; campaigns |
//! | [`adversary`] | corrupt servers as values, and what catches each |
//! | [`measure`], [`synthetic`] | what it costs; models to measure and test on |
//! | [`cli`] | the command line |

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
