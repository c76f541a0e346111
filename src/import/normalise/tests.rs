//! Each normalisation on a small model: the graph it gives, and what that graph computes.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use ndarray::ArrayD;
use proptest::prelude::*;

use super::*;
use crate::import::fixture::{Attr, Net, floats};
use crate::import::float::Padding;

/// The operators of a graph, in a word each.
pub(super) fn kinds(graph: &FloatGraph) -> Vec<&'static str> {
    let kind = |node: &FloatNode| match node.op {
        FloatOp::MatMul { .. } => "matmul",
        FloatOp::Conv { .. } => "conv",
        FloatOp::Add => "add",
        FloatOp::Clamp { .. } => "clamp",
        FloatOp::MaxPool { .. } => "max",
        FloatOp::AveragePool { .. } => "mean",
        FloatOp::Reshape => "reshape",
        FloatOp::Concat { .. } => "concat",
        FloatOp::Slice { .. } => "slice",
        FloatOp::Pad { .. } => "pad",
    };
    graph.nodes().iter().map(kind).collect()
}

/// What a graph answers to one sample.
pub(super) fn answer(graph: &FloatGraph, sample: &[f32]) -> Vec<f32> {
    let mut shape = vec![1];
    shape.extend(&graph.reading().sample_shape);
    let batch = ArrayD::from_shape_vec(shape, sample.to_vec()).unwrap();
    graph.run(&batch, |_, _| {}).unwrap().iter().copied().collect()
}

pub(super) fn fault(net: Net) -> NodeFault {
    match net.read() {
        Err(ImportError::Node { fault, .. }) => fault,
        other => panic!("expected a node at fault, got {other:?}"),
    }
}

pub(super) fn vector() -> Net {
    Net::input(&[1, 2]).floats("w", &[2, 2], &[1.0, 2.0, 3.0, 4.0]).floats("c", &[2], &[10.0, 20.0])
}

pub(super) fn picture() -> Net {
    Net::input(&[-1, 1, 2, 2]).floats("k", &[2, 1, 1, 1], &[1.0, 2.0]).floats("c", &[2, 1, 1], &[10.0, 20.0])
}

pub(super) const PIXELS: [f32; 4] = [1.0, 2.0, 3.0, 4.0];

#[test]
fn gemm_with_factors_and_either_orientation_becomes_a_matmul() {
    let factors = || [("alpha", Attr::Float(2.0)), ("beta", Attr::Float(0.5))];
    let plain = vector().node_with("Gemm", &["x", "w", "c"], "y", factors()).read().unwrap();
    assert_eq!(answer(&plain, &[1.0, 1.0]), [13.0, 22.0]);
    let turned = [("transB", Attr::Int(1))].into_iter().chain(factors());
    let turned = vector().node_with("Gemm", &["x", "w", "c"], "y", turned).read().unwrap();
    assert_eq!(answer(&turned, &[1.0, 1.0]), [11.0, 24.0]);
    let refused = vector().node_with("Gemm", &["x", "w"], "y", [("transA", Attr::Int(1))]);
    assert!(matches!(fault(refused), NodeFault::Attribute { name: "transA", .. }));
}

#[test]
fn matmul_and_a_constant_sum_become_one_node() {
    let graph = vector().node("MatMul", &["x", "w"], "z").node("Add", &["c", "z"], "y").read().unwrap();
    assert_eq!(kinds(&graph), ["matmul"]);
    assert_eq!(graph.nodes()[0].name, "/z/MatMul");
    assert_eq!(answer(&graph, &[1.0, 1.0]), [14.0, 26.0]);
}

#[test]
fn constants_behind_a_conv_become_its_own() {
    let net =
        picture().node("Conv", &["x", "k"], "z").node("Add", &["z", "c"], "a").node("Mul", &["a", "c"], "y");
    let graph = net.read().unwrap();
    assert_eq!(kinds(&graph), ["conv"]);
    assert_eq!(answer(&graph, &PIXELS)[..5], [110.0, 120.0, 130.0, 140.0, 440.0]);
}

