//! One figure for how likely a false statement is to be believed, added up from every step of the conversation.
//!
//! Each term bounds the probability, over the coins of one proof, that a cheat passes that step (union bound; n variables,
//! |F| ≈ 2^128, sources with the scripts):
//!
//! | term | bound |
//! |---|---|
//! | points: the accumulators' extension at a random point | Σ coordinates / F |
//! | rounds: sumchecks of degree 2 | Σ 2n / F |
//! | merging of m claims | (m + 2n) / F |
//! | opening: proximity of the committed words | 2·row bits·codeword length / F |
//! | opening: columns not drawn | ((1+ρ)/2)^queries |
//!
//! The conversation is made non-interactive by hashing, so a cheat may try anew; k attempts multiply the figure by k.

use serin_circuits::graph::Graph;
use serin_circuits::relation::linear::{Point, sum_bits};
use serin_circuits::weights::Layout;

use crate::commit::{LOG_INVERSE_RATE, QUERIES, Shape};
use crate::sumcheck::{DEGREE, FIELD_BITS};

/// One term of the union bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Term {
    /// Which step.
    pub step: &'static str,
    /// −log₂ of its error.
    pub bits: f64,
}

/// The soundness of a proof over a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Soundness {
    /// Every term.
    pub terms: Vec<Term>,
    /// −log₂ of their sum.
    pub bits: f64,
}

impl Soundness {
    /// The bound for one batch of a graph in `revealed` mode.
    pub fn revealed(graph: &Graph, layout: &Layout, batch: usize) -> Self {
        let over_field = |count: usize| FIELD_BITS - (count.max(1) as f64).log2();
        let degree = DEGREE as usize;
        let points = graph.linears().map(|(_, l)| Point::bits(l, batch).iter().sum::<usize>()).sum();
        let rounds = graph.linears().map(|(_, l)| degree * sum_bits(l).iter().sum::<usize>()).sum();
        let shape = Shape::of(layout);
        let rate = (-(LOG_INVERSE_RATE as f64)).exp2();
        let terms = vec![
            Term { step: "points", bits: over_field(points) },
            Term { step: "rounds", bits: over_field(rounds) },
            Term { step: "merging", bits: over_field(2 * layout.places().len() + degree * layout.bits()) },
            Term { step: "proximity", bits: over_field(2 * shape.row_bits() * shape.codeword()) },
            Term { step: "columns", bits: -(QUERIES as f64) * ((1.0 + rate) / 2.0).log2() },
        ];
        let bits = -terms.iter().map(|term| (-term.bits).exp2()).sum::<f64>().log2();
        Self { terms, bits }
    }
}
