//! Reshape, Flatten, Squeeze, Unsqueeze and Transpose, of constants and of tensors.
//!
//! Of tensors, all must keep the batch axis first and by itself. A file exported with batch 1 writes that 1 into its shapes; it is
//! read as "each sample", so that the model works for every batch.

use ndarray::{ArrayD, IxDyn};

use super::constant::at_most;
use super::wire::Wire;
use super::{Reader, Value};
use crate::import::onnx::{Constant, Op};
use crate::import::{ImportError, NodeFault};

impl Reader {
    /// One of the five.
    pub(super) fn reshape(&mut self, op: &Op) -> Result<Value, ImportError> {
        match (self.value(op, 0)?, op.kind()) {
            (Value::Constant(Constant::Float(array)), "Transpose") => {
                let order = permutation(op, array.ndim())?;
                self.charge(op, array.len())?;
                let array = array.permuted_axes(order).as_standard_layout().into_owned();
                Ok(Value::Constant(Constant::Float(array.into_shared())))
            }
            (Value::Constant(Constant::Float(array)), _) => {
                let shape = self.target(op, array.shape(), array.len())?;
                let array = array.into_shape_with_order(IxDyn(&shape)).map_err(|_| misfit(op, &shape))?;
                Ok(Value::Constant(Constant::Float(array)))
            }
            (Value::Constant(Constant::Int(_)), _) => {
                Err(op.fault(NodeFault::ElementType { what: "input", wanted: "floats" }))
            }
            (Value::Wire(wire), "Transpose") => {
                let wire = self.closed(op, wire)?;
                self.transpose(op, wire).map(Value::Wire)
            }
            (Value::Wire(wire), _) => {
                let mut wire = self.closed(op, wire)?;
                let mut whole = vec![1];
                whole.extend(&wire.shape);
                match self.target(op, &whole, wire.len())?.as_slice() {
                    [1, sample @ ..] if !sample.is_empty() => wire.shape = sample.to_vec(),
                    _ => return Err(op.fault(NodeFault::MixesSamples)),
                }
                wire.label = op.name();
                Ok(Value::Wire(wire))
            }
        }
    }

    /// The shape asked for, of a tensor of shape `from` (batch 1 for one that has a batch axis).
    fn target(&self, op: &Op, from: &[usize], elements: usize) -> Result<Vec<usize>, ImportError> {
        let shape = match op.kind() {
            "Reshape" => {
                op.only(&["allowzero"])?;
                at_most(op, 2)?;
                let wanted = self.optional_ints(op, 1, "shape")?;
                resolve(op, &wanted.ok_or_else(|| op.fault(NodeFault::MissingInput(1)))?, from, elements)?
            }
            "Flatten" => {
                op.only(&["axis"])?;
                let last = from.len();
                let axis = match op.int("axis", 1)? {
                    end if end == last as i64 => last,
                    inner => axis(op, inner, last)?,
                };
                if axis == 0 {
                    return Err(op.fault(NodeFault::MixesSamples));
                }
                vec![from[..axis].iter().product(), from[axis..].iter().product()]
            }
            "Squeeze" => {
                op.only(&["axes"])?;
                let axes = self.axes(op, from.len())?;
                if axes.iter().any(|&axis| from[axis] != 1) {
                    return Err(misfit(op, from));
                }
                (0..from.len()).filter(|axis| !axes.contains(axis)).map(|axis| from[axis]).collect()
            }
            _ => {
                op.only(&["axes"])?;
                let wanted = self.raw_axes(op)?;
                let axes = normalise(op, &wanted, from.len() + wanted.len())?;
                let mut rest = from.iter().copied();
                let rank = from.len() + axes.len();
                (0..rank)
                    .map(|axis| if axes.contains(&axis) { 1 } else { rest.next().unwrap_or(1) })
                    .collect()
            }
        };
        if shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d)) == Some(elements)
            && shape.len() <= MAX_RANK
        {
            Ok(shape)
        } else {
            Err(misfit(op, &shape))
        }
    }

    fn axes(&self, op: &Op, rank: usize) -> Result<Vec<usize>, ImportError> {
        normalise(op, &self.raw_axes(op)?, rank)
    }

    /// The axes of Squeeze and Unsqueeze: an attribute before operator set 13, an input since.
    fn raw_axes(&self, op: &Op) -> Result<Vec<i64>, ImportError> {
        at_most(op, 2)?;
        let input = self.optional_ints(op, 1, "axes")?.map(|axes| axes.iter().copied().collect::<Vec<_>>());
        let axes = match input {
            Some(axes) => Some(axes),
            None => op.ints("axes")?.map(<[i64]>::to_vec),
        };
        let axes = axes.ok_or_else(|| op.refuse("axes", "missing", "the axes by number"))?;
        if axes.len() > MAX_RANK { Err(op.refuse("axes", axes.len(), "at most eight")) } else { Ok(axes) }
    }

    /// A transposition that keeps the batch axis stays pending.
    fn transpose(&mut self, op: &Op, mut wire: Wire) -> Result<Wire, ImportError> {
        op.only(&["perm"])?;
        at_most(op, 1)?;
        let axes = permutation(op, wire.shape.len() + 1)?;
        if axes[0] != 0 {
            return Err(op.fault(NodeFault::MixesSamples));
        }
        self.charge(op, 4 * wire.len())?;
        let axes: Vec<usize> = axes[1..].iter().map(|axis| axis - 1).collect();
        let places: Vec<usize> = (0..wire.len()).collect();
        let places =
            ArrayD::from_shape_vec(IxDyn(&wire.shape), places).map_err(|_| misfit(op, &wire.shape))?;
        let places = places.permuted_axes(axes);
        wire.shape = places.shape().to_vec();
        if let Some(affine) = &mut wire.affine {
            affine.scale = places.iter().map(|&place| affine.scale[place]).collect();
            affine.shift = places.iter().map(|&place| affine.shift[place]).collect();
        }
        let order: Vec<usize> = match &wire.order {
            Some(first) => places.iter().map(|&place| first[place]).collect(),
            None => places.iter().copied().collect(),
        };
        let unmoved = order.iter().enumerate().all(|(to, &from)| to == from);
        wire.order = (!unmoved).then_some(order);
        wire.label = op.name();
        Ok(wire)
    }
}

