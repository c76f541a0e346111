//! The witness of a `succinct` proof: the committed columns of a batch, and the sums over them.
//!
//! *Memory*, besides the model and the trace (4 bytes an activation): a committed entry of a sample takes 4 bytes and 8/ρ for its code;
//! a look-up 4 for its row. The fraction tree takes 24 bytes a leaf while it is begun and 56 at its height, and gives back a layer with every
//! layer it descends; values of the graph are 8 bytes each and dropped after their last reader. All in all about 100 bytes a leaf and padded
//! sample at the peak, which [`crate::protocol::Host`] bounds by its largest batch.

use serin_circuits::codec::Digest;
use serin_circuits::field::Ext;
use serin_circuits::poly::{dot, dot_rows, eq_table};
use serin_circuits::relation::linear::{Point, output_cube};
use serin_circuits::tensor::Tensor;
use serin_verifier::commit::Opener;
use serin_verifier::layer::claims::ClaimsProver;
use serin_verifier::layer::linear::LinearProver;
use serin_verifier::layer::succinct::{FormProver, Prover};
use serin_verifier::lookup::fractions::Fractions;
use serin_verifier::lookup::plan::{Fingerprint, Plan};
use serin_verifier::sumcheck::Rounds;

use super::Model;
use super::columns::Columns;
use super::commit::Commitment;
use super::infer::Trace;
use super::kernels::fractions::Tree;
use super::kernels::table::{Product, Table};
use super::layers::Layers;

/// A model, the trace of one batch, and its committed columns.
pub struct Witness<'a> {
    layers: Layers<'a>,
    plan: &'a Plan,
    columns: Columns,
    commitment: Commitment,
}

impl<'a> Witness<'a> {
    /// The witness that `trace` came from `inputs` by `model`; commits to the columns.
    pub fn new(model: &'a Model, plan: &'a Plan, inputs: &Tensor, trace: &'a Trace) -> Self {
        let (columns, vector) = Columns::of(plan, inputs, trace);
        let commitment = Commitment::new(vector, plan.shape());
        Self { layers: Layers::new(model, trace), plan, columns, commitment }
    }
}

impl Witness<'_> {
    /// The committed vector without the matrix's padding.
    fn committed(&self) -> &[i32] {
        &self.commitment.vector[..self.plan.columns << self.plan.batch_bits()]
    }
}

impl Prover for Witness<'_> {
    fn root(&self) -> Digest {
        *self.commitment.root()
    }

    fn fractions(&self, plan: &Plan, fingerprint: &Fingerprint) -> Box<dyn Fractions + '_> {
        let (numerators, denominators) = self.columns.leaves(plan, fingerprint, self.committed());
        Box::new(Tree::new(plan.leaf_bits() + plan.batch_bits(), numerators, denominators))
    }

    fn accumulators(&self, linear_index: usize, form: &[Ext], sample: &[Ext]) -> Box<dyn FormProver + '_> {
        let (linear, values) = self.layers.accumulators(linear_index, sample);
        let cube = |values: &[Ext]| output_cube(linear, values).into_iter().collect();
        Box::new(Accumulators { value: dot(form, &values), sum: Product::new(cube(form), cube(&values)) })
    }

    fn linear(&self, linear_index: usize, point: &Point) -> Box<dyn LinearProver> {
        self.layers.linear(linear_index, point)
    }

    fn columns(&self, form: &[Ext], sample: &[Ext]) -> Box<dyn Rounds + '_> {
        let values = dot_rows(self.committed(), &eq_table(sample), self.commitment.magnitude);
        let len = 1 << self.plan.column_bits();
        let padded = |values: &[Ext]| Table::padded(values.iter().copied(), len);
        Box::new(Product::new(padded(form), padded(&values)))
    }

    fn opener(&self) -> &dyn Opener {
        &self.commitment
    }

    fn weights(&self) -> &dyn ClaimsProver {
        &self.layers
    }
}

/// A form over a linear node's accumulators.
struct Accumulators {
    value: Ext,
    sum: Product,
}

impl Rounds for Accumulators {
    fn round(&mut self) -> [Ext; 2] {
        self.sum.round()
    }

    fn bind(&mut self, r: Ext) {
        self.sum.bind(r);
    }
}

impl FormProver for Accumulators {
    fn value(&self) -> Ext {
        self.value
    }

    fn end(&self) -> Ext {
        self.sum.ends()[1]
    }
}
