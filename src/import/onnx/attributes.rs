//! One operation of the file, with typed access to its inputs and attributes.
//!
//! An attribute that an operation is not known to have is refused ([`Op::only`]), for what it means would be lost; an attribute
//! of the wrong type likewise. Names of constants and of other operations' results are looked up by the normaliser.

use super::is_standard;
use super::message::{AttributeProto, NodeProto};
use crate::import::{ImportError, NodeFault};

/// An operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Op<'a>(&'a NodeProto);

impl<'a> Op<'a> {
    /// Reads a node, which must be of ONNX's own operator set and have a result.
    pub(crate) fn new(node: &'a NodeProto) -> Result<Self, ImportError> {
        let op = Op(node);
        if !is_standard(&node.domain) {
            let op = format!("{}.{}", node.domain, node.op_type);
            return Err(ImportError::UnknownOp { node: Op(node).name(), op });
        }
        if op.output().is_empty() {
            return Err(op.fault(NodeFault::NoResult));
        }
        if let Some(extra) = node.output.iter().skip(1).find(|name| !name.is_empty()) {
            // Dropout's mask is the one second result that inference may carry along unread.
            if node.op_type != "Dropout" {
                return Err(op.fault(NodeFault::SecondResult(extra.clone())));
            }
        }
        Ok(op)
    }

    /// The operator.
    pub(crate) fn kind(&self) -> &'a str {
        &self.0.op_type
    }

    /// The node's name, or its result's where it has none.
    pub(crate) fn name(&self) -> String {
        if self.0.name.is_empty() { self.output() } else { &self.0.name }.to_owned()
    }

    /// The name of its result.
    pub(crate) fn output(&self) -> &'a str {
        self.0.output.first().map_or("", String::as_str)
    }

    /// The names of its inputs; an optional one left out is empty.
    pub(crate) fn inputs(&self) -> &'a [String] {
        &self.0.input
    }

    /// This node, at fault.
    pub(crate) fn fault(&self, fault: NodeFault) -> ImportError {
        ImportError::Node { node: self.name(), op: self.0.op_type.clone(), fault }
    }

    /// Refuses any attribute but these.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), ImportError> {
        match self.0.attribute.iter().find(|attribute| !known.contains(&attribute.name.as_str())) {
            Some(stranger) => Err(self.fault(NodeFault::UnknownAttribute(stranger.name.clone()))),
            None => Ok(()),
        }
    }

    /// Refuses an attribute's value, saying what would be taken.
    pub(crate) fn refuse(
        &self,
        name: &'static str,
        value: impl ToString,
        takes: &'static str,
    ) -> ImportError {
        self.fault(NodeFault::Attribute { name, value: value.to_string(), takes })
    }

    /// An integer attribute.
    pub(crate) fn int(&self, name: &'static str, default: i64) -> Result<i64, ImportError> {
        Ok(self.attribute(name, INT, "an integer")?.map_or(default, |a| a.i))
    }

    /// A float attribute.
    pub(crate) fn float(&self, name: &'static str, default: f32) -> Result<f32, ImportError> {
        Ok(self.optional_float(name)?.unwrap_or(default))
    }

    /// A float attribute that may be left out.
    pub(crate) fn optional_float(&self, name: &'static str) -> Result<Option<f32>, ImportError> {
        Ok(self.attribute(name, FLOAT, "a float")?.map(|a| a.f))
    }

    /// A list of integers.
    pub(crate) fn ints(&self, name: &'static str) -> Result<Option<&'a [i64]>, ImportError> {
        Ok(self.attribute(name, INTS, "a list of integers")?.map(|a| a.ints.as_slice()))
    }

    /// A string attribute; bytes that are no UTF-8 read as a string that matches nothing.
    pub(crate) fn string(&self, name: &'static str, default: &'static str) -> Result<&'a str, ImportError> {
        let attribute = self.attribute(name, STRING, "a string")?;
        Ok(attribute.map_or(default, |a| std::str::from_utf8(&a.s).unwrap_or("(not UTF-8)")))
    }

    /// A tensor attribute.
    pub(crate) fn attribute_tensor(
        &self,
        name: &'static str,
    ) -> Result<Option<super::message::TensorProto>, ImportError> {
        Ok(self.attribute(name, TENSOR, "a tensor")?.and_then(|a| a.t.clone()))
    }

    fn attribute(
        &self,
        name: &'static str,
        kind: i32,
        takes: &'static str,
    ) -> Result<Option<&'a AttributeProto>, ImportError> {
        match self.0.attribute.iter().find(|attribute| attribute.name == name) {
            Some(found) if found.kind != kind => {
                Err(self.refuse(name, format_args!("of type {}", found.kind), takes))
            }
            found => Ok(found),
        }
    }
}

/// `AttributeProto.AttributeType`.
pub(crate) const FLOAT: i32 = 1;
pub(crate) const INT: i32 = 2;
pub(crate) const STRING: i32 = 3;
pub(crate) const TENSOR: i32 = 4;
pub(crate) const INTS: i32 = 7;
