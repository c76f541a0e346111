//! How the asking commands reach a server, and what they hold it to.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use serin_verifier::card::Card;

use super::file;
use crate::net::tls::Pin;
use crate::net::{Link, Timeouts, tcp};
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
    /// Speak TLS, and only to the holder of this certificate: the pin the server printed
    #[arg(long, value_name = "PIN")]
    pub(super) tls_pin: Option<Pin>,
    /// How long to wait for an answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub(super) timeout: u32,
}

impl Connect {
    /// The card.
    pub(super) fn card(&self) -> Result<Card> {
        card(&self.card)
    }

    /// Opens a conversation.
    pub(super) fn open(&self, kind: Kind) -> Result<Client> {
        let timeouts = Timeouts { idle: Duration::from_secs(self.timeout.into()), ..Timeouts::default() };
        let link: Link = match self.tls_pin {
            Some(pin) => tcp::connect_pinned(&self.server, pin, timeouts)?,
            None => tcp::connect(&self.server, timeouts)?,
        };
        Client::open(Box::new(link), kind).with_context(|| format!("no conversation with {}", self.server))
    }
}

/// Reads a card.
pub(super) fn card(path: &std::path::Path) -> Result<Card> {
    file::read_json(path, "a card")
}
