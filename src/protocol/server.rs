//! The server's side of a link.
//!
//! A question is decoded in context, and its inputs' range and the size of its batch are checked, before anything is inferred. A
//! question that is not one is refused with its reason, and the conversation ended.

use serin_circuits::codec::DecodeError;
use serin_circuits::codec::Digest;
use serin_circuits::graph::Graph;
use serin_circuits::tensor::Tensor;
use serin_verifier::card::Card;
use serin_verifier::proof::Mode;
use serin_verifier::rejection::Rejection;
use serin_verifier::statement::most_samples;

use super::{Evidence, Kind, Reply, wire};
use crate::net::{Channel, NetError, Reason, Refusal, Step};
use crate::prover::Model;

/// Who answers questions.
pub trait Answerer: Sync {
    /// The card to show.
    fn card(&self) -> &Card;

    /// The graph to show.
    fn graph(&self) -> &Graph;

    /// The most samples taken at once.
    fn max_batch(&self) -> usize {
        most_taken(self.graph())
    }

    /// Answers a batch of at most [`Answerer::max_batch`] samples in the graph's input range.
    ///
    /// # Errors
    /// [`AnswerError`], when it cannot.
    fn answer(&self, kind: Kind, session: &[u8; 32], inputs: &Tensor) -> Result<Reply, AnswerError>;
}

/// A batch that could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// No proof can be made of it.
    #[error("no proof can be made: {0}")]
    Proof(#[from] Rejection),
}

/// Who answers honestly.
#[derive(Debug)]
pub struct Host {
    model: Model,
    card: Card,
    max_batch: usize,
}

impl Host {
    /// A host of `model`, under the name and with the accuracy that it claims.
    pub fn new(name: &str, model: Model, accuracy: Option<f64>) -> Self {
        let card = Card::new(name, model.graph(), *model.root(), accuracy);
        let max_batch = most_taken(model.graph());
        Self { model, card, max_batch }
    }

    /// Its samples are prepared as a text with this digest says.
    #[must_use]
    pub fn with_reading(self, reading: Option<Digest>) -> Self {
        Self { card: self.card.with_reading(reading), ..self }
    }

    /// Takes at most `samples` at once, if that is less than it would.
    #[must_use]
    pub fn with_max_batch(mut self, samples: usize) -> Self {
        self.max_batch = self.max_batch.min(samples);
        self
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }
}

impl Answerer for Host {
    fn card(&self) -> &Card {
        &self.card
    }

    fn graph(&self) -> &Graph {
        self.model.graph()
    }

    fn max_batch(&self) -> usize {
        self.max_batch
    }

    fn answer(&self, kind: Kind, session: &[u8; 32], inputs: &Tensor) -> Result<Reply, AnswerError> {
        let trace = self.model.infer(inputs);
        let evidence = match kind {
            Kind::Plain => Evidence::None,
            Kind::Proved => Evidence::Proof(self.model.prove(
                &self.card.server,
                session,
                inputs,
                &trace,
                Mode::Revealed,
            )?),
        };
        Ok(Reply { outputs: trace.output().clone(), evidence })
    }
}

/// Why a conversation was broken off.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The link failed.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The client asked what no model can be asked.
    #[error("an unfit question was refused: {0}")]
    Question(#[from] DecodeError),
    /// The batch could not be answered.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// The card could not be written.
    #[error("the card cannot be written: {0}")]
    Card(#[from] serde_json::Error),
}

/// Holds one conversation: the handler for [`crate::net::server::Server::serve`].
///
/// # Errors
/// [`ServeError`], unless the client ended it, by saying so or by hanging up between two questions.
pub fn serve_link(channel: &mut dyn Channel, answerer: &dyn Answerer) -> Result<(), ServeError> {
    let (graph, max_batch) = (answerer.graph(), answerer.max_batch());
    channel.receive(Step::HELLO, 0)?;
    channel.send(Step::CARD, &wire::encode_card(answerer.card(), max_batch)?)?;
    channel.send(Step::GRAPH, &graph.encode())?;
    let wanted = [(Step::ASK, wire::ask_cap(graph, max_batch)), (Step::GOODBYE, 0)];
    loop {
        let body = match channel.receive_one_of(&wanted) {
            Ok((Step::GOODBYE, _)) | Err(NetError::Ended) => return Ok(()),
            Ok((_, body)) => body,
            Err(error) => return Err(error.into()),
        };
        let ask = wire::decode_ask(&body, graph, max_batch).inspect_err(|error| {
            let _ = channel.refuse(&Refusal::new(Reason::Unfit, error.to_string()));
        })?;
        let reply = answerer.answer(ask.kind, &ask.session, &ask.inputs).inspect_err(|_| {
            let _ = channel.refuse(&Refusal::new(Reason::Failed, "the batch could not be answered"));
        })?;
        channel.send(Step::ANSWER, &wire::encode_answer(&reply, graph))?;
    }
}

/// The most samples of this graph that a proof, and this server's memory, can take at once.
fn most_taken(graph: &Graph) -> usize {
    let ports = graph.nodes().iter().map(|node| node.output.len());
    let widest = ports.chain([graph.input().len()]).max().unwrap_or(1);
    (MAX_ENTRIES / widest.max(1)).min(most_samples(graph)).max(1)
}

/// Most entries of one tensor over a whole batch that a host takes by default: 256 MiB.
const MAX_ENTRIES: usize = 1 << 26;
