//! Samples out of a seed: for benches and for shapes no real set has. They say nothing about accuracy.
//!
//! The generator is SplitMix64 [Steele, Lea, Flood, OOPSLA 2014]: 64 bits of state, the same numbers on every machine.
//! It is predictable, so never a source of secrets or of canaries' positions.

use crate::{Fault, Samples, samples::volume};
use ndarray::{ArrayD, IxDyn};
use std::ops::Range;

/// `n` unlabelled samples of the given shape, each value uniform in `range` (its end may be reached by rounding).
///
/// # Errors
/// Refuses more than [`MAX_VALUES`](crate::MAX_VALUES) values, and a range that is not finite.
pub fn uniform(seed: u64, n: usize, shape: &[usize], range: Range<f32>) -> Result<Samples, Fault> {
    let full: Vec<usize> = [n].iter().chain(shape).copied().collect();
    volume(&full)?;
    let width = range.end - range.start;
    let mut words = SplitMix64::new(seed);
    let inputs = ArrayD::from_shape_simple_fn(IxDyn(&full), || range.start + width * unit(words.next_word()));
    Samples::new(inputs, None)
}

/// The upper 24 bits of a word as a number in [0, 1), exactly.
fn unit(word: u64) -> f32 {
    (word >> 40) as f32 / (1 << 24) as f32
}

/// The generator.
#[derive(Clone, Debug)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// Starts at a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next word.
    pub fn next_word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn splitmix_from_a_known_seed_gives_the_published_words() {
        let mut generator = SplitMix64::new(1_234_567);
        let words = [(); 3].map(|()| generator.next_word());
        assert_eq!(words, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn uniform_samples_stay_in_range_and_follow_the_seed() {
        let samples = uniform(7, 100, &[3, 4, 4], -2.0..6.0).unwrap();
        assert_eq!((samples.len(), samples.shape()), (100, &[3, 4, 4][..]));
        assert!(samples.inputs().iter().all(|value| (-2.0..=6.0).contains(value)));
        let mean = samples.inputs().mean().unwrap();
        assert!((1.8..2.2).contains(&mean), "mean {mean} of 4800 values uniform in -2..6");
        assert_eq!(samples, uniform(7, 100, &[3, 4, 4], -2.0..6.0).unwrap());
        assert_ne!(samples, uniform(8, 100, &[3, 4, 4], -2.0..6.0).unwrap());
    }

    #[test]
    fn uniform_samples_beyond_memory_are_refused() {
        assert!(matches!(uniform(1, usize::MAX, &[2], 0.0..1.0), Err(Fault::TooLarge { .. })));
        assert!(matches!(uniform(1, 0, &[usize::MAX, 2], 0.0..1.0), Err(Fault::TooLarge { .. })));
        assert!(matches!(uniform(1, 2, &[1], 0.0..f32::INFINITY), Err(Fault::NonFinite { sample: 0 })));
    }
}
