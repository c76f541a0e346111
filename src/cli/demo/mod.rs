//! `serin demo`: the whole system on real digits, with nothing but this program.
//!
//! 1. the bundled digits model is quantised and committed to, its card published;
//! 2. a server process starts, on loopback ([`Process`]);
//! 3. a client pins the card and asks one batch over TCP: real digits, copies of each, hidden canaries, a proof wanted;
//! 4. it verifies, and says what the answers are worth;
//! 5. it asks the same digits again in mode `succinct`: a proof alone, which shows no activation;
//! 6. it asks some of them in private, hidden among copies and digits whose answers were proved before: the server sees nothing of them;
//! 7. the same client meets every server of the gallery of cheats, in both modes ([`gallery()`]) and in private.
//!
//! Accepted only if the honest server is, and every cheat is rejected with the server to blame.

mod gallery;
mod picture;

use std::fs;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;
use indicatif::ProgressBar;
use serde::Serialize;
use serin_circuits::graph::Graph;
use serin_circuits::tensor::Tensor;
use serin_circuits::weights::{Weights, encode_model};
use serin_datasets::Samples;
use serin_datasets::digits::{self, Part};
use serin_verifier::canary::bounds::Tolerance;
use serin_verifier::canary::plan::{plan, plan_labelled};
use serin_verifier::canary::quality::{QualityPlan, labelled_canaries};
use serin_verifier::canary::{Level, Rate};
use serin_verifier::card::Card;
use serin_verifier::proof::Mode;
use serin_verifier::record::Truth;
use serin_verifier::report::{Report, Verdict as ReportVerdict};

use super::accuracy::Accuracy;
use super::ask::said;
use super::console::Console;
use super::process::Process;
use super::{Verdict, data};
use crate::import::lower::{Compiled, Encoder, Precision, compile};
use crate::import::read;
use crate::net::{Timeouts, tcp};
use crate::protocol::{Answerer, Client, Host, Kind};
use crate::prover::Model;
use crate::session::record::Recorder;
use crate::session::{Canaries, Outcome, Questions, Session, SessionError, criteria};
use gallery::{Caught, gallery};

/// See it all at work: an honest server, a client, and a gallery of cheats, on handwritten digits
#[derive(Args, Debug)]
pub(super) struct Demo {
    /// How many digits to ask about
    #[arg(long, value_name = "R", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=450))]
    queries: u16,
    /// Each answer's security by copies and canaries alone, in bits
    #[arg(long, value_name = "BITS", default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=80))]
    bits: u32,
}

/// What the demonstration showed.
#[derive(Serialize)]
struct Shown {
    verdict: &'static str,
    card: Card,
    honest: Report,
    /// The same digits, asked in mode `succinct`.
    succinct: Report,
    /// Some of them, asked in private.
    private: Report,
    /// Answers that name the digit's true class.
    right: usize,
    cheats: Vec<Caught>,
    seconds: f64,
}

impl Demo {
    /// Shows.
    pub(super) fn run(self, console: &Console) -> Result<Verdict> {
        let start = Instant::now();
        let bar = console.steps(STEPS);
        bar.set_message("quantising the digits model");
        let promised = Promised::compile()?;
        let host = promised.host();
        let card = host.card().clone();
        console.text(&promised.text(&card))?;

        let queries = digits::samples(Part::Query).slice(0..self.queries.into())?;
        let questions = self.questions(&card, &promised.encoder, &queries)?;
        step(&bar, "starting a server process");
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let (model, pinned) = (folder.path().join("digits.serin"), folder.path().join("card.json"));
        fs::write(&model, encode_model(&promised.graph, &promised.weights))?;
        fs::write(&pinned, serde_json::to_vec(&card)?)?;
        let process = Process::serve(&model, &pinned, &["--private"])?;

        step(&bar, "asking");
        let outcome = ask(process.address(), &card, Kind::Proved(Mode::Revealed), &questions, &bar)?;
        let right = right(&outcome.report, &queries);
        bar.suspend(|| console.text(&told(&outcome, &queries, right)))?;
        step(&bar, "asking for a succinct proof");
        let few = few(&questions, queries.len(), FEW)?;
        let again = ask(process.address(), &card, Kind::Proved(Mode::Succinct), &few, &bar)?;
        bar.suspend(|| console.text(&told_again(&again)))?;
        step(&bar, "asking in private");
        let hidden = hidden(&outcome.report, &questions, self.bits)?;
        let unseen = ask(process.address(), &card, Kind::Private, &hidden, &bar)?;
        process.stop()?;
        bar.suspend(|| console.text(&told_unseen(&unseen)))?;

        step(&bar, "meeting the gallery");
        let mut cheats = gallery(&promised, &questions, |cheat| step(&bar, cheat))?;
        cheats.extend(gallery::in_private(&promised, &hidden, |cheat| step(&bar, cheat))?);
        bar.finish_and_clear();

        let (honest, succinct, private) = (outcome.report, again.report, unseen.report);
        let sound =
            [&honest, &succinct, &private].iter().all(|report| report.verdict == ReportVerdict::Accepted)
                && cheats.iter().all(Caught::by_blaming_the_server);
        let verdict = if sound { Verdict::Accepted } else { Verdict::Rejected };
        let seconds = start.elapsed().as_secs_f64();
        let shown =
            Shown { verdict: verdict.name(), card, honest, succinct, private, right, cheats, seconds };
        console.result(&shown, Shown::text)?;
        Ok(verdict)
    }