/// A Reshape's shape, with 0 (as before) and −1 (whatever is left) filled in.
fn resolve(
    op: &Op,
    wanted: &ArrayD<i64>,
    from: &[usize],
    elements: usize,
) -> Result<Vec<usize>, ImportError> {
    let copies = op.int("allowzero", 0)? == 0;
    let refusal = || op.refuse("shape", wanted, "lengths that hold the tensor's elements");
    let mut shape = Vec::new();
    let mut open = None;
    for (axis, &length) in wanted.iter().enumerate().take(MAX_RANK + 1) {
        shape.push(match length {
            -1 if open.replace(axis).is_none() => 1,
            0 if copies => *from.get(axis).ok_or_else(refusal)?,
            1.. => usize::try_from(length).map_err(|_| refusal())?,
            _ => return Err(refusal()),
        });
    }
    if let Some(axis) = open {
        let known = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d)).filter(|&known| known > 0);
        shape[axis] = known
            .filter(|known| elements.is_multiple_of(*known))
            .map(|known| elements / known)
            .ok_or_else(refusal)?;
    }
    Ok(shape)
}

/// The axes of a Transpose.
fn permutation(op: &Op, rank: usize) -> Result<Vec<usize>, ImportError> {
    let axes = match op.ints("perm")? {
        Some(axes) => axes.iter().filter_map(|&axis| usize::try_from(axis).ok()).collect(),
        None => (0..rank).rev().collect::<Vec<_>>(),
    };
    let mut sorted = axes.clone();
    sorted.sort_unstable();
    if sorted.into_iter().eq(0..rank) {
        return Ok(axes);
    }
    Err(op.refuse("perm", format!("{axes:?}"), "each axis once"))
}

fn normalise(op: &Op, axes: &[i64], rank: usize) -> Result<Vec<usize>, ImportError> {
    axes.iter().map(|&a| axis(op, a, rank)).collect()
}

/// An axis below `rank`, counted from the end where negative.
pub(super) fn axis(op: &Op, axis: i64, rank: usize) -> Result<usize, ImportError> {
    let from_start = if axis < 0 { axis.checked_add(rank as i64) } else { Some(axis) };
    let found = from_start.and_then(|axis| usize::try_from(axis).ok()).filter(|&axis| axis < rank);
    found.ok_or_else(|| op.refuse("axis", axis, "an axis of its input"))
}

fn misfit(op: &Op, found: &[usize]) -> ImportError {
    let wanted = "a shape of as many elements as there are".into();
    op.fault(NodeFault::Shape { what: "result", wanted, found: found.to_vec() })
}

/// The most axes, batch axis included.
const MAX_RANK: usize = 8;
