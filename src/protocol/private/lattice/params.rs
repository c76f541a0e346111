//! What both sides agree on before anything is encrypted, and the noise budget. Units: integers modulo Q unless a
//! 2^−x is written.
//!
//! Security level: [`N`] = 4096 and Q < 2^109 with a ternary secret and error σ ≈ 3.24 is 128 bits in the tables of
//! the *Homomorphic Encryption Security Standard* (homomorphicencryption.org, 2018: N = 4096 → log Q ≤ 109). N =
//! 2048 (log Q ≤ 54) leaves no room for flooding, N = 8192 costs more bytes for the same work: neither is offered.
//! What is flooded already may go on in the smaller ring: see `switch`.
//!
//! Q is a product of two primes, each ≡ 1 modulo 2^32, so that Δ = (Q − 1)/2^k is an integer and 2^k·Δ ≡ −1: an
//! overflow of the message costs one unit of noise, whatever k ≤ 32 is.
//!
//! **Correctness, worst case.** With |e| ≤ 21, |u|, |s| ≤ 1, at most [`KEY_WEIGHT`] nonzero s, and messages lifted
//! to (−2^(k−1), 2^(k−1)], the noise before rounding is at most `worst` = 21.5·‖w‖₁ + 21·N + 21·[`KEY_WEIGHT`] + 3,
//! plus the flood's half width F. Rounding the answer's mask to d = k + 10 bits adds Σ s_i·δ_i, |δ_i| ≤ 2^−(d+1), its body
//! to k + 4 bits 0.03125·2^−k, the switch's fixed point less than 2^−49. F is what is left up to half a step, 2^−(k+1)
//! of a turn, with 0.34375·2^−k set aside for the sum: F = Q/2^(k+3) − worst − Q/2^49 − 1.
//!
//! All of this is worst case but that sum. The mask is blinded, so the δ_i are independent, symmetric and of width 2^−d, whatever the
//! key is; by Hoeffding's inequality the sum passes its 352·2^−d with probability at most 2·exp(−2·352²/[`KEY_WEIGHT`]) < 2^−125,
//! for each result. (Worst case would take d = k + 12, a twentieth more bytes down.)
//!
//! **Circuit privacy.** The flood is uniform in [−F, F). What it hides in one coefficient is W·(e − m/2^k) over the
//! query's errors e and centred masks m, e_pk·u + e₂·s of the blinding, and a carry below 2. Over the client's
//! errors and uniform masks its magnitude is on average at most V = √(10.75·‖w‖₂² + 10.5·(2N/3 + KEY_WEIGHT)) +
//! ‖w‖₁/2^(k+1) + 2 (deviation, mean of the masks, carry). So the flood is within V/2F of one that hides nothing,
//! and n floods of one answer polynomial within n·V/2F. A plan is accepted if that is at most 2^−[`STATISTICAL`];
//! an answer of D polynomials is within D times as much. A client that sends large errors on purpose is outside
//! this bound.

use super::LatticeError;
use super::ntt::{N, Prime};
use super::switch::Switch;

/// Nonzero coefficients a secret key may have: 11/16 of all; a uniform ternary key has 2/3, and is drawn again
/// beyond.
pub const KEY_WEIGHT: usize = key_weight(N);

/// Nonzero coefficients that a key of so many may have, in the same proportion.
pub(super) const fn key_weight(length: usize) -> usize {
    length / 16 * 11
}

/// Bits of statistical distance that the flood leaves in one answer polynomial.
pub const STATISTICAL: u32 = 40;

/// Greatest magnitude of an error coefficient: a centred binomial of 2·21 coins, σ = √10.5.
pub(super) const ERROR: i64 = 21;

/// log₂ Q of the moduli offered.
pub const MODULI: std::ops::RangeInclusive<u32> = 77..=109;

/// Multiplies the answer's mask by the key modulo 2^d, d ≤ 42: above 2^41 · [`KEY_WEIGHT`] · 2.
pub(super) const CARRIER: Prime = Prime::new((67_108_860 << 32) + 1);

