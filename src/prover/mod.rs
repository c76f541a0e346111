//! The proving side: the fast integer engine, the weight commitment, and the oracles of the verifier's scripts.
//!
//! | module | holds |
//! |---|---|
//! | [`infer`] | the integer engine that serves, and the trace it leaves for a proof |
//! | [`commit`] | encoding, Merkle tree and opening of the weight vector |
//! | [`revealed`], [`succinct`] | the witness of a proof in either mode |
//! | `kernels` | integer matrix products; packed Goldilocks tables |
//!
//! A [`Model`] is compiled and committed once and shared by all sessions; [`Model::infer`] answers a batch, [`Model::prove`] proves it.
//! Everything here is as trusted as its owner: a mistake costs the server its acceptance, never the client its safety.

mod claims;
mod columns;
pub mod commit;
pub mod infer;
mod kernels;
mod layers;
pub mod revealed;
pub mod succinct;

use serin_circuits::codec::Digest;
use serin_circuits::graph::Graph;
use serin_circuits::tensor::Tensor;
use serin_circuits::weights::{Layout, Weights};
use serin_verifier::commit::Shape;
use serin_verifier::proof::Mode;
use serin_verifier::rejection::Rejection;
use serin_verifier::script::{Coins, MerlinCoins};
use serin_verifier::statement::Statement;
use serin_verifier::verify::{prove_revealed, prove_succinct};

use self::commit::Commitment;
use self::infer::{Trace, infer_traced};

/// A compiled model with its weights committed, ready to answer and prove.
#[derive(Debug)]
pub struct Model {
    graph: Graph,
    weights: Weights,
    commitment: Commitment,
}

impl Model {
    /// Commits to the weights: encodes and hashes the whole vector.
    pub fn new(graph: Graph, weights: Weights) -> Self {
        let layout = Layout::of(&graph);
        let commitment = Commitment::new(weights.flatten(&layout), Shape::of(&layout));
        Self { graph, weights, commitment }
    }

    /// The public graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The secret weights.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// The commitment.
    pub fn commitment(&self) -> &Commitment {
        &self.commitment
    }

    /// The commitment's root.
    pub fn root(&self) -> &Digest {
        self.commitment.root()
    }

    /// Infers a batch in the graph's input range, keeping what a proof needs.
    pub fn infer(&self, inputs: &Tensor) -> Trace {
        infer_traced(&self.graph, &self.weights, inputs)
    }

    /// Proves in `mode` that `trace`'s outputs answer `inputs`.
    pub fn prove(
        &self,
        server: &str,
        session: &[u8; 32],
        inputs: &Tensor,
        trace: &Trace,
        mode: Mode,
    ) -> Result<Vec<u8>, Rejection> {
        let statement = Statement { mode, ..self.statement(server, session, inputs, trace.output()) };
        self.prove_statement(MerlinCoins::new(), &statement, trace)
    }

    /// The statement that this model answered so, in mode `revealed`.
    pub fn statement<'a>(
        &'a self,
        server: &'a str,
        session: &'a [u8; 32],
        inputs: &'a Tensor,
        outputs: &'a Tensor,
    ) -> Statement<'a> {
        Statement {
            mode: Mode::Revealed,
            graph: &self.graph,
            weights: self.root(),
            server,
            session,
            inputs,
            outputs,
        }
    }

    /// [`Model::prove`] of any statement under any coins: an honest one needs neither freedom.
    pub fn prove_statement<C: Coins>(
        &self,
        coins: C,
        statement: &Statement<'_>,
        trace: &Trace,
    ) -> Result<Vec<u8>, Rejection> {
        match statement.plan()? {
            None => prove_revealed(coins, statement, &revealed::Witness::new(self, trace)),
            Some(plan) => {
                let witness = succinct::Witness::new(self, &plan, statement.inputs, trace);
                prove_succinct(coins, statement, &plan, &witness)
            }
        }
    }
}
