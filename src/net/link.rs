//! The one implementation of [`Channel`]: frames over any ordered byte transport.
//!
//! Two clocks bound a receive: `idle` until the first byte of a frame, then `frame` for the whole of it, however
//! it is cut into pieces. A body grows as it arrives: a length that lies costs its sender's time, not our memory.

use super::frame::{HEADER_BYTES, Header, insist_on_magic};
use super::meter::Tally;
use super::{Channel, Meter, NetError, Refusal, Shape, Step};
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// How long each wait may last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// To connect, and to complete a TLS handshake.
    pub connect: Duration,
    /// For the first byte of the peer's next message: at the client, this bounds the server's computation.
    pub idle: Duration,
    /// For one whole message, from its first byte to its last, in either direction.
    pub frame: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(300),
            frame: Duration::from_secs(120),
        }
    }
}

/// An ordered stream of bytes each of whose reads and writes ends by a deadline, with `ErrorKind::TimedOut`.
pub(super) trait Transport: Read + Write + Send {
    fn set_deadline(&mut self, deadline: Instant);

    /// Sends over a line of this shape from here on, in place of any before.
    fn shape(&mut self, shape: Shape) -> std::io::Result<()>;

    /// Ends our side so that what was sent still arrives. Bounded in time; failures are of no interest any more.
    fn finish(&mut self);
}

/// What a server watches of a link, and says to it.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    /// The link waits for the first byte of a message: nothing is lost by ending it.
    pub(super) idle: AtomicBool,
    /// No further message is to be taken.
    pub(super) stopping: AtomicBool,
}

/// A [`Channel`] over memory, TCP or TLS.
pub struct Link {
    transport: Box<dyn Transport>,
    timeouts: Timeouts,
    pulse: Arc<Pulse>,
    tally: Tally,
    broken: bool,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("meter", &self.tally.total())
            .field("broken", &self.broken)
            .finish_non_exhaustive()
    }
}

impl Channel for Link {
    fn send(&mut self, step: Step, body: &[u8]) -> Result<(), NetError> {
        if self.broken {
            return Err(NetError::Broken);
        }
        self.write(step, body).inspect_err(|_| self.broken = true)
    }

    fn receive_one_of(&mut self, wanted: &[(Step, usize)]) -> Result<(Step, Vec<u8>), NetError> {
        if self.broken {
            return Err(NetError::Broken);
        }
        let outcome = self.read(wanted);
        self.pulse.idle.store(false, SeqCst);
        outcome.inspect_err(|error| {
            self.broken = true;
            if let Some(refusal) = error.reproach() {
                let _ = self.write(Step::REFUSAL, &refusal.encode());
            }
        })
    }

    fn meter(&self) -> Meter {
        self.tally.total()
    }

    fn meter_by_step(&self) -> BTreeMap<Step, Meter> {
        self.tally.steps().clone()
    }
}

impl Link {
    pub(super) fn over(transport: impl Transport + 'static, timeouts: Timeouts, pulse: Arc<Pulse>) -> Self {
        Self { transport: Box::new(transport), timeouts, pulse, tally: Tally::default(), broken: false }
    }

    /// From here on, what this end sends travels as over a line of this shape; what it receives, the other end
    /// shapes. A shape given before is replaced, once what is under way has arrived. See [`super::shape`].
    ///
    /// # Errors
    /// [`NetError::Io`], if the system has no thread or descriptor left for it.
    pub fn shaped(mut self, shape: Shape) -> Result<Self, NetError> {
        match self.transport.shape(shape) {
            Ok(()) => Ok(self),
            Err(source) => Err(NetError::Io { doing: "shaping a link", source }),
        }
    }

    pub(super) fn finish(&mut self) {
        self.transport.finish();
    }

    fn write(&mut self, step: Step, body: &[u8]) -> Result<(), NetError> {
        self.allow(self.timeouts.frame);
        let header = Header { step, length: body.len() as u64 }.encode();
        let transport = &mut self.transport;
        let outcome = transport
            .write_all(&header)
            .and_then(|()| transport.write_all(body))
            .and_then(|()| transport.flush());
        match outcome {
            Ok(()) => {
                self.tally.said(step, (header.len() + body.len()) as u64);
                Ok(())
            }
            Err(error) if hung_up(&error) => Err(self.parting_word()),
            Err(error) => Err(self.failed(error, "sending a message", self.timeouts.frame)),
        }
    }

