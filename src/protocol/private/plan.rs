//! What private inference over one graph takes for so many positions: rings, packings and comparisons of every node; nothing secret.
//!
//! Both ends compute the same [`Plan`] from the graph, the bound on the weights and the number of positions; every length on the link
//! follows from it.
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

use std::sync::Arc;

use serin_circuits::gates::pool::{Axis, axes};
use serin_circuits::graph::{Graph, Linear, Node, Op, Window};
use serin_circuits::tensor::Range;

use super::clamp::{self, PlanError, Rounding};
use super::lattice::{self, LatticeError, Params};

/// A graph laid out, for any number of positions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blueprint {
    rings: Vec<u32>,
    works: Vec<Work>,
    /// Entries of a sample of the question, and of each node's result.
    input: usize,
    lengths: Vec<usize>,
    /// Every node's name, for refusals.
    names: Vec<String>,
    /// What products are encrypted under; none without a linear node, or while no bound on the weights is known.
    params: Option<Params>,
}

/// What a lot of so many positions takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    blueprint: Arc<Blueprint>,
    positions: usize,
    /// By node.
    products: Vec<Option<lattice::Plan>>,
}

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

/// A model that cannot be computed so, and the node it is for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("node `{node}` cannot be computed in private: {fault}")]
pub struct Unfit {
    /// Its name.
    pub node: String,
    /// Why.
    pub fault: UnfitFault,
}

/// Why a node cannot be computed in private.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnfitFault {
    /// No product can be shared.
    #[error(transparent)]
    Product(#[from] LatticeError),
    /// No rounding can be laid out.
    #[error(transparent)]
    Rounding(#[from] PlanError),
    /// Its accumulators are too wide.
    #[error(
        "its accumulators need shares of {0} bits, of which products carry {MAX_RING} at the most; quantise with fewer bits"
    )]
    Ring(u32),
    /// Too many positions.
    #[error("{0} positions are more than one lot holds; ask fewer at a time")]
    Positions(usize),
}

impl Blueprint {
    /// Lays a graph out.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn of(graph: &Graph) -> Result<Self, Unfit> {
        let mut planner = Planner::new(graph);
        for (index, node) in graph.nodes().iter().enumerate().rev() {
            let laid = planner.node(index, node);
            laid.map_err(|fault| Unfit { node: node.name.clone(), fault })?;
        }
        let Planner { rings, works, .. } = planner;
        let lengths = graph.nodes().iter().map(|node| node.output.len()).collect();
        let names = graph.nodes().iter().map(|node| node.name.clone()).collect();
        Ok(Self { rings, works, input: graph.input().len(), lengths, names, params: None })
    }

    /// With weights of magnitude at most `max_weight`: chooses one modulus for lots of any size, that of the fewest bytes over
    /// [`USUAL`] ones.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn under(mut self, max_weight: u32) -> Result<Self, Unfit> {
        let linears: Vec<(usize, Linear)> = self.linears().collect();
        let Some((_, node)) = linears.iter().map(|(node, _)| (self.rings[node + 1], *node)).max() else {
            return Ok(self);
        };
        let usual = USUAL
            .iter()
            .flat_map(|batch| linears.iter().map(|(node, linear)| (self.rings[node + 1], *linear, *batch)));
        let params = Params::shared(max_weight, &usual.collect::<Vec<_>>());
        self.params = Some(params.map_err(|fault| self.unfit(node, fault))?);
        Ok(self)
    }

    /// The plan for so many positions.
    ///
    /// # Errors
    /// [`Unfit`], if they are more than one lot holds.
    pub fn plan(self: &Arc<Self>, positions: usize) -> Result<Plan, Unfit> {
        let widest = self.lengths.iter().copied().max().unwrap_or(1).max(self.input);
        if positions == 0 || positions > MOST_POSITIONS.min(MAX_ENTRIES / widest).max(1) {
            return Err(self.unfit(0, UnfitFault::Positions(positions)));
        }
        let mut products = vec![None; self.works.len()];
        for (node, linear) in self.linears() {
            let ring = self.rings[node + 1];
            let plan = self
                .params
                .as_ref()
                .map(|params| lattice::Plan::new(&params.with_ring(ring)?, &linear, positions));
            products[node] = plan.transpose().map_err(|fault| self.unfit(node, fault))?;
        }
        let plan = Plan { blueprint: self.clone(), positions, products };
        if !plan.is_borne() {
            return Err(self.unfit(0, UnfitFault::Positions(positions)));
        }
        Ok(plan)
    }

    /// The most positions of one lot, a power of two; 0 where the model cannot be computed so.
    pub fn most_positions(self: &Arc<Self>) -> usize {
        let fits = |positions: &usize| self.plan(*positions).is_ok();
        let sizes = (0..=MOST_POSITIONS.ilog2()).map(|bits| 1 << bits);
        sizes.take_while(fits).last().unwrap_or(0)
    }

    /// Random transfers for so many positions: those in which the client chooses, and those in which the server does.
    pub fn transfers(&self, positions: usize) -> [usize; 2] {
        [clamp::Party::Client, clamp::Party::Server].map(|chooser| {
            let steps = (0..self.works.len()).flat_map(|node| self.roundings(node));
            steps.map(|(plan, count)| plan.transfers(chooser) * count * positions).sum()
        })
    }

    /// The roundings of a node in order, each with its elements in one sample.
    fn roundings(&self, node: usize) -> Vec<(&clamp::Plan, usize)> {
        match &self.works[node] {
            Work::Round(plan) => vec![(plan, self.lengths[node])],
            Work::Pool { rise, axes, then } => {
                let levels = axes.iter().flat_map(|axis| levels(axis.most()).map(|pairs| pairs * axis.len()));
                let rises = levels.map(|elements| (rise, elements));
                rises.chain(then.iter().map(|plan| (plan, axes[1].len()))).collect()
            }
            Work::Linear(_) | Work::Postponed | Work::Local => Vec::new(),
        }
    }

    fn linears(&self) -> impl Iterator<Item = (usize, Linear)> {
        self.works.iter().enumerate().filter_map(|(node, work)| match work {
            Work::Linear(linear) => Some((node, *linear)),
            _ => None,
        })
    }

    fn unfit(&self, node: usize, fault: impl Into<UnfitFault>) -> Unfit {
        Unfit { node: self.names.get(node).cloned().unwrap_or_default(), fault: fault.into() }
    }
}

