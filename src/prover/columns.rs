//! The integers behind a `succinct` proof: every committed column of a batch, and the row each look-up finds.
//!
//! Everything here is laid out entry by entry with the samples innermost, as [`serin_verifier::lookup::plan`] has it. Values are computed
//! gate by gate and dropped after their last reader; accumulators are taken from the trace.

use p3_field::PrimeCharacteristicRing;
use p3_goldilocks::Goldilocks;
use serin_circuits::field::{Ext, from_i64};
use serin_circuits::gates::{Gate, Map, Term};
use serin_circuits::tensor::Tensor;
use serin_verifier::lookup::plan::{Fingerprint, Placed, Plan, Step};

use super::infer::Trace;
use super::kernels::table::{Table, goldilocks};

/// The rows that the look-ups of one batch find.
pub(super) struct Columns {
    /// For each look-up of each real sample its row.
    rows: Vec<u32>,
}

impl Columns {
    /// Computes everything from a trace of `inputs`; the committed vector, entries × padded samples, stands apart.
    pub(super) fn of(plan: &Plan, inputs: &Tensor, trace: &Trace) -> (Self, Vec<i32>) {
        let mut vector = vec![0; plan.columns << plan.batch_bits()];
        let mut columns = Self { rows: vec![0; plan.lookups() * plan.batch] };
        let values = plan.gates.values();
        let mut last_reader = vec![0; values.len()];
        for (index, value) in values.iter().enumerate() {
            sources(&value.gate).for_each(|source| last_reader[source] = index);
        }
        let mut made: Vec<Vec<i64>> = Vec::with_capacity(values.len());
        let mut steps = plan.steps.iter();
        for (index, value) in values.iter().enumerate() {
            let now = match &value.gate {
                Gate::Input => by_entry(inputs),
                Gate::Linear { linear_index, .. } => by_entry(&trace.layers()[*linear_index].accumulators),
                Gate::Affine(terms) => affine(terms, &made, value.len * plan.batch, plan.batch),
                Gate::Clamp { input, base, .. } => {
                    let z = Rounded { z: &made[*input], base: base.map(|base| &made[base][..]) };
                    steps.next().map_or_else(Vec::new, |step| columns.fill(plan, step, z, &mut vector))
                }
            };
            made.push(now);
            for source in sources(&value.gate) {
                if last_reader[source] == index {
                    made[source] = Vec::new();
                }
            }
        }
        columns.count(plan, &mut vector);
        (columns, vector)
    }

    /// Fills one clamp's columns and rows, and returns its value.
    fn fill(&mut self, plan: &Plan, step: &Step, from: Rounded<'_>, vector: &mut [i32]) -> Vec<i64> {
        let Rounded { z, base } = from;
        let Gate::Clamp { clamp, .. } = &plan.gates.values()[step.value].gate else {
            return Vec::new();
        };
        let (batch, width) = (plan.batch, 1 << plan.batch_bits());
        let firsts: Vec<i64> =
            step.lookups.iter().map(|(table, _)| plan.tables[*table].table.first()).collect();
        let (mut parts, mut found) = (vec![0; clamp.columns()], vec![0; firsts.len()]);
        let mut out = vec![0; z.len()];
        for (at, (z, out)) in z.iter().zip(&mut out).enumerate() {
            let (entry, sample) = (at / batch, at % batch);
            clamp.fill(*z, base.map_or(0, |base| base[at]), &firsts, &mut parts, &mut found);
            *out = parts[0].into();
            for (i, v) in parts.iter().enumerate() {
                vector[(step.column + i * step.len + entry) * width + sample] = *v;
            }
            for (i, row) in found.iter().enumerate() {
                self.rows[(step.leaf + i * step.len + entry) * batch + sample] = *row;
            }
        }
        out
    }

