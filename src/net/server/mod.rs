//! Many clients at once, none of whom can harm another.
//!
//! One thread a connection, inside one scope. What a client can cost is bounded: a seat of `max_clients` and of its
//! network's share (beyond it, a [`Refusal`] that says busy; beyond a few of those, a closed door), the waits of
//! [`Timeouts`], and whatever caps the handler gives its receives. A handler that panics ends its own connection.
//!
//! [`StopHandle::stop`] closes the door, ends the links that wait for a request, lets running requests finish
//! until the `drain` deadline, and then cuts their sockets. [`Server::serve`] returns when every handler has: a
//! handler that computes without touching its channel is waited for.

mod seats;
#[cfg(test)]
mod tests;

use super::tcp::Timed;
use super::tls::{self, Identity};
use super::{Channel, Link, Meter, NetError, Reason, Refusal, Shape, Timeouts};
use seats::{Admission, Seat, Seats};
use std::fmt::{self, Display};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};
use tracing::{debug, info, warn};

/// What a server allows.
#[derive(Clone, Debug)]
pub struct Options {
    /// Connections served at once.
    pub max_clients: usize,
    /// Of these, the most that one network may hold: one IPv4 address, or one IPv6 prefix of 64 bits.
    pub max_clients_per_network: usize,
    /// How long each wait for a client may last.
    pub timeouts: Timeouts,
    /// How long running requests may go on after a stop.
    pub drain: Duration,
    /// The certificate to serve TLS with; without one, the server speaks in the clear.
    pub tls: Option<Identity>,
    /// The line that answers travel over, for measuring; without one, as fast as the network is.
    pub shape: Option<Shape>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_clients: 64,
            max_clients_per_network: 32,
            timeouts: Timeouts::default(),
            drain: Duration::from_secs(30),
            tls: None,
            shape: None,
        }
    }
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The number of the connection, counted from 0 at this server.
    pub number: u64,
    /// The address it comes from.
    pub address: SocketAddr,
}

impl Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{} {}", self.number, self.address)
    }
}

/// A bound port, not yet served.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    options: Options,
    stopping: Arc<AtomicBool>,
}

/// Stops a server from any thread.
#[derive(Clone, Debug)]
pub struct StopHandle(Arc<AtomicBool>);

impl StopHandle {
    /// Asks the server to stop; returns at once. [`Server::serve`] returns when it is done.
    pub fn stop(&self) {
        self.0.store(true, SeqCst);
    }
}

impl Server {
    /// Listens on `address`, a `host:port`; port 0 picks a free one.
    pub fn bind(address: &str, options: Options) -> Result<Self, NetError> {
        let failed = |source| NetError::binding(address, source);
        let candidates: Vec<_> = address.to_socket_addrs().map_err(failed)?.collect();
        let listener = TcpListener::bind(candidates.as_slice()).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, options, stopping: Arc::default() })
    }

    /// The address listened on, with the port that was picked.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A handle that stops this server.
    pub fn stop_handle(&self) -> StopHandle {
        StopHandle(self.stopping.clone())
    }

    /// Serves until stopped: `handler` holds one conversation, and its channel is closed when it returns. An error
    /// it returns is logged; what the client is to be told of it, the handler has said itself.
    pub fn serve<H, E>(self, handler: H)
    where
        H: Fn(&mut dyn Channel, Peer) -> Result<(), E> + Sync,
        E: Display,
    {
        let Self { listener, address, options, stopping } = self;
        match &options.tls {
            Some(identity) => info!(%address, pin = %identity.pin(), "serving by TLS"),
            None => info!(%address, "serving in the clear"),
        }
        let seats = Seats::new(options.max_clients, options.max_clients_per_network);
        let host = Host { options: &options, seats: &seats, handler: &handler };
        thread::scope(|scope| {
            while !stopping.load(SeqCst) {
                match listener.accept() {
                    Ok((socket, address)) => host.welcome(scope, socket, address),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(ACCEPT_POLL),
                    Err(error) => {
                        warn!(%error, "cannot accept a connection");
                        thread::sleep(ACCEPT_BACKOFF);
                    }
                }
            }
            drop(listener);
            info!(%address, "stopping");
            seats.close(Instant::now() + options.drain);
        });
        info!(%address, "stopped");
    }
}

/// What every connection's thread shares.
struct Host<'a, H> {
    options: &'a Options,
    seats: &'a Seats,
    handler: &'a H,
}

impl<H> Clone for Host<'_, H> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<H> Copy for Host<'_, H> {}

impl<'a, H, E> Host<'a, H>
where
    H: Fn(&mut dyn Channel, Peer) -> Result<(), E> + Sync,
    E: Display,
{
    fn welcome<'scope>(self, scope: &'scope Scope<'scope, '_>, socket: TcpStream, address: SocketAddr)
    where
        'a: 'scope,
        H: 'scope,
    {
        let seat = match self.seats.admit(&socket, address.ip()) {
            Ok(Some(seat)) => seat,
            Ok(None) => return debug!(%address, "turned away at the door"),
            Err(error) => return warn!(%address, %error, "cannot take a connection"),
        };
        let peer = Peer { number: seat.number(), address };
        let thread = thread::Builder::new().name(format!("serin-{}", peer.number));
        if let Err(error) = thread.spawn_scoped(scope, move || self.receive(socket, &seat, peer)) {
            warn!(%peer, %error, "cannot start a thread for a connection");
        }
    }

    fn receive(self, socket: TcpStream, seat: &Seat<'_>, peer: Peer) {
        let mut link = match self.open(socket, seat) {
            Ok(link) => link,
            Err(error) => return info!(%peer, %error, "not connected"),
        };
        match seat.admission() {
            Admission::Served => self.converse(&mut link, peer),
            Admission::Refused => {
                info!(%peer, "refused: busy");
                let _ = link.refuse(&Refusal::new(Reason::Busy, "all seats are taken"));
            }
        }
        link.finish();
    }

    fn open(self, socket: TcpStream, seat: &Seat<'_>) -> Result<Link, NetError> {
        let timeouts = match seat.admission() {
            Admission::Served => self.options.timeouts,
            Admission::Refused => Timeouts { connect: DISMISSAL, idle: DISMISSAL, frame: DISMISSAL },
        };
        let socket = Timed::new(socket, Instant::now() + timeouts.connect)
            .map_err(|source| NetError::Io { doing: "opening a connection", source })?;
        let link = match &self.options.tls {
            Some(identity) => tls::accept(socket, identity, timeouts, seat.pulse())?,
            None => Link::over(socket, timeouts, seat.pulse()),
        };
        match self.options.shape {
            Some(shape) => link.shaped(shape),
            None => Ok(link),
        }
    }

    fn converse(self, link: &mut Link, peer: Peer) {
        info!(%peer, "connected");
        match catch_unwind(AssertUnwindSafe(|| (self.handler)(link, peer))) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => info!(%peer, %error, "conversation broken off"),
            Err(panic) => {
                warn!(%peer, panic = words(panic.as_ref()), "the handler failed");
                let _ = link.refuse(&Refusal::new(Reason::Failed, "the server failed on this request"));
            }
        }
        let Meter { sent, received, rounds, .. } = link.meter();
        info!(%peer, sent, received, rounds, "done");
    }
}

fn words(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without words")
}

const ACCEPT_POLL: Duration = Duration::from_millis(5);
/// The pause after a failed accept: out of file descriptors, most likely.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);
/// All the time a client that finds no seat is given.
const DISMISSAL: Duration = Duration::from_secs(1);
