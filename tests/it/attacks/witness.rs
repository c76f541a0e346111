//! A `succinct` prover over explicit values: slow, scalar, and willing to prove anything.
//!
//! Every value and every committed column is a vector of field elements, entries × padded samples, and what a proof says is computed
//! from them and from nothing else: denominators from the look-ups' affine forms, multiplicities from the tuples that do stand in their
//! tables. A liar changes cells while they are made ([`Explicit::new`]), so that all after them follows from the lie, or afterwards.

mod prover;

use std::collections::HashMap;

use serin::prover::Model;
use serin::prover::infer::Trace;
use serin::prover::revealed;
use serin_circuits::field::{Ext, Fp, MODULUS, from_i64, lift};
use serin_circuits::gates::{Gate, Map, Term};
use serin_circuits::graph::Linear;
use serin_circuits::poly::dot;
use serin_circuits::relation::clamp::{Lookup, Operand};
use serin_circuits::relation::table::WIDTH;
use serin_circuits::tensor::Tensor;
use serin_circuits::weights::LinearWeights;
use serin_verifier::lookup::fractions::{Fractions, Layers};
use serin_verifier::lookup::plan::{Fingerprint, Plan, Step};
use serin_verifier::script::Coins;
use serin_verifier::statement::Statement;
use serin_verifier::verify::prove_succinct;

use self::prover::Committed;

/// A cell that is being made: an accumulator, or an entry of a clamp with its columns.
#[derive(Clone, Copy)]
pub(super) struct Made {
    pub(super) value: usize,
    pub(super) sample: usize,
    /// What a clamp rounds, and what it is added to.
    pub(super) z: i64,
    pub(super) base: i64,
}

/// Grows the tree over numerators and denominators.
pub(super) type Grow = dyn Fn(Vec<Ext>, Vec<Ext>) -> Box<dyn Fractions>;

/// What a claim has too much, at r_n.
pub(super) type Excess = dyn Fn(&[Ext]) -> Ext;

/// Everything a proof is about, in the open.
pub(super) struct Explicit<'a> {
    pub(super) plan: Plan,
    used: &'a Model,
    committed: revealed::Witness<'a>,
    pub(super) values: Vec<Vec<Fp>>,
    pub(super) columns: Vec<Fp>,
    /// Added to a leaf's numerator.
    pub(super) vouched: Option<(usize, Ext)>,
    pub(super) grow: Box<Grow>,
    /// What the claim on the columns is off by, for whoever knows the coin that every round draws.
    pub(super) off: Option<Box<Excess>>,
    /// The true accumulators of linear nodes of which others are said, for the same.
    pub(super) truth: Vec<Option<Vec<Fp>>>,
    round: Ext,
    opening: Option<Committed>,
}

impl<'a> Explicit<'a> {
    /// Computes everything by `used`'s weights, each cell passing through `lie`, and counts what is found in the tables. `committed` and
    /// any trace of it are what the weights' side is proved with.
    pub(super) fn new(
        plan: &Plan,
        used: &'a Model,
        (committed, trace): (&'a Model, &'a Trace),
        inputs: &Tensor,
        lie: &mut dyn FnMut(Made, &mut [Fp]),
    ) -> Self {
        let mut new = Self {
            plan: plan.clone(),
            used,
            committed: revealed::Witness::new(committed, trace),
            values: Vec::new(),
            columns: vec![Fp::default(); plan.columns << plan.batch_bits()],
            vouched: None,
            grow: Box::new(|numerators, denominators| Box::new(Layers::new(numerators, denominators))),
            off: None,
            truth: vec![None; used.weights().tensors().len()],
            round: Ext::default(),
            opening: None,
        };
        let mut steps = plan.steps.iter();
        for (index, value) in plan.gates.values().iter().enumerate() {
            let len = value.len * new.width();
            let made = match &value.gate {
                Gate::Input => new.input(inputs),
                Gate::Linear { linear_index, geometry, input } => {
                    let tensors = &used.weights().tensors()[*linear_index];
                    let mut sums = new.linear(geometry, tensors, &new.values[*input], len);
                    for (at, sum) in sums.iter_mut().enumerate() {
                        let made = Made { value: index, sample: at % new.width(), z: 0, base: 0 };
                        lie(made, std::slice::from_mut(sum));
                    }
                    sums
                }
                Gate::Affine(terms) => new.affine(terms, len),
                Gate::Clamp { input, base, .. } => new.clamp(steps.next().unwrap(), *input, *base, lie),
            };
            new.values.push(made);
        }
        new.count();
        new
    }

