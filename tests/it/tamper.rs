//! The tamper manifest: every message of a proof, its mutation, and the very rejection that mutation must raise. Fields of
//! statement and card: [`statement`]; the rows: [`manifest`]; bytes without regard to what they mean: [`bytes`].
//!
//! A proof's messages are taken from [`Accepted::outline`](serin_verifier::verify::Accepted), so a message nobody wrote a row
//! for fails the test, and so does a row that no proof uses. What a change of transcript does downstream is part of the rows:
//! a message that precedes coins spoils every later check, and the first of them is the one that must speak.

mod bytes;
mod manifest;
mod statement;

use serin::prover::Model;
use serin_circuits::codec::DecodeError;
use serin_circuits::field::MODULUS;
use serin_circuits::graph::Graph;
use serin_circuits::tensor::Tensor;
use serin_verifier::proof::Mode;
use serin_verifier::rejection::{Blame, Place, Rejection};
use serin_verifier::script::Message;
use serin_verifier::statement::Statement;
use serin_verifier::verify::verify;

use self::manifest::{At, Expected, Kind, MANIFEST, Row, kind};
use crate::world::{Net, SESSION, batch, models};

#[test]
fn message_of_any_proof_tampered_raises_the_rejection_of_its_row() {
    let mut used = [[false; 4]; MANIFEST.len()];
    // Long enough that both of its openings commit the row.
    let long = || ("long", Net::new(13, &[768]).dense(256).rescale(0).dense(3).finish());
    let nets = || models().into_iter().chain([long()]);
    let answered = Mode::ALL.map(|mode| nets().map(move |(name, model)| (name, mode, model)));
    for (name, mode, model) in answered.into_iter().flatten() {
        let honest = Answered::new(model, 2, mode);
        let name = format!("{name}, {}", mode.name());
        let mut outline = verify(&honest.statement(), &honest.proof).unwrap().outline;
        outline.insert(0, Message { place: Place::Proof, label: "header", bytes: 0..mode.header().len() });
        for message in &outline {
            let row = MANIFEST
                .iter()
                .position(|row| (row.place, row.label) == (place(&message.place), message.label));
            let row = row.unwrap_or_else(|| panic!("{name}: the manifest has no row for {message:?}"));
            for mutation in honest.mutations(&MANIFEST[row], message) {
                let Mutation { column, what, proof, expected } = mutation;
                let context = format!("{name}, {} {}, {what}", message.place, message.label);
                let rejection = verify(&honest.statement(), &proof).expect_err(&context);
                let raised = |(at, found): &(At, Kind)| {
                    *found == kind(&rejection.fault) && honest.stands(&rejection.place, *at, message)
                };
                assert!(expected.iter().any(raised), "{context}: {rejection:?} is none of {expected:?}");
                assert_eq!(rejection.blame(), Blame::Server, "{context}");
                used[row][column] = true;
            }
        }
        let mut longer = honest.proof.clone();
        longer.push(0);
        let leftover = verify(&honest.statement(), &longer).unwrap_err();
        assert_eq!(leftover, Rejection::new(Place::Proof, DecodeError::Leftover { extra: 1 }), "{name}");
    }
    for (row, used) in MANIFEST.iter().zip(used) {
        assert_eq!(used, [true; 4], "no proof has a {} {} for some mutation", row.place, row.label);
    }
}

/// A proof with one message changed.
struct Mutation {
    /// Which of a row's four columns it is of.
    column: usize,
    what: String,
    proof: Vec<u8>,
    expected: Expected,
}

/// A model that has honestly answered and proved a batch.
struct Answered {
    model: Model,
    mode: Mode,
    inputs: Tensor,
    outputs: Tensor,
    proof: Vec<u8>,
}

impl Answered {
    fn new(model: Model, samples: usize, mode: Mode) -> Self {
        let inputs = batch(model.graph(), 5, samples);
        let trace = model.infer(&inputs);
        let proof = model.prove("s", &SESSION, &inputs, &trace, mode).unwrap();
        let outputs = trace.output().clone();
        Self { model, mode, inputs, outputs, proof }
    }

