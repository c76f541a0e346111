//! Conformance: every protocol returns the reference engine's very integers, and honest proofs are accepted.

use serin::protocol::offer::MAX_LEAVES;
use serin::protocol::{Answerer, Declined, Host, Kind, Offer, Protocol, converse};
use serin_circuits::reference;
use serin_circuits::weights::Layout;
use serin_verifier::commit::Shape;
use serin_verifier::layer::succinct::cap;
use serin_verifier::lookup::plan::Plan;
use serin_verifier::proof::Mode;
use serin_verifier::rejection::Place;
use serin_verifier::statement::Statement;
use serin_verifier::verify::verify;

use crate::world::{Net, SESSION, batch, models, square};

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
                assert!(mode == Mode::Revealed || accepted.activation_bytes() == 0, "{name}");
                if let Some(plan) = statement.plan().unwrap() {
                    let layout = Layout::of(model.graph());
                    // The cap counts every message exactly, but for the two openings, for which it has caps.
                    let opened = ["row", "columns", "path"];
                    let opening = accepted.outline.iter().filter(|m| {
                        opened.contains(&m.label) && matches!(m.place, Place::Opening | Place::ColumnsOpening)
                    });
                    let opening: usize = opening.map(|m| m.bytes.len()).sum();
                    let openings = plan.shape().opening_cap() + Shape::of(&layout).opening_cap();
                    let cap = mode.header().len() + cap(model.graph(), &layout, &plan);
                    assert_eq!(proof.len() - opening, cap - openings, "{name}");
                    assert!(opening <= openings, "{name}");
                }
            }
        }
    }
}

#[test]
fn private_batch_of_every_model_returns_reference_integers() {
    for (name, model) in models() {
        let host = Host::new("s", model, None).with_private().unwrap();
        let (graph, weights) = (host.graph().clone(), host.model().weights().clone());
        for n in [1, 2, 5, 33] {
            let inputs = batch(&graph, 98, n);
            let expected = reference::infer(&graph, &weights, inputs.clone());
            let reply = converse(&host, Kind::Private, |client| client.ask(&SESSION, &inputs)).unwrap();
            let reply = reply.unwrap_or_else(|error| panic!("{name}, batch {n}: {error}"));
            assert_eq!(reply.outputs, expected, "{name}, batch {n}");
        }
    }
}

#[test]
fn offer_of_a_wide_model_takes_fewer_samples_where_it_looks_up() {
    let model = Net::new(1, &[1, 28, 28]).conv(1, 8, square(3, 1, 1)).rescale(0).dense(10).finish();
    let offer = Offer::of(model.graph());
    let most = offer.most(Kind::Proved(Mode::Succinct));
    assert!(most > 1 && most < offer.most(Kind::Plain), "{offer:?}");
    let plan = |batch| Plan::of(model.graph(), batch).unwrap();
    let leaves = |plan: Plan| plan.leaves << plan.batch_bits();
    assert!(leaves(plan(most)) <= MAX_LEAVES && leaves(plan(most + 1)) > MAX_LEAVES);
    assert_eq!(plan(1).resized(most), plan(most));
    assert_eq!(offer.limited(3).largest(), 3);
}

#[test]
fn offer_of_one_mode_declines_the_other_and_says_what_it_takes() {
    let model = Net::new(1, &[4]).dense(3).rescale(0).dense(2).finish();
    let offer = Offer::of(model.graph()).only(Mode::Succinct);
    let check = |kind, batch| offer.check(kind, batch, model.graph());
    let declined = check(Kind::Proved(Mode::Revealed), 1).unwrap_err();
    assert!(declined.to_string().ends_with("it takes `plain` and `proved (succinct)`"), "{declined}");
    assert!(check(Kind::Plain, 1).is_ok() && check(Kind::Proved(Mode::Succinct), 1).is_ok());
    assert!(matches!(check(Kind::Plain, 0), Err(Declined::Batch { .. })));
}
