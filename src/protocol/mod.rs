//! What a session may ask: a batch of questions in, answers and their evidence out.
//!
//! | file | is |
//! |---|---|
//! | `wire` | the bytes of question and answer |
//! | [`client`] | [`Client`]: every protocol over one link |
//! | [`server`] | [`Answerer`], who answers; [`Host`], who does so honestly; [`serve_link`], the conversation's other side |
//! | [`offer`] | [`Offer`]: how many samples a server takes at once, by kind |
//! | [`local`] | both sides in one process |
//! | [`private`] | private inference between two parties: what is said instead of `ask` and `answer` |
//!
//! ```text
//! client                                   server
//!   hello                            ─►
//!                                    ◄─    card:   largest batches, card as JSON
//!                                    ◄─    graph
//!   ask:    kind, session, batch, inputs ─►                                        } as often
//!                                    ◄─    answer: outputs, and a proof if asked   } as liked
//!   goodbye                          ─►
//! ```
//! Everything is sent in the clear under these steps: who wants the link itself hidden from others hands in a TLS one. The server
//! sees the questions; under `private` they are asked in other steps, and it does not. An answer that has arrived is worth nothing yet: [`crate::session`] records and judges it.

pub mod client;
pub mod local;
pub mod offer;
pub mod private;
pub mod server;
mod wire;

pub use client::Client;
pub use local::{converse, converse_over};
pub use offer::{Declined, Offer};
pub use serin_verifier::record::{Evidence, Kind};
pub use server::{AnswerError, Answerer, Host, ServeError, serve_link};

use std::collections::BTreeMap;

use serin_circuits::codec::DecodeError;
use serin_circuits::graph::GraphDecodeError;
use serin_circuits::tensor::Tensor;
use serin_verifier::rejection::Rejection;

use crate::net::{Meter, NetError, Step};

/// One way to have a batch answered.
pub trait Protocol {
    /// Which way.
    fn kind(&self) -> Kind;

    /// Has `inputs`, in the graph's input range, answered for a session that the caller has drawn afresh.
    ///
    /// # Errors
    /// [`ProtocolError`]; the answers of an `Ok` have the graph's output shape and range, and are not yet believed.
    fn ask(&mut self, session: &[u8; 32], inputs: &Tensor) -> Result<Reply, ProtocolError>;

    /// What crossed so far: bytes, messages, rounds; nothing where nothing does.
    fn meter(&self) -> Meter {
        Meter::default()
    }

    /// What crossed so far under each step.
    fn meter_by_step(&self) -> BTreeMap<Step, Meter> {
        BTreeMap::new()
    }
}

/// What a batch was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The answers, in the order of the questions.
    pub outputs: Tensor,
    /// What came with them.
    pub evidence: Evidence,
}

/// Why a batch has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ProtocolError {
    /// The link failed, or the server refused.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The question does not fit the model.
    #[error("{0}")]
    Question(String),
    /// The server does not take it.
    #[error(transparent)]
    Declined(#[from] Declined),
    /// Private inference did not come to an end.
    #[error(transparent)]
    Private(private::PrivateError),
    /// The server's card or graph is malformed.
    #[error("the server's offer is malformed: {0}; check that this is the server you mean")]
    Offer(#[from] OfferError),
    /// The answer is not one to this question.
    #[error("the server's answer is not believed: {0}")]
    Rejected(#[from] Rejection),
}

/// What a server offers that does not decode.
#[derive(Debug, thiserror::Error)]
pub enum OfferError {
    /// The bytes are malformed.
    #[error(transparent)]
    Bytes(#[from] DecodeError),
    /// The card is no card.
    #[error("its card: {0}")]
    Card(#[from] serde_json::Error),
    /// The graph is no graph.
    #[error("its graph: {0}")]
    Graph(#[from] GraphDecodeError),
}
