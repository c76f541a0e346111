//! Synthetic models and batches from a seed, for benches, tests and fuzzing.
//!
//! [`Net`] stacks operators with random 8-bit weights; every range is derived from the weights, so each model is one that the
//! compiler could have made. Nothing here is for users' models: a net that cannot be built is a mistake of the caller and panics.

use crate::prover::Model;
use serin_circuits::graph::{Builder, Graph, Linear, Op, Port, Window, Wire};
use serin_circuits::tensor::{Range, Tensor};
use serin_circuits::weights::{LinearWeights, Weights, accumulator_range};
use serin_datasets::synthetic::SplitMix64;

/// Builds a graph node by node with random weights that fit.
pub struct Net {
    builder: Builder,
    tensors: Vec<LinearWeights>,
    random: SplitMix64,
    wire: Wire,
}

impl Net {
    /// A net whose input has this shape and 8-bit entries.
    pub fn new(seed: u64, shape: &[usize]) -> Self {
        let input = Port { shape: shape.to_vec(), exponent: 7, range: Range { low: -128, high: 127 } };
        Self {
            builder: Builder::new(input).expect("a net that fits together"),
            tensors: Vec::new(),
            random: SplitMix64::new(seed),
            wire: Wire::INPUT,
        }
    }

    fn below(&mut self, n: u64) -> i32 {
        (self.random.next_word() % n) as i32
    }

    fn linear(&mut self, linear: Linear, op: fn(Linear) -> Op) -> Range {
        let weight = (0..linear.weight_count()).map(|_| self.below(255) - 127).collect();
        let bias = (0..linear.output_channels()).map(|_| self.below(4001) - 2000).collect();
        let tensors = LinearWeights { weight, bias };
        let (low, high) = accumulator_range(&linear, &tensors, self.builder.port(self.wire).range);
        let range = Range::from_wide(low, high).expect("a net that fits together");
        self.tensors.push(tensors);
        self.push(op(linear), Some(range));
        range
    }

    fn push(&mut self, op: Op, range: Option<Range>) {
        self.push_on(op, &[self.wire], range);
    }

    fn push_on(&mut self, op: Op, inputs: &[Wire], range: Option<Range>) {
        let name = format!("{}{}", op.kind(), self.tensors.len());
        self.wire = self.builder.push(&name, op, inputs, range).expect("a net that fits together");
    }

    /// A dense layer.
    pub fn dense(mut self, outputs: usize) -> Self {
        let inputs = self.builder.port(self.wire).len();
        if self.builder.port(self.wire).shape != [inputs] {
            self.push(Op::Reshape { shape: vec![inputs] }, None);
        }
        self.linear(Linear::dense(inputs, outputs, 6), Op::MatMul);
        self
    }

    /// A convolution; `outputs` per group.
    pub fn conv(mut self, groups: usize, outputs: usize, window: Window) -> Self {
        let shape = &self.builder.port(self.wire).shape;
        let (channels, image) = (shape[0] / groups, [shape[1], shape[2]]);
        self.linear(Linear { groups, channels, outputs, window, image, weight_exponent: 6 }, Op::Conv);
        self
    }

    /// Rescale to 8 bits and clamp.
    pub fn rescale(mut self, low: i32) -> Self {
        let magnitude = self.builder.port(self.wire).range.magnitude();
        let shift = (32 - magnitude.leading_zeros()).saturating_sub(10) as u8;
        self.push(Op::Rescale { shift, low, high: 127 }, None);
        self
    }

    /// Max pool.
    pub fn max_pool(mut self, window: Window) -> Self {
        self.push(Op::MaxPool(window), None);
        self
    }

    /// Average pool.
    pub fn average_pool(mut self, window: Window) -> Self {
        let (gain, area) = (8u8, window.area() as f64);
        self.push(Op::AveragePool { window, multiplier: (256.0 / area).round() as i32, gain }, None);
        self
    }

