//! A graph laid out from its answer back to its question: the ring of every wire, and the work of every node.
//!
//! **Rings.** A wire is shared modulo 2^k with the least k its readers can work with, found from the answer backwards:
//!
//! | reader | needs of its input |
//! |---|---|
//! | the answer | to tell apart the values of its range |
//! | matmul, conv | what its accumulators are needed in: a product of shares is one modulo their ring |
//! | rescale | to hold the accumulators' range, counted from the lower clamp, with a sign ([`Rounding::least_ring`]) |
//! | max pool | to hold the difference of two values, and what its result is needed in |
//! | add, average pool | what the result is needed in, less the bits that its factor shifts in |
//!
//! **Pools first.** Rounding keeps order, so greatest-then-rescale is rescale-then-greatest. Where a max pool is a rescale's only
//! reader and it costs fewer bytes, the pool compares accumulators and the rescale is done on what is left, a quarter for 2×2.

use serin_circuits::gates::pool::{Axis, axes};
use serin_circuits::graph::{Graph, Linear, Node, Op, Window};
use serin_circuits::tensor::Range;

use super::clamp::{self, PlanError, Rounding};
use super::plan::UnfitFault;

/// What one node takes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there is one for each node of a graph")]
pub(super) enum Work {
    /// A product with the server's weights.
    Linear(Linear),
    /// A rounding of every entry.
    Round(clamp::Plan),
    /// A rounding that the pool behind it does.
    Postponed,
    /// The greatest of each window, and a rounding of it that was put off.
    Pool {
        /// max(a, b) − a of b − a.
        rise: clamp::Plan,
        /// Along rows, then along columns.
        axes: [Axis; 2],
        /// The rounding.
        then: Option<clamp::Plan>,
    },
    /// Nothing but arithmetic on shares.
    Local,
}

/// Comparisons of each level when `values` are compared two at a time.
pub(super) fn levels(values: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(values), |n| Some(n.div_ceil(2))).take_while(|n| *n > 1).map(|n| n / 2)
}

/// Walks a graph from its answer to its question.
pub(super) struct Planner<'g> {
    graph: &'g Graph,
    readers: Vec<usize>,
    /// By wire.
    pub(super) rings: Vec<u32>,
    /// By node.
    pub(super) works: Vec<Work>,
}

impl<'g> Planner<'g> {
    pub(super) fn new(graph: &'g Graph) -> Self {
        let count = graph.nodes().len();
        let mut readers = vec![0; count + 1];
        graph.nodes().iter().flat_map(|node| &node.inputs).for_each(|wire| readers[wire.0] += 1);
        let mut rings = vec![1; count + 1];
        rings[count] = width(graph.output().range);
        Self { graph, readers, rings, works: vec![Work::Local; count] }
    }

    /// Lays one node out; those that read it have been.
    pub(super) fn node(&mut self, index: usize, node: &Node) -> Result<(), UnfitFault> {
        if self.works[index] == Work::Postponed {
            // The pool behind it has said what it needs: the same of the accumulators.
            let ring = self.rings[index + 1];
            self.need(node, [ring]);
            return Ok(());
        }
        let into = self.rings[index + 1];
        match &node.op {
            Op::MatMul(_) | Op::Conv(_) if into > MAX_RING => return Err(UnfitFault::Ring(into)),
            Op::MatMul(linear) | Op::Conv(linear) => {
                self.need(node, [into]);
                self.works[index] = Work::Linear(*linear);
            }
            Op::Add { shifts } => {
                self.need(node, shifts.map(|shift| into.saturating_sub(shift.into()).max(1)));
            }
            Op::AveragePool { multiplier, .. } => {
                self.need(node, [into.saturating_sub(multiplier.trailing_zeros()).max(1)]);
            }
            Op::Reshape { .. } | Op::Concat { .. } | Op::Slice { .. } | Op::Pad { .. } => {
                self.need(node, std::iter::repeat_n(into, node.inputs.len()));
            }
            Op::Rescale { .. } => {
                let plan = rounding(self.graph, node, into)?;
                self.need(node, [plan.rounding().ring]);
                self.works[index] = Work::Round(plan);
            }
            Op::MaxPool(window) => self.pool(index, node, window)?,
        }
        Ok(())
    }

