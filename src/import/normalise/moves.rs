//! Slice, Concat and Pad: nodes that only move elements.
//!
//! Of Slice, operator sets before 10 give the bounds as attributes, those since as inputs, which must be constants; of Pad, those
//! before 11. Bounds are counted from the end where negative and cut off at the axis's length, as ONNX has it. Zeros around the rows
//! and columns of an image stay pending, for a Conv or an AveragePool to take in; any others, and those that nothing takes in, become
//! a node. The batch axis is never touched.

use super::constant::at_most;
use super::shape::axis;
use super::window::lengths;
use super::wire::Wire;
use super::{MAX_ELEMENTS, Reader};
use crate::import::float::{FloatOp, Padding, Source};
use crate::import::onnx::Op;
use crate::import::{ImportError, NodeFault};
use serin_circuits::graph::MAX_INPUTS;

impl Reader {
    /// The elements from a start up to an end, in steps, on some axes.
    pub(super) fn slice(&mut self, op: &Op) -> Result<Wire, ImportError> {
        op.only(&["axes", "ends", "starts"])?;
        at_most(op, 5)?;
        let wire = self.wire(op, 0, "input")?;
        let given = |name| op.refuse(name, "missing", "a list of integers");
        let starts = self.list(op, 1, "starts")?.ok_or_else(|| given("starts"))?;
        let ends = self.list(op, 2, "ends")?.ok_or_else(|| given("ends"))?;
        let axes = self.list(op, 3, "axes")?.unwrap_or_else(|| (0..starts.len() as i64).collect());
        let steps = match self.optional_ints(op, 4, "steps")? {
            Some(steps) => steps.iter().copied().collect(),
            None => vec![1; starts.len()],
        };
        if [&ends, &axes, &steps].iter().any(|list| list.len() != starts.len()) {
            return Err(op.refuse("starts", format!("{starts:?}"), "as many as `ends`, `axes` and `steps`"));
        }
        let mut taken: Vec<Cut> = wire.shape.iter().map(|&length| Cut::whole(length)).collect();
        let mut seen = vec![false; wire.shape.len() + 1];
        for (index, &number) in axes.iter().enumerate() {
            let place = axis(op, number, seen.len())?;
            if std::mem::replace(&mut seen[place], true) {
                return Err(op.refuse("axes", format!("{axes:?}"), "each axis once"));
            }
            let (start, end, step) = (starts[index], ends[index], steps[index]);
            match place.checked_sub(1) {
                Some(place) => {
                    taken[place] = Cut::new(op, wire.shape[place], start, end, step)?;
                }
                None if start == 0 && step == 1 && end >= END => {}
                None => return Err(op.fault(NodeFault::MixesSamples)),
            }
        }
        let shape: Vec<usize> = taken.iter().map(|cut| cut.length).collect();
        if shape == wire.shape {
            return Ok(wire);
        }
        let starts = taken.iter().map(|cut| cut.start).collect();
        let steps = taken.iter().map(|cut| cut.step).collect();
        let source = self.settle(wire).map_err(|fault| op.fault(fault))?;
        Ok(self.push(op.name(), FloatOp::Slice { starts, steps }, vec![source], shape))
    }

    /// Tensors side by side on one axis.
    pub(super) fn concat(&mut self, op: &Op) -> Result<Wire, ImportError> {
        op.only(&["axis"])?;
        at_most(op, MAX_INPUTS)?;
        let first = self.wire(op, 0, "first input")?;
        // Left out, it would be 0 here, which is refused: it has no default in ONNX.
        let place = axis(op, op.int("axis", 0)?, first.shape.len() + 1)?;
        let axis = place.checked_sub(1).ok_or_else(|| op.fault(NodeFault::MixesSamples))?;
        if op.inputs().len() == 1 {
            return Ok(first);
        }
        let mut shape = first.shape.clone();
        let mut sources = vec![self.settle(first).map_err(|fault| op.fault(fault))?];
        for index in 1..op.inputs().len() {
            let next = self.wire(op, index, "further input")?;
            let mut fitting = next.shape.clone();
            if let Some(length) = fitting.get_mut(axis) {
                *length = shape[axis];
            }
            if fitting != shape {
                let wanted = format!("{shape:?} but on axis {place}");
                return Err(op.fault(NodeFault::Shape { what: "further input", wanted, found: next.shape }));
            }
            shape[axis] += next.shape[axis];
            within_cap(&shape).map_err(|fault| op.fault(fault))?;
            sources.push(self.settle(next).map_err(|fault| op.fault(fault))?);
        }
        Ok(self.push(op.name(), FloatOp::Concat { axis }, sources, shape))
    }

