//! Where the entries go that `Reshape`, `Concat`, `Slice` and `Pad` move: each entry of such an output is one entry of an input, or zero.
//!
//! The map is of one sample, over flat row-major positions, and comes as [`Run`]s of neighbours: every output entry that is not zero
//! lies in exactly one run, and the rest are zero. Whoever computes copies along it, whoever proves transposes it; it has no values.
//! All positions are within the ports of a built graph, so a caller may index with them.

use super::{Op, Port};

/// Neighbouring entries that stay neighbours: input entries from.. become output entries to.., `len` of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// First entry of the output.
    pub to: usize,
    /// Which input.
    pub input: usize,
    /// First entry of that input.
    pub from: usize,
    /// Entries, at least one.
    pub len: usize,
}

impl Op {
    /// Visits where this operator moves entries from, given its ports; an operator that computes moves none.
    pub fn moves(&self, inputs: &[&Port], output: &Port, mut visit: impl FnMut(Run)) {
        let origin = || vec![0; output.shape.len()];
        let unit = || vec![1; output.shape.len()];
        let mut copy = |input: usize, lengths: &[usize], starts: &[usize], steps: &[usize], to: &[usize]| {
            let axis = |axis| Axis {
                length: lengths[axis],
                from: Side { start: starts[axis], step: steps[axis], extent: inputs[input].shape[axis] },
                to: Side { start: to[axis], step: 1, extent: output.shape[axis] },
            };
            let axes: Vec<Axis> = (0..lengths.len()).map(axis).collect();
            spread(&axes, Run { to: 0, input, from: 0, len: 1 }, &mut visit);
        };
        match self {
            Op::Reshape { .. } => visit(Run { to: 0, input: 0, from: 0, len: output.len() }),
            Op::Concat { axis, .. } => {
                let mut to = origin();
                for (input, port) in inputs.iter().enumerate() {
                    copy(input, &port.shape, &origin(), &unit(), &to);
                    to[*axis] += port.shape[*axis];
                }
            }
            Op::Slice { starts, steps, shape } => copy(0, shape, starts, steps, &origin()),
            Op::Pad { before, .. } => copy(0, &inputs[0].shape, &origin(), &unit(), before),
            Op::MatMul(_)
            | Op::Conv(_)
            | Op::Add { .. }
            | Op::Rescale { .. }
            | Op::MaxPool(_)
            | Op::AveragePool { .. } => {}
        }
    }
}

/// One axis of a box that is copied.
struct Axis {
    length: usize,
    from: Side,
    to: Side,
}

/// Where the box lies on an axis of a tensor: at start + i·step, of 0..extent.
struct Side {
    start: usize,
    step: usize,
    extent: usize,
}

impl Axis {
    /// Whether neighbours on this axis stay neighbours.
    fn is_dense(&self) -> bool {
        self.from.step == 1 || self.length == 1
    }

    /// Whether the box is all there is on this axis, on both sides.
    fn is_whole(&self) -> bool {
        self.is_dense() && self.from.extent == self.length && self.to.extent == self.length
    }
}

