//! The server's side of a link.
//!
//! A question is decoded in context, and its inputs' range, its kind and the size of its batch are checked, before anything is
//! inferred. A question that is not one, or not one of this server's [`Offer`], is refused with its reason, and the conversation ended.

use std::fmt;
use std::sync::Arc;

use serin_circuits::codec::DecodeError;
use serin_circuits::codec::Digest;
use serin_circuits::graph::Graph;
use serin_circuits::tensor::Tensor;
use serin_circuits::weights::Weights;
use serin_verifier::card::Card;
use serin_verifier::proof::Mode;
use serin_verifier::rejection::Rejection;

use super::private::{
    self, Blueprint, Holder, Keeper, Ledger, LotId, PrivateError, Unfit, model_digest, pool::Pool,
};
use super::{Declined, Evidence, Kind, Offer, Reply, wire};
use crate::net::{Channel, NetError, Reason, Refusal, Step};
use crate::prover::Model;

/// Who answers questions.
pub trait Answerer: Sync {
    /// The card to show.
    fn card(&self) -> &Card;

    /// The graph to show.
    fn graph(&self) -> &Graph;

    /// What it takes.
    fn offer(&self) -> Offer;

    /// Answers a batch that is on offer, in the graph's input range.
    ///
    /// # Errors
    /// [`AnswerError`], when it cannot.
    fn answer(&self, kind: Kind, session: &[u8; 32], inputs: &Tensor) -> Result<Reply, AnswerError>;

    /// Who holds the weights that are computed with in private, if it is on offer.
    fn holder(&self) -> Option<&dyn Holder> {
        None
    }
}

/// A batch that could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// No proof can be made of it.
    #[error("no proof can be made: {0}")]
    Proof(#[from] Rejection),
}

/// Who answers honestly.
pub struct Host {
    model: Model,
    card: Card,
    offer: Offer,
    blueprint: Option<Arc<Blueprint>>,
    pool: Option<Pool>,
    observer: Option<Observer>,
}

/// Told what a private conversation cost so far, each time a lot was spent.
pub type Observer = Box<dyn Fn(&Ledger) + Send + Sync>;

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("model", &self.model).field("card", &self.card).finish_non_exhaustive()
    }
}

impl Host {
    /// A host of `model`, under the name and with the accuracy that it claims.
    pub fn new(name: &str, model: Model, accuracy: Option<f64>) -> Self {
        let card = Card::new(name, model.graph(), *model.root(), accuracy);
        let offer = Offer::of(model.graph());
        Self { model, card, offer, blueprint: None, pool: None, observer: None }
    }

    /// Its samples are prepared as a text with this digest says.
    #[must_use]
    pub fn with_reading(self, reading: Option<Digest>) -> Self {
        Self { card: self.card.with_reading(reading), ..self }
    }

    /// Takes at most `samples` at once, if that is less than it would.
    #[must_use]
    pub fn with_max_batch(self, samples: usize) -> Self {
        Self { offer: self.offer.limited(samples), ..self }
    }

    /// Proves in no other mode.
    ///
    /// # Errors
    /// [`Declined`], if this model cannot be proved so.
    pub fn with_mode(self, mode: Mode) -> Result<Self, Declined> {
        let offer = self.offer.only(mode);
        offer.check(Kind::Proved(mode), 1, self.model.graph())?;
        Ok(Self { offer, ..self })
    }

    /// Keeps lots for private questions beyond a conversation, in a pool.
    #[must_use]
    pub fn with_pool(self, pool: Pool) -> Self {
        Self { pool: Some(pool), ..self }
    }

    /// Tells what private conversations cost.
    #[must_use]
    pub fn with_observer(self, observer: Observer) -> Self {
        Self { observer: Some(observer), ..self }
    }

    /// Computes in private too. A client that does not keep to that protocol may read weights off it: offer it to those you trust to.
    ///
    /// # Errors
    /// [`Unfit`], if this model cannot be computed so.
    pub fn with_private(self) -> Result<Self, Unfit> {
        let outline = Blueprint::of(self.model.graph())?;
        let blueprint = Arc::new(outline.under(private::bound(self.model.weights()))?);
        blueprint.plan(1)?;
        let offer = self.offer.with_private(blueprint.most_positions());
        Ok(Self { offer, blueprint: Some(blueprint), ..self })
    }

