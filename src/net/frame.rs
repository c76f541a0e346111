//! The frame in front of every message, and the one body this layer reads itself: the refusal.
//!
//! ```text
//! magic "SERN" · version u16 · step u16 · body length u64 · body       (little endian, 16 bytes of header)
//! refusal body:  reason u16 · text, UTF-8, at most 500 bytes
//! ```
//! Decoding is total: any bytes give a value or a [`NetError`]. The length is only a claim until the receiver has
//! compared it with its cap for that step.

use super::NetError;
use std::fmt;

/// The version of the frame and of the steps' order. Both sides must speak the same.
pub const VERSION: u16 = 1;

/// Bytes in front of every body.
pub const HEADER_BYTES: usize = 16;

/// What a message is, as it travels in its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Step(u16);

impl Step {
    /// The client opens a session.
    pub const HELLO: Self = Self(1);
    /// The server says what it offers.
    pub const CARD: Self = Self(2);
    /// The server describes the graph it computes.
    pub const GRAPH: Self = Self(3);
    /// The client asks.
    pub const ASK: Self = Self(4);
    /// The server answers.
    pub const ANSWER: Self = Self(5);
    /// Either side declines to go on, and says why.
    pub const REFUSAL: Self = Self(6);
    /// The client ends the session.
    pub const GOODBYE: Self = Self(7);

    /// Round `round` of a protocol that talks between ask and answer, numbered apart from the session's own steps.
    pub const fn round(round: u8) -> Self {
        Self(FIRST_ROUND + round as u16)
    }

    /// Message `message` of an oblivious transfer, numbered apart from the rounds of the protocol it serves.
    pub const fn oblivious(message: u8) -> Self {
        Self(FIRST_OBLIVIOUS + message as u16)
    }

    /// Whether it is a message of an oblivious transfer.
    pub fn is_oblivious(self) -> bool {
        (FIRST_OBLIVIOUS..=LAST_OBLIVIOUS).contains(&self.0)
    }

    /// Message `message` of private inference, but for its rounds and oblivious transfers.
    pub const fn private(message: u8) -> Self {
        Self(FIRST_PRIVATE + message as u16)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::HELLO => f.write_str("hello"),
            Self::CARD => f.write_str("card"),
            Self::GRAPH => f.write_str("graph"),
            Self::ASK => f.write_str("ask"),
            Self::ANSWER => f.write_str("answer"),
            Self::REFUSAL => f.write_str("refusal"),
            Self::GOODBYE => f.write_str("goodbye"),
            Self(n @ FIRST_ROUND..=LAST_ROUND) => write!(f, "round {}", n - FIRST_ROUND),
            Self(n @ FIRST_OBLIVIOUS..=LAST_OBLIVIOUS) => {
                write!(f, "oblivious transfer message {}", n - FIRST_OBLIVIOUS)
            }
            Self(n @ FIRST_PRIVATE..=LAST_PRIVATE) => {
                write!(f, "private inference message {}", n - FIRST_PRIVATE)
            }
            Self(n) => write!(f, "unknown step {n}"),
        }
    }
}

/// The header of a frame whose magic and version are ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) step: Step,
    /// Length of the body in bytes, as claimed by the sender.
    pub(super) length: u64,
}

impl Header {
    pub(super) fn encode(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4..6].copy_from_slice(&VERSION.to_le_bytes());
        bytes[6..8].copy_from_slice(&self.step.0.to_le_bytes());
        bytes[8..].copy_from_slice(&self.length.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<Self, NetError> {
        insist_on_magic(bytes)?;
        let [_, _, _, _, v0, v1, s0, s1, length @ ..] = *bytes;
        let theirs = u16::from_le_bytes([v0, v1]);
        if theirs != VERSION {
            return Err(NetError::Version { ours: VERSION, theirs });
        }
        Ok(Self { step: Step(u16::from_le_bytes([s0, s1])), length: u64::from_le_bytes(length) })
    }
}

/// Refuses a header, or the part of one that arrived, whose first bytes are not ours, naming TLS where it is TLS.
pub(super) fn insist_on_magic(prefix: &[u8]) -> Result<(), NetError> {
    match prefix {
        [TLS_ALERT | TLS_HANDSHAKE, 3, ..] => Err(NetError::SpeaksTls),
        _ if prefix.iter().zip(&MAGIC).any(|(theirs, ours)| theirs != ours) => Err(NetError::NotSerin),
        _ => Ok(()),
    }
}

/// Why a peer gets no answer: a reason a program can act on and a text a person can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The reason.
    pub reason: Reason,
    /// The explanation; cut to [`Refusal::TEXT_BYTES`] on the way, control characters removed on arrival.
    pub text: String,
}

impl Refusal {
    /// The longest text that travels, in bytes.
    pub const TEXT_BYTES: usize = 500;
    /// The longest body of a refusal, in bytes.
    pub(super) const BODY_BYTES: usize = 2 + Self::TEXT_BYTES;

