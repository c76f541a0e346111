//! Multilinear extensions and folds of integer tensors.
//!
//! A vector f of 2^n entries has the multilinear extension f̃(r) = Σ_x f(x)·eq(r, x), with
//! eq(r, x) = ∏ (r_i·x_i + (1−r_i)(1−x_i)). Coordinates are ordered most significant bit first: r\[0\] selects between
//! the halves of the vector. A tensor axis of length d is padded to 2^⌈log₂ d⌉, padding holds zero.

mod fold;

pub use fold::{dot_rows, fold_rows};

use ark_ff::{AdditiveGroup, Field};

use crate::field::Ext;

/// eq(r, x) for all x in 0..2^n, most significant coordinate first; one product an entry.
pub fn eq_table(r: &[Ext]) -> Vec<Ext> {
    eq_table_scaled(r, Ext::ONE)
}

/// `scale`·eq(r, x) for all x.
pub fn eq_table_scaled(r: &[Ext], scale: Ext) -> Vec<Ext> {
    let mut table = Vec::with_capacity(1 << r.len());
    table.push(scale);
    for challenge in r.iter().rev() {
        // Coordinates are prepended from the least significant on: the new top half takes r, the bottom 1 − r.
        let half = table.len();
        for i in 0..half {
            let high = table[i] * challenge;
            table.push(high);
            table[i] -= high;
        }
    }
    table
}

/// eq(r, x) for x in 0..len, at no more than one product an entry; `len` ≤ 2^n.
pub fn eq_prefix(r: &[Ext], len: usize) -> Vec<Ext> {
    let Some((top, rest)) = r.split_first() else {
        return vec![Ext::ONE; len.min(1)];
    };
    let half = 1 << rest.len();
    if len <= half {
        let mut table = eq_prefix(rest, len);
        table.iter_mut().for_each(|e| *e *= Ext::ONE - top);
        return table;
    }
    let mut table = eq_table(rest);
    table.reserve_exact(len - half);
    for i in 0..len - half {
        let high = table[i] * top;
        table.push(high);
        table[i] -= high;
    }
    table[len - half..half].iter_mut().for_each(|e| *e *= Ext::ONE - top);
    table
}

/// Σ_x values_x·eq(r, x), in one product an entry; entries missing at the end are zero.
pub fn dot_eq(values: &[Ext], r: &[Ext]) -> Ext {
    let (high, low) = r.split_at(r.len() / 2);
    let inner = eq_table(low);
    let blocks = values.chunks(inner.len()).zip(eq_table(high));
    blocks.map(|(block, e)| dot(block, &inner) * e).sum()
}

/// eq(a, b) of two points of one length.
pub fn eq_point(a: &[Ext], b: &[Ext]) -> Ext {
    a.iter().zip(b).map(|(x, y)| (*x * y).double() + Ext::ONE - x - y).product()
}

/// eq(r, index) for the bits of `index`, most significant first.
pub fn eq_index(r: &[Ext], index: usize) -> Ext {
    let bits = r.len();
    r.iter()
        .enumerate()
        .map(|(i, r)| if index >> (bits - 1 - i) & 1 == 1 { *r } else { Ext::ONE - r })
        .product()
}

/// Σ_{x < len} eq(r, x): the extension of the vector that is 1 on `len` entries and 0 on the padding.
pub fn ones(r: &[Ext], len: usize) -> Ext {
    let bits = r.len();
    if len >= 1 << bits {
        return Ext::ONE;
    }
    // Walk the bits of len: below a set bit the whole lower half counts.
    let (mut sum, mut prefix) = (Ext::ZERO, Ext::ONE);
    for (i, r) in r.iter().enumerate() {
        if len >> (bits - 1 - i) & 1 == 1 {
            sum += prefix * (Ext::ONE - r);
            prefix *= r;
        } else {
            prefix *= Ext::ONE - r;
        }
    }
    sum
}

/// Σ a_i·b_i.
pub fn dot(a: &[Ext], b: &[Ext]) -> Ext {
    a.iter().zip(b).fold(Ext::ZERO, |sum, (x, y)| sum + *x * y)
}

/// f̃(r) of a table of 2^n entries.
pub fn evaluate(table: &[Ext], r: &[Ext]) -> Ext {
    dot(table, &eq_table(r))
}

#[cfg(test)]
pub(crate) mod tests {
    use ark_ff::{One, Zero};
    use proptest::prelude::*;

    use super::*;
    use crate::field::{Fp, MODULUS, ext};

    pub(crate) fn any_ext() -> impl Strategy<Value = Ext> {
        (0..MODULUS, 0..MODULUS).prop_map(|(a, b)| ext(Fp::from_raw(a), Fp::from_raw(b)))
    }

    proptest! {
        #[test]
        fn eq_table_of_any_point_matches_definition(r in proptest::collection::vec(any_ext(), 0..6), len in 0usize..64) {
            let table = eq_table(&r);
            prop_assert_eq!(table.iter().sum::<Ext>(), Ext::one());
            for (x, entry) in table.iter().enumerate() {
                prop_assert_eq!(*entry, eq_index(&r, x));
                let corner: Vec<Ext> = (0..r.len()).map(|i| if x >> (r.len() - 1 - i) & 1 == 1 { Ext::one() } else { Ext::zero() }).collect();
                prop_assert_eq!(*entry, eq_point(&r, &corner));
            }
            let len = len.min(table.len());
            prop_assert_eq!(eq_prefix(&r, len), &table[..len]);
            prop_assert_eq!(dot_eq(&table[..len], &r), dot(&table[..len], &table));
            prop_assert_eq!(ones(&r, len), table[..len].iter().sum::<Ext>());
        }
    }
}
