//! eq(r, x) for the rows of a round, as an outer times an inner table: no table is as long as the rows.

use ark_ff::Field;
use rayon::prelude::*;
use serin_circuits::field::Ext;
use serin_circuits::poly::eq_table;

use super::super::table::{Pair, Table};
use super::pass::Limb;

/// log₂ of the elements of an inner table: 8 KiB.
const BLOCK_BITS: usize = 9;
/// Passes over as many blocks are shared among threads.
const FORK: usize = 64;

/// The weights of 2^|r| elements.
pub(super) struct Weights<P> {
    /// eq over the more significant coordinates, a block each.
    outer: Vec<Ext>,
    /// eq over the others, the weights within a block.
    pub(super) inner: Vec<Pair<P>>,
}

impl<P: Limb> Weights<P> {
    /// The weights eq(r, ·); at least a word of them.
    pub(super) fn new(r: &[Ext]) -> Self {
        let (outer, inner) = r.split_at(r.len().saturating_sub(BLOCK_BITS));
        let mut table = Table::zeros(1 << inner.len());
        table.write_eq(0, inner, Ext::ONE);
        let [c0, c1] = table.limbs().map(P::pack_slice);
        Self { outer: eq_table(outer), inner: c0.iter().zip(c1).map(|(c0, c1)| Pair(*c0, *c1)).collect() }
    }

    /// Rows of a block, in words.
    pub(super) fn block(&self) -> usize {
        self.inner.len()
    }

    /// Σ over blocks of what `sum` makes of each, weighted by the outer table.
    pub(super) fn total<J: Send, const N: usize>(
        &self,
        blocks: Vec<J>,
        sum: impl Fn(J, &[Pair<P>]) -> [Pair<P>; N] + Sync,
    ) -> [Ext; N] {
        let zero = || [Pair::zero(); N];
        let add = |a: [Pair<P>; N], b: [Pair<P>; N]| std::array::from_fn(|i| a[i].add(b[i]));
        let weighted = |(block, outer): (J, &Ext)| {
            let outer = Pair::broadcast(*outer);
            sum(block, &self.inner).map(|sum| sum.mul(outer))
        };
        let total = if blocks.len() < FORK {
            blocks.into_iter().zip(&self.outer).map(weighted).fold(zero(), add)
        } else {
            blocks.into_par_iter().zip(&self.outer).with_min_len(FORK / 4).map(weighted).reduce(zero, add)
        };
        total.map(Pair::sum)
    }
}