#[test]
fn batch_normalization_becomes_part_of_the_conv_before_it() {
    let net = picture()
        .floats("gain", &[2], &[3.0, 4.0])
        .floats("bias", &[2], &[1.0, -1.0])
        .floats("mean", &[2], &[2.0, 0.0])
        .floats("variance", &[2], &[3.0, 15.0])
        .node("Conv", &["x", "k"], "z")
        .node_with(
            "BatchNormalization",
            &["z", "gain", "bias", "mean", "variance"],
            "y",
            [("epsilon", Attr::Float(1.0))],
        );
    let graph = net.read().unwrap();
    assert_eq!(kinds(&graph), ["conv"]);
    // 3 · (x − 2) / √4 + 1 and 4 · 2x / √16 − 1.
    assert_eq!(answer(&graph, &PIXELS), [-0.5, 1.0, 2.5, 4.0, 1.0, 3.0, 5.0, 7.0]);
}

#[test]
fn constants_that_another_node_does_not_see_stay_out_of_the_shared_one() {
    // z is read twice, so that the sum with c may not be folded into the conv; it becomes a node of its own.
    let net =
        picture().node("Conv", &["x", "k"], "z").node("Add", &["z", "c"], "a").node("Relu", &["a"], "r");
    let graph = net.node("Add", &["r", "z"], "y").read().unwrap();
    assert_eq!(kinds(&graph), ["conv", "conv", "clamp", "add"]);
    assert_eq!(answer(&graph, &PIXELS)[..5], [12.0, 14.0, 16.0, 18.0, 24.0]);
}

#[test]
fn arithmetic_on_the_input_becomes_the_reading_of_a_sample() {
    let net =
        vector().node("Sub", &["x", "c"], "a").node("Div", &["a", "c"], "b").node("MatMul", &["b", "w"], "y");
    let graph = net.read().unwrap();
    assert_eq!(kinds(&graph), ["matmul"]);
    let affine = graph.reading().affine.as_ref().unwrap();
    assert_eq!((affine.scale.as_slice(), affine.shift.as_slice()), (&[0.1, 0.05][..], &[-1.0, -1.0][..]));
    assert_eq!(answer(&graph, &[20.0, 60.0]), [7.0, 10.0]);
}

#[test]
fn arithmetic_before_a_linear_node_is_folded_into_it() {
    let net = vector().node("Relu", &["x"], "r").node("Sub", &["r", "c"], "a").node("Mul", &["a", "c"], "b");
    let graph = net.node("MatMul", &["b", "w"], "y").read().unwrap();
    assert_eq!(kinds(&graph), ["clamp", "matmul"]);
    // (1 − 10) · 10 = −90 and (2 − 20) · 20 = −360.
    assert_eq!(answer(&graph, &[1.0, 2.0]), [-90.0 - 3.0 * 360.0, -180.0 - 4.0 * 360.0]);
}

#[test]
fn terms_before_a_padded_conv_are_not_folded_into_it() {
    let net = Net::input(&[1, 1, 2, 2])
        .floats("k", &[1, 1, 3, 3], &[1.0; 9])
        .floats("c", &[1], &[1.0])
        .floats("two", &[], &[2.0])
        .node("Relu", &["x"], "r");
    let pads = || [("pads", Attr::Ints(&[1, 1, 1, 1]))];
    // The margin must be 0, not −1: each window sums four pixels less one, over which a factor is exact.
    let factor =
        net.node("Mul", &["r", "two"], "a").node_with("Conv", &["a", "k"], "y", pads()).read().unwrap();
    assert_eq!(kinds(&factor), ["clamp", "conv"]);
    assert_eq!(answer(&factor, &PIXELS), [20.0; 4]);
    let net = Net::input(&[1, 1, 2, 2]).floats("k", &[1, 1, 3, 3], &[1.0; 9]).floats("c", &[1], &[1.0]);
    let net = net.node("Relu", &["x"], "r").node("Sub", &["r", "c"], "a");
    let term = net.node_with("Conv", &["a", "k"], "y", pads()).read().unwrap();
    assert_eq!(kinds(&term), ["clamp", "conv", "conv"]);
    assert_eq!(answer(&term, &PIXELS), [6.0; 4]);
}

