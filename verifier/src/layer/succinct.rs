//! `succinct`: no activation is sent; look-ups and sumchecks tie the answer to the committed weights.
//!
//! Everything the server computed is either a committed column of the batch (what a rounding clamp made, its remainder, how often a
//! table's row was used) or follows from such columns by public affine maps and by products with the weights
//! ([`serin_circuits::gates`]). The conversation:
//!
//! 1. the prover commits the columns; α, β are drawn, and all look-ups of all nodes and samples are one sum of fractions
//!    ([`crate::lookup`]), which ends in one claim at one point (r_i, r_n);
//! 2. that claim and the answer's extension at (r_o, r_n) are linear forms over the values of the graph at r_n; they become one form;
//! 3. the values are walked backwards. A form over an affine gate's value moves to its sources. A form over a linear node's accumulators
//!    is split off: the prover says its value, a sumcheck over the accumulators' cube turns it into Ỹ at a point, the linear node's own
//!    script ([`super::linear`]) turns that into claims on the weights and a form over the node's input, which joins the rest with a fresh
//!    coin;
//! 4. what is left is a form over the committed columns, and over the questions, which the checker evaluates itself. One sumcheck over the
//!    entries, r_n being shared, and one opening settle the columns; [`super::claims`] settles the weights.
//!
//! Soundness error: as [`crate::soundness`] adds it up.
//!
//! What this shows the client besides the answer: evaluations of the activations and of the weights at random points, one each for a linear
//! node, and the opened rows and columns of both commitments. It hides no more than that; it is short, not zero-knowledge.

use ark_ff::AdditiveGroup;
use serin_circuits::codec::Digest;
use serin_circuits::field::{EXT_BYTES, Ext};
use serin_circuits::gates::Gate;
use serin_circuits::graph::{Graph, Linear};
use serin_circuits::poly::{dot, dot_eq, eq_prefix};
use serin_circuits::relation::linear::{Point, bind_batch, input_form, output_form_at, sum_bits};
use serin_circuits::weights::{Layout, log2_ceil};

use super::claims::{Claim, ClaimsProver, settle};
use super::linear::{Known, LinearProver, linear};
use crate::commit::{Opener, Shape, open};
use crate::lookup::fractions::{Fractions, fractions};
use crate::lookup::plan::{Fingerprint, Forms, Plan};
use crate::rejection::{Fault, Place, Rejection};
use crate::script::Script;
use crate::statement::Statement;
use crate::sumcheck::{Rounds, sumcheck};

/// What the prover brings.
pub trait Prover {
    /// The columns' commitment.
    fn root(&self) -> Digest;
    /// The fraction tree.
    fn fractions(&self, plan: &Plan, fingerprint: &Fingerprint) -> Box<dyn Fractions + '_>;
    /// A linear node's accumulators at r_n, against a form over them.
    fn accumulators(&self, linear_index: usize, form: &[Ext], sample: &[Ext]) -> Box<dyn FormProver + '_>;
    /// The tables of a linear node at a point.
    fn linear(&self, linear_index: usize, point: &Point) -> Box<dyn LinearProver>;
    /// The committed columns at r_n, against a form over them.
    fn columns(&self, form: &[Ext], sample: &[Ext]) -> Box<dyn Rounds + '_>;
    /// The columns' opening.
    fn opener(&self) -> &dyn Opener;
    /// The weights' side of settling all claims.
    fn weights(&self) -> &dyn ClaimsProver;
}

/// Σ form · vector, a sumcheck.
pub trait FormProver: Rounds {
    /// The sum.
    fn value(&self) -> Ext;
    /// The vector's extension at the sum's end, once all variables are bound.
    fn end(&self) -> Ext;
}

