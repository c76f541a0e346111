//! `serin bench`: what inference, proving and verifying one model cost, or computing it in private, by batch size
//! ([`crate::measure`]).

mod private;

use std::fmt::Write;

use anyhow::{Context, Result, ensure};
use clap::Args;
use indicatif::ProgressBar;
use private::Pair;
use serde::Serialize;
use serin_circuits::graph::Port;
use serin_circuits::tensor::Tensor;
use serin_datasets::synthetic::SplitMix64;
use serin_verifier::limits::MAX_BATCH;
use serin_verifier::proof::Mode;

use super::compile::Quantisation;
use super::connect::Line;
use super::console::Console;
use super::file::OnnxPath;
use super::how::How;
use super::{Verdict, data};
use crate::import::lower::Compiled;
use crate::measure;
use crate::protocol::Kind;
use crate::prover::Model;

/// Measure inference, proving and verification of an ONNX model, or private inference with it
///
/// Times are CPU seconds over all threads, the least of several runs after a warm-up (about a second's worth each, at least 3;
/// one run where it takes 10 s or more). Questions are the calibration data, repeated as needed, or random. The proof's bytes are
/// counted without the activations, which stand apart. In private, a server process and this one talk over loopback, and every figure is
/// a mean over some seconds of batches, after one that exchanges keys.
#[derive(Args, Debug)]
#[command(after_long_help = data::HELP)]
pub(super) struct Bench {
    /// The model
    #[arg(value_name = "MODEL.onnx")]
    model: OnnxPath,
    #[command(flatten)]
    how: Quantisation,
    #[command(flatten)]
    asked: How,
    /// In private, as over a line of this bandwidth and round trip: lan, wan, or MBIT,MS
    #[arg(long, value_name = "LINE")]
    line: Option<Line>,
    /// Batch sizes, as 1,64; of several, the cost of one more query is told too, but in private
    #[arg(long, value_name = "N,..", value_delimiter = ',', default_value = "1", value_parser = batch)]
    batch: Vec<usize>,
    /// Threads to compute on, 0 for one per core: one gives the plain cost, without idle workers' waiting
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: usize,
}

/// The figures of one batch size.
#[derive(Debug, Serialize)]
struct Figures {
    model: String,
    mode: Mode,
    #[serde(flatten)]
    of_batch: measure::Batch,
    #[serde(flatten)]
    of_model: measure::Once,
    /// Of all batches, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    slope: Option<measure::Slope>,
}

impl Bench {
    /// Measures.
    pub(super) fn run(self, console: &Console) -> Result<Verdict> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(self.threads).build_global();
        pool.context("cannot start as many threads")?;
        let bar = console.doing("compiling");
        let (model, questions) = self.prepare()?;
        let Some(mode) = self.mode()? else {
            return self.run_privately(console, bar, model, &questions);
        };
        bar.set_message("measuring the commitment");
        let of_model = measure::once(&model);
        let mut measured = Vec::new();
        for &batch in &self.batch {
            bar.set_message(format!("measuring batches of {batch}"));
            let inputs = questions.batch(model.graph().input(), batch)?;
            let of_batch = measure::batch(&model, &inputs, mode);
            measured.push(of_batch.with_context(|| format!("a batch of {batch} has no {mode} proof"))?);
        }
        bar.finish_and_clear();
        let (slope, model) = (measure::slope(&measured), self.model.0.display().to_string());
        let figures = measured.into_iter().map(|of_batch| {
            let model = model.clone();
            Figures { model, mode, of_batch, of_model, slope }
        });
        let figures: Vec<_> = figures.collect();
        console.result(&figures, |figures| text(figures))?;
        Ok(Verdict::Accepted)
    }

    /// The mode of the proofs to measure; none in private.
    fn mode(&self) -> Result<Option<Mode>> {
        let kind = self.asked.kind()?;
        ensure!(
            kind != Kind::Plain,
            "--protocol plain costs what inferring does, which every bench tells; take proved or private"
        );
        ensure!(kind == Kind::Private || self.line.is_none(), "--line is for --protocol private");
        Ok(kind.mode())
    }

    fn run_privately(
        &self,
        console: &Console,
        bar: ProgressBar,
        model: Model,
        questions: &Questions,
    ) -> Result<Verdict> {
        bar.set_message("starting a server process");
        let mut pair = Pair::start(model, self.line.clone())?;
        let mut figures = Vec::new();
        for &batch in &self.batch {
            bar.set_message(format!("measuring batches of {batch}"));
            let inputs = questions.batch(pair.model().graph().input(), batch)?;
            figures.push(pair.measure(&self.model.0, &inputs)?);
        }
        bar.finish_and_clear();
        console.result(&figures, |figures| private::text(figures))?;
        Ok(Verdict::Accepted)
    }

    fn prepare(&self) -> Result<(Model, Questions)> {
        let float = data::onnx(&self.model.0)?;
        let Compiled { graph, weights, encoder, .. } = self.how.compile(&float)?;
        drop(float);
        let questions = match &self.how.data {
            Some(source) => Questions::Given(data::encoded(&encoder, source)?.0),
            None => Questions::Random(self.how.seed),
        };
        Ok((Model::new(graph, weights), questions))
    }
}

