//! Attacks that succeed once one thing is taken from the system, and fail while it is there.
//!
//! Flipping bytes does not test Fiat–Shamir: a verifier that binds all but the answer rejects every flip and still lets a
//! forger choose the answer last. So for each thing a proof binds there is a forgery here that is *believed* under frozen
//! coins ([`forger`]; coin by coin in `succinct`: [`known`]) and rejected under merlin; for each label absorbed a replay under a
//! transcript that forgets it, and for messages a second run ([`replayed`]). What each check of the sub-protocols holds off:
//! [`checks`]; what each look-up of `succinct` does: [`lies`] and [`padding`], by a prover of any [`witness`]; what comes of the
//! fast prover in bad hands: [`server`].

mod checks;
mod forger;
mod known;
mod lies;
mod padding;
mod replayed;
mod scene;
mod server;
mod witness;

use std::cell::RefCell;
use std::rc::Rc;

use serin::prover::Model;
use serin::prover::infer::Trace;
use serin::prover::revealed::Witness;
use serin_circuits::graph::{Builder, Graph, Node, Op};
use serin_circuits::reference;
use serin_circuits::tensor::{Range, Tensor};
use serin_circuits::weights::{Layout, LinearWeights, Weights};
use serin_verifier::proof::Mode;
use serin_verifier::rejection::{Fault, Place, Rejection};
use serin_verifier::script::{Coins, MerlinCoins, Proving};
use serin_verifier::statement::Statement;
use serin_verifier::verify::{prove_revealed, verify, verify_with};

use self::forger::{Forger, Frozen};
use crate::world::{Net, SESSION, batch};

/// Two dense layers, its honest answer, and room for other weights in the ranges of its graph.
struct Honest {
    model: Model,
    inputs: Tensor,
    trace: Trace,
}

impl Honest {
    fn new() -> Self {
        let net = Net::new(21, &[20]).dense(16).rescale(0).dense(4).finish();
        let model = model(rebuilt(net.graph(), |_, _| ()), net.weights().tensors().to_vec());
        let inputs = batch(model.graph(), 3, 1);
        let trace = model.infer(&inputs);
        Self { model, inputs, trace }
    }

    fn statement(&self) -> Statement<'_> {
        self.model.statement("s", &SESSION, &self.inputs, self.trace.output())
    }

    /// The same graph with weights changed.
    fn with_weights(&self, change: impl FnOnce(&mut [LinearWeights])) -> Model {
        let mut tensors = self.model.weights().tensors().to_vec();
        change(&mut tensors);
        model(self.model.graph().clone(), tensors)
    }

    /// A forger who says what `trace` holds and otherwise tells the truth.
    fn forger<'a>(&'a self, said: &'a Trace) -> Forger<'a> {
        Forger {
            graph: self.model.graph(),
            said: said.layers().iter().map(|layer| Tensor::clone(&layer.accumulators)).collect(),
            shown: vec![(&self.model, &self.trace); said.layers().len()],
            committed: Witness::new(&self.model, &self.trace),
            vector: self.model.weights().flatten(&Layout::of(self.model.graph())),
        }
    }
}

fn model(graph: Graph, tensors: Vec<LinearWeights>) -> Model {
    let weights = Weights::new(&graph, tensors).unwrap();
    Model::new(graph, weights)
}

/// A graph with nodes changed, and wide ranges declared for its accumulators.
fn rebuilt(graph: &Graph, change: impl Fn(usize, &mut Node)) -> Graph {
    let wide = Range { low: -(1 << 24), high: 1 << 24 };
    let mut builder = Builder::new(graph.input().clone()).unwrap();
    for (index, node) in graph.nodes().iter().enumerate() {
        let mut node = node.clone();
        change(index, &mut node);
        builder.push(&node.name, node.op, &node.inputs, Some(wide)).unwrap();
    }
    builder.finish().unwrap()
}

/// The place of a linear node.
fn linear_place(graph: &Graph, linear_index: usize) -> Place {
    let (index, _) = graph.linears().nth(linear_index).unwrap();
    Place::Node { index, name: graph.nodes()[index].name.clone() }
}

