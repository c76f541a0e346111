//! Before the questions: keys once a conversation, then lots. One text for both ends; what they do differently is a `match`.
//!
//! The order of messages is [`super::wire`]'s. All masks go out before any product comes back, so that a lot's products take one round
//! trip and no two writers face each other. The caller spends a lot once.

use std::sync::Arc;

use chacha20::ChaCha12Rng;
use rand::rngs::SysRng;
use rand::{Rng, SeedableRng};
use serin_circuits::weights::Weights;
use zeroize::Zeroizing;

use super::bits::low;
use super::clamp::{self, Party};
use super::cost::{Ledger, Phase, Watch};
use super::error::PrivateError;
use super::lattice::{self, Answer};
use super::lot::{Lot, LotId, Product};
use super::ot::Supply;
use super::plan::Plan;
use super::wire::{self, KEY, MASKS, PRODUCTS};
use crate::net::Channel;

/// Keys and transfers of one conversation.
pub(super) struct Keys {
    transfers: clamp::Session,
    key: Key,
    /// Seeded by the system; its key is wiped when it is dropped.
    rng: ChaCha12Rng,
}

enum Key {
    /// No product is to be shared.
    None,
    Client(Box<lattice::Client>),
    Server(Box<lattice::Server>),
}

impl Keys {
    /// Exchanges keys under the parameters of `plan` and draws the base transfers.
    pub(super) fn exchange(
        channel: &mut dyn Channel,
        party: Party,
        plan: &Plan,
        supply: Supply,
    ) -> Result<Self, PrivateError> {
        let mut rng = ChaCha12Rng::try_from_rng(&mut SysRng)?;
        let key = match (plan.params(), party) {
            (None, _) => Key::None,
            (Some(params), Party::Client) => {
                let key = lattice::Client::new(*params, &mut rng);
                channel.send(KEY, &key.public_key(&mut rng))?;
                Key::Client(Box::new(key))
            }
            (Some(params), Party::Server) => {
                let body = wire::receive(channel, KEY, "public key", params.key_bytes())?;
                Key::Server(Box::new(lattice::Server::new(*params, &body)?))
            }
        };
        Ok(Self { transfers: clamp::Session::setup(channel, party, supply)?, key, rng })
    }

    /// Prepares a lot with the peer, who does the same. `weights` are the server's.
    pub(super) fn prepare(
        &mut self,
        channel: &mut dyn Channel,
        plan: &Arc<Plan>,
        id: LotId,
        weights: Option<&Weights>,
        ledger: &mut Ledger,
    ) -> Result<Lot, PrivateError> {
        let mut watch = Watch::start(channel);
        let linears = (0..plan.nodes()).filter_map(|node| Some((node, plan.product(node)?)));
        let mut products: Vec<Option<Product>> = (0..plan.nodes()).map(|_| None).collect();
        match &self.key {
            Key::None => {}
            Key::Client(key) => {
                let mut drawn = Vec::new();
                for (node, product) in linears {
                    let ring = product.params().ring_bits();
                    let masks = (0..product.inputs()).map(|_| self.rng.next_u32() & low(ring) as u32);
                    let masks = Zeroizing::new(masks.collect::<Vec<_>>());
                    channel.send(MASKS, &key.ask(product, &masks, &mut self.rng)?)?;
                    drawn.push((node, product, masks));
                    ledger.book(Phase::Offline, node, watch.lap(channel));
                }
                for (node, product, masks) in drawn {
                    let body = wire::receive(channel, PRODUCTS, "products", product.bytes_down())?;
                    let product = Zeroizing::new(key.read(product, &body)?);
                    products[node] = Some(Product::Client { masks, product });
                    ledger.book(Phase::Offline, node, watch.lap(channel));
                }
            }
            Key::Server(key) => {
                let mut queries = Vec::new();
                for (node, product) in linears {
                    queries.push((
                        node,
                        product,
                        wire::receive(channel, MASKS, "masks", product.bytes_up())?,
                    ));
                    ledger.book(Phase::Offline, node, watch.lap(channel));
                }
                let tensors = weights.map(Weights::tensors).unwrap_or_default();
                for ((node, product, query), tensor) in queries.into_iter().zip(tensors) {
                    let Answer { bytes, share } =
                        key.answer(product, &tensor.weight, &query, &mut self.rng)?;
                    channel.send(PRODUCTS, &bytes)?;
                    products[node] = Some(Product::Server { share: Zeroizing::new(share) });
                    ledger.book(Phase::Offline, node, watch.lap(channel));
                }
            }
        }
        let mut roundings = Vec::with_capacity(plan.nodes());
        for node in 0..plan.nodes() {
            let mut materials = Vec::new();
            for (step, count) in plan.roundings(node) {
                materials.push(self.transfers.prepare(channel, step, count)?);
            }
            roundings.push(materials);
            ledger.book(Phase::Offline, node, watch.lap(channel));
        }
        Ok(Lot { id, plan: plan.clone(), party: self.transfers.party(), products, roundings })
    }
}

/// Where transfers come from that are wanted in these numbers, one each way.
pub(super) fn supply(transfers: [usize; 2]) -> Supply {
    if transfers.iter().sum::<usize>() > EXTENDED { Supply::Silent } else { Supply::Extended }
}

/// Transfers up to which extending costs less than starting the silent supply, 16 bytes each against 3 MB.
const EXTENDED: usize = 190_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generator_of_masks_is_wiped_when_dropped() {
        fn wiped<T: zeroize::ZeroizeOnDrop>() {}
        wiped::<ChaCha12Rng>();
    }
}
