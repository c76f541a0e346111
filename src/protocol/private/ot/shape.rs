//! 1-of-N transfers of ℓ-bit messages out of log N random transfers: whose bits mask what.
//!
//! Transfer i of the c = log₂ N gives the sender two strings r_{i,0}, r_{i,1} of N·ℓ bits and the receiver r_{i,b_i}, b the bits of
//! its choice. Slot m of a string is its bits mℓ … (m+1)ℓ − 1. Message m is sent under
//! ```text
//! pad_m = ⊕_i slot_m(r_{i, m_i})
//! ```
//! The receiver knows pad_b. For m ≠ b some i has m_i ≠ b_i, and slot m of r_{i,m_i} masks nothing else: every other message is
//! under a one-time pad (the sum over bits is that of [Naor, Pinkas 1999]; disjoint slots spare it the pseudorandom
//! function). Strings are random blocks, H(·, j) and then H(·, j + 2⁶⁴s) for the s-th further 128 bits: for N·ℓ ≤ 128 one hash each.
//!
//! Sizes: c bits up, N·ℓ bits down per transfer, packed over the whole batch.

use super::cot::Taken;
use super::error::OtError;
use super::hash::Tmmo;
use crate::protocol::private::bits;
use zeroize::Zeroizing;

/// Between how many messages is chosen, and how long each is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    arity: u32,
    width: u32,
}

impl Shape {
    /// A choice between two messages of `width` bits, 1 to 64.
    pub fn pair(width: u32) -> Result<Self, OtError> {
        Self::new(1, width)
    }

    /// A choice between 2^`arity` messages of `width` bits: `arity` from 1 to 8, `width` from 1 to 64.
    pub fn new(arity: u32, width: u32) -> Result<Self, OtError> {
        if !(1..=8).contains(&arity) {
            return Err(OtError::Misuse("a choice is between 2, 4, … 256 messages"));
        }
        if !(1..=64).contains(&width) {
            return Err(OtError::Misuse("a message has 1 to 64 bits"));
        }
        Ok(Self { arity, width })
    }

    /// Random transfers that one transfer uses up.
    pub fn arity(self) -> usize {
        self.arity as usize
    }

    /// Messages between which is chosen.
    pub fn messages(self) -> usize {
        1 << self.arity
    }

    /// Bits of a message.
    pub fn width(self) -> u32 {
        self.width
    }

    /// Bytes from receiver to sender for `count` transfers.
    pub fn bytes_up(self, count: usize) -> usize {
        bits::bytes(count, self.arity)
    }

    /// Bytes from sender to receiver for `count` transfers.
    pub fn bytes_down(self, count: usize) -> usize {
        bits::bytes(count * self.messages(), self.width)
    }

    /// Blocks of a string of one slot per message.
    fn words(self) -> usize {
        bits::bytes(self.messages(), self.width).div_ceil(16)
    }

    /// The slots of messages m with m_i = b, as the bits of word s: at `(s · c + i) · 2 + b`.
    fn masks(self) -> Vec<u128> {
        let mut masks = vec![0; self.words() * self.arity() * 2];
        for m in 0..self.messages() {
            for i in 0..self.arity() {
                for bit in m * self.width as usize..(m + 1) * self.width as usize {
                    masks[(bit / 128 * self.arity() + i) * 2 + (m >> i & 1)] |= 1 << (bit % 128);
                }
            }
        }
        masks
    }

    /// Slot `message` of a string.
    pub(super) fn slot(self, string: &[u128], message: usize) -> u64 {
        let (word, shift) = (message * self.width as usize / 128, message * self.width as usize % 128);
        let mut bits = string[word] >> shift;
        if shift + self.width as usize > 128 {
            bits |= string[word + 1] << (128 - shift);
        }
        bits as u64 & bits::low(self.width)
    }

