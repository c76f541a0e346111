//! Base transfers: a few random 1-of-2 transfers of 128-bit strings, from public-key operations.
//!
//! Implements the two-message "endemic" transfer of [Masny, Rindal 2019, Figures 1 and 8] from Diffie–Hellman over
//! Ristretto, with hashes into the group:
//!
//! ```text
//! receiver, choice b:  t ← scalar, R_{1−b} ← group, R_b = t·G − H(i, b, R_{1−b})       ─► (R_0, R_1), 64 bytes
//! sender:              y_j ← scalar                                                    ◄─ (y_0·G, y_1·G), 64 bytes
//! keys:                K_j = KDF(i, j, R_0, R_1, y_j·G, y_j·(R_j + H(i, j, R_{1−j})))   receiver: … t·(y_b·G)
//! ```
//!
//! Secure against malicious senders and receivers under decisional Diffie–Hellman in the random-oracle model: each y_j is
//! fresh, so no reuse assumption enters. *Endemic* means that a cheating party may choose its own outputs; the honest one's
//! stay hidden. The extension above needs no more: whoever chooses its own seeds only chooses its own outputs.
//!
//! Sizes: 64 bytes each way per transfer. Every point is decoded canonically and refused if it is the identity. The digest of
//! both messages is the [`Session`] from which all later keys derive. The caller must drop the link on any error.

use super::error::{Fault, OtError, Role};
use super::hash::Session;
use super::wire::{self, BASE_REPLY, BASE_REQUEST};
use super::{Secret, random};
use crate::net::Channel;
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::Identity;
use sha2::{Digest, Sha256, Sha512};
use subtle::{Choice, ConditionallySelectable};
use zeroize::{Zeroize, Zeroizing};

/// As sender: `count` pairs of random blocks.
pub(super) fn send(channel: &mut dyn Channel, count: usize) -> Result<(Secret<[u128; 2]>, Session), OtError> {
    let request = wire::receive(channel, Role::Receiver, BASE_REQUEST, count * PAIR)?;
    let (mut reply, mut keys) = (Vec::with_capacity(count * PAIR), Zeroizing::new(Vec::with_capacity(count)));
    for (index, pair) in request.chunks_exact(PAIR).enumerate() {
        let points = [point(pair, index, 0, Role::Receiver)?, point(pair, index, 1, Role::Receiver)?];
        let mut both = [0; 2];
        for (j, key) in both.iter_mut().enumerate() {
            let mut y = scalar()?;
            let public = RistrettoPoint::mul_base(&y).compress();
            let base = points[j] + into_group(index, j as u8, &pair[(1 - j) * POINT..][..POINT]);
            *key = derive(index, j as u8, pair, &public, &(y * base));
            reply.extend_from_slice(public.as_bytes());
            y.zeroize();
        }
        keys.push(both);
    }
    wire::send(channel, BASE_REPLY, &reply)?;
    Ok((keys, session(&request, &reply)))
}

/// As receiver: for every choice, 0 or 1, the block of that index.
pub(super) fn receive(channel: &mut dyn Channel, choices: &[u8]) -> Result<(Secret<u128>, Session), OtError> {
    let mut request = Vec::with_capacity(choices.len() * PAIR);
    let mut secrets = Zeroizing::new(Vec::with_capacity(choices.len()));
    for (index, &bit) in choices.iter().enumerate() {
        let choice = Choice::from(bit);
        let t = scalar()?;
        let other = RistrettoPoint::from_uniform_bytes(&random()?);
        let encoded = other.compress();
        let mine = RistrettoPoint::mul_base(&t) - into_group(index, bit, encoded.as_bytes());
        for at in [choice, !choice] {
            let point = RistrettoPoint::conditional_select(&mine, &other, at);
            request.extend_from_slice(point.compress().as_bytes());
        }
        secrets.push(t);
    }
    wire::send(channel, BASE_REQUEST, &request)?;
    let reply = wire::receive(channel, Role::Sender, BASE_REPLY, choices.len() * PAIR)?;
    let mut keys = Zeroizing::new(Vec::with_capacity(choices.len()));
    for (index, (pair, &bit)) in reply.chunks_exact(PAIR).zip(choices).enumerate() {
        let points = [point(pair, index, 0, Role::Sender)?, point(pair, index, 1, Role::Sender)?];
        let public = RistrettoPoint::conditional_select(&points[0], &points[1], Choice::from(bit));
        let sent = &request[index * PAIR..][..PAIR];
        keys.push(derive(index, bit, sent, &public.compress(), &(secrets[index] * public)));
    }
    Ok((keys, session(&request, &reply)))
}

