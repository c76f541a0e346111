//! What one step over one range of accumulators takes: its circuit, its messages, its transfers; and nothing secret.
//!
//! With t = z + half − low·2^s, H = high − low and T = (H + 1)·2^s:
//! ```text
//! p = [t ≥ 0],   a = [t ≥ T],   inside = p − a,   c = carry into bit s,   n = both shares of t have their top bit
//! out = low + inside·(y₀ + y₁ + c + 2^(k−s)·n) + a·H,     y_i = share i, read as signed, shifted down by s
//! ```
//! For t ≥ 0 a carry leaves the ring exactly if some share's top bit is set, so t >> s is that bracket, over the integers.
//! p and a are top bits of t and t − T. The latter holds if t − T does not leave the ring below; where the range lets it, p guards a by an AND.
//!
//! Among all ways to cut the bits into digits of 1 to 4, the plan has the fewest messages and then the fewest bits.

use super::PlanError;
use super::circuit::{And, Circuit, Field, Table, Wire};
use super::schedule::{Needs, Piece, schedule, speaker};
use crate::protocol::private::bits;

/// One of the two ends. The client speaks first and receives the digits; else they do the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// Speaks first.
    Client,
    /// Speaks second.
    Server,
}

impl Party {
    /// The peer.
    pub fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// What is asked: clamp((z + 2^(shift−1)) >> shift, low, high) for z of a range, in from one ring and out in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rounding {
    /// k: shares of z are modulo 2^k.
    pub ring: u32,
    /// s.
    pub shift: u32,
    /// The least result.
    pub low: i64,
    /// The greatest result.
    pub high: i64,
    /// The least and the greatest z that can occur.
    pub range: [i64; 2],
    /// k′: shares of the result are modulo 2^k′.
    pub into: u32,
}

/// Bytes of one kind of direction each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// From client to server.
    pub up: usize,
    /// From server to client.
    pub down: usize,
}

/// A bit that counts `factor` in the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bit {
    pub(super) wire: Wire,
    pub(super) factor: u64,
}

/// A product that the server asks the client for: of a shared bit, modulo 2^`width`, counting 2^`shift`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Product {
    pub(super) wire: Wire,
    pub(super) width: u32,
    pub(super) shift: u32,
    /// The odd factor of a bit's −2·b·b′; none for the choice of the client's quotient.
    pub(super) factor: Option<u64>,
}

/// A step laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub(super) rounding: Rounding,
    pub(super) circuit: Circuit,
    /// Selects the quotient; none where the result is always `low`.
    pub(super) inside: Option<Wire>,
    pub(super) bits: Vec<Bit>,
    pub(super) products: Vec<Product>,
    pub(super) turns: Vec<Vec<Piece>>,
}

impl Plan {
    /// Lays a step out.
    ///
    /// # Errors
    /// [`PlanError`], if the range does not fit the ring or a size is out of bounds.
    pub fn new(rounding: Rounding) -> Result<Self, PlanError> {
        let Rounding { ring, shift, low, high, range, into } = rounding;
        for (bits, allowed) in [(ring, 2..=40), (into, 1..=64)] {
            if !allowed.contains(&bits) {
                return Err(PlanError::Ring(bits));
            }
        }
        if shift > 31 {
            return Err(PlanError::Shift(shift));
        }
        if low > high || low < -(1 << 31) || high > 1 << 31 {
            return Err(PlanError::Bounds { low, high });
        }
        let ends = range.map(|z| rounding.centred(z));
        if range[0] > range[1] || !fits(ends[0], ring) || !fits(ends[1], ring) {
            let [least, most] = ends.map(|end| end.clamp(i64::MIN.into(), i64::MAX.into()) as i64);
            return Err(PlanError::Range { least, most, ring });
        }
        let cuts = rounding.fields(ends).into_iter().map(|fields| Self::cut(rounding, ends, &fields));
        let best = cuts.min_by_key(|plan| (plan.messages(), plan.weight()));
        Ok(best.unwrap_or_else(|| Self::constant(rounding)))
    }

    /// What is asked.
    pub fn rounding(&self) -> &Rounding {
        &self.rounding
    }