    /// Whoever knows the coin that every round draws.
    pub(super) fn told(mut self, round: Ext) -> Self {
        self.round = round;
        self
    }

    /// Padded samples.
    pub(super) fn width(&self) -> usize {
        1 << self.plan.batch_bits()
    }

    /// What the last value comes to.
    pub(super) fn outputs(&self) -> Tensor {
        let (last, batch) = (self.values.last().unwrap(), self.plan.batch);
        let len = last.len() / self.width();
        let at = |i: usize| signed(last[i % len * self.width() + i / len]) as i32;
        Tensor::new(batch, self.used.graph().output().shape.as_slice(), (0..batch * len).map(at).collect())
            .unwrap()
    }

    /// Commits to the columns and proves.
    pub(super) fn prove<C: Coins>(&mut self, coins: C, statement: &Statement<'_>) -> Vec<u8> {
        self.opening = Some(Committed::new(&self.columns, self.plan.shape()));
        prove_succinct(coins, statement, &self.plan, self).unwrap()
    }

    fn input(&self, inputs: &Tensor) -> Vec<Fp> {
        let (len, width) = (inputs.sample_len(), self.width());
        let mut values = vec![Fp::default(); len * width];
        for (i, v) in inputs.values().iter().enumerate() {
            values[i % len * width + i / len] = from_i64((*v).into());
        }
        values
    }

    fn linear(&self, linear: &Linear, tensors: &LinearWeights, x: &[Fp], len: usize) -> Vec<Fp> {
        let ([height, width], [_, out_width]) = (linear.image, linear.output_image());
        let (samples, positions) = (self.width(), linear.output_image().iter().product::<usize>());
        let [kernel_height, kernel_width] = linear.window.kernel;
        let sum = |at: usize| {
            let (sample, channel, position) =
                (at % samples, at / samples / positions, at / samples % positions);
            let mut sum =
                if sample < self.plan.batch { from_i64(tensors.bias[channel].into()) } else { Fp::default() };
            let mut weights = tensors.weight[channel * linear.fan_in()..].iter();
            for c in (0..linear.channels).map(|c| channel / linear.outputs * linear.channels + c) {
                for (d0, d1) in (0..kernel_height).flat_map(|d0| (0..kernel_width).map(move |d1| (d0, d1))) {
                    let weight = from_i64((*weights.next().unwrap()).into());
                    let q0 = linear.window.source(0, position / out_width, d0, height);
                    let q1 = linear.window.source(1, position % out_width, d1, width);
                    if let Some((q0, q1)) = q0.zip(q1) {
                        sum += weight * x[((c * height + q0) * width + q1) * samples + sample];
                    }
                }
            }
            sum
        };
        (0..len).map(sum).collect()
    }

    fn affine(&self, terms: &[Term], len: usize) -> Vec<Fp> {
        let (mut sum, width) = (vec![Fp::default(); len], self.width());
        for Term { value, coefficient, map } in terms {
            let (source, coefficient) = (&self.values[*value], from_i64(*coefficient));
            let mut add = |to: usize, from: usize| sum[to] += coefficient * source[from];
            match map {
                Map::Same => (0..len).for_each(|i| add(i, i)),
                Map::Pairs(pairs) => pairs
                    .iter()
                    .flat_map(|pair| (0..width).map(move |n| pair.map(|i| i as usize * width + n)))
                    .for_each(|[to, from]| add(to, from)),
            }
        }
        sum
    }

    fn clamp(
        &mut self,
        step: &Step,
        input: usize,
        base: Option<usize>,
        lie: &mut dyn FnMut(Made, &mut [Fp]),
    ) -> Vec<Fp> {
        let Gate::Clamp { clamp, .. } = &self.plan.gates.values()[step.value].gate else { unreachable!() };
        let lookups = clamp.lookups();
        let firsts: Vec<i64> = lookups.iter().map(|lookup| lookup.table.first()).collect();
        let (width, batch) = (self.width(), self.plan.batch);
        for at in 0..step.len * width {
            let (mut parts, mut rows) = (vec![0; clamp.columns()], vec![0; lookups.len()]);
            let z = signed(self.values[input][at]);
            let base = base.map_or(0, |base| signed(self.values[base][at]));
            if at % width < batch {
                clamp.fill(z, base, &firsts, &mut parts, &mut rows);
            }
            let mut cells: Vec<Fp> = parts.iter().map(|v| from_i64((*v).into())).collect();
            lie(Made { value: step.value, sample: at % width, z, base }, &mut cells);
            for (i, cell) in cells.iter().enumerate() {
                self.columns[(step.column + i * step.len) * width + at] = *cell;
            }
        }
        self.columns[step.column * width..][..step.len * width].to_vec()
    }

