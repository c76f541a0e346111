//! The client's side of a conversation: lots prepared, taken from a pool or both, and spent on a batch.
//!
//! A batch larger than a lot takes several, one after the other; positions beyond the batch are filled with zeros, which the server
//! cannot tell from questions. Whatever a lot's answers look like, the next is spent all the same; only then is an answer that cannot be
//! one told, so that the server does not learn from the client's silence *when* it was found out.

use std::sync::Arc;

use rand::TryRng;
use rand::rngs::SysRng;
use serin_circuits::codec::Digest;
use serin_circuits::graph::Graph;
use serin_circuits::tensor::Tensor;

use super::clamp::Party;
use super::cost::{Ledger, Watch};
use super::error::PrivateError;
use super::lot::{Lot, LotId};
use super::offline::{Keys, supply};
use super::online;
use super::plan::{Blueprint, Plan};
use super::pool::{Label, Pool, PoolError};
use super::wire::{self, KEPT, PREPARE, Prepare, SETUP, SPEND, Setup, Spend, TERMS, TERMS_BYTES};
use crate::net::Channel;

/// Where a client's lots come from.
#[derive(Debug, Default)]
pub enum Lots {
    /// Prepared as they are needed.
    #[default]
    Inline,
    /// From a pool, and prepared as needed when it is dry.
    Pool(Pool),
    /// From a pool only.
    PoolOnly(Pool),
}

/// Told how many positions of a batch are answered, after each lot.
pub type Progress = Box<dyn FnMut(usize) + Send>;

/// The client's side of one conversation.
pub struct Asker {
    model: Digest,
    lots: Lots,
    /// Outlines are the graph's; the bound on the weights comes with the keys.
    outline: Arc<Blueprint>,
    keys: Option<(Keys, Arc<Blueprint>)>,
    /// The outline under the bound last met, of keys or a lot of the pool.
    blueprint: Option<(u32, Arc<Blueprint>)>,
    /// Positions foreseen.
    expected: usize,
    /// An error ended the conversation.
    broken: bool,
    /// Told how many positions of a batch are answered.
    progress: Option<Progress>,
    ledger: Ledger,
}

impl Asker {
    /// For a graph, under a model's digest ([`super::model_digest`]).
    ///
    /// # Errors
    /// [`PrivateError::Unfit`].
    pub fn new(graph: &Graph, model: Digest, lots: Lots) -> Result<Self, PrivateError> {
        let outline = Arc::new(Blueprint::of(graph)?);
        Ok(Self {
            model,
            lots,
            outline,
            keys: None,
            blueprint: None,
            expected: 0,
            broken: false,
            progress: None,
            ledger: Ledger::new(graph),
        })
    }

    /// Says that so many positions will be asked in this conversation: of many, transfers come cheaper. Of no effect once keys are
    /// exchanged.
    pub fn expect(&mut self, positions: usize) {
        self.expected = positions;
    }

    /// Tells how far a batch is.
    pub fn watch(&mut self, progress: Progress) {
        self.progress = Some(progress);
    }

    /// What it cost so far.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The pool, if it has one.
    pub fn pool(&self) -> Option<&Pool> {
        match &self.lots {
            Lots::Inline => None,
            Lots::Pool(pool) | Lots::PoolOnly(pool) => Some(pool),
        }
    }

    /// This model's lots in the pool, smallest first; none without one.
    ///
    /// # Errors
    /// [`PrivateError::Pool`].
    pub fn held(&self) -> Result<Vec<Label>, PrivateError> {
        self.pool().map_or(Ok(Vec::new()), |pool| self.labels(pool))
    }

    /// The answers to `inputs`, in the graph's input range, with lots of at most `most` positions.
    ///
    /// # Errors
    /// [`PrivateError`]; but for [`PrivateError::Dry`], nothing further is asked in this conversation, which is to be closed as any other.
    pub fn ask(
        &mut self,
        channel: &mut dyn Channel,
        graph: &Graph,
        most: usize,
        inputs: &Tensor,
    ) -> Result<Tensor, PrivateError> {
        if self.broken {
            return Err(PrivateError::Broken);
        }
        let answers = self.ask_in_lots(channel, graph, most, inputs);
        self.broken = matches!(&answers, Err(error) if !matches!(error, PrivateError::Dry { .. }));
        answers
    }

