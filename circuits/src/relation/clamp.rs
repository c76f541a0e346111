//! Rounding and clamping as look-ups: out = base + clamp(⌊(z + 2^(s−1)) / 2^s⌋, low, high) on an integer z of known range.
//!
//! ReLU, clamp and rescale are one such step with base 0; the greater of a and b is a + clamp(b − a, 0, …), which shows order
//! and membership at once. With remainder limbs rem_i ∈ \[0, 2^k_i), Σ rem_i·2^o_i = rem ∈ \[0, 2^s), the quotient
//!
//! > q = (z + 2^(s−1) − rem) / 2^s
//!
//! is never committed: it is an affine form of z and rem. There are two ways to tie out to it:
//!
//! | [`Clamp`] | columns besides out and rem | looked up |
//! |---|---|---|
//! | whole: at most 2^[`WHOLE_BITS`] quotients | none | (q, out − base) in [`Table::Clamp`] |
//! | split at t bits: q − low = h·2^t + l, H = high − low | h, class, l′ | (h, class, h′) in [`Table::High`], (class, l, l′) in [`Table::Low`] |
//!
//! where out − base − low = h′·2^t + l′ and the class says how h stands to 0 and to H's own upper limb: below, inside, at it,
//! above. Every step of every declared range has one of these forms, so an honest prover never fails.
//!
//! *Why this is sound over the field*: every tuple looked up holds small integers. By induction along the graph z is an integer of the
//! declared range (sums of such), and q or (h, l) are by their tables. Two solutions for one z would differ by rem − rem′ = 2^s·(q′ − q)
//! modulo p. A look-up proof takes fewer than 2^30 rows, so whole quotients differ by less, by 2^61 on the right at most; split ones have
//! s ≤ 18, t ≤ 16 and |h| < 2^19, and differ by less than 2^55. Neither side reaches p, so the equation holds over the integers, where
//! quotient and remainder are unique. A z beyond, which weights committed in bad faith may make, has no solution at all.

use ark_ff::Field;

use super::table::{Table, class};
use crate::field::{Fp, from_i64};

/// log₂ of the most quotients that are looked up whole.
pub const WHOLE_BITS: u32 = 16;
/// Bits of the widest limb of a remainder.
const LIMB_BITS: u8 = 14;
/// What an affine form of a look-up is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// z.
    Input,
    /// What the result is added to.
    Base,
    /// One of the step's committed columns, out being the first.
    Column(usize),
}

/// constant + Σ coefficient · operand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Affine {
    /// The constant; it counts on real samples only.
    pub constant: Fp,
    /// The terms.
    pub terms: Vec<(Operand, Fp)>,
}

/// One look-up of every entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The table, as wide as this step needs it.
    pub table: Table,
    /// The tuple, at most [`WIDTH`](super::table::WIDTH) long.
    pub tuple: Vec<Affine>,
}

/// One step over one range of z.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clamp {
    shift: u8,
    low: i64,
    high: i64,
    /// Least and greatest quotient.
    quotients: [i64; 2],
    /// (offset, bits) of each remainder limb, lowest first.
    limbs: Vec<(u8, u8)>,
    /// t, where the quotient is split.
    split: Option<u8>,
}

/// The integers of one entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Parts {
    /// clamp(q).
    out: i64,
    remainder: i64,
    quotient: i64,
    high: i64,
    class: i64,
    low_out: i64,
}

impl Clamp {
    /// The step for z in `input`; `shift` ≤ 31 and `low ≤ high`, |z| < 2^34.
    pub fn new(shift: u8, low: i64, high: i64, input: [i64; 2]) -> Self {
        let quotients = input.map(|z| quotient(z, shift));
        let count = shift.div_ceil(LIMB_BITS);
        let limbs = (0..count).map(|i| {
            let [from, to] = [i, i + 1].map(|i| (u16::from(shift) * u16::from(i) / u16::from(count)) as u8);
            (from, to - from)
        });
        // Both tables of a split, 2^(t+2) and 2^(bits−t) tuples, are smallest near the middle.
        let reach = (quotients[0] - low).abs().max((quotients[1] - low).abs()).max(high - low);
        let bits = 64 - reach.leading_zeros();
        let split = quotients[1] - quotients[0] >= 1 << WHOLE_BITS;
        let limbs = limbs.collect();
        Self {
            shift,
            low,
            high,
            quotients,
            limbs,
            split: split.then_some((bits.saturating_sub(1) / 2) as u8),
        }
    }

