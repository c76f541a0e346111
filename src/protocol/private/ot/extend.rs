//! Correlated transfers from 127 base transfers: IKNP's extension with a check of every column.
//!
//! The sender ends with a secret Δ (lowest bit one, 127 random) and blocks q_j; the receiver with random bits x_j and blocks
//! t_j = q_j ⊕ x_j·Δ. The lowest bit of q_j is zero, so that t_j carries x_j there: column 0 needs no transfer.
//!
//! ```text
//! setup:     base transfers, roles exchanged: the sender learns k_{i,Δ_i}, the receiver holds (k_{i,0}, k_{i,1}), i = 1…127
//! receiver:  x random, t^i = G(k_{i,0}), u^i = t^i ⊕ G(k_{i,1}) ⊕ x      ─► u^1 … u^127
//! sender:    q^i = G(k_{i,Δ_i}) ⊕ Δ_i·u^i                                ◄─ random key K ≠ 0
//! receiver:  h = fingerprint under K                                     ─► h(x), h(t^1) … h(t^127)
//! sender:    insists on h(q^i) = h(t^i) ⊕ Δ_i·h(x) for every i
//! ```
//! Matrices are transposed to rows at the end; the last 128 rows only mask h(x) and are dropped.
//!
//! **Why the check suffices.** It is the check of SoftSpokenOT [Roy 2022, §4] for k = 1: column by column, unlike the
//! check of KOS [Keller, Orsini, Scholl 2015], which sums rows into one element and whose proof Roy refutes. For the
//! repetition code the proof is short. Whatever the receiver sends defines x^i = u^i ⊕ G(k_{i,0}) ⊕ G(k_{i,1}). Let X and
//! T^i be its claims for h(x) and h(t^i). Column i passes for both values of Δ_i only if h(x^i) = X; otherwise for one
//! at most, so that passing is a guess of Δ_i. K is drawn after all x^i are fixed, so two distinct of them hash alike with
//! probability at most m · 2⁻¹²⁸ (m blocks a column), some pair of the 127 with at most m · 2⁻¹¹⁵. Hence, but for
//! that probability, all unguessed columns share one x, and a receiver that deviates in g columns guesses exactly g bits of Δ: it is
//! caught with probability 1 − 2^−g and, when it is not, Δ keeps 127 − g bits. With [`RUN`] the statistical
//! error is 2⁻¹⁰⁴ a run. The receiver's privacy is perfect given G: K ≠ 0, so h(x) is uniform, and h(t^i) follows from what
//! the sender holds. A malicious sender can only spoil its own check.
//!
//! Sizes, per transfer: 15.9 bytes up; per run: 2 KiB up, 16 bytes down. After an error both ends must drop Δ and every
//! key: a second attempt with the same Δ would give a cheat a second guess. The caller must also hash (with a fresh tweak) before
//! a block masks anything.

use super::base;
use super::error::{Fault, OtError, Role};
use super::hash::{Session, Stream, fingerprint};
use super::transpose::transpose;
use super::wire::{self, CHECK, CHECK_KEY, COLUMNS};
use super::{Secret, random_block};
use crate::net::Channel;
use zeroize::{Zeroize, Zeroizing};

/// The most transfers of one run: two MiB of columns.
pub(super) const RUN: usize = 1 << 17;

/// The side that knows Δ.
pub(super) struct ExtendSender {
    delta: u128,
    columns: Vec<Stream>,
}

/// The side that knows the bits.
pub(super) struct ExtendReceiver {
    columns: Vec<[Stream; 2]>,
}

impl ExtendSender {
    /// Draws Δ and runs the base transfers.
    pub(super) fn setup(channel: &mut dyn Channel) -> Result<(Self, Session), OtError> {
        Self::setup_under(random_block()? | 1, channel)
    }

    fn setup_under(delta: u128, channel: &mut dyn Channel) -> Result<(Self, Session), OtError> {
        let choices: Secret<u8> = Zeroizing::new((1..128).map(|i| (delta >> i & 1) as u8).collect());
        let (seeds, session) = base::receive(channel, &choices)?;
        Ok((Self { delta, columns: seeds.iter().map(|seed| Stream::new(*seed)).collect() }, session))
    }

    pub(super) fn delta(&self) -> u128 {
        self.delta
    }

    /// At least `count` fresh q_j, `count` at most [`RUN`].
    pub(super) fn run(&mut self, channel: &mut dyn Channel, count: usize) -> Result<Secret<u128>, OtError> {
        let height = height(count);
        let mut columns =
            Zeroizing::new(wire::receive_blocks(channel, Role::Receiver, COLUMNS, 127 * height)?);
        self.correct(&mut columns, height);
        let key = random_block()?.max(1);
        wire::send_blocks(channel, CHECK_KEY, &[key])?;
        let claims = wire::receive_blocks(channel, Role::Receiver, CHECK, 128)?;
        if !self.consistent(&columns, height, key, &claims) {
            return Err(OtError::by(Role::Receiver, Fault::Choices));
        }
        Ok(rows(&vec![0; height], &columns))
    }

