//! `serin bench`: what inference, proving and verifying one model cost, by batch size.
//!
//! | figure | is |
//! |---|---|
//! | `infer_cpu_s` | the serving engine alone, on the whole batch |
//! | `prove_cpu_s` | all that proving adds to it: keeping the trace, hashing the statement, the proof |
//! | `verify_cpu_s` | the verifier on the whole batch |
//! | `proof_bytes`, `activation_bytes` | the proof without the revealed activations, and these |
//! | `commit_cpu_s` | committing to the weights, once in a model's life |
//! | `open_cpu_s` | the prover's work for one opening of the commitment at a random point |
//! | `peak_rss_bytes` | the most memory held while this batch was measured, model and commitment included; Linux only |
//!
//! Times are CPU seconds of the process, all threads together ([`measure`] says how they are taken). With more than one thread, idle
//! workers' waiting counts too: `--threads 1` gives the plain cost.

mod measure;

use std::fmt::Write;

use anyhow::{Context, Result, anyhow, ensure};
use clap::{Args, ValueEnum};
use serde::Serialize;
use serin_circuits::field::{self, Ext};
use serin_circuits::graph::Port;
use serin_circuits::poly::eq_table;
use serin_circuits::tensor::Tensor;
use serin_circuits::weights::Layout;
use serin_datasets::synthetic::SplitMix64;
use serin_verifier::commit::{Opener, QUERIES};
use serin_verifier::limits::MAX_BATCH;
use serin_verifier::verify::verify;

use super::compile::Quantisation;
use super::console::Console;
use super::file::OnnxPath;
use super::{Verdict, data};
use crate::import::lower::Compiled;
use crate::prover::Model;
use crate::prover::commit::Commitment;
use crate::prover::infer::infer;
use measure::{cpu, peak_memory, reset_peak_memory};

/// Measure inference, proving and verification of an ONNX model
///
/// Times are CPU seconds over all threads, the least of several runs after a warm-up (about a second's worth each, at least 3;
/// one run where it takes 10 s or more). Questions are the calibration data, repeated as needed, or random.
#[derive(Args, Debug)]
pub(super) struct Bench {
    /// The model
    #[arg(value_name = "MODEL.onnx")]
    model: OnnxPath,
    #[command(flatten)]
    how: Quantisation,
    /// What a proof reveals
    #[arg(long, value_enum, default_value_t = Mode::Revealed)]
    mode: Mode,
    /// Batch sizes, as 1,64
    #[arg(long, value_name = "N,..", value_delimiter = ',', default_value = "1", value_parser = batch)]
    batch: Vec<usize>,
    /// Threads to compute on; all cores unless given
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

/// What a proof reveals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    /// Every activation
    Revealed,
}

/// The figures of one batch size; times in CPU seconds.
#[derive(Debug, Serialize)]
struct Figures {
    model: String,
    mode: Mode,
    batch: usize,
    infer_cpu_s: f64,
    prove_cpu_s: f64,
    verify_cpu_s: f64,
    proof_bytes: usize,
    activation_bytes: usize,
    commit_cpu_s: f64,
    open_cpu_s: f64,
    peak_rss_bytes: Option<u64>,
}

