#![doc = include_str!("README.md")]

mod bits;
pub mod clamp;
mod client;
mod cost;
mod error;
mod host;
pub mod lattice;
mod lot;
mod offline;
mod online;
pub mod ot;
mod plan;
pub mod pool;
mod rings;
#[cfg(test)]
mod test_kit;
mod wire;

pub use client::{Asker, Lots, Progress};
pub use cost::{Cost, Ledger, NodeCost};
pub use error::PrivateError;
pub use host::Holder;
pub(super) use host::Keeper;
pub(super) use host::bound;
pub use lot::LotId;
pub use plan::{Blueprint, Plan, Unfit, UnfitFault};
pub use wire::{MASKED, PRODUCTS, SHARE};

use serin_circuits::codec::{Digest, digest};
use serin_verifier::card::Card;

use crate::net::Step;

/// What lots are bound to: the graph and the commitment to the weights that a card pins.
pub fn model_digest(card: &Card) -> Digest {
    digest("serin private model", &[card.graph, card.weights].concat())
}

/// The steps by which a client opens something private, each with the bytes of its body.
pub(super) const OPENINGS: [(Step, usize); 3] = [
    (wire::SETUP, wire::SETUP_BYTES),
    (wire::PREPARE, wire::PREPARE_BYTES),
    (wire::SPEND, wire::SPEND_BYTES),
];
