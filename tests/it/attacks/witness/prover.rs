//! What an explicit witness says: sums over its values at r_n, and the opening of its columns.

use serin::prover::commit::Commitment;
use serin_circuits::codec::Digest;
use serin_circuits::field::{Ext, Fp, lift};
use serin_circuits::gates::Gate;
use serin_circuits::graph::Linear;
use serin_circuits::poly::{dot, eq_table};
use serin_circuits::relation::linear::{Point, bias_at, bind_weights, output_cube, patches};
use serin_verifier::commit::{Opener, RowOpener, Shape, merkle};
use serin_verifier::layer::claims::ClaimsProver;
use serin_verifier::layer::linear::LinearProver;
use serin_verifier::layer::revealed::Prover as _;
use serin_verifier::layer::succinct::{FormProver, Prover};
use serin_verifier::lookup::fractions::Fractions;
use serin_verifier::lookup::plan::{Fingerprint, Plan};
use serin_verifier::sumcheck::{Rounds, Tables};

use super::super::checks::tree;
use super::super::forger::Patched;
use super::Explicit;

/// A vector at r_n.
fn at_sample(vector: &[Fp], sample: &[Ext]) -> Vec<Ext> {
    let weights = eq_table(sample);
    let entry = |row: &[Fp]| row.iter().zip(&weights).map(|(v, e)| lift(*v) * e).sum();
    vector.chunks_exact(weights.len()).map(entry).collect()
}

impl Explicit<'_> {
    /// A linear node's value, its geometry, and the value it reads.
    fn node(&self, linear_index: usize) -> (usize, &Linear, usize) {
        let found = self.plan.gates.values().iter().enumerate().find_map(|(value, made)| match &made.gate {
            Gate::Linear { linear_index: i, geometry, input } if *i == linear_index => {
                Some((value, geometry, *input))
            }
            _ => None,
        });
        found.unwrap()
    }
}

impl Prover for Explicit<'_> {
    fn root(&self) -> Digest {
        self.opening.as_ref().unwrap().tree.last().unwrap()[0]
    }

    fn fractions(&self, _: &Plan, fingerprint: &Fingerprint) -> Box<dyn Fractions + '_> {
        let [numerators, denominators] = self.leaves(fingerprint);
        (self.grow)(numerators, denominators)
    }

    fn accumulators(&self, linear_index: usize, form: &[Ext], sample: &[Ext]) -> Box<dyn FormProver + '_> {
        let (value, geometry, _) = self.node(linear_index);
        let sum = |values: &[Fp]| {
            Sum::new(output_cube(geometry, form), output_cube(geometry, &at_sample(values, sample)))
        };
        let said = sum(&self.values[value]);
        match &self.truth[linear_index] {
            None => Box::new(said),
            Some(truth) => {
                let truth = sum(truth);
                let off = said.value - truth.value;
                Box::new(Off { said: said.value, rounds: Patched::knowing(Box::new(truth), off, self.round) })
            }
        }
    }

    fn linear(&self, linear_index: usize, point: &Point) -> Box<dyn LinearProver> {
        let tensors = &self.used.weights().tensors()[linear_index];
        let (_, geometry, input) = self.node(linear_index);
        let x = at_sample(&self.values[input], &point.sample);
        let magnitude = tensors.weight.iter().map(|w| w.unsigned_abs()).max().unwrap_or(0);
        let weights = bind_weights(geometry, &tensors.weight, magnitude, &point.output);
        let tables = Tables::new(weights, patches(geometry, &x, point));
        Box::new(Node { tables, bias: bias_at(geometry, &tensors.bias, point) })
    }

    fn columns(&self, form: &[Ext], sample: &[Ext]) -> Box<dyn Rounds + '_> {
        let mut tables = [form.to_vec(), at_sample(&self.columns, sample)];
        tables.iter_mut().for_each(|table| table.resize(1 << self.plan.column_bits(), Ext::default()));
        let [form, vector] = tables;
        let sum = Sum::new(form, vector);
        match &self.off {
            None => Box::new(sum),
            Some(off) => {
                let (said, off) = (sum.value, off(sample));
                Box::new(Off { said, rounds: Patched::knowing(Box::new(sum), off, self.round) })
            }
        }
    }

    fn opener(&self) -> &dyn Opener {
        self.opening.as_ref().unwrap()
    }

    fn weights(&self) -> &dyn ClaimsProver {
        self.committed.weights()
    }
}

