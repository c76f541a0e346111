//! Canonical bytes: fixed-width little-endian integers, length-prefixed strings and lists, nothing optional.
//!
//! One value has one encoding. A [`Reader`] is handed foreign bytes: it never panics, caps every length before
//! it allocates, and [`Reader::finish`] refuses leftovers. [`digest`] is SHA-256 under a domain label.

use sha2::{Digest as _, Sha256};

use crate::tensor::Range;

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// SHA-256 of `bytes` under a label, so that digests of different kinds of thing never meet.
pub fn digest(label: &str, bytes: &[u8]) -> Digest {
    let mut hash = Sha256::new();
    hash.update((label.len() as u64).to_le_bytes());
    hash.update(label.as_bytes());
    hash.update(bytes);
    hash.finalize().into()
}

/// Integers of a known range at a fixed width: v − low in [`Range::byte_width`] little-endian bytes.
pub fn pack(values: &[i32], range: Range) -> Vec<u8> {
    let mut bytes = Vec::new();
    pack_into(values, range, &mut bytes);
    bytes
}

/// [`pack`] behind what `bytes` already holds.
pub fn pack_into(values: &[i32], range: Range, bytes: &mut Vec<u8>) {
    fn fixed<const W: usize>(values: &[i32], low: i32, bytes: &mut Vec<u8>) {
        let start = bytes.len();
        bytes.resize(start + W * values.len(), 0);
        for (chunk, v) in bytes[start..].as_chunks_mut::<W>().0.iter_mut().zip(values) {
            chunk.copy_from_slice(&v.wrapping_sub(low).to_le_bytes()[..W]);
        }
    }
    match range.byte_width() {
        1 => fixed::<1>(values, range.low, bytes),
        2 => fixed::<2>(values, range.low, bytes),
        3 => fixed::<3>(values, range.low, bytes),
        _ => fixed::<4>(values, range.low, bytes),
    }
}

/// Reads what [`pack`] wrote; `None` if a value leaves the range.
pub fn unpack(bytes: &[u8], range: Range) -> Option<Vec<i32>> {
    fn fixed<const W: usize>(bytes: &[u8], range: Range) -> Option<Vec<i32>> {
        let span = range.high.abs_diff(range.low);
        let mut worst = 0;
        let offsets = bytes.as_chunks::<W>().0.iter().map(|chunk| {
            let mut word = [0; 4];
            word[..W].copy_from_slice(chunk);
            let offset = u32::from_le_bytes(word);
            worst = worst.max(offset);
            range.low.wrapping_add(offset as i32)
        });
        let values = offsets.collect();
        (worst <= span).then_some(values)
    }
    match range.byte_width() {
        1 => fixed::<1>(bytes, range),
        2 => fixed::<2>(bytes, range),
        3 => fixed::<3>(bytes, range),
        _ => fixed::<4>(bytes, range),
    }
}

/// Bytes that do not decode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end inside a field.
    #[error("the bytes end at {at} inside {field}; the file or message is truncated")]
    Truncated {
        /// Offset in bytes.
        at: usize,
        /// The field being read.
        field: &'static str,
    },
    /// A field holds a value it may not.
    #[error("{field} at byte {at} holds {value}, which is not allowed; the file or message is damaged")]
    Value {
        /// Offset in bytes.
        at: usize,
        /// The field being read.
        field: &'static str,
        /// What was found.
        value: u64,
    },
    /// Bytes are left after the last field.
    #[error("{extra} bytes are left after the end; the file or message is damaged")]
    Leftover {
        /// How many.
        extra: usize,
    },
    /// The header names another kind of file or another version.
    #[error(
        "this is not the {} that this version reads (its header says `{found}`); make it again with this version", .expected.trim_end()
    )]
    Header {
        /// Kind and version this program reads.
        expected: &'static str,
        /// What the header holds, printable characters only.
        found: String,
    },
}

/// Appends fields to a byte string.
#[derive(Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty writer.
    pub fn new() -> Self {
        Self::default()
    }

    /// The bytes written.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    /// Raw bytes whose length the reader knows.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// One byte.
    pub fn u8(&mut self, v: u8) -> &mut Self {
        self.raw(&[v])
    }

    /// Four bytes.
    pub fn u32(&mut self, v: u32) -> &mut Self {
        self.raw(&v.to_le_bytes())
    }

    /// Four bytes, two's complement.
    pub fn i32(&mut self, v: i32) -> &mut Self {
        self.raw(&v.to_le_bytes())
    }

    /// Eight bytes.
    pub fn u64(&mut self, v: u64) -> &mut Self {
        self.raw(&v.to_le_bytes())
    }

    /// Eight bytes: a count or a size.
    pub fn size(&mut self, v: usize) -> &mut Self {
        self.u64(v as u64)
    }

    /// A length and as many bytes.
    pub fn bytes(&mut self, v: &[u8]) -> &mut Self {
        self.size(v.len()).raw(v)
    }
}

