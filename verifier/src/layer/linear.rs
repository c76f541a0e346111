//! The script of a linear node: accumulators at a point, against weights that only the prover knows.
//!
//! Say b̃ at the point, run the sumcheck of [`serin_circuits::relation::linear`] over the node's inputs, and say W̃ at its end.
//! Leaves two [`Claim`]s on the weights, and a product W̃·Ã = claim in which Ã is a linear form over the node's input
//! ([`serin_circuits::relation::linear::input_form`]).
//!
//! Soundness error: 2·rounds / |F|.
//!
//! *Caller must still check*: the value of the accumulators it hands in, the product, and both claims against the commitment.

use serin_circuits::field::Ext;
use serin_circuits::graph::Linear;
use serin_circuits::relation::linear::{Point, sum_bits};
use serin_circuits::weights::Places;

use super::claims::Claim;
use crate::rejection::Rejection;
use crate::script::Script;
use crate::sumcheck::{Rounds, sumcheck};

/// What the prover brings to one linear node, at a point that was drawn.
pub trait LinearProver: Rounds {
    /// b̃(r_g, r_o).
    fn bias(&self) -> Ext;
    /// W̃ at the sum's end, once all its variables are bound.
    fn weight(&self) -> Ext;
    /// Ã there.
    fn input(&self) -> Ext;
}

/// What both sides know of one linear node.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// Its geometry.
    pub linear: &'a Linear,
    /// Where its weights stand in the committed vector.
    pub places: &'a Places,
    /// Samples in the batch.
    pub batch: usize,
}

/// What is left of a linear node.
#[derive(Clone, Debug)]
pub struct Reduced {
    /// On the weights and on the biases.
    pub claims: [Claim; 2],
    /// (r_g', r_c, r_d): where the sum ended.
    pub point: Vec<Ext>,
    /// W̃ there.
    pub weight: Ext,
    /// What W̃·Ã must be. Meaningless on the prover's side.
    pub product: Ext,
}

/// Runs the script from Ỹ = `accumulators` at `point`.
pub fn linear<S: Script, P: LinearProver + ?Sized>(
    script: &mut S,
    known: Known<'_>,
    point: &Point,
    accumulators: Ext,
    mut prover: Option<&mut P>,
) -> Result<Reduced, Rejection> {
    let Known { linear, places, batch } = known;
    let bias = script.say("bias", 1, || prover.iter().map(|p| p.bias()).collect())?[0];
    let claim = accumulators - bias * point.ones(linear, batch);
    let [g, c, d] = sum_bits(linear);
    let end = sumcheck(script, g + c + d, claim, prover.as_deref_mut())?;
    let weight = script.say("weight", 1, || prover.iter().map(|p| p.weight()).collect())?[0];

    let (sum_group, sum_rest) = end.point.split_at(g);
    let weight_point = [sum_group, &point.output, sum_rest].concat();
    let bias_point = [&point.group[..], &point.output].concat();
    let claims = [
        Claim { offset: places.weight.offset, point: weight_point, value: weight },
        Claim { offset: places.bias.offset, point: bias_point, value: bias },
    ];
    Ok(Reduced { claims, point: end.point, weight, product: end.claim })
}
