//! The choice of power-of-two scales.

use serin_circuits::tensor::Range;

use crate::import::calibrate::Span;

/// The integers of an activation, and their exponent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scale {
    pub(super) exponent: i32,
    pub(super) range: Range,
}

/// The scale of an activation whose reals lie in `span`, in `bits` bits.
pub(super) fn of_activation(span: Span, bits: u8) -> Scale {
    if span.low >= 0.0 {
        let range = Range {
            low: 0,
            high: (1 << bits) - 1,
        };
        Scale {
            exponent: exponent(f64::from(span.high), rounds_to(1 << bits)),
            range,
        }
    } else {
        let half = 1 << (bits - 1);
        let exponent = exponent(f64::from(span.magnitude()), rounds_to(half));
        Scale {
            exponent,
            range: Range {
                low: -half,
                high: half - 1,
            },
        }
    }
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
    let exact = (guess - 1..=guess + 1)
        .rev()
        .find(|&e| x * f64::from(e).exp2() <= limit)
        .unwrap_or(guess - 1);
    exact.clamp(-MAX_EXPONENT, MAX_EXPONENT)
}

/// Sums of two exponents must fit eight bits, with room for shifts.
const MAX_EXPONENT: i32 = 48;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pixels_take_all_eight_bits() {
        let unit = of_activation(Span { low: 0.0, high: 1.0 }, 8);
        assert_eq!((unit.exponent, unit.range), (8, Range { low: 0, high: 255 }));
        let raw = of_activation(
            Span {
                low: 0.0,
                high: 255.0,
            },
            8,
        );
        assert_eq!(raw.exponent, 0);
        let scaled = of_activation(
            Span {
                low: 0.0,
                high: 255.0 * 0.00392157,
            },
            8,
        );
        assert_eq!(scaled.exponent, 8);
        let signed = of_activation(Span { low: -1.0, high: 0.7 }, 8);
        assert_eq!(
            (signed.exponent, signed.range),
            (7, Range { low: -128, high: 127 })
        );
    }

    #[test]
    fn zero_and_extreme_values_have_bounded_exponents() {
        assert_eq!(of_activation(Span { low: 0.0, high: 0.0 }, 8).exponent, 0);
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
