//! The integration tests, one binary, modules by subject.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod adversary;
mod architecture;
mod attacks;
mod audit;
mod bad_input;
mod cli;
mod ends;
mod extremes;
mod peer_logs;
mod private;
mod protocols;
mod real_models;
mod regression;
mod session;
mod soundness;
mod tamper;
mod world;
