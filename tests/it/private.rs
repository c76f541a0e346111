//! Private inference: exact over every path a lot can take, and corrupt servers found as often as the mix says.

mod hostile;

use std::collections::BTreeMap;
use std::time::Duration;

use serin::adversary::{Catcher, Cheaper, Cheat, Corrupt};
use serin::net::{Channel, Meter, Shape, Step, Timeouts, memory};
use serin::protocol::private::pool::Pool;
use serin::protocol::private::{Ledger, Lots, MASKED, PRODUCTS, PrivateError, SHARE};
use serin::protocol::{Answerer, Client, Host, Kind, Protocol, ProtocolError, converse, converse_over};
use serin::session::record::Recorder;
use serin::session::{Canaries, Outcome, Questions, Session, SessionError, criteria};
use serin_circuits::tensor::Tensor;
use serin_circuits::weights::Weights;
use serin_datasets::digits::{self, Part};
use serin_verifier::canary::Mix;
use serin_verifier::canary::bounds::{Tolerance, undetected_log2};
use serin_verifier::canary::judge::{Reason, Verdict as CanaryVerdict};
use serin_verifier::card::Card;
use serin_verifier::record::Truth;
use serin_verifier::rejection::Blame;
use serin_verifier::report::{Report, Verdict};

use crate::adversary::references;
use crate::session::{digits_host, digits_model, digits_samples, labelled, level};
use crate::world::{Net, SESSION, batch, models, square};

fn corrupt(host: Host, cheat: Cheat) -> Corrupt {
    assert!(cheat.applies(Kind::Private), "{}", cheat.name());
    Corrupt::new(host, cheat).unwrap()
}

/// The digits' server, which computes in private too.
fn private_digits() -> Host {
    digits_host().with_private().unwrap()
}

/// A session of one conversation.
fn session(
    client: &mut Client,
    answerer: &dyn Answerer,
    queries: Tensor,
    copies: u64,
    canaries: &Canaries,
) -> Result<Outcome, SessionError> {
    let session = Session::new(answerer.card().clone(), answerer.graph().clone()).unwrap();
    let labelled = canaries.truths.iter().any(|truth| matches!(truth, Truth::Label(_)));
    let criteria = criteria(session.card(), level(), labelled).unwrap();
    let questions = Questions { queries, copies, canaries: canaries.clone(), criteria };
    session.run(client, &questions, &mut Recorder::memory(), &mut |_| ())
}

/// A corrupt server of the digits, asked `queries` in `copies` with these canaries.
fn ask(server: &Corrupt, queries: usize, copies: u64, canaries: &Canaries) -> Result<Outcome, SessionError> {
    let queries = digits_samples(server.card(), Part::Query, queries).0;
    over(server, |client| session(client, server, queries, copies, canaries))
}

fn over<T>(server: &Corrupt, ask: impl FnOnce(&mut Client) -> T) -> T {
    let serve = |channel: &mut dyn Channel| server.serve(channel);
    converse_over(memory::pair(Timeouts::default()), &serve, Kind::Private, ask).unwrap()
}

fn assert_found_by_mixing(name: &str, report: &Report) {
    let CanaryVerdict::Rejected { reasons } = &report.canaries.verdict else { panic!("{name}: {report}") };
    assert!(
        reasons.iter().all(|r| matches!(r, Reason::Copies(_) | Reason::Reference { .. })),
        "{name}: {report}"
    );
    assert_eq!((report.verdict, report.blame), (Verdict::Rejected, Some(Blame::Server)), "{name}");
}

#[test]
fn honest_server_asked_in_private_accepted_and_the_report_says_what_that_is_worth() {
    let host = private_digits();
    let canaries = references(&host, labelled(host.card(), 9).inputs);
    let queries = digits_samples(host.card(), Part::Query, 10).0;
    let outcome = converse(&host, Kind::Private, |client| session(client, &host, queries, 10, &canaries))
        .unwrap()
        .unwrap();
    let report = &outcome.report;
    assert_eq!((report.verdict, report.blame), (Verdict::Accepted, None), "{report}");
    // The published mix for ten queries: 40 bits by 10 copies and 9 canaries.
    let bits = report.worth.mixing_bits.unwrap();
    assert!((40.0..43.0).contains(&bits), "{bits}");
    let text = report.to_string();
    assert!(text.contains("at chosen positions, of questions that the server does not see"), "{text}");
    assert_eq!(serde_json::to_value(report).unwrap()["protocol"], "private");
}