    fn need(&mut self, node: &Node, rings: impl IntoIterator<Item = u32>) {
        for (wire, ring) in node.inputs.iter().zip(rings) {
            self.rings[wire.0] = self.rings[wire.0].max(ring);
        }
    }

    fn pool(&mut self, index: usize, node: &Node, window: &Window) -> Result<(), UnfitFault> {
        let (into, wire) = (self.rings[index + 1], node.inputs[0]);
        let port = self.graph.port(wire);
        let Ok(axes) = axes(window, &port.shape) else { return Err(UnfitFault::Positions(0)) };
        let compared: usize = axes.iter().map(|axis| axis.len() * levels(axis.most()).sum::<usize>()).sum();
        let pooled = axes[1].len();
        let at_once = rise(port.range, into)?;
        let mut work = Work::Pool { rise: at_once.clone(), axes, then: None };
        let before = wire.0.checked_sub(1).map(|at| (at, &self.graph.nodes()[at]));
        if let Some((at, source)) = before.filter(|(_, source)| matches!(source.op, Op::Rescale { .. }))
            && self.readers[wire.0] == 1
        {
            let last = rounding(self.graph, source, into)?;
            let wide = rise(self.graph.port(source.inputs[0]).range, last.rounding().ring);
            let first = rounding(self.graph, source, at_once.rounding().into)?;
            let direct = compared * at_once.weight() + port.len() * first.weight();
            if let Ok(wide) = wide
                && compared * wide.weight() + pooled * last.weight() < direct
            {
                self.works[at] = Work::Postponed;
                let Work::Pool { axes, .. } = work else { return Ok(()) };
                work = Work::Pool { rise: wide, axes, then: Some(last) };
            }
        }
        if let Work::Pool { rise, .. } = &work {
            let ring = rise.rounding().into;
            self.need(node, [ring]);
        }
        self.works[index] = work;
        Ok(())
    }
}

/// The rounding of a rescale node into a ring.
fn rounding(graph: &Graph, node: &Node, into: u32) -> Result<clamp::Plan, UnfitFault> {
    let Op::Rescale { shift, .. } = node.op else {
        return Err(UnfitFault::Rounding(PlanError::Ring(0)));
    };
    let Range { low: least, high: most } = graph.port(node.inputs[0]).range;
    let range = [least.into(), most.into()];
    // What the range can reach is clamped as the operator says, and is all there is to tell apart.
    let Range { low, high } = node.output.range;
    plan(Rounding { ring: 2, shift: shift.into(), low: low.into(), high: high.into(), range, into })
}

/// max(a, b) − a of b − a, for a and b of a range, where a is needed in `into` bits; its own results are in that many or more.
fn rise(range: Range, into: u32) -> Result<clamp::Plan, UnfitFault> {
    let span = i64::from(range.high) - i64::from(range.low);
    let rounding = Rounding { ring: 2, shift: 0, low: 0, high: span, range: [-span, span], into };
    plan(Rounding { into: into.max(rounding.least_ring()), ..rounding })
}

fn plan(rounding: Rounding) -> Result<clamp::Plan, UnfitFault> {
    Ok(clamp::Plan::new(Rounding { ring: rounding.least_ring(), ..rounding })?)
}

/// Bits that tell apart the values of a range.
pub(super) fn width(range: Range) -> u32 {
    (32 - range.high.abs_diff(range.low).leading_zeros()).max(1)
}

