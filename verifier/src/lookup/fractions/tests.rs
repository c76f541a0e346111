//! True sums are accepted, false ones rejected, and each check is needed: the cheat it stops succeeds without it.

use ark_ff::{AdditiveGroup, Field};
use proptest::prelude::*;
use serin_circuits::field::{EXT_BYTES, Fp, from_i64, lift};
use serin_circuits::poly::evaluate;

use super::*;
use crate::rejection::{Blame, Place};
use crate::script::{Checking, MerlinCoins, Proving};

const HEADER: &str = "serin fractions\n";

/// 2^n fractions 1/d and −1/d of random d in random order, the last ones 0/1.
fn zero_sum(n: usize, seed: u64) -> [Vec<Ext>; 2] {
    let mut state = seed;
    let mut word = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Fp::new(state ^ state >> 29)
    };
    let mut terms = vec![(Ext::ZERO, Ext::ONE); 1 << n];
    for pair in terms.chunks_exact_mut(2).take(1 << n >> 2) {
        let denominator = Ext::new(word(), word());
        pair.copy_from_slice(&[(Ext::ONE, denominator), (lift(from_i64(-1)), denominator)]);
    }
    terms.rotate_left(seed as usize % (1 << n));
    let (numerators, denominators) = terms.into_iter().unzip();
    [numerators, denominators]
}

fn prove(n: usize, prover: &mut impl Fractions) -> Vec<u8> {
    let mut script = Proving::new(MerlinCoins::new(), HEADER.as_bytes());
    fractions(&mut script, n, Some(prover)).expect("a prover does not reject");
    script.finish()
}

/// Checks a proof and, as a caller must, its leaf against the true fractions.
fn check(n: usize, proof: &[u8], [numerators, denominators]: &[Vec<Ext>; 2]) -> Result<(), Rejection> {
    let mut script = Checking::new(MerlinCoins::new(), HEADER, proof)?;
    let leaf = fractions(&mut script, n, None::<&mut Layers>)?;
    script.finish()?;
    agree(&leaf, numerators, denominators).then_some(()).ok_or(Rejection::new(Place::Claims, Fault::Weights))
}

fn agree(leaf: &Leaf, numerators: &[Ext], denominators: &[Ext]) -> bool {
    evaluate(numerators, &leaf.point) == leaf.numerator
        && evaluate(denominators, &leaf.point) == leaf.denominator
}

fn tree([numerators, denominators]: &[Vec<Ext>; 2]) -> Layers {
    Layers::new(numerators.clone(), denominators.clone())
}

/// What a full check finds in an honest run over the fractions.
fn verdict(n: usize, terms: &[Vec<Ext>; 2]) -> Result<(), Fault> {
    check(n, &prove(n, &mut tree(terms)), terms).map_err(|rejection| rejection.fault)
}

#[test]
fn sum_that_is_zero_is_accepted() {
    for n in 0..8 {
        let terms = zero_sum(n, n as u64 + 1);
        assert_eq!(verdict(n, &terms), Ok(()), "{n} variables");
        let proof = prove(n, &mut tree(&terms));
        let elements: usize = 2 + (0..n).map(|k| 2 * k + 4).sum::<usize>();
        assert_eq!(proof.len() - HEADER.len(), EXT_BYTES * elements, "as the module's doc says");
    }
}

#[test]
fn sum_that_is_not_zero_is_rejected() {
    for n in 0..6 {
        let terms = zero_sum(n, 3);
        for x in 0..1 << n {
            let mut other = terms.clone();
            other[0][x] += Ext::ONE;
            assert_eq!(verdict(n, &other), Err(Fault::Lookup), "numerator {x} of {n} variables");
            let mut other = terms.clone();
            other[1][x] += Ext::ONE;
            let expected = if terms[0][x] == Ext::ZERO { Ok(()) } else { Err(Fault::Lookup) };
            assert_eq!(verdict(n, &other), expected, "denominator {x} of {n} variables");
            other[1][x] = Ext::ZERO;
            assert_eq!(verdict(n, &other), Err(Fault::Lookup), "a zero denominator is never a sum");
        }
    }
    assert_eq!(Rejection::new(Place::Proof, Fault::Lookup).blame(), Blame::Server);
    assert_eq!(Rejection::new(Place::Proof, Fault::Fractions).blame(), Blame::Server);
}

