//! Binomial chances: the tails, their inverse in p (Clopper–Pearson) and ln C(n, k).
//!
//! With X ~ Bin(n, p) and I the regularised incomplete beta function (from `statrs`):
//! P(X ≤ c) = I_{1−p}(n−c, c+1) and P(X > c) = I_p(c+1, n−c). `statrs` stops its continued fraction after 140 terms;
//! measured against SciPy the tails are right, relatively, to 10⁻⁹ for n ≤ 10⁵; at n = 10⁶ to 10⁻⁷ from half a standard
//! deviation off the mean and to 10⁻³ at the mean itself. Beyond it gets worse, which is why [`Tally`] ends at 2^20.

use serde::{Deserialize, Serialize};
use statrs::function::{beta::checked_beta_reg, factorial::ln_binomial};

use super::CanaryError;

/// A rate of errors, 0 ≤ rate < 1: a model that claims 98 % accuracy claims the rate 0.02.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Rate(f64);

impl Rate {
    /// Never wrong.
    pub const ZERO: Self = Self(0.0);

    /// The rate `value`.
    ///
    /// # Errors
    /// `value` is not in [0, 1).
    pub fn new(value: f64) -> Result<Self, CanaryError> {
        if (0.0..1.0).contains(&value) { Ok(Self(value)) } else { Err(CanaryError::Rate { value }) }
    }

    /// The error rate that an accuracy leaves, to twelve places, so that a decimal claim leaves a decimal rate.
    ///
    /// # Errors
    /// As [`Rate::new`]: an accuracy of 0 or beyond 1 leaves none.
    pub fn left_by(accuracy: f64) -> Result<Self, CanaryError> {
        Self::new(((1.0 - accuracy) * 1e12).round() / 1e12)
    }

    /// The rate as a number.
    #[must_use]
    pub fn value(self) -> f64 {
        self.0
    }
}

/// The probability with which a test may err, 0 < level ≤ ½: α of a false alarm, β of a miss.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Level(f64);

impl Level {
    /// The level `value`.
    ///
    /// # Errors
    /// `value` is not in (0, ½].
    pub fn new(value: f64) -> Result<Self, CanaryError> {
        if value > 0.0 && value <= 0.5 { Ok(Self(value)) } else { Err(CanaryError::Level { value }) }
    }

    /// The level as a number.
    #[must_use]
    pub fn value(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Rate {
    type Error = CanaryError;

    fn try_from(value: f64) -> Result<Self, CanaryError> {
        Self::new(value)
    }
}

impl From<Rate> for f64 {
    fn from(rate: Rate) -> Self {
        rate.0
    }
}

impl TryFrom<f64> for Level {
    type Error = CanaryError;

    fn try_from(value: f64) -> Result<Self, CanaryError> {
        Self::new(value)
    }
}

impl From<Level> for f64 {
    fn from(level: Level) -> Self {
        level.0
    }
}

/// X canaries wrong of T asked, X ≤ T ≤ [`Tally::MAX_ASKED`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Tally {
    asked: u64,
    wrong: u64,
}

impl Tally {
    /// The most canaries one statistic covers: 2^20.
    pub const MAX_ASKED: u64 = 1 << 20;

    /// `wrong` of `asked`.
    ///
    /// # Errors
    /// More wrong than asked, or more asked than [`Tally::MAX_ASKED`].
    pub fn new(asked: u64, wrong: u64) -> Result<Self, CanaryError> {
        if asked > Self::MAX_ASKED {
            return Err(CanaryError::TooManyCanaries { asked, limit: Self::MAX_ASKED });
        }
        if wrong > asked {
            return Err(CanaryError::Tally { wrong, asked });
        }
        Ok(Self { asked, wrong })
    }

    /// T.
    #[must_use]
    pub fn asked(&self) -> u64 {
        self.asked
    }

    /// X.
    #[must_use]
    pub fn wrong(&self) -> u64 {
        self.wrong
    }

    /// The upper Clopper–Pearson bound U = BetaInv(1−α; X+1, T−X): P(true rate > U) ≤ `alpha`. 1 if all were wrong.
    #[must_use]
    pub fn error_at_most(&self, alpha: Level) -> f64 {
        if self.wrong == self.asked {
            return 1.0;
        }
        let likely = |p| lower_tail(self.asked, p, self.wrong) > alpha.value();
        last_where(likely).1
    }

