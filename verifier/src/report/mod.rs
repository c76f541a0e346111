//! What one batch proves: the verdict, the numbers it rests on, and what each part of the evidence is worth.
//!
//! [`judge()`] is a pure function of an [`Entry`](crate::record::Entry): a live session and the replay of a saved record call the same one, so they cannot
//! differ. `Report` serialises for programs and prints for people.
//!
//! | verdict | exit code | when |
//! |---|---|---|
//! | [`Verdict::Accepted`] | 0 | nothing speaks against the server, a proof or canaries speak for it, every assurance asked for is met |
//! | [`Verdict::Rejected`] | 1 | the proof is not believed, copies disagree, or the canaries reject |
//! | [`Verdict::Inconclusive`] | 2 | anything else: above all, nothing was checked |
//!
//! A proof accepted without canaries is accepted *as to the committed function*; the claimed accuracy is then reported as unchecked.
//!
//! *Caller must still check*: that the entry's card is the one pinned, that a record's canaries were fresh, and what mixing does not
//! give ([`crate::canary`]): in the clear, its bits hold only against a server that cannot tell canaries and copies from queries.

mod judge;
mod text;

pub use judge::judge;

use serde::{Serialize, Serializer, ser::SerializeStruct};

use crate::canary::CanaryError;
use crate::canary::judge::{Criteria, Judgement};
use crate::canary::mixing::Disagreement;
use crate::record::{Costs, EntryError, Kind};
use crate::rejection::{Blame, Rejection};
use crate::soundness::Soundness;

/// What one batch proves.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Whether to believe the answers.
    pub verdict: Verdict,
    /// Whom a rejection blames.
    pub blame: Option<Blame>,
    /// The server's name.
    pub server: String,
    /// The session.
    #[serde(with = "crate::card::hex_digest")]
    pub session: [u8; 32],
    /// How the batch was asked; JSON has `protocol` and, where there is a proof, `mode`.
    #[serde(flatten)]
    pub protocol: Kind,
    /// R, B and T.
    pub asked: Asked,
    /// What became of the proof.
    pub proof: Proof,
    /// Queries whose copies disagree.
    pub disagreements: Vec<Disagreement>,
    /// What the canaries say.
    pub canaries: Judgement,
    /// The terms they were judged on.
    pub criteria: Criteria,
    /// The accuracy that the card claims.
    pub claimed_accuracy: Option<f64>,
    /// What the evidence is worth.
    pub worth: Worth,
    /// What it cost.
    pub costs: Costs,
    /// The answers, by query.
    pub answers: Vec<Answer>,
}

/// Whether to believe the answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing speaks against the server, and what was asked for is assured.
    Accepted,
    /// The answers are not to be believed.
    Rejected,
    /// We could not tell.
    Inconclusive,
}

impl Verdict {
    /// The exit code that says it.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Accepted => 0,
            Self::Rejected => 1,
            Self::Inconclusive => 2,
        }
    }
}

/// How many questions a batch held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// R.
    pub queries: u64,
    /// B.
    pub copies: u64,
    /// T.
    pub canaries: u64,
}

impl Asked {
    /// N = R·B + T.
    pub fn positions(&self) -> u64 {
        self.queries * self.copies + self.canaries
    }
}

/// What became of the proof.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Proof {
    /// None was asked for, and card, graph and answers fit each other.
    None,
    /// It is believed.
    Accepted {
        /// A false answer is accepted with probability at most 2^−bits, per attempt, and how that adds up.
        #[serde(flatten)]
        soundness: Soundness,
        /// Its length, without the revealed activations.
        proof_bytes: usize,
        /// Bytes of these.
        activation_bytes: usize,
    },
    /// The card, the statement or the proof is not believed.
    Rejected(#[serde(serialize_with = "rejection")] Rejection),
}

/// What the evidence is worth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Worth {
    /// Bits with which each answer is known to be the committed function's: from the proof.
    pub proof_bits: Option<f64>,
    /// Bits with which no query was answered wrongly unnoticed: from copies and canaries, against a server that cannot tell them apart.
    pub mixing_bits: Option<f64>,
    /// Accuracy assured by labelled canaries, at level α; `None` without any.
    pub assured_accuracy: Option<f64>,
    /// Agreement with the advertised model assured by reference canaries, at level α; `None` without any.
    pub assured_agreement: Option<f64>,
}

/// The answer to one query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// Which query, from 0.
    pub query: u64,
    /// What all its copies say; `None` if they do not agree.
    pub outputs: Option<Vec<i32>>,
    /// The class with the greatest output, the first of equals.
    pub class: Option<usize>,
}

/// A batch that could not be judged.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Unjudged {
    /// The entry's parts do not fit each other.
    #[error("the entry cannot be judged: {0}")]
    Entry(#[from] EntryError),
    /// Its canaries are more than the statistics cover.
    #[error("the canaries cannot be judged: {0}")]
    Canaries(#[from] CanaryError),
}

/// The class a model's outputs name: the index of the greatest, the first of equals; 0 of none.
pub fn class(outputs: &[i32]) -> usize {
    let first_greatest = |best: usize, at: usize| {
        if outputs.get(at) > outputs.get(best) { at } else { best }
    };
    (0..outputs.len()).fold(0, first_greatest)
}

fn rejection<S: Serializer>(rejection: &Rejection, serializer: S) -> Result<S::Ok, S::Error> {
    let mut fields = serializer.serialize_struct("Rejection", 3)?;
    fields.serialize_field("place", &rejection.place.to_string())?;
    fields.serialize_field("fault", &rejection.fault.to_string())?;
    fields.serialize_field("blame", &rejection.blame())?;
    fields.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_of_equal_outputs_is_the_first() {
        assert_eq!([class(&[1, 5, 5]), class(&[-3, -9]), class(&[]), class(&[2])], [1, 0, 0, 0]);
    }
}
