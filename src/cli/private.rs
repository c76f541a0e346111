//! Asking in private: where lots come from, and what it cost.

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;
use serde::Serialize;

use super::connect::Line;
use crate::protocol::private::pool::Pool;
use crate::protocol::private::{Cost, Ledger, Lots};
use crate::protocol::{Client, Kind};

/// What was prepared ahead of private questions.
#[derive(Args, Debug)]
pub(super) struct Stock {
    /// In private, spend what `serin prepare` keeps in this folder; what is missing is prepared as it is needed
    #[arg(long, value_name = "FOLDER", requires = "server")]
    pool: Option<PathBuf>,
    /// Prepare nothing: ask only if the pool has enough
    #[arg(long, requires = "pool")]
    pool_only: bool,
}

impl Stock {
    /// Refuses a pool that is not there, or is of no use to questions of this kind.
    pub(super) fn check(&self, kind: Kind) -> Result<()> {
        if let Some(folder) = &self.pool {
            ensure!(
                kind == Kind::Private,
                "--pool is for --protocol private; add that, or leave --pool away"
            );
            ensure!(
                folder.is_dir(),
                "there is no pool in {}; fill one with `serin prepare`, or check the path",
                folder.display()
            );
        }
        Ok(())
    }

    /// Has the client take its lots from here.
    pub(super) fn hand_to(&self, client: &mut Client) -> Result<()> {
        let Some(folder) = &self.pool else { return Ok(()) };
        let pool = Pool::open(folder)?;
        Ok(client.set_lots(if self.pool_only { Lots::PoolOnly(pool) } else { Lots::Pool(pool) })?)
    }
}

/// What private questions cost.
#[derive(Debug, Serialize)]
pub(super) struct Spent {
    /// The line at this end, as it was typed; none is the network's own.
    line: Option<String>,
    /// Everything before the questions but the set-up, of lots prepared in this conversation.
    offline: Cost,
    /// Everything from the questions on.
    online: Cost,
    /// The set-up, and the same by node.
    #[serde(flatten)]
    ledger: Ledger,
}

impl Spent {
    /// What it cost so far; none where nothing was asked in private.
    pub(super) fn by(client: &Client, line: Option<&Line>) -> Option<Self> {
        let ledger = client.ledger()?.clone();
        let line = line.map(|line| line.text.clone());
        Some(Self { line, offline: ledger.offline(), online: ledger.online(), ledger })
    }

    /// A line for each part that cost something.
    pub(super) fn text(&self) -> String {
        let parts = [("set-up", self.ledger.setup), ("offline", self.offline), ("online", self.online)];
        let mut text = String::new();
        for (name, cost) in parts {
            let _ = match cost {
                Cost { sent: 0, received: 0, .. } => {
                    writeln!(text, "{name:<10} nothing: it was prepared before")
                }
                Cost { sent, received, rounds, wall_s, .. } => writeln!(
                    text,
                    "{name:<10} {sent} B sent, {received} B received, {rounds} rounds, {wall_s:.3} s"
                ),
            };
        }
        text
    }
}
