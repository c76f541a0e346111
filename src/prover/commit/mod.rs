//! The prover's half of the commitment ([`serin_verifier::commit`]): encode, hash, open.
//!
//! Vectors become `encoded` matrices; an opening that commits its combined row makes another one of it (`row`).

mod encoded;
mod row;
#[cfg(test)]
mod tests;

use std::fmt;

use p3_field::PrimeCharacteristicRing;
use p3_goldilocks::Goldilocks;
use rayon::prelude::*;
use serin_circuits::codec::Digest;
use serin_circuits::field::{self, Ext, Fp};
use serin_circuits::poly::fold_rows;
use serin_verifier::commit::{Opener, RowOpener, Shape};

use self::encoded::Encoded;
use self::row::CommittedRow;
use super::kernels::table::goldilocks;

/// A committed vector of integers with all that an opening needs. `Debug` shows the shape only.
pub struct Commitment {
    pub(super) vector: Vec<i32>,
    pub(super) magnitude: u32,
    encoded: Encoded,
}

impl fmt::Debug for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Commitment({} × {})", self.shape().rows(), self.shape().columns())
    }
}

impl Commitment {
    /// Commits to a vector of the length for which `shape` was made; entries missing at its end are zero.
    pub fn new(mut vector: Vec<i32>, shape: Shape) -> Self {
        vector.resize(shape.rows() * shape.columns(), 0);
        let encoded = Encoded::new(shape, transposed(&vector, shape));
        let magnitude = vector.iter().map(|v| v.unsigned_abs()).max().unwrap_or(0);
        Self { vector, magnitude, encoded }
    }

    /// The Merkle root: the commitment itself.
    pub fn root(&self) -> &Digest {
        self.encoded.root()
    }

    /// The matrix's shape.
    pub fn shape(&self) -> Shape {
        self.encoded.shape()
    }
}

/// Coefficient j of every row's polynomial side by side: the transpose of the message, a cache line of it at a time. With room
/// for the codewords.
fn transposed(vector: &[i32], shape: Shape) -> Vec<Goldilocks> {
    let (rows, columns) = (shape.rows(), shape.columns());
    let mut coefficients = Goldilocks::zero_vec(rows * shape.codeword());
    let blocks = coefficients[..rows * columns].par_chunks_mut(rows * LINE);
    blocks.enumerate().for_each(|(block, slots)| {
        for (i, row) in vector.chunks_exact(columns).enumerate() {
            let line = row[block * LINE..].iter().take(LINE);
            for (slot, v) in slots[i..].iter_mut().step_by(rows).zip(line) {
                *slot = goldilocks(field::from_i64(i64::from(*v)));
            }
        }
    });
    coefficients
}

impl Opener for Commitment {
    fn row(&self, weights: &[Ext]) -> Vec<Ext> {
        let columns = self.shape().columns();
        if self.vector.len() < PARALLEL {
            return fold_rows(weights, &self.vector, columns, self.magnitude);
        }
        // Split by rows: each thread reads its part of the vector in order.
        let part = weights.len().div_ceil(rayon::current_num_threads());
        let parts = weights.par_chunks(part).zip(self.vector.par_chunks(part * columns));
        let folded = parts.map(|(weights, rows)| fold_rows(weights, rows, columns, self.magnitude));
        folded
            .reduce_with(|mut a, b| {
                a.iter_mut().zip(&b).for_each(|(x, y)| *x += y);
                a
            })
            .unwrap_or_default()
    }

    fn columns(&self, positions: &[usize]) -> Vec<Fp> {
        self.encoded.columns(positions)
    }

    fn siblings(&self, positions: &[usize]) -> Vec<Digest> {
        self.encoded.siblings(positions)
    }

    fn commit_row(&self, row: Vec<Ext>, shape: Shape) -> Box<dyn RowOpener> {
        Box::new(CommittedRow::new(row, shape))
    }
}

/// Vectors from this length on are folded by several threads.
const PARALLEL: usize = 1 << 18;
/// Entries in a cache line.
const LINE: usize = 16;