    /// Committed columns, out included.
    pub fn columns(&self) -> usize {
        1 + self.limbs.len() + if self.split.is_some() { 3 } else { 0 }
    }

    /// Its look-ups in order.
    pub fn lookups(&self) -> Vec<Lookup> {
        let mut lookups = match self.split {
            None => {
                let [first, last] = self.quotients;
                let table = Table::Clamp { low: self.low, high: self.high, first, last };
                vec![Lookup { table, tuple: vec![self.quotient(), result(0)] }]
            }
            Some(bits) => self.split_lookups(bits).to_vec(),
        };
        lookups.extend(self.limbs.iter().enumerate().map(|(i, (_, bits))| Lookup {
            table: Table::Range { bits: *bits },
            tuple: vec![column(1 + i)],
        }));
        lookups
    }

    fn split_lookups(&self, bits: u8) -> [Lookup; 2] {
        let first_column = 1 + self.limbs.len();
        let [high, class, low_out] = [0, 1, 2].map(|i| column(first_column + i));
        let [h_top, l_top] = self.tops(bits);
        let [first, last] = self.quotients.map(|q| (q - self.low) >> bits);
        let mut low = self.quotient();
        low.constant -= from_i64(self.low);
        low.terms.push((Operand::Column(first_column), -from_i64(1 << bits)));
        let mut high_out = result(self.low);
        high_out.terms.push((Operand::Column(first_column + 2), -Fp::ONE));
        let unit = half_to(bits);
        high_out.constant *= unit;
        high_out.terms.iter_mut().for_each(|(_, c)| *c *= unit);
        [
            Lookup {
                table: Table::High { top: h_top, first, last },
                tuple: vec![high, class.clone(), high_out],
            },
            Lookup { table: Table::Low { bits, top: l_top }, tuple: vec![class, low, low_out] },
        ]
    }

    /// Upper and lower limb of high − low.
    fn tops(&self, bits: u8) -> [i64; 2] {
        let top = self.high - self.low;
        [top >> bits, top & ((1 << bits) - 1)]
    }

    /// q.
    fn quotient(&self) -> Affine {
        let unit = half_to(self.shift);
        let half = if self.shift == 0 { 0 } else { 1 << (self.shift - 1) };
        let mut terms = vec![(Operand::Input, unit)];
        let limbs = self.limbs.iter().enumerate();
        terms.extend(limbs.map(|(i, (offset, _))| (Operand::Column(1 + i), -from_i64(1 << offset) * unit)));
        Affine { constant: from_i64(half) * unit, terms }
    }

    fn parts(&self, z: i64) -> Parts {
        let quotient = quotient(z, self.shift);
        let half = if self.shift == 0 { 0 } else { 1 << (self.shift - 1) };
        let out = quotient.clamp(self.low, self.high);
        let remainder = z + half - (quotient << self.shift);
        let mut parts = Parts { out, remainder, quotient, ..Parts::default() };
        if let Some(bits) = self.split {
            parts.high = (quotient - self.low) >> bits;
            parts.class = class(parts.high, self.tops(bits)[0]);
            parts.low_out = (out - self.low) & ((1 << bits) - 1);
        }
        parts
    }

    /// Fills in one entry: its `columns`, and for each look-up its row in a table that starts at `firsts`, the first value of
    /// the joined table ([`Table::first`]).
    #[inline]
    pub fn fill(&self, z: i64, base: i64, firsts: &[i64], columns: &mut [i32], rows: &mut [u32]) {
        let parts = self.parts(z);
        columns[0] = (base + parts.out) as i32;
        let limbs = 1 + self.limbs.len();
        let lookups = match self.split {
            None => {
                rows[0] = (parts.quotient - firsts[0]) as u32;
                1
            }
            Some(bits) => {
                columns[limbs..limbs + 3]
                    .copy_from_slice(&[parts.high, parts.class, parts.low_out].map(|v| v as i32));
                let l = (parts.quotient - self.low) & ((1 << bits) - 1);
                rows[0] = (parts.high - firsts[0]) as u32;
                rows[1] = ((parts.class << bits) + l) as u32;
                2
            }
        };
        for (i, (offset, bits)) in self.limbs.iter().enumerate() {
            let limb = (parts.remainder >> offset) & ((1 << bits) - 1);
            columns[1 + i] = limb as i32;
            rows[lookups + i] = limb as u32;
        }
    }
}

