//! Sums of extension elements e_i times small integers: the kernels that bind a tensor's outer axis ([`fold_rows`],
//! Σ_i e_i · rows\[i\]) or its inner axis ([`dot_rows`], Σ_j rows\[i\]\[j\] · e_j).
//!
//! Almost all field work of prover and verifier passes here, so it is done in machine integers that vectorise: each of
//! the two 64-bit limbs of e is centred and split into two signed 32-bit halves, every entry takes four 32×32→64-bit
//! products, and sums stay in `i64` without reduction as long as they provably fit. No intrinsics, no `unsafe`; with
//! AVX-512 it runs at about the speed of memory.

use ark_ff::Field;

use crate::field::{Ext, Fp, MODULUS, ext, from_i64, from_i128, lift};

/// Columns folded at a time: four `i64` sums per column stay in the first-level cache.
const BLOCK: usize = 512;

/// Σ_i `weights[i]` · `rows[i·width .. (i+1)·width]`, of length `width`; entries of `rows` have |v| ≤ `magnitude`.
/// Rows beyond the weights are ignored, as are weights beyond the rows.
pub fn fold_rows(weights: &[Ext], rows: &[i32], width: usize, magnitude: u32) -> Vec<Ext> {
    let halves: Vec<[i32; 4]> = weights.iter().map(split).collect();
    let capacity = capacity(magnitude);
    let mut out = Vec::with_capacity(width);
    let mut start = 0;
    while start < width {
        let block = BLOCK.min(width - start);
        let mut sums = vec![Ext::default(); block];
        let pairs = halves.chunks(capacity).zip(rows.chunks(capacity.saturating_mul(width)));
        for (halves, rows) in pairs {
            fold_block(halves, rows, width, start, &mut sums);
        }
        out.extend_from_slice(&sums);
        start += block;
    }
    out
}

/// Σ_j `row[j]`·`weights[j]` for each row as long as the weights; entries of `rows` have |v| ≤ `magnitude`.
pub fn dot_rows(rows: &[i32], weights: &[Ext], magnitude: u32) -> Vec<Ext> {
    if weights == [Ext::ONE] {
        // The inner axis of a single sample.
        return rows.iter().map(|v| lift(from_i64(i64::from(*v)))).collect();
    }
    let halves: [Vec<i32>; 4] = std::array::from_fn(|half| weights.iter().map(|e| split(e)[half]).collect());
    let capacity = capacity(magnitude);
    let dot = |row: &[i32], half: &[i32]| {
        row.iter().zip(half).map(|(v, h)| i64::from(*v) * i64::from(*h)).sum::<i64>()
    };
    let rows = rows.chunks_exact(weights.len().max(1));
    rows.map(|row| {
        let parts = row.chunks(capacity).enumerate().map(|(i, part)| {
            let [a, b, c, d] = std::array::from_fn(|h| dot(part, &halves[h][i * capacity..][..part.len()]));
            ext(join(a, b), join(c, d))
        });
        parts.sum()
    })
    .collect()
}

/// How many products of a 32-bit half (|half| ≤ 2^31) and an entry fit one signed 64-bit sum.
fn capacity(magnitude: u32) -> usize {
    ((1usize << 32) / (magnitude.max(1) as usize + 1)).saturating_sub(1).max(1)
}

fn fold_block(halves: &[[i32; 4]], rows: &[i32], width: usize, start: usize, sums: &mut [Ext]) {
    let block = sums.len();
    let mut acc = [[0i64; BLOCK]; 4];
    let [a, b, c, d] = &mut acc;
    let (a, b, c, d) = (&mut a[..block], &mut b[..block], &mut c[..block], &mut d[..block]);
    // Four rows at a time: the sums are loaded and stored a quarter as often.
    let (fours, rest) = halves.as_chunks::<4>();
    for (half, rows) in fours.iter().zip(rows.chunks_exact(4 * width)) {
        let [r0, r1, r2, r3] = std::array::from_fn(|i| &rows[i * width + start..][..block]);
        let [h0, h1, h2, h3] = half.map(|h| h.map(i64::from));
        for j in 0..block {
            let [v0, v1, v2, v3] = [r0[j], r1[j], r2[j], r3[j]].map(i64::from);
            a[j] += v0 * h0[0] + v1 * h1[0] + v2 * h2[0] + v3 * h3[0];
            b[j] += v0 * h0[1] + v1 * h1[1] + v2 * h2[1] + v3 * h3[1];
            c[j] += v0 * h0[2] + v1 * h1[2] + v2 * h2[2] + v3 * h3[2];
            d[j] += v0 * h0[3] + v1 * h1[3] + v2 * h2[3] + v3 * h3[3];
        }
    }
    let rows = rows.get(4 * fours.len() * width..).unwrap_or(&[]);
    for (half, row) in rest.iter().zip(rows.chunks_exact(width)) {
        let row = &row[start..start + block];
        let [h0, h1, h2, h3] = half.map(i64::from);
        for j in 0..block {
            let v = i64::from(row[j]);
            a[j] += v * h0;
            b[j] += v * h1;
            c[j] += v * h2;
            d[j] += v * h3;
        }
    }
    for (j, sum) in sums.iter_mut().enumerate() {
        *sum += ext(join(a[j], b[j]), join(c[j], d[j]));
    }
}

