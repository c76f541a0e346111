//! The witness of a `revealed` proof: the accumulators themselves, and the linear nodes' tables.

use serin_circuits::relation::linear::Point;
use serin_verifier::layer::claims::ClaimsProver;
use serin_verifier::layer::linear::LinearProver;
use serin_verifier::layer::revealed::Prover;

use super::Model;
use super::infer::Trace;
use super::layers::Layers;

/// A model and the trace of one batch.
pub struct Witness<'a>(Layers<'a>);

impl<'a> Witness<'a> {
    /// The witness that `trace` came from `model`.
    pub fn new(model: &'a Model, trace: &'a Trace) -> Self {
        Self(Layers::new(model, trace))
    }
}

impl Prover for Witness<'_> {
    fn accumulators(&self, linear_index: usize) -> &[i32] {
        self.0.trace.layers()[linear_index].accumulators.values()
    }

    fn linear(&self, linear_index: usize, point: &Point) -> Box<dyn LinearProver> {
        self.0.linear(linear_index, point)
    }

    fn weights(&self) -> &dyn ClaimsProver {
        &self.0
    }
}
