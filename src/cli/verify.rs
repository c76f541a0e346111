//! `serin verify`: judges a saved record, offline, by the rules of the live session.

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use serin_circuits::codec::Digest;
use serin_verifier::card::Card;
use serin_verifier::record::{End, Entry, RecordError};
use serin_verifier::report::{Report, judge};

use super::Verdict;
use super::connect::card;
use super::console::Console;
use crate::session::record::{RecorderError, read};

/// Judge a saved record again, offline: anyone can
///
/// With --card, every entry must have been asked under that very card. Without it the record's own word is taken for the card, and what
/// is shown is that its answers follow from *some* committed model.
#[derive(Args, Debug)]
pub(super) struct Verify {
    /// The record
    record: PathBuf,
    /// The card you trust
    #[arg(long, value_name = "FILE")]
    card: Option<PathBuf>,
    /// The record's head as it was noted elsewhere, 64 hexadecimal digits: shows that nothing was rewritten or cut off
    #[arg(long, value_name = "HEX", value_parser = head)]
    head: Option<String>,
}

/// What a record shows.
#[derive(Serialize)]
struct Shown {
    verdict: &'static str,
    /// Its digest as it stands; `None` where it was altered.
    head: Option<String>,
    /// What is wrong with the record as a whole.
    faults: Vec<String>,
    entries: Vec<Report>,
}

impl Verify {
    /// Verifies.
    pub(super) fn run(self, console: &Console) -> Result<Verdict> {
        let pinned = self.card.as_deref().map(card).transpose()?;
        let record = match read(&self.record) {
            Err(error @ RecorderError::Record { error: RecordError::Altered { .. }, .. }) => {
                let shown = Shown {
                    verdict: "rejected",
                    head: None,
                    faults: vec![error.to_string()],
                    entries: Vec::new(),
                };
                console.result(&shown, Shown::text)?;
                return Ok(Verdict::Rejected);
            }
            other => other?,
        };
        let head = hex::encode(record.head);
        let entries = record.entries.iter().map(judge).collect::<Result<Vec<_>, _>>()?;
        let mut verdict =
            entries.iter().map(|report| report.verdict.into()).max().unwrap_or(Verdict::Undecided);
        let mut faults = Vec::new();
        if let End::Torn { at } = record.end {
            verdict = verdict.max(Verdict::Undecided);
            faults.push(format!(
                "the last entry was cut short at byte {at} while being written, and is not judged"
            ));
        }
        if entries.is_empty() {
            faults.push("the record holds no entry".into());
        }
        let others = record
            .entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| !pinned.as_ref().is_none_or(|card| asked_under(entry, card)));
        for (index, _) in others {
            verdict = Verdict::Rejected;
            faults.push(format!("entry {index} was asked under another card than the one given"));
        }
        if let Some(noted) = self.head.filter(|noted| *noted != head) {
            verdict = Verdict::Rejected;
            faults.push(format!(
                "the record's head is {head}, and {noted} was noted: it is another record, or was changed"
            ));
        }
        let shown = Shown { verdict: verdict.name(), head: Some(head), faults, entries };
        console.result(&shown, Shown::text)?;
        Ok(verdict)
    }
}

fn asked_under(entry: &Entry, card: &Card) -> bool {
    entry.card == *card
}

impl Shown {
    fn text(&self) -> String {
        let mut text = String::new();
        for (index, report) in self.entries.iter().enumerate() {
            let _ = writeln!(text, "entry {index}\n{report}\n");
        }
        for fault in &self.faults {
            let _ = writeln!(text, "record     {fault}");
        }
        let judged = match self.entries.len() {
            1 => "1 entry".into(),
            n => format!("{n} entries"),
        };
        let verdict = if self.verdict == Verdict::Undecided.name() { "could not tell" } else { self.verdict };
        let _ = write!(text, "record     {verdict}: {judged}");
        if let Some(head) = &self.head {
            let _ = write!(text, ", head {head}");
        }
        text
    }
}

/// A head as it is typed, in the digits that it is printed in.
fn head(text: &str) -> Result<String, String> {
    let digest: Digest = hex::FromHex::from_hex(text)
        .map_err(|_| "a head is 64 hexadecimal digits; copy the one that `serin ask` printed".to_owned())?;
    Ok(hex::encode(digest))
}
