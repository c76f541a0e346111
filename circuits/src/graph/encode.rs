//! The canonical encoding of a graph. Only what cannot be derived is written; decoding rebuilds the rest.

use super::{
    Builder, Graph, GraphError, Linear, MAX_AXES, MAX_INPUTS, MAX_NAME, MAX_NODES, MAX_SAMPLE, Op, Port,
    Window, Wire,
};
use crate::codec::{DecodeError, Reader, Writer};
use crate::tensor::Range;

const HEADER: &str = "serin-graph/1\n";

/// A graph that does not decode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GraphDecodeError {
    /// The bytes are malformed.
    #[error(transparent)]
    Bytes(#[from] DecodeError),
    /// The bytes name a graph that is not consistent.
    #[error(transparent)]
    Graph(#[from] GraphError),
}

impl Graph {
    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.raw(HEADER.as_bytes());
        shape(&mut w, &self.input.shape);
        w.u8(self.input.exponent as u8);
        range(&mut w, self.input.range);
        w.size(self.nodes.len());
        for node in &self.nodes {
            w.bytes(node.name.as_bytes());
            op(&mut w, &node.op, node.output.range);
            for wire in &node.inputs {
                w.size(wire.0);
            }
        }
        w.finish()
    }

    /// Reads canonical bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, GraphDecodeError> {
        let mut r = Reader::new(bytes);
        let graph = Self::read(&mut r)?;
        r.finish()?;
        Ok(graph)
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, GraphDecodeError> {
        r.header(HEADER)?;
        let input =
            Port { shape: read_shape(r)?, exponent: r.u8("input exponent")? as i8, range: read_range(r)? };
        let mut builder = Builder::new(input)?;
        for _ in 0..r.size("node count", MAX_NODES)? {
            let name = r.string("node name", MAX_NAME)?;
            let (op, declared) = read_op(r)?;
            let mut inputs = Vec::with_capacity(op.arity());
            for _ in 0..op.arity() {
                inputs.push(Wire(r.size("wire", MAX_NODES)?));
            }
            builder.push(&name, op, &inputs, declared)?;
        }
        Ok(builder.finish()?)
    }
}

fn shape(w: &mut Writer, shape: &[usize]) {
    w.size(shape.len());
    shape.iter().for_each(|d| {
        w.size(*d);
    });
}

fn read_shape(r: &mut Reader<'_>) -> Result<Vec<usize>, DecodeError> {
    let axes = r.size("axes", MAX_AXES)?;
    (0..axes).map(|_| r.size("axis", MAX_SAMPLE)).collect()
}

fn range(w: &mut Writer, range: Range) {
    w.i32(range.low).i32(range.high);
}

fn read_range(r: &mut Reader<'_>) -> Result<Range, DecodeError> {
    let (low, high) = (r.i32("range low")?, r.i32("range high")?);
    Range::new(low, high).ok_or_else(|| r.bad_value("range high", u64::from(high as u32)))
}

fn op(w: &mut Writer, op: &Op, output: Range) {
    match op {
        Op::MatMul(linear) => {
            w.u8(0).size(linear.channels).size(linear.outputs).u8(linear.weight_exponent as u8);
            range(w, output);
        }
        Op::Conv(linear) => {
            w.u8(1).size(linear.groups).size(linear.channels).size(linear.outputs);
            window(w, &linear.window);
            w.size(linear.image[0]).size(linear.image[1]).u8(linear.weight_exponent as u8);
            range(w, output);
        }
        Op::Add { shifts } => {
            w.u8(2).u8(shifts[0]).u8(shifts[1]);
        }
        Op::Rescale { shift, low, high } => {
            w.u8(3).u8(*shift).i32(*low).i32(*high);
        }
        Op::MaxPool(pool) => {
            w.u8(4);
            window(w, pool);
        }
        Op::AveragePool { window: pool, multiplier, gain } => {
            w.u8(5);
            window(w, pool);
            w.i32(*multiplier).u8(*gain);
        }
        Op::Reshape { shape: to } => {
            w.u8(6);
            shape(w, to);
        }
        Op::Concat { axis, inputs } => {
            w.u8(7).size(*axis).size(*inputs);
        }
        Op::Slice { starts, steps, shape: to } => {
            w.u8(8);
            [starts, steps, to].into_iter().for_each(|list| shape(w, list));
        }
        Op::Pad { before, after } => {
            w.u8(9);
            [before, after].into_iter().for_each(|list| shape(w, list));
        }
    }
}

fn read_op(r: &mut Reader<'_>) -> Result<(Op, Option<Range>), DecodeError> {
    let op = match r.u8("operator")? {
        0 => {
            let (inputs, outputs) = (r.size("inputs", MAX_SAMPLE)?, r.size("outputs", MAX_SAMPLE)?);
            let linear = Linear::dense(inputs, outputs, r.u8("weight exponent")? as i8);
            return Ok((Op::MatMul(linear), Some(read_range(r)?)));
        }
        1 => {
            let linear = Linear {
                groups: r.size("groups", MAX_SAMPLE)?,
                channels: r.size("channels", MAX_SAMPLE)?,
                outputs: r.size("outputs", MAX_SAMPLE)?,
                window: read_window(r)?,
                image: [r.size("image height", MAX_SAMPLE)?, r.size("image width", MAX_SAMPLE)?],
                weight_exponent: r.u8("weight exponent")? as i8,
            };
            return Ok((Op::Conv(linear), Some(read_range(r)?)));
        }
        2 => Op::Add { shifts: [r.u8("shift")?, r.u8("shift")?] },
        3 => Op::Rescale { shift: r.u8("shift")?, low: r.i32("low")?, high: r.i32("high")? },
        4 => Op::MaxPool(read_window(r)?),
        5 => {
            Op::AveragePool { window: read_window(r)?, multiplier: r.i32("multiplier")?, gain: r.u8("gain")? }
        }
        6 => Op::Reshape { shape: read_shape(r)? },
        7 => Op::Concat { axis: r.size("axis", MAX_AXES)?, inputs: r.size("joined wires", MAX_INPUTS)? },
        8 => Op::Slice { starts: read_shape(r)?, steps: read_shape(r)?, shape: read_shape(r)? },
        9 => Op::Pad { before: read_shape(r)?, after: read_shape(r)? },
        other => return Err(r.bad_value("operator", u64::from(other))),
    };
    Ok((op, None))
}

fn window(w: &mut Writer, window: &Window) {
    let Window { kernel, stride, padding } = window;
    for v in kernel.iter().chain(stride).chain(padding) {
        w.size(*v);
    }
}

fn read_window(r: &mut Reader<'_>) -> Result<Window, DecodeError> {
    let mut v = [0; 8];
    for slot in &mut v {
        *slot = r.size("window", MAX_SAMPLE)?;
    }
    let [k0, k1, s0, s1, top, left, bottom, right] = v;
    Ok(Window { kernel: [k0, k1], stride: [s0, s1], padding: [top, left, bottom, right] })
}
