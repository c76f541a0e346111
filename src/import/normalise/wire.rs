//! A tensor computed from the input: the result of a node, and what is still to be done to it.
//!
//! Element i of the tensor is `scale_i · result[order_i] + shift_i`, under `shape`, with `padding` zeros around that. Because a reshape
//! keeps the row-major order, it changes only `shape`; reshapes therefore fuse and vanish, and what is pending passes through
//! them untouched.

use ndarray::{Array1, Array4};

use super::Reader;
use crate::import::float::{Affine, FloatOp, Padding, Source};
use crate::import::onnx::Op;
use crate::import::{ImportError, NodeFault};

/// A tensor computed from the input.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    /// The node whose result it is.
    pub(super) source: Source,
    /// Its shape, the pending padding apart.
    pub(super) shape: Vec<usize>,
    /// Pending transposition: the place in the result of each element.
    pub(super) order: Option<Vec<usize>>,
    /// Pending arithmetic.
    pub(super) affine: Option<Affine>,
    /// Pending zeros around the image.
    pub(super) padding: Padding,
    /// Whether anything else reads the result, or any tensor between it and this one.
    pub(super) shared: bool,
    /// Name of the last node of the file that made this of the result; empty for a bare one.
    pub(super) label: String,
}

impl Wire {
    /// A node's bare result.
    pub(super) fn new(source: Source, shape: Vec<usize>, shared: bool) -> Self {
        let (padding, label) = (Padding::default(), String::new());
        Wire { source, shape, order: None, affine: None, padding, shared, label }
    }

    /// Elements of one sample.
    pub(super) fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Adds arithmetic to what is pending.
    pub(super) fn apply(&mut self, affine: Affine) {
        self.affine = Some(match &self.affine {
            Some(first) => affine.after(first),
            None => affine,
        });
    }

    /// The pending arithmetic, if it is one factor and one term to each of `channels` equal parts.
    pub(super) fn by_channel(&self, channels: usize) -> Option<Affine> {
        let affine = self.affine.as_ref()?;
        Some(Affine {
            scale: constant_parts(&affine.scale, channels)?,
            shift: constant_parts(&affine.shift, channels)?,
        })
    }
}

/// The value of each of `parts` equal parts, if each is constant.
fn constant_parts(values: &[f32], parts: usize) -> Option<Vec<f32>> {
    let length =
        values.len().checked_div(parts).filter(|length| length * parts == values.len() && *length > 0)?;
    values.chunks_exact(length).map(|part| part.iter().all(|x| x == &part[0]).then_some(part[0])).collect()
}

impl Reader {
    /// Lets the node before a wire, or the sample's reading, take in what is pending, where nothing else reads between them.
    pub(super) fn absorb(&mut self, wire: &mut Wire) {
        if wire.shared || !wire.padding.is_none() || (wire.order.is_none() && wire.affine.is_none()) {
            return;
        }
        match wire.source {
            Source::Input => {
                let reading = &mut self.reading;
                if let Some(order) = wire.order.take() {
                    reading.affine = reading.affine.take().map(|affine| Affine {
                        scale: order.iter().map(|&place| affine.scale[place]).collect(),
                        shift: order.iter().map(|&place| affine.shift[place]).collect(),
                    });
                    reading.order = Some(match &reading.order {
                        Some(first) => order.iter().map(|&place| first[place]).collect(),
                        None => order,
                    });
                }
                if let Some(affine) = wire.affine.take() {
                    reading.affine =
                        Some(reading.affine.as_ref().map_or(affine.clone(), |first| affine.after(first)));
                }
                reading.shape.clone_from(&wire.shape);
            }
            Source::Node(index) if wire.order.is_none() => {
                let node = &mut self.nodes[index];
                let Some(affine) = wire.by_channel(node.shape[0]) else {
                    return;
                };
                if scale_rows(&mut node.op, &affine) {
                    wire.affine = None;
                }
            }
            Source::Node(_) => {}
        }
    }

    /// The wire with the zeros pending around it put there by a node.
    pub(super) fn closed(&mut self, op: &Op, wire: Wire) -> Result<Wire, ImportError> {
        if wire.padding.is_none() {
            return Ok(wire);
        }
        let source = self.settle(wire).map_err(|fault| op.fault(fault))?;
        let shape = crate::import::float::shape(&self.reading, &self.nodes, source).to_vec();
        Ok(Wire::new(source, shape, false))
    }

    /// The wire as a node's bare result, with a node for what is pending where one can be had; for a reader that takes in nothing.
    pub(super) fn settle(&mut self, mut wire: Wire) -> Result<Source, NodeFault> {
        if wire.order.is_some() {
            return Err(NodeFault::StrayTranspose);
        }
        let margin = std::mem::take(&mut wire.padding);
        if !margin.is_none() {
            let label = wire.label.clone();
            let source = self.settle(wire)?;
            return Ok(self.push_pad(label, source, &margin.before(), &margin.after())?.source);
        }
        let pending = wire.affine.is_some().then(|| wire.by_channel(wire.shape[0]));
        wire.source = self.reshaped(wire.source, &wire.shape, &wire.label);
        match pending {
            None => Ok(wire.source),
            Some(Some(affine)) if wire.shape.len() == 3 => {
                let (weight, bias) = (Array1::from(affine.scale), Array1::from(affine.shift));
                let channels = weight.len();
                let op = FloatOp::Conv {
                    weight: Array4::from_shape_fn((channels, 1, 1, 1), |(channel, ..)| weight[channel]),
                    bias,
                    stride: (1, 1),
                    padding: Padding::default(),
                    groups: channels,
                };
                Ok(self.push(wire.label, op, vec![wire.source], wire.shape).source)
            }
            Some(_) => Err(NodeFault::StrayAffine),
        }
    }

    /// The source under another shape, by a node if it has another one.
    pub(super) fn reshaped(&mut self, source: Source, shape: &[usize], label: &str) -> Source {
        if crate::import::float::shape(&self.reading, &self.nodes, source) == shape {
            return source;
        }
        self.push(label.to_owned(), FloatOp::Reshape, vec![source], shape.to_vec()).source
    }
}

/// Scales and shifts each output of a linear node; `false`, and nothing done, for any other.
fn scale_rows(op: &mut FloatOp, affine: &Affine) -> bool {
    let rows = affine.scale.iter().zip(&affine.shift);
    match op {
        FloatOp::MatMul { weight, bias } => {
            for ((mut row, bias), (scale, shift)) in weight.outer_iter_mut().zip(bias).zip(rows) {
                row *= *scale;
                *bias = *bias * scale + shift;
            }
        }
        FloatOp::Conv { weight, bias, .. } => {
            for ((mut row, bias), (scale, shift)) in weight.outer_iter_mut().zip(bias).zip(rows) {
                row *= *scale;
                *bias = *bias * scale + shift;
            }
        }
        _ => return false,
    }
    true
}