#[test]
fn single_lies_in_private_found_by_copies_and_reference_canaries() {
    let cheats = [
        Cheat::Logit,
        Cheat::Weight,
        Cheat::Activation { recomputed: true },
        Cheat::Shares { positions: 1 },
        Cheat::Shares { positions: usize::MAX },
        Cheat::Garble { step: PRODUCTS, nth: 0 },
        Cheat::Garble { step: PRODUCTS, nth: 1 },
        Cheat::Garble { step: Step::round(1), nth: 0 },
        Cheat::Garble { step: Step::round(3), nth: 1 },
        Cheat::Garble { step: SHARE, nth: 0 },
    ];
    for cheat in cheats {
        let server = corrupt(private_digits(), cheat);
        let (name, catcher) = (server.cheat().name(), server.cheat().catcher(Kind::Private, server.graph()));
        assert_eq!(catcher, Catcher::Mixing, "{name}");
        let honest = private_digits();
        let canaries = references(&honest, labelled(server.card(), 12).inputs);
        match ask(&server, 4, 2, &canaries) {
            Ok(outcome) => {
                let truth = honest.model().infer(&outcome.entry.inputs());
                let harmless = outcome.entry.outputs == *truth.output();
                // Rounding can swallow one changed activation.
                assert!(
                    !harmless || matches!(server.cheat(), Cheat::Activation { .. }),
                    "{name} did nothing"
                );
                if !harmless {
                    assert_found_by_mixing(name, &outcome.report);
                }
            }
            // A number that the model cannot say is no answer.
            Err(error) => assert_eq!(error.rejection().unwrap().blame(), Blame::Server, "{name}: {error}"),
        }
    }
}

#[test]
fn other_model_on_half_of_the_positions_found_by_copies_and_reference_canaries() {
    let server = corrupt(private_digits().with_max_batch(4), Cheat::Lots { bits: 2 });
    let canaries = references(&private_digits(), labelled(server.card(), 20).inputs);
    let outcome = ask(&server, 10, 3, &canaries).unwrap();
    // Half of 13 lots are drawn by their names.
    assert_found_by_mixing(server.cheat().name(), &outcome.report);
}

#[test]
fn cheaper_models_in_private_fail_labelled_canaries() {
    let (graph, weights) = digits_model(digits::cheap_model());
    for cheat in [Cheat::Coarse { bits: 2 }, Cheat::Overclaim(Cheaper { graph, weights })] {
        let server = corrupt(private_digits(), cheat);
        assert_eq!(server.cheat().catcher(Kind::Private, server.graph()), Catcher::Canaries);
        let report = ask(&server, 2, 1, &labelled(server.card(), 450)).unwrap().report;
        let CanaryVerdict::Rejected { reasons } = &report.canaries.verdict else { panic!("{report}") };
        assert!(reasons.iter().any(|reason| matches!(reason, Reason::ErrorRate { .. })), "{report}");
        assert_eq!((report.verdict, report.blame), (Verdict::Rejected, Some(Blame::Server)), "{report}");
    }
}

/// As many corrupted positions as a question has copies stay hidden exactly if they are its copies: the bound is met, not only kept.
#[test]
fn consistent_lies_stay_hidden_as_often_as_the_bound_says() {
    const SESSIONS: usize = 180;
    let model = || Net::new(5, &[6]).dense(4).rescale(0).dense(3).finish();
    let host = || Host::new("small", model(), None).with_private().unwrap();
    let server = corrupt(host(), Cheat::Shares { positions: 2 });
    let canaries = references(&host(), batch(server.graph(), 8, 2));
    let bound = undetected_log2(&Mix::new(1, 2, 2).unwrap(), &Tolerance::EXACT).exp2();
    assert!((bound - 1.0 / 6.0).abs() < 1e-9, "one of six pairs of four positions: {bound}");
    let hidden = over(&server, |client| {
        let mut run = || {
            let outcome = session(client, &server, batch(server.graph(), 9, 1), 2, &canaries).unwrap();
            let honest = host().model().infer(&outcome.entry.inputs());
            assert_ne!(&outcome.entry.outputs, honest.output());
            outcome.report.verdict != Verdict::Rejected
        };
        (0..SESSIONS).filter(|_| run()).count()
    });
    // 30 expected, deviation 5: beyond these with probability below 10^-5.
    assert!((9..=54).contains(&hidden), "{hidden} of {SESSIONS}");
}

#[test]
fn server_that_shows_other_weights_than_the_card_pins_is_rejected_before_asking() {
    let net = |seed| Host::new("s", Net::new(seed, &[6]).dense(4).finish(), None).with_private().unwrap();
    let (pinned, shown) = (net(1).card().clone(), net(2));
    let error = converse(&shown, Kind::Private, |client| {
        let card = Card { graph: client.offered().graph, ..pinned.clone() };
        Session::with(card, client).err()
    });
    let error = error.unwrap().unwrap();
    assert_eq!((error.verdict(), error.rejection().unwrap().blame()), (Verdict::Rejected, Blame::Server));
    assert!(
        converse(&shown, Kind::Private, |client| Session::with(shown.card().clone(), client).is_ok())
            .unwrap()
    );
}

