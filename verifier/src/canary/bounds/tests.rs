#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::super::mixing::{Group, Layout};
use super::super::seeded::Seeded;
use super::*;
use proptest::prelude::*;

/// Every m, term by term, in plain floating point: for small mixes only.
fn by_trying_all(mix: &Mix, c: u64, p0: f64) -> f64 {
    let choose = |n: u64, k: u64| (1..=k).fold(1.0, |ways, i| ways * (n + 1 - i) as f64 / i as f64);
    let mut chances = vec![0.0; mix.positions() as usize + 1];
    for g in 1..=mix.queries() {
        for j in 0..=c.min(mix.canaries()) {
            let spared = mix.canaries() - j;
            let unseen: f64 = (0..=(c - j).min(spared))
                .map(|x| choose(spared, x) * p0.powi(x as i32) * (1.0 - p0).powi((spared - x) as i32))
                .sum();
            let m = g * mix.copies() + j;
            chances[m as usize] +=
                choose(mix.queries(), g) * choose(mix.canaries(), j) / choose(mix.positions(), m) * unseen;
        }
    }
    chances.into_iter().fold(0.0, f64::max).log2()
}

#[test]
fn undetected_small_mixes_equal_exhaustive_search() {
    for queries in 1..=9 {
        for copies in 1..=4 {
            for canaries in 0..=9 {
                for c in 0..=canaries + 1 {
                    for p0 in [0.0, 0.1] {
                        let mix = Mix::new(queries, copies, canaries).unwrap();
                        let tolerance = Tolerance::new(c, Rate::new(p0).unwrap()).unwrap();
                        let (got, all) = (undetected_log2(&mix, &tolerance), by_trying_all(&mix, c, p0));
                        assert!((got - all).abs() < 1e-9, "{mix:?} {tolerance:?}: {got} {all}");
                    }
                }
            }
        }
    }
}

#[test]
fn undetected_exact_canaries_best_cheat_is_one_query_or_all() {
    for queries in 1..=40 {
        for copies in 1..=6 {
            for canaries in [0, 1, 2, 5, 17, 80, 300, 5000] {
                let mix = Mix::new(queries, copies, canaries).unwrap();
                let cheats = Cheats::of(&mix, &Tolerance::EXACT);
                let all = (1..=queries).map(|g| cheats.ln_chance(g, 0)).fold(f64::NEG_INFINITY, f64::max);
                assert!((exact_ends(&mix) - all).abs() < 1e-9, "{mix:?}");
            }
        }
    }
}

#[test]
fn undetected_tolerance_beyond_copies_largest_term_is_no_bound() {
    let mix = Mix::new(2, 2, 20).unwrap();
    let tolerance = Tolerance::new(10, Rate::ZERO).unwrap();
    let term = |(g, j)| ln_choose(2, g) + ln_choose(20, j) - ln_choose(24, 2 * g + j);
    let terms = (1..=2).flat_map(|g| (0..=10).map(move |j| (g, j))).map(term);
    let largest = terms.fold(f64::NEG_INFINITY, f64::max) / LN_2;
    assert!((largest + 2.871).abs() < 1e-3, "{largest}");
    assert!((undetected_log2(&mix, &tolerance) + 2.448).abs() < 1e-3);
}

#[test]
fn undetected_million_queries_with_tolerance_equals_scan_of_every_cheat() {
    for (queries, copies, canaries, c, p0) in
        [(1_000_000, 3, 1360, 44, 0.02), (200_000, 1, 3, 2, 0.0), (300_000, 2, 2_000_000, 9, 1e-6)]
    {
        let mix = Mix::new(queries, copies, canaries).unwrap();
        let tolerance = Tolerance::new(c, Rate::new(p0).unwrap()).unwrap();
        let cheats = Cheats::of(&mix, &tolerance);
        let ends = (copies..2_000).chain(copies * queries..=copies * queries + c);
        let sparse = (1..1_000).map(|k| k * copies * queries / 1_000);
        let scanned = ends.chain(sparse).map(|m| cheats.ln_chance(m / copies, m % copies) / LN_2);
        let scanned = scanned.fold(f64::NEG_INFINITY, f64::max).min(0.0);
        let got = undetected_log2(&mix, &tolerance);
        assert!((got - scanned).abs() < 1e-6, "{mix:?}: {got} {scanned}");
    }
}

