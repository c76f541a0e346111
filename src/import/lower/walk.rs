//! The walk over the float graph that builds the integer graph.
//!
//! A linear node, a sum and an average pool leave *wide* values: accumulators at a fine scale. They are narrowed to activations by a
//! Rescale where a linear node or a pool reads them; a Clamp that reads them is that Rescale. Reshapes, slices and margins pass
//! either kind on, sums take either kind where their scales are near enough, and the last node's wide values are the model's answer.
//!
//! Concat joins wires of one scale. Wide or not, those that have one are joined as they are; otherwise activations are. So that these
//! mostly share a scale without a further Rescale, what a Concat joins is calibrated as one ([`super::scale::joint_spans`]); one still
//! finer than the others (for being never negative, say) is rescaled to the coarsest.

use ndarray::Array1;
use serin_circuits::graph::{Builder, Fault, Graph, GraphError, Linear, MAX_NAME, Op, Port, Window, Wire};
use serin_circuits::quant::MAX_SHIFT;
use serin_circuits::tensor::Range;
use serin_circuits::weights::{LinearWeights, Weights, accumulator_range};

use super::scale::{self, Scale};
use super::{LowerError, Precision};
use crate::import::calibrate::{Calibration, Span};
use crate::import::{FloatGraph, FloatNode, FloatOp, Padding, Source};

/// The integer graph and weights of a float graph.
pub(super) fn lower(
    float: &FloatGraph,
    calibration: &Calibration,
    precision: Precision,
) -> Result<(Graph, Weights), LowerError> {
    let Scale { exponent, range } = scale::of_input(calibration.input, precision.activation_bits);
    let input =
        Port { shape: float.reading().shape.clone(), exponent: narrow_exponent("input", exponent)?, range };
    let mut walk = Walk {
        float,
        spans: scale::joint_spans(float, calibration),
        precision,
        builder: Builder::new(input)?,
        weights: Vec::new(),
        results: Vec::new(),
    };
    for node in float.nodes() {
        let result = walk.node(node)?;
        walk.results.push(result);
    }
    let graph = walk.builder.finish()?;
    let weights = Weights::new(&graph, walk.weights)?;
    Ok((graph, weights))
}

/// What a float node has become.
#[derive(Clone, Copy)]
struct Lowered {
    wire: Wire,
    wide: bool,
    /// The activation that its wide values have been narrowed to, if they have been.
    narrowed: Option<Wire>,
}

struct Walk<'a> {
    float: &'a FloatGraph,
    /// What each node's activation must hold.
    spans: Vec<Span>,
    precision: Precision,
    builder: Builder,
    weights: Vec<LinearWeights>,
    results: Vec<Lowered>,
}

