//! The commitment to a vector of integers: a Ligero-style matrix code under a Merkle tree [Ames, Hazay, Ishai,
//! Venkitasubramaniam 2017; the tensor opening of Golovnev et al. 2021, "Brakedown"], whose opening commits in turn to what
//! it would have to say at length.
//!
//! The vector w of 2^n integers is a matrix of 2^(n−k) rows of 2^k entries ([`Shape`] says which k); rows behind its last entry
//! in use are zero and left out. Each row is the coefficient list of a polynomial, evaluated on the 2^k/ρ roots of unity, ρ being
//! the rate of its [`Code`]; a column of these codewords is a leaf of a SHA-256 Merkle tree, whose root is the commitment. To
//! open w̃(z), z = (z_rows, z_columns), with u = Σ_i eq(z_rows, i)·row_i, of which w̃(z) = Σ_j eq(z_columns, j)·u_j:
//!
//! 1. the prover says u;
//! 2. t positions J are drawn, with repetition; the prover opens those columns with their Merkle paths;
//! 3. the checker encodes u itself and compares, at each position, with v_j, the same combination of the opened column.
//!
//! Where u is long, [`Shape::row`] has it committed instead:
//!
//! 1. the prover says w̃(z) and the root of a matrix of its own for u, whose entries stand there as two limbs, one row each;
//! 2. as above;
//! 3. γ is drawn, and merges the claims that u's codeword is v_j on J and that ũ(z_columns) = w̃(z) into one linear form
//!    ([`Form`]); a sumcheck over k variables ends in ũ(s);
//! 4. ũ(s) is opened in that matrix as above, the checker combining limbs with eq(s_rows, ·) ⊗ (1, X).
//!
//! Soundness, with unique decoding and no conjecture (n₀ the codeword's length, |F| ≈ 2^128). If the committed
//! words lie within distance (1−ρ)/2·n₀ of one codeword matrix, that matrix is unique, and a wrong u is a codeword that
//! differs from the right combination in more than n₀(1−ρ) places, of which at most (1−ρ)/2 are damaged. If they do not,
//! the combination with the tensor eq(z_rows, ·), drawn after the commitment, is itself that far from the code except with
//! probability 2·(n−k)·n₀/|F| [tensor proximity gap: Diamond and Posen 2023; in the unique-decoding radius of Reed–Solomon
//! codes: Diamond and Gruen 2024 with Ben-Sasson et al. 2020]. Either way each query misses with probability at most
//! (1+ρ)/2, so all miss with ((1+ρ)/2)^t.
//!
//! A row's own matrix holds words over the challenge field, to which the same two terms apply at s. Unless they fail, it lies
//! within the radius, so its root, said before J, stands for one u; that u's codeword differs from some v_j, or its extension
//! from w̃(z), whenever the opening is false and no query missed. One of the merged claims is then false, which γ hides with
//! |J|/|F| and the sumcheck with 2k/|F|. [`Shape::terms`] gives all these terms in bits.
//!
//! *Caller must still check* that the opened value is the one its claims call for, and that z was drawn after the
//! commitment was absorbed. The commitment binds; it does not hide more than its columns do.

mod code;
mod form;
pub mod merkle;
mod shape;

use ark_ff::AdditiveGroup;
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
use serin_circuits::codec::Digest;
use serin_circuits::field::{Ext, Fp, ext};
use serin_circuits::poly::{dot, eq_table};

pub use self::code::Code;
pub use self::form::Form;
pub use self::shape::Shape;
use crate::rejection::{Fault, Rejection};
use crate::script::Script;
use crate::sumcheck::{Rounds, sumcheck};

/// What the prover brings to an opening of a matrix.
pub trait Opener {
    /// u = Σ_i `weights[i]`·row_i.
    fn row(&self, weights: &[Ext]) -> Vec<Ext>;
    /// The encoded columns at `positions`, one after the other.
    fn columns(&self, positions: &[usize]) -> Vec<Fp>;
    /// The tree nodes that [`merkle::siblings`] lists.
    fn siblings(&self, positions: &[usize]) -> Vec<Digest>;
    /// Commits to a combined row, in a matrix of `shape`, the shape's own [`Shape::row`].
    fn commit_row(&self, row: Vec<Ext>, shape: Shape) -> Box<dyn RowOpener>;
}

