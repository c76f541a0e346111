//! Which canaries to hide among a batch, and how many copies and canaries that takes.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::{ArgGroup, Args};
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
use super::references::References;
use crate::import::lower::Encoder;
use crate::protocol::Kind;
use crate::session::random::Randomness;
use crate::session::{Canaries, criteria};

/// How a batch is mixed and judged.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("known").multiple(true).args(["canaries", "references"]))]
pub(super) struct Mixing {
    /// Labelled samples to draw canaries from, afresh for each session
    #[arg(long, value_name = "DATA")]
    canaries: Option<Source>,
    /// A record of proved answers under this card to draw canaries from, afresh for each session. Their answers are known exactly: fewer
    /// are needed, and no accuracy need be claimed. They were asked in the clear, so ask public samples for it, and hide them by --protocol
    /// private: whoever answered them may know them again. It may even hold a model fitted to them, which only --canaries it has never
    /// seen can tell. With --canaries, as many of either are hidden as each would take alone, and
    /// each question is asked in the fewer copies of the two plans
    #[arg(long, value_name = "RECORD")]
    references: Option<PathBuf>,
    /// Copies of each question; planned unless given
    #[arg(long, value_name = "B")]
    copies: Option<u64>,
    /// How many canaries to hide, of both kinds how many labelled ones; planned unless given
    #[arg(long, value_name = "T", requires = "known")]
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
struct Numbers {
    /// B.
    copies: u64,
    /// T: the labelled ones,
    labelled: u64,
    /// and the references.
    exact: u64,
}

/// What one kind of canary alone takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    canaries: u64,
    /// Copies, if these canaries reach the bits.
    copies: Option<u64>,
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
    /// What the user should know of the canaries chosen.
    pub(super) fn warning(&self, kind: Kind) -> Option<&'static str> {
        self.references.as_ref()?;
        match (kind.hides_questions(), &self.canaries) {
            (false, _) => Some(
                "the server answered the references before and may know them again; hide them by --protocol private",
            ),
            (true, None) => Some(
                "whoever answered the references before can hold a model that is fitted to them; add --canaries that it has never seen",
            ),
            (true, Some(_)) => None,
        }
    }

    /// Draws canaries for `queries` questions under a card.
    pub(super) fn draw(&self, card: &Card, encoder: &Encoder, queries: u64) -> Result<Mixed> {
        let pool = self.canaries.as_ref().map(load).transpose()?;
        let criteria = terms(card, self.alpha, pool.is_some())?;
        let references = self.references.as_ref().map(|path| References::read(path, card)).transpose()?;
        let available = [pool.as_ref().map(Samples::len), references.as_ref().map(References::len)];
        let Numbers { copies, labelled, exact } = self.numbers(criteria, queries, available)?;
        let shape = &encoder.reading.shape;
        let mut canaries = match pool {
            Some(pool) => draw(&pool, labelled as usize, encoder)?,
            None => Canaries { inputs: Tensor::zeros(0, shape), truths: Vec::new() },
        };
        if let Some(references) = references {
            let mut randomness = Randomness::fresh()?;
            let drawn = choose(exact as usize, references.len(), &mut |n| randomness.below(n));
            canaries = both(&canaries, &references.canaries(&drawn, shape)?)?;
        }
        Ok(Mixed { copies, canaries, criteria })
    }

    /// B and T, of so many labelled samples and references. Copies protect through either kind alone, whatever else is hidden: of two
    /// plans the fewer copies do.
    fn numbers(&self, criteria: Criteria, queries: u64, available: [Option<usize>; 2]) -> Result<Numbers> {
        let [labelled, exact] = available.map(|samples| samples.map(|n| n as u64));
        if labelled.or(exact).is_none() {
            // Without canaries, copies protect nothing.
            return Ok(Numbers { copies: self.copies.unwrap_or(1), labelled: 0, exact: 0 });
        }
        let missed = |canaries| {
            let tally = Tally::new(canaries, 0).ok()?;
            let Criteria { claimed_error, alpha, beta, .. } = criteria;
            Some(Assessment::of(tally, claimed_error, alpha, beta).threshold)
        };
        let count = self.canary_count;
        let labelled = labelled.map(|n| self.part("canaries", queries, n, count, missed)).transpose()?;
        let count = count.filter(|_| labelled.is_none());
        let exact = exact.map(|n| self.part("references", queries, n, count, |_| Some(0))).transpose()?;
        let [labelled, exact] =
            [labelled, exact].map(|part| part.unwrap_or(Part { canaries: 0, copies: None }));
        let copies = labelled.copies.into_iter().chain(exact.copies).min().with_context(|| {
            let all = available.into_iter().flatten().sum::<usize>() as u64;
            let (all, bits) = (self.canary_count.unwrap_or(all), self.bits);
            format!("{all} canaries do not give {bits} bits; ask for fewer --bits, give more canaries, or set --copies and --canary-count")
        })?;
        let copies = self.copies.unwrap_or(copies);
        Ok(Numbers { copies, labelled: labelled.canaries, exact: exact.canaries })
    }

    /// As given, or else the cheapest that reach the bits although an honest model may miss `missed` of so many canaries.
    fn part(
        &self,
        option: &str,
        queries: u64,
        available: u64,
        count: Option<u64>,
        missed: impl Fn(u64) -> Option<u64>,
    ) -> Result<Part> {
        let part = if let (Some(copies), Some(canaries)) = (self.copies, count) {
            Part { canaries, copies: Some(copies) }
        } else {
            let exact = plan(queries, self.bits)?.mix.canaries();
            let tries = (0..8).map(|doubling| count.unwrap_or((exact << doubling).min(available)));
            let with = |canaries: u64| {
                let tolerance = Tolerance::new(missed(canaries)?, Rate::ZERO).ok()?;
                plan_labelled(queries, canaries, &tolerance, self.bits).ok()
            };
            let cheapest = tries.filter_map(with).min_by_key(|plan| plan.mix.positions());
            match cheapest {
                Some(Plan { mix, .. }) => Part { canaries: mix.canaries(), copies: Some(mix.copies()) },
                None => Part { canaries: count.unwrap_or(exact.min(available)), copies: None },
            }
        };
        let wanted = part.canaries;
        ensure!(
            wanted <= available,
            "{wanted} canaries are to be hidden and {available} are there; give more by --{option}, or set --canary-count"
        );
        Ok(part)
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

/// These canaries and those.
fn both(a: &Canaries, b: &Canaries) -> Result<Canaries> {
    let (inputs, truths) =
        ([a.inputs.values(), b.inputs.values()].concat(), [&a.truths[..], &b.truths].concat());
    let inputs =
        Tensor::new(truths.len(), b.inputs.shape(), inputs).context("the canaries do not fit each other")?;
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
