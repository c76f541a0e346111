//! A lot: all that either end keeps of what was prepared, for so many positions, and spends on them once.
//!
//! | node | client keeps | server keeps |
//! |---|---|---|
//! | linear | masks R, W∗R − S, modulo 2^k | S |
//! | rescale, max pool | its half of [`Material`] | the other |
//!
//! R and S are uniform. A lot is consumed by value; on disk it is [`super::pool`]'s to spend at most once. `Debug` shows sizes only.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::bits::{self, Packer, Unpacker};
use super::clamp::{Material, Party};
use super::error::PrivateError;
use super::plan::Plan;
use super::wire::PLANNER;

/// A lot's name: drawn by the client, known to both ends.
pub type LotId = [u8; 32];

/// One end's half.
pub(super) struct Lot {
    pub(super) id: LotId,
    pub(super) plan: Arc<Plan>,
    pub(super) party: Party,
    /// By node.
    pub(super) products: Vec<Option<Product>>,
    pub(super) roundings: Vec<Vec<Material>>,
}

/// One end's half of a product with masks.
pub(super) enum Product {
    /// R, and W∗R − S.
    Client { masks: Zeroizing<Vec<u32>>, product: Zeroizing<Vec<u32>> },
    /// S.
    Server { share: Zeroizing<Vec<u32>> },
}

impl Lot {
    /// Positions it is for.
    pub(super) fn positions(&self) -> usize {
        self.plan.positions()
    }

    /// Bytes of its nodes.
    fn bytes(&self) -> usize {
        let node = |node: usize| {
            let steps = self.plan.roundings(node).into_iter();
            let steps: usize = steps.map(|(step, count)| step.material_bytes(self.party, count)).sum();
            let product = self.plan.product(node).map_or(0, |plan| {
                let ring = plan.params().ring_bits();
                let masks = if self.party == Party::Client { bits::bytes(plan.inputs(), ring) } else { 0 };
                masks + bits::bytes(plan.results(), ring)
            });
            steps + product
        };
        (0..self.plan.nodes()).map(node).sum()
    }

    /// All of it but its name and party: the planner's version u8, the bound on the weights u32, then node by node.
    pub(super) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(1 + 4 + self.bytes()));
        bytes.push(PLANNER);
        bytes.extend_from_slice(&self.plan.max_weight().to_le_bytes());
        for (node, product) in self.products.iter().enumerate() {
            let ring = self.plan.product(node).map_or(0, |plan| plan.params().ring_bits());
            let mut put = |values: &[u32]| {
                let mut packer = Packer::with_capacity(values.len(), ring);
                values.iter().for_each(|v| packer.push((*v).into(), ring));
                bytes.extend_from_slice(&Zeroizing::new(packer.finish()));
            };
            match product {
                Some(Product::Client { masks, product }) => {
                    put(masks);
                    put(product);
                }
                Some(Product::Server { share }) => put(share),
                None => {}
            }
            self.roundings[node].iter().for_each(|material| material.encode(&mut bytes));
        }
        bytes
    }

    /// Reads what [`Lot::encode`] wrote; `plan` makes the plan for a bound on the weights.
    ///
    /// # Errors
    /// [`PrivateError::Planner`] if it is of another release, [`PrivateError::NoLot`] if it is of another plan or party, and those of `plan`.
    pub(super) fn decode(
        id: LotId,
        party: Party,
        bytes: &[u8],
        plan: impl FnOnce(u32) -> Result<Arc<Plan>, PrivateError>,
    ) -> Result<Self, PrivateError> {
        let other = || PrivateError::NoLot(hex::encode(&id[..8]));
        let (planner, bytes) = bytes.split_first().ok_or_else(other)?;
        if *planner != PLANNER {
            return Err(PrivateError::Planner { theirs: *planner });
        }
        let (bound, bytes) = bytes.split_first_chunk().ok_or_else(other)?;
        Self::decode_nodes(id, plan(u32::from_le_bytes(*bound))?, party, bytes).ok_or_else(other)
    }

    fn decode_nodes(id: LotId, plan: Arc<Plan>, party: Party, mut bytes: &[u8]) -> Option<Self> {
        let (mut products, mut roundings) = (Vec::new(), Vec::new());
        for node in 0..plan.nodes() {
            products.push(match plan.product(node) {
                Some(product) => {
                    let ring = product.params().ring_bits();
                    let mut take = |count: usize| {
                        let (mine, rest) = bytes.split_at_checked(bits::bytes(count, ring))?;
                        bytes = rest;
                        let mut unpacker = Unpacker::new(mine);
                        Some(Zeroizing::new(
                            (0..count).map(|_| unpacker.next(ring) as u32).collect::<Vec<_>>(),
                        ))
                    };
                    Some(match party {
                        Party::Client => Product::Client {
                            masks: take(product.inputs())?,
                            product: take(product.results())?,
                        },
                        Party::Server => Product::Server { share: take(product.results())? },
                    })
                }
                None => None,
            });
            let materials = plan
                .roundings(node)
                .into_iter()
                .map(|(step, count)| Material::decode(step, party, count, &mut bytes).ok());
            roundings.push(materials.collect::<Option<Vec<_>>>()?);
        }
        bytes.is_empty().then_some(Self { id, plan, party, products, roundings })
    }
}

impl fmt::Debug for Lot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lot {{ {:?}, {} positions, contents hidden }}", self.party, self.positions())
    }
}
