//! Sumcheck tables over the challenge field, held limb by limb so that they vectorise (plonky3's packed Goldilocks).
//!
//! A [`Table`] of 2^n elements keeps c0 and c1 of F_p\[X\]/(X² − 7) in two arrays. The loops run over packed words of the
//! machine's width and over single elements where a table is shorter than one word. Variables are bound most significant first.

use p3_field::{Field, PackedField, PackedValue, PrimeCharacteristicRing, PrimeField64};
use p3_goldilocks::Goldilocks;
use serin_circuits::field::{self, Ext, Fp};
use serin_verifier::sumcheck::Rounds;

type Packed = <Goldilocks as Field>::Packing;

/// One element, or a word of them: c0 + c1·X.
#[derive(Clone, Copy)]
struct Pair<P>(P, P);

impl<P: PackedField<Scalar = Goldilocks>> Pair<P> {
    #[inline(always)]
    fn broadcast(e: Ext) -> Self {
        Self(P::from(goldilocks(e.c0)), P::from(goldilocks(e.c1)))
    }

    #[inline(always)]
    fn zero() -> Self {
        Self(P::ZERO, P::ZERO)
    }

    #[inline(always)]
    fn add(self, b: Self) -> Self {
        Self(self.0 + b.0, self.1 + b.1)
    }

    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        Self(self.0 - b.0, self.1 - b.1)
    }

    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        let (low, high) = (self.0 * b.0, self.1 * b.1);
        let cross = (self.0 + self.1) * (b.0 + b.1) - low - high;
        Self(low + times_seven(high), cross)
    }

    #[inline(always)]
    fn scale(self, v: P) -> Self {
        Self(self.0 * v, self.1 * v)
    }

    /// The sum of the word's elements.
    fn sum(self) -> Ext {
        let total = |p: P| p.as_slice().iter().fold(Goldilocks::ZERO, |sum, v| sum + *v);
        field::ext(element(total(self.0)), element(total(self.1)))
    }
}

#[inline(always)]
fn times_seven<P: PackedField>(x: P) -> P {
    let two = x + x;
    let four = two + two;
    four + four - x
}

/// To the packed field.
#[inline(always)]
pub(in crate::prover) fn goldilocks(v: Fp) -> Goldilocks {
    Goldilocks::new(v.value)
}

/// From the packed field, canonical.
#[inline(always)]
pub(in crate::prover) fn element(v: Goldilocks) -> Fp {
    Fp::from_raw(v.as_canonical_u64())
}

/// A table of challenge-field elements.
pub(in crate::prover) struct Table {
    c0: Vec<Goldilocks>,
    c1: Vec<Goldilocks>,
}

impl Table {
    pub(in crate::prover) fn zeros(len: usize) -> Self {
        Self { c0: Goldilocks::zero_vec(len), c1: Goldilocks::zero_vec(len) }
    }

    /// Writes scale·eq(point, x) into the sub-cube at `offset`.
    pub(in crate::prover) fn write_eq(&mut self, offset: usize, point: &[Ext], scale: Ext) {
        let end = offset + (1 << point.len());
        let (c0, c1) = (&mut self.c0[offset..end], &mut self.c1[offset..end]);
        (c0[0], c1[0]) = (goldilocks(scale.c0), goldilocks(scale.c1));
        for (bits, r) in point.iter().rev().enumerate() {
            let half = 1 << bits;
            let (a0, b0) = c0[..2 * half].split_at_mut(half);
            let (a1, b1) = c1[..2 * half].split_at_mut(half);
            if half.is_multiple_of(Packed::WIDTH) {
                double::<Packed>([a0, a1, b0, b1], *r);
            } else {
                double::<Goldilocks>([a0, a1, b0, b1], *r);
            }
        }
    }
}

/// From eq of the lower coordinates to eq with one more on top: high = low·r, low = low − high.
fn double<P: PackedField<Scalar = Goldilocks>>([a0, a1, b0, b1]: [&mut [Goldilocks]; 4], r: Ext) {
    let r = Pair::<P>::broadcast(r);
    let low = P::pack_slice_mut(a0).iter_mut().zip(P::pack_slice_mut(a1));
    let high = P::pack_slice_mut(b0).iter_mut().zip(P::pack_slice_mut(b1));
    for ((x0, x1), (y0, y1)) in low.zip(high) {
        let x = Pair(*x0, *x1);
        let y = x.mul(r);
        (*y0, *y1) = (y.0, y.1);
        let rest = x.sub(y);
        (*x0, *x1) = (rest.0, rest.1);
    }
}

/// Σ w(x)·e(x) with w integers: the first round runs on the integers, the rest on folded tables.
pub(in crate::prover) struct IntegerRounds {
    integers: Option<Vec<Goldilocks>>,
    w: Table,
    e: Table,
}

impl IntegerRounds {
    pub(in crate::prover) fn new(integers: &[i32], e: Table) -> Self {
        let w = integers.iter().map(|v| goldilocks(field::from_i64(i64::from(*v)))).collect();
        Self { integers: Some(w), w: Table::zeros(0), e }
    }
}

impl Rounds for IntegerRounds {
    fn round(&mut self) -> [Ext; 2] {
        let half = self.e.c0.len() / 2;
        let packed = half.is_multiple_of(Packed::WIDTH);
        match &self.integers {
            Some(w) if packed => round_integers::<Packed>(w, &self.e),
            Some(w) => round_integers::<Goldilocks>(w, &self.e),
            None if packed => round::<Packed>(&self.w, &self.e),
            None => round::<Goldilocks>(&self.w, &self.e),
        }
    }

