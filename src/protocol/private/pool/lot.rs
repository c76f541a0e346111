//! A lot's file: a header of fixed size, and the body behind it.
//!
//! ```text
//! serin-lot/1⏎ │ party 1 │ positions 4 │ id 32 │ model 32 │ length of the body 8 │ digest 32 │ body
//! ```
//! The digest is BLAKE3, under a key of its own use, of all before it and the body. It finds damage; whoever can write can also digest.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;

use serin_circuits::codec::{DecodeError, Digest, Reader, Writer};
use zeroize::Zeroizing;

use super::{PoolError, at};
use crate::protocol::private::clamp::Party;

/// What a lot is. Nothing of it is secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// Its name, drawn at random; the peer's half has the same.
    pub id: [u8; 32],
    /// The digest of the model it was drawn for.
    pub model: Digest,
    /// Samples of the batch it serves.
    pub positions: u32,
    /// Whose half it is.
    pub party: Party,
}

/// What a lot's file begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) label: Label,
    body: u64,
    digest: Digest,
}

/// Bytes of the file whose body has `body`.
pub(super) fn size(body: usize) -> u64 {
    (HEADER + body) as u64
}

/// The body of the lot that `label` names, if it is as it was deposited.
pub(super) fn read(path: &Path, label: &Label) -> Result<Zeroizing<Vec<u8>>, PoolError> {
    let altered = || PoolError::Altered { path: path.into() };
    let failed = || at(path, "reading");
    let mut file = File::open(path).map_err(failed())?;
    let header = Header::read(&mut file).map_err(failed())?.ok_or_else(altered)?;
    let length = file.metadata().map_err(failed())?.len();
    if Some(length) != header.body.checked_add(HEADER as u64) {
        return Err(altered());
    }
    let mut body = Zeroizing::new(vec![0; header.body as usize]);
    file.read_exact(&mut body).map_err(failed())?;
    if header != Header::of(label, &body) {
        return Err(altered());
    }
    Ok(body)
}

impl Label {
    /// What `other` says otherwise.
    pub(super) fn differs(&self, other: &Self) -> Option<&'static str> {
        let Self { id, model, positions, party } = other;
        let fields = [
            (self.model != *model, "a model"),
            (self.positions != *positions, "a number of positions"),
            (self.party != *party, "a party"),
            (self.id != *id, "an id"),
        ];
        fields.into_iter().find_map(|(differs, field)| differs.then_some(field))
    }
}

impl Header {
    pub(super) fn of(label: &Label, body: &[u8]) -> Self {
        let mut header = Self { label: *label, body: body.len() as u64, digest: Digest::default() };
        let mut hash = blake3::Hasher::new_derive_key("serin 2026 lot of offline material");
        hash.update(&header.encode()[..HEADER - header.digest.len()]).update(body);
        header.digest = hash.finalize().into();
        header
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let Self { label: Label { id, model, positions, party }, body, digest } = self;
        let mut to = Writer::new();
        to.raw(MAGIC.as_bytes()).u8(u8::from(*party == Party::Server)).u32(*positions);
        to.raw(id).raw(model).u64(*body).raw(digest);
        to.finish()
    }

    /// Reads the front of a lot's file; `None` if it is no header.
    pub(super) fn read(file: &mut File) -> io::Result<Option<Self>> {
        let mut bytes = [0; HEADER];
        match file.read_exact(&mut bytes) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
            read => read.map(|()| Self::decode(&bytes).ok()),
        }
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut from = Reader::new(bytes);
        from.header(MAGIC)?;
        let party = match from.u8("party")? {
            0 => Party::Client,
            1 => Party::Server,
            other => return Err(from.bad_value("party", other.into())),
        };
        let positions = from.u32("positions")?;
        let label = Label { id: from.array("id")?, model: from.array("model")?, positions, party };
        let header = Self { label, body: from.u64("length")?, digest: from.array("digest")? };
        from.finish()?;
        Ok(header)
    }
}

const MAGIC: &str = "serin-lot/1\n";
const HEADER: usize = MAGIC.len() + 1 + 4 + 32 + 32 + 8 + 32;
