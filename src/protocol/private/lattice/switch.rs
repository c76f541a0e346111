//! Switching answers to a small ring, where several of them share one mask. Units: turns (1 is a whole modulus).
//!
//! An answer polynomial's mask has N = 4096 coefficients, however few of its body's are results. If all results sit
//! at coefficients r·x + r − 1, for a *rank* r that divides N, then with a = Σ_i X^i·a_i(Z), s likewise, Z = X^r,
//!
//! ```text
//! coefficient r·x + r − 1 of a·s   is coefficient x of Σ_{i<r} a_{r−1−i}·s_i   modulo Z^{N/r} + 1
//! ```
//! So the results are a module-LWE ciphertext of rank r and degree N/r. That ring lies in Z\[Y\]/(Y^n + 1), n =
//! [`SMALL`] = 2048, as Z = Y^m with m = n·r/N = r/2, and m answers lie there side by side, answer t as Y^t times its own: their masks
//! are the r polynomials A_i\[m·x + t\] = a^(t)\[r·x + r − 1 − i\], all under the same s_i(Y^m). A switching key from
//! these to a ternary s′ of the small ring makes one ciphertext of them: n coefficients for m answers where there were
//! m·N. (Modulus switching and key switching as in Brakerski, Gentry, Vaikuntanathan, ITCS 2012; switching to a smaller ring as in
//! Gentry, Halevi, Peikert, Smart, SCN 2012, here from a module, which needs no automorphism.)
//!
//! **Key.** q′ = 262140·2^36 + 1, prime, below 2^54. For i < r and *level* l = 1, …, L one sample (−α·s′ + e + g_l·s_i(Y^m), α) with
//! g_l = (q′ − 1)/2^(w·l), α from a seed; L·w = 36, and L is 2, or 3 for wider results.
//!
//! **Switch.** A_i is rounded to 2^−36 and cut into L digits of w bits, Σ_l d_l/2^(w·l), each of magnitude at most 2^(w−1). The
//! sum of digits times samples is (b′, a′) with b′ + a′·s′ = Σ A_i·s_i(Y^m) + noise. To b′ the flooded bodies are added, each at the place
//! of its result; other coefficients are neither added to nor sent. a′ is rounded at random to d bits.
//!
//! **Noise**, per result, each of the three within its bound but for probability 2^−125:
//!
//! * rounding A_i: Σ s_i·δ_i of independent δ_i of width 2^−36, as in `params`, at most 352·2^−36;
//! * errors of the key: Σ d·e over n·r·L terms. The e are centred binomials, sub-Gaussian of variance 10.5, and independent of the
//!   digits, which come from query, weights and blinding. By Chernoff's bound for Σ d² ≤ n·r·L·2^(2w−2) the sum passes
//!   √(2·126·ln 2)·√(10.5·n·r·L)·2^(w−1) < 1939·√(r·L)·2^(w−1) with probability at most 2^−125, whatever the digits are; over q′;
//! * rounding a′: up with probability as high as what is cut off, by coins of the server's, so its errors are independent, of mean 0 and width
//!   2^−d whatever a′ and s′ are. By Hoeffding's inequality Σ s′_i·δ_i passes 248·2^−d with probability at most
//!   2·exp(−2·248²/1408) < 2^−125;
//! * q′ − 1 for q′ in g_l, 2^54 for q′ above, and fixed point: below 2^−38.
//!
//! `params` sets 0.34375·2^−k aside for the rounding of a mask; [`Switch::mask_bits`] is the least d from k + 10 on with which all of this is
//! below that, so flood, body and statistical distance are those of an answer that is not switched. Beyond k = 25 no d is, and answers stay as
//! they are. All together a result is wrong with probability below 2^−123.
//!
//! **The server's weights.** The switch reads what `params` has proven to hide them (mask and flooded results, of which it only rounds),
//! the client's key and coins of its own: whatever it sends, a client could have made of an answer that is not switched. So it gives
//! nothing away, whatever key the client sent.
//!
//! **The client's masks.** n = 2048 and log q′ ≤ 54 with a ternary secret and error σ ≈ 3.24 is 128 bits, against classical attacks, in the
//! 2018 tables of the Homomorphic Encryption Security Standard, with little to spare. Whoever had s′ had s and all masks, so where there is
//! a switch it decides the level (s alone, at Q of 84 bits, is about 170 bits by the same estimate). The key is L·r ring-LWE samples under s′, which is independent of s and of which nothing is
//! encrypted under any key: s is hidden by s′ first, then as without a switch. No circular security is assumed.

use rand::CryptoRng;
use zeroize::Zeroizing;

