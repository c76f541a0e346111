//! The prover of a sum of fractions: the tree of [`serin_verifier::lookup::fractions`], packed.
//!
//! In: 2^`bits` fractions of which the first `used` are given, base-field numerators over challenge-field denominators; the
//! others are 0/1, are never stored and cost nothing. A layer is an array of words of fractions, kept as a prefix: the upper
//! half may be shorter than the lower. Layers no longer than the fractions given are the leaves themselves.
//!
//! A layer's sum is over rows (p0, q0; u, q1) with u = p1 + λ·q1, so that the gate is p0·q1 + q0·u. Its first round reads
//! the layer below, for the leading coefficient alone: h(0) and h(1) are known from where the layer before ended. Each bind
//! sums the next round in the same pass. The weights eq are an outer times an inner table, so that none is as long as a layer.
//! h(1) − h(0) comes from the round's claim by one division.
//!
//! Peak, by count of what is held: 56 bytes a leaf once built (24 for the leaves, 32 for all other layers) besides the inputs, which
//! are dropped before the other layers are made; it falls as the descent drops layers. Passes over 2^15 rows and more are shared
//! among rayon's threads; sums in a field do not depend on their order.
//!
//! *Caller must still check* that no denominator is zero: the verifier would reject.

mod pass;
mod weights;

use ark_ff::{AdditiveGroup, Field};
use p3_field::{PackedValue, PrimeCharacteristicRing};
use p3_goldilocks::Goldilocks;
use serin_circuits::field::Ext;
use serin_circuits::poly::{eq_table, ones};
use serin_verifier::lookup::fractions::Fractions;

use self::pass::{Fraction, Halves, Inner, add_halves, lead, singles};
use self::weights::Weights;
use super::table::{Packed, Pair, Table};

/// Layers of fewer than 2^`SMALL` elements are held by elements: their sums are soon shorter than a word.
const SMALL: u32 = 3 + Packed::WIDTH.ilog2();

/// A layer of neutral fractions.
static NOTHING: Layer = Layer::Singles(Vec::new());

/// One layer, or the prefix of it that is not neutral.
enum Layer {
    /// Words of leaves, with base-field numerators.
    Leaves(Vec<Fraction<Packed, Packed>>),
    Words(Vec<Inner<Packed>>),
    Singles(Vec<Inner<Goldilocks>>),
}

/// The sum under way.
enum Sum {
    /// In its first round: the last of the layers.
    Below,
    Words(Halves<Packed>),
    Singles(Halves<Goldilocks>),
}

/// The tree, descended once.
pub(in crate::prover) struct Tree {
    bits: usize,
    /// From the leaves up; the last is the next to be descended to.
    layers: Vec<Layer>,
    root: [Ext; 2],
    sum: Sum,
    lambda: Ext,
    /// The coordinates of the free variables.
    free: Vec<Ext>,
    /// h(0) and h's leading coefficient for the round to come.
    next: [Ext; 2],
    /// p0, p1, q0, q1 where the layer before was bound.
    ends: [Ext; 4],
}

impl Tree {
    /// Adds up `numerators` over `denominators`, of one length of at most 2^`bits`.
    pub(in crate::prover) fn new(bits: usize, numerators: Vec<Goldilocks>, denominators: Table) -> Self {
        debug_assert!(numerators.len() <= 1 << bits);
        let used_bits = numerators.len().next_power_of_two().ilog2();
        let mut layers = vec![leaves(&numerators, &denominators)];
        drop((numerators, denominators));
        for depth in (1..used_bits).rev() {
            layers.extend(layers.last().map(|below| below.halved(depth)));
        }
        // The layer of two elements, or the one leaf.
        let top = layers.last().map_or_else(Vec::new, |layer| layer.first(2));
        let root = top.into_iter().reduce(Fraction::plus).unwrap_or(Fraction::NEUTRAL).elements();
        let (sum, next, ends) = (Sum::Below, [Ext::ZERO; 2], [Ext::ZERO; 4]);
        Self { bits, layers, root, sum, lambda: Ext::ZERO, free: vec![], next, ends }
    }

    /// Drops the layer that was read last. The leaves stay for all layers that they are equal to.
    fn drop_layer(&mut self, half: usize) {
        if self.layers.len() > 1 || 2 * half == 1 << self.bits {
            self.layers.pop();
        }
    }

