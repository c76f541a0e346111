//! The side that holds the choices. The table of costs and who may cheat how: see [`Sender`](super::Sender).
//!
//! No branch and no address depends on a choice; of N masked messages all are read and one is kept by a mask.

use super::cot::{CotReceiver, Supply, Taken};
use super::error::{OtError, Role};
use super::shape::Shape;
use super::wire::{self, FLIPS, MASKED};
use crate::net::Channel;
use crate::protocol::private::bits;
use std::fmt;

/// One end of a session of transfers, the end with the choices.
pub struct Receiver {
    cots: CotReceiver,
    spent: bool,
}

/// What a receiver got without choosing.
#[derive(Clone, PartialEq, Eq)]
pub struct Drawn {
    /// Which of the two blocks, at random.
    pub choices: Vec<bool>,
    /// That block.
    pub blocks: Vec<u128>,
}

impl Receiver {
    /// Sets up a session with a peer that sets up a sender under the same `supply`.
    ///
    /// # Errors
    /// [`OtError`]; the link must be dropped.
    pub fn setup(channel: &mut dyn Channel, supply: Supply) -> Result<Self, OtError> {
        Ok(Self { cots: CotReceiver::setup(channel, supply)?, spent: false })
    }

    /// Does ahead what drawing would first need; the other end does the same.
    pub fn prime(&mut self, channel: &mut dyn Channel) -> Result<(), OtError> {
        self.guarded(|cots| cots.prime(channel))
    }

    /// One random block each of `count` pairs.
    ///
    /// # Errors
    /// [`OtError`], here and below: the instance is spent but after a misuse.
    pub fn random(&mut self, channel: &mut dyn Channel, count: usize) -> Result<Drawn, OtError> {
        self.guarded(|cots| {
            let taken = cots.take(channel, count)?;
            let choices = taken.blocks.iter().map(|block| block & 1 == 1).collect();
            Ok(Drawn { choices, blocks: cots.pads(taken) })
        })
    }

    /// The chosen blocks.
    pub fn receive_blocks(
        &mut self,
        channel: &mut dyn Channel,
        choices: &[bool],
    ) -> Result<Vec<u128>, OtError> {
        self.guarded(|cots| {
            let taken = flip(cots, channel, 1, choices)?;
            let masked = wire::receive_blocks(channel, Role::Sender, MASKED, 2 * choices.len())?;
            let offers = masked.as_chunks::<2>().0.iter().zip(choices);
            let chosen = offers.map(|([zero, one], b)| zero ^ (zero ^ one) & 0u128.wrapping_sub((*b).into()));
            Ok(cots.pads(taken).iter().zip(chosen).map(|(pad, masked)| pad ^ masked).collect())
        })
    }

    /// The chosen numbers of `width` bits.
    pub fn receive_chosen(
        &mut self,
        channel: &mut dyn Channel,
        width: u32,
        choices: &[bool],
    ) -> Result<Vec<u64>, OtError> {
        self.receive(channel, Shape::pair(width)?, choices)
    }

    /// For every choice, which must be below the number of messages, the number of that index.
    pub fn receive_one_of(
        &mut self,
        channel: &mut dyn Channel,
        shape: Shape,
        choices: &[u8],
    ) -> Result<Vec<u64>, OtError> {
        if choices.iter().any(|choice| usize::from(*choice) >= shape.messages()) {
            return Err(OtError::Misuse("a choice is beyond the last message"));
        }
        self.receive(channel, shape, choices)
    }

    fn receive<C: Copy + Into<u64>>(
        &mut self,
        channel: &mut dyn Channel,
        shape: Shape,
        choices: &[C],
    ) -> Result<Vec<u64>, OtError> {
        self.guarded(|cots| {
            let taken = flip(cots, channel, shape.arity(), choices)?;
            let masked = wire::receive(channel, Role::Sender, MASKED, shape.bytes_down(choices.len()))?;
            let mut masked = bits::Unpacker::new(&masked);
            let (mut chosen, mut rest) = (Vec::with_capacity(choices.len()), choices.iter());
            shape.receiver_pads(cots.hash(), &taken, |string| {
                let choice = rest.next().map_or(0, |choice| (*choice).into());
                chosen.push((0..shape.messages()).fold(0, |kept, m| {
                    let here = ((m as u64 ^ choice).wrapping_sub(1) >> 63).wrapping_neg();
                    kept | (masked.next(shape.width()) ^ shape.slot(string, m)) & here
                }));
            });
            Ok(chosen)
        })
    }

    /// For every choice b, modulo 2^`width`, the sender's r + b·a.
    pub fn correlate(
        &mut self,
        channel: &mut dyn Channel,
        width: u32,
        choices: &[bool],
    ) -> Result<Vec<u64>, OtError> {
        let shape = Shape::pair(width)?;
        self.guarded(|cots| {
            let taken = flip(cots, channel, 1, choices)?;
            let masked = wire::receive(channel, Role::Sender, MASKED, bits::bytes(choices.len(), width))?;
            let mut masked = bits::Unpacker::new(&masked);
            let sums = cots.pads(taken).into_iter().zip(choices).map(|(pad, b)| {
                let corrected = masked.next(width) & u64::from(*b).wrapping_neg();
                (pad as u64).wrapping_add(corrected) & bits::low(shape.width())
            });
            Ok(sums.collect())
        })
    }

    fn guarded<T>(
        &mut self,
        call: impl FnOnce(&mut CotReceiver) -> Result<T, OtError>,
    ) -> Result<T, OtError> {
        if self.spent {
            return Err(OtError::Spent);
        }
        self.spent = true;
        let done = call(&mut self.cots)?;
        self.spent = false;
        Ok(done)
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("cots", &self.cots).field("spent", &self.spent).finish()
    }
}

impl fmt::Debug for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Drawn {{ {} blocks, contents hidden }}", self.blocks.len())
    }
}

/// Takes `arity` blocks per choice and tells the sender where their random bits differ from it.
fn flip<C: Copy + Into<u64>>(
    cots: &mut CotReceiver,
    channel: &mut dyn Channel,
    arity: usize,
    choices: &[C],
) -> Result<Taken, OtError> {
    let taken = cots.take(channel, choices.len() * arity)?;
    let mut flips = bits::Packer::with_capacity(taken.blocks.len(), 1);
    for (blocks, choice) in taken.blocks.chunks_exact(arity).zip(choices) {
        for (i, block) in blocks.iter().enumerate() {
            flips.push((*choice).into() >> i ^ *block as u64, 1);
        }
    }
    wire::send(channel, FLIPS, &flips.finish())?;
    Ok(taken)
}
