//! The witness of a `revealed` proof: the tables that [`serin_verifier::layer`]'s scripts ask for.

use serin_circuits::field::Ext;
use serin_circuits::graph::Linear;
use serin_circuits::relation::linear::{Point, bias_at, bind_batch, bind_weights, patches};
use serin_circuits::tensor::Range;
use serin_verifier::commit::Opener;
use serin_verifier::layer::claims::{Claim, ClaimsProver};
use serin_verifier::layer::linear::LinearProver;
use serin_verifier::layer::revealed::Prover;
use serin_verifier::sumcheck::{Rounds, Tables};

use super::Model;
use super::claims::Merged;
use super::infer::Trace;

/// A model and the trace of one batch.
pub struct Witness<'a> {
    model: &'a Model,
    trace: &'a Trace,
    linears: Vec<(&'a Linear, Range)>,
}

impl<'a> Witness<'a> {
    /// The witness that `trace` came from `model`.
    pub fn new(model: &'a Model, trace: &'a Trace) -> Self {
        let graph = model.graph();
        let input_range = |index: usize| graph.port(graph.nodes()[index].inputs[0]).range;
        let linears = graph.linears().map(|(index, linear)| (linear, input_range(index))).collect();
        Self { model, trace, linears }
    }
}

impl Prover for Witness<'_> {
    fn accumulators(&self, linear_index: usize) -> &[i32] {
        self.trace.layers()[linear_index].accumulators.values()
    }

    fn linear(&self, linear_index: usize, point: &Point) -> Box<dyn LinearProver> {
        let (linear, range) = self.linears[linear_index];
        let weights = &self.model.weights().tensors()[linear_index];
        let x = bind_batch(&self.trace.layers()[linear_index].input, range, &point.sample);
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
        self.tables.first()
    }
}

impl ClaimsProver for Witness<'_> {
    fn rounds(&self, claims: &[Claim], weights: &[Ext]) -> Box<dyn Rounds + '_> {
        Box::new(Merged::new(self.model.commitment(), claims, weights))
    }

    fn opener(&self) -> &dyn Opener {
        self.model.commitment()
    }
}
