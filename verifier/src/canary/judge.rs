//! What the outcome of one session proves.
//!
//! In: the session's terms ([`Criteria`]), the outcome of each canary, the copies that disagreed. Out: a [`Judgement`],
//! the verdict with every number it rests on. All bounds are one-sided at level α; all rates are fractions.
//!
//! *Rejected*, with the reasons, if any reference canary differs or any copies disagree (exact integers: an honest server
//! never does), if more labelled canaries are wrong than the mix tolerated, or by the fraud test X > c_α. Honest rejected
//! with probability ≤ α for the fraud test; a `tolerance` below c_α adds its own false alarms.
//! *Accepted* if nothing rejects and each assurance that was asked for is met: 1 − U ≥ a_min, with U the upper
//! Clopper–Pearson bound. *Inconclusive* otherwise, and if nothing was tested.
//!
//! The caller must still check: that the tally of one claim over many sessions goes through [`super::ledger`], not through
//! this test again and again; that canaries were fresh; and what mixing does not give (see [`super`]).

use serde::{Deserialize, Serialize};

use super::chance::{threshold, upper_tail};
use super::mixing::{Disagreement, Position};
use super::{CanaryError, Level, Rate, Tally};

/// On what terms a session is judged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Criteria {
    /// p0: the error rate the server claims on labelled canaries.
    pub claimed_error: Rate,
    /// α: the chance of rejecting an honest server, and of each confidence bound being wrong.
    pub alpha: Level,
    /// β: the chance of missing a model as bad as the detectable error.
    pub beta: Level,
    /// c: the most labelled canaries that may be wrong, if the mix's bound was computed with one.
    pub tolerance: Option<u64>,
    /// a_min: the accuracy on labelled canaries to be assured of, a fraction.
    pub least_accuracy: Option<f64>,
    /// The agreement with the advertised model on reference canaries to be assured of, a fraction.
    pub least_agreement: Option<f64>,
}

/// One canary, answered and checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// Where in the batch it was.
    pub position: Position,
    /// What its answer turned out to be.
    pub canary: Canary,
}

/// A canary's kind, and what its answer turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Canary {
    /// Its truth is known.
    Labelled {
        /// The answer was the truth.
        right: bool,
    },
    /// The advertised model's own answer is known.
    Reference {
        /// The answer was that very answer.
        equal: bool,
    },
}

/// What one session proves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// Whether to believe the answers.
    pub verdict: Verdict,
    /// The labelled canaries against the claimed rate.
    pub labelled: Assessment,
    /// The reference canaries against a rate of 0.
    pub reference: Assessment,
}

/// Whether to believe the answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing speaks against the server, and what was asked for is assured.
    Accepted,
    /// The server is not what it claims, or did not answer truthfully.
    Rejected {
        /// Each of them is enough; never empty.
        reasons: Vec<Reason>,
    },
    /// Nothing speaks against the server, and too little for it.
    Inconclusive {
        /// What could not be assured; never empty.
        missing: Vec<Missing>,
    },
}

/// Why a server is rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// Copies of one query were answered differently.
    Copies(Disagreement),
    /// A reference canary's answer is not the advertised model's.
    Reference {
        /// Where.
        position: Position,
    },
    /// More labelled canaries are wrong than the mix tolerated.
    Tolerance {
        /// X.
        wrong: u64,
        /// c.
        tolerance: u64,
    },
    /// The fraud test: more labelled canaries are wrong than an honest model's would be, but with probability α.
    ErrorRate {
        /// X.
        wrong: u64,
        /// c_α.
        threshold: u64,
    },
}

/// What could not be assured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "missing", rename_all = "snake_case")]
pub enum Missing {
    /// No canary was asked.
    Canaries,
    /// The assured accuracy 1 − U is below what was asked for.
    Accuracy {
        /// 1 − U.
        assured: f64,
        /// a_min.
        least: f64,
    },
    /// The assured agreement with the advertised model is below what was asked for.
    Agreement {
        /// 1 − U.
        assured: f64,
        /// What was asked for.
        least: f64,
    },
}

/// One kind of canary against a claimed rate, with what this many of them can and cannot tell.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Assessment {
    /// T and X.
    pub tally: Tally,
    /// p0.
    pub claimed_error: Rate,
    /// c_α: more wrong ones fail the claim.
    pub threshold: u64,
    /// P(Bin(T, p0) ≥ X): how often an honest model does as badly.
    pub p_value: f64,
    /// L, the lower Clopper–Pearson bound at level α.
    pub error_at_least: f64,
    /// U, the upper Clopper–Pearson bound at level α.
    pub error_at_most: f64,
    /// The smallest error rate that T canaries fail with probability ≥ 1 − β; `None` if there is none below 1.
    pub detectable_error: Option<f64>,
}

