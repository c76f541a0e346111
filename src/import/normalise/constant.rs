//! Constants of the file: literals, and inputs that must be constant.

use ndarray::{ArcArray, ArrayD, IxDyn, arr0};

use super::{Reader, Value};
use crate::import::onnx::{Constant, Op, tensor};
use crate::import::{ImportError, NodeFault};

/// What a `Constant` node holds.
pub(super) fn literal(op: &Op) -> Result<Constant, ImportError> {
    op.only(&["value", "value_float", "value_int", "value_ints"])?;
    if let Some(value) = op.attribute_tensor("value")? {
        return tensor::read(op.output(), value);
    }
    if let Some(value) = op.optional_float("value_float")? {
        return if value.is_finite() {
            Ok(Constant::Float(arr0(value).into_dyn().into_shared()))
        } else {
            Err(op.fault(NodeFault::NotFinite))
        };
    }
    if let Some(values) = op.ints("value_ints")? {
        return Ok(Constant::Int(ndarray::arr1(values).into_dyn()));
    }
    Ok(Constant::Int(arr0(op.int("value_int", 0)?).into_dyn()))
}

impl Reader {
    /// An input that must be constant floats.
    pub(super) fn floats(
        &self,
        op: &Op,
        index: usize,
        what: &'static str,
    ) -> Result<ArcArray<f32, IxDyn>, ImportError> {
        match self.value(op, index)? {
            Value::Constant(Constant::Float(array)) => Ok(array),
            Value::Constant(Constant::Int(_)) => {
                Err(op.fault(NodeFault::ElementType { what, wanted: "floats" }))
            }
            Value::Wire(_) => Err(op.fault(NodeFault::NotConstant(what))),
        }
    }

    /// Constant floats that may be left out.
    pub(super) fn optional_floats(
        &self,
        op: &Op,
        index: usize,
        what: &'static str,
    ) -> Result<Option<ArcArray<f32, IxDyn>>, ImportError> {
        if is_given(op, index) { self.floats(op, index, what).map(Some) } else { Ok(None) }
    }

    /// A single constant float that may be left out.
    pub(super) fn optional_scalar(
        &self,
        op: &Op,
        index: usize,
        what: &'static str,
    ) -> Result<Option<f32>, ImportError> {
        let Some(array) = self.optional_floats(op, index, what)? else {
            return Ok(None);
        };
        match (array.first(), array.len()) {
            (Some(&value), 1) => Ok(Some(value)),
            _ => {
                let (wanted, found) = ("one number".to_owned(), array.shape().to_vec());
                Err(op.fault(NodeFault::Shape { what, wanted, found }))
            }
        }
    }

    /// Constant integers that may be left out.
    pub(super) fn optional_ints(
        &self,
        op: &Op,
        index: usize,
        what: &'static str,
    ) -> Result<Option<ArrayD<i64>>, ImportError> {
        if !is_given(op, index) {
            return Ok(None);
        }
        match self.value(op, index)? {
            Value::Constant(Constant::Int(array)) => Ok(Some(array)),
            Value::Constant(_) => Err(op.fault(NodeFault::ElementType { what, wanted: "integers" })),
            Value::Wire(_) => Err(op.fault(NodeFault::NotConstant(what))),
        }
    }
}

/// Whether an optional input is there.
fn is_given(op: &Op, index: usize) -> bool {
    op.inputs().get(index).is_some_and(|name| !name.is_empty())
}

/// Refuses more inputs than an operator has.
pub(super) fn at_most(op: &Op, cap: usize) -> Result<(), ImportError> {
    let count = op.inputs().len();
    if count > cap { Err(op.fault(NodeFault::ExtraInput { count, cap })) } else { Ok(()) }
}