/// The widest ring of a product.
pub(super) const MAX_RING: u32 = 32;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use crate::protocol::private::Blueprint;
    use serin_circuits::graph::{Builder, Port, Wire};
    use std::sync::Arc;

    const BYTES: Range = Range { low: -128, high: 127 };
    const SUMS: Range = Range { low: -300_000, high: 400_000 };

    fn square(kernel: usize, stride: usize, padding: usize) -> Window {
        Window { kernel: [kernel; 2], stride: [stride; 2], padding: [padding; 4] }
    }

    /// A graph of these nodes over bytes, each on the wires it names; sums of products have [`SUMS`].
    fn graph(shape: &[usize], nodes: Vec<(Op, Vec<usize>)>) -> Graph {
        let input = Port { shape: shape.to_vec(), exponent: 0, range: BYTES };
        let mut builder = Builder::new(input).unwrap();
        for (op, inputs) in nodes {
            let inputs: Vec<Wire> = inputs.into_iter().map(Wire).collect();
            builder.push("node", op, &inputs, Some(SUMS)).unwrap();
        }
        builder.finish().unwrap()
    }

    fn relu() -> Op {
        Op::Rescale { shift: 8, low: 0, high: 127 }
    }

    fn conv() -> Op {
        let (image, window) = ([8, 8], square(3, 1, 1));
        Op::Conv(Linear { groups: 1, channels: 1, outputs: 2, window, image, weight_exponent: 0 })
    }

    fn laid(graph: &Graph) -> (Vec<u32>, Vec<Work>) {
        let mut planner = Planner::new(graph);
        for (index, node) in graph.nodes().iter().enumerate().rev() {
            planner.node(index, node).unwrap();
        }
        (planner.rings, planner.works)
    }

    #[test]
    fn wires_have_the_ring_of_their_readers_and_accumulators_that_of_their_range() {
        let dense = |inputs, outputs| Op::MatMul(Linear::dense(inputs, outputs, 0));
        let graph = graph(&[20], vec![(dense(20, 30), vec![0]), (relu(), vec![1]), (dense(30, 4), vec![2])]);
        // −300,000 to 400,000 and half a step take 20 bits with a sign, and to tell them apart.
        assert_eq!(laid(&graph).0, [20; 4]);
        let read = graph.output().range;
        assert_eq!((read, width(read), width(Range { low: 3, high: 3 })), (SUMS, 20, 1));
    }

    #[test]
    fn pool_goes_before_a_rescale_that_nothing_else_reads_and_only_where_it_is_cheaper() {
        let pool = |window| {
            graph(&[1, 8, 8], vec![(conv(), vec![0]), (relu(), vec![1]), (Op::MaxPool(window), vec![2])])
        };
        let (rings, works) = laid(&pool(square(2, 2, 0)));
        assert!(matches!(works[..], [Work::Linear(_), Work::Postponed, Work::Pool { then: Some(_), .. }]));
        // The difference of two accumulators takes a bit more.
        assert_eq!(rings, [21, 21, 21, 7]);
        // Windows that overlap leave as many values as they take, and compare each with many.
        let (rings, works) = laid(&pool(square(3, 1, 1)));
        assert!(matches!(works[1..], [Work::Round(_), Work::Pool { then: None, .. }]));
        assert_eq!(rings, [20, 20, 8, 7]);
        // Read twice, the rescaled values are needed.
        let (_, works) = laid(&graph(
            &[1, 8, 8],
            vec![
                (conv(), vec![0]),
                (relu(), vec![1]),
                (Op::MaxPool(square(2, 2, 0)), vec![2]),
                (Op::Slice { starts: vec![0; 3], steps: vec![1, 2, 2], shape: vec![2, 4, 4] }, vec![2]),
                (Op::Add { shifts: [0, 0] }, vec![3, 4]),
            ],
        ));
        assert!(matches!(works[1..3], [Work::Round(_), Work::Pool { then: None, .. }]));
    }

    #[test]
    fn tournament_of_any_width_compares_each_but_one() {
        for values in 1..40 {
            assert_eq!(levels(values).sum::<usize>(), values - 1);
        }
    }

    #[test]
    fn positions_beyond_a_lot_are_refused_before_anything_is_planned() {
        // A wide question, cut down at once: few comparisons, but large wires.
        let cut = Op::Slice { starts: vec![0; 3], steps: vec![1, 64, 64], shape: vec![3, 1, 1] };
        let graph = graph(&[3, 64, 64], vec![(cut, vec![0]), (relu(), vec![1])]);
        let blueprint = Arc::new(Blueprint::of(&graph).unwrap().under(127).unwrap());
        let most = blueprint.most_positions();
        assert!(most.is_power_of_two() && most * 3 * 64 * 64 <= 1 << 26);
        for positions in [0, 1 << 20, u32::MAX as usize] {
            assert!(blueprint.plan(positions).is_err(), "{positions}");
        }
    }
}