    fn read(&mut self, wanted: &[(Step, usize)]) -> Result<(Step, Vec<u8>), NetError> {
        let Header { step, length } = self.read_header()?;
        let cap = match wanted.iter().find(|(expected, _)| *expected == step) {
            _ if step == Step::REFUSAL => Refusal::BODY_BYTES,
            Some(&(_, cap)) => cap,
            None => {
                let expected = wanted.iter().map(|(step, _)| *step).collect();
                return Err(NetError::WrongStep { expected, got: step });
            }
        };
        let body = self.read_body(step, length, cap)?;
        self.tally.heard(step, (HEADER_BYTES + body.len()) as u64);
        if step == Step::REFUSAL {
            return Err(NetError::Refused(Refusal::decode(&body)));
        }
        Ok((step, body))
    }

    fn read_header(&mut self) -> Result<Header, NetError> {
        let mut bytes = [0; HEADER_BYTES];
        let mut filled = self.read_first(&mut bytes)?;
        self.allow(self.timeouts.frame);
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.transport.read(rest) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if hung_up(&error) => break,
                Err(error) => return Err(self.failed(error, "receiving a message", self.timeouts.frame)),
            }
        }
        self.tally.took(filled as u64);
        insist_on_magic(bytes.get(..filled).unwrap_or(&bytes))?;
        if filled < HEADER_BYTES {
            return Err(NetError::Closed { got: filled as u64, want: HEADER_BYTES as u64 });
        }
        Header::decode(&bytes)
    }

    /// Waits for the first bytes of a frame: the only moment at which a stopping server may cut in.
    fn read_first(&mut self, bytes: &mut [u8]) -> Result<usize, NetError> {
        self.allow(self.timeouts.idle);
        self.pulse.idle.store(true, SeqCst);
        let stopping = || self.pulse.stopping.load(SeqCst);
        if stopping() {
            return Err(NetError::Stopping);
        }
        let outcome = loop {
            match self.transport.read(bytes) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if hung_up(&error) => break Ok(0),
                outcome => break outcome,
            }
        };
        match outcome {
            Ok(0) if stopping() => Err(NetError::Stopping),
            Ok(0) => Err(NetError::Ended),
            Ok(count) => {
                self.pulse.idle.store(false, SeqCst);
                Ok(count)
            }
            Err(error) => Err(self.failed(error, "waiting for a message", self.timeouts.idle)),
        }
    }

    fn read_body(&mut self, step: Step, length: u64, cap: usize) -> Result<Vec<u8>, NetError> {
        if length > cap as u64 {
            return Err(NetError::Oversize { step, length, cap });
        }
        let mut body = Vec::new();
        let outcome = (&mut self.transport).take(length).read_to_end(&mut body);
        let got = body.len() as u64;
        self.tally.took(got);
        match outcome {
            Ok(_) if got == length => Ok(body),
            Ok(_) => Err(NetError::Closed { got, want: length }),
            Err(error) if hung_up(&error) => Err(NetError::Closed { got, want: length }),
            Err(error) => Err(self.failed(error, "receiving a message", self.timeouts.frame)),
        }
    }

    /// The peer hung up on what we sent: it may have said why.
    fn parting_word(&mut self) -> NetError {
        self.timeouts = Timeouts { idle: PARTING, frame: PARTING, ..self.timeouts };
        match self.read(&[]) {
            Err(refused @ NetError::Refused(_)) => refused,
            _ => NetError::Ended,
        }
    }

    fn allow(&mut self, time: Duration) {
        self.transport.set_deadline(Instant::now() + time);
    }

    fn failed(&self, error: std::io::Error, doing: &'static str, limit: Duration) -> NetError {
        if error.kind() == ErrorKind::TimedOut {
            return NetError::Timeout { doing, limit };
        }
        match error.downcast::<rustls::Error>() {
            Ok(error) => NetError::Tls(error),
            Err(source) => NetError::Io { doing, source },
        }
    }
}

/// The connection is gone, whichever way the system puts it.
pub(super) fn hung_up(error: &std::io::Error) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof, WriteZero};
    matches!(
        error.kind(),
        BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof | WriteZero
    )
}

/// How long a peer that hung up is listened to for its reason.
const PARTING: Duration = Duration::from_millis(250);
