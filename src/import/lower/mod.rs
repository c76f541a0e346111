//! From floats to integers: scales, integer weights, and what the change costs.
//!
//! [`compile`] takes a float graph and calibration samples and returns the public integer graph, its weights, the [`Encoder`] that turns
//! a sample into the graph's integers, and a [`Report`]. Scales are powers of two (protocols, §0): a real is q · 2^(−e).
//!
//! | what | exponent e: the greatest, with m the greatest magnitude | integers |
//! |---|---|---|
//! | weights, per tensor | with round(m · 2^e) ≤ 2^(b−1) − 1 | symmetric, b = [`Precision::weight_bits`] |
//! | bias | e_w + e_x | round(bias · 2^e) |
//! | input, never negative | with round(m · 2^e) ≤ 2^b − 1 | 0..=2^b − 1, b = [`Precision::activation_bits`] |
//! | input, else | with round(m · 2^e) ≤ 2^(b−1) − 1 | −2^(b−1)..=2^(b−1) − 1 |
//! | activation | as the input, but for one step more | the same |
//! | the model's output | that of the last node's accumulators | the accumulators themselves |
//!
//! Activations that a Concat joins share the greatest magnitude among them, hence a scale. An activation is unsigned where a clamp or its static range shows that it is never negative. The magnitudes of input and
//! activations are the calibration's, and whatever lies beyond them is clamped; an activation's greatest value may be so by one
//! step, where an input's is kept, for pixels are often at their limits. The accumulators' ranges, in contrast, are static: they
//! come from the weights and hold for every input. A model whose accumulators do not fit is refused with the node's name. What the
//! caller must check: that the accuracy reported suffices.

mod encode;
mod report;
mod scale;
#[cfg(test)]
mod tests;
mod walk;

use ndarray::ArrayD;
use serin_circuits::graph::{Graph, GraphError};
use serin_circuits::weights::Weights;
use thiserror::Error;

use super::FloatGraph;
use super::calibrate::{Calibration, CalibrationError, calibrate};

pub use encode::Encoder;
pub use report::{NodeReport, Report, RightAnswers};

/// How many bits integers have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Precision {
    /// Bits of a weight, sign included: 2 to 16.
    pub weight_bits: u8,
    /// Bits of an activation, sign included where it has one: 2 to 16.
    pub activation_bits: u8,
}

impl Default for Precision {
    /// Eight and eight.
    fn default() -> Self {
        Precision { weight_bits: 8, activation_bits: 8 }
    }
}

/// A model in integers.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The public half.
    pub graph: Graph,
    /// The secret half.
    pub weights: Weights,
    /// Turns samples into the graph's input.
    pub encoder: Encoder,
    /// What was chosen, and what it costs.
    pub report: Report,
}

/// Why a float graph has no integer form.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum LowerError {
    /// The samples cannot be used.
    #[error(transparent)]
    Calibration(#[from] CalibrationError),
    /// The integer graph cannot be built: most often because a range does not fit.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// A number of bits is out of range.
    #[error("{what} of {bits} bits are not taken; choose between {MIN_BITS} and {MAX_BITS}")]
    Bits {
        /// Weights or activations.
        what: &'static str,
        /// The bits asked for.
        bits: u8,
    },
    /// There are not as many labels as samples.
    #[error("there are {labels} labels for {samples} calibration samples")]
    Labels {
        /// Labels given.
        labels: usize,
        /// Samples given.
        samples: usize,
    },
}

/// Calibrates a float graph on samples [samples, …], lowers it to integers, and measures both on these samples.
///
/// # Errors
/// [`LowerError`].
pub fn compile(
    float: &FloatGraph,
    samples: &ArrayD<f32>,
    labels: Option<&[u32]>,
    precision: Precision,
) -> Result<Compiled, LowerError> {
    let calibration = calibrate(float, samples)?;
    let count = calibration.outputs.shape()[0];
    if let Some(labels) = labels.filter(|labels| labels.len() != count) {
        return Err(LowerError::Labels { labels: labels.len(), samples: count });
    }
    let (graph, weights, encoder) = lower(float, &calibration, precision)?;
    let input = encoder.encode(samples).map_err(CalibrationError::from)?;
    let report = Report::measure(float, &graph, &weights, &input, &calibration.outputs, labels);
    Ok(Compiled { graph, weights, encoder, report })
}

/// Lowers a float graph with the ranges of a calibration of that same graph.
///
/// # Errors
/// [`LowerError::Graph`] and [`LowerError::Bits`].
pub fn lower(
    float: &FloatGraph,
    calibration: &Calibration,
    precision: Precision,
) -> Result<(Graph, Weights, Encoder), LowerError> {
    let bits = [("weights", precision.weight_bits), ("activations", precision.activation_bits)];
    if let Some(&(what, bits)) = bits.iter().find(|(_, bits)| !(MIN_BITS..=MAX_BITS).contains(bits)) {
        return Err(LowerError::Bits { what, bits });
    }
    let (graph, weights) = walk::lower(float, calibration, precision)?;
    let encoder = Encoder::new(float.reading().clone(), graph.input());
    Ok((graph, weights, encoder))
}

/// The fewest and the most bits taken.
const MIN_BITS: u8 = 2;
const MAX_BITS: u8 = 16;
