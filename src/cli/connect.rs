//! How the asking commands reach a server, and what they hold it to.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use serin_verifier::card::Card;

use super::file;
use crate::net::tls::Pin;
use crate::net::{Link, Shape, Timeouts, tcp};
use crate::protocol::{Client, Kind};

/// A server and the card it is held to.
#[derive(Args, Debug)]
pub(super) struct Connect {
    /// The card you trust, from elsewhere than this server
    #[arg(long, value_name = "FILE")]
    pub(super) card: PathBuf,
    /// The server's address
    #[arg(long, value_name = "HOST:PORT")]
    pub(super) server: String,
    #[command(flatten)]
    pub(super) reach: Reach,
}

/// The way to a server.
#[derive(Args, Debug)]
pub(super) struct Reach {
    /// Speak TLS, and only to the holder of this certificate: the pin the server printed
    #[arg(long, value_name = "PIN", requires = "server")]
    tls_pin: Option<Pin>,
    /// How long to wait for an answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    timeout: u32,
    /// Ask as over a line of this bandwidth and round trip, to see what a network costs: lan, wan, or MBIT,MS. Each end delays what
    /// it sends, so give `serin serve` the same
    #[arg(long, value_name = "LINE", requires = "server")]
    pub(super) line: Option<Line>,
}

/// A line, and how it was typed.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// As it was typed.
    pub(super) text: String,
    /// What it is.
    pub(super) shape: Shape,
}

impl FromStr for Line {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Self { shape: text.parse()?, text: text.into() })
    }
}

impl Connect {
    /// The card.
    pub(super) fn card(&self) -> Result<Card> {
        card(&self.card)
    }

    /// Opens a conversation.
    pub(super) fn open(&self, kind: Kind) -> Result<Client> {
        self.reach.open(&self.server, kind)
    }
}

impl Reach {
    /// Opens a conversation with the server at this address.
    pub(super) fn open(&self, server: &str, kind: Kind) -> Result<Client> {
        let timeouts = Timeouts { idle: Duration::from_secs(self.timeout.into()), ..Timeouts::default() };
        let mut link: Link = match self.tls_pin {
            Some(pin) => tcp::connect_pinned(server, pin, timeouts)?,
            None => tcp::connect(server, timeouts)?,
        };
        if let Some(line) = &self.line {
            link = link.shaped(line.shape)?;
        }
        Client::open(Box::new(link), kind).with_context(|| format!("no conversation with {server}"))
    }
}

/// Reads a card.
pub(super) fn card(path: &Path) -> Result<Card> {
    file::read_json(path, "a card")
}
