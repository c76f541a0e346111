//! Both sides in one process: the same conversation, frames and meters as over a socket, without one.

use std::thread;

use super::{Answerer, Client, Kind, ProtocolError, ServeError, serve_link};
use crate::net::{Channel, Link, Timeouts, memory};

/// Has `answerer` serve one conversation on a thread of its own, and hands its client to `ask`.
///
/// # Errors
/// [`ProtocolError`], if the conversation cannot be opened.
pub fn converse<T>(
    answerer: &dyn Answerer,
    kind: Kind,
    ask: impl FnOnce(&mut Client) -> T,
) -> Result<T, ProtocolError> {
    converse_over(memory::pair(Timeouts::default()), &|channel| serve_link(channel, answerer), kind, ask)
}

/// [`converse`] over any two ends of a link, the client's first, with whoever serves the other.
///
/// # Errors
/// As [`converse`].
pub fn converse_over<T>(
    (ours, mut theirs): (Link, Link),
    serve: &(dyn Fn(&mut dyn Channel) -> Result<(), ServeError> + Sync),
    kind: Kind,
    ask: impl FnOnce(&mut Client) -> T,
) -> Result<T, ProtocolError> {
    thread::scope(|scope| {
        // What breaks the conversation off reaches the client as a refusal or as its link's end.
        scope.spawn(move || serve(&mut theirs).err());
        let mut client = Client::open(Box::new(ours), kind)?;
        Ok(ask(&mut client))
    })
}