    /// Messages that cross, one after the other, whatever the number of elements.
    pub fn messages(&self) -> usize {
        self.turns.len()
    }

    /// Bytes of all messages for `count` elements, without frames and without the transfers drawn ahead.
    pub fn traffic(&self, count: usize) -> Traffic {
        (0..self.messages()).fold(Traffic::default(), |sum, turn| match speaker(turn) {
            Party::Client => Traffic { up: sum.up + self.message_bytes(turn, count), ..sum },
            Party::Server => Traffic { down: sum.down + self.message_bytes(turn, count), ..sum },
        })
    }

    /// Random transfers per element in which `chooser` has the choice.
    pub fn transfers(&self, chooser: Party) -> usize {
        match (chooser, self.inside) {
            (_, None) => 0,
            (Party::Client, _) => self.choices() + self.ands().count() + 1,
            (Party::Server, _) => self.ands().count() + self.products.len(),
        }
    }

    /// Products in which `chooser` has the choice.
    pub(super) fn asked_by(&self, chooser: Party) -> &[Product] {
        match chooser {
            Party::Client => self.products.get(..1).unwrap_or_default(),
            Party::Server => &self.products,
        }
    }

    /// Bits of the client's share that choose in digits.
    fn choices(&self) -> usize {
        self.circuit.digits.iter().map(|digit| digit.arity as usize).sum()
    }

    pub(super) fn ands(&self) -> impl Iterator<Item = &And> {
        self.circuit.levels.iter().flat_map(|level| &level.ands)
    }

    /// Bytes of message `turn`.
    pub(super) fn message_bytes(&self, turn: usize, count: usize) -> usize {
        let pieces = self.turns[turn].iter();
        bits::bytes(count * pieces.map(|piece| self.piece_bits(*piece, speaker(turn))).sum::<usize>(), 1)
    }

    fn piece_bits(&self, piece: Piece, from: Party) -> usize {
        let widths = |products: &[Product]| products.iter().map(|product| product.width as usize).sum();
        match (piece, from) {
            (Piece::Flips, _) => self.choices(),
            (Piece::Digits, _) => self.circuit.digits.iter().map(|digit| digit.bits_down() as usize).sum(),
            (Piece::Open(level), _) => {
                self.circuit.levels[level].ands.iter().map(|and| and.openings() as usize).sum()
            }
            (Piece::Choose, Party::Client) => 1,
            (Piece::Choose, Party::Server) => self.products.len(),
            (Piece::Answer, Party::Client) => widths(&self.products),
            (Piece::Answer, Party::Server) => self.rounding.into as usize,
        }
    }

    /// Fifths of bits of an element, a silent transfer counted as 1.6 bits: what plans are compared by.
    pub fn weight(&self) -> usize {
        let sent: usize = (0..self.messages())
            .flat_map(|turn| self.turns[turn].iter().map(move |piece| self.piece_bits(*piece, speaker(turn))))
            .sum();
        5 * sent + 8 * (self.transfers(Party::Client) + self.transfers(Party::Server))
    }

    /// The step whose result is always `low`.
    fn constant(rounding: Rounding) -> Self {
        let (circuit, bits, products, turns) = Default::default();
        Self { rounding, circuit, inside: None, bits, products, turns }
    }

