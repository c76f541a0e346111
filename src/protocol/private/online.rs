//! From the question on: both ends walk the graph on shares and spend a lot. One text for both; what they do differently is a `match`.
//!
//! | node | client | server |
//! |---|---|---|
//! | linear | sends its share of x − R; W∗R − S | W∗(x − R) + S + b, by integers in the clear |
//! | rescale, max pool | its side of [`clamp`](super::clamp) | the other |
//! | all else | the node on its share | the same |
//! | answer | adds both shares | sends its own |
//!
//! Shares of wire w are modulo 2^[`Plan::ring`]. Whatever arrives is taken as a number: nothing that is sent, and no decision to go on,
//! depends on more than its length.

use std::collections::VecDeque;
use std::sync::Arc;

use serin_circuits::engine::{At, Engine, Rescale, run};
use serin_circuits::gates::pool::Axis;
use serin_circuits::graph::{Graph, Linear, Run, Window};
use serin_circuits::tensor::{Range, Tensor};
use zeroize::Zeroizing;

use super::bits::{self, Packer, Unpacker, low};
use super::clamp::Material;
use super::cost::{Ledger, Phase, Watch};
use super::error::PrivateError;
use super::host::Holder;
use super::lot::{Lot, Product};
use super::plan::Plan;
use super::rings::{self, Work};
use super::wire::{self, MASKED, SHARE};
use crate::net::Channel;
use crate::prover::infer::linear;

/// One end's share of a batch: `[positions, …shape]`, modulo the wire's ring.
pub(super) type Share = Arc<Zeroizing<Vec<u64>>>;

/// The client's side: the answers to `inputs`, which lie in the graph's input range.
///
/// An answer beyond the output's range is clamped into it, so that the conversation goes on; the first such position is handed back.
pub(super) fn ask(
    channel: &mut dyn Channel,
    graph: &Graph,
    lot: Lot,
    inputs: &Tensor,
    ledger: &mut Ledger,
) -> Result<(Tensor, Option<usize>), PrivateError> {
    let ring = lot.plan.ring(0);
    let input = inputs.values().iter().map(|v| i64::from(*v) as u64 & low(ring)).collect();
    let (bits, count) = (width(graph), inputs.batch() * graph.output().len());
    let mut online = Online::new(channel, lot, None, ledger);
    let share = run(graph, &mut online, share(input))?;
    let body = wire::receive(online.channel, SHARE, "share of the answer", bits::bytes(count, bits))?;
    let mut unpacker = Unpacker::new(&body);
    let Range { low: least, high: most } = graph.output().range;
    let (mut values, mut beyond) = (Vec::with_capacity(count), None);
    for (at, own) in share.iter().enumerate() {
        let offset = own.wrapping_add(unpacker.next(bits)).wrapping_sub(i64::from(least) as u64) & low(bits);
        let value = i64::from(least) + offset as i64;
        if value > i64::from(most) {
            beyond = beyond.or(Some(at / graph.output().len()));
        }
        values.push(value.min(most.into()) as i32);
    }
    online.book(graph.nodes().len());
    Ok((Tensor::new(inputs.batch(), &graph.output().shape, values).expect("as many as counted"), beyond))
}

/// The server's side.
pub(super) fn answer(
    channel: &mut dyn Channel,
    graph: &Graph,
    lot: Lot,
    holder: &dyn Holder,
    ledger: &mut Ledger,
) -> Result<(), PrivateError> {
    let input = vec![0; lot.positions() * graph.input().len()];
    let mut online = Online::new(channel, lot, Some(holder), ledger);
    let share = run(graph, &mut online, share(input))?;
    let bits = width(graph);
    let mut packer = Packer::with_capacity(share.len(), bits);
    share.iter().for_each(|v| packer.push(*v, bits));
    online.channel.send(SHARE, &packer.finish())?;
    online.book(graph.nodes().len());
    Ok(())
}

/// Bits that the answer is shared in.
fn width(graph: &Graph) -> u32 {
    rings::width(graph.output().range)
}

fn share(values: Vec<u64>) -> Share {
    Arc::new(Zeroizing::new(values))
}

/// One end at work.
struct Online<'a> {
    channel: &'a mut dyn Channel,
    plan: Arc<Plan>,
    lot: Lot,
    /// None at the client.
    holder: Option<&'a dyn Holder>,
    ledger: &'a mut Ledger,
    watch: Watch,
}

