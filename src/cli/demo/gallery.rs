//! The gallery of cheats: each dishonest server is served over TCP and met, in both modes, by the client that the honest one met; and those
//! that cheat in private by the one that asked there.
//!
//! In `succinct` it is asked few questions: what only canaries find, they find in either mode, and all else the proof finds alone.

use std::fmt::Write;
use std::thread;

use anyhow::Result;
use indicatif::ProgressBar;
use serde::Serialize;
use serin_datasets::digits;
use serin_verifier::canary::judge::Verdict as CanaryVerdict;
use serin_verifier::proof::Mode;
use serin_verifier::rejection::Blame;
use serin_verifier::report::{Proof, Report, Verdict};

use super::{Promised, ask, few, quantise};
use crate::adversary::{Catcher, Cheaper, Cheat, Corrupt};
use crate::import::lower::Compiled;
use crate::import::read;
use crate::net::Step;
use crate::net::server::{Options, Server};
use crate::protocol::private::PRODUCTS;
use crate::protocol::{Answerer, Kind};
use crate::session::{Questions, SessionError};

/// What became of one cheat.
#[derive(Serialize)]
pub(super) struct Caught {
    cheat: &'static str,
    #[serde(flatten)]
    asked: Kind,
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

    /// What found it, or that nothing did.
    fn cell(&self) -> String {
        if self.by_blaming_the_server() {
            self.check.clone()
        } else {
            format!("NOT CAUGHT: {}", self.verdict)
        }
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
    let few = few(questions, QUERIES, CANARIES)?;
    let mut caught = Vec::with_capacity(2 * CHEATS);
    for cheat in cheats {
        for (mode, questions) in [(Mode::Revealed, questions), (Mode::Succinct, &few)] {
            progress(cheat.name());
            let server = Corrupt::new(promised.host(), cheat.clone())?;
            let catcher = cheat.catcher(Kind::Proved(mode), server.graph());
            if mode == Mode::Revealed || catcher != Catcher::Canaries {
                caught.push(meet(&server, Kind::Proved(mode), questions)?);
            }
        }
    }
    Ok(caught)
}

/// Meets those that cheat in private, with a share, a ciphertext, a transfer or half of the positions.
pub(super) fn in_private(
    promised: &Promised,
    questions: &Questions,
    mut progress: impl FnMut(&'static str),
) -> Result<Vec<Caught>> {
    let cheats: [Cheat; PRIVATE_CHEATS] = [
        Cheat::Shares { positions: 1 },
        Cheat::Lots { bits: 2 },
        Cheat::Garble { step: PRODUCTS, nth: 0 },
        Cheat::Garble { step: Step::oblivious(2), nth: 0 },
    ];
    let mut caught = Vec::with_capacity(PRIVATE_CHEATS);
    for cheat in cheats {
        progress(cheat.name());
        let server = Corrupt::new(promised.host().with_private()?.with_max_batch(LOT), cheat)?;
        caught.push(meet(&server, Kind::Private, questions)?);
    }
    Ok(caught)
}

/// Serves a cheat and asks it, twice if it is one that needs to have been asked before.
fn meet(corrupt: &Corrupt, kind: Kind, questions: &Questions) -> Result<Caught> {
    let server = Server::bind("127.0.0.1:0", Options::default())?;
    let (address, stop) = (server.address().to_string(), server.stop_handle());
    let bar = ProgressBar::hidden();
    thread::scope(|scope| {
        scope.spawn(|| server.serve(|channel, _| corrupt.serve(channel)));
        let mut outcome = ask(&address, corrupt.card(), kind, questions, &bar);
        if matches!(corrupt.cheat(), Cheat::Replay) && outcome.is_ok() {
            outcome = ask(&address, corrupt.card(), kind, questions, &bar);
        }
        stop.stop();
        let cheat = corrupt.cheat().name();
        match outcome {
            Ok(outcome) => {
                let Report { verdict, blame, .. } = outcome.report;
                Ok(Caught { cheat, asked: kind, verdict, check: check(&outcome.report), blame })
            }
            Err(error) => broken_off(cheat, kind, error),
        }
    })
}

/// A session that a rejection ended before there was anything to judge.
fn broken_off(cheat: &'static str, asked: Kind, error: SessionError) -> Result<Caught> {
    match error.rejection() {
        Some(rejection) => Ok(Caught {
            cheat,
            asked,
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

/// The cheats as a table, a line each.
pub(super) fn table(caught: &[Caught]) -> String {
    let lines: Vec<[String; 3]> = caught
        .chunk_by(|a, b| a.cheat == b.cheat)
        .map(|modes| {
            let of = |mode| modes.iter().find(|of| of.asked == Kind::Proved(mode));
            let cell = |mode| of(mode).map_or("canaries, as in revealed".into(), Caught::cell);
            let name = modes.first().map_or_else(String::new, |of| of.cheat.to_owned());
            [name, cell(Mode::Succinct), cell(Mode::Revealed)]
        })
        .collect();
    let title = ["the server sends", "caught in succinct by", "caught in revealed by"].map(str::to_owned);
    let mut text = String::new();
    let width = |column: usize| lines.iter().chain([&title]).map(|line| line[column].chars().count()).max();
    let [names, checks] = [0, 1].map(|column| width(column).unwrap_or(0));
    for [name, succinct, revealed] in [&title].into_iter().chain(&lines) {
        let _ = writeln!(text, "{name:<names$}  {succinct:<checks$}  {revealed}");
    }
    text
}

/// The cheats in private as a table, a line each.
pub(super) fn private_table(caught: &[Caught]) -> String {
    let names = caught.iter().map(|of| of.cheat.len()).max().unwrap_or(0);
    let mut text = format!("{:<names$}  caught in private by\n", "the server");
    for of in caught {
        let _ = writeln!(text, "{:<names$}  {}", of.cheat, of.cell());
    }
    text
}

/// How many there are.
pub(super) const CHEATS: usize = 10;
/// And in private.
pub(super) const PRIVATE_CHEATS: usize = 4;
/// Positions of a lot there, so that a batch takes several.
const LOT: usize = 8;
/// Questions asked of each in `succinct`.
const QUERIES: usize = 4;
/// And canaries, which may stay silent.
const CANARIES: usize = 4;