impl Bench {
    /// Measures.
    pub(super) fn run(self, console: &Console) -> Result<Verdict> {
        if let Some(threads) = self.threads {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
            pool.context("cannot start as many threads")?;
        }
        let bar = console.doing("compiling");
        let (model, questions) = self.prepare()?;
        bar.set_message("measuring the commitment");
        let commit_cpu_s = commit(&model);
        let open_cpu_s = open(&model);
        let mut figures = Vec::new();
        for &batch in &self.batch {
            bar.set_message(format!("measuring batches of {batch}"));
            let inputs = questions.batch(model.graph().input(), batch)?;
            reset_peak_memory();
            figures.push(Figures {
                model: self.model.0.display().to_string(),
                mode: self.mode,
                commit_cpu_s,
                open_cpu_s,
                ..measure_batch(&model, &inputs)?
            });
        }
        bar.finish_and_clear();
        console.result(&figures, |figures| text(figures))?;
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

/// Everything that depends on the batch; the caller fills in the rest.
fn measure_batch(model: &Model, inputs: &Tensor) -> Result<Figures> {
    let trace = model.infer(inputs);
    let statement = model.statement(SERVER, &SESSION, inputs, trace.output());
    statement.check().map_err(|rejection| anyhow!("batches of {}: {rejection}", inputs.batch()))?;

    let infer_cpu_s = cpu(|| (), |()| infer(model.graph(), model.weights(), inputs));
    let traced = cpu(|| (), |()| model.infer(inputs));
    let prove = cpu(|| (), |()| model.prove(SERVER, &SESSION, inputs, &trace));
    let proof = model.prove(SERVER, &SESSION, inputs, &trace)?;
    let accepted = verify(&statement, &proof).context("an honest proof was rejected")?;
    let verify_cpu_s = cpu(|| (), |()| verify(&statement, &proof));
    Ok(Figures {
        model: String::new(),
        mode: Mode::Revealed,
        batch: inputs.batch(),
        infer_cpu_s,
        prove_cpu_s: prove + (traced - infer_cpu_s).max(0.0),
        verify_cpu_s,
        proof_bytes: proof.len() - accepted.activation_bytes(),
        activation_bytes: accepted.activation_bytes(),
        commit_cpu_s: 0.0,
        open_cpu_s: 0.0,
        peak_rss_bytes: peak_memory(),
    })
}

fn commit(model: &Model) -> f64 {
    let layout = Layout::of(model.graph());
    cpu(|| model.weights().flatten(&layout), |vector| Commitment::new(vector, &layout))
}

/// One opening at a point, and of columns, from a fixed seed.
fn open(model: &Model) -> f64 {
    let shape = model.commitment().shape();
    let mut words = SplitMix64::new(0);
    let mut limb = || {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&words.next_word().to_le_bytes());
        bytes[8..].copy_from_slice(&words.next_word().to_le_bytes());
        field::from_uniform(bytes)
    };
    let point: Vec<Ext> = (0..shape.row_bits()).map(|_| field::ext(limb(), limb())).collect();
    let mut weights = eq_table(&point);
    weights.truncate(shape.rows());
    let mut positions: Vec<usize> =
        (0..QUERIES).map(|_| words.next_word() as usize % shape.codeword()).collect();
    positions.sort_unstable();
    positions.dedup();
    let opener = model.commitment();
    cpu(|| (), |()| (opener.row(&weights), opener.columns(&positions), opener.siblings(&positions)))
}

fn text(figures: &[Figures]) -> String {
    let mut text =
        String::from("batch     infer s     prove s    verify s    proof B  activations B  peak MiB\n");
    for f in figures {
        let peak = f.peak_rss_bytes.map_or("?".into(), |bytes| (bytes >> 20).to_string());
        let _ = writeln!(
            text,
            "{:>5}  {:>10.6}  {:>10.6}  {:>10.6}  {:>9}  {:>13}  {peak:>8}",
            f.batch, f.infer_cpu_s, f.prove_cpu_s, f.verify_cpu_s, f.proof_bytes, f.activation_bytes
        );
    }
    if let Some(f) = figures.first() {
        let _ = writeln!(
            text,
            "commit {:.6} s (once), open {:.6} s; CPU seconds over all threads",
            f.commit_cpu_s, f.open_cpu_s
        );
    }
    text
}

fn batch(text: &str) -> Result<usize> {
    let n: usize = text.parse().context("a batch size is a whole number")?;
    ensure!((1..=MAX_BATCH).contains(&n), "a batch holds 1 to {MAX_BATCH} samples");
    Ok(n)
}

const SERVER: &str = "bench";
const SESSION: [u8; 32] = [0; 32];
