//! The layout of one batch: which position holds which copy of which query, or which canary.
//!
//! In: a [`Mix`] and a source of uniform integers. Out: a permutation of its N positions ([`Layout`]), the batch in
//! that order, and the answers back in the order of the questions ([`Collected`]).
//!
//! The source is handed in because this crate has no randomness of its own: `uniform(n)` must return an integer
//! uniform in 0..n *from the operating system's generator* (or one seeded by it, of cryptographic strength). Every bound
//! in [`super::bounds`] is void if the server can guess the layout; a layout is therefore neither printed nor
//! serialised, and serves one batch.
//!
//! Answers are compared by equality: every protocol returns exact integers.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Mix;

/// A place in a batch, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(pub u64);

/// What a position holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// Copy `copy` of query `query`, both from 0.
    Query {
        /// Which of the R queries.
        query: u64,
        /// Which of its B copies.
        copy: u64,
    },
    /// Canary `index`, from 0.
    Canary {
        /// Which of the T canaries.
        index: u64,
    },
}

/// Which slot is at each position: a secret until the batch has been answered.
#[derive(Clone, PartialEq, Eq)]
pub struct Layout {
    mix: Mix,
    /// At each position the item k: copy k mod B of query ⌊k/B⌋ for k < R·B, canary k − R·B beyond.
    items: Vec<u64>,
}

/// The answers to one batch, by question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected<T> {
    /// One for each query, in order.
    pub groups: Vec<Group<T>>,
    /// One for each canary, in order.
    pub canaries: Vec<Answered<T>>,
}

/// What the copies of one query say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Group<T> {
    /// All the same.
    Agreed {
        /// What they say.
        answer: T,
    },
    /// Not the same: the answer is worth nothing.
    Disagreed(Disagreement),
}

/// Copies of one query that were answered differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disagreement {
    /// Which query, from 0.
    pub query: u64,
    /// Where its first copy is.
    pub first: Position,
    /// Where the copies are whose answers differ from the first's.
    pub differing: Vec<Position>,
}

/// One answer and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered<T> {
    /// Its place in the batch.
    pub position: Position,
    /// What was answered.
    pub answer: T,
}

/// The pieces do not fit the mix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MixingError {
    /// The source returned an integer that is not below the limit it was given.
    #[error("the source of randomness returned {drawn}, asked for an integer below {below}")]
    Source {
        /// What it returned.
        drawn: u64,
        /// The limit.
        below: u64,
    },
    /// Too few or too many queries, canaries or answers.
    #[error("{got} {what} for a mix of {expected}")]
    Count {
        /// What was counted.
        what: Counted,
        /// What the mix says.
        expected: u64,
        /// What was given.
        got: u64,
    },
}

/// What a [`MixingError::Count`] counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// R.
    Queries,
    /// T.
    Canaries,
    /// N.
    Answers,
}

impl Layout {
    /// A uniform permutation of the mix's positions (Fisher–Yates). `uniform(n)` returns an integer uniform in 0..n,
    /// from the operating system.
    ///
    /// # Errors
    /// The source returned an integer out of range.
    pub fn shuffle(mix: &Mix, uniform: &mut impl FnMut(u64) -> u64) -> Result<Self, MixingError> {
        let mut items: Vec<u64> = (0..mix.positions()).collect();
        for last in (1..items.len()).rev() {
            let below = last as u64 + 1;
            let drawn = uniform(below);
            if drawn >= below {
                return Err(MixingError::Source { drawn, below });
            }
            items.swap(last, drawn as usize);
        }
        Ok(Self { mix: *mix, items })
    }

    /// What each position holds, in order.
    pub fn slots(&self) -> impl Iterator<Item = Slot> {
        self.items.iter().map(|&item| match item.checked_sub(self.mix.asked()) {
            None => Slot::Query { query: item / self.mix.copies(), copy: item % self.mix.copies() },
            Some(index) => Slot::Canary { index },
        })
    }

    /// The batch: at each position the question it holds.
    ///
    /// # Errors
    /// Not R queries and T canaries.
    pub fn arrange<'a, Q>(&self, queries: &'a [Q], canaries: &'a [Q]) -> Result<Vec<&'a Q>, MixingError> {
        count(Counted::Queries, self.mix.queries(), queries.len())?;
        count(Counted::Canaries, self.mix.canaries(), canaries.len())?;
        let questions = self.slots().filter_map(|slot| match slot {
            Slot::Query { query, .. } => queries.get(query as usize),
            Slot::Canary { index } => canaries.get(index as usize),
        });
        Ok(questions.collect())
    }

    /// The answers, one for each position, sorted back by question; copies are compared by equality.
    ///
    /// # Errors
    /// Not N answers.
    pub fn collect<T: PartialEq>(&self, answers: Vec<T>) -> Result<Collected<T>, MixingError> {
        count(Counted::Answers, self.mix.positions(), answers.len())?;
        let positions = (0..).map(Position);
        let mut by_item: Vec<_> = self.items.iter().zip(positions.zip(answers)).collect();
        by_item.sort_unstable_by_key(|&(&item, _)| item);
        let mut sorted = by_item.into_iter().map(|(_, (position, answer))| Answered { position, answer });
        let groups = (0..self.mix.queries())
            .filter_map(|query| group(query, &mut sorted.by_ref().take(self.mix.copies() as usize)))
            .collect();
        Ok(Collected { groups, canaries: sorted.collect() })
    }
}

impl fmt::Debug for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layout").field("mix", &self.mix).finish_non_exhaustive()
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Queries => "queries",
            Self::Canaries => "canaries",
            Self::Answers => "answers",
        })
    }
}

