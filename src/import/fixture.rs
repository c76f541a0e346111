//! Small ONNX models made by hand, for tests.

use prost::Message;

use super::onnx::message::{
    AttributeProto, DimensionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use super::onnx::tensor::{FLOAT, INT64};
use super::{FloatGraph, ImportError};

/// An attribute's value.
pub(crate) enum Attr<'a> {
    Int(i64),
    Float(f32),
    Text(&'a str),
    Ints(&'a [i64]),
    Tensor(TensorProto),
}

/// A model under construction, with one input `x`.
pub(crate) struct Net(ModelProto);

impl Net {
    /// A model whose input has these dimensions, −1 being a symbol.
    pub(crate) fn input(dims: &[i64]) -> Self {
        let dim = dims
            .iter()
            .map(|&dim| match dim {
                -1 => DimensionProto { dim_value: None, dim_param: Some("N".into()) },
                length => DimensionProto { dim_value: Some(length), dim_param: None },
            })
            .collect();
        let tensor = TensorTypeProto { elem_type: FLOAT, shape: Some(TensorShapeProto { dim }) };
        let value_type = Some(TypeProto { tensor_type: Some(tensor) });
        let graph =
            GraphProto { input: vec![ValueInfoProto { name: "x".into(), value_type }], ..Default::default() };
        let opset = OperatorSetIdProto { domain: String::new(), version: 13 };
        Net(ModelProto { ir_version: 8, graph: Some(graph), opset_import: vec![opset] })
    }

    fn graph(&mut self) -> &mut GraphProto {
        self.0.graph.as_mut().expect("made with a graph")
    }

    /// Adds a constant of floats.
    pub(crate) fn floats(mut self, name: &str, dims: &[i64], values: &[f32]) -> Self {
        self.graph().initializer.push(floats(name, dims, values));
        self
    }

    /// Adds a constant list of integers.
    pub(crate) fn ints(mut self, name: &str, values: &[i64]) -> Self {
        let (name, dims) = (name.into(), vec![values.len() as i64]);
        let int64_data = values.to_vec();
        let tensor = TensorProto { name, dims, data_type: INT64, int64_data, ..Default::default() };
        self.graph().initializer.push(tensor);
        self
    }

    /// Adds a node without attributes, named after its result.
    pub(crate) fn node(self, op: &str, inputs: &[&str], output: &str) -> Self {
        self.node_with(op, inputs, output, [])
    }

    /// Adds a node with attributes.
    pub(crate) fn node_with<'a>(
        mut self,
        op: &str,
        inputs: &[&str],
        output: &str,
        attributes: impl IntoIterator<Item = (&'a str, Attr<'a>)>,
    ) -> Self {
        let attribute = attributes.into_iter().map(|(name, value)| encode(name, value)).collect();
        self.graph().node.push(NodeProto {
            name: format!("/{output}/{op}"),
            op_type: op.into(),
            input: inputs.iter().map(|&name| name.into()).collect(),
            output: vec![output.into()],
            attribute,
            ..Default::default()
        });
        self
    }

    /// Declares an output.
    pub(crate) fn output(mut self, name: &str) -> Self {
        self.graph().output.push(ValueInfoProto { name: name.into(), value_type: None });
        self
    }

    /// The messages.
    pub(crate) fn model(self) -> ModelProto {
        self.0
    }

    /// The file.
    pub(crate) fn encode(&self) -> Vec<u8> {
        self.0.encode_to_vec()
    }

    /// The file, read, with `y` as its output.
    pub(crate) fn read(self) -> Result<FloatGraph, ImportError> {
        super::read(&self.output("y").encode())
    }
}

/// A tensor of floats.
pub(crate) fn floats(name: &str, dims: &[i64], values: &[f32]) -> TensorProto {
    let raw_data = values.iter().flat_map(|x| x.to_le_bytes()).collect();
    TensorProto { name: name.into(), dims: dims.to_vec(), data_type: FLOAT, raw_data, ..Default::default() }
}

fn encode(name: &str, value: Attr<'_>) -> AttributeProto {
    let mut attribute = AttributeProto { name: name.into(), ..Default::default() };
    match value {
        Attr::Float(f) => (attribute.kind, attribute.f) = (1, f),
        Attr::Int(i) => (attribute.kind, attribute.i) = (2, i),
        Attr::Text(text) => (attribute.kind, attribute.s) = (3, text.into()),
        Attr::Tensor(tensor) => (attribute.kind, attribute.t) = (4, Some(tensor)),
        Attr::Ints(ints) => (attribute.kind, attribute.ints) = (7, ints.to_vec()),
    }
    attribute
}
