//! The windows of Conv, MaxPool and AveragePool.

use super::constant::at_most;
use super::wire::Wire;
use super::{MAX_ELEMENTS, Reader};
use crate::import::float::{FloatOp, Padding};
use crate::import::onnx::Op;
use crate::import::{ImportError, NodeFault};

/// Where the windows of a node lie.
pub(super) struct Window {
    pub(super) kernel: (usize, usize),
    pub(super) stride: (usize, usize),
    /// The node's own padding and the one pending before it.
    pub(super) padding: Padding,
}

impl Window {
    /// Reads a node's window over an image; a convolution's kernel is its weights'.
    pub(super) fn read(op: &Op, wire: &Wire, weights: Option<(usize, usize)>) -> Result<Self, ImportError> {
        let [_, height, width] = wire.shape[..] else {
            let wanted = "[channels, rows, columns]".into();
            return Err(op.fault(NodeFault::Shape { what: "input", wanted, found: wire.shape.clone() }));
        };
        let before = wire.padding;
        if pair(op, "dilations", 1)?.unwrap_or((1, 1)) != (1, 1) {
            return Err(op.refuse("dilations", "greater than 1", "1 only"));
        }
        let kernel = match (pair(op, "kernel_shape", 1)?, weights) {
            (Some(kernel), Some(weights)) if kernel != weights => {
                return Err(op.refuse("kernel_shape", format!("{kernel:?}"), "the weight's own"));
            }
            (kernel, weights) => {
                kernel.or(weights).ok_or_else(|| op.refuse("kernel_shape", "missing", "[rows, columns]"))?
            }
        };
        let stride = pair(op, "strides", 1)?.unwrap_or((1, 1));
        let image = (before.top + height + before.bottom, before.left + width + before.right);
        let own = own_padding(op, image, kernel, stride)?;
        Ok(Window { kernel, stride, padding: before.plus(&own) })
    }

    /// Shape of the result.
    pub(super) fn result(
        &self,
        op: &Op,
        image: &[usize],
        channels: usize,
    ) -> Result<Vec<usize>, ImportError> {
        let rows = steps(image[1] + self.padding.top + self.padding.bottom, self.kernel.0, self.stride.0);
        let columns = steps(image[2] + self.padding.left + self.padding.right, self.kernel.1, self.stride.1);
        let (Some(rows), Some(columns)) = (rows, columns) else {
            let wanted = format!("an image not smaller than the kernel {:?}", self.kernel);
            return Err(op.fault(NodeFault::Shape { what: "input", wanted, found: image.to_vec() }));
        };
        let elements = rows.checked_mul(columns).and_then(|plane| plane.checked_mul(channels));
        match elements.filter(|&elements| elements <= MAX_ELEMENTS) {
            Some(_) => Ok(vec![channels, rows, columns]),
            None => Err(op.fault(NodeFault::Large)),
        }
    }

    fn is_narrow(&self) -> bool {
        let Padding { top, left, bottom, right } = self.padding;
        top.max(bottom) < self.kernel.0 && left.max(right) < self.kernel.1
    }

    /// Refuses a margin as wide as the kernel, where a pool would see no pixel.
    fn narrow(&self, op: &Op) -> Result<(), ImportError> {
        if self.is_narrow() {
            return Ok(());
        }
        let Padding { top, left, bottom, right } = self.padding;
        Err(op.refuse(
            "pads",
            format!("[{top}, {left}, {bottom}, {right}]"),
            "less than the kernel on each side",
        ))
    }

    /// Widens the margin below and to the right as far as rounding up the number of windows reaches past it. A window that would
    /// start beyond the image and its first margin is left out, as ONNX has it, so that the margin stays below the kernel.
    fn round_up(&mut self, image: &[usize]) {
        let missing = |length: usize, before: usize, after: usize, kernel: usize, stride: usize| {
            let Some(rest) = (before + length + after).checked_sub(kernel) else { return 0 };
            let last = rest.div_ceil(stride) * stride;
            if last < before + length { last - rest } else { 0 }
        };
        let Padding { top, left, bottom, right } = self.padding;
        self.padding.bottom += missing(image[1], top, bottom, self.kernel.0, self.stride.0);
        self.padding.right += missing(image[2], left, right, self.kernel.1, self.stride.1);
    }

    /// Refuses rounding up the number of windows, unless it comes to the same.
    fn whole(&self, op: &Op, image: &[usize]) -> Result<(), ImportError> {
        let rows = image[1] + self.padding.top + self.padding.bottom;
        let columns = image[2] + self.padding.left + self.padding.right;
        let fits =
            |length: usize, kernel, stride| length.checked_sub(kernel).is_none_or(|rest| rest % stride == 0);
        let same = fits(rows, self.kernel.0, self.stride.0) && fits(columns, self.kernel.1, self.stride.1);
        if op.int("ceil_mode", 0)? == 0 || same { Ok(()) } else { Err(op.refuse("ceil_mode", 1, "0")) }
    }
}

fn steps(length: usize, kernel: usize, stride: usize) -> Option<usize> {
    Some(length.checked_sub(kernel)? / stride + 1)
}

