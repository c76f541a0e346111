//! Y = W ∗ X + b on `i32`, wrapping, for dense layers and convolutions alike.
//!
//! Samples are taken in blocks of about [`COLUMNS`] output positions. A block's input patches are laid out as a matrix
//! [fan-in × positions] that stays in cache, and each output row is a sum of its rows, four at a time, which vectorises over
//! positions. A block with too few positions to vectorise over (one sample of a dense layer) is done as dot products instead.

use rayon::prelude::*;
use serin_circuits::graph::{Linear, Window};
use serin_circuits::tensor::Tensor;
use serin_circuits::weights::LinearWeights;

/// Positions of a block.
const COLUMNS: usize = 128;
/// Below as many positions, dot products along the fan-in are faster.
const FEW: usize = 8;

/// Y of a batch X `[n, …]`, of this shape each; entries are modulo 2^32. Batches are split over rayon's threads.
pub fn linear(geometry: &Linear, weights: &LinearWeights, x: &Tensor, shape: &[usize]) -> Tensor {
    let [height, width] = geometry.output_image();
    let positions = height * width;
    let samples = (COLUMNS / positions).max(1);
    let mut y = Tensor::zeros(x.batch(), shape);
    let (x_len, y_len) = (x.sample_len(), y.sample_len());
    let blocks = x.values().par_chunks(samples * x_len).zip(y.values_mut().par_chunks_mut(samples * y_len));
    blocks.for_each_init(Vec::new, |scratch, (x, y)| {
        let block = Block { geometry, samples: x.len() / x_len, positions };
        for group in 0..geometry.groups {
            block.compute(group, weights, x, y, scratch);
        }
    });
    y
}

/// Samples that are computed together.
struct Block<'g> {
    geometry: &'g Linear,
    samples: usize,
    /// Output positions of one sample.
    positions: usize,
}

impl Block<'_> {
    /// Output positions of all samples.
    fn columns(&self) -> usize {
        self.samples * self.positions
    }

    /// Too few positions to vectorise over.
    fn few(&self) -> bool {
        self.columns() < FEW
    }

    fn compute(
        &self,
        group: usize,
        weights: &LinearWeights,
        x: &[i32],
        y: &mut [i32],
        scratch: &mut Vec<i32>,
    ) {
        let Linear { outputs, groups, image, .. } = *self.geometry;
        let fan_in = self.geometry.fan_in();
        scratch.clear();
        scratch.resize(self.columns() * (fan_in + 1), 0);
        let (patches, sums) = scratch.split_at_mut(self.columns() * fan_in);
        // The patches of a dense layer, by row, are its input.
        let as_given = self.few() && groups == 1 && image == [1, 1] && self.geometry.window.area() == 1;
        if !as_given {
            for (n, sample) in x.chunks_exact(x.len() / self.samples).enumerate() {
                self.gather(group, sample, n * self.positions, patches);
            }
        }
        let y_len = y.len() / self.samples;
        for output in group * outputs..(group + 1) * outputs {
            let row = &weights.weight[output * fan_in..][..fan_in];
            let bias = weights.bias[output];
            if self.few() {
                let patches = if as_given { x } else { &*patches };
                let dots = patches.chunks_exact(fan_in).map(|patch| bias.wrapping_add(dot(row, patch)));
                sums.iter_mut().zip(dots).for_each(|(sum, dot)| *sum = dot);
            } else {
                sums.fill(bias);
                combine(row, patches, sums);
            }
            for (n, sums) in sums.chunks_exact(self.positions).enumerate() {
                y[n * y_len + output * self.positions..][..self.positions].copy_from_slice(sums);
            }
        }
    }

    /// Lays out one sample's patches: as columns from `start` of a [fan-in × columns] matrix, or as rows if there are few.
    fn gather(&self, group: usize, sample: &[i32], start: usize, patches: &mut [i32]) {
        let Linear { channels, window, image: [height, width], .. } = *self.geometry;
        let [out_height, out_width] = self.geometry.output_image();
        let [kernel_height, kernel_width] = window.kernel;
        let (fan_in, columns, few) = (self.geometry.fan_in(), self.columns(), self.few());
        for channel in 0..channels {
            let plane = &sample[(group * channels + channel) * height * width..][..height * width];
            for (d0, d1) in (0..kernel_height).flat_map(|d0| (0..kernel_width).map(move |d1| (d0, d1))) {
                let k = (channel * kernel_height + d0) * kernel_width + d1;
                for p0 in 0..out_height {
                    let Some(q0) = window.source(0, p0, d0, height) else { continue };
                    let from = &plane[q0 * width..][..width];
                    let at = start + p0 * out_width;
                    if few {
                        for p1 in 0..out_width {
                            if let Some(q1) = window.source(1, p1, d1, width) {
                                patches[(at + p1) * fan_in + k] = from[q1];
                            }
                        }
                    } else {
                        gather_row(&window, d1, from, &mut patches[k * columns + at..][..out_width]);
                    }
                }
            }
        }
    }
}

/// The entries of an image's row under column `d1` of each window.
fn gather_row(window: &Window, d1: usize, from: &[i32], to: &mut [i32]) {
    let (stride, before) = (window.stride[1], window.padding[1]);
    let first = before.saturating_sub(d1).div_ceil(stride);
    let sources = from.get(first * stride + d1 - before..).unwrap_or(&[]);
    let to = to.get_mut(first..).unwrap_or(&mut []);
    if stride == 1 {
        let len = sources.len().min(to.len());
        to[..len].copy_from_slice(&sources[..len]);
    } else {
        to.iter_mut().zip(sources.iter().step_by(stride)).for_each(|(slot, v)| *slot = *v);
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
