//! The prover's half of the commitment ([`serin_verifier::commit`]): encode, hash, open.
//!
//! The codeword matrix is held by columns (one Merkle leaf contiguous), as the batched transform leaves it. It takes 8/ρ bytes
//! per entry, is transformed in place, and nothing else of its size is ever held. On one core with AVX-512 and SHA extensions
//! transposing, transforming and hashing 2^14 to 2^20 entries at ρ = 1/2 takes 25 to 35 ns an entry, about half of it in SHA-256.

use std::fmt;
use std::sync::LazyLock;

use p3_dft::{Radix2DFTSmallBatch, TwoAdicSubgroupDft};
use p3_field::PrimeCharacteristicRing;
use p3_goldilocks::Goldilocks;
use p3_matrix::dense::RowMajorMatrix;
use rayon::prelude::*;
use serin_circuits::codec::Digest;
use serin_circuits::field::{self, Ext, Fp};
use serin_circuits::poly::fold_rows;
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
    /// Commits to a vector of the length for which `shape` was made; entries missing at its end are zero.
    pub fn new(mut vector: Vec<i32>, shape: Shape) -> Self {
        vector.resize(shape.rows() * shape.columns(), 0);
        let codeword = encode(&vector, shape);
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
    /// The roots of unity, which every commitment of a process shares.
    static DFT: LazyLock<Radix2DFTSmallBatch<Goldilocks>> = LazyLock::new(Radix2DFTSmallBatch::default);
    let (rows, columns) = (shape.rows(), shape.columns());
    let mut coefficients = Goldilocks::zero_vec(rows * shape.codeword());
    // Coefficient j of every row's polynomial side by side: the transpose of the message, a cache line of it at a time.
    let blocks = coefficients[..rows * columns].par_chunks_mut(rows * LINE);
    blocks.enumerate().for_each(|(block, slots)| {
        for (i, row) in vector.chunks_exact(columns).enumerate() {
            let line = row[block * LINE..].iter().take(LINE);
            for (slot, v) in slots[i..].iter_mut().step_by(rows).zip(line) {
                *slot = goldilocks(field::from_i64(i64::from(*v)));
            }
        }
    });
    DFT.dft_batch(RowMajorMatrix::new(coefficients, rows))
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
/// Entries in a cache line.
const LINE: usize = 16;
/// Fewer pairs of tree nodes than this are hashed by one thread.
const PAIRS: usize = 64;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use proptest::prelude::*;
    use serin_circuits::field::{from_i64, lift};
    use serin_circuits::poly::evaluate;
    use serin_verifier::commit::{Code, open};
    use serin_verifier::rejection::{Fault, Rejection};
    use serin_verifier::script::{Checking, Coins, MerlinCoins, Proving, Script};

    use super::*;

    const CODES: [Code; 2] = [Code::WEIGHTS, Code::BATCH];

    /// What a cheat alters in an opening.
    #[derive(Clone, Copy)]
    enum Altered {
        Nothing,
        Row,
        Column,
        Path,
    }

    struct Cheat<'a>(&'a Commitment, Altered);

    impl Opener for Cheat<'_> {
        fn row(&self, weights: &[Ext]) -> Vec<Ext> {
            let mut row = self.0.row(weights);
            row[0] += Ext::from(u64::from(matches!(self.1, Altered::Row)));
            row
        }

        fn columns(&self, positions: &[usize]) -> Vec<Fp> {
            let mut columns = self.0.columns(positions);
            columns[0] += Fp::from_raw(u64::from(matches!(self.1, Altered::Column)));
            columns
        }

        fn siblings(&self, positions: &[usize]) -> Vec<Digest> {
            let mut path = self.0.siblings(positions);
            if let (Altered::Path, Some(node)) = (self.1, path.first_mut()) {
                node[0] ^= 1;
            }
            path
        }
    }

    fn any_vector(len: usize, seed: u32) -> Vec<i32> {
        (0..len as u32).map(|i| (seed ^ i).wrapping_mul(0x9E37_79B9) as i32 >> 16).collect()
    }

    /// What a checker makes of an opening of `commitment`, against `root`, at a point that `seed` fixes.
    fn opened(commitment: &Commitment, altered: Altered, root: &Digest, seed: u32) -> Result<Ext, Rejection> {
        let shape = commitment.shape();
        let bits = shape.row_bits() + shape.column_bits();
        let coins = || {
            let mut coins = MerlinCoins::new();
            coins.absorb("trial", &seed.to_le_bytes());
            coins
        };
        let mut proving = Proving::new(coins(), b"");
        let z = proving.coins("z", bits);
        open(&mut proving, shape, root, &z, Some(&Cheat(commitment, altered)))?;
        let proof = proving.finish();
        assert!(proof.len() <= shape.opening_cap());
        let mut checking = Checking::new(coins(), "", &proof)?;
        assert_eq!(checking.coins("z", bits), z);
        let value = open(&mut checking, shape, root, &z, None)?;
        checking.finish()?;
        let mut table: Vec<Ext> = commitment.vector.iter().map(|v| lift(from_i64(i64::from(*v)))).collect();
        table.resize(1 << bits, Ext::default());
        assert_eq!(value, Some(evaluate(&table, &z)));
        Ok(value.unwrap())
    }

    #[test]
    fn opening_with_altered_part_rejected_by_its_check() {
        for code in CODES {
            let shape = Shape::new(3000, 12, code);
            let commitment = Commitment::new(any_vector(3000, 7), shape);
            let fault = |altered, root| opened(&commitment, altered, root, 1).map_err(|r| r.fault);
            assert!(fault(Altered::Nothing, commitment.root()).is_ok());
            assert!(matches!(fault(Altered::Row, commitment.root()), Err(Fault::Column { .. })));
            assert!(matches!(fault(Altered::Column, commitment.root()), Err(Fault::Path)));
            assert!(matches!(fault(Altered::Path, commitment.root()), Err(Fault::Path)));
            let mut other = any_vector(3000, 7);
            other[2999] += 1;
            let other = Commitment::new(other, shape);
            assert!(matches!(fault(Altered::Nothing, other.root()), Err(Fault::Path)));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn opening_of_any_vector_gives_its_extension(bits in 0usize..13, part in 0.0..1.0f64, seed in any::<u32>()) {
            for code in CODES {
                let used = (1 + (part * (bits as f64).exp2()) as usize).min(1 << bits);
                let commitment = Commitment::new(any_vector(used, seed), Shape::new(used, bits, code));
                prop_assert!(opened(&commitment, Altered::Nothing, commitment.root(), seed).is_ok());
            }
        }
    }
}
