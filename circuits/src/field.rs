//! Goldilocks, p = 2^64 − 2^32 + 1, and its quadratic extension F_p\[X\]/(X² − 7).
//!
//! Values (weights, activations, codewords) live in [`Fp`]; challenges and everything folded with them in
//! [`Ext`], 128 bits, so that one round of a degree-2 sumcheck errs with probability 2/p² ≈ 2^−127.
//!
//! `ark-ff`'s `SmallFp` carries the arithmetic interface; [`Goldilocks`] gives it the reduction that this prime
//! allows (2^64 ≡ 2^32 − 1, 2^96 ≡ −1) on canonical representatives, without Montgomery form: `value` *is* the
//! canonical integer, so encoding is free. The prover's packed field uses the same X² − 7.
//!
//! A signed integer v with |v| < p/2 is represented by v mod p; [`from_i64`] embeds it.

use ark_ff::{AdditiveGroup, BigInt, Field, Fp2, Fp2Config, SmallFp, SmallFpConfig, SqrtPrecomputation};

/// The base field: integers modulo p = 2^64 − 2^32 + 1.
pub type Fp = SmallFp<Goldilocks>;

/// The challenge field F_p\[X\]/(X² − 7), about 2^128 elements.
pub type Ext = Fp2<Quadratic>;

/// The modulus p = 2^64 − 2^32 + 1.
pub const MODULUS: u64 = 0xffff_ffff_0000_0001;

/// The bytes of one encoded [`Ext`]: two canonical little-endian limbs.
pub const EXT_BYTES: usize = 16;

/// Goldilocks arithmetic for [`SmallFp`].
pub struct Goldilocks;

/// 2^64 mod p.
const EPSILON: u64 = 0xffff_ffff;

/// x mod p for any 128-bit x, in three additions and one 32-bit product.
#[inline(always)]
const fn reduce(x: u128) -> u64 {
    let low = x as u64;
    let high = (x >> 64) as u64;
    let (mut t, borrow) = low.overflowing_sub(high >> 32);
    if borrow {
        t = t.wrapping_sub(EPSILON);
    }
    let (mut r, carry) = t.overflowing_add((high & EPSILON) * EPSILON);
    if carry {
        r = r.wrapping_add(EPSILON);
    }
    if r >= MODULUS { r - MODULUS } else { r }
}

#[inline(always)]
const fn add(a: u64, b: u64) -> u64 {
    let (sum, carry) = a.overflowing_add(b);
    let (reduced, borrow) = sum.overflowing_sub(MODULUS);
    if carry || !borrow { reduced } else { sum }
}

#[inline(always)]
const fn sub(a: u64, b: u64) -> u64 {
    let (difference, borrow) = a.overflowing_sub(b);
    if borrow { difference.wrapping_add(MODULUS) } else { difference }
}

impl SmallFpConfig for Goldilocks {
    type T = u64;
    const MODULUS: u64 = MODULUS;
    const MODULUS_U128: u128 = MODULUS as u128;
    const GENERATOR: Fp = Fp::from_raw(7);
    const ZERO: Fp = Fp::from_raw(0);
    const ONE: Fp = Fp::from_raw(1);
    const NEG_ONE: Fp = Fp::from_raw(MODULUS - 1);
    const TWO_ADICITY: u32 = 32;
    const TWO_ADIC_ROOT_OF_UNITY: Fp = Fp::from_raw(0x1856_29dc_da58_878c);
    const SQRT_PRECOMP: Option<SqrtPrecomputation<Fp>> = None;

    #[inline(always)]
    fn add_assign(a: &mut Fp, b: &Fp) {
        a.value = add(a.value, b.value);
    }

    #[inline(always)]
    fn sub_assign(a: &mut Fp, b: &Fp) {
        a.value = sub(a.value, b.value);
    }

    #[inline(always)]
    fn double_in_place(a: &mut Fp) {
        a.value = add(a.value, a.value);
    }

    #[inline(always)]
    fn neg_in_place(a: &mut Fp) {
        a.value = sub(0, a.value);
    }

    #[inline(always)]
    fn mul_assign(a: &mut Fp, b: &Fp) {
        a.value = reduce(a.value as u128 * b.value as u128);
    }

    fn sum_of_products<const T: usize>(a: &[Fp; T], b: &[Fp; T]) -> Fp {
        a.iter().zip(b).fold(Self::ZERO, |sum, (x, y)| sum + *x * y)
    }

    #[inline(always)]
    fn square_in_place(a: &mut Fp) {
        a.value = reduce(a.value as u128 * a.value as u128);
    }

    fn inverse(a: &Fp) -> Option<Fp> {
        (a.value != 0).then(|| a.pow([MODULUS - 2]))
    }

    #[inline(always)]
    fn new(value: u64) -> Fp {
        Fp::from_raw(if value >= MODULUS { value - MODULUS } else { value })
    }

    fn from_bigint(other: BigInt<1>) -> Option<Fp> {
        (other.0[0] < MODULUS).then(|| Fp::from_raw(other.0[0]))
    }

    fn into_bigint(other: Fp) -> BigInt<1> {
        BigInt([other.value])
    }
}

/// X² = 7 over [`Fp`].
pub struct Quadratic;