    fn bind(&mut self, r: Ext) {
        let half = self.e.c0.len() / 2;
        let packed = half.is_multiple_of(Packed::WIDTH);
        if let Some(w) = self.integers.take() {
            self.w = Table::zeros(half);
            if packed { bind_integers::<Packed>(&w, &mut self.w, r) } else { bind_integers::<Goldilocks>(&w, &mut self.w, r) }
        } else if packed {
            bind::<Packed>(&mut self.w, r);
        } else {
            bind::<Goldilocks>(&mut self.w, r);
        }
        if packed { bind::<Packed>(&mut self.e, r) } else { bind::<Goldilocks>(&mut self.e, r) }
    }
}

/// Both halves of a limb, packed.
fn halves<P: PackedField<Scalar = Goldilocks>>(limb: &[Goldilocks]) -> impl Iterator<Item = (&P, &P)> {
    let (low, high) = limb.split_at(limb.len() / 2);
    P::pack_slice(low).iter().zip(P::pack_slice(high))
}

fn round_integers<P: PackedField<Scalar = Goldilocks>>(w: &[Goldilocks], e: &Table) -> [Ext; 2] {
    let mut g = [Pair::<P>::zero(); 2];
    let limbs = halves::<P>(w).zip(halves::<P>(&e.c0)).zip(halves::<P>(&e.c1));
    for (((w_low, w_high), (low0, high0)), (low1, high1)) in limbs {
        let (low, high) = (Pair(*low0, *low1), Pair(*high0, *high1));
        g[0] = g[0].add(low.scale(*w_low));
        g[1] = g[1].add(high.sub(low).scale(*w_high - *w_low));
    }
    g.map(Pair::sum)
}

fn round<P: PackedField<Scalar = Goldilocks>>(a: &Table, b: &Table) -> [Ext; 2] {
    let mut g = [Pair::<P>::zero(); 2];
    let a = halves::<P>(&a.c0).zip(halves::<P>(&a.c1));
    let b = halves::<P>(&b.c0).zip(halves::<P>(&b.c1));
    for (((a_low0, a_high0), (a_low1, a_high1)), ((b_low0, b_high0), (b_low1, b_high1))) in a.zip(b) {
        let (a_low, b_low) = (Pair(*a_low0, *a_low1), Pair(*b_low0, *b_low1));
        g[0] = g[0].add(a_low.mul(b_low));
        let a_step = Pair(*a_high0, *a_high1).sub(a_low);
        let b_step = Pair(*b_high0, *b_high1).sub(b_low);
        g[1] = g[1].add(a_step.mul(b_step));
    }
    g.map(Pair::sum)
}

fn bind_integers<P: PackedField<Scalar = Goldilocks>>(w: &[Goldilocks], to: &mut Table, r: Ext) {
    let r = Pair::<P>::broadcast(r);
    let out = P::pack_slice_mut(&mut to.c0).iter_mut().zip(P::pack_slice_mut(&mut to.c1));
    for ((low, high), (out0, out1)) in halves::<P>(w).zip(out) {
        let step = r.scale(*high - *low);
        (*out0, *out1) = (*low + step.0, step.1);
    }
}

fn bind<P: PackedField<Scalar = Goldilocks>>(table: &mut Table, r: Ext) {
    let r = Pair::<P>::broadcast(r);
    let half = table.c0.len() / 2;
    let (low0, high0) = table.c0.split_at_mut(half);
    let (low1, high1) = table.c1.split_at_mut(half);
    let low = P::pack_slice_mut(low0).iter_mut().zip(P::pack_slice_mut(low1));
    let high = P::pack_slice(high0).iter().zip(P::pack_slice(high1));
    for ((x0, x1), (y0, y1)) in low.zip(high) {
        let x = Pair(*x0, *x1);
        let bound = x.add(r.mul(Pair(*y0, *y1).sub(x)));
        (*x0, *x1) = (bound.0, bound.1);
    }
    table.c0.truncate(half);
    table.c1.truncate(half);
}

#[cfg(test)]
mod tests {
    use serin_circuits::poly::eq_table_scaled;
    use serin_datasets::synthetic::SplitMix64;
    use serin_verifier::sumcheck::Tables;

    use super::*;

    fn any_ext(random: &mut SplitMix64) -> Ext {
        field::ext(Fp::new(random.next_word()), Fp::new(random.next_word()))
    }

    #[test]
    fn packed_rounds_of_every_size_equal_plain_rounds() {
        let mut random = SplitMix64::new(7);
        for bits in 0..9 {
            let point: Vec<Ext> = (0..bits).map(|_| any_ext(&mut random)).collect();
            let scale = any_ext(&mut random);
            let integers: Vec<i32> = (0..1 << bits).map(|_| random.next_word() as i32 >> 8).collect();
            let mut table = Table::zeros(1 << bits);
            table.write_eq(0, &point, scale);
            let plain_e = eq_table_scaled(&point, scale);
            let lifted = integers.iter().map(|v| field::lift(field::from_i64(i64::from(*v)))).collect();
            let mut plain = Tables::new(lifted, plain_e);
            let mut packed = IntegerRounds::new(&integers, table);
            for _ in 0..bits {
                assert_eq!(packed.round(), plain.round(), "{bits} bits");
                let r = any_ext(&mut random);
                packed.bind(r);
                plain.bind(r);
            }
        }
    }

    #[test]
    fn seven_of_any_word_is_the_nonresidue() {
        let x = Goldilocks::new(u64::MAX - 1);
        assert_eq!(times_seven(x), x * Goldilocks::new(7));
        let five = Fp::from_raw(5);
        assert_eq!(element(goldilocks(five) * goldilocks(five)), five * five);
    }
}
