//! `serin ask`: questions for a server, hidden canaries among them, and what the answers are worth.

use std::fmt::Write;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Serialize;
use serin_datasets::{Source, load};
use serin_verifier::rejection::{Blame, Rejection};
use serin_verifier::report::Report;

use super::connect::Connect;
use super::console::{Console, warn};
use super::data::ReadingPath;
use super::how::How;
use super::mixing::{Mixed, Mixing};
use super::private::{Spent, Stock};
use super::{Verdict, data};
use crate::protocol::Protocol;
use crate::session::record::Recorder;
use crate::session::{Outcome, Questions, Session, SessionError, Stage};

/// Ask a server, with copies and hidden canaries, and say what its answers are worth
///
/// Questions and canaries are shuffled and sent as one batch, in the clear but for TLS, or, by --protocol private, so that the server
/// sees nothing of them. What came back is recorded before it is judged; `serin verify` judges the record again, by the same rules, anywhere.
#[derive(Args, Debug)]
#[command(after_long_help = data::HELP)]
pub(super) struct Ask {
    #[command(flatten)]
    connect: Connect,
    /// The questions
    #[arg(long, value_name = "DATA")]
    queries: Source,
    /// Ask these samples of it only, counted from 0, as 0..16
    #[arg(long, value_name = "FROM..TO")]
    rows: Option<Rows>,
    #[command(flatten)]
    mixing: Mixing,
    #[command(flatten)]
    reading: ReadingPath,
    #[command(flatten)]
    how: How,
    #[command(flatten)]
    stock: Stock,
    /// Append what was asked and answered to this record
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

/// A range of samples.
#[derive(Clone, Debug)]
struct Rows(std::ops::Range<usize>);

impl FromStr for Rows {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ends = text.split_once("..").and_then(|(a, b)| Some(a.parse().ok()?..b.parse().ok()?));
        ends.filter(|range| !range.is_empty()).map(Self).ok_or_else(|| "a range is FROM..TO, as 0..16".into())
    }
}

/// A session that ended, for scripts.
#[derive(Serialize)]
struct Answered<'a> {
    #[serde(flatten)]
    report: &'a Report,
    record: Option<Recorded<'a>>,
    /// Of private questions.
    #[serde(skip_serializing_if = "Option::is_none")]
    private_costs: Option<Spent>,
    judging_s: f64,
}

/// Where the record is, and its head.
#[derive(Serialize)]
struct Recorded<'a> {
    file: &'a PathBuf,
    head: String,
}

/// A session that was broken off because somebody was caught.
#[derive(Serialize)]
pub(super) struct Caught {
    verdict: &'static str,
    blame: Blame,
    reason: String,
}