    /// Calls `each` with the sender's N·ℓ bits of pads for every transfer. `taken` holds q_j with the receiver's flips
    /// already applied.
    pub(super) fn sender_pads(self, hash: &Tmmo, delta: u128, taken: &Taken, mut each: impl FnMut(&[u128])) {
        let (words, masks) = (self.words(), self.masks());
        let mut string = Zeroizing::new(vec![0; words]);
        let mut hashed = Zeroizing::new(vec![0; words * 2 * BATCH]);
        for (chunk, first) in taken.batches(self.arity()) {
            for (at, run) in hashed.chunks_exact_mut(BATCH).enumerate() {
                let shift = if at % 2 == 1 { delta } else { 0 };
                run.iter_mut().zip(chunk).for_each(|(block, q)| *block = q ^ shift);
                hash.hash(&mut run[..chunk.len()], first + ((at as u128 / 2) << 64));
            }
            for transfer in 0..chunk.len() / self.arity() {
                for (s, word) in string.iter_mut().enumerate() {
                    *word = (0..self.arity()).fold(0, |word, i| {
                        let [zero, one] = [0, 1].map(|b| {
                            hashed[(s * 2 + b) * BATCH + transfer * self.arity() + i]
                                & masks[(s * self.arity() + i) * 2 + b]
                        });
                        word ^ zero ^ one
                    });
                }
                each(&string);
            }
        }
    }

    /// Calls `each` with the receiver's string for every transfer: right in the chosen slot, meaningless in the others.
    pub(super) fn receiver_pads(self, hash: &Tmmo, taken: &Taken, mut each: impl FnMut(&[u128])) {
        let mut string = Zeroizing::new(vec![0; self.words()]);
        let mut hashed = Zeroizing::new(vec![0; self.words() * BATCH]);
        for (chunk, first) in taken.batches(self.arity()) {
            for (s, run) in hashed.chunks_exact_mut(BATCH).enumerate() {
                run[..chunk.len()].copy_from_slice(chunk);
                hash.hash(&mut run[..chunk.len()], first + ((s as u128) << 64));
            }
            for transfer in 0..chunk.len() / self.arity() {
                for (word, run) in string.iter_mut().zip(hashed.chunks_exact(BATCH)) {
                    *word = run[transfer * self.arity()..][..self.arity()].iter().fold(0, |sum, r| sum ^ r);
                }
                each(&string);
            }
        }
    }
}

impl Taken {
    /// Runs of whole transfers of `arity` blocks, each with the tweak of its first block.
    fn batches(&self, arity: usize) -> impl Iterator<Item = (&[u128], u128)> {
        let length = BATCH / arity * arity;
        self.blocks.chunks(length).zip(self.tweaks(length))
    }
}

/// Blocks hashed at once: what fits the nearest cache for a few strings.
const BATCH: usize = 256;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn shape_out_of_range_is_refused() {
        for (arity, width) in [(0, 8), (9, 8), (4, 0), (4, 65)] {
            assert!(matches!(Shape::new(arity, width), Err(OtError::Misuse(_))));
        }
    }

    #[test]
    fn every_bit_of_every_slot_is_masked_once_per_transfer() {
        for (arity, width) in [(1, 1), (1, 64), (4, 7), (4, 64), (8, 33)] {
            let shape = Shape::new(arity, width).unwrap();
            let masks = shape.masks();
            for s in 0..shape.words() {
                let used = (shape.messages() * width as usize - s * 128).min(128);
                for i in 0..shape.arity() {
                    let [zero, one] = [0, 1].map(|b| masks[(s * shape.arity() + i) * 2 + b]);
                    assert_eq!(zero & one, 0);
                    assert_eq!(zero | one, u128::MAX >> (128 - used));
                }
            }
        }
    }

    #[test]
    fn sixteen_of_four_bits_cost_half_a_byte_up_and_eight_down() {
        let shape = Shape::new(4, 4).unwrap();
        assert_eq!((shape.bytes_up(1000), shape.bytes_down(1000)), (500, 8000));
    }
}
