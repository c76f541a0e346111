//! Polynomials modulo X^N + 1 and Q = p₀·p₁, held as values modulo each prime; packing them, and switching an
//! answer down.
//!
//! A ciphertext (b, a) under s has b + a·s = Δ·m + noise. The switch takes x modulo Q to round(2^d·x/Q) modulo 2^d
//! by the Chinese remainder in fractions: x/Q = x₀·(p₁⁻¹ mod p₀)/p₀ + x₁·(p₀⁻¹ mod p₁)/p₁ modulo 1, in 64-bit fixed
//! point that is off by less than 6·2^−64.

use zeroize::Zeroize;

use super::LatticeError;
use super::ntt::{Factor, N, Prime, Transform};
use super::params::Params;
use crate::protocol::private::bits::{Packer, Unpacker};

/// Values (or coefficients, where said) modulo each prime.
pub(super) type Poly = [Vec<u64>; 2];

/// Products summed without reduction, modulo each prime.
pub(super) type Sum = [Vec<u128>; 2];

/// Δ modulo each prime.
pub(super) type Step = [Factor; 2];

/// Transforms and constants of one modulus.
#[derive(Clone, Debug)]
pub(super) struct Ring {
    transforms: [Transform; 2],
    /// The other prime's inverse.
    lift: [Factor; 2],
    /// Of each prime.
    reciprocal: [u64; 2],
}

impl Ring {
    pub(super) fn new(params: &Params) -> Self {
        let primes = params.primes();
        Self {
            transforms: primes.map(|p| Transform::new(p, N)),
            lift: [(0, 1), (1, 0)].map(|(own, other): (usize, usize)| {
                let p = primes[own];
                p.factor(p.power(primes[other].p % p.p, p.p - 2))
            }),
            reciprocal: primes.map(Prime::reciprocal),
        }
    }

    /// Δ modulo each prime, of parameters with this ring's modulus.
    pub(super) fn step(&self, params: &Params) -> Step {
        self.transforms.each_ref().map(|t| t.prime.factor((params.step() % u128::from(t.prime.p)) as u64))
    }

    pub(super) fn transforms(&self) -> &[Transform; 2] {
        &self.transforms
    }

    /// Integers below 2^37 in magnitude as values.
    pub(super) fn values(&self, integers: &[i64]) -> Poly {
        self.transforms.each_ref().map(|t| {
            let mut values: Vec<u64> = integers.iter().map(|v| t.prime.small(*v)).collect();
            t.forward(&mut values);
            values
        })
    }

    /// Δ·message + error as values; messages below 2^32 in magnitude.
    pub(super) fn encode(&self, step: &Step, message: &[i64], error: &[i64]) -> Poly {
        [0, 1].map(|i| {
            let (t, step) = (&self.transforms[i], step[i]);
            let coefficient = |(m, e): (&i64, &i64)| {
                let scaled = t.prime.with_sign(t.prime.times(m.unsigned_abs(), step), *m);
                t.prime.add(scaled, t.prime.small(*e))
            };
            let mut values: Vec<u64> = message.iter().zip(error).map(coefficient).collect();
            t.forward(&mut values);
            values
        })
    }

    /// message − a·s, as values.
    pub(super) fn seal(&self, message: &mut Poly, a: &Poly, s: &Poly) {
        for i in 0..2 {
            let p = self.transforms[i].prime;
            for (m, (a, s)) in message[i].iter_mut().zip(a[i].iter().zip(&s[i])) {
                *m = p.add(*m, p.negate(p.reduce(u128::from(*a) * u128::from(*s))));
            }
        }
    }

    /// An empty sum.
    pub(super) fn zero() -> Sum {
        [vec![0; N], vec![0; N]]
    }

    /// Adds a product of values: below 2^112 each, so 2^16 of them fit.
    pub(super) fn accumulate(sum: &mut Sum, a: &Poly, b: &Poly) {
        for i in 0..2 {
            for (sum, (a, b)) in sum[i].iter_mut().zip(a[i].iter().zip(&b[i])) {
                *sum += u128::from(*a) * u128::from(*b);
            }
        }
    }

    /// A sum's coefficients.
    pub(super) fn coefficients(&self, sum: Sum) -> Poly {
        [0, 1].map(|i| {
            let t = &self.transforms[i];
            let mut values: Vec<u64> = sum[i].iter().map(|v| t.prime.reduce(*v)).collect();
            t.inverse(&mut values);
            values
        })
    }

    /// x + error as a fraction of Q, of the coefficient x at `at`.
    pub(super) fn masked_fraction(&self, poly: &Poly, at: usize, error: i64) -> u64 {
        self.fraction([0, 1].map(|i| {
            let p = self.transforms[i].prime;
            p.add(poly[i][at], p.small(error))
        }))
    }

    /// x + flood − half − Δ·share as a fraction of Q, of the coefficient x at `at`.
    pub(super) fn shared_fraction(
        &self,
        poly: &Poly,
        at: usize,
        flood: (u128, u128),
        (step, share): (&Step, u32),
    ) -> u64 {
        self.fraction([0, 1].map(|i| {
            let p = self.transforms[i].prime;
            let taken = p.add(p.times(share.into(), step[i]), p.reduce(flood.1));
            p.add(p.add(poly[i][at], p.reduce(flood.0)), p.negate(taken))
        }))
    }

    /// x/Q modulo 1, in units of 2^−64.
    fn fraction(&self, x: [u64; 2]) -> u64 {
        let part = |i: usize| {
            let p = self.transforms[i].prime;
            p.fraction(p.times(x[i], self.lift[i]), self.reciprocal[i])
        };
        part(0).wrapping_add(part(1))
    }

    /// Appends values.
    pub(super) fn write(&self, poly: &Poly, writer: &mut Packer) {
        for (values, t) in poly.iter().zip(&self.transforms) {
            values.iter().for_each(|v| writer.push(*v, t.prime.bits()));
        }
    }

    /// Reads values, each below its prime.
    pub(super) fn read(&self, reader: &mut Unpacker<'_>, what: &'static str) -> Result<Poly, LatticeError> {
        let mut poly = [Vec::new(), Vec::new()];
        for (values, t) in poly.iter_mut().zip(&self.transforms) {
            *values = residues(reader, t.prime, N, what)?;
        }
        Ok(poly)
    }
}

/// Reads `count` values below a prime.
pub(super) fn residues(
    reader: &mut Unpacker<'_>,
    prime: Prime,
    count: usize,
    what: &'static str,
) -> Result<Vec<u64>, LatticeError> {
    let one = |at| match reader.next(prime.bits()) {
        value if value >= prime.p => Err(LatticeError::Residue { what, at, value }),
        value => Ok(value),
    };
    (0..count).map(one).collect()
}

/// The nearest multiple of 2^−bits, modulo 1.
pub(super) fn round(fraction: u64, bits: u32) -> u64 {
    fraction.wrapping_add(1 << (63 - bits)) >> (64 - bits)
}

/// Wipes a secret polynomial.
pub(super) fn wipe(poly: &mut Poly) {
    poly.iter_mut().for_each(Zeroize::zeroize);
}
