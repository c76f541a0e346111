//! The record of what was asked and answered: everything that is needed to judge it again, in the order it happened.
//!
//! ```text
//! header                        "serin-record/1\n"
//! per entry:   length u64 · mark [8] · body [length] · digest [32]            (little endian)
//! digest_0 = H(header);  digest_i = H(digest_{i−1} · body_i);  mark_i = first 8 bytes of H'(digest_{i−1} · length_i)
//! ```
//! H and H' are SHA-256 under two labels. A digest covers all entries before it, so one that was altered, reordered or removed from
//! the middle is found, and the last digest ([`Record::head`]) names the whole record. The mark tells a length that was altered from
//! an entry that was cut short while being written: the latter is [`End::Torn`], and the entries before it stand.
//!
//! What the chain does not give: it has no key. Whoever can write the file can write another one; keep the head elsewhere if that
//! matters. Everything here is a pure function of bytes that never panics; files are the caller's.
//!
//! *Caller must still check*: that an entry's card is the one that was pinned. [`crate::report::judge`] judges what an entry says.

mod encode;
mod entry;
mod kind;

pub use entry::{Costs, Entry, EntryError, Evidence, Truth};
pub use kind::Kind;

use serin_circuits::codec::{DecodeError, Digest, Reader, Writer, digest};

const HEADER: &str = "serin-record/1\n";
const MARK_BYTES: usize = 8;
const DIGEST_BYTES: usize = 32;

/// A record that was read.
#[derive(Clone, Debug)]
pub struct Record {
    /// The entries, oldest first.
    pub entries: Vec<Entry>,
    /// The digest that names all of them in order.
    pub head: Digest,
    /// How the record ends.
    pub end: End,
}

/// How a record ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With a whole entry.
    Whole,
    /// Within an entry that starts at byte `at`: its writing was broken off, and it was never judged.
    Torn {
        /// Offset in bytes; the record is whole up to here.
        at: usize,
    },
}

/// A record that cannot be read.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RecordError {
    /// It does not start as a record does.
    #[error(transparent)]
    Header(#[from] DecodeError),
    /// It was changed after it was written.
    #[error(
        "entry {entry} at byte {at} is not what was written there: the record was altered, reordered or cut in the middle"
    )]
    Altered {
        /// Which entry, from 0.
        entry: usize,
        /// Where it starts, in bytes.
        at: usize,
    },
    /// An entry is as it was written, and not one this version reads.
    #[error("entry {entry} at byte {at}: {error}")]
    Entry {
        /// Which entry, from 0.
        entry: usize,
        /// Where it starts, in bytes.
        at: usize,
        /// What is wrong with it.
        error: Box<EntryError>,
    },
}

/// The bytes a record starts with, and their digest.
pub fn begin() -> (&'static [u8], Digest) {
    (HEADER.as_bytes(), digest("serin record", HEADER.as_bytes()))
}

/// The bytes that append `entry` to a record with this head, and the new head.
///
/// # Errors
/// [`EntryError`], if the entry's parts do not fit each other.
pub fn append(head: &Digest, entry: &Entry) -> Result<(Vec<u8>, Digest), EntryError> {
    let body = entry.encode()?;
    let next = link(head, &body);
    let mut w = Writer::new();
    w.size(body.len()).raw(&mark(head, body.len() as u64)).raw(&body).raw(&next);
    Ok((w.finish(), next))
}

impl Record {
    /// Reads a record.
    ///
    /// # Errors
    /// [`RecordError`]; a torn last entry is none, see [`Record::end`].
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut entries = Vec::new();
        let (head, end) = walk(bytes, |entry, at, body| {
            let wrap = |error| RecordError::Entry { entry, at, error: Box::new(error) };
            entries.push(Entry::decode(body).map_err(wrap)?);
            Ok(())
        })?;
        Ok(Self { entries, head, end })
    }

    /// The head and end of a record, without reading what its entries say.
    ///
    /// # Errors
    /// As [`Record::decode`], but for [`RecordError::Entry`].
    pub fn head_of(bytes: &[u8]) -> Result<(Digest, End), RecordError> {
        walk(bytes, |_, _, _| Ok(()))
    }
}

/// Walks the chain; `visit` gets each entry's number, offset and body.
fn walk(
    bytes: &[u8],
    mut visit: impl FnMut(usize, usize, &[u8]) -> Result<(), RecordError>,
) -> Result<(Digest, End), RecordError> {
    let mut r = Reader::new(bytes);
    r.header(HEADER)?;
    let (_, mut head) = begin();
    for entry in 0.. {
        let at = r.position();
        if r.remaining() == 0 {
            break;
        }
        let altered = RecordError::Altered { entry, at };
        let torn = Ok((head, End::Torn { at }));
        let (Ok(length), Ok(found)) = (r.u64("entry length"), r.array::<MARK_BYTES>("entry mark")) else {
            return torn;
        };
        if found != mark(&head, length) {
            return Err(altered);
        }
        let body = usize::try_from(length).ok().and_then(|length| r.raw(length, "entry").ok());
        let (Some(body), Ok(found)) = (body, r.array::<DIGEST_BYTES>("entry digest")) else {
            return torn;
        };
        let next = link(&head, body);
        if found != next {
            return Err(altered);
        }
        visit(entry, at, body)?;
        head = next;
    }
    Ok((head, End::Whole))
}

fn link(head: &Digest, body: &[u8]) -> Digest {
    digest("serin record", &[head, body].concat())
}

fn mark(head: &Digest, length: u64) -> [u8; MARK_BYTES] {
    let full = digest("serin record length", &[&head[..], &length.to_le_bytes()].concat());
    let mut mark = [0; MARK_BYTES];
    mark.copy_from_slice(&full[..MARK_BYTES]);
    mark
}

#[cfg(test)]
mod tests;
