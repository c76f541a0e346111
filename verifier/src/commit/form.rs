//! All claims on a committed row, merged into one linear form.
//!
//! A row u of 2^k challenge-field elements is claimed to have the values v_j in its codeword at the positions of J, and the
//! extension w at z. With a random γ these |J| + 1 claims are one, ⟨u, E⟩ = Σ_i γ^i·v_i + γ^|J|·w, where
//!
//! > E(e) = Σ_i γ^i·x_i^e + γ^|J|·eq(z, e),  x_i the root of unity at the i-th position,
//!
//! since the codeword is u's polynomial evaluated on the roots of unity. The powers of one x_i are a product over the bits of
//! the exponent, so Ẽ(s) = Σ_i γ^i·∏_b (1 − s_b + s_b·x_i^(2^b)) + γ^|J|·eq(z, s) takes |J|·k products.
//!
//! Soundness error of the merging: the claims' differences are the coefficients of a polynomial in γ, so |J| / |F|.

use ark_ff::{AdditiveGroup, FftField, Field};
use serin_circuits::field::{Ext, Fp};
use serin_circuits::poly::eq_point;

use super::{Shape, scale};

/// The linear form E over a row.
#[derive(Clone, Debug)]
pub struct Form<'a> {
    /// How the committed matrix stands whose combined row it is about.
    pub shape: Shape,
    /// J: distinct positions in its codewords.
    pub positions: &'a [usize],
    /// z, most significant coordinate first.
    pub point: &'a [Ext],
    /// 1, γ, …, γ^|J|.
    pub powers: Vec<Ext>,
}

impl<'a> Form<'a> {
    /// The form that γ makes of the positions and the point.
    pub(super) fn new(shape: Shape, positions: &'a [usize], point: &'a [Ext], gamma: Ext) -> Self {
        let powers = std::iter::successors(Some(Ext::ONE), |power| Some(*power * gamma));
        Self { shape, positions, point, powers: powers.take(positions.len() + 1).collect() }
    }

    /// The value that the form must have: of the codeword's values at the positions, and of the extension at the point.
    pub(super) fn claim(&self, values: &[Ext], at_point: Ext) -> Ext {
        let terms = self.powers.iter().zip(values.iter().chain([&at_point]));
        terms.fold(Ext::ZERO, |sum, (power, value)| sum + *power * value)
    }

    /// Ẽ(s).
    pub fn at(&self, s: &[Ext]) -> Ext {
        let root = Fp::get_root_of_unity(self.shape.codeword() as u64).unwrap_or(Fp::ONE);
        let terms = self.positions.iter().zip(&self.powers).map(|(at, power)| {
            let x = root.pow([*at as u64]);
            let steps = std::iter::successors(Some(x), |x| Some(x.square()));
            s.iter()
                .rev()
                .zip(steps)
                .fold(*power, |product, (s, x)| product * (Ext::ONE + scale(s, x - Fp::ONE)))
        });
        let last = self.powers.last().copied().unwrap_or(Ext::ZERO);
        terms.sum::<Ext>() + last * eq_point(self.point, s)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serin_circuits::poly::{dot, eq_table, evaluate};

    use super::*;
    use crate::commit::{Code, encode};

    fn any_ext(seed: u64) -> Ext {
        let limb = |i: u64| Fp::new(seed.wrapping_add(i).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        Ext::new(limb(1), limb(2))
    }

    proptest! {
        #[test]
        fn form_of_any_positions_claims_what_the_codeword_holds(
            bits in 0usize..8,
            picks in proptest::collection::btree_set(0usize..1024, 1..20),
            seed in any::<u64>(),
        ) {
            let shape = Shape::new(1 << (2 * bits), 2 * bits, Code::WEIGHTS);
            let bits = shape.column_bits();
            let positions: Vec<usize> = picks.into_iter().filter(|at| *at < shape.codeword()).collect();
            prop_assume!(!positions.is_empty());
            let any = |from: u64, count: usize| -> Vec<Ext> { (0..count as u64).map(|i| any_ext(seed ^ (from + i) << 32)).collect() };
            let (row, point, s) = (any(0, 1 << bits), any(1 << 20, bits), any(1 << 21, bits));
            let form = Form::new(shape, &positions, &point, any_ext(seed));

            let root = Fp::get_root_of_unity(shape.codeword() as u64).expect("a short code");
            let entry = |(k, eq): (usize, &Ext)| {
                let powers = positions.iter().map(|at| root.pow([(at * k) as u64]));
                powers.zip(&form.powers).map(|(x, power)| scale(power, x)).sum::<Ext>()
                    + form.powers[positions.len()] * eq
            };
            let entries: Vec<Ext> = eq_table(&point).iter().enumerate().map(entry).collect();
            prop_assert_eq!(form.at(&s), evaluate(&entries, &s));
            let word = encode(&row, shape);
            let values: Vec<Ext> = positions.iter().map(|at| word[*at]).collect();
            prop_assert_eq!(form.claim(&values, evaluate(&row, &point)), dot(&row, &entries));
        }
    }
}
