//! What each check of the sub-protocols is there for: a cheat that passes all the others.
//!
//! The cheat answers with weights W' under the commitment to W. Wherever he must not contradict himself he works with W', and
//! at one rung of the ladder he changes over to W: there, and only there, he is caught.

use std::borrow::Cow;

use serin::prover::Model;
use serin::prover::revealed::Witness;
use serin_circuits::codec::Digest;
use serin_circuits::field::{Ext, Fp};
use serin_circuits::reference;
use serin_circuits::relation::linear::Point;
use serin_circuits::tensor::Tensor;
use serin_circuits::weights::Layout;
use serin_verifier::commit::{Opener, RowOpener, Shape, merkle, open};
use serin_verifier::layer::claims::{Claim, ClaimsProver};
use serin_verifier::layer::linear::LinearProver;
use serin_verifier::layer::revealed::{Prover, revealed};
use serin_verifier::layer::succinct::succinct;
use serin_verifier::lookup::plan::Plan;
use serin_verifier::rejection::{Fault, Place, Rejection};
use serin_verifier::script::{Checking, Coins, MerlinCoins, Proving, Script};
use serin_verifier::statement::Statement;
use serin_verifier::sumcheck::Rounds;
use serin_verifier::verify::{prove_revealed, verify, verify_with};

use super::forger::Told;
use super::{linear_place, model, rebuilt};
use crate::world::{Net, SESSION, batch};

/// One dense layer under W, the same under W', and the answer of W' to one question.
struct Two {
    committed: Model,
    used: Model,
    inputs: Tensor,
    outputs: Tensor,
}

impl Two {
    /// W' is W with every weight one more and every bias one less, so that in every output channel the differences add up to
    /// nothing at any point: W̃'(r_o, r_c) − W̃(r_o, r_c) = 1̃(r_o) = b̃(r_o) − b̃'(r_o). Eight inputs fill their axis.
    fn new() -> Self {
        let net = Net::new(31, &[8]).dense(3).finish();
        let graph = rebuilt(net.graph(), |_, _| ());
        let mut tensors = net.weights().tensors().to_vec();
        let committed = model(graph.clone(), tensors.clone());
        tensors[0].weight.iter_mut().for_each(|w| *w += 1);
        tensors[0].bias.iter_mut().for_each(|b| *b -= 1);
        let used = model(graph, tensors);
        let inputs = batch(used.graph(), 6, 1);
        let outputs = reference::infer(used.graph(), used.weights(), inputs.clone());
        assert_ne!(outputs, reference::infer(used.graph(), committed.weights(), inputs.clone()));
        Self { committed, used, inputs, outputs }
    }

    /// The false statement: the answer of W' under the commitment to W.
    fn statement(&self) -> Statement<'_> {
        self.committed.statement("s", &SESSION, &self.inputs, &self.outputs)
    }
}

/// A prover who takes each part from another witness.
struct Mixed<'a> {
    nodes: &'a Witness<'a>,
    merging: &'a Witness<'a>,
    row: &'a Witness<'a>,
    columns: &'a Witness<'a>,
}

impl Prover for Mixed<'_> {
    fn accumulators(&self, linear_index: usize) -> &[i32] {
        self.nodes.accumulators(linear_index)
    }

    fn linear(&self, linear_index: usize, point: &Point) -> Box<dyn LinearProver> {
        self.nodes.linear(linear_index, point)
    }

    fn weights(&self) -> &dyn ClaimsProver {
        self
    }
}

impl ClaimsProver for Mixed<'_> {
    fn rounds(&self, claims: &[Claim], weights: &[Ext]) -> Box<dyn Rounds + '_> {
        self.merging.weights().rounds(claims, weights)
    }

    fn opener(&self) -> &dyn Opener {
        self
    }
}

impl Opener for Mixed<'_> {
    fn row(&self, weights: &[Ext]) -> Vec<Ext> {
        self.row.weights().opener().row(weights)
    }

    fn columns(&self, positions: &[usize]) -> Vec<Fp> {
        self.columns.weights().opener().columns(positions)
    }

    fn siblings(&self, positions: &[usize]) -> Vec<Digest> {
        self.columns.weights().opener().siblings(positions)
    }

    fn commit_row(&self, row: Vec<Ext>, shape: Shape) -> Box<dyn RowOpener> {
        self.row.weights().opener().commit_row(row, shape)
    }
}