    /// Turns the corrections u^i into q^i.
    fn correct(&mut self, columns: &mut [u128], height: usize) {
        let mut stream = vec![0; height];
        for (i, (column, source)) in (1..).zip(columns.chunks_exact_mut(height).zip(&mut self.columns)) {
            source.fill(&mut stream);
            let mask = mask(self.delta >> i & 1);
            column.iter_mut().zip(&stream).for_each(|(u, s)| *u = *u & mask ^ s);
        }
        stream.zeroize();
    }

    /// Whether every column is the one claimed; all are compared, whichever differs.
    fn consistent(&self, columns: &[u128], height: usize, key: u128, claims: &[u128]) -> bool {
        let hashes = columns.chunks_exact(height).map(|column| fingerprint(key, column));
        let wrong = (1..).zip(hashes).zip(&claims[1..]).fold(0, |wrong, ((i, hash), claim)| {
            wrong | hash ^ claim ^ (claims[0] & mask(self.delta >> i & 1))
        });
        wrong == 0
    }
}

impl ExtendReceiver {
    /// Runs the base transfers.
    pub(super) fn setup(channel: &mut dyn Channel) -> Result<(Self, Session), OtError> {
        let (seeds, session) = base::send(channel, 127)?;
        Ok((Self { columns: seeds.iter().map(|pair| pair.map(Stream::new)).collect() }, session))
    }

    /// At least `count` fresh t_j with their x_j in the lowest bit, `count` at most [`RUN`].
    pub(super) fn run(&mut self, channel: &mut dyn Channel, count: usize) -> Result<Secret<u128>, OtError> {
        let height = height(count);
        let (columns, corrections) = self.columns(random_block()?, height);
        wire::send_blocks(channel, COLUMNS, &corrections)?;
        let key = wire::receive_blocks(channel, Role::Sender, CHECK_KEY, 1)?[0];
        if key == 0 {
            return Err(OtError::by(Role::Sender, Fault::ZeroKey));
        }
        let claims: Vec<u128> = columns.chunks_exact(height).map(|column| fingerprint(key, column)).collect();
        wire::send_blocks(channel, CHECK, &claims)?;
        let (choices, others) = columns.split_at(height);
        Ok(rows(choices, others))
    }

    /// The columns t^0 = x, t^1 … t^127, and the corrections u^1 … u^127.
    fn columns(&mut self, seed: u128, height: usize) -> (Secret<u128>, Vec<u128>) {
        let mut columns = Zeroizing::new(vec![0; 128 * height]);
        let mut corrections = vec![0; 127 * height];
        let (choices, others) = columns.split_at_mut(height);
        Stream::new(seed).fill(choices);
        let places = others.chunks_exact_mut(height).zip(corrections.chunks_exact_mut(height));
        for ((column, correction), [zero, one]) in places.zip(&mut self.columns) {
            zero.fill(column);
            one.fill(correction);
            for ((u, t), x) in correction.iter_mut().zip(column).zip(&*choices) {
                *u ^= *t ^ x;
            }
        }
        (columns, corrections)
    }
}

impl Drop for ExtendSender {
    fn drop(&mut self) {
        self.delta.zeroize();
    }
}

/// Blocks of a column for `count` rows and the masking ones.
fn height(count: usize) -> usize {
    count.div_ceil(128) + 1
}

/// All ones for a bit of one.
fn mask(bit: u128) -> u128 {
    0u128.wrapping_sub(bit)
}