#[test]
fn arithmetic_that_no_linear_node_can_take_is_refused() {
    let net = vector().node("Relu", &["x"], "r").node("Add", &["r", "c"], "a").node("Relu", &["a"], "y");
    assert_eq!(fault(net), NodeFault::StrayAffine);
    let net = vector().node("Mul", &["x", "x"], "y");
    assert!(matches!(fault(net), NodeFault::NotConstant(_)));
}

#[test]
fn padding_by_name_covers_the_image() {
    for (name, top, bottom) in [("SAME_UPPER", 0, 1), ("SAME_LOWER", 1, 0), ("VALID", 0, 0)] {
        let net = Net::input(&[1, 1, 4, 4]).floats("k", &[1, 1, 2, 2], &[1.0; 4]);
        let graph = net.node_with("Conv", &["x", "k"], "y", [("auto_pad", Attr::Text(name))]).read().unwrap();
        let FloatOp::Conv { padding, .. } = graph.nodes()[0].op else { panic!("a conv") };
        assert_eq!(padding, Padding { top, left: top, bottom, right: bottom }, "{name}");
    }
}

#[test]
fn pools_take_windows_of_the_whole_image_or_a_part() {
    let graph = picture().node("GlobalAveragePool", &["x"], "y").read().unwrap();
    assert_eq!((kinds(&graph), answer(&graph, &PIXELS)), (vec!["mean"], vec![2.5]));
    let kernel = || ("kernel_shape", Attr::Ints(&[2, 1]));
    let graph = picture().node_with("MaxPool", &["x"], "y", [kernel()]).read().unwrap();
    assert_eq!(answer(&graph, &PIXELS), [3.0, 4.0]);
    let padded = [kernel(), ("pads", Attr::Ints(&[1, 0, 0, 0]))];
    let uncounted = picture().node_with("AveragePool", &["x"], "y", padded);
    assert!(matches!(fault(uncounted), NodeFault::Attribute { name: "count_include_pad", .. }));
    let counted = [kernel(), ("pads", Attr::Ints(&[1, 0, 0, 0])), ("count_include_pad", Attr::Int(1))];
    let counted = picture().node_with("AveragePool", &["x"], "y", counted).read().unwrap();
    assert_eq!(answer(&counted, &PIXELS), [0.5, 1.0, 2.0, 3.0]);
    for (name, value) in [("dilations", Attr::Ints(&[2, 2])), ("pads", Attr::Ints(&[2, 0, 0, 0]))] {
        let refused = picture().node_with("MaxPool", &["x"], "y", [kernel(), (name, value)]);
        assert!(matches!(fault(refused), NodeFault::Attribute { name: found, .. } if found == name));
    }
    let ceil = [
        ("kernel_shape", Attr::Ints(&[2, 2])),
        ("pads", Attr::Ints(&[1, 1, 0, 0])),
        ("strides", Attr::Ints(&[2, 2])),
        ("count_include_pad", Attr::Int(1)),
        ("ceil_mode", Attr::Int(1)),
    ];
    let ceil = picture().node_with("AveragePool", &["x"], "y", ceil);
    assert!(matches!(fault(ceil), NodeFault::Attribute { name: "ceil_mode", .. }));
}