#[test]
fn cheat_at_each_rung_caught_by_one_check_and_believed_without_it() {
    let two = Two::new();
    let traces = [&two.committed, &two.used].map(|model| model.infer(&two.inputs));
    let [w, v] = [Witness::new(&two.committed, &traces[0]), Witness::new(&two.used, &traces[1])];
    let ladder = [
        (Mixed { nodes: &w, merging: &w, row: &w, columns: &w }, "product"),
        (Mixed { nodes: &v, merging: &w, row: &w, columns: &w }, "weights"),
        (Mixed { nodes: &v, merging: &v, row: &v, columns: &w }, "column"),
        (Mixed { nodes: &v, merging: &v, row: &v, columns: &v }, "path"),
    ];
    let statement = two.statement();
    for (cheat, check) in ladder {
        let proof = prove_revealed(MerlinCoins::new(), &statement, &cheat).unwrap();
        let Rejection { place, fault } = verify(&statement, &proof).unwrap_err();
        assert_eq!(name(&fault), check);
        let expected = match check {
            "product" => linear_place(statement.graph, 0),
            "weights" => Place::Claims,
            _ => Place::Opening,
        };
        assert_eq!(place, expected);
        believed_without(check, &statement, &proof)
            .unwrap_or_else(|r| panic!("without `{check}` still rejected: {r}"));
    }
}

fn name(fault: &Fault) -> &'static str {
    match fault {
        Fault::Product => "product",
        Fault::Weights => "weights",
        Fault::Column { .. } => "column",
        Fault::Path => "path",
        Fault::Lookup => "lookup",
        Fault::Fractions => "fractions",
        Fault::Columns => "columns",
        _ => "other",
    }
}

/// The verifier with one check left out.
fn believed_without(check: &'static str, statement: &Statement<'_>, proof: &[u8]) -> Result<(), Rejection> {
    believed(check, statement, statement.plan()?.as_ref(), proof)
}

/// The same under a plan of one's own.
pub(super) fn believed(
    skipped: &'static str,
    statement: &Statement<'_>,
    plan: Option<&Plan>,
    proof: &[u8],
) -> Result<(), Rejection> {
    let layout = statement.check()?;
    let inner = Checking::new(MerlinCoins::new(), statement.mode.header(), proof)?;
    let mut script = Weakened { inner, skipped, queries: None };
    statement.absorb(&mut script);
    match plan {
        None => revealed(&mut script, statement, &layout, None)?,
        Some(plan) => succinct(&mut script, statement, &layout, plan, None)?,
    }
    script.inner.finish().map(drop)
}

/// A script with one check left out, or with fewer columns opened.
struct Weakened<S> {
    inner: S,
    skipped: &'static str,
    queries: Option<usize>,
}

impl<S: Script> Script for Weakened<S> {
    fn message(
        &mut self,
        label: &'static str,
        len: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Cow<'_, [u8]>, Rejection> {
        self.inner.message(label, len, write)
    }

    fn absorb(&mut self, label: &'static str, bytes: &[u8]) {
        self.inner.absorb(label, bytes);
    }

    fn squeeze(&mut self, label: &'static str, out: &mut [u8]) {
        self.inner.squeeze(label, out);
    }

    fn enter(&mut self, place: Place) {
        self.inner.enter(place);
    }

    fn reject(&self, fault: impl Into<Fault>) -> Rejection {
        self.inner.reject(fault)
    }

    fn check_only<T>(&mut self, make: impl FnOnce() -> T) -> Option<T> {
        self.inner.check_only(make)
    }

    fn insist(&mut self, fault: Fault, holds: impl FnOnce() -> bool) -> Result<(), Rejection> {
        if name(&fault) == self.skipped { Ok(()) } else { self.inner.insist(fault, holds) }
    }

    fn positions(&mut self, label: &'static str, count: usize, bits: usize) -> Vec<usize> {
        self.inner.positions(label, self.queries.unwrap_or(count), bits)
    }
}

#[test]
fn claims_that_cancel_believed_when_merged_by_one_rejected_by_a_drawn_gamma() {
    let two = Two::new();
    let traces = [&two.committed, &two.used].map(|model| model.infer(&two.inputs));
    let [w, v] = [Witness::new(&two.committed, &traces[0]), Witness::new(&two.used, &traces[1])];
    let cheat = Mixed { nodes: &v, merging: &w, row: &w, columns: &w };
    let statement = two.statement();
    let by_one = || Told::new(&[("merge", [1, 0])]);
    let proof = prove_revealed(by_one(), &statement, &cheat).unwrap();
    verify_with(by_one(), &statement, &proof).expect("with γ = 1 two wrong claims cancel");
    let proof = prove_revealed(MerlinCoins::new(), &statement, &cheat).unwrap();
    assert_eq!(verify(&statement, &proof).unwrap_err(), Rejection::new(Place::Claims, Fault::Weights));
}

