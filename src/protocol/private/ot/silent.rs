//! Silent correlated transfers: n out of few by learning parity with noise, at 0.2 bytes each.
//!
//! Ferret [Yang, Weng, Lan, Zhang, Wang 2020, Figures 5–7] with regular noise. Of the `needs()` transfers that go in, k are the
//! secrets of the [`Code`], t·h open the t trees, 128 mask the check. A tree's path is the complement of the random bits
//! that open it, so no flips are sent: under the same assumption as the outputs, those bits are random.
//!
//! ```text
//! sender:    t trees v; per level K_0 ⊕ H(q), K_1 ⊕ H(q ⊕ Δ); per tree Δ ⊕ Σ v     ─► t·(2h + 1) blocks
//! receiver:  leaves w = v ⊕ Δ·[punctured]; random χ;
//!            φ = fingerprint under χ of the indicator of the punctured leaves       ◄─ χ, φ ⊕ (128 random bits x′)
//! sender:    V = fingerprint(v) ⊕ Σ_i (q′_i ⊕ (φ ⊕ x′)_i·Δ)•2^i                      ─► SHA-256(V)
//! receiver:  insists that it is the digest of fingerprint(w) ⊕ Σ_i t′_i•2^i
//! both:      add the code's sums of secrets to the leaves
//! ```
//! **What the check gives.** Honest ends agree, as t′_i = q′_i ⊕ x′_i·Δ. For a cheating sender, write d(α) for the leaves w
//! with Δ taken off the punctured ones: an honest sender makes it the same v for all paths α. Any V it commits to is accepted
//! for those α whose d(α) have one certain fingerprint; among them let p₁ ≥ p₂ ≥ … be the chances of the distinct d. What is
//! accepted with another d than the first has chance s = p₂ + p₃ + …, and s² ≤ 3·Σ_{i<j} p_i·p_j. As χ is drawn after the
//! trees are fixed, two distinct d collide with probability at most n · 2⁻¹²⁸ (with the paper's independent coefficients
//! 2⁻¹²⁸), hence E[max s] ≤ (1.5·n·2⁻¹²⁸)^½: 2⁻⁵² for n = 2²². But for that, the sender has one v, as in the ideal world, and
//! has learnt that α lies in a set it chose, at the price of being caught otherwise: one bit on average, which Ferret's
//! ideal transfer grants it. A cheating receiver that sends another φ sees the digest of a value off by an unknown multiple of
//! Δ, against which it may test guesses of Δ: there are 2¹²⁷.
//!
//! The caller must drop both ends on an error, and tell the peer nothing of it.

use super::Secret;
use super::error::{Fault, OtError, Role};
use super::hash::{Doubler, Session, Tmmo, fingerprint, product};
use super::lpn::Code;
use super::trees::{grow, puncture};
use super::wire::{self, TREES, TREES_CHECK, TREES_KEY};
use super::{random, random_block};
use crate::net::Channel;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// What a session's iterations share.
pub(super) struct Silent {
    session: Session,
    hash: Tmmo,
}

/// One iteration: what goes in, and where what comes out is put.
pub(super) struct Batch<'a> {
    pub(super) code: Code,
    /// As many blocks as the code needs, the first of them under tweak `first`.
    pub(super) input: &'a [u128],
    pub(super) first: u64,
    /// Memory to work in; its contents do not matter.
    pub(super) room: Secret<u128>,
}

impl<'a> Batch<'a> {
    /// The blocks that open paths, those that mask the check, the secrets; and room for all leaves.
    fn split(self) -> Result<([&'a [u128]; 3], Secret<u128>), OtError> {
        if self.input.len() != self.code.needs() {
            return Err(OtError::Misuse("an iteration takes exactly the transfers it needs"));
        }
        let (paths, rest) = self.input.split_at(self.code.t * self.code.depth);
        let (masks, secrets) = rest.split_at(128);
        let mut room = self.room;
        room.resize(self.code.samples(), 0);
        Ok(([paths, masks, secrets], room))
    }
}

impl Silent {
    pub(super) fn new(session: Session, hash: Tmmo) -> Self {
        Self { session, hash }
    }

