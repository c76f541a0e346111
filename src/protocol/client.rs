//! The client's side of a link: `plain` and `proved`.

use std::collections::BTreeMap;

use serin_circuits::graph::Graph;
use serin_circuits::tensor::Tensor;
use serin_verifier::card::Card;
use serin_verifier::rejection::{Place, Rejection};
use serin_verifier::statement::fits;

use super::{Declined, Kind, Offer, OfferError, Protocol, ProtocolError, Reply, wire};
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
    offer: Offer,
}

impl Client {
    /// Opens the conversation: says hello, and takes the server's card and graph.
    ///
    /// # Errors
    /// [`ProtocolError::Net`] and [`ProtocolError::Offer`].
    pub fn open(mut channel: Box<dyn Channel>, kind: Kind) -> Result<Self, ProtocolError> {
        channel.send(Step::HELLO, &[])?;
        let (card, offer) = wire::decode_card(&channel.receive(Step::CARD, wire::CARD_CAP)?)?;
        let graph = channel.receive(Step::GRAPH, wire::GRAPH_CAP)?;
        let graph = Graph::decode(&graph).map_err(OfferError::from)?;
        Ok(Self { channel, kind, card, graph, offer })
    }

    /// The card that the server shows; whether it is the one you trust is for you to check.
    pub fn offered(&self) -> &Card {
        &self.card
    }

    /// The graph that the server says it computes.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The most samples the server takes at once of the questions asked here.
    ///
    /// # Errors
    /// [`Declined`], if it takes none.
    pub fn max_batch(&self) -> Result<usize, Declined> {
        self.offer.check(self.kind, 1, &self.graph)?;
        Ok(self.offer.most(self.kind))
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
        self.offer.check(self.kind, batch, &self.graph)?;
        fits(inputs, self.graph.input()).map_err(ProtocolError::Question)?;
        let cap = wire::answer_cap(self.kind, &self.graph, batch)?;
        self.channel.send(Step::ASK, &wire::encode_ask(self.kind, session, inputs, &self.graph))?;
        let body = self.channel.receive(Step::ANSWER, cap)?;
        let reply = wire::decode_answer(self.kind, &body, &self.graph, batch);
        Ok(reply.map_err(|error| Rejection::new(Place::Statement, error))?)
    }

    fn meter(&self) -> Meter {
        self.channel.meter()
    }

    fn meter_by_step(&self) -> BTreeMap<Step, Meter> {
        self.channel.meter_by_step()
    }
}