use super::client::check_length;
use super::ntt::{N, Prime, SMALL, Transform};
use super::params::CARRIER;
use super::ring::residues;
use super::{LatticeError, sample};
use crate::protocol::private::bits::{Packer, Unpacker};

/// How answers are switched. The greater the rank, the fewer bytes down and the more once for the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Switch {
    rank: usize,
    levels: usize,
}

impl Switch {
    /// Those offered. Rank 16 would spare an MLP's batch of 16 a fifth of its bytes, for a key of twice the size and half as much again of
    /// the server's time.
    pub(super) const OFFERED: [Self; 6] = {
        const fn two(rank: usize) -> Switch {
            Switch { rank, levels: 2 }
        }
        const fn three(rank: usize) -> Switch {
            Switch { rank, levels: 3 }
        }
        [two(2), two(4), two(8), three(2), three(4), three(8)]
    };

    /// r: results are at every r-th coefficient.
    pub(super) fn rank(self) -> usize {
        self.rank
    }

    /// m: answers that share a mask.
    pub(super) fn answers(self) -> usize {
        SMALL * self.rank / N
    }

    /// Where the result at coefficient `from` of answer `t` of a mask is.
    pub(super) fn place(self, from: usize, t: usize) -> usize {
        from / self.rank * self.answers() + t
    }

    /// Bits d of a coefficient of a mask for results modulo 2^`ring_bits`, if there are any.
    pub(super) fn mask_bits(self, ring_bits: u32) -> Option<u32> {
        // In units of 2^−54.
        let noise = (352 << 18) + self.key_noise() + (1 << 16);
        let room = (11 << 49) >> ring_bits;
        (ring_bits + 10..=ring_bits + 12).find(|d| noise + (248 << (54 - d)) <= room)
    }

    /// What errors of the key add to a result, in units of 1/q′.
    fn key_noise(self) -> u64 {
        ((1939 * 1939 * self.samples() as u64).isqrt() + 1) << (self.width() - 1)
    }

    /// Bytes of the switching key.
    pub(super) fn key_bytes(self) -> usize {
        sample::SEED + (self.samples() * SMALL * SWITCHED.bits() as usize).div_ceil(8)
    }

    fn samples(self) -> usize {
        self.rank * self.levels
    }

    /// w.
    fn width(self) -> u32 {
        CUT / self.levels as u32
    }

    /// g of a level, counted from 0.
    fn gadget(self, level: usize) -> u64 {
        (SWITCHED.p - 1) >> (self.width() * (level as u32 + 1))
    }

    /// The signed digit of a fraction, by level.
    fn digit(self, fraction: u64, level: usize) -> i64 {
        // To the nearest multiple of 2^−36, in [−2^35, 2^35); then without the digits below this one.
        let rounded = (fraction.wrapping_add(1 << (63 - CUT)) as i64) >> (64 - CUT);
        let width = self.width();
        let rest = (level + 1..self.levels).fold(rounded, |rest, _| (rest + (1 << (width - 1))) >> width);
        if level == 0 { rest } else { (rest << (64 - width)) >> (64 - width) }
    }
}

/// The client's s′. Wiped when dropped; not to be printed.
pub(super) struct SmallKey {
    switch: Switch,
    transform: Transform,
    /// s′ as values modulo q′.
    values: Zeroizing<Vec<u64>>,
    carrier: Transform,
    /// s′ as values modulo the carrier.
    reading: Zeroizing<Vec<u64>>,
}

impl SmallKey {
    pub(super) fn new(switch: Switch, rng: &mut impl CryptoRng) -> Self {
        let secret = sample::key(SMALL, rng);
        let [transform, carrier] = [SWITCHED, CARRIER].map(|prime| Transform::new(prime, SMALL));
        let [values, reading] = [&transform, &carrier].map(|t| t.values(&secret));
        Self { switch, transform, values, carrier, reading }
    }

    /// The switching key from `secret`, s: [`Switch::key_bytes`].
    pub(super) fn switching_key(&self, secret: &[i64], rng: &mut impl CryptoRng) -> Vec<u8> {
        let errors = (0..self.switch.samples()).map(|_| sample::errors(SMALL, rng)).collect::<Vec<_>>();
        self.switching_key_with(secret, &errors, sample::seed(rng))
    }

