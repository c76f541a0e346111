//! Look-ups: that every value of a column stands in a table, by logarithmic derivatives [LogUp, Haböck 2022].
//!
//! With values v_i, table entries t_j and multiplicities m_j, all v_i are in the table if, at a random α,
//! Σ_i 1/(α − v_i) − Σ_j m_j/(α − t_j) = 0; the reverse fails with probability (number of fractions)/|F| at most, as long as
//! that number is below p. [`fractions`] proves that the sum is zero.

pub mod fractions;
pub mod plan;
