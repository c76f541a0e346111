//! One side of a conversation, and the transcript that makes it non-interactive (Fiat–Shamir over merlin).
//!
//! A sub-protocol is written once, as a text over [`Script`]: *say* a message, draw *coins*, *insist* on an equation.
//! [`Proving`] runs the text with a witness and records what is said; [`Checking`] runs the same text over the bytes
//! that were recorded, absorbing exactly what it reads. The order, labels and sizes of the messages exist once, and no
//! length is ever taken from the message itself.
//!
//! Values that only the checker needs are made under [`Script::check_only`], which the prover skips.
//!
//! *Caller must still check*: that the statement was absorbed first (see [`crate::statement`]), and that
//! [`Checking::finish`] found no leftovers.

use std::borrow::Cow;

use merlin::Transcript;
use serin_circuits::codec::{Digest, Reader, pack_into, unpack};
use serin_circuits::field::{self, EXT_BYTES, Ext, Fp, MODULUS};
use serin_circuits::tensor::Range;

use crate::rejection::{Fault, Place, Rejection};

/// Messages longer than this are absorbed as their BLAKE3 digest, which is some twenty times as fast as the sponge and four
/// times as fast as SHA-256: hashing the activations is the largest part of a `revealed` proof.
const ABSORB_WHOLE: usize = 512;

