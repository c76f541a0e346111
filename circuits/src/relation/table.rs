//! The public sets of tuples that rounding clamps are looked up in ([`super::clamp`]).
//!
//! A table is as long as the static range of its users calls for; tables of one kind join into one over all nodes of a graph.

/// Classes of an upper limb: below 0, inside, at the top, above it.
const CLASSES: i64 = 4;
/// Most entries of a looked-up tuple.
pub const WIDTH: usize = 3;

/// A public set of tuples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// (v) for v in 0..2^bits.
    Range {
        /// Bits.
        bits: u8,
    },
    /// (q, clamp(q, low, high)) for q in first..=last.
    Clamp {
        /// Least value kept.
        low: i64,
        /// Greatest value kept.
        high: i64,
        /// Least q.
        first: i64,
        /// Greatest q.
        last: i64,
    },
    /// (h, class, clamp(h, 0, top)) for h in first..=last.
    High {
        /// Upper limb of H.
        top: i64,
        /// Least h.
        first: i64,
        /// Greatest h.
        last: i64,
    },
    /// (class, l, l′) for l in 0..2^bits.
    Low {
        /// t.
        bits: u8,
        /// Lower limb of H.
        top: i64,
    },
}

pub(super) fn class(h: i64, top: i64) -> i64 {
    match h {
        _ if h < 0 => 0,
        _ if h < top => 1,
        _ if h == top => 2,
        _ => 3,
    }
}

fn kept(class: i64, l: i64, top: i64) -> i64 {
    match class {
        0 => 0,
        1 => l,
        2 => l.min(top),
        _ => top,
    }
}

impl Table {
    /// Number of tuples, at least one.
    pub fn len(&self) -> usize {
        match *self {
            Table::Range { bits } => 1 << bits,
            Table::Clamp { first, last, .. } | Table::High { first, last, .. } => (last - first + 1) as usize,
            Table::Low { bits, .. } => (CLASSES as usize) << bits,
        }
    }

    /// The first entry of the first tuple: what rows are counted from.
    pub fn first(&self) -> i64 {
        self.tuple(0)[0]
    }

    /// Never so.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The tuple in row `row`; unused entries are zero.
    pub fn tuple(&self, row: usize) -> [i64; WIDTH] {
        let row = row as i64;
        match *self {
            Table::Range { .. } => [row, 0, 0],
            Table::Clamp { low, high, first, .. } => [first + row, (first + row).clamp(low, high), 0],
            Table::High { top, first, .. } => {
                let h = first + row;
                [h, class(h, top), h.clamp(0, top)]
            }
            Table::Low { bits, top } => {
                let (class, l) = (row >> bits, row & ((1 << bits) - 1));
                [class, l, kept(class, l, top)]
            }
        }
    }

    /// Widens this table to hold `other`'s tuples too; `false` if they are of another kind, or so far off that rows which neither has
    /// would come between.
    pub fn join(&mut self, other: &Table) -> bool {
        match (self, other) {
            (
                Table::Clamp { low, high, first, last },
                Table::Clamp { low: l, high: h, first: f, last: e },
            ) if (*low, *high) == (*l, *h) => widen([first, last], [*f, *e]),
            (Table::High { top, first, last }, Table::High { top: t, first: f, last: e }) if *top == *t => {
                widen([first, last], [*f, *e])
            }
            (mine, other) => mine == other,
        }
    }
}

fn widen([first, last]: [&mut i64; 2], [from, to]: [i64; 2]) -> bool {
    let joined = [(*first).min(from), (*last).max(to)];
    let meet = joined[1] - joined[0] < (*last - *first + 1) + (to - from + 1);
    if meet {
        [*first, *last] = joined;
    }
    meet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_one_kind_join_and_others_do_not() {
        let mut table = Table::Clamp { low: 0, high: 255, first: -10, last: 400 };
        assert!(table.join(&Table::Clamp { low: 0, high: 255, first: 0, last: 500 }));
        assert_eq!(table, Table::Clamp { low: 0, high: 255, first: -10, last: 500 });
        assert!(!table.join(&Table::Clamp { low: 0, high: 127, first: 0, last: 500 }));
        assert!(!table.join(&Table::Range { bits: 8 }));
    }

    #[test]
    fn tables_far_apart_do_not_join() {
        let near = Table::Clamp { low: 0, high: 255, first: 0, last: 99 };
        let mut table = near;
        assert!(!table.join(&Table::Clamp { low: 0, high: 255, first: 101, last: 1 << 31 }));
        assert_eq!(table, near);
        assert!(table.join(&Table::Clamp { low: 0, high: 255, first: 100, last: 100 }));
        assert_eq!(table.len(), 101);
        let mut high = Table::High { top: 0, first: 0, last: 9 };
        assert!(!high.join(&Table::High { top: 0, first: -9, last: -2 }));
    }
}
