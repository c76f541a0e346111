//! A corrupt server with the fast prover: what it may put into a trace or a statement, and what of a `succinct` proof speaks.

use serin::prover::Model;
use serin::prover::infer::{Trace, infer_altered, infer_traced};
use serin_circuits::tensor::Tensor;
use serin_circuits::weights::Weights;
use serin_verifier::proof::Mode;
use serin_verifier::rejection::{Blame, Fault, Place, Rejection};
use serin_verifier::script::MerlinCoins;
use serin_verifier::statement::Statement;
use serin_verifier::verify::verify;

use super::linear_place;
use crate::world::{Net, SESSION, batch, square};

/// Three linear nodes, a pool and a clamp at the end.
fn promised() -> Model {
    let net = Net::new(61, &[1, 9, 9]).conv(1, 4, square(3, 1, 1)).rescale(0).max_pool(square(3, 2, 1));
    net.conv(1, 3, square(3, 2, 0)).rescale(-128).dense(5).rescale(-128).finish()
}

/// The verdict on what `prover` makes of a trace, shown for the promised model.
fn verdict(promised: &Model, prover: &Model, inputs: &Tensor, outputs: &Tensor, trace: &Trace) -> Rejection {
    let statement = Statement { mode: Mode::Succinct, ..promised.statement("s", &SESSION, inputs, outputs) };
    let proof = prover.prove_statement(MerlinCoins::new(), &statement, trace).unwrap();
    let rejection = verify(&statement, &proof).unwrap_err();
    assert_eq!(rejection.blame(), Blame::Server);
    rejection
}

#[test]
fn corrupt_server_caught_by_the_part_of_the_proof_that_its_lie_concerns() {
    let model = promised();
    let graph = model.graph();
    let inputs = batch(graph, 6, 3);
    let honest = model.infer(&inputs);
    let caught =
        |prover: &Model, outputs: &Tensor, trace: &Trace| verdict(&model, prover, &inputs, outputs, trace);
    let product = |nth| Rejection::new(linear_place(graph, nth), Fault::Product);
    let columns = Rejection::new(Place::Columns, Fault::Columns);

    let mut raised = honest.output().clone();
    raised.values_mut()[2] += if raised.values()[2] < 127 { 1 } else { -1 };
    assert_eq!(caught(&model, &raised, &honest), columns, "one wrong output");
    let swapped = honest.output().select(&[2, 1, 0]).unwrap();
    assert_ne!(swapped, *honest.output());
    assert_eq!(caught(&model, &swapped, &honest), columns, "two answers exchanged");

    // Any of the linear nodes, and all that follows from it or nothing.
    for nth in 0..3 {
        let altered = infer_altered(graph, model.weights(), &inputs, &mut |index, accumulators| {
            if index == nth {
                accumulators.values_mut()[1] += if accumulators.values()[1] < 0 { 3000 } else { -3000 };
            }
        });
        assert_eq!(caught(&model, altered.output(), &altered), product(nth), "activation of {nth}");
        let alone = altered.layers()[nth].accumulators.as_ref().clone();
        let alone = honest.clone().with_accumulators(nth, alone);
        let rejection = caught(&model, honest.output(), &alone);
        assert!(
            [product(nth), columns.clone()].contains(&rejection),
            "only activation of {nth}: {rejection}"
        );
    }

    let mut tensors = model.weights().tensors().to_vec();
    tensors[1].weight.iter_mut().for_each(|w| *w /= 16);
    let coarse = Weights::new(graph, tensors).unwrap();
    let trace = infer_traced(graph, &coarse, &inputs);
    assert_ne!(trace.output(), honest.output());
    assert_eq!(caught(&model, trace.output(), &trace), product(1), "other weights, the promised proof");
    let standin = Model::new(graph.clone(), coarse);
    let path = Rejection::new(Place::Opening, Fault::Path);
    assert_eq!(caught(&standin, trace.output(), &trace), path, "other weights, their own proof");
}

#[test]
fn proof_of_another_session_or_batch_caught_by_the_first_look_ups() {
    let model = promised();
    let inputs = batch(model.graph(), 6, 3);
    let trace = model.infer(&inputs);
    let full = Statement { mode: Mode::Succinct, ..model.statement("s", &SESSION, &inputs, trace.output()) };
    let proof = model.prove_statement(MerlinCoins::new(), &full, &trace).unwrap();
    verify(&full, &proof).unwrap();
    let spoiled = Rejection::new(Place::Lookups, Fault::Fractions);
    assert_eq!(verify(&Statement { session: &[8; 32], ..full }, &proof).unwrap_err(), spoiled);
    let others = batch(model.graph(), 7, 3);
    let outputs = model.infer(&others).output().clone();
    let other = Statement { inputs: &others, outputs: &outputs, ..full };
    assert_eq!(verify(&other, &proof).unwrap_err(), spoiled);
    // Another size of batch has another number of rounds.
    for n in [1, 2, 4, 5] {
        let others = batch(model.graph(), 6, n);
        let outputs = model.infer(&others).output().clone();
        let other = Statement { inputs: &others, outputs: &outputs, ..full };
        let rejection = verify(&other, &proof).unwrap_err();
        assert_eq!(rejection.place, Place::Lookups, "{rejection}");
    }
}