#[test]
fn sum_of_other_fractions_is_rejected_by_the_leaf() {
    let n = 5;
    let (terms, other) = (zero_sum(n, 3), zero_sum(n, 4));
    let proof = prove(n, &mut tree(&other));
    assert_eq!(check(n, &proof, &other), Ok(()));
    assert_eq!(check(n, &proof, &terms).map_err(|r| r.fault), Err(Fault::Weights));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn proof_with_any_element_altered_is_rejected(n in 0usize..5, seed in any::<u64>(), bit in 0..40usize) {
        let terms = zero_sum(n, seed);
        let proof = prove(n, &mut tree(&terms));
        for at in (HEADER.len()..proof.len()).step_by(EXT_BYTES / 2) {
            let mut altered = proof.clone();
            altered[at + bit / 8] ^= 1 << (bit % 8);
            // The root of a sum of one term is the claim on it, and a leaf is never altered alone.
            prop_assert!(check(n, &altered, &terms).is_err(), "byte {}", at);
        }
        prop_assert!(check(n, &proof[..proof.len() - 1], &terms).is_err());
    }
}

/// A checker that leaves out the checks which find `forgiven`.
struct Without<S>(S, Fault);

impl<S: Script> Script for Without<S> {
    fn message(
        &mut self,
        label: &'static str,
        len: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<std::borrow::Cow<'_, [u8]>, Rejection> {
        self.0.message(label, len, write)
    }
    fn absorb(&mut self, label: &'static str, bytes: &[u8]) {
        self.0.absorb(label, bytes);
    }
    fn squeeze(&mut self, label: &'static str, out: &mut [u8]) {
        self.0.squeeze(label, out);
    }
    fn enter(&mut self, place: Place) {
        self.0.enter(place);
    }
    fn reject(&self, fault: impl Into<Fault>) -> Rejection {
        self.0.reject(fault)
    }
    fn check_only<T>(&mut self, make: impl FnOnce() -> T) -> Option<T> {
        self.0.check_only(make)
    }
    fn insist(&mut self, fault: Fault, holds: impl FnOnce() -> bool) -> Result<(), Rejection> {
        if fault == self.1 { Ok(()) } else { self.0.insist(fault, holds) }
    }
}

/// A tree that says its own root.
struct FalseRoot(Layers, [Ext; 2]);

impl Fractions for FalseRoot {
    fn root(&self) -> [Ext; 2] {
        self.1
    }
    fn descend(&mut self, point: &[Ext], lambda: Ext) {
        self.0.descend(point, lambda);
    }
    fn round(&mut self, claim: Ext) -> [Ext; 2] {
        self.0.round(claim)
    }
    fn bind(&mut self, r: Ext) {
        self.0.bind(r);
    }
    fn ends(&mut self) -> [Ext; 4] {
        self.0.ends()
    }
}

/// What is left of the check of a false sum once those that find `forgiven` are left out, its leaf included.
fn verdict_without(forgiven: Fault, root: Option<[Ext; 2]>) -> Result<bool, Fault> {
    let n = 4;
    let mut terms = zero_sum(n, 9);
    terms[0][3] += Ext::ONE;
    let honest = tree(&terms);
    let root = root.unwrap_or(honest.root());
    let proof = prove(n, &mut FalseRoot(honest, root));
    let script = Checking::new(MerlinCoins::new(), HEADER, &proof).expect("its header");
    let leaf = fractions(&mut Without(script, forgiven), n, None::<&mut Layers>).map_err(|r| r.fault)?;
    Ok(agree(&leaf, &terms[0], &terms[1]))
}

/// Without p_0 = 0 an honest run over a false sum is believed: nothing else says what the sum is.
#[test]
fn false_sum_is_stopped_by_the_root_alone() {
    assert_eq!(verdict_without(Fault::Weights, None), Err(Fault::Lookup));
    assert_eq!(verdict_without(Fault::Lookup, None), Ok(true));
}

/// Without the gates a root of zero over a false sum is believed: nothing else ties a layer to the next.
#[test]
fn false_root_is_stopped_by_the_gates_alone() {
    let zero = [Ext::ZERO, Ext::ONE];
    assert_eq!(verdict_without(Fault::Weights, Some(zero)), Err(Fault::Fractions));
    assert_eq!(verdict_without(Fault::Lookup, Some(zero)), Err(Fault::Fractions));
    assert_eq!(verdict_without(Fault::Fractions, Some(zero)), Ok(true));
}

#[test]
fn soundness_is_as_the_doc_says() {
    for n in 0..40 {
        assert_eq!(soundness_terms(n), n * (n + 1));
    }
}
