//! What one answer costs that is safe from a server that does anything: a thousand questions, 5 copies of each and 4 canaries among them.
//!
//! By `serin plan --queries 1000 --bits 40` a wrong answer then stays unnoticed with at most 2^−44.6. The batch of 5,004 positions is measured
//! as one, beside the thousand alone; maliciously secure peers stand beside it, whose figures are of one answer, too.

use std::fmt;
use std::path::Path;
use std::process::Command;

use anyhow::Context;

use super::network::Network;
use super::report::Serin;
use super::run::{Absent, Outcome, printed};
use super::table::Row;

/// One answer of a thousand, with and without mixing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mixed {
    alone: Answer,
    mixed: Answer,
}

/// One answer's part of a batch.
#[derive(Clone, Copy, Debug)]
struct Answer {
    bytes: f64,
    wall_s: f64,
    cpu_s: f64,
}

/// Serin on the MLP.
pub(crate) fn serin(program: &Path, models: Option<&Path>) -> Outcome<Mixed> {
    let Some(file) = models.and_then(|models| Network::Mlp.file(models)) else {
        return Ok(Err(Absent(
            "the mix is measured on the MLP: name its folder with --models FOLDER".into(),
        )));
    };
    let mut command = Command::new(program);
    let batches = format!("{QUERIES},{POSITIONS}");
    command.arg("bench").arg(file).args(["--protocol", "private", "--batch", &batches, "--json"]);
    let reports: Vec<Serin> = printed(&mut command)?;
    let answer = |batch: usize| {
        let report = reports.iter().find(|report| report.batch == batch);
        report.map(Answer::of).with_context(|| format!("{command:?} reports no batch of {batch}"))
    };
    Ok(Ok(Mixed { alone: answer(QUERIES)?, mixed: answer(POSITIONS)? }))
}

impl Mixed {
    /// What a maliciously secure peer's one answer costs more, if it is one and on this network.
    pub(crate) fn beside(&self, row: &Row) -> Option<String> {
        let fits = row.against == "malicious" && row.batch == 1 && row.network == Network::Mlp.name();
        let (bytes, wall_s) = (row.bytes.filter(|_| fits)?, row.wall_s?);
        let (traffic, time) = (bytes / self.mixed.bytes, wall_s / self.mixed.wall_s);
        Some(format!(
            "{}: {traffic:.0}× the traffic, {time:.0}× the time ({})",
            row.system,
            row.source.said()
        ))
    }
}

impl Answer {
    fn of(report: &Serin) -> Self {
        let Serin { offline_cpu_s: offline, online_cpu_s: online, .. } = report;
        let part = 1.0 / QUERIES as f64;
        Self {
            bytes: (report.bytes_to_server + report.bytes_to_client) as f64 * part,
            wall_s: (report.offline_wall_s + report.online_wall_s) * part,
            cpu_s: (offline.client + offline.server + online.client + online.server) * part,
        }
    }
}

impl fmt::Display for Mixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { alone, mixed } = self;
        write!(
            f,
            "{:.1} kB, {:.2} ms by the clock, {:.2} ms of CPU at both ends: {:.3}× the bytes and {:.2}× the CPU of the thousand alone",
            mixed.bytes / 1e3,
            mixed.wall_s * 1e3,
            mixed.cpu_s * 1e3,
            mixed.bytes / alone.bytes,
            mixed.cpu_s / alone.cpu_s,
        )
    }
}

const QUERIES: usize = 1000;
const POSITIONS: usize = 5 * QUERIES + 4;
