//! The parameters of a commitment: its [`Code`], chosen by what is committed, and its [`Shape`], which follows from the code and
//! the vector's length alone, so that both sides compute it and no message carries it.

use serin_circuits::field::EXT_BYTES;
use serin_circuits::weights::Layout;

use crate::soundness::Term;
use crate::sumcheck::FIELD_BITS;

/// A Reed–Solomon code of rate ρ, the number of columns an opening draws, and what its shapes save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    log_inverse_rate: usize,
    queries: usize,
    /// Bytes of an opening that are worth one column of the codewords less to hash.
    column_worth: usize,
}

impl Code {
    /// For a model's weights, encoded once and opened in every proof: ρ = 1/4, (5/8)^150 = 2^−101.7. The shortest opening.
    pub const WEIGHTS: Self = Self { log_inverse_rate: 2, queries: 150, column_worth: 0 };

    /// For what one batch commits, encoded in every proof: ρ = 1/2 halves the codewords, (3/4)^246 = 2^−102.1. A column costs
    /// about 240 ns of hashing whatever its length, in which half a gigabit per second sends 16 bytes.
    pub const BATCH: Self = Self { log_inverse_rate: 1, queries: 246, column_worth: 16 };

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
}

/// How 2^n entries stand in the matrix, and their code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    code: Code,
    row_bits: usize,
    column_bits: usize,
    rows: usize,
}

impl Shape {
    /// The shape of a vector of 2^`bits` entries, of which the first `used` can be other than zero: the one with the shortest
    /// opening, a column of the codewords counting as so many bytes as its code says.
    pub fn new(used: usize, bits: usize, code: Code) -> Self {
        let shape = |column_bits: usize| {
            let rows = used.div_ceil(1 << column_bits).max(1);
            Self { code, row_bits: bits - column_bits, column_bits, rows }
        };
        // The upper levels of the paths, where there are no more nodes than columns drawn, are shared.
        let shared = code.queries.ilog2() as usize;
        let cost = |shape: &Self| {
            let hashing = code.column_worth.saturating_mul(shape.codeword());
            shape.bytes(shape.depth().saturating_sub(shared)).saturating_add(hashing)
        };
        (0..=bits).map(shape).min_by_key(cost).unwrap_or(shape(0))
    }

    /// The shape of a layout's weights.
    pub fn of(layout: &Layout) -> Self {
        Self::new(layout.used(), layout.bits(), Code::WEIGHTS)
    }

    /// The code of its rows.
    pub fn code(&self) -> Code {
        self.code
    }

    /// log₂ of the number of rows, those left out included.
    pub fn row_bits(&self) -> usize {
        self.row_bits
    }

    /// log₂ of the entries of a row.
    pub fn column_bits(&self) -> usize {
        self.column_bits
    }

    /// Rows in use.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Entries of a row, before encoding.
    pub fn columns(&self) -> usize {
        1 << self.column_bits
    }

    /// log₂ of the codeword length, and depth of the Merkle tree.
    pub fn depth(&self) -> usize {
        self.column_bits + self.code.log_inverse_rate
    }

    /// Length of an encoded row.
    pub fn codeword(&self) -> usize {
        1 << self.depth()
    }

    /// No opening takes more bytes.
    pub fn opening_cap(&self) -> usize {
        self.bytes(self.depth())
    }

    /// The two terms of an opening in a proof's union bound: "proximity" of the committed words to the code, and "columns"
    /// that were not drawn.
    pub fn terms(&self) -> [Term; 2] {
        let proximity = (2 * self.row_bits * self.codeword()).max(1) as f64;
        [
            Term { step: "proximity", bits: FIELD_BITS - proximity.log2() },
            Term { step: "columns", bits: self.code.bits() },
        ]
    }

