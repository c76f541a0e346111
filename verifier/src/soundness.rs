//! One figure for how likely a false statement is to be believed, added up from every step of the conversation.
//!
//! Each term bounds the probability, over the coins of one proof, that a cheat passes that step (union bound; n variables,
//! |F| ≈ 2^128, sources with the scripts):
//!
//! | term | bound | mode |
//! |---|---|---|
//! | points: the accumulators' extension at a random point | Σ coordinates / F | revealed |
//! | look-ups: α and β against rational functions of degree 3 a leaf | 3·leaves / F | succinct |
//! | fractions: the tree over n bits of leaves | n(n+1) / F | succinct |
//! | answer: the outputs' extension at a random point | coordinates / F | succinct |
//! | joins: leaf claims, answer and every linear node's input into one form | (linear nodes + 2) / F | succinct |
//! | rounds: sumchecks of degree 2 | Σ 2n / F | both |
//! | merging of m weight claims | (m + 2n) / F | both |
//! | proximity of the committed words, once each commitment | 2·row bits·codeword length / F | both |
//! | columns not drawn, once each commitment | ((1+ρ)/2)^queries | both |
//! | row claims, where an opening commits its row of 2^k entries | (queries + 2k) / F | both |
//! | row proximity and row columns, likewise | as above, of the row's own matrix | both |
//!
//! The conversation is made non-interactive by hashing, so a cheat may try anew; k attempts multiply the figure by k.

use serde::Serialize;
use serin_circuits::graph::Graph;
use serin_circuits::relation::linear::{Point, sum_bits};
use serin_circuits::relation::table::WIDTH;
use serin_circuits::weights::{Layout, log2_ceil};

use crate::commit::Shape;
use crate::lookup::fractions::soundness_terms;
use crate::lookup::plan::Plan;
use crate::sumcheck::{DEGREE, FIELD_BITS};

/// One term of the union bound.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Term {
    /// Which step.
    pub step: &'static str,
    /// −log₂ of its error.
    pub bits: f64,
}

/// The soundness of a proof over a batch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Soundness {
    /// Every term.
    #[serde(rename = "soundness_terms")]
    pub terms: Vec<Term>,
    /// −log₂ of their sum.
    #[serde(rename = "soundness_bits")]
    pub bits: f64,
}

/// −log₂ of `count` / |F|.
fn over_field(count: usize) -> f64 {
    FIELD_BITS - (count.max(1) as f64).log2()
}

impl Soundness {
    /// The bound for one batch of a graph in `revealed` mode.
    pub fn revealed(graph: &Graph, layout: &Layout, batch: usize) -> Self {
        let points = graph.linears().map(|(_, l)| Point::bits(l, batch).iter().sum::<usize>()).sum();
        let mut terms = vec![
            Term { step: "points", bits: over_field(points) },
            Term { step: "rounds", bits: over_field(linear_rounds(graph)) },
            merging(layout),
        ];
        terms.extend(Shape::of(layout).terms());
        Self::sum(terms)
    }

    /// The bound for one batch of a graph in `succinct` mode.
    pub fn succinct(graph: &Graph, layout: &Layout, plan: &Plan) -> Self {
        let tree = plan.leaf_bits() + plan.batch_bits();
        let cube = |l| Point::bits(l, plan.batch)[1..].iter().sum::<usize>();
        let cubes: usize = graph.linears().map(|(_, l)| degree_of(cube(l))).sum();
        let linears = graph.linears().count();
        let answer = log2_ceil(graph.output().len());
        let mut terms = vec![
            Term { step: "look-ups", bits: over_field(WIDTH << tree) },
            Term { step: "fractions", bits: over_field(soundness_terms(tree)) },
            Term { step: "answer", bits: over_field(answer + plan.batch_bits()) },
            Term { step: "joins", bits: over_field(linears + 2) },
            Term {
                step: "rounds",
                bits: over_field(cubes + linear_rounds(graph) + degree_of(plan.column_bits())),
            },
            merging(layout),
        ];
        terms.extend(Shape::of(layout).terms());
        terms.extend(plan.shape().terms().into_iter().zip(BATCH).map(|(term, step)| Term { step, ..term }));
        Self::sum(terms)
    }

    fn sum(terms: Vec<Term>) -> Self {
        let bits = -terms.iter().map(|term| (-term.bits).exp2()).sum::<f64>().log2();
        Self { terms, bits }
    }
}

/// What a sumcheck over `variables` adds.
fn degree_of(variables: usize) -> usize {
    DEGREE as usize * variables
}

fn linear_rounds(graph: &Graph) -> usize {
    graph.linears().map(|(_, l)| degree_of(sum_bits(l).iter().sum())).sum()
}

fn merging(layout: &Layout) -> Term {
    Term { step: "merging", bits: over_field(2 * layout.places().len() + degree_of(layout.bits())) }
}

/// What the terms of the batch's own commitment are called.
const BATCH: [&str; 5] =
    ["batch proximity", "batch columns", "batch row claims", "batch row proximity", "batch row columns"];
