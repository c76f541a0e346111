//! Slice, Concat and Pad on small models: the graph each gives, and what that graph computes.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::tests::{PIXELS, answer, fault, kinds, picture, vector};
use super::*;
use crate::import::fixture::{Attr, Net};
use crate::import::float::Padding;

const END: i64 = i64::MAX;

#[test]
fn zeros_around_an_image_become_padding_of_the_conv() {
    let net = Net::input(&[-1, 1, 2, 2]).floats("k", &[1, 1, 3, 3], &[1.0; 9]);
    let net = net.ints("p", &[0, 0, 1, 0, 0, 0, 0, 2]).node("Pad", &["x", "p"], "z");
    let graph =
        net.node_with("Conv", &["z", "k"], "y", [("pads", Attr::Ints(&[1, 0, 0, 0]))]).read().unwrap();
    let FloatOp::Conv { padding, .. } = graph.nodes()[0].op else { panic!("a conv") };
    assert_eq!(padding, Padding { top: 2, left: 0, bottom: 0, right: 2 });
    assert_eq!(graph.output_shape(), [1, 2, 2]);
}

#[test]
fn zeros_that_no_window_takes_in_become_a_node() {
    let pads = || [("pads", Attr::Ints(&[0, 0, 0, 1, 0, 0, 1, 0]))];
    let padded =
        |op: &str| picture().node_with("Pad", &["x"], "z", pads()).node(op, &["z"], "y").read().unwrap();
    let relu = padded("Relu");
    assert_eq!(kinds(&relu), ["pad", "clamp"]);
    assert_eq!(answer(&relu, &PIXELS), [0.0, 1.0, 2.0, 0.0, 3.0, 4.0, 0.0, 0.0, 0.0]);
    assert_eq!(answer(&padded("GlobalAveragePool"), &PIXELS), [10.0 / 9.0]);
    assert_eq!(answer(&padded("Flatten"), &PIXELS).len(), 9);
    let last = picture().node_with("Pad", &["x"], "y", pads()).read().unwrap();
    assert_eq!((kinds(&last), last.output_shape()), (vec!["pad"], &[1, 3, 3][..]));
    let twice = picture().node_with("Pad", &["x"], "z", pads()).node("Add", &["z", "z"], "y").read().unwrap();
    assert_eq!(answer(&twice, &PIXELS)[..3], [0.0, 2.0, 4.0]);
}

#[test]
fn zeros_win_a_max_pool_only_where_a_pad_put_them() {
    let dark = [-1.0, -2.0, -3.0, -4.0];
    let kernel = || ("kernel_shape", Attr::Ints(&[2, 2]));
    let own = picture().node_with("MaxPool", &["x"], "y", [kernel(), ("pads", Attr::Ints(&[1, 0, 0, 0]))]);
    assert_eq!(answer(&own.read().unwrap(), &dark), [-1.0, -1.0]);
    let pad = picture().node_with("Pad", &["x"], "z", [("pads", Attr::Ints(&[0, 0, 1, 0, 0, 0, 0, 0]))]);
    let pad = pad.node_with("MaxPool", &["z"], "y", [kernel()]).read().unwrap();
    assert_eq!((kinds(&pad), answer(&pad, &dark)), (vec!["pad", "max"], vec![0.0, -1.0]));
}

#[test]
fn zeros_as_wide_as_the_kernel_stay_a_node_before_a_conv() {
    let net = picture().ints("p", &[0, 0, 1, 1, 0, 0, 1, 1]).node("Pad", &["x", "p"], "z");
    let graph = net.node("Conv", &["z", "k"], "y").read().unwrap();
    assert_eq!(kinds(&graph), ["pad", "conv"]);
    assert_eq!(answer(&graph, &PIXELS)[4..8], [0.0, 1.0, 2.0, 0.0]);
    let own = picture().node_with("Conv", &["x", "k"], "y", [("pads", Attr::Ints(&[1; 4]))]).read().unwrap();
    assert_eq!((kinds(&own), answer(&own, &PIXELS)), (vec!["pad", "conv"], answer(&graph, &PIXELS)));
}

#[test]
fn channels_of_zeros_become_a_node() {
    let pads = [("pads", Attr::Ints(&[0, 1, 0, 0, 0, 2, 1, 0])), ("mode", Attr::Text("constant"))];
    let graph = picture().node_with("Pad", &["x"], "y", pads).read().unwrap();
    assert_eq!((kinds(&graph), graph.output_shape()), (vec!["pad"], &[4, 3, 2][..]));
    assert_eq!(answer(&graph, &PIXELS)[5..13], [0.0, 1.0, 2.0, 3.0, 4.0, 0.0, 0.0, 0.0]);
}

#[test]
fn pads_of_another_meaning_are_refused() {
    let pads = |lengths| picture().node_with("Pad", &["x"], "y", [("pads", Attr::Ints(lengths))]);
    assert_eq!(fault(pads(&[1, 0, 0, 0, 0, 0, 0, 0])), NodeFault::MixesSamples);
    assert!(matches!(fault(pads(&[0, 0, -1, 0, 0, 0, 0, 0])), NodeFault::Attribute { name: "pads", .. }));
    assert!(matches!(fault(pads(&[1, 1])), NodeFault::Attribute { name: "pads", .. }));
    assert_eq!(fault(pads(&[0, 1 << 16, 1 << 16, 0, 0, 0, 0, 1 << 16])), NodeFault::Large);
    let ones = [("pads", Attr::Ints(&[0, 0, 1, 1, 0, 0, 1, 1])), ("value", Attr::Float(1.0))];
    let ones = picture().node_with("Pad", &["x"], "z", ones).node("Conv", &["z", "k"], "y");
    assert!(matches!(fault(ones), NodeFault::Attribute { name: "value", .. }));
    let reflect = picture().node_with("Pad", &["x"], "y", [("mode", Attr::Text("reflect"))]);
    assert!(matches!(fault(reflect), NodeFault::Attribute { name: "mode", .. }));
}

