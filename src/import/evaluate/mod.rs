//! The float graph evaluated on a batch.
//!
//! In and out: arrays with a leading batch axis. Convolutions unfold each image into columns and multiply; samples run in
//! parallel. A node's result is dropped after its last reader, so a batch costs the widest cut of the graph; an observer sees each
//! result once, in order. Caller's duty: NaN in gives NaN out.

mod convolve;
#[cfg(test)]
mod tests;

use ndarray::{ArrayD, ArrayRef, ArrayViewD, Axis, Ix2, IxDyn, Slice};
use rayon::prelude::*;
use thiserror::Error;

use self::convolve::{Window, convolve};
use super::float::{FloatGraph, FloatNode, FloatOp, Padding, Reading, Source};

/// Why a batch cannot be evaluated.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum BatchError {
    /// Its shape is not the model's.
    #[error("the batch has shape {found:?}; this model takes [samples, {}]", join(expected))]
    Shape {
        /// Shape of one sample.
        expected: Vec<usize>,
        /// Shape of the batch.
        found: Vec<usize>,
    },
    /// A value is NaN or infinite.
    #[error("sample {sample} of the batch holds a value that is not finite")]
    NotFinite {
        /// Which sample.
        sample: usize,
    },
}

impl FloatGraph {
    /// Evaluates a batch [samples, …sample shape]; `observe` sees the input and then each node's result.
    ///
    /// # Errors
    /// [`BatchError::Shape`] when the batch is not made of this model's samples.
    pub fn run(
        &self,
        batch: &ArrayD<f32>,
        mut observe: impl FnMut(Source, &ArrayD<f32>),
    ) -> Result<ArrayD<f32>, BatchError> {
        let input = self.reading.read(batch)?;
        observe(Source::Input, &input);
        let last_reader = self.last_readers();
        let mut results: Vec<Option<ArrayD<f32>>> = vec![None; self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            let operand = |position: usize| match node.inputs[position] {
                Source::Input => &input,
                Source::Node(source) => results[source].as_ref().expect("a node stands after what it reads"),
            };
            let result = match node.op {
                FloatOp::Add => operand(0) + operand(1),
                FloatOp::Concat { axis } => {
                    let parts: Vec<_> = (0..node.inputs.len()).map(|part| operand(part).view()).collect();
                    let joined = ndarray::concatenate(Axis(axis + 1), &parts).expect("the other axes agree");
                    joined.as_standard_layout().into_owned()
                }
                _ => node.evaluate(operand(0)),
            };
            observe(Source::Node(index), &result);
            results[index] = Some(result);
            for source in &node.inputs {
                if let Source::Node(source) = *source
                    && last_reader[source] == index
                {
                    results[source] = None;
                }
            }
        }
        Ok(results.pop().flatten().unwrap_or(input))
    }

    fn last_readers(&self) -> Vec<usize> {
        let mut last = vec![usize::MAX; self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            for source in &node.inputs {
                if let Source::Node(source) = *source {
                    last[source] = index;
                }
            }
        }
        last
    }
}

impl Reading {
    /// A batch [samples, …sample shape] as the graph's first node reads it, [samples, …input shape].
    ///
    /// # Errors
    /// [`BatchError::Shape`] when the batch is not made of this model's samples.
    pub fn read(&self, batch: &ArrayD<f32>) -> Result<ArrayD<f32>, BatchError> {
        let samples = match batch.shape() {
            [samples, sample @ ..] if sample == self.sample_shape => *samples,
            found => {
                let (expected, found) = (self.sample_shape.clone(), found.to_vec());
                return Err(BatchError::Shape { expected, found });
            }
        };
        let mut input = ArrayD::zeros(with_batch(samples, &self.shape));
        let batch = batch.as_standard_layout();
        each_sample(&batch, &mut input, |sample, input| self.apply(sample, input));
        Ok(input)
    }
}

