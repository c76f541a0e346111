//! Which look-ups one batch of a graph takes, and where everything stands. A function of graph and batch size alone, so both sides
//! compute it.
//!
//! Two vectors are laid out, each without gaps, as entries × samples with the 2^b padded samples of the batch innermost:
//!
//! * the *committed columns*: for each clamp its [`Clamp::columns`](serin_circuits::relation::clamp::Clamp::columns), each as long
//!   as the value; then every table's multiplicities, their index split into (entry, sample) bits;
//! * the *leaves* of the fraction tree ([`super::fractions`]): for each clamp its look-ups, then the tables.
//!
//! Every sample index is the same low b bits of either vector, so everything a proof claims is claimed at one point r_n of the
//! batch: only entries remain, and each claim is a linear form over them ([`Forms`]).
//!
//! A leaf is 1 / (α − f(tuple)) for a look-up and −m / (α − f(tuple)) for a row of a table, f(tuple) = table + Σ β^k·tuple_k with the
//! table's number, so that tables never mix. On padding samples a look-up's numerator is 0, publicly: nothing that stands there can
//! vouch for a row. [Haböck 2022, "Multivariate lookups based on logarithmic derivatives".]
//!
//! Soundness error: as rational functions of α and β of degree at most 3 the leaves sum to zero only if every look-up's tuple is a
//! row, but for [`WIDTH`]·leaves / |F|; the count of look-ups stays far below p.

use ark_ff::{AdditiveGroup, Field};
use serin_circuits::field::{Ext, Fp, from_i64, lift, scale};
use serin_circuits::gates::{Gate, Gates};
use serin_circuits::graph::{Graph, GraphError};
use serin_circuits::poly::{eq_prefix, eq_table, ones};
use serin_circuits::relation::clamp::{Lookup, Operand};
use serin_circuits::relation::table::{Table, WIDTH};
use serin_circuits::weights::log2_ceil;

use super::fractions::Leaf;
use crate::commit::{Code, Shape};
use crate::limits;

/// Entries of a step that are reduced together, so that its forms are written while they are in the cache.
const BLOCK: usize = 1024;

/// A table in its places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The table, as wide as its widest user.
    pub table: Table,
    /// Its first leaf entry.
    pub leaf: usize,
    /// Its first committed entry.
    pub column: usize,
    /// Entries it takes of either: rows over padded samples.
    pub entries: usize,
}

/// One clamp in its places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The value it makes.
    pub value: usize,
    /// Entries of one sample.
    pub len: usize,
    /// First committed entry of its first column; the next columns follow.
    pub column: usize,
    /// First leaf entry of its first look-up; the next look-ups follow.
    pub leaf: usize,
    /// Its look-ups, each with the number of its table.
    pub lookups: Vec<(usize, Lookup)>,
}

/// All look-ups of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The graph unfolded.
    pub gates: Gates,
    /// The clamps in order.
    pub steps: Vec<Step>,
    /// The tables, by number.
    pub tables: Vec<Placed>,
    /// Samples.
    pub batch: usize,
    /// Entries of the committed columns.
    pub columns: usize,
    /// Leaf entries, tables included.
    pub leaves: usize,
}

/// α and β.
#[derive(Clone, Copy, Debug)]
pub struct Fingerprint {
    /// α.
    alpha: Ext,
    /// β, β², β³.
    powers: [Ext; WIDTH],
}

impl Fingerprint {
    /// Of the drawn α and β.
    pub fn new(alpha: Ext, beta: Ext) -> Self {
        Self { alpha, powers: [beta, beta * beta, beta * beta * beta] }
    }

    /// α − f of a row.
    pub fn denominator(&self, table: usize, tuple: &[i64; WIDTH]) -> Ext {
        let terms = self.powers.iter().zip(tuple).map(|(power, v)| scale(power, from_i64(*v)));
        self.padding(table) - terms.sum::<Ext>()
    }

