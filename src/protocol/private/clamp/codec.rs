//! Material as bytes, to be kept until its question comes.
//!
//! Every size follows from plan, party and number of elements, none is read from the bytes. Numbers lie without a gap, those of one kind
//! of all elements together, and take as many bits as a step reads of them:
//!
//! | per element, in order | client | server |
//! |---|---|---|
//! | digit of c bits with w out | index c, pad w | pads w·2^c |
//! | AND of n terms | a 1, then b 1 and c 1 for each term | the same |
//! | product asked for, of w bits | choice 1, pad w | the same |
//! | product offered, of w bits | two pads of w | the same |
//!
//! A ReLU on 20 bits that drops 8 takes 28 bytes an element at the client and 33 at the server.
//!
//! **The caller must check** that the bytes are its own, whole and unaltered, and were made for this plan by this party: other bytes of the
//! right length decode to material that gives wrong results. And it must see to it that no bytes serve twice: two steps under the same masks
//! show how their shares differ.

use super::lanes::Lanes;
use super::material::{AndStock, Asked, DigitStock, Offered};
use super::plan::{Party, Plan};
use super::{Material, MaterialError};
use crate::protocol::private::bits::{Packer, Unpacker};
use zeroize::Zeroizing;

impl Plan {
    /// Bytes of `party`'s material for `count` elements.
    pub fn material_bytes(&self, party: Party, count: usize) -> usize {
        let digits = self.circuit.digits.iter().map(|digit| match party {
            Party::Client => digit.arity + digit.width(),
            Party::Server => digit.width() << digit.arity,
        });
        let ands = self.ands().map(|and| 1 + 2 * and.terms.len() as u32);
        let asked = self.asked_by(party).iter().map(|product| 1 + product.width);
        let offered = self.asked_by(party.other()).iter().map(|product| 2 * product.width);
        let bits: u32 = digits.chain(ands).chain(asked).chain(offered).sum();
        count.saturating_mul(bits as usize).div_ceil(8)
    }
}

impl Material {
    /// Appends [`Plan::material_bytes`] bytes. Whoever encodes many makes room for all of them first; if there is too little, what is
    /// moved is wiped where it was.
    pub fn encode(&self, out: &mut Zeroizing<Vec<u8>>) {
        let (plan, count) = (&self.plan, self.count);
        make_room(out, plan.material_bytes(self.party, count));
        let mut packer = Packer::after(std::mem::take(&mut **out));
        for (stock, digit) in self.digits.iter().zip(&plan.circuit.digits) {
            stock.choices.iter().for_each(|choice| packer.push((*choice).into(), digit.arity));
            let kept = if self.party == Party::Client { 0 } else { digit.arity };
            stock.pads.iter().for_each(|pads| packer.push(*pads, digit.width() << kept));
        }
        for stock in &self.ands {
            stock.a.pack(count, &mut packer);
            stock.terms.iter().flatten().for_each(|lanes| lanes.pack(count, &mut packer));
        }
        for (asked, product) in self.asked.iter().zip(plan.asked_by(self.party)) {
            asked.choices.pack(count, &mut packer);
            asked.pads.iter().for_each(|pad| packer.push(*pad, product.width));
        }
        for (offered, product) in self.offered.iter().zip(plan.asked_by(self.party.other())) {
            offered.iter().flatten().for_each(|pad| packer.push(*pad, product.width));
        }
        **out = packer.finish();
    }

    /// Takes material for `count` elements off the front of `bytes`.
    ///
    /// # Errors
    /// [`MaterialError`]; `bytes` are then as they were.
    pub fn decode(plan: &Plan, party: Party, count: usize, bytes: &mut &[u8]) -> Result<Self, MaterialError> {
        let want = plan.material_bytes(party, count);
        let cut = MaterialError::Truncated { got: bytes.len(), want };
        let (mine, rest) = bytes.split_at_checked(want).ok_or(cut)?;
        let mut from = Unpacker::new(mine);
        let digits = plan.circuit.digits.iter().map(|digit| match party {
            Party::Client => {
                let choices = (0..count).map(|_| from.next(digit.arity) as u8).collect::<Vec<_>>().into();
                DigitStock { choices, pads: numbers(count, digit.width(), &mut from) }
            }
            Party::Server => {
                let pads = numbers(count, digit.width() << digit.arity, &mut from);
                DigitStock { choices: Zeroizing::default(), pads }
            }
        });
        let digits = digits.collect();
        let ands = plan.ands().map(|and| {
            let a = Lanes::unpack(count, &mut from);
            let terms = and.terms.iter().map(|_| [(); 2].map(|()| Lanes::unpack(count, &mut from))).collect();
            AndStock { a, terms }
        });
        let ands = ands.collect();
        let asked = plan.asked_by(party).iter().map(|product| {
            let choices = Lanes::unpack(count, &mut from);
            Asked { choices, pads: numbers(count, product.width, &mut from) }
        });
        let asked = asked.collect();
        let offered = plan.asked_by(party.other()).iter().map(|product| {
            let pads = (0..count).map(|_| [(); 2].map(|()| from.next(product.width)));
            Offered::new(pads.collect())
        });
        let offered = offered.collect();
        if !from.finish() {
            return Err(MaterialError::Filled);
        }
        *bytes = rest;
        Ok(Self { plan: plan.clone(), party, count, digits, ands, asked, offered })
    }
}

fn numbers(count: usize, width: u32, from: &mut Unpacker) -> Zeroizing<Vec<u64>> {
    Zeroizing::new((0..count).map(|_| from.next(width)).collect())
}

/// Room for `more` bytes, without a copy left behind.
fn make_room(out: &mut Zeroizing<Vec<u8>>, more: usize) {
    if out.capacity() - out.len() < more {
        let mut larger = Zeroizing::new(Vec::with_capacity((out.len() + more).max(2 * out.len())));
        larger.extend_from_slice(out);
        *out = larger;
    }
}
