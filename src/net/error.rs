//! What can go wrong between two peers. Every message says what happened and what to do.

use super::{Reason, Refusal, Step, tls::Pin};
use std::{io, path::PathBuf, time::Duration};

/// Why a message could not be sent or received, or a link or server not be opened.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// The operating system failed us.
    #[error("{doing} failed: {source}; check the network between the two sides")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The system's word on it.
        source: io::Error,
    },
    /// No connection could be made.
    #[error("cannot reach {address}: {source}; check the address, and that the server is running")]
    Unreachable {
        /// The address as it was given.
        address: String,
        /// The system's word on it.
        source: io::Error,
    },
    /// Another program listens on this address.
    #[error(
        "{address} is in use; stop the program that listens there, or choose another port (0 picks a free one)"
    )]
    PortInUse {
        /// The address as it was given.
        address: String,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose an address of this machine and a port you may use")]
    Bind {
        /// The address as it was given.
        address: String,
        /// The system's word on it.
        source: io::Error,
    },
    /// A deadline passed.
    #[error("the peer kept us waiting past {limit:?} while {doing}; try again, or allow a longer timeout")]
    Timeout {
        /// What was being waited for.
        doing: &'static str,
        /// The time that was allowed.
        limit: Duration,
    },
    /// The peer closed the link between two messages.
    #[error("the peer closed the connection; connect again to go on")]
    Ended,
    /// The peer closed the link within a message.
    #[error(
        "the peer closed the connection after {got} of {want} bytes of a message; connect again and repeat it"
    )]
    Closed {
        /// Bytes that arrived of the header, or else of the body.
        got: u64,
        /// Bytes that were due.
        want: u64,
    },
    /// A body longer than this receiver takes for its step.
    #[error("the peer announced {length} bytes of {step} where at most {cap} are taken; send less at a time")]
    Oversize {
        /// The step of the message.
        step: Step,
        /// The announced length in bytes.
        length: u64,
        /// The most that was allowed, in bytes.
        cap: usize,
    },
    /// A message out of turn.
    #[error(
        "the peer sent {got} where {} was expected; check that both sides run the same program",
        either(expected)
    )]
    WrongStep {
        /// What would have been taken.
        expected: Vec<Step>,
        /// What came.
        got: Step,
    },
    /// The peer speaks another version.
    #[error(
        "the peer speaks version {theirs}, we speak version {ours}; bring both sides to the same release"
    )]
    Version {
        /// Our version.
        ours: u16,
        /// The peer's version.
        theirs: u16,
    },
    /// The first bytes are not a frame.
    #[error("the peer does not speak this protocol; check the address and port")]
    NotSerin,
    /// The peer speaks TLS and we do not.
    #[error(
        "the peer speaks TLS and this side does not; give the client the server's pin, or turn TLS off at the server"
    )]
    SpeaksTls,
    /// We speak TLS and the peer does not.
    #[error(
        "this side speaks TLS and the peer does not; turn TLS on at the server, or connect without a pin"
    )]
    NotTls,
    /// The TLS handshake or record layer failed.
    #[error("TLS failed: {0}; check that both sides are up to date and that nothing sits between them")]
    Tls(rustls::Error),
    /// The server's certificate is not the pinned one.
    #[error(
        "the server's certificate has pin {got}, expected {expected}; do not go on unless the server's owner confirms the new pin"
    )]
    WrongPin {
        /// The pin the client was given.
        expected: Pin,
        /// The pin of the certificate the server showed.
        got: Pin,
    },
    /// A certificate or key file cannot be used.
    #[error("{}: {what}; give a certificate and its private key in PEM", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong with it; never its content.
        what: String,
    },
    /// No self-signed certificate could be made.
    #[error("cannot make a self-signed certificate: {0}; give a certificate and key as files instead")]
    SelfSigned(rcgen::Error),
    /// The peer declined.
    #[error("the peer refused: {}{}", .0, advice(.0))]
    Refused(Refusal),
    /// This server is being stopped.
    #[error("the server is stopping and takes no further request; connect again once it is back")]
    Stopping,
    /// An earlier error left the link without order.
    #[error("the connection is no longer in step after an earlier error; connect again")]
    Broken,
}

impl NetError {
    /// What a peer at fault should be told, if it is the peer's fault and the peer may be listening.
    pub(super) fn reproach(&self) -> Option<Refusal> {
        let reason = match self {
            Self::Oversize { .. }
            | Self::WrongStep { .. }
            | Self::Version { .. }
            | Self::NotSerin
            | Self::SpeaksTls => Reason::Misuse,
            Self::Timeout { .. } => Reason::Late,
            Self::Stopping => Reason::Stopping,
            _ => return None,
        };
        let text = match self {
            Self::Oversize { step, length, cap } => {
                format!("{step} of {length} bytes, at most {cap} are taken")
            }
            Self::WrongStep { expected, got } => {
                format!("{got} came where {} was expected", either(expected))
            }
            Self::Version { ours, theirs } => {
                format!("version {theirs} came, this side speaks version {ours}")
            }
            Self::Timeout { doing, limit } => format!("{limit:?} passed while {doing}"),
            other => other.to_string(),
        };
        Some(Refusal { reason, text })
    }

    /// Binding failed: in use, or something else.
    pub(super) fn binding(address: &str, source: io::Error) -> Self {
        let address = address.to_owned();
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::PortInUse { address },
            _ => Self::Bind { address, source },
        }
    }
}

fn either(steps: &[Step]) -> String {
    steps.iter().map(Step::to_string).collect::<Vec<_>>().join(" or ")
}

/// What to do about it; a text that says so itself is not added to.
fn advice(refusal: &Refusal) -> &'static str {
    match refusal.reason {
        Reason::Busy => "; try again in a while",
        Reason::Stopping => "; connect again once the server is back",
        Reason::Misuse => "; check that both sides run the same release",
        Reason::Late => "; send faster, or ask the server's owner for a longer timeout",
        Reason::Unfit if refusal.text.contains(';') => "",
        Reason::Unfit => "; change the request",
        Reason::Failed | Reason::Other(_) => "; ask the server's owner to look at its log",
    }
}
