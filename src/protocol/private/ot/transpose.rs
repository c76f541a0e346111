//! Bit matrices of 128 × 128, one `u128` a row, transposed in place.

/// Exchanges bit j of word i with bit i of word j: seven rounds of swapped quadrants, six of them in halves of words, which
/// the compiler does several at a time.
pub(super) fn transpose(rows: &mut [u128; 128]) {
    let (mut low, mut high) = (rows.map(|row| row as u64), rows.map(|row| (row >> 64) as u64));
    high[..64].swap_with_slice(&mut low[64..]);
    for half in [&mut low, &mut high] {
        swap::<32>(half);
        swap::<16>(half);
        swap::<8>(half);
        swap::<4>(half);
        swap::<2>(half);
        swap::<1>(half);
    }
    for ((row, low), high) in rows.iter_mut().zip(low).zip(high) {
        *row = u128::from(low) | u128::from(high) << 64;
    }
}

/// Of every square of 2·`WIDTH` words and bits, swaps the upper right with the lower left.
fn swap<const WIDTH: usize>(rows: &mut [u64; 128]) {
    let mask = u64::MAX / ((1 << WIDTH) + 1);
    for block in rows.chunks_exact_mut(2 * WIDTH) {
        let (upper, lower) = block.split_at_mut(WIDTH);
        for (upper, lower) in upper.iter_mut().zip(lower) {
            let swap = ((*upper >> WIDTH) ^ *lower) & mask;
            *lower ^= swap;
            *upper ^= swap << WIDTH;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn transposed_bits_change_places(words in proptest::collection::vec(any::<u128>(), 128)) {
            let mut rows = [0; 128];
            rows.copy_from_slice(&words);
            transpose(&mut rows);
            for (i, row) in rows.iter().enumerate() {
                for (j, word) in words.iter().enumerate() {
                    prop_assert_eq!(row >> j & 1, word >> i & 1);
                }
            }
        }
    }
}
