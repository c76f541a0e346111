//! The operators, and the port each derives from its inputs.
//!
//! | op | integers out | exponent out |
//! |---|---|---|
//! | `MatMul`, `Conv` ([`Linear`]) | Σ w·x + b, exactly | e_x + e_w |
//! | `Add` | a·2^s₀ + b·2^s₁ | e_a + s₀ = e_b + s₁ |
//! | `Rescale` | [`crate::quant::rescale`] | e_x − shift |
//! | `MaxPool` | max over the window, padding left out | e_x |
//! | `AveragePool` | multiplier · Σ over the window, padding counted as 0 | e_x + gain |
//! | `Reshape` | the same, row-major | e_x |

use super::{Fault, MAX_SAMPLE, Port};
use crate::quant::MAX_SHIFT;
use crate::tensor::Range;

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
}

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

    fn check(&self) -> Result<(), Fault> {
        let dims = [self.groups, self.channels, self.outputs, self.image[0], self.image[1]];
        if dims.iter().any(|d| *d == 0 || *d > MAX_SAMPLE) {
            return Err(Fault::Shape(format!("its dimensions {dims:?} are not between 1 and {MAX_SAMPLE}")));
        }
        self.window.slide(self.image)?;
        let kernel = self.window.kernel;
        let count = [self.groups, self.outputs, self.channels, kernel[0], kernel[1]];
        match count.iter().try_fold(1usize, |n, d| n.checked_mul(*d)) {
            Some(n) if n <= MAX_SAMPLE => Ok(()),
            _ => Err(Fault::TooLarge("its weight tensor")),
        }
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
        }
    }

    /// Inputs the operator takes.
    pub fn arity(&self) -> usize {
        if matches!(self, Op::Add { .. }) { 2 } else { 1 }
    }

    /// The port this operator produces from its inputs' ports.
    pub(super) fn derive(&self, inputs: &[&Port], declared: Option<Range>) -> Result<Port, Fault> {
        if inputs.len() != self.arity() {
            return Err(Fault::Inputs { expected: self.arity(), given: inputs.len() });
        }
        let x = inputs[0];
        match self {
            Op::MatMul(linear) => {
                linear.check()?;
                if *linear != Linear::dense(linear.channels, linear.outputs, linear.weight_exponent) {
                    return Err(Fault::Parameter("a matmul has no image, window or groups".into()));
                }
                expect_shape(&x.shape, &[linear.channels])?;
                linear_port(linear, x, vec![linear.outputs], declared)
            }
            Op::Conv(linear) => {
                linear.check()?;
                expect_shape(&x.shape, &[linear.input_channels(), linear.image[0], linear.image[1]])?;
                let [h, w] = linear.output_image();
                linear_port(linear, x, vec![linear.output_channels(), h, w], declared)
            }
            Op::Add { shifts } => add_port(x, inputs[1], *shifts),
            Op::Rescale { shift, low, high } => rescale_port(x, *shift, *low, *high),
            Op::MaxPool(window) => {
                let shape = pooled(x, window)?;
                Ok(Port { shape, exponent: x.exponent, range: x.range })
            }
            Op::AveragePool { window, multiplier, gain } => average_port(x, window, *multiplier, *gain),
            Op::Reshape { shape } => {
                if shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d)) != Some(x.len()) {
                    return Err(Fault::Shape(format!("{:?} has other entries than {shape:?}", x.shape)));
                }
                Ok(Port { shape: shape.clone(), exponent: x.exponent, range: x.range })
            }
        }
    }
}

fn expect_shape(given: &[usize], expected: &[usize]) -> Result<(), Fault> {
    if given == expected {
        return Ok(());
    }
    Err(Fault::Shape(format!("takes shape {expected:?} and was given {given:?}")))
}

fn exponent(sum: i32) -> Result<i8, Fault> {
    i8::try_from(sum).map_err(|_| Fault::Parameter(format!("its scale 2^{sum} is out of range")))
}

fn range(low: i64, high: i64) -> Result<Range, Fault> {
    Range::from_wide(low, high).ok_or(Fault::Unbounded { low, high })
}

fn linear_port(linear: &Linear, x: &Port, shape: Vec<usize>, declared: Option<Range>) -> Result<Port, Fault> {
    let range = declared.ok_or_else(|| Fault::Parameter("its accumulators' range is not declared".into()))?;
    let exponent = exponent(i32::from(x.exponent) + i32::from(linear.weight_exponent))?;
    Ok(Port { shape, exponent, range })
}

fn add_port(a: &Port, b: &Port, shifts: [u8; 2]) -> Result<Port, Fault> {
    expect_shape(&b.shape, &a.shape)?;
    if shifts.iter().any(|s| *s > MAX_SHIFT) {
        return Err(Fault::Parameter(format!("shifts {shifts:?} are beyond {MAX_SHIFT}")));
    }
    let e = [a, b].map(|port| i32::from(port.exponent));
    if e[0] + i32::from(shifts[0]) != e[1] + i32::from(shifts[1]) {
        return Err(Fault::Parameter(format!("shifts {shifts:?} do not bring scales {e:?} together")));
    }
    let scaled = |port: &Port, s: u8| [i64::from(port.range.low) << s, i64::from(port.range.high) << s];
    let [(a_low, a_high), (b_low, b_high)] =
        [(a, shifts[0]), (b, shifts[1])].map(|(port, s)| scaled(port, s).into());
    let range = range(a_low + b_low, a_high + b_high)?;
    Ok(Port { shape: a.shape.clone(), exponent: exponent(e[0] + i32::from(shifts[0]))?, range })
}

fn rescale_port(x: &Port, shift: u8, low: i32, high: i32) -> Result<Port, Fault> {
    if shift > MAX_SHIFT {
        return Err(Fault::Parameter(format!("shift {shift} is beyond {MAX_SHIFT}")));
    }
    if low > high {
        return Err(Fault::Parameter(format!("clamp {low}..={high} is empty")));
    }
    let map = |v: i32| crate::quant::rescale(v, shift, low, high);
    let range = Range { low: map(x.range.low), high: map(x.range.high) };
    let exponent = exponent(i32::from(x.exponent) - i32::from(shift))?;
    Ok(Port { shape: x.shape.clone(), exponent, range })
}

fn pooled(x: &Port, window: &Window) -> Result<Vec<usize>, Fault> {
    let [channels, height, width] = x.shape[..] else {
        return Err(Fault::Shape(format!(
            "pools an image [channels, height, width] and was given {:?}",
            x.shape
        )));
    };
    let [h, w] = window.slide([height, width])?;
    Ok(vec![channels, h, w])
}

fn average_port(x: &Port, window: &Window, multiplier: i32, gain: u8) -> Result<Port, Fault> {
    let shape = pooled(x, window)?;
    if multiplier < 1 || gain > MAX_SHIFT {
        return Err(Fault::Parameter(format!("multiplier {multiplier} or gain {gain} is not allowed")));
    }
    let most = (window.area() as i64).saturating_mul(i64::from(multiplier));
    let padded = window.padding.iter().any(|p| *p > 0);
    let (mut low, mut high) = (i64::from(x.range.low), i64::from(x.range.high));
    if padded {
        (low, high) = (low.min(0), high.max(0));
    }
    let range = range(low.saturating_mul(most), high.saturating_mul(most))?;
    Ok(Port { shape, exponent: exponent(i32::from(x.exponent) + i32::from(gain))?, range })
}