#[test]
fn slice_takes_its_bounds_from_attributes_or_inputs() {
    let attributes =
        [("axes", Attr::Ints(&[3])), ("starts", Attr::Ints(&[-1])), ("ends", Attr::Ints(&[END]))];
    let old = picture().node_with("Slice", &["x"], "y", attributes).read().unwrap();
    assert_eq!((kinds(&old), answer(&old, &PIXELS)), (vec!["slice"], vec![2.0, 4.0]));
    let net = Net::input(&[-1, 2, 5]).ints("s", &[0, 1]).ints("e", &[END, -1]).ints("a", &[0, 2]);
    let new = net.ints("t", &[1, 2]).node("Slice", &["x", "s", "e", "a", "t"], "y").read().unwrap();
    let ramp: Vec<f32> = (0..10).map(|i| i as f32).collect();
    assert_eq!(answer(&new, &ramp), [1.0, 3.0, 6.0, 8.0]);
    let whole = [("starts", Attr::Ints(&[0, 0])), ("ends", Attr::Ints(&[END, 9]))];
    let whole = picture().node_with("Slice", &["x"], "z", whole).node("Relu", &["z"], "y").read().unwrap();
    assert_eq!(kinds(&whole), ["clamp"]);
}

#[test]
fn slices_of_the_batch_of_nothing_or_backwards_are_refused() {
    let slice = |starts: &[i64], ends: &[i64], axes: &[i64], steps: &[i64]| {
        let net = picture().ints("s", starts).ints("e", ends).ints("a", axes).ints("t", steps);
        fault(net.node("Slice", &["x", "s", "e", "a", "t"], "y"))
    };
    assert_eq!(slice(&[0], &[1], &[0], &[1]), NodeFault::MixesSamples);
    assert_eq!(slice(&[1], &[END], &[-4], &[1]), NodeFault::MixesSamples);
    for (fault, expected) in [
        (slice(&[1], &[0], &[2], &[-1]), "steps"),
        (slice(&[0], &[1], &[2], &[0]), "steps"),
        (slice(&[2], &[END], &[2], &[1]), "ends"),
        (slice(&[1], &[i64::MIN], &[2], &[1]), "ends"),
        (slice(&[0, 0], &[1, 1], &[2, -2], &[1, 1]), "axes"),
        (slice(&[0], &[1], &[4], &[1]), "axis"),
        (slice(&[0, 0], &[1], &[2, 3], &[1, 1]), "starts"),
    ] {
        assert!(
            matches!(fault, NodeFault::Attribute { name, .. } if name == expected),
            "{expected}: {fault}"
        );
    }
    let missing = picture().node("Slice", &["x"], "y");
    assert!(matches!(fault(missing), NodeFault::Attribute { name: "starts", .. }));
    let computed = picture().node("Relu", &["x"], "r").node("Slice", &["x", "r", "r"], "y");
    assert_eq!(fault(computed), NodeFault::NotConstant("starts"));
}

#[test]
fn tensors_are_joined_on_any_axis_of_a_sample() {
    let axis = |axis| [("axis", Attr::Int(axis))];
    let net = || picture().node("Conv", &["x", "k"], "z").node("Add", &["z", "c"], "a");
    let channels = net().node_with("Concat", &["x", "a"], "y", axis(1)).read().unwrap();
    assert_eq!((kinds(&channels), channels.output_shape()), (vec!["conv", "concat"], &[3, 2, 2][..]));
    assert_eq!(answer(&channels, &PIXELS)[2..6], [3.0, 4.0, 11.0, 12.0]);
    let columns = picture().node_with("Concat", &["x", "x", "x"], "y", axis(-1)).read().unwrap();
    assert_eq!(answer(&columns, &PIXELS)[..7], [1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 3.0]);
    let one = picture().node_with("Concat", &["x"], "z", axis(1)).node("Relu", &["z"], "y").read().unwrap();
    assert_eq!(kinds(&one), ["clamp"]);
}

#[test]
fn tensors_that_cannot_be_joined_are_refused() {
    let concat = |inputs: &[&str], axis| {
        fault(picture().node("Conv", &["x", "k"], "z").node_with(
            "Concat",
            inputs,
            "y",
            [("axis", Attr::Int(axis))],
        ))
    };
    assert_eq!(concat(&["x", "x"], 0), NodeFault::MixesSamples);
    assert!(matches!(concat(&["x", "z"], 2), NodeFault::Shape { what: "further input", .. }));
    assert!(matches!(concat(&["x", "k"], 1), NodeFault::Constant(_)));
    assert!(matches!(concat(&["x", "x"], 4), NodeFault::Attribute { name: "axis", .. }));
    assert!(matches!(concat(&["x"; 257], 1), NodeFault::ExtraInput { count: 257, .. }));
    let flat = picture().node("Flatten", &["x"], "f").node_with(
        "Concat",
        &["x", "f"],
        "y",
        [("axis", Attr::Int(1))],
    );
    assert!(matches!(fault(flat), NodeFault::Shape { .. }));
    // What is pending on a vector that is read twice has no place to go.
    let net = vector().node("Relu", &["x"], "r").node("Add", &["r", "c"], "a");
    assert_eq!(
        fault(net.node_with("Concat", &["r", "a"], "y", [("axis", Attr::Int(1))])),
        NodeFault::StrayAffine
    );
}
