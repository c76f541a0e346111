//! The comparisons of a step as a circuit on boolean shares: digits, then levels of ANDs.
//!
//! The client's share x and the server's y of t are added bit by bit. A [`Digit`] looks at a few bits of both: it *generates* a carry
//! if their sum overflows, and *propagates* one if their sum is all ones. Neighbours combine as
//! ```text
//! G = G_high ⊕ P_high·G_low,   P = P_high·P_low
//! ```
//! in a balanced tree; the sums are exclusive, so ⊕ is ∨. Two additions are followed: x + y and x + (y − T), the second only
//! where T has bits; below, both share their digits. Every AND of a level has one factor that meets one or two others, which is what one
//! random transfer each way pays for.

/// A number of a boolean shared bit.
pub(super) type Wire = usize;

/// One look-up of `arity` bits of the client's share at `at`, in a table that the server makes of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digit {
    pub(super) at: u32,
    pub(super) arity: u32,
    pub(super) table: Table,
    /// Its first wire; the others follow.
    pub(super) first: Wire,
}

/// What is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    /// (G, P) or G alone, of one addition or of both.
    Carry { chains: u32, propagate: bool },
    /// The product of one bit of each.
    And,
}

/// `by` times each `of`, which makes `into`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct And {
    pub(super) by: Wire,
    /// (of, into).
    pub(super) terms: Vec<[Wire; 2]>,
}

/// ANDs whose factors are known one level below, and sums (a, b, into) that follow them in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Level {
    pub(super) ands: Vec<And>,
    pub(super) sums: Vec<[Wire; 3]>,
}

/// A run of bits cut into digits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) bits: u32,
    pub(super) digits: u32,
    pub(super) chains: u32,
}

/// A circuit; level 0 has no ANDs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Circuit {
    pub(super) digits: Vec<Digit>,
    pub(super) levels: Vec<Level>,
    /// The level of every wire.
    pub(super) depth: Vec<usize>,
    known: Vec<([usize; 3], Carry)>,
}

/// What a run of digits does to a carry; the run from the lowest bit propagates none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Carry {
    pub(super) generate: Wire,
    propagate: Option<Wire>,
}

impl Digit {
    /// Bits that come out.
    pub(super) fn width(&self) -> u32 {
        match self.table {
            Table::Carry { chains, propagate } => chains * (1 + u32::from(propagate)),
            Table::And => 1,
        }
    }

    /// Bits that cross to the client: all entries but the first, which a pad stands for.
    pub(super) fn bits_down(&self) -> u32 {
        ((1 << self.arity) - 1) * self.width()
    }
}

impl And {
    /// Bits that either side opens.
    pub(super) fn openings(&self) -> u32 {
        1 + self.terms.len() as u32
    }
}

impl Circuit {
    /// Digits over consecutive fields from bit 0, and `inputs` wires before theirs.
    pub(super) fn over(inputs: usize, fields: &[Field]) -> Self {
        let mut circuit = Self { depth: vec![0; inputs], levels: vec![Level::default()], ..Self::default() };
        let mut at = 0;
        for field in fields {
            for i in 0..field.digits {
                let arity = field.bits * (i + 1) / field.digits - field.bits * i / field.digits;
                let table = Table::Carry { chains: field.chains, propagate: at > 0 };
                circuit.digit(at, arity, table);
                at += arity;
            }
        }
        circuit
    }

    /// One more digit; its first wire.
    pub(super) fn digit(&mut self, at: u32, arity: u32, table: Table) -> Wire {
        let digit = Digit { at, arity, table, first: self.depth.len() };
        self.depth.resize(digit.first + digit.width() as usize, 0);
        self.digits.push(digit);
        digit.first
    }

    /// The carry of addition `chain` out of digits `from..to`.
    pub(super) fn carry(&mut self, chain: usize, from: usize, to: usize) -> Carry {
        let top = self.digits[to - 1];
        let chain = if matches!(top.table, Table::Carry { chains: 2, .. }) { chain } else { 0 };
        if to - from == 1 {
            let propagate = matches!(top.table, Table::Carry { propagate: true, .. });
            let generate = top.first + chain * (1 + usize::from(propagate));
            return Carry { generate, propagate: propagate.then_some(generate + 1) };
        }
        let key = [chain, from, to];
        if let Some((_, carry)) = self.known.iter().find(|(known, _)| *known == key) {
            return *carry;
        }
        let middle = from + (to - from).next_power_of_two() / 2;
        let (low, high) = (self.carry(chain, from, middle), self.carry(chain, middle, to));
        let factors: Vec<Wire> = [Some(low.generate), low.propagate].into_iter().flatten().collect();
        let products = self.and(high.propagate.unwrap_or(high.generate), &factors);
        let generate = self.xor(high.generate, products[0]);
        let carry = Carry { generate, propagate: products.get(1).copied() };
        self.known.push((key, carry));
        carry
    }

    /// `by` times each of `of`.
    pub(super) fn and(&mut self, by: Wire, of: &[Wire]) -> Vec<Wire> {
        let below = of.iter().chain([&by]).map(|wire| self.depth[*wire]).max().unwrap_or(0);
        let products: Vec<Wire> = of.iter().map(|_| self.wire(below + 1)).collect();
        let terms = of.iter().zip(&products).map(|(of, into)| [*of, *into]).collect();
        self.levels[below + 1].ands.push(And { by, terms });
        products
    }

    /// a ⊕ b, which costs nothing.
    pub(super) fn xor(&mut self, a: Wire, b: Wire) -> Wire {
        let level = self.depth[a].max(self.depth[b]);
        let into = self.wire(level);
        self.levels[level].sums.push([a, b, into]);
        into
    }

    fn wire(&mut self, level: usize) -> Wire {
        self.levels.resize_with(self.levels.len().max(level + 1), Level::default);
        self.depth.push(level);
        self.depth.len() - 1
    }
}
