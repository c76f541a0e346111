//! The operators.
//!
//! | op | integers out | exponent out |
//! |---|---|---|
//! | `MatMul`, `Conv` ([`Linear`]) | Σ w·x + b, exactly | e_x + e_w |
//! | `Add` | a·2^s₀ + b·2^s₁ | e_a + s₀ = e_b + s₁ |
//! | `Rescale` | [`crate::quant::rescale`] | e_x − shift |
//! | `MaxPool` | max over the window, padding left out | e_x |
//! | `AveragePool` | multiplier · Σ over the window, padding counted as 0 | e_x + gain |
//! | `Reshape` | the same, row-major | e_x |
//! | `Concat` | the inputs', side by side on one axis | e, that of every input |
//! | `Slice` | those at start + i·step on each axis | e_x |
//! | `Pad` | the same, zeros around them | e_x |
//!
//! The last four only move entries: [`Op::moves`] says which goes where, for all of them and for whoever computes or proves them.
//! What port an operator has, and what is refused, stands in `derive`.

use super::{Fault, MAX_SAMPLE};

/// One operator of the graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// A dense layer: y = x Wᵀ + b. Its [`Linear`] is a 1×1 convolution of a 1×1 image.
    MatMul(Linear),
    /// A convolution with groups, stride and zero padding.
    Conv(Linear),
    /// Sum of two wires brought to one scale by left shifts.
    Add {
        /// Left shift of each operand, in bits.
        shifts: [u8; 2],
    },
    /// Round half up by `shift` bits and clamp; ReLU is `low = 0`.
    Rescale {
        /// Bits dropped.
        shift: u8,
        /// Least value kept.
        low: i32,
        /// Greatest value kept.
        high: i32,
    },
    /// Greatest value of each window.
    MaxPool(Window),
    /// Sum of each window times a public multiplier.
    AveragePool {
        /// The window.
        window: Window,
        /// round(2^gain / area).
        multiplier: i32,
        /// Bits the exponent grows by.
        gain: u8,
    },
    /// The same entries under another shape.
    Reshape {
        /// Shape of one sample.
        shape: Vec<usize>,
    },
    /// Wires of one scale side by side, in order, on one axis; their other axes agree.
    Concat {
        /// The axis of a sample.
        axis: usize,
        /// Wires joined: 2 to [`MAX_INPUTS`].
        inputs: usize,
    },
    /// The entries at start + i·step on each axis, 0 ≤ i < length; all are within the input.
    Slice {
        /// The first entry taken on each axis.
        starts: Vec<usize>,
        /// Distance between entries taken on each axis, at least 1.
        steps: Vec<usize>,
        /// Entries taken on each axis: the result's shape.
        shape: Vec<usize>,
    },
    /// Zeros around a sample.
    Pad {
        /// Zeros before the first entry of each axis.
        before: Vec<usize>,
        /// Zeros behind the last entry of each axis.
        after: Vec<usize>,
    },
}

/// Most wires that one node reads.
pub const MAX_INPUTS: usize = 256;

/// A sliding window over an image of `[channels, height, width]`; pairs are (vertical, horizontal).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Height and width of the window.
    pub kernel: [usize; 2],
    /// Step between windows.
    pub stride: [usize; 2],
    /// Padding at top, left, bottom, right.
    pub padding: [usize; 4],
}

