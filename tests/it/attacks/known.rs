//! What each coin of a `succinct` proof is there for: whoever knows it beforehand proves what is not so, and under merlin is caught.
//!
//! | coin | who knows it |
//! |---|---|
//! | alpha, beta | chooses two multiplicities that make any sum of fractions zero |
//! | beta, being 1 | looks up a tuple whose entries have another row's sum |
//! | fraction layer (λ) | says a root that is zero: its denominator takes up the difference |
//! | fraction round | patches the first round of a layer |
//! | fraction half (τ) | says halves that add up to zero, and meet the true ones at τ |
//! | leaf | moves what a numerator lacks into its denominator |
//! | answer, being 0 | alters an answer at which nobody looks |
//! | join, being 0 | gives any answer: it is joined to nothing |
//! | round, in a node | patches the sum over its accumulators |
//! | answer, join and round | patches the sum over the columns |
//!
//! Not here: "merge" and the positions of the opened columns, which stand in [`super::checks`] (one text serves both commitments; to use
//! positions known beforehand a forger would have to know the point of the opening too); the rounds of a linear node and of the merging,
//! which [`super::forger`] patches alike. One layer of the fraction tree stands for all.

use serin_circuits::field::{Ext, Fp, ext, from_i64, lift};
use serin_circuits::poly::eq_table;
use serin_circuits::tensor::Tensor;
use serin_verifier::lookup::fractions::{Fractions, Layers};
use serin_verifier::lookup::plan::Fingerprint;
use serin_verifier::rejection::{Fault, Place, Rejection};
use serin_verifier::script::MerlinCoins;
use serin_verifier::verify::{verify, verify_with};

use super::forger::{Known, Told};
use super::linear_place;
use super::scene::{Scene, not_in_its_table};
use super::witness::{Explicit, signed};

/// Every coin that somebody knows.
const COIN: [u64; 2] = [0x5eed, 0xc01d];

/// Its square: limbs a² + 7b² and 2ab.
const SQUARE: [u64; 2] = [COIN[0] * COIN[0] + 7 * COIN[1] * COIN[1], 2 * COIN[0] * COIN[1]];

fn coin() -> Ext {
    ext(Fp::from_raw(COIN[0]), Fp::from_raw(COIN[1]))
}

fn one() -> Ext {
    Ext::from(1u64)
}

/// The witness is believed by whoever's coins it knows, and rejected so under merlin.
fn assert_believed_only_when_known(
    scene: &Scene,
    witness: &mut Explicit<'_>,
    outputs: &Tensor,
    known: Known,
    expected: Rejection,
) {
    assert_ne!(outputs, scene.trace.output(), "nothing is false");
    let statement = scene.statement(outputs);
    let proof = witness.prove(Told::new(known), &statement);
    verify_with(Told::new(known), &statement, &proof).expect("whoever knows the coins can prove it");
    assert!(verify(&statement, &proof).is_err());
    let proof = witness.prove(MerlinCoins::new(), &statement);
    assert_eq!(verify(&statement, &proof).unwrap_err(), expected, "{known:?}");
}

/// One result too great by one.
pub(super) fn one_more(scene: &Scene) -> Explicit<'_> {
    let value = scene.plan.steps[0].value;
    scene.lied(&scene.plan, &|made, cells| {
        cells[0] += from_i64(1);
        made.value == value && (2..100).contains(&signed(cells[0]))
    })
}

/// One result too great by one, in a sum of fractions grown by `grow`.
fn assert_sum_forged_by(
    known: Known,
    expected: Rejection,
    grow: impl Fn(Vec<Ext>, Vec<Ext>) -> Box<dyn Fractions> + 'static,
) {
    let scene = Scene::mlp();
    let mut witness = one_more(&scene);
    witness.grow = Box::new(grow);
    let outputs = witness.outputs();
    assert_believed_only_when_known(&scene, &mut witness, &outputs, known, expected);
}

fn unsummed() -> Rejection {
    Rejection::new(Place::Lookups, Fault::Fractions)
}

fn activations() -> Rejection {
    Rejection::new(Place::Columns, Fault::Columns)
}