/// The statement is false, is proved under frozen coins, and is rejected so under merlin.
fn assert_forged_only_when_frozen(
    statement: &Statement<'_>,
    truth: &Model,
    forger: &Forger<'_>,
    expected: Rejection,
) {
    let answer = reference::infer(statement.graph, truth.weights(), statement.inputs.clone());
    assert_ne!(answer, *statement.outputs, "nothing to forge");
    let proof = prove_revealed(Frozen::default(), statement, forger).unwrap();
    verify_with(Frozen::default(), statement, &proof).expect("whoever knows the coins can prove anything");
    assert!(verify(statement, &proof).is_err());
    let proof = prove_revealed(MerlinCoins::new(), statement, forger).unwrap();
    assert_eq!(verify(statement, &proof).unwrap_err(), expected);
}

#[test]
fn outputs_forged_under_frozen_coins_rejected_under_merlin() {
    let honest = Honest::new();
    let mut outputs = honest.trace.output().clone();
    outputs.values_mut()[0] += 1000;
    let mut forger = honest.forger(&honest.trace);
    forger.said[1] = outputs.clone();
    let statement = Statement { outputs: &outputs, ..honest.statement() };
    let expected = Rejection::new(linear_place(statement.graph, 1), Fault::Product);
    assert_forged_only_when_frozen(&statement, &honest.model, &forger, expected);
}

#[test]
fn inputs_forged_under_frozen_coins_rejected_under_merlin() {
    let honest = Honest::new();
    let others = batch(honest.model.graph(), 4, 1);
    let trace = honest.model.infer(&others);
    let mut forger = honest.forger(&honest.trace);
    forger.shown[0] = (&honest.model, &trace);
    let statement = Statement { inputs: &others, ..honest.statement() };
    let expected = Rejection::new(linear_place(statement.graph, 0), Fault::Product);
    assert_forged_only_when_frozen(&statement, &honest.model, &forger, expected);
}

#[test]
fn activation_forged_under_frozen_coins_rejected_under_merlin() {
    let honest = Honest::new();
    // One accumulator of the first layer is said too large, and all that follows is computed from it.
    let shifted = honest.with_weights(|tensors| tensors[0].bias[5] += 1 << 16);
    let trace = shifted.infer(&honest.inputs);
    let said = [&trace, &honest.trace].map(|t| t.layers()[0].accumulators.values());
    assert_eq!(said[0].iter().zip(said[1]).filter(|(a, b)| a != b).count(), 1);
    let mut forger = honest.forger(&trace);
    forger.shown[1] = (&shifted, &trace);
    let statement = Statement { outputs: trace.output(), ..honest.statement() };
    let expected = Rejection::new(linear_place(statement.graph, 0), Fault::Product);
    assert_forged_only_when_frozen(&statement, &honest.model, &forger, expected);
}

#[test]
fn weights_forged_under_frozen_coins_rejected_under_merlin() {
    let honest = Honest::new();
    let cheaper = honest.with_weights(|tensors| tensors[1].weight[7] += 90);
    let trace = cheaper.infer(&honest.inputs);
    let mut forger = honest.forger(&trace);
    forger.shown.fill((&cheaper, &trace));
    let statement = Statement { outputs: trace.output(), ..honest.statement() };
    let expected = Rejection::new(Place::Claims, Fault::Weights);
    assert_forged_only_when_frozen(&statement, &honest.model, &forger, expected);
}

#[test]
fn graph_forged_under_frozen_coins_rejected_under_merlin() {
    let honest = Honest::new();
    let halved = rebuilt(honest.model.graph(), |_, node| {
        if let Op::Rescale { shift, .. } = &mut node.op {
            *shift += 1;
        }
    });
    let other = model(halved, honest.model.weights().tensors().to_vec());
    let trace = other.infer(&honest.inputs);
    let mut forger = honest.forger(&honest.trace);
    forger.graph = other.graph();
    forger.shown[1] = (&other, &trace);
    // The answer is that of the graph without the change.
    let statement = Statement { graph: other.graph(), ..honest.statement() };
    let expected = Rejection::new(linear_place(statement.graph, 1), Fault::Product);
    assert_forged_only_when_frozen(&statement, &honest.model, &forger, expected);
}

#[test]
fn session_and_server_replayed_under_frozen_coins_rejected_under_merlin() {
    let honest = Honest::new();
    let full = honest.statement();
    let replays = [Statement { session: &[8; 32], ..full }, Statement { server: "t", ..full }];
    let frozen = honest.model.prove_statement(Frozen::default(), &full, &honest.trace).unwrap();
    let real = honest.model.prove_statement(MerlinCoins::new(), &full, &honest.trace).unwrap();
    verify(&full, &real).unwrap();
    for replay in replays {
        verify_with(Frozen::default(), &replay, &frozen).expect("frozen coins know no session");
        let expected = Rejection::new(linear_place(full.graph, 0), Fault::Product);
        assert_eq!(verify(&replay, &real).unwrap_err(), expected);
    }
}

