//! What a step uses up, drawn ahead of the data: random transfers boiled down to the bits that will mask.
//!
//! | from transfers | server keeps | client keeps |
//! |---|---|---|
//! | a digit of c bits, c of the client's choice | the pads of all 2^c entries | its random index and that entry's pad |
//! | an AND, one either way | a, b, c of a triple a·(b₁, b₂) = (c₁, c₂), shared | the same |
//! | a product, one of the chooser's choice | as chooser its bit and pad, else both pads | the same |
//!
//! Pads of a digit: entry m is masked by ⊕_i slot m of r_{i,m_i}; every entry but the chosen one has a string the client lacks, and slots
//! are disjoint. A triple: who has the choice a and the string r_a, of r₀ and r₁ = r₀ ⊕ b at the other end, shares a·b with it.
//! Per element some hundred bytes are kept; each is used once, as a step consumes its material.

use super::circuit::Digit;
use super::lanes::Lanes;
use super::plan::{Party, Plan};
use super::{ClampError, Material, Session};
use crate::net::Channel;
use crate::protocol::private::bits::low;
use crate::protocol::private::ot::{Receiver, Sender, Supply};
use zeroize::Zeroizing;

/// The pads of one digit.
pub(super) struct DigitStock {
    /// The client's random indices; none at the server.
    pub(super) choices: Zeroizing<Vec<u8>>,
    /// The client's pad, or the server's of all entries.
    pub(super) pads: Zeroizing<Vec<u64>>,
}

/// A share of a triple per element.
pub(super) struct AndStock {
    pub(super) a: Lanes,
    /// (b, c) of every term.
    pub(super) terms: Vec<[Lanes; 2]>,
}

/// The pads of a product this party asks for.
pub(super) struct Asked {
    pub(super) choices: Lanes,
    pub(super) pads: Zeroizing<Vec<u64>>,
}

/// The pads of a product the peer asks for.
pub(super) type Offered = Zeroizing<Vec<[u64; 2]>>;

/// Random transfers of a run of elements, in one direction.
enum Drawn {
    Chosen(Vec<bool>, Vec<u128>),
    Offered(Vec<[u128; 2]>),
}

impl Session {
    /// Sets up the transfers both ways with a peer that does the same as the other party.
    ///
    /// # Errors
    /// [`ClampError`]; the link must be dropped.
    pub fn setup(channel: &mut dyn Channel, party: Party, supply: Supply) -> Result<Self, ClampError> {
        let (mut sender, mut receiver);
        match party {
            Party::Client => {
                receiver = Receiver::setup(channel, supply)?;
                sender = Sender::setup(channel, supply)?;
                receiver.prime(channel)?;
                sender.prime(channel)?;
            }
            Party::Server => {
                sender = Sender::setup(channel, supply)?;
                receiver = Receiver::setup(channel, supply)?;
                sender.prime(channel)?;
                receiver.prime(channel)?;
            }
        }
        Ok(Self { party, sender, receiver })
    }

    /// Which end this is.
    pub fn party(&self) -> Party {
        self.party
    }

    /// Draws what `plan` needs for `count` elements, while the peer does the same.
    ///
    /// # Errors
    /// [`ClampError`]; the link must be dropped.
    pub fn prepare(
        &mut self,
        channel: &mut dyn Channel,
        plan: &Plan,
        count: usize,
    ) -> Result<Material, ClampError> {
        let mut material = Material::empty(plan, self.party, count);
        let per_element = plan.transfers(Party::Client).max(plan.transfers(Party::Server));
        if per_element == 0 {
            return Ok(material);
        }
        let run = (DRAWN / per_element).max(1);
        for from in (0..count).step_by(run) {
            let elements = Elements { from, count: run.min(count - from) };
            for chooser in [Party::Client, Party::Server] {
                match self.draw(channel, chooser, plan.transfers(chooser) * elements.count)? {
                    Drawn::Chosen(choices, blocks) => material.take_chosen(elements, &choices, &blocks),
                    Drawn::Offered(pairs) => material.take_offered(elements, &pairs),
                }
            }
        }
        material.finish_triples();
        Ok(material)
    }

    fn draw(&mut self, channel: &mut dyn Channel, chooser: Party, count: usize) -> Result<Drawn, ClampError> {
        if chooser == self.party {
            let drawn = self.receiver.random(channel, count)?;
            return Ok(Drawn::Chosen(drawn.choices, drawn.blocks));
        }
        Ok(Drawn::Offered(self.sender.random(channel, count)?))
    }
}

/// A run of elements.
#[derive(Clone, Copy)]
struct Elements {
    from: usize,
    count: usize,
}

