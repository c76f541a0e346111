//! A line of given bandwidth and round-trip time, for tests and measurements where the system's own (`tc netem`) is
//! not to be had.
//!
//! ```text
//! n bytes handed over at t arrive at   max(t, line free) + 8n / bandwidth + round trip / 2
//! the line is free again at            max(t, line free) + 8n / bandwidth
//! ```
//! So what is sent in one go shares the latency and queues for the bandwidth. Each direction is a line of its
//! own, and **each end shapes what it sends**: two processes that both call [`Link::shaped`](super::Link::shaped)
//! (a server by its [`Options`](super::server::Options)) make up a whole link, and one alone shapes half of it.
//! The line lies under TLS, whose records it carries as they are; bytes are those of the transport.
//!
//! As with a socket, sending returns once the bytes are in a buffer, of 4 MiB besides those under way; only when
//! it is full does a sender wait, and then no longer than its deadline allows. That deadline rides along:
//! whatever the link underneath takes to accept a message, it may take as long as its sender had left. Closing
//! waits until what was sent has arrived, but not past that deadline, nor much past the time it was due.
//!
//! A delivery is never early by the monotonic clock. It is late by as much as the system takes to wake threads
//! and the link underneath to carry the bytes: a round trip over TCP on one machine of two busy cores took
//! 0.13–0.18 ms more than `LAN`'s 0.3, and 0.4–0.5 ms more than `WAN`'s 40. Left out: handshakes (TCP's and TLS's
//! come before the shape), slow start, loss, jitter, and the headers of packets.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::str::FromStr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How a link behaves, the same in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Bandwidth of each direction, in bits a second; 0 is taken as 1.
    pub bits_per_second: u64,
    /// The time from here to the peer and back, of no bytes.
    pub round_trip: Duration,
}

impl Shape {
    /// A local network: 3 Gbit/s, 0.3 ms.
    pub const LAN: Self = Self { bits_per_second: 3_000_000_000, round_trip: Duration::from_micros(300) };
    /// Between two regions: 100 Mbit/s, 40 ms.
    pub const WAN: Self = Self { bits_per_second: 100_000_000, round_trip: Duration::from_millis(40) };

    /// The time from handing over to arrival, where the line is free.
    pub fn delivery(self, bytes: u64) -> Duration {
        self.sending(bytes) + self.round_trip / 2
    }

    /// How long these bytes keep the line busy; rounded up to nanoseconds.
    fn sending(self, bytes: u64) -> Duration {
        let nanos = (u128::from(bytes) * 8 * NANOS).div_ceil(u128::from(self.bits_per_second.max(1)));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// The most bytes that are handed over and not yet delivered: a full buffer, and what is under way.
    fn capacity(self) -> usize {
        let under_way = u128::from(self.bits_per_second) * self.round_trip.as_nanos() / (2 * 8 * NANOS);
        usize::try_from(under_way).unwrap_or(usize::MAX).saturating_add(BUFFER)
    }
}

/// Parses `lan`, `wan`, or MBIT,MS: megabits a second and milliseconds there and back, as `100,40`.
impl FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = || {
            let (mbit, ms) = text.split_once(',')?;
            let (mbit, ms): (f64, f64) = (mbit.parse().ok()?, ms.parse().ok()?);
            let sound = (1e-6..1e6).contains(&mbit) && (0.0..1e5).contains(&ms);
            sound.then(|| Self {
                bits_per_second: (mbit * 1e6) as u64,
                round_trip: Duration::from_secs_f64(ms / 1e3),
            })
        };
        match text {
            "lan" => Ok(Self::LAN),
            "wan" => Ok(Self::WAN),
            _ => numbers().ok_or_else(|| "a line is lan, wan, or MBIT,MS as 100,40".into()),
        }
    }
}

/// When the line is free, and so when bytes arrive.
#[derive(Debug)]
struct Timetable {
    shape: Shape,
    free: Instant,
}

impl Timetable {
    /// Takes bytes onto the line and says when they arrive.
    fn take(&mut self, bytes: usize, now: Instant) -> Instant {
        self.free = self.free.max(now) + self.shape.sending(bytes as u64);
        self.free + self.shape.round_trip / 2
    }
}

/// The sending direction of a shaped transport, carried on by a thread of its own.
pub(super) struct Line {
    timetable: Timetable,
    capacity: usize,
    /// When the last bytes are due, and until when their sender waits for them.
    due: Instant,
    deadline: Instant,
    queue: Arc<Queue>,
    carrier: Option<JoinHandle<()>>,
}

