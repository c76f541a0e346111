//! A stock of correlated transfers that fills itself, and the pads that are hashed from it.
//!
//! Sender: blocks q_j under one Δ. Receiver: t_j = q_j ⊕ x_j·Δ, x_j the lowest bit of t_j. Each is used once, under its own
//! tweak, so that the pads H(q_j, j), H(q_j ⊕ Δ, j) are independent to whoever does not know Δ. Both sides draw the same
//! numbers in the same order; the stock is refilled over the link when it runs out.
//!
//! [`Supply::Silent`] starts with one iteration of a small code on what the extension gives; from then on an iteration of
//! the large one sets aside what the next needs.

use super::Secret;
use super::error::OtError;
use super::extend::{ExtendReceiver, ExtendSender, RUN};
use super::hash::{Session, Tmmo};
use super::lpn::Code;
use super::silent::{Batch, Silent};
use crate::net::Channel;
use std::fmt;
use zeroize::Zeroizing;

/// Where a session's correlated transfers come from. Both ends must say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supply {
    /// The extension: 16 bytes from receiver to sender each, drawn as needed. For up to some hundred thousand.
    Extended,
    /// Learning parity with noise: batches of four million at 0.2 bytes each, mostly from sender to receiver, after a start of 0.8 MB.
    /// Either end holds 64 MB of them.
    Silent,
}

/// What differs between the two ends.
pub(super) trait Engine: Sized {
    /// Runs the base transfers.
    fn setup(channel: &mut dyn Channel) -> Result<(Self, Session), OtError>;
    /// At least `count` blocks by the extension.
    fn run(&mut self, channel: &mut dyn Channel, count: usize) -> Result<Secret<u128>, OtError>;
    /// One silent iteration.
    fn iterate(
        &self,
        silent: &Silent,
        channel: &mut dyn Channel,
        batch: Batch,
    ) -> Result<Secret<u128>, OtError>;
}

/// One end's stock.
pub(super) struct Cots<E> {
    engine: E,
    hash: Tmmo,
    silent: Option<(Silent, [Code; 2])>,
    blocks: Secret<u128>,
    reserve: Secret<u128>,
    used: u64,
}

pub(super) type CotSender = Cots<ExtendSender>;
pub(super) type CotReceiver = Cots<ExtendReceiver>;

/// Blocks just taken, whose pads are under tweaks `first`, `first + 1`, ….
pub(super) struct Taken {
    pub(super) blocks: Secret<u128>,
    pub(super) first: u64,
}

impl<E: Engine> Cots<E> {
    pub(super) fn setup(channel: &mut dyn Channel, supply: Supply) -> Result<Self, OtError> {
        let codes = match supply {
            Supply::Extended => None,
            Supply::Silent => Some([Code::SMALL, Code::LARGE]),
        };
        Self::setup_with(channel, codes)
    }

    fn setup_with(channel: &mut dyn Channel, codes: Option<[Code; 2]>) -> Result<Self, OtError> {
        let (engine, session) = E::setup(channel)?;
        let hash = Tmmo::new(&session);
        let silent = codes.map(|codes| (Silent::new(session, hash.clone()), codes));
        let [blocks, reserve] = [Vec::new(), Vec::new()].map(Zeroizing::new);
        Ok(Self { engine, hash, silent, blocks, reserve, used: 0 })
    }

    pub(super) fn hash(&self) -> &Tmmo {
        &self.hash
    }

    /// Starts the silent supply, where that is the one: what is drawn from here on costs its share of a batch and nothing else.
    pub(super) fn prime(&mut self, channel: &mut dyn Channel) -> Result<(), OtError> {
        if let Some([first, then]) = self.silent.as_ref().map(|(_, codes)| *codes)
            && self.reserve.is_empty()
        {
            let mut input = self.engine.run(channel, first.needs())?;
            input.truncate(first.needs());
            self.reserve = self.iterate(channel, first, &input)?;
            self.reserve.truncate(then.needs());
        }
        Ok(())
    }

    /// Takes `count` blocks from the stock, refilling it as often as needed.
    pub(super) fn take(&mut self, channel: &mut dyn Channel, count: usize) -> Result<Taken, OtError> {
        let mut blocks = Zeroizing::new(Vec::with_capacity(count));
        while blocks.len() < count {
            let missing = count - blocks.len();
            if self.blocks.is_empty() {
                self.refill(channel, missing)?;
            }
            let rest = self.blocks.len() - missing.min(self.blocks.len());
            blocks.extend_from_slice(&self.blocks[rest..]);
            self.blocks.truncate(rest);
        }
        Ok(Taken { first: self.tweaks(count), blocks })
    }

    fn refill(&mut self, channel: &mut dyn Channel, missing: usize) -> Result<(), OtError> {
        let Some([_, then]) = self.silent.as_ref().map(|(_, codes)| *codes) else {
            self.blocks = self.engine.run(channel, missing.min(RUN))?;
            return Ok(());
        };
        self.prime(channel)?;
        let input = std::mem::replace(&mut self.reserve, Zeroizing::new(Vec::new()));
        self.blocks = self.iterate(channel, then, &input)?;
        let kept = self.blocks.len() - then.needs();
        self.reserve = Zeroizing::new(self.blocks.split_off(kept));
        Ok(())
    }

