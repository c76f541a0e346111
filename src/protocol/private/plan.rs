//! What private inference over one graph takes for so many positions: rings, packings and comparisons of every node; nothing secret.
//!
//! Both ends compute the same [`Plan`] from the graph, the bound on the weights and the number of positions; every length on the link
//! follows from it.
//!
//! `rings` says how a graph is laid out, node by node.

use std::sync::Arc;

use serin_circuits::graph::{Graph, Linear};

use super::clamp::{self, PlanError};
use super::lattice::{self, LatticeError, Params};
use super::rings::{MAX_RING, Planner, Work, levels};

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
    /// usual ones.
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
