//! Lowering on small models, by hand, and on the built-in one.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use ndarray::ArrayD;
use serin_circuits::graph::{Fault, Op};
use serin_circuits::reference::infer;
use serin_circuits::tensor::Range;
use serin_datasets::digits::{self, Part};

use super::*;
use crate::import::fixture::{Attr, Net};
use crate::import::{BatchError, read};

fn batch(samples: usize, shape: &[usize], values: &[f32]) -> ArrayD<f32> {
    let mut whole = vec![samples];
    whole.extend(shape);
    ArrayD::from_shape_vec(whole, values.to_vec()).unwrap()
}

fn ops(graph: &Graph) -> Vec<&'static str> {
    graph.nodes().iter().map(|node| node.op.kind()).collect()
}

/// The integers a compiled model answers.
fn integers(compiled: &Compiled, samples: &ArrayD<f32>) -> Vec<i32> {
    let input = compiled.encoder.encode(samples).unwrap();
    infer(&compiled.graph, &compiled.weights, input).values().to_vec()
}

#[test]
fn integers_of_a_small_model_are_those_of_the_definition() {
    let net = Net::input(&[-1, 2])
        .floats("v", &[2, 2], &[1.0, -0.5, 0.25, 1.0])
        .floats("b", &[2], &[0.5, -0.25])
        .floats("w", &[2, 1], &[0.5, -1.0])
        .node("Gemm", &["x", "v", "b"], "h")
        .node("Relu", &["h"], "r")
        .node("MatMul", &["r", "w"], "y");
    let samples = batch(2, &[2], &[1.0, 0.0, 0.5, 1.0]);
    let compiled = compile(&net.read().unwrap(), &samples, None, Precision::default()).unwrap();
    assert_eq!(ops(&compiled.graph), ["matmul", "rescale+relu", "matmul"]);
    // Input in [0, 1]: e = 7. Weights up to 1: e = 6. Bias and accumulators: e = 13.
    assert_eq!((compiled.encoder.exponent, compiled.encoder.range), (7, Range { low: 0, high: 255 }));
    let first = &compiled.weights.tensors()[0];
    assert_eq!((&first.weight[..], &first.bias[..]), (&[64, 16, -32, 64][..], &[4096, -2048][..]));
    let nodes = compiled.graph.nodes();
    // 4096 + 255 · 80 above, −2048 − 255 · 32 below.
    assert_eq!(nodes[0].output.range, Range { low: -10208, high: 24496 });
    // h is at most 1.5 (e = 7: 192), hence a shift of 6.
    assert_eq!(nodes[1].op, Op::Rescale { shift: 6, low: 0, high: 255 });
    // Sample one: h = (1.5, −0.75), so 1.5 · 0.5 at e = 7 + 6.
    assert_eq!(compiled.graph.output().exponent, 13);
    // Sample two: h = (1.25, 0.5), so 0.625 − 0.5.
    assert_eq!(integers(&compiled, &samples), [6144, 1024]);
    assert_eq!((compiled.report.agreeing, compiled.report.max_logit_error), (2, 0.0));
}

#[test]
fn output_of_a_linear_node_is_not_rescaled_but_a_clamps_is() {
    let samples = batch(1, &[2], &[1.0, 0.5]);
    let net = || Net::input(&[1, 2]).floats("w", &[2, 1], &[1.0, 0.5]).node("MatMul", &["x", "w"], "z");
    let graph = net().node("Identity", &["z"], "y").read().unwrap();
    let linear = compile(&graph, &samples, None, Precision::default()).unwrap();
    assert_eq!(ops(&linear.graph), ["matmul"]);
    let graph = net().node("Relu", &["z"], "y").read().unwrap();
    let clamped = compile(&graph, &samples, None, Precision::default()).unwrap();
    assert_eq!(ops(&clamped.graph), ["matmul", "rescale+relu"]);
}

