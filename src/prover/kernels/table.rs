//! Sumcheck tables over the challenge field, held limb by limb so that they vectorise (plonky3's packed Goldilocks).
//!
//! A [`Table`] of 2^n elements keeps c0 and c1 of F_p\[X\]/(X² − 7) in two arrays. The loops run over packed words of the
//! machine's width and over single elements where a table is shorter than one word. Variables are bound most significant first.

use p3_field::{Field, PackedField, PackedValue, PrimeCharacteristicRing, PrimeField64};
use p3_goldilocks::Goldilocks;
use rayon::prelude::*;
use serin_circuits::field::{self, Ext, Fp};
use serin_verifier::sumcheck::Rounds;

/// Rows that one thread takes at a time; shorter tables stay on the caller's.
const CHUNK: usize = 1 << 14;

/// A word of the machine's width.
pub(super) type Packed = <Goldilocks as Field>::Packing;

/// One element, or a word of them: c0 + c1·X.
#[derive(Clone, Copy)]
pub(super) struct Pair<P>(pub(super) P, pub(super) P);

impl<P: PackedField<Scalar = Goldilocks>> Pair<P> {
    #[inline(always)]
    pub(super) fn broadcast(e: Ext) -> Self {
        Self(P::from(goldilocks(e.c0)), P::from(goldilocks(e.c1)))
    }

    #[inline(always)]
    pub(super) fn zero() -> Self {
        Self(P::ZERO, P::ZERO)
    }

    #[inline(always)]
    pub(super) fn add(self, b: Self) -> Self {
        Self(self.0 + b.0, self.1 + b.1)
    }

    #[inline(always)]
    pub(super) fn sub(self, b: Self) -> Self {
        Self(self.0 - b.0, self.1 - b.1)
    }

    #[inline(always)]
    pub(super) fn mul(self, b: Self) -> Self {
        let (low, high) = (self.0 * b.0, self.1 * b.1);
        let cross = (self.0 + self.1) * (b.0 + b.1) - low - high;
        Self(low + times_seven(high), cross)
    }

    /// a·b + c·d, with one reduction a limb where the machine allows it.
    #[inline(always)]
    pub(super) fn mul_add_mul(a: Self, b: Self, c: Self, d: Self) -> Self {
        let low = P::dot_product(&[a.0, c.0], &[b.0, d.0]);
        let high = P::dot_product(&[a.1, c.1], &[b.1, d.1]);
        Self(low + times_seven(high), P::dot_product(&[a.0, a.1, c.0, c.1], &[b.1, b.0, d.1, d.0]))
    }

    /// The sum of the word's elements.
    pub(super) fn sum(self) -> Ext {
        let total = |p: P| p.as_slice().iter().fold(Goldilocks::ZERO, |sum, v| sum + *v);
        field::ext(element(total(self.0)), element(total(self.1)))
    }
}

/// A factor of many products, by its limbs c0, c1 and 7·c1.
#[derive(Clone, Copy)]
pub(super) struct Factor<P>(P, P, P);

impl<P: PackedField<Scalar = Goldilocks>> Factor<P> {
    #[inline(always)]
    pub(super) fn new(e: Ext) -> Self {
        let Pair(c0, c1) = Pair::broadcast(e);
        Self(c0, c1, times_seven(c1))
    }

    #[inline(always)]
    pub(super) fn times(self, b: Pair<P>) -> Pair<P> {
        let limbs = [b.0, b.1];
        Pair(P::dot_product(&limbs, &[self.0, self.2]), P::dot_product(&limbs, &[self.1, self.0]))
    }

    #[inline(always)]
    pub(super) fn times_base(self, b: P) -> Pair<P> {
        Pair(b * self.0, b * self.1)
    }
}

/// A sum of products, whose limbs are put together at the end: Σ a0·b0, Σ a1·b1, Σ (a0 + a1)·(b0 + b1).
#[derive(Clone, Copy)]
pub(super) struct Products<P>(P, P, P);

impl<P: PackedField<Scalar = Goldilocks>> Products<P> {
    pub(super) const ZERO: Self = Self(P::ZERO, P::ZERO, P::ZERO);

