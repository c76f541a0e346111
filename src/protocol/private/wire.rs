//! The messages of private inference, but for its rounds and its oblivious transfers: a step, and a length both ends derive.
//!
//! ```text
//! client                                               server
//!   setup:    supply u8 · planner u8               ─►              } once a
//!                                                  ◄─    terms     } conversation:
//!   key:      public key · switching key           ─►              } bound on the
//!   … base transfers, both ways …                                  } weights u32
//!
//!   prepare:  id [32] · positions u32 · keep u8    ─►              } once a lot;
//!   masks:    fresh ciphertexts, a linear node each ─►             } kept ones are
//!                                                  ◄─    products  } then said to be
//!   … random transfers, where the stock runs out …                 } kept
//!                                                  ◄─    kept
//!
//!   spend:    id [32] · positions u32              ─►              } once a lot
//!   masked:   x − R, before each linear node       ─►
//!   … rounds of every rescale and pool …
//!                                                  ◄─    share of the answer
//! ```

use super::error::PrivateError;
use super::lot::LotId;
use super::ot::Supply;
use crate::net::{Channel, Step};
use serin_circuits::codec::{DecodeError, Reader, Writer};

/// The client opens the private part of a conversation.
pub(crate) const SETUP: Step = Step::private(0);
/// The server says how large its weights may be.
pub(super) const TERMS: Step = Step::private(1);
/// The client's public key, and its switching key where the plan has one.
pub(super) const KEY: Step = Step::private(2);
/// The client asks for a lot.
pub(crate) const PREPARE: Step = Step::private(3);
/// Encrypted masks.
pub(super) const MASKS: Step = Step::private(4);
/// Encrypted products with them.
pub const PRODUCTS: Step = Step::private(5);
/// The server keeps the lot.
pub(super) const KEPT: Step = Step::private(6);
/// The client spends a lot.
pub(crate) const SPEND: Step = Step::private(7);
/// A masked share.
pub const MASKED: Step = Step::private(8);
/// The server's share of the answer.
pub const SHARE: Step = Step::private(9);

/// The version of what both ends derive: plans, packings, modulus. Raise it with any change to them, so that ends, or lots, of different
/// releases refuse each other instead of taking one another's lengths for a cheat.
pub(super) const PLANNER: u8 = 2;

/// Bytes of these bodies.
pub(crate) const SETUP_BYTES: usize = 2;
pub(crate) const PREPARE_BYTES: usize = 32 + 4 + 1;
pub(crate) const SPEND_BYTES: usize = 32 + 4;
pub(super) const TERMS_BYTES: usize = 4;

/// How a client opens.
pub(super) struct Setup {
    /// Where transfers come from.
    pub(super) supply: Supply,
}

/// What a client wants prepared.
pub(super) struct Prepare {
    pub(super) id: LotId,
    pub(super) positions: usize,
    /// Beyond this conversation.
    pub(super) keep: bool,
}

/// What a client wants spent.
pub(super) struct Spend {
    pub(super) id: LotId,
    pub(super) positions: usize,
}

impl Setup {
    pub(super) fn encode(&self) -> Vec<u8> {
        vec![u8::from(self.supply == Supply::Silent), PLANNER]
    }

    pub(super) fn decode(body: &[u8]) -> Result<Self, PrivateError> {
        let mut r = Reader::new(body);
        let (supply, theirs) = (r.u8("supply")?, r.u8("planner")?);
        let supply = match supply {
            0 => Supply::Extended,
            1 => Supply::Silent,
            other => return Err(r.bad_value("supply", other.into()).into()),
        };
        r.finish()?;
        if theirs == PLANNER { Ok(Self { supply }) } else { Err(PrivateError::Planner { theirs }) }
    }
}

impl Prepare {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.raw(&self.id).u32(self.positions as u32).u8(self.keep.into());
        w.finish()
    }

    pub(super) fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(body);
        let (id, positions, keep) = (r.array("lot")?, r.u32("positions")? as usize, r.u8("keep")?);
        if keep > 1 {
            return Err(r.bad_value("keep", keep.into()));
        }
        r.finish()?;
        Ok(Self { id, positions, keep: keep == 1 })
    }
}

impl Spend {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.raw(&self.id).u32(self.positions as u32);
        w.finish()
    }

    pub(super) fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(body);
        let spend = Self { id: r.array("lot")?, positions: r.u32("positions")? as usize };
        r.finish()?;
        Ok(spend)
    }
}

/// Receives a message of exactly `want` bytes.
pub(super) fn receive(
    channel: &mut dyn Channel,
    step: Step,
    message: &'static str,
    want: usize,
) -> Result<Vec<u8>, PrivateError> {
    let body = channel.receive(step, want)?;
    if body.len() != want {
        return Err(PrivateError::Length { message, got: body.len(), want });
    }
    Ok(body)
}
