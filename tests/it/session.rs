//! Sessions: every protocol returns the reference's integers over a link, verdicts follow from what was checked, and a saved record
//! is judged as the live session was.

use ndarray::{ArrayD, IxDyn};
use serin::import;
use serin::net::{Channel, NetError, Reason, Step, Timeouts, memory};
use serin::protocol::{
    Answerer, Client, Declined, Evidence, Host, Kind, Protocol, ProtocolError, ServeError, converse,
    serve_link,
};
use serin::prover::Model;
use serin::session::record::{Recorder, RecorderError, read};
use serin::session::{Canaries, Outcome, Questions, Session, SessionError, Stage, criteria, encode};
use serin_circuits::graph::Graph;
use serin_circuits::reference;
use serin_circuits::tensor::Tensor;
use serin_circuits::weights::Weights;
use serin_datasets::digits::{self, Part};
use serin_verifier::canary::{Level, Rate};
use serin_verifier::card::Card;
use serin_verifier::proof::Mode;
use serin_verifier::record::{End, Truth};
use serin_verifier::rejection::{Blame, Fault};
use serin_verifier::report::{Proof, Verdict, judge};

use crate::world::{Net, SESSION, batch, models, square};

/// A digits model in integers: the good one, or the cheap one.
pub(crate) fn digits_model(onnx: &[u8]) -> (Graph, Weights) {
    let float = import::read(onnx).unwrap();
    let (samples, labels) = digits::samples(Part::Calibration).into_parts();
    let compiled = import::lower::compile(&float, &samples, labels.as_deref(), Default::default()).unwrap();
    (compiled.graph, compiled.weights)
}

/// The digits' server, claiming 98 %.
pub(crate) fn digits_host() -> Host {
    let (graph, weights) = digits_model(digits::model());
    Host::new("digits", Model::new(graph, weights), Some(0.98))
}

/// The first samples of a part, in integers, with their labels.
pub(crate) fn digits_samples(card: &Card, part: Part, count: usize) -> (Tensor, Vec<u32>) {
    let (samples, labels) = digits::samples(part).slice(0..count).unwrap().into_parts();
    (encode("digits", &card.input, &samples).unwrap(), labels.unwrap())
}

pub(crate) fn labelled(card: &Card, count: usize) -> Canaries {
    let (inputs, labels) = digits_samples(card, Part::Canary, count);
    Canaries { inputs, truths: labels.into_iter().map(Truth::Label).collect() }
}

pub(crate) fn level() -> Level {
    Level::new(1e-3).unwrap()
}

/// Asks `queries` of the digits' query part in `copies`, with these canaries.
pub(crate) fn ask(
    answerer: &dyn Answerer,
    kind: Kind,
    queries: usize,
    copies: u64,
    canaries: &Canaries,
) -> Outcome {
    let session = Session::new(answerer.card().clone(), answerer.graph().clone()).unwrap();
    let questions = Questions {
        queries: digits_samples(session.card(), Part::Query, queries).0,
        copies,
        canaries: canaries.clone(),
        criteria: criteria(session.card(), level(), true).unwrap(),
    };
    let mut recorder = Recorder::memory();
    let run = |client: &mut Client| session.run(client, &questions, &mut recorder, &mut |_| ()).unwrap();
    converse(answerer, kind, run).unwrap()
}

#[test]
fn every_kind_of_question_over_a_link_returns_reference_integers() {
    for (name, model) in models() {
        let (graph, weights) = (model.graph().clone(), model.weights().clone());
        let host = Host::new("world", model, None).with_private().unwrap();
        for kind in Kind::ALL {
            for n in [1, 6] {
                let inputs = batch(&graph, 5, n);
                let reply = converse(&host, kind, |client| client.ask(&SESSION, &inputs)).unwrap().unwrap();
                let expected = reference::infer(&graph, &weights, inputs);
                assert_eq!(reply.outputs, expected, "{name}, {kind}, batch {n}");
                assert_eq!(matches!(reply.evidence, Evidence::Proof(_)), kind.mode().is_some());
            }
        }
    }
}

