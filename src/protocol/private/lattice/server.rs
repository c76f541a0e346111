//! The server: multiplies the masks it cannot read by its weights, and keeps a uniform share.
//!
//! An answer polynomial is Σ_j W_j·(b_j, a_j) + u·(public key), its mask with a fresh error, its body with the
//! flood and −Δ·S. Of the body only the coefficients that are results leave; the mask leaves whole, and is an LWE
//! sample under the one-time secret u. Each answer is switched to few bits last, and to a small ring where that takes
//! fewer bytes, a function of what is hidden already. The server checks the form of a query (length, residues) and
//! cannot check more: no query is ill-formed beyond that. The caller must use S once, and must answer with one set of
//! weights.

use std::fmt;

use rand::CryptoRng;
use zeroize::Zeroizing;

use super::client::check_length;
use super::ntt::N;
use super::params::Params;
use super::plan::Plan;
use super::ring::{Poly, Ring, round};
use super::switch::{SwitchKey, round_at_random};
use super::{LatticeError, check, sample};
use crate::protocol::private::bits::{Packer, Unpacker};

/// Holds a client's public key, and its switching key if there is one.
pub struct Server {
    params: Params,
    ring: Ring,
    /// (b, a) with b + a·s = e, as values.
    zero: [Poly; 2],
    switch: Option<SwitchKey>,
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

/// An answer polynomial that has been blinded and flooded, in units of 2^−64.
struct Flooded {
    mask: Vec<u64>,
    /// (coefficient, value) of every result.
    bodies: Vec<(usize, u64)>,
}

/// Where the server's coins come from.
pub(super) trait Draw {
    /// Coins and shares for an answer polynomial of so many results.
    fn coins(&mut self, results: usize) -> (Coins, Vec<u32>);

    /// Uniform, for rounding.
    fn dither(&mut self) -> u64;
}

/// Fresh coins for floods of this half width and results of so many bits.
struct Fresh<'a, R> {
    rng: &'a mut R,
    half: u128,
    ring_bits: u32,
}

impl<R: CryptoRng> Draw for Fresh<'_, R> {
    fn coins(&mut self, results: usize) -> (Coins, Vec<u32>) {
        let coins = Coins {
            blind: sample::ternary(N, self.rng),
            error: sample::errors(N, self.rng),
            flood: (0..results).map(|_| sample::flood(self.half, self.rng)).collect(),
        };
        (coins, (0..results).map(|_| self.rng.next_u32() >> (32 - self.ring_bits)).collect())
    }

    fn dither(&mut self) -> u64 {
        self.rng.next_u64()
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
        let (zero, switch) = public_key.split_at(params.public_key_bytes());
        let zero = ciphertexts(&ring, zero, 1, "the public key")?.swap_remove(0);
        let switch = params.switch().map(|kind| SwitchKey::read(kind, switch)).transpose()?;
        Ok(Self { params, ring, zero, switch })
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
        let draw = Fresh { rng, half: half(plan), ring_bits: plan.params.ring_bits() };
        self.answer_with(plan, weights, query, draw)
    }

    /// [`Server::answer`] with coins and shares given.
    pub(super) fn answer_with(
        &self,
        plan: &Plan,
        weights: &[i32],
        query: &[u8],
        mut draw: impl Draw,
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
        let (half, step) = (half(plan), self.ring.step(&plan.params));
        let mut share = vec![0; plan.results()];
        let mut writer = Packer::default();
        let (mut rows, mut flooded) = (Vec::new(), Vec::with_capacity(plan.answers_to_a_mask()));
        for (index, [group, output, image]) in plan.order().enumerate() {
            if image == 0 {
                rows = self.rows(plan, weights, group, output);
            }
            let mut places = Vec::new();
            packing.results(group, output, image, |from, to| places.push((from, to)));
            let (coins, shares) = draw.coins(places.len());
            let first = (group / packing.tiling.groups * blocks.images + image) * blocks.channels;
            let [body, mask] = self.blinded(&rows, &masks[first..], &coins.blind);
            let errors = coins.error.iter().enumerate();
            let mask = errors.map(|(at, error)| self.ring.masked_fraction(&mask, at, *error)).collect();
            let bodies = places.into_iter().zip(shares).zip(coins.flood).map(|(((from, to), s), flood)| {
                share[to] = s;
                (from, self.ring.shared_fraction(&body, from, (flood, half), (&step, s)))
            });
            flooded.push(Flooded { mask, bodies: bodies.collect() });
            if flooded.len() == plan.answers_to_a_mask() || index + 1 == plan.answers() {
                self.write(plan, &mut flooded, &mut draw, &mut writer);
            }
        }
        Ok(Answer { bytes: writer.finish(), share })
    }

    /// Writes the answers of one mask, switched if they are to be, in few bits: from here on nothing is read but what
    /// is hidden already.
    fn write(&self, plan: &Plan, flooded: &mut Vec<Flooded>, draw: &mut impl Draw, writer: &mut Packer) {
        let (mask_bits, body_bits) = (plan.mask_bits(), plan.params.body_bits());
        let switch = self.switch.as_ref().filter(|_| plan.switch.is_some());
        let switched = switch.map(|key| key.switch(flooded.iter().map(|answer| answer.mask.as_slice())));
        match &switched {
            Some([_, mask]) => {
                for a in mask {
                    writer.push(round_at_random(*a, draw.dither(), mask_bits), mask_bits);
                }
            }
            None => flooded
                .iter()
                .flat_map(|answer| &answer.mask)
                .for_each(|a| writer.push(round(*a, mask_bits), mask_bits)),
        }
        for (t, answer) in flooded.drain(..).enumerate() {
            for (from, body) in answer.bodies {
                let added = switched.as_ref().map_or(0, |[bodies, _]| bodies[plan.place(from, t)]);
                writer.push(round(body.wrapping_add(added), body_bits), body_bits);
            }
        }
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

/// F.
fn half(plan: &Plan) -> u128 {
    plan.params.flood(plan.terms()).unwrap_or(0).max(1)
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