fn quotient(z: i64, shift: u8) -> i64 {
    if shift == 0 { z } else { (z + (1 << (shift - 1))) >> shift }
}

/// out − base − low.
fn result(low: i64) -> Affine {
    Affine { constant: -from_i64(low), terms: vec![(Operand::Column(0), Fp::ONE), (Operand::Base, -Fp::ONE)] }
}

fn column(index: usize) -> Affine {
    Affine { constant: from_i64(0), terms: vec![(Operand::Column(index), Fp::ONE)] }
}

/// 2^(−bits).
fn half_to(bits: u8) -> Fp {
    let half = Fp::from_raw(crate::field::MODULUS.div_ceil(2));
    half.pow([u64::from(bits)])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value(form: &Affine, z: i64, base: i64, columns: &[i32]) -> Fp {
        form.terms.iter().fold(form.constant, |sum, (operand, coefficient)| {
            let v = match operand {
                Operand::Input => z,
                Operand::Base => base,
                Operand::Column(i) => i64::from(columns[*i]),
            };
            sum + from_i64(v) * coefficient
        })
    }

    /// Every look-up of one entry is the very row that [`Clamp::fill`] names.
    fn check(clamp: &Clamp, z: i64, base: i64) -> Result<(), TestCaseError> {
        let lookups = clamp.lookups();
        let firsts: Vec<i64> = lookups.iter().map(|l| l.table.first()).collect();
        let (mut columns, mut rows) = (vec![0; clamp.columns()], vec![0; lookups.len()]);
        clamp.fill(z, base, &firsts, &mut columns, &mut rows);
        for (lookup, row) in lookups.iter().zip(&rows) {
            prop_assert!((*row as usize) < lookup.table.len());
            let tuple = lookup.table.tuple(*row as usize);
            for (form, expected) in lookup.tuple.iter().zip(tuple) {
                prop_assert_eq!(
                    value(form, z, base, &columns),
                    from_i64(expected),
                    "{:?} of {}",
                    lookup.table,
                    z
                );
            }
        }
        let exact = quotient(z, clamp.shift).clamp(clamp.low, clamp.high) + base;
        prop_assert_eq!(i64::from(columns[0]), exact);
        Ok(())
    }

    proptest! {
        #[test]
        fn look_ups_of_any_value_and_of_both_ends_stand_in_their_tables(
            shift in 0u8..=31,
            ends in (any::<i32>(), any::<i32>()),
            kept in (-70_000i64..70_000, 0i64..70_000),
            wide in any::<bool>(),
            at in 0.0f64..1.0,
            base in -1000i64..1000,
        ) {
            let (low, high) = (i64::from(ends.0.min(ends.1)), i64::from(ends.0.max(ends.1)));
            let kept = if wide { (kept.0 * 1000, kept.0 * 1000 + kept.1 * 1000) } else { (kept.0, kept.0 + kept.1) };
            let clamp = Clamp::new(shift, kept.0, kept.1, [low, high]);
            let inside = low + ((high - low) as f64 * at) as i64;
            for z in [low, high, inside, low.midpoint(high), kept.0.clamp(low, high), kept.1.clamp(low, high)] {
                check(&clamp, z, base)?;
            }
        }
    }

    #[test]
    fn tables_of_split_steps_stay_small() {
        let clamp = Clamp::new(0, 0, 1 << 31, [-(1 << 32), 1 << 32]);
        let entries: usize = clamp.lookups().iter().map(|l| l.table.len()).sum();
        assert!(entries < 1 << 19, "{entries}");
        let relu = Clamp::new(8, 0, 255, [-800_000, 800_000]);
        assert_eq!(relu.lookups().iter().map(|l| l.table.len()).sum::<usize>(), 6251 + 256);
        assert_eq!(relu.columns(), 2);
    }
}
