//! Secrets, errors and floods from a cryptographic generator; public polynomials from a seed.
//!
//! Nothing below branches on a coefficient of a key, an error or a flood but where a draw is thrown away, nor do
//! the residues made of them. `mask` expands 32 public bytes and an index by BLAKE3's extendable output into values
//! uniform below each prime (rejection, so no bias); a uniform polynomial has uniform values, so no transform is
//! spent on it.

use rand::CryptoRng;
use zeroize::Zeroizing;

use super::ntt::{N, Prime, SMALL};
use super::params::key_weight;
use super::ring::{Poly, Ring};

/// Bytes of a seed.
pub(super) const SEED: usize = 32;

/// Uniform in {−1, 0, 1}^length.
pub(super) fn ternary(length: usize, rng: &mut impl CryptoRng) -> Zeroizing<Vec<i64>> {
    let mut trits = Zeroizing::new(Vec::with_capacity(length));
    let mut word = (0, 0);
    while trits.len() < length {
        if word.1 == 0 {
            word = (rng.next_u64(), 32);
        }
        if word.0 & 3 != 3 {
            trits.push((word.0 & 3) as i64 - 1);
        }
        word = (word.0 >> 2, word.1 - 1);
    }
    trits
}

/// [`ternary`], of at most [`key_weight`] nonzero coefficients.
pub(super) fn key(length: usize, rng: &mut impl CryptoRng) -> Zeroizing<Vec<i64>> {
    loop {
        let trits = ternary(length, rng);
        if trits.iter().filter(|t| **t != 0).count() <= key_weight(length) {
            return trits;
        }
    }
}

/// Centred binomials of 2·21 coins.
pub(super) fn errors(length: usize, rng: &mut impl CryptoRng) -> Zeroizing<Vec<i64>> {
    const COINS: u64 = (1 << 21) - 1;
    let draw = |_| {
        let coins = rng.next_u64();
        i64::from((coins & COINS).count_ones()) - i64::from(((coins >> 21) & COINS).count_ones())
    };
    Zeroizing::new((0..length).map(draw).collect())
}

/// Uniform in [0, 2·half), half > 0.
pub(super) fn flood(half: u128, rng: &mut impl CryptoRng) -> u128 {
    let width = 2 * half;
    let spare = (width - 1).leading_zeros();
    loop {
        let draw = ((u128::from(rng.next_u64()) << 64) | u128::from(rng.next_u64())) >> spare;
        if draw < width {
            return draw;
        }
    }
}

/// 32 fresh bytes.
pub(super) fn seed(rng: &mut impl CryptoRng) -> [u8; SEED] {
    let mut seed = [0; SEED];
    rng.fill_bytes(&mut seed);
    seed
}

/// The public polynomial number `index` of a seed, as values.
pub(super) fn mask(ring: &Ring, seed: &[u8; SEED], index: usize) -> Poly {
    let mut stream = stream("serin 2026 lattice public polynomial", seed, index);
    ring.transforms().each_ref().map(|t| uniform(&mut stream, t.prime, N))
}

/// The public polynomial number `index` of a switching key's seed, as values.
pub(super) fn small_mask(prime: Prime, seed: &[u8; SEED], index: usize) -> Vec<u64> {
    uniform(&mut stream("serin 2026 lattice switching polynomial", seed, index), prime, SMALL)
}

fn stream(context: &'static str, seed: &[u8; SEED], index: usize) -> blake3::OutputReader {
    let mut hash = blake3::Hasher::new_derive_key(context);
    hash.update(seed).update(&(index as u64).to_le_bytes());
    hash.finalize_xof()
}

fn uniform(stream: &mut blake3::OutputReader, prime: Prime, length: usize) -> Vec<u64> {
    let (p, spare) = (prime.p, 64 - prime.bits());
    let mut values = Vec::with_capacity(length);
    let mut block = [0; 4096];
    while values.len() < length {
        stream.fill(&mut block);
        let draws = block.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word) >> spare);
        values.extend(draws.filter(|v| *v < p).take(length - values.len()));
    }
    values
}