    /// Bytes of a combined row and of one column with a path of `path` nodes per query.
    fn bytes(&self, path: usize) -> usize {
        let column = self.rows.saturating_mul(8).saturating_add(32 * path);
        (EXT_BYTES << self.column_bits).saturating_add(self.code.queries.saturating_mul(column))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serin_circuits::graph::{Builder, Linear, Op, Port, Wire};
    use serin_circuits::tensor::Range;

    use super::*;
    use crate::proof::Mode;

    #[test]
    fn code_constants_reach_the_bits_they_state() {
        let miss = |once: f64, queries: i32| -once.powi(queries).log2();
        assert!((Code::WEIGHTS.bits() - miss(5.0 / 8.0, 150)).abs() < 1e-9);
        assert!((Code::BATCH.bits() - miss(3.0 / 4.0, 246)).abs() < 1e-9);
        assert!(Code::WEIGHTS.bits() > 101.7);
        // No query of the second is idle: one less would be weaker than the first.
        assert!(Code::BATCH.bits() >= Code::WEIGHTS.bits());
        let fewer = Code { queries: Code::BATCH.queries - 1, ..Code::BATCH };
        assert!(fewer.bits() < Code::WEIGHTS.bits());
    }

    #[test]
    fn proof_header_names_its_codes() {
        let named = |code: Code| format!("-rs{}-{}", 1 << code.log_inverse_rate(), code.queries());
        let [weights, batch] = [Code::WEIGHTS, Code::BATCH].map(named);
        assert!(Mode::Revealed.header().contains(&format!("2{weights}-sha256")));
        assert!(Mode::Succinct.header().contains(&format!("2{weights}{batch}-sha256")));
    }

    #[test]
    fn shape_of_any_layout_covers_its_vector_and_no_more() {
        for (inputs, outputs) in [(1, 1), (5, 3), (784, 128), (1024, 1024), (25_088, 4096)] {
            let input = Port { shape: vec![inputs], exponent: 0, range: Range { low: 0, high: 1 } };
            let mut builder = Builder::new(input).expect("sized");
            let dense = Op::MatMul(Linear::dense(inputs, outputs, 0));
            builder
                .push("dense", dense, &[Wire::INPUT], Some(Range { low: 0, high: 1 }))
                .expect("consistent");
            let layout = Layout::of(&builder.finish().expect("one node"));
            let shape = Shape::of(&layout);
            assert_eq!(shape.row_bits() + shape.column_bits(), layout.bits());
            assert!(shape.rows() * shape.columns() >= layout.used());
            assert!((shape.rows() - 1) * shape.columns() < layout.used());
            assert!(shape.depth() <= 32);
        }
    }

    #[test]
    fn shape_of_known_lengths_stays_what_commitments_were_made_with() {
        let columns = |code| [14, 17, 20].map(|bits| Shape::new(1 << bits, bits, code).column_bits());
        assert_eq!(columns(Code::WEIGHTS), [10, 12, 13]);
        assert_eq!(columns(Code::BATCH), [9, 11, 13]);
    }

    proptest! {
        #[test]
        fn shape_of_any_vector_covers_it_and_no_more(bits in 0usize..40, part in 0.0..1.0f64, batch in any::<bool>()) {
            let code = if batch { Code::BATCH } else { Code::WEIGHTS };
            let used = (1 + (part * (bits as f64).exp2()) as usize).min(1 << bits);
            let shape = Shape::new(used, bits, code);
            prop_assert_eq!(shape.code(), code);
            prop_assert_eq!(shape.row_bits() + shape.column_bits(), bits);
            prop_assert!(shape.rows() * shape.columns() >= used && (shape.rows() - 1) * shape.columns() < used);
            prop_assert!(shape.rows() <= 1 << shape.row_bits());
            prop_assert_eq!(shape.codeword(), shape.columns() << code.log_inverse_rate());
            prop_assert!(shape.depth() <= 32);
            let [proximity, columns] = shape.terms();
            prop_assert!(proximity.bits > 80.0 && columns.bits == code.bits());
        }
    }
}
