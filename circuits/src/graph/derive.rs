//! The port that an operator derives from its inputs', and what is refused.
//!
//! Shapes, scales and ranges are those of the table in `op`. The builder bounds the shape derived here; a saturated one is refused there.

use super::op::MAX_INPUTS;
use super::{Fault, Linear, MAX_SAMPLE, Op, Port, Window};
use crate::quant::MAX_SHIFT;
use crate::tensor::Range;

impl Op {
    /// The port this operator produces from its inputs' ports.
    pub(super) fn derive(&self, inputs: &[&Port], declared: Option<Range>) -> Result<Port, Fault> {
        if inputs.len() != self.arity() {
            return Err(Fault::Inputs { expected: self.arity(), given: inputs.len() });
        }
        let [x, ..] = inputs else {
            return Err(Fault::Parameter("reads nothing".into()));
        };
        match self {
            Op::MatMul(linear) => {
                check(linear)?;
                if *linear != Linear::dense(linear.channels, linear.outputs, linear.weight_exponent) {
                    return Err(Fault::Parameter("a matmul has no image, window or groups".into()));
                }
                expect_shape(&x.shape, &[linear.channels])?;
                linear_port(linear, x, vec![linear.outputs], declared)
            }
            Op::Conv(linear) => {
                check(linear)?;
                expect_shape(&x.shape, &[linear.input_channels(), linear.image[0], linear.image[1]])?;
                let [h, w] = linear.output_image();
                linear_port(linear, x, vec![linear.output_channels(), h, w], declared)
            }
            Op::Add { shifts } => add_port(x, inputs[1], *shifts),
            Op::Rescale { shift, low, high } => rescale_port(x, *shift, *low, *high),
            Op::MaxPool(window) => {
                let shape = pooled(x, window)?;
                Ok(Port { shape, exponent: x.exponent, range: x.range })
            }
            Op::AveragePool { window, multiplier, gain } => average_port(x, window, *multiplier, *gain),
            Op::Reshape { shape } => {
                if shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d)) != Some(x.len()) {
                    return Err(Fault::Shape(format!("{:?} has other entries than {shape:?}", x.shape)));
                }
                Ok(Port { shape: shape.clone(), exponent: x.exponent, range: x.range })
            }
            Op::Concat { axis, .. } => concat_port(*axis, x, &inputs[1..]),
            Op::Slice { starts, steps, shape } => slice_port(x, starts, steps, shape),
            Op::Pad { before, after } => pad_port(x, before, after),
        }
    }
}

fn check(linear: &Linear) -> Result<(), Fault> {
    let dims = [linear.groups, linear.channels, linear.outputs, linear.image[0], linear.image[1]];
    if dims.iter().any(|d| *d == 0 || *d > MAX_SAMPLE) {
        return Err(Fault::Shape(format!("its dimensions {dims:?} are not between 1 and {MAX_SAMPLE}")));
    }
    linear.window.slide(linear.image)?;
    let kernel = linear.window.kernel;
    let count = [linear.groups, linear.outputs, linear.channels, kernel[0], kernel[1]];
    match count.iter().try_fold(1usize, |n, d| n.checked_mul(*d)) {
        Some(n) if n <= MAX_SAMPLE => Ok(()),
        _ => Err(Fault::TooLarge("its weight tensor")),
    }
}

fn expect_shape(given: &[usize], expected: &[usize]) -> Result<(), Fault> {
    if given == expected {
        return Ok(());
    }
    Err(Fault::Shape(format!("takes shape {expected:?} and was given {given:?}")))
}

fn exponent(sum: i32) -> Result<i8, Fault> {
    i8::try_from(sum).map_err(|_| Fault::Parameter(format!("its scale 2^{sum} is out of range")))
}

fn range(low: i64, high: i64) -> Result<Range, Fault> {
    Range::from_wide(low, high).ok_or(Fault::Unbounded { low, high })
}

fn linear_port(linear: &Linear, x: &Port, shape: Vec<usize>, declared: Option<Range>) -> Result<Port, Fault> {
    let range = declared.ok_or_else(|| Fault::Parameter("its accumulators' range is not declared".into()))?;
    let exponent = exponent(i32::from(x.exponent) + i32::from(linear.weight_exponent))?;
    Ok(Port { shape, exponent, range })
}

fn add_port(a: &Port, b: &Port, shifts: [u8; 2]) -> Result<Port, Fault> {
    expect_shape(&b.shape, &a.shape)?;
    if shifts.iter().any(|s| *s > MAX_SHIFT) {
        return Err(Fault::Parameter(format!("shifts {shifts:?} are beyond {MAX_SHIFT}")));
    }
    let e = [a, b].map(|port| i32::from(port.exponent));
    if e[0] + i32::from(shifts[0]) != e[1] + i32::from(shifts[1]) {
        return Err(Fault::Parameter(format!("shifts {shifts:?} do not bring scales {e:?} together")));
    }
    let scaled = |port: &Port, s: u8| [i64::from(port.range.low) << s, i64::from(port.range.high) << s];
    let [(a_low, a_high), (b_low, b_high)] =
        [(a, shifts[0]), (b, shifts[1])].map(|(port, s)| scaled(port, s).into());
    let range = range(a_low + b_low, a_high + b_high)?;
    Ok(Port { shape: a.shape.clone(), exponent: exponent(e[0] + i32::from(shifts[0]))?, range })
}

