//! Arithmetic modulo one prime, and the negacyclic number-theoretic transform of length [`N`] or [`SMALL`].
//!
//! Multiplication by a known factor is Shoup's (a precomputed quotient, one high product, no division); the
//! transform is Harvey's (*Faster arithmetic for number-theoretic transforms*, 2014): values stay below 4p between
//! layers, so p < 2^62. Forward takes coefficients in order to values in bit-reversed order, inverse goes back; a
//! product of values is the product of polynomials modulo X^N + 1. Every function takes and returns residues below
//! p unless it says otherwise; none can fail.

use zeroize::Zeroizing;

/// Degree of the ring: every polynomial of a query has this many coefficients.
pub const N: usize = 4096;

/// Degree of the small ring: coefficients of a switched answer's mask.
pub(super) const SMALL: usize = N / 2;

/// A prime p ≡ 1 modulo 2^32 and below 2^62.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prime {
    /// The prime.
    pub(super) p: u64,
    /// ⌊2^64 / p⌋.
    inverse: u64,
    /// 2^64 mod p.
    word: Factor,
}

/// A factor with ⌊factor · 2^64 / p⌋.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Factor {
    factor: u64,
    quotient: u64,
}

fn high(a: u64, b: u64) -> u64 {
    ((u128::from(a) * u128::from(b)) >> 64) as u64
}

impl Prime {
    pub(super) const fn new(p: u64) -> Self {
        let word = (u64::MAX % p) + 1;
        let quotient = (((word as u128) << 64) / p as u128) as u64;
        Self { p, inverse: u64::MAX / p, word: Factor { factor: word, quotient } }
    }

    /// Bits of the prime.
    pub(super) const fn bits(self) -> u32 {
        64 - self.p.leading_zeros()
    }

    pub(super) fn factor(self, v: u64) -> Factor {
        let factor = v % self.p;
        Factor { factor, quotient: ((u128::from(factor) << 64) / u128::from(self.p)) as u64 }
    }

    /// a·f below 2p, for any a.
    fn times_lazy(self, a: u64, f: Factor) -> u64 {
        a.wrapping_mul(f.factor).wrapping_sub(high(a, f.quotient).wrapping_mul(self.p))
    }

    /// a·f, for any a.
    pub(super) fn times(self, a: u64, f: Factor) -> u64 {
        self.once(self.times_lazy(a, f))
    }

    /// v mod p of a v below 2p.
    fn once(self, v: u64) -> u64 {
        v.min(v.wrapping_sub(self.p))
    }

    /// v mod p.
    pub(super) fn reduce(self, v: u128) -> u64 {
        let low = v as u64;
        let low = low.wrapping_sub(high(low, self.inverse).wrapping_mul(self.p)); // below 2p
        let sum = self.times_lazy((v >> 64) as u64, self.word) + low; // below 4p
        self.once(sum.min(sum.wrapping_sub(2 * self.p)))
    }

    /// v mod p of a signed integer.
    pub(super) fn signed(self, v: i64) -> u64 {
        self.with_sign(self.reduce(u128::from(v.unsigned_abs())), v)
    }

    /// v mod p of an integer below p in magnitude.
    pub(super) fn small(self, v: i64) -> u64 {
        self.with_sign(v.unsigned_abs(), v)
    }

    /// The residue a, negated if `sign` is negative; without a branch on either.
    pub(super) fn with_sign(self, a: u64, sign: i64) -> u64 {
        let negative = (sign >> 63) as u64;
        (a & !negative) | (self.negate(a) & negative)
    }

    pub(super) fn add(self, a: u64, b: u64) -> u64 {
        self.once(a + b)
    }

    pub(super) fn negate(self, a: u64) -> u64 {
        self.once(self.p - a)
    }

    /// The integer of least magnitude in the class.
    pub(super) fn centre(self, a: u64) -> i64 {
        // All ones where a is above p/2; no branch, as a may be secret.
        let over = (self.p / 2).wrapping_sub(a) as i64 >> 63;
        (a as i64) - (self.p as i64 & over)
    }

    /// ⌊2^(63 + bits)/p⌋.
    pub(super) fn reciprocal(self) -> u64 {
        ((1u128 << (63 + self.bits())) / u128::from(self.p)) as u64
    }

    /// a/p in units of 2^−64, less than 3 too little, by this prime's `reciprocal`.
    pub(super) fn fraction(self, a: u64, reciprocal: u64) -> u64 {
        ((u128::from(a) * u128::from(reciprocal)) >> (self.bits() - 1)) as u64
    }

    fn mul(self, a: u64, b: u64) -> u64 {
        self.reduce(u128::from(a) * u128::from(b))
    }

    pub(super) fn power(self, mut base: u64, mut exponent: u64) -> u64 {
        let mut result = 1;
        while exponent > 0 {
            if exponent & 1 == 1 {
                result = self.mul(result, base);
            }
            base = self.mul(base, base);
            exponent >>= 1;
        }
        result
    }
}

