//! A step on shares: the script that both parties run, message by message and piece by piece.
//!
//! What each piece shows its receiver, and why that is uniform to it whatever else it did: see the module's documentation. Nothing that
//! arrives is compared with anything: but for its length, no message makes a party stop or speak otherwise.

use super::circuit::{Digit, Table};
use super::lanes::Lanes;
use super::plan::{Party, Product, TOP, TOP_ABOVE};
use super::schedule::{Piece, speaker};
use super::{ClampError, Material};
use crate::net::{Channel, Step};
use crate::protocol::private::bits::{Packer, Unpacker, low};
use zeroize::Zeroizing;

impl Material {
    /// Runs the step on one share per element, modulo 2^k; gives one of each result, modulo 2^k′.
    ///
    /// # Errors
    /// [`ClampError`]; but for a misuse, the link must be dropped.
    pub fn run(self, channel: &mut dyn Channel, shares: &[u64]) -> Result<Zeroizing<Vec<u64>>, ClampError> {
        if shares.len() != self.count {
            return Err(ClampError::Misuse("the material was drawn for another number of elements"));
        }
        let count = self.count;
        let mut run = Run::new(self, shares);
        for turn in 0..run.material.plan.messages() {
            let bytes = run.material.plan.message_bytes(turn, count);
            let pieces = run.material.plan.turns[turn].clone();
            let step = Step::round(turn as u8);
            if speaker(turn) == run.material.party {
                let mut packer = Packer::with_capacity(bytes, 8);
                pieces.iter().for_each(|piece| run.say(*piece, &mut packer));
                channel.send(step, &packer.finish())?;
            } else {
                let body = channel.receive(step, bytes)?;
                if body.len() != bytes {
                    return Err(ClampError::Length { turn, got: body.len(), want: bytes });
                }
                let mut unpacker = Unpacker::new(&body);
                pieces.iter().for_each(|piece| run.hear(*piece, &mut unpacker));
            }
        }
        Ok(run.finish())
    }
}

/// A step under way.
struct Run {
    material: Material,
    /// Shares of t, and the server's of t − T.
    shares: [Zeroizing<Vec<u64>>; 2],
    wires: Vec<Lanes>,
    /// The client's flips of every digit, as the server hears them.
    flips: Vec<Vec<u8>>,
    /// Masked factors of the current level, own and the peer's.
    opened: [Option<Vec<Lanes>>; 2],
    /// The peer's flips of the products it asks for.
    asked: Vec<Lanes>,
    sums: Zeroizing<Vec<u64>>,
}

impl Run {
    fn new(material: Material, shares: &[u64]) -> Self {
        let (rounding, count) = (*material.plan.rounding(), material.count);
        let ring = low(rounding.ring);
        let [offset, threshold] = match material.party {
            Party::Client => [rounding.offset() as u64, 0],
            Party::Server => [0, rounding.threshold() as u64],
        };
        let shares = [0, threshold].map(|less| {
            let moved = offset.wrapping_sub(less);
            Zeroizing::new(shares.iter().map(|share| share.wrapping_add(moved) & ring).collect::<Vec<u64>>())
        });
        let mut wires = vec![Lanes::default(); material.plan.circuit.depth.len()];
        if material.plan.inside.is_some() {
            for (wire, shares) in [TOP, TOP_ABOVE].into_iter().zip(&shares) {
                wires[wire] = Lanes::zeros(count);
                let negate = u64::from(material.party == Party::Client);
                let tops = shares.iter().map(|share| share >> (rounding.ring - 1) ^ negate);
                tops.enumerate().for_each(|(i, top)| wires[wire].flip(i, top));
            }
        }
        let sums = Zeroizing::new(vec![0; count]);
        let (flips, asked) = Default::default();
        Self { material, shares, wires, flips, opened: [None, None], asked, sums }
    }

    fn say(&mut self, piece: Piece, packer: &mut Packer) {
        match piece {
            Piece::Flips => self.say_flips(packer),
            Piece::Digits => self.say_digits(packer),
            Piece::Open(level) => {
                let masked = self.masked(level);
                masked.iter().for_each(|lanes| lanes.pack(self.material.count, packer));
                self.opened[0] = Some(masked);
                self.resolve(level);
            }
            Piece::Choose => {
                for (asked, wire) in self.material.asked.iter().zip(self.asked_wires()) {
                    asked.choices.clone().add(&self.wires[wire]).pack(self.material.count, packer);
                }
            }
            Piece::Answer => self.say_answers(packer),
        }
    }

