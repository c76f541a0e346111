//! How many copies and canaries a session needs.
//!
//! [`plan`] finds the cheapest mix of exactly known canaries: the least N = R·B + T whose bound ([`bounds`]) reaches the
//! target; among mixes of equal N the one with the most bits. For a given B the bound is monotone in T, so the least T
//! is found by halving, and B need only grow while R·B + 1 ≤ the best N so far: the search is complete.
//! [`plan_labelled`] takes T and c from a quality plan and finds the fewest copies.
//!
//! B = 1 protects no single answer cheaply: one query in R + T is hit with probability R/(R + T).

use serde::{Deserialize, Serialize};

use super::bounds::{self, Tolerance};
use super::{CanaryError, Mix};

/// The highest level planned for.
pub const MAX_BITS: u32 = 256;
/// The most copies considered: 2^10.
pub const MAX_COPIES: u64 = 1 << 10;

/// A mix and what it gives. Read from a file, `overhead` and `bits` are somebody's claim: see [`Plan::of`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// R, B and T.
    #[serde(flatten)]
    pub mix: Mix,
    /// N / R: inferences paid for one answer.
    pub overhead: f64,
    /// −log2 of the chance that a cheat stays hidden.
    pub bits: f64,
}

impl Plan {
    /// What `mix` gives under `tolerance`.
    #[must_use]
    pub fn of(mix: Mix, tolerance: &Tolerance) -> Self {
        Self { mix, overhead: mix.overhead(), bits: -bounds::undetected_log2(&mix, tolerance) }
    }

    fn reaches(&self, bits: u32) -> bool {
        self.bits >= f64::from(bits)
    }

    fn cheaper_than(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.mix.positions(), other.mix.positions());
        ours < theirs || (ours == theirs && self.bits > other.bits)
    }
}

/// The cheapest mix of `queries` with exactly known canaries in which a cheat stays hidden with at most 2^−`bits`.
///
/// # Errors
/// No query, `bits` not in 1..=[`MAX_BITS`], or no such mix within [`Mix::MAX_POSITIONS`] and [`MAX_COPIES`].
pub fn plan(queries: u64, bits: u32) -> Result<Plan, CanaryError> {
    check(queries, bits)?;
    let mut best: Option<Plan> = None;
    for copies in 1..=MAX_COPIES {
        let limit = best.map_or(Mix::MAX_POSITIONS, |plan| plan.mix.positions());
        let Some(room) = queries.checked_mul(copies).and_then(|asked| limit.checked_sub(asked)) else {
            break;
        };
        if let Some(found) = fewest_canaries(queries, copies, room, bits)?
            && best.is_none_or(|best| found.cheaper_than(&best))
        {
            best = Some(found);
        }
    }
    best.ok_or(CanaryError::OutOfReach { queries, bits })
}

/// The fewest copies with which `queries` among `canaries` under `tolerance` reach `bits`.
///
/// # Errors
/// As [`plan`]; or more canaries than a batch holds.
pub fn plan_labelled(
    queries: u64,
    canaries: u64,
    tolerance: &Tolerance,
    bits: u32,
) -> Result<Plan, CanaryError> {
    check(queries, bits)?;
    Mix::new(queries, 1, canaries)?;
    (1..=MAX_COPIES)
        .map_while(|copies| Mix::new(queries, copies, canaries).ok())
        .map(|mix| Plan::of(mix, tolerance))
        .find(|plan| plan.reaches(bits))
        .ok_or(CanaryError::OutOfReach { queries, bits })
}

/// With `copies`, the plan with the least T ≤ `room` that reaches `bits`.
fn fewest_canaries(queries: u64, copies: u64, room: u64, bits: u32) -> Result<Option<Plan>, CanaryError> {
    let with = |canaries| Mix::new(queries, copies, canaries).map(|mix| Plan::of(mix, &Tolerance::EXACT));
    let (mut low, mut high) = (0, room);
    if !with(high)?.reaches(bits) {
        return Ok(None);
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if with(middle)?.reaches(bits) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    with(high).map(Some)
}

fn check(queries: u64, bits: u32) -> Result<(), CanaryError> {
    if queries == 0 {
        return Err(CanaryError::NoQueries);
    }
    if bits == 0 || bits > MAX_BITS {
        return Err(CanaryError::Bits { bits, limit: MAX_BITS });
    }
    Mix::new(queries, 1, 0).map(|_| ())
}

#[cfg(test)]
mod tests;
