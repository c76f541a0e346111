//! The server's side of a conversation: keys once, lots prepared and spent as the client asks.
//!
//! **What a client can cost.** At most one lot is held beyond a message, within the plan's limits; lots are kept beyond
//! the conversation only where the holder has a [`Pool`], up to its cap. Numbers of positions are checked before anything is drawn.
//!
//! The client is trusted to follow the protocol (it learns no more than the answers if it does); lengths, residues and checks of
//! transfers are held to all the same.

use std::sync::Arc;

use serin_circuits::codec::Digest;
use serin_circuits::graph::Graph;
use serin_circuits::weights::Weights;

use super::clamp::Party;
use super::cost::{Ledger, Watch};
use super::error::PrivateError;
use super::lot::{Lot, LotId};
use super::offline::Keys;
use super::online;
use super::plan::{Blueprint, Plan};
use super::pool::{Label, Pool};
use super::wire::{KEPT, PREPARE, Prepare, SETUP, Setup, Spend, TERMS};
use crate::net::{Channel, Step};

/// Who holds the weights that are computed with in private.
///
/// An honest holder has one set of weights and leaves shares alone; the hooks are where a corrupt one deviates
/// ([`crate::adversary`]).
pub trait Holder: Sync {
    /// The weights for a lot: the same from its preparation to its end.
    fn weights(&self, lot: &LotId) -> &Weights;

    /// Sees this end's share of a node's result before it is used.
    fn settle(&self, _lot: &LotId, _node: usize, _share: &mut [u64]) {}

    /// Digest of graph and commitment: what lots are bound to.
    fn model(&self) -> Digest;

    /// The layout under the bound on its weights that it tells clients; none if it does not compute in private.
    fn blueprint(&self) -> Option<&Arc<Blueprint>>;

    /// Where lots are kept beyond a conversation.
    fn pool(&self) -> Option<&Pool> {
        None
    }

    /// Told what the conversation cost so far, each time a lot was spent.
    fn report(&self, _ledger: &Ledger) {}
}

/// The greatest magnitude of a model's weights, rounded up to 2^b − 1: what clients are told.
pub(in crate::protocol) fn bound(weights: &Weights) -> u32 {
    let all = weights.tensors().iter().flat_map(|tensor| &tensor.weight);
    let greatest = all.map(|w| w.unsigned_abs()).max().unwrap_or(0).max(1);
    u32::MAX >> greatest.leading_zeros()
}

/// The server's side of one conversation.
pub(crate) struct Keeper<'a> {
    holder: &'a dyn Holder,
    graph: &'a Graph,
    blueprint: &'a Arc<Blueprint>,
    most: usize,
    keys: Option<Keys>,
    /// Prepared in this conversation, and not yet spent.
    held: Option<Lot>,
    ledger: Ledger,
}

impl<'a> Keeper<'a> {
    /// With lots of at most `most` positions; none if the holder does not compute in private.
    pub(crate) fn new(holder: &'a dyn Holder, graph: &'a Graph, most: usize) -> Option<Self> {
        let blueprint = holder.blueprint().filter(|_| most > 0)?;
        let (keys, held, ledger) = (None, None, Ledger::new(graph));
        Some(Self { holder, graph, blueprint, most, keys, held, ledger })
    }

    /// Does what the client's message of one of the opening steps asks for.
    pub(crate) fn serve(
        &mut self,
        channel: &mut dyn Channel,
        step: Step,
        body: &[u8],
    ) -> Result<(), PrivateError> {
        match step {
            SETUP => self.set_up(channel, body),
            PREPARE => self.prepare(channel, &Prepare::decode(body)?),
            _ => self.spend(channel, &Spend::decode(body)?),
        }
    }

    fn set_up(&mut self, channel: &mut dyn Channel, body: &[u8]) -> Result<(), PrivateError> {
        let Setup { supply } = Setup::decode(body)?;
        let plan = self.plan(1)?;
        let mut watch = Watch::start(channel);
        channel.send(TERMS, &plan.max_weight().to_le_bytes())?;
        self.keys = Some(Keys::exchange(channel, Party::Server, &plan, supply)?);
        self.ledger.setup += watch.lap(channel);
        Ok(())
    }

    fn prepare(&mut self, channel: &mut dyn Channel, wanted: &Prepare) -> Result<(), PrivateError> {
        let plan = self.plan(wanted.positions)?;
        let pool = self.holder.pool().filter(|_| wanted.keep);
        if wanted.keep && pool.is_none() {
            return Err(PrivateError::NoPool);
        }
        if self.held.is_some() {
            return Err(PrivateError::TooMany);
        }
        let keys = self.keys.as_mut().ok_or(PrivateError::NoKeys)?;
        let weights = self.holder.weights(&wanted.id);
        let lot = keys.prepare(channel, &plan, wanted.id, Some(weights), &mut self.ledger)?;
        match pool {
            Some(pool) => {
                pool.deposit(&self.label(&wanted.id, wanted.positions), &lot.encode())?;
                channel.send(KEPT, &[])?;
            }
            None => self.held = Some(lot),
        }
        Ok(())
    }

    fn spend(&mut self, channel: &mut dyn Channel, wanted: &Spend) -> Result<(), PrivateError> {
        let lot = match (self.held.take_if(|lot| lot.id == wanted.id), self.holder.pool()) {
            (Some(lot), _) => lot,
            (None, Some(pool)) => {
                let plan = self.plan(wanted.positions)?;
                let bytes = pool.withdraw(&self.label(&wanted.id, wanted.positions))?;
                Lot::decode(wanted.id, Party::Server, &bytes, |_| Ok(plan))?
            }
            (None, None) => return Err(PrivateError::NoPool),
        };
        online::answer(channel, self.graph, lot, self.holder, &mut self.ledger)?;
        self.holder.report(&self.ledger);
        Ok(())
    }

    fn plan(&self, positions: usize) -> Result<Arc<Plan>, PrivateError> {
        if positions > self.most {
            return Err(PrivateError::Size { positions, most: self.most });
        }
        Ok(Arc::new(self.blueprint.plan(positions)?))
    }

    fn label(&self, id: &LotId, positions: usize) -> Label {
        Label { id: *id, model: self.holder.model(), positions: positions as u32, party: Party::Server }
    }
}
