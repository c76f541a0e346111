//! The script of a linear node: accumulators that both sides know, against weights that only the prover knows.
//!
//! Draw a point, say b̃ there, run the sumcheck of [`serin_circuits::relation::linear`] over the node's inputs, say W̃ at
//! its end, and check the product with Ã, which the checker computes from the node's input. Leaves two [`Claim`]s.
//!
//! Soundness error: (point coordinates + 2·rounds) / |F|.
//!
//! *Caller must still check*: that input and accumulators are the right ones, and both claims against the commitment.

use ark_ff::AdditiveGroup;
use serin_circuits::field::Ext;
use serin_circuits::graph::Linear;
use serin_circuits::relation::linear::{Point, accumulators_at, bind_batch, patches_at, sum_bits};
use serin_circuits::tensor::{Range, Tensor};
use serin_circuits::weights::Places;

use super::claims::Claim;
use crate::rejection::{Fault, Rejection};
use crate::script::Script;
use crate::sumcheck::{Rounds, sumcheck};

/// What the prover brings to one linear node.
pub trait LinearProver: Rounds {
    /// b̃(r_g, r_o).
    fn bias(&self) -> Ext;
    /// W̃ at the sum's end, once all its variables are bound.
    fn weight(&self) -> Ext;
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

/// What the checker knows besides: input and accumulators with their ranges.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    /// The input X.
    pub x: &'a Tensor,
    /// Its range.
    pub x_range: Range,
    /// The accumulators Y.
    pub y: &'a Tensor,
    /// Their range.
    pub y_range: Range,
}

/// Runs the script. `seen` is the checker's; `prover` turns the drawn point into the prover's tables.
pub fn linear<S: Script>(
    script: &mut S,
    known: Known<'_>,
    seen: Option<Seen<'_>>,
    prover: Option<impl FnOnce(&Point) -> Box<dyn LinearProver>>,
) -> Result<[Claim; 2], Rejection> {
    let Known { linear, places, batch } = known;
    let coordinates = script.coins("point", Point::bits(linear, batch).iter().sum());
    let point = Point::split(linear, batch, &coordinates).ok_or_else(|| script.reject(Fault::Product))?;
    let mut prover = prover.map(|begin| begin(&point));
    let bias = script.say("bias", 1, || prover.iter().map(|p| p.bias()).collect())?[0];

    let claim = seen.map_or(Ext::ZERO, |seen| {
        accumulators_at(linear, seen.y, seen.y_range, &point) - bias * point.ones(linear, batch)
    });
    let [g, c, d] = sum_bits(linear);
    let end = sumcheck(script, g + c + d, claim, prover.as_deref_mut())?;
    let weight = script.say("weight", 1, || prover.iter().map(|p| p.weight()).collect())?[0];
    script.insist(Fault::Product, || {
        seen.is_some_and(|seen| {
            let x = bind_batch(seen.x, seen.x_range, &point.sample);
            end.claim == weight * patches_at(linear, &x, &point, &end.point)
        })
    })?;

    let (sum_group, sum_rest) = end.point.split_at(g);
    let weight_point = [sum_group, &point.output, sum_rest].concat();
    let bias_point = [point.group, point.output].concat();
    Ok([
        Claim { offset: places.weight.offset, point: weight_point, value: weight },
        Claim { offset: places.bias.offset, point: bias_point, value: bias },
    ])
}