    fn hear(&mut self, piece: Piece, unpacker: &mut Unpacker) {
        let count = self.material.count;
        let mut lanes = |n: usize| (0..n).map(|_| Lanes::unpack(count, unpacker)).collect();
        match piece {
            Piece::Flips => self.hear_flips(unpacker),
            Piece::Digits => self.hear_digits(unpacker),
            Piece::Open(level) => {
                let ands = self.material.plan.circuit.levels[level].ands.iter();
                self.opened[1] = Some(lanes(ands.map(|and| and.openings() as usize).sum()));
                self.resolve(level);
            }
            Piece::Choose => self.asked = lanes(self.material.offered.len()),
            Piece::Answer => self.hear_answers(unpacker),
        }
    }

    fn say_flips(&mut self, packer: &mut Packer) {
        for (stock, digit) in self.material.digits.iter().zip(&self.material.plan.circuit.digits) {
            for (choice, share) in stock.choices.iter().zip(self.shares[0].iter()) {
                packer.push(u64::from(*choice) ^ share >> digit.at, digit.arity);
            }
        }
    }

    fn hear_flips(&mut self, unpacker: &mut Unpacker) {
        let digits = self.material.plan.circuit.digits.iter();
        let flips =
            digits.map(|digit| self.shares[0].iter().map(|_| unpacker.next(digit.arity) as u8).collect());
        self.flips = flips.collect();
    }

    /// Masks the table of every digit; the pad of entry 0, with that entry, is the server's share.
    fn say_digits(&mut self, packer: &mut Packer) {
        let digits = self.material.plan.circuit.digits.iter().zip(&self.material.digits).zip(&self.flips);
        for ((digit, stock), flips) in digits {
            let tables = Tables::of(digit);
            let width = digit.width();
            let mut outs = vec![Lanes::zeros(self.material.count); width as usize];
            let shares = self.shares[0].iter().zip(self.shares[1].iter());
            for (i, ((pads, flip), (first, second))) in stock.pads.iter().zip(flips).zip(shares).enumerate() {
                let masked = tables.entries([*first, *second]) ^ permuted(*pads, digit, *flip);
                let own = masked & low(width);
                packer.push((masked ^ own.wrapping_mul(tables.every)) >> width, digit.bits_down());
                outs.iter_mut().enumerate().for_each(|(j, out)| out.flip(i, own >> j));
            }
            self.wires.splice(digit.first..digit.first + width as usize, outs);
        }
        self.sum(0);
    }

    fn hear_digits(&mut self, unpacker: &mut Unpacker) {
        for (digit, stock) in self.material.plan.circuit.digits.iter().zip(&self.material.digits) {
            let width = digit.width();
            let mut outs = vec![Lanes::zeros(self.material.count); width as usize];
            for (i, (pad, share)) in stock.pads.iter().zip(self.shares[0].iter()).enumerate() {
                let index = (share >> digit.at & low(digit.arity)) as u32;
                let entry = (unpacker.next(digit.bits_down()) << width) >> (index * width) ^ pad;
                outs.iter_mut().enumerate().for_each(|(j, out)| out.flip(i, entry >> j));
            }
            self.wires.splice(digit.first..digit.first + width as usize, outs);
        }
        self.sum(0);
    }

    /// The ANDs of a level with their triples.
    fn masked(&self, level: usize) -> Vec<Lanes> {
        let before: usize =
            self.material.plan.circuit.levels[..level].iter().map(|level| level.ands.len()).sum();
        let ands = self.material.plan.circuit.levels[level].ands.iter().zip(&self.material.ands[before..]);
        let masked = ands.flat_map(|(and, stock)| {
            let by = stock.a.clone().add(&self.wires[and.by]);
            let of = and.terms.iter().zip(&stock.terms);
            [by].into_iter().chain(of.map(|([of, _], [b, _])| b.clone().add(&self.wires[*of])))
        });
        masked.collect()
    }

    /// Computes a level once both have opened it.
    fn resolve(&mut self, level: usize) {
        let [Some(_), Some(_)] = &self.opened else { return };
        let [ours, theirs] = self.opened.each_mut().map(|opened| opened.take().unwrap_or_default());
        let mut public = ours.into_iter().zip(&theirs).map(|(ours, theirs)| ours.add(theirs));
        let before: usize =
            self.material.plan.circuit.levels[..level].iter().map(|level| level.ands.len()).sum();
        let ands = self.material.plan.circuit.levels[level].ands.iter().zip(&self.material.ands[before..]);
        for (and, stock) in ands {
            let d = public.next().unwrap_or_default();
            for ([_, into], [b, c]) in and.terms.iter().zip(&stock.terms) {
                let e = public.next().unwrap_or_default();
                let product = c.clone().add_product(&d, b).add_product(&e, &stock.a);
                self.wires[*into] = match self.material.party {
                    Party::Client => product.add_product(&d, &e),
                    Party::Server => product,
                };
            }
        }
        self.sum(level);
    }

