//! The client's side of a link: `plain`, `proved` and `private`.

use std::collections::BTreeMap;

use serin_circuits::graph::Graph;
use serin_circuits::tensor::Tensor;
use serin_verifier::card::Card;
use serin_verifier::rejection::{Place, Rejection};
use serin_verifier::statement::{fits, most_samples};

use super::private::pool::Label;
use super::private::{Asker, Ledger, Lots, PrivateError, Progress, model_digest};
use super::{Declined, Evidence, Kind, Offer, OfferError, Protocol, ProtocolError, Reply, wire};
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
    private: Option<Asker>,
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
        Ok(Self { channel, kind, card, graph, offer, private: None })
    }

    /// The card that the server shows; whether it is the one you trust is for you to check.
    pub fn offered(&self) -> &Card {
        &self.card
    }

    /// The graph that the server says it computes.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The most samples that may be asked at once. In private the server's limit is on a lot, of which a batch may take several.
    ///
    /// # Errors
    /// [`Declined`], if the server takes none.
    pub fn max_batch(&self) -> Result<usize, Declined> {
        self.offer.check(self.kind, 1, &self.graph)?;
        Ok(if self.kind == Kind::Private { most_samples(&self.graph) } else { self.offer.most(self.kind) })
    }

    /// Where lots for private questions come from; inline unless said.
    ///
    /// # Errors
    /// [`PrivateError`], if the model cannot be computed so.
    pub fn set_lots(&mut self, lots: Lots) -> Result<(), PrivateError> {
        self.private = Some(Asker::new(&self.graph, model_digest(&self.card), lots)?);
        Ok(())
    }

    /// Prepares `lots` lots of `positions` each and keeps them in the pool of [`Client::set_lots`]; `progress` is told of each.
    ///
    /// # Errors
    /// [`ProtocolError`]; lots told of are kept.
    pub fn fill(
        &mut self,
        lots: usize,
        positions: usize,
        mut progress: impl FnMut(),
    ) -> Result<(), ProtocolError> {
        self.offer.check(Kind::Private, positions, &self.graph)?;
        self.expect(lots.saturating_mul(positions))?;
        let (channel, asker) = self.private()?;
        for _ in 0..lots {
            asker.fill(channel, positions).map_err(private_error)?;
            progress();
        }
        Ok(())
    }

    /// The lots for this server's model in the pool of [`Client::set_lots`], smallest first; none without one.
    ///
    /// # Errors
    /// [`ProtocolError::Private`], if the pool cannot be read.
    pub fn held(&self) -> Result<Vec<Label>, ProtocolError> {
        let held = self.private.as_ref().map_or(Ok(Vec::new()), Asker::held);
        held.map_err(private_error)
    }

    /// Says that so many positions will be asked in private in this conversation.
    ///
    /// # Errors
    /// [`ProtocolError::Private`], if the model cannot be computed so.
    pub fn expect(&mut self, positions: usize) -> Result<(), ProtocolError> {
        self.private()?.1.expect(positions);
        Ok(())
    }

    /// Has `progress` told how many positions of a private batch are answered, after each of its lots.
    ///
    /// # Errors
    /// [`ProtocolError::Private`], if the model cannot be computed so.
    pub fn watch(&mut self, progress: Progress) -> Result<(), ProtocolError> {
        self.private()?.1.watch(progress);
        Ok(())
    }

    /// What private questions cost so far, by node; none before the first.
    pub fn ledger(&self) -> Option<&Ledger> {
        self.private.as_ref().map(Asker::ledger)
    }

    fn private(&mut self) -> Result<(&mut dyn Channel, &mut Asker), ProtocolError> {
        if self.private.is_none() {
            self.set_lots(Lots::Inline).map_err(private_error)?;
        }
        let asker = self.private.as_mut().ok_or_else(|| private_error(PrivateError::NoKeys))?;
        Ok((self.channel.as_mut(), asker))
    }

    fn ask_privately(&mut self, inputs: &Tensor) -> Result<Reply, ProtocolError> {
        self.offer.check(Kind::Private, 1, &self.graph)?;
        fits(inputs, self.graph.input()).map_err(ProtocolError::Question)?;
        let (most, graph) = (self.offer.most(Kind::Private), self.graph.clone());
        let (channel, asker) = self.private()?;
        let outputs = asker.ask(channel, &graph, most, inputs).map_err(private_error)?;
        Ok(Reply { outputs, evidence: Evidence::None })
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
        if self.kind == Kind::Private {
            return self.ask_privately(inputs);
        }
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

/// What was found against the server is a rejection.
fn private_error(error: PrivateError) -> ProtocolError {
    match error.rejection() {
        Some(rejection) => ProtocolError::Rejected(rejection),
        None => ProtocolError::Private(error),
    }
}
