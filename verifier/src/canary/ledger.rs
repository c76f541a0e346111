//! An anytime-valid ledger of canaries across sessions.
//!
//! A test fixed at one T is void when looked at again and again: at α = 10⁻³, p0 = 0.02, looking after every canary up
//! to T = 2000 alarms falsely more than ten times as often. The ledger may be looked at whenever one likes. After t
//! labelled canaries with S wrong, its wealth mixes the likelihood ratios of all worse models uniformly,
//!
//! ```text
//! W = 1/(1−p0) ∫_{p0}^1 p^S (1−p)^(t−S) dp / (p0^S (1−p0)^(t−S))
//!   = B(S+1, t−S+1) · (1 − I_{p0}(S+1, t−S+1)) / ((1−p0) · p0^S · (1−p0)^(t−S)).
//! ```
//!
//! For every true rate ≤ p0 each ratio is a supermartingale that starts at 1, hence so is W, and P(W ever ≥ 1/α) ≤ α
//! (Ville). The claim fails when W ≥ 1/α, once and for all, whatever comes after.
//!
//! With 1 − I_{p0}(S+1, t−S+1) = P(Bin(t+1, p0) ≤ S), everything is computed as logarithms. The ledger is full at
//! [`Tally::MAX_ASKED`] canaries; up to there ln W is right to 10⁻⁶ wherever it is not far below 0. The caller must still see that canaries are fresh and that
//! none is left out because of its outcome.

use serde::{Deserialize, Serialize};

use super::chance::{ln_choose, ln_lower_tail};
use super::{CanaryError, Level, Rate, Tally};

/// Whether a claim on a model's error rate still stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The wealth has stayed below 1/α.
    Stands,
    /// The wealth reached 1/α: the claim is false, or an event of probability ≤ α has happened.
    Failed,
}

/// The record of one claim by one server. Read from a file it is as trustworthy as the file.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    claimed_error: Rate,
    alpha: Level,
    tally: Tally,
    standing: Standing,
}

impl Ledger {
    /// An empty ledger for the claim p0 = `claimed_error`, which it fails falsely with probability at most `alpha`.
    #[must_use]
    pub fn open(claimed_error: Rate, alpha: Level) -> Self {
        Self { claimed_error, alpha, tally: Tally::default(), standing: Standing::Stands }
    }

    /// Enter one session's labelled canaries and see where the claim stands.
    ///
    /// # Errors
    /// The ledger would exceed [`Tally::MAX_ASKED`]; it is left as it was.
    pub fn enter(&mut self, session: Tally) -> Result<Standing, CanaryError> {
        let (asked, wrong) = (self.tally.asked() + session.asked(), self.tally.wrong() + session.wrong());
        self.tally = Tally::new(asked, wrong)?;
        if self.ln_wealth() >= -self.alpha.value().ln() {
            self.standing = Standing::Failed;
        }
        Ok(self.standing)
    }