/// The rows of the matrix of column 0 and the 127 others, but for those of the last block.
fn rows(first: &[u128], others: &[u128]) -> Secret<u128> {
    let mut rows = Zeroizing::new(Vec::with_capacity(128 * (first.len() - 1)));
    let mut square = [0; 128];
    for (block, word) in first[..first.len() - 1].iter().enumerate() {
        let words = others[block..].iter().step_by(first.len());
        square.iter_mut().zip([word].into_iter().chain(words)).for_each(|(row, word)| *row = *word);
        transpose(&mut square);
        rows.extend_from_slice(&square);
    }
    square.zeroize();
    rows
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::super::hash::Tmmo;
    use super::*;
    use crate::protocol::private::test_kit::{Altered, both};

    /// A sender under `delta` against a receiver whose message is altered.
    fn against(
        delta: u128,
        message: wire::Message,
        alter: impl FnMut(&mut Vec<u8>) + Send,
    ) -> Result<(), OtError> {
        let run = |channel: &mut dyn Channel| ExtendSender::setup_under(delta, channel)?.0.run(channel, 300);
        let cheat = |channel: &mut dyn Channel| {
            let mut receiver = ExtendReceiver::setup(channel)?.0;
            receiver.run(&mut Altered::new(channel, message.step, alter), 300)
        };
        both(run, cheat).0.map(|_| ())
    }

    #[test]
    fn blocks_of_many_runs_differ_by_delta_where_the_bit_is_one() {
        for count in [1, 128, 129, 5000] {
            let (sent, received) = both(
                |channel| {
                    let mut sender = ExtendSender::setup(channel).unwrap().0;
                    [sender.run(channel, count).unwrap(), sender.run(channel, count).unwrap()]
                        .map(|rows| (sender.delta(), rows))
                },
                |channel| {
                    let mut receiver = ExtendReceiver::setup(channel).unwrap().0;
                    [receiver.run(channel, count).unwrap(), receiver.run(channel, count).unwrap()]
                },
            );
            assert_ne!(received[0], received[1], "a second run is fresh");
            for ((delta, q), t) in sent.iter().zip(&received) {
                assert!(q.len() >= count && q.len() == t.len());
                assert!(q.iter().zip(t.iter()).all(|(q, t)| q ^ t == mask(t & 1) & delta && q & 1 == 0));
                let ones = t.iter().filter(|t| **t & 1 == 1).count();
                assert!(ones.abs_diff(t.len() / 2) < 8 * t.len().isqrt(), "{ones} of {}", t.len());
            }
        }
    }

    #[test]
    fn choice_that_differs_in_one_column_passes_only_by_guessing_that_bit_of_delta() {
        for (column, bit) in [(0, 0), (63, 17), (126, 299)] {
            let flip = |body: &mut Vec<u8>| body[column * 16 * height(300) + bit / 8] ^= 1 << (bit % 8);
            let guessed = 1 << (column + 1);
            let caught = against(u128::MAX, COLUMNS, flip).unwrap_err();
            assert!(
                matches!(caught, OtError::Peer { role: Role::Receiver, fault: Fault::Choices }),
                "{caught}"
            );
            against(u128::MAX ^ guessed, COLUMNS, flip).unwrap();
        }
    }

    #[test]
    fn choices_that_differ_in_columns_are_caught_as_often_as_stated() {
        let columns = [5, 90];
        let caught = (0..48).filter(|run| {
            let delta = Stream::new(*run);
            let mut blocks = [0];
            delta.clone().fill(&mut blocks);
            let flip = |body: &mut Vec<u8>| columns.iter().for_each(|c| body[c * 16 * height(300)] ^= 1);
            let expected = columns.iter().any(|c| blocks[0] >> (c + 1) & 1 == 1);
            let result = against(blocks[0] | 1, COLUMNS, flip);
            assert_eq!(result.is_err(), expected, "seed {run}");
            result.is_err()
        });
        let caught = caught.count();
        assert!((26..=45).contains(&caught), "{caught} of 48 where 36 are expected");
    }

    #[test]
    fn claims_that_are_altered_are_caught() {
        for at in [0, 16, 127 * 16] {
            let error = against(u128::MAX, CHECK, |body| body[at] ^= 1).unwrap_err();
            assert!(matches!(error, OtError::Peer { fault: Fault::Choices, .. }), "{error}");
        }
    }

    #[test]
    fn zero_key_is_refused_before_anything_is_unmasked() {
        let (_, error) = both(
            |channel| {
                let mut sender = ExtendSender::setup(channel).unwrap().0;
                sender.run(&mut Altered::new(channel, CHECK_KEY.step, |body| body.fill(0)), 10).is_ok()
            },
            |channel| ExtendReceiver::setup(channel).unwrap().0.run(channel, 10).unwrap_err(),
        );
        assert!(matches!(error, OtError::Peer { role: Role::Sender, fault: Fault::ZeroKey }), "{error}");
    }

    /// Row i is flipped in column i alone. Without the check this passes, and the pad of each row then tells a bit of Δ.
    #[test]
    fn delta_is_read_off_the_pads_where_the_check_is_left_out() {
        let delta = 0x0123_4567_89ab_cdef_0f1e_2d3c_4b5a_6979;
        let height = height(128);
        let ((mut sender, session), mut receiver) = both(
            |channel| ExtendSender::setup_under(delta, channel).unwrap(),
            |channel| ExtendReceiver::setup(channel).unwrap().0,
        );
        let (columns, mut corrections) = receiver.columns(11, height);
        (1..128).for_each(|i| corrections[(i - 1) * height] ^= 1 << i);
        sender.correct(&mut corrections, height);
        let (choices, others) = columns.split_at(height);
        let (q, t) = (rows(&vec![0; height], &corrections), rows(choices, others));
        let hash = Tmmo::new(&session);
        let pad = |block: u128, tweak: usize| {
            let mut block = [block];
            hash.hash(&mut block, tweak as u128);
            block[0]
        };
        let read = (1..128).filter(|&i| pad(q[i] ^ mask(t[i] & 1) & delta, i) != pad(t[i], i));
        assert_eq!(read.fold(1, |read, i| read | 1 << i), delta);
    }
}
