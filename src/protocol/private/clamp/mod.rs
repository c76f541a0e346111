//! Rounding and clamping on additive shares, exactly: clamp((z + 2^(s−1)) >> s, low, high) for z shared modulo 2^k, shared anew modulo 2^k′.
//!
//! ReLU is `low` = 0; max(a, b) is a + clamp(b − a, 0, B). No result is off by one: there is no probabilistic truncation.
//!
//! | file | is |
//! |---|---|
//! | [`Plan`] | what a step takes: circuit, messages, bytes, transfers |
//! | `circuit`, `schedule` | comparisons by digits and ANDs; who says what when |
//! | [`Session`], [`Material`] | transfers drawn ahead; a step on shares |
//! | `run`, `lanes` | the script both parties run; bits of a batch |
//! | `codec` | material as bytes |
//! | [`PlanError`], [`ClampError`], [`MaterialError`] | why not |
//!
//! The comparison by digits is that of CrypTFlow2 [Rathee et al. 2020, Algorithm 1], exact truncation with a sign known to be + is
//! from SIRNN [Rathee et al. 2021, §3]. Ours differs: carries into bit s and into the top bit, of t and of t − T, come out of one pass over
//! the digits; choices are random transfers drawn ahead, so that online only bits cross; ANDs share a factor where they can; an entry of each
//! table is the server's share and is not sent.
//!
//! **What each message shows.** Write *own* for what a party drew or knows.
//!
//! | piece | to | uniform, because |
//! |---|---|---|
//! | flips, choices | the offering end | own bits ⊕ choice bits of random transfers, which the other end does not know and which mask nothing else |
//! | digits | the client | every entry but the chosen is under a pad it lacks; the chosen one is the table's ⊕ the server's share, uniform as its pad (of entry 0) is |
//! | openings | both | factors ⊕ own shares of a and b: a is a random choice, b the difference of two pads of which the other end has one |
//! | answers | the choosing end | own number + the difference of two pads of which it has one |
//!
//! This holds whatever the other end sends: each mask is used once, nothing received decides what is sent but by adding to it, and no
//! check stops a party (but on length, which is no secret). So a malicious server learns nothing of the client's shares from a step, given that
//! transfers are secure against a malicious sender and receiver; nor the client of the server's. **Not checked**: whether results are right. Whoever
//! deviates adds an error of its choice to them, which may depend on the other's data. The caller must find that out elsewhere, and must not
//! let the peer see from later behaviour whether it did.
//!
//! Time and addresses do not depend on shares. Masks, shares and wires are wiped when dropped.

mod circuit;
mod codec;
mod error;
mod lanes;
mod material;
mod plan;
mod run;
mod schedule;

pub use error::{ClampError, MaterialError, PlanError};
pub use plan::{Party, Plan, Rounding, Traffic};

use super::ot::{Receiver, Sender};
use std::fmt;

/// Transfers both ways, out of which material is drawn.
#[derive(Debug)]
pub struct Session {
    party: Party,
    sender: Sender,
    receiver: Receiver,
}

/// What one step on a batch uses up.
pub struct Material {
    plan: Plan,
    party: Party,
    count: usize,
    digits: Vec<material::DigitStock>,
    ands: Vec<material::AndStock>,
    asked: Vec<material::Asked>,
    offered: Vec<material::Offered>,
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Material {{ {:?}, {} elements, contents hidden }}", self.party, self.count)
    }
}

#[cfg(test)]
mod tests;