impl Walk<'_> {
    fn node(&mut self, node: &FloatNode) -> Result<Lowered, LowerError> {
        let source = node.inputs[0];
        let (wire, wide) = match &node.op {
            FloatOp::MatMul { weight, bias } => {
                let linear = Linear::dense(weight.ncols(), weight.nrows(), 0);
                (self.linear(node, linear, Op::MatMul, weight.iter().copied(), bias)?, true)
            }
            FloatOp::Conv { weight, bias, stride, padding, groups } => {
                let (out, channels, rows, columns) = weight.dim();
                let image = self.float.shape(source);
                let linear = Linear {
                    groups: *groups,
                    channels,
                    outputs: out / groups,
                    window: window((rows, columns), *stride, padding),
                    image: [image[1], image[2]],
                    weight_exponent: 0,
                };
                (self.linear(node, linear, Op::Conv, weight.iter().copied(), bias)?, true)
            }
            FloatOp::Add => (self.add(node)?, true),
            FloatOp::Clamp { low, high } => {
                let x = self.result(source).wire;
                (self.rescale(&node.name, x, self.spans[self.results.len()], *low, *high)?, false)
            }
            FloatOp::MaxPool { kernel, stride, padding } => {
                let x = self.narrow(source)?;
                (self.push(&node.name, Op::MaxPool(window(*kernel, *stride, padding)), &[x], None)?, false)
            }
            FloatOp::AveragePool { kernel, stride, padding } => {
                let x = self.narrow(source)?;
                let (multiplier, gain) = mean_factor(kernel.0 * kernel.1);
                let window = window(*kernel, *stride, padding);
                (self.push(&node.name, Op::AveragePool { window, multiplier, gain }, &[x], None)?, true)
            }
            FloatOp::Reshape => self.moved(node, Op::Reshape { shape: node.shape.clone() })?,
            FloatOp::Slice { starts, steps } => {
                let (starts, steps, shape) = (starts.clone(), steps.clone(), node.shape.clone());
                self.moved(node, Op::Slice { starts, steps, shape })?
            }
            FloatOp::Pad { before, after } => {
                self.moved(node, Op::Pad { before: before.clone(), after: after.clone() })?
            }
            FloatOp::Concat { axis } => self.concat(node, *axis)?,
        };
        Ok(Lowered { wire, wide, narrowed: None })
    }

    /// A dense layer or a convolution.
    fn linear(
        &mut self,
        node: &FloatNode,
        mut linear: Linear,
        op: fn(Linear) -> Op,
        weight: impl Iterator<Item = f32> + Clone,
        bias: &Array1<f32>,
    ) -> Result<Wire, LowerError> {
        let x = self.narrow(node.inputs[0])?;
        let input = self.builder.port(x);
        let mut exponent = scale::of_weights(weight.clone(), self.precision.weight_bits);
        // A bias far above the weights would not fit the accumulators at the weights' own scale.
        let greatest = f64::from(bias.iter().fold(0f32, |most, b| most.max(b.abs())));
        while greatest * f64::from(exponent + i32::from(input.exponent)).exp2() > MAX_BIAS
            && exponent > -MAX_STEPS
        {
            exponent -= 1;
        }
        linear.weight_exponent = narrow_exponent(&node.name, exponent)?;
        let round = |x: f32, e: i32| (f64::from(x) * f64::from(e).exp2()).round() as i32;
        let integers = LinearWeights {
            weight: weight.map(|w| round(w, exponent)).collect(),
            bias: bias.iter().map(|&b| round(b, exponent + i32::from(input.exponent))).collect(),
        };
        let (low, high) = accumulator_range(&linear, &integers, input.range);
        let fits = Range::from_wide(low, high).ok_or(Fault::Unbounded { low, high });
        let range = fits.map_err(|fault| GraphError { node: short(&node.name), fault })?;
        self.weights.push(integers);
        self.push(&node.name, op(linear), &[x], Some(range))
    }

    /// A sum: of the values as they are if that fits, else of activations.
    fn add(&mut self, node: &FloatNode) -> Result<Wire, LowerError> {
        let [a, b] = [node.inputs[0], node.inputs[1]];
        let operands = [self.result(a).wire, self.result(b).wire];
        let shifts = self.alignment(operands).filter(|shifts| {
            let reach: i64 = operands.iter().zip(shifts).map(|(&x, &s)| self.reach(x) << s).sum();
            reach <= MAX_SUM
        });
        let (operands, shifts) = match shifts {
            Some(shifts) => (operands, shifts),
            None => {
                let operands = [self.narrow(a)?, self.narrow(b)?];
                let fault = || GraphError {
                    node: short(&node.name),
                    fault: Fault::Parameter("its operands' scales are too far apart to be summed".into()),
                };
                (operands, self.alignment(operands).ok_or_else(fault)?)
            }
        };
        self.push(&node.name, Op::Add { shifts }, &operands, None)
    }

    /// The left shifts that bring two wires to one scale.
    fn alignment(&self, wires: [Wire; 2]) -> Option<[u8; 2]> {
        let [a, b] = wires.map(|wire| self.exponent(wire));
        let shift = |e: i32| u8::try_from(a.max(b) - e).ok().filter(|&s| s <= MAX_SHIFT);
        Some([shift(a)?, shift(b)?])
    }

    fn reach(&self, wire: Wire) -> i64 {
        i64::from(self.builder.port(wire).range.magnitude())
    }

    /// A node that moves the entries of one wire, wide or not.
    fn moved(&mut self, node: &FloatNode, op: Op) -> Result<(Wire, bool), LowerError> {
        let Lowered { wire, wide, .. } = self.result(node.inputs[0]);
        Ok((self.push(&node.name, op, &[wire], None)?, wide))
    }

    /// Wires side by side: as they are if their scales are one, else as activations of the coarsest scale among theirs.
    fn concat(&mut self, node: &FloatNode, axis: usize) -> Result<(Wire, bool), LowerError> {
        let sources = &node.inputs;
        let joined = Op::Concat { axis, inputs: sources.len() };
        let results: Vec<Lowered> = sources.iter().map(|&source| self.result(source)).collect();
        let wires: Vec<Wire> = results.iter().map(|result| result.wire).collect();
        if wires.iter().all(|&wire| self.exponent(wire) == self.exponent(wires[0])) {
            let wide = results.iter().any(|result| result.wide);
            return Ok((self.push(&node.name, joined, &wires, None)?, wide));
        }
        let narrow: Result<Vec<Wire>, _> = sources.iter().map(|&source| self.narrow(source)).collect();
        let mut wires = narrow?;
        let coarsest = wires.iter().map(|&wire| self.exponent(wire)).min().unwrap_or(0);
        for (part, wire) in wires.iter_mut().enumerate() {
            let finer = self.exponent(*wire) - coarsest;
            if finer > 0 {
                let shift = u8::try_from(finer).ok().filter(|&shift| shift <= MAX_SHIFT);
                let fault = Fault::Parameter("its operands' scales are too far apart to be joined".into());
                let shift = shift.ok_or(GraphError { node: short(&node.name), fault })?;
                let Range { low, high } = self.builder.port(*wire).range;
                let name = format!("{}/rescale{part}", node.name);
                *wire = self.push(&name, Op::Rescale { shift, low, high }, &[*wire], None)?;
            }
        }
        Ok((self.push(&node.name, joined, &wires, None)?, false))
    }

    fn exponent(&self, wire: Wire) -> i32 {
        i32::from(self.builder.port(wire).exponent)
    }

    /// What a source brings as an activation.
    fn narrow(&mut self, source: Source) -> Result<Wire, LowerError> {
        let Lowered { wire, wide, narrowed } = self.result(source);
        let (Source::Node(index), true, None) = (source, wide, narrowed) else {
            return Ok(narrowed.unwrap_or(wire));
        };
        let name = format!("{}/rescale", self.float.nodes()[index].name);
        let narrow = self.rescale(&name, wire, self.spans[index], f32::NEG_INFINITY, f32::INFINITY)?;
        self.results[index].narrowed = Some(narrow);
        Ok(narrow)
    }

    /// Rescales a wire to an activation that holds `seen`, clamping reals to `low..=high`.
    fn rescale(&mut self, name: &str, x: Wire, seen: Span, low: f32, high: f32) -> Result<Wire, LowerError> {
        // Samples alone, which may be few, do not show that a value is never negative.
        let signed = low < 0.0 && self.builder.port(x).range.low < 0;
        let Scale { exponent, range } =
            scale::of_activation(seen.magnitude(), signed, self.precision.activation_bits);
        let from = self.exponent(x);
        let shift = (from - exponent).clamp(0, i32::from(MAX_SHIFT));
        let exponent = narrow_exponent(name, from - shift)?;
        let bound = |real: f32| serin_circuits::quant::quantise(real, exponent, range.low, range.high);
        let op = Op::Rescale { shift: shift as u8, low: bound(low), high: bound(high) };
        self.push(name, op, &[x], None)
    }

    fn result(&self, source: Source) -> Lowered {
        match source {
            Source::Input => Lowered { wire: Wire::INPUT, wide: false, narrowed: None },
            Source::Node(index) => self.results[index],
        }
    }

    fn push(
        &mut self,
        name: &str,
        op: Op,
        inputs: &[Wire],
        range: Option<Range>,
    ) -> Result<Wire, LowerError> {
        Ok(self.builder.push(&short(name), op, inputs, range)?)
    }
}

