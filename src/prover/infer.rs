//! The integer engine that serves: protocols §0 at speed, and the trace it leaves for a proof.
//!
//! Returns exactly the integers of [`serin_circuits::reference`]; sums are kept modulo 2^32, and the graph's static bounds
//! say that the true sums fit `i32`. Batches are split over rayon's threads.

use std::convert::Infallible;
use std::sync::Arc;

use serin_circuits::clear::{Clear, Linears};
use serin_circuits::engine::{At, run};
use serin_circuits::graph::{Graph, Linear};
use serin_circuits::tensor::Tensor;
use serin_circuits::weights::Weights;

pub use super::kernels::linear::linear;

/// Input and accumulators of one linear node.
#[derive(Clone, Debug)]
pub struct Layer {
    /// X.
    pub input: Arc<Tensor>,
    /// Y.
    pub accumulators: Arc<Tensor>,
}

/// What an inference leaves behind: the answer, and every linear node's input and accumulators.
#[derive(Clone, Debug)]
pub struct Trace {
    layers: Vec<Layer>,
    output: Arc<Tensor>,
}

impl Trace {
    /// The answer.
    pub fn output(&self) -> &Tensor {
        &self.output
    }

    /// One entry per linear node in order.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Replaces one linear node's accumulators: for whoever studies what a dishonest server could say.
    pub fn with_accumulators(mut self, linear_index: usize, accumulators: Tensor) -> Self {
        self.layers[linear_index].accumulators = Arc::new(accumulators);
        self
    }
}

/// The answer to a batch whose entries lie in the graph's input range.
pub fn infer(graph: &Graph, weights: &Weights, inputs: &Tensor) -> Tensor {
    let mut engine = Clear(Fast { weights, layers: None, alter: None });
    let Ok(output) = run(graph, &mut engine, Arc::new(inputs.clone()));
    Arc::unwrap_or_clone(output)
}

/// [`infer`], keeping what a proof needs.
pub fn infer_traced(graph: &Graph, weights: &Weights, inputs: &Tensor) -> Trace {
    traced(graph, weights, inputs, None)
}

/// [`infer_traced`], each linear node's accumulators passing through `alter` (its index among linear nodes, and they) before
/// anything reads them: for whoever studies what a dishonest server could say.
pub fn infer_altered(
    graph: &Graph,
    weights: &Weights,
    inputs: &Tensor,
    alter: &mut dyn FnMut(usize, &mut Tensor),
) -> Trace {
    traced(graph, weights, inputs, Some(alter))
}

fn traced(graph: &Graph, weights: &Weights, inputs: &Tensor, alter: Option<Alter<'_>>) -> Trace {
    let layers = Some(Vec::with_capacity(weights.tensors().len()));
    let mut engine = Clear(Fast { weights, layers, alter });
    let Ok(output) = run(graph, &mut engine, Arc::new(inputs.clone()));
    Trace { layers: engine.0.layers.unwrap_or_default(), output }
}

type Alter<'a> = &'a mut (dyn FnMut(usize, &mut Tensor) + 'a);

struct Fast<'w, 'a> {
    weights: &'w Weights,
    layers: Option<Vec<Layer>>,
    alter: Option<Alter<'a>>,
}

impl Linears for Fast<'_, '_> {
    type Error = Infallible;

    fn linear(&mut self, at: At<'_>, geometry: &Linear, x: &Arc<Tensor>) -> Result<Arc<Tensor>, Infallible> {
        let mut y = linear(geometry, &self.weights.tensors()[at.linear_index], x, &at.node.output.shape);
        if let Some(alter) = &mut self.alter {
            alter(at.linear_index, &mut y);
        }
        let y = Arc::new(y);
        if let Some(layers) = &mut self.layers {
            layers.push(Layer { input: Arc::clone(x), accumulators: Arc::clone(&y) });
        }
        Ok(y)
    }
}
