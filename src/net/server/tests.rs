#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
use super::*;
use crate::net::tcp::{connect, connect_pinned};
use crate::net::{HEADER_BYTES, Step};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;

const CAP: usize = 1 << 20;
const SECOND: Duration = Duration::from_secs(1);
const PATIENT: Timeouts = Timeouts {
    connect: Duration::from_secs(30),
    idle: Duration::from_secs(90),
    frame: Duration::from_secs(90),
};
const MOMENT: Duration = Duration::from_millis(200);

fn options(timeouts: Timeouts) -> Options {
    Options { timeouts, ..Options::default() }
}

/// Runs `script` against a server on a free loopback port and stops the server after it, also if it fails.
fn with_server<E: Display>(
    options: Options,
    handler: impl Fn(&mut dyn Channel, Peer) -> Result<(), E> + Sync + Send,
    script: impl FnOnce(&str, &StopHandle),
) {
    struct StopAtEnd(StopHandle);
    impl Drop for StopAtEnd {
        fn drop(&mut self) {
            self.0.stop();
        }
    }
    let server = Server::bind("127.0.0.1:0", options).unwrap();
    let (address, stop) = (server.address().to_string(), StopAtEnd(server.stop_handle()));
    thread::scope(|scope| {
        let stop = stop;
        scope.spawn(move || server.serve(handler));
        script(&address, &stop.0);
    });
}

fn echo(channel: &mut dyn Channel, _: Peer) -> Result<(), NetError> {
    loop {
        match channel.receive_one_of(&[(Step::ASK, CAP), (Step::GOODBYE, 0)])? {
            (Step::GOODBYE, _) => return Ok(()),
            (_, body) => channel.send(Step::ANSWER, &body)?,
        }
    }
}

fn ask(link: &mut Link, body: &[u8]) -> Result<Vec<u8>, NetError> {
    link.send(Step::ASK, body)?;
    link.receive(Step::ANSWER, CAP)
}

#[track_caller]
fn assert_refused<T: fmt::Debug>(outcome: Result<T, NetError>, reason: Reason) {
    match outcome {
        Err(NetError::Refused(refusal)) if refusal.reason == reason => {}
        other => panic!("expected a refusal ({reason}), got {other:?}"),
    }
}