impl Assessment {
    /// `tally` against `claimed_error`.
    #[must_use]
    pub fn of(tally: Tally, claimed_error: Rate, alpha: Level, beta: Level) -> Self {
        let asked = tally.asked();
        let threshold = threshold(asked, claimed_error, alpha);
        // P(Bin(T, p) ≤ c_α) ≤ β from the upper Clopper–Pearson bound of c_α at level β on.
        let at_threshold = Tally::new(asked, threshold).ok().filter(|_| threshold < asked);
        Self {
            tally,
            claimed_error,
            threshold,
            p_value: tally
                .wrong()
                .checked_sub(1)
                .map_or(1.0, |x| upper_tail(asked, claimed_error.value(), x)),
            error_at_least: tally.error_at_least(alpha),
            error_at_most: tally.error_at_most(alpha),
            detectable_error: at_threshold.map(|tally| tally.error_at_most(beta)),
        }
    }

    /// The fraud test: X > c_α.
    #[must_use]
    pub fn fails(&self) -> bool {
        self.tally.wrong() > self.threshold
    }

    /// 1 − U: the accuracy the canaries assure.
    #[must_use]
    pub fn assured(&self) -> f64 {
        1.0 - self.error_at_most
    }

    /// The smallest drop in accuracy below the claim that T canaries detect with probability ≥ 1 − β.
    #[must_use]
    pub fn detectable_drop(&self) -> Option<f64> {
        self.detectable_error.map(|error| error - self.claimed_error.value())
    }
}

/// Judge a session by its canaries and by the copies that disagreed.
///
/// # Errors
/// More canaries than [`Tally::MAX_ASKED`].
pub fn judge(
    criteria: &Criteria,
    outcomes: &[Outcome],
    disagreements: &[Disagreement],
) -> Result<Judgement, CanaryError> {
    let Criteria { claimed_error, alpha, beta, .. } = *criteria;
    let tally = |wrong_of: fn(&Canary) -> Option<bool>| {
        let checked = outcomes.iter().filter_map(|outcome| wrong_of(&outcome.canary));
        let (asked, wrong) = checked.fold((0, 0), |(asked, wrong), x| (asked + 1, wrong + u64::from(x)));
        Tally::new(asked, wrong)
    };
    let labelled = Assessment::of(tally(Canary::mislabelled)?, claimed_error, alpha, beta);
    let reference = Assessment::of(tally(Canary::differs)?, Rate::ZERO, alpha, beta);

    let reasons = reasons(criteria, outcomes, disagreements, &labelled);
    let missing = missing(criteria, &labelled, &reference);
    let verdict = match (reasons.is_empty(), missing.is_empty()) {
        (false, _) => Verdict::Rejected { reasons },
        (true, false) => Verdict::Inconclusive { missing },
        (true, true) => Verdict::Accepted,
    };
    Ok(Judgement { verdict, labelled, reference })
}

impl Canary {
    /// Whether a labelled canary's answer was wrong.
    fn mislabelled(&self) -> Option<bool> {
        match *self {
            Self::Labelled { right } => Some(!right),
            Self::Reference { .. } => None,
        }
    }

    /// Whether a reference canary's answer was another.
    fn differs(&self) -> Option<bool> {
        match *self {
            Self::Reference { equal } => Some(!equal),
            Self::Labelled { .. } => None,
        }
    }
}

fn reasons(
    criteria: &Criteria,
    outcomes: &[Outcome],
    disagreements: &[Disagreement],
    labelled: &Assessment,
) -> Vec<Reason> {
    let wrong = labelled.tally.wrong();
    let mut reasons: Vec<_> = disagreements.iter().cloned().map(Reason::Copies).collect();
    let differing = outcomes.iter().filter(|outcome| outcome.canary.differs() == Some(true));
    reasons.extend(differing.map(|outcome| Reason::Reference { position: outcome.position }));
    if let Some(tolerance) = criteria.tolerance.filter(|&tolerance| wrong > tolerance) {
        reasons.push(Reason::Tolerance { wrong, tolerance });
    }
    if labelled.fails() {
        reasons.push(Reason::ErrorRate { wrong, threshold: labelled.threshold });
    }
    reasons
}

fn missing(criteria: &Criteria, labelled: &Assessment, reference: &Assessment) -> Vec<Missing> {
    let mut missing = Vec::new();
    if labelled.tally.asked() + reference.tally.asked() == 0 {
        missing.push(Missing::Canaries);
    }
    // A criterion that is no number is never met.
    let short_of =
        |least: Option<f64>, assured: f64| least.filter(|least| least.is_nan() || assured < *least);
    if let Some(least) = short_of(criteria.least_accuracy, labelled.assured()) {
        missing.push(Missing::Accuracy { assured: labelled.assured(), least });
    }
    if let Some(least) = short_of(criteria.least_agreement, reference.assured()) {
        missing.push(Missing::Agreement { assured: reference.assured(), least });
    }
    missing
}

#[cfg(test)]
mod tests;