#[test]
fn sum_patched_by_whoever_knows_the_coins_of_its_first_layers_rejected_under_merlin() {
    assert_sum_forged_by(&[("fraction layer", COIN)], unsummed(), |p, q| {
        Box::new(Bent::new(p, q, At::Layer))
    });
    assert_sum_forged_by(&[("fraction half", COIN)], unsummed(), |p, q| Box::new(Bent::new(p, q, At::Half)));
    assert_sum_forged_by(&[("fraction round", COIN)], unsummed(), |p, q| {
        Box::new(Bent::new(p, q, At::Round))
    });
}

#[test]
fn leaf_forged_by_whoever_knows_its_coin_rejected_under_merlin() {
    assert_sum_forged_by(&[("leaf", COIN)], activations(), |mut p, mut q| {
        // Of p_0/q_0 the rest of the sum is −v: (p_0 + λd)/(q_0 − d) = v for d = (v·q_0 − p_0)/(λ + v), and p + λq stays.
        let rest = Layers::new([&[Ext::default()], &p[1..]].concat(), [&[one()], &q[1..]].concat());
        let [sum, of] = rest.root();
        let v = -sum / of;
        let d = (v * q[0] - p[0]) / (coin() + v);
        p[0] += coin() * d;
        q[0] -= d;
        Box::new(Layers::new(p, q))
    });
}

/// Two multiplicities altered so that the sum is zero at these α and β.
pub(super) fn balance(scene: &Scene, witness: &mut Explicit<'_>, fingerprint: &Fingerprint) {
    let [p, q] = witness.leaves(fingerprint);
    let [sum, of] = Layers::new(p, q.clone()).root();
    let placed = scene.plan.tables[0];
    // m_0·w_0 + m_1·w_1 = sum, limb by limb.
    let [v, w] = [0, 1].map(|row| one() / q[(placed.leaf << scene.plan.batch_bits()) + row]);
    let sum = sum / of;
    let det = v.c0 * w.c1 - v.c1 * w.c0;
    let multiplicities = [(sum.c0 * w.c1 - sum.c1 * w.c0) / det, (v.c0 * sum.c1 - v.c1 * sum.c0) / det];
    let cells = &mut witness.columns[placed.column << scene.plan.batch_bits()..];
    cells.iter_mut().zip(multiplicities).for_each(|(cell, m)| *cell += m);
}

#[test]
fn multiplicities_forged_by_whoever_knows_alpha_and_beta_rejected_under_merlin() {
    let scene = Scene::mlp();
    let mut witness = one_more(&scene);
    balance(&scene, &mut witness, &Fingerprint::new(coin(), coin() * coin()));
    let outputs = witness.outputs();
    let known: Known = &[("alpha", COIN), ("beta", SQUARE)];
    assert_believed_only_when_known(&scene, &mut witness, &outputs, known, not_in_its_table());
}

/// With β = 1 the fingerprint of (q, out) is q + out: (−d, d + 2) is taken for (1, 1).
#[test]
fn tuple_of_another_rows_sum_believed_with_beta_one_rejected_under_merlin() {
    let scene = Scene::pool();
    let value = scene.plan.steps.last().unwrap().value;
    let mut witness = scene.lied(&scene.plan, &|made, cells| {
        cells[0] += from_i64(2 - made.z);
        made.value == value && made.z < 0 && signed(cells[0]) < 128
    });
    let placed = scene.plan.tables[0];
    let row = usize::try_from(1 - placed.table.first()).unwrap();
    assert_eq!(placed.row(row), [1, 1, 0]);
    witness.columns[(placed.column << scene.plan.batch_bits()) + row] += from_i64(1);
    let outputs = witness.outputs();
    let known: Known = &[("beta", [1, 0])];
    assert_believed_only_when_known(&scene, &mut witness, &outputs, known, not_in_its_table());
}

/// The truth's answers, one changed.
pub(super) fn altered(scene: &Scene, at: usize) -> Tensor {
    let mut outputs = scene.trace.output().clone();
    outputs.values_mut()[at] += 1000;
    outputs
}

#[test]
fn answer_that_nobody_looks_at_believed_with_coins_of_zero_rejected_under_merlin() {
    for label in ["answer", "join"] {
        let scene = Scene::mlp();
        let known: Known = if label == "answer" { &[("answer", [0, 0])] } else { &[("join", [0, 0])] };
        let mut witness = scene.witness(&scene.plan, &mut |_, _| ());
        let outputs = altered(&scene, 1);
        assert_believed_only_when_known(&scene, &mut witness, &outputs, known, activations());
    }
}

