//! Corrupt servers: each cheat, what finds it, and whom it blames.

use serin::adversary::{Catcher, Cheaper, Cheat, Corrupt, coarse};
use serin::protocol::{Answerer, Evidence, Host, Kind, Reply};
use serin::prover::Model;
use serin::session::Canaries;
use serin_circuits::tensor::Tensor;
use serin_datasets::digits;
use serin_verifier::canary::judge::{Reason, Verdict as CanaryVerdict};
use serin_verifier::card::Card;
use serin_verifier::proof::Mode;
use serin_verifier::record::Truth;
use serin_verifier::rejection::{Blame, Fault, Place, Rejection};
use serin_verifier::report::{Proof, Report, Verdict, judge};
use serin_verifier::statement::Statement;
use serin_verifier::verify::{Accepted, verify};

use crate::session::{ask, digits_host, digits_model, labelled};
use crate::world::{SESSION, batch, models};

fn cheaper() -> Cheaper {
    let (graph, weights) = digits_model(digits::cheap_model());
    Cheaper { graph, weights }
}

fn corrupt(cheat: Cheat) -> Corrupt {
    Corrupt::new(digits_host(), cheat).unwrap()
}

/// The promised model's own answers, as canaries.
pub(crate) fn references(host: &Host, inputs: Tensor) -> Canaries {
    let outputs = host.model().infer(&inputs).output().clone();
    let truths = (0..inputs.batch()).map(|n| Truth::Reference(outputs.sample(n).to_vec())).collect();
    Canaries { inputs, truths }
}

/// A proved session with few canaries: only the proof can find it out.
fn proved(server: &Corrupt, mode: Mode) -> Report {
    ask(server, Kind::Proved(mode), 12, 1, &labelled(server.card(), 4)).report
}

/// In both modes the rejection is the one the cheat names, its fault this one (`revealed`, `succinct`), and its blame the server's.
fn assert_proof_rejected(cheat: Cheat, faults: [&Fault; 2]) {
    let server = corrupt(cheat);
    for (mode, fault) in Mode::ALL.into_iter().zip(faults) {
        if matches!(server.cheat(), Cheat::Replay) {
            assert_eq!(proved(&server, mode).verdict, Verdict::Accepted);
        }
        let report = proved(&server, mode);
        let name = server.cheat().name();
        let Proof::Rejected(rejection) = &report.proof else { panic!("{name}, {mode}: {report}") };
        let catcher = server.cheat().catcher(Kind::Proved(mode), server.graph());
        assert!(catcher.is(rejection), "{name}, {mode}: {rejection} where {catcher} was expected");
        assert_eq!(&rejection.fault, fault, "{name}, {mode}");
        assert_eq!(
            (report.verdict, report.blame),
            (Verdict::Rejected, Some(Blame::Server)),
            "{name}: {report}"
        );
    }
}

#[test]
fn coarse_weights_under_the_promised_commitment_rejected_at_the_opening() {
    assert_proof_rejected(Cheat::Coarse { bits: 2 }, [&Fault::Path; 2]);
}

#[test]
fn cheaper_answers_under_the_promised_commitment_rejected_where_answers_are_held() {
    assert_proof_rejected(Cheat::Substitute(cheaper()), [&Fault::Product, &Fault::Columns]);
}

#[test]
fn one_wrong_output_rejected_where_answers_are_held() {
    assert_proof_rejected(Cheat::Logit, [&Fault::Product, &Fault::Columns]);
}

#[test]
fn one_altered_weight_rejected_at_its_node() {
    assert_proof_rejected(Cheat::Weight, [&Fault::Product; 2]);
}

#[test]
fn one_wrong_activation_rejected_at_its_node() {
    assert_proof_rejected(Cheat::Activation { recomputed: false }, [&Fault::Product; 2]);
    assert_proof_rejected(Cheat::Activation { recomputed: true }, [&Fault::Product; 2]);
}

#[test]
fn replayed_answer_rejected_where_a_proof_begins() {
    assert_proof_rejected(Cheat::Replay, [&Fault::Product, &Fault::Fractions]);
}

#[test]
fn exchanged_answers_rejected_where_answers_are_held() {
    assert_proof_rejected(Cheat::Swap, [&Fault::Product, &Fault::Columns]);
}

#[test]
fn server_that_recognises_canaries_rejected_where_answers_are_held() {
    let known = labelled(digits_host().card(), 450).inputs;
    assert_proof_rejected(Cheat::Recognise { known, cheaper: cheaper() }, [&Fault::Product, &Fault::Columns]);
}