/// What the prover brings to a committed row: the opening of its matrix, and the sumcheck before it.
pub trait RowOpener: Opener {
    /// The Merkle root.
    fn root(&self) -> Digest;
    /// The sum ⟨u, E⟩.
    fn rounds(&self, form: &Form<'_>) -> Box<dyn Rounds + '_>;
}

/// Opens the committed vector at `z`; returns w̃(z) to the checker.
pub fn open<S: Script>(
    script: &mut S,
    shape: Shape,
    root: &Digest,
    z: &[Ext],
    prover: Option<&dyn Opener>,
) -> Result<Option<Ext>, Rejection> {
    let (z_rows, z_columns) = z.split_at(shape.row_bits().min(z.len()));
    let matrix = Matrix { shape, root, weights: shape.weights(z_rows), prover };
    match shape.row() {
        None => matrix.open_whole(script, z_columns),
        Some(row) => matrix.open_committed(script, row, z_columns),
    }
}

/// A committed matrix under the weights of its rows.
struct Matrix<'a> {
    shape: Shape,
    root: &'a Digest,
    weights: Vec<Ext>,
    prover: Option<&'a dyn Opener>,
}

impl Matrix<'_> {
    /// With the combined row said whole.
    fn open_whole<S: Script>(&self, script: &mut S, z_columns: &[Ext]) -> Result<Option<Ext>, Rejection> {
        let label = if self.shape.is_row() { "row of row" } else { "row" };
        let row = || self.prover.map_or_else(Vec::new, |p| p.row(&self.weights));
        let row = script.say(label, self.shape.columns(), row)?;
        let (positions, values) = self.draw_columns(script)?;
        let encoded = script.check_only(|| encode(&row, self.shape));
        for (column, value) in positions.into_iter().zip(&values) {
            let is_row = self.shape.is_row();
            let fault = if is_row { Fault::RowColumn { column } } else { Fault::Column { column } };
            script.insist(fault, || encoded.as_ref().and_then(|word| word.get(column)) == Some(value))?;
        }
        Ok(script.check_only(|| dot(&row, &eq_table(z_columns))))
    }

    /// With the combined row committed.
    fn open_committed<S: Script>(
        &self,
        script: &mut S,
        inner: Shape,
        z_columns: &[Ext],
    ) -> Result<Option<Ext>, Rejection> {
        let row = self.prover.map(|p| (p, p.row(&self.weights)));
        let value = || row.iter().map(|(_, row)| dot(row, &eq_table(z_columns))).collect();
        let value = script.say("value", 1, value)?[0];
        let row = row.map(|(p, row)| p.commit_row(row, inner));
        let root = script.say_digests("row root", 1, || row.iter().map(|p| p.root()).collect())?[0];
        let (positions, values) = self.draw_columns(script)?;

        let form = Form::new(self.shape, &positions, z_columns, script.coin("row"));
        let claim = form.claim(&values, value);
        let mut rounds = row.as_ref().map(|p| p.rounds(&form));
        let end = sumcheck(script, self.shape.column_bits(), claim, rounds.as_deref_mut())?;
        drop(rounds);
        let at_end = open(script, inner, &root, &end.point, row.as_deref().map(|p| p as &dyn Opener))?;
        script
            .insist(Fault::Row, || at_end.is_some_and(|at_end| end.claim == at_end * form.at(&end.point)))?;
        Ok(script.check_only(|| value))
    }

    /// Draws positions, and opens their columns; to the checker, their combinations v_j.
    fn draw_columns<S: Script>(&self, script: &mut S) -> Result<(Vec<usize>, Vec<Ext>), Rejection> {
        let Self { shape, prover, .. } = self;
        let [columns, path] =
            if shape.is_row() { ["columns of row", "path of row"] } else { ["columns", "path"] };
        let positions = script.positions(columns, shape.code().queries(), shape.depth());
        let opened = || prover.map_or_else(Vec::new, |p| p.columns(&positions));
        let opened = script.say_base(columns, positions.len() * shape.rows(), opened)?;
        let nodes = merkle::siblings(&positions, shape.depth()).len();
        let siblings = || prover.map_or_else(Vec::new, |p| p.siblings(&positions));
        let path = script.say_digests(path, nodes, siblings)?;

        let columns = || opened.chunks_exact(shape.rows());
        script.insist(if shape.is_row() { Fault::RowPath } else { Fault::Path }, || {
            let leaves = positions.iter().copied().zip(columns().map(merkle::leaf)).collect();
            merkle::root(leaves, shape.depth(), &path).as_ref() == Some(self.root)
        })?;
        let combined =
            |column: &[Fp]| self.weights.iter().zip(column).fold(Ext::ZERO, |sum, (e, v)| sum + scale(e, *v));
        let values = script.check_only(|| columns().map(combined).collect());
        Ok((positions, values.unwrap_or_default()))
    }
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
