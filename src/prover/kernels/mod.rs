//! The inner loops: integer matrix products for inference, packed Goldilocks tables for sumcheck.

pub(super) mod fractions;
pub(super) mod linear;
pub(super) mod table;