#[test]
fn honest_server_proved_with_canaries_accepted_and_assured() {
    let host = digits_host();
    for mode in Mode::ALL {
        let outcome = ask(&host, Kind::Proved(mode), 20, 2, &labelled(host.card(), 60));
        let report = &outcome.report;
        assert_eq!((report.verdict, report.blame), (Verdict::Accepted, None), "{report}");
        assert!(
            report.worth.proof_bits.unwrap() > 100.0 && report.worth.assured_accuracy.unwrap() > 0.5,
            "{report}"
        );
        assert!(report.answers.iter().all(|answer| answer.class.is_some()));
        assert!(report.costs.sent > 100 * 64 && report.costs.received > report.costs.sent, "{report}");
        assert_eq!(judge(&outcome.entry).unwrap().to_string(), report.to_string());
    }
}

#[test]
fn report_of_a_proof_names_its_mode_and_every_soundness_term() {
    let host = digits_host();
    for mode in Mode::ALL {
        let report = ask(&host, Kind::Proved(mode), 2, 1, &labelled(host.card(), 2)).report;
        let (text, json) = (report.to_string(), serde_json::to_value(&report).unwrap());
        assert!(text.contains(&format!("positions, proved ({mode})")), "{text}");
        assert_eq!([&json["protocol"], &json["mode"]], ["proved", mode.name()]);
        let Proof::Accepted { soundness, activation_bytes, .. } = &report.proof else { panic!("{report}") };
        assert_eq!(*activation_bytes > 0, mode == Mode::Revealed);
        assert_eq!(json["proof"]["soundness_bits"], soundness.bits);
        let terms = json["proof"]["soundness_terms"].as_array().unwrap();
        assert_eq!(terms.len(), soundness.terms.len());
        for (term, written) in soundness.terms.iter().zip(terms) {
            assert_eq!([&written["step"]], [term.step]);
            assert!(text.contains(&format!("{} {:.1}", term.step, term.bits)), "{}: {text}", term.step);
        }
    }
}

#[test]
fn server_of_one_mode_refuses_the_other_and_says_why() {
    let host = digits_host().with_mode(Mode::Succinct).unwrap();
    let inputs = digits_samples(host.card(), Part::Query, 1).0;
    let asked = |kind| converse(&host, kind, |client| client.ask(&SESSION, &inputs)).unwrap();
    assert!(asked(Kind::Plain).is_ok() && asked(Kind::Proved(Mode::Succinct)).is_ok());
    let error = asked(Kind::Proved(Mode::Revealed)).unwrap_err();
    assert!(matches!(error, ProtocolError::Declined(Declined::Kind { .. })), "{error}");
    // A client that does not mind what is on offer hears the same from the server.
    let question = [&[1], &SESSION[..], &1u64.to_le_bytes(), &[0; 64]].concat();
    let (refused, served) = refusal(&host, &question);
    let NetError::Refused(refusal) = refused else { panic!("{refused}") };
    assert_eq!((refusal.reason, refusal.text), (Reason::Unfit, error.to_string()));
    assert!(matches!(served, ServeError::Declined(Declined::Kind { .. })), "{served}");
}

#[test]
fn model_that_succinct_cannot_take_is_declined_by_its_node() {
    // Its windows read more entries than a proof without activations can hold maps for.
    let model = Net::new(1, &[1, 512, 512]).average_pool(square(16, 1, 0)).finish();
    let host = Host::new("windows", model, None);
    let check = |mode| host.offer().check(Kind::Proved(mode), 1, host.graph());
    assert_eq!(check(Mode::Revealed), Ok(()));
    let declined = check(Mode::Succinct).unwrap_err();
    assert!(matches!(declined, Declined::Unprovable(_)), "{declined}");
    let text = declined.to_string();
    assert!(text.contains(&host.graph().nodes()[0].name) && text.contains("revealed"), "{text}");
    let inputs = batch(host.graph(), 1, 1);
    let asked = converse(&host, Kind::Proved(Mode::Succinct), |client| client.ask(&SESSION, &inputs));
    assert_eq!(asked.unwrap().unwrap_err().to_string(), text);
    assert_eq!(host.with_mode(Mode::Succinct).unwrap_err(), declined);
}

#[test]
fn plain_session_without_canaries_could_not_tell() {
    let host = digits_host();
    let session = Session::new(host.card().clone(), host.graph().clone()).unwrap();
    let report = ask(&host, Kind::Plain, 3, 2, &session.no_canaries()).report;
    assert_eq!((report.verdict, report.proof.clone()), (Verdict::Inconclusive, Proof::None), "{report}");
    assert_eq!(report.verdict.exit_code(), 2);
}

