//! Conformance: every protocol returns the reference engine's very integers, and honest proofs are accepted.

use serin_circuits::reference;
use serin_verifier::proof::Mode;
use serin_verifier::statement::Statement;
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
            for mode in Mode::ALL {
                let proof = model.prove("s", &SESSION, &inputs, &trace, mode).unwrap();
                let statement = Statement { mode, ..model.statement("s", &SESSION, &inputs, trace.output()) };
                let name = format!("{name}, batch {n}, {}", mode.name());
                let accepted = verify(&statement, &proof).unwrap_or_else(|r| panic!("{name}: {r}"));
                assert!(accepted.soundness.bits > 100.0, "{name}: {:?}", accepted.soundness);
            }
        }
    }
}