    fn iterate(
        &mut self,
        channel: &mut dyn Channel,
        code: Code,
        input: &[u128],
    ) -> Result<Secret<u128>, OtError> {
        let first = self.tweaks(input.len());
        let room = std::mem::replace(&mut self.blocks, Zeroizing::new(Vec::new()));
        match &self.silent {
            Some((silent, _)) => self.engine.iterate(silent, channel, Batch { code, input, first, room }),
            None => Err(OtError::Misuse("this session has no silent supply")),
        }
    }

    /// Sets `count` tweaks aside and returns the first.
    fn tweaks(&mut self, count: usize) -> u64 {
        let first = self.used;
        self.used += count as u64;
        first
    }
}

impl CotSender {
    pub(super) fn delta(&self) -> u128 {
        self.engine.delta()
    }

    /// Both pads of every block.
    pub(super) fn pads(&self, taken: &Taken) -> Vec<[u128; 2]> {
        let mut pads = Vec::with_capacity(taken.blocks.len());
        let (mut zero, mut one) = (Zeroizing::new(vec![0; BATCH]), Zeroizing::new(vec![0; BATCH]));
        for (blocks, first) in taken.blocks.chunks(BATCH).zip(taken.tweaks(BATCH)) {
            let (zero, one) = (&mut zero[..blocks.len()], &mut one[..blocks.len()]);
            zero.copy_from_slice(blocks);
            one.iter_mut().zip(blocks).for_each(|(one, block)| *one = block ^ self.delta());
            self.hash.hash(zero, first);
            self.hash.hash(one, first);
            pads.extend(zero.iter().zip(&*one).map(|(zero, one)| [*zero, *one]));
        }
        pads
    }
}

impl CotReceiver {
    /// The known pad of every block.
    pub(super) fn pads(&self, mut taken: Taken) -> Vec<u128> {
        let mut pads = std::mem::take(&mut *taken.blocks);
        self.hash.hash(&mut pads, taken.first.into());
        pads
    }
}

impl Taken {
    /// The tweaks of every `step`-th block.
    pub(super) fn tweaks(&self, step: usize) -> impl Iterator<Item = u128> {
        (u128::from(self.first)..).step_by(step)
    }
}

impl Engine for ExtendSender {
    fn setup(channel: &mut dyn Channel) -> Result<(Self, Session), OtError> {
        Self::setup(channel)
    }

    fn run(&mut self, channel: &mut dyn Channel, count: usize) -> Result<Secret<u128>, OtError> {
        self.run(channel, count)
    }

    fn iterate(
        &self,
        silent: &Silent,
        channel: &mut dyn Channel,
        batch: Batch,
    ) -> Result<Secret<u128>, OtError> {
        silent.send(channel, self.delta(), batch)
    }
}

impl Engine for ExtendReceiver {
    fn setup(channel: &mut dyn Channel) -> Result<(Self, Session), OtError> {
        Self::setup(channel)
    }

    fn run(&mut self, channel: &mut dyn Channel, count: usize) -> Result<Secret<u128>, OtError> {
        self.run(channel, count)
    }

    fn iterate(
        &self,
        silent: &Silent,
        channel: &mut dyn Channel,
        batch: Batch,
    ) -> Result<Secret<u128>, OtError> {
        silent.receive(channel, batch)
    }
}

impl<E> fmt::Debug for Cots<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cots {{ {} unused, {} used, contents hidden }}", self.blocks.len(), self.used)
    }
}

/// Blocks hashed at once.
const BATCH: usize = 256;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use crate::protocol::private::test_kit::both;

    /// Codes too small to be secure, to go through many iterations.
    const TINY: [Code; 2] = [Code { k: 90, t: 16, depth: 5 }, Code { k: 120, t: 30, depth: 6 }];

    #[test]
    fn silent_stock_feeds_itself_and_never_repeats_a_tweak() {
        let takes = [1, 700, 5000, 3, 20_000];
        fn draw<E: Engine>(channel: &mut dyn Channel, takes: &[usize]) -> (Cots<E>, Vec<Taken>) {
            let mut cots = Cots::<E>::setup_with(channel, Some(TINY)).unwrap();
            let taken = takes.iter().map(|count| cots.take(channel, *count).unwrap()).collect();
            (cots, taken)
        }
        let ((sender, sent), (_, received)) = both(
            |channel| draw::<ExtendSender>(channel, &takes),
            |channel| draw::<ExtendReceiver>(channel, &takes),
        );
        let mut next = 0;
        for ((q, t), count) in sent.iter().zip(&received).zip(takes) {
            assert!(q.first == t.first && q.first >= next, "tweaks go on");
            next = q.first + count as u64;
            assert_eq!((q.blocks.len(), t.blocks.len()), (count, count));
            assert!(
                q.blocks
                    .iter()
                    .zip(t.blocks.iter())
                    .all(|(q, t)| { q ^ t == sender.delta() & 0u128.wrapping_sub(t & 1) && q & 1 == 0 })
            );
        }
        let mut all: Vec<u128> = sent.iter().flat_map(|taken| taken.blocks.iter().copied()).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), takes.iter().sum::<usize>(), "no block twice");
    }
}
