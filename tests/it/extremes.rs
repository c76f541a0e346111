//! Completeness at the edge: nets whose integers reach the ends of `i32`, asked at both ends of their input's range, are answered with
//! the reference's integers and proved.

use proptest::prelude::*;
use serin::protocol::private::UnfitFault;
use serin::protocol::{Host, Kind, Protocol, converse};
use serin::prover::Model;
use serin_circuits::graph::{Builder, Graph, Linear, Op, Port, Window, Wire};
use serin_circuits::reference;
use serin_circuits::tensor::{Range, Tensor};
use serin_circuits::weights::{LinearWeights, Weights, accumulator_range, decode_model, encode_model};
use serin_datasets::synthetic::SplitMix64;
use serin_verifier::proof::Mode;
use serin_verifier::statement::Statement;
use serin_verifier::verify::verify;

use crate::world::SESSION;

const ENDS: [(i32, i32); 8] = [
    (i32::MIN, i32::MAX),
    (i32::MIN, i32::MIN),
    (i32::MAX, i32::MAX),
    (i32::MIN, 0),
    (1, i32::MAX),
    (-128, 127),
    (0, 1),
    (5, 5),
];

/// A net grown at random; what does not fit is left out.
struct Wild {
    random: SplitMix64,
    builder: Builder,
    tensors: Vec<LinearWeights>,
    wire: Wire,
    /// Nodes so far, those left out included.
    pushed: usize,
}

impl Wild {
    fn new(seed: u64) -> Self {
        let mut random = SplitMix64::new(seed);
        let mut below = |n: usize| (random.next_word() % n as u64) as usize;
        let shape = [1 + below(3), 1 + below(6), 1 + below(6)];
        let (low, high) = ENDS[below(ENDS.len())];
        let input = Port { shape: shape.to_vec(), exponent: 0, range: Range { low, high } };
        Self {
            random,
            builder: Builder::new(input).unwrap(),
            tensors: Vec::new(),
            wire: Wire::INPUT,
            pushed: 0,
        }
    }

    fn below(&mut self, n: usize) -> usize {
        (self.random.next_word() % n as u64) as usize
    }

    /// Any integer, the ends of the range often among them.
    fn integer(&mut self) -> i64 {
        match self.below(6) {
            0 => i64::from(i32::MIN),
            1 => i64::from(i32::MAX),
            2 => 0,
            _ => i64::from(self.random.next_word() as i32),
        }
    }

    fn window(&mut self) -> Window {
        let kernel = [1 + self.below(3), 1 + self.below(3)];
        let stride = [1 + self.below(3), 1 + self.below(3)];
        let padding = std::array::from_fn(|side| self.below(kernel[side % 2]));
        Window { kernel, stride, padding }
    }

    fn push(&mut self, op: Op, inputs: &[Wire], range: Option<Range>) -> bool {
        self.pushed += 1;
        let kind = if op.linear().is_some() { "linear" } else { op.kind() };
        let pushed = self.builder.push(&format!("{kind} {}", self.pushed), op, inputs, range);
        self.wire = *pushed.as_ref().unwrap_or(&self.wire);
        pushed.is_ok()
    }

    /// A linear node whose weights are as large as its accumulators' 32 bits allow.
    fn linear(&mut self, linear: Linear, op: fn(Linear) -> Op) {
        let input = self.builder.port(self.wire).range;
        let weight: Vec<i64> = (0..linear.weight_count()).map(|_| self.integer()).collect();
        let bias: Vec<i64> = (0..linear.output_channels()).map(|_| self.integer()).collect();
        let shrunk = |values: &[i64], bits: u32| values.iter().map(|v| (v / (1 << bits)) as i32).collect();
        for bits in 0..=32 {
            let tensors = LinearWeights { weight: shrunk(&weight, bits), bias: shrunk(&bias, bits) };
            let (low, high) = accumulator_range(&linear, &tensors, input);
            if let Some(range) = Range::from_wide(low, high) {
                if self.push(op(linear), &[self.wire], Some(range)) {
                    self.tensors.push(tensors);
                }
                return;
            }
        }
    }

