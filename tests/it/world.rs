//! Synthetic models of every op and shape class, and batches for them, from a seed.

use serin::prover::Model;
use serin_circuits::graph::{Builder, Graph, Linear, Op, Port, Window, Wire};
use serin_circuits::tensor::{Range, Tensor};
use serin_circuits::weights::{LinearWeights, Weights, accumulator_range};
use serin_datasets::synthetic::SplitMix64;

/// Builds a graph node by node with random weights that fit.
pub(crate) struct Net {
    builder: Builder,
    tensors: Vec<LinearWeights>,
    random: SplitMix64,
    wire: Wire,
}

impl Net {
    /// A net whose input has this shape and 8-bit entries.
    pub(crate) fn new(seed: u64, shape: &[usize]) -> Self {
        let input = Port { shape: shape.to_vec(), exponent: 7, range: Range { low: -128, high: 127 } };
        Self { builder: Builder::new(input).unwrap(), tensors: Vec::new(), random: SplitMix64::new(seed), wire: Wire::INPUT }
    }

    fn below(&mut self, n: u64) -> i32 {
        (self.random.next_word() % n) as i32
    }

    fn linear(&mut self, linear: Linear, op: fn(Linear) -> Op) -> Range {
        let weight = (0..linear.weight_count()).map(|_| self.below(255) - 127).collect();
        let bias = (0..linear.output_channels()).map(|_| self.below(4001) - 2000).collect();
        let tensors = LinearWeights { weight, bias };
        let (low, high) = accumulator_range(&linear, &tensors, self.builder.port(self.wire).range);
        let range = Range::from_wide(low, high).unwrap();
        self.tensors.push(tensors);
        self.push(op(linear), Some(range));
        range
    }

    fn push(&mut self, op: Op, range: Option<Range>) {
        let name = format!("{}{}", op.kind(), self.tensors.len());
        self.wire = self.builder.push(&name, op, &[self.wire], range).unwrap();
    }

    /// A dense layer.
    pub(crate) fn dense(mut self, outputs: usize) -> Self {
        let inputs = self.builder.port(self.wire).len();
        if self.builder.port(self.wire).shape != [inputs] {
            self.push(Op::Reshape { shape: vec![inputs] }, None);
        }
        self.linear(Linear::dense(inputs, outputs, 6), Op::MatMul);
        self
    }

    /// A convolution; `outputs` per group.
    pub(crate) fn conv(mut self, groups: usize, outputs: usize, window: Window) -> Self {
        let shape = &self.builder.port(self.wire).shape;
        let (channels, image) = (shape[0] / groups, [shape[1], shape[2]]);
        self.linear(Linear { groups, channels, outputs, window, image, weight_exponent: 6 }, Op::Conv);
        self
    }

    /// Rescale to 8 bits and clamp.
    pub(crate) fn rescale(mut self, low: i32) -> Self {
        let magnitude = self.builder.port(self.wire).range.magnitude();
        let shift = (32 - magnitude.leading_zeros()).saturating_sub(10) as u8;
        self.push(Op::Rescale { shift, low, high: 127 }, None);
        self
    }

    /// Max pool.
    pub(crate) fn max_pool(mut self, window: Window) -> Self {
        self.push(Op::MaxPool(window), None);
        self
    }

    /// Average pool.
    pub(crate) fn average_pool(mut self, window: Window) -> Self {
        let (gain, area) = (8u8, window.area() as f64);
        self.push(Op::AveragePool { window, multiplier: (256.0 / area).round() as i32, gain }, None);
        self
    }

    /// conv3×3 and the identity, added: a residual block.
    pub(crate) fn residual(mut self) -> Self {
        let skip = self.wire;
        let channels = self.builder.port(skip).shape[0];
        self = self.conv(1, channels, square(3, 1, 1)).rescale(-128);
        let [a, b] = [self.wire, skip].map(|wire| self.builder.port(wire).exponent);
        let top = a.max(b);
        let shifts = [(top - a) as u8, (top - b) as u8];
        let name = format!("add{}", self.tensors.len());
        self.wire = self.builder.push(&name, Op::Add { shifts }, &[self.wire, skip], None).unwrap();
        self.rescale(0)
    }

    /// The model, committed.
    pub(crate) fn finish(self) -> Model {
        let graph = self.builder.finish().unwrap();
        let weights = Weights::new(&graph, self.tensors).unwrap();
        Model::new(graph, weights)
    }
}

/// A square window.
pub(crate) fn square(kernel: usize, stride: usize, padding: usize) -> Window {
    Window { kernel: [kernel; 2], stride: [stride; 2], padding: [padding; 4] }
}

/// A model of every op and shape class, by name.
pub(crate) fn models() -> Vec<(&'static str, Model)> {
    let uneven = Window { kernel: [3, 2], stride: [2, 1], padding: [1, 0, 2, 1] };
    vec![
        ("one dense layer", Net::new(1, &[5]).dense(3).finish()),
        ("one number", Net::new(2, &[1]).dense(1).finish()),
        ("mlp", Net::new(3, &[20]).dense(17).rescale(0).dense(9).rescale(0).dense(4).finish()),
        ("conv and max pool", Net::new(4, &[1, 9, 9]).conv(1, 5, square(3, 1, 1)).rescale(0).max_pool(square(2, 2, 0)).dense(6).finish()),
        ("uneven windows", Net::new(5, &[3, 8, 7]).conv(1, 4, uneven).rescale(0).conv(1, 3, uneven).rescale(-128).dense(2).finish()),
        ("depthwise", Net::new(6, &[6, 6, 6]).conv(6, 1, square(3, 1, 1)).rescale(0).conv(1, 4, square(1, 1, 0)).rescale(0).dense(3).finish()),
        ("groups of odd size", Net::new(7, &[6, 5, 5]).conv(3, 5, square(3, 2, 1)).rescale(0).dense(3).finish()),
        ("average pool", Net::new(8, &[2, 6, 6]).conv(1, 3, square(3, 1, 0)).rescale(-128).average_pool(square(2, 2, 0)).rescale(-128).dense(5).finish()),
        ("padded pools", Net::new(9, &[2, 5, 5]).max_pool(square(3, 2, 1)).average_pool(square(2, 1, 1)).rescale(-128).dense(4).finish()),
        ("residual", Net::new(10, &[4, 6, 6]).residual().residual().average_pool(square(6, 6, 0)).rescale(0).dense(3).finish()),
        ("ends in a rescale", Net::new(11, &[1, 4, 4]).conv(1, 2, square(2, 2, 0)).rescale(-128).finish()),
        ("starts with a pool", Net::new(12, &[1, 6, 6]).max_pool(square(2, 2, 0)).dense(3).finish()),
    ]
}

/// A random batch that also visits both ends of the input range.
pub(crate) fn batch(graph: &Graph, seed: u64, n: usize) -> Tensor {
    let mut random = SplitMix64::new(seed);
    let Range { low, high } = graph.input().range;
    let width = u64::from(high.abs_diff(low)) + 1;
    let len = n * graph.input().len();
    let values = (0..len).map(|i| match i % 7 {
        0 => low,
        1 => high,
        _ => low + (random.next_word() % width) as i32,
    });
    Tensor::new(n, &graph.input().shape, values.collect()).unwrap()
}

/// A session's random bytes; tests want them fixed.
pub(crate) const SESSION: [u8; 32] = [7; 32];