    /// The sender's side of one iteration: n fresh q_j.
    pub(super) fn send(
        &self,
        channel: &mut dyn Channel,
        delta: u128,
        batch: Batch,
    ) -> Result<Secret<u128>, OtError> {
        let (code, first) = (batch.code, batch.first);
        let ([paths, masks, secrets], mut leaves) = batch.split()?;
        let mut doubler = Doubler::new(&self.session);
        let offers = self.offers(delta, paths, first);
        let mut message = Vec::with_capacity(code.t * (2 * code.depth + 1));
        let trees = leaves.chunks_exact_mut(1 << code.depth).zip(offers.chunks_exact(code.depth));
        for (leaves, pads) in trees {
            let sums = grow(&mut doubler, random_block()?, leaves);
            message.extend(sums.iter().zip(pads).flat_map(|(k, pad)| [k[0] ^ pad[0], k[1] ^ pad[1]]));
            message.push(leaves.iter().fold(delta, |sum, leaf| sum ^ leaf));
        }
        wire::send_blocks(channel, TREES, &message)?;
        let query = wire::receive_blocks(channel, Role::Receiver, TREES_KEY, 2)?;
        let masked = (0..).zip(masks).map(|(i, q)| q ^ delta & 0u128.wrapping_sub(query[1] >> i & 1));
        let value = fingerprint(query[0], &leaves) ^ compose(masked);
        wire::send(channel, TREES_CHECK, &self.digest(value))?;
        code.encode(&self.session, secrets, &mut leaves);
        Ok(leaves)
    }

    /// Both pads of every level of every tree.
    fn offers(&self, delta: u128, paths: &[u128], first: u64) -> Secret<[u128; 2]> {
        let (mut zero, mut one) = (Zeroizing::new(paths.to_vec()), Zeroizing::new(paths.to_vec()));
        one.iter_mut().for_each(|block| *block ^= delta);
        self.hash.hash(&mut zero, first.into());
        self.hash.hash(&mut one, first.into());
        Zeroizing::new(zero.iter().zip(one.iter()).map(|(zero, one)| [*zero, *one]).collect())
    }

    /// The receiver's side of one iteration: n fresh t_j.
    pub(super) fn receive(&self, channel: &mut dyn Channel, batch: Batch) -> Result<Secret<u128>, OtError> {
        let (code, first) = (batch.code, batch.first);
        let ([paths, masks, secrets], mut leaves) = batch.split()?;
        let message = wire::receive_blocks(channel, Role::Sender, TREES, code.t * (2 * code.depth + 1))?;
        let places = self.open(code, paths, &message, first, &mut leaves);
        let key = u128::from_le_bytes(random()?);
        let indicator = indicator(key, 1 << code.depth, &places);
        let bits = (0..).zip(masks).fold(0, |bits, (i, block)| bits | (block & 1) << i);
        wire::send_blocks(channel, TREES_KEY, &[key, indicator ^ bits])?;
        let claim = wire::receive(channel, Role::Sender, TREES_CHECK, 32)?;
        let value = fingerprint(key, &leaves) ^ compose(masks.iter().copied());
        if !bool::from(self.digest(value).ct_eq(&claim)) {
            return Err(OtError::by(Role::Sender, Fault::Trees));
        }
        code.encode(&self.session, secrets, &mut leaves);
        Ok(leaves)
    }

