//! The evaluator against the operators' definitions.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use ndarray::{Array1, Array4, ArrayD};
use proptest::prelude::*;

use super::*;

fn graph(input: &[usize], op: FloatOp, output: &[usize]) -> FloatGraph {
    let shape = input.to_vec();
    let reading = Reading { sample_shape: shape.clone(), shape, order: None, affine: None };
    let inputs = vec![Source::Input; if op == FloatOp::Add { 2 } else { 1 }];
    let nodes = vec![FloatNode { name: "n".into(), op, inputs, shape: output.to_vec() }];
    FloatGraph { reading, nodes, notes: Vec::new() }
}

fn ramp(shape: &[usize]) -> ArrayD<f32> {
    let count: usize = shape.iter().product();
    let values = (0..count).map(|i| (i * 37 % 19) as f32 - 9.0).collect();
    ArrayD::from_shape_vec(shape, values).unwrap()
}

/// Convolution by its definition.
fn by_definition(
    x: &ArrayD<f32>,
    weight: &Array4<f32>,
    bias: &Array1<f32>,
    (stride, padding, groups): ((usize, usize), Padding, usize),
    out: &[usize],
) -> ArrayD<f32> {
    let (outputs, channels, rows, columns) = weight.dim();
    let (height, width) = (x.shape()[2], x.shape()[3]);
    ArrayD::from_shape_fn(vec![x.shape()[0], outputs, out[1], out[2]], |at| {
        let group = at[1] / (outputs / groups);
        let mut sum = bias[at[1]];
        for (c, i, j) in places(channels, rows, columns) {
            let row = (at[2] * stride.0 + i).wrapping_sub(padding.top);
            let column = (at[3] * stride.1 + j).wrapping_sub(padding.left);
            if row < height && column < width {
                sum += weight[[at[1], c, i, j]] * x[[at[0], group * channels + c, row, column]];
            }
        }
        sum
    })
}

fn places(a: usize, b: usize, c: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..a * b * c).map(move |i| (i / (b * c), i / c % b, i % c))
}

proptest! {
    #[test]
    fn convolution_equals_its_definition(
        (groups, channels, outputs) in (1usize..3, 1usize..3, 1usize..3),
        (rows, columns) in (1usize..4, 1usize..4),
        (down, right) in (1usize..3, 1usize..3),
        (top, left, bottom, right_margin) in (0usize..3, 0usize..3, 0usize..3, 0usize..3),
        (height, width) in (3usize..7, 3usize..7),
    ) {
        let padding = Padding { top, left, bottom, right: right_margin };
        let stride = (down, right);
        let weight = ramp(&[groups * outputs, channels, rows, columns]);
        let weight: Array4<f32> = weight.into_dimensionality().unwrap();
        let bias: Array1<f32> = ramp(&[groups * outputs]).into_dimensionality().unwrap();
        let out = [
            groups * outputs,
            (height + top + bottom - rows) / down + 1,
            (width + left + right_margin - columns) / right + 1,
        ];
        let x = ramp(&[2, groups * channels, height, width]);
        let expected = by_definition(&x, &weight, &bias, (stride, padding, groups), &out);
        let op = FloatOp::Conv { weight, bias, stride, padding, groups };
        let y = graph(&[groups * channels, height, width], op, &out).run(&x, |_, _| {}).unwrap();
        prop_assert_eq!(y, expected);
    }
}

#[test]
fn pools_of_padded_images_treat_the_margin_as_stated() {
    let x = ArrayD::from_shape_vec(vec![1, 1, 2, 2], vec![-4.0, -8.0, -12.0, -16.0]).unwrap();
    let padding = Padding { top: 1, left: 1, ..Padding::default() };
    let (kernel, stride) = ((2, 2), (2, 2));
    let max = graph(&[1, 2, 2], FloatOp::MaxPool { kernel, stride, padding }, &[1, 1, 1]);
    assert_eq!(max.run(&x, |_, _| {}).unwrap().as_slice().unwrap(), [-4.0]);
    let mean = graph(&[1, 2, 2], FloatOp::AveragePool { kernel, stride, padding }, &[1, 1, 1]);
    assert_eq!(mean.run(&x, |_, _| {}).unwrap().as_slice().unwrap(), [-1.0]);
}

#[test]
fn observer_sees_the_input_and_each_node_in_order() {
    let net = graph(&[2], FloatOp::Add, &[2]);
    let mut seen = Vec::new();
    let x = ArrayD::from_shape_vec(vec![1, 2], vec![1.0, 2.0]).unwrap();
    net.run(&x, |source, values| seen.push((source, values.iter().sum::<f32>()))).unwrap();
    assert_eq!(seen, [(Source::Input, 3.0), (Source::Node(0), 6.0)]);
}

#[test]
fn batch_of_another_shape_is_refused() {
    let net = graph(&[2], FloatOp::Add, &[2]);
    let error = net.run(&ArrayD::zeros(vec![1, 3]), |_, _| {}).unwrap_err();
    assert_eq!(error, BatchError::Shape { expected: vec![2], found: vec![1, 3] });
    assert_eq!(net.run(&ArrayD::zeros(vec![0, 2]), |_, _| {}).unwrap().shape(), [0, 2]);
}
