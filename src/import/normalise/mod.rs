//! From the file's operators to the few of the float graph, exactly.
//!
//! The nodes are read once, in the file's order. Each tensor is either a constant or a [`Wire`]: the result of a float node and what
//! is still to be done to it (a transposition, arithmetic with constants, a margin of zeros). What is pending is taken in by the
//! linear node before it, by the sample's reading, or by the linear node after it, whichever comes first; nothing pending is ever
//! approximated or lost. Source of the operators' meaning: ONNX `Operators.md`, operator sets 7 and later.

mod affine;
mod constant;
mod linear;
mod moves;
#[cfg(test)]
mod moves_tests;
mod pointwise;
mod shape;
#[cfg(test)]
mod tests;
mod window;
mod wire;

use std::collections::HashMap;

use super::float::{FloatGraph, FloatNode, FloatOp, Reading, Source};
use super::onnx::message::NodeProto;
use super::onnx::{Constant, Model, Op};
use super::{ImportError, InterfaceFault, MAX_ELEMENTS, NodeFault};
use wire::Wire;

/// The operators taken; the softmaxes at the end of a model only.
pub const TAKEN: &[&str] = &[
    "Add",
    "AveragePool",
    "BatchNormalization",
    "Clip",
    "Concat",
    "Constant",
    "Conv",
    "Div",
    "Dropout",
    "Flatten",
    "Gemm",
    "GlobalAveragePool",
    "Identity",
    "LogSoftmax",
    "MatMul",
    "MaxPool",
    "Mul",
    "Pad",
    "Relu",
    "Reshape",
    "Slice",
    "Softmax",
    "Squeeze",
    "Sub",
    "Transpose",
    "Unsqueeze",
];

/// Normalises a decoded file.
pub(super) fn normalise(model: Model) -> Result<FloatGraph, ImportError> {
    let Model { nodes, constants, input, sample_shape, output } = model;
    let mut reader = Reader::new(&nodes, constants, &input, sample_shape, &output);
    for node in &nodes {
        reader.read(&Op::new(node)?)?;
    }
    reader.finish(&output)
}

/// A tensor of the file.
#[derive(Clone)]
enum Value {
    Constant(Constant),
    Wire(Wire),
}

/// The reading of a graph, up to some node.
struct Reader {
    values: HashMap<String, Value>,
    /// How often each tensor is read, the graph's output counting as a reader.
    readers: HashMap<String, usize>,
    reading: Reading,
    nodes: Vec<FloatNode>,
    notes: Vec<String>,
    output: String,
    /// Elements of constants made so far while folding.
    made: usize,
}

impl Reader {
    fn new(
        nodes: &[NodeProto],
        constants: HashMap<String, Constant>,
        input: &str,
        sample_shape: Vec<usize>,
        output: &str,
    ) -> Self {
        let mut readers = HashMap::from([(output.to_owned(), 1)]);
        for name in nodes.iter().flat_map(|node| &node.input) {
            *readers.entry(name.clone()).or_default() += 1;
        }
        let mut values: HashMap<_, _> =
            constants.into_iter().map(|(name, constant)| (name, Value::Constant(constant))).collect();
        let shared = readers.get(input).is_some_and(|&count| count > 1);
        values.insert(input.to_owned(), Value::Wire(Wire::new(Source::Input, sample_shape.clone(), shared)));
        let reading = Reading { shape: sample_shape.clone(), sample_shape, order: None, affine: None };
        let (nodes, notes) = (Vec::new(), Vec::new());
        Reader { values, readers, reading, nodes, notes, output: output.to_owned(), made: 0 }
    }

    /// Reads one node and keeps its result.
    fn read(&mut self, op: &Op) -> Result<(), ImportError> {
        let value = match op.kind() {
            "Constant" => Value::Constant(constant::literal(op)?),
            "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" | "Transpose" => self.reshape(op)?,
            "Identity" | "Dropout" => self.pass(op)?,
            kind => Value::Wire(match kind {
                "Gemm" => self.gemm(op)?,
                "MatMul" => self.matmul(op)?,
                "Conv" => self.conv(op)?,
                "BatchNormalization" => self.batch_normalization(op)?,
                "Add" | "Sub" | "Mul" | "Div" => self.arithmetic(op)?,
                "Relu" | "Clip" => self.clamp(op)?,
                "MaxPool" => self.max_pool(op)?,
                "AveragePool" | "GlobalAveragePool" => self.average_pool(op)?,
                "Pad" => self.pad(op)?,
                "Slice" => self.slice(op)?,
                "Concat" => self.concat(op)?,
                "Softmax" | "LogSoftmax" => self.softmax(op)?,
                other => {
                    return Err(ImportError::UnknownOp { node: op.name(), op: other.to_owned() });
                }
            }),
        };
        self.keep(op, value)
    }

