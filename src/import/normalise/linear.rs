//! Gemm, MatMul and Conv, with what is pending before them taken in.
//!
//! For y = W (s ∘ x + t) + b, the weights become W · diag(s) and the bias b + W t (summed in f64); a pending transposition permutes
//! the columns of W. A convolution takes in arithmetic by channel; where it pads, only factors, since its zeros
//! would have to be −t / s.

use ndarray::{Array1, Array2, Array4, ArrayView1, Ix2, Ix4};

use super::Reader;
use super::constant::at_most;
use super::wire::Wire;
use crate::import::float::{Affine, FloatOp, Padding};
use crate::import::onnx::Op;
use crate::import::{ImportError, NodeFault};

impl Reader {
    /// y = α · x · B (or Bᵀ) + β · C.
    pub(super) fn gemm(&mut self, op: &Op) -> Result<Wire, ImportError> {
        op.only(&["alpha", "beta", "transA", "transB"])?;
        at_most(op, 3)?;
        if op.int("transA", 0)? != 0 {
            return Err(op.refuse("transA", 1, "0: samples as rows"));
        }
        let wire = self.wire(op, 0, "first input")?;
        let mut weight = self.matrix(op)?;
        if op.int("transB", 0)? == 0 {
            weight = weight.reversed_axes().as_standard_layout().into_owned();
        }
        weight *= op.float("alpha", 1.0)?;
        let beta = op.float("beta", 1.0)?;
        let bias = match self.optional_floats(op, 2, "bias")? {
            None => Array1::zeros(weight.nrows()),
            Some(bias) => {
                let spread = bias.broadcast((1, weight.nrows())).ok_or_else(|| {
                    let wanted = format!("one bias to each of {} outputs", weight.nrows());
                    op.fault(NodeFault::Shape { what: "bias", wanted, found: bias.shape().to_vec() })
                })?;
                spread.row(0).mapv(|b| b * beta)
            }
        };
        self.dense(op, wire, weight, bias)
    }

    /// y = x · B.
    pub(super) fn matmul(&mut self, op: &Op) -> Result<Wire, ImportError> {
        op.only(&[])?;
        at_most(op, 2)?;
        let wire = self.wire(op, 0, "first input")?;
        let weight = self.matrix(op)?.reversed_axes().as_standard_layout().into_owned();
        let bias = Array1::zeros(weight.nrows());
        self.dense(op, wire, weight, bias)
    }

    /// The constant second factor.
    fn matrix(&mut self, op: &Op) -> Result<Array2<f32>, ImportError> {
        let array = self.floats(op, 1, "second input")?;
        self.charge(op, array.len())?;
        let found = array.shape().to_vec();
        let misfit = || NodeFault::Shape { what: "second input", wanted: "[rows, columns]".into(), found };
        let matrix = array.into_dimensionality::<Ix2>().ok().filter(|matrix| !matrix.is_empty());
        Ok(matrix.ok_or_else(|| op.fault(misfit()))?.into_owned())
    }

    fn dense(
        &mut self,
        op: &Op,
        wire: Wire,
        mut weight: Array2<f32>,
        mut bias: Array1<f32>,
    ) -> Result<Wire, ImportError> {
        let inputs = weight.ncols();
        if wire.shape != [inputs] {
            let wanted = format!("[{inputs}]");
            return Err(op.fault(NodeFault::Shape { what: "first input", wanted, found: wire.shape }));
        }
        if let Some(affine) = &wire.affine {
            take_in(&mut weight, &mut bias, affine);
        }
        if let Some(order) = &wire.order {
            self.charge(op, weight.len())?;
            let mut permuted = Array2::zeros(weight.dim());
            for (from, &to) in order.iter().enumerate() {
                permuted.column_mut(to).assign(&weight.column(from));
            }
            weight = permuted;
        }
        let source = self.reshaped(wire.source, &[inputs], &wire.label);
        let shape = vec![weight.nrows()];
        Ok(self.push(op.name(), FloatOp::MatMul { weight, bias }, vec![source], shape))
    }

    /// A two-dimensional convolution.
    pub(super) fn conv(&mut self, op: &Op) -> Result<Wire, ImportError> {
        op.only(&["auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"])?;
        at_most(op, 3)?;
        let mut wire = self.open_wire(op, 0, "input")?;
        let array = self.floats(op, 1, "weight")?;
        self.charge(op, array.len())?;
        let found = array.shape().to_vec();
        let weight = array.into_dimensionality::<Ix4>().ok().filter(|weight| !weight.is_empty());
        let weight = weight.ok_or_else(|| {
            let wanted =
                "[out, in / groups, rows, columns] (serin takes two-dimensional convolutions)".into();
            op.fault(NodeFault::Shape { what: "weight", wanted, found })
        })?;
        let mut weight = weight.as_standard_layout().into_owned();
        let (out, per_group, rows, columns) = weight.dim();
        let groups = op.int("group", 1)?;
        let groups = usize::try_from(groups)
            .ok()
            .filter(|&g| g > 0 && out % g == 0)
            .ok_or_else(|| op.refuse("group", groups, "a divisor of the output channels"))?;
        let window = self.window(op, &mut wire, Some((rows, columns)))?;
        if per_group.checked_mul(groups) != Some(wire.shape[0]) {
            let wanted = format!("{groups} groups of {per_group} channels");
            return Err(op.fault(NodeFault::Shape { what: "input", wanted, found: wire.shape }));
        }
        let mut bias = match self.optional_floats(op, 2, "bias")? {
            None => Array1::zeros(out),
            Some(bias) if bias.shape() == [out] => bias.iter().copied().collect(),
            Some(bias) => {
                let (wanted, found) = (format!("[{out}]"), bias.shape().to_vec());
                return Err(op.fault(NodeFault::Shape { what: "bias", wanted, found }));
            }
        };
        wire.padding = Padding::default();
        if let Some(affine) = wire.by_channel(wire.shape[0])
            && (window.padding.is_none() || affine.shift.iter().all(|&shift| shift == 0.0))
        {
            take_in_by_channel(&mut weight, &mut bias, &affine, groups);
            wire.affine = None;
        }
        let name = op.name();
        let shape = window.result(op, &wire.shape, out)?;
        let source = self.settle(wire).map_err(|fault| op.fault(fault))?;
        let (stride, padding) = (window.stride, window.padding);
        let conv = FloatOp::Conv { weight, bias, stride, padding, groups };
        Ok(self.push(name, conv, vec![source], shape))
    }
}

fn take_in(weight: &mut Array2<f32>, bias: &mut Array1<f32>, affine: &Affine) {
    for (mut row, bias) in weight.outer_iter_mut().zip(bias) {
        let terms = row.iter().zip(&affine.shift).map(|(&w, &t)| f64::from(w) * f64::from(t));
        *bias = (f64::from(*bias) + terms.sum::<f64>()) as f32;
        row *= &ArrayView1::from(&affine.scale);
    }
}

fn take_in_by_channel(weight: &mut Array4<f32>, bias: &mut Array1<f32>, affine: &Affine, groups: usize) {
    let (out, per_group, ..) = weight.dim();
    for (output, (mut filter, bias)) in weight.outer_iter_mut().zip(bias).enumerate() {
        let first = output / (out / groups) * per_group;
        for (channel, mut taps) in filter.outer_iter_mut().enumerate() {
            let (scale, shift) = (affine.scale[first + channel], affine.shift[first + channel]);
            let sum: f64 = taps.iter().map(|&w| f64::from(w)).sum();
            *bias = (f64::from(*bias) + sum * f64::from(shift)) as f32;
            taps *= scale;
        }
    }
}
