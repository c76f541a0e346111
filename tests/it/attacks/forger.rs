//! A forger who knows the coins beforehand, and coins that let him.
//!
//! # The patch
//!
//! A sumcheck starts from a claim v that the checker computes. Let the tables' true sum be s, with round polynomial
//! g(X) = g₀ + (s − 2g₀ − c)·X + c·X², and let the claim be off: v = s + δ. The prover says (g₀, c); the slope follows from the
//! claim. If it says (g₀', c) instead, the checker continues with
//!
//! > g'(r) = g₀' + (s + δ − 2g₀' − c)·r + c·r²,  so  g'(r) − g(r) = (g₀' − g₀)·(1 − 2r) + δ·r,
//!
//! which vanishes for g₀' = g₀ − δ·r / (1 − 2r): from the second round on, nothing is wrong any more. Whoever knows the coin r
//! before saying g₀' can so prove any claim. That is all the forger does: once in each linear node whose accumulators are not
//! its input times the weights, and once in the merging if the claims are not on the committed vector.

use serin::prover::Model;
use serin::prover::infer::Trace;
use serin::prover::revealed::Witness;
use serin_circuits::field::{self, Ext};
use serin_circuits::graph::Graph;
use serin_circuits::poly::{dot, evaluate};
use serin_circuits::relation::linear::{Point, accumulators_at, sum_bits};
use serin_circuits::tensor::Tensor;
use serin_datasets::synthetic::SplitMix64;
use serin_verifier::commit::Opener;
use serin_verifier::layer::claims::{Claim, ClaimsProver};
use serin_verifier::layer::linear::LinearProver;
use serin_verifier::layer::revealed::Prover;
use serin_verifier::script::{Coins, MerlinCoins};
use serin_verifier::sumcheck::Rounds;

/// Coins that depend on how many were drawn, and on nothing that was said.
#[derive(Default)]
pub(super) struct Frozen {
    draws: usize,
}

impl Frozen {
    /// The challenge that a draw gives.
    fn coin(draw: usize) -> Ext {
        let mut bytes = [0; 32];
        Self { draws: draw }.squeeze("", &mut bytes);
        let [a, b] = [0, 16].map(|at| std::array::from_fn(|i| bytes[at + i]));
        field::ext(field::from_uniform(a), field::from_uniform(b))
    }
}

impl Coins for Frozen {
    fn absorb(&mut self, _: &'static str, _: &[u8]) {}

    fn squeeze(&mut self, _: &'static str, out: &mut [u8]) {
        let mut words = SplitMix64::new(self.draws as u64);
        self.draws += 1;
        for chunk in out.chunks_mut(8) {
            chunk.copy_from_slice(&words.next_word().to_le_bytes()[..chunk.len()]);
        }
    }
}

/// Labels, and the limbs of their coin.
pub(super) type Known = &'static [(&'static str, [u64; 2])];

/// Merlin, but for some labels whose coins are known beforehand.
pub(super) struct Told {
    merlin: MerlinCoins,
    known: Known,
}

impl Told {
    pub(super) fn new(known: Known) -> Self {
        Self { merlin: MerlinCoins::new(), known }
    }
}

impl Coins for Told {
    fn absorb(&mut self, label: &'static str, bytes: &[u8]) {
        self.merlin.absorb(label, bytes);
    }

    fn squeeze(&mut self, label: &'static str, out: &mut [u8]) {
        self.merlin.squeeze(label, out);
        if let Some((_, coin)) = self.known.iter().find(|(known, _)| *known == label) {
            out.fill(0);
            for (limb, v) in out.chunks_exact_mut(16).zip(coin.iter().cycle()) {
                limb[..8].copy_from_slice(&v.to_le_bytes());
            }
        }
    }
}

