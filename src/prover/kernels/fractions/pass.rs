//! The loops over fractions: adding a layer up, summing its first round, binding a variable and summing the next.
//!
//! Written once for words (`P` packed) and for single elements (`P` one element), and for base-field numerators as for others.

use p3_field::{PackedField, PrimeCharacteristicRing};
use p3_goldilocks::Goldilocks;
use rayon::prelude::*;
use serin_circuits::field::Ext;

use super::super::table::{Factor, Pair, Products};
use super::weights::Weights;

/// Layers of as many words are added up by several threads.
const FORK: usize = 1 << 12;

/// A word of limbs.
pub(super) trait Limb: PackedField<Scalar = Goldilocks> {}
impl<P: PackedField<Scalar = Goldilocks>> Limb for P {}

/// A word of numerators: in the base field at the leaves, in the challenge field above.
pub(super) trait Numerator<P>: Copy + Send + Sync {
    const ZERO: Self;
    fn pair(self) -> Pair<P>;
    fn sub(self, b: Self) -> Self;
    fn times(self, c: Factor<P>) -> Pair<P>;
    /// self·a + b·c.
    fn mul_add_mul(self, a: Pair<P>, b: Pair<P>, c: Pair<P>) -> Pair<P>;
    /// self·a + b·c for another numerator.
    fn cross(self, a: Pair<P>, b: Self, c: Pair<P>) -> Pair<P>;
}

impl<P: Limb> Numerator<P> for P {
    const ZERO: Self = <P as PrimeCharacteristicRing>::ZERO;
    #[inline(always)]
    fn pair(self) -> Pair<P> {
        Pair(self, P::ZERO)
    }
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        self - b
    }
    #[inline(always)]
    fn times(self, c: Factor<P>) -> Pair<P> {
        c.times_base(self)
    }
    #[inline(always)]
    fn mul_add_mul(self, a: Pair<P>, b: Pair<P>, c: Pair<P>) -> Pair<P> {
        Pair(self * a.0, self * a.1).add(b.mul(c))
    }
    #[inline(always)]
    fn cross(self, a: Pair<P>, b: Self, c: Pair<P>) -> Pair<P> {
        Pair(P::dot_product(&[self, b], &[a.0, c.0]), P::dot_product(&[self, b], &[a.1, c.1]))
    }
}

impl<P: Limb> Numerator<P> for Pair<P> {
    const ZERO: Self = Pair(P::ZERO, P::ZERO);
    #[inline(always)]
    fn pair(self) -> Pair<P> {
        self
    }
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        self.sub(b)
    }
    #[inline(always)]
    fn times(self, c: Factor<P>) -> Pair<P> {
        c.times(self)
    }
    #[inline(always)]
    fn mul_add_mul(self, a: Pair<P>, b: Pair<P>, c: Pair<P>) -> Pair<P> {
        Pair::mul_add_mul(self, a, b, c)
    }
    #[inline(always)]
    fn cross(self, a: Pair<P>, b: Self, c: Pair<P>) -> Pair<P> {
        Pair::mul_add_mul(self, a, b, c)
    }
}

/// A word of fractions p/q.
#[derive(Clone, Copy)]
pub(super) struct Fraction<N, P> {
    pub(super) p: N,
    pub(super) q: Pair<P>,
}

/// One above the leaves.
pub(super) type Inner<P> = Fraction<Pair<P>, P>;

