//! The secret half of a model, and its layout as one committed vector.
//!
//! [`Weights`] holds, for each linear node of a graph in order, its weight and bias integers. [`Weights::new`] checks
//! them against the graph: sizes, and that the range the graph declares for each node covers what the weights can
//! produce ([`accumulator_range`]), so that no input in the declared range can overflow an honest server.
//!
//! [`Layout`] places every tensor, each axis group padded to a power of two, as an aligned sub-cube of one vector of
//! 2^n entries: a claim on one tensor's multilinear extension is then a claim on the whole vector's at a point whose
//! leading coordinates are the bits of the sub-cube's index. Sub-cubes are placed by falling size, so all are aligned
//! without gaps; the tail is zero. The layout depends on the graph alone.
//!
//! Weight tensors are padded as axes (group, output, channel, kernel offset), the last one flattened over both kernel
//! directions; biases as (group, output).

use std::fmt;

use crate::codec::{self, DecodeError, Reader, Writer};
use crate::graph::{Fault, Graph, GraphDecodeError, GraphError, Linear, MAX_SAMPLE};
use crate::tensor::Range;

/// log₂ of the longest committed vector; a model beyond it is refused.
pub const MAX_BITS: usize = 30;

const HEADER: &str = "serin-model/1\n";

/// The integers of one linear node.
#[derive(Clone, PartialEq, Eq)]
pub struct LinearWeights {
    /// `[groups·outputs, channels, kernel₀, kernel₁]`, row-major.
    pub weight: Vec<i32>,
    /// `[groups·outputs]`, at the accumulator's scale.
    pub bias: Vec<i32>,
}

/// All weights of a model, one entry per linear node in order. `Debug` shows sizes only.
#[derive(Clone, PartialEq, Eq)]
pub struct Weights {
    tensors: Vec<LinearWeights>,
}

impl fmt::Debug for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Weights({} linear nodes)", self.tensors.len())
    }
}

/// The range of a linear node's accumulators over all inputs in `input`: the least and greatest over output channels
/// of b + Σ over weights of the worse end of the input range. Zero padding counts as an input of 0.
pub fn accumulator_range(linear: &Linear, weights: &LinearWeights, input: Range) -> (i64, i64) {
    let (mut x_low, mut x_high) = (i64::from(input.low), i64::from(input.high));
    if linear.window.padding.iter().any(|p| *p > 0) {
        (x_low, x_high) = (x_low.min(0), x_high.max(0));
    }
    // Three products can leave i64, and a sum that had been cut off there could come back into range: it is cut off at the end.
    let mut range = (i128::MAX, i128::MIN);
    for (row, bias) in weights.weight.chunks_exact(linear.fan_in().max(1)).zip(&weights.bias) {
        let (mut low, mut high) = (i128::from(*bias), i128::from(*bias));
        for w in row {
            let (a, b) = (i64::from(*w) * x_low, i64::from(*w) * x_high);
            low += i128::from(a.min(b));
            high += i128::from(a.max(b));
        }
        range = (range.0.min(low), range.1.max(high));
    }
    let cut = |sum: i128| sum.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
    (cut(range.0), cut(range.1))
}

impl Weights {
    /// Checks the weights against the graph.
    pub fn new(graph: &Graph, tensors: Vec<LinearWeights>) -> Result<Self, GraphError> {
        if Layout::of(graph).bits() > MAX_BITS {
            return Err(GraphError { node: "weights".into(), fault: Fault::TooLarge("their number") });
        }
        let linears: Vec<_> = graph.linears().collect();
        if linears.len() != tensors.len() {
            let text = format!(
                "the graph has {} linear nodes and {} were given weights",
                linears.len(),
                tensors.len()
            );
            return Err(GraphError { node: "weights".into(), fault: Fault::Weights(text) });
        }
        for ((index, linear), tensor) in linears.into_iter().zip(&tensors) {
            let node = &graph.nodes()[index];
            let input = graph.port(node.inputs[0]).range;
            check(linear, tensor, input, node.output.range)
                .map_err(|fault| GraphError { node: node.name.clone(), fault })?;
        }
        Ok(Self { tensors })
    }