/// Where challenges come from.
pub trait Coins {
    /// Binds bytes: later coins depend on them.
    fn absorb(&mut self, label: &'static str, bytes: &[u8]);
    /// Draws bytes that depend on all that was absorbed.
    fn squeeze(&mut self, label: &'static str, out: &mut [u8]);
}

/// The real source: a merlin transcript.
#[derive(Clone)]
pub struct MerlinCoins(Transcript);

impl MerlinCoins {
    /// A fresh transcript for one proof.
    pub fn new() -> Self {
        Self(Transcript::new(b"serin proof v1"))
    }
}

impl Default for MerlinCoins {
    fn default() -> Self {
        Self::new()
    }
}

impl Coins for MerlinCoins {
    fn absorb(&mut self, label: &'static str, bytes: &[u8]) {
        if bytes.len() <= ABSORB_WHOLE {
            self.0.append_message(label.as_bytes(), bytes);
        } else {
            // The length is absorbed too, so a digest and a short message never meet.
            self.0.append_u64(b"digest of", bytes.len() as u64);
            self.0.append_message(label.as_bytes(), blake3::hash(bytes).as_bytes());
        }
    }

    fn squeeze(&mut self, label: &'static str, out: &mut [u8]) {
        self.0.challenge_bytes(label.as_bytes(), out);
    }
}

/// One side of a conversation.
pub trait Script {
    /// Says `len` bytes. The prover appends them; the checker reads them.
    fn message(
        &mut self,
        label: &'static str,
        len: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Cow<'_, [u8]>, Rejection>;

    /// Binds bytes that both sides know.
    fn absorb(&mut self, label: &'static str, bytes: &[u8]);

    /// Fills `out` with challenge bytes.
    fn squeeze(&mut self, label: &'static str, out: &mut [u8]);

    /// The place that rejections name from here on.
    fn enter(&mut self, place: Place);

    /// Rejects with `fault` at the current place.
    fn reject(&self, fault: impl Into<Fault>) -> Rejection;

    /// Makes a value that only the checker needs.
    fn check_only<T>(&mut self, make: impl FnOnce() -> T) -> Option<T>;

    /// Says `count` challenge-field elements.
    fn say(
        &mut self,
        label: &'static str,
        count: usize,
        make: impl FnOnce() -> Vec<Ext>,
    ) -> Result<Vec<Ext>, Rejection> {
        let encode = |bytes: &mut Vec<u8>| bytes.extend(make().iter().flat_map(field::to_bytes));
        let bytes = self.message(label, count.saturating_mul(EXT_BYTES), encode)?;
        let words = bytes.as_chunks::<EXT_BYTES>().0.iter();
        let decoded: Option<Vec<Ext>> = words.map(|w| field::from_bytes(*w)).collect();
        decoded.ok_or_else(|| self.reject(non_canonical(label)))
    }

    /// Says `count` base-field elements.
    fn say_base(
        &mut self,
        label: &'static str,
        count: usize,
        make: impl FnOnce() -> Vec<Fp>,
    ) -> Result<Vec<Fp>, Rejection> {
        let encode = |bytes: &mut Vec<u8>| bytes.extend(make().iter().flat_map(|v| v.value.to_le_bytes()));
        let bytes = self.message(label, count.saturating_mul(8), encode)?;
        let words = bytes.as_chunks::<8>().0.iter().map(|w| u64::from_le_bytes(*w));
        let decoded: Option<Vec<Fp>> = words.map(|v| (v < MODULUS).then(|| Fp::from_raw(v))).collect();
        decoded.ok_or_else(|| self.reject(non_canonical(label)))
    }

    /// Says `count` digests.
    fn say_digests(
        &mut self,
        label: &'static str,
        count: usize,
        make: impl FnOnce() -> Vec<Digest>,
    ) -> Result<Vec<Digest>, Rejection> {
        let bytes = self.message(label, count.saturating_mul(32), |bytes| bytes.extend(make().concat()))?;
        Ok(bytes.as_chunks::<32>().0.to_vec())
    }

    /// Says `count` integers of `range` at that range's width. The checker gets them; the prover, who has them, `None`.
    fn reveal<'v>(
        &mut self,
        label: &'static str,
        count: usize,
        range: Range,
        make: impl FnOnce() -> &'v [i32],
    ) -> Result<Option<Vec<i32>>, Rejection> {
        let checking = self.check_only(|| ()).is_some();
        let len = count.saturating_mul(range.byte_width());
        let bytes = self.message(label, len, |bytes| pack_into(make(), range, bytes))?;
        if !checking {
            return Ok(None);
        }
        match unpack(&bytes, range) {
            Some(values) => Ok(Some(values)),
            None => Err(self.reject(Fault::Answer(format!("a value lies outside the node's range {range}")))),
        }
    }

    /// Draws challenges.
    fn coins(&mut self, label: &'static str, count: usize) -> Vec<Ext> {
        let mut bytes = vec![0; count * 32];
        self.squeeze(label, &mut bytes);
        let limbs = bytes.as_chunks::<16>().0;
        limbs
            .as_chunks::<2>()
            .0
            .iter()
            .map(|[a, b]| field::ext(field::from_uniform(*a), field::from_uniform(*b)))
            .collect()
    }

    /// Draws one challenge.
    fn coin(&mut self, label: &'static str) -> Ext {
        let mut bytes = [0; 32];
        self.squeeze(label, &mut bytes);
        let [a, b] = [0, 16].map(|at| std::array::from_fn(|i| bytes[at + i]));
        field::ext(field::from_uniform(a), field::from_uniform(b))
    }

    /// Draws `count` positions below 2^`bits` (`bits` ≤ 32), sorted, without the repeats that the draw may hold.
    fn positions(&mut self, label: &'static str, count: usize, bits: usize) -> Vec<usize> {
        let mut bytes = vec![0; count * 4];
        self.squeeze(label, &mut bytes);
        let mask = (1usize << bits) - 1;
        let draws = bytes.as_chunks::<4>().0.iter().map(|w| u32::from_le_bytes(*w) as usize & mask);
        let mut positions: Vec<usize> = draws.collect();
        positions.sort_unstable();
        positions.dedup();
        positions
    }

    /// The checker rejects with `fault` unless `holds`.
    fn insist(&mut self, fault: Fault, holds: impl FnOnce() -> bool) -> Result<(), Rejection> {
        match self.check_only(holds) {
            Some(false) => Err(self.reject(fault)),
            _ => Ok(()),
        }
    }
}

fn non_canonical(label: &'static str) -> Fault {
    Fault::Malformed(serin_circuits::codec::DecodeError::Value { at: 0, field: label, value: MODULUS })
}

/// The prover's side: what is said is recorded.
pub struct Proving<C> {
    coins: C,
    bytes: Vec<u8>,
}

impl<C: Coins> Proving<C> {
    /// Starts a proof after `header`, which the checker's [`Checking::new`] reads.
    pub fn new(mut coins: C, header: &[u8]) -> Self {
        coins.absorb("header", header);
        Self { coins, bytes: header.to_vec() }
    }

    /// The proof.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

impl<C: Coins> Script for Proving<C> {
    fn message(
        &mut self,
        label: &'static str,
        len: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Cow<'_, [u8]>, Rejection> {
        let start = self.bytes.len();
        write(&mut self.bytes);
        debug_assert_eq!(self.bytes.len() - start, len, "{label}");
        let said = &self.bytes[start..];
        self.coins.absorb(label, said);
        Ok(Cow::Borrowed(said))
    }

    fn absorb(&mut self, label: &'static str, bytes: &[u8]) {
        self.coins.absorb(label, bytes);
    }

    fn squeeze(&mut self, label: &'static str, out: &mut [u8]) {
        self.coins.squeeze(label, out);
    }

    fn enter(&mut self, _: Place) {}

    fn reject(&self, fault: impl Into<Fault>) -> Rejection {
        Rejection::new(Place::Proof, fault)
    }

    fn check_only<T>(&mut self, _: impl FnOnce() -> T) -> Option<T> {
        None
    }
}

/// One message of a proof: where it stands and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The place it belongs to.
    pub place: Place,
    /// Its label.
    pub label: &'static str,
    /// Its bytes within the proof.
    pub bytes: std::ops::Range<usize>,
}

/// The checker's side: a pure function of the bytes.
pub struct Checking<'p, C> {
    coins: C,
    reader: Reader<'p>,
    place: Place,
    outline: Vec<Message>,
}

impl<'p, C: Coins> Checking<'p, C> {
    /// Starts reading a proof, which must begin with `header`.
    pub fn new(mut coins: C, header: &'static str, proof: &'p [u8]) -> Result<Self, Rejection> {
        let mut reader = Reader::new(proof);
        reader.header(header).map_err(|e| Rejection::new(Place::Proof, e))?;
        coins.absorb("header", header.as_bytes());
        Ok(Self { coins, reader, place: Place::Proof, outline: Vec::new() })
    }

    /// Ends the reading: leftovers are rejected. Returns the outline of what was said.
    pub fn finish(self) -> Result<Vec<Message>, Rejection> {
        self.reader.finish().map_err(|e| Rejection::new(Place::Proof, e))?;
        Ok(self.outline)
    }
}

impl<C: Coins> Script for Checking<'_, C> {
    fn message(
        &mut self,
        label: &'static str,
        len: usize,
        _: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Cow<'_, [u8]>, Rejection> {
        let start = self.reader.position();
        let bytes = self.reader.raw(len, label).map_err(|e| Rejection::new(self.place.clone(), e))?;
        self.outline.push(Message { place: self.place.clone(), label, bytes: start..start + len });
        self.coins.absorb(label, bytes);
        Ok(Cow::Borrowed(bytes))
    }

    fn absorb(&mut self, label: &'static str, bytes: &[u8]) {
        self.coins.absorb(label, bytes);
    }

    fn squeeze(&mut self, label: &'static str, out: &mut [u8]) {
        self.coins.squeeze(label, out);
    }

    fn enter(&mut self, place: Place) {
        self.place = place;
    }

    fn reject(&self, fault: impl Into<Fault>) -> Rejection {
        Rejection::new(self.place.clone(), fault)
    }

    fn check_only<T>(&mut self, make: impl FnOnce() -> T) -> Option<T> {
        Some(make())
    }
}