    /// Fills `leaves` with the punctured trees and says at which leaf each is.
    fn open(
        &self,
        code: Code,
        paths: &[u128],
        message: &[u128],
        first: u64,
        leaves: &mut [u128],
    ) -> Secret<usize> {
        let mut doubler = Doubler::new(&self.session);
        let mut places = Zeroizing::new(Vec::with_capacity(code.t));
        let mut sums = Zeroizing::new(paths.to_vec());
        self.hash.hash(&mut sums, first.into());
        let mut known = Zeroizing::new(vec![false; code.depth]);
        let given = paths.chunks_exact(code.depth).zip(sums.chunks_exact_mut(code.depth));
        let trees = leaves.chunks_exact_mut(1 << code.depth).zip(message.chunks_exact(2 * code.depth + 1));
        for ((leaves, message), (paths, sums)) in trees.zip(given) {
            for (((known, block), sum), pair) in
                known.iter_mut().zip(paths).zip(&mut *sums).zip(message.as_chunks::<2>().0)
            {
                *known = block & 1 == 1;
                *sum ^= pair[0] ^ (pair[0] ^ pair[1]) & 0u128.wrapping_sub(block & 1);
            }
            places.push(puncture(&mut doubler, &known, sums, message[2 * code.depth], leaves));
        }
        places
    }

    fn digest(&self, value: u128) -> [u8; 32] {
        Sha256::new_with_prefix(b"serin ot: trees")
            .chain_update(self.session)
            .chain_update(value.to_le_bytes())
            .finalize()
            .into()
    }
}

/// The fingerprint of the vector that is one (the field's unit of •-powers) at `places`, one in every `width`: Σ of the
/// powers of `key` that a leaf there is multiplied with.
fn indicator(key: u128, width: usize, places: &[usize]) -> u128 {
    let powers: Vec<u128> =
        std::iter::successors(Some(key), |power| Some(product(*power, key))).take(width).collect();
    places.iter().fold(0, |sum, place| product(sum, powers[width - 1]) ^ powers[width - 1 - place])
}

/// Σ_i block_i • 2^i.
fn compose(blocks: impl Iterator<Item = u128>) -> u128 {
    (0..).zip(blocks).fold(0, |sum, (i, block)| sum ^ product(block, 1 << i))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::super::hash::Stream;
    use super::super::wire::Message;
    use super::*;
    use crate::protocol::private::test_kit::{Altered, both};

    const TINY: Code = Code { k: 100, t: 9, depth: 5 };
    const DELTA: u128 = 0x0123_4567_89ab_cdef_0f1e_2d3c_4b5a_6979;

    /// Correlated blocks as an earlier stage would leave them.
    fn input(seed: u128) -> (Vec<u128>, Vec<u128>) {
        let (mut q, mut x) = (vec![0; TINY.needs()], vec![0; TINY.needs()]);
        Stream::new(seed).fill(&mut q);
        Stream::new(seed + 1000).fill(&mut x);
        q.iter_mut().for_each(|q| *q &= !1);
        let t = q.iter().zip(&x).map(|(q, x)| q ^ DELTA & 0u128.wrapping_sub(x & 1)).collect();
        (q, t)
    }

    fn batch(input: &[u128]) -> Batch<'_> {
        Batch { code: TINY, input, first: 70, room: Zeroizing::new(vec![9; 5]) }
    }

    type Outcome = (Result<Secret<u128>, OtError>, Result<Secret<u128>, OtError>);

    /// One iteration in which the sender's `message` is altered.
    fn iterate(seed: u128, message: Message, alter: impl FnMut(&mut Vec<u8>) + Send) -> Outcome {
        let (q, t) = input(seed);
        let silent = || Silent::new([5; 32], Tmmo::new(&[5; 32]));
        both(
            |channel| silent().send(&mut Altered::new(channel, message.step, alter), DELTA, batch(&q)),
            |channel| silent().receive(channel, batch(&t)),
        )
    }

    fn cheats(result: &Result<Secret<u128>, OtError>) -> bool {
        matches!(result, Err(OtError::Peer { role: Role::Sender, fault: Fault::Trees }))
    }

    #[test]
    fn samples_differ_by_delta_where_the_bit_is_one() {
        for seed in 0..5 {
            let (q, t) = iterate(seed, TREES, |_| ());
            let (q, t) = (q.unwrap(), t.unwrap());
            assert_eq!(q.len(), TINY.samples());
            assert!(
                q.iter().zip(t.iter()).all(|(q, t)| q ^ t == DELTA & 0u128.wrapping_sub(t & 1) && q & 1 == 0)
            );
            let ones = t.iter().filter(|t| **t & 1 == 1).count();
            assert!(ones.abs_diff(144) < 60, "{ones} of 288");
        }
    }