impl Elements {
    /// The elements, each with its transfers: `each` of them, off the front of `rest`.
    fn split<'a, T>(self, rest: &mut &'a [T], each: usize) -> impl Iterator<Item = (usize, &'a [T])> {
        let (mine, others) = rest.split_at(self.count * each);
        *rest = others;
        (self.from..).zip(mine.chunks_exact(each))
    }
}

impl Material {
    fn empty(plan: &Plan, party: Party, count: usize) -> Self {
        let ands = plan.ands().map(|and| {
            let terms = and.terms.iter().map(|_| [Lanes::zeros(count), Lanes::zeros(count)]).collect();
            AndStock { a: Lanes::zeros(count), terms }
        });
        let digits = plan.circuit.digits.iter().map(|_| {
            let (choices, pads) = Default::default();
            DigitStock { choices, pads }
        });
        let asked = plan
            .asked_by(party)
            .iter()
            .map(|_| Asked { choices: Lanes::zeros(count), pads: Zeroizing::default() });
        let offered = plan.asked_by(party.other()).iter().map(|_| Zeroizing::default());
        Self {
            party,
            count,
            digits: digits.collect(),
            ands: ands.collect(),
            asked: asked.collect(),
            offered: offered.collect(),
            plan: plan.clone(),
        }
    }

    /// Files transfers in which this party had the choice.
    fn take_chosen(&mut self, elements: Elements, mut choices: &[bool], mut blocks: &[u128]) {
        if self.party == Party::Client {
            for (stock, digit) in self.digits.iter_mut().zip(&self.plan.circuit.digits) {
                let arity = digit.arity as usize;
                let blocks = elements.split(&mut blocks, arity);
                for ((_, bits), (_, strings)) in elements.split(&mut choices, arity).zip(blocks) {
                    let choice = bits.iter().rev().fold(0, |sum, bit| sum << 1 | u8::from(*bit));
                    let string = strings.iter().fold(0, |sum, string| sum ^ *string as u64);
                    stock.choices.push(choice);
                    stock.pads.push(string >> (u32::from(choice) * digit.width()));
                }
            }
        }
        for stock in &mut self.ands {
            let blocks = elements.split(&mut blocks, 1);
            for ((i, bit), (_, string)) in elements.split(&mut choices, 1).zip(blocks) {
                stock.a.flip(i, bit[0].into());
                stock.terms.iter_mut().enumerate().for_each(|(j, [_, c])| c.flip(i, (string[0] >> j) as u64));
            }
        }
        for asked in &mut self.asked {
            let blocks = elements.split(&mut blocks, 1);
            for ((i, bit), (_, string)) in elements.split(&mut choices, 1).zip(blocks) {
                asked.choices.flip(i, bit[0].into());
                asked.pads.push(string[0] as u64);
            }
        }
    }

    /// Files transfers in which the peer had the choice.
    fn take_offered(&mut self, elements: Elements, mut pairs: &[[u128; 2]]) {
        if self.party == Party::Server {
            for (stock, digit) in self.digits.iter_mut().zip(&self.plan.circuit.digits) {
                let masks = slots(digit);
                let pads = elements.split(&mut pairs, digit.arity as usize).map(|(_, pairs)| {
                    pairs.iter().zip(&masks).fold(0, |pads, ([zero, one], mask)| {
                        pads ^ (*zero as u64 & !mask) ^ (*one as u64 & mask)
                    })
                });
                stock.pads.extend(pads);
            }
        }
        for stock in &mut self.ands {
            for (i, pair) in elements.split(&mut pairs, 1) {
                let [zero, one] = pair[0];
                for (j, [b, c]) in stock.terms.iter_mut().enumerate() {
                    b.flip(i, ((zero ^ one) >> j) as u64);
                    c.flip(i, (zero >> j) as u64);
                }
            }
        }
        for offered in &mut self.offered {
            offered.extend(elements.split(&mut pairs, 1).map(|(_, pair)| pair[0].map(|pad| pad as u64)));
        }
    }

    /// Adds each party's own a·b to its c.
    fn finish_triples(&mut self) {
        for stock in &mut self.ands {
            for [b, c] in &mut stock.terms {
                *c = std::mem::take(c).add_product(&stock.a, b);
            }
        }
    }
}

/// For every bit of an index, the slots of the indices that have it.
fn slots(digit: &Digit) -> Vec<u64> {
    let slot = |m: u32| low(digit.width()) << (m * digit.width());
    let with = |i: u32| (0..1 << digit.arity).filter(|m| m >> i & 1 == 1).fold(0, |sum, m| sum | slot(m));
    (0..digit.arity).map(with).collect()
}

/// Transfers drawn at once: four MiB of pads.
const DRAWN: usize = 1 << 17;
