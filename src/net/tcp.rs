//! Links over TCP, in the clear or (through [`super::tls`]) sealed.
//!
//! In the clear, anyone on the way reads and alters what passes; what a protocol proves still holds, what it
//! hides from the network does not.

use super::link::{Link, Pulse, Timeouts, Transport};
use super::shape::Line;
use super::tls::{self, Pin};
use super::{NetError, Shape};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Connects in the clear to `address`, a `host:port`.
pub fn connect(address: &str, timeouts: Timeouts) -> Result<Link, NetError> {
    Ok(Link::over(dial(address, timeouts)?, timeouts, Arc::new(Pulse::default())))
}

/// Connects by TLS to `address`, a `host:port`, and only to the holder of the certificate with this pin.
pub fn connect_pinned(address: &str, pin: Pin, timeouts: Timeouts) -> Result<Link, NetError> {
    tls::join(dial(address, timeouts)?, pin, timeouts)
}

fn dial(address: &str, timeouts: Timeouts) -> Result<Timed, NetError> {
    let unreachable = |source| NetError::Unreachable { address: address.to_owned(), source };
    let deadline = Instant::now() + timeouts.connect;
    let mut last = ErrorKind::NotFound.into();
    for candidate in address.to_socket_addrs().map_err(unreachable)? {
        match remaining(deadline).and_then(|left| TcpStream::connect_timeout(&candidate, left)) {
            Ok(socket) => return Timed::new(socket, deadline).map_err(unreachable),
            Err(error) => last = error,
        }
    }
    Err(unreachable(last))
}

/// A socket all of whose reads and writes end by one deadline, however the bytes drip.
pub(super) struct Timed {
    line: Option<Line>,
    socket: TcpStream,
    deadline: Instant,
}

impl Timed {
    pub(super) fn new(socket: TcpStream, deadline: Instant) -> io::Result<Self> {
        socket.set_nonblocking(false)?;
        socket.set_nodelay(true)?;
        Ok(Self { line: None, socket, deadline })
    }
}

impl Transport for Timed {
    fn set_deadline(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    fn shape(&mut self, shape: Shape) -> io::Result<()> {
        self.line = None;
        let mut end = Self { line: None, socket: self.socket.try_clone()?, deadline: self.deadline };
        let carry = move |bytes: Vec<u8>, deadline| {
            end.set_deadline(deadline);
            end.write_all(&bytes)
        };
        self.line = Some(Line::lay(shape, carry)?);
        Ok(())
    }

    /// Closes our direction and takes in what is still under way: closing upon unread bytes would reset the
    /// connection and could destroy our last word before the peer read it.
    fn finish(&mut self) {
        self.line = None;
        self.deadline = Instant::now() + LINGER;
        let mut unread = [0; 4096];
        let mut left = LINGER_READS;
        let _ = self.socket.shutdown(Shutdown::Write);
        while left > 0 && self.read(&mut unread).is_ok_and(|count| count > 0) {
            left -= 1;
        }
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(remaining(self.deadline)?))?;
        self.socket.read(buffer).map_err(late)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(line) = &mut self.line {
            return line.write(bytes, self.deadline);
        }
        self.socket.set_write_timeout(Some(remaining(self.deadline)?))?;
        self.socket.write(bytes).map_err(late)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

fn remaining(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// A socket whose timeout passed says `WouldBlock` on Unix.
fn late(error: io::Error) -> io::Error {
    if error.kind() == ErrorKind::WouldBlock { ErrorKind::TimedOut.into() } else { error }
}

/// How long an ending may take.
pub(super) const LINGER: Duration = Duration::from_millis(250);
/// At most 4 MiB are taken in and thrown away.
const LINGER_READS: usize = 1024;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn address_nobody_listens_on_is_unreachable() {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let error = connect(&address, Timeouts::default()).unwrap_err();
        assert!(error.to_string().contains("that the server is running"), "{error}");
    }

    #[test]
    fn finish_sends_the_last_word_and_leaves_nothing_unread() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.write_all(&[7; 10_000]).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let (server, _) = listener.accept().unwrap();
        let mut server = Timed::new(server, Instant::now() + LINGER).unwrap();
        server.write_all(b"no").unwrap();
        server.finish();
        assert_eq!(server.socket.peek(&mut [0]).unwrap(), 0, "all was taken in, up to the end");
        drop(server);
        let mut word = Vec::new();
        client.read_to_end(&mut word).unwrap();
        assert_eq!(word, b"no");
    }
}