    #[inline(always)]
    pub(super) fn add(&mut self, a: Pair<P>, b: Pair<P>) {
        self.0 += a.0 * b.0;
        self.1 += a.1 * b.1;
        self.2 += (a.0 + a.1) * (b.0 + b.1);
    }

    pub(super) fn sum(self) -> Pair<P> {
        Pair(self.0 + times_seven(self.1), self.2 - self.0 - self.1)
    }
}

#[inline(always)]
pub(super) fn times_seven<P: PackedField>(x: P) -> P {
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

    /// An empty table with room for `capacity` elements.
    pub(in crate::prover) fn with_capacity(capacity: usize) -> Self {
        Self { c0: Vec::with_capacity(capacity), c1: Vec::with_capacity(capacity) }
    }

    /// The elements, and zeros up to `len`.
    pub(in crate::prover) fn padded(elements: impl Iterator<Item = Ext>, len: usize) -> Self {
        let mut table = Self::with_capacity(len);
        elements.for_each(|e| table.push(e));
        table.c0.resize(len, Goldilocks::ZERO);
        table.c1.resize(len, Goldilocks::ZERO);
        table
    }

    /// Appends an element.
    pub(in crate::prover) fn push(&mut self, e: Ext) {
        self.c0.push(goldilocks(e.c0));
        self.c1.push(goldilocks(e.c1));
    }

    /// The first element: the table's value once all variables are bound.
    pub(in crate::prover) fn first(&self) -> Ext {
        field::ext(element(self.c0[0]), element(self.c1[0]))
    }

    /// The limbs c0 and c1.
    pub(super) fn limbs(&self) -> [&[Goldilocks]; 2] {
        [&self.c0, &self.c1]
    }

    /// The limbs c0 and c1, to write to.
    pub(in crate::prover) fn limbs_mut(&mut self) -> [&mut [Goldilocks]; 2] {
        [&mut self.c0, &mut self.c1]
    }

    fn half(&self) -> usize {
        self.c0.len() / 2
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

impl FromIterator<Ext> for Table {
    fn from_iter<I: IntoIterator<Item = Ext>>(elements: I) -> Self {
        let (c0, c1) = elements.into_iter().map(|e| (goldilocks(e.c0), goldilocks(e.c1))).unzip();
        Self { c0, c1 }
    }
}

/// Σ a(x)·b(x), a sumcheck.
pub(in crate::prover) struct Product {
    a: Table,
    b: Table,
}

impl Product {
    /// Of two tables of one power-of-two length.
    pub(in crate::prover) fn new(a: Table, b: Table) -> Self {
        Self { a, b }
    }

    /// ã and b̃ once all variables are bound.
    pub(in crate::prover) fn ends(&self) -> [Ext; 2] {
        [self.a.first(), self.b.first()]
    }
}

impl Rounds for Product {
    fn round(&mut self) -> [Ext; 2] {
        round(&self.a, &self.b)
    }

    fn bind(&mut self, r: Ext) {
        bind(&mut self.a, r);
        bind(&mut self.b, r);
    }
}

/// g(0) and the leading coefficient of Σ a(X, x)·b(X, x).
pub(in crate::prover) fn round(a: &Table, b: &Table) -> [Ext; 2] {
    if a.half().is_multiple_of(Packed::WIDTH) {
        round_words::<Packed>(a, b)
    } else {
        round_words::<Goldilocks>(a, b)
    }
}

/// Binds the most significant variable.
pub(in crate::prover) fn bind(table: &mut Table, r: Ext) {
    if table.half().is_multiple_of(Packed::WIDTH) {
        bind_words::<Packed>(table, r);
    } else {
        bind_words::<Goldilocks>(table, r);
    }
}

fn round_words<P: PackedField<Scalar = Goldilocks>>(a: &Table, b: &Table) -> [Ext; 2] {
    let half = a.half();
    let limbs = [&a.c0, &a.c1, &b.c0, &b.c1].map(|limb| limb.split_at(half));
    let chunk = |at: usize| {
        let rows = at..half.min(at + CHUNK);
        round_chunk::<P>(limbs.map(|(low, high)| [&low[rows.clone()], &high[rows.clone()]]))
    };
    let add = |a: [Pair<P>; 2], b: [Pair<P>; 2]| [a[0].add(b[0]), a[1].add(b[1])];
    let zero = || [Pair::zero(); 2];
    let chunks = half.div_ceil(CHUNK);
    let g = if chunks > 1 {
        (0..chunks).into_par_iter().map(|i| chunk(i * CHUNK)).reduce(zero, add)
    } else {
        chunk(0)
    };
    g.map(Pair::sum)
}

/// Both halves of a's limbs, then b's.
fn round_chunk<P: PackedField<Scalar = Goldilocks>>(limbs: [[&[Goldilocks]; 2]; 4]) -> [Pair<P>; 2] {
    let [a0, a1, b0, b1] = limbs.map(|[low, high]| P::pack_slice(low).iter().zip(P::pack_slice(high)));
    let mut g = [Pair::<P>::zero(); 2];
    for (((a_low0, a_high0), (a_low1, a_high1)), ((b_low0, b_high0), (b_low1, b_high1))) in
        a0.zip(a1).zip(b0.zip(b1))
    {
        let (a_low, b_low) = (Pair(*a_low0, *a_low1), Pair(*b_low0, *b_low1));
        g[0] = g[0].add(a_low.mul(b_low));
        let a_step = Pair(*a_high0, *a_high1).sub(a_low);
        let b_step = Pair(*b_high0, *b_high1).sub(b_low);
        g[1] = g[1].add(a_step.mul(b_step));
    }
    g
}

fn bind_words<P: PackedField<Scalar = Goldilocks>>(table: &mut Table, r: Ext) {
    let half = table.half();
    let (low0, high0) = table.c0.split_at_mut(half);
    let (low1, high1) = table.c1.split_at_mut(half);
    if half <= CHUNK {
        bind_chunk::<P>([low0, low1], [high0, high1], r);
    } else {
        let low = low0.par_chunks_mut(CHUNK).zip(low1.par_chunks_mut(CHUNK));
        let high = high0.par_chunks(CHUNK).zip(high1.par_chunks(CHUNK));
        low.zip(high)
            .for_each(|((low0, low1), (high0, high1))| bind_chunk::<P>([low0, low1], [high0, high1], r));
    }
    table.c0.truncate(half);
    table.c1.truncate(half);
}

fn bind_chunk<P: PackedField<Scalar = Goldilocks>>(
    low: [&mut [Goldilocks]; 2],
    high: [&[Goldilocks]; 2],
    r: Ext,
) {
    let r = Factor::<P>::new(r);
    let [low0, low1] = low.map(P::pack_slice_mut);
    let [high0, high1] = high.map(P::pack_slice);
    for ((x0, x1), (y0, y1)) in low0.iter_mut().zip(low1).zip(high0.iter().zip(high1)) {
        let x = Pair(*x0, *x1);
        let bound = x.add(r.times(Pair(*y0, *y1).sub(x)));
        (*x0, *x1) = (bound.0, bound.1);
    }
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
        for bits in (0..9).chain([16, 17]) {
            let point: Vec<Ext> = (0..bits).map(|_| any_ext(&mut random)).collect();
            let scale = any_ext(&mut random);
            let values: Vec<Ext> = (0..1 << bits).map(|_| any_ext(&mut random)).collect();
            let mut selectors = Table::zeros(1 << bits);
            selectors.write_eq(0, &point, scale);
            let mut packed: Table = values.iter().copied().collect();
            let mut plain = Tables::new(values, eq_table_scaled(&point, scale));
            for _ in 0..bits {
                assert_eq!(round(&packed, &selectors), plain.round(), "{bits} bits");
                let r = any_ext(&mut random);
                bind(&mut packed, r);
                bind(&mut selectors, r);
                plain.bind(r);
            }
            assert_eq!(packed.first(), plain.ends()[0]);
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
