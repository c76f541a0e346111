//! One batch: what was asked and on what terms, what was answered, and with what evidence.
//!
//! Questions are kept once; [`Entry::slots`] says what each position of the batch held. [`Entry::check`] holds the parts against each
//! other, so that what is judged cannot fail to fit; decoding and encoding go through it.

use std::time::Duration;

use serde::{Serialize, Serializer};
use serin_circuits::codec::DecodeError;
use serin_circuits::graph::{Graph, GraphDecodeError};
use serin_circuits::tensor::Tensor;

use super::Kind;
use crate::canary::CanaryError;
use crate::canary::judge::Criteria;
use crate::canary::mixing::Slot;
use crate::card::Card;
use crate::limits;
use crate::statement::{Statement, fits};

/// What came with the answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Nothing.
    None,
    /// The bytes of a proof.
    Proof(Vec<u8>),
}

/// What is known of a canary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Truth {
    /// The class it belongs to.
    Label(u32),
    /// The advertised model's own outputs.
    Reference(Vec<i32>),
}

/// What the batch cost; reported, never judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Costs {
    /// Bytes sent, framing included.
    pub sent: u64,
    /// Bytes received, framing included.
    pub received: u64,
    /// From the question to the answer, in whole microseconds; JSON has seconds.
    #[serde(rename = "waited_s", serialize_with = "seconds")]
    pub waited: Duration,
}

fn seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

/// One batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The card that the asker held.
    pub card: Card,
    /// The graph that the server sent.
    pub graph: Graph,
    /// How the batch was asked.
    pub protocol: Kind,
    /// The session's random bytes.
    pub session: [u8; 32],
    /// On what terms it is judged.
    pub criteria: Criteria,
    /// B: copies of each query.
    pub copies: u64,
    /// The R queries; may be none.
    pub queries: Tensor,
    /// The T canaries; may be none.
    pub canaries: Tensor,
    /// What is known of each canary.
    pub truths: Vec<Truth>,
    /// What each position of the batch held.
    pub slots: Vec<Slot>,
    /// The answers, one for each position.
    pub outputs: Tensor,
    /// What came with them.
    pub evidence: Evidence,
    /// What it cost.
    pub costs: Costs,
}

/// An entry that does not decode, or whose parts do not fit each other.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EntryError {
    /// The bytes are malformed.
    #[error(transparent)]
    Bytes(#[from] DecodeError),
    /// Its graph is malformed.
    #[error("its graph: {0}")]
    Graph(#[from] GraphDecodeError),
    /// Its terms make no sense.
    #[error("its terms: {0}")]
    Terms(#[from] CanaryError),
    /// Its parts do not fit each other.
    #[error("its parts do not fit each other: {0}")]
    Parts(String),
}

impl Entry {
    /// N = R·B + T, as far as a batch may hold; `None` beyond.
    pub fn positions(&self) -> Option<u64> {
        let asked = (self.queries.batch() as u64).checked_mul(self.copies)?;
        let all = asked.checked_add(self.canaries.batch() as u64)?;
        (all <= limits::MAX_BATCH as u64).then_some(all)
    }

    /// Holds the parts against each other and against the graph.
    ///
    /// # Errors
    /// [`EntryError::Parts`].
    pub fn check(&self) -> Result<(), EntryError> {
        let fault = |text: String| Err(EntryError::Parts(text));
        let Some(positions) = self.positions() else {
            return fault(format!("more than {} positions", limits::MAX_BATCH));
        };
        // A few bytes ask for a question's copies many times over: they are counted before anyone lays them out.
        let widest = self.graph.input().len().max(self.graph.output().len());
        if widest.saturating_mul(positions as usize) > limits::MAX_BATCH_ENTRIES {
            return fault(format!("{positions} positions of this model are more than one batch may hold"));
        }
        if self.copies == 0 && self.queries.batch() > 0 {
            return fault("its queries were never asked".into());
        }
        for (what, tensor, port) in [
            ("queries", &self.queries, self.graph.input()),
            ("canaries", &self.canaries, self.graph.input()),
            ("answers", &self.outputs, self.graph.output()),
        ] {
            fits(tensor, port).map_err(|text| EntryError::Parts(format!("{what}: {text}")))?;
        }
        if self.slots.len() as u64 != positions || self.outputs.batch() as u64 != positions {
            let (slots, answers) = (self.slots.len(), self.outputs.batch());
            return fault(format!("{slots} places and {answers} answers for {positions} positions"));
        }
        if self.truths.len() != self.canaries.batch() {
            return fault(format!("{} truths for {} canaries", self.truths.len(), self.canaries.batch()));
        }
        let outputs = self.graph.output();
        for (i, truth) in self.truths.iter().enumerate() {
            let sound = match truth {
                Truth::Label(label) => (*label as usize) < outputs.len(),
                Truth::Reference(values) => {
                    values.len() == outputs.len() && values.iter().all(|v| outputs.range.contains(*v))
                }
            };
            if !sound {
                return fault(format!("the truth of canary {i} is none of the model's answers"));
            }
        }
        let mut seen = vec![false; self.slots.len()];
        for slot in &self.slots {
            let item = self.item(*slot).and_then(|item| seen.get_mut(item as usize));
            match item {
                Some(seen) if !*seen => *seen = true,
                _ => return fault("a question has no place of its own".into()),
            }
        }
        Ok(())
    }

    /// The batch as it was asked. The entry must be sound ([`Entry::check`]); what does not fit is left out.
    pub fn inputs(&self) -> Tensor {
        let mut values = Vec::with_capacity(self.slots.len().saturating_mul(self.queries.sample_len()));
        for slot in &self.slots {
            values.extend_from_slice(match *slot {
                Slot::Query { query, .. } => self.queries.sample(query as usize),
                Slot::Canary { index } => self.canaries.sample(index as usize),
            });
        }
        Tensor::new(self.slots.len(), self.queries.shape(), values)
            .unwrap_or_else(|| Tensor::zeros(0, self.queries.shape()))
    }

    /// The statement that a proof is about, where there is one; `inputs` are [`Entry::inputs`].
    pub fn statement<'a>(&'a self, inputs: &'a Tensor) -> Statement<'a> {
        Statement {
            mode: self.protocol.mode().unwrap_or_default(),
            graph: &self.graph,
            weights: &self.card.weights,
            server: &self.card.server,
            session: &self.session,
            inputs,
            outputs: &self.outputs,
        }
    }

    /// The number of a slot: copy k mod B of query ⌊k/B⌋ for k < R·B, canary k − R·B beyond.
    pub(super) fn item(&self, slot: Slot) -> Option<u64> {
        let (queries, canaries) = (self.queries.batch() as u64, self.canaries.batch() as u64);
        match slot {
            Slot::Query { query, copy } if query < queries && copy < self.copies => {
                Some(query * self.copies + copy)
            }
            Slot::Canary { index } if index < canaries => Some(queries * self.copies + index),
            _ => None,
        }
    }

    /// The slot with a number.
    pub(super) fn slot(queries: u64, copies: u64, item: u64) -> Slot {
        match item.checked_sub(queries.saturating_mul(copies)) {
            None => Slot::Query { query: item / copies.max(1), copy: item % copies.max(1) },
            Some(index) => Slot::Canary { index },
        }
    }
}
