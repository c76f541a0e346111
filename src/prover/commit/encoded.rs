//! A matrix of codewords under its Merkle tree.
//!
//! It is held by columns (one Merkle leaf contiguous), as the batched transform leaves it. It takes 8/ρ bytes per base-field entry,
//! is transformed in place, and nothing else of its size is ever held. On one core with AVX-512 and SHA extensions transposing,
//! transforming and hashing 2^14 to 2^20 entries at ρ = 1/2 takes 25 to 35 ns an entry, about half of it in SHA-256.

use std::sync::LazyLock;

use p3_dft::{Radix2DFTSmallBatch, TwoAdicSubgroupDft};
use p3_goldilocks::Goldilocks;
use p3_matrix::dense::RowMajorMatrix;
use rayon::prelude::*;
use serin_circuits::codec::Digest;
use serin_circuits::field::Fp;
use serin_verifier::commit::{Shape, merkle};

use crate::prover::kernels::table::element;

/// All codewords of a matrix and their tree.
pub(super) struct Encoded {
    shape: Shape,
    codeword: RowMajorMatrix<Goldilocks>,
    tree: Vec<Vec<Digest>>,
}

impl Encoded {
    /// Encodes `coefficients`, the transpose of a matrix of `shape` followed by zeros to the codewords' length.
    pub(super) fn new(shape: Shape, coefficients: Vec<Goldilocks>) -> Self {
        let codeword = transform(coefficients, shape.rows());
        let leaves = codeword.values.par_chunks(shape.rows()).map_init(Vec::new, |canonical, column| {
            canonical.clear();
            canonical.extend(column.iter().map(|v| element(*v)));
            merkle::leaf(canonical)
        });
        let mut tree = vec![leaves.collect::<Vec<Digest>>()];
        for level in 0..shape.depth() {
            let pairs = tree[level].par_chunks_exact(2).with_min_len(PAIRS);
            let parents = pairs.map(|pair| merkle::node(&pair[0], &pair[1])).collect();
            tree.push(parents);
        }
        Self { shape, codeword, tree }
    }

    pub(super) fn shape(&self) -> Shape {
        self.shape
    }

    /// The Merkle root.
    pub(super) fn root(&self) -> &Digest {
        &self.tree[self.shape.depth()][0]
    }

    /// The columns at `positions`, one after the other.
    pub(super) fn columns(&self, positions: &[usize]) -> Vec<Fp> {
        let rows = self.shape.rows();
        let columns = positions.iter().flat_map(|p| &self.codeword.values[p * rows..][..rows]);
        columns.map(|v| element(*v)).collect()
    }

    /// The tree nodes that [`merkle::siblings`] lists.
    pub(super) fn siblings(&self, positions: &[usize]) -> Vec<Digest> {
        let nodes = merkle::siblings(positions, self.shape.depth());
        nodes.into_iter().map(|(level, index)| self.tree[level][index]).collect()
    }
}

/// The transform of every column of a matrix `width` wide, in natural order.
pub(super) fn transform(values: Vec<Goldilocks>, width: usize) -> RowMajorMatrix<Goldilocks> {
    /// The roots of unity, which every commitment of a process shares.
    static DFT: LazyLock<Radix2DFTSmallBatch<Goldilocks>> = LazyLock::new(Radix2DFTSmallBatch::default);
    DFT.dft_batch(RowMajorMatrix::new(values, width))
}

/// Fewer pairs of tree nodes than this are hashed by one thread.
const PAIRS: usize = 64;