/// Runs the whole conversation after the statement was absorbed.
pub fn succinct<S: Script>(
    script: &mut S,
    statement: &Statement<'_>,
    layout: &Layout,
    plan: &Plan,
    prover: Option<&dyn Prover>,
) -> Result<(), Rejection> {
    script.enter(Place::Lookups);
    let root = script.say_digests("columns", 1, || prover.iter().map(|p| p.root()).collect())?[0];
    let fingerprint = Fingerprint::new(script.coin("alpha"), script.coin("beta"));
    let mut tree = prover.map(|p| p.fractions(plan, &fingerprint));
    let leaf = fractions(script, plan.leaf_bits() + plan.batch_bits(), tree.as_deref_mut())?;
    drop(tree);
    let mut claim = Open { forms: plan.forms(), value: Ext::ZERO };
    let lambda = script.coin("leaf");
    claim.value = plan.reduce(&leaf, &fingerprint, lambda, &mut claim.forms);
    let sample = &leaf.point[plan.leaf_bits()..];

    answer(script, statement, plan, sample, &mut claim);
    let walk = Walk { plan, graph: statement.graph, layout, sample, prover };
    let weight_claims = walk.backwards(script, &mut claim)?;
    walk.columns(script, statement, &root, claim)?;
    settle(script, layout, statement.weights, &weight_claims, prover.map(Prover::weights))
}

/// No proof takes more bytes behind its header: every message is as long as its place in the text above says, and only the openings,
/// which leave out what their queries share, are shorter.
pub fn cap(graph: &Graph, layout: &Layout, plan: &Plan) -> usize {
    let tree = plan.leaf_bits() + plan.batch_bits();
    let fractions = 2 + (0..tree).map(|layer| 2 * layer + 4).sum::<usize>();
    let linear = |geometry: &Linear| {
        let cube = Point::bits(geometry, plan.batch)[1..].iter().sum::<usize>();
        5 + 2 * (cube + sum_bits(geometry).iter().sum::<usize>())
    };
    let linears: usize = graph.linears().map(|(_, geometry)| linear(geometry)).sum();
    let rounds = 2 * (plan.column_bits() + layout.bits());
    let said = DIGEST_BYTES + EXT_BYTES * (fractions + linears + rounds);
    let openings = [plan.shape(), Shape::of(layout)].map(|shape| shape.opening_cap());
    openings.into_iter().fold(said, usize::saturating_add)
}

/// A form and what it must come to.
struct Open {
    forms: Forms,
    value: Ext,
}

/// Joins the claim that the last value is the answer.
fn answer<S: Script>(
    script: &mut S,
    statement: &Statement<'_>,
    plan: &Plan,
    sample: &[Ext],
    claim: &mut Open,
) {
    let output = plan.gates.values().len() - 1;
    let len = plan.gates.values()[output].len;
    let form = eq_prefix(&script.coins("answer", log2_ceil(len)), len);
    let join = script.coin("join");
    claim.forms.add(plan, output, join, &form);
    let range = statement.graph.output().range;
    let value = script.check_only(|| dot(&bind_batch(statement.outputs, range, sample), &form));
    claim.value += join * value.unwrap_or(Ext::ZERO);
}

/// What the backward walk needs all along.
struct Walk<'a> {
    plan: &'a Plan,
    graph: &'a Graph,
    layout: &'a Layout,
    /// r_n.
    sample: &'a [Ext],
    prover: Option<&'a dyn Prover>,
}

