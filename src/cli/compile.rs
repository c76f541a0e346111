//! `serin compile`: from ONNX and calibration data to a model file, and what that cost.

use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result};
use clap::Args;
use ndarray::{ArrayD, ArrayViewD, Axis, Slice};
use serde::Serialize;
use serin_circuits::weights::encode_model;
use serin_datasets::{Samples, Source, load, synthetic};
use serin_verifier::report::class;

use super::Verdict;
use super::accuracy::Accuracy;
use super::console::Console;
use super::data;
use super::file::{OnnxPath, Output};
use super::inspect::{Shown, shown};
use crate::import::FloatGraph;
use crate::import::lower::{Compiled, Precision, compile};
use crate::prover::infer::infer;

/// Turn an ONNX model and calibration data into a model file, and report what that cost in accuracy
#[derive(Args, Debug)]
#[command(after_long_help = data::HELP)]
pub(super) struct Compile {
    /// The model
    #[arg(value_name = "MODEL.onnx")]
    model: OnnxPath,
    #[command(flatten)]
    how: Quantisation,
    /// Labelled data to measure accuracy on, before and after; the calibration data unless given
    #[arg(long, value_name = "DATA")]
    evaluate: Option<Source>,
    #[command(flatten)]
    output: Output,
}

/// How a model becomes integers.
#[derive(Args, Debug)]
pub(super) struct Quantisation {
    /// Calibration data, which the scales are chosen on; without it, random inputs
    #[arg(long, value_name = "DATA")]
    pub(super) data: Option<Source>,
    /// Bits of a weight, 2 to 16
    #[arg(long, value_name = "N", default_value_t = 8)]
    weight_bits: u8,
    /// Bits of an activation, 2 to 16
    #[arg(long, value_name = "N", default_value_t = 8)]
    activation_bits: u8,
    /// Where random inputs start from
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
}

/// What `serin compile` reports.
#[derive(Debug, Serialize)]
struct Report {
    model: String,
    calibration: String,
    weight_bits: u8,
    activation_bits: u8,
    measured: Measured,
    max_logit_error: f32,
    max_logit: f32,
    notes: Vec<String>,
    reading: Option<String>,
    #[serde(flatten)]
    graph: Shown,
}

/// Float and integer model on the same samples.
#[derive(Debug, Serialize)]
struct Measured {
    samples: usize,
    /// Samples to which both give the same answer.
    agreeing: usize,
    /// The float model's right answers.
    right_before: Option<usize>,
    /// The integer model's.
    right_after: Option<usize>,
}

impl Compile {
    /// Compiles.
    pub(super) fn run(self, console: &Console) -> Result<Verdict> {
        self.output.check()?;
        self.output.beside(data::READING_ENDING).check()?;
        let float = data::onnx(&self.model.0)?;
        let bar = console.doing("calibrating and quantising");
        let compiled = self.how.compile(&float)?;
        let measured = match &self.evaluate {
            Some(source) => {
                bar.set_message("measuring accuracy");
                let samples = load(source)?;
                measure(&float, &compiled, &samples)
                    .with_context(|| "the data to evaluate on does not fit the model")?
            }
            None => Measured {
                samples: compiled.report.samples,
                agreeing: compiled.report.agreeing,
                right_before: compiled.report.right.map(|right| right.float),
                right_after: compiled.report.right.map(|right| right.integer),
            },
        };
        bar.finish_and_clear();
        let reading = self.write(&compiled)?;
        let report = Report {
            model: self.output.path().display().to_string(),
            calibration: self.how.described(),
            weight_bits: self.how.weight_bits,
            activation_bits: self.how.activation_bits,
            measured,
            max_logit_error: compiled.report.max_logit_error,
            max_logit: compiled.report.max_logit,
            notes: compiled.report.notes,
            reading,
            graph: shown(&compiled.graph, Some(&compiled.weights)),
        };
        console.result(&report, Report::text)?;
        Ok(Verdict::Accepted)
    }

    /// Writes the model, and its reading if it has one, whose path it returns.
    fn write(&self, compiled: &Compiled) -> Result<Option<String>> {
        let reading = data::written(&compiled.encoder.reading)?;
        let beside = self.output.beside(data::READING_ENDING);
        if let Some(bytes) = &reading {
            beside.write(bytes)?;
        }
        self.output.write(&encode_model(&compiled.graph, &compiled.weights)).inspect_err(|_| {
            // A reading without its model is of no use to anybody.
            if reading.is_some() {
                let _ = fs::remove_file(beside.path());
            }
        })?;
        if reading.is_none() {
            // `serin commit` would take what another model left there for this one's.
            beside.remove()?;
        }
        Ok(reading.map(|_| beside.path().display().to_string()))
    }
}