impl<N: Numerator<P>, P: Limb> Fraction<N, P> {
    /// 0/1.
    pub(super) const NEUTRAL: Self = Self { p: N::ZERO, q: Pair(P::ONE, P::ZERO) };

    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        Self { p: self.p.sub(b.p), q: self.q.sub(b.q) }
    }

    #[inline(always)]
    fn inner(self) -> Inner<P> {
        Fraction { p: self.p.pair(), q: self.q }
    }

    #[inline(always)]
    pub(super) fn plus(self, b: Self) -> Inner<P> {
        Fraction { p: self.p.cross(b.q, b.p, self.q), q: self.q.mul(b.q) }
    }

    /// The value at c between self at 0 and `high` at 1.
    #[inline(always)]
    fn between(self, high: Self, c: Factor<P>) -> Inner<P> {
        let step = high.sub(self);
        Fraction { p: self.p.pair().add(step.p.times(c)), q: self.q.add(c.times(step.q)) }
    }

    /// p + λq over q: a row's upper half.
    #[inline(always)]
    fn mixed(self, lambda: Factor<P>) -> Inner<P> {
        Fraction { p: self.p.pair().add(lambda.times(self.q)), q: self.q }
    }

    /// The word's elements.
    fn singles(self) -> impl Iterator<Item = Inner<Goldilocks>> {
        let Fraction { p, q } = self.inner();
        let lane = |pair: Pair<P>, i| Pair(pair.0.as_slice()[i], pair.1.as_slice()[i]);
        (0..P::WIDTH).map(move |i| Fraction { p: lane(p, i), q: lane(q, i) })
    }
}

impl Inner<Goldilocks> {
    /// p and q.
    pub(super) fn elements(self) -> [Ext; 2] {
        [self.p.sum(), self.q.sum()]
    }
}

/// All elements of words.
pub(super) fn singles<N: Numerator<P>, P: Limb>(words: &[Fraction<N, P>]) -> Vec<Inner<Goldilocks>> {
    words.iter().flat_map(|word| word.singles()).collect()
}

/// The layer of `half` words above `below`.
pub(super) fn add_halves<N: Numerator<P>, P: Limb>(below: &[Fraction<N, P>], half: usize) -> Vec<Inner<P>> {
    let (lower, upper) = below.split_at(half.min(below.len()));
    let sum = |i: usize| upper.get(i).map_or_else(|| lower[i].inner(), |upper| lower[i].plus(*upper));
    if lower.len() < FORK {
        (0..lower.len()).map(sum).collect()
    } else {
        (0..lower.len()).into_par_iter().with_min_len(FORK / 4).map(sum).collect()
    }
}

/// The gate p0·q1 + q0·u.
#[inline(always)]
fn gate<N: Numerator<P>, P: Limb>(lower: Fraction<N, P>, upper: Inner<P>) -> Pair<P> {
    lower.p.mul_add_mul(upper.q, lower.q, upper.p)
}

/// The leading coefficient of the first round over `below`, whose halves have `half` words.
pub(super) fn lead<N: Numerator<P>, P: Limb>(
    below: &[Fraction<N, P>],
    half: usize,
    lambda: Ext,
    weights: &Weights<P>,
) -> Ext {
    let (lower, upper) = below.split_at(half.min(below.len()));
    let lambda = Factor::new(lambda);
    // Where the upper half is neutral the gate is linear.
    let rows = upper.len().min(half / 2);
    let block = weights.block();
    let sum = |at: usize, inner: &[Pair<P>]| {
        let mut sum = Products::ZERO;
        for (x, weight) in (at * block..rows).zip(inner) {
            let step = lower[x + half / 2].sub(lower[x]);
            let upper_step = upper.get(x + half / 2).copied().unwrap_or(Fraction::NEUTRAL).sub(upper[x]);
            sum.add(gate(step, upper_step.mixed(lambda)), *weight);
        }
        [sum.sum()]
    };
    weights.total((0..rows.div_ceil(block)).collect(), sum)[0]
}

/// The rows of the sum under way, each half a prefix of `size` words.
pub(super) struct Halves<P> {
    /// p0 and q0.
    pub(super) lower: Vec<Inner<P>>,
    /// u and q1.
    pub(super) upper: Vec<Inner<P>>,
    pub(super) size: usize,
}

impl<P: Limb> Halves<P> {
    /// The rows of `below`, whose halves have `size` words.
    pub(super) fn new<N: Numerator<P>>(below: &[Fraction<N, P>], size: usize, lambda: Ext) -> Self {
        let lambda = Factor::new(lambda);
        let (lower, upper) = below.split_at(size.min(below.len()));
        let lower = lower.iter().map(|word| word.inner()).collect();
        Self { lower, upper: upper.iter().map(|word| word.mixed(lambda)).collect(), size }
    }

