#![doc = include_str!("bounds.md")]

use std::f64::consts::LN_2;

use serde::{Deserialize, Serialize};

use super::chance::{ln_choose, ln_lower_tail};
use super::{CanaryError, Mix, Rate};

/// How many canaries may come out wrong, and how often an honest model's do.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Tolerance {
    wrong: u64,
    honest_error: Rate,
}

impl Tolerance {
    /// Exactly known canaries: an honest server never errs on them, and none may be wrong.
    pub const EXACT: Self = Self { wrong: 0, honest_error: Rate::ZERO };
    /// The largest tolerance the bound sums over.
    pub const MAX_WRONG: u64 = 1 << 10;

    /// Tolerate c = `wrong` canaries of a model that errs at p0 = `honest_error`.
    ///
    /// # Errors
    /// `wrong` exceeds [`Tolerance::MAX_WRONG`].
    pub fn new(wrong: u64, honest_error: Rate) -> Result<Self, CanaryError> {
        if wrong > Self::MAX_WRONG {
            return Err(CanaryError::Tolerance { tolerance: wrong, limit: Self::MAX_WRONG });
        }
        Ok(Self { wrong, honest_error })
    }

    /// c.
    #[must_use]
    pub fn wrong(&self) -> u64 {
        self.wrong
    }

    /// p0.
    #[must_use]
    pub fn honest_error(&self) -> Rate {
        self.honest_error
    }
}

/// What is read before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    wrong: u64,
    honest_error: Rate,
}

impl TryFrom<Unchecked> for Tolerance {
    type Error = CanaryError;

    fn try_from(Unchecked { wrong, honest_error }: Unchecked) -> Result<Self, CanaryError> {
        Self::new(wrong, honest_error)
    }
}

/// log2 of max_m P(m): no server does better, whatever it corrupts.
#[must_use]
pub fn undetected_log2(mix: &Mix, tolerance: &Tolerance) -> f64 {
    if tolerance.wrong >= mix.canaries() {
        return 0.0; // Everything may be corrupted.
    }
    let ln = if tolerance.wrong == 0 {
        let untouched = ln_lower_tail(mix.canaries(), tolerance.honest_error, 0);
        exact_ends(mix) + untouched
    } else {
        Cheats::of(mix, tolerance).likeliest()
    };
    (ln / LN_2).min(0.0)
}

/// log2 of P(m): the chance of a server that corrupts m = `corrupted` positions; −∞ if it cannot win with so many.
#[must_use]
pub fn undetected_log2_at(mix: &Mix, tolerance: &Tolerance, corrupted: u64) -> f64 {
    let cheats = Cheats::of(mix, tolerance);
    let (h, rho) = (corrupted / mix.copies(), corrupted % mix.copies());
    (cheats.ln_chance(h, rho) / LN_2).min(0.0)
}

/// ln max_g C(R,g)/C(N,gB), which is at g = 1 or g = R.
fn exact_ends(mix: &Mix) -> f64 {
    let one = (mix.queries() as f64).ln() - ln_choose(mix.positions(), mix.copies());
    let all = -ln_choose(mix.positions(), mix.canaries());
    one.max(all)
}

/// The cheats against one mix: h·B + ρ positions corrupted.
struct Cheats<'a> {
    mix: &'a Mix,
    /// d_j, for j ≤ min(c, T).
    forgiven: Vec<f64>,
    /// ln P(Bin(T, p0) ≤ c): an honest server is found within the tolerance, and no cheat more often.
    ln_honest: f64,
}

impl<'a> Cheats<'a> {
    fn of(mix: &'a Mix, tolerance: &Tolerance) -> Self {
        let Tolerance { wrong, honest_error } = *tolerance;
        let canaries = mix.canaries();
        let forgiven = (0..=wrong.min(canaries))
            .map(|j| ln_choose(canaries, j) + ln_lower_tail(canaries - j, honest_error, wrong - j))
            .collect();
        let ln_honest = ln_lower_tail(canaries, honest_error, wrong);
        Self { mix, forgiven, ln_honest }
    }