/// Ring, modulus, weight bound and switch. Public, and the same on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    ring_bits: u32,
    max_weight: u32,
    modulus_bits: u32,
    primes: [Prime; 2],
    switch: Option<Switch>,
}

impl Params {
    /// Results modulo 2^`ring_bits` (1 to 32), weights of magnitude at most `max_weight` (1 to 2^16), log₂ Q in
    /// [`MODULI`].
    ///
    /// # Errors
    /// [`LatticeError::Parameter`].
    pub fn new(ring_bits: u32, max_weight: u32, modulus_bits: u32) -> Result<Self, LatticeError> {
        for (name, value, least, most) in [
            ("ring bits", ring_bits, 1, 32),
            ("weight bound", max_weight, 1, 1 << 16),
            ("modulus bits", modulus_bits, *MODULI.start(), *MODULI.end()),
        ] {
            if !(least..=most).contains(&value) {
                return Err(LatticeError::Parameter { name, value, least, most });
            }
        }
        // Sizes b and b + 1, or b − 1 and b + 1: never the same prime twice.
        let low = (modulus_bits - 1) / 2;
        let primes = [low, modulus_bits - low].map(|bits| PRIMES[bits as usize - 38]);
        Ok(Self { ring_bits, max_weight, modulus_bits, primes, switch: None })
    }

    /// The same modulus, bound and switch, for results modulo 2^`ring_bits`.
    ///
    /// # Errors
    /// [`LatticeError::Parameter`].
    pub fn with_ring(&self, ring_bits: u32) -> Result<Self, LatticeError> {
        Self::new(ring_bits, self.max_weight, self.modulus_bits).map(|params| params.with_switch(self.switch))
    }

    /// The same, with such a switching key or none.
    pub(super) fn with_switch(self, switch: Option<Switch>) -> Self {
        Self { switch, ..self }
    }

    /// The switching key, if there is one.
    pub(super) fn switch(&self) -> Option<Switch> {
        self.switch
    }

    /// k: results are modulo 2^k.
    pub fn ring_bits(&self) -> u32 {
        self.ring_bits
    }

    /// Greatest magnitude of a weight.
    pub fn max_weight(&self) -> u32 {
        self.max_weight
    }

    /// log₂ Q, rounded up.
    pub fn modulus_bits(&self) -> u32 {
        self.modulus_bits
    }

    /// Bits of one coefficient of a fresh ciphertext.
    pub(super) fn coefficient_bits(&self) -> u32 {
        self.primes.iter().map(|p| p.bits()).sum()
    }

    /// Bits d of a coefficient of an answer's mask that is not switched.
    pub(super) fn mask_bits(&self) -> u32 {
        self.ring_bits + 10
    }

    /// Bits of a coefficient of an answer's body.
    pub(super) fn body_bits(&self) -> u32 {
        self.ring_bits + 4
    }

    /// The primes of Q.
    pub(super) fn primes(&self) -> [Prime; 2] {
        self.primes
    }

    fn modulus(&self) -> u128 {
        u128::from(self.primes[0].p) * u128::from(self.primes[1].p)
    }

    /// Δ = (Q − 1)/2^k.
    pub(super) fn step(&self) -> u128 {
        (self.modulus() - 1) >> self.ring_bits
    }

    /// F for answers of at most `weights` nonzero weights, if any room is left.
    pub(super) fn flood(&self, weights: usize) -> Option<u128> {
        let l1 = (weights as u128).saturating_mul(self.max_weight.into());
        let noise = 22 * l1.min(1 << 100) + ERROR as u128 * (N + KEY_WEIGHT) as u128 + 3;
        let slack = (self.modulus() >> 49) + 1;
        (self.modulus() >> (self.ring_bits + 3)).checked_sub(noise + slack)
    }

