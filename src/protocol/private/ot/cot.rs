//! A stock of correlated transfers that fills itself, and the pads that are hashed from it.
//!
//! Sender: blocks q_j under one Δ. Receiver: t_j = q_j ⊕ x_j·Δ, x_j the lowest bit of t_j. Each is used once, under its own
//! tweak, so that the pads H(q_j, j), H(q_j ⊕ Δ, j) are independent to whoever does not know Δ. Both sides draw the same
//! numbers in the same order; the stock is refilled over the link when it runs out.

use super::Secret;
use super::error::OtError;
use super::extend::{ExtendReceiver, ExtendSender, RUN};
use super::hash::Tmmo;
use crate::net::Channel;
use std::fmt;
use zeroize::Zeroizing;

/// The sender's stock.
pub(super) struct CotSender {
    engine: ExtendSender,
    stock: Stock,
}

/// The receiver's stock.
pub(super) struct CotReceiver {
    engine: ExtendReceiver,
    stock: Stock,
}

/// Blocks yet unused, and how many pads were drawn in this session.
struct Stock {
    blocks: Secret<u128>,
    hash: Tmmo,
    used: u64,
}

/// Blocks just taken, whose pads are under tweaks `first`, `first + 1`, ….
pub(super) struct Taken {
    pub(super) blocks: Secret<u128>,
    pub(super) first: u64,
}

impl Stock {
    fn take(
        &mut self,
        count: usize,
        mut refill: impl FnMut(usize) -> Result<Secret<u128>, OtError>,
    ) -> Result<Taken, OtError> {
        let mut blocks = Zeroizing::new(Vec::with_capacity(count));
        while blocks.len() < count {
            let missing = count - blocks.len();
            if self.blocks.is_empty() {
                self.blocks = refill(missing)?;
            }
            let rest = self.blocks.len() - missing.min(self.blocks.len());
            blocks.extend_from_slice(&self.blocks[rest..]);
            self.blocks.truncate(rest);
        }
        let first = self.used;
        self.used += count as u64;
        Ok(Taken { blocks, first })
    }
}

impl CotSender {
    pub(super) fn setup(channel: &mut dyn Channel) -> Result<Self, OtError> {
        let (engine, session) = ExtendSender::setup(channel)?;
        Ok(Self { engine, stock: Stock { blocks: Zeroizing::default(), hash: Tmmo::new(&session), used: 0 } })
    }

    pub(super) fn delta(&self) -> u128 {
        self.engine.delta()
    }

    pub(super) fn hash(&self) -> &Tmmo {
        &self.stock.hash
    }

    pub(super) fn take(&mut self, channel: &mut dyn Channel, count: usize) -> Result<Taken, OtError> {
        self.stock.take(count, |missing| self.engine.run(channel, missing.min(RUN)))
    }

    /// Both pads of every block.
    pub(super) fn pads(&self, taken: &Taken) -> Vec<[u128; 2]> {
        let mut pads = Vec::with_capacity(taken.blocks.len());
        for (blocks, first) in taken.blocks.chunks(BATCH).zip(taken.tweaks(BATCH)) {
            let [mut zero, mut one] = [[0; BATCH]; 2].map(Zeroizing::new);
            let (zero, one) = (&mut zero[..blocks.len()], &mut one[..blocks.len()]);
            zero.copy_from_slice(blocks);
            one.iter_mut().zip(blocks).for_each(|(one, block)| *one = block ^ self.delta());
            self.stock.hash.hash(zero, first);
            self.stock.hash.hash(one, first);
            pads.extend(zero.iter().zip(&*one).map(|(zero, one)| [*zero, *one]));
        }
        pads
    }
}

impl Taken {
    /// The tweaks of every `step`-th block.
    pub(super) fn tweaks(&self, step: usize) -> impl Iterator<Item = u128> {
        (u128::from(self.first)..).step_by(step)
    }
}

impl CotReceiver {
    pub(super) fn setup(channel: &mut dyn Channel) -> Result<Self, OtError> {
        let (engine, session) = ExtendReceiver::setup(channel)?;
        Ok(Self { engine, stock: Stock { blocks: Zeroizing::default(), hash: Tmmo::new(&session), used: 0 } })
    }

    pub(super) fn hash(&self) -> &Tmmo {
        &self.stock.hash
    }

    pub(super) fn take(&mut self, channel: &mut dyn Channel, count: usize) -> Result<Taken, OtError> {
        self.stock.take(count, |missing| self.engine.run(channel, missing.min(RUN)))
    }

    /// The known pad of every block.
    pub(super) fn pads(&self, taken: &Taken) -> Vec<u128> {
        let mut pads = taken.blocks.to_vec();
        self.stock.hash.hash(&mut pads, taken.first.into());
        pads
    }
}

impl fmt::Debug for Stock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stock {{ {} unused, {} used, contents hidden }}", self.blocks.len(), self.used)
    }
}

impl fmt::Debug for CotSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stock.fmt(f)
    }
}

impl fmt::Debug for CotReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stock.fmt(f)
    }
}

/// Blocks hashed at once.
const BATCH: usize = 64;