/// A server that corrupts m positions of a shuffled batch, consistently, and the client's own collection of it.
fn undetected_share(mix: &Mix, c: u64, p0: f64, corrupted: u64, runs: u32) -> f64 {
    let mut coins = Seeded::new(corrupted);
    let mut undetected = 0;
    for _ in 0..runs {
        let layout = Layout::shuffle(mix, &mut |n| coins.below(n)).unwrap();
        let answers: Vec<bool> = (0..mix.positions()).map(|position| position >= corrupted).collect();
        let collected = layout.collect(answers).unwrap();
        let consistent = collected.groups.iter().all(|group| matches!(group, Group::Agreed { .. }));
        let harmed = collected.groups.contains(&Group::Agreed { answer: false });
        let wrong = collected.canaries.iter().filter(|canary| !canary.answer || coins.unit() < p0).count();
        undetected += u32::from(consistent && harmed && wrong as u64 <= c);
    }
    f64::from(undetected) / f64::from(runs)
}

#[test]
fn undetected_simulated_cheat_meets_its_probability_and_the_bound() {
    const RUNS: u32 = 40_000;
    let cases = [
        // queries, copies, canaries, c, p0, m
        (3, 2, 3, 0, 0.0, 2), // g = 1
        (3, 2, 3, 0, 0.0, 4), // g = 2
        (3, 2, 3, 0, 0.0, 6), // g = 3
        (3, 2, 3, 2, 0.0, 4), // g = 2, or g = 1 with j = 2
        (2, 2, 6, 3, 0.2, 5), // g = 2 with j = 1, or g = 1 with j = 3
        (1, 2, 8, 2, 0.1, 2),
        (4, 1, 4, 1, 0.1, 3),
        (3, 2, 3, 0, 0.0, 3), // cannot win
    ];
    for (queries, copies, canaries, c, p0, m) in cases {
        let mix = Mix::new(queries, copies, canaries).unwrap();
        let tolerance = Tolerance::new(c, Rate::new(p0).unwrap()).unwrap();
        let expected = undetected_log2_at(&mix, &tolerance, m).exp2();
        let seen = undetected_share(&mix, c, p0, m, RUNS);
        let error = (expected * (1.0 - expected) / f64::from(RUNS)).sqrt();
        assert!((seen - expected).abs() <= 5.0 * error, "{mix:?} m={m}: {seen} {expected}");
        assert!(expected <= undetected_log2(&mix, &tolerance).exp2() * (1.0 + 1e-12));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn undetected_one_more_canary_never_worse(queries in 1u64..1_000_000, copies in 1u64..9, canaries in 0u64..100_000) {
        let chance = |t| undetected_log2(&Mix::new(queries, copies, t).unwrap(), &Tolerance::EXACT);
        prop_assert!(chance(canaries + 1) <= chance(canaries) + 1e-9);
    }

    #[test]
    fn undetected_one_more_tolerated_never_better(queries in 1u64..10_000, copies in 1u64..9, canaries in 0u64..2000, c in 0u64..40, p0 in 0.0..0.2f64) {
        let mix = Mix::new(queries, copies, canaries).unwrap();
        let chance = |c| undetected_log2(&mix, &Tolerance::new(c, Rate::new(p0).unwrap()).unwrap());
        prop_assert!(chance(c + 1) >= chance(c) - 1e-9);
    }

    #[test]
    fn undetected_medium_mixes_equal_scan(queries in 1u64..400, copies in 1u64..5, canaries in 0u64..400, c in 0u64..30, p0 in 0.0..0.1f64) {
        let mix = Mix::new(queries, copies, canaries).unwrap();
        let tolerance = Tolerance::new(c, Rate::new(p0).unwrap()).unwrap();
        let cheats = Cheats::of(&mix, &tolerance);
        let scan = (1..=mix.positions()).map(|m| cheats.ln_chance(m / copies, m % copies) / LN_2);
        let scan = scan.fold(f64::NEG_INFINITY, f64::max).min(0.0);
        prop_assert!((undetected_log2(&mix, &tolerance) - scan).abs() < 1e-9);
    }

    #[test]
    fn undetected_any_number_corrupted_a_probability(queries in 1u64..1000, copies in 1u64..9, canaries in 0u64..1000, c in 0u64..9, m: u64) {
        let mix = Mix::new(queries, copies, canaries).unwrap();
        let tolerance = Tolerance::new(c, Rate::ZERO).unwrap();
        prop_assert!(undetected_log2_at(&mix, &tolerance, m) <= undetected_log2(&mix, &tolerance) + 1e-9);
    }
}