/// Asks until a seat is free: a seat is given back a moment after its client has left.
fn ask_until_seated(address: &str) -> Vec<u8> {
    let deadline = Instant::now() + 60 * SECOND;
    loop {
        match connect(address, PATIENT).and_then(|mut link| ask(&mut link, b"now")) {
            Ok(answer) => return answer,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn many_clients_at_once_are_each_answered() {
    with_server(options(PATIENT), echo, |address, _| {
        thread::scope(|scope| {
            for client in 0..8_u8 {
                scope.spawn(move || {
                    let mut link = connect(address, PATIENT).unwrap();
                    for size in [0, 1, 70_000, CAP] {
                        let body = vec![client; size];
                        assert_eq!(ask(&mut link, &body).unwrap(), body);
                    }
                    link.send(Step::GOODBYE, &[]).unwrap();
                    let sent = (5 * HEADER_BYTES + 1 + 70_000 + CAP) as u64;
                    assert_eq!(
                        (link.meter().sent, link.meter().received),
                        (sent, sent - HEADER_BYTES as u64)
                    );
                });
            }
        });
    });
}

#[test]
fn shaped_server_answers_late_and_loses_no_last_word() {
    let shape = Shape { bits_per_second: 8_000_000, round_trip: MOMENT };
    let ours = Identity::self_signed().unwrap();
    let pin = ours.pin();
    let answer_once = |channel: &mut dyn Channel, _| {
        let body = channel.receive(Step::ASK, CAP)?;
        channel.send(Step::ANSWER, &body)
    };
    for tls in [None, Some(ours)] {
        let sealed = tls.is_some();
        let options = Options { shape: Some(shape), tls, ..options(PATIENT) };
        with_server(options, answer_once, |address, _| {
            let link = if sealed { connect_pinned(address, pin, PATIENT) } else { connect(address, PATIENT) };
            let (mut link, start) = (link.unwrap(), Instant::now());
            assert_eq!(ask(&mut link, &[7; 100_000]).unwrap(), [7; 100_000]);
            assert!(start.elapsed() >= shape.delivery(100_000 + HEADER_BYTES as u64));
        });
    }
}

#[test]
fn client_beyond_the_last_seat_is_refused_until_one_is_free() {
    let options = Options { max_clients: 1, ..options(PATIENT) };
    with_server(options, echo, |address, _| {
        let mut first = connect(address, PATIENT).unwrap();
        ask(&mut first, b"seated").unwrap();
        let mut second = connect(address, PATIENT).unwrap();
        assert_refused(ask(&mut second, b"me too"), Reason::Busy);
        assert_eq!(ask(&mut first, b"still here").unwrap(), b"still here");
        drop(first);
        assert_eq!(ask_until_seated(address), b"now");
    });
}

#[test]
fn silent_client_is_cut_and_harms_no_other() {
    let short = Timeouts { idle: MOMENT, ..PATIENT };
    with_server(options(short), echo, |address, _| {
        let mut silent = connect(address, PATIENT).unwrap();
        let mut other = connect(address, PATIENT).unwrap();
        assert_eq!(ask(&mut other, b"hi").unwrap(), b"hi");
        assert_refused(silent.receive(Step::ANSWER, CAP), Reason::Late);
    });
}

#[test]
fn dripping_client_is_cut_at_the_deadline_of_its_frame() {
    let short = Timeouts { frame: MOMENT, ..PATIENT };
    with_server(options(short), echo, |address, _| {
        let started = Instant::now();
        let mut socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let mut drops = b"SERN\x01\0\x04\0\0\x10\0\0\0\0\0\0".iter().chain(std::iter::repeat(&0));
        let mut reply = [0; 512];
        let got = loop {
            assert!(started.elapsed() < 30 * SECOND, "never cut");
            let sent = drops.next().map(|byte| socket.write_all(&[*byte]));
            match socket.read(&mut reply) {
                Ok(got) => break got,
                Err(_) => sent.unwrap().unwrap(),
            }
        };
        assert!(started.elapsed() >= MOMENT);
        assert_eq!(reply[..8], *b"SERN\x01\0\x06\0", "a refusal");
        assert!(got >= HEADER_BYTES);
    });
}

#[test]
fn oversized_and_misplaced_and_foreign_messages_are_refused_and_harm_no_other() {
    with_server(options(PATIENT), echo, |address, _| {
        let mut other = connect(address, PATIENT).unwrap();
        let mut flood = connect(address, PATIENT).unwrap();
        assert_refused(ask(&mut flood, &vec![0; 2 * CAP]), Reason::Misuse);
        let mut rude = connect(address, PATIENT).unwrap();
        rude.send(Step::CARD, &[]).unwrap();
        assert_refused(rude.receive(Step::ANSWER, CAP), Reason::Misuse);
        let mut web = TcpStream::connect(address).unwrap();
        web.set_read_timeout(Some(30 * SECOND)).unwrap();
        web.write_all(b"GET / HTTP/1.1\r\nHost: me\r\n\r\n").unwrap();
        let mut reply = Vec::new();
        web.read_to_end(&mut reply).unwrap();
        assert!(reply.starts_with(b"SERN\x01\0\x06\0"), "{reply:?}");
        assert_eq!(ask(&mut other, b"hi").unwrap(), b"hi");
    });
}

#[test]
fn flood_of_connections_is_weathered() {
    let short = Timeouts { idle: MOMENT, ..PATIENT };
    let options = Options { max_clients: 2, ..options(short) };
    with_server(options, echo, |address, _| {
        let flood: Vec<_> = (0..60).map(|_| TcpStream::connect(address).unwrap()).collect();
        assert_eq!(ask_until_seated(address), b"now");
        drop(flood);
    });
}

#[test]
fn panicking_handler_ends_its_own_connection_only() {
    let handler = |channel: &mut dyn Channel, peer: Peer| {
        let body = channel.receive(Step::ASK, CAP)?;
        assert_ne!(body, b"poison");
        channel.send(Step::ANSWER, &body)?;
        echo(channel, peer)
    };
    with_server(options(PATIENT), handler, |address, _| {
        let mut other = connect(address, PATIENT).unwrap();
        assert_eq!(ask(&mut other, b"hi").unwrap(), b"hi");
        let mut poisoner = connect(address, PATIENT).unwrap();
        assert_refused(ask(&mut poisoner, b"poison"), Reason::Failed);
        assert_eq!(ask(&mut other, b"hi").unwrap(), b"hi");
    });
}

#[test]
fn stop_lets_a_running_request_finish_and_ends_the_waiting_links() {
    let (started, has_started) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let handler = move |channel: &mut dyn Channel, peer: Peer| {
        let body = channel.receive(Step::ASK, CAP)?;
        if body == b"slow" {
            started.send(()).unwrap();
            released.lock().unwrap().recv_timeout(30 * SECOND).unwrap();
        }
        channel.send(Step::ANSWER, &body)?;
        echo(channel, peer)
    };
    with_server(options(PATIENT), handler, |address, stop| {
        let mut waiting = connect(address, PATIENT).unwrap();
        ask(&mut waiting, b"hi").unwrap();
        let mut running = connect(address, PATIENT).unwrap();
        running.send(Step::ASK, b"slow").unwrap();
        has_started.recv_timeout(30 * SECOND).unwrap();
        stop.stop();
        assert_refused(waiting.receive(Step::ANSWER, CAP), Reason::Stopping);
        assert!(connect(address, PATIENT).is_err(), "the door is closed");
        release.send(()).unwrap();
        assert_eq!(running.receive(Step::ANSWER, CAP).unwrap(), b"slow");
        assert_refused(running.receive(Step::ANSWER, CAP), Reason::Stopping);
    });
}

#[test]
fn stop_cuts_what_runs_past_the_drain_deadline() {
    let options = Options { drain: MOMENT, ..options(PATIENT) };
    let started = Instant::now();
    with_server(options, echo, |address, stop| {
        let mut half = TcpStream::connect(address).unwrap();
        half.set_read_timeout(Some(30 * SECOND)).unwrap();
        half.write_all(b"SERN\x01\0").unwrap();
        ask(&mut connect(address, PATIENT).unwrap(), b"so the half frame is being read").unwrap();
        stop.stop();
        assert_eq!(half.read(&mut [0; 1]).unwrap_or(0), 0, "cut");
    });
    assert!(started.elapsed() < 30 * SECOND, "the frame's own deadline is later");
}

#[test]
fn port_in_use_is_named_with_what_to_do() {
    let first = Server::bind("127.0.0.1:0", Options::default()).unwrap();
    let error = Server::bind(&first.address().to_string(), Options::default()).unwrap_err();
    assert!(matches!(error, NetError::PortInUse { .. }), "{error}");
    assert!(error.to_string().contains("choose another port"), "{error}");
    let nowhere = Server::bind("nowhere", Options::default()).unwrap_err();
    assert!(matches!(nowhere, NetError::Bind { .. }), "{nowhere}");
}

#[test]
fn pinned_certificate_is_accepted_and_any_other_refused() {
    let (ours, other) = (Identity::self_signed().unwrap(), Identity::self_signed().unwrap());
    let (pin, wrong) = (ours.pin(), other.pin());
    let options = Options { tls: Some(ours), ..options(PATIENT) };
    with_server(options, echo, |address, _| {
        let body = vec![7; CAP];
        let mut link = connect_pinned(address, pin, PATIENT).unwrap();
        assert_eq!(ask(&mut link, &body).unwrap(), body);
        let error = connect_pinned(address, wrong, PATIENT).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&pin.to_string()) && text.contains(&wrong.to_string()), "{text}");
        assert_eq!(ask(&mut link, b"on").unwrap(), b"on");
    });
}

#[test]
fn plain_client_on_a_tls_port_is_told_so() {
    let options = Options { tls: Some(Identity::self_signed().unwrap()), ..options(PATIENT) };
    with_server(options, echo, |address, _| {
        let error = ask(&mut connect(address, PATIENT).unwrap(), b"hi").unwrap_err();
        assert!(matches!(error, NetError::SpeaksTls), "{error}");
    });
}

#[test]
fn tls_client_on_a_plain_port_is_told_so() {
    let pin = Identity::self_signed().unwrap().pin();
    with_server(options(PATIENT), echo, |address, _| {
        let error = connect_pinned(address, pin, PATIENT).unwrap_err();
        assert!(matches!(error, NetError::NotTls), "{error}");
    });
}

#[test]
fn tls_client_beyond_the_last_seat_is_refused_and_stop_reaches_it_too() {
    let ours = Identity::self_signed().unwrap();
    let pin = ours.pin();
    let options = Options { max_clients: 1, tls: Some(ours), ..options(PATIENT) };
    with_server(options, echo, |address, stop| {
        let mut first = connect_pinned(address, pin, PATIENT).unwrap();
        ask(&mut first, b"seated").unwrap();
        let mut second = connect_pinned(address, pin, PATIENT).unwrap();
        assert_refused(second.receive(Step::ANSWER, CAP), Reason::Busy);
        stop.stop();
        assert_refused(first.receive(Step::ANSWER, CAP), Reason::Stopping);
    });
}
