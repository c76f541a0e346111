//! A graph as a proof sees it: products with weights, public affine maps, and rounding clamps; nothing else.
//!
//! [`Gates::of`] unfolds every operator into [`Gate`]s over numbered values. Value 0 is the input, every gate makes the next one,
//! and each node's last gate is its output. One sample of a value is a flat vector, row-major, whatever its shape:
//!
//! | operator | gates |
//! |---|---|
//! | matmul, conv | one [`Gate::Linear`] |
//! | rescale, clamp, ReLU | one [`Gate::Clamp`] |
//! | max pool | (kernel₀ − 1) + (kernel₁ − 1) clamps, greatest of two each: along rows, then along columns |
//! | add, average pool, and all that only moves entries | one [`Gate::Affine`] |
//!
//! A linear form over a value, one coefficient per entry, moves through an affine gate by the transposed map
//! ([`Term::transpose`]), exactly and without anything said. That is all a proof does with these gates.
//!
//! Errors: a graph whose maps hold more than [`MAX_PAIRS`] entries, or whose pools take more than [`MAX_VALUES`] values, is refused by
//! node name.

pub mod pool;

use crate::field::{Ext, from_i64, scale};
use crate::graph::{Fault, Graph, GraphError, Linear, Node, Op, Port, Window};
use crate::relation::clamp::Clamp;
use crate::tensor::Range;

/// Most entries of all index maps together.
pub const MAX_PAIRS: usize = 1 << 25;
/// Most values of a graph before its last pool: a pool of one wide window takes two for each entry it reads.
pub const MAX_VALUES: usize = 1 << 16;

/// How entries of a source meet entries of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Map {
    /// Entry i meets entry i.
    Same,
    /// (to, from) pairs.
    Pairs(Vec<[u32; 2]>),
}

/// One summand of an affine gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// The value it reads.
    pub value: usize,
    /// The public factor.
    pub coefficient: i64,
    /// Which entries.
    pub map: Map,
}

/// How a value is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gate {
    /// The questions.
    Input,
    /// The accumulators of a linear node, bias included.
    Linear {
        /// Its position among linear nodes.
        linear_index: usize,
        /// Its geometry.
        geometry: Linear,
        /// The value it reads.
        input: usize,
    },
    /// Σ coefficient · source.
    Affine(Vec<Term>),
    /// base + clamp(round(input)).
    Clamp {
        /// The rounding and its bounds.
        clamp: Clamp,
        /// The value that is rounded.
        input: usize,
        /// The value it is added to, zero if none.
        base: Option<usize>,
    },
}

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// The node it belongs to; the first one's for the input.
    pub node: usize,
    /// Entries of one sample.
    pub len: usize,
    /// The integers that can occur.
    pub range: [i64; 2],
    /// How it is made.
    pub gate: Gate,
}

/// A graph unfolded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gates {
    values: Vec<Value>,
}

impl Term {
    /// Adds to `onto`, a form over the source, what `form` over the result comes to.
    pub fn transpose(&self, form: &[Ext], onto: &mut [Ext]) {
        let factor = from_i64(self.coefficient);
        let scaled = |e: &Ext| if self.coefficient == 1 { *e } else { scale(e, factor) };
        match &self.map {
            Map::Same => onto.iter_mut().zip(form).for_each(|(to, e)| *to += scaled(e)),
            Map::Pairs(pairs) => {
                pairs.iter().for_each(|[to, from]| onto[*from as usize] += scaled(&form[*to as usize]));
            }
        }
    }

    /// Adds this summand to one sample of the result.
    pub fn apply(&self, source: &[i32], onto: &mut [i64]) {
        match &self.map {
            Map::Same => {
                onto.iter_mut().zip(source).for_each(|(to, v)| *to += self.coefficient * i64::from(*v));
            }
            Map::Pairs(pairs) => pairs.iter().for_each(|[to, from]| {
                onto[*to as usize] += self.coefficient * i64::from(source[*from as usize]);
            }),
        }
    }
}

impl Gates {
    /// Unfolds a graph.
    ///
    /// # Errors
    /// [`GraphError`], if its maps are larger than [`MAX_PAIRS`] or its values more than [`MAX_VALUES`].
    pub fn of(graph: &Graph) -> Result<Self, GraphError> {
        let input = graph.input();
        let first = Value { node: 0, len: input.len(), range: wide(input.range), gate: Gate::Input };
        let mut unfolding = Unfolding { values: vec![first], wires: vec![0], pairs: 0, linears: 0 };
        for (index, node) in graph.nodes().iter().enumerate() {
            let value = unfolding
                .unfold(graph, index, node)
                .map_err(|fault| GraphError { node: node.name.clone(), fault })?;
            unfolding.wires.push(value);
        }
        Ok(Self { values: unfolding.values })
    }