    /// max over m of ln P(m).
    fn likeliest(&self) -> f64 {
        let most = self.forgiven.len() as u64 - 1;
        (0..self.mix.copies().min(most + 1)).fold(f64::NEG_INFINITY, |best, rho| {
            let deepest = (most - rho) / self.mix.copies();
            self.likeliest_with(rho, deepest, best)
        })
    }

    /// The larger of `best` and max over h of ln P(hB + ρ), where i runs to `deepest`.
    fn likeliest_with(&self, rho: u64, deepest: u64, mut best: f64) -> f64 {
        let last = self.mix.queries() + deepest;
        let whole = (deepest + 1).min(last);
        for h in 1..=whole {
            best = best.max(self.ln_chance(h, rho));
        }
        best = best.max(self.ln_chance(last, rho));
        let mut blocks = vec![(whole, last)];
        while let Some((a, b)) = blocks.pop() {
            let bound = self.chord_bound(a, b, rho).min(self.ln_honest);
            if b <= a + 1 || bound <= best + self.rounding() {
                continue;
            }
            let middle = a + (b - a) / 2;
            best = best.max(self.ln_chance(middle, rho));
            blocks.extend([(a, middle), (middle, b)]);
        }
        best
    }

    /// ln P(hB + ρ); −∞ where no server can win, so also beyond the last position.
    fn ln_chance(&self, h: u64, rho: u64) -> f64 {
        let ways = self.terms(rho).filter_map(|(i, weight)| {
            let groups = h.checked_sub(i).filter(|&g| g >= 1)?;
            Some(weight + ln_choose(self.mix.queries(), groups))
        });
        let ways = ln_sum(ways);
        if ways == f64::NEG_INFINITY { ways } else { ways - self.ln_sets(h, rho) }
    }

    /// At h = b, the tangents at `a` less ln C(N, bB + ρ). With ln P(a) it bounds the block; `a` exceeds every i.
    fn chord_bound(&self, a: u64, b: u64, rho: u64) -> f64 {
        let queries = self.mix.queries();
        let ways = self.terms(rho).filter_map(|(i, weight)| {
            let groups = a.checked_sub(i)?;
            let left = queries.checked_sub(groups)?;
            let slope = (left as f64 / (groups + 1) as f64).ln();
            Some(weight + ln_choose(queries, groups) + (b - a) as f64 * slope)
        });
        ln_sum(ways) - self.ln_sets(b, rho)
    }

    /// How far ln C may be off by rounding: nothing closer than that is worth a search.
    fn rounding(&self) -> f64 {
        let n = self.mix.positions() as f64;
        4.0 * f64::EPSILON * n * n.ln_1p()
    }

    /// (i, d_j) for the j = ρ + iB that are forgiven.
    fn terms(&self, rho: u64) -> impl Iterator<Item = (u64, f64)> {
        let of_rho = self.forgiven.iter().skip(rho as usize).step_by(self.mix.copies() as usize);
        (0..).zip(of_rho.copied())
    }

    /// ln C(N, hB + ρ).
    fn ln_sets(&self, h: u64, rho: u64) -> f64 {
        let corrupted = h.saturating_mul(self.mix.copies()).saturating_add(rho);
        ln_choose(self.mix.positions(), corrupted)
    }
}

/// ln Σ exp.
fn ln_sum(terms: impl Iterator<Item = f64>) -> f64 {
    let (top, sum) = terms.fold((f64::NEG_INFINITY, 0.0), |(top, sum), term| {
        if term == f64::NEG_INFINITY {
            (top, sum)
        } else if term <= top {
            (top, sum + (term - top).exp())
        } else {
            (term, sum * (top - term).exp() + 1.0)
        }
    });
    top + f64::ln(sum)
}

#[cfg(test)]
mod tests;