    fn keep(&mut self, op: &Op, mut value: Value) -> Result<(), ImportError> {
        let name = op.output();
        if let Value::Wire(wire) = &mut value {
            wire.shared |= self.readers.get(name).is_some_and(|&count| count > 1);
            self.absorb(wire);
        }
        match self.values.insert(name.to_owned(), value) {
            Some(_) => Err(op.fault(NodeFault::Redefined(name.to_owned()))),
            None => Ok(()),
        }
    }

    /// The graph, once all nodes are read.
    fn finish(mut self, output: &str) -> Result<FloatGraph, ImportError> {
        let missing = || ImportError::Interface(InterfaceFault::Output(output.to_owned()));
        let Some(Value::Wire(wire)) = self.values.remove(output) else {
            return Err(missing());
        };
        let node = wire.label.clone();
        let fault = |fault| ImportError::Node { node: node.clone(), op: "output".into(), fault };
        let Source::Node(last) = self.settle(wire).map_err(fault)? else {
            return Err(missing());
        };
        let nodes = reachable(self.nodes, last);
        if let Some(node) = nodes.iter().find(|node| !is_finite(&node.op)) {
            let node = node.name.clone();
            return Err(ImportError::Node { node, op: "linear".into(), fault: NodeFault::NotFinite });
        }
        if let Some(affine) = &self.reading.affine
            && !affine.scale.iter().chain(&affine.shift).all(|x| x.is_finite())
        {
            return Err(ImportError::Interface(InterfaceFault::Reading));
        }
        Ok(FloatGraph { reading: self.reading, nodes, notes: self.notes })
    }

    /// An input that may be a constant or a wire.
    fn value(&self, op: &Op, index: usize) -> Result<Value, ImportError> {
        let name = op.inputs().get(index).filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| op.fault(NodeFault::MissingInput(index)))?;
        let value = self.values.get(name);
        value.cloned().ok_or_else(|| op.fault(NodeFault::Undefined(name.clone())))
    }

    /// An input computed from the graph's input, with all zeros around it in place.
    fn wire(&mut self, op: &Op, index: usize, what: &'static str) -> Result<Wire, ImportError> {
        let wire = self.open_wire(op, index, what)?;
        self.closed(op, wire)
    }

    /// An input computed from the graph's input, for a reader that can take in zeros pending around it.
    fn open_wire(&self, op: &Op, index: usize, what: &'static str) -> Result<Wire, ImportError> {
        match self.value(op, index)? {
            Value::Wire(wire) => Ok(wire),
            Value::Constant(_) => Err(op.fault(NodeFault::Constant(what))),
        }
    }

    /// Adds a node, whose result is then a wire.
    fn push(&mut self, name: String, op: FloatOp, inputs: Vec<Source>, shape: Vec<usize>) -> Wire {
        let wire = Wire::new(Source::Node(self.nodes.len()), shape.clone(), false);
        self.nodes.push(FloatNode { name, op, inputs, shape });
        wire
    }

    /// Accounts for constants made while folding, so that a small file cannot ask for much memory.
    fn charge(&mut self, op: &Op, elements: usize) -> Result<(), ImportError> {
        self.made = self.made.saturating_add(elements);
        (self.made <= MAX_MADE).then_some(()).ok_or_else(|| op.fault(NodeFault::Large))
    }
}

/// The nodes that the last one depends on, renumbered.
fn reachable(nodes: Vec<FloatNode>, last: usize) -> Vec<FloatNode> {
    let mut needed = vec![false; nodes.len()];
    needed[last] = true;
    for index in (0..=last).rev() {
        if needed[index] {
            for source in &nodes[index].inputs {
                if let Source::Node(source) = *source {
                    needed[source] = true;
                }
            }
        }
    }
    let mut place = vec![0; nodes.len()];
    let mut kept = Vec::new();
    for (index, mut node) in nodes.into_iter().enumerate().filter(|(index, _)| needed[*index]) {
        place[index] = kept.len();
        for source in &mut node.inputs {
            if let Source::Node(source) = source {
                *source = place[*source];
            }
        }
        kept.push(node);
    }
    kept
}

fn is_finite(op: &FloatOp) -> bool {
    match op {
        FloatOp::MatMul { weight, bias } => weight.iter().chain(bias).all(|x| x.is_finite()),
        FloatOp::Conv { weight, bias, .. } => weight.iter().chain(bias).all(|x| x.is_finite()),
        _ => true,
    }
}

/// The most elements of constants made while folding: four times the largest model measured.
const MAX_MADE: usize = 1 << 28;