    fn cut(rounding: Rounding, ends: [i128; 2], fields: &[Field]) -> Self {
        let Rounding { ring, shift, low, high, into, .. } = rounding;
        let mut circuit = Circuit::over(INPUTS, fields);
        let digits = circuit.digits.len();
        let (above, guarded) = (rounding.reaches_above(ends), !fits(ends[0] - rounding.threshold(), ring));
        let carry = circuit.carry(0, 0, digits).generate;
        let positive = circuit.xor(TOP, carry);
        let above = above.then(|| {
            let carry = circuit.carry(1, 0, digits).generate;
            let above = circuit.xor(TOP_ABOVE, carry);
            if guarded { circuit.and(positive, &[above])[0] } else { above }
        });
        let inside = above.map_or(positive, |above| circuit.xor(positive, above));
        let low_digits = circuit.digits.iter().take_while(|digit| digit.at < shift).count();
        let carried = (shift > 0).then(|| circuit.carry(0, 0, low_digits).generate);
        let wrapped = (ring - shift < into).then(|| circuit.digit(ring - 1, 1, Table::And));
        let factors: Vec<Wire> = [carried, wrapped].into_iter().flatten().collect();
        let corrections = if factors.is_empty() { Vec::new() } else { circuit.and(inside, &factors) };
        let weights = [carried.map(|_| 1), wrapped.map(|_| 1 << (ring - shift))].into_iter().flatten();
        let mut bits: Vec<Bit> =
            corrections.iter().zip(weights).map(|(wire, factor)| Bit { wire: *wire, factor }).collect();
        bits.extend(above.map(|wire| Bit { wire, factor: (high - low) as u64 & bits::low(into) }));
        let choice = Product { wire: inside, width: into, shift: 0, factor: None };
        let products: Vec<Product> =
            [choice].into_iter().chain(bits.iter().filter_map(|bit| bit.product(into))).collect();
        let level =
            |wires: &mut dyn Iterator<Item = Wire>| wires.map(|w| circuit.depth[w]).max().unwrap_or(0);
        let needs = Needs {
            levels: circuit.levels.len(),
            client: circuit.depth[inside],
            server: level(&mut products.iter().map(|product| product.wire)),
        };
        Self { turns: schedule(needs), rounding, circuit, inside: Some(inside), bits, products }
    }
}

impl Bit {
    /// b₀·b₁·(−2·factor), if that is not zero modulo 2^`into`.
    fn product(&self, into: u32) -> Option<Product> {
        let shift = 1 + self.factor.trailing_zeros();
        (shift < into).then(|| Product {
            wire: self.wire,
            width: into - shift,
            shift,
            factor: Some(self.factor >> (shift - 1)),
        })
    }
}

impl Rounding {
    /// The least ring that holds all that occurs.
    pub fn least_ring(&self) -> u32 {
        let ends = self.range.map(|z| self.centred(z));
        (2..128).find(|bits| ends.iter().all(|end| fits(*end, *bits))).unwrap_or(128)
    }

    /// t of z.
    fn centred(&self, z: i64) -> i128 {
        i128::from(z) + i128::from(self.offset())
    }

    /// What is added to z.
    pub(super) fn offset(&self) -> i64 {
        (1 << self.shift >> 1) - (self.low << self.shift)
    }

    /// T.
    pub(super) fn threshold(&self) -> i128 {
        (i128::from(self.high - self.low) + 1) << self.shift
    }

    fn reaches_above(&self, ends: [i128; 2]) -> bool {
        ends[1] >= self.threshold()
    }

    /// Every way to cut the bits below the top one; none where no z gives more than `low`.
    fn fields(&self, ends: [i128; 2]) -> Vec<Vec<Field>> {
        if self.low == self.high || ends[1] >> self.shift <= 0 {
            return Vec::new();
        }
        let rest = self.ring - 1 - self.shift;
        let shared = if self.reaches_above(ends) {
            ((self.high - self.low + 1).trailing_zeros()).min(rest)
        } else {
            rest
        };
        let fields = [(self.shift, 1), (shared, 1), (rest - shared, 2)];
        fields.iter().fold(vec![Vec::new()], |cuts, &(bits, chains)| {
            let counts = bits.div_ceil(4)..=bits.div_ceil(2);
            let longer = cuts.iter().flat_map(|cut: &Vec<Field>| {
                counts.clone().map(move |digits| [&cut[..], &[Field { bits, digits, chains }]].concat())
            });
            longer.collect()
        })
    }
}

fn fits(value: i128, bits: u32) -> bool {
    (-(1i128 << (bits - 1))..1 << (bits - 1)).contains(&value)
}

/// The wire of ¬ (top bit of x ⊕ y), and that of x ⊕ (y − T): what the shares have there before a carry.
pub(super) const TOP: Wire = 0;
pub(super) const TOP_ABOVE: Wire = 1;
const INPUTS: usize = 2;
