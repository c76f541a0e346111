//! The weight commitment: a Ligero-style matrix code under a Merkle tree [Ames, Hazay, Ishai, Venkitasubramaniam 2017;
//! the tensor opening of Golovnev et al. 2021, "Brakedown"].
//!
//! The vector w of 2^n integers is a matrix of 2^(n−k) rows of 2^k entries; rows behind its last entry in use are zero and
//! left out. Each row is the coefficient list of a
//! polynomial, evaluated on the 2^(k+[`LOG_INVERSE_RATE`]) roots of unity; a column of these codewords is a leaf of a SHA-256
//! Merkle tree, whose root is the commitment. To open w̃(z), z = (z_rows, z_columns):
//!
//! 1. the prover sends u = Σ_i eq(z_rows, i)·row_i, which gives w̃(z) = Σ_j eq(z_columns, j)·u_j;
//! 2. [`QUERIES`] positions are drawn; the prover opens those columns with their Merkle paths;
//! 3. the checker encodes u itself and compares, at each position, with the same combination of the opened column.
//!
//! Soundness, with unique decoding and no conjecture (rate ρ = 1/4, n₀ the code's length, |F| ≈ 2^128). If the committed
//! words lie within distance (1−ρ)/2·n₀ of one codeword matrix, that matrix is unique, and a wrong u is a codeword that
//! differs from the right combination in more than n₀(1−ρ) places, of which at most (1−ρ)/2 are damaged. If they do not,
//! the combination with the tensor eq(z_rows, ·), drawn after the commitment, is itself that far from the code except with
//! probability 2·(n−k)·n₀/|F| [tensor proximity gap: Diamond and Posen 2023; in the unique-decoding radius of Reed–Solomon
//! codes: Diamond and Gruen 2024 with Ben-Sasson et al. 2020]. Either way each query misses with probability at most
//! (1+ρ)/2 = 5/8, so all miss with (5/8)^150 = 2^−101.7.
//!
//! *Caller must still check* that the opened value is the one its claims call for, and that z was drawn after the
//! commitment was absorbed. The commitment binds; it does not hide more than its columns do.

pub mod merkle;

use ark_ff::AdditiveGroup;
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
use serin_circuits::codec::Digest;
use serin_circuits::field::{EXT_BYTES, Ext, Fp, ext};
use serin_circuits::poly::{dot, eq_table};
use serin_circuits::weights::Layout;

use crate::rejection::{Fault, Rejection};
use crate::script::Script;

/// log₂(1/ρ).
pub const LOG_INVERSE_RATE: usize = 2;
/// Columns drawn in an opening, with repetition.
pub const QUERIES: usize = 150;

/// How 2^n entries stand in the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    row_bits: usize,
    column_bits: usize,
    rows: usize,
}

impl Shape {
    /// The shape with the shortest opening of a layout's vector; both sides compute it.
    pub fn of(layout: &Layout) -> Self {
        let bits = layout.bits();
        let rows = |column_bits: usize| layout.used().div_ceil(1 << column_bits);
        let cost = |column_bits: &usize| {
            let row = EXT_BYTES << column_bits;
            let columns = QUERIES * 8 * rows(*column_bits);
            // The upper log₂ 150 ≈ 7 levels of the paths are shared.
            let paths = QUERIES * 32 * (column_bits + LOG_INVERSE_RATE).saturating_sub(7);
            row.saturating_add(columns).saturating_add(paths)
        };
        let column_bits = (0..=bits).min_by_key(cost).unwrap_or(0);
        Self { row_bits: bits - column_bits, column_bits, rows: rows(column_bits) }
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
        self.column_bits + LOG_INVERSE_RATE
    }

    /// Length of an encoded row.
    pub fn codeword(&self) -> usize {
        1 << self.depth()
    }
}

/// What the prover brings to an opening.
pub trait Opener {
    /// u = Σ_i `weights[i]`·row_i.
    fn row(&self, weights: &[Ext]) -> Vec<Ext>;
    /// The encoded columns at `positions`, one after the other.
    fn columns(&self, positions: &[usize]) -> Vec<Fp>;
    /// The tree nodes that [`merkle::siblings`] lists.
    fn siblings(&self, positions: &[usize]) -> Vec<Digest>;
}

/// Opens the committed vector at `z`; returns w̃(z) to the checker.
pub fn open<S: Script>(
    script: &mut S,
    shape: Shape,
    root: &Digest,
    z: &[Ext],
    prover: Option<&dyn Opener>,
) -> Result<Option<Ext>, Rejection> {
    let (z_rows, z_columns) = z.split_at(shape.row_bits.min(z.len()));
    let mut weights = eq_table(z_rows);
    weights.truncate(shape.rows());
    let row = script.say("row", shape.columns(), || prover.map_or_else(Vec::new, |p| p.row(&weights)))?;
    let positions = script.positions("columns", QUERIES, shape.depth());
    let count = positions.len() * shape.rows();
    let columns =
        script.say_base("columns", count, || prover.map_or_else(Vec::new, |p| p.columns(&positions)))?;
    let nodes = merkle::siblings(&positions, shape.depth()).len();
    let path =
        script.say_digests("path", nodes, || prover.map_or_else(Vec::new, |p| p.siblings(&positions)))?;

    let leaves = script.check_only(|| {
        let leaf = |(at, column): (&usize, &[Fp])| (*at, merkle::leaf(column));
        positions.iter().zip(columns.chunks_exact(shape.rows())).map(leaf).collect::<Vec<_>>()
    });
    script.insist(Fault::Path, || {
        leaves.is_some_and(|leaves| merkle::root(leaves, shape.depth(), &path).as_ref() == Some(root))
    })?;
    let encoded = script.check_only(|| encode(&row, shape));
    for (at, column) in positions.iter().zip(columns.chunks_exact(shape.rows())) {
        script.insist(Fault::Column { column: *at }, || {
            let combined = weights.iter().zip(column).fold(Ext::ZERO, |sum, (e, v)| sum + scale(e, *v));
            encoded.as_ref().and_then(|word| word.get(*at)) == Some(&combined)
        })?;
    }
    Ok(script.check_only(|| dot(&row, &eq_table(z_columns))))
}

fn scale(e: &Ext, v: Fp) -> Ext {
    ext(e.c0 * v, e.c1 * v)
}

/// The codeword of a row over the challenge field, limb by limb. Empty if no such code exists.
fn encode(row: &[Ext], shape: Shape) -> Vec<Ext> {
    let Some(domain) = Radix2EvaluationDomain::<Fp>::new(shape.codeword()) else {
        return Vec::new();
    };
    let limb = |limb: fn(&Ext) -> Fp| domain.fft(&row.iter().map(limb).collect::<Vec<_>>());
    limb(|e| e.c0).into_iter().zip(limb(|e| e.c1)).map(|(c0, c1)| ext(c0, c1)).collect()
}

#[cfg(test)]
mod tests {
    use serin_circuits::graph::{Builder, Linear, Op, Port, Wire};
    use serin_circuits::tensor::Range;

    use super::*;

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
}