/// Reads fields from foreign bytes.
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes not yet read.
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// Offset of the next byte.
    pub fn position(&self) -> usize {
        self.at
    }

    /// The error that `field`, just read, holds `value`.
    pub fn bad_value(&self, field: &'static str, value: u64) -> DecodeError {
        DecodeError::Value { at: self.at, field, value }
    }

    /// The next `len` bytes.
    pub fn raw(&mut self, len: usize, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let truncated = DecodeError::Truncated { at: self.bytes.len(), field };
        let end = self.at.checked_add(len).ok_or_else(|| truncated.clone())?;
        let bytes = self.bytes.get(self.at..end).ok_or(truncated)?;
        self.at = end;
        Ok(bytes)
    }

    /// The next N bytes as an array.
    pub fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        let mut out = [0; N];
        out.copy_from_slice(self.raw(N, field)?);
        Ok(out)
    }

    /// One byte.
    pub fn u8(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        Ok(self.array::<1>(field)?[0])
    }

    /// Four bytes.
    pub fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        self.array(field).map(u32::from_le_bytes)
    }

    /// Four bytes, two's complement.
    pub fn i32(&mut self, field: &'static str) -> Result<i32, DecodeError> {
        self.array(field).map(i32::from_le_bytes)
    }

    /// Eight bytes.
    pub fn u64(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        self.array(field).map(u64::from_le_bytes)
    }

    /// A count or size of at most `cap`.
    pub fn size(&mut self, field: &'static str, cap: usize) -> Result<usize, DecodeError> {
        let v = self.u64(field)?;
        usize::try_from(v).ok().filter(|n| *n <= cap).ok_or_else(|| self.bad_value(field, v))
    }

    /// A length of at most `cap` and as many bytes.
    pub fn bytes(&mut self, field: &'static str, cap: usize) -> Result<&'a [u8], DecodeError> {
        let len = self.size(field, cap)?;
        self.raw(len, field)
    }

    /// A length-prefixed UTF-8 string of at most `cap` bytes.
    pub fn string(&mut self, field: &'static str, cap: usize) -> Result<String, DecodeError> {
        let bytes = self.bytes(field, cap)?;
        String::from_utf8(bytes.to_vec())
            .map_err(|e| self.bad_value(field, u64::from(bytes[e.utf8_error().valid_up_to()])))
    }

    /// As many integers of `range` as `count` says, as [`pack`] writes them. A value beyond the range is refused.
    pub fn packed(
        &mut self,
        field: &'static str,
        count: usize,
        range: Range,
    ) -> Result<Vec<i32>, DecodeError> {
        let width = range.byte_width();
        let bytes = self.raw(count.saturating_mul(width), field)?;
        unpack(bytes, range).ok_or_else(|| self.bad_value(field, range.high.abs_diff(range.low).into()))
    }

    /// The header `expected`, exactly.
    pub fn header(&mut self, expected: &'static str) -> Result<(), DecodeError> {
        let found = self.bytes.get(self.at..).unwrap_or(&[]);
        let found = &found[..found.len().min(expected.len())];
        if found != expected.as_bytes() {
            let found =
                found.trim_ascii_end().iter().map(|b| if b.is_ascii_graphic() { *b as char } else { '·' });
            let found = found.collect();
            return Err(DecodeError::Header { expected, found });
        }
        self.at += expected.len();
        Ok(())
    }

    /// Ends the reading; leftovers are an error.
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.remaining() {
            0 => Ok(()),
            extra => Err(DecodeError::Leftover { extra }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn packed_integers_of_any_range_read_back(low in any::<i32>(), span in 0..=u32::MAX, seeds in proptest::collection::vec(any::<u32>(), 0..40)) {
            let high = (i64::from(low) + i64::from(span)).min(i32::MAX.into()) as i32;
            let range = Range { low, high };
            let width = u64::from(high.abs_diff(low)) + 1;
            let values: Vec<i32> = seeds.iter().map(|s| (i64::from(low) + (u64::from(*s) % width) as i64) as i32).collect();
            let bytes = pack(&values, range);
            prop_assert_eq!(bytes.len(), values.len() * range.byte_width());
            prop_assert_eq!(unpack(&bytes, range), Some(values));
        }
    }

    #[test]
    fn packed_value_beyond_its_range_refused() {
        assert_eq!(unpack(&[3], Range { low: 5, high: 8 }), Some(vec![8]));
        assert_eq!(unpack(&[4], Range { low: 5, high: 8 }), None);
    }

    #[test]
    fn length_beyond_the_cap_refused_before_allocating() {
        let mut w = Writer::new();
        w.size(usize::MAX).raw(&[1, 2, 3]);
        let bytes = w.finish();
        assert!(matches!(
            Reader::new(&bytes).bytes("name", 10),
            Err(DecodeError::Value { field: "name", .. })
        ));
        assert!(matches!(
            Reader::new(&bytes).packed("weights", usize::MAX, Range { low: 0, high: i32::MAX }),
            Err(DecodeError::Truncated { .. })
        ));
    }

    #[test]
    fn leftovers_refused() {
        let mut r = Reader::new(&[1, 2]);
        assert_eq!(r.u8("first"), Ok(1));
        assert_eq!(r.finish(), Err(DecodeError::Leftover { extra: 1 }));
    }

    #[test]
    fn header_of_another_version_named() {
        let error = Reader::new(b"serin-model/9\n").header("serin-model/1\n");
        assert!(error.expect_err("other version").to_string().contains("serin-model/9"));
    }
}