    /// The first `len` elements of the layer that is read.
    fn below(&self, len: usize) -> Vec<Inner<Goldilocks>> {
        self.layers.last().map_or_else(Vec::new, |below| below.first(len))
    }

    /// Binds the last variable of a sum.
    fn bind_last(&mut self, c: Ext) {
        if let Sum::Below = self.sum {
            self.sum = Sum::Singles(Halves::new(&self.below(4), 2, self.lambda));
            self.drop_layer(2);
        }
        if let Sum::Singles(halves) = &mut self.sum {
            halves.bind_last(c, self.lambda);
        }
    }

    /// h(1), for the one challenge in |F| that the claim does not give it for.
    fn at_one(&self) -> Ext {
        let halves = match &self.sum {
            Sum::Words(halves) => &halves.singles(),
            Sum::Singles(halves) => halves,
            Sum::Below => return Ext::ZERO,
        };
        let weights = eq_table(&self.free[1..]);
        let gates = weights.iter().enumerate().map(|(x, weight)| {
            let [[p0, q0], [u, q1]] = halves.row(x + weights.len(), self.lambda).map(Fraction::elements);
            *weight * (p0 * q1 + q0 * u)
        });
        gates.sum()
    }
}

/// Interleaves numerators and denominators, the last word filled with 0/1.
fn leaves(numerators: &[Goldilocks], denominators: &Table) -> Layer {
    let [c0, c1] = denominators.limbs();
    if numerators.len().next_power_of_two() < 1 << SMALL {
        let denominators = c0.iter().zip(c1).map(|(c0, c1)| Pair(*c0, *c1));
        let leaf = |(p, q): (&Goldilocks, _)| Fraction { p: Pair(*p, Goldilocks::ZERO), q };
        return Layer::Singles(numerators.iter().zip(denominators).map(leaf).collect());
    }
    let limbs = [numerators, c0, c1];
    let full = numerators.len() / Packed::WIDTH * Packed::WIDTH;
    let [p, q0, q1] = limbs.map(|limb| Packed::pack_slice(&limb[..full]));
    let mut words = Vec::with_capacity(numerators.len().div_ceil(Packed::WIDTH));
    words.extend(p.iter().zip(q0.iter().zip(q1)).map(|(p, (q0, q1))| Fraction { p: *p, q: Pair(*q0, *q1) }));
    if full < numerators.len() {
        let rest =
            |limb: &[Goldilocks], fill| Packed::from_fn(|i| limb.get(full + i).copied().unwrap_or(fill));
        let (p, q0) = (rest(numerators, Goldilocks::ZERO), rest(c0, Goldilocks::ONE));
        words.push(Fraction { p, q: Pair(q0, rest(c1, Goldilocks::ZERO)) });
    }
    Layer::Leaves(words)
}

impl Layer {
    /// The layer above, of 2^`depth` elements.
    fn halved(&self, depth: u32) -> Self {
        let (elements, words) = (1 << depth, (1 << depth) / Packed::WIDTH);
        match self {
            Self::Leaves(leaves) if depth < SMALL => Self::Singles(add_halves(&singles(leaves), elements)),
            Self::Leaves(leaves) => Self::Words(add_halves(leaves, words)),
            Self::Words(layer) if depth < SMALL => Self::Singles(add_halves(&singles(layer), elements)),
            Self::Words(layer) => Self::Words(add_halves(layer, words)),
            Self::Singles(layer) => Self::Singles(add_halves(layer, elements)),
        }
    }

    /// The first `len` elements, or as many as there are.
    fn first(&self, len: usize) -> Vec<Inner<Goldilocks>> {
        let words = len.div_ceil(Packed::WIDTH);
        let mut elements = match self {
            Self::Leaves(leaves) => singles(&leaves[..words.min(leaves.len())]),
            Self::Words(layer) => singles(&layer[..words.min(layer.len())]),
            Self::Singles(layer) => layer[..len.min(layer.len())].to_vec(),
        };
        elements.truncate(len);
        elements
    }