    /// Counts how often each row was found.
    fn count(&self, plan: &Plan, vector: &mut [i32]) {
        let width = 1 << plan.batch_bits();
        for step in &plan.steps {
            for (i, (table, _)) in step.lookups.iter().enumerate() {
                let counts = &mut vector[plan.tables[*table].column * width..];
                let rows = &self.rows[(step.leaf + i * step.len) * plan.batch..][..step.len * plan.batch];
                rows.iter().for_each(|row| counts[*row as usize] += 1);
            }
        }
    }

    /// Numerators and denominators of all leaves in use. A look-up's denominator is its row's, so none is computed twice.
    pub(super) fn leaves(
        &self,
        plan: &Plan,
        fingerprint: &Fingerprint,
        vector: &[i32],
    ) -> (Vec<Goldilocks>, Table) {
        let width = 1 << plan.batch_bits();
        let rows = |(number, placed): (usize, &Placed)| -> Vec<Ext> {
            let row = |row| fingerprint.denominator(number, &placed.row(row));
            (0..placed.entries * width).map(row).collect()
        };
        let tables: Vec<Vec<Ext>> = plan.tables.iter().enumerate().map(rows).collect();
        let mut numerators = Vec::with_capacity(plan.leaves * width);
        let mut denominators = Table::with_capacity(plan.leaves * width);
        for step in &plan.steps {
            for (i, (number, _)) in step.lookups.iter().enumerate() {
                let rows = &self.rows[(step.leaf + i * step.len) * plan.batch..][..step.len * plan.batch];
                let (table, padding) = (&tables[*number], fingerprint.padding(*number));
                for rows in rows.chunks_exact(plan.batch) {
                    numerators.resize(numerators.len() + plan.batch, Goldilocks::ONE);
                    numerators.resize(numerators.len() + width - plan.batch, Goldilocks::ZERO);
                    rows.iter().for_each(|row| denominators.push(table[*row as usize]));
                    (plan.batch..width).for_each(|_| denominators.push(padding));
                }
            }
        }
        for (placed, table) in plan.tables.iter().zip(tables) {
            let counts = &vector[placed.column * width..][..placed.entries * width];
            numerators.extend(counts.iter().map(|m| goldilocks(from_i64(-i64::from(*m)))));
            table.into_iter().for_each(|row| denominators.push(row));
        }
        (numerators, denominators)
    }
}

/// What a clamp rounds, entries × samples, and what it adds the result to.
struct Rounded<'a> {
    z: &'a [i64],
    base: Option<&'a [i64]>,
}

fn sources(gate: &Gate) -> impl Iterator<Item = usize> {
    let list = match gate {
        Gate::Input => vec![],
        Gate::Linear { input, .. } => vec![*input],
        Gate::Affine(terms) => terms.iter().map(|term| term.value).collect(),
        Gate::Clamp { input, base, .. } => std::iter::once(*input).chain(*base).collect(),
    };
    list.into_iter()
}

/// A tensor's entries × samples.
fn by_entry(tensor: &Tensor) -> Vec<i64> {
    let (batch, len) = (tensor.batch(), tensor.sample_len());
    let mut values = vec![0; batch * len];
    for (n, sample) in tensor.values().chunks_exact(len.max(1)).enumerate() {
        sample.iter().enumerate().for_each(|(i, v)| values[i * batch + n] = i64::from(*v));
    }
    values
}

fn affine(terms: &[Term], made: &[Vec<i64>], len: usize, batch: usize) -> Vec<i64> {
    let mut sum = vec![0; len];
    for Term { value, coefficient, map } in terms {
        let source = &made[*value];
        match map {
            Map::Same => sum.iter_mut().zip(source).for_each(|(to, v)| *to += coefficient * v),
            Map::Pairs(pairs) => {
                for [to, from] in pairs {
                    let to = sum[*to as usize * batch..][..batch].iter_mut();
                    to.zip(&source[*from as usize * batch..]).for_each(|(to, v)| *to += coefficient * v);
                }
            }
        }
    }
    sum
}