#[test]
fn proved_session_without_canaries_accepted_with_accuracy_unchecked() {
    let host = digits_host();
    let session = Session::new(host.card().clone(), host.graph().clone()).unwrap();
    for mode in Mode::ALL {
        let report = ask(&host, Kind::Proved(mode), 3, 1, &session.no_canaries()).report;
        assert_eq!(report.verdict, Verdict::Accepted, "{report}");
        assert!(report.to_string().contains("claimed accuracy of 98 % is unchecked"), "{report}");
        assert_eq!((report.worth.assured_accuracy, report.worth.mixing_bits), (None, None));
    }
}

#[test]
fn assurance_beyond_the_canaries_could_not_tell() {
    let host = digits_host().with_private().unwrap();
    let session = Session::new(host.card().clone(), host.graph().clone()).unwrap();
    let mut terms = criteria(session.card(), level(), true).unwrap();
    terms.least_accuracy = Some(0.97);
    let (queries, canaries) = (session.no_canaries().inputs, labelled(host.card(), 30));
    let questions = Questions { queries, copies: 1, canaries, criteria: terms };
    let run =
        |client: &mut Client| session.run(client, &questions, &mut Recorder::memory(), &mut |_| ()).unwrap();
    for kind in Kind::ALL {
        let report = converse(&host, kind, run).unwrap().report;
        assert_eq!(report.verdict, Verdict::Inconclusive, "{report}");
    }
}

#[test]
fn record_on_disk_judged_again_as_it_was_live() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("record");
    let host = digits_host().with_private().unwrap();
    let session = Session::new(host.card().clone(), host.graph().clone()).unwrap();
    let questions = Questions {
        queries: digits_samples(session.card(), Part::Query, 4).0,
        copies: 2,
        canaries: labelled(session.card(), 5),
        criteria: criteria(session.card(), level(), true).unwrap(),
    };
    let (mut live, mut head, mut stages) = (Vec::new(), None, Vec::new());
    for kind in Kind::ALL {
        // Reopened each time: the chain goes on where it stood.
        let mut recorder = Recorder::open(&path).unwrap();
        assert!(matches!(Recorder::open(&path), Err(RecorderError::Locked { .. })));
        let run = |client: &mut Client| {
            session.run(client, &questions, &mut recorder, &mut |stage| stages.push(stage))
        };
        let outcome = converse(&host, kind, run).unwrap().unwrap();
        head = Some(outcome.head);
        live.push(outcome);
    }
    assert_eq!(stages[..3], [Stage::Asking { positions: 13 }, Stage::Recording, Stage::Judging]);
    let record = read(&path).unwrap();
    assert_eq!((Some(record.head), record.end, record.entries.len()), (head, End::Whole, Kind::ALL.len()));
    assert_ne!(record.entries[0].session, record.entries[1].session);
    assert_ne!(record.entries[0].slots, record.entries[1].slots);
    for (entry, outcome) in record.entries.iter().zip(&live) {
        let again = judge(entry).unwrap();
        assert_eq!(serde_json::to_value(&again).unwrap(), serde_json::to_value(&outcome.report).unwrap());
    }

    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    assert_eq!(read(&path).unwrap().entries.len(), Kind::ALL.len() - 1);
    assert!(matches!(Recorder::open(&path), Err(RecorderError::Torn { .. })));
    let mut altered = whole.clone();
    altered[whole.len() / 4] ^= 1;
    std::fs::write(&path, altered).unwrap();
    assert!(matches!(Recorder::open(&path), Err(RecorderError::Record { .. })));
}

#[test]
fn graph_other_than_the_pinned_one_rejected_before_asking() {
    let host = digits_host();
    let (cheap, _) = digits_model(digits::cheap_model());
    let error = Session::new(host.card().clone(), cheap).unwrap_err();
    let rejection = error.rejection().unwrap();
    assert_eq!(
        (&rejection.fault, rejection.blame(), error.verdict()),
        (&Fault::Graph, Blame::Server, Verdict::Rejected)
    );
}

