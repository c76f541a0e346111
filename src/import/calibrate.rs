//! The ranges that a model's values take on samples.
//!
//! In: a float graph and a batch of samples as its file takes them. Out: the least and greatest value of the input and of each
//! node's result; a clamp being a node of its own, the range before it is recorded too. Errors: [`CalibrationError`], for
//! samples of another shape, samples with NaN or infinities, and none at all. Ranges are of the samples given; on
//! others a value may lie outside, and the lowered model clamps it.

use ndarray::{ArrayD, Axis, Slice};
use thiserror::Error;

use super::evaluate::all_finite;
use super::{BatchError, FloatGraph, Source};

/// The least and the greatest of some values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// The least.
    pub low: f32,
    /// The greatest.
    pub high: f32,
}

impl Span {
    /// The greatest absolute value.
    pub fn magnitude(&self) -> f32 {
        self.low.abs().max(self.high.abs())
    }

    /// The least span that holds both.
    pub(super) fn hull(self, other: Span) -> Span {
        Span { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    /// Contains no value yet.
    const EMPTY: Span = Span { low: f32::INFINITY, high: f32::NEG_INFINITY };

    fn widen(&mut self, values: &ArrayD<f32>) {
        for &value in values {
            self.low = self.low.min(value);
            self.high = self.high.max(value);
        }
    }
}

/// What [`calibrate`] saw.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    /// The input's range, as the graph reads it.
    pub input: Span,
    /// Each node's range.
    pub nodes: Vec<Span>,
    /// The output for each sample, [samples, …].
    pub outputs: ArrayD<f32>,
}

impl Calibration {
    /// The range of what a source brings.
    pub fn span(&self, source: Source) -> Span {
        match source {
            Source::Input => self.input,
            Source::Node(index) => self.nodes[index],
        }
    }
}

/// Why samples cannot be used to calibrate.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum CalibrationError {
    /// They are not this model's samples, or one holds NaN or an infinity.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// There are none.
    #[error("there are no calibration samples; give at least one, a hundred or more for useful ranges")]
    Empty,
    /// The model computes NaN or infinities from finite samples.
    #[error("node `{node}` computes values that are not finite from the calibration samples")]
    Overflow {
        /// The node's name.
        node: String,
    },
}

/// Runs samples [samples, …] through a model and records the ranges.
///
/// # Errors
/// [`CalibrationError`].
pub fn calibrate(graph: &FloatGraph, samples: &ArrayD<f32>) -> Result<Calibration, CalibrationError> {
    if samples.ndim() == 0 || samples.is_empty() {
        return Err(CalibrationError::Empty);
    }
    all_finite(samples)?;
    let mut input = Span::EMPTY;
    let mut nodes = vec![Span::EMPTY; graph.nodes().len()];
    let mut overflow = None;
    let mut outputs = Vec::new();
    for start in (0..samples.len_of(Axis(0))).step_by(CHUNK) {
        let end = (start + CHUNK).min(samples.len_of(Axis(0)));
        let chunk = samples.slice_axis(Axis(0), Slice::from(start..end)).to_owned();
        let output = graph.run(&chunk, |source, values| match source {
            Source::Input => input.widen(values),
            Source::Node(index) => {
                nodes[index].widen(values);
                if !values.iter().all(|value| value.is_finite()) {
                    overflow.get_or_insert(index);
                }
            }
        })?;
        outputs.push(output);
    }
    if let Some(index) = overflow {
        return Err(CalibrationError::Overflow { node: graph.nodes()[index].name.clone() });
    }
    let views: Vec<_> = outputs.iter().map(|output| output.view()).collect();
    let outputs = ndarray::concatenate(Axis(0), &views).expect("every chunk's output has the model's shape");
    let outputs = outputs.as_standard_layout().into_owned();
    Ok(Calibration { input, nodes, outputs })
}

/// Samples run at once.
const CHUNK: usize = 64;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use crate::import::fixture::Net;

    fn samples(values: &[f32]) -> ArrayD<f32> {
        ArrayD::from_shape_vec(vec![values.len() / 2, 2], values.to_vec()).unwrap()
    }

    fn negate_and_relu() -> FloatGraph {
        let net = Net::input(&[-1, 2]).floats("w", &[2, 2], &[-1.0, 0.0, 0.0, -1.0]);
        net.node("MatMul", &["x", "w"], "z").node("Relu", &["z"], "y").read().unwrap()
    }

    #[test]
    fn ranges_before_and_after_a_clamp_are_recorded() {
        // More samples than are run at once, the extremes in different runs.
        let mut values = vec![0.5; 300];
        (values[0], values[299]) = (-3.0, 7.0);
        let seen = calibrate(&negate_and_relu(), &samples(&values)).unwrap();
        assert_eq!(seen.input, Span { low: -3.0, high: 7.0 });
        assert_eq!(seen.nodes, [Span { low: -7.0, high: 3.0 }, Span { low: 0.0, high: 3.0 }]);
        assert_eq!(seen.outputs.shape(), [150, 2]);
        assert_eq!(seen.outputs[[0, 0]], 3.0);
    }

    #[test]
    fn samples_that_cannot_serve_are_refused() {
        let graph = negate_and_relu();
        assert_eq!(calibrate(&graph, &samples(&[])), Err(CalibrationError::Empty));
        let found = vec![1, 3];
        let shape = BatchError::Shape { expected: vec![2], found: found.clone() };
        assert_eq!(calibrate(&graph, &ArrayD::zeros(found)), Err(CalibrationError::Batch(shape)));
        for bad in [f32::NAN, f32::INFINITY] {
            let error = calibrate(&graph, &samples(&[0.0, 0.0, 1.0, bad]));
            assert_eq!(error, Err(CalibrationError::Batch(BatchError::NotFinite { sample: 1 })));
        }
    }

    #[test]
    fn overflow_of_finite_samples_is_refused_by_node() {
        let net = Net::input(&[-1, 2]).floats("w", &[2, 1], &[f32::MAX, f32::MAX]);
        let graph = net.node("MatMul", &["x", "w"], "y").read().unwrap();
        let error = calibrate(&graph, &samples(&[10.0, 10.0]));
        assert_eq!(error, Err(CalibrationError::Overflow { node: "/y/MatMul".into() }));
    }
}