#[test]
fn clamps_keep_their_bounds_in_integers() {
    let net = Net::input(&[1, 1]).floats("w", &[1, 1], &[1.0]).floats("low", &[], &[-0.5]).floats(
        "high",
        &[],
        &[0.75],
    );
    let net = net.node("MatMul", &["x", "w"], "z").node("Clip", &["z", "low", "high"], "y");
    let samples = batch(2, &[1], &[-2.0, 2.0]);
    let compiled = compile(&net.read().unwrap(), &samples, None, Precision::default()).unwrap();
    // Reals in [−0.5, 0.75] at e = 7.
    let Op::Rescale { low, high, .. } = compiled.graph.nodes()[1].op else { panic!("a rescale") };
    assert_eq!((compiled.graph.output().exponent, low, high), (7, -64, 96));
    assert_eq!(integers(&compiled, &samples), [-64, 96]);
}

#[test]
fn sums_bring_their_operands_to_one_scale() {
    let net = Net::input(&[1, 1]).floats("w", &[1, 1], &[0.25]).node("Relu", &["x"], "r");
    let graph = net.node("MatMul", &["r", "w"], "z").node("Add", &["z", "r"], "y").read().unwrap();
    let samples = batch(1, &[1], &[1.0]);
    let compiled = compile(&graph, &samples, None, Precision::default()).unwrap();
    assert_eq!(ops(&compiled.graph), ["rescale+relu", "matmul", "add"]);
    let Op::Add { shifts } = compiled.graph.nodes()[2].op else { panic!("an add") };
    let [r, z] = [0, 1].map(|node| compiled.graph.nodes()[node].output.exponent);
    assert_eq!(shifts, [0, (z - r) as u8]);
    assert_eq!(compiled.report.max_logit_error, 0.0);
}

#[test]
fn sums_of_wires_far_apart_are_made_of_activations() {
    // z's accumulators are too fine to bring r to their scale as they are.
    let net = Net::input(&[1, 1]).floats("w", &[1, 1], &[1e-6]).node("Relu", &["x"], "r");
    let net =
        net.node("MatMul", &["r", "w"], "z").node("MatMul", &["z", "w"], "z2").floats("v", &[1, 1], &[1e7]);
    let net = net.node("MatMul", &["z2", "v"], "z3").node("Add", &["z3", "r"], "y");
    let compiled =
        compile(&net.read().unwrap(), &batch(1, &[1], &[1.0]), None, Precision::default()).unwrap();
    let Some(Op::Add { shifts }) = compiled.graph.nodes().last().map(|node| node.op.clone()) else {
        panic!("an add")
    };
    assert_eq!(shifts, [0, 17]);
    assert_eq!(ops(&compiled.graph)[6..], ["rescale+relu", "add"]);
    assert!(compiled.report.max_logit_error < 0.02, "{}", compiled.report.max_logit_error);
}

#[test]
fn joined_clamps_share_a_scale_without_a_rescale() {
    // Alone, s, ten times smaller than r, would have a scale three bits finer.
    let net = Net::input(&[1, 1]).floats("w", &[1, 2], &[1.0, -0.1]).floats("u", &[1, 1], &[0.1]);
    let net = net.floats("v", &[3, 1], &[1.0; 3]).node("MatMul", &["x", "w"], "h").node("Relu", &["h"], "r");
    let net = net.node("MatMul", &["x", "u"], "z").node("Relu", &["z"], "s");
    let net = net.node_with("Concat", &["r", "s"], "j", [("axis", Attr::Int(1))]);
    let samples = batch(2, &[1], &[-1.0, 1.25]);
    let graph = net.node("MatMul", &["j", "v"], "y").read().unwrap();
    let compiled = compile(&graph, &samples, None, Precision::default()).unwrap();
    assert_eq!(
        ops(&compiled.graph),
        ["matmul", "rescale+relu", "matmul", "rescale+relu", "concat", "matmul"]
    );
    let exponents: Vec<i8> = compiled.graph.nodes().iter().map(|node| node.output.exponent).collect();
    assert_eq!(exponents[1], exponents[3]);
    assert!(compiled.report.max_logit_error < 1.0 / 64.0, "{}", compiled.report.max_logit_error);
}

