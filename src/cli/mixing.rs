//! Which canaries to hide among a batch, and how many copies and canaries that takes.

use anyhow::{Context, Result, ensure};
use clap::Args;
use serin_circuits::tensor::Tensor;
use serin_datasets::{Samples, Source, load};
use serin_verifier::canary::bounds::Tolerance;
use serin_verifier::canary::judge::{Assessment, Criteria};
use serin_verifier::canary::plan::{Plan, plan, plan_labelled};
use serin_verifier::canary::{Level, Rate, Tally};
use serin_verifier::card::Card;
use serin_verifier::record::Truth;

use super::accuracy::level;
use super::data;
use crate::import::lower::Encoder;
use crate::session::random::Randomness;
use crate::session::{Canaries, criteria};

/// How a batch is mixed and judged.
#[derive(Args, Debug)]
pub(super) struct Mixing {
    /// Labelled samples to draw canaries from, afresh for each session
    #[arg(long, value_name = "DATA")]
    pub(super) canaries: Option<Source>,
    /// Copies of each question; planned unless given
    #[arg(long, value_name = "B")]
    copies: Option<u64>,
    /// How many canaries to hide; planned unless given
    #[arg(long, value_name = "T", requires = "canaries")]
    canary_count: Option<u64>,
    /// What to plan for: a wrong answer stays hidden with at most 2^-BITS
    #[arg(long, value_name = "BITS", default_value_t = 40)]
    bits: u32,
    /// How often an honest server may be rejected by its canaries, and each bound be wrong
    #[arg(long, default_value = "0.001", value_parser = level)]
    alpha: Level,
}

/// Numbers of copies and canaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Numbers {
    /// B.
    pub(super) copies: u64,
    /// T.
    pub(super) canaries: u64,
}

/// Everything about a session but its queries.
pub(super) struct Mixed {
    /// B.
    pub(super) copies: u64,
    /// T canaries.
    pub(super) canaries: Canaries,
    /// The terms.
    pub(super) criteria: Criteria,
}

impl Mixing {
    /// Draws canaries for `queries` questions under a card.
    pub(super) fn draw(&self, card: &Card, encoder: &Encoder, queries: u64) -> Result<Mixed> {
        let pool = self.canaries.as_ref().map(load).transpose()?;
        let criteria = terms(card, self.alpha, pool.is_some())?;
        let available = pool.as_ref().map_or(0, |pool| pool.len() as u64);
        let Numbers { copies, canaries } = self.numbers(criteria, queries, available)?;
        ensure!(
            canaries <= available,
            "{canaries} canaries are to be hidden and {available} are there; give more by --canaries, or set --canary-count"
        );
        let canaries = match pool {
            Some(pool) => draw(&pool, canaries as usize, encoder)?,
            None => Canaries { inputs: Tensor::zeros(0, &encoder.reading.shape), truths: Vec::new() },
        };
        Ok(Mixed { copies, canaries, criteria })
    }

    /// B and T: as given, or else the cheapest that reach the bits although an honest model may miss some labelled canaries.
    fn numbers(&self, criteria: Criteria, queries: u64, available: u64) -> Result<Numbers> {
        if available == 0 || queries == 0 {
            // Without canaries, copies protect nothing; without queries, there is nothing to protect.
            return Ok(Numbers {
                copies: self.copies.unwrap_or(1),
                canaries: self.canary_count.unwrap_or(available),
            });
        }
        if let (Some(copies), Some(canaries)) = (self.copies, self.canary_count) {
            return Ok(Numbers { copies, canaries });
        }
        let exact = plan(queries, self.bits)?.mix.canaries();
        let tries: Vec<u64> = match self.canary_count {
            Some(canaries) => vec![canaries],
            None => (0..8).map(|doubling| (exact << doubling).min(available)).collect(),
        };
        let plans = tries.into_iter().filter_map(|canaries| self.with(criteria, queries, canaries));
        let cheapest = plans.min_by_key(|plan| plan.mix.positions());
        let plan = cheapest.with_context(|| {
            let bits = self.bits;
            format!("{available} canaries do not give {bits} bits; ask for fewer --bits, give more canaries, or set --copies and --canary-count")
        })?;
        Ok(Numbers { copies: self.copies.unwrap_or(plan.mix.copies()), canaries: plan.mix.canaries() })
    }

    /// The fewest copies that reach the bits with so many labelled canaries.
    fn with(&self, criteria: Criteria, queries: u64, canaries: u64) -> Option<Plan> {
        let tally = Tally::new(canaries, 0).ok()?;
        let allowed = Assessment::of(tally, criteria.claimed_error, criteria.alpha, criteria.beta).threshold;
        let tolerance = Tolerance::new(allowed, Rate::ZERO).ok()?;
        plan_labelled(queries, canaries, &tolerance, self.bits).ok()
    }
}

/// The terms a card calls for, at level `alpha`.
pub(super) fn terms(card: &Card, alpha: Level, labelled: bool) -> Result<Criteria> {
    ensure!(
        card.accuracy.is_some() || !labelled,
        "the card claims no accuracy to hold canaries against; get one made with `serin commit --accuracy`, or leave --canaries away"
    );
    Ok(criteria(card, alpha, labelled)?)
}

/// `count` canaries out of labelled samples, drawn afresh.
pub(super) fn draw(pool: &Samples, count: usize, encoder: &Encoder) -> Result<Canaries> {
    let mut randomness = Randomness::fresh()?;
    let drawn = pool.take(&choose(count, pool.len(), &mut |n| randomness.below(n)))?;
    let labels =
        drawn.labels().context("the canaries have no labels, so nothing is known of them; add labels")?;
    let truths = labels.iter().map(|label| Truth::Label(*label)).collect();
    let inputs = data::encode(encoder, &drawn).context("the canaries do not fit the model")?;
    Ok(Canaries { inputs, truths })
}

/// `count` different numbers below `available`, drawn uniformly, in the order drawn.
fn choose(count: usize, available: usize, uniform: &mut impl FnMut(u64) -> u64) -> Vec<usize> {
    let mut numbers: Vec<usize> = (0..available).collect();
    for at in 0..count.min(available) {
        let other = at + uniform((available - at) as u64) as usize;
        numbers.swap(at, other);
    }
    numbers.truncate(count);
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_numbers_are_different_and_in_range() {
        let mut words = serin_datasets::synthetic::SplitMix64::new(1);
        let mut drawn = choose(40, 50, &mut |n| words.next_word() % n);
        drawn.sort_unstable();
        drawn.dedup();
        assert_eq!(drawn.len(), 40);
        assert!(drawn.iter().all(|n| *n < 50));
    }

    #[test]
    fn drawn_numbers_are_uniform_over_all() {
        let mut words = serin_datasets::synthetic::SplitMix64::new(2);
        let mut counts = [0; 6];
        for _ in 0..6000 {
            choose(2, 6, &mut |n| words.next_word() % n).into_iter().for_each(|n| counts[n] += 1);
        }
        assert!(counts.iter().all(|count| (1800..2200).contains(count)), "{counts:?}");
    }
}
