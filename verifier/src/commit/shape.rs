//! The shape of a commitment's matrix, and of its row's own if an opening commits that: functions of the vector's length and its
//! [`Code`] alone, so that both sides compute them and no message carries them.

use ark_ff::AdditiveGroup;
use serin_circuits::field::{EXT_BYTES, Ext, Fp, ext};
use serin_circuits::poly::eq_table;
use serin_circuits::weights::Layout;

use super::Code;
use crate::soundness::Term;
use crate::sumcheck::{DEGREE, FIELD_BITS};

/// How 2^n entries stand in the matrix, and their code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    code: Code,
    row_bits: usize,
    column_bits: usize,
    rows: usize,
    is_row: bool,
    /// log₂ of the entries of a row in the row's own matrix, if it has one.
    recursion: Option<usize>,
}

impl Shape {
    /// The shape of a vector of 2^`bits` entries, of which the first `used` can be other than zero: the one with the shortest
    /// opening, what is to be saved in time counting as its code says.
    pub fn new(used: usize, bits: usize, code: Code) -> Self {
        let shapes = (0..=bits).flat_map(|column_bits| {
            let rows = used.div_ceil(1 << column_bits).max(1);
            let row_bits = bits - column_bits;
            let flat = Self { code, row_bits, column_bits, rows, is_row: false, recursion: None };
            let row = Self::of_row(column_bits);
            [flat, Self { recursion: Some(row.column_bits), ..flat }]
        });
        shapes.min_by_key(Self::cost).unwrap_or(Self::flat_row(0, 0))
    }

    /// The shape of a layout's weights.
    pub fn of(layout: &Layout) -> Self {
        Self::new(layout.used(), layout.bits(), Code::WEIGHTS)
    }

    /// The shape of the matrix that commits a combined row in an opening; `None` where the row is said whole.
    pub fn row(&self) -> Option<Self> {
        self.recursion.map(|column_bits| Self::flat_row(self.column_bits, column_bits))
    }

    /// The shape of a row of 2^`bits` entries.
    fn of_row(bits: usize) -> Self {
        let shapes = (0..=bits).map(|column_bits| Self::flat_row(bits, column_bits));
        shapes.min_by_key(Self::cost).unwrap_or(Self::flat_row(0, 0))
    }

    fn flat_row(bits: usize, column_bits: usize) -> Self {
        let row_bits = bits - column_bits;
        Self { code: Code::ROW, row_bits, column_bits, rows: 2 << row_bits, is_row: true, recursion: None }
    }

    /// The code of its rows.
    pub fn code(&self) -> Code {
        self.code
    }

    /// log₂ of the number of rows, those left out included and both limbs of a challenge-field entry counted once.
    pub fn row_bits(&self) -> usize {
        self.row_bits
    }

    /// log₂ of the entries of a row.
    pub fn column_bits(&self) -> usize {
        self.column_bits
    }

    /// Rows in use: base-field elements of a column.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Entries of a row, before encoding.
    pub fn columns(&self) -> usize {
        1 << self.column_bits
    }

    /// Whether this is the matrix of a combined row: its entries are of the challenge field, two limbs in rows of their own.
    pub fn is_row(&self) -> bool {
        self.is_row
    }

    /// log₂ of the codeword length, and depth of the Merkle tree.
    pub fn depth(&self) -> usize {
        self.column_bits + self.code.log_inverse_rate()
    }

    /// Length of an encoded row.
    pub fn codeword(&self) -> usize {
        1 << self.depth()
    }

    /// What the rows in use weigh in the combination at z_rows.
    pub fn weights(&self, z_rows: &[Ext]) -> Vec<Ext> {
        let mut weights = eq_table(z_rows);
        if self.is_row {
            let x = ext(Fp::ZERO, Fp::from_raw(1));
            weights = weights.into_iter().flat_map(|weight| [weight, weight * x]).collect();
        }
        weights.truncate(self.rows);
        weights
    }

    /// No opening takes more bytes.
    pub fn opening_cap(&self) -> usize {
        self.bytes(0)
    }

    /// The terms of an opening in a proof's union bound: "proximity" of the committed words to the code, and "columns" that were
    /// not drawn; where the row is committed, the "row claims" merged and their sumcheck, and the same two of its own matrix.
    pub fn terms(&self) -> Vec<Term> {
        let over_field = |step, count: usize| Term { step, bits: FIELD_BITS - (count.max(1) as f64).log2() };
        let proximity = |shape: &Self| 2 * shape.row_bits * shape.codeword();
        let mut terms =
            vec![over_field("proximity", proximity(self)), Term { step: "columns", bits: self.code.bits() }];
        if let Some(row) = self.row() {
            terms.extend([
                over_field("row claims", self.code.queries() + DEGREE as usize * self.column_bits),
                over_field("row proximity", proximity(&row)),
                Term { step: "row columns", bits: row.code.bits() },
            ]);
        }
        terms
    }