impl Plan {
    /// Samples.
    pub fn positions(&self) -> usize {
        self.positions
    }

    /// The greatest magnitude of a weight; 0 without linear nodes.
    pub fn max_weight(&self) -> u32 {
        self.params().map_or(0, Params::max_weight)
    }

    /// What keys are for: the products' modulus, and the widest of their rings; none without a linear node.
    pub fn params(&self) -> Option<&Params> {
        self.blueprint.params.as_ref()
    }

    /// Bits that wire `wire` is shared in.
    pub fn ring(&self, wire: usize) -> u32 {
        self.blueprint.rings[wire]
    }

    /// Number of nodes.
    pub fn nodes(&self) -> usize {
        self.products.len()
    }

    /// The product of a node, if it has one.
    pub fn product(&self, node: usize) -> Option<&lattice::Plan> {
        self.products[node].as_ref()
    }

    /// The roundings of a node in order, each with its elements over all positions.
    pub fn roundings(&self, node: usize) -> Vec<(&clamp::Plan, usize)> {
        let steps = self.blueprint.roundings(node).into_iter();
        steps.map(|(plan, count)| (plan, self.positions * count)).collect()
    }

    pub(super) fn work(&self, node: usize) -> &Work {
        &self.blueprint.works[node]
    }

    /// Whether either end's memory should bear it.
    fn is_borne(&self) -> bool {
        let steps = (0..self.nodes()).flat_map(|node| self.roundings(node));
        let elements: usize = steps.map(|(_, count)| count).sum();
        let bytes: usize =
            self.products.iter().flatten().map(|plan| plan.bytes_up() + plan.bytes_down()).sum();
        self.positions == 1 || (elements <= MAX_ELEMENTS && bytes <= MAX_BYTES)
    }
}

/// Comparisons of each level when `values` are compared two at a time.
pub(super) fn levels(values: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(values), |n| Some(n.div_ceil(2))).take_while(|n| *n > 1).map(|n| n / 2)
}

/// Walks a graph from its answer to its question.
struct Planner<'g> {
    graph: &'g Graph,
    readers: Vec<usize>,
    rings: Vec<u32>,
    works: Vec<Work>,
}

impl<'g> Planner<'g> {
    fn new(graph: &'g Graph) -> Self {
        let count = graph.nodes().len();
        let mut readers = vec![0; count + 1];
        graph.nodes().iter().flat_map(|node| &node.inputs).for_each(|wire| readers[wire.0] += 1);
        let mut rings = vec![1; count + 1];
        rings[count] = width(graph.output().range);
        Self { graph, readers, rings, works: vec![Work::Local; count] }
    }

    fn node(&mut self, index: usize, node: &Node) -> Result<(), UnfitFault> {
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
const MAX_RING: u32 = 32;
/// Sizes of lots that the modulus is chosen for.
const USUAL: [usize; 2] = [16, 64];
/// Most elements compared in one lot of several positions: some hundred megabytes of material at the server.
const MAX_ELEMENTS: usize = 1 << 21;
/// Most bytes of all products' messages of one lot of several positions.
const MAX_BYTES: usize = 1 << 28;
/// Most entries of one wire over a lot: half a gigabyte.
const MAX_ENTRIES: usize = 1 << 26;
/// Most positions of one lot.
const MOST_POSITIONS: usize = 1 << 16;
