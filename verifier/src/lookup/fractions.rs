//! Σ_x num(x)/den(x) = 0 over x in {0,1}^n, by a GKR tree of fractions [Papini, Haböck 2023; LogUp: Haböck 2022].
//!
//! Layer n holds the 2^n fractions, layer 0 their sum. A layer adds the halves of the one below it, without reducing:
//!
//!   p_k(x) = p_{k+1}(0,x)·q_{k+1}(1,x) + p_{k+1}(1,x)·q_{k+1}(0,x),   q_k(x) = q_{k+1}(0,x)·q_{k+1}(1,x).
//!
//! The prover says the root; p_0 = 0 and q_0 ≠ 0 is the statement (q_0 ≠ 0 also says that no denominator is zero). Then, for
//! k = 0..n, two claims p, q on layer k at a point r become two on layer k+1. Draw λ; the claim p + λq is a sum,
//!
//!   p + λq = Σ_x eq(r, x)·V(x),   V = p0·q1 + p1·q0 + λ·q0·q1,
//!
//! of a gate V over the halves p0 = p_{k+1}(0,·), p1 = p_{k+1}(1,·), q0, q1. Its k rounds leave eq of the round's own variable
//! and of the bound ones out of the round polynomial [Gruen 2024]: with c the challenges so far,
//!
//!   h(X) = Σ_y eq((r_{i+1}, …), y)·V(c, X, y),   of degree 2,   claim = (1 − r_i)·h(0) + r_i·h(1),   next claim = h(c_i).
//!
//! So a claim is always Σ_y eq((r_i, …), y)·V(c, y), and V(c) itself at the end: no factor eq(r, c) ever enters. The prover sends
//! h(1) − h(0) and the leading coefficient; h(0) = claim − r_i·(h(1) − h(0)) follows without a division, so that no challenge
//! makes an honest prover fail. (Sending h(0) instead would have the checker divide by r_i.) At the end it says p0, p1, q0, q1
//! at c, whose gate must be the claim; τ merges the two halves into claims at (τ, c).
//!
//! Most significant variable first, everywhere. Messages: 2 elements for the root; for layer k, 2k and 4.
//!
//! Soundness error: [`soundness_terms`] / |F|, n(n + 1)/|F|: λ and τ err with 1/|F| each, a round with 2/|F|.
//!
//! *Caller must still check* that the numerators' and denominators' extensions have the values of [`Leaf`] at its point, that
//! what they depend on was absorbed before, and that no more than p fractions are summed.

use ark_ff::AdditiveGroup;
use serin_circuits::field::Ext;
use serin_circuits::poly::eq_table;

use crate::rejection::{Fault, Rejection};
use crate::script::Script;

/// The prover's tree. Layers are descended from the root, the rounds of each bind its variables.
pub trait Fractions {
    /// p_0 and q_0.
    fn root(&self) -> [Ext; 2];
    /// Begins the sum of the next layer, whose claims stand at `point`, with `lambda`.
    fn descend(&mut self, point: &[Ext], lambda: Ext);
    /// h(1) − h(0) and the leading coefficient of h. `claim` is what the round starts from.
    fn round(&mut self, claim: Ext) -> [Ext; 2];
    /// Binds the most significant free variable.
    fn bind(&mut self, r: Ext);
    /// p0, p1, q0, q1 once all variables are bound.
    fn ends(&mut self) -> [Ext; 4];
}

/// The end of the descent: what numerators and denominators must be at a point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// n coordinates, most significant variable first.
    pub point: Vec<Ext>,
    /// The numerators' extension there.
    pub numerator: Ext,
    /// The denominators' extension there.
    pub denominator: Ext,
}

/// Runs the script for 2^`n` fractions.
pub fn fractions<S: Script, F: Fractions + ?Sized>(
    script: &mut S,
    n: usize,
    mut prover: Option<&mut F>,
) -> Result<Leaf, Rejection> {
    let root = script.say("fraction root", 2, || prover.iter().flat_map(|p| p.root()).collect())?;
    let mut leaf = Leaf { point: Vec::with_capacity(n), numerator: root[0], denominator: root[1] };
    script.insist(Fault::Lookup, || root[0] == Ext::ZERO && root[1] != Ext::ZERO)?;
    for _ in 0..n {
        leaf = descend(script, leaf, prover.as_deref_mut())?;
    }
    Ok(leaf)
}

