//! The gallery of cheats: each dishonest server is served over TCP and met by the client that the honest one met.

use std::fmt::Write;
use std::thread;

use anyhow::Result;
use indicatif::ProgressBar;
use serde::Serialize;
use serin_datasets::digits;
use serin_verifier::canary::judge::Verdict as CanaryVerdict;
use serin_verifier::rejection::Blame;
use serin_verifier::report::{Proof, Report, Verdict};

use super::{Promised, ask, quantise};
use crate::adversary::{Cheaper, Cheat, Corrupt};
use crate::import::lower::Compiled;
use crate::import::read;
use crate::net::server::{Options, Server};
use crate::protocol::{Answerer, serve_link};
use crate::session::{Questions, SessionError};

/// What became of one cheat.
#[derive(Serialize)]
pub(super) struct Caught {
    cheat: &'static str,
    verdict: Verdict,
    /// The check that found it, and what it found.
    check: String,
    blame: Option<Blame>,
}

impl Caught {
    /// Whether it was rejected, and the server blamed.
    pub(super) fn by_blaming_the_server(&self) -> bool {
        self.verdict == Verdict::Rejected && self.blame == Some(Blame::Server)
    }
}

/// Meets every cheat; `progress` is told of each.
pub(super) fn gallery(
    promised: &Promised,
    questions: &Questions,
    mut progress: impl FnMut(&'static str),
) -> Result<Vec<Caught>> {
    let Compiled { graph, weights, .. } = quantise(&read(digits::cheap_model())?)?;
    let cheaper = Cheaper { graph, weights };
    let cheats: [Cheat; CHEATS] = [
        Cheat::Coarse { bits: 4 },
        Cheat::Substitute(cheaper.clone()),
        Cheat::Overclaim(cheaper.clone()),
        Cheat::Logit,
        Cheat::Weight,
        Cheat::Activation { recomputed: false },
        Cheat::Activation { recomputed: true },
        Cheat::Replay,
        Cheat::Swap,
        Cheat::Recognise { known: questions.canaries.inputs.clone(), cheaper },
    ];
    let meet = |cheat: Cheat| {
        progress(cheat.name());
        let server = Corrupt::new(promised.host(), cheat)?;
        meet(&server, questions)
    };
    cheats.into_iter().map(meet).collect()
}

/// Serves a cheat and asks it, twice if it is one that needs to have been asked before.
fn meet(corrupt: &Corrupt, questions: &Questions) -> Result<Caught> {
    let server = Server::bind("127.0.0.1:0", Options::default())?;
    let (address, stop) = (server.address().to_string(), server.stop_handle());
    let bar = ProgressBar::hidden();
    thread::scope(|scope| {
        scope.spawn(|| server.serve(|channel, _| serve_link(channel, corrupt)));
        let mut outcome = ask(&address, corrupt.card(), questions, &bar);
        if matches!(corrupt.cheat(), Cheat::Replay) && outcome.is_ok() {
            outcome = ask(&address, corrupt.card(), questions, &bar);
        }
        stop.stop();
        let cheat = corrupt.cheat().name();
        match outcome {
            Ok(outcome) => {
                let Report { verdict, blame, .. } = outcome.report;
                Ok(Caught { cheat, verdict, check: check(&outcome.report), blame })
            }
            Err(error) => broken_off(cheat, error),
        }
    })
}

/// A session that a rejection ended before there was anything to judge.
fn broken_off(cheat: &'static str, error: SessionError) -> Result<Caught> {
    match error.rejection() {
        Some(rejection) => Ok(Caught {
            cheat,
            verdict: error.verdict(),
            check: rejection.to_string(),
            blame: Some(rejection.blame()),
        }),
        None => Err(error.into()),
    }
}

/// The first check that speaks against the server.
fn check(report: &Report) -> String {
    match (&report.proof, &report.canaries.verdict) {
        (Proof::Rejected(rejection), _) => format!("proof: {}", rejection.place),
        (_, CanaryVerdict::Rejected { reasons }) => {
            let first = reasons.first().map(ToString::to_string).unwrap_or_default();
            format!("canaries: {first}")
        }
        _ => "none".into(),
    }
}

/// The cheats as a table.
pub(super) fn table(cheats: &[Caught]) -> String {
    let width = cheats.iter().map(|cheat| cheat.cheat.chars().count()).max().unwrap_or(0);
    let checks = cheats.iter().map(|cheat| cheat.check.chars().count()).max().unwrap_or(0);
    let mut text =
        format!("{:<width$}  {:<9}  {:<checks$}  blames\n", "the server sends", "verdict", "caught by");
    for Caught { cheat, verdict, check, blame } in cheats {
        let blame = blame.map_or_else(|| "nobody".into(), |blame| blame.to_string());
        let _ = writeln!(text, "{cheat:<width$}  {verdict:<9}  {check:<checks$}  {blame}");
    }
    text
}

/// How many there are.
pub(super) const CHEATS: usize = 10;
