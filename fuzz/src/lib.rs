//! What the targets share: an honest answer to mutate, and the small models of the integration tests to start from.

#![expect(clippy::unwrap_used, reason = "what is built here is known to be sound")]

use serin::prover::Model;
use serin_circuits::tensor::Tensor;
use serin_verifier::canary::judge::Criteria;
use serin_verifier::canary::mixing::Slot;
use serin_verifier::canary::{Level, Rate};
use serin_verifier::card::Card;
use serin_verifier::proof::Mode;
use serin_verifier::record::{Costs, Entry, Evidence, Kind, Truth};
use serin_verifier::statement::Statement;

#[path = "../../tests/it/world.rs"]
mod world;

/// A small model with an honest answer and its proofs.
pub struct Honest {
    /// The model.
    pub model: Model,
    inputs: Tensor,
    outputs: Tensor,
    /// In the order of [`Mode::ALL`].
    proofs: [Vec<u8>; 2],
}

impl Honest {
    /// A residual convolution and a dense layer, two questions answered.
    pub fn new() -> Self {
        let net = world::Net::new(10, &[2, 4, 4]).residual().max_pool(world::square(2, 2, 0));
        let model = net.dense(3).rescale(-128).finish();
        let inputs = world::batch(model.graph(), 1, 2);
        let trace = model.infer(&inputs);
        let proofs = Mode::ALL.map(|mode| model.prove("s", &world::SESSION, &inputs, &trace, mode).unwrap());
        let outputs = trace.output().clone();
        Self { model, inputs, outputs, proofs }
    }

    /// What the proof in `mode` is about.
    pub fn statement(&self, mode: Mode) -> Statement<'_> {
        Statement { mode, ..self.model.statement("s", &world::SESSION, &self.inputs, &self.outputs) }
    }

    /// The proof in `mode`.
    pub fn proof(&self, mode: Mode) -> &[u8] {
        &self.proofs[usize::from(mode == Mode::Succinct)]
    }

    /// The same as an entry of a record: the first question is a query, the second a canary.
    pub fn entry(&self, mode: Mode) -> Entry {
        let level = Level::new(1e-3).unwrap();
        Entry {
            card: Card::new("s", self.model.graph(), *self.model.root(), None),
            graph: self.model.graph().clone(),
            protocol: Kind::Proved(mode),
            session: world::SESSION,
            criteria: Criteria {
                claimed_error: Rate::new(0.25).unwrap(),
                alpha: level,
                beta: level,
                tolerance: Some(1),
                least_accuracy: None,
                least_agreement: Some(0.0),
            },
            copies: 1,
            queries: self.inputs.select(&[0]).unwrap(),
            canaries: self.inputs.select(&[1]).unwrap(),
            truths: vec![Truth::Reference(self.outputs.sample(1).to_vec())],
            slots: vec![Slot::Query { query: 0, copy: 0 }, Slot::Canary { index: 0 }],
            outputs: self.outputs.clone(),
            evidence: Evidence::Proof(self.proof(mode).to_vec()),
            costs: Costs::default(),
        }
    }
}

impl Default for Honest {
    fn default() -> Self {
        Self::new()
    }
}

/// Models of every operator and shape class.
pub fn models() -> Vec<Model> {
    world::models().into_iter().map(|(_, model)| model).collect()
}

/// `honest` with the edits that `script` spells, four bytes each: what to do, to where (a fraction of the length), with what.
pub fn edited(honest: &[u8], script: &[u8]) -> Vec<u8> {
    let mut bytes = honest.to_vec();
    for &[what, low, high, value] in script.as_chunks::<4>().0 {
        let at = usize::from(u16::from_le_bytes([low, high])) * bytes.len() / (1 << 16);
        let Some(rest) = bytes.get_mut(at..) else { continue };
        match (what % 6, rest.first_chunk_mut::<8>()) {
            (0, _) => bytes.truncate(at),
            (1, _) => bytes.insert(at, value),
            (2, Some(word)) => *word = u64::from_le_bytes(*word).wrapping_add(value.into()).to_le_bytes(),
            (3, Some(word)) => word.rotate_left(usize::from(value % 8)),
            (4, Some(word)) => word.fill(value),
            _ => rest.iter_mut().take(1).for_each(|byte| *byte ^= value),
        }
    }
    bytes
}