/// A committed vector whose codewords are damaged in the first `damaged` columns.
struct Damaged<'a> {
    whole: &'a dyn Opener,
    damaged: usize,
    tree: Vec<Vec<Digest>>,
}

impl<'a> Damaged<'a> {
    fn new(whole: &'a dyn Opener, shape: Shape, damaged: usize) -> Self {
        let mut new = Self { whole, damaged, tree: Vec::new() };
        new.tree = tree(shape, |at| new.columns(&[at]));
        new
    }
}

/// The Merkle tree over a code's columns, leaves first.
pub(super) fn tree(shape: Shape, column: impl Fn(usize) -> Vec<Fp>) -> Vec<Vec<Digest>> {
    let mut levels = vec![(0..shape.codeword()).map(|at| merkle::leaf(&column(at))).collect::<Vec<_>>()];
    for level in 0..shape.depth() {
        let next = levels[level].chunks_exact(2).map(|pair| merkle::node(&pair[0], &pair[1])).collect();
        levels.push(next);
    }
    levels
}

impl Opener for Damaged<'_> {
    fn row(&self, weights: &[Ext]) -> Vec<Ext> {
        self.whole.row(weights)
    }

    fn columns(&self, positions: &[usize]) -> Vec<Fp> {
        let column = |at: &usize| {
            let mut column = self.whole.columns(&[*at]);
            column[0] += Fp::from_raw(u64::from(*at < self.damaged));
            column
        };
        positions.iter().flat_map(column).collect()
    }

    fn siblings(&self, positions: &[usize]) -> Vec<Digest> {
        let nodes = merkle::siblings(positions, self.tree.len() - 1);
        nodes.into_iter().map(|(level, index)| self.tree[level][index]).collect()
    }

    fn commit_row(&self, row: Vec<Ext>, shape: Shape) -> Box<dyn RowOpener> {
        self.whole.commit_row(row, shape)
    }
}

#[test]
fn damaged_codewords_under_few_queries_caught_as_often_as_predicted() {
    let model = Net::new(41, &[16]).dense(16).finish();
    let layout = Layout::of(model.graph());
    let bits = layout.bits();
    let shape = Shape::of(&layout);
    // Just beyond the unique-decoding radius, (1 − ρ)/2 = 3/8 of the code.
    let damaged = shape.codeword() * 3 / 8 + 1;
    let opener = Damaged::new(model.commitment(), shape, damaged);
    let root = opener.tree[shape.depth()][0];
    let missed_once = 1.0 - damaged as f64 / shape.codeword() as f64;
    assert!(shape.code().log_inverse_rate() == 2 && missed_once < 5.0 / 8.0);
    for queries in [1, 2, 4] {
        let trials: u16 = 1000;
        let missed = (0..trials).filter(|trial| {
            let coins = || {
                let mut coins = MerlinCoins::new();
                coins.absorb("trial", &trial.to_le_bytes());
                coins
            };
            let mut proving =
                Weakened { inner: Proving::new(coins(), b""), skipped: "", queries: Some(queries) };
            let z = proving.coins("z", bits);
            open(&mut proving, shape, &root, &z, Some(&opener)).unwrap();
            let proof = proving.inner.finish();
            let checking = Checking::new(coins(), "", &proof).unwrap();
            let mut checking = Weakened { inner: checking, skipped: "", queries: Some(queries) };
            let z = checking.coins("z", bits);
            match open(&mut checking, shape, &root, &z, None) {
                Ok(_) => true,
                Err(Rejection { fault: Fault::Column { column }, .. }) if column < damaged => false,
                Err(other) => panic!("{other}"),
            }
        });
        let (p, n) = (missed_once.powi(queries as i32), f64::from(trials));
        let deviation = (missed.count() as f64 - p * n) / (n * p * (1.0 - p)).sqrt();
        assert!(
            deviation.abs() < 4.0,
            "{queries} queries: {deviation:.1} standard deviations from the prediction"
        );
    }
}