/// low + 2^32·high in the field.
#[inline(always)]
fn join(low: i64, high: i64) -> Fp {
    from_i128((i128::from(high) << 32) + i128::from(low))
}

/// Both limbs, centred, as signed 32-bit halves: limb ≡ low + 2^32·high.
fn split(e: &Ext) -> [i32; 4] {
    let [l0, h0] = split_limb(e.c0.value);
    let [l1, h1] = split_limb(e.c1.value);
    [l0, h0, l1, h1]
}

fn split_limb(limb: u64) -> [i32; 2] {
    // Centring at (p−1)/2 keeps the high half within i32: the one value that would not fit goes to the negatives.
    let centred = if limb >= (MODULUS - 1) / 2 { limb.wrapping_sub(MODULUS) as i64 } else { limb as i64 };
    let low = centred as i32;
    [low, ((centred - i64::from(low)) >> 32) as i32]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::poly::tests::any_ext;

    #[test]
    fn split_of_extreme_limbs_joins_back() {
        let edges = [
            0,
            1,
            (MODULUS - 1) / 2 - 1,
            (MODULUS - 1) / 2,
            MODULUS.div_ceil(2),
            MODULUS - 1,
            1 << 31,
            1 << 63,
        ];
        for limb in edges {
            let [low, high] = split_limb(limb);
            assert_eq!(join(low.into(), high.into()).value, limb);
        }
    }

    proptest! {
        #[test]
        fn fold_of_any_rows_equals_field_sum(
            weights in proptest::collection::vec(any_ext(), 1..9),
            width in 1usize..600,
            seed in any::<u32>(),
            shift in 0u32..31,
        ) {
            let entry = |i: usize| (seed.wrapping_mul(2654435761).wrapping_add(i as u32).wrapping_mul(0x9E37_79B9) as i32) >> shift;
            let rows: Vec<i32> = (0..weights.len() * width).map(entry).collect();
            let magnitude = rows.iter().map(|v| v.unsigned_abs()).max().unwrap_or(0);
            let folded = fold_rows(&weights, &rows, width, magnitude);
            let transposed: Vec<i32> = (0..rows.len()).map(|i| rows[i % weights.len() * width + i / weights.len()]).collect();
            prop_assert_eq!(&dot_rows(&transposed, &weights, magnitude), &folded);
            for j in 0..width {
                let expected: Ext = weights.iter().enumerate().map(|(i, e)| *e * lift(from_i64(rows[i * width + j].into()))).sum();
                prop_assert_eq!(folded[j], expected);
            }
        }
    }

    #[test]
    fn dot_of_rows_with_one_is_the_rows() {
        let rows = [i32::MIN, -1, 0, 1, i32::MAX];
        assert_eq!(dot_rows(&rows, &[Ext::ONE], 1 << 31), rows.map(|v| lift(from_i64(v.into()))));
    }

    #[test]
    fn fold_of_extreme_integers_does_not_overflow() {
        let worst = ext(Fp::from_raw((MODULUS - 1) / 2 + 1), Fp::from_raw(1 << 31));
        let rows = vec![i32::MIN; 100];
        let expected: Ext = (0..100).map(|_| worst * lift(from_i64(i32::MIN.into()))).sum();
        assert_eq!(fold_rows(&[worst; 100], &rows, 1, 1 << 31), [expected]);
        assert_eq!(dot_rows(&rows, &[worst; 100], 1 << 31), [expected]);
    }
}