    /// Real digits, canaries enough to tell the claimed accuracy from [`ALTERNATIVE`], and the copies that these then need.
    fn questions(&self, card: &Card, encoder: &Encoder, queries: &Samples) -> Result<Questions> {
        let criteria = criteria(card, Level::new(LEVEL)?, true)?;
        let worse = Rate::left_by(ALTERNATIVE)?;
        let QualityPlan { canaries, threshold } =
            labelled_canaries(criteria.claimed_error, worse, criteria.alpha, criteria.beta)?;
        let plan = plan_labelled(
            queries.len() as u64,
            canaries,
            &Tolerance::new(threshold, Rate::ZERO)?,
            self.bits,
        )?;
        let known = digits::samples(Part::Canary).slice(0..usize::try_from(canaries)?)?;
        let truths = known.labels().unwrap_or_default().iter().map(|label| Truth::Label(*label)).collect();
        Ok(Questions {
            queries: data::encode(encoder, queries)?,
            copies: plan.mix.copies(),
            canaries: Canaries { inputs: data::encode(encoder, &known)?, truths },
            criteria,
        })
    }
}

/// The bundled model, quantised, and what is claimed of it.
struct Promised {
    graph: Graph,
    weights: Weights,
    encoder: Encoder,
    /// Right answers on the calibration samples, which is the claim.
    accuracy: Option<Accuracy>,
}

impl Promised {
    fn compile() -> Result<Self> {
        let float = read(digits::model())?;
        let Compiled { graph, weights, encoder, report } = quantise(&float)?;
        let accuracy = report.right.and_then(|right| Accuracy::of(right.integer, report.samples));
        Ok(Self { graph, weights, encoder, accuracy })
    }

    /// An honest server of it.
    fn host(&self) -> Host {
        let model = Model::new(self.graph.clone(), self.weights.clone());
        Host::new(SERVER, model, self.accuracy.map(Accuracy::value))
    }

    fn text(&self, card: &Card) -> String {
        let (digest, root) = (hex::encode(card.graph), hex::encode(card.weights));
        let claim = self.accuracy.map_or_else(|| "nothing".into(), |accuracy| accuracy.to_string());
        format!(
            "The card of a model of handwritten digits ({} parameters, {} multiply-adds):\n  \
             server   {SERVER}\n  graph    {digest}\n  weights  {root}\n  claims   {claim} right answers\n",
            self.weights.count(),
            self.graph.multiply_adds(),
        )
    }
}

/// A float model quantised on the calibration samples.
fn quantise(float: &crate::import::FloatGraph) -> Result<Compiled> {
    let samples = digits::samples(Part::Calibration);
    Ok(compile(float, samples.inputs(), samples.labels(), Precision::default())?)
}

/// Some of the questions, one copy each: where only the proof is to speak, nothing needs a crowd to hide in.
fn few(questions: &Questions, queries: usize, canaries: usize) -> Result<Questions> {
    let first = |tensor: &Tensor, count: usize| {
        let count = count.min(tensor.batch());
        tensor.select(&(0..count).collect::<Vec<_>>()).context("there is nothing to ask")
    };
    let Questions { queries: asked, canaries: Canaries { inputs, truths }, criteria, .. } = questions;
    let truths = truths.iter().take(canaries).cloned().collect();
    let canaries = Canaries { inputs: first(inputs, canaries)?, truths };
    Ok(Questions { queries: first(asked, queries)?, copies: 1, canaries, criteria: *criteria })
}

