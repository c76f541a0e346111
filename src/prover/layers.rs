//! The linear nodes of a batch and the claims they leave on the weights: the half of a witness that both modes share.

use serin_circuits::field::Ext;
use serin_circuits::graph::Linear;
use serin_circuits::relation::linear::{Point, bias_at, bind_batch, bind_weights, patches};
use serin_circuits::tensor::Range;
use serin_verifier::commit::Opener;
use serin_verifier::layer::claims::{Claim, ClaimsProver};
use serin_verifier::layer::linear::LinearProver;
use serin_verifier::sumcheck::{Rounds, Tables};

use super::Model;
use super::claims::Merged;
use super::infer::{Layer, Trace};

/// A model and the trace of one batch.
pub(super) struct Layers<'a> {
    pub(super) model: &'a Model,
    pub(super) trace: &'a Trace,
    linears: Vec<(&'a Linear, [Range; 2])>,
}

impl<'a> Layers<'a> {
    pub(super) fn new(model: &'a Model, trace: &'a Trace) -> Self {
        let graph = model.graph();
        let ranges = |index: usize| {
            let node = &graph.nodes()[index];
            [graph.port(node.inputs[0]).range, node.output.range]
        };
        let linears = graph.linears().map(|(index, linear)| (linear, ranges(index))).collect();
        Self { model, trace, linears }
    }

    /// A linear node's geometry, and its accumulators at r_n.
    pub(super) fn accumulators(&self, index: usize, sample: &[Ext]) -> (&'a Linear, Vec<Ext>) {
        let (linear, [_, range]) = self.linears[index];
        (linear, bind_batch(&self.trace.layers()[index].accumulators, range, sample))
    }

    /// The tables of a linear node at a point.
    pub(super) fn linear(&self, index: usize, point: &Point) -> Box<dyn LinearProver> {
        let (linear, [range, _]) = self.linears[index];
        let weights = &self.model.weights().tensors()[index];
        let Layer { input, .. } = &self.trace.layers()[index];
        let x = bind_batch(input, range, &point.sample);
        let w = bind_weights(linear, &weights.weight, self.model.commitment().magnitude, &point.output);
        let bias = bias_at(linear, &weights.bias, point);
        Box::new(LinearTables { tables: Tables::new(w, patches(linear, &x, point)), bias })
    }
}

struct LinearTables {
    tables: Tables,
    bias: Ext,
}

impl Rounds for LinearTables {
    fn round(&mut self) -> [Ext; 2] {
        self.tables.round()
    }

    fn bind(&mut self, r: Ext) {
        self.tables.bind(r);
    }
}

impl LinearProver for LinearTables {
    fn bias(&self) -> Ext {
        self.bias
    }

    fn weight(&self) -> Ext {
        self.tables.ends()[0]
    }

    fn input(&self) -> Ext {
        self.tables.ends()[1]
    }
}

impl ClaimsProver for Layers<'_> {
    fn rounds(&self, claims: &[Claim], weights: &[Ext]) -> Box<dyn Rounds + '_> {
        Box::new(Merged::new(self.model.commitment(), claims, weights))
    }

    fn opener(&self) -> &dyn Opener {
        self.model.commitment()
    }
}