    /// Both at one row.
    pub(super) fn row(&self, x: usize, lambda: Ext) -> [Inner<P>; 2] {
        let lower = self.lower.get(x).copied().unwrap_or(Fraction::NEUTRAL);
        let neutral = || Fraction { p: Pair::broadcast(lambda), ..Fraction::NEUTRAL };
        [lower, self.upper.get(x).copied().unwrap_or_else(neutral)]
    }

    /// The same by elements.
    pub(super) fn singles(&self) -> Halves<Goldilocks> {
        Halves { lower: singles(&self.lower), upper: singles(&self.upper), size: self.size * P::WIDTH }
    }

    /// Binds the last variable, of two rows.
    pub(super) fn bind_last(&mut self, c: Ext, lambda: Ext) {
        let ([lower, upper], [lower_high, upper_high]) = (self.row(0, lambda), self.row(1, lambda));
        let c = Factor::new(c);
        self.lower = vec![lower.between(lower_high, c)];
        self.upper = vec![upper.between(upper_high, c)];
        self.size = 1;
    }

    /// Binds a variable and sums the next round: Σ of the gate at 0 over the rows held, and the leading coefficient.
    pub(super) fn bind(&mut self, c: Ext, lambda: Ext, weights: &Weights<P>) -> [Ext; 2] {
        let (quarter, block) = (self.size / 4, weights.block());
        let rows = self.lower.len().min(quarter);
        let lower = InPlace::blocks(&mut self.lower, quarter, block, Fraction::NEUTRAL);
        let upper = InPlace::blocks(
            &mut self.upper,
            quarter,
            block,
            Fraction { p: Pair::broadcast(lambda), ..Fraction::NEUTRAL },
        );
        let jobs = lower.zip(upper).take(rows.div_ceil(block)).collect();
        let [c, lambda] = [c, lambda].map(Factor::new);
        let sums = weights.total(jobs, |(lower, upper), inner| bind_block(lower, upper, c, lambda, inner));
        self.size /= 2;
        self.lower.truncate(self.size);
        self.upper.truncate(self.size);
        sums
    }

    /// The rows of `below`, whose halves have `half` words, with the first variable bound; sums as [`Self::bind`] does.
    pub(super) fn bind_first<N: Numerator<P>>(
        below: &[Fraction<N, P>],
        half: usize,
        c: Ext,
        lambda: Ext,
        weights: &Weights<P>,
    ) -> (Self, [Ext; 2]) {
        let (quarter, block) = (half / 4, weights.block());
        let [c, lambda] = [c, lambda].map(Factor::new);
        let (lower, upper) = below.split_at(half.min(below.len()));
        let fresh = |from: &[_]| vec![Fraction::NEUTRAL; from.len().min(half / 2)];
        let mut halves = Self { lower: fresh(lower), upper: fresh(upper), size: half / 2 };
        let rows = halves.lower.len().min(quarter);
        let lower = Fresh::blocks(lower, &mut halves.lower, quarter, block, |word| word);
        let upper = Fresh::blocks(upper, &mut halves.upper, quarter, block, |word| word.mixed(lambda));
        let jobs = lower.zip(upper).take(rows.div_ceil(block)).collect();
        let sums = weights.total(jobs, |(lower, upper), inner| bind_block(lower, upper, c, lambda, inner));
        (halves, sums)
    }
}

/// Binds a block of rows: the gates at 0 and the gates' leading coefficients, weighted.
#[inline(always)]
fn bind_block<P: Limb>(
    mut lower: impl Quarters<P>,
    mut upper: impl Quarters<P>,
    c: Factor<P>,
    lambda: Factor<P>,
    weights: &[Pair<P>],
) -> [Pair<P>; 2] {
    let (mut at_zero, mut leading) = (Products::ZERO, Products::ZERO);
    let full = upper.rows().min(lower.rows());
    for (i, weight) in weights.iter().enumerate().take(full) {
        let [lower, lower_high] = lower.bind(i, c);
        let [upper, upper_high] = upper.bind(i, c);
        at_zero.add(gate(lower, upper), *weight);
        leading.add(gate(lower_high.sub(lower), upper_high.sub(upper)), *weight);
    }
    for (i, weight) in weights.iter().enumerate().take(lower.rows()).skip(full) {
        let [lower, _] = lower.bind(i, c);
        at_zero.add(lower.mixed(lambda).p, *weight);
    }
    [at_zero.sum(), leading.sum()]
}

