//! Integers of a few bits each, written back to back, least significant bit first; the last byte is filled with
//! zeros.
//!
//! Foreign bytes are read by [`BitReader`] only. The caller checks the length against what it expects before it
//! reads; past the end a reader yields zeros, and [`BitReader::finish`] says whether the fill was zero.

/// Appends integers of up to 64 bits.
#[derive(Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    pending: u128,
    filled: u32,
}

impl BitWriter {
    /// Behind what `bytes` holds.
    pub(super) fn after(bytes: Vec<u8>) -> Self {
        Self { bytes, ..Self::default() }
    }

    /// The low `bits` of `value`, which holds no more.
    pub(super) fn put(&mut self, value: u64, bits: u32) {
        self.pending |= u128::from(value) << self.filled;
        self.filled += bits;
        if self.filled >= 64 {
            self.bytes.extend_from_slice(&(self.pending as u64).to_le_bytes());
            self.pending >>= 64;
            self.filled -= 64;
        }
    }

    /// All bytes.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let rest = self.filled.div_ceil(8) as usize;
        self.bytes.extend_from_slice(&self.pending.to_le_bytes()[..rest]);
        self.bytes
    }
}

/// Takes integers of up to 64 bits.
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    pending: u128,
    filled: u32,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, pending: 0, filled: 0 }
    }

    /// The next `bits`.
    pub(super) fn take(&mut self, bits: u32) -> u64 {
        if self.filled < bits {
            let (head, tail) = self.bytes.split_at(self.bytes.len().min(8));
            let mut word = [0; 8];
            word[..head.len()].copy_from_slice(head);
            self.pending |= u128::from(u64::from_le_bytes(word)) << self.filled;
            (self.bytes, self.filled) = (tail, self.filled + 64);
        }
        let value = self.pending & ((1 << bits) - 1);
        self.pending >>= bits;
        self.filled -= bits;
        value as u64
    }

    /// Whether nothing but zeros is left.
    pub(super) fn finish(self) -> bool {
        self.pending == 0 && self.bytes.iter().all(|b| *b == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn integers_of_any_width_come_back(values in proptest::collection::vec((any::<u64>(), 1u32..=64), 0..60)) {
            let mut writer = BitWriter::default();
            let values: Vec<_> = values.iter().map(|(v, bits)| (v >> (64 - bits), *bits)).collect();
            values.iter().for_each(|(v, bits)| writer.put(*v, *bits));
            let bytes = writer.finish();
            prop_assert_eq!(bytes.len(), (values.iter().map(|(_, bits)| *bits as usize).sum::<usize>()).div_ceil(8));
            let mut reader = BitReader::new(&bytes);
            for (v, bits) in values {
                prop_assert_eq!(reader.take(bits), v);
            }
            prop_assert!(reader.finish());
        }
    }
}