#[test]
fn max_pool_that_rounds_up_is_padded_at_the_end_where_a_window_is_missing() {
    // Side, kernel, stride, first margin; windows on each axis, last margin.
    for (side, kernel, stride, before, windows, after) in
        [(4, 3, 2, 0, 2, 1), (5, 3, 2, 0, 2, 0), (2, 1, 2, 0, 1, 0), (3, 2, 2, 1, 2, 0), (2, 2, 3, 1, 1, 0)]
    {
        let attributes = [
            ("kernel_shape", Attr::Ints(&[kernel; 2])),
            ("strides", Attr::Ints(&[stride; 2])),
            ("pads", Attr::Ints(&[before, before, 0, 0])),
            ("ceil_mode", Attr::Int(1)),
        ];
        let net = Net::input(&[1, 1, side, side]).node_with("MaxPool", &["x"], "y", attributes);
        let graph = net.read().unwrap();
        let FloatOp::MaxPool { padding, .. } = graph.nodes()[0].op else { panic!("a pool") };
        assert_eq!((padding.bottom, padding.right), (after, after), "{side} {kernel} {stride} {before}");
        assert_eq!(graph.output_shape(), [1, windows, windows], "{side} {kernel} {stride} {before}");
    }
}

#[test]
fn reshapes_that_keep_each_sample_apart_are_taken_and_fused() {
    let net = picture().ints("flat", &[1, -1]).ints("image", &[0, 1, 4]).ints("one", &[1]);
    let net = net.node("Reshape", &["x", "flat"], "a").node("Unsqueeze", &["a", "one"], "b");
    let net =
        net.node("Squeeze", &["b", "one"], "c2").node("Identity", &["c2"], "d").node("Dropout", &["d"], "e");
    let graph = net.node("Relu", &["e"], "y").read().unwrap();
    assert_eq!(kinds(&graph), ["reshape", "clamp"]);
    assert_eq!(graph.output_shape(), [4]);
    // A file written for batch 1 works for any.
    let batch = ArrayD::from_elem(vec![3, 1, 2, 2], 1.0);
    assert_eq!(graph.run(&batch, |_, _| {}).unwrap().shape(), [3, 4]);
}

#[test]
fn reshapes_that_mix_samples_are_refused() {
    for shape in [&[-1, 2][..], &[4], &[2, 2]] {
        let net = picture().ints("s", shape).node("Reshape", &["x", "s"], "y");
        assert_eq!(fault(net), NodeFault::MixesSamples, "{shape:?}");
    }
    let net = picture().node_with("Flatten", &["x"], "y", [("axis", Attr::Int(0))]);
    assert_eq!(fault(net), NodeFault::MixesSamples);
    let net = picture().node_with("Transpose", &["x"], "y", [("perm", Attr::Ints(&[1, 0, 2, 3]))]);
    assert_eq!(fault(net), NodeFault::MixesSamples);
    let net = picture().ints("s", &[1, 5]).node("Reshape", &["x", "s"], "y");
    assert!(matches!(fault(net), NodeFault::Shape { .. }));
    let net = picture().ints("s", &[1, -1, -1]).node("Reshape", &["x", "s"], "y");
    assert!(matches!(fault(net), NodeFault::Attribute { name: "shape", .. }));
}

#[test]
fn reshape_of_constant_weights_is_done_while_reading() {
    let net = Net::input(&[1, 4]).floats("k", &[2, 2, 1], &PIXELS).ints("s", &[4, 1]);
    let graph = net.node("Reshape", &["k", "s"], "w").node("MatMul", &["x", "w"], "y").read().unwrap();
    assert_eq!(kinds(&graph), ["matmul"]);
    assert_eq!(answer(&graph, &[1.0, 10.0, 100.0, 1000.0]), [4321.0]);
}

#[test]
fn transposed_input_becomes_the_reading_of_a_sample() {
    let net = Net::input(&[-1, 2, 2, 1]).floats("k", &[1, 1, 1, 2], &[1.0, 10.0]);
    let net = net.node_with("Transpose", &["x"], "t", [("perm", Attr::Ints(&[0, 3, 2, 1]))]);
    let graph = net.node("Conv", &["t", "k"], "y").read().unwrap();
    assert_eq!((kinds(&graph), answer(&graph, &PIXELS)), (vec!["conv"], vec![31.0, 42.0]));
}