    #[test]
    fn indicator_is_the_fingerprint_of_what_puncturing_adds() {
        let (width, places, key) = (8, [3, 0, 7], 0xabc << 50);
        let mut vector = vec![0; 24];
        places.iter().enumerate().for_each(|(tree, place)| vector[tree * width + place] = DELTA);
        assert_eq!(product(indicator(key, width, &places), DELTA), fingerprint(key, &vector));
    }

    #[test]
    fn wrong_sum_is_caught_unless_the_receiver_never_takes_it() {
        for (tree, level, side) in [(0, 0, 0), (3, 2, 1), (8, 4, 0), (8, 4, 1)] {
            let mut caught = 0;
            for seed in 0..12 {
                let at = 16 * (tree * (2 * TINY.depth + 1) + 2 * level + side) + 3;
                let (_, result) = iterate(seed, TREES, |body| body[at] ^= 4);
                let taken = input(seed).1[tree * TINY.depth + level] & 1 == side as u128;
                assert_eq!(cheats(&result), taken, "seed {seed}");
                assert_eq!(result.is_err(), taken, "seed {seed}");
                caught += usize::from(taken);
            }
            assert!((1..12).contains(&caught), "{caught} of 12");
        }
    }

    #[test]
    fn correction_under_another_delta_is_always_caught() {
        for seed in 0..12 {
            let at = 16 * (2 * TINY.depth) + 9;
            assert!(cheats(&iterate(seed, TREES, |body| body[at] ^= 1).1), "seed {seed}");
        }
    }

    #[test]
    fn wrong_digest_is_caught_and_a_short_one_is_named() {
        assert!(cheats(&iterate(1, TREES_CHECK, |body| body[31] ^= 128).1));
        let error = iterate(1, TREES_CHECK, |body| body.truncate(31)).1.unwrap_err();
        let length = Fault::Length { message: TREES_CHECK.name, got: 31, want: 32 };
        assert!(matches!(error, OtError::Peer { role: Role::Sender, fault } if fault == length), "{error}");
    }

    #[test]
    fn truncated_trees_are_refused() {
        let error = iterate(1, TREES, |body| body.truncate(160)).1.unwrap_err();
        assert!(matches!(error, OtError::Peer { fault: Fault::Length { got: 160, .. }, .. }), "{error}");
    }

    /// Without the check a wrong correction passes, and one transfer is left correlated under another Δ.
    #[test]
    fn correction_under_another_delta_passes_where_the_check_is_left_out() {
        let (q, t) = input(2);
        let silent = Silent::new([5; 32], Tmmo::new(&[5; 32]));
        let mut doubler = Doubler::new(&[5; 32]);
        let offers = silent.offers(DELTA, &q[..TINY.t * TINY.depth], 70);
        let (mut leaves, mut message) = (vec![0; TINY.samples()], Vec::new());
        for (leaves, pads) in leaves.chunks_exact_mut(1 << TINY.depth).zip(offers.chunks(TINY.depth)) {
            let sums = grow(&mut doubler, 7, leaves);
            message.extend(sums.iter().zip(pads).flat_map(|(k, pad)| [k[0] ^ pad[0], k[1] ^ pad[1]]));
            message.push(leaves.iter().fold(DELTA ^ 2, |sum, leaf| sum ^ leaf));
        }
        let mut opened = vec![0; TINY.samples()];
        let places = silent.open(TINY, &t[..TINY.t * TINY.depth], &message, 70, &mut opened);
        for (tree, place) in places.iter().enumerate() {
            let at = tree * (1 << TINY.depth) + place;
            assert_eq!(leaves[at] ^ opened[at], DELTA ^ 2);
        }
    }
}
