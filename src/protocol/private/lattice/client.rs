//! The client: encrypts its masks, and reads its share of the products.
//!
//! Sends one public key per key (an encryption of zero, which the server needs to blind its answers), a switching
//! key where answers are switched, and fresh ciphertexts, nothing else: all are pseudorandom under ring-LWE, whatever
//! the masks are. The keys are wiped when the client is dropped. The caller must draw R uniformly (W∗R − S is no share
//! of anything otherwise), keep it, ask with it once, and give away nothing about what an answer decrypts to before
//! the protocol around this has checked it: a wrong answer is *not* detected here.

use std::fmt;

use rand::CryptoRng;
use zeroize::{Zeroize, Zeroizing};

use super::ntt::{N, Transform};
use super::params::{CARRIER, Params};
use super::plan::Plan;
use super::ring::{Poly, Ring, wipe};
use super::switch::SmallKey;
use super::{LatticeError, check, sample};
use crate::protocol::private::bits::{Packer, Unpacker};

/// Holds the secret key. `Debug` shows the parameters only.
pub struct Client {
    params: Params,
    ring: Ring,
    /// s as values modulo the primes of Q.
    key: Poly,
    carrier: Transform,
    /// s as values modulo the carrier.
    reading_key: Vec<u64>,
    /// s′, if answers are switched.
    small: Option<SmallKey>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("params", &self.params).finish_non_exhaustive()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        wipe(&mut self.key);
        self.reading_key.zeroize();
    }
}

impl Client {
    /// Draws a key.
    pub fn new(params: Params, rng: &mut impl CryptoRng) -> Self {
        let (ring, carrier) = (Ring::new(&params), Transform::new(CARRIER, N));
        let secret = sample::key(N, rng);
        let reading_key = carrier.values(&secret).to_vec();
        let small = params.switch().map(|switch| SmallKey::new(switch, rng));
        Self { key: ring.values(&secret), params, ring, carrier, reading_key, small }
    }

    /// The public key's message, [`Params::key_bytes`] long: sent once, before the first query.
    pub fn public_key(&self, rng: &mut impl CryptoRng) -> Vec<u8> {
        let mut message = self.encrypt(&self.params, &[Zeroizing::new(vec![0; N])], rng);
        if let Some(small) = &self.small {
            message.extend(small.switching_key(&self.secret(), rng));
        }
        message
    }

    /// Encrypts R, [`Plan::inputs`] integers modulo 2^k: a query of [`Plan::bytes_up`].
    ///
    /// # Errors
    /// [`LatticeError::Params`] if the plan is for other parameters, [`LatticeError::Length`] or
    /// [`LatticeError::Value`] if R does not fit it.
    pub fn ask(&self, plan: &Plan, masks: &[u32], rng: &mut impl CryptoRng) -> Result<Vec<u8>, LatticeError> {
        check(plan, &self.params)?;
        let bits = plan.params.ring_bits();
        check_length("masks", masks.len(), plan.inputs())?;
        if let Some(at) = masks.iter().position(|r| u64::from(*r) >> bits != 0) {
            return Err(LatticeError::Value {
                what: "mask",
                at,
                value: masks[at].into(),
                bound: (1 << bits) - 1,
            });
        }
        let blocks = plan.packing.blocks();
        let mut messages = Vec::with_capacity(plan.queries());
        for group in 0..blocks.groups {
            for image in 0..blocks.images {
                for channel in 0..blocks.channels {
                    let mut message = Zeroizing::new(vec![0; N]);
                    plan.packing
                        .masks(group, image, channel, |to, from| message[to] = centre(masks[from], bits));
                    messages.push(message);
                }
            }
        }
        Ok(self.encrypt(&plan.params, &messages, rng))
    }