impl Walk<'_> {
    /// Moves the form to the committed columns and the questions. Returns the claims on the weights.
    fn backwards<S: Script>(&self, script: &mut S, claim: &mut Open) -> Result<Vec<Claim>, Rejection> {
        let values = self.plan.gates.values();
        let mut weight_claims = Vec::with_capacity(2 * self.layout.places().len());
        let mut steps = self.plan.steps.iter().rev();
        for (value, made) in values.iter().enumerate().rev() {
            let step = if matches!(made.gate, Gate::Clamp { .. }) { steps.next() } else { None };
            if claim.forms.values[value].is_empty() || matches!(made.gate, Gate::Input) {
                continue;
            }
            let form = std::mem::take(&mut claim.forms.values[value]);
            match &made.gate {
                Gate::Input => {}
                Gate::Affine(terms) => {
                    terms
                        .iter()
                        .for_each(|term| term.transpose(&form, claim.forms.of(self.plan, term.value)));
                }
                Gate::Clamp { .. } => {
                    let column = step.map_or(0, |step| step.column);
                    claim.forms.columns[column..].iter_mut().zip(&form).for_each(|(to, e)| *to += e);
                }
                Gate::Linear { linear_index, geometry, input } => {
                    let node = &self.graph.nodes()[made.node];
                    script.enter(Place::Node { index: made.node, name: node.name.clone() });
                    let (claims, form, at_input) =
                        self.linear(script, *linear_index, geometry, &form, claim)?;
                    weight_claims.extend(claims);
                    let join = script.coin("join");
                    claim.forms.add(self.plan, *input, join, &form);
                    claim.value += join * at_input;
                }
            }
        }
        Ok(weight_claims)
    }

    /// Splits a form over a linear node's accumulators off the claim. Returns the claims on its weights, and a form over its input with its
    /// value.
    fn linear<S: Script>(
        &self,
        script: &mut S,
        index: usize,
        geometry: &Linear,
        form: &[Ext],
        claim: &mut Open,
    ) -> Result<([Claim; 2], Vec<Ext>, Ext), Rejection> {
        let mut sum = self.prover.map(|p| p.accumulators(index, form, self.sample));
        let value = script.say("sum", 1, || sum.iter().map(|p| p.value()).collect())?[0];
        claim.value -= value;
        let bits = Point::bits(geometry, self.plan.batch)[1..].iter().sum();
        let end = sumcheck(script, bits, value, sum.as_deref_mut())?;
        let accumulators = script.say("accumulator", 1, || sum.iter().map(|p| p.end()).collect())?[0];
        let coordinates = [self.sample, &end.point].concat();
        let point = Point::split(geometry, self.plan.batch, &coordinates)
            .ok_or_else(|| script.reject(Fault::Product))?;
        script
            .insist(Fault::Product, || end.claim == accumulators * output_form_at(geometry, form, &point))?;

        let mut tables = self.prover.map(|p| p.linear(index, &point));
        let known = Known { linear: geometry, places: &self.layout.places()[index], batch: self.plan.batch };
        let reduced = linear(script, known, &point, accumulators, tables.as_deref_mut())?;
        let input = script.say("input", 1, || tables.iter().map(|p| p.input()).collect())?[0];
        script.insist(Fault::Product, || reduced.product == reduced.weight * input)?;
        Ok((reduced.claims, input_form(geometry, &point, &reduced.point), input))
    }

    /// Settles what is left against the columns' commitment, after taking off what the questions account for.
    fn columns<S: Script>(
        &self,
        script: &mut S,
        statement: &Statement<'_>,
        root: &Digest,
        claim: Open,
    ) -> Result<(), Rejection> {
        script.enter(Place::Columns);
        let Open { forms, mut value } = claim;
        let questions = &forms.values[0];
        if !questions.is_empty() {
            let range = self.graph.input().range;
            let asked =
                script.check_only(|| dot(&bind_batch(statement.inputs, range, self.sample), questions));
            value -= asked.unwrap_or(Ext::ZERO);
        }
        let mut sum = self.prover.map(|p| p.columns(&forms.columns, self.sample));
        let mut end = sumcheck(script, self.plan.column_bits(), value, sum.as_deref_mut())?;
        drop(sum);
        let form_at = script.check_only(|| dot_eq(&forms.columns, &end.point));
        end.point.extend_from_slice(self.sample);
        script.enter(Place::ColumnsOpening);
        let opened = open(script, self.plan.shape(), root, &end.point, self.prover.map(Prover::opener))?;
        script.enter(Place::Columns);
        script.insist(Fault::Columns, || {
            opened.zip(form_at).is_some_and(|(opened, form)| end.claim == opened * form)
        })
    }
}

const DIGEST_BYTES: usize = size_of::<Digest>();
