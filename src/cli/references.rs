//! Reference canaries out of a record: questions whose answers by the pinned model a proof has shown.
//!
//! Whoever answered them has seen them: among questions in the clear it can tell them apart, and in private it cannot, but it can hold
//! another model that is fitted to agree on them. They find what is done to single answers; fresh labelled canaries find another model.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serin_circuits::tensor::Tensor;
use serin_verifier::card::Card;
use serin_verifier::record::{Entry, Truth};
use serin_verifier::report::{Proof, Report, Verdict, judge};

use crate::session::Canaries;
use crate::session::record::read;

/// Questions with the pinned model's own answers, each question once.
pub(super) struct References {
    samples: Vec<Vec<i32>>,
    outputs: Vec<Vec<i32>>,
}

impl References {
    /// The proved answers of a record under this card; entries that prove nothing of it are left out, unless all do.
    pub(super) fn read(path: &Path, card: &Card) -> Result<Self> {
        let record = read(path)?;
        let (mut samples, mut outputs) = (Vec::new(), Vec::new());
        let (mut known, mut reason) = (HashSet::new(), None);
        for (index, entry) in record.entries.iter().enumerate() {
            let report = match proved(entry, card)? {
                Ok(report) => report,
                Err(why) => {
                    reason.get_or_insert((index, why));
                    continue;
                }
            };
            for answer in report.answers {
                let sample = entry.queries.sample(answer.query as usize);
                if let Some(agreed) = answer.outputs.filter(|_| known.insert(sample.to_vec())) {
                    samples.push(sample.to_vec());
                    outputs.push(agreed);
                }
            }
        }
        if samples.is_empty() {
            let why = match reason {
                Some((index, why)) => format!("entry {index} {why}"),
                None => "it has no answered question".into(),
            };
            let shown = PathBuf::from(path);
            bail!(
                "{} gives no references: {why}; make it with `serin ask --protocol proved --record` under this card",
                shown.display()
            );
        }
        Ok(Self { samples, outputs })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.samples.len()
    }

    /// Those with these numbers, as canaries of samples of this shape.
    pub(super) fn canaries(&self, numbers: &[usize], shape: &[usize]) -> Result<Canaries> {
        let values = numbers.iter().flat_map(|n| &self.samples[*n]).copied().collect();
        let inputs =
            Tensor::new(numbers.len(), shape, values).context("the references do not fit the model")?;
        let truths = numbers.iter().map(|n| Truth::Reference(self.outputs[*n].clone())).collect();
        Ok(Canaries { inputs, truths })
    }
}

/// What the entry proves of the card's model, or why nothing.
fn proved(entry: &Entry, card: &Card) -> Result<Result<Report, &'static str>> {
    if (entry.card.graph, entry.card.weights) != (card.graph, card.weights) {
        return Ok(Err("was asked under another card: another graph, or other weights"));
    }
    if entry.protocol.mode().is_none() {
        return Ok(Err("was asked without a proof"));
    }
    let report = judge(entry)?;
    Ok(match (&report.proof, report.verdict) {
        (Proof::Accepted { .. }, Verdict::Accepted | Verdict::Inconclusive) => Ok(report),
        (Proof::Accepted { .. }, Verdict::Rejected) => Err("is rejected"),
        (Proof::None | Proof::Rejected(_), _) => Err("has no proof that is accepted"),
    })
}
