//! Sumcheck for the inner product of two multilinear tables [Lund, Fortnow, Karloff, Nisan 1992].
//!
//! Claim: v = Σ_{x ∈ {0,1}^n} a(x)·b(x). In round i the prover sends the round polynomial
//! g(X) = Σ_x a(r, X, x)·b(r, X, x), of degree 2, as g(0) and its leading coefficient; g(1) = v − g(0) follows, so no
//! round needs a check of its own. The checker continues with v ← g(r_i).
//!
//! Soundness error: 2n / |F|, |F| ≈ 2^128. Most significant variable first.
//!
//! *Caller must still check* that the last claim equals ã(r)·b̃(r).

use ark_ff::AdditiveGroup;
use serin_circuits::field::Ext;

use crate::rejection::Rejection;
use crate::script::Script;

/// The prover's tables, bound one variable at a time.
pub trait Rounds {
    /// g(0) and the leading coefficient of g.
    fn round(&mut self) -> [Ext; 2];
    /// Binds the most significant free variable.
    fn bind(&mut self, r: Ext);
}

/// The end of a sumcheck: its point, and the value the product must have there.
#[derive(Clone, Debug)]
pub struct End {
    /// r, most significant variable first.
    pub point: Vec<Ext>,
    /// v at r. Meaningless on the prover's side, who does not need it.
    pub claim: Ext,
}

/// Runs `n` rounds from `claim`.
pub fn sumcheck<S: Script, R: Rounds + ?Sized>(
    script: &mut S,
    n: usize,
    claim: Ext,
    mut prover: Option<&mut R>,
) -> Result<End, Rejection> {
    let mut end = End { point: Vec::with_capacity(n), claim };
    for _ in 0..n {
        let g = script.say("round", 2, || prover.as_mut().map_or_else(Vec::new, |p| p.round().to_vec()))?;
        let r = script.coin("round");
        if let Some(prover) = &mut prover {
            prover.bind(r);
        }
        let (at_zero, lead) = (g[0], g[1]);
        let slope = end.claim - at_zero.double() - lead;
        end.claim = at_zero + r * (slope + r * lead);
        end.point.push(r);
    }
    Ok(end)
}

/// Two tables in the open, for small sums and as the reference of faster provers.
pub struct Tables {
    a: Vec<Ext>,
    b: Vec<Ext>,
}

impl Tables {
    /// Two tables of one power-of-two length.
    pub fn new(a: Vec<Ext>, b: Vec<Ext>) -> Self {
        debug_assert_eq!(a.len(), b.len());
        Self { a, b }
    }

    /// ã(r) and b̃(r) once all variables are bound.
    pub fn ends(&self) -> [Ext; 2] {
        [&self.a, &self.b].map(|table| table.first().copied().unwrap_or(Ext::ZERO))
    }
}

impl Rounds for Tables {
    fn round(&mut self) -> [Ext; 2] {
        let half = self.a.len() / 2;
        let (a0, a1) = self.a.split_at(half);
        let (b0, b1) = self.b.split_at(half);
        let mut g = [Ext::ZERO; 2];
        for i in 0..half {
            g[0] += a0[i] * b0[i];
            g[1] += (a1[i] - a0[i]) * (b1[i] - b0[i]);
        }
        g
    }

    fn bind(&mut self, r: Ext) {
        for table in [&mut self.a, &mut self.b] {
            let half = table.len() / 2;
            for i in 0..half {
                let (low, high) = (table[i], table[i + half]);
                table[i] = low + r * (high - low);
            }
            table.truncate(half);
        }
    }
}

/// Degree of the round polynomial.
pub const DEGREE: u32 = 2;

/// log₂ of the challenge field's size, rounded down by less than 2^−30.
pub const FIELD_BITS: f64 = 127.999_999_999;
