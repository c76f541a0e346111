#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
use super::*;
use crate::net::tcp::{self, Timed};
use crate::net::tls::{self, Identity};
use crate::net::{Channel, HEADER_BYTES, Link, NetError, Step, Timeouts, memory};
use proptest::prelude::*;
use std::net::TcpListener;

/// A byte a microsecond, 20 ms one way.
const SLOW: Shape = Shape { bits_per_second: 8_000_000, round_trip: Duration::from_millis(40) };
const CAP: usize = 1 << 20;

fn frame(body: usize) -> u64 {
    (HEADER_BYTES + body) as u64
}

fn in_memory(shape: Shape) -> (Link, Link) {
    let (left, right) = memory::pair(Timeouts::default());
    (left.shaped(shape).unwrap(), right.shaped(shape).unwrap())
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Memory,
    Tcp,
    Tls,
}

/// Runs `script` against a peer that answers every question by itself, over a link shaped at both ends.
fn with_echo(kind: Kind, script: impl FnOnce(&mut Link)) {
    let identity = Identity::self_signed().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let timeouts = Timeouts::default();
    let (left, right) = memory::pair(timeouts);
    let pin = identity.pin();
    let listen = move || {
        let socket = || Timed::new(listener.accept().unwrap().0, Instant::now() + timeouts.connect).unwrap();
        match kind {
            Kind::Memory => right,
            Kind::Tcp => Link::over(socket(), timeouts, Arc::default()),
            Kind::Tls => tls::accept(socket(), &identity, timeouts, Arc::default()).unwrap(),
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| echo(&mut listen().shaped(SLOW).unwrap()));
        let link = match kind {
            Kind::Memory => Ok(left),
            Kind::Tcp => tcp::connect(&address, timeouts),
            Kind::Tls => tcp::connect_pinned(&address, pin, timeouts),
        };
        script(&mut link.unwrap().shaped(SLOW).unwrap());
    });
}

/// Answers until the other end is closed.
fn echo(link: &mut Link) {
    while let Ok(body) = link.receive(Step::ASK, CAP) {
        link.send(Step::ANSWER, &body).unwrap();
    }
}

#[test]
fn answers_over_any_transport_take_their_time_and_a_round_each() {
    for kind in [Kind::Memory, Kind::Tcp, Kind::Tls] {
        with_echo(kind, |link| {
            let (start, bodies) = (Instant::now(), [0, 10_000, 70_000]);
            for size in bodies {
                let body = vec![7; size];
                link.send(Step::ASK, &body).unwrap();
                assert_eq!(link.receive(Step::ANSWER, CAP).unwrap(), body);
            }
            let least: Duration = bodies.iter().map(|size| 2 * SLOW.delivery(frame(*size))).sum();
            assert!(start.elapsed() >= least, "{kind:?}: {:?} of {least:?}", start.elapsed());
            let bytes: u64 = bodies.iter().map(|size| frame(*size)).sum();
            let meter = link.meter();
            assert_eq!((meter.sent, meter.received, meter.rounds), (bytes, bytes, 3), "{kind:?}");
        });
    }
}

#[test]
fn questions_in_one_go_share_the_bandwidth_and_cost_one_round() {
    for kind in [Kind::Memory, Kind::Tcp] {
        with_echo(kind, |link| {
            let start = Instant::now();
            (0..8).for_each(|_| link.send(Step::ASK, &[1; 5000]).unwrap());
            (0..8).for_each(|_| drop(link.receive(Step::ANSWER, 5000).unwrap()));
            let least = SLOW.delivery(8 * frame(5000)) + SLOW.delivery(frame(5000));
            assert!(start.elapsed() >= least, "{kind:?}: {:?} of {least:?}", start.elapsed());
            let meter = link.meter();
            assert_eq!((meter.messages_sent, meter.messages_received, meter.rounds), (8, 8, 1), "{kind:?}");
        });
    }
}

#[test]
fn end_that_is_not_shaped_sends_at_once() {
    let (left, mut right) = memory::pair(Timeouts::default());
    let mut left = left.shaped(Shape { round_trip: Duration::from_secs(3600), ..SLOW }).unwrap();
    right.send(Step::ASK, b"now").unwrap();
    assert_eq!(left.receive(Step::ASK, 3).unwrap(), b"now");
}

