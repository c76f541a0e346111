//! Placeholder.

pub mod net;

pub mod import;
