//! Bugs that were found and fixed, each held by a test named after it.

use serin::protocol::{Answerer, Host, Kind};
use serin::prover::Model;
use serin_circuits::graph::{Builder, Graph, Linear, Op, Port, Window, Wire};
use serin_circuits::reference;
use serin_circuits::tensor::{Range, Tensor};
use serin_circuits::weights::{LinearWeights, Weights, accumulator_range};
use serin_verifier::proof::Mode;
use serin_verifier::rejection::{Fault, Place, Rejection};
use serin_verifier::statement::{Statement, most_samples};
use serin_verifier::verify::verify;

use crate::world::{Net, SESSION};

/// A dense layer from inputs that all are `x` to one output.
fn dense_on(x: i32, weight: Vec<i32>) -> (Linear, LinearWeights, Range) {
    let linear = Linear::dense(weight.len(), 1, 0);
    (linear, LinearWeights { weight, bias: vec![0] }, Range { low: x, high: x })
}

#[test]
fn range_of_sums_beyond_64_bits_does_not_come_back() {
    // Cut off at −2^63 on its way, this sum ended at −2.
    let (most, least) = (i32::MAX, i32::MIN);
    let (linear, weights, input) = dense_on(most, vec![least, least, least, most, most, 4]);
    let (low, high) = accumulator_range(&linear, &weights, input);
    assert!(low < i64::from(i32::MIN) && low == high, "{low}..={high}");
}

#[test]
fn sums_beyond_64_bits_that_come_back_are_answered_and_proved() {
    let (most, least) = (i32::MAX, i32::MIN);
    let (linear, weights, input) = dense_on(most, vec![least, least, least, most, most, most, 3]);
    let (low, high) = accumulator_range(&linear, &weights, input);
    assert_eq!((low, high), (0, 0));
    let mut builder = Builder::new(Port { shape: vec![7], exponent: 0, range: input }).unwrap();
    builder.push("dense", Op::MatMul(linear), &[Wire::INPUT], Range::from_wide(low, high)).unwrap();
    let graph = builder.finish().unwrap();
    let weights = Weights::new(&graph, vec![weights]).unwrap();
    let model = Model::new(graph, weights);
    let inputs = Tensor::new(1, &[7], vec![most; 7]).unwrap();
    let trace = model.infer(&inputs);
    assert_eq!(trace.output(), &reference::infer(model.graph(), model.weights(), inputs.clone()));
    assert_proved(&model, &inputs);
}

fn assert_proved(model: &Model, inputs: &Tensor) {
    let trace = model.infer(inputs);
    for mode in Mode::ALL {
        let proof = model.prove("s", &SESSION, inputs, &trace, mode).unwrap();
        let statement = Statement { mode, ..model.statement("s", &SESSION, inputs, trace.output()) };
        verify(&statement, &proof).unwrap_or_else(|rejection| panic!("{mode}: {rejection}"));
    }
}

/// What a verifier says to one question for a graph of `count` times the same operator on the input.
fn verdict_on(input: Port, op: &Op, count: usize) -> Rejection {
    let question = Tensor::zeros(1, &input.shape);
    let mut builder = Builder::new(input).unwrap();
    for _ in 0..count {
        builder.push("again", op.clone(), &[Wire::INPUT], Some(Range { low: 0, high: 1 })).unwrap();
    }
    let graph = builder.finish().unwrap();
    let answer = Tensor::zeros(1, &graph.output().shape);
    let weights = &[0; 32];
    let statement = Statement {
        mode: Mode::Revealed,
        graph: &graph,
        weights,
        server: "s",
        session: &SESSION,
        inputs: &question,
        outputs: &answer,
    };
    verify(&statement, b"").unwrap_err()
}

#[test]
fn graph_whose_tensors_together_would_fill_memory_rejected() {
    let input = Port { shape: vec![1 << 20], exponent: 0, range: Range { low: 0, high: 1 } };
    let verdict = verdict_on(input, &Op::Reshape { shape: vec![1 << 10, 1 << 10] }, 4096);
    assert_eq!(verdict, Rejection::new(Place::Card, Fault::TooLarge));
}

#[test]
fn graph_that_reads_a_wide_input_too_often_rejected() {
    let side = 1 << 12;
    let window = Window { kernel: [1; 2], stride: [side; 2], padding: [0; 4] };
    let linear = Linear { groups: 1, channels: 1, outputs: 1, window, image: [side; 2], weight_exponent: 0 };
    let input = Port { shape: vec![1, side, side], exponent: 0, range: Range { low: 0, high: 1 } };
    let verdict = verdict_on(input.clone(), &Op::Conv(linear), 4000);
    assert!(matches!(verdict.fault, Fault::Malformed(_)), "at the limit: {verdict}");
    let linear = Linear { channels: 2, ..linear };
    let verdict = verdict_on(Port { shape: vec![2, side, side], ..input }, &Op::Conv(linear), 4000);
    assert_eq!(verdict, Rejection::new(Place::Card, Fault::TooLarge));
}

#[test]
fn host_offers_no_batch_that_it_cannot_prove() {
    let wide = Window { kernel: [63; 2], stride: [1; 2], padding: [62; 4] };
    let long = (0..18).fold(Net::new(2, &[64]), |net, _| net.dense(64).rescale(-128));
    for net in [Net::new(1, &[1, 64, 64]).max_pool(wide), long] {
        let host = Host::new("s", net.finish(), None);
        let provable = most_samples(host.graph());
        let offer = host.offer();
        assert!(offer.largest() <= provable, "{offer:?}, {provable} provable");
        let most = offer.most(Kind::Proved(Mode::Succinct));
        let inputs = Tensor::zeros(most, &host.graph().input().shape);
        let outputs = Tensor::zeros(most, &host.graph().output().shape);
        let statement = host.model().statement("s", &SESSION, &inputs, &outputs);
        assert!(most > 0 && Statement { mode: Mode::Succinct, ..statement }.plan().is_ok(), "{most}");
    }
}

#[test]
fn graph_without_weights_is_answered_and_proved() {
    let input = Port { shape: vec![2, 3, 3], exponent: 0, range: Range { low: i32::MIN, high: i32::MAX } };
    let mut builder = Builder::new(input).unwrap();
    let shrunk = Op::Rescale { shift: 31, low: i32::MIN, high: i32::MAX };
    let wire = builder.push("shrink", shrunk, &[Wire::INPUT], None).unwrap();
    builder.push("twice", Op::Add { shifts: [29, 29] }, &[wire, wire], None).unwrap();
    let graph: Graph = builder.finish().unwrap();
    let weights = Weights::new(&graph, Vec::new()).unwrap();
    let model = Model::new(graph, weights);
    let ends = (0..18).map(|i| if i % 3 == 0 { i32::MIN } else { i32::MAX - i });
    let inputs = Tensor::new(1, &[2, 3, 3], ends.collect()).unwrap();
    assert_proved(&model, &inputs);
}
