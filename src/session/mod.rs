//! One session: questions hidden among canaries, asked of any [`Protocol`], recorded, then judged.
//!
//! In: the card the client pinned, the graph the server shows, queries and canaries as integers in the graph's input range, how many
//! copies, and on what terms to judge. Out: a [`Report`]. In between, in this order:
//!
//! 1. the session's 32 bytes and the shuffle are drawn afresh from the operating system's generator ([`random`]);
//! 2. the batch is arranged ([`serin_verifier::canary::mixing`]) and asked, all at once;
//! 3. one entry is appended to the record ([`record::Recorder`]), *before* anything is judged;
//! 4. the entry is judged by [`serin_verifier::report::judge`], the function that a replay of the record calls too.
//!
//! *Caller must still check*: that the card came from a source it trusts and the canaries are fresh. See
//! [`serin_verifier::canary`] for what mixing does not give.

pub mod random;
pub mod record;

use std::time::{Duration, Instant};

use ndarray::ArrayD;
use serin_circuits::codec::Digest;
use serin_circuits::graph::Graph;
use serin_circuits::quant::quantise;
use serin_circuits::tensor::Tensor;
use serin_verifier::canary::judge::Criteria;
use serin_verifier::canary::mixing::{Layout, MixingError, Slot};
use serin_verifier::canary::{CanaryError, Level, Mix, Rate};
use serin_verifier::card::{Card, InputCard};
use serin_verifier::record::{Costs, Entry, EntryError, Truth};
use serin_verifier::rejection::{Fault, Place, Rejection};
use serin_verifier::report::{Report, Unjudged, Verdict, judge};
use serin_verifier::statement::fits;

use self::random::{Randomness, RandomnessError};
use self::record::{Recorder, RecorderError};
use crate::protocol::{Client, Evidence, Protocol, ProtocolError, Reply};

/// A pinned card and the graph that it pins.
#[derive(Clone, Debug)]
pub struct Session {
    card: Card,
    graph: Graph,
}

/// What to ask.
#[derive(Clone, Debug, PartialEq)]
pub struct Questions {
    /// R queries, in the graph's input range; may be none.
    pub queries: Tensor,
    /// B: copies of each, at least one where there is a query.
    pub copies: u64,
    /// The canaries.
    pub canaries: Canaries,
    /// On what terms to judge.
    pub criteria: Criteria,
}

impl Questions {
    /// N = R·B + T.
    pub fn positions(&self) -> usize {
        self.queries.batch().saturating_mul(self.copies as usize).saturating_add(self.canaries.inputs.batch())
    }
}

/// T samples with known answers; may be none.
#[derive(Clone, Debug, PartialEq)]
pub struct Canaries {
    /// The samples, in the graph's input range.
    pub inputs: Tensor,
    /// What is known of each.
    pub truths: Vec<Truth>,
}

/// How far a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The batch is being asked, and its answer waited for.
    Asking {
        /// N.
        positions: u64,
    },
    /// The answer is being recorded.
    Recording,
    /// It is being judged.
    Judging,
}

/// A session that came to its end.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What the answers are worth.
    pub report: Report,
    /// What was recorded, and judged.
    pub entry: Entry,
    /// The record's head after this session's entry.
    pub head: Digest,
    /// How long judging took.
    pub judging: Duration,
}