impl Ask {
    /// Asks.
    pub(super) fn run(self, console: &Console) -> Result<Verdict> {
        let (card, kind) = (self.connect.card()?, self.how.kind()?);
        self.stock.check(kind)?;
        let bar = console.doing("connecting");
        let mut client = self.connect.open(kind)?;
        let session = match Session::with(card, &client) {
            Ok(session) => session,
            Err(error) => return caught(console, error),
        };
        let questions = self.questions(&session, client.max_batch()?)?;
        if let Some(text) = self.mixing.warning(kind) {
            warn(text);
        }
        self.stock.hand_to(&mut client)?;
        if kind.hides_questions() {
            let (told, positions) = (bar.clone(), questions.positions());
            client.watch(Box::new(move |done| {
                told.set_message(format!("{} of {positions} positions answered", done.min(positions)));
            }))?;
        }
        let mut record = Record::open(self.record.as_ref())?;
        let outcome =
            session.run(&mut client as &mut dyn Protocol, &questions, &mut record.recorder, &mut |stage| {
                bar.set_message(said(stage));
            });
        bar.finish_and_clear();
        let spent = Spent::by(&client, self.connect.reach.line.as_ref());
        // The server hears the same farewell whatever became of its answers; whether it does changes nothing here.
        let _ = client.close();
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(error) => {
                record.forget_if_new();
                return caught(console, error);
            }
        };
        self.show(console, &outcome, spent)?;
        Ok(outcome.report.verdict.into())
    }

    /// What to ask, in a batch of at most `most` samples.
    fn questions(&self, session: &Session, most: usize) -> Result<Questions> {
        let encoder = self.reading.encoder(session.card(), session.graph().input())?;
        let mut samples = load(&self.queries)?;
        if let Some(Rows(rows)) = &self.rows {
            samples = samples
                .slice(rows.clone())
                .with_context(|| format!("--rows does not fit {}", data::name(&self.queries)))?;
        }
        let queries = data::encode(&encoder, &samples)
            .with_context(|| format!("{} does not fit the model", data::name(&self.queries)))?;
        let Mixed { copies, canaries, criteria } =
            self.mixing.draw(session.card(), &encoder, samples.len() as u64)?;
        let (asked, hidden) = (samples.len() as u64, canaries.truths.len() as u64);
        ensure!(
            asked.saturating_mul(copies).saturating_add(hidden) <= most as u64,
            "{asked} queries × {copies} copies + {hidden} canaries are more than the {most} samples that this server takes at once; ask fewer by --rows, or set --copies and --canary-count"
        );
        Ok(Questions { queries, copies, canaries, criteria })
    }

    fn show(&self, console: &Console, outcome: &Outcome, private_costs: Option<Spent>) -> Result<()> {
        let file = self.record.as_ref();
        let answered = Answered {
            report: &outcome.report,
            record: file.map(|file| Recorded { file, head: hex::encode(outcome.head) }),
            private_costs,
            judging_s: outcome.judging.as_secs_f64(),
        };
        console.result(&answered, |answered| {
            let mut text = answers(answered.report);
            let _ = writeln!(text, "\n{}, {:.3} s to check", answered.report, answered.judging_s);
            text += &answered.private_costs.as_ref().map(Spent::text).unwrap_or_default();
            if let Some(Recorded { file, head }) = &answered.record {
                let _ = write!(text, "record     {}, head {head}", file.display());
            }
            text
        })
    }
}

/// The record of a session, in a file or in memory.
pub(super) struct Record<'a> {
    /// What writes it.
    pub(super) recorder: Recorder,
    /// The file, if this session made it.
    new: Option<&'a PathBuf>,
}

impl<'a> Record<'a> {
    /// Opens it to append to it.
    pub(super) fn open(path: Option<&'a PathBuf>) -> Result<Self> {
        let new = path.filter(|path| !path.exists());
        let recorder = match path {
            Some(path) => Recorder::open(path)?,
            None => Recorder::memory(),
        };
        Ok(Self { recorder, new })
    }

    /// Removes a file that this session made and wrote nothing to.
    pub(super) fn forget_if_new(&self) {
        let empty = *self.recorder.head() == serin_verifier::record::begin().1;
        if let Some(path) = self.new.filter(|_| empty) {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// The verdict on a session that came to no end: somebody was caught, or it is no verdict but an error.
pub(super) fn caught(console: &Console, error: SessionError) -> Result<Verdict> {
    let Some(rejection) = error.rejection() else {
        return Err(error.into());
    };
    let caught =
        Caught { verdict: "rejected", blame: Rejection::blame(rejection), reason: error.to_string() };
    console.result(&caught, |caught| {
        format!("verdict    rejected; {} is to blame\nreason     {}", caught.blame, caught.reason)
    })?;
    Ok(Verdict::Rejected)
}

/// What is being done, in a word.
pub(super) fn said(stage: Stage) -> String {
    match stage {
        Stage::Asking { positions } => format!("asking {positions} positions"),
        Stage::Recording => "recording".into(),
        Stage::Judging => "checking".into(),
    }
}

/// The answers, a line each.
fn answers(report: &Report) -> String {
    let mut text = String::new();
    for answer in report.answers.iter().take(MOST_ANSWERS) {
        let _ = match answer.class {
            Some(class) => writeln!(text, "query {:>4}  class {class}", answer.query),
            None => writeln!(text, "query {:>4}  its copies do not agree", answer.query),
        };
    }
    if report.answers.len() > MOST_ANSWERS {
        let _ = writeln!(text, "… {} more; all of them by --json", report.answers.len() - MOST_ANSWERS);
    }
    text
}

/// Answers printed for people.
const MOST_ANSWERS: usize = 20;