    fn sum(&mut self, level: usize) {
        for [a, b, into] in &self.material.plan.circuit.levels[level].sums {
            self.wires[*into] = self.wires[*a].clone().add(&self.wires[*b]);
        }
    }

    fn products(&self, chooser: Party) -> &[Product] {
        self.material.plan.asked_by(chooser)
    }

    fn asked_wires(&self) -> impl Iterator<Item = usize> {
        self.products(self.material.party).iter().map(|product| product.wire)
    }

    /// r + b·a for the peer's every b, −r here.
    fn say_answers(&mut self, packer: &mut Packer) {
        let products = self.products(self.material.party.other()).to_vec();
        for ((product, flips), pads) in products.iter().zip(&self.asked).zip(&self.material.offered) {
            for (i, pair) in pads.iter().enumerate() {
                let b = self.wires[product.wire].get(i);
                let correlation = match product.factor {
                    None => self.quotient(i).wrapping_mul(1u64.wrapping_sub(2 * b)),
                    Some(factor) => factor.wrapping_mul(b).wrapping_neg(),
                };
                let flip = flips.get(i) as usize;
                let [zero, one] = [pair[flip], pair[1 - flip]];
                packer.push(zero.wrapping_add(correlation).wrapping_sub(one), product.width);
                self.sums[i] = self.sums[i].wrapping_sub(zero << product.shift);
            }
        }
    }

    fn hear_answers(&mut self, unpacker: &mut Unpacker) {
        let products = self.products(self.material.party).to_vec();
        for (product, asked) in products.iter().zip(&self.material.asked) {
            for (i, pad) in asked.pads.iter().enumerate() {
                let corrected = unpacker.next(product.width).wrapping_mul(self.wires[product.wire].get(i));
                self.sums[i] = self.sums[i].wrapping_add(pad.wrapping_add(corrected) << product.shift);
            }
        }
    }

    /// This party's y.
    fn quotient(&self, i: usize) -> u64 {
        let rounding = self.material.plan.rounding();
        let unused = 64 - rounding.ring;
        ((self.shares[0][i] << unused) as i64 >> unused >> rounding.shift) as u64
    }

    /// The products' shares, and what needs no peer.
    fn finish(mut self) -> Zeroizing<Vec<u64>> {
        let rounding = *self.material.plan.rounding();
        let constant = if self.material.party == Party::Client { rounding.low as u64 } else { 0 };
        for i in 0..self.material.count {
            let inside = self.material.plan.inside.map_or(0, |wire| self.wires[wire].get(i));
            let alone = inside.wrapping_mul(self.quotient(i));
            let bits = self.material.plan.bits.iter();
            let bits = bits.fold(alone, |sum, bit| {
                sum.wrapping_add(bit.factor.wrapping_mul(self.wires[bit.wire].get(i)))
            });
            self.sums[i] = self.sums[i].wrapping_add(bits).wrapping_add(constant) & low(rounding.into);
        }
        std::mem::take(&mut self.sums)
    }
}

/// All tables a digit can have, one per value of the server's bits.
struct Tables {
    digit: Digit,
    of: Vec<u64>,
    /// A one in every slot.
    every: u64,
}

impl Tables {
    fn of(digit: &Digit) -> Self {
        let n = 1u64 << digit.arity;
        let slots = |entry: &dyn Fn(u64) -> u64| {
            (0..n).fold(0, |sum, m| sum | entry(m) << (m as u32 * digit.width()))
        };
        let entry = |m: u64, y: u64| match digit.table {
            Table::Carry { propagate, .. } => {
                u64::from(m + y >= n) | u64::from(propagate && m + y == n - 1) << 1
            }
            Table::And => m & y,
        };
        Self { digit: *digit, of: (0..n).map(|y| slots(&|m| entry(m, y))).collect(), every: slots(&|_| 1) }
    }

    /// The table for the server's shares of t and t − T; every entry is read.
    fn entries(&self, shares: [u64; 2]) -> u64 {
        let table = |share: u64| {
            let y = share >> self.digit.at & low(self.digit.arity);
            (0..)
                .zip(&self.of)
                .fold(0, |sum, (at, table)| sum | table & ((at ^ y).wrapping_sub(1) as i64 >> 63) as u64)
        };
        match self.digit.table {
            Table::Carry { chains: 2, propagate } => {
                table(shares[0]) | table(shares[1]) << (1 + u32::from(propagate))
            }
            _ => table(shares[0]),
        }
    }
}

/// The pads with that of entry m ⊕ `flip` at m.
fn permuted(pads: u64, digit: &Digit, flip: u8) -> u64 {
    let (n, width) = (1u32 << digit.arity, digit.width());
    let slot = |m: u32| pads >> (m * width) & low(width);
    (0..n).fold(0, |sum, m| sum | slot(m ^ u32::from(flip)) << (m * width))
}
