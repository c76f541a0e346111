//! `revealed`: the server sends every linear node's accumulators; the client recomputes the rest itself.
//!
//! The prover says all accumulators but the last node's (those are the answer), each at its range's width. The checker walks the
//! graph over them (`Checker`): a linear node's output is what was said, every other node is recomputed, so the walk ends in
//! the answer that follows from the activations, which must be the answer given. Then every linear node is proved against the
//! committed weights ([`super::linear`]) and all claims are settled at once ([`super::claims`]).
//!
//! What this shows the client: every activation of the model on its own queries. With enough queries of its choice a client can
//! solve for the weights of a layer whose inputs and accumulators it sees; a server that minds must not offer this mode.

use std::sync::Arc;

use ark_ff::AdditiveGroup;
use serin_circuits::clear::{Clear, Linears};
use serin_circuits::engine::{At, run};
use serin_circuits::field::Ext;
use serin_circuits::graph::{Linear, Node};
use serin_circuits::relation::linear::{Point, accumulators_at, bind_batch, patches_at};
use serin_circuits::tensor::Tensor;
use serin_circuits::weights::Layout;

use super::claims::{ClaimsProver, settle};
use super::linear::{Known, LinearProver, linear};
use crate::rejection::{Fault, Place, Rejection};
use crate::script::Script;
use crate::statement::Statement;

/// The label under which accumulators are said.
pub const ACTIVATIONS: &str = "accumulators";

/// What the prover brings.
pub trait Prover {
    /// The accumulators of the linear node with this index among linear nodes.
    fn accumulators(&self, linear_index: usize) -> &[i32];
    /// The tables of a linear node at a point.
    fn linear(&self, linear_index: usize, point: &Point) -> Box<dyn LinearProver>;
    /// The weights' side of settling all claims.
    fn weights(&self) -> &dyn ClaimsProver;
}

/// Runs the whole conversation after the statement was absorbed.
pub fn revealed<S: Script>(
    script: &mut S,
    statement: &Statement<'_>,
    layout: &Layout,
    prover: Option<&dyn Prover>,
) -> Result<(), Rejection> {
    let graph = statement.graph;
    let batch = statement.inputs.batch();
    let mut said = Vec::new();
    for (i, (index, _)) in graph.linears().enumerate() {
        let node = &graph.nodes()[index];
        if index + 1 == graph.nodes().len() {
            said.push(script.check_only(|| statement.outputs.values().to_vec()));
            continue;
        }
        script.enter(place(index, node));
        let count = batch.saturating_mul(node.output.len());
        let accumulators = || prover.map_or(&[][..], |p| p.accumulators(i));
        said.push(script.reveal(ACTIVATIONS, count, node.output.range, accumulators)?);
    }
    let layers = script.check_only(|| walk(statement, said)).transpose()?;

    let mut claims = Vec::with_capacity(2 * layout.places().len());
    for (i, ((index, geometry), places)) in graph.linears().zip(layout.places()).enumerate() {
        let node = &graph.nodes()[index];
        script.enter(place(index, node));
        let coordinates = script.coins("point", Point::bits(geometry, batch).iter().sum());
        let point =
            Point::split(geometry, batch, &coordinates).ok_or_else(|| script.reject(Fault::Product))?;
        let seen = layers.as_ref().and_then(|layers| layers.get(i));
        let accumulators =
            seen.map_or(Ext::ZERO, |(_, y)| accumulators_at(geometry, y, node.output.range, &point));
        let mut tables = prover.map(|p| p.linear(i, &point));
        let known = Known { linear: geometry, places, batch };
        let reduced = linear(script, known, &point, accumulators, tables.as_deref_mut())?;
        script.insist(Fault::Product, || {
            seen.is_some_and(|(x, _)| {
                let x = bind_batch(x, graph.port(node.inputs[0]).range, &point.sample);
                reduced.product == reduced.weight * patches_at(geometry, &x, &point, &reduced.point)
            })
        })?;
        claims.extend(reduced.claims);
    }
    settle(script, layout, statement.weights, &claims, prover.map(Prover::weights))
}

fn place(index: usize, node: &Node) -> Place {
    Place::Node { index, name: node.name.clone() }
}

/// Input and accumulators of every linear node.
type Layers = Vec<(Arc<Tensor>, Arc<Tensor>)>;

/// Recomputes all that is not linear; the end must be the answer.
fn walk(statement: &Statement<'_>, said: Vec<Option<Vec<i32>>>) -> Result<Layers, Rejection> {
    let checker = Checker { batch: statement.inputs.batch(), said: said.into_iter(), layers: Vec::new() };
    let mut checker = Clear(checker);
    let output = run(statement.graph, &mut checker, Arc::new(statement.inputs.clone()))?;
    if *output == *statement.outputs {
        return Ok(checker.0.layers);
    }
    let len = statement.outputs.sample_len().max(1);
    let differs = output.values().iter().zip(statement.outputs.values()).position(|(a, b)| a != b);
    let fault = Fault::Output { sample: differs.unwrap_or(0) / len };
    Err(Rejection::new(Place::Statement, fault))
}

/// Where the checker's walk takes accumulators from.
struct Checker<I> {
    batch: usize,
    said: I,
    layers: Layers,
}

impl<I: Iterator<Item = Option<Vec<i32>>>> Linears for Checker<I> {
    type Error = Rejection;

    fn linear(&mut self, at: At<'_>, _: &Linear, x: &Arc<Tensor>) -> Result<Arc<Tensor>, Rejection> {
        let values = self.said.next().flatten().unwrap_or_default();
        let Some(y) = Tensor::new(self.batch, &at.node.output.shape, values) else {
            let fault = Fault::Answer("its accumulators have another size".into());
            return Err(Rejection::new(place(at.index, at.node), fault));
        };
        let y = Arc::new(y);
        self.layers.push((Arc::clone(x), Arc::clone(&y)));
        Ok(y)
    }
}
