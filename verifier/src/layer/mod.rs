//! One script and one oracle trait per kind of node, and the merging of the claims they leave.

pub mod claims;
pub mod linear;
pub mod revealed;
pub mod succinct;
