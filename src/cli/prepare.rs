//! `serin prepare`: lots for private questions, before anybody knows these.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;

use super::Verdict;
use super::ask::caught;
use super::connect::Connect;
use super::console::Console;
use crate::protocol::private::Lots;
use crate::protocol::private::pool::{Label, Pool};
use crate::protocol::{Kind, Protocol};
use crate::session::{Session, SessionError};

/// Prepare private questions ahead of time, so that asking them takes little
///
/// All of private inference that does not depend on the questions is done now, lot by lot: a lot serves one batch of up to its
/// positions, once. This end keeps its half in a folder, the server, started with --pool, the other; `serin ask --protocol private
/// --pool` spends them. Lots are secret, and spending one twice shows how two questions differ: keep the folder out of backups, and never
/// put one back.
#[derive(Args, Debug)]
pub(super) struct Prepare {
    #[command(flatten)]
    connect: Connect,
    /// The folder to keep lots in; made if there is none
    #[arg(long, value_name = "FOLDER")]
    pool: PathBuf,
    /// Positions of each lot: queries × copies + canaries of the batch it is for, as `serin plan` counts them
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    positions: u32,
    /// How many lots
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    lots: u32,
}

/// What was prepared, and what it cost.
#[derive(Serialize)]
struct Prepared<'a> {
    /// Lots kept.
    lots: u32,
    /// Positions of all of them.
    positions: u64,
    sent: u64,
    received: u64,
    rounds: u64,
    seconds: f64,
    /// The line at this end, as it was typed; none is the network's own.
    line: Option<&'a str>,
    pool: Holds<'a>,
}

/// What the pool holds for this model.
#[derive(Serialize)]
struct Holds<'a> {
    folder: &'a PathBuf,
    lots: usize,
    positions: u64,
    /// Those of other models included.
    bytes: u64,
}

impl Prepare {
    /// Prepares.
    pub(super) fn run(self, console: &Console) -> Result<Verdict> {
        let card = self.connect.card()?;
        let mut client = self.connect.open(Kind::Private)?;
        if let Err(error) = Session::with(card, &client) {
            return caught(console, error);
        }
        client.max_batch()?;
        client.set_lots(Lots::PoolOnly(Pool::open(&self.pool)?))?;
        let (before, start, mut kept) = (client.meter(), Instant::now(), 0);
        let bar = console.steps(self.lots.into());
        bar.set_message("preparing lots");
        let filled = client.fill(self.lots as usize, self.positions as usize, || {
            kept += 1;
            bar.inc(1);
        });
        bar.finish_and_clear();
        if let Err(error) = filled.map_err(SessionError::from) {
            if error.rejection().is_some() {
                return caught(console, error);
            }
            let kept = format!("{kept} of {} lots are kept; the next could not be prepared", self.lots);
            return Err(error).context(kept);
        }
        let (after, seconds) = (client.meter(), start.elapsed().as_secs_f64());
        let labels = client.held()?;
        // All is kept at both ends; whether the server hears the farewell changes nothing.
        let _ = client.close();
        let prepared = Prepared {
            lots: kept,
            positions: u64::from(kept) * u64::from(self.positions),
            sent: after.sent - before.sent,
            received: after.received - before.received,
            rounds: after.rounds - before.rounds,
            seconds,
            line: self.connect.reach.line.as_ref().map(|line| &*line.text),
            pool: Holds {
                folder: &self.pool,
                lots: labels.len(),
                positions: positions(&labels),
                bytes: Pool::open(&self.pool)?.bytes()?,
            },
        };
        console.result(&prepared, Prepared::text)?;
        Ok(Verdict::Accepted)
    }
}

impl Prepared<'_> {
    fn text(&self) -> String {
        let Self { lots, positions, sent, received, rounds, seconds, pool, .. } = self;
        let of = |n: usize| format!("{n} lot{}", if n == 1 { "" } else { "s" });
        format!(
            "prepared   {}, {positions} positions\n\
             cost       {sent} B sent, {received} B received, {rounds} rounds, {seconds:.3} s\n\
             pool       {} holds {} of this model, {} positions, {} B in all",
            of(*lots as usize),
            pool.folder.display(),
            of(pool.lots),
            pool.positions,
            pool.bytes
        )
    }
}

fn positions(labels: &[Label]) -> u64 {
    labels.iter().map(|label| u64::from(label.positions)).sum()
}
