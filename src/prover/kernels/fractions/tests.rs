//! The packed tree says what the plain tree says, and the verifier believes it; its speed, on demand.

use std::time::Instant;

use cpu_time::ThreadTime;
use proptest::prelude::*;
use serin_circuits::field::{self, Fp};
use serin_circuits::poly::evaluate;
use serin_datasets::synthetic::SplitMix64;
use serin_verifier::lookup::fractions::{Layers, Leaf, fractions};
use serin_verifier::script::{Checking, Coins, MerlinCoins, Proving};

use super::super::table::element;
use super::*;

const HEADER: &str = "serin fractions\n";

/// Coins that are all zero: every challenge that a prover might divide by.
#[derive(Clone)]
struct Zeros;

impl Coins for Zeros {
    fn absorb(&mut self, _: &'static str, _: &[u8]) {}
    fn squeeze(&mut self, _: &'static str, out: &mut [u8]) {
        out.fill(0);
    }
}

/// `used` fractions that sum to zero: pairs of ±m/d for small m, and one 0/d if one is left.
fn zero_sum(used: usize, random: &mut SplitMix64) -> (Vec<Goldilocks>, Vec<Ext>) {
    let mut terms = Vec::with_capacity(used);
    for _ in 0..used / 2 {
        let numerator = Goldilocks::new(random.next_word() % 3);
        let denominator = Ext::new(Fp::new(random.next_word()), Fp::new(random.next_word()));
        terms.extend([(numerator, denominator), (-numerator, denominator)]);
    }
    terms.resize(used, (Goldilocks::ZERO, Ext::ONE + Ext::ONE));
    for i in (1..used).rev() {
        terms.swap(i, random.next_word() as usize % (i + 1));
    }
    terms.into_iter().unzip()
}

fn prove(coins: impl Coins, bits: usize, prover: &mut impl Fractions) -> (Vec<u8>, Leaf) {
    let mut script = Proving::new(coins, HEADER.as_bytes());
    let leaf = fractions(&mut script, bits, Some(prover)).expect("a prover does not reject");
    (script.finish(), leaf)
}

fn compare(coins: impl Coins + Clone, bits: usize, used: usize, seed: u64) {
    let (numerators, denominators) = zero_sum(used, &mut SplitMix64::new(seed));
    let padded = |values: Vec<Ext>, fill| {
        let mut values = values;
        values.resize(1 << bits, fill);
        values
    };
    let plain_numerators = padded(numerators.iter().map(|v| field::lift(element(*v))).collect(), Ext::ZERO);
    let plain_denominators = padded(denominators.clone(), Ext::ONE);
    let mut plain = Layers::new(plain_numerators.clone(), plain_denominators.clone());
    let mut tree = Tree::new(bits, numerators, denominators.into_iter().collect());
    let (proof, leaf) = prove(coins.clone(), bits, &mut tree);
    assert!(prove(coins.clone(), bits, &mut plain).0 == proof, "{used} of 2^{bits}");
    let mut script = Checking::new(coins, HEADER, &proof).expect("its header");
    let checked = fractions(&mut script, bits, None::<&mut Tree>).expect("a true sum");
    script.finish().expect("no leftovers");
    assert_eq!(checked, leaf);
    assert_eq!(evaluate(&plain_numerators, &leaf.point), leaf.numerator);
    assert_eq!(evaluate(&plain_denominators, &leaf.point), leaf.denominator);
    assert!(tree.layers.is_empty() || bits == 0, "every layer is dropped");
}

proptest! {
    #[test]
    fn tree_of_any_prefix_says_what_the_plain_tree_says(used in 0usize..=300, more in 0usize..3, seed in any::<u64>()) {
        let bits = used.next_power_of_two().ilog2() as usize + more;
        compare(MerlinCoins::new(), bits, used, seed);
    }
}

#[test]
fn tree_of_large_prefixes_says_what_the_plain_tree_says() {
    // Above the thresholds of blocks and of threads; boundaries within each quarter.
    for (bits, used) in [
        (12, 4096),
        (13, 4099),
        (13, 6200),
        (13, 8190),
        (14, 4200),
        (18, 262_144),
        (18, 200_001),
        (19, 150_000),
    ] {
        compare(MerlinCoins::new(), bits, used, used as u64);
    }
}

#[test]
fn challenge_of_zero_fails_no_honest_prover() {
    for (bits, used) in [(0, 1), (1, 2), (3, 7), (7, 100), (9, 400), (9, 200)] {
        compare(Zeros, bits, used, 5);
    }
}

#[test]
#[ignore = "a measurement: cargo test --release --lib fractions -- --ignored --nocapture"]
fn time_of_a_large_tree() {
    let (bits, runs) = (18, 25);
    let (numerators, denominators) = zero_sum(1 << bits, &mut SplitMix64::new(1));
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        let run = || {
            let inputs = (numerators.clone(), denominators.iter().copied().collect());
            pool.install(|| {
                let (start, cpu) = (Instant::now(), ThreadTime::now());
                let mut tree = Tree::new(bits, inputs.0, inputs.1);
                let built = cpu.elapsed();
                prove(MerlinCoins::new(), bits, &mut tree);
                [start.elapsed(), cpu.elapsed(), built]
                    .map(|time| time.as_secs_f64() * 1e9 / f64::from(1 << bits))
            })
        };
        let times: Vec<[f64; 3]> = (0..runs).map(|_| run()).collect();
        let [wall, cpu, built] = [0, 1, 2].map(|i| times.iter().map(|t| t[i]).fold(f64::INFINITY, f64::min));
        println!(
            "{threads} threads: {wall:.1} ns a leaf; on the first thread {cpu:.1} of CPU, {built:.1} of it to build"
        );
    }
}