    /// The values in order.
    pub fn values(&self) -> &[Value] {
        &self.values
    }
}

fn wide(range: Range) -> [i64; 2] {
    [range.low.into(), range.high.into()]
}

struct Unfolding {
    values: Vec<Value>,
    /// The value of each wire.
    wires: Vec<usize>,
    pairs: usize,
    linears: usize,
}

impl Unfolding {
    fn push(&mut self, node: usize, len: usize, range: [i64; 2], gate: Gate) -> usize {
        self.values.push(Value { node, len, range, gate });
        self.values.len() - 1
    }

    /// An index map, if there is room for it. `count` is the most pairs it can hold.
    fn map(&mut self, count: usize, make: impl FnOnce(&mut Vec<[u32; 2]>)) -> Result<Map, Fault> {
        self.pairs = self.pairs.saturating_add(count);
        if self.pairs > MAX_PAIRS {
            return Err(Fault::TooLarge("the number of entries its windows read"));
        }
        if self.values.len() > MAX_VALUES {
            return Err(Fault::TooLarge("the number of values its windows compare"));
        }
        let mut pairs = Vec::with_capacity(count);
        make(&mut pairs);
        Ok(Map::Pairs(pairs))
    }

    /// Appends a node's gates and returns its output's value.
    fn unfold(&mut self, graph: &Graph, index: usize, node: &Node) -> Result<usize, Fault> {
        let inputs: Vec<usize> = node.inputs.iter().map(|wire| self.wires[wire.0]).collect();
        let gate = match &node.op {
            Op::MatMul(geometry) | Op::Conv(geometry) => {
                self.linears += 1;
                Gate::Linear { linear_index: self.linears - 1, geometry: *geometry, input: inputs[0] }
            }
            Op::Add { shifts } => {
                let term = |(value, shift): (&usize, &u8)| Term {
                    value: *value,
                    coefficient: 1 << shift,
                    map: Map::Same,
                };
                Gate::Affine(inputs.iter().zip(shifts).map(term).collect())
            }
            Op::Rescale { shift, low, high } => {
                let clamp = Clamp::new(*shift, (*low).into(), (*high).into(), self.values[inputs[0]].range);
                Gate::Clamp { clamp, input: inputs[0], base: None }
            }
            Op::MaxPool(window) => {
                let shape = &graph.port(node.inputs[0]).shape;
                return self.max_pool(index, window, shape, inputs[0]);
            }
            Op::AveragePool { window, multiplier, .. } => {
                let shape = &graph.port(node.inputs[0]).shape;
                let map = self.average_map(window, shape, &node.output.shape)?;
                Gate::Affine(vec![Term { value: inputs[0], coefficient: (*multiplier).into(), map }])
            }
            Op::Reshape { .. } | Op::Concat { .. } | Op::Slice { .. } | Op::Pad { .. } => {
                Gate::Affine(self.moved(graph, node, &inputs)?)
            }
        };
        Ok(self.push(index, node.output.len(), wide(node.output.range), gate))
    }

    /// One summand an input of an operator that only moves entries.
    fn moved(&mut self, graph: &Graph, node: &Node, inputs: &[usize]) -> Result<Vec<Term>, Fault> {
        let ports: Vec<&Port> = node.inputs.iter().map(|wire| graph.port(*wire)).collect();
        let mut terms = Vec::with_capacity(inputs.len());
        for (input, value) in inputs.iter().enumerate() {
            let mut runs = Vec::new();
            node.op.moves(&ports, &node.output, |run| {
                if run.input == input {
                    runs.push([run.to, run.from, run.len]);
                }
            });
            let map = match runs[..] {
                [[0, 0, len]] if len == ports[input].len() && len == node.output.len() => Map::Same,
                _ => self.map(runs.iter().map(|[_, _, len]| len).sum(), |pairs| {
                    for [to, from, len] in &runs {
                        pairs.extend((0..*len).map(|i| [(to + i) as u32, (from + i) as u32]));
                    }
                })?,
            };
            terms.push(Term { value: *value, coefficient: 1, map });
        }
        Ok(terms)
    }

    fn average_map(&mut self, window: &Window, from: &[usize], to: &[usize]) -> Result<Map, Fault> {
        let count = to.iter().product::<usize>().saturating_mul(window.area());
        self.map(count, |pairs| {
            window.covers(from, to, |to, from| pairs.push([to as u32, from as u32]));
        })
    }
}

