//! Both sides in one process: the same conversation, frames and meters as over a socket, without one.

use std::thread;

use super::{Answerer, Client, Kind, ProtocolError, serve_link};
use crate::net::{Timeouts, memory};

/// Has `answerer` serve one conversation on a thread of its own, and hands its client to `ask`.
///
/// # Errors
/// [`ProtocolError`], if the conversation cannot be opened.
pub fn converse<T>(
    answerer: &dyn Answerer,
    kind: Kind,
    ask: impl FnOnce(&mut Client) -> T,
) -> Result<T, ProtocolError> {
    let (ours, mut theirs) = memory::pair(Timeouts::default());
    thread::scope(|scope| {
        // What breaks the conversation off reaches the client as a refusal or as its link's end.
        scope.spawn(move || serve_link(&mut theirs, answerer).err());
        let mut client = Client::open(Box::new(ours), kind)?;
        Ok(ask(&mut client))
    })
}