/// The first questions again, in as many copies and among as many canaries as give `bits`: the canaries are others of the questions, whose
/// answers were proved.
fn hidden(proved: &Report, questions: &Questions, bits: u32) -> Result<Questions> {
    let first = UNSEEN.min(questions.queries.batch());
    let plan = plan(first as u64, bits)?;
    let known = proved.answers.iter().enumerate();
    let known = known.filter_map(|(at, answer)| Some((at, answer.outputs.clone()?))).collect::<Vec<_>>();
    let count = plan.mix.canaries() as usize;
    // The last ones first; where there are fewer, some are asked again.
    let drawn: Vec<&(usize, Vec<i32>)> = known.iter().rev().cycle().take(count).collect();
    let of = |positions: &[usize]| questions.queries.select(positions).context("there is nothing to ask");
    Ok(Questions {
        queries: of(&(0..first).collect::<Vec<_>>())?,
        copies: plan.mix.copies(),
        canaries: Canaries {
            inputs: of(&drawn.iter().map(|(at, _)| *at).collect::<Vec<_>>())?,
            truths: drawn.iter().map(|(_, outputs)| Truth::Reference(outputs.clone())).collect(),
        },
        criteria: questions.criteria,
    })
}

/// One session over TCP under a pinned card.
fn ask(
    address: &str,
    card: &Card,
    kind: Kind,
    questions: &Questions,
    bar: &ProgressBar,
) -> Result<Outcome, SessionError> {
    let net = crate::protocol::ProtocolError::from;
    let link = tcp::connect(address, Timeouts::default()).map_err(net)?;
    let mut client = Client::open(Box::new(link), kind)?;
    let session = Session::new(card.clone(), client.graph().clone())?;
    let outcome = session
        .run(&mut client, questions, &mut Recorder::memory(), &mut |stage| bar.set_message(said(stage)));
    // The answers are here; whether the server hears the farewell changes nothing.
    let _ = client.close();
    outcome
}

fn right(report: &Report, queries: &Samples) -> usize {
    let labels = queries.labels().unwrap_or_default();
    let answers = report.answers.iter().zip(labels);
    answers.filter(|(answer, label)| answer.class == Some(**label as usize)).count()
}

fn told(Outcome { report, judging, .. }: &Outcome, queries: &Samples, right: usize) -> String {
    let pictures = picture::row(queries, &report.answers);
    let (asked, checked) = (queries.len(), judging.as_secs_f64());
    format!("\n{pictures}\n{right} of {asked} digits read rightly.\n\n{report}, {checked:.3} s to check\n")
}

fn told_again(Outcome { report, judging, .. }: &Outcome) -> String {
    let Report { asked, proof, costs, verdict, .. } = report;
    let (waited, checked) = (costs.waited.as_secs_f64(), judging.as_secs_f64());
    format!(
        "\nThe same digits again in mode succinct, {} positions: {verdict}\nproof      {proof}\ncost       {waited:.3} s waited, {checked:.3} s to check\n",
        asked.positions()
    )
}

fn told_unseen(Outcome { report, .. }: &Outcome) -> String {
    let Report { asked, costs, verdict, worth, .. } = report;
    format!(
        "\n{} of them in private, {} positions: {verdict}\nmixing     {:.1} bits against false answers at chosen positions; the server saw none of the digits\ncost       {:.1} MB both ways, {:.3} s\n\nThe gallery, met by the same client:\n",
        asked.queries,
        asked.positions(),
        worth.mixing_bits.unwrap_or(0.0),
        (costs.sent + costs.received) as f64 / 1e6,
        costs.waited.as_secs_f64(),
    )
}

fn step(bar: &ProgressBar, what: &'static str) {
    bar.inc(1);
    bar.set_message(what);
}

impl Shown {
    fn text(&self) -> String {
        let caught = self.cheats.iter().filter(|cheat| cheat.by_blaming_the_server()).count();
        let [revealed, succinct, private] =
            [&self.honest, &self.succinct, &self.private].map(|report| report.verdict);
        let (proved, hidden) = self.cheats.split_at(self.cheats.len() - gallery::PRIVATE_CHEATS);
        format!(
            "{}\n{}\nhonest server {revealed} in revealed, {succinct} in succinct and {private} in private; {} cheats met {} times, {caught} times rejected and the server blamed, in {:.1} s",
            gallery::table(proved),
            gallery::private_table(hidden),
            gallery::CHEATS + gallery::PRIVATE_CHEATS,
            self.cheats.len(),
            self.seconds
        )
    }
}

/// Compiling, starting, asking three times, and each cheat.
const STEPS: u64 = 5 + 2 * gallery::CHEATS as u64 + gallery::PRIVATE_CHEATS as u64;
/// Digits asked in private.
const UNSEEN: usize = 4;
/// Canaries asked with the digits in mode `succinct`.
const FEW: usize = 48;
const SERVER: &str = "finch";
/// False alarms and misses.
const LEVEL: f64 = 1e-3;
/// An accuracy that the canaries must tell from the claimed one.
const ALTERNATIVE: f64 = 0.9;
