//! The integration tests, one binary, modules by subject.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod attacks;
mod bad_input;
mod protocols;
mod tamper;
mod world;
