//! The network: one ordered link to one peer, and a server that holds many of them apart.
//!
//! Protocols are lock-step and free of I/O; whoever runs one hands it a [`Channel`]. Every message carries its
//! typed [`Step`], so a peer that speaks out of turn is told so instead of being misread. Sockets block; each
//! connection has its own thread; every wait has a deadline.
//!
//! | file | is |
//! |---|---|
//! | `frame` | the sixteen bytes in front of every message, and the refusal's body |
//! | `link` | the one implementation of [`Channel`], over any byte transport |
//! | [`memory`], [`tcp`], [`tls`] | the transports |
//! | [`meter`] | what crossed: bytes, messages and rounds, in all and by step |
//! | [`shape`] | a link that behaves like one of given bandwidth and round-trip time |
//! | [`server`] | many clients at once, bounded, stoppable |
//!
//! Bytes handed over by [`Channel::receive`] come from someone else: their length is within the cap and their
//! step is the expected one, nothing more. The caller must still decode them in context.

mod error;
mod frame;
mod link;
pub mod memory;
pub mod meter;
pub mod server;
pub mod shape;
pub mod tcp;
pub mod tls;

pub use error::NetError;
pub use frame::{HEADER_BYTES, Reason, Refusal, Step, VERSION};
pub use link::{Link, Timeouts};
pub use meter::Meter;
pub use shape::Shape;

use std::collections::BTreeMap;

/// One ordered link to one peer.
///
/// After any error of a receive the order of messages is lost: the link answers [`NetError::Broken`] from then
/// on. A receiver that finds the *peer* at fault (wrong step, oversize, foreign version, too slow) has told it so
/// with a [`Refusal`] by the time the error is returned.
pub trait Channel: Send {
    /// Sends one message under its step.
    fn send(&mut self, step: Step, body: &[u8]) -> Result<(), NetError>;

    /// Receives the next message, which must be one of `wanted`: pairs of a step and the most bytes its body may
    /// have. A refusal by the peer is [`NetError::Refused`], whatever was wanted.
    fn receive_one_of(&mut self, wanted: &[(Step, usize)]) -> Result<(Step, Vec<u8>), NetError>;

    /// What crossed this link so far. [`Meter::rounds`] are the turns from sending to receiving at this end: a
    /// message received opens one exactly if the message before it was sent.
    fn meter(&self) -> Meter;

    /// What crossed this link so far under each step. A round counts under the step received.
    fn meter_by_step(&self) -> BTreeMap<Step, Meter>;

    /// Receives the next message, which must be of this step and at most `cap` bytes long.
    fn receive(&mut self, step: Step, cap: usize) -> Result<Vec<u8>, NetError> {
        self.receive_one_of(&[(step, cap)]).map(|(_, body)| body)
    }

    /// Tells the peer why it gets no answer. The peer's receive ends in [`NetError::Refused`].
    fn refuse(&mut self, refusal: &Refusal) -> Result<(), NetError> {
        self.send(Step::REFUSAL, &refusal.encode())
    }
}