/// A block of the four quarters of a half: the bound variable divides 0, 1 from 2, 3, the next one 0 from 1.
trait Quarters<P> {
    /// The rows of the first quarter that are held; the others hold no more.
    fn rows(&self) -> usize;
    /// Binds one row of each pair of quarters, and keeps what it returns.
    fn bind(&mut self, row: usize, c: Factor<P>) -> [Inner<P>; 2];
}

/// Quarters that are overwritten.
struct InPlace<'a, P> {
    low: [&'a mut [Inner<P>]; 2],
    high: [&'a [Inner<P>]; 2],
    neutral: Inner<P>,
}

impl<'a, P: Limb> InPlace<'a, P> {
    fn blocks(
        half: &'a mut [Inner<P>],
        quarter: usize,
        block: usize,
        neutral: Inner<P>,
    ) -> impl Iterator<Item = Self> {
        let (a, rest) = half.split_at_mut(quarter.min(half.len()));
        let (b, rest) = rest.split_at_mut(quarter.min(rest.len()));
        let (c, d) = rest.split_at(quarter.min(rest.len()));
        let (mut a, mut b, mut c, mut d) =
            (a.chunks_mut(block), b.chunks_mut(block), c.chunks(block), d.chunks(block));
        std::iter::from_fn(move || {
            let low = [a.next().unwrap_or_default(), b.next().unwrap_or_default()];
            Some(Self { low, high: [c.next().unwrap_or_default(), d.next().unwrap_or_default()], neutral })
        })
    }
}

impl<P: Limb> Quarters<P> for InPlace<'_, P> {
    fn rows(&self) -> usize {
        self.low[0].len()
    }

    #[inline(always)]
    fn bind(&mut self, row: usize, c: Factor<P>) -> [Inner<P>; 2] {
        [0, 1].map(|i| match self.low[i].get_mut(row) {
            Some(low) => {
                *low = low.between(self.high[i].get(row).copied().unwrap_or(self.neutral), c);
                *low
            }
            None => self.neutral,
        })
    }
}

/// Quarters of the layer below, bound into new rows, which `finish` completes.
struct Fresh<'a, N, P, F> {
    from: [&'a [Fraction<N, P>]; 4],
    into: [&'a mut [Inner<P>]; 2],
    finish: F,
}

impl<'a, N: Numerator<P>, P: Limb, F: Fn(Inner<P>) -> Inner<P> + Copy> Fresh<'a, N, P, F> {
    fn blocks(
        from: &'a [Fraction<N, P>],
        into: &'a mut [Inner<P>],
        quarter: usize,
        block: usize,
        finish: F,
    ) -> impl Iterator<Item = Self> {
        let cut = |slice: &'a [Fraction<N, P>], at: usize| {
            &slice[at.min(slice.len())..(at + quarter).min(slice.len())]
        };
        let mut from = [0, 1, 2, 3].map(|i| cut(from, i * quarter).chunks(block));
        let (a, b) = into.split_at_mut(quarter.min(into.len()));
        let (mut a, mut b) = (a.chunks_mut(block), b.chunks_mut(block));
        std::iter::from_fn(move || {
            let from = from.each_mut().map(|quarter| quarter.next().unwrap_or_default());
            Some(Self { from, into: [a.next().unwrap_or_default(), b.next().unwrap_or_default()], finish })
        })
    }
}

impl<N: Numerator<P>, P: Limb, F: Fn(Inner<P>) -> Inner<P>> Quarters<P> for Fresh<'_, N, P, F> {
    fn rows(&self) -> usize {
        self.from[0].len()
    }

    #[inline(always)]
    fn bind(&mut self, row: usize, c: Factor<P>) -> [Inner<P>; 2] {
        let word = |i: usize| self.from[i].get(row).copied().unwrap_or(Fraction::NEUTRAL);
        let bound = [0, 1].map(|i| (self.finish)(word(i).between(word(i + 2), c)));
        for (slot, bound) in self.into.iter_mut().zip(bound) {
            if let Some(slot) = slot.get_mut(row) {
                *slot = bound;
            }
        }
        bound
    }
}
