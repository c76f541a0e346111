//! The report for people: one subject a line, what was found first and what it is worth after it.

use std::fmt::{self, Display, Formatter};

use super::{Proof, Report, Verdict};
use crate::canary::judge::{Assessment, Missing, Reason, Verdict as CanaryVerdict};
use crate::soundness::Soundness;

impl Display for Verdict {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Inconclusive => "could not tell",
        })
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let asked = &self.asked;
        write!(f, "verdict    {}", self.verdict)?;
        match self.blame {
            Some(blame) => writeln!(f, "; {blame} is to blame")?,
            None => writeln!(f)?,
        }
        writeln!(f, "server     {}, session {}", self.server, hex::encode(&self.session[..8]))?;
        let (queries, copies) =
            (count(asked.queries, "query", "queries"), count(asked.copies, "copy", "copies"));
        let (canaries, positions) = (count(asked.canaries, "canary", "canaries"), asked.positions());
        writeln!(
            f,
            "asked      {queries} × {copies} + {canaries} = {positions} positions, {}",
            self.protocol
        )?;
        writeln!(f, "proof      {}", self.proof)?;
        self.write_copies(f)?;
        self.write_canaries(f)?;
        self.write_worth(f)?;
        let waited = self.costs.waited.as_secs_f64();
        let (sent, received) = (bytes(self.costs.sent), bytes(self.costs.received));
        write!(f, "cost       {sent} sent, {received} received, {waited:.3} s waited for the answers")
    }
}

impl Display for Proof {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none asked for: nothing ties the answers to the committed model"),
            Self::Accepted { soundness: Soundness { terms, bits }, proof_bytes, activation_bytes } => {
                let (proof, revealed) = (bytes(*proof_bytes as u64), bytes(*activation_bytes as u64));
                write!(
                    f,
                    "accepted: the committed model gave these answers; a false one passes with probability 2^-{bits:.0}; {proof}, and {revealed} of activations\nsoundness  {bits:.2} bits, the sum of 2^-bits over"
                )?;
                let mut terms = terms.iter().zip(std::iter::once("").chain(std::iter::repeat(",")));
                terms.try_for_each(|(term, comma)| write!(f, "{comma} {} {:.1}", term.step, term.bits))
            }
            Self::Rejected(rejection) => write!(f, "rejected at {rejection}"),
        }
    }
}

impl Report {
    fn write_copies(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.asked.copies < 2 || self.asked.queries == 0 {
            return Ok(());
        }
        match self.disagreements.first() {
            None => writeln!(f, "copies     agree"),
            Some(first) => {
                let many = self.disagreements.len();
                let of = count(self.asked.queries, "query", "queries");
                writeln!(f, "copies     disagree for {many} of {of}, first for query {}", first.query)
            }
        }
    }

    fn write_canaries(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let judged = &self.canaries;
        if self.asked.canaries == 0 {
            return match self.claimed_accuracy {
                _ if self.proof == Proof::None && self.asked.copies < 2 => {
                    writeln!(f, "canaries   none: without a proof either, nothing was checked")
                }
                Some(claim) => {
                    writeln!(f, "canaries   none: the claimed accuracy of {} is unchecked", percent(claim))
                }
                None => writeln!(f, "canaries   none"),
            };
        }
        for (name, assessment) in [("labelled", &judged.labelled), ("reference", &judged.reference)] {
            if assessment.tally.asked() > 0 {
                self.write_assessment(f, name, assessment)?;
            }
        }
        match &judged.verdict {
            CanaryVerdict::Accepted => writeln!(f, "canaries   nothing speaks against the server"),
            CanaryVerdict::Rejected { reasons } => reasons
                .iter()
                .take(MOST_REASONS)
                .try_for_each(|reason| writeln!(f, "canaries   reject: {reason}")),
            CanaryVerdict::Inconclusive { missing } => {
                missing.iter().try_for_each(|missing| writeln!(f, "canaries   cannot tell: {missing}"))
            }
        }
    }

    fn write_assessment(&self, f: &mut Formatter<'_>, name: &str, it: &Assessment) -> fmt::Result {
        let (wrong, asked, level) =
            (it.tally.wrong(), it.tally.asked(), percent(self.criteria.alpha.value()));
        let (least, most) = (percent(it.error_at_least), percent(it.error_at_most));
        writeln!(
            f,
            "{name:<10} {wrong} of {asked} wrong: the true error rate is {least} to {most} (each bound errs with probability {level})"
        )?;
        let (claim, threshold) = (percent(it.claimed_error.value()), it.threshold);
        match it.detectable_error {
            Some(error) => {
                let (error, power) = (percent(error), percent(1.0 - self.criteria.beta.value()));
                writeln!(
                    f,
                    "{:<10} an error rate of {claim} allows {threshold} wrong; {error} or more is found with probability {power}, less may not be",
                    ""
                )
            }
            None => writeln!(
                f,
                "{:<10} an error rate of {claim} allows {threshold} wrong; so few canaries find nothing",
                ""
            ),
        }
    }

    fn write_worth(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let worth = &self.worth;
        if let Some(bits) = worth.mixing_bits {
            let unless = match self.protocol.hides_questions() {
                true => "of questions that the server does not see",
                false => "if the server cannot tell canaries and copies apart",
            };
            writeln!(
                f,
                "mixing     {bits:.1} bits against false answers at chosen positions, {unless}; a model false of itself is bounded by the rates"
            )?;
        }
        if let Some(bits) = worth.proof_bits {
            writeln!(
                f,
                "worth      {bits:.0} bits for each answer being the committed model's; none for the model being good"
            )?;
        }
        if let Some(accuracy) = worth.assured_accuracy {
            writeln!(f, "worth      an accuracy of at least {} is assured", percent(accuracy))?;
        }
        if let Some(agreement) = worth.assured_agreement {
            writeln!(
                f,
                "worth      agreement with the advertised model of at least {} is assured",
                percent(agreement)
            )?;
        }
        Ok(())
    }
}

impl Display for Reason {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Copies(disagreement) => {
                write!(f, "the copies of query {} were answered differently", disagreement.query)
            }
            Self::Reference { position } => {
                write!(f, "position {} is not the advertised model's answer", position.0)
            }
            Self::Tolerance { wrong, tolerance } => {
                write!(f, "{wrong} labelled canaries wrong, {tolerance} tolerated")
            }
            Self::ErrorRate { wrong, threshold } => {
                write!(f, "{wrong} labelled canaries wrong, where the claimed error rate allows {threshold}")
            }
        }
    }
}

impl Display for Missing {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Canaries => f.write_str("no canary was asked"),
            Self::Accuracy { assured, least } => {
                write!(
                    f,
                    "{} accuracy is assured, {} was asked for; ask more canaries",
                    percent(*assured),
                    percent(*least)
                )
            }
            Self::Agreement { assured, least } => {
                write!(
                    f,
                    "{} agreement is assured, {} was asked for; ask more canaries",
                    percent(*assured),
                    percent(*least)
                )
            }
        }
    }
}

fn percent(rate: f64) -> String {
    let text = format!("{:.2}", 100.0 * rate);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

fn count(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

fn bytes(n: u64) -> String {
    match n {
        0..10_000 => format!("{n} B"),
        10_000..10_000_000 => format!("{:.1} kB", n as f64 / 1e3),
        _ => format!("{:.1} MB", n as f64 / 1e6),
    }
}

/// Reasons printed; the rest are in the report's fields.
const MOST_REASONS: usize = 3;
