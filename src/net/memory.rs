//! Two links joined in memory: the same frames, errors and meters as over a socket, without one.

use super::Shape;
use super::link::{Link, Pulse, Timeouts, Transport};
use super::shape::Line;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Instant;

/// Two ends of one link. Dropping an end closes it for the other.
pub fn pair(timeouts: Timeouts) -> (Link, Link) {
    let (left, right) = pipes();
    let link = |pipe| Link::over(pipe, timeouts, Arc::new(Pulse::default()));
    (link(left), link(right))
}

fn pipes() -> (Pipe, Pipe) {
    let ((to_right, from_left), (to_left, from_right)) = (channel(), channel());
    let pipe = |to, from| Pipe {
        line: None,
        to: Some(to),
        from,
        rest: io::Cursor::default(),
        deadline: Instant::now(),
    };
    (pipe(to_right, from_right), pipe(to_left, from_left))
}

/// One end of two unbounded byte queues.
struct Pipe {
    line: Option<Line>,
    to: Option<Sender<Vec<u8>>>,
    from: Receiver<Vec<u8>>,
    rest: io::Cursor<Vec<u8>>,
    deadline: Instant,
}

impl Transport for Pipe {
    fn set_deadline(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    fn shape(&mut self, shape: Shape) -> io::Result<()> {
        self.line = None;
        let to = self.to.clone().ok_or(ErrorKind::NotConnected)?;
        self.line = Some(Line::lay(shape, move |bytes, _| to.send(bytes).map_err(|_| hung_up()))?);
        Ok(())
    }

    fn finish(&mut self) {
        self.line = None;
        self.to = None;
    }
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.rest.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            match self.from.recv_timeout(self.deadline.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.rest = io::Cursor::new(bytes),
                Err(RecvTimeoutError::Timeout) => return Err(ErrorKind::TimedOut.into()),
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
            }
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match (&mut self.line, &self.to) {
            (Some(line), _) => line.write(bytes, self.deadline),
            (None, Some(to)) if to.send(bytes.to_vec()).is_ok() => Ok(bytes.len()),
            _ => Err(hung_up()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn hung_up() -> io::Error {
    ErrorKind::BrokenPipe.into()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use crate::net::frame::{HEADER_BYTES, Header};
    use crate::net::{Channel, Meter, NetError, Reason, Refusal, Step};
    use proptest::prelude::*;
    use std::time::Duration;

    const SHORT: Timeouts = Timeouts {
        connect: Duration::from_millis(50),
        idle: Duration::from_millis(50),
        frame: Duration::from_millis(50),
    };

    /// A link whose peer writes raw bytes.
    fn against_raw(bytes: &[u8]) -> (Link, Pipe) {
        let (pipe, mut raw) = pipes();
        raw.write_all(bytes).unwrap();
        (Link::over(pipe, SHORT, Arc::new(Pulse::default())), raw)
    }

    #[test]
    fn message_with_its_step_arrives_and_is_metered() {
        let (mut left, mut right) = pair(SHORT);
        left.send(Step::ASK, b"seven").unwrap();
        assert_eq!(right.receive(Step::ASK, 5).unwrap(), b"seven");
        let bytes = HEADER_BYTES as u64 + 5;
        assert_eq!(left.meter(), Meter { sent: bytes, messages_sent: 1, ..Meter::default() });
        assert_eq!(right.meter(), Meter { received: bytes, messages_received: 1, ..Meter::default() });
    }

    #[test]
    fn either_of_two_steps_is_told_apart() {
        let (mut left, mut right) = pair(SHORT);
        left.send(Step::GOODBYE, &[]).unwrap();
        let (step, body) = right.receive_one_of(&[(Step::ASK, 9), (Step::GOODBYE, 0)]).unwrap();
        assert_eq!((step, body.len()), (Step::GOODBYE, 0));
    }

    #[test]
    fn wrong_step_is_named_and_the_sender_told() {
        let (mut left, mut right) = pair(SHORT);
        left.send(Step::ANSWER, b"x").unwrap();
        let error = right.receive(Step::ASK, 1).unwrap_err();
        assert!(error.to_string().contains("sent answer where ask was expected"), "{error}");
        assert!(matches!(right.receive(Step::ASK, 1), Err(NetError::Broken)));
        let told = left.receive(Step::ANSWER, 1).unwrap_err();
        assert!(matches!(&told, NetError::Refused(Refusal { reason: Reason::Misuse, .. })), "{told}");
    }

    #[test]
    fn body_over_the_cap_is_refused_before_it_arrives() {
        let header = Header { step: Step::ASK, length: 9 }.encode();
        let (mut link, _raw) = against_raw(&header);
        let error = link.receive(Step::ASK, 8).unwrap_err();
        assert!(matches!(error, NetError::Oversize { step: Step::ASK, length: 9, cap: 8 }), "{error}");
    }

    #[test]
    fn lying_length_costs_no_memory() {
        let mut bytes = Header { step: Step::ASK, length: 1 << 60 }.encode().to_vec();
        bytes.extend_from_slice(b"short");
        let (mut link, raw) = against_raw(&bytes);
        drop(raw);
        let error = link.receive(Step::ASK, usize::MAX).unwrap_err();
        assert!(matches!(error, NetError::Closed { got: 5, want } if want == 1 << 60), "{error}");
    }

    #[test]
    fn silence_times_out_and_a_closed_end_is_no_timeout() {
        let (mut left, right) = pair(SHORT);
        assert!(matches!(left.receive(Step::ASK, 1), Err(NetError::Timeout { .. })));
        let (mut left, other) = pair(SHORT);
        drop((right, other));
        assert!(matches!(left.receive(Step::ASK, 1), Err(NetError::Ended)));
    }

    #[test]
    fn sender_to_a_closed_end_learns_the_reason() {
        let (mut left, mut right) = pair(SHORT);
        right.refuse(&Refusal::new(Reason::Busy, "full")).unwrap();
        drop(right);
        let error = left.send(Step::HELLO, b"me").unwrap_err();
        assert_eq!(error.to_string(), "the peer refused: busy: full; try again in a while");
    }

    proptest! {
        #[test]
        fn any_prefix_of_a_frame_is_closed_mid_message(body in proptest::collection::vec(any::<u8>(), 0..40), cut: u16) {
            let mut bytes = Header { step: Step::ASK, length: body.len() as u64 }.encode().to_vec();
            bytes.extend_from_slice(&body);
            let kept = usize::from(cut) % bytes.len();
            let (mut link, raw) = against_raw(&bytes[..kept]);
            drop(raw);
            match link.receive(Step::ASK, 40) {
                Err(NetError::Ended) => prop_assert_eq!(kept, 0),
                Err(NetError::Closed { .. }) => prop_assert!(kept > 0),
                other => prop_assert!(false, "{:?}", other),
            }
        }

        #[test]
        fn foreign_bytes_never_panic(bytes: Vec<u8>) {
            let (mut link, raw) = against_raw(&bytes);
            drop(raw);
            prop_assert!(link.receive(Step::ASK, 64).is_err() || bytes.starts_with(b"SERN"));
        }
    }
}
