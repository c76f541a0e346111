//! Which protocol to ask by, and what its proofs may show.

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use serin_verifier::proof::Mode;

use crate::protocol::Kind;

/// How to ask.
#[derive(Args, Debug)]
pub(super) struct How {
    /// How to ask
    #[arg(long, value_enum, default_value_t = Protocol::Proved)]
    protocol: Protocol,
    /// What a proof shows: revealed (the default), every activation of your questions, at little cost to the server; succinct, none of
    /// them, in a short proof that takes the server longer
    #[arg(long, value_name = "MODE")]
    mode: Option<Mode>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Protocol {
    /// With a proof that the committed model answered
    Proved,
    /// Without one
    Plain,
    /// Without one, and the server sees nothing of the questions
    Private,
}

impl How {
    /// The kind of question it makes.
    pub(super) fn kind(&self) -> Result<Kind> {
        match self.protocol {
            Protocol::Proved => Ok(Kind::Proved(self.mode.unwrap_or_default())),
            Protocol::Plain | Protocol::Private => {
                ensure!(self.mode.is_none(), "--protocol plain and private have no proof; leave --mode away");
                Ok(if self.protocol == Protocol::Plain { Kind::Plain } else { Kind::Private })
            }
        }
    }
}
