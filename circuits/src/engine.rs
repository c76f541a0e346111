//! The seam between a graph and a way to compute it.
//!
//! An [`Engine`] says how one protocol does each operator on its own wire type: a tensor, a tensor revealed by
//! somebody else, a share. [`run`] is the one walk over a graph; every protocol, oracle and check goes through it,
//! so that evaluation order and wiring exist once.

use crate::graph::{Graph, Linear, Node, Op, Port, Run, Window, Wire};

/// A node as an engine sees it.
#[derive(Clone, Copy, Debug)]
pub struct At<'g> {
    /// Position in [`Graph::nodes`].
    pub index: usize,
    /// Position among the linear nodes, where it is one (index into the weights); else the next one's.
    pub linear_index: usize,
    /// Whether the graph's output is this node's.
    pub last: bool,
    /// The node.
    pub node: &'g Node,
    /// The graph it is of.
    pub graph: &'g Graph,
}

impl At<'_> {
    /// [`Op::moves`] of the node: where each entry of a sample comes from.
    pub fn moves(&self, visit: impl FnMut(Run)) {
        let inputs: Vec<&Port> = self.node.inputs.iter().map(|wire| self.graph.port(*wire)).collect();
        self.node.op.moves(&inputs, &self.node.output, visit);
    }
}

/// How a protocol does each operator on its own wire.
pub trait Engine {
    /// What flows on a wire.
    type Wire;
    /// Why a node could not be done.
    type Error;

    /// A dense layer or a convolution, bias included.
    fn linear(&mut self, at: At<'_>, linear: &Linear, x: &Self::Wire) -> Result<Self::Wire, Self::Error>;
    /// a·2^s₀ + b·2^s₁.
    fn add(
        &mut self,
        at: At<'_>,
        shifts: [u8; 2],
        a: &Self::Wire,
        b: &Self::Wire,
    ) -> Result<Self::Wire, Self::Error>;
    /// [`crate::quant::rescale`] by the operator's parameters.
    fn rescale(&mut self, at: At<'_>, by: Rescale, x: &Self::Wire) -> Result<Self::Wire, Self::Error>;
    /// The greatest value of each window.
    fn max_pool(&mut self, at: At<'_>, window: &Window, x: &Self::Wire) -> Result<Self::Wire, Self::Error>;
    /// The sum of each window times `multiplier`.
    fn average_pool(
        &mut self,
        at: At<'_>,
        window: &Window,
        multiplier: i32,
        x: &Self::Wire,
    ) -> Result<Self::Wire, Self::Error>;
    /// The inputs' entries moved to where [`At::moves`] says, zeros elsewhere, under the node's output shape.
    fn arrange(&mut self, at: At<'_>, inputs: &[&Self::Wire]) -> Result<Self::Wire, Self::Error>;
}

/// The parameters of a rescale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rescale {
    /// Bits dropped.
    pub shift: u8,
    /// Least value kept.
    pub low: i32,
    /// Greatest value kept.
    pub high: i32,
}

/// Walks `graph` in order, keeping a wire only until its last reader, and returns the output's wire.
pub fn run<E: Engine>(graph: &Graph, engine: &mut E, input: E::Wire) -> Result<E::Wire, E::Error> {
    let count = graph.nodes().len();
    let mut last_reader = vec![0; count + 1];
    for (index, node) in graph.nodes().iter().enumerate() {
        node.inputs.iter().for_each(|wire| last_reader[wire.0] = index);
    }
    let mut wires: Vec<Option<E::Wire>> = Vec::with_capacity(count + 1);
    wires.push(Some(input));
    let mut linear_index = 0;
    for (index, node) in graph.nodes().iter().enumerate() {
        let at = At { index, linear_index, last: index + 1 == count, node, graph };
        let wire = step(engine, at, &wires)?;
        linear_index += usize::from(node.op.linear().is_some());
        for Wire(w) in &node.inputs {
            if last_reader[*w] == index {
                wires[*w] = None;
            }
        }
        wires.push(Some(wire));
    }
    Ok(wires.pop().flatten().expect("the last wire was just pushed"))
}

fn step<E: Engine>(engine: &mut E, at: At<'_>, wires: &[Option<E::Wire>]) -> Result<E::Wire, E::Error> {
    let wire = |i: usize| wires[at.node.inputs[i].0].as_ref().expect("kept until its last reader");
    match &at.node.op {
        Op::MatMul(linear) | Op::Conv(linear) => engine.linear(at, linear, wire(0)),
        Op::Add { shifts } => engine.add(at, *shifts, wire(0), wire(1)),
        Op::Rescale { shift, low, high } => {
            engine.rescale(at, Rescale { shift: *shift, low: *low, high: *high }, wire(0))
        }
        Op::MaxPool(window) => engine.max_pool(at, window, wire(0)),
        Op::AveragePool { window, multiplier, .. } => engine.average_pool(at, window, *multiplier, wire(0)),
        Op::Reshape { .. } | Op::Concat { .. } | Op::Slice { .. } | Op::Pad { .. } => {
            let inputs: Vec<&E::Wire> = (0..at.node.inputs.len()).map(wire).collect();
            engine.arrange(at, &inputs)
        }
    }
}
