//! The inner loops: integer matrix products for inference, packed Goldilocks tables for sumcheck.

#[cfg_attr(not(test), expect(dead_code, reason = "the look-up of non-linear nodes will call it"))]
pub(super) mod fractions;
pub(super) mod linear;
pub(super) mod table;