fn rescale_port(x: &Port, shift: u8, low: i32, high: i32) -> Result<Port, Fault> {
    if shift > MAX_SHIFT {
        return Err(Fault::Parameter(format!("shift {shift} is beyond {MAX_SHIFT}")));
    }
    if low > high {
        return Err(Fault::Parameter(format!("clamp {low}..={high} is empty")));
    }
    let map = |v: i32| crate::quant::rescale(v, shift, low, high);
    let range = Range { low: map(x.range.low), high: map(x.range.high) };
    let exponent = exponent(i32::from(x.exponent) - i32::from(shift))?;
    Ok(Port { shape: x.shape.clone(), exponent, range })
}

fn concat_port(axis: usize, first: &Port, rest: &[&Port]) -> Result<Port, Fault> {
    let count = 1 + rest.len();
    if !(2..=MAX_INPUTS).contains(&count) {
        return Err(Fault::Parameter(format!("joins {count} wires; 2 to {MAX_INPUTS} can be joined")));
    }
    if axis >= first.shape.len() {
        return Err(Fault::Parameter(format!("axis {axis} is none of {:?}", first.shape)));
    }
    let mut port = first.clone();
    for next in rest {
        let mut expected = first.shape.clone();
        // An input of other axes differs in them still.
        expected[axis] = next.shape.get(axis).copied().unwrap_or(0);
        expect_shape(&next.shape, &expected)?;
        if next.exponent != port.exponent {
            let scales = [port.exponent, next.exponent];
            return Err(Fault::Parameter(format!("joins wires of unlike scales {scales:?}")));
        }
        port.shape[axis] = port.shape[axis].saturating_add(next.shape[axis]);
        port.range = port.range.hull(&next.range);
    }
    Ok(port)
}

fn slice_port(x: &Port, starts: &[usize], steps: &[usize], shape: &[usize]) -> Result<Port, Fault> {
    let axes = x.shape.len();
    if [starts, steps, shape].iter().any(|list| list.len() != axes) {
        return Err(Fault::Parameter(format!("takes a start, a step and a length to each of {axes} axes")));
    }
    for (axis, &length) in x.shape.iter().enumerate() {
        let (start, step, taken) = (starts[axis], steps[axis], shape[axis]);
        if step == 0 || step > MAX_SAMPLE || taken == 0 {
            return Err(Fault::Parameter(format!("{taken} entries with step {step} are not allowed")));
        }
        let last = (taken - 1).checked_mul(step).and_then(|reach| reach.checked_add(start));
        if last.is_none_or(|last| last >= length) {
            let text = format!("{taken} entries from {start} with step {step} leave axis {axis} of {length}");
            return Err(Fault::Shape(text));
        }
    }
    Ok(Port { shape: shape.to_vec(), exponent: x.exponent, range: x.range })
}

fn pad_port(x: &Port, before: &[usize], after: &[usize]) -> Result<Port, Fault> {
    let axes = x.shape.len();
    if before.len() != axes || after.len() != axes {
        return Err(Fault::Parameter(format!("takes a margin before and after each of {axes} axes")));
    }
    let margins = before.iter().zip(after);
    let lengths = x.shape.iter().zip(margins).map(|(d, (b, a))| d.saturating_add(*b).saturating_add(*a));
    let zero = Range { low: 0, high: 0 };
    Ok(Port { shape: lengths.collect(), exponent: x.exponent, range: x.range.hull(&zero) })
}

fn pooled(x: &Port, window: &Window) -> Result<Vec<usize>, Fault> {
    let [channels, height, width] = x.shape[..] else {
        return Err(Fault::Shape(format!(
            "pools an image [channels, height, width] and was given {:?}",
            x.shape
        )));
    };
    let [h, w] = window.slide([height, width])?;
    Ok(vec![channels, h, w])
}