#[test]
fn transpose_before_a_matmul_permutes_its_columns() {
    let net = picture().node("Relu", &["x"], "r");
    let net = net.node_with("Transpose", &["r"], "t", [("perm", Attr::Ints(&[0, 1, 3, 2]))]);
    let net = net.floats("w", &[4, 1], &[1.0, 10.0, 100.0, 1000.0]).node("Flatten", &["t"], "f");
    let graph = net.node("MatMul", &["f", "w"], "y").read().unwrap();
    assert_eq!((kinds(&graph), answer(&graph, &PIXELS)), (vec!["clamp", "reshape", "matmul"], vec![4231.0]));
    let net = picture().node("Relu", &["x"], "r");
    let net = net.node_with("Transpose", &["r"], "t", [("perm", Attr::Ints(&[0, 1, 3, 2]))]);
    assert_eq!(fault(net.node("Conv", &["t", "k"], "y")), NodeFault::StrayTranspose);
}

#[test]
fn clips_take_their_bounds_from_attributes_or_inputs() {
    let bounds = |graph: FloatGraph| match graph.nodes()[0].op {
        FloatOp::Clamp { low, high } => (low, high),
        _ => panic!("a clamp"),
    };
    let attributes = [("min", Attr::Float(-1.0)), ("max", Attr::Float(6.0))];
    assert_eq!(bounds(vector().node_with("Clip", &["x"], "y", attributes).read().unwrap()), (-1.0, 6.0));
    let net = || vector().floats("six", &[], &[6.0]).floats("seven", &[], &[7.0]);
    assert_eq!(bounds(net().node("Clip", &["x", "", "six"], "y").read().unwrap()), (f32::NEG_INFINITY, 6.0));
    let empty = net().node("Clip", &["x", "seven", "six"], "y");
    assert!(matches!(fault(empty), NodeFault::Attribute { name: "min", .. }));
}

#[test]
fn softmax_at_the_end_is_dropped_with_a_note_and_elsewhere_refused() {
    let net = vector().node("MatMul", &["x", "w"], "z").node("Softmax", &["z"], "y");
    let graph = net.read().unwrap();
    assert_eq!(kinds(&graph), ["matmul"]);
    assert!(graph.notes()[0].contains("`/y/Softmax` (Softmax) is dropped"), "{:?}", graph.notes());
    let net = vector().node("Softmax", &["x"], "z").node("MatMul", &["z", "w"], "y");
    assert_eq!(fault(net), NodeFault::InnerSoftmax);
}

#[test]
fn nodes_that_the_output_does_not_need_are_dropped() {
    let net = vector().node("Relu", &["x"], "unused").node("MatMul", &["x", "w"], "y");
    assert_eq!(kinds(&net.read().unwrap()), ["matmul"]);
}

#[test]
fn unknown_operators_are_named_with_what_is_taken() {
    let error = vector().node("Sigmoid", &["x"], "y").read().unwrap_err().to_string();
    assert!(
        error.starts_with("node `/y/Sigmoid` is a `Sigmoid`, which serin does not take; it takes Add, Ave")
    );
    for op in TAKEN {
        // Known operators fail, if they do, for their inputs' sake.
        let known = vector().node(op, &["x"], "y").read();
        assert!(!matches!(known, Err(ImportError::UnknownOp { .. })), "{op}");
    }
}

