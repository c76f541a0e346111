//! `serin plan`: copies and canaries for a session, canaries for telling two accuracies apart.

use std::fmt::Write;

use anyhow::{Context, Result};
use clap::{ArgGroup, Args};
use serde::Serialize;
use serin_verifier::canary::bounds::Tolerance;
use serin_verifier::canary::plan::{self, plan, plan_labelled};
use serin_verifier::canary::quality::{QualityPlan, labelled_canaries, reference_canaries};
use serin_verifier::canary::{Level, Rate};

use super::Verdict;
use super::accuracy::{Accuracy, level};
use super::console::Console;

/// Find how many copies and canaries a session needs, and how many canaries tell two accuracies apart
///
/// With --queries: the fewest inferences that protect every single answer with the asked bits. With --claim and --alternative:
/// the fewest canaries that tell the two accuracies apart. With both: the labelled canaries, and the copies they then need.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("goal").required(true).multiple(true).args(["queries", "claim"]))]
pub(super) struct Plan {
    /// How many questions the session asks
    #[arg(long, value_name = "R")]
    queries: Option<u64>,
    /// Security of each answer: a cheat stays hidden with at most 2^-BITS
    #[arg(long, value_name = "BITS", default_value_t = 40)]
    bits: u32,
    /// The accuracy the server claims, as 0.98
    #[arg(long, requires = "alternative")]
    claim: Option<Accuracy>,
    /// An accuracy that must not pass for the claimed one, as 0.95
    #[arg(long, requires = "claim")]
    alternative: Option<Accuracy>,
    /// How often an honest server may be rejected
    #[arg(long, default_value = "0.001", value_parser = level)]
    alpha: Level,
    /// How often a server as bad as the alternative may pass
    #[arg(long, default_value = "0.001", value_parser = level)]
    beta: Level,
}

/// What `serin plan` answers.
#[derive(Debug, Serialize)]
struct Answer {
    #[serde(flatten)]
    session: Option<plan::Plan>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quality: Option<Quality>,
}

/// Canaries that tell two accuracies apart.
#[derive(Debug, Serialize)]
struct Quality {
    claim: f64,
    alternative: f64,
    alpha: f64,
    beta: f64,
    /// Canaries whose truth is known.
    labelled: QualityPlan,
    /// Canaries whose answer by the advertised model is known, to catch one that differs as often as the accuracies do.
    reference: u64,
}

impl Plan {
    /// Plans.
    pub(super) fn run(self, console: &Console) -> Result<Verdict> {
        let quality = self.claim.zip(self.alternative).map(|(a, b)| self.quality(a, b)).transpose()?;
        let session = match (self.queries, &quality, self.claim.and_then(Accuracy::error)) {
            (Some(queries), Some(quality), Some(claimed)) => {
                let tolerance = Tolerance::new(quality.labelled.threshold, claimed)?;
                Some(plan_labelled(queries, quality.labelled.canaries, &tolerance, self.bits)?)
            }
            (Some(queries), ..) => Some(plan(queries, self.bits)?),
            (None, ..) => None,
        };
        console.result(&Answer { session, quality }, Answer::text)?;
        Ok(Verdict::Accepted)
    }

    fn quality(&self, claim: Accuracy, alternative: Accuracy) -> Result<Quality> {
        let claimed = claim.error().context("a claimed accuracy of 0 cannot be missed; claim more")?;
        let worse =
            alternative.error().context("an alternative of accuracy 0 is no rate; give one above 0")?;
        let labelled = labelled_canaries(claimed, worse, self.alpha, self.beta)?;
        let drop = Rate::new(claim.value() - alternative.value())?;
        Ok(Quality {
            claim: claim.value(),
            alternative: alternative.value(),
            alpha: self.alpha.value(),
            beta: self.beta.value(),
            labelled,
            reference: reference_canaries(drop, self.beta)?,
        })
    }
}

impl Answer {
    fn text(&self) -> String {
        let mut text = String::new();
        if let Some(plan::Plan { mix, overhead, bits }) = &self.session {
            let _ = writeln!(
                text,
                "{} queries: ask each {} times and hide {} canaries among them.\n\
                 {} inferences, {overhead:.3} for one answer; a cheat stays hidden with at most 2^-{bits:.1}.",
                mix.queries(),
                mix.copies(),
                mix.canaries(),
                mix.positions(),
            );
        }
        if let Some(Quality { claim, alternative, alpha, beta, labelled, reference }) = &self.quality {
            let _ = writeln!(
                text,
                "Accuracy {claim} against {alternative} (false alarms ≤ {alpha}, misses ≤ {beta}):\n\
                 {} labelled canaries, rejected from {} wrong ones on; or {reference} reference canaries, rejected from the first.",
                labelled.canaries,
                labelled.threshold + 1,
            );
        }
        text
    }
}