    /// The tensors, one entry per linear node in order.
    pub fn tensors(&self) -> &[LinearWeights] {
        &self.tensors
    }

    /// Number of integers, biases included.
    pub fn count(&self) -> usize {
        self.tensors.iter().map(|t| t.weight.len() + t.bias.len()).sum()
    }

    /// The used part of the committed vector: every tensor in its place, zeros between.
    pub fn flatten(&self, layout: &Layout) -> Vec<i32> {
        let mut vector = vec![0; layout.used()];
        for (tensor, places) in self.tensors.iter().zip(&layout.places) {
            places.weight.scatter(&tensor.weight, &mut vector);
            places.bias.scatter(&tensor.bias, &mut vector);
        }
        vector
    }
}

fn check(linear: &Linear, tensor: &LinearWeights, input: Range, declared: Range) -> Result<(), Fault> {
    let expected = [linear.weight_count(), linear.output_channels()];
    let given = [tensor.weight.len(), tensor.bias.len()];
    if expected != given {
        let text = format!("takes {expected:?} weights and biases and was given {given:?}");
        return Err(Fault::Weights(text));
    }
    let (low, high) = accumulator_range(linear, tensor, input);
    match Range::from_wide(low, high) {
        None => Err(Fault::Unbounded { low, high }),
        Some(actual) if !declared.covers(&actual) => {
            Err(Fault::Weights(format!("its weights reach {actual}, beyond the declared {declared}")))
        }
        Some(_) => Ok(()),
    }
}

/// The place of one tensor in the committed vector: an aligned sub-cube whose index bits are the tensor's padded axes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// First entry; a multiple of the sub-cube's size.
    pub offset: usize,
    /// The tensor's own axes, outermost first.
    pub axes: Vec<usize>,
}

impl Place {
    /// Bits of each padded axis.
    pub fn axis_bits(&self) -> impl DoubleEndedIterator<Item = usize> {
        self.axes.iter().map(|d| log2_ceil(*d))
    }

    /// Bits of the whole sub-cube.
    pub fn bits(&self) -> usize {
        self.axis_bits().sum()
    }

    fn scatter(&self, values: &[i32], vector: &mut [i32]) {
        let cube = &mut vector[self.offset..self.offset + (1 << self.bits())];
        spread(&self.axes, values, cube);
    }
}

/// Copies a dense row-major tensor into one whose axes are padded to powers of two. Entries of padding are untouched.
pub fn spread<T: Copy>(axes: &[usize], values: &[T], padded: &mut [T]) {
    let Some((&outer, inner)) = axes.split_first() else {
        padded[0] = values[0];
        return;
    };
    if inner.is_empty() {
        padded[..outer].copy_from_slice(values);
        return;
    }
    let dense: usize = inner.iter().product();
    let cube = 1 << inner.iter().map(|d| log2_ceil(*d)).sum::<usize>();
    for (from, to) in values.chunks_exact(dense).zip(padded.chunks_exact_mut(cube)) {
        spread(inner, from, to);
    }
}

/// The two places of one linear node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// Axes (group, output, channel, kernel offset).
    pub weight: Place,
    /// Axes (group, output).
    pub bias: Place,
}

/// Where each tensor of a graph stands in the committed vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    places: Vec<Places>,
    used: usize,
}

