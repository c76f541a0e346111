//! Small models with the truth about three questions, and what becomes of a lie about them.

use serin::prover::Model;
use serin::prover::infer::Trace;
use serin_circuits::field::Fp;
use serin_circuits::graph::{Builder, Op, Port, Wire};
use serin_circuits::relation::clamp::Lookup;
use serin_circuits::tensor::{Range, Tensor};
use serin_circuits::weights::Weights;
use serin_verifier::lookup::plan::Plan;
use serin_verifier::proof::Mode;
use serin_verifier::rejection::{Fault, Place, Rejection};
use serin_verifier::script::MerlinCoins;
use serin_verifier::statement::Statement;
use serin_verifier::verify::verify;

use super::checks::believed;
use super::witness::{Explicit, Made};
use crate::world::{Net, SESSION, batch, square};

/// A model and the truth about three questions, which leave one sample of padding.
pub(super) struct Scene {
    pub(super) model: Model,
    pub(super) inputs: Tensor,
    pub(super) trace: Trace,
    pub(super) plan: Plan,
}

/// What is left out.
pub(super) enum Absent {
    Check(&'static str),
    LookUps(fn(&Lookup) -> bool),
}

impl Scene {
    pub(super) fn new(model: Model) -> Self {
        let inputs = batch(model.graph(), 8, 3);
        let trace = model.infer(&inputs);
        let plan = Plan::of(model.graph(), 3).unwrap();
        Self { model, inputs, trace, plan }
    }

    pub(super) fn mlp() -> Self {
        Self::new(Net::new(51, &[8]).dense(16).rescale(0).dense(3).finish())
    }

    pub(super) fn pool() -> Self {
        Self::new(Net::new(52, &[1, 4, 4]).max_pool(square(2, 2, 0)).dense(3).finish())
    }

    /// One clamp over more quotients than one table holds.
    pub(super) fn split() -> Self {
        let range = Range { low: -(1 << 20), high: 1 << 20 };
        let mut builder = Builder::new(Port { shape: vec![24], exponent: 0, range }).unwrap();
        let op = Op::Rescale { shift: 0, low: -2000, high: 2500 };
        builder.push("rescale", op, &[Wire::INPUT], None).unwrap();
        let graph = builder.finish().unwrap();
        let weights = Weights::new(&graph, Vec::new()).unwrap();
        let mut new = Self::new(Model::new(graph, weights));
        // Quotients in every class of upper limbs.
        let values = new.inputs.values_mut();
        values.iter_mut().enumerate().for_each(|(i, v)| *v = (*v >> 9).clamp(-9000, 9000) + 100 * i as i32);
        new.trace = new.model.infer(&new.inputs);
        new
    }

    pub(super) fn statement<'a>(&'a self, outputs: &'a Tensor) -> Statement<'a> {
        let mode = Mode::Succinct;
        Statement { mode, ..self.model.statement("s", &SESSION, &self.inputs, outputs) }
    }

    /// The witness of the truth, but for what `lie` changes.
    pub(super) fn witness(&self, plan: &Plan, lie: &mut dyn FnMut(Made, &mut [Fp])) -> Explicit<'_> {
        Explicit::new(plan, &self.model, (&self.model, &self.trace), &self.inputs, lie)
    }

    /// The first cell of a real sample for which `lie` is true is what it made of it.
    pub(super) fn lied(&self, plan: &Plan, lie: &dyn Fn(Made, &mut [Fp]) -> bool) -> Explicit<'_> {
        let mut done = false;
        let witness = self.witness(plan, &mut |made, cells| {
            let mut changed = cells.to_vec();
            if !done && made.sample < self.plan.batch && lie(made, &mut changed) {
                cells.copy_from_slice(&changed);
                done = true;
            }
        });
        assert!(done, "no cell takes the lie");
        witness
    }

    /// A lie is caught, and believed without what is absent.
    pub(super) fn assert_caught(
        &self,
        name: &str,
        lie: &dyn Fn(Made, &mut [Fp]) -> bool,
        expected: Rejection,
        absent: Absent,
    ) {
        let mut witness = self.lied(&self.plan, lie);
        let outputs = witness.outputs();
        assert_ne!(outputs, *self.trace.output(), "{name}: nothing is false");
        let statement = self.statement(&outputs);
        let proof = witness.prove(MerlinCoins::new(), &statement);
        assert_eq!(verify(&statement, &proof).unwrap_err(), expected, "{name}");
        let (skipped, plan, proof) = match absent {
            Absent::Check(check) => (check, self.plan.clone(), proof),
            Absent::LookUps(of) => {
                let plan = without(&self.plan, of);
                let proof = self.lied(&plan, lie).prove(MerlinCoins::new(), &statement);
                ("", plan, proof)
            }
        };
        believed(skipped, &statement, Some(&plan), &proof)
            .unwrap_or_else(|r| panic!("{name} is still rejected: {r}"));
    }
}

/// A plan with some look-ups left out, and everything moved up.
fn without(plan: &Plan, out: fn(&Lookup) -> bool) -> Plan {
    let mut plan = plan.clone();
    plan.leaves = 0;
    for step in &mut plan.steps {
        step.lookups.retain(|(_, lookup)| !out(lookup));
        step.leaf = plan.leaves;
        plan.leaves += step.lookups.len() * step.len;
    }
    for placed in &mut plan.tables {
        placed.leaf = plan.leaves;
        plan.leaves += placed.entries;
    }
    plan
}

pub(super) fn not_in_its_table() -> Rejection {
    Rejection::new(Place::Lookups, Fault::Lookup)
}
