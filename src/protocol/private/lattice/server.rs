//! The server: multiplies the masks it cannot read by its weights, and keeps a uniform share.
//!
//! An answer polynomial is Σ_j W_j·(b_j, a_j) + u·(public key), its mask with a fresh error, its body with the
//! flood and −Δ·S. Of the body only the coefficients that are results leave; the mask leaves whole, and is an LWE
//! sample under the one-time secret u. Each answer is switched to few bits last, a function of what is hidden
//! already. The server checks the form of a query (length, residues) and cannot check more: no query is ill-formed
//! beyond that. The caller must use S once, and must answer with one set of weights.

use std::fmt;

use rand::CryptoRng;
use zeroize::Zeroizing;

use super::client::check_length;
use super::ntt::N;
use super::params::Params;
use super::plan::Plan;
use super::ring::{Poly, Ring, round};
use super::{LatticeError, check, sample};
use crate::protocol::private::bits::{Packer, Unpacker};

/// Holds a client's public key.
pub struct Server {
    params: Params,
    ring: Ring,
    /// (b, a) with b + a·s = e, as values.
    zero: [Poly; 2],
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("params", &self.params).finish_non_exhaustive()
    }
}

/// An answer, and what the server keeps of it. `Debug` shows the sizes only.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// For the client: [`Plan::bytes_down`].
    pub bytes: Vec<u8>,
    /// S, uniform modulo 2^k: [`Plan::results`].
    pub share: Vec<u32>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({} bytes, {} shares)", self.bytes.len(), self.share.len())
    }
}

/// The server's coins for one answer polynomial.
pub(super) struct Coins {
    /// Ternary: what multiplies the public key.
    pub(super) blind: Zeroizing<Vec<i64>>,
    /// The mask's error.
    pub(super) error: Zeroizing<Vec<i64>>,
    /// One per result, uniform in [0, 2F).
    pub(super) flood: Vec<u128>,
}

impl Server {
    /// Reads a client's public key.
    ///
    /// # Errors
    /// [`LatticeError::Length`], [`LatticeError::Residue`] or [`LatticeError::Leftover`] if the bytes are not
    /// one of these parameters.
    pub fn new(params: Params, public_key: &[u8]) -> Result<Self, LatticeError> {
        let ring = Ring::new(&params);
        check_length("the public key", public_key.len(), params.key_bytes())?;
        let zero = ciphertexts(&ring, public_key, 1, "the public key")?.swap_remove(0);
        Ok(Self { params, ring, zero })
    }

    /// Answers a query with `weights`, `[groups·outputs, channels, kernel₀, kernel₁]`, each of magnitude at
    /// most [`Params::max_weight`].
    ///
    /// # Errors
    /// [`LatticeError::Params`], [`LatticeError::Length`] or [`LatticeError::Value`] if the plan or the weights
    /// do not fit; [`LatticeError::Length`], [`LatticeError::Residue`] or [`LatticeError::Leftover`] if the
    /// query is malformed.
    pub fn answer(
        &self,
        plan: &Plan,
        weights: &[i32],
        query: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<Answer, LatticeError> {
        let half = plan.params.flood(plan.terms()).unwrap_or(0).max(1);
        self.answer_with(plan, weights, query, |results| {
            let share_bits = 32 - plan.params.ring_bits();
            let coins = Coins {
                blind: sample::ternary(rng),
                error: sample::errors(rng),
                flood: (0..results).map(|_| sample::flood(half, rng)).collect(),
            };
            (coins, (0..results).map(|_| rng.next_u32() >> share_bits).collect())
        })
    }

    /// [`Server::answer`] with coins and shares given for each answer polynomial's number of results.
    pub(super) fn answer_with(
        &self,
        plan: &Plan,
        weights: &[i32],
        query: &[u8],
        mut draw: impl FnMut(usize) -> (Coins, Vec<u32>),
    ) -> Result<Answer, LatticeError> {
        check(plan, &self.params)?;
        let bound = plan.params.max_weight();
        check_length("weights", weights.len(), plan.weights())?;
        if let Some(at) = weights.iter().position(|w| w.unsigned_abs() > bound) {
            return Err(LatticeError::Value {
                what: "weight",
                at,
                value: weights[at].into(),
                bound: bound.into(),
            });
        }
        check_length("the query", query.len(), plan.bytes_up())?;
        let masks = ciphertexts(&self.ring, query, plan.queries(), "the query")?;

        let (packing, blocks) = (&plan.packing, plan.packing.blocks());
        let half = plan.params.flood(plan.terms()).unwrap_or(0).max(1);
        let (params, step) = (&plan.params, self.ring.step(&plan.params));
        let mut share = vec![0; plan.results()];
        let mut writer = Packer::default();
        for group in 0..packing.shape.sizes()[0] {
            let first = group / packing.tiling.groups * blocks.images * blocks.channels;
            for output in 0..blocks.outputs {
                let rows = self.rows(plan, weights, group, output);
                for image in 0..blocks.images {
                    let mut places = Vec::new();
                    packing.results(group, output, image, |from, to| places.push((from, to)));
                    let (coins, shares) = draw(places.len());
                    let [body, mask] =
                        self.blinded(&rows, &masks[first + image * blocks.channels..], &coins.blind);
                    for (at, error) in coins.error.iter().enumerate() {
                        let fraction = self.ring.masked_fraction(&mask, at, *error);
                        writer.push(round(fraction, params.mask_bits()), params.mask_bits());
                    }
                    for (((from, to), s), flood) in places.into_iter().zip(shares).zip(coins.flood) {
                        share[to] = s;
                        let fraction = self.ring.shared_fraction(&body, from, (flood, half), (&step, s));
                        writer.push(round(fraction, params.body_bits()), params.body_bits());
                    }
                }
            }
        }
        Ok(Answer { bytes: writer.finish(), share })
    }

    /// The polynomials of weights of one group and block of outputs, one for each block of channels.
    fn rows(&self, plan: &Plan, weights: &[i32], group: usize, output: usize) -> Vec<Poly> {
        let row = |channel| {
            let mut integers = vec![0; N];
            plan.packing.weights(group, output, channel, |to, from| integers[to] = weights[from].into());
            self.ring.values(&integers)
        };
        (0..plan.packing.blocks().channels).map(row).collect()
    }

    /// Σ_j row_j · ciphertext_j + blind · public key: body and mask, as coefficients.
    fn blinded(&self, rows: &[Poly], masks: &[[Poly; 2]], blind: &[i64]) -> [Poly; 2] {
        let blind = self.ring.values(blind);
        [0, 1].map(|part| {
            let mut sum = Ring::zero();
            Ring::accumulate(&mut sum, &blind, &self.zero[part]);
            for (row, mask) in rows.iter().zip(masks) {
                Ring::accumulate(&mut sum, row, &mask[part]);
            }
            self.ring.coefficients(sum)
        })
    }
}

/// Ciphertexts behind a seed; the caller has checked the length.
fn ciphertexts(
    ring: &Ring,
    bytes: &[u8],
    count: usize,
    what: &'static str,
) -> Result<Vec<[Poly; 2]>, LatticeError> {
    let Some((seed, bodies)) = bytes.split_first_chunk() else {
        return Err(LatticeError::Length { what, found: bytes.len(), expected: sample::SEED });
    };
    let mut reader = Unpacker::new(bodies);
    let all = (0..count)
        .map(|index| Ok([ring.read(&mut reader, what)?, sample::mask(ring, seed, index)]))
        .collect();
    if reader.finish() { all } else { all.and(Err(LatticeError::Leftover(what))) }
}