    /// Statistical distance of an answer polynomial that reveals `revealed` coefficients over `weights` nonzero
    /// weights, as 2F/(n·V). Correctly rounded operations only, so that both sides plan alike on every machine.
    pub(super) fn hiding(&self, weights: usize, revealed: usize) -> f64 {
        let (bound, weights) = (f64::from(self.max_weight), weights as f64);
        let variance = 10.75 * (weights * bound * bound)
            + ERROR as f64 / 2.0 * (N as f64 * 2.0 / 3.0 + KEY_WEIGHT as f64);
        let mean = weights * bound / (1u64 << (self.ring_bits + 1)) as f64 + 2.0;
        let width = 2.0 * self.flood(weights as usize).unwrap_or(0) as f64;
        width / (revealed.max(1) as f64 * (variance.sqrt() + mean))
    }
}

/// The greatest primes c·2^32 + 1 below 2^38, …, 2^55.
const PRIMES: [Prime; 18] = {
    const fn prime(c: u64) -> Prime {
        Prime::new((c << 32) + 1)
    }
    [
        prime(55),
        prime(123),
        prime(255),
        prime(507),
        prime(1_023),
        prime(2_046),
        prime(4_080),
        prime(8_185),
        prime(16_372),
        prime(32_712),
        prime(65_506),
        prime(131_070),
        prime(262_131),
        prime(524_278),
        prime(1_048_566),
        prime(2_097_148),
        prime(4_194_295),
        prime(8_388_582),
    ]
};

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::super::ntt::{SMALL, Transform};
    use super::super::switch::SWITCHED;
    use super::*;

    #[test]
    fn moduli_in_the_table_are_prime_distinct_and_below_the_standards_limit() {
        assert_eq!(SWITCHED.bits(), 54);
        assert_eq!(SWITCHED.p % (1 << 36), 1);
        for (i, prime) in PRIMES.iter().chain([&CARRIER, &SWITCHED]).enumerate() {
            // Proth: p = c·2^32 + 1 with odd part below 2^32 is prime if some g has g^((p−1)/2) = −1.
            assert!((prime.p - 1) >> prime.p.wrapping_sub(1).trailing_zeros() < 1 << 32);
            assert!((2..50).any(|g| prime.power(g, prime.p / 2) == prime.p - 1), "{}", prime.p);
            assert!(i >= PRIMES.len() || prime.bits() as usize == 38 + i);
        }
        for bits in MODULI {
            let params = Params::new(20, 127, bits).unwrap();
            let [a, b] = params.primes();
            assert_ne!(a, b);
            assert_eq!(params.coefficient_bits(), bits);
            assert!(params.modulus() < 1 << 109 && params.modulus() > 1 << (bits - 1));
            assert_eq!(params.modulus() % (1 << 32), 1);
        }
    }

    #[test]
    fn products_of_polynomials_are_those_of_another_library() {
        let moduli = PRIMES.iter().chain([&CARRIER]).map(|prime| (*prime, N));
        for (prime, size) in moduli.chain([(SWITCHED, SMALL), (CARRIER, SMALL)]) {
            let theirs = fhe_math::zq::Modulus::new(prime.p).unwrap();
            let [mut a, mut b] =
                [3, 5].map(|g| (0..size as u64).map(|i| prime.power(g, i + 9)).collect::<Vec<_>>());
            let [mut x, mut y] = [a.clone(), b.clone()];
            let ours = Transform::new(prime, size);
            [&mut a, &mut b].into_iter().for_each(|v| ours.forward(v));
            a.iter_mut().zip(&b).for_each(|(a, b)| *a = prime.reduce(u128::from(*a) * u128::from(*b)));
            ours.inverse(&mut a);
            let transform = fhe_math::ntt::NttOperator::new(&theirs, size).unwrap();
            [&mut x, &mut y].into_iter().for_each(|v| transform.forward(v));
            theirs.mul_vec(&mut x, &y);
            transform.backward(&mut x);
            assert_eq!(a, x, "{} at {size}", prime.p);
        }
    }

    #[test]
    fn parameters_out_of_range_are_refused() {
        for (ring, weight, modulus) in
            [(0, 1, 80), (33, 1, 80), (20, 0, 80), (20, 1 << 17, 80), (20, 1, 110), (20, 1, 76)]
        {
            assert!(matches!(Params::new(ring, weight, modulus), Err(LatticeError::Parameter { .. })));
        }
    }
}