impl FloatNode {
    /// The result of a node that reads one tensor.
    fn evaluate(&self, x: &ArrayD<f32>) -> ArrayD<f32> {
        let shape = with_batch(x.len_of(Axis(0)), &self.shape);
        match &self.op {
            FloatOp::MatMul { weight, bias } => {
                let x = x.view().into_dimensionality::<Ix2>().expect("a matrix product reads vectors");
                (x.dot(&weight.t()) + bias).as_standard_layout().into_owned().into_dyn()
            }
            FloatOp::Conv { weight, bias, stride, padding, groups } => {
                let window = Window {
                    image: image(&x.shape()[1..]),
                    kernel: (weight.dim().2, weight.dim().3),
                    stride: *stride,
                    padding: *padding,
                    out: (self.shape[1], self.shape[2]),
                };
                let mut y = ArrayD::zeros(shape);
                each_sample(x, &mut y, |x, y| {
                    convolve(&window, weight, *groups, x, y);
                    let plane = window.out.0 * window.out.1;
                    for (row, bias) in y.chunks_exact_mut(plane).zip(bias) {
                        row.iter_mut().for_each(|y| *y += bias);
                    }
                });
                y
            }
            FloatOp::Clamp { low, high } => x.mapv(|x| x.max(*low).min(*high)),
            FloatOp::MaxPool { kernel, stride, padding } => {
                self.pool(x, *kernel, *stride, *padding, |window| window.fold(f32::NEG_INFINITY, f32::max))
            }
            FloatOp::AveragePool { kernel, stride, padding } => {
                let area = (kernel.0 * kernel.1) as f32;
                self.pool(x, *kernel, *stride, *padding, |window| window.sum::<f32>() / area)
            }
            FloatOp::Reshape => x.to_shape(shape).expect("a reshape keeps the elements").into_owned(),
            FloatOp::Slice { starts, steps } => {
                let taken = x.slice_each_axis(|axis| match axis.axis.index().checked_sub(1) {
                    Some(axis) => {
                        let (start, step) = (starts[axis], steps[axis]);
                        let end = start + (self.shape[axis] - 1) * step + 1;
                        Slice::from(start..end).step_by(step as isize)
                    }
                    None => Slice::from(..),
                });
                taken.as_standard_layout().into_owned()
            }
            FloatOp::Pad { before, .. } => {
                let mut y = ArrayD::zeros(shape);
                let mut inside = y.slice_each_axis_mut(|axis| match axis.axis.index().checked_sub(1) {
                    Some(axis) => Slice::from(before[axis]..before[axis] + x.len_of(Axis(axis + 1))),
                    None => Slice::from(..),
                });
                inside.assign(x);
                y
            }
            FloatOp::Add | FloatOp::Concat { .. } => unreachable!("they read several tensors"),
        }
    }

    /// Folds the pixels inside each window, channel by channel.
    fn pool(
        &self,
        x: &ArrayD<f32>,
        kernel: (usize, usize),
        stride: (usize, usize),
        padding: Padding,
        fold: impl Fn(&mut dyn Iterator<Item = f32>) -> f32 + Sync,
    ) -> ArrayD<f32> {
        let (_, height, width) = image(&x.shape()[1..]);
        let (rows, columns) = (self.shape[1], self.shape[2]);
        let mut y = ArrayD::zeros(with_batch(x.len_of(Axis(0)), &self.shape));
        each_sample(x, &mut y, |x, y| {
            let planes = x.chunks_exact(height * width).zip(y.chunks_exact_mut(rows * columns));
            for (x, y) in planes {
                for (place, y) in y.iter_mut().enumerate() {
                    let top = place / columns * stride.0;
                    let left = place % columns * stride.1;
                    let row_span = span(top, kernel.0, padding.top, height);
                    let column_span = span(left, kernel.1, padding.left, width);
                    *y = fold(&mut row_span.flat_map(|row| {
                        x[row * width + column_span.start..row * width + column_span.end].iter().copied()
                    }));
                }
            }
        });
        y
    }
}

/// The pixels of a window that lie inside the image, along one axis.
fn span(start: usize, kernel: usize, padding: usize, length: usize) -> std::ops::Range<usize> {
    let low = start.saturating_sub(padding).min(length);
    low..(start + kernel).saturating_sub(padding).min(length).max(low)
}

/// Runs `f` on each sample's flat input and output, in parallel.
fn each_sample(x: &ArrayRef<f32, IxDyn>, y: &mut ArrayD<f32>, f: impl Fn(&[f32], &mut [f32]) + Sync) {
    let samples = x.len_of(Axis(0)).max(1);
    let (from, to) = (x.len() / samples, y.len() / samples);
    let x = x.as_slice().expect("batches are in standard layout");
    let y = y.as_slice_mut().expect("batches are in standard layout");
    if from > 0 && to > 0 {
        x.par_chunks_exact(from).zip(y.par_chunks_exact_mut(to)).for_each(|(x, y)| f(x, y));
    }
}

/// Refuses samples with NaN or infinities.
pub(super) fn all_finite(batch: &ArrayD<f32>) -> Result<(), BatchError> {
    let whole = |sample: &ArrayViewD<'_, f32>| sample.iter().all(|value| value.is_finite());
    match batch.outer_iter().position(|sample| !whole(&sample)) {
        Some(sample) => Err(BatchError::NotFinite { sample }),
        None => Ok(()),
    }
}

fn image(shape: &[usize]) -> (usize, usize, usize) {
    (shape[0], shape[1], shape[2])
}

fn with_batch(samples: usize, shape: &[usize]) -> IxDyn {
    let mut whole = vec![samples];
    whole.extend(shape);
    IxDyn(&whole)
}

fn join(shape: &[usize]) -> String {
    shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
