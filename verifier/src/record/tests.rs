#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::time::Duration;

use proptest::prelude::*;
use serin_circuits::graph::{Builder, Graph, Linear, Op, Port, Wire};
use serin_circuits::tensor::{Range, Tensor};

use super::*;
use crate::canary::judge::Criteria;
use crate::canary::mixing::Slot;
use crate::canary::{Level, Rate};
use crate::card::Card;
use crate::report::{Unjudged, Verdict, judge};

fn graph() -> Graph {
    let input = Port { shape: vec![2], exponent: 4, range: Range { low: -8, high: 7 } };
    let mut builder = Builder::new(input).unwrap();
    let range = Range { low: -100, high: 100 };
    builder.push("dense", Op::MatMul(Linear::dense(2, 3, 2)), &[Wire::INPUT], Some(range)).unwrap();
    builder.finish().unwrap()
}

fn tensor(shape: &[usize], values: &[i32]) -> Tensor {
    Tensor::new(values.len() / shape[0], shape, values.to_vec()).unwrap()
}

/// One query in two copies among a labelled and a reference canary.
fn entry(session: u8) -> Entry {
    let graph = graph();
    let level = Level::new(1e-3).unwrap();
    let (canary, query) = (|index| Slot::Canary { index }, |copy| Slot::Query { query: 0, copy });
    Entry {
        card: Card::new("here", &graph, [5; 32], Some(0.75)),
        graph,
        protocol: Kind::Plain,
        session: [session; 32],
        criteria: Criteria {
            claimed_error: Rate::new(0.25).unwrap(),
            alpha: level,
            beta: level,
            tolerance: Some(1),
            least_accuracy: None,
            least_agreement: Some(0.0),
        },
        copies: 2,
        queries: tensor(&[2], &[-8, 7]),
        canaries: tensor(&[2], &[0, 1, 2, 3]),
        truths: vec![Truth::Label(2), Truth::Reference(vec![-100, 0, 100])],
        slots: vec![query(1), canary(1), canary(0), query(0)],
        outputs: tensor(&[3], &[1, 2, 2, -100, 0, 100, 0, 0, 9, 1, 2, 2]),
        evidence: Evidence::Proof(vec![1, 2, 3]),
        costs: Costs { sent: 10, received: 20, waited: Duration::from_micros(1234) },
    }
}

fn record(entries: &[Entry]) -> Vec<u8> {
    let (header, mut head) = begin();
    let mut bytes = header.to_vec();
    for entry in entries {
        let (frame, next) = append(&head, entry).unwrap();
        bytes.extend(frame);
        head = next;
    }
    bytes
}

#[test]
fn record_of_entries_reads_back_and_is_named_by_its_head() {
    let entries = [entry(1), entry(2), entry(3)];
    let bytes = record(&entries);
    let read = Record::decode(&bytes).unwrap();
    assert_eq!((&read.entries[..], read.end), (&entries[..], End::Whole));
    assert_eq!(Record::head_of(&bytes), Ok((read.head, End::Whole)));
    assert_ne!(Record::decode(&record(&[entry(2), entry(1), entry(3)])).unwrap().head, read.head);
    assert!(Record::decode(&record(&[])).unwrap().entries.is_empty());
}

#[test]
fn batch_of_an_entry_holds_each_question_at_its_place() {
    assert_eq!(entry(1).inputs().values(), [-8, 7, 2, 3, 0, 1, -8, 7]);
}

#[test]
fn entries_swapped_or_dropped_altered() {
    let bytes = record(&[entry(1), entry(2), entry(3)]);
    let (start, len) = (HEADER.len(), (bytes.len() - HEADER.len()) / 3);
    let frame = |i: usize| &bytes[start + i * len..][..len];
    let altered = |entry| Err(RecordError::Altered { entry, at: start + entry * len });
    let joined = |frames: &[&[u8]]| Record::head_of(&[&[HEADER.as_bytes()], frames].concat().concat());
    assert_eq!(joined(&[frame(1), frame(0), frame(2)]), altered(0));
    assert_eq!(joined(&[frame(0), frame(2)]), altered(1));
    assert_eq!(
        joined(&[frame(0), frame(1), &frame(2)[..len - 1]]),
        Ok(
            (Record::decode(&record(&[entry(1), entry(2)])).unwrap().head, End::Torn { at: start + 2 * len },)
        )
    );
}