#[test]
fn questions_that_do_not_fit_refused_before_asking() {
    let host = digits_host().with_max_batch(4);
    let asked = |session: &Session, questions: &Questions| {
        let run = |client: &mut Client| {
            session.run(client, questions, &mut Recorder::memory(), &mut |_| ()).unwrap_err()
        };
        converse(&host, Kind::Plain, run).unwrap()
    };
    let session = Session::new(host.card().clone(), host.graph().clone()).unwrap();
    let questions = Questions {
        queries: digits_samples(session.card(), Part::Query, 2).0,
        copies: 2,
        canaries: session.no_canaries(),
        criteria: criteria(session.card(), level(), false).unwrap(),
    };
    let canaries = Canaries { truths: vec![Truth::Label(1)], ..session.no_canaries() };
    let error = asked(&session, &Questions { canaries, ..questions.clone() });
    assert!(matches!(error, SessionError::Questions { what: "canaries", .. }), "{error}");
    let error = asked(&session, &Questions { queries: session.no_canaries().inputs, ..questions.clone() });
    assert!(matches!(error, SessionError::Questions { what: "canaries", .. }), "{error}");
    let error = asked(&session, &Questions { copies: 0, ..questions.clone() });
    assert!(matches!(error, SessionError::Terms(_)), "{error}");
    let error = asked(&session, &Questions { copies: 3, ..questions });
    assert!(matches!(error, SessionError::Protocol(ProtocolError::Declined(_))), "{error}");
    assert_eq!(error.verdict(), Verdict::Inconclusive);

    let unclaimed = Card { accuracy: None, ..host.card().clone() };
    assert!(matches!(criteria(&unclaimed, level(), true), Err(SessionError::NoClaim)));
    assert_eq!(criteria(&unclaimed, level(), false).unwrap().claimed_error, Rate::ZERO);
}

#[test]
fn samples_that_do_not_fit_the_card_refused() {
    let host = digits_host();
    let input = &host.card().input;
    let samples = |shape: &[usize], value| ArrayD::from_elem(IxDyn(shape), value);
    assert!(encode("queries", input, &samples(&[2, 8, 8], 0.0)).is_err());
    assert!(encode("queries", input, &samples(&[], 0.0)).is_err());
    assert!(encode("queries", input, &samples(&[2, 1, 8, 8], f32::NAN)).is_err());
    let top = encode("queries", input, &samples(&[1, 1, 8, 8], 1e30)).unwrap();
    assert!(top.values().iter().all(|v| *v == input.high));
}

/// A question, as bytes, to a server that is honest; the reason for which it is refused.
fn refusal(host: &Host, body: &[u8]) -> (NetError, ServeError) {
    let (mut ours, mut theirs) = memory::pair(Timeouts::default());
    std::thread::scope(|scope| {
        let served = scope.spawn(|| serve_link(&mut theirs, host).unwrap_err());
        ours.send(Step::HELLO, &[]).unwrap();
        ours.receive(Step::CARD, 1 << 16).unwrap();
        ours.receive(Step::GRAPH, 1 << 20).unwrap();
        ours.send(Step::ASK, body).unwrap();
        let refused = ours.receive(Step::ANSWER, 1 << 20).unwrap_err();
        (refused, served.join().unwrap())
    })
}

#[test]
fn malformed_questions_refused_as_unfit() {
    let question =
        |kind: u8, batch: u64, inputs: &[u8]| [&[kind], &SESSION[..], &batch.to_le_bytes(), inputs].concat();
    let (host, pixels) = (digits_host().with_max_batch(2), [0; 128]);
    let bodies = [
        vec![],
        question(3, 1, &pixels[..64]),
        question(0, 0, &[]),
        question(0, 3, &pixels),
        question(0, u64::MAX, &pixels),
        question(1, 2, &pixels[..127]),
        question(1, 1, &pixels),
    ];
    for (i, body) in bodies.iter().enumerate() {
        let (refused, served) = refusal(&host, body);
        let NetError::Refused(refusal) = refused else { panic!("{i}: {refused}") };
        assert_eq!(refusal.reason, Reason::Unfit, "{i}: {refusal}");
        assert!(matches!(served, ServeError::Question(_)), "{i}: {served}");
    }
    let (refused, _) = refusal(&host, &question(0, 3, &[0; 192]));
    assert!(matches!(&refused, NetError::Refused(refusal) if refusal.reason == Reason::Misuse), "{refused}");
}