/// A pair of lengths of at least `least`.
fn pair(op: &Op, name: &'static str, least: i64) -> Result<Option<(usize, usize)>, ImportError> {
    let takes = "two lengths (serin takes two-dimensional images)";
    match op.ints(name)? {
        None => Ok(None),
        Some(&[rows, columns]) if rows.min(columns) >= least && rows.max(columns) <= MAX_LENGTH => {
            Ok(Some((rows as usize, columns as usize)))
        }
        Some(other) => Err(op.refuse(name, format!("{other:?}"), takes)),
    }
}

fn own_padding(
    op: &Op,
    image: (usize, usize),
    kernel: (usize, usize),
    stride: (usize, usize),
) -> Result<Padding, ImportError> {
    let upper = match op.string("auto_pad", "NOTSET")? {
        "NOTSET" => return margins(op),
        "VALID" => return Ok(Padding::default()),
        "SAME_UPPER" => true,
        "SAME_LOWER" => false,
        other => return Err(op.refuse("auto_pad", other, "NOTSET, VALID, SAME_UPPER or SAME_LOWER")),
    };
    let margin = |length: usize, kernel: usize, stride: usize| {
        let total = ((length.div_ceil(stride) - 1) * stride + kernel).saturating_sub(length);
        if upper { (total / 2, total.div_ceil(2)) } else { (total.div_ceil(2), total / 2) }
    };
    let ((top, bottom), (left, right)) =
        (margin(image.0, kernel.0, stride.0), margin(image.1, kernel.1, stride.1));
    Ok(Padding { top, left, bottom, right })
}

fn margins(op: &Op) -> Result<Padding, ImportError> {
    match op.ints("pads")? {
        None => Ok(Padding::default()),
        Some(pads) => match lengths(pads).as_deref() {
            Some(&[top, left, bottom, right]) => Ok(Padding { top, left, bottom, right }),
            _ => Err(op.refuse("pads", format!("{pads:?}"), "four lengths, none negative")),
        },
    }
}

pub(super) fn lengths(values: &[i64]) -> Option<Vec<usize>> {
    values.iter().map(|&v| usize::try_from(v).ok().filter(|_| v <= MAX_LENGTH)).collect()
}

impl Reader {
    /// The greatest pixel of each window.
    pub(super) fn max_pool(&mut self, op: &Op) -> Result<Wire, ImportError> {
        op.only(&["auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "storage_order", "strides"])?;
        at_most(op, 1)?;
        let wire = self.wire(op, 0, "input")?;
        let mut window = Window::read(op, &wire, None)?;
        window.narrow(op)?;
        if op.int("ceil_mode", 0)? != 0 {
            window.round_up(&wire.shape);
        }
        let Window { kernel, stride, padding } = window;
        self.pool(op, wire, &window, FloatOp::MaxPool { kernel, stride, padding })
    }

    /// The mean of each window, or of the whole image.
    pub(super) fn average_pool(&mut self, op: &Op) -> Result<Wire, ImportError> {
        at_most(op, 1)?;
        let mut wire = self.open_wire(op, 0, "input")?;
        let window = if op.kind() == "GlobalAveragePool" {
            op.only(&[])?;
            wire = self.closed(op, wire)?;
            Window::whole_image(op, &wire)?
        } else {
            op.only(&[
                "auto_pad",
                "ceil_mode",
                "count_include_pad",
                "dilations",
                "kernel_shape",
                "pads",
                "strides",
            ])?;
            let window = self.window(op, &mut wire, None)?;
            if op.int("count_include_pad", 0)? == 0 && window.padding != wire.padding {
                return Err(op.refuse("count_include_pad", 0, "1 where it pads"));
            }
            window.narrow(op)?;
            window.whole(op, &wire.shape)?;
            window
        };
        wire.padding = Padding::default();
        let Window { kernel, stride, padding } = window;
        self.pool(op, wire, &window, FloatOp::AveragePool { kernel, stride, padding })
    }

    /// A node's window, which takes in the zeros pending around its input unless they are too many for it. A convolution's own are
    /// then put there too: they are zeros like any others, where a pool's may be left out of its mean.
    pub(super) fn window(
        &mut self,
        op: &Op,
        wire: &mut Wire,
        weights: Option<(usize, usize)>,
    ) -> Result<Window, ImportError> {
        let mut window = Window::read(op, wire, weights)?;
        if window.is_narrow() || (weights.is_none() && wire.padding.is_none()) {
            return Ok(window);
        }
        if weights.is_some() {
            wire.padding = std::mem::take(&mut window.padding);
        }
        *wire = self.closed(op, wire.clone())?;
        if weights.is_some() { Ok(window) } else { Window::read(op, wire, weights) }
    }

    fn pool(&mut self, op: &Op, wire: Wire, window: &Window, pool: FloatOp) -> Result<Wire, ImportError> {
        let shape = window.result(op, &wire.shape, wire.shape[0])?;
        let name = op.name();
        let source = self.settle(wire).map_err(|fault| op.fault(fault))?;
        Ok(self.push(name, pool, vec![source], shape))
    }
}

impl Window {
    fn whole_image(op: &Op, wire: &Wire) -> Result<Self, ImportError> {
        let [_, height, width] = wire.shape[..] else {
            let wanted = "[channels, rows, columns]".into();
            return Err(op.fault(NodeFault::Shape { what: "input", wanted, found: wire.shape.clone() }));
        };
        Ok(Window { kernel: (height, width), stride: (1, 1), padding: Padding::default() })
    }
}

/// The longest kernel, stride or margin.
const MAX_LENGTH: i64 = 1 << 16;