    fn operand(&self, step: &Step, operand: Operand, at: usize) -> Fp {
        let Gate::Clamp { input, base, .. } = &self.plan.gates.values()[step.value].gate else {
            unreachable!()
        };
        match operand {
            Operand::Input => self.values[*input][at],
            Operand::Base => base.map_or(Fp::default(), |base| self.values[base][at]),
            Operand::Column(i) => self.columns[(step.column + i * step.len) * self.width() + at],
        }
    }

    /// What is looked up at an entry and sample.
    fn tuple(&self, step: &Step, lookup: &Lookup, at: usize) -> [Fp; WIDTH] {
        let real = from_i64((at % self.width() < self.plan.batch).into());
        let mut tuple = [Fp::default(); WIDTH];
        for (slot, affine) in tuple.iter_mut().zip(&lookup.tuple) {
            *slot = affine.constant * real;
            for (operand, coefficient) in &affine.terms {
                *slot += *coefficient * self.operand(step, *operand, at);
            }
        }
        tuple
    }

    /// Counts every look-up of a real sample that stands in its table; the others nowhere.
    fn count(&mut self) {
        let rows: Vec<HashMap<[u64; WIDTH], usize>> = self
            .plan
            .tables
            .iter()
            .map(|placed| {
                let key = |row| (placed.row(row).map(|v| from_i64(v).value), row);
                (0..placed.table.len()).map(key).collect()
            })
            .collect();
        let mut counted = Vec::new();
        for step in &self.plan.steps {
            for (table, lookup) in &step.lookups {
                let real = (0..step.len * self.width()).filter(|at| at % self.width() < self.plan.batch);
                let tuples = real.map(|at| self.tuple(step, lookup, at).map(|v| v.value));
                let first = self.plan.tables[*table].column * self.width();
                counted.extend(tuples.filter_map(|tuple| Some(first + rows[*table].get(&tuple)?)));
            }
        }
        counted.into_iter().for_each(|cell| self.columns[cell] += from_i64(1));
    }

    /// Numerators and denominators.
    pub(super) fn leaves(&self, fingerprint: &Fingerprint) -> [Vec<Ext>; 2] {
        let width = self.width();
        // β^k, as the denominators of the unit tuples have it.
        let unit = |k: usize| std::array::from_fn(|i| i64::from(i == k));
        let power = |k: usize| fingerprint.padding(0) - fingerprint.denominator(0, &unit(k));
        let powers: [Ext; WIDTH] = std::array::from_fn(power);
        let (mut numerators, mut denominators) = (Vec::new(), Vec::new());
        for step in &self.plan.steps {
            for (table, lookup) in &step.lookups {
                for at in 0..step.len * width {
                    numerators.push(Ext::from(u64::from(at % width < self.plan.batch)));
                    let terms = self.tuple(step, lookup, at).map(lift);
                    denominators.push(fingerprint.padding(*table) - dot(&powers, &terms));
                }
            }
        }
        for (number, placed) in self.plan.tables.iter().enumerate() {
            for row in 0..placed.entries * width {
                numerators.push(-lift(self.columns[placed.column * width + row]));
                denominators.push(fingerprint.denominator(number, &placed.row(row)));
            }
        }
        if let Some((leaf, more)) = self.vouched {
            numerators[leaf] += more;
        }
        numerators.resize(1 << (self.plan.leaf_bits() + self.plan.batch_bits()), Ext::default());
        denominators.resize(numerators.len(), Ext::from(1u64));
        [numerators, denominators]
    }
}

/// The integer of least magnitude.
pub(super) fn signed(v: Fp) -> i64 {
    if v.value > MODULUS / 2 { v.value.wrapping_sub(MODULUS) as i64 } else { v.value as i64 }
}