#[test]
fn joined_wires_of_unlike_scales_are_rescaled_to_the_coarsest() {
    // The input keeps its own scale, and h, which can be negative, has a bit less than r.
    let net = Net::input(&[1, 1]).floats("w", &[1, 1], &[3.0]).node("MatMul", &["x", "w"], "h");
    let net = net.node("Relu", &["h"], "r").floats("v", &[3, 1], &[1.0, 0.5, 0.25]);
    let net = net.node_with("Concat", &["x", "h", "r"], "j", [("axis", Attr::Int(-1))]);
    let graph = net.node("MatMul", &["j", "v"], "y").read().unwrap();
    let samples = batch(2, &[1], &[-1.0, 0.75]);
    let compiled = compile(&graph, &samples, None, Precision::default()).unwrap();
    let count = |kind| ops(&compiled.graph).iter().filter(|op| **op == kind).count();
    assert_eq!((count("concat"), count("rescale"), count("rescale+relu")), (1, 2, 2));
    assert!(compiled.report.max_logit_error < 0.05, "{}", compiled.report.max_logit_error);
}

#[test]
fn slices_and_margins_keep_the_scale_of_what_they_move() {
    let net = Net::input(&[1, 2, 2, 2]).node("Relu", &["x"], "r").ints("s", &[0]).ints("e", &[i64::MAX]);
    let net = net.ints("a", &[2]).ints("t", &[2]).node("Slice", &["r", "s", "e", "a", "t"], "c");
    let net = net.ints("p", &[0, 1, 0, 0, 0, 1, 0, 0]).node("Pad", &["c", "p"], "y");
    let samples = batch(1, &[2, 2, 2], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
    let compiled = compile(&net.read().unwrap(), &samples, None, Precision::default()).unwrap();
    assert_eq!(ops(&compiled.graph), ["rescale+relu", "slice", "pad"]);
    // e = 5: the greatest, 7, is 224.
    assert_eq!(integers(&compiled, &samples), [0, 0, 0, 32, 128, 160, 0, 0]);
}

#[test]
fn means_are_sums_times_a_public_factor() {
    for (kernel, multiplier, gain) in [([2, 2], 1, 2), ([3, 3], 455, 12), ([1, 3], 341, 10)] {
        let net = Net::input(&[1, 1, 3, 3]).node("Relu", &["x"], "r");
        let net = net.node_with("AveragePool", &["r"], "y", [("kernel_shape", Attr::Ints(&kernel))]);
        let samples = batch(1, &[1, 3, 3], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
        let compiled = compile(&net.read().unwrap(), &samples, None, Precision::default()).unwrap();
        let Op::AveragePool { multiplier: m, gain: g, .. } = compiled.graph.nodes()[1].op else {
            panic!("a mean")
        };
        assert_eq!((m, g), (multiplier, gain));
        assert!(compiled.report.max_logit_error < 8.0 / 512.0, "{}", compiled.report.max_logit_error);
    }
}

#[test]
fn reading_of_a_sample_is_part_of_the_encoder() {
    let net =
        Net::input(&[1, 2]).floats("mean", &[2], &[1000.0, 0.001]).floats("std", &[2], &[100.0, 0.0001]);
    let net = net.floats("w", &[2, 1], &[1.0, 1.0]).node("Sub", &["x", "mean"], "a").node(
        "Div",
        &["a", "std"],
        "b",
    );
    let graph = net.node("MatMul", &["b", "w"], "y").read().unwrap();
    let samples = batch(2, &[2], &[1100.0, 0.0011, 900.0, 0.0009]);
    let compiled = compile(&graph, &samples, None, Precision::default()).unwrap();
    assert_eq!(compiled.encoder.encode(&samples).unwrap().values(), [64, 64, -64, -64]);
    let nan = compiled.encoder.encode(&batch(1, &[2], &[f32::NAN, 0.0]));
    assert_eq!(nan, Err(BatchError::NotFinite { sample: 0 }));
    let far = compiled.encoder.encode(&batch(1, &[2], &[1e9, -1e9])).unwrap();
    assert_eq!(far.values(), [127, -128]);
}

#[test]
fn accumulators_beyond_the_integers_are_refused_by_node() {
    let inputs = 1 << 12;
    let weights = vec![1.0; inputs];
    let net = Net::input(&[1, inputs as i64]).floats("w", &[inputs as i64, 1], &weights).node(
        "MatMul",
        &["x", "w"],
        "y",
    );
    let wide = Precision { weight_bits: 16, activation_bits: 16 };
    let graph = net.read().unwrap();
    let samples = batch(1, &[inputs], &weights);
    let error = compile(&graph, &samples, None, wide).unwrap_err();
    let LowerError::Graph(error) = error else { panic!("{error}") };
    assert_eq!(error.node, "/y/MatMul");
    assert!(matches!(error.fault, Fault::Unbounded { low: 0, .. }), "{error}");
    assert!(compile(&graph, &samples, None, Precision::default()).is_ok());
}

#[test]
fn biases_far_above_their_weights_still_fit() {
    let net = Net::input(&[1, 1]).floats("w", &[1, 1], &[1e-9]).floats("b", &[1], &[1000.0]);
    let graph = net.node("Gemm", &["x", "w", "b"], "y").read().unwrap();
    let compiled = compile(&graph, &batch(1, &[1], &[1.0]), None, Precision::default()).unwrap();
    assert!(compiled.report.max_logit_error < 1e-3, "{}", compiled.report.max_logit_error);
}

#[test]
fn bits_and_labels_that_do_not_suit_are_refused() {
    let graph =
        Net::input(&[1, 1]).floats("w", &[1, 1], &[1.0]).node("MatMul", &["x", "w"], "y").read().unwrap();
    let samples = batch(1, &[1], &[1.0]);
    for bits in [0, 1, 17, 255] {
        let precision = Precision { weight_bits: bits, activation_bits: 8 };
        let error = compile(&graph, &samples, None, precision).unwrap_err();
        assert_eq!(error, LowerError::Bits { what: "weights", bits });
    }
    let error = compile(&graph, &samples, Some(&[1, 2]), Precision::default()).unwrap_err();
    assert_eq!(error, LowerError::Labels { labels: 2, samples: 1 });
}

#[test]
fn lowered_digits_models_answer_as_well_as_in_floats() {
    let (calibration, canaries) = (digits::samples(Part::Calibration), digits::samples(Part::Canary));
    // What onnxruntime has right of the 450 canaries.
    for (bytes, right) in [(digits::model(), 446), (digits::cheap_model(), 374)] {
        let graph = read(bytes).unwrap();
        let shape: Vec<usize> = graph.reading().sample_shape.clone();
        let prepare =
            |samples: &serin_datasets::Samples| samples.clone().reshape(&shape).unwrap().into_parts().0;
        let float = graph.run(&prepare(&canaries), |_, _| {}).unwrap();
        let labels = canaries.labels().unwrap();
        let correct = |logits: Vec<f32>| {
            let best = |row: &[f32]| (0..10).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
            logits.chunks(10).zip(labels).filter(|(row, label)| best(row) == **label as usize).count()
        };
        assert_eq!(correct(float.iter().copied().collect()), right);
        let compiled =
            compile(&graph, &prepare(&calibration), calibration.labels(), Precision::default()).unwrap();
        let integer = integers(&compiled, &prepare(&canaries));
        let integer = correct(integer.into_iter().map(|q| q as f32).collect());
        assert!(integer.abs_diff(right) <= 3, "{integer} of 450 in integers, {right} in floats");
    }
}
