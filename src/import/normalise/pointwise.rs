//! Relu and Clip, nodes that pass their input on, and the softmax at the end.

use super::constant::at_most;
use super::wire::Wire;
use super::{Reader, Value};
use crate::import::float::FloatOp;
use crate::import::onnx::Op;
use crate::import::{ImportError, NodeFault};

impl Reader {
    /// Relu and Clip.
    pub(super) fn clamp(&mut self, op: &Op) -> Result<Wire, ImportError> {
        let (low, high) = if op.kind() == "Relu" {
            op.only(&[])?;
            at_most(op, 1)?;
            (0.0, f32::INFINITY)
        } else {
            op.only(&["min", "max"])?;
            at_most(op, 3)?;
            let low = self.optional_scalar(op, 1, "min")?.or(op.optional_float("min")?);
            let high = self.optional_scalar(op, 2, "max")?.or(op.optional_float("max")?);
            (low.unwrap_or(f32::NEG_INFINITY), high.unwrap_or(f32::INFINITY))
        };
        if low.is_nan() || high.is_nan() || low > high {
            return Err(op.refuse("min", format!("{low} and its `max` {high}"), "a range that is not empty"));
        }
        let wire = self.wire(op, 0, "input")?;
        let (name, shape) = (op.name(), wire.shape.clone());
        let source = self.settle(wire).map_err(|fault| op.fault(fault))?;
        Ok(self.push(name, FloatOp::Clamp { low, high }, vec![source], shape))
    }

    /// Identity, and Dropout, which does nothing in inference.
    pub(super) fn pass(&mut self, op: &Op) -> Result<Value, ImportError> {
        op.only(&["ratio", "seed"])?;
        self.value(op, 0)
    }

    /// A softmax that ends the model is dropped: it keeps the order of the logits.
    pub(super) fn softmax(&mut self, op: &Op) -> Result<Wire, ImportError> {
        op.only(&["axis"])?;
        at_most(op, 1)?;
        let wire = self.wire(op, 0, "input")?;
        let readers = self.readers.get(op.output()).copied().unwrap_or(0);
        if op.output() != self.output || readers != 1 {
            return Err(op.fault(NodeFault::InnerSoftmax));
        }
        let axis = op.int("axis", -1)?;
        if wire.shape.len() != 1 || !matches!(axis, 1 | -1) {
            let wanted = "[classes]".into();
            return Err(op.fault(NodeFault::Shape { what: "input", wanted, found: wire.shape }));
        }
        self.notes.push(format!(
            "`{}` ({}) is dropped: answers are the logits before it, of which the greatest names the same class; \
             apply it to them for probabilities.",
            op.name(),
            op.kind(),
        ));
        Ok(wire)
    }
}