#[test]
fn accumulators_forged_by_whoever_knows_the_rounds_rejected_under_merlin() {
    let scene = Scene::mlp();
    let honest = scene.witness(&scene.plan, &mut |_, _| ());
    let mut witness = scene.lied(&scene.plan, &|made, cells| {
        cells[0] += from_i64(1 << 10);
        made.value == 1 && (1 << 10..1 << 11).contains(&signed(cells[0]))
    });
    witness.truth[0] = Some(honest.values[1].clone());
    let mut witness = witness.told(coin());
    let outputs = witness.outputs();
    let expected = Rejection::new(linear_place(scene.model.graph(), 0), Fault::Product);
    assert_believed_only_when_known(&scene, &mut witness, &outputs, &[("round", COIN)], expected);
}

#[test]
fn answer_forged_by_whoever_knows_where_it_is_joined_rejected_under_merlin() {
    let scene = Scene::mlp();
    let outputs = altered(&scene, 4);
    // What the claim has too much: sample 1, entry 1 of 3, both in two variables.
    let at_entry = eq_table(&[coin(); 2])[1];
    let mut witness = scene.witness(&scene.plan, &mut |_, _| ()).told(coin());
    witness.off =
        Some(Box::new(move |sample| coin() * eq_table(sample)[1] * at_entry * lift(from_i64(1000))));
    let known: Known = &[("answer", COIN), ("join", COIN), ("round", COIN)];
    assert_believed_only_when_known(&scene, &mut witness, &outputs, known, activations());
}

/// Where a false sum is made to look like zero.
#[derive(Clone, Copy, PartialEq)]
enum At {
    Layer,
    Half,
    Round,
}

/// A tree over a sum that is not zero, by somebody who knows one coin.
struct Bent {
    honest: Layers,
    /// p0, p1, q0, q1 of the first layer.
    ends: [Ext; 4],
    at: At,
    /// Layers descended to, and what the claim on the one under way is off by.
    layer: usize,
    off: Ext,
}

impl Bent {
    fn new(p: Vec<Ext>, q: Vec<Ext>, at: At) -> Self {
        let mut first = Layers::new(p.clone(), q.clone());
        first.descend(&[], one());
        Self { honest: Layers::new(p, q), ends: first.ends(), at, layer: 0, off: Ext::default() }
    }

    /// p0·q1 + p1·q0, which is not zero.
    fn sum(&self) -> Ext {
        let [p0, p1, q0, q1] = self.ends;
        p0 * q1 + p1 * q0
    }
}

impl Fractions for Bent {
    fn root(&self) -> [Ext; 2] {
        let [_, _, q0, q1] = self.ends;
        let more = if self.at == At::Layer { self.sum() / coin() } else { Ext::default() };
        [Ext::default(), q0 * q1 + more]
    }

    fn descend(&mut self, point: &[Ext], lambda: Ext) {
        self.layer += 1;
        // The claim on the second layer stands at τ, and p0 was said to be less by sum/q1.
        if self.at == At::Round && self.layer == 2 {
            self.off = -(one() - point[0]) * self.sum() / self.ends[3] / (coin() - point[0]);
        }
        self.honest.descend(point, lambda);
    }

    fn round(&mut self, claim: Ext) -> [Ext; 2] {
        let [step, lead] = self.honest.round(claim);
        [step - std::mem::take(&mut self.off), lead]
    }

    fn bind(&mut self, r: Ext) {
        self.honest.bind(r);
    }

    fn ends(&mut self) -> [Ext; 4] {
        let [p0, p1, q0, q1] = self.honest.ends();
        match self.at {
            At::Half if self.layer == 1 => {
                let claimed = p0 + coin() * (p1 - p0);
                let high = claimed / (coin() - (one() - coin()) * q0 / q1);
                [-high * q0 / q1, high, q0, q1]
            }
            At::Round if self.layer == 1 => [p0 - self.sum() / q1, p1, q0, q1],
            _ => [p0, p1, q0, q1],
        }
    }
}
