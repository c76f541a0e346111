//! Numbers of 1 to 64 bits packed without a gap, the lowest bit first; the last byte is filled with zeros.
//!
//! Foreign bytes are read by [`Unpacker`] only. The caller checks the length against what it expects before it reads; whether the
//! fill is zero, [`Unpacker::finish`] says.

/// Writes numbers one after the other.
#[derive(Debug, Default)]
pub(super) struct Packer {
    bytes: Vec<u8>,
    pending: u128,
    held: u32,
}

/// Bytes of `count` numbers of `width` bits.
pub(super) fn bytes(count: usize, width: u32) -> usize {
    (count * width as usize).div_ceil(8)
}

/// The `width` low bits set, 0 to 64.
pub(super) fn low(width: u32) -> u64 {
    u64::MAX.checked_shr(64 - width).unwrap_or(0)
}

impl Packer {
    pub(super) fn with_capacity(count: usize, width: u32) -> Self {
        Self { bytes: Vec::with_capacity(bytes(count, width) + 8), pending: 0, held: 0 }
    }

    /// Writes behind what `bytes` holds.
    pub(super) fn after(bytes: Vec<u8>) -> Self {
        Self { bytes, ..Self::default() }
    }

    /// Appends the `width` low bits of `value`.
    pub(super) fn push(&mut self, value: u64, width: u32) {
        self.pending |= u128::from(value & low(width)) << self.held;
        self.held += width;
        if self.held >= 64 {
            self.bytes.extend_from_slice(&(self.pending as u64).to_le_bytes());
            self.pending >>= 64;
            self.held -= 64;
        }
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        let rest = self.held.div_ceil(8) as usize;
        self.bytes.extend_from_slice(&self.pending.to_le_bytes()[..rest]);
        self.bytes
    }
}

/// Reads numbers one after the other; zeros past the end.
#[derive(Debug)]
pub(super) struct Unpacker<'a> {
    bytes: &'a [u8],
    pending: u128,
    held: u32,
}

impl<'a> Unpacker<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, pending: 0, held: 0 }
    }

    /// The next `width` bits.
    pub(super) fn next(&mut self, width: u32) -> u64 {
        if self.held < width {
            let word = match self.bytes.split_first_chunk() {
                Some((word, rest)) => {
                    self.bytes = rest;
                    u64::from_le_bytes(*word)
                }
                None => {
                    let rest = std::mem::take(&mut self.bytes);
                    rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
                }
            };
            self.pending |= u128::from(word) << self.held;
            self.held += 64;
        }
        let value = self.pending as u64 & low(width);
        self.pending >>= width;
        self.held -= width;
        value
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
        fn packed_numbers_come_back_in_the_fewest_bytes(values: Vec<u64>, width in 1..=64u32) {
            let mut packer = Packer::with_capacity(values.len(), width);
            values.iter().for_each(|value| packer.push(*value, width));
            let packed = packer.finish();
            prop_assert_eq!(packed.len(), bytes(values.len(), width));
            let mut unpacker = Unpacker::new(&packed);
            for value in values {
                prop_assert_eq!(unpacker.next(width), value & low(width));
            }
        }

        #[test]
        fn numbers_of_any_widths_come_back(values in proptest::collection::vec((any::<u64>(), 1u32..=64), 0..60)) {
            let mut packer = Packer::default();
            let values: Vec<_> = values.iter().map(|(v, width)| (v >> (64 - width), *width)).collect();
            values.iter().for_each(|(v, width)| packer.push(*v, *width));
            let packed = packer.finish();
            prop_assert_eq!(packed.len(), (values.iter().map(|(_, width)| *width as usize).sum::<usize>()).div_ceil(8));
            let mut unpacker = Unpacker::new(&packed);
            for (v, width) in values {
                prop_assert_eq!(unpacker.next(width), v);
            }
            prop_assert!(unpacker.finish());
        }
    }
}
