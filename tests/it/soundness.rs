//! The soundness that a proof states, held against the messages that the proof has: every coin that errs is in the sum.

use serin_circuits::weights::log2_ceil;
use serin_verifier::proof::Mode;
use serin_verifier::rejection::Place;
use serin_verifier::script::Message;
use serin_verifier::statement::Statement;
use serin_verifier::sumcheck::{DEGREE, FIELD_BITS};
use serin_verifier::verify::verify;

use crate::world::{SESSION, batch, models};

/// The messages of a label in places.
fn count(outline: &[Message], label: &str, place: impl Fn(&Place) -> bool) -> usize {
    outline.iter().filter(|message| message.label == label && place(&message.place)).count()
}

#[test]
fn soundness_of_any_proof_counts_every_message_that_a_coin_follows() {
    for (name, model) in models() {
        for (mode, n) in Mode::ALL.into_iter().flat_map(|mode| [(mode, 1), (mode, 5)]) {
            let inputs = batch(model.graph(), 4, n);
            let trace = model.infer(&inputs);
            let proof = model.prove("s", &SESSION, &inputs, &trace, mode).unwrap();
            let statement = Statement { mode, ..model.statement("s", &SESSION, &inputs, trace.output()) };
            let accepted = verify(&statement, &proof).unwrap();
            let outline = &accepted.outline;
            let node = |place: &Place| matches!(place, Place::Node { .. });
            let merging = |place: &Place| *place == Place::Claims;
            let any = |_: &Place| true;
            let degree = DEGREE as usize;
            let linears = count(outline, "weight", any);
            let rounds = count(outline, "round", |place| node(place) || *place == Place::Columns);
            let layers = count(outline, "fraction ends", any);
            let tree = 2 * count(outline, "fraction round", any) + 2 * layers;
            let answer = log2_ceil(trace.output().sample_len()) + log2_ceil(n);
            let expected = [
                ("rounds", degree * rounds),
                ("merging", 2 * linears + degree * count(outline, "round", merging)),
                ("look-ups", 3 << layers),
                ("fractions", tree),
                ("answer", answer),
                ("joins", count(outline, "input", any) + 2),
            ];
            for (step, errors) in expected.into_iter().take(if mode == Mode::Succinct { 6 } else { 2 }) {
                let term = accepted.soundness.terms.iter().find(|term| term.step == step).unwrap();
                let bits = FIELD_BITS - (errors.max(1) as f64).log2();
                assert!((term.bits - bits).abs() < 1e-9, "{name}, {}, {step}: {errors}", mode.name());
            }
            let openings = count(outline, "row", any);
            let columns = accepted.soundness.terms.iter().filter(|term| term.step.ends_with("columns"));
            assert_eq!(columns.count(), openings, "{name}, {}", mode.name());
            let sum: f64 = accepted.soundness.terms.iter().map(|term| (-term.bits).exp2()).sum();
            assert!((accepted.soundness.bits + sum.log2()).abs() < 1e-9);
        }
    }
}