/// The multiplier and gain of a mean over `area` values: the multiplier of a power of two is 1, any other has nine bits.
fn mean_factor(area: usize) -> (i32, u8) {
    if area.is_power_of_two() {
        return (1, area.trailing_zeros() as u8);
    }
    let gain = (area as f64).log2().ceil() as i32 + 8;
    ((f64::from(gain).exp2() / area as f64).round() as i32, gain as u8)
}

fn window(kernel: (usize, usize), stride: (usize, usize), padding: &Padding) -> Window {
    Window {
        kernel: [kernel.0, kernel.1],
        stride: [stride.0, stride.1],
        padding: [padding.top, padding.left, padding.bottom, padding.right],
    }
}

fn narrow_exponent(node: &str, exponent: i32) -> Result<i8, GraphError> {
    i8::try_from(exponent).map_err(|_| GraphError {
        node: short(node),
        fault: Fault::Parameter(format!("its scale 2^{exponent} is out of range")),
    })
}

/// A name within the graph's limit.
fn short(name: &str) -> String {
    let end = (0..=MAX_NAME.min(name.len())).rev().find(|&end| name.is_char_boundary(end));
    name[..end.unwrap_or(0)].to_owned()
}

/// The largest sum of unnarrowed values; above it they are narrowed first, which keeps look-up tables small.
const MAX_SUM: i64 = 1 << 28;
/// The greatest bias, in accumulator units.
const MAX_BIAS: f64 = (1u32 << 28) as f64;
/// The least weight exponent that a large bias brings about.
const MAX_STEPS: i32 = 48;