impl Quantisation {
    /// Quantises a float model on the calibration data, or on random inputs.
    pub(super) fn compile(&self, float: &FloatGraph) -> Result<Compiled> {
        let samples = match &self.data {
            Some(source) => load(source)?,
            None => synthetic::uniform(self.seed, RANDOM_SAMPLES, &float.reading().sample_shape, 0.0..1.0)
                .context("cannot make random inputs for this model; give calibration data by --data")?,
        };
        let shape = &float.reading().sample_shape;
        data::check_shape(&samples, shape)
            .with_context(|| format!("{} does not fit the model", self.described()))?;
        let precision = Precision { weight_bits: self.weight_bits, activation_bits: self.activation_bits };
        compile(float, samples.inputs(), samples.labels(), precision)
            .with_context(|| format!("cannot quantise on {}", self.described()))
    }

    /// What the scales were chosen on.
    fn described(&self) -> String {
        match &self.data {
            Some(source) => data::name(source),
            None => format!("{RANDOM_SAMPLES} random inputs in 0..1 (seed {})", self.seed),
        }
    }
}

/// Both models on labelled data, a chunk at a time.
fn measure(float: &FloatGraph, compiled: &Compiled, samples: &Samples) -> Result<Measured> {
    data::check_shape(samples, &float.reading().sample_shape)?;
    let labels = samples.labels().context("it has no labels; add them, or leave --evaluate out")?;
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for start in (0..samples.len()).step_by(CHUNK) {
        let chunk = start..samples.len().min(start + CHUNK);
        let inputs: ArrayD<f32> = samples.inputs().slice_axis(Axis(0), Slice::from(chunk)).to_owned();
        let logits = float.run(&inputs, |_, _| {})?;
        before.extend(logits.outer_iter().map(greatest));
        let integers = compiled.encoder.encode(&inputs)?;
        let answers = infer(&compiled.graph, &compiled.weights, &integers);
        after.extend((0..answers.batch()).map(|n| class(answers.sample(n))));
    }
    let right =
        |given: &[usize]| given.iter().zip(labels).filter(|(a, label)| **a == **label as usize).count();
    Ok(Measured {
        samples: samples.len(),
        agreeing: before.iter().zip(&after).filter(|(a, b)| a == b).count(),
        right_before: Some(right(&before)),
        right_after: Some(right(&after)),
    })
}

/// The place of the greatest value, the first of equals.
fn greatest(values: ArrayViewD<'_, f32>) -> usize {
    let best = values.iter().enumerate().reduce(|best, next| if next.1 > best.1 { next } else { best });
    best.map_or(0, |(place, _)| place)
}

impl Report {
    fn text(&self) -> String {
        let Measured { samples, agreeing, right_before, right_after } = self.measured;
        let mut text = format!(
            "{}: {}-bit weights, {}-bit activations, scales from {}\n",
            self.model, self.weight_bits, self.activation_bits, self.calibration
        );
        let accuracy = |right: Option<usize>| right.and_then(|right| Accuracy::of(right, samples));
        if let Some((before, after)) = accuracy(right_before).zip(accuracy(right_after)) {
            let _ =
                writeln!(text, "accuracy on {samples} samples: {before} before, {after} after quantisation");
        }
        let _ = writeln!(text, "same answer before and after: {agreeing} of {samples}");
        let _ = writeln!(
            text,
            "greatest error of a logit: {:.4}, of logits up to {:.4}",
            self.max_logit_error, self.max_logit
        );
        for note in &self.notes {
            let _ = writeln!(text, "note: {note}");
        }
        if let Some(path) = &self.reading {
            let _ = writeln!(
                text,
                "note: the model prepares its input; hand out {path} with the card, for --reading"
            );
        }
        let _ = writeln!(text, "\n{}", self.graph.text());
        text
    }
}

/// Random inputs for scales where no data is given.
const RANDOM_SAMPLES: usize = 64;
/// Samples measured at once.
const CHUNK: usize = 256;