    /// Every `step`-th entry of each axis, from the first.
    pub fn slice(mut self, steps: &[usize]) -> Self {
        let lengths = self.builder.port(self.wire).shape.iter().zip(steps);
        let shape = lengths.map(|(length, step)| length.div_ceil(*step)).collect();
        self.push(Op::Slice { starts: vec![0; steps.len()], steps: steps.to_vec(), shape }, None);
        self
    }

    /// Zeros before and after each axis.
    pub fn pad(mut self, before: &[usize], after: &[usize]) -> Self {
        self.push(Op::Pad { before: before.to_vec(), after: after.to_vec() }, None);
        self
    }

    /// What two branches make of the same wire, side by side on an axis.
    pub fn concat(
        mut self,
        axis: usize,
        first: impl FnOnce(Self) -> Self,
        second: impl FnOnce(Self) -> Self,
    ) -> Self {
        let fork = self.wire;
        self = first(self);
        let a = std::mem::replace(&mut self.wire, fork);
        self = second(self);
        let mut inputs = [a, self.wire];
        let exponents = inputs.map(|wire| self.builder.port(wire).exponent);
        let coarsest = exponents[0].min(exponents[1]);
        for (wire, exponent) in inputs.iter_mut().zip(exponents).filter(|(_, e)| *e > coarsest) {
            self.wire = *wire;
            self.push(Op::Rescale { shift: (exponent - coarsest) as u8, low: -128, high: 127 }, None);
            *wire = self.wire;
        }
        self.push_on(Op::Concat { axis, inputs: 2 }, &inputs, None);
        self
    }

    /// conv3×3 and the identity, added: a residual block.
    pub fn residual(mut self) -> Self {
        let skip = self.wire;
        let channels = self.builder.port(skip).shape[0];
        self = self.conv(1, channels, square(3, 1, 1)).rescale(-128);
        self.plus(skip)
    }

    /// conv3×3 of stride 2 to twice the channels, and the pixels it is centred on with channels of zeros around theirs, added: a
    /// residual block whose shortcut has no weights.
    pub fn residual_by_half(mut self) -> Self {
        let fork = self.wire;
        let channels = self.builder.port(fork).shape[0];
        self = self.conv(1, 2 * channels, square(3, 2, 1)).rescale(-128);
        let main = std::mem::replace(&mut self.wire, fork);
        let margin = [channels / 2, channels - channels / 2];
        self = self.slice(&[1, 2, 2]).pad(&[margin[0], 0, 0], &[margin[1], 0, 0]);
        self.plus(main)
    }

    fn plus(mut self, other: Wire) -> Self {
        let wires = [self.wire, other];
        let exponents = wires.map(|wire| self.builder.port(wire).exponent);
        let top = exponents[0].max(exponents[1]);
        self.push_on(Op::Add { shifts: exponents.map(|e| (top - e) as u8) }, &wires, None);
        self.rescale(0)
    }

    /// The model, committed.
    pub fn finish(self) -> Model {
        let graph = self.builder.finish().expect("a net that fits together");
        let weights = Weights::new(&graph, self.tensors).expect("a net that fits together");
        Model::new(graph, weights)
    }
}

/// A square window.
pub fn square(kernel: usize, stride: usize, padding: usize) -> Window {
    Window { kernel: [kernel; 2], stride: [stride; 2], padding: [padding; 4] }
}

/// A random batch that also visits both ends of the input range.
pub fn batch(graph: &Graph, seed: u64, n: usize) -> Tensor {
    let mut random = SplitMix64::new(seed);
    let Range { low, high } = graph.input().range;
    let width = u64::from(high.abs_diff(low)) + 1;
    let len = n * graph.input().len();
    let values = (0..len).map(|i| match i % 7 {
        0 => low,
        1 => high,
        _ => low + (random.next_word() % width) as i32,
    });
    Tensor::new(n, &graph.input().shape, values.collect()).expect("a net that fits together")
}
