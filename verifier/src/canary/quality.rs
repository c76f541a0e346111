//! How many canaries tell a model from a worse one.
//!
//! Labelled canaries: H0 is an error rate ≤ p0, rejected iff X > c_α = min{c : P(Bin(T, p0) > c) ≤ α}. The miss
//! P(Bin(T, p1) ≤ c_α) is not monotone in T: it falls while c_α stays and jumps when c_α steps. [`labelled_canaries`]
//! returns the *smallest* T at which it is ≤ β; some larger T do worse, so ask exactly as many, or look at
//! [`crate::canary::judge::Assessment::detectable_error`] for what the T that was asked can do.
//!
//! The search is complete: the randomised test of exact level α is the most powerful one at each T (Neyman–Pearson), so
//! its miss bounds ours from below, and it *is* monotone in T, since a test may ignore a canary. Halving finds where it
//! first reaches β; no smaller T can, and from there on each T is tried in turn.
//!
//! Reference canaries: an honest server never differs, so one difference rejects and T = ⌈ln β / ln(1−δ)⌉ miss a
//! disagreement rate δ with probability at most β.

use serde::{Deserialize, Serialize};

use super::chance::{ln_chance, lower_tail, threshold, upper_tail};
use super::{CanaryError, Level, Rate, Tally};

/// How many labelled canaries to ask, and how many of them may be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct QualityPlan {
    /// T.
    pub canaries: u64,
    /// c_α: more wrong ones reject the claim.
    pub threshold: u64,
}

/// The smallest T that tells the error rate `claimed` from `alternative`: false alarms ≤ `alpha`, misses ≤ `beta`.
///
/// # Errors
/// `alternative` is not above `claimed`, or too close to be told apart within [`Tally::MAX_ASKED`] canaries.
pub fn labelled_canaries(
    claimed: Rate,
    alternative: Rate,
    alpha: Level,
    beta: Level,
) -> Result<QualityPlan, CanaryError> {
    let (p0, p1) = (claimed.value(), alternative.value());
    if p1 <= p0 {
        return Err(CanaryError::NotWorse { claimed: p0, alternative: p1 });
    }
    let (mut low, mut high) = (1, Tally::MAX_ASKED);
    while low < high {
        let middle = low + (high - low) / 2;
        if least_miss(middle, claimed, alternative, alpha) <= beta.value() {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    let mut c = threshold(low, claimed, alpha);
    for canaries in low..=Tally::MAX_ASKED {
        // One more canary raises c_α by at most one.
        if upper_tail(canaries, p0, c) > alpha.value() {
            c += 1;
        }
        if lower_tail(canaries, p1, c) <= beta.value() {
            return Ok(QualityPlan { canaries, threshold: c });
        }
    }
    Err(CanaryError::TooClose { claimed: p0, alternative: p1, limit: Tally::MAX_ASKED })
}

/// T = ⌈ln β / ln(1−δ)⌉ reference canaries: a server differing at rate δ = `disagreement` slips through with ≤ `beta`.
///
/// # Errors
/// No disagreement to find, or one too rare for [`Tally::MAX_ASKED`] canaries.
pub fn reference_canaries(disagreement: Rate, beta: Level) -> Result<u64, CanaryError> {
    let delta = disagreement.value();
    if delta == 0.0 {
        return Err(CanaryError::NotWorse { claimed: 0.0, alternative: 0.0 });
    }
    let canaries = (beta.value().ln() / (-delta).ln_1p() * (1.0 - ROUNDING)).ceil();
    if canaries > Tally::MAX_ASKED as f64 {
        return Err(CanaryError::TooClose { claimed: 0.0, alternative: delta, limit: Tally::MAX_ASKED });
    }
    Ok((canaries as u64).max(1))
}

/// The miss of the randomised test of exact level α: it also rejects at X = c_α, with probability
/// (α − P(X > c_α)) / P(X = c_α).
fn least_miss(canaries: u64, claimed: Rate, alternative: Rate, alpha: Level) -> f64 {
    let c = threshold(canaries, claimed, alpha);
    let spare = alpha.value() - upper_tail(canaries, claimed.value(), c);
    let share = (spare / ln_chance(canaries, claimed, c).exp()).clamp(0.0, 1.0);
    lower_tail(canaries, alternative.value(), c) - share * ln_chance(canaries, alternative, c).exp()
}

/// Keeps a quotient of logarithms that is a whole number from being rounded up past it.
const ROUNDING: f64 = 1e-13;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rate(value: f64) -> Rate {
        Rate::new(value).unwrap()
    }

    fn level(value: f64) -> Level {
        Level::new(value).unwrap()
    }

    /// Every T from 1 on, each with its own threshold.
    fn by_trying_all(claimed: Rate, alternative: Rate, alpha: Level, beta: Level) -> QualityPlan {
        (1..)
            .map(|canaries| QualityPlan { canaries, threshold: threshold(canaries, claimed, alpha) })
            .find(|plan| lower_tail(plan.canaries, alternative.value(), plan.threshold) <= beta.value())
            .unwrap()
    }

    #[test]
    fn labelled_canaries_power_is_not_monotone() {
        let (p0, p1, both) = (rate(0.02), rate(0.10), level(1e-3));
        let found = labelled_canaries(p0, p1, both, both).unwrap();
        let misses = |t| lower_tail(t, p1.value(), threshold(t, p0, both)) > both.value();
        assert!((found.canaries + 1..found.canaries + 20).any(misses));
    }

    #[test]
    fn labelled_canaries_hopeless_alternative_refused() {
        let both = level(1e-3);
        assert!(matches!(
            labelled_canaries(rate(0.02), rate(0.02), both, both),
            Err(CanaryError::NotWorse { .. })
        ));
        assert!(matches!(
            labelled_canaries(rate(0.5), rate(0.500_001), both, both),
            Err(CanaryError::TooClose { .. })
        ));
        assert!(matches!(reference_canaries(rate(1e-9), both), Err(CanaryError::TooClose { .. })));
        assert!(matches!(reference_canaries(rate(0.0), both), Err(CanaryError::NotWorse { .. })));
    }

    #[test]
    fn reference_canaries_whole_quotient_not_rounded_up() {
        assert_eq!(reference_canaries(rate(0.5), level(0.125)).unwrap(), 3);
        assert_eq!(reference_canaries(rate(0.5), level(0.124)).unwrap(), 4);
        assert_eq!(reference_canaries(rate(0.9), level(0.5)).unwrap(), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn labelled_canaries_any_rates_smallest(p0 in 0.0..0.5f64, gap in 0.08..0.4f64, a in 1e-4..0.5f64, b in 1e-4..0.5f64) {
            let (p0, p1, a, b) = (rate(p0), rate(p0 + gap), level(a), level(b));
            prop_assert_eq!(labelled_canaries(p0, p1, a, b).unwrap(), by_trying_all(p0, p1, a, b));
        }

        #[test]
        fn reference_canaries_any_rate_smallest(delta in 1e-3..0.99f64, beta in 1e-9..0.5f64) {
            let t = reference_canaries(rate(delta), level(beta)).unwrap();
            let miss = |t: u64| (1.0 - delta).powi(t as i32);
            prop_assert!(miss(t) <= beta * (1.0 + 1e-9));
            prop_assert!(t == 1 || miss(t - 1) > beta * (1.0 - 1e-9));
        }
    }
}