/// Proves what is not so, by the patch above.
pub(super) struct Forger<'a> {
    /// The graph of the statement.
    pub(super) graph: &'a Graph,
    /// What is said of each linear node; of the last one, the answer.
    pub(super) said: Vec<Tensor>,
    /// A model and trace whose input to that node is what follows from what is said.
    pub(super) shown: Vec<(&'a Model, &'a Trace)>,
    /// The model whose commitment is opened, with any trace of it.
    pub(super) committed: Witness<'a>,
    /// The vector committed to.
    pub(super) vector: Vec<i32>,
}

impl Forger<'_> {
    /// The draw of a linear node's point, or, past the last one, of the merging's γ. One draw for each round follows.
    fn draw(&self, linear_index: usize) -> usize {
        let rounds = |(_, linear)| sum_bits(linear).iter().sum::<usize>();
        self.graph.linears().take(linear_index).map(|node| 1 + rounds(node)).sum()
    }
}

impl Prover for Forger<'_> {
    fn accumulators(&self, linear_index: usize) -> &[i32] {
        self.said[linear_index].values()
    }

    fn linear(&self, linear_index: usize, point: &Point) -> Box<dyn LinearProver> {
        let (model, trace) = self.shown[linear_index];
        let (node, linear) = self.graph.linears().nth(linear_index).unwrap();
        let range = self.graph.nodes()[node].output.range;
        let [said, sum] = [&self.said[linear_index], &trace.layers()[linear_index].accumulators];
        let [said, sum] = [said, sum].map(|y| accumulators_at(linear, y, range, point));
        let honest = Witness::new(model, trace).linear(linear_index, point);
        Box::new(Patched::new(honest, said - sum, self.draw(linear_index) + 1))
    }

    fn weights(&self) -> &dyn ClaimsProver {
        self
    }
}

impl ClaimsProver for Forger<'_> {
    fn rounds(&self, claims: &[Claim], weights: &[Ext]) -> Box<dyn Rounds + '_> {
        let vector = &self.vector;
        let off = |claim: &Claim| {
            let cube = vector[claim.offset..][..1 << claim.point.len()].iter();
            let cube: Vec<Ext> = cube.map(|v| field::lift(field::from_i64((*v).into()))).collect();
            claim.value - evaluate(&cube, &claim.point)
        };
        let delta = dot(&claims.iter().map(off).collect::<Vec<_>>(), weights);
        let honest = self.committed.weights().rounds(claims, weights);
        Box::new(Patched::new(honest, delta, self.draw(claims.len() / 2) + 1))
    }

    fn opener(&self) -> &dyn Opener {
        self.committed.weights().opener()
    }
}

/// Honest rounds, but for the first.
pub(super) struct Patched<R: ?Sized> {
    pub(super) honest: Box<R>,
    /// What the first g(0) is moved by.
    patch: Option<Ext>,
}

impl<R: ?Sized> Patched<R> {
    /// Rounds for a claim that is `delta` more than the tables' sum, if the first round's coin is Frozen's `draw`.
    fn new(honest: Box<R>, delta: Ext, draw: usize) -> Self {
        Self::knowing(honest, delta, Frozen::coin(draw))
    }

    /// The same if the first round's coin is `r`.
    pub(super) fn knowing(honest: Box<R>, delta: Ext, r: Ext) -> Self {
        let one = field::lift(field::from_i64(1));
        Self { honest, patch: Some(-delta * r / (one - r - r)) }
    }
}

impl<R: Rounds + ?Sized> Rounds for Patched<R> {
    fn round(&mut self) -> [Ext; 2] {
        let [at_zero, lead] = self.honest.round();
        [at_zero + self.patch.take().unwrap_or_default(), lead]
    }

    fn bind(&mut self, r: Ext) {
        self.honest.bind(r);
    }
}

impl LinearProver for Patched<dyn LinearProver> {
    fn bias(&self) -> Ext {
        self.honest.bias()
    }

    fn weight(&self) -> Ext {
        self.honest.weight()
    }

    fn input(&self) -> Ext {
        self.honest.input()
    }
}
