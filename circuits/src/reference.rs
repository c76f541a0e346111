//! The plain integer engine: protocols §0 written down as directly as it can be, in `i64`, one product at a time.
//!
//! It is the oracle of every conformance test and is not meant to be fast. Non-linear operators are [`crate::clear`]'s, which
//! tests of its own hold against their definitions.

use std::convert::Infallible;
use std::sync::Arc;

use crate::clear::{Clear, Linears};
use crate::engine::{At, run};
use crate::graph::{Graph, Linear};
use crate::tensor::Tensor;
use crate::weights::{LinearWeights, Weights};

/// The model's answer to a batch whose entries lie in the graph's input range.
pub fn infer(graph: &Graph, weights: &Weights, input: Tensor) -> Tensor {
    let Ok(output) = run(graph, &mut Clear(Reference { weights }), Arc::new(input));
    Arc::unwrap_or_clone(output)
}

/// Computes with the weights in hand, which must be those of the graph that is walked.
struct Reference<'w> {
    weights: &'w Weights,
}

impl Linears for Reference<'_> {
    type Error = Infallible;

    fn linear(&mut self, at: At<'_>, geometry: &Linear, x: &Arc<Tensor>) -> Result<Arc<Tensor>, Infallible> {
        Ok(Arc::new(linear(geometry, &self.weights.tensors()[at.linear_index], x, &at.node.output.shape)))
    }
}

fn linear(geometry: &Linear, weights: &LinearWeights, x: &Tensor, shape: &[usize]) -> Tensor {
    let [h_out, w_out] = geometry.output_image();
    let [h_in, w_in] = geometry.image;
    let [k0, k1] = geometry.window.kernel;
    let (c, o) = (geometry.channels, geometry.outputs);
    let at = |n: usize, channel: usize, y: usize, x_: usize| {
        i64::from(x.values()[((n * geometry.input_channels() + channel) * h_in + y) * w_in + x_])
    };
    let mut values = Vec::with_capacity(x.batch() * geometry.output_channels() * h_out * w_out);
    for n in 0..x.batch() {
        for out in 0..geometry.output_channels() {
            let group = out / o;
            for (p0, p1) in (0..h_out).flat_map(|p0| (0..w_out).map(move |p1| (p0, p1))) {
                let mut acc = i64::from(weights.bias[out]);
                for (channel, d0, d1) in
                    (0..c).flat_map(|ch| (0..k0).flat_map(move |d0| (0..k1).map(move |d1| (ch, d0, d1))))
                {
                    let rows = geometry.window.source(0, p0, d0, h_in);
                    let columns = geometry.window.source(1, p1, d1, w_in);
                    if let (Some(q0), Some(q1)) = (rows, columns) {
                        let w = weights.weight[((out * c + channel) * k0 + d0) * k1 + d1];
                        // Three products can leave i64; the whole sum is back in i32.
                        acc = acc.wrapping_add(i64::from(w) * at(n, group * c + channel, q0, q1));
                    }
                }
                values.push(i32::try_from(acc).expect("the graph's static bound holds for inputs in range"));
            }
        }
    }
    Tensor::new(x.batch(), shape, values).expect("the graph derived this shape")
}
