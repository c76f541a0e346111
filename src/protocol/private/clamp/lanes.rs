//! One bit of every element of a batch, 64 to a word.

use crate::protocol::private::bits::{Packer, Unpacker};
use zeroize::Zeroizing;

/// Bits of `count` elements; those past the last are never read.
#[derive(Clone, Default)]
pub(super) struct Lanes(Zeroizing<Vec<u64>>);

impl Lanes {
    pub(super) fn zeros(count: usize) -> Self {
        Self(Zeroizing::new(vec![0; count.div_ceil(64)]))
    }

    pub(super) fn get(&self, i: usize) -> u64 {
        self.0[i / 64] >> (i % 64) & 1
    }

    /// Adds the lowest bit of `bit` to element `i`.
    pub(super) fn flip(&mut self, i: usize, bit: u64) {
        self.0[i / 64] ^= (bit & 1) << (i % 64);
    }

    /// Adds `other`.
    pub(super) fn add(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(other.0.iter()).for_each(|(a, b)| *a ^= b);
        self
    }

    /// Adds the product of two others.
    pub(super) fn add_product(mut self, a: &Self, b: &Self) -> Self {
        self.0.iter_mut().zip(a.0.iter().zip(b.0.iter())).for_each(|(sum, (a, b))| *sum ^= a & b);
        self
    }

    /// Appends `count` bits.
    pub(super) fn pack(&self, count: usize, packer: &mut Packer) {
        for (word, at) in self.0.iter().zip((0..count).step_by(64)) {
            packer.push(*word, (count - at).min(64) as u32);
        }
    }

    /// The next `count` bits.
    pub(super) fn unpack(count: usize, unpacker: &mut Unpacker) -> Self {
        let widths = (0..count).step_by(64).map(|at| (count - at).min(64) as u32);
        Self(Zeroizing::new(widths.map(|width| unpacker.next(width)).collect()))
    }
}