    /// The leading coefficient of the first round over halves of `half` elements.
    fn lead(&self, half: usize, lambda: Ext, rest: &[Ext]) -> Ext {
        let words = half / Packed::WIDTH;
        match self {
            Self::Leaves(leaves) => lead(leaves, words, lambda, &Weights::new(rest)),
            Self::Words(layer) => lead(layer, words, lambda, &Weights::new(rest)),
            Self::Singles(layer) => lead(layer, half, lambda, &Weights::new(rest)),
        }
    }

    /// The sum with the first variable bound, and the sums of its next round.
    fn bind(&self, half: usize, c: Ext, lambda: Ext, rest: &[Ext]) -> (Sum, [Ext; 2]) {
        let words = half / Packed::WIDTH;
        match self {
            Self::Leaves(leaves) => {
                Sum::words(Halves::bind_first(leaves, words, c, lambda, &Weights::new(rest)))
            }
            Self::Words(layer) => {
                Sum::words(Halves::bind_first(layer, words, c, lambda, &Weights::new(rest)))
            }
            Self::Singles(layer) => {
                let (halves, sums) = Halves::bind_first(layer, half, c, lambda, &Weights::new(rest));
                (Sum::Singles(halves), sums)
            }
        }
    }
}

impl Sum {
    fn words((halves, sums): (Halves<Packed>, [Ext; 2])) -> (Self, [Ext; 2]) {
        (Self::Words(halves), sums)
    }

    /// Elements of the lower half that are held.
    fn held(&self) -> usize {
        match self {
            Self::Below => 0,
            Self::Words(halves) => halves.lower.len() * Packed::WIDTH,
            Self::Singles(halves) => halves.lower.len(),
        }
    }
}

impl Fractions for Tree {
    fn root(&self) -> [Ext; 2] {
        self.root
    }

    fn descend(&mut self, point: &[Ext], lambda: Ext) {
        self.lambda = lambda;
        self.free = point.to_vec();
        self.sum = Sum::Below;
        let (Some(below), Some(rest)) = (self.layers.last(), point.get(1..)) else { return };
        self.next[1] = below.lead(1 << point.len(), lambda, rest);
    }

    fn round(&mut self, claim: Ext) -> [Ext; 2] {
        let [at_zero, leading] = self.next;
        let step = match (&self.sum, self.free[0].inverse()) {
            // The halves of this layer, at the rest of its point, are where the last one ended.
            (Sum::Below, _) => {
                let [p0, p1, q0, q1] = self.ends;
                p1 - p0 + self.lambda * (q1 - q0)
            }
            (_, Some(inverse)) => (claim - at_zero) * inverse,
            (_, None) => self.at_one() - at_zero,
        };
        [step, leading]
    }

    fn bind(&mut self, c: Ext) {
        let (half, lambda) = (1 << self.free.len(), self.lambda);
        self.free.remove(0);
        if let Sum::Words(halves) = &self.sum
            && halves.size < 4
        {
            self.sum = Sum::Singles(halves.singles());
        }
        let Some(rest) = self.free.get(1..) else { return self.bind_last(c) };
        let [at_zero, leading] = match &mut self.sum {
            Sum::Words(halves) => halves.bind(c, lambda, &Weights::new(rest)),
            Sum::Singles(halves) => halves.bind(c, lambda, &Weights::new(rest)),
            Sum::Below => {
                let below = self.layers.last().unwrap_or(&NOTHING);
                let (sum, sums) = below.bind(half, c, lambda, rest);
                self.sum = sum;
                self.drop_layer(half);
                sums
            }
        };
        // The gate of neutral fractions is λ.
        let missing = Ext::ONE - ones(&self.free[1..], self.sum.held());
        self.next = [at_zero + lambda * missing, leading];
    }

    fn ends(&mut self) -> [Ext; 4] {
        if let Sum::Below = self.sum {
            self.sum = Sum::Singles(Halves::new(&self.below(2), 1, self.lambda));
            self.drop_layer(1);
        }
        let Sum::Singles(halves) = &self.sum else { return self.ends };
        let [[p0, q0], [u, q1]] = halves.row(0, self.lambda).map(Fraction::elements);
        self.ends = [p0, u - self.lambda * q1, q0, q1];
        self.ends
    }
}

#[cfg(test)]
mod tests;
