//! The judgement of one entry: the card, the proof, the copies and the canaries, in this order.

use super::{Answer, Asked, Proof, Report, Unjudged, Verdict, Worth, class};
use crate::canary::bounds::Tolerance;
use crate::canary::judge::{self as canary, Judgement, Missing, Outcome, Verdict as CanaryVerdict};
use crate::canary::mixing::{Disagreement, Position, Slot};
use crate::canary::plan::Plan;
use crate::canary::{Mix, Rate};
use crate::record::{Entry, Evidence, Kind, Truth};
use crate::rejection::Blame;
use crate::verify::verify;

/// What an entry proves.
///
/// # Errors
/// [`Unjudged`], if its parts do not fit each other.
pub fn judge(entry: &Entry) -> Result<Report, Unjudged> {
    entry.check()?;
    let proof = proof(entry);
    let Sorted { groups, outcomes } = sort(entry);
    let disagreements: Vec<_> = groups.iter().filter_map(Group::disagreement).collect();
    let canaries = canary::judge(&entry.criteria, &outcomes, &disagreements)?;
    let asked = Asked {
        queries: entry.queries.batch() as u64,
        copies: entry.copies,
        canaries: entry.canaries.batch() as u64,
    };
    Ok(Report {
        verdict: verdict(&proof, &canaries),
        blame: blame(&proof, &canaries),
        server: entry.card.server.clone(),
        session: entry.session,
        protocol: entry.protocol,
        asked,
        disagreements,
        criteria: entry.criteria,
        claimed_accuracy: entry.card.accuracy,
        worth: worth(entry, asked, &proof, &canaries),
        costs: entry.costs,
        answers: groups.into_iter().map(|group| group.answer(entry)).collect(),
        proof,
        canaries,
    })
}

fn proof(entry: &Entry) -> Proof {
    if let Err(rejection) = entry.card.check(&entry.graph) {
        return Proof::Rejected(rejection);
    }
    let inputs = entry.inputs();
    let statement = entry.statement(&inputs);
    // A proof that should be there and is not is a malformed one.
    let bytes = match (entry.protocol, &entry.evidence) {
        (Kind::Plain | Kind::Private, _) => {
            return statement.check().map_or_else(Proof::Rejected, |_| Proof::None);
        }
        (Kind::Proved(_), Evidence::None) => &[][..],
        (Kind::Proved(_), Evidence::Proof(bytes)) => bytes,
    };
    match verify(&statement, bytes) {
        Err(rejection) => Proof::Rejected(rejection),
        Ok(accepted) => Proof::Accepted {
            proof_bytes: bytes.len() - accepted.activation_bytes(),
            activation_bytes: accepted.activation_bytes(),
            soundness: accepted.soundness,
        },
    }
}

/// The answers by question.
struct Sorted {
    groups: Vec<Group>,
    outcomes: Vec<Outcome>,
}

/// The positions that hold the copies of one query: the first, and those answered otherwise.
struct Group {
    query: u64,
    first: Option<usize>,
    differing: Vec<Position>,
}

fn sort(entry: &Entry) -> Sorted {
    let queries = 0..entry.queries.batch() as u64;
    let mut groups: Vec<_> =
        queries.map(|query| Group { query, first: None, differing: Vec::new() }).collect();
    let mut outcomes = Vec::with_capacity(entry.truths.len());
    for (at, slot) in entry.slots.iter().enumerate() {
        let answer = entry.outputs.sample(at);
        let position = Position(at as u64);
        match *slot {
            Slot::Query { query, .. } => {
                let Some(group) = groups.get_mut(query as usize) else {
                    continue;
                };
                let first = *group.first.get_or_insert(at);
                if entry.outputs.sample(first) != answer {
                    group.differing.push(position);
                }
            }
            Slot::Canary { index } => {
                let Some(truth) = entry.truths.get(index as usize) else {
                    continue;
                };
                let canary = match truth {
                    Truth::Label(label) => {
                        canary::Canary::Labelled { right: class(answer) == *label as usize }
                    }
                    Truth::Reference(values) => canary::Canary::Reference { equal: answer == values },
                };
                outcomes.push(Outcome { position, canary });
            }
        }
    }
    Sorted { groups, outcomes }
}

impl Group {
    fn disagreement(&self) -> Option<Disagreement> {
        let first = Position(self.first? as u64);
        (!self.differing.is_empty()).then(|| Disagreement {
            query: self.query,
            first,
            differing: self.differing.clone(),
        })
    }

    fn answer(self, entry: &Entry) -> Answer {
        let agreed = self.first.filter(|_| self.differing.is_empty());
        let outputs = agreed.map(|at| entry.outputs.sample(at).to_vec());
        Answer { query: self.query, class: outputs.as_deref().map(class), outputs }
    }
}

fn verdict(proof: &Proof, canaries: &Judgement) -> Verdict {
    match (proof, &canaries.verdict) {
        (Proof::Rejected(_), _) | (_, CanaryVerdict::Rejected { .. }) => Verdict::Rejected,
        (_, CanaryVerdict::Accepted) => Verdict::Accepted,
        (Proof::Accepted { .. }, CanaryVerdict::Inconclusive { missing }) if only_canaries(missing) => {
            Verdict::Accepted
        }
        (_, CanaryVerdict::Inconclusive { .. }) => Verdict::Inconclusive,
    }
}

fn only_canaries(missing: &[Missing]) -> bool {
    missing.iter().all(|missing| matches!(missing, Missing::Canaries))
}

fn blame(proof: &Proof, canaries: &Judgement) -> Option<Blame> {
    match (proof, &canaries.verdict) {
        (Proof::Rejected(rejection), _) => Some(rejection.blame()),
        (_, CanaryVerdict::Rejected { .. }) => Some(Blame::Server),
        _ => None,
    }
}

fn worth(entry: &Entry, asked: Asked, proof: &Proof, canaries: &Judgement) -> Worth {
    let Judgement { labelled, reference, .. } = canaries;
    let proof_bits = match proof {
        Proof::Accepted { soundness, .. } => Some(soundness.bits),
        Proof::None | Proof::Rejected(_) => None,
    };
    // The most canaries that may be wrong without a rejection; p0 = 0 is the bound for a server that knows the truth better.
    let wrong = entry.criteria.tolerance.map_or(labelled.threshold, |c| c.min(labelled.threshold));
    let bits = |canaries, wrong| {
        let mix = Mix::new(asked.queries, asked.copies, canaries).ok()?;
        Some(Plan::of(mix, &Tolerance::new(wrong, Rate::ZERO).ok()?).bits)
    };
    // Of references none may be wrong, which can be worth more than all canaries together with what labelled ones are allowed.
    let mixing = [bits(asked.canaries, wrong), bits(reference.tally.asked(), 0)];
    let assured =
        |assessment: &canary::Assessment| (assessment.tally.asked() > 0).then(|| assessment.assured());
    Worth {
        proof_bits,
        mixing_bits: mixing.into_iter().flatten().reduce(f64::max).filter(|bits| *bits > 0.0),
        assured_accuracy: assured(labelled),
        assured_agreement: assured(reference),
    }
}
