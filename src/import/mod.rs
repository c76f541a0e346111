//! From an ONNX file to integers: read it, normalise it, evaluate it in floats, record its ranges, lower it.
//!
//! ```text
//! bytes ─ onnx ─► nodes and constants ─ normalise ─► FloatGraph ─ calibrate ─► ranges ─ lower ─► integer graph and weights
//! ```
//!
//! [`read`] takes the bytes of a model file and returns a checked [`FloatGraph`], in which only linear nodes, clamps and pools
//! are left: whatever else the file says is folded into their constants, exactly, or refused by the name of its node. Batches
//! have a leading batch axis everywhere; shapes in the graph are those of one sample. The file is foreign: every size is
//! capped before it costs memory, and nothing panics on any bytes.

pub mod calibrate;
mod evaluate;
mod float;
pub mod lower;
mod normalise;
pub(crate) mod onnx;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod reference;

use thiserror::Error;

pub use evaluate::BatchError;
pub use float::{Affine, FloatGraph, FloatNode, FloatOp, Padding, Reading, Source};
pub use normalise::TAKEN;
pub use onnx::tensor::TensorFault;

/// Reads an ONNX file into a float graph.
///
/// # Errors
/// [`ImportError`], naming the node or tensor at fault and what would be taken instead.
pub fn read(bytes: &[u8]) -> Result<FloatGraph, ImportError> {
    normalise::normalise(onnx::decode(bytes)?)
}

/// Why a model file is not taken.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum ImportError {
    /// The bytes are not the protobuf they should be.
    #[error("this is not an ONNX file, or it is cut short: {0}")]
    Decode(#[from] prost::DecodeError),
    /// A size is over its cap.
    #[error("the model has {count} {what}; at most {cap} are read")]
    TooMany {
        /// What is counted.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many are read.
        cap: usize,
    },
    /// The operator set is too old, or none is named.
    #[error("the model uses operator set {0}; serin reads version 7 and later: export it again")]
    Opset(i64),
    /// The graph's input or output is not one serin takes.
    #[error("{0}")]
    Interface(InterfaceFault),
    /// A constant is not one serin takes.
    #[error("tensor `{name}`: {fault}")]
    Tensor {
        /// The tensor's name.
        name: String,
        /// What is wrong with it.
        fault: TensorFault,
    },
    /// An operator is not known.
    #[error("node `{node}` is a `{op}`, which serin does not take; it takes {}", TAKEN.join(", "))]
    UnknownOp {
        /// The node's name.
        node: String,
        /// Its operator.
        op: String,
    },
    /// A node of a known operator is not one serin takes.
    #[error("node `{node}` ({op}): {fault}")]
    Node {
        /// The node's name.
        node: String,
        /// Its operator.
        op: String,
        /// What is wrong with it.
        fault: NodeFault,
    },
}

/// What is wrong with a graph's inputs and outputs.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum InterfaceFault {
    /// The file holds no graph.
    #[error("the file holds no graph")]
    NoGraph,
    /// There must be exactly one.
    #[error("the graph has {count} {what}; serin takes models with one")]
    Count {
        /// `inputs` or `outputs`.
        what: &'static str,
        /// How many there are.
        count: usize,
    },
    /// The input is no float tensor.
    #[error("input `{0}` is no float32 tensor; export the float model, before any conversion to integers")]
    Type(String),
    /// The input's shape is not given.
    #[error("input `{0}` has no shape in the file; run shape inference on the model")]
    NoShape(String),
    /// The first axis is no batch axis.
    #[error("input `{0}` must have a batch axis, symbolic or of length 1, and up to seven more")]
    Batch(String),
    /// A sample's axis has no length.
    #[error("input `{input}`: axis {axis} has no fixed length; fix it when exporting")]
    Axis {
        /// The input's name.
        input: String,
        /// The axis, 0 being the batch's.
        axis: usize,
    },
    /// A sample is too large.
    #[error("input `{0}`: a sample has more than {MAX_ELEMENTS} elements")]
    Large(String),
    /// The arithmetic on the input is not finite.
    #[error(
        "the constants that the model applies to its input (such as mean and deviation) give infinite factors"
    )]
    Reading,
    /// The output is not made by any node.
    #[error("no node makes the graph's output `{0}`")]
    Output(String),
}

/// What is wrong with a node.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum NodeFault {
    /// It has no result.
    #[error("it has no result")]
    NoResult,
    /// It has a second result.
    #[error("its second result `{0}` is not computed; serin takes nodes with one result")]
    SecondResult(String),
    /// Its result has a name already in use.
    #[error("its result `{0}` has been made before it")]
    Redefined(String),
    /// It reads something not made before it.
    #[error("it reads `{0}`, which nothing before it makes")]
    Undefined(String),
    /// A needed input is left out.
    #[error("its input {0} is missing")]
    MissingInput(usize),
    /// It has too many inputs.
    #[error("it has {count} inputs; serin takes at most {cap}")]
    ExtraInput {
        /// How many it has.
        count: usize,
        /// How many are taken.
        cap: usize,
    },
    /// An input must be a constant of the file.
    #[error("its {0} must be a constant of the file")]
    NotConstant(&'static str),
    /// An input must depend on the graph's input.
    #[error("its {0} must be computed from the graph's input, not be a constant")]
    Constant(&'static str),
    /// A constant has the wrong element type.
    #[error("its {what} must hold {wanted}")]
    ElementType {
        /// Which input.
        what: &'static str,
        /// The type it should have.
        wanted: &'static str,
    },
    /// An attribute serin does not know: its meaning would be lost.
    #[error("serin does not know its attribute `{0}`")]
    UnknownAttribute(String),
    /// An attribute's value is not taken.
    #[error("its `{name}` is {value}; serin takes {takes}")]
    Attribute {
        /// The attribute (or constant input of that meaning).
        name: &'static str,
        /// Its value.
        value: String,
        /// What is taken.
        takes: &'static str,
    },
    /// A shape does not fit.
    #[error("its {what} has shape {found:?} (batch axis apart); it takes {wanted}")]
    Shape {
        /// Which input.
        what: &'static str,
        /// What is taken.
        wanted: String,
        /// What was found.
        found: Vec<usize>,
    },
    /// It would mix samples of a batch.
    #[error("it cuts, joins or reorders along the batch axis; every sample must stay whole and by itself")]
    MixesSamples,
    /// Its result is too large.
    #[error(
        "its result has more than {MAX_ELEMENTS} elements to a sample, or the model's constants grow beyond reading"
    )]
    Large,
    /// A transposition that nothing takes in.
    #[error(
        "a Transpose stands before it; Transpose is taken on the graph's input and in front of MatMul and Gemm"
    )]
    StrayTranspose,
    /// Arithmetic with constants that nothing takes in.
    #[error(
        "arithmetic with constants stands before it that is neither next to a linear node nor the same over each channel"
    )]
    StrayAffine,
    /// Its constants, after folding, are not finite.
    #[error("its weights are not finite once the constants around it are folded in")]
    NotFinite,
    /// A softmax that is not the last node.
    #[error(
        "a softmax is dropped at the end of a model, where it changes no ranking; elsewhere serin does not take it"
    )]
    InnerSoftmax,
}

/// The most elements of one sample's tensor, at any node.
pub(crate) const MAX_ELEMENTS: usize = 1 << 24;
