//! Conformance: every protocol returns the reference engine's very integers, and honest proofs are accepted.

use serin_circuits::reference;
use serin_verifier::verify::verify;

use crate::world::{SESSION, batch, models};

#[test]
fn proved_batch_of_every_model_returns_reference_integers_and_verifies() {
    for (name, model) in models() {
        for n in [1, 2, 5, 33] {
            let inputs = batch(model.graph(), 99, n);
            let trace = model.infer(&inputs);
            let expected = reference::infer(model.graph(), model.weights(), inputs.clone());
            assert_eq!(trace.output(), &expected, "{name}, batch {n}");
            let proof = model.prove("s", &SESSION, &inputs, &trace).unwrap();
            let statement = model.statement("s", &SESSION, &inputs, trace.output());
            let accepted = verify(&statement, &proof).unwrap_or_else(|r| panic!("{name}, batch {n}: {r}"));
            assert!(accepted.soundness.bits > 100.0, "{name}: {:?}", accepted.soundness);
        }
    }
}