/// The transform modulo one prime.
#[derive(Clone, Debug)]
pub(super) struct Transform {
    /// The prime.
    pub(super) prime: Prime,
    /// Powers of a primitive root of unity of order 2·length, bit-reversed; and of its inverse.
    roots: Vec<Factor>,
    inverse_roots: Vec<Factor>,
    /// 1/length.
    shrink: Factor,
}

impl Transform {
    /// Of `length` coefficients, a power of two that is at most 2^31.
    pub(super) fn new(prime: Prime, length: usize) -> Self {
        let order = 2 * length as u64;
        // g^((p−1)/order) has that order if its power of half the order is −1; half of all g will do.
        let root = (2..)
            .map(|g| prime.power(g, (prime.p - 1) / order))
            .find(|r| prime.power(*r, length as u64) == prime.p - 1)
            .unwrap_or(1);
        let powers = |root: u64| -> Vec<Factor> {
            let mut power = 1;
            let mut all = vec![prime.factor(1); length];
            for i in 0..length {
                all[i.reverse_bits() >> (usize::BITS - length.ilog2())] = prime.factor(power);
                power = prime.mul(power, root);
            }
            all
        };
        let inverse = prime.power(root, order - 1);
        let shrink = prime.factor(prime.power(length as u64, prime.p - 2));
        Self { prime, roots: powers(root), inverse_roots: powers(inverse), shrink }
    }

    /// Integers below p in magnitude, the transform's length of them, as values.
    pub(super) fn values(&self, integers: &[i64]) -> Zeroizing<Vec<u64>> {
        let mut values = Zeroizing::new(integers.iter().map(|v| self.prime.small(*v)).collect::<Vec<_>>());
        self.forward(&mut values);
        values
    }

    /// Coefficients to values, in place.
    pub(super) fn forward(&self, a: &mut [u64]) {
        let (p, two, length) = (self.prime, 2 * self.prime.p, self.roots.len());
        let mut half = length / 2;
        while half > 0 {
            let layer = length / 2 / half;
            for (block, root) in a.chunks_exact_mut(2 * half).zip(&self.roots[layer..]) {
                let (left, right) = block.split_at_mut(half);
                for (x, y) in left.iter_mut().zip(right) {
                    let u = (*x).min((*x).wrapping_sub(two));
                    let v = p.times_lazy(*y, *root);
                    (*x, *y) = (u + v, u + two - v);
                }
            }
            half /= 2;
        }
        for x in a {
            *x = p.once((*x).min((*x).wrapping_sub(two)));
        }
    }

    /// Values to coefficients, in place.
    pub(super) fn inverse(&self, a: &mut [u64]) {
        let (p, two, length) = (self.prime, 2 * self.prime.p, self.roots.len());
        let mut half = 1;
        while half < length {
            let layer = length / 2 / half;
            for (block, root) in a.chunks_exact_mut(2 * half).zip(&self.inverse_roots[layer..]) {
                let (left, right) = block.split_at_mut(half);
                for (x, y) in left.iter_mut().zip(right) {
                    let sum = *x + *y;
                    let difference = *x + two - *y;
                    (*x, *y) = (sum.min(sum.wrapping_sub(two)), p.times_lazy(difference, *root));
                }
            }
            half *= 2;
        }
        for x in a {
            *x = p.times(*x, self.shrink);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const P: Prime = Prime::new((67_108_860 << 32) + 1);

    proptest! {
        #[test]
        fn residues_of_any_integer_are_the_divisions(v in any::<u128>(), s in any::<i64>()) {
            prop_assert_eq!(P.reduce(v), (v % u128::from(P.p)) as u64);
            let (residue, half) = (P.signed(s), P.p as i64 / 2);
            prop_assert_eq!(P.signed(P.centre(residue)), residue);
            prop_assert!((-half..=half).contains(&P.centre(residue)));
            prop_assert_eq!(i128::from(P.signed(s)), i128::from(s).rem_euclid(i128::from(P.p)));
            prop_assert_eq!(P.small(s >> 7), P.signed(s >> 7));
        }
    }

    #[test]
    fn transform_and_back_is_the_identity_and_products_are_negacyclic() {
        for n in [N, SMALL] {
            let transform = Transform::new(P, n);
            let fill = |seed: u64| -> Vec<u64> { (0..n as u64).map(|i| P.power(seed + i, 5)).collect() };
            let (a, b) = (fill(3), fill(1 << 40));
            let mut product: Vec<u64> = vec![0; n];
            let [mut va, mut vb] = [a.clone(), b.clone()];
            transform.forward(&mut va);
            transform.forward(&mut vb);
            for (out, (x, y)) in product.iter_mut().zip(va.iter().zip(&vb)) {
                *out = P.mul(*x, *y);
            }
            transform.inverse(&mut va);
            assert_eq!(va, a);
            transform.inverse(&mut product);
            for at in [0, 1, 7, n / 2, n - 1] {
                let plain = (0..n).fold(0, |sum, i| {
                    let term = P.mul(a[i], b[(at + n - i) % n]);
                    P.add(sum, if i <= at { term } else { P.negate(term) })
                });
                assert_eq!(product[at], plain);
            }
        }
    }
}