    fn ask_in_lots(
        &mut self,
        channel: &mut dyn Channel,
        graph: &Graph,
        most: usize,
        inputs: &Tensor,
    ) -> Result<Tensor, PrivateError> {
        let batch = inputs.batch();
        if let Lots::PoolOnly(pool) = &self.lots {
            let left = self.labels(pool)?.iter().map(|label| label.positions as usize).sum();
            if left < batch {
                return Err(PrivateError::Dry { wanted: batch, left });
            }
        }
        self.expected = self.expected.max(batch);
        let (mut values, mut from, mut beyond) = (Vec::with_capacity(batch * graph.output().len()), 0, None);
        while from < batch {
            let lot = match self.withdraw(batch - from)? {
                Some(lot) => lot,
                None if matches!(self.lots, Lots::PoolOnly(_)) => {
                    return Err(PrivateError::Dry { wanted: batch - from, left: 0 });
                }
                None => {
                    let parts = (batch - from).div_ceil(most.max(1));
                    self.draw(channel, (batch - from).div_ceil(parts), false)?
                }
            };
            let count = lot.positions().min(batch - from);
            let mut part =
                inputs.values()[from * inputs.sample_len()..][..count * inputs.sample_len()].to_vec();
            part.resize(lot.positions() * inputs.sample_len(), 0);
            let part = Tensor::new(lot.positions(), inputs.shape(), part).expect("whole samples");
            channel.send(SPEND, &Spend { id: lot.id, positions: lot.positions() }.encode())?;
            let (answers, odd) = online::ask(channel, graph, lot, &part, &mut self.ledger)?;
            values.extend_from_slice(&answers.values()[..count * answers.sample_len()]);
            beyond = beyond.or(odd.filter(|at| *at < count).map(|at| from + at));
            from += count;
            if let Some(progress) = &mut self.progress {
                progress(from);
            }
        }
        match beyond {
            Some(position) => Err(PrivateError::Answer { position }),
            None => Ok(Tensor::new(batch, &graph.output().shape, values).expect("whole answers")),
        }
    }

    /// Prepares a lot of `positions` and keeps it in the pool.
    ///
    /// # Errors
    /// [`PrivateError`]; the link must be dropped.
    pub fn fill(&mut self, channel: &mut dyn Channel, positions: usize) -> Result<(), PrivateError> {
        if self.broken {
            return Err(PrivateError::Broken);
        }
        let filled = self.prepare(channel, positions);
        self.broken = filled.is_err();
        filled
    }

    fn prepare(&mut self, channel: &mut dyn Channel, positions: usize) -> Result<(), PrivateError> {
        if self.pool().is_none() {
            return Err(PrivateError::NoPool);
        }
        let lot = self.draw(channel, positions, true)?;
        wire::receive(channel, KEPT, "word that the lot is kept", 0)?;
        let Some(pool) = self.pool() else { return Err(PrivateError::NoPool) };
        pool.deposit(&self.label(&lot.id, positions), &lot.encode())?;
        Ok(())
    }

    /// Prepares a lot, to be spent in this conversation or kept by the server.
    fn draw(&mut self, channel: &mut dyn Channel, positions: usize, keep: bool) -> Result<Lot, PrivateError> {
        if self.keys.is_none() {
            self.keys = Some(self.set_up(channel)?);
        }
        let Some((keys, blueprint)) = &mut self.keys else { return Err(PrivateError::NoKeys) };
        let mut positions = positions;
        while !keep && positions > 1 && blueprint.plan(positions).is_err() {
            positions = positions.div_ceil(2);
        }
        let plan: Arc<Plan> = Arc::new(blueprint.plan(positions)?);
        let mut id = [0; 32];
        SysRng.try_fill_bytes(&mut id)?;
        channel.send(PREPARE, &Prepare { id, positions, keep }.encode())?;
        keys.prepare(channel, &plan, id, None, &mut self.ledger)
    }

    fn set_up(&mut self, channel: &mut dyn Channel) -> Result<(Keys, Arc<Blueprint>), PrivateError> {
        let mut watch = Watch::start(channel);
        let supply = supply(self.outline.transfers(self.expected));
        channel.send(SETUP, &Setup { supply }.encode())?;
        let terms = wire::receive(channel, TERMS, "terms", TERMS_BYTES)?;
        let bound = terms.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        let blueprint = self.under(bound)?;
        let keys = Keys::exchange(channel, Party::Client, &blueprint.plan(1)?, supply)?;
        self.ledger.setup += watch.lap(channel);
        Ok((keys, blueprint))
    }

    /// The layout under a bound on the weights; the last one is kept, as choosing its parameters takes time.
    fn under(&mut self, bound: u32) -> Result<Arc<Blueprint>, PrivateError> {
        match &self.blueprint {
            Some((of, blueprint)) if *of == bound => Ok(blueprint.clone()),
            _ => {
                let blueprint = Arc::new(Blueprint::clone(&self.outline).under(bound.max(1))?);
                self.blueprint = Some((bound, blueprint.clone()));
                Ok(blueprint)
            }
        }
    }

    /// The smallest lot that holds so many positions, else the largest there is.
    fn withdraw(&mut self, positions: usize) -> Result<Option<Lot>, PrivateError> {
        let Some(pool) = self.pool() else { return Ok(None) };
        let (label, body) = loop {
            let labels = self.labels(pool)?;
            let large = labels.iter().find(|label| label.positions as usize >= positions);
            let Some(label) = large.or(labels.last()) else { return Ok(None) };
            match pool.withdraw(label) {
                // Another process on the same folder was first.
                Err(PoolError::Gone { .. }) => {}
                body => break (*label, body?),
            }
        };
        let plan = |bound| Ok(Arc::new(self.under(bound)?.plan(label.positions as usize)?));
        Lot::decode(label.id, Party::Client, &body, plan).map(Some)
    }

    /// This model's lots, smallest first.
    fn labels(&self, pool: &Pool) -> Result<Vec<Label>, PrivateError> {
        let mut labels = pool.lots()?;
        labels.retain(|label| label.model == self.model && label.party == Party::Client);
        Ok(labels)
    }

    fn label(&self, id: &LotId, positions: usize) -> Label {
        Label { id: *id, model: self.model, positions: positions as u32, party: Party::Client }
    }
}