/// The limit of references: whoever knows them can hold another model that agrees on them. Samples it has never seen tell.
#[test]
fn model_fitted_to_known_references_passes_them_and_fails_fresh_ones() {
    let host = || Host::new("s", Net::new(5, &[6]).dense(4).rescale(0).dense(3).finish(), None);
    let (promised, graph) = (host(), host().graph().clone());
    // All known samples are dark at their first entry; the fitted model does not look there.
    let mut tensors = promised.model().weights().tensors().to_vec();
    tensors[0].weight.chunks_exact_mut(6).for_each(|row| row[0] = 0);
    let fitted = Weights::new(&graph, tensors).unwrap();
    let server = corrupt(host().with_private().unwrap(), Cheat::Fitted(fitted));
    assert_eq!(server.cheat().catcher(Kind::Private, &graph), Catcher::Canaries);
    let mut known = batch(&graph, 8, 12);
    known.values_mut().iter_mut().step_by(6).for_each(|entry| *entry = 0);
    let queries = batch(&graph, 9, 3);
    let ask = |inputs: Tensor| {
        let canaries = references(&promised, inputs);
        over(&server, |client| session(client, &server, queries.clone(), 3, &canaries)).unwrap()
    };
    let outcome = ask(known);
    assert_eq!(outcome.report.verdict, Verdict::Accepted, "{}", outcome.report);
    assert_ne!(&outcome.entry.outputs, promised.model().infer(&outcome.entry.inputs()).output());
    assert_found_by_mixing(server.cheat().name(), &ask(batch(&graph, 10, 12)).report);
}

#[test]
fn noise_in_transfers_ends_the_conversation_with_the_server_to_blame() {
    // The base transfers' reply; the extension's columns and its check.
    for message in [1, 2, 4] {
        let cheat = Cheat::Garble { step: Step::oblivious(message), nth: 0 };
        let server = corrupt(private_digits(), cheat);
        assert_eq!(server.cheat().catcher(Kind::Private, server.graph()), Catcher::Transfers);
        let error = ask(&server, 1, 2, &labelled(server.card(), 2)).unwrap_err();
        assert_eq!(error.verdict(), Verdict::Rejected, "{message}: {error}");
        assert_eq!(error.rejection().unwrap().blame(), Blame::Server, "{message}: {error}");
    }
}

#[test]
fn server_that_hangs_up_half_way_is_believed_nothing() {
    for (step, nth) in [(PRODUCTS, 1), (Step::round(1), 0), (Step::round(3), 1), (SHARE, 0)] {
        let server = corrupt(private_digits(), Cheat::Hang { step, nth });
        assert_eq!(server.cheat().catcher(Kind::Private, server.graph()), Catcher::Silence);
        let error = ask(&server, 2, 2, &labelled(server.card(), 2)).unwrap_err();
        assert_eq!(error.verdict(), Verdict::Inconclusive, "{step}: {error}");
        assert!(
            matches!(
                error,
                SessionError::Protocol(ProtocolError::Private(
                    PrivateError::Net(_) | PrivateError::Rounding(_)
                ))
            ),
            "{step}: {error}"
        );
    }
}

/// What the client sends, step by step, whatever the server sends: nothing tells it whether an answer made sense.
#[test]
fn client_says_as_much_to_a_lying_server_as_to_an_honest_one() {
    let said = |cheat: Cheat| -> BTreeMap<Step, (u64, u64)> {
        let server = corrupt(private_digits().with_max_batch(3), cheat);
        let inputs = digits_samples(server.card(), Part::Query, 7).0;
        over(&server, |client| {
            let _ = client.ask(&SESSION, &inputs);
            let meters = client.meter_by_step().into_iter();
            meters.map(|(step, Meter { sent, messages_sent, .. })| (step, (sent, messages_sent))).collect()
        })
    };
    // Adds nothing at no position: an honest server.
    let honest = said(Cheat::Shares { positions: 0 });
    let linears = private_digits().graph().linears().count() as u64;
    assert_eq!(honest[&MASKED].1, 3 * linears, "three lots");
    for (step, nth) in [(PRODUCTS, 0), (Step::round(1), 0), (Step::round(3), 0), (SHARE, 0)] {
        assert_eq!(said(Cheat::Garble { step, nth }), honest, "{step}");
    }
    assert_eq!(said(Cheat::Shares { positions: usize::MAX }), honest);
}