    /// Bytes of an opening whose paths share the upper `shared` levels of the tree, where there are no more nodes than columns.
    fn bytes(&self, shared: usize) -> usize {
        let path = self.depth().saturating_sub(shared);
        let column = self.rows.saturating_mul(8).saturating_add(32 * path);
        let columns = self.code.queries().saturating_mul(column);
        let row = match self.row() {
            None => EXT_BYTES << self.column_bits,
            Some(row) => 32 + EXT_BYTES + 2 * EXT_BYTES * self.column_bits + row.bytes(shared),
        };
        columns.saturating_add(row)
    }

    /// What an opening costs, in bits: its length, and what its code saves for each column less.
    fn cost(&self) -> usize {
        let shared = self.code.queries().ilog2() as usize;
        let hashing = |shape: &Self| shape.code.column_worth().saturating_mul(shape.codeword());
        let row = self
            .row()
            .map_or(0, |row| hashing(&row).saturating_add(self.code.row_worth() << self.column_bits));
        self.bytes(shared).saturating_mul(8).saturating_add(hashing(self)).saturating_add(row)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serin_circuits::graph::{Builder, Linear, Op, Port, Wire};
    use serin_circuits::tensor::Range;

    use super::*;
    use crate::limits::MAX_COMMITTED_BITS;

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
        let bits = |shape: Shape| (shape.column_bits(), shape.row().map(|row| row.column_bits()));
        let weights = [14, 17, 20, 24].map(|n| bits(Shape::new(1 << n, n, Code::WEIGHTS)));
        assert_eq!(weights, [(10, None), (12, Some(9)), (14, Some(10)), (16, Some(11))]);
        let batch = [14, 17, 20].map(|n| bits(Shape::new(1 << n, n, Code::of_batch(1 << n))));
        assert_eq!(batch, [(10, None), (11, None), (14, Some(10))]);
    }

    #[test]
    fn openings_of_any_two_commitments_leave_over_a_hundred_bits() {
        let error = |shape: Shape| shape.terms().iter().map(|term| (-term.bits).exp2()).sum::<f64>();
        for weights in 0..=MAX_COMMITTED_BITS {
            for batch in 0..=30 {
                let least = if weights.max(batch) <= 28 { 100.5 } else { 100.1 };
                let weights = error(Shape::new(1 << weights, weights, Code::WEIGHTS));
                let batch = error(Shape::new(1 << batch, batch, Code::of_batch(1 << batch)));
                assert!(-(weights + batch).log2() > least);
            }
        }
    }

    #[test]
    fn opening_of_any_length_is_estimated_no_longer_than_one_that_says_its_row() {
        for bits in 0..30 {
            let shared = Code::WEIGHTS.queries().ilog2() as usize;
            let chosen = Shape::new(1 << bits, bits, Code::WEIGHTS);
            let flat = (0..=bits).map(|column_bits| {
                let (row_bits, rows) = (bits - column_bits, 1 << (bits - column_bits));
                Shape { row_bits, column_bits, rows, recursion: None, ..chosen }.bytes(shared)
            });
            assert!(flat.min().is_some_and(|flat| chosen.bytes(shared) <= flat), "{bits}");
        }
    }

    proptest! {
        #[test]
        fn shape_of_any_vector_covers_it_and_no_more(bits in 0usize..40, part in 0.0..1.0f64, batch in any::<bool>()) {
            let used = (1 + (part * (bits as f64).exp2()) as usize).min(1 << bits);
            let code = if batch { Code::of_batch(used) } else { Code::WEIGHTS };
            let shape = Shape::new(used, bits, code);
            prop_assert_eq!(shape.code(), code);
            prop_assert_eq!(shape.row_bits() + shape.column_bits(), bits);
            prop_assert!(shape.rows() * shape.columns() >= used && (shape.rows() - 1) * shape.columns() < used);
            prop_assert!(shape.rows() <= 1 << shape.row_bits() && !shape.is_row());
            prop_assert_eq!(shape.codeword(), shape.columns() << code.log_inverse_rate());
            prop_assert!(shape.depth() <= 32);
            let terms = shape.terms();
            prop_assert!(terms.iter().all(|term| term.bits > 80.0));
            prop_assert_eq!(terms.len(), if shape.row().is_some() { 5 } else { 2 });
            if let Some(row) = shape.row() {
                prop_assert!(row.is_row() && row.row().is_none());
                prop_assert_eq!(row.row_bits() + row.column_bits(), shape.column_bits());
                prop_assert_eq!(row.rows(), 2 << row.row_bits());
                prop_assert!(row.depth() <= 32);
            }
        }
    }
}