/// Merlin, but for one label.
struct Forgetful {
    merlin: MerlinCoins,
    label: &'static str,
}

impl Forgetful {
    fn new(label: &'static str) -> Self {
        Self { merlin: MerlinCoins::new(), label }
    }
}

impl Coins for Forgetful {
    fn absorb(&mut self, label: &'static str, bytes: &[u8]) {
        if label != self.label {
            self.merlin.absorb(label, bytes);
        }
    }

    fn squeeze(&mut self, label: &'static str, out: &mut [u8]) {
        self.merlin.squeeze(label, out);
    }
}

/// For each label: an honest proof shown for a statement that differs in that label alone.
///
/// Nothing but the transcript binds the server, the session and the names in the graph. Root, inputs, outputs and the meaning
/// of the graph also enter a check of their own, which stops a *replay*; the transcript still has to bind them, or a forger
/// would choose them after the coins. No statement differs in the batch alone, since
/// inputs of another batch have another length: that label is a second binding and has no line.
#[test]
fn replay_under_a_transcript_that_forgets_one_label_succeeds_where_nothing_else_binds_it() {
    Mode::ALL.into_iter().for_each(replays_succeed_where_nothing_else_binds);
}

fn replays_succeed_where_nothing_else_binds(mode: Mode) {
    let honest = Honest::new();
    let full = Statement { mode, ..honest.statement() };
    let renamed = rebuilt(full.graph, |index, node| node.name = format!("renamed{index}"));
    let mut root = *full.weights;
    root[0] ^= 1;
    let mut inputs = full.inputs.clone();
    inputs.values_mut()[3] ^= 1;
    let mut outputs = full.outputs.clone();
    outputs.values_mut()[3] ^= 1;

    // Where inputs and outputs are held against what was proved.
    let at = |linear_index| match mode {
        Mode::Revealed => Some(Rejection::new(linear_place(full.graph, linear_index), Fault::Product)),
        Mode::Succinct => Some(Rejection::new(Place::Columns, Fault::Columns)),
    };
    let replays = [
        ("graph", Statement { graph: &renamed, ..full }, None),
        ("weights", Statement { weights: &root, ..full }, Some(Rejection::new(Place::Opening, Fault::Path))),
        ("server", Statement { server: "t", ..full }, None),
        ("session", Statement { session: &[8; 32], ..full }, None),
        ("inputs", Statement { inputs: &inputs, ..full }, at(0)),
        ("outputs", Statement { outputs: &outputs, ..full }, at(1)),
    ];
    let mut labels = absorbed(&full);
    labels.retain(|label| *label != "batch");
    assert_eq!(
        replays.iter().map(|(label, ..)| *label).collect::<Vec<_>>(),
        labels,
        "a label without a replay"
    );
    for (label, replay, forgotten) in replays {
        let proof = honest.model.prove_statement(Forgetful::new(label), &full, &honest.trace).unwrap();
        let verdict = verify_with(Forgetful::new(label), &replay, &proof).err();
        assert_eq!(verdict, forgotten, "{label} forgotten");
        let proof = honest.model.prove_statement(MerlinCoins::new(), &full, &honest.trace).unwrap();
        let rejection = verify(&replay, &proof).unwrap_err();
        // The first check after the first coin.
        let first = match mode {
            Mode::Revealed => Rejection::new(linear_place(replay.graph, 0), Fault::Product),
            Mode::Succinct => Rejection::new(Place::Lookups, Fault::Fractions),
        };
        assert_eq!(rejection, first, "{label}");
    }
}

/// The labels that a statement absorbs.
fn absorbed(statement: &Statement<'_>) -> Vec<&'static str> {
    struct Listening(Rc<RefCell<Vec<&'static str>>>);
    impl Coins for Listening {
        fn absorb(&mut self, label: &'static str, _: &[u8]) {
            self.0.borrow_mut().push(label);
        }
        fn squeeze(&mut self, _: &'static str, _: &mut [u8]) {}
    }
    let labels = Rc::default();
    statement.absorb(&mut Proving::new(Listening(Rc::clone(&labels)), b""));
    labels.take().split_off(1)
}
