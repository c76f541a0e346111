//! Campaigns and audits: what many batches say together.

use serin::adversary::{Cheaper, Cheat, Corrupt};
use serin::audit::{Audit, AuditError, Campaign, Looks, audit};
use serin::protocol::{Answerer, Client, Kind, converse};
use serin::session::record::Recorder;
use serin::session::{Session, criteria};
use serin_datasets::digits;
use serin_verifier::canary::ledger::Standing;
use serin_verifier::proof::Mode;
use serin_verifier::record::Record;
use serin_verifier::report::Verdict;

use crate::session::{digits_host, digits_model, labelled, level};

/// All 450 canaries in batches of 100.
fn campaign(answerer: &dyn Answerer, kind: Kind) -> (Audit, Record) {
    let session = Session::new(answerer.card().clone(), answerer.graph().clone()).unwrap();
    let campaign = Campaign {
        session: &session,
        canaries: labelled(session.card(), 450),
        criteria: criteria(session.card(), level(), true).unwrap(),
        batch: 100,
    };
    let mut recorder = Recorder::memory();
    let mut done = Vec::new();
    let run = |client: &mut Client| campaign.run(client, &mut recorder, &mut |n, _| done.push(n)).unwrap();
    let audit = converse(answerer, kind, run).unwrap();
    done.dedup();
    assert_eq!(done, [0, 100, 200, 300, 400]);
    (audit, Record::decode(recorder.bytes().unwrap()).unwrap())
}

#[test]
fn campaign_against_the_promised_model_accepted() {
    let (live, record) = campaign(&digits_host(), Kind::Plain);
    assert_eq!((live.verdict, live.batches, live.repeated), (Verdict::Accepted, 5, 0), "{live}");
    assert_eq!(live.labelled.tally.asked(), 450);
    assert!(live.labelled.error_at_least < 0.02 && live.labelled.error_at_most > 0.01, "{live}");
    let again = audit(&record.entries, Looks::Once).unwrap();
    assert_eq!(serde_json::to_value(&again).unwrap(), serde_json::to_value(&live).unwrap());
    let often = audit(&record.entries, Looks::Often).unwrap();
    assert_eq!((often.verdict, often.ledger.standing), (Verdict::Accepted, Standing::Stands), "{often}");
}

#[test]
fn campaign_against_an_overclaiming_server_rejected_by_test_and_ledger() {
    let (graph, weights) = digits_model(digits::cheap_model());
    let server = Corrupt::new(digits_host(), Cheat::Overclaim(Cheaper { graph, weights })).unwrap();
    let (live, record) = campaign(&server, Kind::Plain);
    assert_eq!(live.verdict, Verdict::Rejected, "{live}");
    assert!(live.labelled.error_at_least > 0.02 && live.faults.is_empty(), "{live}");
    let often = audit(&record.entries, Looks::Often).unwrap();
    assert_eq!((often.verdict, often.ledger.standing), (Verdict::Rejected, Standing::Failed), "{often}");
}

#[test]
fn audit_of_a_false_proof_rejected_and_its_batch_named() {
    for mode in Mode::ALL {
        let (_, mut record) = campaign(&digits_host(), Kind::Proved(mode));
        assert_eq!(audit(&record.entries, Looks::Once).unwrap().proved, 5);
        let last = record.entries.len() - 1;
        record.entries[last].outputs.values_mut()[0] ^= 1;
        let found = audit(&record.entries, Looks::Once).unwrap();
        assert_eq!(
            (found.verdict, found.proved, found.faults[0].batch),
            (Verdict::Rejected, 4, 4),
            "{found}"
        );
    }
}

#[test]
fn canaries_asked_twice_counted() {
    let (_, record) = campaign(&digits_host(), Kind::Plain);
    let twice = [&record.entries[..], &record.entries[..1]].concat();
    let audit = audit(&twice, Looks::Often).unwrap();
    assert_eq!(audit.repeated, 100);
    assert!(audit.to_string().contains("100 canaries had been asked before"), "{audit}");
}

#[test]
fn audits_of_nothing_or_of_two_cards_refused() {
    assert_eq!(audit(&[], Looks::Once).unwrap_err(), AuditError::Empty);
    let (_, mut record) = campaign(&digits_host(), Kind::Plain);
    record.entries[1].card.accuracy = Some(0.5);
    assert_eq!(audit(&record.entries, Looks::Once).unwrap_err(), AuditError::Card { batch: 1 });
}