#[test]
fn wiring_that_does_not_hold_is_refused() {
    assert!(matches!(fault(vector().node("Relu", &["nowhere"], "y")), NodeFault::Undefined(_)));
    assert!(matches!(fault(vector().node("Relu", &["y"], "y")), NodeFault::Undefined(_)));
    assert!(matches!(
        fault(vector().node("Relu", &["x"], "w").node("Relu", &["x"], "y")),
        NodeFault::Redefined(_)
    ));
    assert!(matches!(fault(vector().node("Relu", &[], "y")), NodeFault::MissingInput(0)));
    assert!(matches!(
        fault(vector().node("Relu", &["x", "x"], "y")),
        NodeFault::ExtraInput { count: 2, cap: 1 }
    ));
    assert!(matches!(fault(vector().node("Relu", &["w"], "y")), NodeFault::Constant(_)));
    assert!(matches!(fault(vector().node("MatMul", &["x", "c"], "y")), NodeFault::Shape { .. }));
    let strange = vector().node_with("Relu", &["x"], "y", [("slope", Attr::Float(0.1))]);
    assert_eq!(fault(strange), NodeFault::UnknownAttribute("slope".into()));
    let missing = vector().node("Relu", &["x"], "z").read();
    assert!(matches!(missing, Err(ImportError::Interface(InterfaceFault::Output(_)))));
}

#[test]
fn constants_that_fold_to_infinity_are_refused_by_node() {
    let net = vector().floats("zero", &[], &[0.0]).node("MatMul", &["x", "w"], "z");
    assert_eq!(fault(net.node("Div", &["z", "zero"], "y")), NodeFault::NotFinite);
    let net = vector().floats("zero", &[], &[0.0]).node("Div", &["x", "zero"], "z");
    let error = net.node("MatMul", &["z", "w"], "y").read();
    assert_eq!(error, Err(ImportError::Interface(InterfaceFault::Reading)));
}

#[test]
fn constant_nodes_hold_tensors_numbers_and_lists() {
    let value = [("value", Attr::Tensor(floats("", &[2], &[1.0, 2.0])))];
    let graph = vector().node_with("Constant", &[], "k", value).node("MatMul", &["x", "w"], "z");
    let graph = graph.node("Add", &["z", "k"], "y").read().unwrap();
    assert_eq!(answer(&graph, &[0.0, 0.0]), [1.0, 2.0]);
    let net = picture().node_with("Constant", &[], "s", [("value_ints", Attr::Ints(&[-1, 4]))]);
    assert_eq!(
        net.node("Reshape", &["x", "s"], "r").node("Relu", &["r"], "y").read().unwrap().output_shape(),
        [4]
    );
    let nan = [("value", Attr::Tensor(floats("", &[1], &[f32::NAN])))];
    let nan = vector().node_with("Constant", &[], "k", nan).node("Add", &["x", "k"], "y").read();
    assert!(matches!(nan, Err(ImportError::Tensor { name, .. }) if name == "k"));
}

#[test]
fn small_files_cannot_ask_for_much_memory() {
    // Sixteen million elements to a sample, and arithmetic over all of them again and again.
    let mut net = Net::input(&[1, 1 << 24]).floats("c", &[1], &[1.0]).node("Relu", &["x"], "t0");
    for step in 0..20 {
        net = net.node("Add", &[&format!("t{step}"), "c"], &format!("t{}", step + 1));
    }
    assert_eq!(fault(net.node("Relu", &["t20"], "y")), NodeFault::Large);
    let net = Net::input(&[1, 1, 4000, 4000]).floats("k", &[64, 1, 1, 1], &[1.0; 64]);
    assert_eq!(fault(net.node("Conv", &["x", "k"], "y")), NodeFault::Large);
}

proptest! {
    #[test]
    fn damaged_files_are_refused_or_read_but_never_panic(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        small in any::<bool>(),
    ) {
        let net = picture().node("Conv", &["x", "k"], "z").node("Add", &["z", "c"], "a").node("Flatten", &["a"], "y");
        let mut bytes = if small {
            net.output("y").encode()
        } else {
            serin_datasets::digits::cheap_model().to_vec()
        };
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = crate::import::read(&bytes);
    }
}
