//! From pixels to what a model was trained on: x = (pixel * scale - mean) / std, in `f32` and in that order.
//!
//! The channel is a sample's first axis (C of [C, H, W], or the feature of a flat sample). Some sets give mean and
//! deviation per channel, others one for all.

use crate::{Fault, Samples};
use ndarray::Axis;

/// The constants of x = (pixel * scale - mean) / std. The default changes nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Preprocess {
    /// The factor that comes first.
    pub scale: f32,
    /// What is subtracted then: one value for all channels, or one for each.
    pub mean: Vec<f32>,
    /// What is divided by last: one value for all channels, or one for each; none is 0.
    pub std: Vec<f32>,
}

impl Default for Preprocess {
    fn default() -> Self {
        Self { scale: 1.0, mean: vec![0.0], std: vec![1.0] }
    }
}

impl Preprocess {
    /// Preprocesses every sample.
    ///
    /// # Errors
    /// Refuses lists whose length is neither 1 nor the number of channels, and constants under which a value is no
    /// longer finite.
    pub fn apply(&self, samples: Samples) -> Result<Samples, Fault> {
        let channels = samples.shape().first().copied().unwrap_or(1);
        for (name, values) in [("mean", &self.mean), ("std", &self.std)] {
            if values.len() != 1 && values.len() != channels {
                return Err(Fault::Channels { name, given: values.len(), channels });
            }
        }
        let (mut inputs, labels) = samples.into_parts();
        for mut sample in inputs.outer_iter_mut() {
            if sample.ndim() == 0 {
                sample.mapv_inplace(|pixel| self.value(pixel, 0));
            } else {
                for (channel, mut values) in sample.axis_iter_mut(Axis(0)).enumerate() {
                    values.mapv_inplace(|pixel| self.value(pixel, channel));
                }
            }
        }
        Samples::new(inputs, labels)
    }

    fn value(&self, pixel: f32, channel: usize) -> f32 {
        let of = |values: &[f32]| values[channel % values.len()];
        (pixel * self.scale - of(&self.mean)) / of(&self.std)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use ndarray::{Array, ArrayD};

    fn pixels(shape: &[usize]) -> Samples {
        let count = shape.iter().product::<usize>();
        let inputs: ArrayD<f32> = Array::range(0.0, count as f32, 1.0).into_shape_with_order(shape).unwrap();
        Samples::new(inputs, None).unwrap()
    }

    #[test]
    fn constants_per_channel_reach_their_channel() {
        let chosen = Preprocess { scale: 0.5, mean: vec![1.0, 2.0], std: vec![4.0, 8.0] };
        let samples = chosen.apply(pixels(&[2, 2, 1, 2])).unwrap();
        let expected = [-0.25, -0.125, -0.125, -0.0625, 0.25, 0.375, 0.125, 0.1875];
        assert_eq!(samples.inputs().as_slice().unwrap(), expected);
    }

    #[test]
    fn one_constant_serves_all_channels() {
        let samples = Preprocess { mean: vec![1.0], ..Preprocess::default() }.apply(pixels(&[3, 2])).unwrap();
        assert_eq!(samples.inputs().as_slice().unwrap(), [-1., 0., 1., 2., 3., 4.]);
        assert_eq!(Preprocess::default().apply(pixels(&[3])).unwrap(), pixels(&[3]));
    }

    #[test]
    fn lists_of_another_length_are_refused() {
        for mean in [vec![], vec![0.0; 2]] {
            let fault =
                Preprocess { mean, ..Preprocess::default() }.apply(pixels(&[1, 3, 2, 2])).unwrap_err();
            assert!(matches!(fault, Fault::Channels { name: "mean", channels: 3, .. }), "{fault}");
        }
    }

    #[test]
    fn a_deviation_of_zero_is_refused() {
        let flat = Preprocess { std: vec![0.0], ..Preprocess::default() };
        assert!(matches!(flat.apply(pixels(&[2, 2])), Err(Fault::NonFinite { sample: 0 })));
    }
}
