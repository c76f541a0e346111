//! Models and samples as files, and the way from a sample's reals to a graph's integers.
//!
//! A model that transposes or scales its input before its first layer leaves that to whoever encodes a sample: `serin compile`
//! writes it down as a *reading*, a public JSON file beside the model, and the asking commands take it by `--reading`. Most
//! models have none; then a sample is the graph's input as it stands. `serin commit` pins it in the card, so that a
//! client can neither forget it nor be handed another.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use serin_circuits::codec::{Digest, digest};
use serin_circuits::graph::{Graph, Port};
use serin_circuits::tensor::Tensor;
use serin_circuits::weights::{Weights, decode_model};
use serin_datasets::{Origin, Samples, Source, load};
use serin_verifier::card::Card;

use super::console::warn;
use super::file;
use crate::import::lower::Encoder;
use crate::import::{Affine, FloatGraph, Reading, read};

/// How data is named, for the help of the commands that take some ([`serin_datasets::Source`] has the grammar).
pub(super) const HELP: &str = "\
DATA is one of
  digits:PART     the built-in digits; PART is train, calibration, canary or query
  FILE            .npz (arrays x or inputs, y or labels), .npy, .csv, CIFAR-10's .bin,
                  MNIST's .idx or ...ubyte; each also gzipped, as FILE.gz
  INPUTS,LABELS   two files, each .npy, .idx or ...ubyte
and options may follow, in any order:
  :shape=1x28x28  reshape each sample
  :scale=1/255    x = (value * scale - mean) / std; a number or a fraction
  :mean=0.5       one for all channels, or one for each, as 0.5,0.4,0.3
  :std=0.25       likewise
  :label=last     the column of a .csv with the labels: first, last or none (default)
as in images.idx.gz,labels.idx.gz:scale=1/255:mean=0.1307:std=0.3081";

/// Reads a model file.
pub(super) fn model(path: &Path) -> Result<(Graph, Weights)> {
    if path.extension().is_some_and(|ending| ending == "onnx") {
        bail!("{} is an ONNX file; make a model file of it with `serin compile`", path.display());
    }
    decode_model(&file::read(path)?).with_context(|| format!("{} is no model file", path.display()))
}

/// Reads an ONNX file.
pub(super) fn onnx(path: &Path) -> Result<FloatGraph> {
    read(&file::read(path)?).with_context(|| format!("{} is not taken", path.display()))
}

/// How samples become a graph's input.
#[derive(Args, Debug)]
pub(super) struct ReadingPath {
    /// The reading that `compile` wrote beside the model, if it did
    #[arg(long = "reading", value_name = "FILE")]
    path: Option<PathBuf>,
}

impl ReadingPath {
    /// The encoder for an input port, with the reading that the card pins.
    pub(super) fn encoder(&self, card: &Card, input: &Port) -> Result<Encoder> {
        let (path, pinned) = match (&self.path, card.reading) {
            (None, None) => return Ok(Encoder::new(plain(&input.shape), input)),
            (None, Some(_)) => {
                bail!("the model prepares its samples: give --reading FILE, as handed out with the card")
            }
            (Some(path), None) => bail!("the card pins no reading: leave --reading {} away", path.display()),
            (Some(path), Some(pinned)) => (path, pinned),
        };
        if digest(READING, &file::read(path)?) != pinned {
            bail!(
                "{} is not the reading that the card pins; get it from where you got the card",
                path.display()
            );
        }
        let reading = reading(path, input)?;
        Ok(Encoder::new(reading, input))
    }
}

/// The ending of the file beside a model that holds its reading.
pub(super) const READING_ENDING: &str = "reading.json";

/// The digest of the reading beside a model file, if there is one; it must be one for this input.
pub(super) fn reading_digest(model: &Path, input: &Port) -> Result<Option<Digest>> {
    let path = model.with_extension(READING_ENDING);
    if !path.exists() {
        return Ok(None);
    }
    reading(&path, input)?;
    Ok(Some(digest(READING, &file::read(&path)?)))
}

/// The reading in a file, for this input.
fn reading(path: &Path, input: &Port) -> Result<Reading> {
    let shown = path.display();
    let written: Written = file::read_json(path, "a reading")?;
    let reading = written.check().with_context(|| format!("{shown} is damaged"))?;
    if reading.shape != input.shape {
        let (found, taken) = (reading.shape, &input.shape);
        bail!(
            "{shown} is for inputs of shape {found:?}, this model takes {taken:?}; compile the model anew to get its own"
        );
    }
    Ok(reading)
}

/// The samples of a source, encoded; and their labels.
pub(super) fn encoded(encoder: &Encoder, source: &Source) -> Result<(Tensor, Samples)> {
    let samples = load(source)?;
    let tensor =
        encode(encoder, &samples).with_context(|| format!("{} does not fit the model", name(source)))?;
    Ok((tensor, samples))
}

/// Samples, encoded; says so where many of their values are cut off.
pub(super) fn encode(encoder: &Encoder, samples: &Samples) -> Result<Tensor> {
    check_shape(samples, &encoder.reading.sample_shape)?;
    let tensor = encoder.encode(samples.inputs())?;
    let unit = f32::from(encoder.exponent).exp2().recip();
    let (low, high) = (encoder.range.low as f32 * unit, encoder.range.high as f32 * unit);
    let input = encoder.reading.read(samples.inputs())?;
    let beyond = input.iter().filter(|x| **x < low - unit || **x > high + unit).count();
    if beyond as f64 > MOST_CUT_OFF * input.len() as f64 {
        warn(format_args!(
            "{:.0} % of the values lie outside {low}..={high}, which the model was calibrated for, and are cut off; name the data with the options that the model was compiled with, as :scale=1/255",
            100.0 * beyond as f64 / input.len() as f64
        ));
    }
    Ok(tensor)
}

