//! Y = W ∗ X + b on `i32`, wrapping, for dense layers and convolutions alike.
//!
//! Samples are taken in blocks of about [`COLUMNS`] output positions. A block's input patches are laid out as a matrix
//! [fan-in × positions] that stays in cache, and each output row is a sum of its rows, four at a time, which vectorises over
//! positions. A block with too few positions to vectorise over (one sample of a dense layer) is done as dot products instead.

use rayon::prelude::*;
use serin_circuits::graph::Linear;
use serin_circuits::tensor::Tensor;
use serin_circuits::weights::LinearWeights;

/// Positions of a block.
const COLUMNS: usize = 128;
/// Below as many positions, dot products along the fan-in are faster.
const FEW: usize = 8;

pub(in crate::prover) fn linear(geometry: &Linear, weights: &LinearWeights, x: &Tensor, shape: &[usize]) -> Tensor {
    let [height, width] = geometry.output_image();
    let positions = height * width;
    let samples = (COLUMNS / positions).max(1);
    let mut y = Tensor::zeros(x.batch(), shape);
    let (x_len, y_len) = (x.sample_len(), y.sample_len());
    let blocks = x.values().par_chunks(samples * x_len).zip(y.values_mut().par_chunks_mut(samples * y_len));
    blocks.for_each_init(Vec::new, |scratch, (x, y)| {
        let count = x.len() / x_len;
        for group in 0..geometry.groups {
            block(geometry, weights, group, count, x, y, scratch);
        }
    });
    y
}

fn block(
    geometry: &Linear,
    weights: &LinearWeights,
    group: usize,
    samples: usize,
    x: &[i32],
    y: &mut [i32],
    scratch: &mut Vec<i32>,
) {
    let [height, width] = geometry.output_image();
    let positions = height * width;
    let (fan_in, columns) = (geometry.fan_in(), samples * positions);
    let dense = geometry.window.area() == 1 && geometry.image == [1, 1] && geometry.groups == 1;
    let few = columns < FEW;
    scratch.clear();
    scratch.resize(columns * (fan_in + 1), 0);
    let (patches, sums) = scratch.split_at_mut(columns * fan_in);
    if !(few && dense) {
        for (n, sample) in x.chunks_exact(x.len() / samples).enumerate() {
            gather(geometry, group, sample, n * positions, columns, few, patches);
        }
    }
    let y_len = y.len() / samples;
    for output in group * geometry.outputs..(group + 1) * geometry.outputs {
        let row = &weights.weight[output * fan_in..][..fan_in];
        let bias = weights.bias[output];
        if few {
            let patches = if dense { x } else { &*patches };
            let dots = patches.chunks_exact(fan_in).map(|patch| bias.wrapping_add(dot(row, patch)));
            sums.iter_mut().zip(dots).for_each(|(sum, dot)| *sum = dot);
        } else {
            sums.fill(bias);
            combine(row, patches, sums);
        }
        for (n, sums) in sums.chunks_exact(positions).enumerate() {
            y[n * y_len + output * positions..][..positions].copy_from_slice(sums);
        }
    }
}

/// Lays out one sample's patches: as columns from `start` of a [fan-in × columns] matrix, or as rows if `by_row`.
fn gather(
    geometry: &Linear,
    group: usize,
    sample: &[i32],
    start: usize,
    columns: usize,
    by_row: bool,
    patches: &mut [i32],
) {
    let [height, width] = geometry.image;
    let [out_height, out_width] = geometry.output_image();
    let [kernel_height, kernel_width] = geometry.window.kernel;
    let fan_in = geometry.fan_in();
    let window = &geometry.window;
    for channel in 0..geometry.channels {
        let plane = &sample[(group * geometry.channels + channel) * height * width..][..height * width];
        for (d0, d1) in (0..kernel_height).flat_map(|d0| (0..kernel_width).map(move |d1| (d0, d1))) {
            let k = (channel * kernel_height + d0) * kernel_width + d1;
            for p0 in 0..out_height {
                let Some(q0) = window.source(0, p0, d0, height) else { continue };
                let from = &plane[q0 * width..][..width];
                if by_row {
                    for p1 in 0..out_width {
                        if let Some(q1) = window.source(1, p1, d1, width) {
                            patches[(start + p0 * out_width + p1) * fan_in + k] = from[q1];
                        }
                    }
                    continue;
                }
                let to = &mut patches[k * columns + start + p0 * out_width..][..out_width];
                if window.stride[1] == 1 {
                    let first = window.padding[1].saturating_sub(d1);
                    let last = (width + window.padding[1]).saturating_sub(d1).min(out_width);
                    if first < last {
                        let q1 = first + d1 - window.padding[1];
                        to[first..last].copy_from_slice(&from[q1..q1 + last - first]);
                    }
                } else {
                    for (p1, slot) in to.iter_mut().enumerate() {
                        if let Some(q1) = window.source(1, p1, d1, width) {
                            *slot = from[q1];
                        }
                    }
                }
            }
        }
    }
}

/// sums += Σ_k row\[k\]·patches\[k\], wrapping.
fn combine(row: &[i32], patches: &[i32], sums: &mut [i32]) {
    let columns = sums.len();
    let (fours, rest) = row.as_chunks::<4>();
    let mut at = patches;
    for [w0, w1, w2, w3] in fours {
        let (four, tail) = at.split_at(4 * columns);
        at = tail;
        let (x0, x1) = four.split_at(columns);
        let (x1, x2) = x1.split_at(columns);
        let (x2, x3) = x2.split_at(columns);
        for ((((sum, a), b), c), d) in sums.iter_mut().zip(x0).zip(x1).zip(x2).zip(x3) {
            let left = w0.wrapping_mul(*a).wrapping_add(w1.wrapping_mul(*b));
            let right = w2.wrapping_mul(*c).wrapping_add(w3.wrapping_mul(*d));
            *sum = sum.wrapping_add(left.wrapping_add(right));
        }
    }
    for (w, x) in rest.iter().zip(at.chunks_exact(columns)) {
        sums.iter_mut().zip(x).for_each(|(sum, v)| *sum = sum.wrapping_add(w.wrapping_mul(*v)));
    }
}

fn dot(a: &[i32], b: &[i32]) -> i32 {
    a.iter().zip(b).fold(0, |sum: i32, (x, y)| sum.wrapping_add(x.wrapping_mul(*y)))
}