    fn statement(&self) -> Statement<'_> {
        let mode = self.mode;
        Statement { mode, ..self.model.statement("s", &SESSION, &self.inputs, &self.outputs) }
    }

    /// Whether a place is the one meant, for a message.
    fn stands(&self, place: &Place, at: At, message: &Message) -> bool {
        match at {
            At::Here => *place == message.place,
            At::Node => matches!(place, Place::Node { .. }),
            At::First => *place == first(self.model.graph()),
            At::Last => *place == last(self.model.graph()),
            At::Lookups => *place == Place::Lookups,
            At::Columns => *place == Place::Columns,
            At::ColumnsOpening => *place == Place::ColumnsOpening,
            At::Statement => *place == Place::Statement,
            At::Proof => *place == Place::Proof,
            At::Claims => *place == Place::Claims,
            At::Opening => *place == Place::Opening,
        }
    }

    /// Every mutation of a message that changes the proof.
    fn mutations(&self, row: &Row, message: &Message) -> Vec<Mutation> {
        let bytes = message.bytes.clone();
        let word = match (row.word, &message.place) {
            (0, Place::Node { index, .. }) => self.model.graph().nodes()[*index].output.range.byte_width(),
            (word, _) => word,
        };
        let words = bytes.len() / word;
        let at = |i: usize| bytes.start + i * word;
        let mut mutations = Vec::new();
        let mut add = |column, what: String, expected, change: &dyn Fn(&mut Vec<u8>)| {
            let mut proof = self.proof.clone();
            change(&mut proof);
            if proof != self.proof {
                mutations.push(Mutation { column, what, proof, expected });
            }
        };
        if words == 0 {
            // All columns of a short code were drawn: its path is empty, and what follows it is the end.
            return mutations;
        }
        for i in [0, words / 2, words - 1] {
            add(0, format!("bit of word {i} flipped"), row.altered, &|proof| proof[at(i)] ^= 1);
            add(0, format!("one added to word {i}"), row.altered, &|proof| {
                add_one(&mut proof[at(i)..][..word], row.label)
            });
            add(1, format!("word {i} beyond"), row.beyond, &|proof| proof[at(i)..][..word].fill(0xff));
        }
        add(0, "first and last word exchanged".into(), row.altered, &|proof| {
            (0..word).for_each(|i| proof.swap(at(0) + i, at(words - 1) + i));
        });
        add(2, "cut".into(), row.cut, &|proof| proof.truncate(bytes.start));
        add(3, "word inserted".into(), row.inserted, &|proof| {
            proof.splice(bytes.start..bytes.start, std::iter::repeat_n(0, word));
        });
        mutations
    }
}

/// Adds one to a word: modulo p where it is a field element, else modulo its size.
fn add_one(word: &mut [u8], label: &str) {
    let is_element = !matches!(label, "header" | "accumulators" | "path" | "row root" | "path of row");
    if let Some(limb) = word.first_chunk_mut::<8>().filter(|_| is_element) {
        *limb = ((u64::from_le_bytes(*limb) + 1) % MODULUS).to_le_bytes();
    } else {
        for byte in word {
            let carry;
            (*byte, carry) = byte.overflowing_add(1);
            if !carry {
                break;
            }
        }
    }
}

fn place(place: &Place) -> &'static str {
    match place {
        Place::Card => "card",
        Place::Statement => "statement",
        Place::Proof => "proof",
        Place::Node { .. } => "node",
        Place::Lookups => "look-ups",
        Place::Columns => "columns",
        Place::Claims => "claims",
        Place::Conversation => "conversation",
        Place::Opening | Place::ColumnsOpening => "opening",
    }
}

/// The place of a graph's first linear node.
fn first(graph: &Graph) -> Place {
    let (index, _) = graph.linears().next().unwrap();
    Place::Node { index, name: graph.nodes()[index].name.clone() }
}

/// The place of its last.
fn last(graph: &Graph) -> Place {
    let (index, _) = graph.linears().last().unwrap();
    Place::Node { index, name: graph.nodes()[index].name.clone() }
}