    /// Zeros around a sample: around an image, left for the next node to take in.
    pub(super) fn pad(&mut self, op: &Op) -> Result<Wire, ImportError> {
        op.only(&["mode", "pads", "value"])?;
        at_most(op, 3)?;
        let mut wire = self.open_wire(op, 0, "input")?;
        let mode = op.string("mode", "constant")?;
        if mode != "constant" {
            return Err(op.refuse("mode", mode, "constant"));
        }
        let value = self.optional_scalar(op, 2, "value")?.unwrap_or(op.float("value", 0.0)?);
        let pads = self.list(op, 1, "pads")?.unwrap_or_default();
        let refusal = |takes| op.refuse("pads", format!("{pads:?}"), takes);
        let rank = wire.shape.len() + 1;
        if pads.len() != 2 * rank {
            return Err(refusal("a length before and one behind each axis"));
        }
        if pads.iter().all(|&length| length == 0) {
            wire.label = op.name();
            return Ok(wire);
        }
        if value != 0.0 {
            return Err(op.refuse("value", value, "0"));
        }
        let margins = lengths(&pads).ok_or_else(|| refusal("lengths, none negative"))?;
        let (before, after) = margins.split_at(rank);
        match (before, after) {
            _ if before[0] + after[0] > 0 => Err(op.fault(NodeFault::MixesSamples)),
            (&[0, 0, top, left], &[0, 0, bottom, right]) => {
                wire.padding = wire.padding.plus(&Padding { top, left, bottom, right });
                wire.label = op.name();
                Ok(wire)
            }
            _ => {
                let source = self.settle(wire).map_err(|fault| op.fault(fault))?;
                self.push_pad(op.name(), source, &before[1..], &after[1..]).map_err(|fault| op.fault(fault))
            }
        }
    }

    /// A node that puts zeros around what a source brings.
    pub(super) fn push_pad(
        &mut self,
        name: String,
        source: Source,
        before: &[usize],
        after: &[usize],
    ) -> Result<Wire, NodeFault> {
        let inner = crate::import::float::shape(&self.reading, &self.nodes, source);
        let lengths = inner.iter().zip(before).zip(after);
        let shape: Vec<usize> = lengths.map(|((length, before), after)| before + length + after).collect();
        within_cap(&shape)?;
        let op = FloatOp::Pad { before: before.to_vec(), after: after.to_vec() };
        Ok(self.push(name, op, vec![source], shape))
    }

    /// Constant integers that newer operator sets give as an input and older ones as the attribute of that name.
    fn list(&self, op: &Op, index: usize, name: &'static str) -> Result<Option<Vec<i64>>, ImportError> {
        match self.optional_ints(op, index, name)? {
            Some(list) => Ok(Some(list.iter().copied().collect())),
            None => Ok(op.ints(name)?.map(<[i64]>::to_vec)),
        }
    }
}

/// What a Slice takes of one axis.
struct Cut {
    start: usize,
    step: usize,
    length: usize,
}

impl Cut {
    fn whole(length: usize) -> Self {
        Cut { start: 0, step: 1, length }
    }

    fn new(op: &Op, length: usize, start: i64, end: i64, step: i64) -> Result<Self, ImportError> {
        let step = usize::try_from(step).ok().filter(|&step| step > 0);
        let step = step.ok_or_else(|| op.refuse("steps", "not positive", "steps of 1 and more"))?;
        let whole = length as i64;
        let bound = |at: i64| if at < 0 { at.saturating_add(whole) } else { at }.clamp(0, whole) as usize;
        let (start, end) = (bound(start), bound(end));
        match end.saturating_sub(start).div_ceil(step) {
            0 => Err(op.refuse("ends", end, "an end behind its start")),
            // The step to an element that is not taken does not matter.
            1 => Ok(Cut { start, step: 1, length: 1 }),
            length => Ok(Cut { start, step, length }),
        }
    }
}

fn within_cap(shape: &[usize]) -> Result<(), NodeFault> {
    let elements = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    elements.filter(|&n| n <= MAX_ELEMENTS).map(|_| ()).ok_or(NodeFault::Large)
}

/// The least end that stands for that of an axis of any length.
const END: i64 = i32::MAX as i64;
