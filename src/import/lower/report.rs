//! What lowering a model chose, and what it costs in accuracy.

use ndarray::ArrayD;
use rayon::prelude::*;
use serin_circuits::graph::Graph;
use serin_circuits::quant::dequantise;
use serin_circuits::reference::infer;
use serin_circuits::tensor::{Range, Tensor};
use serin_circuits::weights::Weights;

use crate::import::FloatGraph;

/// The integer model against the float model, on the calibration samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Samples compared.
    pub samples: usize,
    /// Samples on which both models' greatest logit is the same.
    pub agreeing: usize,
    /// Right answers, where labels are known.
    pub right: Option<RightAnswers>,
    /// The greatest difference of a logit.
    pub max_logit_error: f32,
    /// The greatest absolute float logit, to compare the error with.
    pub max_logit: f32,
    /// The integer graph's nodes.
    pub nodes: Vec<NodeReport>,
    /// What a user should know about the reading of the file.
    pub notes: Vec<String>,
}

/// Right answers of both models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RightAnswers {
    /// The float model's.
    pub float: usize,
    /// The integer model's.
    pub integer: usize,
}

/// One node of the integer graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeReport {
    /// Its name.
    pub name: String,
    /// What it does, in a word.
    pub kind: &'static str,
    /// The exponent of its result's scale.
    pub exponent: i8,
    /// The integers its result can hold, on any input.
    pub range: Range,
}

impl Report {
    /// Runs the integer model on encoded samples and compares it with the float model's outputs for them.
    pub(super) fn measure(
        float: &FloatGraph,
        graph: &Graph,
        weights: &Weights,
        input: &Tensor,
        outputs: &ArrayD<f32>,
        labels: Option<&[u32]>,
    ) -> Self {
        let classes = graph.output().len();
        let outputs = outputs.as_slice().expect("a calibration's outputs are in standard layout");
        let exponent = graph.output().exponent;
        let integers: Vec<Vec<i32>> = (0..input.batch())
            .into_par_iter()
            .map(|n| {
                let sample = input.select(&[n]).expect("within the batch");
                infer(graph, weights, sample).values().to_vec()
            })
            .collect();
        let pairs = || outputs.chunks_exact(classes).zip(&integers);
        let right = labels.map(|labels| RightAnswers {
            float: pairs()
                .zip(labels)
                .filter(|((float, _), label)| greatest(float) == **label as usize)
                .count(),
            integer: pairs()
                .zip(labels)
                .filter(|((_, integer), label)| greatest(integer) == **label as usize)
                .count(),
        });
        let errors = pairs().flat_map(|(float, integer)| {
            float.iter().zip(integer).map(|(&real, &q)| (real - dequantise(q, exponent)).abs())
        });
        let nodes = graph.nodes().iter().map(|node| NodeReport {
            name: node.name.clone(),
            kind: node.op.kind(),
            exponent: node.output.exponent,
            range: node.output.range,
        });
        Report {
            samples: input.batch(),
            agreeing: pairs().filter(|(float, integer)| greatest(float) == greatest(integer)).count(),
            right,
            max_logit_error: errors.fold(0.0, f32::max),
            max_logit: outputs.iter().fold(0.0, |most, x| most.max(x.abs())),
            nodes: nodes.collect(),
            notes: float.notes().to_vec(),
        }
    }
}

/// The place of the greatest value, the first of equals.
fn greatest<T: PartialOrd + Copy>(values: &[T]) -> usize {
    (1..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best })
}
