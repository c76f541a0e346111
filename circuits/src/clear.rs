//! An engine for whoever sees every value: the non-linear operators at memory speed, the linear ones by the caller's [`Linears`].
//!
//! The reference, the serving engine and a client to whom activations are revealed differ only in where a linear node's accumulators
//! come from; the rest of the walk is this.

use std::sync::Arc;

use crate::engine::{At, Engine, Rescale};
use crate::graph::{Linear, Run, Window};
use crate::quant;
use crate::tensor::Tensor;

/// Where the accumulators of linear nodes come from.
pub trait Linears {
    /// Why there are none.
    type Error;

    /// The accumulators of one node, bias included, of the node's output shape.
    fn linear(&mut self, at: At<'_>, geometry: &Linear, x: &Arc<Tensor>) -> Result<Arc<Tensor>, Self::Error>;
}

/// Computes everything else in the clear.
pub struct Clear<L>(pub L);

impl<L: Linears> Engine for Clear<L> {
    type Wire = Arc<Tensor>;
    type Error = L::Error;

    fn linear(&mut self, at: At<'_>, geometry: &Linear, x: &Arc<Tensor>) -> Result<Arc<Tensor>, L::Error> {
        self.0.linear(at, geometry, x)
    }

    fn add(
        &mut self,
        _: At<'_>,
        shifts: [u8; 2],
        a: &Arc<Tensor>,
        b: &Arc<Tensor>,
    ) -> Result<Arc<Tensor>, L::Error> {
        Ok(Arc::new(add(shifts, a, b)))
    }

    fn rescale(&mut self, _: At<'_>, by: Rescale, x: &Arc<Tensor>) -> Result<Arc<Tensor>, L::Error> {
        Ok(Arc::new(rescale(by, x)))
    }

    fn max_pool(&mut self, at: At<'_>, window: &Window, x: &Arc<Tensor>) -> Result<Arc<Tensor>, L::Error> {
        Ok(Arc::new(max_pool(window, x, &at.node.output.shape)))
    }

    fn average_pool(
        &mut self,
        at: At<'_>,
        window: &Window,
        multiplier: i32,
        x: &Arc<Tensor>,
    ) -> Result<Arc<Tensor>, L::Error> {
        Ok(Arc::new(average_pool(window, multiplier, x, &at.node.output.shape)))
    }

    fn arrange(&mut self, at: At<'_>, inputs: &[&Arc<Tensor>]) -> Result<Arc<Tensor>, L::Error> {
        Ok(Arc::new(arrange(at, inputs)))
    }
}

/// a·2^s₀ + b·2^s₁, entry by entry.
fn add(shifts: [u8; 2], a: &Tensor, b: &Tensor) -> Tensor {
    let sum = |(a, b): (&i32, &i32)| (a << shifts[0]).wrapping_add(b << shifts[1]);
    tensor(a.batch(), a.shape(), a.values().iter().zip(b.values()).map(sum).collect())
}

/// [`quant::rescale`] of every entry.
fn rescale(by: Rescale, x: &Tensor) -> Tensor {
    let map = |v: &i32| quant::rescale(*v, by.shift, by.low, by.high);
    tensor(x.batch(), x.shape(), x.values().iter().map(map).collect())
}

/// The greatest value of each window; padding takes no part.
fn max_pool(window: &Window, x: &Tensor, shape: &[usize]) -> Tensor {
    pool(window, x, shape, i32::MIN, i32::max)
}

/// The sum of each window times `multiplier`; padding counts as 0.
fn average_pool(window: &Window, multiplier: i32, x: &Tensor, shape: &[usize]) -> Tensor {
    let mut sums = pool(window, x, shape, 0, i32::wrapping_add);
    sums.values_mut().iter_mut().for_each(|v| *v = v.wrapping_mul(multiplier));
    sums
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

/// Every entry where the operator moves it, zeros elsewhere.
fn arrange(at: At<'_>, inputs: &[&Arc<Tensor>]) -> Tensor {
    let (batch, len) = (inputs[0].batch(), at.node.output.len());
    let mut values = vec![0; batch * len];
    for (n, sample) in values.chunks_exact_mut(len).enumerate() {
        at.moves(|Run { to, input, from, len }| {
            sample[to..to + len].copy_from_slice(&inputs[input].sample(n)[from..from + len]);
        });
    }
    tensor(batch, &at.node.output.shape, values)
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
    use crate::graph::{Builder, Op, Port, Wire};
    use crate::reference::infer;
    use crate::tensor::Range;
    use crate::weights::Weights;

    #[test]
    fn moved_entries_of_each_sample_stay_with_it() {
        let input = Port { shape: vec![2, 2], exponent: 0, range: Range { low: 1, high: 8 } };
        let mut builder = Builder::new(input).expect("small");
        let mut push = |op: Op, inputs: &[Wire]| builder.push("n", op, inputs, None).expect("consistent");
        let column = Op::Slice { starts: vec![0, 1], steps: vec![1, 1], shape: vec![2, 1] };
        let column = push(column, &[Wire::INPUT]);
        let joined = push(Op::Concat { axis: 1, inputs: 2 }, &[column, Wire::INPUT]);
        let flat = push(Op::Reshape { shape: vec![6] }, &[joined]);
        push(Op::Pad { before: vec![1], after: vec![0] }, &[flat]);
        let graph = builder.finish().expect("has nodes");
        let weights = Weights::new(&graph, Vec::new()).expect("none");
        let batch = Tensor::new(2, &[2, 2], (1..9).collect()).expect("eight entries");
        let answer = infer(&graph, &weights, batch);
        assert_eq!(answer.values(), [0, 2, 1, 2, 4, 3, 4, 0, 6, 5, 6, 8, 7, 8]);
    }

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
