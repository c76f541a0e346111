//! Integers with one power-of-two scale, and the one rounding rule of the system (protocols, §0).
//!
//! A tensor with exponent e stands for the reals q·2^(−e). A linear node's accumulator has exponent e_w + e_x and
//! holds its bias there. [`rescale`] by s = e_w + e_x − e_y is
//!
//! > q = (acc + 2^(s−1)) >> s (arithmetic shift: round half up), then clamp(q, low, high)
//!
//! and ReLU is `low = 0`. Nothing else in the system rounds.

/// The largest shift a rescale may take; keeps acc + 2^(s−1) inside `i64` with room.
pub const MAX_SHIFT: u8 = 31;

/// Rounds an accumulator down by `shift` bits, half up, and clamps it. `shift` ≤ [`MAX_SHIFT`], `low ≤ high`.
#[inline(always)]
pub fn rescale(acc: i32, shift: u8, low: i32, high: i32) -> i32 {
    // (acc + 2^(s−1)) >> s without the sum, which could leave i32: the quotient's floor, plus the highest bit dropped.
    let q = match shift {
        0 => acc,
        _ => (acc >> shift) + ((acc >> (shift - 1)) & 1),
    };
    q.clamp(low, high)
}

/// Quantises a real at exponent `e`: the nearest integer to x·2^e (half away from zero), clamped to `low..=high`.
pub fn quantise(x: f32, e: i8, low: i32, high: i32) -> i32 {
    // `as` saturates, and the caller has refused NaN.
    ((f64::from(x) * f64::from(e).exp2()).round() as i64).clamp(i64::from(low), i64::from(high)) as i32
}

/// The real an integer at exponent `e` stands for.
pub fn dequantise(q: i32, e: i8) -> f32 {
    (f64::from(q) * (-f64::from(e)).exp2()) as f32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rescale_of_halves_rounds_up() {
        let wide = |acc, s| rescale(acc, s, i32::MIN, i32::MAX);
        assert_eq!([wide(1, 1), wide(-1, 1), wide(3, 1), wide(-3, 1)], [1, 0, 2, -1]);
        assert_eq!([wide(5, 0), wide(-5, 0), wide(6, 2), wide(-6, 2)], [5, -5, 2, -1]);
        assert_eq!(rescale(-700, 2, 0, 127), 0);
    }

    proptest! {
        #[test]
        fn rescale_of_any_accumulator_is_floor_of_shifted(acc in any::<i32>(), s in 0..=MAX_SHIFT) {
            let exact = ((f64::from(acc) + if s == 0 { 0.0 } else { 2f64.powi(i32::from(s) - 1) }) / 2f64.powi(i32::from(s))).floor();
            prop_assert_eq!(f64::from(rescale(acc, s, i32::MIN, i32::MAX)), exact);
        }
    }
}