    /// Where the claim stands: failed, if the wealth was ever 1/α at the end of a session.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// t and S.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// ln W now; +∞ once a model that claims never to err has erred.
    #[must_use]
    pub fn ln_wealth(&self) -> f64 {
        let (t, s, p0) = (self.tally.asked(), self.tally.wrong(), self.claimed_error);
        let ln_right = (-p0.value()).ln_1p();
        let ln_beta = -((t + 1) as f64).ln() - ln_choose(t, s);
        let ln_wrong = if s == 0 { 0.0 } else { s as f64 * p0.value().ln() };
        ln_beta + ln_lower_tail(t + 1, p0, s) - ln_wrong - (t - s + 1) as f64 * ln_right
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::super::chance::threshold;
    use super::*;
    use proptest::prelude::*;

    fn ledger(p0: f64, alpha: f64, asked: u64, wrong: u64) -> Ledger {
        let mut ledger = Ledger::open(Rate::new(p0).unwrap(), Level::new(alpha).unwrap());
        ledger.enter(Tally::new(asked, wrong).unwrap()).unwrap();
        ledger
    }

    /// The chance that a model erring at exactly `p` is ever failed when looked at after each of `most` canaries:
    /// dynamic programming over (t, S), exact but for rounding.
    fn chance_ever_failed(p: f64, most: u64, failed: impl Fn(u64, u64) -> bool) -> f64 {
        let mut running = vec![1.0];
        let mut ever = 0.0;
        for t in 1..=most {
            let mut next = vec![0.0; t as usize + 1];
            for (s, mass) in running.iter().enumerate() {
                next[s] += mass * (1.0 - p);
                next[s + 1] += mass * p;
            }
            // Both tests fail from some S on: cut there.
            while next.len() > 1 && failed(t, next.len() as u64 - 1) {
                ever += next.pop().unwrap();
            }
            running = next;
        }
        ever
    }

    #[test]
    fn ledger_looked_at_after_every_canary_keeps_its_level() {
        for (p0, alpha) in [(0.02, 0.05), (0.02, 1e-3), (0.24, 1e-3)] {
            let failed = |t, s| ledger(p0, alpha, t, s).standing() == Standing::Failed;
            let honest = chance_ever_failed(p0, 1000, failed);
            assert!(honest > 0.0 && honest <= alpha, "{p0} {alpha}: {honest}");
            assert!(chance_ever_failed(p0 / 2.0, 1000, failed) < honest);
            assert!(chance_ever_failed(p0 + 0.15, 1000, failed) > 0.99);
        }
    }

    #[test]
    fn fixed_test_looked_at_after_every_canary_exceeds_its_level() {
        let (p0, alpha) = (Rate::new(0.02).unwrap(), Level::new(1e-3).unwrap());
        let fixed = |t, s| s > threshold(t, p0, alpha);
        let peeked = chance_ever_failed(0.02, 2000, fixed);
        assert!((0.011..0.013).contains(&peeked), "{peeked}");
    }

    #[test]
    fn wealth_closed_forms_met() {
        // S = 0: W = 1/(t+1).
        for (p0, t) in [(0.02, 10), (0.3, 1000), (0.5, 100_000), (0.0, 50)] {
            let error = ledger(p0, 0.01, t, 0).ln_wealth() + ((t + 1) as f64).ln();
            assert!(error.abs() < 1e-6, "{p0} {t}: {error}");
        }
        // t = S = 1: W = (1+p0)/(2·p0).
        let one = ledger(0.2, 0.01, 1, 1).ln_wealth();
        assert!((one - 3f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn ledger_once_failed_stays_failed() {
        let mut ledger = ledger(0.02, 1e-3, 20, 20);
        assert_eq!(ledger.enter(Tally::new(100_000, 0).unwrap()), Ok(Standing::Failed));
        assert!(ledger.ln_wealth() < 0.0);
    }

    #[test]
    fn ledger_perfect_claim_one_error_fails() {
        assert_eq!(ledger(0.0, 1e-9, 5, 0).standing(), Standing::Stands);
        assert_eq!(ledger(0.0, 1e-9, 5, 1).standing(), Standing::Failed);
    }

    #[test]
    fn ledger_full_refused_and_unchanged() {
        let mut ledger = ledger(0.02, 1e-3, Tally::MAX_ASKED, 100);
        let before = ledger;
        assert!(matches!(ledger.enter(Tally::new(1, 0).unwrap()), Err(CanaryError::TooManyCanaries { .. })));
        assert_eq!(ledger, before);
    }

    proptest! {
        #[test]
        fn wealth_any_tally_one_step_fair(t in 0u64..3000, part in 0.0..=1.0f64, p0 in 0.001..0.9f64) {
            // Under p0 the expected wealth after one more canary is the wealth now.
            let s = (t as f64 * part * part) as u64;
            let now = ledger(p0, 0.01, t, s).ln_wealth();
            let right = (ledger(p0, 0.01, t + 1, s).ln_wealth() - now).exp();
            let wrong = (ledger(p0, 0.01, t + 1, s + 1).ln_wealth() - now).exp();
            prop_assert!(((1.0 - p0) * right + p0 * wrong - 1.0).abs() < 1e-6);
        }

        #[test]
        fn ledger_any_tally_no_panic(asked in 0u64..=Tally::MAX_ASKED, part in 0.0..=1.0f64, p0 in 0.0..1.0f64) {
            let wrong = (asked as f64 * part) as u64;
            prop_assert!(!ledger(p0, 0.01, asked, wrong).ln_wealth().is_nan());
        }
    }
}