/// Point `which` of a pair that `by` sent for transfer `index`.
fn point(pair: &[u8], index: usize, which: usize, by: Role) -> Result<RistrettoPoint, OtError> {
    let message = if by == Role::Receiver { BASE_REQUEST.name } else { BASE_REPLY.name };
    CompressedRistretto::from_slice(&pair[which * POINT..][..POINT])
        .ok()
        .and_then(|bytes| bytes.decompress())
        .filter(|point| *point != RistrettoPoint::identity())
        .ok_or(OtError::by(by, Fault::Point { message, index: 2 * index + which }))
}

fn scalar() -> Result<Scalar, OtError> {
    let bytes = Zeroizing::new(random::<64>()?);
    Ok(Scalar::from_bytes_mod_order_wide(&bytes))
}

/// H(i, j, R): a group element whose discrete logarithm nobody knows.
fn into_group(index: usize, tag: u8, point: &[u8]) -> RistrettoPoint {
    let digest = Sha512::new_with_prefix(b"serin ot: base, into the group")
        .chain_update((index as u64).to_le_bytes())
        .chain_update([tag])
        .chain_update(point)
        .finalize();
    RistrettoPoint::from_uniform_bytes(&digest.into())
}

fn derive(index: usize, tag: u8, pair: &[u8], public: &CompressedRistretto, shared: &RistrettoPoint) -> u128 {
    let digest = Sha256::new_with_prefix(b"serin ot: base, key")
        .chain_update((index as u64).to_le_bytes())
        .chain_update([tag])
        .chain_update(pair)
        .chain_update(public.as_bytes())
        .chain_update(shared.compress().as_bytes())
        .finalize();
    let (low, _) = digest.split_first_chunk().unwrap_or((&[0; 16], &[]));
    u128::from_le_bytes(*low)
}

fn session(request: &[u8], reply: &[u8]) -> Session {
    Sha256::new_with_prefix(b"serin ot: session").chain_update(request).chain_update(reply).finalize().into()
}

/// Bytes of an encoded point, and of the two a transfer sends each way.
const POINT: usize = 32;
const PAIR: usize = 2 * POINT;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use crate::protocol::private::test_kit::{Altered, both};

    #[test]
    fn receiver_gets_the_chosen_block_and_both_share_a_session() {
        let bits = [1, 0, 0, 1, 1];
        let (sent, received) =
            both(|channel| send(channel, 5).unwrap(), |channel| receive(channel, &bits).unwrap());
        assert_eq!(sent.1, received.1);
        for ((pair, got), bit) in sent.0.iter().zip(received.0.iter()).zip(bits) {
            assert_eq!(pair[usize::from(bit)], *got);
            assert_ne!(pair[usize::from(1 - bit)], *got);
        }
    }

    #[test]
    fn malformed_and_identity_points_are_refused_by_index() {
        for (bytes, place) in [([0xff; 32], 3), ([0; 32], 0)] {
            let replace = move |body: &mut Vec<u8>| body[place * 32..][..32].copy_from_slice(&bytes);
            let (error, _) = both(
                |channel| send(channel, 2).err().unwrap(),
                |channel| receive(&mut Altered::new(channel, BASE_REQUEST.step, replace), &[0; 2]).is_err(),
            );
            assert!(
                matches!(error, OtError::Peer { role: Role::Receiver, fault: Fault::Point { index, .. } } if index == place),
                "{error}"
            );
            let (_, error) = both(
                |channel| send(&mut Altered::new(channel, BASE_REPLY.step, replace), 2).is_ok(),
                |channel| receive(channel, &[1; 2]).err().unwrap(),
            );
            assert!(
                matches!(error, OtError::Peer { role: Role::Sender, fault: Fault::Point { index, .. } } if index == place),
                "{error}"
            );
        }
    }

    #[test]
    fn truncated_request_is_refused_with_both_lengths() {
        let (error, _) = both(
            |channel| send(channel, 2).err().unwrap(),
            |channel| {
                let mut short = Altered::new(channel, BASE_REQUEST.step, |body| body.truncate(100));
                receive(&mut short, &[0; 2]).is_err()
            },
        );
        let length = Fault::Length { message: BASE_REQUEST.name, got: 100, want: 128 };
        assert!(matches!(error, OtError::Peer { role: Role::Receiver, fault } if fault == length), "{error}");
    }
}