    /// The denominator of a look-up on a padding sample, where every operand is zero.
    pub fn padding(&self, table: usize) -> Ext {
        self.alpha - lift(Fp::from_raw(table as u64))
    }
}

/// Linear forms over the values of one sample and over the committed entries, both at r_n.
#[derive(Clone, Debug)]
pub struct Forms {
    /// One form a value; empty where it is zero.
    pub values: Vec<Vec<Ext>>,
    /// The form over all committed entries.
    pub columns: Vec<Ext>,
}

impl Forms {
    /// The form over a value, to add to.
    pub fn of(&mut self, plan: &Plan, value: usize) -> &mut [Ext] {
        let form = &mut self.values[value];
        form.resize(plan.gates.values()[value].len, Ext::ZERO);
        form
    }

    /// Adds `factor` · `form` to the form over a value.
    pub fn add(&mut self, plan: &Plan, value: usize, factor: Ext, form: &[Ext]) {
        self.of(plan, value).iter_mut().zip(form).for_each(|(to, e)| *to += factor * e);
    }
}

impl Plan {
    /// The plan of a batch of a graph.
    ///
    /// # Errors
    /// [`GraphError`], if the graph is too large to unfold.
    pub fn of(graph: &Graph, batch: usize) -> Result<Self, GraphError> {
        let gates = Gates::of(graph)?;
        let mut plan = Self { gates, steps: Vec::new(), tables: Vec::new(), batch, columns: 0, leaves: 0 };
        for (value, made) in plan.gates.values().iter().enumerate() {
            let Gate::Clamp { clamp, .. } = &made.gate else { continue };
            let tables = &mut plan.tables;
            let lookups = clamp.lookups().into_iter().map(|lookup| {
                let joined =
                    tables.iter_mut().position(|placed: &mut Placed| placed.table.join(&lookup.table));
                let number = joined.unwrap_or_else(|| {
                    tables.push(Placed { table: lookup.table, leaf: 0, column: 0, entries: 0 });
                    tables.len() - 1
                });
                (number, lookup)
            });
            let lookups: Vec<_> = lookups.collect();
            let step = Step { value, len: made.len, column: plan.columns, leaf: plan.leaves, lookups };
            plan.columns += made.len * clamp.columns();
            plan.leaves += made.len * step.lookups.len();
            plan.steps.push(step);
        }
        plan.place_tables();
        Ok(plan)
    }

    /// The plan of another batch of the same graph, without unfolding it anew.
    #[must_use]
    pub fn resized(mut self, batch: usize) -> Self {
        self.batch = batch;
        if let Some(first) = self.tables.first() {
            (self.leaves, self.columns) = (first.leaf, first.column);
        }
        self.place_tables();
        self
    }

    /// Gives the tables their places behind everything else.
    fn place_tables(&mut self) {
        let bits = self.batch_bits();
        for placed in &mut self.tables {
            placed.entries = placed.table.len().div_ceil(1 << bits);
            (placed.leaf, placed.column) = (self.leaves, self.columns);
            self.leaves += placed.entries;
            self.columns += placed.entries;
        }
    }

    /// Whether a verifier takes vectors as long as these.
    pub fn is_within_limits(&self) -> bool {
        self.leaf_bits().max(self.column_bits()) + self.batch_bits() <= limits::MAX_COMMITTED_BITS
    }

    /// b.
    pub fn batch_bits(&self) -> usize {
        log2_ceil(self.batch)
    }

    /// log₂ of the padded leaf entries.
    pub fn leaf_bits(&self) -> usize {
        log2_ceil(self.leaves)
    }

    /// log₂ of the padded committed entries.
    pub fn column_bits(&self) -> usize {
        log2_ceil(self.columns)
    }

    /// How the committed columns stand in their matrix.
    pub fn shape(&self) -> Shape {
        let b = self.batch_bits();
        let used = (self.columns << b).max(1);
        Shape::new(used, self.column_bits() + b, Code::of_batch(used))
    }

