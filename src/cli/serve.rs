//! `serin serve`: answers, and proves, to many clients at once until it is told to stop.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use serin_verifier::proof::Mode;

use super::connect::card;
use super::console::{Console, warn};
use super::{Verdict, data};
use crate::net::server::{Options, Server};
use crate::net::tls::Identity;
use crate::net::{Shape, Timeouts};
use crate::protocol::private::Ledger;
use crate::protocol::private::pool::Pool;
use crate::protocol::{Answerer, Host, Kind, serve_link};
use crate::prover::Model;

/// Answer questions, with proofs where asked for, until SIGINT or SIGTERM
///
/// The first line of output says the address; running requests are finished before it ends.
#[derive(Args, Debug)]
pub(super) struct Serve {
    /// The model file
    model: PathBuf,
    /// The model's card, as `serin commit` made it
    #[arg(long, value_name = "FILE")]
    card: PathBuf,
    /// The address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    /// The port to listen on; 0 picks a free one
    #[arg(long, default_value_t = 7430)]
    port: u16,
    /// Speak TLS with a fresh certificate, whose pin is printed
    #[arg(long)]
    tls: bool,
    /// Speak TLS with this certificate chain (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key", conflicts_with = "tls")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Connections served at once
    #[arg(long, value_name = "N", default_value_t = 64)]
    max_clients: usize,
    /// Of these, the most from one network address
    #[arg(long, value_name = "N", default_value_t = 32)]
    max_clients_per_network: usize,
    /// Prove in this mode only: succinct never shows an activation. Questions that ask for the other are refused
    #[arg(long, value_name = "MODE")]
    mode: Option<Mode>,
    /// Samples taken at once; as many as memory should bear unless given
    #[arg(long, value_name = "N")]
    max_batch: Option<usize>,
    /// Answer private questions too, whose content this server does not see. A client that does not keep to the protocol can read weights
    /// off it, so offer it to those you trust to
    #[arg(long)]
    private: bool,
    /// With --private: keep what is prepared in this folder, so that clients may ask later, in another conversation
    #[arg(long, value_name = "FOLDER", requires = "private")]
    pool: Option<PathBuf>,
    /// Bytes that folder may take; lots beyond are refused
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 34, requires = "pool")]
    pool_bytes: u64,
    /// Answer as over a line of this bandwidth and round trip, for measuring: lan, wan, or MBIT,MS
    #[arg(long, value_name = "LINE")]
    line: Option<Shape>,
    /// Print what each private conversation cost so far, a line of JSON whenever a lot was spent
    #[arg(long)]
    costs: bool,
    /// How long a client may keep silent, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    idle_timeout: u32,
    /// How long one message may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    message_timeout: u32,
    /// How long running requests may go on after a stop, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    drain: u32,
    /// Stop when standard input ends, too: for a parent process that may die
    #[arg(long)]
    until_input_ends: bool,
}

/// Where a server can be reached, as its first line of JSON says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Listening {
    /// The address, with the port that was picked.
    pub(super) address: String,
    /// The pin of its certificate; without one it speaks in the clear.
    pub(super) tls_pin: Option<String>,
}

impl Serve {
    /// Serves.
    pub(super) fn run(self, console: &Console) -> Result<Verdict> {
        let promised = card(&self.card)?;
        let tls = self.identity()?;
        let (graph, weights) = data::model(&self.model)?;
        let host = Host::new(&promised.server, Model::new(graph, weights), promised.accuracy)
            .with_reading(promised.reading);
        ensure!(
            *host.card() == promised,
            "{} is not the card of {}; make it anew with `serin commit`",
            self.card.display(),
            self.model.display()
        );
        let host = if self.private { host.with_private()? } else { host };
        let host = match self.max_batch {
            Some(samples) => host.with_max_batch(samples),
            None => host,
        };
        let host = match self.mode {
            Some(mode) => host.with_mode(mode)?,
            None => host,
        };
        if let Err(declined) = host.offer().check(Kind::Proved(Mode::Succinct), 1, host.graph())
            && self.mode.is_none()
        {
            warn(declined);
        }
        let host = match &self.pool {
            Some(folder) => host.with_pool(Pool::open(folder)?.with_cap(self.pool_bytes)),
            None => host,
        };
        let host = if self.costs { host.with_observer(Box::new(told)) } else { host };
        let pin = tls.as_ref().map(|identity| identity.pin().to_string());
        let server = Server::bind(&format!("{}:{}", self.host, self.port), self.options(tls))?;
        let stop = server.stop_handle();
        let at_signal = stop.clone();
        ctrlc::set_handler(move || at_signal.stop()).context("cannot listen for signals")?;
        if self.until_input_ends {
            std::thread::spawn(move || {
                let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
                stop.stop();
            });
        }
        console.line(&Listening { address: server.address().to_string(), tls_pin: pin }, |listening| {
            match &listening.tls_pin {
                Some(pin) => format!("listening on {}, TLS pin {pin}", listening.address),
                None => format!("listening on {}, in the clear", listening.address),
            }
        })?;
        server.serve(|channel, _| serve_link(channel, &host));
        Ok(Verdict::Accepted)
    }

    fn identity(&self) -> Result<Option<Identity>> {
        let identity = match (&self.tls_cert, &self.tls_key) {
            (Some(certificates), Some(key)) => Some(Identity::from_pem(certificates, key)?),
            _ if self.tls => Some(Identity::self_signed()?),
            _ => None,
        };
        Ok(identity)
    }

    fn options(&self, tls: Option<Identity>) -> Options {
        let seconds = |n: u32| Duration::from_secs(n.into());
        let timeouts = Timeouts {
            idle: seconds(self.idle_timeout),
            frame: seconds(self.message_timeout),
            ..Timeouts::default()
        };
        Options {
            max_clients: self.max_clients,
            max_clients_per_network: self.max_clients_per_network,
            timeouts,
            drain: seconds(self.drain),
            tls,
            shape: self.line,
        }
    }
}

/// Prints what a private conversation cost so far. A reader that is gone has read enough.
fn told(ledger: &Ledger) {
    if let Ok(line) = serde_json::to_string(ledger) {
        let mut out = io::stdout().lock();
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }
}