/// What the B copies of one query say; `None` if there is none, which no [`Mix`] allows.
fn group<T: PartialEq>(query: u64, copies: &mut impl Iterator<Item = Answered<T>>) -> Option<Group<T>> {
    let Answered { position: first, answer } = copies.next()?;
    let differing: Vec<_> = copies.filter(|copy| copy.answer != answer).map(|copy| copy.position).collect();
    Some(if differing.is_empty() {
        Group::Agreed { answer }
    } else {
        Group::Disagreed(Disagreement { query, first, differing })
    })
}

fn count(what: Counted, expected: u64, got: usize) -> Result<(), MixingError> {
    let got = got as u64;
    if got == expected { Ok(()) } else { Err(MixingError::Count { what, expected, got }) }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use std::collections::BTreeMap;

    use super::super::seeded::Seeded;
    use super::*;
    use proptest::prelude::*;

    fn shuffled(mix: &Mix, seed: u64) -> Layout {
        let mut coins = Seeded::new(seed);
        Layout::shuffle(mix, &mut |n| coins.below(n)).unwrap()
    }

    #[test]
    fn shuffle_four_positions_every_order_equally_often() {
        const RUNS: u32 = 24_000;
        let mix = Mix::new(2, 1, 2).unwrap();
        let mut coins = Seeded::new(1);
        let mut seen = BTreeMap::<Vec<u64>, u32>::new();
        for _ in 0..RUNS {
            *seen.entry(Layout::shuffle(&mix, &mut |n| coins.below(n)).unwrap().items).or_default() += 1;
        }
        let expected = f64::from(RUNS / 24);
        let chi: f64 = seen.values().map(|&n| (f64::from(n) - expected).powi(2) / expected).sum();
        // 23 degrees of freedom: 61 is exceeded with probability 3·10⁻⁵.
        assert!(seen.len() == 24 && chi < 61.0, "{} orders, χ² = {chi}", seen.len());
    }

    #[test]
    fn shuffle_source_out_of_range_refused() {
        let mix = Mix::new(2, 2, 2).unwrap();
        assert_eq!(
            Layout::shuffle(&mix, &mut |n| n).unwrap_err(),
            MixingError::Source { drawn: 6, below: 6 }
        );
    }

    #[test]
    fn arrange_and_collect_wrong_counts_refused() {
        let layout = shuffled(&Mix::new(2, 2, 1).unwrap(), 3);
        let refused = |what, expected, got| Err(MixingError::Count { what, expected, got });
        assert_eq!(layout.arrange(&[1], &[1]), refused(Counted::Queries, 2, 1));
        assert_eq!(layout.arrange(&[1, 2], &[]), refused(Counted::Canaries, 1, 0));
        assert_eq!(layout.collect(vec![0; 6]).unwrap_err(), refused(Counted::Answers, 5, 6).unwrap_err());
    }

    #[test]
    fn layout_printed_shows_no_position() {
        let layout = shuffled(&Mix::new(1, 1, 1).unwrap(), 3);
        let shown = format!("{layout:?}");
        assert_eq!(shown, "Layout { mix: Mix { queries: 1, copies: 1, canaries: 1 }, .. }");
    }

    proptest! {
        #[test]
        fn collect_honest_answers_returned_in_order(queries in 1u64..40, copies in 1u64..6, canaries in 0u64..40, seed: u64) {
            let layout = shuffled(&Mix::new(queries, copies, canaries).unwrap(), seed);
            let asked: Vec<u64> = (0..queries).collect();
            let hidden: Vec<u64> = (queries..queries + canaries).collect();
            let batch = layout.arrange(&asked, &hidden).unwrap();
            let collected = layout.collect(batch.iter().map(|&&question| question).collect()).unwrap();
            let agreed: Vec<_> = asked.iter().map(|&answer| Group::Agreed { answer }).collect();
            prop_assert_eq!(collected.groups, agreed);
            for canary in &collected.canaries {
                prop_assert_eq!(*batch[canary.position.0 as usize], canary.answer);
            }
            prop_assert!(collected.canaries.iter().map(|canary| &canary.answer).eq(&hidden));
        }

        #[test]
        fn collect_one_copy_altered_named(queries in 1u64..20, copies in 2u64..6, canaries in 0u64..20, seed: u64, at: u64) {
            let mix = Mix::new(queries, copies, canaries).unwrap();
            let layout = shuffled(&mix, seed);
            let at = at % mix.positions();
            let answers = (0..mix.positions()).map(|position| position == at).collect();
            let collected = layout.collect(answers).unwrap();
            let disagreed: Vec<_> = collected.groups.iter().filter_map(|group| match group {
                Group::Disagreed(disagreement) => Some(disagreement),
                Group::Agreed { .. } => None,
            }).collect();
            match layout.slots().nth(at as usize).unwrap() {
                Slot::Canary { index } => {
                    prop_assert!(disagreed.is_empty());
                    prop_assert!(collected.canaries[index as usize].answer);
                }
                Slot::Query { query, copy } => {
                    prop_assert_eq!(disagreed.len(), 1);
                    prop_assert_eq!(disagreed[0].query, query);
                    if copy == 0 {
                        prop_assert_eq!(disagreed[0].first, Position(at));
                        prop_assert_eq!(disagreed[0].differing.len() as u64, copies - 1);
                    } else {
                        prop_assert_eq!(&disagreed[0].differing, &[Position(at)]);
                    }
                }
            }
        }
    }
}