    /// Entries of all forms over one sample: values, committed entries and leaves.
    pub fn form_entries(&self) -> usize {
        let lens = self.gates.values().iter().map(|value| value.len);
        lens.chain([self.columns, self.leaves]).fold(0, usize::saturating_add)
    }

    /// Leaf entries that are look-ups.
    pub fn lookups(&self) -> usize {
        self.tables.first().map_or(self.leaves, |placed| placed.leaf)
    }

    /// Turns the claims at a leaf point, numerator + λ·denominator, into a linear form that must come to the returned value.
    /// `forms` must be zero before.
    pub fn reduce(&self, leaf: &Leaf, fingerprint: &Fingerprint, lambda: Ext, forms: &mut Forms) -> Ext {
        let (entries, samples) = leaf.point.split_at(self.leaf_bits());
        let (e, real) = (eq_prefix(entries, self.leaves), ones(samples, self.batch));
        // What is public of Σ e·(numerator + λ·denominator): beyond the leaves in use it is λ.
        let used: Ext = e.iter().sum();
        let looked_up: Ext = e[..self.lookups()].iter().sum();
        let mut public = looked_up * real + lambda * (Ext::ONE - used);
        let factors = fingerprint.powers.map(|power| -(lambda * power));
        for step in &self.steps {
            for start in (0..step.len).step_by(BLOCK) {
                let block = start..(start + BLOCK).min(step.len);
                for (i, (table, lookup)) in step.lookups.iter().enumerate() {
                    let e = &e[step.leaf + i * step.len..][block.clone()];
                    let sum: Ext = e.iter().sum();
                    public += lambda * fingerprint.padding(*table) * sum;
                    for (factor, affine) in factors.iter().zip(&lookup.tuple) {
                        public += scale(factor, affine.constant) * sum * real;
                        for (operand, coefficient) in &affine.terms {
                            let Some(form) = self.operand(step, *operand, forms).get_mut(block.clone())
                            else {
                                continue;
                            };
                            let factor = scale(factor, *coefficient);
                            form.iter_mut().zip(e).for_each(|(to, e)| *to += factor * e);
                        }
                    }
                }
            }
        }
        let by_sample = eq_table(samples);
        for (number, placed) in self.tables.iter().enumerate() {
            let e = &e[placed.leaf..][..placed.entries];
            let multiplicities = forms.columns[placed.column..].iter_mut();
            multiplicities.zip(e).for_each(|(to, e)| *to -= e);
            let mut rows = Ext::ZERO;
            for (block, e) in e.iter().enumerate() {
                let first = block << samples.len();
                let row =
                    |(i, w): (usize, &Ext)| *w * fingerprint.denominator(number, &placed.row(first + i));
                rows += *e * by_sample.iter().enumerate().map(row).sum::<Ext>();
            }
            public += lambda * rows;
        }
        leaf.numerator + lambda * leaf.denominator - public
    }

    /// The form over one operand of a step; an empty one where it is absent.
    fn operand<'f>(&self, step: &Step, operand: Operand, forms: &'f mut Forms) -> &'f mut [Ext] {
        let Gate::Clamp { input, base, .. } = &self.gates.values()[step.value].gate else {
            return &mut [];
        };
        match (operand, base) {
            (Operand::Input, _) => forms.of(self, *input),
            (Operand::Base, Some(base)) => forms.of(self, *base),
            (Operand::Base, None) => &mut [],
            (Operand::Column(i), _) => &mut forms.columns[step.column + i * step.len..][..step.len],
        }
    }

    /// No form at all.
    pub fn forms(&self) -> Forms {
        Forms { values: vec![Vec::new(); self.gates.values().len()], columns: vec![Ext::ZERO; self.columns] }
    }
}

impl Placed {
    /// The tuple in a row; rows beyond the table repeat its last.
    pub fn row(&self, row: usize) -> [i64; WIDTH] {
        self.table.tuple(row.min(self.table.len() - 1))
    }
}
