//! The client's side of a link: `plain` and `proved`.

use serin_circuits::graph::Graph;
use serin_circuits::tensor::Tensor;
use serin_verifier::card::Card;
use serin_verifier::rejection::{Place, Rejection};
use serin_verifier::statement::fits;

use super::{Kind, OfferError, Protocol, ProtocolError, Reply, wire};
use crate::net::{Channel, Meter, NetError, Step};

/// A conversation with one server, in which batches are asked.
///
/// What the server offers, [`Client::offered`] and [`Client::graph`], is its own word: hold it against the card you pinned
/// ([`crate::session::Session::new`] does).
pub struct Client {
    channel: Box<dyn Channel>,
    kind: Kind,
    card: Card,
    graph: Graph,
    max_batch: usize,
}

impl Client {
    /// Opens the conversation: says hello, and takes the server's card and graph.
    ///
    /// # Errors
    /// [`ProtocolError::Net`] and [`ProtocolError::Offer`].
    pub fn open(mut channel: Box<dyn Channel>, kind: Kind) -> Result<Self, ProtocolError> {
        channel.send(Step::HELLO, &[])?;
        let (card, max_batch) = wire::decode_card(&channel.receive(Step::CARD, wire::CARD_CAP)?)?;
        let graph = channel.receive(Step::GRAPH, wire::GRAPH_CAP)?;
        let graph = Graph::decode(&graph).map_err(OfferError::from)?;
        Ok(Self { channel, kind, card, graph, max_batch })
    }

    /// The card that the server shows; whether it is the one you trust is for you to check.
    pub fn offered(&self) -> &Card {
        &self.card
    }

    /// The graph that the server says it computes.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The most samples the server takes at once.
    pub fn max_batch(&self) -> usize {
        self.max_batch
    }

    /// Asks differently from here on.
    pub fn set_kind(&mut self, kind: Kind) {
        self.kind = kind;
    }

    /// Ends the conversation.
    ///
    /// # Errors
    /// [`NetError`], if the server is gone already.
    pub fn close(mut self) -> Result<(), NetError> {
        self.channel.send(Step::GOODBYE, &[])
    }
}

impl Protocol for Client {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn ask(&mut self, session: &[u8; 32], inputs: &Tensor) -> Result<Reply, ProtocolError> {
        let batch = inputs.batch();
        if batch == 0 || batch > self.max_batch {
            let text = format!("a batch of {batch} samples, where this server takes 1 to {}", self.max_batch);
            return Err(ProtocolError::Question(text));
        }
        fits(inputs, self.graph.input()).map_err(ProtocolError::Question)?;
        self.channel.send(Step::ASK, &wire::encode_ask(self.kind, session, inputs, &self.graph))?;
        let cap = wire::answer_cap(self.kind, &self.graph, batch);
        let body = self.channel.receive(Step::ANSWER, cap)?;
        let reply = wire::decode_answer(self.kind, &body, &self.graph, batch);
        Ok(reply.map_err(|error| Rejection::new(Place::Statement, error))?)
    }

    fn meter(&self) -> Meter {
        self.channel.meter()
    }
}
