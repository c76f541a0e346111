//! The commitment to a vector of integers: a Ligero-style matrix code under a Merkle tree [Ames, Hazay, Ishai,
//! Venkitasubramaniam 2017; the tensor opening of Golovnev et al. 2021, "Brakedown"].
//!
//! The vector w of 2^n integers is a matrix of 2^(n−k) rows of 2^k entries ([`Shape`] says which k); rows behind its last entry
//! in use are zero and left out. Each row is the coefficient list of a polynomial, evaluated on the 2^k/ρ roots of unity, ρ being
//! the rate of its [`Code`]; a column of these codewords is a leaf of a SHA-256 Merkle tree, whose root is the commitment. To
//! open w̃(z), z = (z_rows, z_columns):
//!
//! 1. the prover sends u = Σ_i eq(z_rows, i)·row_i, which gives w̃(z) = Σ_j eq(z_columns, j)·u_j;
//! 2. t positions are drawn, with repetition; the prover opens those columns with their Merkle paths;
//! 3. the checker encodes u itself and compares, at each position, with the same combination of the opened column.
//!
//! Soundness, with unique decoding and no conjecture (n₀ the codeword's length, |F| ≈ 2^128). If the committed
//! words lie within distance (1−ρ)/2·n₀ of one codeword matrix, that matrix is unique, and a wrong u is a codeword that
//! differs from the right combination in more than n₀(1−ρ) places, of which at most (1−ρ)/2 are damaged. If they do not,
//! the combination with the tensor eq(z_rows, ·), drawn after the commitment, is itself that far from the code except with
//! probability 2·(n−k)·n₀/|F| [tensor proximity gap: Diamond and Posen 2023; in the unique-decoding radius of Reed–Solomon
//! codes: Diamond and Gruen 2024 with Ben-Sasson et al. 2020]. Either way each query misses with probability at most
//! (1+ρ)/2, so all miss with ((1+ρ)/2)^t; [`Shape::terms`] gives both terms in bits.
//!
//! *Caller must still check* that the opened value is the one its claims call for, and that z was drawn after the
//! commitment was absorbed. The commitment binds; it does not hide more than its columns do.

pub mod merkle;
mod shape;

use ark_ff::AdditiveGroup;
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
use serin_circuits::codec::Digest;
use serin_circuits::field::{Ext, Fp, ext};
use serin_circuits::poly::{dot, eq_table};

pub use self::shape::{Code, Shape};
use crate::rejection::{Fault, Rejection};
use crate::script::Script;

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
    let (z_rows, z_columns) = z.split_at(shape.row_bits().min(z.len()));
    let mut weights = eq_table(z_rows);
    weights.truncate(shape.rows());
    let row = script.say("row", shape.columns(), || prover.map_or_else(Vec::new, |p| p.row(&weights)))?;
    let positions = script.positions("columns", shape.code().queries(), shape.depth());
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
