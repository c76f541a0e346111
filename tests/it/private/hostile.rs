//! What a client that does not keep to the protocol gets from a server: a reason, or nothing; never another client's time.

use std::sync::Arc;
use std::thread;

use proptest::prelude::*;
use serin::net::{Channel, Link, NetError, Reason, Step, Timeouts, memory};
use serin::protocol::private::{Blueprint, PrivateError};
use serin::protocol::{Answerer, Host, Kind, Protocol, ServeError, converse, serve_link};

use crate::world::{Net, SESSION, batch};

const SETUP: Step = Step::private(0);
/// This release's plans.
const PLANNER: u8 = 2;
const TERMS: Step = Step::private(1);
const KEY: Step = Step::private(2);
const PREPARE: Step = Step::private(3);
const SPEND: Step = Step::private(7);

fn host() -> Host {
    Host::new("s", Net::new(3, &[6]).dense(4).rescale(0).dense(2).finish(), None)
        .with_private()
        .unwrap()
        .with_max_batch(8)
}

/// Opens a conversation by hand and has `speak` go on; what came back, and how the server ended.
fn against<T>(host: &Host, speak: impl FnOnce(&mut Link) -> T) -> (T, Result<(), ServeError>) {
    let (mut ours, mut theirs) = memory::pair(Timeouts::default());
    thread::scope(|scope| {
        let served = scope.spawn(move || serve_link(&mut theirs, host));
        ours.send(Step::HELLO, &[]).unwrap();
        ours.receive(Step::CARD, 1 << 16).unwrap();
        ours.receive(Step::GRAPH, 1 << 24).unwrap();
        let said = speak(&mut ours);
        drop(ours);
        (said, served.join().unwrap())
    })
}

fn prepare(positions: u32, keep: u8) -> Vec<u8> {
    [&[9; 32][..], &positions.to_le_bytes(), &[keep]].concat()
}

/// The server's word on a message.
fn refused(host: &Host, step: Step, body: &[u8]) -> String {
    let (answer, served) = against(host, |link| {
        link.send(step, body).unwrap();
        link.receive(TERMS, 4)
    });
    assert!(served.is_err());
    match answer.unwrap_err() {
        NetError::Refused(refusal) => {
            assert_eq!(refusal.reason, Reason::Unfit);
            refusal.text
        }
        error => error.to_string(),
    }
}

#[test]
fn question_out_of_turn_or_of_no_size_is_refused_with_its_reason() {
    let host = host();
    for (step, body, reason) in [
        (PREPARE, prepare(1, 0), "before keys were exchanged"),
        (PREPARE, prepare(1, 1), "keeps no lots"),
        (PREPARE, prepare(0, 0), "more than one lot holds"),
        (PREPARE, prepare(9, 0), "at most 8"),
        (PREPARE, prepare(u32::MAX, 0), "at most 8"),
        (SPEND, prepare(1, 0)[..36].to_vec(), "runs without a pool"),
        (SETUP, vec![1, 200], "plans of version 200"),
    ] {
        let said = refused(&host, step, &body);
        assert!(said.contains(reason), "{step}: {said} where {reason} was due");
    }
}

#[test]
fn server_that_does_not_compute_in_private_takes_no_such_step() {
    let host = Host::new("s", Net::new(3, &[6]).dense(4).finish(), None);
    let (answer, served) = against(&host, |link| {
        // Refused by its header, it may be answered before it is all sent.
        link.send(SETUP, &[0, PLANNER]).and_then(|()| link.receive(TERMS, 4))
    });
    assert!(matches!(answer, Err(NetError::Refused(refusal)) if refusal.reason == Reason::Misuse));
    assert!(matches!(served, Err(ServeError::Net(NetError::WrongStep { .. }))));
    let inputs = batch(host.graph(), 1, 1);
    let error = converse(&host, Kind::Private, |client| client.ask(&SESSION, &inputs)).unwrap().unwrap_err();
    assert!(error.to_string().contains("answers no `private` question"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn bytes_of_any_kind_after_the_terms_end_the_conversation_without_panic(
        body in proptest::collection::vec(any::<u8>(), 0..200), step in 0u8..12, whole: bool,
    ) {
        let host = host();
        let (_, served) = against(&host, |link| {
            link.send(SETUP, &[0, PLANNER]).unwrap();
            let terms = link.receive(TERMS, 4).unwrap();
            assert_eq!(terms.len(), 4);
            // A key of the right length and any residues is a key; what follows is not what is due.
            if whole {
                let bound = u32::from_le_bytes(terms[..].try_into().unwrap());
                let blueprint = Blueprint::of(host.graph()).unwrap().under(bound).unwrap();
                let plan = Arc::new(blueprint).plan(1).unwrap();
                link.send(KEY, &vec![0; plan.params().unwrap().key_bytes()]).unwrap();
            }
            let _ = link.send(Step::private(step), &body);
            let _ = link.send(Step::oblivious(step), &body);
        });
        let key_refused = matches!(served, Err(ServeError::Private(PrivateError::Product(_))));
        prop_assert!(served.is_err() && !(whole && key_refused), "{served:?}");
    }
}