impl Window {
    /// Entries under the window.
    pub fn area(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Height and width of the result on an image of this size.
    pub fn slide(&self, image: [usize; 2]) -> Result<[usize; 2], Fault> {
        let mut out = [0; 2];
        for axis in 0..2 {
            let (k, s) = (self.kernel[axis], self.stride[axis]);
            let (before, after) = (self.padding[axis], self.padding[axis + 2]);
            if k == 0 || s == 0 || k > MAX_SAMPLE || s > MAX_SAMPLE {
                return Err(Fault::Parameter(format!("window {k} with stride {s} is not allowed")));
            }
            if before >= k || after >= k {
                return Err(Fault::Parameter(format!(
                    "padding {before}, {after} is not smaller than the window {k}"
                )));
            }
            let padded = image[axis] + before + after;
            if padded < k {
                return Err(Fault::Shape(format!("the window {k} is larger than the padded image {padded}")));
            }
            out[axis] = (padded - k) / s + 1;
        }
        Ok(out)
    }

    /// Calls `visit` with (result, entry) for every entry of an image `[channels, height, width]` that every window covers, as
    /// row-major positions; padding is left out. Nothing where a shape is not one of an image.
    pub fn covers(&self, image: &[usize], out: &[usize], mut visit: impl FnMut(usize, usize)) {
        let (&[channels, height, width], &[_, out_height, out_width]) = (image, out) else { return };
        for channel in 0..channels {
            for (p0, p1) in (0..out_height).flat_map(|p0| (0..out_width).map(move |p1| (p0, p1))) {
                let to = (channel * out_height + p0) * out_width + p1;
                for q0 in (0..self.kernel[0]).filter_map(|d0| self.source(0, p0, d0, height)) {
                    for q1 in (0..self.kernel[1]).filter_map(|d1| self.source(1, p1, d1, width)) {
                        visit(to, (channel * height + q0) * width + q1);
                    }
                }
            }
        }
    }

    /// The input coordinate under offset `d` of window `p` on `axis`, if it is not padding.
    #[inline]
    pub fn source(&self, axis: usize, p: usize, d: usize, len: usize) -> Option<usize> {
        (p * self.stride[axis] + d).checked_sub(self.padding[axis]).filter(|q| *q < len)
    }
}

/// A linear node: Y[n, g·O+o, p] = b[g·O+o] + Σ_{c,d} W[g·O+o, c, d] · X[n, g·C+c, p·stride + d − padding].
///
/// Weights are `[groups·outputs, channels, kernel₀, kernel₁]` row-major, biases `[groups·outputs]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Linear {
    /// Groups G; 1 for an ordinary convolution or a dense layer.
    pub groups: usize,
    /// Input channels C of one group.
    pub channels: usize,
    /// Output channels O of one group.
    pub outputs: usize,
    /// The window.
    pub window: Window,
    /// Height and width of the input image.
    pub image: [usize; 2],
    /// Exponent of the weights' scale.
    pub weight_exponent: i8,
}

impl Linear {
    /// The geometry of a dense layer.
    pub fn dense(inputs: usize, outputs: usize, weight_exponent: i8) -> Self {
        let window = Window { kernel: [1, 1], stride: [1, 1], padding: [0; 4] };
        Self { groups: 1, channels: inputs, outputs, window, image: [1, 1], weight_exponent }
    }

    /// Height and width of the output image; `[0, 0]` if the window does not fit (never so in a built graph).
    pub fn output_image(&self) -> [usize; 2] {
        self.window.slide(self.image).unwrap_or([0, 0])
    }

    /// Output channels over all groups.
    pub fn output_channels(&self) -> usize {
        self.groups * self.outputs
    }

    /// Input channels over all groups.
    pub fn input_channels(&self) -> usize {
        self.groups * self.channels
    }

    /// Products summed in one output: C · kernel area.
    pub fn fan_in(&self) -> usize {
        self.channels * self.window.area()
    }

    /// Number of weights.
    pub fn weight_count(&self) -> usize {
        self.output_channels() * self.fan_in()
    }

    /// Multiply-adds of one sample.
    pub fn multiply_adds(&self) -> u64 {
        let [h, w] = self.output_image();
        (self.weight_count() as u64).saturating_mul((h * w) as u64)
    }
}

impl Op {
    /// The geometry of a linear operator.
    pub fn linear(&self) -> Option<&Linear> {
        match self {
            Op::MatMul(linear) | Op::Conv(linear) => Some(linear),
            _ => None,
        }
    }

    /// A word for reports.
    pub fn kind(&self) -> &'static str {
        match self {
            Op::MatMul(_) => "matmul",
            Op::Conv(_) => "conv",
            Op::Add { .. } => "add",
            Op::Rescale { low: 0, .. } => "rescale+relu",
            Op::Rescale { .. } => "rescale",
            Op::MaxPool(_) => "max-pool",
            Op::AveragePool { .. } => "average-pool",
            Op::Reshape { .. } => "reshape",
            Op::Concat { .. } => "concat",
            Op::Slice { .. } => "slice",
            Op::Pad { .. } => "pad",
        }
    }

    /// Inputs the operator takes.
    pub fn arity(&self) -> usize {
        match self {
            Op::Add { .. } => 2,
            Op::Concat { inputs, .. } => *inputs,
            _ => 1,
        }
    }
}