#[test]
fn entries_whose_parts_do_not_fit_refused() {
    let spoil: [fn(&mut Entry); 9] = [
        |e| e.copies = 3,
        |e| e.copies = u64::MAX,
        |e| e.slots[0] = e.slots[3],
        |e| e.slots[0] = Slot::Canary { index: 2 },
        |e| e.truths.truncate(1),
        |e| e.truths[0] = Truth::Label(3),
        |e| e.truths[1] = Truth::Reference(vec![0, 0, 101]),
        |e| e.outputs = tensor(&[3], &[0; 9]),
        |e| e.queries = tensor(&[2], &[8, 0]),
    ];
    for (i, spoil) in spoil.into_iter().enumerate() {
        let mut entry = entry(1);
        spoil(&mut entry);
        assert!(matches!(entry.encode(), Err(EntryError::Parts(_))), "{i}");
        assert!(judge(&entry).is_err(), "{i}");
    }
}

#[test]
fn judgement_of_a_replayed_entry_is_that_of_the_live_one() {
    let live = judge(&entry(1)).unwrap();
    let replayed = judge(&Record::decode(&record(&[entry(1)])).unwrap().entries[0]).unwrap();
    assert_eq!(live.to_string(), replayed.to_string());
    assert_eq!(serde_json::to_value(&live).unwrap(), serde_json::to_value(&replayed).unwrap());
    assert_eq!((live.verdict, live.answers[0].class), (Verdict::Accepted, Some(1)), "{live}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn record_with_any_byte_flipped_found(at: prop::sample::Index, flip in 1u8..) {
        let mut bytes = record(&[entry(1), entry(2)]);
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let found = Record::decode(&bytes);
        prop_assert!(matches!(found, Err(RecordError::Altered { .. } | RecordError::Header(_))), "{:?}", found);
    }

    #[test]
    fn record_cut_anywhere_torn_or_whole_and_no_entry_half_read(at: prop::sample::Index) {
        let bytes = record(&[entry(1), entry(2)]);
        let at = at.index(bytes.len());
        match Record::decode(&bytes[..at]) {
            Err(error) => prop_assert!(at < HEADER.len() && matches!(error, RecordError::Header(_))),
            Ok(read) => {
                let whole = read.entries.iter().zip([entry(1), entry(2)]).all(|(read, written)| *read == written);
                prop_assert!(whole);
                let stands = match read.end { End::Whole => at, End::Torn { at } => at };
                prop_assert_eq!(stands, record(&read.entries).len());
            }
        }
    }

    /// Whoever rewrites the chain can hide behind no digest; then the entry itself is all there is.
    #[test]
    fn entry_of_any_altered_bytes_never_panics(at: prop::sample::Index, flip in 1u8.., cut: prop::sample::Index) {
        let mut bytes = entry(1).encode().unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        if let Ok(entry) = Entry::decode(&bytes) {
            prop_assert_eq!(&entry.encode().unwrap(), &bytes);
            let _ = judge(&entry);
        }
        let cut = cut.index(bytes.len());
        prop_assert!(Entry::decode(&bytes[..cut]).is_err());
    }
}

#[test]
fn entry_whose_copies_would_fill_memory_refused() {
    let input = Port { shape: vec![1 << 16], exponent: 0, range: Range { low: 0, high: 1 } };
    let mut builder = Builder::new(input).unwrap();
    let range = Range { low: 0, high: 1 };
    builder.push("dense", Op::MatMul(Linear::dense(1 << 16, 1, 0)), &[Wire::INPUT], Some(range)).unwrap();
    let graph = builder.finish().unwrap();
    let copies = 1 << 19;
    let entry = Entry {
        card: Card::new("here", &graph, [5; 32], None),
        queries: Tensor::zeros(1, &[1 << 16]),
        canaries: Tensor::zeros(0, &[1 << 16]),
        truths: Vec::new(),
        copies,
        slots: (0..copies).map(|copy| Slot::Query { query: 0, copy }).collect(),
        outputs: Tensor::zeros(copies as usize, &[1]),
        graph,
        ..entry(1)
    };
    // Five megabytes of record, a hundred gigabytes of batch.
    assert!(
        matches!(judge(&entry), Err(Unjudged::Entry(EntryError::Parts(text))) if text.contains("positions"))
    );
}

#[test]
fn entry_whose_queries_were_never_asked_refused() {
    let entry = Entry {
        copies: 0,
        slots: vec![Slot::Canary { index: 1 }, Slot::Canary { index: 0 }],
        outputs: tensor(&[3], &[-100, 0, 100, 0, 0, 9]),
        ..entry(1)
    };
    assert!(
        matches!(judge(&entry), Err(Unjudged::Entry(EntryError::Parts(text))) if text.contains("never asked"))
    );
}