    pub(super) fn switching_key_with(
        &self,
        secret: &[i64],
        errors: &[Zeroizing<Vec<i64>>],
        seed: [u8; sample::SEED],
    ) -> Vec<u8> {
        let (mut writer, prime, switch) = (Packer::after(seed.to_vec()), SWITCHED, self.switch);
        for (index, error) in errors.iter().enumerate() {
            let (part, step) = (index / switch.levels, prime.factor(switch.gadget(index % switch.levels)));
            let mut body = Zeroizing::new(error.iter().map(|e| prime.small(*e)).collect::<Vec<_>>());
            for (to, s) in secret.iter().skip(part).step_by(switch.rank()).enumerate() {
                let scaled = prime.with_sign(prime.times(s.unsigned_abs(), step), *s);
                let to = &mut body[to * switch.answers()];
                *to = prime.add(*to, scaled);
            }
            self.transform.forward(&mut body);
            let mask = sample::small_mask(prime, &seed, index);
            for ((b, a), s) in body.iter().zip(mask).zip(self.values.iter()) {
                let sealed = prime.add(*b, prime.negate(prime.reduce(u128::from(a) * u128::from(*s))));
                writer.push(sealed, prime.bits());
            }
        }
        writer.finish()
    }

    /// What the mask of an answer is multiplied by, and where.
    pub(super) fn reading(&self) -> (&Transform, &[u64]) {
        (&self.carrier, &self.reading)
    }
}

/// A client's switching key, at the server.
pub(super) struct SwitchKey {
    switch: Switch,
    transform: Transform,
    reciprocal: u64,
    /// (body, mask) as values: by part of s, then by level.
    samples: Vec<[Vec<u64>; 2]>,
}

impl SwitchKey {
    /// Reads a switching key.
    ///
    /// # Errors
    /// [`LatticeError::Length`], [`LatticeError::Residue`] or [`LatticeError::Leftover`].
    pub(super) fn read(switch: Switch, bytes: &[u8]) -> Result<Self, LatticeError> {
        check_length(WHAT, bytes.len(), switch.key_bytes())?;
        let Some((seed, bodies)) = bytes.split_first_chunk() else {
            return Err(LatticeError::Length {
                what: WHAT,
                found: bytes.len(),
                expected: switch.key_bytes(),
            });
        };
        let mut reader = Unpacker::new(bodies);
        let samples = (0..switch.samples())
            .map(|index| {
                let body = residues(&mut reader, SWITCHED, SMALL, WHAT)?;
                Ok([body, sample::small_mask(SWITCHED, seed, index)])
            })
            .collect::<Result<_, LatticeError>>()?;
        if !reader.finish() {
            return Err(LatticeError::Leftover(WHAT));
        }
        let transform = Transform::new(SWITCHED, SMALL);
        Ok(Self { switch, transform, reciprocal: SWITCHED.reciprocal(), samples })
    }

    /// What is to be added to the bodies of up to m answers with these masks, and their mask under s′: in units of
    /// 2^−64, as the masks are.
    pub(super) fn switch<'a>(&self, masks: impl Iterator<Item = &'a [u64]> + Clone) -> [Vec<u64>; 2] {
        let (switch, p) = (self.switch, SWITCHED);
        let mut sums = [vec![0u128; SMALL], vec![0u128; SMALL]];
        for (index, sample) in self.samples.iter().enumerate() {
            let (part, level) = (index / switch.levels, index % switch.levels);
            let mut digits = vec![0; SMALL];
            for (t, mask) in masks.clone().enumerate() {
                let own = mask.iter().skip(switch.rank() - 1 - part).step_by(switch.rank());
                for (x, a) in own.enumerate() {
                    digits[x * switch.answers() + t] = p.small(switch.digit(*a, level));
                }
            }
            self.transform.forward(&mut digits);
            for (sum, key) in sums.iter_mut().zip(sample) {
                for (sum, (d, k)) in sum.iter_mut().zip(digits.iter().zip(key)) {
                    *sum += u128::from(*d) * u128::from(*k);
                }
            }
        }
        sums.map(|sum| {
            let mut values = sum.into_iter().map(|v| p.reduce(v)).collect::<Vec<_>>();
            self.transform.inverse(&mut values);
            values.iter_mut().for_each(|v| *v = p.fraction(*v, self.reciprocal));
            values
        })
    }
}

/// A fraction to one of the two multiples of 2^−bits about it, by a uniform `coin`: on average, to itself.
pub(super) fn round_at_random(fraction: u64, coin: u64, bits: u32) -> u64 {
    fraction.wrapping_add(coin >> bits) >> (64 - bits)
}

