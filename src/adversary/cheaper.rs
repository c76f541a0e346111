//! What a server would rather compute: another architecture, or the same one with fewer bits.

use serin_circuits::graph::{Graph, GraphError, Port};
use serin_circuits::quant::{dequantise, quantise};
use serin_circuits::tensor::Tensor;
use serin_circuits::weights::{LinearWeights, Weights};

use crate::prover::infer::infer;

/// A cheaper model with the promised one's input and output shapes.
#[derive(Clone, Debug)]
pub struct Cheaper {
    /// Its graph.
    pub graph: Graph,
    /// Its weights.
    pub weights: Weights,
}

impl Cheaper {
    /// Its answers to a promised graph's inputs, dressed as that graph's outputs: reals carried over from scale to scale.
    ///
    /// # Panics
    /// If input or output have another size than the promised graph's.
    pub fn answers(&self, promised: &Graph, inputs: &Tensor) -> Tensor {
        let own = convert(inputs, promised.input(), self.graph.input());
        convert(&infer(&self.graph, &self.weights, &own), self.graph.output(), promised.output())
    }
}

fn convert(tensor: &Tensor, from: &Port, to: &Port) -> Tensor {
    let carry = |v: &i32| quantise(dequantise(*v, from.exponent), to.exponent, to.range.low, to.range.high);
    Tensor::new(tensor.batch(), &to.shape, tensor.values().iter().map(carry).collect())
        .expect("a cheaper model has the promised one's input and output sizes")
}

/// A model's weights at `bits` bits, cut towards 0, so that no accumulator grows; biases as they are.
///
/// # Errors
/// [`GraphError`], where the graph's ranges do not hold even so: an input range without 0.
pub fn coarse(graph: &Graph, weights: &Weights, bits: u8) -> Result<Weights, GraphError> {
    let cut = |tensor: &LinearWeights| {
        let widest = tensor.weight.iter().map(|w| 32 - w.unsigned_abs().leading_zeros()).max().unwrap_or(0);
        let step = 1i32 << widest.saturating_sub(u32::from(bits.clamp(2, 8)) - 1);
        LinearWeights {
            weight: tensor.weight.iter().map(|w| w / step * step).collect(),
            bias: tensor.bias.clone(),
        }
    };
    Weights::new(graph, weights.tensors().iter().map(cut).collect())
}
