//! ONNX files: decoded, capped, and laid out for the normaliser.
//!
//! Comes out: the nodes in file order, every initialiser as a [`Constant`] by name, the one graph input with its per-sample
//! shape (the batch axis dropped) and the name of the one graph output. Errors: [`ImportError`]; nothing here panics on
//! any bytes. The caller must still check everything about the nodes: operators, wiring, attributes.

mod attributes;
pub(crate) mod message;
pub(crate) mod tensor;

use std::collections::HashMap;

use prost::Message;

pub(crate) use attributes::Op;
use message::{ModelProto, NodeProto, ValueInfoProto};
pub(crate) use tensor::Constant;

use super::{ImportError, InterfaceFault, MAX_ELEMENTS, TAKEN, TensorFault};

/// A decoded file.
#[derive(Debug)]
pub(crate) struct Model {
    /// The operations, as the file orders them.
    pub(crate) nodes: Vec<NodeProto>,
    /// The initialisers.
    pub(crate) constants: HashMap<String, Constant>,
    /// Name of the graph's input.
    pub(crate) input: String,
    /// Shape of one sample.
    pub(crate) sample_shape: Vec<usize>,
    /// Name of the graph's output.
    pub(crate) output: String,
}

/// Decodes an ONNX file.
pub(crate) fn decode(bytes: &[u8]) -> Result<Model, ImportError> {
    if bytes.len() > MAX_BYTES {
        return Err(ImportError::TooMany { what: "bytes", count: bytes.len(), cap: MAX_BYTES });
    }
    let model = ModelProto::decode(bytes)?;
    let opset = model.opset_import.iter().find(|set| is_standard(&set.domain)).map_or(0, |set| set.version);
    if opset < MIN_OPSET {
        return Err(ImportError::Opset(opset));
    }
    let graph = model.graph.ok_or(ImportError::Interface(InterfaceFault::NoGraph))?;
    if graph.node.len() > MAX_NODES {
        return Err(ImportError::TooMany { what: "nodes", count: graph.node.len(), cap: MAX_NODES });
    }
    // Before the constants, so that a model already in integers is refused by its operators and not by their types.
    for node in &graph.node {
        let op = Op::new(node)?;
        if !TAKEN.contains(&op.kind()) {
            return Err(ImportError::UnknownOp { node: op.name(), op: op.kind().to_owned() });
        }
    }
    let mut constants = HashMap::with_capacity(graph.initializer.len());
    for mut initialiser in graph.initializer {
        let name = std::mem::take(&mut initialiser.name);
        let constant = tensor::read(&name, initialiser)?;
        if constants.contains_key(&name) {
            return Err(ImportError::Tensor { name, fault: TensorFault::Twice });
        }
        constants.insert(name, constant);
    }
    let inputs = graph.input.into_iter().filter(|value| !constants.contains_key(&value.name));
    let input = only(inputs, "inputs")?;
    let output = only(graph.output.into_iter(), "outputs")?;
    let sample_shape = sample_shape(&input).map_err(ImportError::Interface)?;
    Ok(Model { nodes: graph.node, constants, input: input.name, sample_shape, output: output.name })
}

/// Whether a domain is that of ONNX's own operators.
fn is_standard(domain: &str) -> bool {
    domain.is_empty() || domain == "ai.onnx"
}

fn only(
    mut values: impl Iterator<Item = ValueInfoProto>,
    what: &'static str,
) -> Result<ValueInfoProto, ImportError> {
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value),
        (first, second) => {
            let count = usize::from(first.is_some()) + usize::from(second.is_some()) + values.count();
            Err(ImportError::Interface(InterfaceFault::Count { what, count }))
        }
    }
}

/// The input's shape without its batch axis, which must be symbolic or 1.
fn sample_shape(input: &ValueInfoProto) -> Result<Vec<usize>, InterfaceFault> {
    let name = || input.name.clone();
    let tensor = input.value_type.as_ref().and_then(|t| t.tensor_type.as_ref());
    let tensor =
        tensor.filter(|t| t.elem_type == tensor::FLOAT).ok_or_else(|| InterfaceFault::Type(name()))?;
    let dims = tensor.shape.as_ref().map_or(&[][..], |shape| &shape.dim);
    let [batch, sample @ ..] = dims else {
        return Err(InterfaceFault::NoShape(name()));
    };
    if batch.dim_value.is_some_and(|length| length > 1) || sample.is_empty() || sample.len() > MAX_AXES {
        return Err(InterfaceFault::Batch(name()));
    }
    let mut elements = 1usize;
    sample
        .iter()
        .enumerate()
        .map(|(axis, dim)| {
            let length = dim.dim_value.and_then(|d| usize::try_from(d).ok()).filter(|&d| d > 0);
            let length = length.ok_or_else(|| InterfaceFault::Axis { input: name(), axis: axis + 1 })?;
            elements = elements.saturating_mul(length);
            (elements <= MAX_ELEMENTS).then_some(length).ok_or_else(|| InterfaceFault::Large(name()))
        })
        .collect()
}

/// The largest file read: protobuf's own limit on a message is two gibibytes, and a weight costs us up to twice its bytes.
const MAX_BYTES: usize = 1 << 30;
/// The most nodes read.
const MAX_NODES: usize = 10_000;
/// The most axes of a sample.
const MAX_AXES: usize = 7;
/// The oldest operator set read: before it, arithmetic broadcast by attributes.
const MIN_OPSET: i64 = 7;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::fixture::Net;

    #[test]
    fn empty_bytes_and_noise_are_refused() {
        assert!(matches!(decode(&[]), Err(ImportError::Opset(0))));
        assert!(matches!(decode(&[0xff; 64]), Err(ImportError::Decode(_))));
        let whole = Net::input(&[1, 4]).node("Relu", &["x"], "y").output("y").encode();
        assert!(decode(&whole).is_ok());
        for end in 0..whole.len() {
            // Any prefix must give a value or an error, never a panic.
            let _ = decode(&whole[..end]);
        }
    }

    #[test]
    fn batch_axis_fixed_above_one_is_refused() {
        let fault = decode(&Net::input(&[8, 4]).output("x").encode());
        assert!(matches!(fault, Err(ImportError::Interface(InterfaceFault::Batch(_)))));
        for batch in [1, -1] {
            let model = decode(&Net::input(&[batch, 4]).output("x").encode());
            assert!(model.is_ok_and(|model| model.sample_shape == [4]));
        }
    }

    #[test]
    fn symbolic_or_huge_sample_axes_are_refused() {
        let fault = decode(&Net::input(&[1, 3, -1]).output("x").encode());
        assert!(matches!(fault, Err(ImportError::Interface(InterfaceFault::Axis { axis: 2, .. }))));
        let fault = decode(&Net::input(&[1, 1 << 40, 1 << 40]).output("x").encode());
        assert!(matches!(fault, Err(ImportError::Interface(InterfaceFault::Large(_)))));
    }

    #[test]
    fn old_operator_sets_are_refused() {
        let mut model = Net::input(&[1, 4]).output("x").model();
        model.opset_import[0].version = 6;
        assert!(matches!(decode(&model.encode_to_vec()), Err(ImportError::Opset(6))));
    }

    #[test]
    fn second_output_is_refused() {
        let fault = decode(&Net::input(&[1, 4]).output("x").output("y").encode());
        let wanted = InterfaceFault::Count { what: "outputs", count: 2 };
        assert!(matches!(fault, Err(ImportError::Interface(fault)) if fault == wanted));
    }
}