impl<'a> Online<'a> {
    fn new(
        channel: &'a mut dyn Channel,
        lot: Lot,
        holder: Option<&'a dyn Holder>,
        ledger: &'a mut Ledger,
    ) -> Self {
        let watch = Watch::start(channel);
        ledger.positions += lot.positions();
        Self { channel, plan: lot.plan.clone(), lot, holder, ledger, watch }
    }

    /// A node's result, booked, and what its holder makes of it.
    fn done(&mut self, at: At<'_>, mut values: Zeroizing<Vec<u64>>) -> Share {
        if let Some(holder) = self.holder {
            holder.settle(&self.lot.id, at.index, &mut values);
        }
        self.book(at.index);
        Arc::new(values)
    }

    fn book(&mut self, node: usize) {
        let cost = self.watch.lap(self.channel);
        self.ledger.book(Phase::Online, node, cost);
    }

    /// Each entry of the result from some of the inputs', locally.
    fn local(&mut self, at: At<'_>, values: Vec<u64>) -> Share {
        let ring = low(self.plan.ring(at.index + 1));
        self.done(at, Zeroizing::new(values.into_iter().map(|v| v & ring).collect()))
    }

    /// max of a and b, entry by entry: a + the rise.
    fn greater(
        &mut self,
        material: Material,
        ring: u32,
        a: &[u64],
        b: &[u64],
    ) -> Result<Vec<u64>, PrivateError> {
        let rises: Zeroizing<Vec<u64>> =
            Zeroizing::new(a.iter().zip(b).map(|(a, b)| b.wrapping_sub(*a)).collect());
        let rises = material.run(self.channel, &rises)?;
        Ok(a.iter().zip(rises.iter()).map(|(a, rise)| a.wrapping_add(*rise) & low(ring)).collect())
    }

    /// The greatest of each window along one axis, two at a time.
    fn along(
        &mut self,
        at: At<'_>,
        materials: &mut VecDeque<Material>,
        ring: u32,
        axis: &Axis,
        x: &[u64],
    ) -> Result<Zeroizing<Vec<u64>>, PrivateError> {
        let (positions, len) = (self.plan.positions(), axis.len());
        let mut columns: Vec<Zeroizing<Vec<u64>>> =
            (0..axis.most()).map(|nth| Zeroizing::new(gather(axis, nth, x, positions))).collect();
        while columns.len() > 1 {
            let odd = (columns.len() % 2 == 1).then(|| columns.pop()).flatten();
            let side = |first: usize| -> Zeroizing<Vec<u64>> {
                Zeroizing::new(
                    columns.iter().skip(first).step_by(2).flat_map(|v| v.iter().copied()).collect(),
                )
            };
            let (a, b) = (side(0), side(1));
            let material = materials.pop_front().ok_or_else(|| hollow(at))?;
            let greater = Zeroizing::new(self.greater(material, ring, &a, &b)?);
            columns =
                greater.chunks_exact(positions * len).map(|half| Zeroizing::new(half.to_vec())).collect();
            columns.extend(odd);
        }
        Ok(columns.pop().unwrap_or_default())
    }
}

