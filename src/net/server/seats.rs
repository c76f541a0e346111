//! The seats of a server: who is served, who is told to come back, who is turned away, and how all are ended.

use crate::net::link::Pulse;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr, Shutdown, TcpStream};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// What a newcomer gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// A conversation.
    Served,
    /// A refusal: busy.
    Refused,
}

/// All connections of a server.
pub(super) struct Seats {
    most: usize,
    most_per_network: usize,
    taken: Mutex<Taken>,
    freed: Condvar,
}

#[derive(Default)]
struct Taken {
    next: u64,
    guests: HashMap<u64, Guest>,
}

struct Guest {
    admission: Admission,
    network: IpAddr,
    pulse: Arc<Pulse>,
    socket: TcpStream,
}

impl Seats {
    pub(super) fn new(most: usize, most_per_network: usize) -> Self {
        Self { most, most_per_network, taken: Mutex::default(), freed: Condvar::new() }
    }

    /// Takes a newcomer in; `None` where even those who are refused are too many.
    pub(super) fn admit(&self, socket: &TcpStream, address: IpAddr) -> io::Result<Option<Seat<'_>>> {
        let network = network(address);
        let mut taken = self.lock();
        let count =
            |matching: &dyn Fn(&Guest) -> bool| taken.guests.values().filter(|guest| matching(guest)).count();
        let served = count(&|guest| guest.admission == Admission::Served);
        let kin = count(&|guest| guest.admission == Admission::Served && guest.network == network);
        let admission = if served < self.most && kin < self.most_per_network {
            Admission::Served
        } else if taken.guests.len() - served < MOST_REFUSED {
            Admission::Refused
        } else {
            return Ok(None);
        };
        let (number, pulse) = (taken.next, Arc::<Pulse>::default());
        let guest = Guest { admission, network, pulse: pulse.clone(), socket: socket.try_clone()? };
        taken.guests.insert(number, guest);
        taken.next += 1;
        Ok(Some(Seat { seats: self, number, admission, pulse }))
    }

    /// Ends every connection: those between two messages at once, the others when they next are, or at the
    /// deadline. Returns when all seats are free, or at the deadline.
    pub(super) fn close(&self, deadline: Instant) {
        let mut taken = self.lock();
        for guest in taken.guests.values() {
            guest.pulse.stopping.store(true, SeqCst);
            if guest.pulse.idle.load(SeqCst) {
                let _ = guest.socket.shutdown(Shutdown::Read);
            }
        }
        while !taken.guests.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                tracing::warn!(connections = taken.guests.len(), "cutting what still runs");
                taken.guests.values().for_each(|guest| drop(guest.socket.shutdown(Shutdown::Both)));
                return;
            }
            taken = self.freed.wait_timeout(taken, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection's place; free again when dropped.
pub(super) struct Seat<'a> {
    seats: &'a Seats,
    number: u64,
    admission: Admission,
    pulse: Arc<Pulse>,
}

impl Seat<'_> {
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn admission(&self) -> Admission {
        self.admission
    }

    pub(super) fn pulse(&self) -> Arc<Pulse> {
        self.pulse.clone()
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.seats.lock().guests.remove(&self.number);
        self.seats.freed.notify_all();
    }
}

/// What one owner of addresses holds: an IPv4 address, or the first 64 bits of an IPv6 address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address => address,
    }
}

/// Connections told to come back at one time; a flood beyond it is closed without a word.
const MOST_REFUSED: usize = 8;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn seats_taken_are_refused_then_turned_away_then_free_again() {
        let socket = socket();
        let seats = Seats::new(2, 2);
        let admit = |last| seats.admit(&socket, IpAddr::from([10, 0, 0, last])).unwrap();
        let served: Vec<_> = (0..2).map(|last| admit(last).unwrap()).collect();
        assert!(served.iter().all(|seat| seat.admission() == Admission::Served));
        let refused: Vec<_> = (0..MOST_REFUSED).map(|_| admit(9).unwrap()).collect();
        assert!(refused.iter().all(|seat| seat.admission() == Admission::Refused));
        assert!(admit(9).is_none());
        drop(served);
        assert_eq!(admit(9).unwrap().admission(), Admission::Served);
    }

    #[test]
    fn network_at_its_share_leaves_the_rest_to_others() {
        let socket = socket();
        let seats = Seats::new(3, 1);
        let admit = |address: &str| seats.admit(&socket, address.parse().unwrap()).unwrap().unwrap();
        let first = admit("2001:db8::1");
        assert_eq!(admit("2001:db8::ffff").admission(), Admission::Refused);
        let other = admit("2001:db8:0:1::1");
        let mapped = admit("::ffff:10.0.0.1");
        assert_eq!([first, other, mapped].map(|seat| seat.admission()), [Admission::Served; 3]);
    }

    fn socket() -> TcpStream {
        TcpStream::connect(TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()).unwrap()
    }
}
