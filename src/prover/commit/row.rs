//! A combined row that an opening commits instead of saying it: a second, small matrix, and the sumcheck ⟨u, E⟩ over it.
//!
//! The linear form E ([`Form`]) has as many entries as the row, each a sum over all positions j = q/ρ + s of the codeword:
//! Σ_j γ_j·ω^(jk) = Σ_s ω^(sk)·Σ_q γ_(q/ρ+s)·(ω^(1/ρ))^(qk). The inner sums are 1/ρ transforms of the row's own length.

use p3_field::{PrimeCharacteristicRing, TwoAdicField};
use p3_goldilocks::Goldilocks;
use serin_circuits::codec::Digest;
use serin_circuits::field::{Ext, Fp, ext};
use serin_verifier::commit::{Form, Opener, RowOpener, Shape};
use serin_verifier::sumcheck::Rounds;

use super::encoded::{Encoded, transform};
use crate::prover::kernels::table::{Product, Table, goldilocks};

/// A committed row.
pub(super) struct CommittedRow {
    row: Vec<Ext>,
    encoded: Encoded,
}

impl CommittedRow {
    /// Commits to a row in a matrix of `shape`, the limbs of each entry one below the other.
    pub(super) fn new(row: Vec<Ext>, shape: Shape) -> Self {
        let (rows, columns) = (shape.rows(), shape.columns());
        let mut coefficients = Goldilocks::zero_vec(rows * shape.codeword());
        for (i, entries) in row.chunks_exact(columns).enumerate() {
            for (slots, entry) in coefficients.chunks_exact_mut(rows).zip(entries) {
                slots[2 * i] = goldilocks(entry.c0);
                slots[2 * i + 1] = goldilocks(entry.c1);
            }
        }
        Self { row, encoded: Encoded::new(shape, coefficients) }
    }
}

impl Opener for CommittedRow {
    fn row(&self, weights: &[Ext]) -> Vec<Ext> {
        let columns = self.encoded.shape().columns();
        let mut sum = vec![Ext::default(); columns];
        for (weights, entries) in weights.chunks_exact(2).zip(self.row.chunks_exact(columns)) {
            for (sum, entry) in sum.iter_mut().zip(entries) {
                *sum += scale(&weights[0], entry.c0) + scale(&weights[1], entry.c1);
            }
        }
        sum
    }

    fn columns(&self, positions: &[usize]) -> Vec<Fp> {
        self.encoded.columns(positions)
    }

    fn siblings(&self, positions: &[usize]) -> Vec<Digest> {
        self.encoded.siblings(positions)
    }

    fn commit_row(&self, row: Vec<Ext>, shape: Shape) -> Box<dyn RowOpener> {
        Box::new(Self::new(row, shape))
    }
}

impl RowOpener for CommittedRow {
    fn root(&self) -> Digest {
        *self.encoded.root()
    }

    fn rounds(&self, form: &Form<'_>) -> Box<dyn Rounds + '_> {
        Box::new(Product::new(self.row.iter().copied().collect(), entries(form)))
    }
}

/// E, entry by entry.
fn entries(form: &Form<'_>) -> Table {
    let mut table = Table::zeros(form.shape.columns());
    let Some((last, powers)) = form.powers.split_last() else {
        return table;
    };
    table.write_eq(0, form.point, *last);
    let log_cosets = form.shape.code().log_inverse_rate();
    let width = 2 << log_cosets;
    let mut sparse = Goldilocks::zero_vec(width * form.shape.columns());
    for (at, power) in form.positions.iter().zip(powers) {
        sparse[2 * at] = goldilocks(power.c0);
        sparse[2 * at + 1] = goldilocks(power.c1);
    }
    let sums = transform(sparse, width);
    let root = Goldilocks::two_adic_generator(form.shape.depth());
    let [c0, c1] = table.limbs_mut();
    for ((sums, to), x) in sums.values.chunks_exact(width).zip(c0.iter_mut().zip(c1)).zip(root.powers()) {
        let cosets = sums.as_chunks::<2>().0.iter().rev();
        let zero = [Goldilocks::ZERO; 2];
        let [a, b] = cosets.fold(zero, |[a, b], [c, d]| [a * x + *c, b * x + *d]);
        *to.0 += a;
        *to.1 += b;
    }
    table
}

fn scale(e: &Ext, v: Fp) -> Ext {
    ext(e.c0 * v, e.c1 * v)
}