fn image(shape: &[usize]) -> [usize; 3] {
    // The graph gives pools an image.
    shape.try_into().unwrap_or([0; 3])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::graph::{Builder, Wire};
    use crate::reference;
    use crate::tensor::Tensor;
    use crate::weights::Weights;

    /// Computes one sample gate by gate; graphs without linear nodes only.
    fn compute(gates: &Gates, input: &[i32]) -> Vec<i32> {
        let mut values: Vec<Vec<i32>> = Vec::new();
        for value in gates.values() {
            let made = match &value.gate {
                Gate::Input => input.to_vec(),
                Gate::Linear { .. } => unreachable!("no graph here has a linear node"),
                Gate::Affine(terms) => {
                    let mut sum = vec![0; value.len];
                    terms.iter().for_each(|term| term.apply(&values[term.value], &mut sum));
                    sum.iter().map(|v| i32::try_from(*v).expect("in range")).collect()
                }
                Gate::Clamp { clamp, input, base } => {
                    let lookups = clamp.lookups();
                    let firsts: Vec<i64> = lookups.iter().map(|l| l.table.first()).collect();
                    let (mut columns, mut rows) = (vec![0; clamp.columns()], vec![0; lookups.len()]);
                    let entry = |i: usize| {
                        let base = base.map_or(0, |base| values[base][i]);
                        clamp.fill(values[*input][i].into(), base.into(), &firsts, &mut columns, &mut rows);
                        columns[0]
                    };
                    (0..value.len).map(entry).collect()
                }
            };
            assert!(made.iter().all(|v| (value.range[0]..=value.range[1]).contains(&i64::from(*v))));
            values.push(made);
        }
        values.pop().expect("at least the input")
    }

    fn check(shape: &[usize], op: Op, values: Vec<i32>) {
        let range = Range { low: -1000, high: 1000 };
        let mut builder = Builder::new(Port { shape: shape.to_vec(), exponent: 0, range }).expect("sized");
        builder.push("op", op, &[Wire::INPUT], None).expect("consistent");
        let graph = builder.finish().expect("one node");
        let x = Tensor::new(1, shape, values.clone()).expect("sized");
        let weights = Weights::new(&graph, Vec::new()).expect("none needed");
        let expected = reference::infer(&graph, &weights, x);
        assert_eq!(compute(&Gates::of(&graph).expect("small"), &values), expected.values());
    }

    proptest! {
        #[test]
        fn gates_of_any_pool_compute_what_the_reference_does(
            (k0, k1) in (1usize..5, 1usize..5),
            stride in [1usize..4, 1usize..4],
            pads in [0usize..5, 0usize..5, 0usize..5, 0usize..5],
            (h, w) in (4usize..8, 4usize..8),
            values in proptest::collection::vec(-1000i32..1000, 2 * 7 * 7),
        ) {
            let padding = [pads[0] % k0, pads[1] % k1, pads[2] % k0, pads[3] % k1];
            let window = Window { kernel: [k0, k1], stride, padding };
            let values = values[..2 * h * w].to_vec();
            check(&[2, h, w], Op::MaxPool(window), values.clone());
            check(&[2, h, w], Op::AveragePool { window, multiplier: 3, gain: 2 }, values);
        }
    }

    #[test]
    fn window_of_hostile_reach_refused() {
        let reach = 1 << 12;
        let window = Window { kernel: [1, reach], stride: [1, 1], padding: [0, reach - 1, 0, reach - 1] };
        let range = Range { low: 0, high: 1 };
        let mut builder = Builder::new(Port { shape: vec![1, 1, reach], exponent: 0, range }).expect("sized");
        builder.push("pool", Op::MaxPool(window), &[Wire::INPUT], None).expect("consistent");
        let error = Gates::of(&builder.finish().expect("one node")).expect_err("2^25 pairs");
        assert_eq!(error.node, "pool");
    }

    #[test]
    fn window_over_one_long_row_refused() {
        let length = 1 << 18;
        let window = Window { kernel: [1, length], stride: [1, 1], padding: [0; 4] };
        let range = Range { low: 0, high: 1 };
        let mut builder =
            Builder::new(Port { shape: vec![1, 1, length], exponent: 0, range }).expect("sized");
        builder.push("pool", Op::MaxPool(window), &[Wire::INPUT], None).expect("consistent");
        let error = Gates::of(&builder.finish().expect("one node")).expect_err("2^19 values");
        assert_eq!(error.fault, Fault::TooLarge("the number of values its windows compare"));
    }
}
