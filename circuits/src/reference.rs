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
                        // Three products can leave i64; the whole sum is back in i32.
                        acc = acc.wrapping_add(i64::from(w) * at(n, group * c + channel, q0, q1));
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
                    // The outputs whose window has column d1 inside the image, and that column for the first of them.
                    let (stride, before) = (window.stride[1], window.padding[1]);
                    let first = before.saturating_sub(d1).div_ceil(stride);
                    let sources =
                        row.get(first * stride + d1 - before..).unwrap_or(&[]).iter().step_by(stride);
                    row_out.iter_mut().skip(first).zip(sources).for_each(|(slot, v)| *slot = join(*slot, *v));
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The values under window (p0, p1) of a plane, padding left out.
    fn under(window: &Window, plane: &[i32], [h, w]: [usize; 2], [p0, p1]: [usize; 2]) -> Vec<i32> {
        let offsets = (0..window.kernel[0]).flat_map(|d0| (0..window.kernel[1]).map(move |d1| (d0, d1)));
        let at = |(d0, d1)| Some((window.source(0, p0, d0, h)?, window.source(1, p1, d1, w)?));
        offsets.filter_map(at).map(|(q0, q1)| plane[q0 * w + q1]).collect()
    }

    proptest! {
        #[test]
        fn pools_of_any_window_match_their_definition(
            (k0, k1) in (1usize..5, 1usize..5),
            stride in [1usize..4, 1usize..4],
            pads in [0usize..5, 0usize..5, 0usize..5, 0usize..5],
            (h, w) in (4usize..9, 4usize..9),
            values in proptest::collection::vec(-1000i32..1000, 2 * 2 * 8 * 8),
        ) {
            let padding = [pads[0] % k0, pads[1] % k1, pads[2] % k0, pads[3] % k1];
            let window = Window { kernel: [k0, k1], stride, padding };
            let [h_out, w_out] = window.slide([h, w]).expect("kernels fit");
            let shape = [2, h_out, w_out];
            let x = Tensor::new(2, &[2, h, w], values[..4 * h * w].to_vec()).expect("sized");
            let (most, sum) = (max_pool(&window, &x, &shape), average_pool(&window, 3, &x, &shape));
            for (i, (most, sum)) in most.values().iter().zip(sum.values()).enumerate() {
                let (plane, p) = (i / (h_out * w_out), i % (h_out * w_out));
                let seen = under(&window, &x.values()[plane * h * w..][..h * w], [h, w], [p / w_out, p % w_out]);
                prop_assert_eq!(Some(most), seen.iter().max());
                prop_assert_eq!(*sum, 3 * seen.iter().sum::<i32>());
            }
        }
    }
}