#[test]
fn batch_of_several_lots_and_lots_from_a_pool_return_the_reference_integers() {
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let open = |end: usize| Pool::open(folders[end].path()).unwrap();
    for (name, model) in models().into_iter().skip(2).step_by(3) {
        let inputs = batch(model.graph(), 6, 7);
        let expected = model.infer(&inputs).output().clone();
        let host = Host::new(name, model, None).with_private().unwrap().with_max_batch(3).with_pool(open(1));
        let inline = converse(&host, Kind::Private, |client| client.ask(&SESSION, &inputs)).unwrap();
        assert_eq!(inline.unwrap().outputs, expected, "{name}, three lots");
        let filled = converse(&host, Kind::Private, |client| {
            client.set_lots(Lots::Pool(open(0)))?;
            let mut told = 0;
            client.fill(2, 3, || told += 1).map(|()| told).map_err(|error| panic!("{error}"))
        });
        assert!(matches!(filled, Ok(Ok::<_, PrivateError>(2))), "{name}");
        // Six positions are kept: the seventh is prepared now, and there is none for an eighth from the pool alone.
        let again = converse(&host, Kind::Private, |client| {
            client.set_lots(Lots::Pool(open(0))).unwrap();
            client.ask(&SESSION, &inputs)
        });
        assert_eq!(again.unwrap().unwrap().outputs, expected, "{name}, from the pool");
        let dry = converse(&host, Kind::Private, |client| {
            client.set_lots(Lots::PoolOnly(open(0))).unwrap();
            client.ask(&SESSION, &inputs)
        });
        let Err(ProtocolError::Private(error)) = dry.unwrap() else { panic!("{name}") };
        assert!(matches!(error, PrivateError::Dry { wanted: 7, left: 0 }), "{name}: {error}");
    }
}

/// A client that puts its folder back as it was asks with lots that the server has spent.
#[test]
fn lot_of_a_restored_pool_is_refused_by_the_other_end() {
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let backup = tempfile::tempdir().unwrap();
    let model = Net::new(3, &[5]).dense(4).rescale(0).dense(2).finish();
    let inputs = batch(model.graph(), 6, 2);
    let host =
        Host::new("s", model, None).with_private().unwrap().with_pool(Pool::open(folders[1].path()).unwrap());
    let with = |folder: &std::path::Path, fill: bool| {
        converse(&host, Kind::Private, |client| {
            client.set_lots(Lots::PoolOnly(Pool::open(folder).unwrap())).unwrap();
            if fill {
                client.fill(1, 2, || ()).map(|()| None)
            } else {
                client.ask(&SESSION, &inputs).map(Some)
            }
        })
        .unwrap()
    };
    with(folders[0].path(), true).unwrap();
    for entry in std::fs::read_dir(folders[0].path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::fs::copy(&path, backup.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    assert!(with(folders[0].path(), false).unwrap().is_some());
    let error = with(backup.path(), false).unwrap_err();
    assert!(matches!(error, ProtocolError::Private(_)), "{error}");
    assert!(error.to_string().contains("cannot be kept or found"), "{error}");
}

#[test]
fn rounds_of_every_node_are_the_same_for_any_batch_and_cost_a_round_trip_each() {
    let model = Net::new(4, &[1, 8, 8])
        .conv(1, 3, square(3, 1, 1))
        .rescale(0)
        .max_pool(square(2, 2, 0))
        .dense(5)
        .rescale(0)
        .dense(3)
        .finish();
    let host = Host::new("s", model, None).with_private().unwrap();
    let ledger = |shape: Shape, n: usize| -> Ledger {
        let (ours, theirs) = memory::pair(Timeouts::default());
        let ends = (ours.shaped(shape).unwrap(), theirs.shaped(shape).unwrap());
        let serve = |channel: &mut dyn Channel| serin::protocol::serve_link(channel, &host);
        let inputs = batch(host.graph(), 2, n);
        let ask = |client: &mut Client| {
            client.ask(&SESSION, &inputs).unwrap();
            client.ledger().unwrap().clone()
        };
        converse_over(ends, &serve, Kind::Private, ask).unwrap()
    };
    let rounds =
        |ledger: &Ledger| -> Vec<u64> { ledger.nodes.iter().map(|node| node.online.rounds).collect() };
    let (one, many) = (ledger(Shape::LAN, 1), ledger(Shape::WAN, 9));
    assert_eq!(rounds(&one), rounds(&many));
    // Linear nodes wait for nothing; the pool takes the rounding before it along.
    let kinds: Vec<_> = many.nodes.iter().map(|node| (&*node.kind, node.online.rounds > 0)).collect();
    let waits = [
        ("conv", false),
        ("rescale+relu", false),
        ("max-pool", true),
        ("reshape", false),
        ("matmul", false),
        ("rescale+relu", true),
        ("matmul", false),
        ("open", true),
    ];
    assert_eq!(kinds, waits);
    let online = many.online();
    let least = Duration::from_millis(40).as_secs_f64() * online.rounds as f64;
    assert!(online.wall_s >= least, "{} s for {} rounds", online.wall_s, online.rounds);
}
