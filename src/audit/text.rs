//! The audit for people.

use std::fmt::{self, Display, Formatter};

use serin_verifier::canary::judge::Assessment;
use serin_verifier::canary::ledger::Standing;

use super::{Audit, Looks};

impl Display for Audit {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "verdict    {}", self.verdict)?;
        writeln!(f, "server     {}", self.server)?;
        writeln!(
            f,
            "batches    {}, of these {} with an accepted proof; {} queries",
            self.batches, self.proved, self.queries
        )?;
        for found in self.faults.iter().take(MOST_FAULTS) {
            writeln!(f, "fault      batch {}: {}", found.batch, found.fault)?;
        }
        if self.faults.len() > MOST_FAULTS {
            writeln!(f, "fault      and {} more", self.faults.len() - MOST_FAULTS)?;
        }
        self.assess(f, "labelled", &self.labelled)?;
        self.assess(f, "reference", &self.reference)?;
        if self.labelled.tally.asked() > 0 {
            self.claim(f)?;
        }
        if self.repeated > 0 {
            writeln!(
                f,
                "repeated   {} canaries had been asked before: their outcomes are not independent",
                self.repeated
            )?;
        }
        let costs = &self.costs;
        write!(
            f,
            "cost       {} B sent, {} B received, {:.3} s waited",
            costs.sent,
            costs.received,
            costs.waited.as_secs_f64()
        )
    }
}

impl Audit {
    fn assess(&self, f: &mut Formatter<'_>, name: &str, it: &Assessment) -> fmt::Result {
        let (wrong, asked) = (it.tally.wrong(), it.tally.asked());
        if asked == 0 {
            return writeln!(f, "{name:<10} none asked: nothing is known");
        }
        let observed = percent(wrong as f64 / asked as f64);
        let (least, most, level) =
            (percent(it.error_at_least), percent(it.error_at_most), percent(self.criteria.alpha.value()));
        writeln!(
            f,
            "{name:<10} {wrong} of {asked} wrong ({observed}): the true error rate is {least} to {most} (each bound errs with probability {level})"
        )?;
        match it.detectable_error {
            Some(error) => {
                let power = percent(1.0 - self.criteria.beta.value());
                writeln!(
                    f,
                    "{:<10} a true error rate of {} or more would be found with probability {power}; a lesser one may not be",
                    "",
                    percent(error)
                )
            }
            None => {
                writeln!(f, "{:<10} so few canaries find no error rate below 100 % with that certainty", "")
            }
        }
    }

    fn claim(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (claim, threshold) = (percent(self.labelled.claimed_error.value()), self.labelled.threshold);
        match self.looks {
            Looks::Once => {
                let word = if self.labelled.fails() { "fails" } else { "stands" };
                writeln!(
                    f,
                    "claim      an error rate of at most {claim} {word}: it allows {threshold} wrong, tested once"
                )
            }
            Looks::Often => {
                let word = if self.ledger.standing == Standing::Failed { "fails" } else { "stands" };
                let (wealth, limit) = (self.ledger.ln_wealth, self.ledger.ln_limit);
                writeln!(
                    f,
                    "claim      an error rate of at most {claim} {word}: evidence against it {wealth:.2}, limit {limit:.2}, looked at as often as one likes"
                )
            }
        }
    }
}

fn percent(rate: f64) -> String {
    let text = format!("{:.2}", 100.0 * rate);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Faults printed; the rest are in the audit's fields.
const MOST_FAULTS: usize = 5;
