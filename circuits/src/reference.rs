//! The plain integer engine: protocols §0 written down as directly as it can be, in `i64`, one sample at a time.
//!
//! It is the oracle of every conformance test and is not meant to be fast. The non-linear operators are also what a
//! client recomputes when activations are revealed to it ([`add`], [`rescale`], [`max_pool`], [`average_pool`]), and
//! those are written to run at memory speed.

use crate::engine::{At, Engine, Rescale};
use crate::graph::{Graph, Linear, Window};
use crate::quant;
use crate::tensor::Tensor;
use crate::weights::{LinearWeights, Weights};

/// Computes with the weights in hand.
pub struct Reference<'w> {
    weights: &'w Weights,
}

impl<'w> Reference<'w> {
    /// An engine over these weights, which must be those of the graph that is walked.
    pub fn new(weights: &'w Weights) -> Self {
        Self { weights }
    }
}

/// The model's answer to a batch whose entries lie in the graph's input range.
pub fn infer(graph: &Graph, weights: &Weights, input: Tensor) -> Tensor {
    let Ok(output) = crate::engine::run(graph, &mut Reference::new(weights), input);
    output
}

impl Engine for Reference<'_> {
    type Wire = Tensor;
    type Error = std::convert::Infallible;

    fn linear(&mut self, at: At<'_>, geometry: &Linear, x: &Tensor) -> Result<Tensor, Self::Error> {
        Ok(linear(geometry, &self.weights.tensors()[at.linear_index], x, &at.node.output.shape))
    }

    fn add(&mut self, _: At<'_>, shifts: [u8; 2], a: &Tensor, b: &Tensor) -> Result<Tensor, Self::Error> {
        Ok(add(shifts, a, b))
    }

    fn rescale(&mut self, _: At<'_>, by: Rescale, x: &Tensor) -> Result<Tensor, Self::Error> {
        Ok(rescale(by, x))
    }

    fn max_pool(&mut self, at: At<'_>, window: &Window, x: &Tensor) -> Result<Tensor, Self::Error> {
        Ok(max_pool(window, x, &at.node.output.shape))
    }

    fn average_pool(
        &mut self,
        at: At<'_>,
        window: &Window,
        multiplier: i32,
        x: &Tensor,
    ) -> Result<Tensor, Self::Error> {
        Ok(average_pool(window, multiplier, x, &at.node.output.shape))
    }

    fn reshape(&mut self, at: At<'_>, x: &Tensor) -> Result<Tensor, Self::Error> {
        Ok(reshape(x, &at.node.output.shape))
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
                        acc += i64::from(w) * at(n, group * c + channel, q0, q1);
                    }
                }
                values.push(i32::try_from(acc).expect("the graph's static bound holds for inputs in range"));
            }
        }
    }
    tensor(x.batch(), shape, values)
}

/// a·2^s₀ + b·2^s₁, entry by entry.
pub fn add(shifts: [u8; 2], a: &Tensor, b: &Tensor) -> Tensor {
    let sum = |(a, b): (&i32, &i32)| (a << shifts[0]).wrapping_add(b << shifts[1]);
    tensor(a.batch(), a.shape(), a.values().iter().zip(b.values()).map(sum).collect())
}

/// [`quant::rescale`] of every entry.
pub fn rescale(by: Rescale, x: &Tensor) -> Tensor {
    let map = |v: &i32| quant::rescale(*v, by.shift, by.low, by.high);
    tensor(x.batch(), x.shape(), x.values().iter().map(map).collect())
}

/// The greatest value of each window; padding takes no part.
pub fn max_pool(window: &Window, x: &Tensor, shape: &[usize]) -> Tensor {
    pool(window, x, shape, i32::MIN, i32::max)
}

/// The sum of each window times `multiplier`; padding counts as 0.
pub fn average_pool(window: &Window, multiplier: i32, x: &Tensor, shape: &[usize]) -> Tensor {
    let mut sums = pool(window, x, shape, 0, i32::wrapping_add);
    sums.values_mut().iter_mut().for_each(|v| *v = v.wrapping_mul(multiplier));
    sums
}

/// The same entries under another shape of as many.
pub fn reshape(x: &Tensor, shape: &[usize]) -> Tensor {
    tensor(x.batch(), shape, x.values().to_vec())
}

fn pool(window: &Window, x: &Tensor, shape: &[usize], empty: i32, join: impl Fn(i32, i32) -> i32) -> Tensor {
    let ([_, h_in, w_in], [_, h_out, w_out]) = (image(x.shape()), image(shape));
    let mut values = vec![empty; x.batch() * shape.iter().product::<usize>()];
    let planes = x.values().chunks_exact(h_in * w_in);
    for (plane, out) in planes.zip(values.chunks_exact_mut(h_out * w_out)) {
        for (p0, row_out) in out.chunks_exact_mut(w_out).enumerate() {
            for q0 in (0..window.kernel[0]).filter_map(|d0| window.source(0, p0, d0, h_in)) {
                let row = &plane[q0 * w_in..][..w_in];
                for d1 in 0..window.kernel[1] {
                    for (p1, slot) in row_out.iter_mut().enumerate() {
                        if let Some(q1) = window.source(1, p1, d1, w_in) {
                            *slot = join(*slot, row[q1]);
                        }
                    }
                }
            }
        }
    }
    tensor(x.batch(), shape, values)
}

fn image(shape: &[usize]) -> [usize; 3] {
    shape.try_into().expect("the graph gives pools an image")
}

fn tensor(batch: usize, shape: &[usize], values: Vec<i32>) -> Tensor {
    Tensor::new(batch, shape, values).expect("the graph derived this shape")
}