fn average_port(x: &Port, window: &Window, multiplier: i32, gain: u8) -> Result<Port, Fault> {
    let shape = pooled(x, window)?;
    if multiplier < 1 || gain > MAX_SHIFT {
        return Err(Fault::Parameter(format!("multiplier {multiplier} or gain {gain} is not allowed")));
    }
    let most = (window.area() as i64).saturating_mul(i64::from(multiplier));
    let padded = window.padding.iter().any(|p| *p > 0);
    let (mut low, mut high) = (i64::from(x.range.low), i64::from(x.range.high));
    if padded {
        (low, high) = (low.min(0), high.max(0));
    }
    let range = range(low.saturating_mul(most), high.saturating_mul(most))?;
    Ok(Port { shape, exponent: exponent(i32::from(x.exponent) + i32::from(gain))?, range })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use crate::graph::{Builder, Graph, Wire};

    fn port(shape: &[usize], exponent: i8, (low, high): (i32, i32)) -> Port {
        Port { shape: shape.to_vec(), exponent, range: Range { low, high } }
    }

    fn slice(starts: &[usize], steps: &[usize], shape: &[usize]) -> Op {
        Op::Slice { starts: starts.to_vec(), steps: steps.to_vec(), shape: shape.to_vec() }
    }

    fn pad(before: &[usize], after: &[usize]) -> Op {
        Op::Pad { before: before.to_vec(), after: after.to_vec() }
    }

    #[test]
    fn moving_operators_have_the_ports_of_their_definition() {
        let (a, b) = (port(&[2, 3], 5, (1, 9)), port(&[2, 4], 5, (-3, 2)));
        let joined = Op::Concat { axis: 1, inputs: 2 }.derive(&[&a, &b], None);
        assert_eq!(joined, Ok(port(&[2, 7], 5, (-3, 9))));
        let taken = slice(&[1, 0], &[1, 2], &[1, 2]).derive(&[&a], None);
        assert_eq!(taken, Ok(port(&[1, 2], 5, (1, 9))));
        assert_eq!(pad(&[0, 1], &[2, 0]).derive(&[&a], None), Ok(port(&[4, 4], 5, (0, 9))));
    }

    #[test]
    fn joined_wires_of_other_scales_axes_or_numbers_are_refused() {
        let x = port(&[2, 3], 0, (0, 1));
        for (axis, other) in [
            (0, port(&[2, 3], 1, (0, 1))),
            (0, port(&[2, 4], 0, (0, 1))),
            (0, port(&[2, 3, 1], 0, (0, 1))),
            (1, port(&[2], 0, (0, 1))),
            (2, x.clone()),
        ] {
            assert!(Op::Concat { axis, inputs: 2 }.derive(&[&x, &other], None).is_err(), "{axis} {other:?}");
        }
        for inputs in [0, 1, MAX_INPUTS + 1] {
            let op = Op::Concat { axis: 0, inputs };
            assert!(matches!(op.derive(&vec![&x; inputs], None), Err(Fault::Parameter(_))), "{inputs}");
        }
        assert!(Op::Concat { axis: 0, inputs: MAX_INPUTS }.derive(&[&x; MAX_INPUTS], None).is_ok());
    }

    #[test]
    fn slices_that_read_past_an_axis_are_refused() {
        let x = port(&[2, 5], 0, (0, 1));
        let most = usize::MAX;
        for refused in [
            slice(&[0, 1], &[1, 2], &[2, 3]),
            slice(&[2, 0], &[1, 1], &[1, 1]),
            slice(&[0, 0], &[1, 0], &[2, 5]),
            slice(&[0, 0], &[1, 1], &[2, 0]),
            slice(&[0], &[1], &[2]),
            slice(&[0, most], &[1, 1], &[2, 2]),
            slice(&[0, 0], &[1, MAX_SAMPLE], &[2, most]),
            slice(&[0, 0], &[1, MAX_SAMPLE + 1], &[2, 1]),
        ] {
            assert!(refused.derive(&[&x], None).is_err(), "{refused:?}");
        }
        assert!(slice(&[0, 0], &[1, 2], &[2, 3]).derive(&[&x], None).is_ok());
    }

    #[test]
    fn margins_beyond_what_a_sample_holds_are_refused() {
        for (before, after) in [(usize::MAX, 1), (MAX_SAMPLE, 0), (0, MAX_SAMPLE)] {
            let mut builder = Builder::new(port(&[2], 0, (0, 1))).unwrap();
            let refused = builder.push("pad", pad(&[before], &[after]), &[Wire::INPUT], None);
            assert_eq!(refused.unwrap_err().fault, Fault::TooLarge("its output"));
        }
        assert!(pad(&[1], &[]).derive(&[&port(&[2], 0, (0, 1))], None).is_err());
    }

    #[test]
    fn moving_operators_decode_to_what_was_encoded() {
        let mut builder = Builder::new(port(&[2, 3], 5, (-4, 9))).unwrap();
        let wide = builder.push("pad", pad(&[0, 1], &[1, 0]), &[Wire::INPUT], None).unwrap();
        let joined = Op::Concat { axis: 0, inputs: 3 };
        let joined = builder.push("join", joined, &[wide, wide, wide], None).unwrap();
        builder.push("slice", slice(&[1, 0], &[4, 1], &[2, 4]), &[joined], None).unwrap();
        let graph = builder.finish().unwrap();
        let bytes = graph.encode();
        assert_eq!(Graph::decode(&bytes).as_ref(), Ok(&graph));
        for end in 0..bytes.len() {
            assert!(Graph::decode(&bytes[..end]).is_err(), "cut at {end}");
        }
    }
}
