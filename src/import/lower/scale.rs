//! The choice of power-of-two scales.

use serin_circuits::tensor::Range;

use crate::import::calibrate::{Calibration, Span};
use crate::import::{FloatGraph, FloatOp, Source};

/// The integers of an activation, and their exponent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scale {
    pub(super) exponent: i32,
    pub(super) range: Range,
}

/// The scale of the input, whose reals lie in `span`, in `bits` bits: the extreme values, of which pixels have many, are kept.
pub(super) fn of_input(span: Span, bits: u8) -> Scale {
    scale(span.magnitude(), span.low < 0.0, bits, 0)
}

/// The scale of an activation of at most `magnitude`: the extreme values, of which there are few, may be clamped by one step.
pub(super) fn of_activation(magnitude: f32, signed: bool, bits: u8) -> Scale {
    scale(magnitude, signed, bits, 1)
}

/// What each node's activation must hold: what its calibration saw and, where it is joined with others, what theirs saw, so that
/// one scale serves all. It passes from a Concat to its operands, through those that keep the scale of what they read.
pub(super) fn joint_spans(float: &FloatGraph, calibration: &Calibration) -> Vec<Span> {
    let mut spans = calibration.nodes.clone();
    for (index, node) in float.nodes().iter().enumerate().rev() {
        let keeps = matches!(
            node.op,
            FloatOp::Concat { .. }
                | FloatOp::Slice { .. }
                | FloatOp::Pad { .. }
                | FloatOp::MaxPool { .. }
                | FloatOp::Reshape
        );
        for &source in node.inputs.iter().filter(|_| keeps) {
            if let Source::Node(source) = source {
                spans[source] = spans[source].hull(spans[index]);
            }
        }
    }
    spans
}

/// The finest scale on which `magnitude` is at most `slack` steps beyond the integers there are.
fn scale(magnitude: f32, signed: bool, bits: u8, slack: i32) -> Scale {
    let range = if signed {
        let half = 1 << (bits - 1);
        Range { low: -half, high: half - 1 }
    } else {
        Range { low: 0, high: (1 << bits) - 1 }
    };
    Scale { exponent: exponent(f64::from(magnitude), rounds_to(range.high + slack)), range }
}

/// The exponent of a tensor of weights of `bits` bits.
pub(super) fn of_weights(weights: impl Iterator<Item = f32>, bits: u8) -> i32 {
    let greatest = f64::from(weights.fold(0f32, |most, w| most.max(w.abs())));
    exponent(greatest, rounds_to((1 << (bits - 1)) - 1))
}

/// The greatest real that rounds to n: below n + ½, which itself rounds up.
fn rounds_to(n: i32) -> f64 {
    f64::from(n) + 0.5 - 1e-9
}

/// The greatest e with x · 2^e ≤ limit, within what exponents may be; for x = 0, 0.
fn exponent(x: f64, limit: f64) -> i32 {
    if x == 0.0 {
        return 0;
    }
    let guess = (limit / x).log2().floor() as i32;
    let exact =
        (guess - 1..=guess + 1).rev().find(|&e| x * f64::from(e).exp2() <= limit).unwrap_or(guess - 1);
    exact.clamp(-MAX_EXPONENT, MAX_EXPONENT)
}

/// Sums of two exponents must fit eight bits, with room for shifts.
const MAX_EXPONENT: i32 = 48;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn scale_of_pixels_keeps_white_and_black_apart_from_all_else() {
        for (high, e) in [(1.0, 7), (255.0 * 0.00392157, 7), (255.0, 0), (16.0, 3)] {
            let scale = of_input(Span { low: 0.0, high }, 8);
            assert_eq!((scale.exponent, scale.range), (e, Range { low: 0, high: 255 }));
        }
        assert_eq!(of_input(Span { low: -1.0, high: 1.0 }, 8).exponent, 6);
    }

    #[test]
    fn scale_of_activations_clamps_by_one_step() {
        assert_eq!(of_activation(1.0, false, 8).exponent, 8);
        let signed = of_activation(1.0, true, 8);
        assert_eq!((signed.exponent, signed.range), (7, Range { low: -128, high: 127 }));
    }

    #[test]
    fn zero_and_extreme_values_have_bounded_exponents() {
        assert_eq!(of_activation(0.0, false, 8).exponent, 0);
        assert_eq!(of_weights([1e-38].into_iter(), 8), MAX_EXPONENT);
        assert_eq!(of_weights([1e38].into_iter(), 8), -MAX_EXPONENT);
    }

    proptest! {
        #[test]
        fn weight_exponent_is_the_greatest_that_fits(w in 1e-6f32..1e6, bits in 2u8..=16) {
            let e = of_weights([w, -w / 2.0].into_iter(), bits);
            let limit = f64::from((1 << (bits - 1)) - 1);
            let rounded = |e: i32| (f64::from(w) * f64::from(e).exp2()).round();
            prop_assert!(rounded(e) <= limit);
            prop_assert!(rounded(e + 1) > limit);
        }
    }
}
