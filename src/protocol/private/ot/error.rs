//! Why an oblivious transfer did not come to pass: the link, the caller, or the peer, and in which role.

use crate::net::NetError;
use std::fmt;

/// The two roles of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Holds the messages.
    Sender,
    /// Holds the choices.
    Receiver,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sender => "sender",
            Self::Receiver => "receiver",
        })
    }
}

/// Why a transfer failed.
///
/// Nothing of it may be told to the peer beyond that the link closes: whether a check passed depends on secrets.
#[derive(Debug, thiserror::Error)]
pub enum OtError {
    /// The link failed.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The peer broke the protocol.
    #[error(
        "the peer, {role} of an oblivious transfer, cheated or failed: {fault}; close the link and trust it no further"
    )]
    Peer {
        /// The role it played.
        role: Role,
        /// What it did.
        fault: Fault,
    },
    /// The caller asked for what cannot be.
    #[error("this oblivious transfer cannot be asked for: {0}")]
    Misuse(&'static str),
    /// The operating system gave no randomness.
    #[error("no randomness from the operating system: {0}; nothing secret can be drawn here")]
    Random(#[from] rand::rngs::SysError),
    /// An earlier error ended this instance.
    #[error("this oblivious transfer ended with an earlier error; set up a new one over a new link")]
    Spent,
}

impl OtError {
    pub(super) fn by(role: Role, fault: Fault) -> Self {
        Self::Peer { role, fault }
    }
}

/// What a peer did wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A message of another length than both sides derive.
    #[error("{message} has {got} bytes where {want} are due")]
    Length {
        /// The message.
        message: &'static str,
        /// Bytes that came.
        got: usize,
        /// Bytes that were due.
        want: usize,
    },
    /// Not the canonical encoding of a Ristretto point, or the identity.
    #[error("point {index} of {message} is no valid group element")]
    Point {
        /// The message.
        message: &'static str,
        /// Which of its points.
        index: usize,
    },
    /// The key of a consistency check is zero, which would unmask what is checked.
    #[error("the key of a consistency check is zero")]
    ZeroKey,
    /// The extension's columns do not hide one and the same vector of choices.
    #[error("the choices differ between columns of the extension")]
    Choices,
    /// The punctured trees do not open to one correlation.
    #[error("the punctured trees are inconsistent")]
    Trees,
}