/// A session that came to no end.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The server's graph is not the one the card pins.
    #[error("the server is not the one pinned: {0}")]
    Offer(Rejection),
    /// The batch has no answer.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// The questions do not fit the model.
    #[error("the {what} cannot be asked: {fault}")]
    Questions {
        /// Queries or canaries.
        what: &'static str,
        /// What is wrong with them.
        fault: String,
    },
    /// The card claims no accuracy to judge labelled canaries by.
    #[error("the card claims no accuracy; say which error rate to hold the labelled canaries against")]
    NoClaim,
    /// The numbers of queries, copies and canaries, or the terms, make no sense.
    #[error(transparent)]
    Terms(#[from] CanaryError),
    /// The batch could not be arranged.
    #[error(transparent)]
    Mixing(#[from] MixingError),
    /// The operating system gave no randomness.
    #[error(transparent)]
    Randomness(#[from] RandomnessError),
    /// The entry's parts do not fit each other.
    #[error("the session cannot be recorded: {0}")]
    Entry(#[from] EntryError),
    /// The record could not be written.
    #[error(transparent)]
    Record(#[from] RecorderError),
    /// The entry could not be judged.
    #[error(transparent)]
    Unjudged(#[from] Unjudged),
}

impl SessionError {
    /// What was found against somebody, if that is why the session ended.
    pub fn rejection(&self) -> Option<&Rejection> {
        match self {
            Self::Offer(rejection) | Self::Protocol(ProtocolError::Rejected(rejection)) => Some(rejection),
            _ => None,
        }
    }

    /// The verdict that it amounts to.
    pub fn verdict(&self) -> Verdict {
        self.rejection().map_or(Verdict::Inconclusive, |_| Verdict::Rejected)
    }
}

impl Session {
    /// A session under a pinned card, with the graph that the server shows.
    ///
    /// # Errors
    /// [`SessionError::Offer`], if the card pins another.
    pub fn new(card: Card, graph: Graph) -> Result<Self, SessionError> {
        card.check(&graph).map_err(SessionError::Offer)?;
        Ok(Self { card, graph })
    }

    /// [`Session::new`] with what `client`'s server shows: its graph, and a card of the pinned weights. Where no proof comes, only the
    /// server's word ties its answers to them, and it is held to that.
    ///
    /// # Errors
    /// [`SessionError::Offer`], if the card pins another graph or other weights.
    pub fn with(card: Card, client: &Client) -> Result<Self, SessionError> {
        let session = Self::new(card, client.graph().clone())?;
        if client.offered().weights != session.card.weights {
            return Err(SessionError::Offer(Rejection::new(Place::Card, Fault::Weights)));
        }
        Ok(session)
    }

    /// The card.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// The graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// No canaries.
    pub fn no_canaries(&self) -> Canaries {
        Canaries { inputs: Tensor::zeros(0, &self.graph.input().shape), truths: Vec::new() }
    }

    /// Asks one batch, records and judges it. `progress` is told of each stage as it begins.
    ///
    /// # Errors
    /// [`SessionError`]. Once the answer has arrived, it is in the record whatever comes after.
    pub fn run(
        &self,
        protocol: &mut dyn Protocol,
        questions: &Questions,
        recorder: &mut Recorder,
        progress: &mut dyn FnMut(Stage),
    ) -> Result<Outcome, SessionError> {
        self.check(questions)?;
        let mut randomness = Randomness::fresh()?;
        let session = randomness.session()?;
        let slots = arrange(questions, &mut randomness)?;
        progress(Stage::Asking { positions: slots.len() as u64 });
        let entry = self.ask(protocol, questions, session, slots)?;
        progress(Stage::Recording);
        let head = recorder.append(&entry)?;
        progress(Stage::Judging);
        let start = Instant::now();
        let report = judge(&entry)?;
        Ok(Outcome { report, entry, head, judging: start.elapsed() })
    }

    fn check(&self, questions: &Questions) -> Result<(), SessionError> {
        let Questions { queries, canaries, .. } = questions;
        for (what, tensor) in [("queries", queries), ("canaries", &canaries.inputs)] {
            fits(tensor, self.graph.input()).map_err(|fault| SessionError::Questions { what, fault })?;
        }
        let (samples, truths) = (canaries.inputs.batch(), canaries.truths.len());
        let fault = match samples {
            0 if queries.batch() == 0 => "there are none, and no query either".to_owned(),
            n if n != truths => format!("{truths} truths are known of {n}"),
            _ => return Ok(()),
        };
        Err(SessionError::Questions { what: "canaries", fault })
    }

    fn ask(
        &self,
        protocol: &mut dyn Protocol,
        questions: &Questions,
        session: [u8; 32],
        slots: Vec<Slot>,
    ) -> Result<Entry, SessionError> {
        let mut entry = Entry {
            card: self.card.clone(),
            graph: self.graph.clone(),
            protocol: protocol.kind(),
            session,
            criteria: questions.criteria,
            copies: questions.copies,
            queries: questions.queries.clone(),
            canaries: questions.canaries.inputs.clone(),
            truths: questions.canaries.truths.clone(),
            outputs: Tensor::zeros(slots.len(), &self.graph.output().shape),
            slots,
            evidence: Evidence::None,
            costs: Costs::default(),
        };
        let (before, start) = (protocol.meter(), Instant::now());
        let Reply { outputs, evidence } = protocol.ask(&session, &entry.inputs())?;
        let after = protocol.meter();
        entry.outputs = outputs;
        entry.evidence = evidence;
        entry.costs = Costs {
            sent: after.sent - before.sent,
            received: after.received - before.received,
            // What a record keeps.
            waited: Duration::from_micros(start.elapsed().as_micros() as u64),
        };
        Ok(entry)
    }
}

/// Which question goes where: uniformly shuffled. Without queries there is nothing to hide canaries among, and they stand in order.
fn arrange(questions: &Questions, randomness: &mut Randomness) -> Result<Vec<Slot>, SessionError> {
    let (queries, canaries) = (questions.queries.batch() as u64, questions.canaries.inputs.batch() as u64);
    if queries == 0 {
        return Ok((0..canaries).map(|index| Slot::Canary { index }).collect());
    }
    let mix = Mix::new(queries, questions.copies, canaries)?;
    Ok(Layout::shuffle(&mix, &mut |n| randomness.below(n))?.slots().collect())
}

/// The terms a card calls for: its claim, held to with α = β = `level`. Without labelled canaries no claim is needed.
///
/// # Errors
/// [`SessionError::NoClaim`], if there are `labelled` canaries and the card claims no accuracy.
pub fn criteria(card: &Card, level: Level, labelled: bool) -> Result<Criteria, SessionError> {
    let claimed_error = match card.accuracy {
        Some(accuracy) => Rate::left_by(accuracy)?,
        None if labelled => return Err(SessionError::NoClaim),
        None => Rate::ZERO,
    };
    Ok(Criteria {
        claimed_error,
        alpha: level,
        beta: level,
        tolerance: None,
        least_accuracy: None,
        least_agreement: None,
    })
}

/// Reals as the integers a card's model takes: samples [n, …shape], rounded at its exponent and clamped to its range.
///
/// # Errors
/// [`SessionError::Questions`], naming `what`: samples of another shape, or a value that is not finite.
pub fn encode(what: &'static str, input: &InputCard, samples: &ArrayD<f32>) -> Result<Tensor, SessionError> {
    let refuse = |fault| SessionError::Questions { what, fault };
    let (batch, shape) = match samples.shape().split_first() {
        Some((batch, shape)) if shape == input.shape => (*batch, shape),
        _ => {
            return Err(refuse(format!(
                "samples {:?} where the model takes {:?} each",
                samples.shape(),
                input.shape
            )));
        }
    };
    if let Some(at) = samples.iter().position(|v| !v.is_finite()) {
        return Err(refuse(format!("value {at} is not a finite number")));
    }
    let values = samples.iter().map(|x| quantise(*x, input.exponent, input.low, input.high)).collect();
    Tensor::new(batch, shape, values).ok_or_else(|| refuse("the samples are of no size".into()))
}