/// What is asked.
enum Questions {
    /// These, again and again.
    Given(Tensor),
    /// Integers uniform in the input's range, from a seed.
    Random(u64),
}

impl Questions {
    fn batch(&self, input: &Port, n: usize) -> Result<Tensor> {
        let batch = match self {
            Questions::Given(tensor) => {
                tensor.select(&(0..n).map(|i| i % tensor.batch()).collect::<Vec<_>>())
            }
            Questions::Random(seed) => {
                let mut words = SplitMix64::new(*seed);
                let width = u64::from(input.range.high.abs_diff(input.range.low)) + 1;
                let mut value = || (i64::from(input.range.low) + (words.next_word() % width) as i64) as i32;
                let len = n.checked_mul(input.len()).context("the batch is too large")?;
                Tensor::new(n, &input.shape, (0..len).map(|_| value()).collect())
            }
        };
        batch.context("the batch is too large; ask for a smaller one")
    }
}

fn text(figures: &[Figures]) -> String {
    let mut text =
        String::from("batch     infer s     prove s    verify s    proof B  activations B  peak MiB\n");
    for f in figures {
        let b = &f.of_batch;
        let peak = b.peak_rss_bytes.map_or("?".into(), |bytes| (bytes >> 20).to_string());
        let _ = writeln!(
            text,
            "{:>5}  {:>10.6}  {:>10.6}  {:>10.6}  {:>9}  {:>13}  {peak:>8}",
            b.batch, b.infer_cpu_s, b.prove_cpu_s, b.verify_cpu_s, b.proof_bytes, b.activation_bytes
        );
    }
    if let Some(f) = figures.first() {
        let _ = writeln!(
            text,
            "commit {:.6} s (once), open {:.6} s; CPU seconds over all threads",
            f.of_model.commit_cpu_s, f.of_model.open_cpu_s
        );
        if let Some(slope) = f.slope {
            let _ = writeln!(text, "{} costs of a batch, by least squares:", f.mode);
            let lines = [("prove", slope.prove_cpu_s), ("verify", slope.verify_cpu_s)];
            for (name, measure::Line { fixed, per_query }) in lines {
                let _ = writeln!(text, "  {name:<6}  {fixed:>12.6} s + {per_query:.9} s a query");
            }
            let measure::Line { fixed, per_query } = slope.evidence_bytes;
            let _ = writeln!(text, "  bytes   {fixed:>12.0} B + {per_query:.1} B a query");
        }
    }
    text
}

fn batch(text: &str) -> Result<usize> {
    let n: usize = text.parse().context("a batch size is a whole number")?;
    ensure!((1..=MAX_BATCH).contains(&n), "a batch holds 1 to {MAX_BATCH} samples");
    Ok(n)
}