    /// A refusal for this reason, explained by `text`.
    pub fn new(reason: Reason, text: impl Into<String>) -> Self {
        Self { reason, text: text.into() }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let longest = self.text.len().min(Self::TEXT_BYTES);
        let cut = (0..=longest).rev().find(|&end| self.text.is_char_boundary(end)).unwrap_or(0);
        [&self.reason.code().to_le_bytes(), &self.text.as_bytes()[..cut]].concat()
    }

    /// Total: a body too short for a reason reads as [`Reason::Other`]`(0)`.
    pub(super) fn decode(body: &[u8]) -> Self {
        let (code, text) = body.split_first_chunk().unwrap_or((&[0; 2], &[]));
        let text = String::from_utf8_lossy(text).chars().filter(|c| !c.is_control()).collect();
        Self { reason: Reason::of(u16::from_le_bytes(*code)), text }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.text)
    }
}

/// The kinds of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// All seats are taken.
    Busy,
    /// The server is going down.
    Stopping,
    /// The peer broke the order, the size or the form of a message.
    Misuse,
    /// The peer took too long.
    Late,
    /// The request is well formed but not one this server takes.
    Unfit,
    /// The refusing side failed by a fault of its own.
    Failed,
    /// A reason this version does not know.
    Other(u16),
}

impl Reason {
    const KNOWN: [Self; 6] =
        [Self::Busy, Self::Stopping, Self::Misuse, Self::Late, Self::Unfit, Self::Failed];

    fn code(self) -> u16 {
        match self {
            Self::Busy => 1,
            Self::Stopping => 2,
            Self::Misuse => 3,
            Self::Late => 4,
            Self::Unfit => 5,
            Self::Failed => 6,
            Self::Other(code) => code,
        }
    }

    fn of(code: u16) -> Self {
        Self::KNOWN.into_iter().find(|reason| reason.code() == code).unwrap_or(Self::Other(code))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("busy"),
            Self::Stopping => f.write_str("stopping"),
            Self::Misuse => f.write_str("protocol broken"),
            Self::Late => f.write_str("too slow"),
            Self::Unfit => f.write_str("request not accepted"),
            Self::Failed => f.write_str("internal failure"),
            Self::Other(code) => write!(f, "reason {code}"),
        }
    }
}

const MAGIC: [u8; 4] = *b"SERN";
const FIRST_ROUND: u16 = 256;
const LAST_ROUND: u16 = FIRST_ROUND + u8::MAX as u16;
const FIRST_OBLIVIOUS: u16 = LAST_ROUND + 1;
const LAST_OBLIVIOUS: u16 = FIRST_OBLIVIOUS + u8::MAX as u16;
const FIRST_PRIVATE: u16 = LAST_OBLIVIOUS + 1;
const LAST_PRIVATE: u16 = FIRST_PRIVATE + u8::MAX as u16;
/// Content types of the records a TLS peer sends first.
const TLS_ALERT: u8 = 21;
const TLS_HANDSHAKE: u8 = 22;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn header_layout_is_frozen() {
        let bytes = Header { step: Step::ASK, length: 0x0102_0304 }.encode();
        assert_eq!(bytes, *b"SERN\x01\0\x04\0\x04\x03\x02\x01\0\0\0\0");
    }

    #[test]
    fn header_of_another_version_names_both() {
        let mut bytes = Header { step: Step::HELLO, length: 0 }.encode();
        bytes[4] = 9;
        let error = Header::decode(&bytes).unwrap_err();
        assert!(matches!(error, NetError::Version { ours: VERSION, theirs: 9 }));
        let text = error.to_string();
        assert!(text.contains("version 9") && text.contains("version 1"), "{text}");
    }

    #[test]
    fn refusal_with_escapes_and_excess_is_tamed() {
        let sent = Refusal::new(Reason::Busy, format!("\u{1b}[2J{}", "é".repeat(400)));
        let body = sent.encode();
        assert!(body.len() <= Refusal::BODY_BYTES);
        let read = Refusal::decode(&body);
        assert_eq!(read.reason, Reason::Busy);
        assert!(read.text.starts_with("[2Jé") && !read.text.contains(['\u{1b}', '\u{fffd}']));
    }

    proptest! {
        #[test]
        fn header_round_trips(step: u16, length: u64) {
            let header = Header { step: Step(step), length };
            prop_assert_eq!(Header::decode(&header.encode()).unwrap(), header);
        }

        #[test]
        fn reason_round_trips(code: u16) {
            prop_assert_eq!(Reason::of(code).code(), code);
        }

        #[test]
        fn foreign_bytes_never_panic(header: [u8; HEADER_BYTES], body: Vec<u8>) {
            let _ = Header::decode(&header);
            let _ = insist_on_magic(&body);
            let _ = Refusal::decode(&body).to_string();
        }
    }
}