#[test]
fn answer_of_the_same_questions_replayed_to_another_session_rejected() {
    for kind in Mode::ALL.map(Kind::Proved) {
        // Without look-ups, the succinct proof has another beginning.
        for nth in [0, 2] {
            let (name, model) = models().into_iter().nth(nth).unwrap();
            let inputs = batch(model.graph(), 1, 4);
            let server = Corrupt::new(Host::new(name, model, None), Cheat::Replay).unwrap();
            let old = server.answer(kind, &SESSION, &inputs).unwrap();
            assert_eq!(server.answer(kind, &[8; 32], &inputs).unwrap(), old);
            assert!(verified(&server, kind, &SESSION, &inputs, &old).is_ok());
            let rejection = verified(&server, kind, &[8; 32], &inputs, &old).unwrap_err();
            let catcher = server.cheat().catcher(kind, server.graph());
            assert!(catcher.is(&rejection), "{name}, {kind}: {rejection} where {catcher} was expected");
        }
    }
}

/// Each cheat against models of every op and shape class: the named catcher is the one that speaks.
#[test]
fn cheats_on_every_model_rejected_where_their_catcher_says() {
    let activation = |recomputed| Cheat::Activation { recomputed };
    for cheat in [Cheat::Logit, Cheat::Swap, activation(false), activation(true)] {
        for (name, model) in models() {
            let inputs = batch(model.graph(), 3, 5);
            let truth = model.infer(&inputs).output().clone();
            let server = Corrupt::new(Host::new(name, model, None), cheat.clone()).unwrap();
            for kind in Mode::ALL.map(Kind::Proved) {
                let reply = server.answer(kind, &SESSION, &inputs).unwrap();
                if matches!(cheat, Cheat::Swap) && reply.outputs == truth {
                    continue; // All answers are the same: exchanging them is no lie.
                }
                let rejection = verified(&server, kind, &SESSION, &inputs, &reply).unwrap_err();
                let catcher = cheat.catcher(kind, server.graph());
                assert!(
                    catcher.is(&rejection),
                    "{} on {name}, {kind}: {rejection} where {catcher} was expected",
                    cheat.name()
                );
                assert_eq!(rejection.blame(), Blame::Server);
            }
        }
    }
}

fn verified(
    server: &Corrupt,
    kind: Kind,
    session: &[u8; 32],
    inputs: &Tensor,
    reply: &Reply,
) -> Result<Accepted, Rejection> {
    let Card { weights, server: name, .. } = server.card();
    let Evidence::Proof(proof) = &reply.evidence else { panic!("no proof") };
    let statement = Statement {
        mode: kind.mode().unwrap(),
        graph: server.graph(),
        weights,
        server: name,
        session,
        inputs,
        outputs: &reply.outputs,
    };
    verify(&statement, proof)
}

/// The proof is true, and the model is bad: canaries alone can tell.
#[test]
fn overclaiming_server_passes_its_proof_and_fails_its_canaries() {
    let server = corrupt(Cheat::Overclaim(cheaper()));
    for kind in Mode::ALL.map(Kind::Proved) {
        assert_eq!(server.cheat().catcher(kind, server.graph()), Catcher::Canaries);
        let none = Canaries { inputs: Tensor::zeros(0, &[1, 8, 8]), truths: vec![] };
        let unchecked = ask(&server, kind, 5, 1, &none).report;
        assert_eq!(unchecked.verdict, Verdict::Accepted, "{unchecked}");
        let report = ask(&server, kind, 5, 1, &labelled(server.card(), 450)).report;
        assert!(matches!(report.proof, Proof::Accepted { .. }), "{report}");
        assert_fails_its_claim(&report);
    }
}

fn assert_fails_its_claim(report: &Report) {
    let CanaryVerdict::Rejected { reasons } = &report.canaries.verdict else { panic!("{report}") };
    assert!(reasons.iter().any(|reason| matches!(reason, Reason::ErrorRate { .. })), "{report}");
    assert_eq!((report.verdict, report.blame), (Verdict::Rejected, Some(Blame::Server)), "{report}");
}

#[test]
fn cheaper_models_in_the_clear_fail_labelled_canaries() {
    for cheat in [Cheat::Coarse { bits: 2 }, Cheat::Substitute(cheaper())] {
        let server = corrupt(cheat);
        assert_eq!(server.cheat().catcher(Kind::Plain, server.graph()), Catcher::Canaries);
        assert_fails_its_claim(&ask(&server, Kind::Plain, 5, 1, &labelled(server.card(), 450)).report);
    }
}