impl Line {
    /// A line at whose far end `carry` puts the bytes on the transport, by the deadline it is given.
    pub(super) fn lay(
        shape: Shape,
        carry: impl FnMut(Vec<u8>, Instant) -> io::Result<()> + Send + 'static,
    ) -> io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let far_end = queue.clone();
        let carrier =
            thread::Builder::new().name("serin-line".into()).spawn(move || far_end.deliver(carry))?;
        let now = Instant::now();
        Ok(Self {
            timetable: Timetable { shape, free: now },
            capacity: shape.capacity(),
            due: now,
            deadline: now,
            queue,
            carrier: Some(carrier),
        })
    }

    /// Takes over the first of these bytes, and says how many; waits for room until the deadline.
    pub(super) fn write(&mut self, bytes: &[u8], deadline: Instant) -> io::Result<usize> {
        let mut state = self.queue.lock();
        let (now, room) = loop {
            let now = Instant::now();
            let left = deadline.saturating_duration_since(now);
            if let Some(error) = state.failure.take() {
                return Err(error);
            }
            if state.closed {
                return Err(ErrorKind::BrokenPipe.into());
            }
            if left.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            match self.capacity - state.held {
                0 => state = self.queue.wait(state, left),
                room => break (now, room),
            }
        };
        let piece = &bytes[..bytes.len().min(room).min(PIECE)];
        self.due = self.timetable.take(piece.len(), now);
        self.deadline = self.deadline.max(deadline);
        state.held += piece.len();
        state.pieces.push_back(Piece { due: self.due, patience: deadline - now, bytes: piece.to_vec() });
        self.queue.changed.notify_all();
        Ok(piece.len())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let until = (self.due + GRACE).min(self.deadline);
        let mut state = self.queue.lock();
        state.closed = true;
        self.queue.changed.notify_all();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if state.held == 0 || left.is_zero() {
                break;
            }
            state = self.queue.wait(state, left);
        }
        state.pieces.clear();
        let delivered = state.held == 0;
        drop(state);
        self.queue.changed.notify_all();
        if let Some(carrier) = self.carrier.take().filter(|_| delivered) {
            let _ = carrier.join();
        }
    }
}

/// What is on the line, shared by the sender and the thread at its far end.
#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    pieces: VecDeque<Piece>,
    /// Bytes handed over and not yet accepted by the transport.
    held: usize,
    /// Nothing more is taken.
    closed: bool,
    /// Why not, if it is the transport's doing and the sender does not know yet.
    failure: Option<io::Error>,
}

struct Piece {
    due: Instant,
    /// How long the transport may take to accept it.
    patience: Duration,
    bytes: Vec<u8>,
}

impl Queue {
    fn deliver(&self, mut carry: impl FnMut(Vec<u8>, Instant) -> io::Result<()>) {
        while let Some(Piece { bytes, patience, .. }) = self.next() {
            let count = bytes.len();
            let outcome = carry(bytes, Instant::now() + patience);
            let mut state = self.lock();
            match outcome {
                Ok(()) => state.held -= count,
                Err(error) => *state = State { closed: true, failure: Some(error), ..State::default() },
            }
            self.changed.notify_all();
        }
    }

    /// The next piece, once it is due; none once the line is closed and empty.
    fn next(&self) -> Option<Piece> {
        let mut state = self.lock();
        loop {
            let left = match state.pieces.front() {
                Some(piece) => piece.due.saturating_duration_since(Instant::now()),
                None if state.closed => return None,
                None => Duration::MAX,
            };
            state = match left {
                Duration::ZERO => return state.pieces.pop_front(),
                left if left <= SLACK => {
                    drop(state);
                    thread::yield_now();
                    self.lock()
                }
                left => self.wait(state, left - SLACK),
            }
        }
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, time: Duration) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How late Linux by default lets a timer be: it is set this much early, and the rest waited out awake.
const SLACK: Duration = Duration::from_micros(50);
const NANOS: u128 = 1_000_000_000;
/// What the sender may have waiting for the line: as much as Linux by default lets a TCP socket hold.
const BUFFER: usize = 4 << 20;
/// Longer writes go out in pieces, so that the peer need not wait for the last byte to see the first.
const PIECE: usize = 64 << 10;
/// How long past its time a delivery is waited for when the line is closed.
const GRACE: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests;
