//! Bit matrices of 128 × 128, one `u128` a row, transposed in place.

/// Exchanges bit j of word i with bit i of word j: seven rounds of swapped quadrants.
pub(super) fn transpose(rows: &mut [u128; 128]) {
    for (width, mask) in (0..7).map(|level| 1 << level).zip(MASKS) {
        for block in rows.chunks_exact_mut(2 * width) {
            let (upper, lower) = block.split_at_mut(width);
            for (upper, lower) in upper.iter_mut().zip(lower) {
                let swap = ((*upper >> width) ^ *lower) & mask;
                *lower ^= swap;
                *upper ^= swap << width;
            }
        }
    }
}

/// The lower half of every group of 2, 4, … 128 bits.
const MASKS: [u128; 7] = {
    let mut masks = [0; 7];
    let mut level = 0;
    while level < 7 {
        masks[level] = u128::MAX / ((1 << (1 << level)) + 1);
        level += 1;
    }
    masks
};

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
