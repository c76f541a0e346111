//! The Reed–Solomon codes of commitments: a rate, how many columns an opening draws, and what is worth saving.
//!
//! One query misses a cheat with probability at most (1+ρ)/2 (unique decoding, see [`super`]), so q of them miss with
//! ((1+ρ)/2)^q. Every code draws the fewest columns that reach 102.9 bits: a proof opens two commitments at up to two levels
//! each, and four such terms still leave 100.9 bits.
//!
//! | 1/ρ | q | bits |
//! |---|---|---|
//! | 2 | 248 | 102.9 |
//! | 4 | 152 | 103.1 |
//!
//! A lower rate shortens the opening and lengthens the codewords: encoding and hashing take about 13/ρ ns an entry. Where a code is
//! chosen, one byte of a proof counts as 160 ns of the prover, which is what a line of 50 Mbit/s takes to send it.

/// A Reed–Solomon code of rate ρ, the number of columns an opening draws, and what its shapes save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    log_inverse_rate: usize,
    queries: usize,
    column_worth: usize,
    row_worth: usize,
}

impl Code {
    /// For a model's weights, encoded once and opened in every proof: a column is worth little. Each entry
    /// of a committed row is worth twice what it is elsewhere: the claims on all tensors are merged in tables of a row's length.
    pub const WEIGHTS: Self =
        Self { log_inverse_rate: 2, queries: 152, column_worth: 1, row_worth: 2 * ENTRY };

    /// For a combined row, encoded in every opening that commits it.
    pub const ROW: Self = Self { log_inverse_rate: 2, queries: 152, column_worth: COLUMN, row_worth: 0 };

    /// For `entries` committed with a batch, encoded in every proof: ρ = 1/4 up to 2^17 entries, 1/2 beyond, where longer codewords
    /// would cost more time than their shorter openings save. (With ρ = 1/8, paths are so long that no opening is shorter by a
    /// tenth.)
    pub fn of_batch(entries: usize) -> Self {
        let (log_inverse_rate, queries) = if entries <= 1 << 17 { (2, 152) } else { (1, 248) };
        Self { log_inverse_rate, queries, column_worth: COLUMN, row_worth: ENTRY }
    }

    /// log₂(1/ρ).
    pub fn log_inverse_rate(&self) -> usize {
        self.log_inverse_rate
    }

    /// Columns drawn in an opening, with repetition.
    pub fn queries(&self) -> usize {
        self.queries
    }

    /// −log₂ of the probability ((1+ρ)/2)^queries that no drawn column shows a cheat.
    pub fn bits(&self) -> f64 {
        let rate = (-(self.log_inverse_rate as f64)).exp2();
        -(self.queries as f64) * ((1.0 + rate) / 2.0).log2()
    }

    /// Bits of an opening that are worth one column less in the codewords.
    pub(super) fn column_worth(&self) -> usize {
        self.column_worth
    }

    /// Bits of an opening that are worth one entry less in a row that is committed.
    pub(super) fn row_worth(&self) -> usize {
        self.row_worth
    }
}

/// A column costs about 260 ns of hashing whatever its length: 13 bits.
const COLUMN: usize = 13;
/// An entry of a committed row costs about 160 ns, to encode, hash and sum over it: 8 bits.
const ENTRY: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_of_any_code_are_the_fewest_that_reach_its_bits() {
        let batches = [1, 1 << 17, (1 << 17) + 1, usize::MAX].map(Code::of_batch);
        for code in batches.into_iter().chain([Code::WEIGHTS, Code::ROW]) {
            assert!(code.bits() >= 102.9, "{code:?}");
            assert!(Code { queries: code.queries - 1, ..code }.bits() < 102.9, "{code:?}");
        }
        let four = -(4.0 * (-102.9f64).exp2()).log2();
        assert!(four >= 100.9 - 1e-9, "{four}");
    }

    #[test]
    fn bits_of_known_rates_are_their_queries_powers() {
        let miss = |once: f64, queries: i32| -once.powi(queries).log2();
        assert!((Code::WEIGHTS.bits() - miss(5.0 / 8.0, 152)).abs() < 1e-9);
        for (entries, once, queries) in [(1 << 17, 5.0 / 8.0, 152), (1 << 18, 3.0 / 4.0, 248)] {
            assert!((Code::of_batch(entries).bits() - miss(once, queries)).abs() < 1e-9);
        }
    }
}