impl Layout {
    /// The layout of a graph's weights.
    pub fn of(graph: &Graph) -> Self {
        let place = |axes: Vec<usize>| Place { offset: 0, axes };
        let mut places: Vec<Places> = graph
            .linears()
            .map(|(_, l)| Places {
                weight: place(vec![l.groups, l.outputs, l.channels, l.window.area()]),
                bias: place(vec![l.groups, l.outputs]),
            })
            .collect();
        let mut order: Vec<&mut Place> =
            places.iter_mut().flat_map(|p| [&mut p.weight, &mut p.bias]).collect();
        order.sort_by_key(|place| std::cmp::Reverse(place.bits()));
        let mut end = 0;
        for place in order {
            place.offset = end;
            end += 1 << place.bits();
        }
        Self { places, used: end.max(1) }
    }

    /// One entry per linear node in order.
    pub fn places(&self) -> &[Places] {
        &self.places
    }

    /// n: the vector has 2^n entries.
    pub fn bits(&self) -> usize {
        log2_ceil(self.used)
    }

    /// Entries up to the end of the last tensor; those behind are zero.
    pub fn used(&self) -> usize {
        self.used
    }
}

/// ⌈log₂ n⌉, 0 for n ≤ 1.
pub fn log2_ceil(n: usize) -> usize {
    n.max(1).next_power_of_two().trailing_zeros() as usize
}

/// Graph and weights as one file.
pub fn encode_model(graph: &Graph, weights: &Weights) -> Vec<u8> {
    let mut w = Writer::new();
    w.raw(HEADER.as_bytes()).bytes(&graph.encode());
    for tensor in &weights.tensors {
        for values in [&tensor.weight, &tensor.bias] {
            let low = values.iter().copied().min().unwrap_or(0);
            let high = values.iter().copied().max().unwrap_or(0);
            w.i32(low).i32(high).raw(&codec::pack(values, Range { low, high }));
        }
    }
    w.finish()
}

/// Reads a model file; everything in it is checked.
pub fn decode_model(bytes: &[u8]) -> Result<(Graph, Weights), GraphDecodeError> {
    let mut r = Reader::new(bytes);
    r.header(HEADER)?;
    let graph = Graph::decode(r.bytes("graph", bytes.len())?)?;
    let mut tensors = Vec::new();
    for (_, linear) in graph.linears() {
        let weight = read_values(&mut r, linear.weight_count())?;
        let bias = read_values(&mut r, linear.output_channels())?;
        tensors.push(LinearWeights { weight, bias });
    }
    r.finish()?;
    let weights = Weights::new(&graph, tensors)?;
    Ok((graph, weights))
}

fn read_values(r: &mut Reader<'_>, count: usize) -> Result<Vec<i32>, DecodeError> {
    debug_assert!(count <= MAX_SAMPLE);
    let (low, high) = (r.i32("least weight")?, r.i32("greatest weight")?);
    let range =
        Range::new(low, high).ok_or_else(|| r.bad_value("greatest weight", u64::from(high as u32)))?;
    let values = r.packed("weights", count, range)?;
    // A wider range than the values' own would be a second encoding of the same model.
    let ends = [values.iter().min(), values.iter().max()];
    if ends != [Some(&low), Some(&high)] {
        return Err(r.bad_value("range of weights", u64::from(high.abs_diff(low))));
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Builder, Op, Port, Wire};

    #[test]
    fn weights_beyond_the_longest_vector_refused_before_they_are_counted() {
        let range = Range { low: 0, high: 1 };
        let input = Port { shape: vec![1 << 13], exponent: 0, range };
        let mut builder = Builder::new(input).expect("sized");
        let mut wire = Wire::INPUT;
        for layer in 0..10 {
            let [from, to] = if layer % 2 == 0 { [1 << 13, 1 << 14] } else { [1 << 14, 1 << 13] };
            let dense = Op::MatMul(Linear::dense(from, to, 0));
            wire = builder.push("dense", dense, &[wire], Some(range)).expect("consistent");
        }
        let graph = builder.finish().expect("ten nodes");
        let error = Weights::new(&graph, Vec::new()).expect_err("2^30 weights and more");
        assert_eq!(error.fault, Fault::TooLarge("their number"));
    }
}
