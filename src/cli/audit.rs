//! `serin audit`: what many batches together say about one model.
//!
//! Against a server it is a campaign of canaries alone; over saved records it asks nobody.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::{ArgGroup, Args};
use serin_datasets::{Source, load};
use serin_verifier::canary::Level;
use serin_verifier::card::Card;
use serin_verifier::record::{End, Entry};

use super::Verdict;
use super::accuracy::{Accuracy, level};
use super::ask::{Record, caught, said};
use super::connect::{Reach, card};
use super::console::{Console, warn};
use super::data::{self, ReadingPath};
use super::how::How;
use super::mixing::{draw, terms};
use super::private::Stock;
use crate::audit::{Audit, Campaign, CampaignError, Looks, audit};
use crate::protocol::Kind;
use crate::session::Session;
use crate::session::record::read;

/// Find out what a server's model is worth, by canaries alone; or what saved records say
///
/// The report gives the failures k of T canaries, both confidence bounds of the error rate, and what so many canaries could and could
/// not have found. A server may notice that a campaign holds no real question.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("subject").required(true).args(["server", "records"]), after_long_help = data::HELP)]
pub(super) struct Inquiry {
    /// Saved records to audit, in this order
    #[arg(value_name = "RECORD")]
    records: Vec<PathBuf>,
    /// The card you trust, from elsewhere than this server
    #[arg(long, value_name = "FILE")]
    card: Option<PathBuf>,
    /// A server to ask
    #[arg(long, value_name = "HOST:PORT", requires_all = ["card", "canaries"])]
    server: Option<String>,
    #[command(flatten)]
    reach: Reach,
    /// Labelled samples to draw canaries from
    #[arg(long, value_name = "DATA", requires = "server")]
    canaries: Option<Source>,
    /// How many canaries to ask; all of them unless given
    #[arg(long, value_name = "T", requires = "server", value_parser = clap::value_parser!(u32).range(1..))]
    canary_count: Option<u32>,
    /// The most canaries in one batch
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    #[command(flatten)]
    how: How,
    #[command(flatten)]
    stock: Stock,
    #[command(flatten)]
    reading: ReadingPath,
    /// Be assured of at least this accuracy, as 0.95; short of that the audit could not tell
    #[arg(long, value_name = "ACCURACY", requires = "server")]
    assure: Option<Accuracy>,
    /// How often an honest server may be rejected, and each bound be wrong
    #[arg(long, default_value = "0.001", value_parser = level)]
    alpha: Level,
    /// Append what was asked and answered to this record
    #[arg(long, value_name = "FILE", requires = "server")]
    record: Option<PathBuf>,
    /// The records' canaries were fixed in number beforehand: test them once, together, instead of as if looked at after each batch
    #[arg(long, conflicts_with = "server")]
    once: bool,
}

impl Inquiry {
    /// Audits.
    pub(super) fn run(self, console: &Console) -> Result<Verdict> {
        let pinned = self.card.as_deref().map(card).transpose()?;
        match (&self.server, &self.canaries, pinned) {
            (Some(server), Some(canaries), Some(card)) => self.campaign(console, server, canaries, card),
            (_, _, pinned) => self.records(console, pinned.as_ref()),
        }
    }

    fn campaign(&self, console: &Console, server: &str, canaries: &Source, card: Card) -> Result<Verdict> {
        let pool = load(canaries)?;
        let mut criteria = terms(&card, self.alpha, true)?;
        criteria.least_accuracy = self.assure.map(Accuracy::value);
        let count = self.canary_count.map_or(pool.len(), |count| count as usize);
        ensure!(count <= pool.len(), "{count} canaries are to be asked and {} are there", pool.len());

        let kind = self.how.kind()?;
        self.stock.check(kind)?;
        let mut client = self.reach.open(server, kind)?;
        let session = match Session::with(card, &client) {
            Ok(session) => session,
            Err(error) => return caught(console, error),
        };
        let encoder = self.reading.encoder(session.card(), session.graph().input())?;
        let canaries = draw(&pool, count, &encoder)?;
        let batch = (self.batch as usize).min(client.max_batch()?);
        self.stock.hand_to(&mut client)?;
        if kind == Kind::Private {
            client.expect(count)?;
        }
        let campaign = Campaign { session: &session, canaries, criteria, batch };
        let mut record = Record::open(self.record.as_ref())?;
        let bar = console.steps(count as u64);
        let done = campaign.run(&mut client, &mut record.recorder, &mut |done, stage| {
            bar.set_position(done as u64);
            bar.set_message(said(stage));
        });
        bar.finish_and_clear();
        // The server hears the same farewell whatever became of its answers.
        let _ = client.close();
        match done {
            Ok(audit) => show(console, &audit),
            Err(error) => {
                record.forget_if_new();
                match error {
                    CampaignError::Session { error, .. } if error.rejection().is_some() => {
                        caught(console, error)
                    }
                    error => Err(error.into()),
                }
            }
        }
    }

    fn records(&self, console: &Console, pinned: Option<&Card>) -> Result<Verdict> {
        let mut entries: Vec<Entry> = Vec::new();
        for path in &self.records {
            let record = read(path)?;
            if let End::Torn { at } = record.end {
                let shown = path.display();
                warn(format_args!("{shown}: the last entry was cut short at byte {at} and is left out"));
            }
            entries.extend(record.entries);
        }
        if let Some(card) = pinned {
            let other = entries.iter().position(|entry| entry.card != *card);
            ensure!(
                other.is_none(),
                "batch {} was asked under another card than the one given; audit it under its own",
                other.unwrap_or_default()
            );
        }
        let looks = if self.once { Looks::Once } else { Looks::Often };
        show(console, &audit(&entries, looks).context("the records cannot be audited")?)
    }
}

fn show(console: &Console, audit: &Audit) -> Result<Verdict> {
    console.result(audit, ToString::to_string)?;
    Ok(audit.verdict.into())
}
