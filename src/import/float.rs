//! The normalised float graph.
//!
//! Shapes are those of one sample, in row-major order, images as [channels, rows, columns]. Nodes stand in topological order
//! and the last one is the output. What the graph computes is, up to rounding, what the file computes; [`FloatGraph::notes`] say
//! where it deliberately stops short (a final softmax).

use ndarray::{Array1, Array2, Array4};

/// A model in floats.
#[derive(Clone, Debug, PartialEq)]
pub struct FloatGraph {
    pub(super) reading: Reading,
    pub(super) nodes: Vec<FloatNode>,
    pub(super) notes: Vec<String>,
}

impl FloatGraph {
    /// How a sample becomes the graph's input.
    pub fn reading(&self) -> &Reading {
        &self.reading
    }

    /// The nodes; the last is the output.
    pub fn nodes(&self) -> &[FloatNode] {
        &self.nodes
    }

    /// What a user should know about the reading of the file.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Shape of one sample's output.
    pub fn output_shape(&self) -> &[usize] {
        self.nodes.last().map_or(&self.reading.shape, |node| &node.shape)
    }

    /// Shape of what a source brings.
    pub fn shape(&self, source: Source) -> &[usize] {
        shape(&self.reading, &self.nodes, source)
    }
}

/// Shape of what a source brings.
pub(super) fn shape<'a>(reading: &'a Reading, nodes: &'a [FloatNode], source: Source) -> &'a [usize] {
    match source {
        Source::Input => &reading.shape,
        Source::Node(index) => &nodes[index].shape,
    }
}

/// Where a node's input comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// The graph's input, as [`Reading`] leaves it.
    Input,
    /// An earlier node.
    Node(usize),
}

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub struct FloatNode {
    /// The name it has in the file.
    pub name: String,
    /// What it does.
    pub op: FloatOp,
    /// What it reads: two sources for `Add`, two or more for `Concat`, one for all others.
    pub inputs: Vec<Source>,
    /// Shape of its result.
    pub shape: Vec<usize>,
}

/// What a node does.
#[derive(Clone, Debug, PartialEq)]
pub enum FloatOp {
    /// y_o = Σ_i w_oi · x_i + b_o.
    MatMul {
        /// [out, in].
        weight: Array2<f32>,
        /// One to each output.
        bias: Array1<f32>,
    },
    /// A two-dimensional convolution (cross-correlation), without dilation.
    Conv {
        /// [out, in / groups, kernel rows, kernel columns].
        weight: Array4<f32>,
        /// One to each output.
        bias: Array1<f32>,
        /// Rows and columns.
        stride: (usize, usize),
        /// Zeros around the image.
        padding: Padding,
        /// Channels are cut into this many groups, each convolved by itself.
        groups: usize,
    },
    /// The sum of two tensors of one shape.
    Add,
    /// min(max(x, low), high); ReLU is [0, ∞).
    Clamp {
        /// The least value; may be −∞.
        low: f32,
        /// The greatest value; may be ∞.
        high: f32,
    },
    /// The greatest value in each window; padding never wins.
    MaxPool {
        /// Rows and columns.
        kernel: (usize, usize),
        /// Rows and columns.
        stride: (usize, usize),
        /// Margin around the image, each side narrower than the kernel.
        padding: Padding,
    },
    /// The mean of each window; padding counts as zeros.
    AveragePool {
        /// Rows and columns.
        kernel: (usize, usize),
        /// Rows and columns.
        stride: (usize, usize),
        /// Zeros around the image.
        padding: Padding,
    },
    /// The same elements in the same order under another shape.
    Reshape,
    /// Tensors side by side, in order, on one axis.
    Concat {
        /// The axis of a sample.
        axis: usize,
    },
    /// The elements at start + i·step on each axis, as many as the result's shape says.
    Slice {
        /// The first element taken on each axis.
        starts: Vec<usize>,
        /// Distance between elements taken on each axis, at least 1.
        steps: Vec<usize>,
    },
    /// Zeros around a sample.
    Pad {
        /// Zeros before the first element of each axis.
        before: Vec<usize>,
        /// Zeros behind the last element of each axis.
        after: Vec<usize>,
    },
}

/// A margin around an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Padding {
    /// Rows above.
    pub top: usize,
    /// Columns to the left.
    pub left: usize,
    /// Rows below.
    pub bottom: usize,
    /// Columns to the right.
    pub right: usize,
}

impl Padding {
    /// No margin.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Zeros before each axis of an image.
    pub(super) fn before(&self) -> [usize; 3] {
        [0, self.top, self.left]
    }

    /// Zeros behind each axis of an image.
    pub(super) fn after(&self) -> [usize; 3] {
        [0, self.bottom, self.right]
    }

    /// Both margins, one around the other.
    pub(super) fn plus(&self, outer: &Padding) -> Padding {
        Padding {
            top: self.top + outer.top,
            left: self.left + outer.left,
            bottom: self.bottom + outer.bottom,
            right: self.right + outer.right,
        }
    }
}

/// How a sample becomes the graph's input: element i of the input is `scale_i · sample[order_i] + shift_i`.
///
/// Arithmetic with constants and a transposition that a file applies to its input are kept here and not folded into the first
/// layer: whoever encodes a sample does them in floats, exactly. Folded, (x − mean) / std over features of different units would put
/// one integer scale on all of them and lose the small ones.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Shape of a sample as the file takes it.
    pub sample_shape: Vec<usize>,
    /// Shape of the graph's input.
    pub shape: Vec<usize>,
    /// For each element of the input, its place in the sample; the identity where absent.
    pub order: Option<Vec<usize>>,
    /// Applied element by element after that; the identity where absent.
    pub affine: Option<Affine>,
}

impl Reading {
    /// The graph's input for one sample, both flat. The slices must have as many elements as the shapes say.
    pub(super) fn apply(&self, sample: &[f32], input: &mut [f32]) {
        match &self.order {
            Some(order) => input.iter_mut().zip(order).for_each(|(x, &place)| *x = sample[place]),
            None => input.copy_from_slice(sample),
        }
        if let Some(affine) = &self.affine {
            let constants = affine.scale.iter().zip(&affine.shift);
            input.iter_mut().zip(constants).for_each(|(x, (scale, shift))| *x = *x * scale + shift);
        }
    }
}

/// x ↦ scale · x + shift, element by element.
#[derive(Clone, Debug, PartialEq)]
pub struct Affine {
    /// One factor to each element.
    pub scale: Vec<f32>,
    /// One term to each element.
    pub shift: Vec<f32>,
}

impl Affine {
    /// This one after `first`.
    pub(super) fn after(&self, first: &Affine) -> Affine {
        let scale = self.scale.iter().zip(&first.scale).map(|(a, b)| a * b).collect();
        let terms = self.scale.iter().zip(&first.shift).zip(&self.shift);
        Affine { scale, shift: terms.map(|((scale, inner), outer)| scale * inner + outer).collect() }
    }
}
