//! Completeness of `succinct`: small graphs driven to both ends of every declared range, in batches of 1 to 5, are always proved.
//!
//! After an optional linear node, asked with the very inputs that its range was computed for, come clamps, pools and sums that preserve
//! order, so that the ends of one range lead to the ends of the next; every prefix of a graph is held to that.

use serin::prover::Model;
use serin_circuits::graph::{Builder, Graph, Linear, Op, Port, Window, Wire};
use serin_circuits::reference;
use serin_circuits::relation::table::Table;
use serin_circuits::tensor::{Range, Tensor};
use serin_circuits::weights::{LinearWeights, Weights, accumulator_range};
use serin_datasets::synthetic::SplitMix64;
use serin_verifier::lookup::plan::Plan;
use serin_verifier::proof::Mode;
use serin_verifier::statement::Statement;
use serin_verifier::verify::verify;

use crate::world::SESSION;

const SHAPE: [usize; 3] = [2, 4, 5];
const LEN: usize = 40;
const INPUTS: [(i32, i32); 7] = [
    (i32::MIN, i32::MAX),
    (-128, 127),
    (-(1 << 15), (1 << 15) - 1),
    (0, 1 << 20),
    (-(1 << 24), 3),
    (-1, 0),
    (5, 5),
];
const KEPT: [(i32, i32); 6] = [
    (-128, 127),
    (0, 255),
    (-(1 << 15), (1 << 15) - 1),
    (0, 65_535),
    (i32::MIN, i32::MAX),
    (-70_000, 900_000),
];

