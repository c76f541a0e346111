//! Arithmetic with constants, batch normalisation, and the sum of two tensors.

use ndarray::{ArcArray, IxDyn};

use super::constant::at_most;
use super::wire::Wire;
use super::{Reader, Value};
use crate::import::float::{Affine, FloatOp};
use crate::import::onnx::{Constant, Op};
use crate::import::{ImportError, NodeFault};

impl Reader {
    /// Add, Sub, Mul, Div: with a constant they stay pending; two tensors can only be added.
    pub(super) fn arithmetic(&mut self, op: &Op) -> Result<Wire, ImportError> {
        op.only(&[])?;
        at_most(op, 2)?;
        let (mut wire, constant, constant_first) = match (self.value(op, 0)?, self.value(op, 1)?) {
            (Value::Wire(a), Value::Wire(b)) if op.kind() == "Add" => return self.sum(op, a, b),
            (Value::Wire(_), Value::Wire(_)) => return Err(op.fault(NodeFault::NotConstant("second input"))),
            (Value::Wire(wire), Value::Constant(constant)) => (self.closed(op, wire)?, constant, false),
            (Value::Constant(constant), Value::Wire(wire)) => (self.closed(op, wire)?, constant, true),
            (Value::Constant(_), Value::Constant(_)) => {
                return Err(op.fault(NodeFault::Constant("first input")));
            }
        };
        let Constant::Float(constant) = constant else {
            return Err(op.fault(NodeFault::ElementType { what: "constant", wanted: "floats" }));
        };
        let constant = self.broadcast(op, &constant, &wire)?;
        let (scale, shift) = match (op.kind(), constant_first) {
            ("Add", _) => (vec![1.0; wire.len()], constant),
            ("Sub", false) => (vec![1.0; wire.len()], constant.iter().map(|c| -c).collect()),
            ("Sub", true) => (vec![-1.0; wire.len()], constant),
            ("Mul", _) => (constant, vec![0.0; wire.len()]),
            ("Div", false) => (constant.iter().map(|c| 1.0 / c).collect(), vec![0.0; wire.len()]),
            _ => return Err(op.fault(NodeFault::Constant("dividend"))),
        };
        wire.apply(Affine { scale, shift });
        wire.label = op.name();
        Ok(wire)
    }

    /// y = scale · (x − mean) / √(variance + ε) + bias, channel by channel.
    pub(super) fn batch_normalization(&mut self, op: &Op) -> Result<Wire, ImportError> {
        op.only(&["epsilon", "momentum", "spatial", "training_mode"])?;
        at_most(op, 5)?;
        for (name, wanted) in [("spatial", 1), ("training_mode", 0)] {
            let value = op.int(name, wanted)?;
            if value != wanted {
                return Err(op.refuse(name, value, "inference statistics, one to each channel"));
            }
        }
        let mut wire = self.wire(op, 0, "input")?;
        let channels = wire.shape[0];
        let statistic = |index, what| {
            let array = self.floats(op, index, what)?;
            if array.shape() == [channels] {
                return Ok(array);
            }
            let (wanted, found) = (format!("[{channels}]"), array.shape().to_vec());
            Err(op.fault(NodeFault::Shape { what, wanted, found }))
        };
        let (gain, bias) = (statistic(1, "scale")?, statistic(2, "bias")?);
        let (mean, variance) = (statistic(3, "mean")?, statistic(4, "variance")?);
        let epsilon = op.float("epsilon", 1e-5)?;
        self.charge(op, 2 * wire.len())?;
        let part = wire.len() / channels;
        let mut affine =
            Affine { scale: Vec::with_capacity(wire.len()), shift: Vec::with_capacity(wire.len()) };
        for channel in 0..channels {
            let scale = gain[channel] / (variance[channel] + epsilon).sqrt();
            affine.scale.extend(std::iter::repeat_n(scale, part));
            affine.shift.extend(std::iter::repeat_n(bias[channel] - mean[channel] * scale, part));
        }
        wire.apply(affine);
        wire.label = op.name();
        Ok(wire)
    }

    /// The sum of two tensors of one shape.
    fn sum(&mut self, op: &Op, a: Wire, b: Wire) -> Result<Wire, ImportError> {
        let (a, b) = (self.closed(op, a)?, self.closed(op, b)?);
        if a.shape != b.shape {
            let wanted = format!("the first one's shape {:?}", a.shape);
            return Err(op.fault(NodeFault::Shape { what: "second input", wanted, found: b.shape }));
        }
        let shape = a.shape.clone();
        let name = op.name();
        let a = self.settle(a).map_err(|fault| op.fault(fault))?;
        let b = self.settle(b).map_err(|fault| op.fault(fault))?;
        Ok(self.push(name, FloatOp::Add, vec![a, b], shape))
    }

    /// A constant spread over a tensor's elements, by ONNX's (NumPy's) rule.
    fn broadcast(
        &mut self,
        op: &Op,
        constant: &ArcArray<f32, IxDyn>,
        wire: &Wire,
    ) -> Result<Vec<f32>, ImportError> {
        let misfit = || {
            let wanted = format!("a shape that spreads over {:?} without a batch axis", wire.shape);
            op.fault(NodeFault::Shape { what: "constant", wanted, found: constant.shape().to_vec() })
        };
        self.charge(op, 2 * wire.len())?;
        let mut whole = vec![1];
        whole.extend(&wire.shape);
        let spread = constant.broadcast(IxDyn(&whole)).ok_or_else(misfit)?;
        Ok(spread.iter().copied().collect())
    }
}