    /// Decrypts an answer: W∗R − S, [`Plan::results`] integers modulo 2^k.
    ///
    /// # Errors
    /// [`LatticeError::Params`], or [`LatticeError::Length`] or [`LatticeError::Leftover`] if the bytes are not
    /// an answer to this plan.
    pub fn read(&self, plan: &Plan, answer: &[u8]) -> Result<Vec<u32>, LatticeError> {
        check(plan, &self.params)?;
        check_length("the answer", answer.len(), plan.bytes_down())?;
        let mut reader = Unpacker::new(answer);
        let mut shares = vec![0; plan.results()];
        let order = plan.order().collect::<Vec<_>>();
        for answers in order.chunks(plan.answers_to_a_mask()) {
            let product = self.mask_times_key(plan, &mut reader);
            for (t, [group, output, image]) in answers.iter().enumerate() {
                plan.packing.results(*group, *output, *image, |from, to| {
                    let product = CARRIER.centre(product[plan.place(from, t)]);
                    shares[to] = share(plan, product, reader.next(plan.params.body_bits()));
                });
            }
        }
        if reader.finish() { Ok(shares) } else { Err(LatticeError::Leftover("the answer")) }
    }

    /// A seed, and the bodies Δ·m + e − a·s as values.
    fn encrypt(
        &self,
        params: &Params,
        messages: &[Zeroizing<Vec<i64>>],
        rng: &mut impl CryptoRng,
    ) -> Vec<u8> {
        let errors = (0..messages.len()).map(|_| sample::errors(N, rng)).collect::<Vec<_>>();
        self.encrypt_with(params, messages, &errors, sample::seed(rng))
    }

    pub(super) fn encrypt_with(
        &self,
        params: &Params,
        messages: &[Zeroizing<Vec<i64>>],
        errors: &[Zeroizing<Vec<i64>>],
        seed: [u8; 32],
    ) -> Vec<u8> {
        let (mut writer, step) = (Packer::after(seed.to_vec()), self.ring.step(params));
        for (index, (message, error)) in messages.iter().zip(errors).enumerate() {
            let mut body = self.ring.encode(&step, message, error);
            self.ring.seal(&mut body, &sample::mask(&self.ring, &seed, index), &self.key);
            self.ring.write(&body, &mut writer);
        }
        writer.finish()
    }

    /// s.
    pub(super) fn secret(&self) -> Zeroizing<Vec<i64>> {
        let mut secret = Zeroizing::new(self.reading_key.clone());
        self.carrier.inverse(&mut secret);
        Zeroizing::new(secret.iter().map(|s| CARRIER.centre(*s)).collect())
    }

    /// The next mask of an answer, centred modulo 2^d, times s or s′ over the integers: below 2^55, so the carrier
    /// holds it.
    fn mask_times_key(&self, plan: &Plan, reader: &mut Unpacker<'_>) -> Zeroizing<Vec<u64>> {
        let bits = plan.mask_bits();
        let read = |_| CARRIER.signed(((reader.next(bits) << (64 - bits)) as i64) >> (64 - bits));
        let mut mask = Zeroizing::new((0..plan.mask_length()).map(read).collect::<Vec<_>>());
        let small = self.small.as_ref().filter(|_| plan.switch.is_some());
        let (carrier, key) = small.map_or((&self.carrier, self.reading_key.as_slice()), SmallKey::reading);
        carrier.forward(&mut mask);
        for (a, s) in mask.iter_mut().zip(key) {
            *a = CARRIER.reduce(u128::from(*a) * u128::from(*s));
        }
        carrier.inverse(&mut mask);
        mask
    }
}

/// The nearest message, modulo 2^k.
fn share(plan: &Plan, product: i64, body: u64) -> u32 {
    let (k, mask_bits) = (plan.params.ring_bits(), plan.mask_bits());
    let body = body << (mask_bits - plan.params.body_bits());
    let phase = (product as u64).wrapping_add(body);
    let nearest = phase.wrapping_add(1 << (mask_bits - k - 1)) >> (mask_bits - k);
    (nearest & ((1 << k) - 1)) as u32
}

/// r modulo 2^bits in (−2^(bits−1), 2^(bits−1)].
fn centre(r: u32, bits: u32) -> i64 {
    let r = i64::from(r);
    if r > 1 << (bits - 1) { r - (1 << bits) } else { r }
}

pub(super) fn check_length(what: &'static str, found: usize, expected: usize) -> Result<(), LatticeError> {
    if found == expected { Ok(()) } else { Err(LatticeError::Length { what, found, expected }) }
}