/// Refuses samples of another shape than a model takes.
pub(super) fn check_shape(samples: &Samples, shape: &[usize]) -> Result<()> {
    let joined = |shape: &[usize]| shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x");
    let (found, taken) = (joined(samples.shape()), joined(shape));
    ensure!(
        samples.shape() == shape,
        "its samples have shape {found}, the model takes {taken}; append `:shape={taken}` if they are only laid out otherwise"
    );
    Ok(())
}

/// What a source is called in errors and reports.
pub(super) fn name(source: &Source) -> String {
    match &source.origin {
        Origin::Digits(part) => format!("digits:{part}"),
        Origin::One(file) | Origin::Pair { inputs: file, .. } => file.path.display().to_string(),
    }
}

/// The reading that does nothing.
pub(super) fn plain(shape: &[usize]) -> Reading {
    Reading { sample_shape: shape.to_vec(), shape: shape.to_vec(), order: None, affine: None }
}

/// A reading as JSON; `None` where it does nothing.
pub(super) fn written(reading: &Reading) -> Result<Option<Vec<u8>>> {
    if *reading == plain(&reading.shape) {
        return Ok(None);
    }
    let Reading { sample_shape, shape, order, affine } = reading.clone();
    let (scale, shift) = affine.map(|Affine { scale, shift }| (scale, shift)).unzip();
    let written = Written { format: FORMAT.into(), sample_shape, shape, order, scale, shift };
    Ok(Some(serde_json::to_vec(&written)?))
}

/// A [`Reading`] as it stands in a file: element i of the input is `scale[i]·sample[order[i]] + shift[i]`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    format: String,
    sample_shape: Vec<usize>,
    shape: Vec<usize>,
    order: Option<Vec<usize>>,
    scale: Option<Vec<f32>>,
    shift: Option<Vec<f32>>,
}

impl Written {
    /// Holds every length against the shapes.
    fn check(self) -> Result<Reading> {
        let Self { format, sample_shape, shape, order, scale, shift } = self;
        if format != FORMAT {
            bail!("its format is `{format}`, this version reads `{FORMAT}`; compile the model again");
        }
        let size = |shape: &[usize]| shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d));
        let len = size(&sample_shape);
        let order_fits =
            |order: &Vec<usize>| Some(order.len()) == len && order.iter().all(|i| Some(*i) < len);
        let values_fit = |v: &Vec<f32>| Some(v.len()) == len && v.iter().all(|x| x.is_finite());
        let fits = size(&shape) == len
            && order.as_ref().is_none_or(order_fits)
            && scale.as_ref().is_none_or(values_fit)
            && shift.as_ref().is_none_or(values_fit)
            && scale.is_some() == shift.is_some();
        if !fits {
            bail!("its lengths do not fit its shapes; compile the model again");
        }
        let affine = scale.zip(shift).map(|(scale, shift)| Affine { scale, shift });
        Ok(Reading { sample_shape, shape, order, affine })
    }
}

/// The share of values outside the calibrated range that is no cause for a warning.
const MOST_CUT_OFF: f64 = 0.01;
const FORMAT: &str = "serin-reading/1";
const READING: &str = "serin reading";

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serin_circuits::tensor::Range;

    use super::*;

    fn reading() -> Reading {
        let affine = Affine { scale: vec![0.5, 2.0], shift: vec![0.0, -1.25] };
        Reading { sample_shape: vec![2], shape: vec![1, 2], order: Some(vec![1, 0]), affine: Some(affine) }
    }

    #[test]
    fn reading_written_is_read_back() {
        let bytes = written(&reading()).unwrap().unwrap();
        assert_eq!(serde_json::from_slice::<Written>(&bytes).unwrap().check().unwrap(), reading());
        assert!(written(&plain(&[3])).unwrap().is_none());
    }

    #[test]
    fn reading_for_another_input_is_not_pinned() {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("model.serin");
        let range = Range { low: 0, high: 255 };
        let port = |shape: &[usize]| Port { shape: shape.into(), exponent: 0, range };
        assert_eq!(reading_digest(&model, &port(&[1, 2])).unwrap(), None);
        let bytes = written(&reading()).unwrap().unwrap();
        std::fs::write(folder.path().join("model.reading.json"), &bytes).unwrap();
        assert_eq!(reading_digest(&model, &port(&[1, 2])).unwrap(), Some(digest(READING, &bytes)));
        assert!(reading_digest(&model, &port(&[2])).is_err());
    }

    #[test]
    fn reading_of_wrong_lengths_is_refused() {
        let breakages: [fn(&mut Written); 5] = [
            |w| w.order = Some(vec![0, 2]),
            |w| w.order = Some(vec![0]),
            |w| w.scale = None,
            |w| w.shape = vec![3],
            |w| w.format = "serin-reading/2".into(),
        ];
        for breakage in breakages {
            let bytes = written(&reading()).unwrap().unwrap();
            let mut written: Written = serde_json::from_slice(&bytes).unwrap();
            breakage(&mut written);
            assert!(written.check().is_err());
        }
    }
}