    /// The model, and nothing of the rest.
    pub fn into_model(self) -> Model {
        self.model
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

    fn offer(&self) -> Offer {
        self.offer
    }

    fn answer(&self, kind: Kind, session: &[u8; 32], inputs: &Tensor) -> Result<Reply, AnswerError> {
        let trace = self.model.infer(inputs);
        let evidence = match kind {
            Kind::Plain | Kind::Private => Evidence::None,
            Kind::Proved(mode) => {
                Evidence::Proof(self.model.prove(&self.card.server, session, inputs, &trace, mode)?)
            }
        };
        Ok(Reply { outputs: trace.output().clone(), evidence })
    }

    fn holder(&self) -> Option<&dyn Holder> {
        Some(self)
    }
}

impl Holder for Host {
    fn weights(&self, _: &LotId) -> &Weights {
        self.model.weights()
    }

    fn model(&self) -> Digest {
        model_digest(&self.card)
    }

    fn blueprint(&self) -> Option<&Arc<Blueprint>> {
        self.blueprint.as_ref()
    }

    fn pool(&self) -> Option<&Pool> {
        self.pool.as_ref()
    }

    fn report(&self, ledger: &Ledger) {
        if let Some(observer) = &self.observer {
            observer(ledger);
        }
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
    /// The client asked what is not on offer.
    #[error("a question was refused: {0}")]
    Declined(#[from] Declined),
    /// The batch could not be answered.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// A private question came to no end.
    #[error(transparent)]
    Private(#[from] PrivateError),
    /// The card could not be written.
    #[error("the card cannot be written: {0}")]
    Card(#[from] serde_json::Error),
}

/// Holds one conversation: the handler for [`crate::net::server::Server::serve`].
///
/// # Errors
/// [`ServeError`], unless the client ended it, by saying so or by hanging up between two questions.
pub fn serve_link(channel: &mut dyn Channel, answerer: &dyn Answerer) -> Result<(), ServeError> {
    let (graph, offer) = (answerer.graph(), answerer.offer());
    channel.receive(Step::HELLO, 0)?;
    channel.send(Step::CARD, &wire::encode_card(answerer.card(), offer)?)?;
    channel.send(Step::GRAPH, &graph.encode())?;
    let mut wanted = vec![(Step::ASK, wire::ask_cap(graph, offer.largest())), (Step::GOODBYE, 0)];
    let lot = offer.most(Kind::Private);
    let mut keeper = answerer.holder().and_then(|holder| Keeper::new(holder, graph, lot));
    wanted.extend(keeper.iter().flat_map(|_| private::OPENINGS));
    loop {
        let body = match (channel.receive_one_of(&wanted), &mut keeper) {
            (Ok((Step::GOODBYE, _)) | Err(NetError::Ended), _) => return Ok(()),
            (Ok((step, body)), Some(keeper)) if step != Step::ASK => {
                keeper.serve(channel, step, &body).inspect_err(|error| {
                    if let Some(text) = error.told() {
                        let _ = channel.refuse(&Refusal::new(Reason::Unfit, text));
                    }
                })?;
                continue;
            }
            (Ok((_, body)), _) => body,
            (Err(error), _) => return Err(error.into()),
        };
        let ask = wire::decode_ask(&body, graph, offer.largest()).inspect_err(|error| {
            let _ = channel.refuse(&Refusal::new(Reason::Unfit, error.to_string()));
        })?;
        offer.check(ask.kind, ask.inputs.batch(), graph).inspect_err(|declined| {
            let _ = channel.refuse(&Refusal::new(Reason::Unfit, declined.to_string()));
        })?;
        let reply = answerer.answer(ask.kind, &ask.session, &ask.inputs).inspect_err(|_| {
            let _ = channel.refuse(&Refusal::new(Reason::Failed, "the batch could not be answered"));
        })?;
        channel.send(Step::ANSWER, &wire::encode_answer(&reply, graph))?;
    }
}