/// q′: the greatest prime c·2^36 + 1 below 2^54.
pub(super) const SWITCHED: Prime = Prime::new((262_140 << 36) + 1);
/// Bits of a mask's coefficient that are switched.
const CUT: u32 = 36;
const WHAT: &str = "the switching key";

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    /// Σ A_i·s_i(Y^m) at place m·x + t, in units of 2^−64.
    fn exact(switch: Switch, masks: &[Vec<u64>], secret: &[i64], x: usize, t: usize) -> u64 {
        let at = x * switch.rank() + switch.rank() - 1;
        (0..N).fold(0u64, |sum, i| {
            let turn = if i <= at { secret[i] } else { -secret[i] };
            sum.wrapping_add(masks[t][(at + N - i) % N].wrapping_mul(turn as u64))
        })
    }

    /// What the switch adds to the phase at this place.
    fn noise(key: &SmallKey, switched: &[Vec<u64>; 2], exact: u64, place: usize) -> i64 {
        let mut secret = key.values.to_vec();
        key.transform.inverse(&mut secret);
        let product = (0..SMALL).fold(0u64, |sum, i| {
            let s = SWITCHED.centre(secret[i]) * if i <= place { 1 } else { -1 };
            sum.wrapping_add(switched[1][(place + SMALL - i) % SMALL].wrapping_mul(s as u64))
        });
        switched[0][place].wrapping_add(product).wrapping_sub(exact) as i64
    }

    /// What errors of the key add to a result, in units of 2^−64.
    fn bound(switch: Switch) -> f64 {
        (switch.key_noise() << 10) as f64
    }

    #[test]
    fn noise_of_a_switch_is_within_its_bound_and_errors_that_reach_it_are_read_exactly() {
        for switch in Switch::OFFERED {
            let mut rng = StdRng::seed_from_u64(switch.samples() as u64);
            let (secret, key) = (sample::key(N, &mut rng), SmallKey::new(switch, &mut rng));
            let masks: Vec<Vec<u64>> =
                (0..switch.answers()).map(|_| (0..N).map(|_| rng.next_u64()).collect()).collect();
            let by = |message: &[u8]| {
                let read = SwitchKey::read(switch, message).unwrap();
                read.switch(masks.iter().map(Vec::as_slice))
            };
            let rounding = (704u64 << 27) as f64;
            let switched = by(&key.switching_key(&secret, &mut rng));
            let places =
                (0..SMALL).step_by(31).map(|place| (place / switch.answers(), place % switch.answers()));
            let worst = places.map(|(x, t)| {
                let exact = exact(switch, &masks, &secret, x, t);
                noise(&key, &switched, exact, x * switch.answers() + t).unsigned_abs()
            });
            let worst = worst.max().unwrap() as f64;
            assert!(worst < bound(switch) + rounding && worst > bound(switch) / 20.0, "{switch:?}: {worst}");

            // Errors aligned with the digits that meet the result at `place`, up to the bound.
            let (x, t, place) = (3, 0, 3 * switch.answers());
            let mut left = bound(switch) / 1024.0; // in units of 2^−54, q′
            let errors = (0..switch.samples()).map(|index| {
                let mut error = Zeroizing::new(vec![0; SMALL]);
                for at in 0..SMALL {
                    let (from, sign) = if at <= place { (place - at, 1) } else { (SMALL + place - at, -1) };
                    let [part, level] = [index / switch.levels, index % switch.levels];
                    let own = from / switch.answers() * switch.rank() + switch.rank() - 1 - part;
                    let digit = sign * switch.digit(masks[from % switch.answers()][own], level);
                    let size = (left / digit.unsigned_abs() as f64).min(21.0) as i64;
                    left -= (size * digit.abs()) as f64;
                    error[at] = size * digit.signum();
                }
                error
            });
            let errors = errors.collect::<Vec<_>>();
            let switched = by(&key.switching_key_with(&secret, &errors, [9; sample::SEED]));
            let found = noise(&key, &switched, exact(switch, &masks, &secret, x, t), place) as f64;
            assert!((found - bound(switch)).abs() < rounding, "{switch:?}: {found} is not {}", bound(switch));
            for k in 1..=32 {
                let Some(d) = switch.mask_bits(k) else { continue };
                let all = bound(switch) + rounding + 248.0 * 2f64.powi(64 - d as i32);
                assert!(all < 0.34375 * 2f64.powi(64 - k as i32) && k <= 25, "{switch:?} {k}");
            }
            assert_eq!(switch.mask_bits(20), Some(30));
            assert_eq!(switch.mask_bits(25).is_some(), switch.levels == 3);
        }
    }

    #[test]
    fn rounding_at_random_is_right_on_average_and_off_by_less_than_one() {
        let mut rng = StdRng::seed_from_u64(1);
        let fraction = (5 << 34) + (3 << 32);
        let ups = (0..4096).filter(|_| match round_at_random(fraction, rng.next_u64(), 30) {
            5 => false,
            up => {
                assert_eq!(up, 6);
                true
            }
        });
        assert!((3072 - 200..3072 + 200).contains(&ups.count()));
        assert_eq!(round_at_random(u64::MAX, u64::MAX, 30), 0);
        assert_eq!(round_at_random(5 << 34, u64::MAX, 30), 5);
    }
}