/// Whatever is corrupted is a reference canary or one of two copies.
#[test]
fn single_lies_in_the_clear_found_by_copies_and_reference_canaries() {
    let cheats =
        [Cheat::Logit, Cheat::Weight, Cheat::Activation { recomputed: true }, Cheat::Swap, Cheat::Replay];
    for cheat in cheats {
        let server = corrupt(cheat);
        let honest = digits_host();
        let canaries = references(&honest, labelled(server.card(), 40).inputs);
        assert_eq!(server.cheat().catcher(Kind::Plain, server.graph()), Catcher::Mixing);
        let mut outcome = ask(&server, Kind::Plain, 4, 2, &canaries);
        if matches!(server.cheat(), Cheat::Replay) {
            outcome = ask(&server, Kind::Plain, 4, 2, &canaries);
        }
        let (name, report) = (server.cheat().name(), &outcome.report);
        let harmless = outcome.entry.outputs == *honest.model().infer(&outcome.entry.inputs()).output();
        if harmless && matches!(server.cheat(), Cheat::Activation { .. }) {
            continue; // Which sample was hit is the shuffle's choice, and rounding can swallow the change.
        }
        let CanaryVerdict::Rejected { reasons } = &report.canaries.verdict else {
            panic!("{name}: {report}")
        };
        assert!(
            reasons.iter().all(|r| matches!(r, Reason::Copies(_) | Reason::Reference { .. })),
            "{name}: {report}"
        );
        assert_eq!((report.verdict, report.blame), (Verdict::Rejected, Some(Blame::Server)), "{name}");
    }
}

/// The limit of canaries in the clear, kept as a test so that nobody forgets it.
#[test]
fn server_that_recognises_public_canaries_in_the_clear_passes() {
    let canaries = labelled(digits_host().card(), 450);
    let server = corrupt(Cheat::Recognise { known: canaries.inputs.clone(), cheaper: cheaper() });
    assert_eq!(server.cheat().catcher(Kind::Plain, server.graph()), Catcher::Nothing);
    let outcome = ask(&server, Kind::Plain, 300, 2, &canaries);
    assert_eq!(outcome.report.verdict, Verdict::Accepted, "{}", outcome.report);
    let honest = digits_host();
    let truth = honest.model().infer(&outcome.entry.queries);
    let wrong = outcome
        .report
        .answers
        .iter()
        .zip(0..)
        .filter(|(answer, n)| answer.outputs.as_deref() != Some(truth.output().sample(*n)));
    assert!(wrong.count() > 250);
}

/// A proof that was asked for and did not come is a rejection, not a plain session.
#[test]
fn missing_proof_rejected() {
    let host = digits_host();
    for mode in Mode::ALL {
        let mut entry = ask(&host, Kind::Proved(mode), 2, 1, &labelled(host.card(), 2)).entry;
        entry.evidence = Evidence::None;
        let report = judge(&entry).unwrap();
        let Proof::Rejected(rejection) = &report.proof else { panic!("{report}") };
        assert!(
            matches!((&rejection.place, &rejection.fault), (Place::Proof, Fault::Malformed(_))),
            "{rejection}"
        );
        assert_eq!(report.verdict, Verdict::Rejected);
    }
}

/// Whoever rewrites the record to say another mode was asked has no proof of it.
#[test]
fn proof_of_another_mode_than_asked_rejected() {
    let host = digits_host();
    for mode in Mode::ALL {
        let mut entry = ask(&host, Kind::Proved(mode), 2, 1, &labelled(host.card(), 2)).entry;
        entry.protocol = Kind::Proved(Mode::ALL.into_iter().find(|other| *other != mode).unwrap());
        let report = judge(&entry).unwrap();
        let Proof::Rejected(rejection) = &report.proof else { panic!("{report}") };
        assert_eq!(rejection.place, Place::Proof, "{rejection}");
    }
}

#[test]
fn coarse_weights_have_few_values() {
    let (graph, weights) = digits_model(digits::model());
    let two = coarse(&graph, &weights, 2).unwrap();
    for tensor in two.tensors() {
        let values: std::collections::BTreeSet<_> = tensor.weight.iter().collect();
        assert!(values.len() <= 3, "{values:?}");
    }
    assert_ne!(Model::new(graph.clone(), two).root(), Model::new(graph, weights).root());
}