impl Engine for Online<'_> {
    type Wire = Share;
    type Error = PrivateError;

    fn linear(&mut self, at: At<'_>, geometry: &Linear, x: &Share) -> Result<Share, PrivateError> {
        let ring = self.plan.ring(at.index + 1);
        let lost = || hollow(at);
        let product = self.lot.products[at.index].take().ok_or_else(lost)?;
        let values = match (product, self.holder) {
            (Product::Client { masks, product }, _) => {
                let mut packer = Packer::with_capacity(x.len(), ring);
                x.iter().zip(masks.iter()).for_each(|(x, r)| packer.push(x.wrapping_sub((*r).into()), ring));
                self.channel.send(MASKED, &packer.finish())?;
                product.iter().map(|v| u64::from(*v) & low(ring)).collect()
            }
            (Product::Server { share }, Some(holder)) => {
                let body = wire::receive(self.channel, MASKED, "masked share", bits::bytes(x.len(), ring))?;
                let mut unpacker = Unpacker::new(&body);
                // x − R whole; what stands above the ring drops out of the products modulo it.
                let shifted = x.iter().map(|x| x.wrapping_add(unpacker.next(ring)) as i32).collect();
                let shape = &at.graph.port(at.node.inputs[0]).shape;
                let shifted = Tensor::new(self.plan.positions(), shape, shifted).ok_or_else(lost)?;
                let weights = &holder.weights(&self.lot.id).tensors()[at.linear_index];
                let y = linear(geometry, weights, &shifted, &at.node.output.shape);
                let sum = |(y, s): (&i32, &u32)| u64::from((*y as u32).wrapping_add(*s)) & low(ring);
                y.values().iter().zip(share.iter()).map(sum).collect()
            }
            (Product::Server { .. }, None) => return Err(lost()),
        };
        Ok(self.done(at, Zeroizing::new(values)))
    }

    fn add(&mut self, at: At<'_>, shifts: [u8; 2], a: &Share, b: &Share) -> Result<Share, PrivateError> {
        let sum = |(a, b): (&u64, &u64)| (a << shifts[0]).wrapping_add(b << shifts[1]);
        Ok(self.local(at, a.iter().zip(b.iter()).map(sum).collect()))
    }

    fn rescale(&mut self, at: At<'_>, _: Rescale, x: &Share) -> Result<Share, PrivateError> {
        match self.lot.roundings[at.index].pop() {
            // The pool behind it rounds.
            None => Ok(x.clone()),
            Some(material) => {
                let rounded = material.run(self.channel, x)?;
                Ok(self.done(at, rounded))
            }
        }
    }

    fn max_pool(&mut self, at: At<'_>, _: &Window, x: &Share) -> Result<Share, PrivateError> {
        let plan = self.plan.clone();
        let Work::Pool { rise, axes, then } = plan.work(at.index) else {
            return Err(hollow(at));
        };
        let ring = rise.rounding().into;
        let mut materials = VecDeque::from(std::mem::take(&mut self.lot.roundings[at.index]));
        let by_row = self.along(at, &mut materials, ring, &axes[0], x)?;
        let mut pooled = self.along(at, &mut materials, ring, &axes[1], &by_row)?;
        if let (Some(_), Some(material)) = (then, materials.pop_front()) {
            pooled = material.run(self.channel, &pooled)?;
        }
        Ok(self.done(at, pooled))
    }

    fn average_pool(
        &mut self,
        at: At<'_>,
        window: &Window,
        multiplier: i32,
        x: &Share,
    ) -> Result<Share, PrivateError> {
        let from = at.graph.port(at.node.inputs[0]);
        let (inner, outer) = (from.len(), at.node.output.len());
        let mut sums = vec![0u64; self.plan.positions() * outer];
        for (x, sums) in x.chunks_exact(inner).zip(sums.chunks_exact_mut(outer)) {
            window.covers(&from.shape, &at.node.output.shape, |to, from| {
                sums[to] = sums[to].wrapping_add(x[from])
            });
        }
        sums.iter_mut().for_each(|v| *v = v.wrapping_mul(i64::from(multiplier) as u64));
        Ok(self.local(at, sums))
    }

    fn arrange(&mut self, at: At<'_>, inputs: &[&Share]) -> Result<Share, PrivateError> {
        let len = at.node.output.len();
        let lens: Vec<usize> = at.node.inputs.iter().map(|wire| at.graph.port(*wire).len()).collect();
        let mut values = vec![0; self.plan.positions() * len];
        for (n, sample) in values.chunks_exact_mut(len).enumerate() {
            at.moves(|Run { to, input, from, len }| {
                let source = &inputs[input][n * lens[input]..][from..from + len];
                sample[to..to + len].copy_from_slice(source);
            });
        }
        Ok(self.local(at, values))
    }
}

/// A lot without what a node takes.
fn hollow(at: At<'_>) -> PrivateError {
    PrivateError::Hollow { node: at.node.name.clone() }
}

/// The `nth` entry of every window, of every sample.
fn gather(axis: &Axis, nth: usize, x: &[u64], positions: usize) -> Vec<u64> {
    let mut pairs = Vec::with_capacity(axis.len());
    axis.pairs(nth, &mut pairs);
    let samples = x.chunks_exact(x.len() / positions.max(1));
    samples.flat_map(|sample| pairs.iter().map(|[_, from]| sample[*from as usize])).collect()
}