/// From claims on one layer to claims on the next.
fn descend<S: Script, F: Fractions + ?Sized>(
    script: &mut S,
    Leaf { point, numerator, denominator }: Leaf,
    mut prover: Option<&mut F>,
) -> Result<Leaf, Rejection> {
    let lambda = script.coin("fraction layer");
    if let Some(prover) = &mut prover {
        prover.descend(&point, lambda);
    }
    let mut claim = numerator + lambda * denominator;
    let mut bound = vec![Ext::ZERO];
    for r in &point {
        let h =
            script.say("fraction round", 2, || prover.iter_mut().flat_map(|p| p.round(claim)).collect())?;
        let c = script.coin("fraction round");
        if let Some(prover) = &mut prover {
            prover.bind(c);
        }
        let (step, lead) = (h[0], h[1]);
        claim += c * (step - lead + c * lead) - *r * step;
        bound.push(c);
    }
    let ends = script.say("fraction ends", 4, || prover.iter_mut().flat_map(|p| p.ends()).collect())?;
    let (p0, p1, q0, q1) = (ends[0], ends[1], ends[2], ends[3]);
    script.insist(Fault::Fractions, || p0 * q1 + q0 * (p1 + lambda * q1) == claim)?;
    let tau = script.coin("fraction half");
    bound[0] = tau;
    Ok(Leaf { point: bound, numerator: p0 + tau * (p1 - p0), denominator: q0 + tau * (q1 - q0) })
}

/// The soundness error of 2^`n` fractions, as a multiple of 1/|F|: for each layer k, λ, τ and k rounds of degree 2.
pub fn soundness_terms(n: usize) -> usize {
    (0..n).map(|k| 2 + 2 * k).sum()
}

/// A tree in the open, for small sums and as the reference of faster provers.
pub struct Layers {
    /// Numerators and denominators, from the leaves up; the last is the next to be descended to.
    layers: Vec<[Vec<Ext>; 2]>,
    root: [Ext; 2],
    lambda: Ext,
    /// p0, p1, q0, q1 of the layer under way.
    halves: [Vec<Ext>; 4],
    /// The coordinates of the variables that are free.
    free: Vec<Ext>,
}

impl Layers {
    /// The tree over numerators and denominators, of one power-of-two length.
    pub fn new(numerators: Vec<Ext>, denominators: Vec<Ext>) -> Self {
        debug_assert!(numerators.len().is_power_of_two() && numerators.len() == denominators.len());
        let mut layers = vec![];
        let mut layer = [numerators, denominators];
        while layer[0].len() > 1 {
            let half = layer[0].len() / 2;
            let ([p0, p1], [q0, q1]) = (split(&layer[0]), split(&layer[1]));
            let p = (0..half).map(|x| p0[x] * q1[x] + p1[x] * q0[x]).collect();
            let q = (0..half).map(|x| q0[x] * q1[x]).collect();
            layers.push(std::mem::replace(&mut layer, [p, q]));
        }
        let root = [layer[0][0], layer[1][0]];
        Self { layers, root, lambda: Ext::ZERO, halves: Default::default(), free: vec![] }
    }
}

impl Fractions for Layers {
    fn root(&self) -> [Ext; 2] {
        self.root
    }

    fn descend(&mut self, point: &[Ext], lambda: Ext) {
        let [p, q] = self.layers.pop().unwrap_or_default();
        let ([p0, p1], [q0, q1]) = (split(&p), split(&q));
        self.halves = [p0, p1, q0, q1].map(<[Ext]>::to_vec);
        self.lambda = lambda;
        self.free = point.to_vec();
    }

    fn round(&mut self, _: Ext) -> [Ext; 2] {
        let weights = eq_table(&self.free[1..]);
        // Σ of the gate over a combination of each table's halves.
        let sum = |of: fn(Ext, Ext) -> Ext| -> Ext {
            let gates = weights.iter().enumerate().map(|(y, weight)| {
                let [p0, p1, q0, q1] =
                    self.halves.each_ref().map(|table| of(table[y], table[y + weights.len()]));
                *weight * (p0 * q1 + p1 * q0 + self.lambda * q0 * q1)
            });
            gates.sum()
        };
        [sum(|_, high| high) - sum(|low, _| low), sum(|low, high| high - low)]
    }

    fn bind(&mut self, r: Ext) {
        self.free.remove(0);
        for table in &mut self.halves {
            let [low, high] = split(table);
            *table = low.iter().zip(high).map(|(low, high)| *low + r * (*high - low)).collect();
        }
    }

    fn ends(&mut self) -> [Ext; 4] {
        self.halves.each_ref().map(|table| table[0])
    }
}

fn split(table: &[Ext]) -> [&[Ext]; 2] {
    let (low, high) = table.split_at(table.len() / 2);
    [low, high]
}

#[cfg(test)]
mod tests;
