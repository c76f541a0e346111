//! The prover's half of the weight commitment ([`serin_verifier::commit`]): encode, hash, open.
//!
//! The codeword matrix is held by columns (one Merkle leaf contiguous), as the batched transform leaves it. It takes
//! 8·2^[`LOG_INVERSE_RATE`](serin_verifier::commit::LOG_INVERSE_RATE) bytes per weight.

use std::fmt;

use p3_dft::{Radix2DitParallel, TwoAdicSubgroupDft};
use p3_field::PrimeCharacteristicRing;
use p3_goldilocks::Goldilocks;
use p3_matrix::Matrix;
use p3_matrix::dense::RowMajorMatrix;
use rayon::prelude::*;
use serin_circuits::codec::Digest;
use serin_circuits::field::{self, Ext, Fp};
use serin_circuits::poly::fold_rows;
use serin_circuits::weights::Layout;
use serin_verifier::commit::{Opener, Shape, merkle};

use super::kernels::table::{element, goldilocks};

/// A committed vector of integers with all that an opening needs. `Debug` shows the root only.
pub struct Commitment {
    shape: Shape,
    pub(super) vector: Vec<i32>,
    pub(super) magnitude: u32,
    codeword: RowMajorMatrix<Goldilocks>,
    tree: Vec<Vec<Digest>>,
}

impl fmt::Debug for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Commitment({} × {})", self.shape.rows(), self.shape.columns())
    }
}

impl Commitment {
    /// Commits to the used part of a layout's vector.
    pub fn new(mut vector: Vec<i32>, layout: &Layout) -> Self {
        let shape = Shape::of(layout);
        vector.resize(shape.rows() * shape.columns(), 0);
        let codeword = encode(&vector, shape);
        let leaves = codeword.values.par_chunks(shape.rows()).map(|column| {
            let canonical: Vec<Fp> = column.iter().map(|v| element(*v)).collect();
            merkle::leaf(&canonical)
        });
        let mut tree = vec![leaves.collect::<Vec<Digest>>()];
        for level in 0..shape.depth() {
            let parents = tree[level].par_chunks_exact(2).map(|pair| merkle::node(&pair[0], &pair[1]));
            let parents = parents.collect();
            tree.push(parents);
        }
        let magnitude = vector.iter().map(|v| v.unsigned_abs()).max().unwrap_or(0);
        Self { shape, vector, magnitude, codeword, tree }
    }

    /// The Merkle root: the commitment itself.
    pub fn root(&self) -> &Digest {
        &self.tree[self.shape.depth()][0]
    }

    /// The matrix's shape.
    pub fn shape(&self) -> Shape {
        self.shape
    }
}

/// All codewords, one column of the matrix per row of the result, in natural order.
fn encode(vector: &[i32], shape: Shape) -> RowMajorMatrix<Goldilocks> {
    let (rows, columns) = (shape.rows(), shape.columns());
    let mut coefficients = Goldilocks::zero_vec(rows * shape.codeword());
    // Coefficient j of every row's polynomial side by side: the transpose of the message.
    coefficients[..rows * columns].par_chunks_mut(rows).enumerate().for_each(|(j, column)| {
        for (i, slot) in column.iter_mut().enumerate() {
            *slot = goldilocks(field::from_i64(i64::from(vector[i * columns + j])));
        }
    });
    let coefficients = RowMajorMatrix::new(coefficients, rows);
    Radix2DitParallel::default().dft_batch(coefficients).to_row_major_matrix()
}

impl Opener for Commitment {
    fn row(&self, weights: &[Ext]) -> Vec<Ext> {
        let columns = self.shape.columns();
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
        let rows = self.shape.rows();
        positions
            .iter()
            .flat_map(|p| &self.codeword.values[p * rows..][..rows])
            .map(|v| element(*v))
            .collect()
    }

    fn siblings(&self, positions: &[usize]) -> Vec<Digest> {
        let nodes = merkle::siblings(positions, self.shape.depth());
        nodes.into_iter().map(|(level, index)| self.tree[level][index]).collect()
    }
}

/// Vectors from this length on are folded by several threads.
const PARALLEL: usize = 1 << 18;