struct Random(SplitMix64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        (self.0.next_word() % n as u64) as usize
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// A chain of nodes, and the weights of its first, if that is linear.
struct Chain {
    input: Port,
    nodes: Vec<(Op, Option<Range>)>,
    tensors: Vec<LinearWeights>,
}

impl Chain {
    fn new(random: &mut Random) -> Self {
        let (low, high) = random.pick(&INPUTS);
        let input = Port { shape: SHAPE.to_vec(), exponent: 0, range: Range { low, high } };
        let mut new = Self { input, nodes: Vec::new(), tensors: Vec::new() };
        if random.below(2) == 0 {
            new.linear(random);
        }
        while new.nodes.len() < 5 {
            let next = new.next(random);
            new.nodes.push((next, None));
            // What does not fit is left out.
            if new.graph(new.nodes.len()).is_none() {
                new.nodes.pop();
            }
        }
        new
    }

    /// A convolution of one full window, as great as its accumulators' 32 bits allow.
    fn linear(&mut self, random: &mut Random) {
        let window = Window { kernel: [1; 2], stride: [1; 2], padding: [0; 4] };
        let linear = Linear { groups: 1, channels: 2, outputs: 1, window, image: [4, 5], weight_exponent: 0 };
        let mut word = || random.0.next_word() as i32;
        let (weight, bias) = ([word(), word()], word());
        for bits in 0..32 {
            let tensors =
                LinearWeights { weight: weight.map(|w| w >> bits).to_vec(), bias: vec![bias >> bits] };
            let (low, high) = accumulator_range(&linear, &tensors, self.input.range);
            if let Some(range) = Range::from_wide(low, high) {
                self.nodes.push((Op::Conv(linear), Some(range)));
                self.tensors.push(tensors);
                return;
            }
        }
    }

    fn next(&self, random: &mut Random) -> Op {
        let kernel = [1 + random.below(3), 1 + random.below(3)];
        let window = Window { kernel, stride: [1 + random.below(2), 1], padding: [0; 4] };
        match random.below(6) {
            0 => Op::Add { shifts: [random.below(2) as u8; 2] },
            1 => Op::AveragePool { window, multiplier: 1 + random.below(9) as i32, gain: 0 },
            2 => Op::MaxPool(Window {
                padding: [random.below(kernel[0]), random.below(kernel[1]), 0, 0],
                ..window
            }),
            _ => {
                let (low, high) = random.pick(&KEPT);
                Op::Rescale { shift: random.pick(&[0, 0, 1, 7, 14, 15, 29, 31]), low, high }
            }
        }
    }

    /// The graph of its first nodes, if they fit together.
    fn graph(&self, nodes: usize) -> Option<Graph> {
        let mut builder = Builder::new(self.input.clone()).unwrap();
        let mut wire = Wire::INPUT;
        for (op, range) in &self.nodes[..nodes] {
            wire = builder.push(op.kind(), op.clone(), &[wire; 2][..op.arity()], *range).ok()?;
        }
        builder.finish().ok()
    }

    /// Five questions: what leads to the low end everywhere, to the high end, to both by turns, and at random.
    fn questions(&self, random: &mut Random) -> Tensor {
        let Range { low, high } = self.input.range;
        let rises = |i: usize| self.tensors.first().is_none_or(|tensors| tensors.weight[i / 20] >= 0);
        let mut ends = |sample: usize, i: usize| match sample {
            0 => false,
            1 => true,
            2 => i.is_multiple_of(2),
            3 => !i.is_multiple_of(2),
            _ => random.below(2) == 0,
        };
        let value = |at: usize| if ends(at / LEN, at % LEN % 20) == rises(at % LEN) { high } else { low };
        Tensor::new(5, &SHAPE, (0..5 * LEN).map(value).collect()).unwrap()
    }
}

/// What the graphs of a test have met.
#[derive(Default)]
struct Met {
    split: bool,
    limbs: bool,
    joined: bool,
    single_row: bool,
}

impl Met {
    fn note(&mut self, plan: &Plan) {
        for step in &plan.steps {
            let is_range = |table: &Table| matches!(table, Table::Range { .. });
            let ranges = step.lookups.iter().filter(|(_, lookup)| is_range(&lookup.table)).count();
            self.limbs |= ranges == 3;
            self.split |= step.lookups.iter().any(|(_, lookup)| matches!(lookup.table, Table::Low { .. }));
        }
        self.joined |= plan.tables.len() < plan.steps.iter().map(|step| step.lookups.len()).sum();
        self.single_row |= plan.tables.iter().any(|placed| placed.table.len() == 1);
    }
}

fn assert_proved(model: &Model, inputs: &Tensor, name: &str) {
    let trace = model.infer(inputs);
    assert_eq!(trace.output(), &reference::infer(model.graph(), model.weights(), inputs.clone()), "{name}");
    let proof =
        model.prove("s", &SESSION, inputs, &trace, Mode::Succinct).unwrap_or_else(|r| panic!("{name}: {r}"));
    let statement =
        Statement { mode: Mode::Succinct, ..model.statement("s", &SESSION, inputs, trace.output()) };
    verify(&statement, &proof).unwrap_or_else(|r| panic!("{name}: {r}"));
}

#[test]
fn graph_driven_to_both_ends_of_every_range_is_proved() {
    let mut met = Met::default();
    for seed in 0..24 {
        let mut random = Random(SplitMix64::new(seed));
        let chain = Chain::new(&mut random);
        let questions = chain.questions(&mut random);
        let weights = |graph: &Graph| Weights::new(graph, chain.tensors.clone()).unwrap();
        for nodes in 1..=chain.nodes.len() {
            let graph = chain.graph(nodes).unwrap();
            let answers = reference::infer(&graph, &weights(&graph), questions.clone());
            let [least, most] = [answers.values().iter().min(), answers.values().iter().max()];
            let range = graph.output().range;
            assert_eq!([least, most], [Some(&range.low), Some(&range.high)], "seed {seed}, {nodes} nodes");
        }
        let graph = chain.graph(chain.nodes.len()).unwrap();
        met.note(&Plan::of(&graph, 1).unwrap());
        let model = Model::new(graph.clone(), weights(&graph));
        for batch in 1..=5 {
            let samples: Vec<usize> = (0..batch).map(|n| (n + seed as usize) % 5).collect();
            assert_proved(
                &model,
                &questions.select(&samples).unwrap(),
                &format!("seed {seed}, batch {batch}"),
            );
        }
    }
    assert!(met.split && met.limbs && met.joined && met.single_row, "the seeds leave something out");
}

/// Clamps to the same bounds, of ranges four thousand million apart.
#[test]
fn clamps_alike_on_ranges_far_apart_are_proved() {
    let range = Range { low: i32::MIN, high: i32::MAX };
    let mut builder = Builder::new(Port { shape: vec![4], exponent: 0, range }).unwrap();
    let clamp = |low, high| Op::Rescale { shift: 0, low, high };
    let mut alike = [(i32::MIN, i32::MIN + 9), (i32::MAX - 9, i32::MAX)].map(|(low, high)| {
        let end = builder.push("end", clamp(low, high), &[Wire::INPUT], None).unwrap();
        builder.push("alike", clamp(-5, 5), &[end], None).unwrap()
    });
    alike.reverse();
    builder.push("add", Op::Add { shifts: [0; 2] }, &alike, None).unwrap();
    let graph = builder.finish().unwrap();
    let weights = Weights::new(&graph, Vec::new()).unwrap();
    let inputs = Tensor::new(1, &[4], vec![i32::MIN, i32::MIN + 3, i32::MAX - 4, i32::MAX]).unwrap();
    assert_proved(&Model::new(graph, weights), &inputs, "far apart");
}
