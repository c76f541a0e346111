//! The public model graph: operators, shapes, scales and static bounds. No weights.
//!
//! A [`Graph`] is a list of [`Node`]s in evaluation order; wire 0 is the graph's input, wire i+1 the output of node i,
//! and the last node's output is the graph's. Every wire has a [`Port`]: the shape of one sample, the exponent of its
//! scale ([`crate::quant`]) and an inclusive range that its integers cannot leave.
//!
//! A graph is only made by [`Builder`] (decoding goes through it too), which derives each port from the operator and
//! its inputs, so a `Graph` in hand is consistent. For a linear node the range depends on the weights and is declared;
//! [`crate::weights::Weights::new`] checks the declaration against the weights themselves.
//!
//! Sizes are capped ([`MAX_NODES`], [`MAX_INPUTS`], [`MAX_SAMPLE`]) so that a hostile graph cannot make its reader allocate.

mod derive;
mod encode;
mod moves;
mod op;

pub use encode::GraphDecodeError;
pub use moves::Run;
pub use op::{Linear, MAX_INPUTS, Op, Window};

use crate::codec::Digest;
use crate::tensor::Range;

/// Most nodes in a graph.
pub const MAX_NODES: usize = 4096;
/// Most entries of one sample on any wire, and most weights of one node.
pub const MAX_SAMPLE: usize = 1 << 27;
/// Most bytes in a name.
pub const MAX_NAME: usize = 256;
/// Most axes of one sample.
pub const MAX_AXES: usize = 8;

/// A wire: 0 is the input, i+1 the output of node i.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wire(pub usize);

impl Wire {
    /// The graph's input.
    pub const INPUT: Wire = Wire(0);
}

/// What flows on a wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Shape of one sample, without the batch axis.
    pub shape: Vec<usize>,
    /// Exponent e of the scale: the integer q stands for q·2^(−e).
    pub exponent: i8,
    /// The integers that can occur.
    pub range: Range,
}

impl Port {
    /// Entries of one sample.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether a sample has no entries; never so in a built graph.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One operator applied to earlier wires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The name it had in the imported model, for errors and reports.
    pub name: String,
    /// The operator.
    pub op: Op,
    /// The wires it reads.
    pub inputs: Vec<Wire>,
    /// What it produces.
    pub output: Port,
}

/// A public model graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    input: Port,
    nodes: Vec<Node>,
}

/// A model that cannot be taken, with the node that is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("node `{node}`: {fault}")]
pub struct GraphError {
    /// The node's name, or `input`.
    pub node: String,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// An input wire does not exist yet.
    #[error("reads wire {0}, which no earlier node produces")]
    UnknownWire(usize),
    /// The operator takes another number of inputs.
    #[error("takes {expected} inputs and was given {given}")]
    Inputs {
        /// What the operator takes.
        expected: usize,
        /// What it was given.
        given: usize,
    },
    /// Shapes do not fit the operator.
    #[error("{0}")]
    Shape(String),
    /// A value range leaves what integers and proofs can carry.
    #[error(
        "its values can reach {low}..={high}, beyond the 32-bit integers every protocol carries; quantise with fewer bits"
    )]
    Unbounded {
        /// Least value.
        low: i64,
        /// Greatest value.
        high: i64,
    },
    /// A parameter is out of its range.
    #[error("{0}")]
    Parameter(String),
    /// The graph is larger than the caps.
    #[error("{0} is larger than serin takes")]
    TooLarge(&'static str),
    /// The weights do not fit the node.
    #[error("{0}")]
    Weights(String),
}

impl Graph {
    /// What the graph takes.
    pub fn input(&self) -> &Port {
        &self.input
    }

    /// The nodes in evaluation order, at least one.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// What the graph answers: the last node's port.
    pub fn output(&self) -> &Port {
        self.nodes.last().map_or(&self.input, |node| &node.output)
    }

    /// The port of a wire of this graph.
    pub fn port(&self, wire: Wire) -> &Port {
        match wire.0 {
            0 => &self.input,
            i => self.nodes.get(i - 1).map_or(&self.input, |node| &node.output),
        }
    }

    /// The linear nodes in order, as (node index, geometry).
    pub fn linears(&self) -> impl Iterator<Item = (usize, &Linear)> {
        self.nodes.iter().enumerate().filter_map(|(i, node)| Some((i, node.op.linear()?)))
    }

    /// Multiply-adds of one sample.
    pub fn multiply_adds(&self) -> u64 {
        self.linears().map(|(_, linear)| linear.multiply_adds()).sum()
    }

    /// SHA-256 of the canonical encoding: what a card pins.
    pub fn digest(&self) -> Digest {
        crate::codec::digest("serin graph", &self.encode())
    }
}

/// Builds a graph node by node, deriving and checking every port.
pub struct Builder {
    graph: Graph,
}

impl Builder {
    /// A graph with this input and no nodes yet.
    pub fn new(input: Port) -> Result<Self, GraphError> {
        check_shape(&input.shape).map_err(|fault| GraphError { node: "input".into(), fault })?;
        Ok(Self { graph: Graph { input, nodes: Vec::new() } })
    }

    /// Appends a node and returns its wire. `declared` is the range of a linear node's accumulators, as its weights
    /// give it; other operators derive theirs and ignore it.
    pub fn push(
        &mut self,
        name: &str,
        op: Op,
        inputs: &[Wire],
        declared: Option<Range>,
    ) -> Result<Wire, GraphError> {
        let output = self.derive(name, &op, inputs, declared).map_err(|fault| {
            let node = name.chars().take(MAX_NAME).collect();
            GraphError { node, fault }
        })?;
        self.graph.nodes.push(Node { name: name.into(), op, inputs: inputs.to_vec(), output });
        Ok(Wire(self.graph.nodes.len()))
    }

    /// The port of a wire built so far.
    pub fn port(&self, wire: Wire) -> &Port {
        self.graph.port(wire)
    }

    /// The graph; refused without a node.
    pub fn finish(self) -> Result<Graph, GraphError> {
        if self.graph.nodes.is_empty() {
            let fault = Fault::Shape("the graph has no nodes".into());
            return Err(GraphError { node: "input".into(), fault });
        }
        Ok(self.graph)
    }

    fn derive(&self, name: &str, op: &Op, inputs: &[Wire], declared: Option<Range>) -> Result<Port, Fault> {
        if name.len() > MAX_NAME {
            return Err(Fault::TooLarge("its name"));
        }
        if self.graph.nodes.len() >= MAX_NODES {
            return Err(Fault::TooLarge("the number of nodes"));
        }
        if let Some(wire) = inputs.iter().find(|wire| wire.0 > self.graph.nodes.len()) {
            return Err(Fault::UnknownWire(wire.0));
        }
        let ports: Vec<&Port> = inputs.iter().map(|wire| self.graph.port(*wire)).collect();
        let port = op.derive(&ports, declared)?;
        check_shape(&port.shape)?;
        Ok(port)
    }
}

fn check_shape(shape: &[usize]) -> Result<(), Fault> {
    if shape.len() > MAX_AXES {
        return Err(Fault::TooLarge("the number of axes"));
    }
    match shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d)) {
        Some(0) => Err(Fault::Shape(format!("shape {shape:?} has an empty axis"))),
        Some(n) if n <= MAX_SAMPLE => Ok(()),
        _ => Err(Fault::TooLarge("its output")),
    }
}