#[test]
fn message_sent_before_closing_arrives_and_then_the_end() {
    let (mut left, mut right) = in_memory(SLOW);
    left.send(Step::GOODBYE, &[1; 5000]).unwrap();
    drop(left);
    assert_eq!(right.receive(Step::GOODBYE, 5000).unwrap(), [1; 5000]);
    assert!(matches!(right.receive(Step::ASK, 1), Err(NetError::Ended)));
}

#[test]
fn sender_into_a_full_buffer_waits_no_longer_than_its_deadline() {
    let timeouts = Timeouts { frame: Duration::from_millis(50), ..Timeouts::default() };
    let (left, _right) = memory::pair(timeouts);
    let mut left = left.shaped(Shape { bits_per_second: 8, ..SLOW }).unwrap();
    let error = left.send(Step::ASK, &vec![0; BUFFER + 1]).unwrap_err();
    assert!(matches!(error, NetError::Timeout { doing: "sending a message", .. }), "{error}");
    assert_eq!(left.meter().messages_sent, 0);
}

#[test]
fn receiver_waits_no_longer_than_its_own_deadline() {
    let timeouts = Timeouts {
        idle: Duration::from_millis(20),
        frame: Duration::from_millis(100),
        ..Timeouts::default()
    };
    let (left, mut right) = memory::pair(timeouts);
    let mut left = left.shaped(Shape { round_trip: Duration::from_secs(3600), ..SLOW }).unwrap();
    left.send(Step::ASK, &[]).unwrap();
    assert!(matches!(right.receive(Step::ASK, 0), Err(NetError::Timeout { .. })));
}

#[test]
fn sender_to_a_closed_end_learns_of_it_once_a_delivery_failed() {
    let (mut left, right) = in_memory(SLOW);
    drop(right);
    left.send(Step::ASK, b"still on its way").unwrap();
    let error = (0..1000).find_map(|_| {
        thread::sleep(Duration::from_millis(5));
        left.send(Step::ASK, b"?").err()
    });
    assert!(matches!(error, Some(NetError::Ended)), "{error:?}");
}

#[test]
fn shape_given_twice_is_the_last_one() {
    let (left, mut right) = memory::pair(Timeouts::default());
    let hour = Shape { round_trip: Duration::from_secs(3600), ..SLOW };
    let mut left = left.shaped(hour).unwrap().shaped(SLOW).unwrap();
    let start = Instant::now();
    left.send(Step::ASK, b"?").unwrap();
    right.receive(Step::ASK, 1).unwrap();
    assert!(start.elapsed() >= SLOW.delivery(frame(1)));
}

#[test]
fn constants_deliver_when_they_say() {
    assert_eq!(Shape::LAN.delivery(375_000), Duration::from_micros(1_000 + 150));
    assert_eq!(Shape::WAN.delivery(125_000), Duration::from_millis(10 + 20));
    assert_eq!(Shape::WAN.capacity(), BUFFER + 250_000);
}

proptest! {
    /// The model itself, by a clock of our own: exact where the line never idles, latency paid once.
    #[test]
    fn pieces_at_once_arrive_one_transmission_apart(sizes in proptest::collection::vec(1..PIECE, 1..20), rest: u16) {
        let now = Instant::now();
        let mut timetable = Timetable { shape: SLOW, free: now };
        let mut bytes = 0;
        for size in sizes {
            bytes += size as u64;
            prop_assert_eq!(timetable.take(size, now), now + SLOW.delivery(bytes));
        }
        let idle = timetable.free + Duration::from_micros(rest.into());
        prop_assert_eq!(timetable.take(1, idle), idle + SLOW.delivery(1));
    }
}

#[test]
fn shape_of_a_word_or_two_numbers_is_parsed_and_else_refused() {
    assert_eq!("lan".parse(), Ok(Shape::LAN));
    assert_eq!("100,40".parse(), Ok(Shape::WAN));
    for text in ["", "100", "100,", "-1,4", "0,1", "1,-1", "nan,1", "1e9,1", "man"] {
        assert!(text.parse::<Shape>().is_err(), "{text}");
    }
}