/// Visits the runs of the box that `axes` describe, `run` being where its outer axes have led, in units of what is within.
fn spread(axes: &[Axis], run: Run, visit: &mut impl FnMut(Run)) {
    let Some((axis, inner)) = axes.split_first() else {
        return visit(run);
    };
    let to = run.to * axis.to.extent + axis.to.start;
    let from = run.from * axis.from.extent + axis.from.start;
    if axis.is_dense() && inner.iter().all(Axis::is_whole) {
        let within: usize = inner.iter().map(|axis| axis.length).product();
        return visit(Run { to: to * within, from: from * within, len: axis.length * within, ..run });
    }
    for i in 0..axis.length {
        spread(inner, Run { to: to + i, from: from + i * axis.from.step, ..run }, visit);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tensor::Range;

    fn port(shape: &[usize]) -> Port {
        Port { shape: shape.to_vec(), exponent: 0, range: Range { low: 0, high: 0 } }
    }

    /// The place of `op`'s output entries in its inputs, as the runs say; an entry visited twice fails.
    fn sources(op: &Op, inputs: &[&Port], output: &Port) -> Vec<Option<(usize, usize)>> {
        let mut sources = vec![None; output.len()];
        op.moves(inputs, output, |run| {
            assert!(run.len > 0 && run.from + run.len <= inputs[run.input].len(), "{run:?}");
            for i in 0..run.len {
                assert_eq!(sources[run.to + i].replace((run.input, run.from + i)), None, "{run:?}");
            }
        });
        sources
    }

    /// The coordinates of every entry, in row-major order.
    fn coordinates(shape: &[usize]) -> Vec<Vec<usize>> {
        let whole: usize = shape.iter().product();
        let at = |i: usize| {
            let mut rest = i;
            let mut at: Vec<usize> = shape.iter().rev().map(|d| (rest % d, rest /= d).0).collect();
            at.reverse();
            at
        };
        (0..whole).map(at).collect()
    }

    fn flat(shape: &[usize], at: &[usize]) -> usize {
        at.iter().zip(shape).fold(0, |flat, (i, d)| flat * d + i)
    }

    proptest! {
        #[test]
        fn joined_entries_come_from_where_the_axis_says(
            shape in proptest::collection::vec(1usize..4, 1..5),
            axis in any::<prop::sample::Index>(),
            lengths in proptest::collection::vec(1usize..4, 2..5),
        ) {
            let axis = axis.index(shape.len());
            let with = |length: usize| {
                let mut shape = shape.clone();
                shape[axis] = length;
                port(&shape)
            };
            let ports: Vec<Port> = lengths.iter().map(|&length| with(length)).collect();
            let inputs: Vec<&Port> = ports.iter().collect();
            let output = with(lengths.iter().sum());
            let seen = sources(&Op::Concat { axis, inputs: inputs.len() }, &inputs, &output);
            for (mut at, seen) in coordinates(&output.shape).into_iter().zip(seen) {
                let mut input = 0;
                while at[axis] >= lengths[input] {
                    at[axis] -= lengths[input];
                    input += 1;
                }
                prop_assert_eq!(seen, Some((input, flat(&ports[input].shape, &at))));
            }
        }

        #[test]
        fn sliced_entries_come_from_start_and_step(
            axes in proptest::collection::vec((0usize..3, 1usize..4, 1usize..4, 0usize..3), 1..5),
        ) {
            let column = |of: fn(&(usize, usize, usize, usize)) -> usize| axes.iter().map(of).collect::<Vec<_>>();
            let (starts, steps, shape) = (column(|a| a.0), column(|a| a.1), column(|a| a.2));
            let input = port(&column(|a| a.0 + (a.2 - 1) * a.1 + 1 + a.3));
            let output = port(&shape);
            let op = Op::Slice { starts: starts.clone(), steps: steps.clone(), shape };
            let seen = sources(&op, &[&input], &output);
            for (at, seen) in coordinates(&output.shape).into_iter().zip(seen) {
                let from: Vec<usize> = (0..at.len()).map(|axis| starts[axis] + at[axis] * steps[axis]).collect();
                prop_assert_eq!(seen, Some((0, flat(&input.shape, &from))));
            }
        }

        #[test]
        fn padded_entries_come_from_inside_the_margin(
            axes in proptest::collection::vec((1usize..4, 0usize..3, 0usize..3), 1..5),
        ) {
            let column = |of: fn(&(usize, usize, usize)) -> usize| axes.iter().map(of).collect::<Vec<_>>();
            let (input, before) = (port(&column(|a| a.0)), column(|a| a.1));
            let output = port(&column(|a| a.0 + a.1 + a.2));
            let op = Op::Pad { before: before.clone(), after: column(|a| a.2) };
            let seen = sources(&op, &[&input], &output);
            for (at, seen) in coordinates(&output.shape).into_iter().zip(seen) {
                let inside: Option<Vec<usize>> = (0..at.len())
                    .map(|axis| at[axis].checked_sub(before[axis]).filter(|i| *i < input.shape[axis]))
                    .collect();
                prop_assert_eq!(seen, inside.map(|from| (0, flat(&input.shape, &from))));
            }
        }
    }

    #[test]
    fn runs_are_as_long_as_neighbours_stay_neighbours() {
        let runs = |op: Op, inputs: &[&Port], output: &Port| {
            let mut lengths = Vec::new();
            op.moves(inputs, output, |run| lengths.push(run.len));
            lengths
        };
        let (image, flat) = (port(&[3, 4, 5]), port(&[60]));
        assert_eq!(runs(Op::Reshape { shape: vec![60] }, &[&image], &flat), [60]);
        let join = Op::Concat { axis: 0, inputs: 2 };
        assert_eq!(runs(join, &[&image, &image], &port(&[6, 4, 5])), [60, 60]);
        let pad = Op::Pad { before: vec![1, 0, 0], after: vec![1, 0, 0] };
        assert_eq!(runs(pad, &[&image], &port(&[5, 4, 5])), [60]);
        let rows = Op::Slice { starts: vec![0, 1, 0], steps: vec![1, 1, 1], shape: vec![3, 2, 5] };
        assert_eq!(runs(rows, &[&image], &port(&[3, 2, 5])), [10, 10, 10]);
        assert_eq!(runs(Op::Add { shifts: [0, 0] }, &[&image, &image], &image), [0usize; 0]);
    }
}