    fn grow(&mut self) {
        let (shape, wire) = (self.builder.port(self.wire).shape.clone(), self.wire);
        match (self.below(10), &shape[..]) {
            (0, [channels, height, width]) => {
                let groups = if self.below(2) == 0 { *channels } else { 1 };
                let (window, outputs) = (self.window(), 1 + self.below(3));
                let image = [*height, *width];
                if window.slide(image).is_ok() {
                    let channels = channels / groups;
                    let linear = Linear { groups, channels, outputs, window, image, weight_exponent: 0 };
                    self.linear(linear, Op::Conv);
                }
            }
            (1, _) => {
                let inputs = shape.iter().product();
                self.push(Op::Reshape { shape: vec![inputs] }, &[wire], None);
                let outputs = 1 + self.below(5);
                self.linear(Linear::dense(inputs, outputs, 0), Op::MatMul);
            }
            (2, _) => {
                let shifts = [self.below(3) as u8; 2];
                self.push(Op::Add { shifts }, &[wire, wire], None);
            }
            (3, _) => {
                let window = self.window();
                self.push(Op::MaxPool(window), &[wire], None);
            }
            (4, _) => {
                let (window, multiplier) = (self.window(), 1 + self.below(300) as i32);
                self.push(Op::AveragePool { window, multiplier, gain: 8 }, &[wire], None);
            }
            (5, _) => {
                let (axis, inputs) = (self.below(shape.len()), 2 + self.below(2));
                self.push(Op::Concat { axis, inputs }, &vec![wire; inputs], None);
            }
            (6, _) => {
                let axes = shape.iter().map(|&length| {
                    let (start, step) = (self.below(length), 1 + self.below(3));
                    (start, step, 1 + self.below((length - 1 - start) / step + 1))
                });
                let axes: Vec<_> = axes.collect();
                let starts = axes.iter().map(|axis| axis.0).collect();
                let steps = axes.iter().map(|axis| axis.1).collect();
                let shape = axes.iter().map(|axis| axis.2).collect();
                self.push(Op::Slice { starts, steps, shape }, &[wire], None);
            }
            (7, _) => {
                let [before, after] = [(); 2].map(|()| shape.iter().map(|_| self.below(3)).collect());
                self.push(Op::Pad { before, after }, &[wire], None);
            }
            _ => {
                let (a, b) = (self.integer() as i32, self.integer() as i32);
                let shift = self.below(32) as u8;
                self.push(Op::Rescale { shift, low: a.min(b), high: a.max(b) }, &[wire], None);
            }
        }
    }

    fn finish(mut self, nodes: usize) -> Option<(Graph, Weights)> {
        (0..nodes).for_each(|_| self.grow());
        let graph = self.builder.finish().ok()?;
        let weights = Weights::new(&graph, self.tensors).unwrap();
        Some((graph, weights))
    }
}

/// All at the low end, all at the high end, and both at random.
fn questions(graph: &Graph, seed: u64) -> Tensor {
    let Range { low, high } = graph.input().range;
    let mut random = SplitMix64::new(seed);
    let len = graph.input().len();
    let values = (0..5 * len).map(|i| match i / len {
        0 => low,
        1 => high,
        _ => [low, high][(random.next_word() % 2) as usize],
    });
    Tensor::new(5, &graph.input().shape, values.collect()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn net_of_extreme_integers_is_answered_and_proved(seed: u64, nodes in 1usize..9) {
        let Some((graph, weights)) = Wild::new(seed).finish(nodes) else { return Ok(()) };
        let (graph, weights) = decode_model(&encode_model(&graph, &weights)).unwrap();
        let model = Model::new(graph, weights);
        let inputs = questions(model.graph(), seed);
        let trace = model.infer(&inputs);
        prop_assert_eq!(trace.output(), &reference::infer(model.graph(), model.weights(), inputs.clone()));
        prop_assert!(trace.output().first_outside(model.graph().output().range).is_none());
        for mode in Mode::ALL {
            let proof = model.prove("s", &SESSION, &inputs, &trace, mode).unwrap();
            let statement = Statement { mode, ..model.statement("s", &SESSION, &inputs, trace.output()) };
            prop_assert!(verify(&statement, &proof).is_ok(), "{mode}: {:?}", verify(&statement, &proof));
        }
    }
}

#[test]
fn nets_of_extreme_integers_are_computed_in_private_or_refused_by_their_node() {
    let mut computed = 0;
    for seed in 0..160 {
        let Some((graph, weights)) = Wild::new(seed).finish(1 + seed as usize % 8) else { continue };
        let inputs = questions(&graph, seed);
        let expected = reference::infer(&graph, &weights, inputs.clone());
        let nodes: Vec<String> = graph.nodes().iter().map(|node| node.name.clone()).collect();
        match Host::new("s", Model::new(graph, weights), None).with_private() {
            // Rings beyond what products and comparisons carry, and weights beyond what noise leaves room for.
            Err(unfit) => {
                let node = nodes.iter().position(|name| *name == unfit.node);
                let (index, text) = (node.unwrap_or_else(|| panic!("{unfit}")), unfit.to_string());
                assert!(nodes[index].starts_with(node_kind(&unfit.fault)), "{text}");
            }
            Ok(host) => {
                let reply = converse(&host, Kind::Private, |client| client.ask(&SESSION, &inputs)).unwrap();
                assert_eq!(reply.unwrap().outputs, expected, "seed {seed}");
                computed += 1;
            }
        }
    }
    assert!(computed >= 50, "only {computed} were computed");
}

/// What kind of node a refusal is about; any, if several can be.
fn node_kind(fault: &UnfitFault) -> &'static str {
    match fault {
        UnfitFault::Product(_) | UnfitFault::Ring(_) => "linear",
        UnfitFault::Rounding(_) | UnfitFault::Positions(_) => "",
    }
}