    /// The lower Clopper–Pearson bound L = BetaInv(α; X, T−X+1): P(true rate < L) ≤ `alpha`. 0 if none was wrong.
    #[must_use]
    pub fn error_at_least(&self, alpha: Level) -> f64 {
        let Some(fewer) = self.wrong.checked_sub(1) else {
            return 0.0;
        };
        last_where(|p| upper_tail(self.asked, p, fewer) <= alpha.value()).0
    }
}

/// What is read before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    asked: u64,
    wrong: u64,
}

impl TryFrom<Unchecked> for Tally {
    type Error = CanaryError;

    fn try_from(Unchecked { asked, wrong }: Unchecked) -> Result<Self, CanaryError> {
        Self::new(asked, wrong)
    }
}

/// c_α = min{c : P(Bin(n, p) > c) ≤ α}.
pub(super) fn threshold(n: u64, p: Rate, alpha: Level) -> u64 {
    let (mut low, mut high) = (0, n);
    while low < high {
        let middle = low + (high - low) / 2;
        if upper_tail(n, p.value(), middle) <= alpha.value() {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

/// P(Bin(n, p) ≤ c), 0 ≤ p ≤ 1.
pub(super) fn lower_tail(n: u64, p: f64, c: u64) -> f64 {
    if c >= n { 1.0 } else { beta_reg(n - c, c + 1, 1.0 - p) }
}

/// P(Bin(n, p) > c), 0 ≤ p ≤ 1.
pub(super) fn upper_tail(n: u64, p: f64, c: u64) -> f64 {
    if c >= n { 0.0 } else { beta_reg(c + 1, n - c, p) }
}

/// ln P(Bin(n, p) = k).
pub(super) fn ln_chance(n: u64, p: Rate, k: u64) -> f64 {
    let Rate(p) = p;
    if k > n || (p == 0.0 && k > 0) {
        return f64::NEG_INFINITY;
    }
    let ln_right = (n - k) as f64 * (-p).ln_1p();
    if k == 0 { ln_right } else { ln_choose(n, k) + k as f64 * p.ln() + ln_right }
}

/// ln P(Bin(n, p) ≤ c), finite even where the probability is below what an `f64` holds.
///
/// There P(X ≤ c) = P(X = c)·(1 + r_0 + r_0·r_1 + …), r_i = (c−i)(1−p) / ((n−c+1+i)·p), whose terms all are positive.
pub(super) fn ln_lower_tail(n: u64, p: Rate, c: u64) -> f64 {
    let tail = lower_tail(n, p.value(), c);
    if tail > SMALLEST_TAIL {
        return tail.ln();
    }
    let odds = (1.0 - p.value()) / p.value();
    let (mut sum, mut term) = (1.0, 1.0);
    for i in 0..c {
        term *= (c - i) as f64 / (n - c + 1 + i) as f64 * odds;
        sum += term;
        if term < sum * f64::EPSILON {
            break;
        }
    }
    ln_chance(n, p, c) + sum.ln()
}

/// ln C(n, k), −∞ if k > n: a sum of min(k, n−k) logarithms while these are few, so that nothing cancels.
pub(super) fn ln_choose(n: u64, k: u64) -> f64 {
    let Some(rest) = n.checked_sub(k) else {
        return f64::NEG_INFINITY;
    };
    let k = k.min(rest);
    if k > FEW {
        return ln_binomial(n, k);
    }
    (1..=k).map(|i| ((n - k + i) as f64 / i as f64).ln()).sum()
}

/// I_x(a, b), for a, b ≥ 1 and 0 ≤ x ≤ 1 as every caller above ensures; the fall-back is never reached.
fn beta_reg(a: u64, b: u64, x: f64) -> f64 {
    checked_beta_reg(a as f64, b as f64, x).map_or(1.0, |value| value.clamp(0.0, 1.0))
}

/// The doubles around the last p in [0, 1] where `holds`, which must hold up to some p and not beyond. By halving:
/// Newton's method (AS 109, in `statrs`) has no bound on its steps.
fn last_where(holds: impl Fn(f64) -> bool) -> (f64, f64) {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        if holds(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low, high)
}

/// Up to here ln C is summed term by term.
const FEW: u64 = 256;
/// Below this the incomplete beta function is near underflow.
const SMALLEST_TAIL: f64 = 1e-250;
/// 2^−64 is far below the accuracy of the tails.
const HALVINGS: u32 = 64;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::super::Mix;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ln_choose_small_values_exact() {
        assert!((ln_choose(44, 22).exp() - 2_104_098_963_720.0).abs() < 1.0);
        assert_eq!(ln_choose(7, 0), 0.0);
        assert_eq!(ln_choose(3, 4), f64::NEG_INFINITY);
    }

    #[test]
    fn ln_choose_both_ways_agree() {
        for n in [600, 10_000, 3_000_002, Mix::MAX_POSITIONS] {
            let steps = |k: u64| (1..=k).map(|i| ((n - k + i) as f64 / i as f64).ln()).sum::<f64>();
            let (far, near) = (ln_choose(n, FEW + 1), steps(FEW + 1));
            assert!((far - near).abs() < 1e-6, "{n}: {far} {near}");
        }
    }

    #[test]
    fn tails_summed_term_by_term_agree() {
        let p = Rate::new(0.08).unwrap();
        for n in [1, 5, 60, 775] {
            let mut sum = 0.0;
            for c in 0..=n {
                sum += ln_chance(n, p, c).exp();
                assert!((lower_tail(n, p.value(), c) - sum).abs() < 1e-10, "{n} {c}");
                assert!((upper_tail(n, p.value(), c) - (1.0 - sum)).abs() < 1e-10, "{n} {c}");
            }
        }
    }

    #[test]
    fn ln_lower_tail_beyond_underflow_meets_closed_form() {
        let half = Rate::new(0.5).unwrap();
        let expected = -20_000.0 * 2f64.ln() + 20_001f64.ln();
        assert!((ln_lower_tail(20_000, half, 1) - expected).abs() < 1e-6);
        let (series, direct) = (ln_lower_tail(1150, half, 150), lower_tail(1150, 0.5, 150).ln());
        assert!((series - direct).abs() < 1e-6 && direct < -300.0, "{series} {direct}");
    }

    /// Coverage is exact arithmetic, no sampling: the chance that the interval misses the rate is a finite sum.
    #[test]
    fn clopper_pearson_any_rate_covered() {
        for (n, alpha) in [(1, 0.05), (20, 0.05), (300, 1e-3)] {
            let alpha = Level::new(alpha).unwrap();
            for p in [0.001, 0.02, 0.3, 0.5, 0.9, 0.999] {
                let rate = Rate::new(p).unwrap();
                let missed = |misses: &dyn Fn(Tally) -> bool| {
                    (0..=n)
                        .filter(|&x| misses(Tally::new(n, x).unwrap()))
                        .map(|x| ln_chance(n, rate, x).exp())
                        .sum::<f64>()
                };
                let above = missed(&|tally| tally.error_at_most(alpha) < p);
                let below = missed(&|tally| tally.error_at_least(alpha) > p);
                assert!(above <= alpha.value() * (1.0 + 1e-9), "{n} {p}: {above}");
                assert!(below <= alpha.value() * (1.0 + 1e-9), "{n} {p}: {below}");
            }
        }
    }

    #[test]
    fn clopper_pearson_ends_closed_form() {
        let alpha = Level::new(0.05).unwrap();
        let none = Tally::new(59, 0).unwrap();
        assert!((none.error_at_most(alpha) - (1.0 - 0.05f64.powf(1.0 / 59.0))).abs() < 1e-12);
        assert_eq!(none.error_at_least(alpha), 0.0);
        let empty = Tally::default();
        assert_eq!((empty.error_at_least(alpha), empty.error_at_most(alpha)), (0.0, 1.0));
    }

    proptest! {
        #[test]
        fn threshold_any_rate_least(n in 0u64..3000, p in 0.0..0.999f64, alpha in 1e-9..0.5f64) {
            let (p, alpha) = (Rate::new(p).unwrap(), Level::new(alpha).unwrap());
            let c = threshold(n, p, alpha);
            prop_assert!(upper_tail(n, p.value(), c) <= alpha.value());
            prop_assert!(c == 0 || upper_tail(n, p.value(), c - 1) > alpha.value());
        }

        #[test]
        fn clopper_pearson_any_tally_ordered(asked in 0u64..100_000, part in 0.0..=1.0f64, alpha in 1e-12..0.4f64) {
            let tally = Tally::new(asked, (asked as f64 * part) as u64).unwrap();
            let alpha = Level::new(alpha).unwrap();
            let (least, most) = (tally.error_at_least(alpha), tally.error_at_most(alpha));
            prop_assert!(0.0 <= least && least <= most && most <= 1.0);
        }
    }
}