/// Field elements committed as Σ 2^(30i)·limb_i, each limb a vector of integers: the code is linear.
pub(super) struct Committed {
    limbs: [Commitment; 3],
    tree: Vec<Vec<Digest>>,
}

const LIMB_BITS: u32 = 30;

impl Committed {
    pub(super) fn new(vector: &[Fp], shape: Shape) -> Self {
        let limb = |i: u32| {
            let limb = vector.iter().map(|v| (v.value >> (LIMB_BITS * i) & ((1 << LIMB_BITS) - 1)) as i32);
            Commitment::new(limb.collect(), shape)
        };
        let mut new = Self { limbs: [0, 1, 2].map(limb), tree: Vec::new() };
        new.tree = tree(shape, |at| new.columns(&[at]));
        new
    }

    fn join<T: std::ops::AddAssign + std::ops::Mul<Output = T> + From<u64> + Copy>(
        &self,
        of: impl Fn(&Commitment) -> Vec<T>,
    ) -> Vec<T> {
        let mut joined = of(&self.limbs[0]);
        for (i, limb) in (1..).zip(&self.limbs[1..]) {
            let factor = T::from(1u64 << (LIMB_BITS * i));
            joined.iter_mut().zip(of(limb)).for_each(|(to, v)| *to += factor * v);
        }
        joined
    }
}

impl Opener for Committed {
    fn row(&self, weights: &[Ext]) -> Vec<Ext> {
        self.join(|limb| limb.row(weights))
    }

    fn columns(&self, positions: &[usize]) -> Vec<Fp> {
        self.join(|limb| limb.columns(positions))
    }

    fn siblings(&self, positions: &[usize]) -> Vec<Digest> {
        let nodes = merkle::siblings(positions, self.tree.len() - 1);
        nodes.into_iter().map(|(level, index)| self.tree[level][index]).collect()
    }

    fn commit_row(&self, row: Vec<Ext>, shape: Shape) -> Box<dyn RowOpener> {
        self.limbs[0].commit_row(row, shape)
    }
}

/// Σ form · vector.
struct Sum {
    tables: Tables,
    value: Ext,
}

impl Sum {
    fn new(form: Vec<Ext>, vector: Vec<Ext>) -> Self {
        let value = dot(&form, &vector);
        Self { tables: Tables::new(form, vector), value }
    }
}

impl Rounds for Sum {
    fn round(&mut self) -> [Ext; 2] {
        self.tables.round()
    }

    fn bind(&mut self, r: Ext) {
        self.tables.bind(r);
    }
}

impl FormProver for Sum {
    fn value(&self) -> Ext {
        self.value
    }

    fn end(&self) -> Ext {
        self.tables.ends()[1]
    }
}

/// A sum of which something else is said.
struct Off<'a> {
    said: Ext,
    rounds: Patched<dyn FormProver + 'a>,
}

impl Rounds for Off<'_> {
    fn round(&mut self) -> [Ext; 2] {
        self.rounds.round()
    }

    fn bind(&mut self, r: Ext) {
        self.rounds.bind(r);
    }
}

impl FormProver for Off<'_> {
    fn value(&self) -> Ext {
        self.said
    }

    fn end(&self) -> Ext {
        self.rounds.honest.end()
    }
}

/// A linear node's tables at a point.
struct Node {
    tables: Tables,
    bias: Ext,
}

impl Rounds for Node {
    fn round(&mut self) -> [Ext; 2] {
        self.tables.round()
    }

    fn bind(&mut self, r: Ext) {
        self.tables.bind(r);
    }
}

impl LinearProver for Node {
    fn bias(&self) -> Ext {
        self.bias
    }

    fn weight(&self) -> Ext {
        self.tables.ends()[0]
    }

    fn input(&self) -> Ext {
        self.tables.ends()[1]
    }
}