impl Fp2Config for Quadratic {
    type Fp = Fp;
    const NONRESIDUE: Fp = Fp::from_raw(7);
    const FROBENIUS_COEFF_FP2_C1: &[Fp] = &[Fp::from_raw(1), Fp::from_raw(MODULUS - 1)];

    #[inline(always)]
    fn mul_fp_by_nonresidue_in_place(fe: &mut Fp) -> &mut Fp {
        fe.value = reduce(fe.value as u128 * 7);
        fe
    }
}

/// Embeds a signed integer.
#[inline(always)]
pub fn from_i64(v: i64) -> Fp {
    if v >= 0 { Fp::new(v as u64) } else { Fp::from_raw(sub(0, Fp::new(v.unsigned_abs()).value)) }
}

/// Embeds a signed integer with |v| < 2^103, in one reduction.
#[inline(always)]
pub fn from_i128(v: i128) -> Fp {
    // A multiple of p that makes the sum positive.
    const LIFT: i128 = (MODULUS as i128) << 40;
    Fp::from_raw(reduce((v + LIFT) as u128))
}

/// The element c0 + c1·X.
#[inline(always)]
pub fn ext(c0: Fp, c1: Fp) -> Ext {
    Ext::new(c0, c1)
}

/// Embeds the base field.
#[inline(always)]
pub fn lift(v: Fp) -> Ext {
    Ext::new(v, <Fp as AdditiveGroup>::ZERO)
}

/// e·v: two products in place of four.
#[inline(always)]
pub fn scale(e: &Ext, v: Fp) -> Ext {
    Ext::new(e.c0 * v, e.c1 * v)
}

/// The element of [`Fp`] that 128 uniform bits give; any one value is at most 1 + 2^−64 times as likely as it should be.
#[inline]
pub fn from_uniform(bytes: [u8; 16]) -> Fp {
    Fp::from_raw(reduce(u128::from_le_bytes(bytes)))
}

/// Canonical bytes of an extension element.
pub fn to_bytes(e: &Ext) -> [u8; EXT_BYTES] {
    let mut bytes = [0; EXT_BYTES];
    bytes[..8].copy_from_slice(&e.c0.value.to_le_bytes());
    bytes[8..].copy_from_slice(&e.c1.value.to_le_bytes());
    bytes
}

/// Reads canonical bytes; `None` where a limb is not below p.
pub fn from_bytes(bytes: [u8; EXT_BYTES]) -> Option<Ext> {
    let word = u128::from_le_bytes(bytes);
    let (c0, c1) = (word as u64, (word >> 64) as u64);
    (c0 < MODULUS && c1 < MODULUS).then(|| Ext::new(Fp::from_raw(c0), Fp::from_raw(c1)))
}

#[cfg(test)]
mod tests {
    use ark_ff::{FftField, One, PrimeField, Zero};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn constants_match_the_prime() {
        assert_eq!(<Fp as PrimeField>::MODULUS.0[0], MODULUS);
        let root = <Fp as FftField>::TWO_ADIC_ROOT_OF_UNITY;
        assert_eq!(root.pow([1u64 << 31]), -Fp::one());
        assert_eq!(Fp::from_raw(7).pow([(MODULUS - 1) / 2]), -Fp::one(), "7 is no square");
        assert_eq!(Fp::from_raw(7).pow([(MODULUS - 1) >> 32]), root);
    }

    proptest! {
        #[test]
        fn product_of_any_pair_equals_remainder(a in 0..MODULUS, b in 0..MODULUS) {
            let expected = (a as u128 * b as u128 % MODULUS as u128) as u64;
            prop_assert_eq!((Fp::from_raw(a) * Fp::from_raw(b)).value, expected);
            prop_assert_eq!((Fp::from_raw(a) + Fp::from_raw(b)).value, ((a as u128 + b as u128) % MODULUS as u128) as u64);
            prop_assert_eq!(Fp::from_raw(a) - Fp::from_raw(b) + Fp::from_raw(b), Fp::from_raw(a));
        }

        #[test]
        fn reduction_of_any_word_equals_remainder(x in any::<u128>()) {
            prop_assert_eq!(reduce(x), (x % MODULUS as u128) as u64);
        }

        #[test]
        fn inverse_of_any_unit_multiplies_to_one(a in 1..MODULUS, b in 0..MODULUS) {
            let x = ext(Fp::from_raw(a), Fp::from_raw(b));
            prop_assert_eq!(x * x.inverse().expect("a unit"), Ext::one());
            prop_assert_eq!(from_bytes(to_bytes(&x)), Some(x));
        }
    }

    #[test]
    fn wide_integers_of_either_sign_embed() {
        for v in [0, 1, -1, i64::MAX, i64::MIN] {
            assert_eq!(from_i128(v.into()), from_i64(v));
            assert_eq!(from_i128(i128::from(v) << 39), from_i64(v) * Fp::from_raw(1 << 39));
        }
    }

    #[test]
    fn bytes_beyond_the_modulus_rejected() {
        let mut bytes = [0; EXT_BYTES];
        bytes[..8].copy_from_slice(&MODULUS.to_le_bytes());
        assert_eq!(from_bytes(bytes), None);
        assert!(from_i64(-1) + Fp::one() == Fp::zero());
        assert_eq!(from_i64(i64::MIN).value, MODULUS - (1 << 63));
    }
}
