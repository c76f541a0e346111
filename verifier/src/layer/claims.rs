//! Many claims on the committed vector, merged into one opening.
//!
//! A [`Claim`] says that the sub-cube at `offset` has extension `value` at `point`; on the whole vector w of 2^n entries it
//! reads Σ_x w(x)·e(x) = value with e(x) = eq((index bits, point), x). With a random γ
//!
//! > Σ_j γ^j·value_j = Σ_x w(x) · E(x),  E = Σ_j γ^j·e_j
//!
//! is one sumcheck over n variables, ending in w̃(z), which [`crate::commit::open`] opens, times Ẽ(z), which the checker
//! evaluates in O(Σ n).
//!
//! The variables of the commitment's columns are bound first, those of its rows last. Until then no two rows mix, so a
//! prover needs only one combined row per tensor, never E: see its own documentation.
//!
//! Soundness error: (claims + 2n) / |F|, plus the opening's.

use ark_ff::{AdditiveGroup, Field};
use serin_circuits::codec::Digest;
use serin_circuits::field::Ext;
use serin_circuits::poly::{eq_index, eq_point};
use serin_circuits::weights::Layout;

use crate::commit::{Opener, Shape, open};
use crate::rejection::{Fault, Place, Rejection};
use crate::script::Script;
use crate::sumcheck::{Rounds, sumcheck};

/// A claimed value of one sub-cube's multilinear extension.
#[derive(Clone, Debug)]
pub struct Claim {
    /// First entry of the sub-cube, a multiple of 2^(point length).
    pub offset: usize,
    /// Coordinates within the sub-cube.
    pub point: Vec<Ext>,
    /// The claimed value.
    pub value: Ext,
}

impl Claim {
    /// ẽ(z): the claim's share of E at a point of the whole cube.
    pub fn selector_at(&self, z: &[Ext]) -> Ext {
        let (index, within) = z.split_at(z.len().saturating_sub(self.point.len()));
        eq_index(index, self.offset >> self.point.len()) * eq_point(within, &self.point)
    }
}

/// What the prover brings to the merging.
pub trait ClaimsProver {
    /// The sum Σ w·E for the weighted claims, columns first.
    fn rounds(&self, claims: &[Claim], weights: &[Ext]) -> Box<dyn Rounds + '_>;
    /// The commitment's opening.
    fn opener(&self) -> &dyn Opener;
}

/// 1, γ, γ², …
pub fn powers(gamma: Ext, count: usize) -> Vec<Ext> {
    std::iter::successors(Some(Ext::ONE), |power| Some(*power * gamma)).take(count).collect()
}

/// Merges the claims on a layout's vector and opens its commitment `root`.
pub fn settle<S: Script>(
    script: &mut S,
    layout: &Layout,
    root: &Digest,
    claims: &[Claim],
    prover: Option<&dyn ClaimsProver>,
) -> Result<(), Rejection> {
    script.enter(Place::Claims);
    let weights = powers(script.coin("merge"), claims.len());
    let claim =
        claims.iter().zip(&weights).fold(Ext::ZERO, |sum, (claim, weight)| sum + claim.value * weight);
    let mut rounds = prover.map(|p| p.rounds(claims, &weights));
    let mut end = sumcheck(script, layout.bits(), claim, rounds.as_deref_mut())?;

    script.enter(Place::Opening);
    let shape = Shape::of(layout);
    let columns = shape.column_bits().min(end.point.len());
    end.point.rotate_left(columns);
    let opened = open(script, shape, root, &end.point, prover.map(ClaimsProver::opener))?;
    script.enter(Place::Claims);
    script.insist(Fault::Weights, || {
        let selectors =
            claims.iter().zip(&weights).map(|(claim, weight)| claim.selector_at(&end.point) * weight);
        opened.is_some_and(|opened| end.claim == opened * selectors.sum::<Ext>())
    })
}
