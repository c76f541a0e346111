//! The side that holds the messages: random, chosen, correlated and 1-of-N transfers out of one stock.
//!
//! Every call is one conversation with the same call of the [`Receiver`](super::Receiver) and costs, besides the stock:
//!
//! | call | receiver → sender | sender → receiver | stock |
//! |---|---|---|---|
//! | [`random`](Sender::random) | 0 | 0 | 1 |
//! | [`send_blocks`](Sender::send_blocks) | 1 bit | 256 bits | 1 |
//! | [`send_chosen`](Sender::send_chosen), ℓ bits | 1 bit | 2ℓ bits | 1 |
//! | [`correlate`](Sender::correlate), k bits | 1 bit | k bits | 1 |
//! | [`send_one_of`](Sender::send_one_of), N = 2^c, ℓ bits | c bits | N·ℓ bits | c |
//!
//! The receiver's flips x_j ⊕ b_j turn random choices into chosen ones; they are uniform to the sender. A cheating
//! receiver that sends other flips has only chosen otherwise. A cheating sender's messages are whatever it sends.

use super::cot::{CotSender, Supply, Taken};
use super::error::{OtError, Role};
use super::shape::Shape;
use super::wire::{self, FLIPS, MASKED};
use crate::net::Channel;
use crate::protocol::private::bits;
use std::fmt;

/// One end of a session of transfers, the end with the messages.
pub struct Sender {
    cots: CotSender,
    spent: bool,
}

impl Sender {
    /// Sets up a session with a peer that sets up a receiver under the same `supply`: base transfers, with a Δ
    /// of its own.
    ///
    /// # Errors
    /// [`OtError`]; the link must be dropped.
    pub fn setup(channel: &mut dyn Channel, supply: Supply) -> Result<Self, OtError> {
        Ok(Self { cots: CotSender::setup(channel, supply)?, spent: false })
    }

    /// Does ahead what drawing would first need; the other end does the same.
    pub fn prime(&mut self, channel: &mut dyn Channel) -> Result<(), OtError> {
        self.guarded(|cots| cots.prime(channel))
    }

    /// `count` pairs of random blocks, of each of which the receiver knows one.
    ///
    /// # Errors
    /// [`OtError`], here and below: the instance is spent but after a misuse.
    pub fn random(&mut self, channel: &mut dyn Channel, count: usize) -> Result<Vec<[u128; 2]>, OtError> {
        self.guarded(|cots| {
            let taken = cots.take(channel, count)?;
            Ok(cots.pads(&taken))
        })
    }

    /// Offers pairs of blocks.
    pub fn send_blocks(&mut self, channel: &mut dyn Channel, messages: &[[u128; 2]]) -> Result<(), OtError> {
        self.guarded(|cots| {
            let taken = flipped(cots, channel, 1, messages.len())?;
            let masked: Vec<[u128; 2]> =
                cots.pads(&taken).iter().zip(messages).map(|(p, m)| [p[0] ^ m[0], p[1] ^ m[1]]).collect();
            wire::send_blocks(channel, MASKED, masked.as_flattened())
        })
    }

    /// Offers pairs of numbers of `width` bits, 1 to 64; higher bits are dropped.
    pub fn send_chosen(
        &mut self,
        channel: &mut dyn Channel,
        width: u32,
        messages: &[[u64; 2]],
    ) -> Result<(), OtError> {
        self.send_one_of(channel, Shape::pair(width)?, messages.as_flattened())
    }

    /// Offers, transfer by transfer, as many numbers as `shape` says; higher bits than its width are dropped.
    pub fn send_one_of(
        &mut self,
        channel: &mut dyn Channel,
        shape: Shape,
        messages: &[u64],
    ) -> Result<(), OtError> {
        if !messages.len().is_multiple_of(shape.messages()) {
            return Err(OtError::Misuse("every transfer needs all its messages"));
        }
        let count = messages.len() / shape.messages();
        self.guarded(|cots| {
            let taken = flipped(cots, channel, shape.arity(), count)?;
            let mut packer = bits::Packer::with_capacity(messages.len(), shape.width());
            let mut offers = messages.chunks_exact(shape.messages());
            shape.sender_pads(cots.hash(), cots.delta(), &taken, |string| {
                for (m, message) in offers.next().unwrap_or(&[]).iter().enumerate() {
                    packer.push(message ^ shape.slot(string, m), shape.width());
                }
            });
            wire::send(channel, MASKED, &packer.finish())
        })
    }

    /// For every correlation a, modulo 2^`width`, a random r here and r + b·a at the receiver, whose bit is b.
    pub fn correlate(
        &mut self,
        channel: &mut dyn Channel,
        width: u32,
        correlations: &[u64],
    ) -> Result<Vec<u64>, OtError> {
        let low = bits::low(Shape::pair(width)?.width());
        self.guarded(|cots| {
            let taken = flipped(cots, channel, 1, correlations.len())?;
            let mut packer = bits::Packer::with_capacity(correlations.len(), width);
            let kept: Vec<u64> = cots
                .pads(&taken)
                .into_iter()
                .zip(correlations)
                .map(|([zero, one], a)| {
                    packer.push((zero as u64).wrapping_add(*a).wrapping_sub(one as u64), width);
                    zero as u64 & low
                })
                .collect();
            wire::send(channel, MASKED, &packer.finish())?;
            Ok(kept)
        })
    }

    fn guarded<T>(&mut self, call: impl FnOnce(&mut CotSender) -> Result<T, OtError>) -> Result<T, OtError> {
        if self.spent {
            return Err(OtError::Spent);
        }
        self.spent = true;
        let done = call(&mut self.cots)?;
        self.spent = false;
        Ok(done)
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("cots", &self.cots).field("spent", &self.spent).finish()
    }
}

/// Takes `arity` blocks per transfer and applies the receiver's flips: q_j ⊕ d_j·Δ.
fn flipped(
    cots: &mut CotSender,
    channel: &mut dyn Channel,
    arity: usize,
    count: usize,
) -> Result<Taken, OtError> {
    let mut taken = cots.take(channel, count * arity)?;
    let flips = wire::receive(channel, Role::Receiver, FLIPS, bits::bytes(count * arity, 1))?;
    let mut flips = bits::Unpacker::new(&flips);
    for block in taken.blocks.iter_mut() {
        *block ^= cots.delta() & 0u128.wrapping_sub(u128::from(flips.next(1)));
    }
    Ok(taken)
}
