//! Samples: inputs of one shape, and perhaps the class each belongs to.
//!
//! Inputs are one array [n, ...shape], row-major, every value finite; labels are n class numbers. Both hold for every
//! [`Samples`] there is, so that nothing downstream checks them again. Whether shape, range and classes suit a model is
//! for the one who runs the model to check.

use crate::Fault;
use ndarray::{ArrayD, Axis, IxDyn, Slice};
use std::ops::Range;

/// The most values one set may hold: 1 GiB of `f32`.
pub const MAX_VALUES: usize = 1 << 28;

/// The number of values an array of this shape holds, if that many may be held. An axis of length 0 counts as 1, so
/// that the lengths of the others are bounded too.
pub(crate) fn volume(shape: &[usize]) -> Result<usize, Fault> {
    let volume = shape.iter().try_fold(1usize, |volume, &axis| volume.checked_mul(axis.max(1)));
    volume.filter(|&volume| volume <= MAX_VALUES).ok_or(TOO_LARGE)
}

/// The refusal of more than [`MAX_VALUES`].
pub(crate) const TOO_LARGE: Fault = Fault::TooLarge { limit: MAX_VALUES as u64, unit: "values" };

/// A set of samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    inputs: ArrayD<f32>,
    labels: Option<Vec<u32>>,
}

impl Samples {
    /// Pairs `inputs` [n, ...shape] with their `labels`.
    ///
    /// # Errors
    /// Refuses an array of rank 0, a value that is not finite (naming the sample), and a wrong number of labels.
    pub fn new(inputs: ArrayD<f32>, labels: Option<Vec<u32>>) -> Result<Self, Fault> {
        if inputs.ndim() == 0 {
            return Err(Fault::NoSampleAxis);
        }
        if let Some(labels) = &labels
            && labels.len() != inputs.len_of(Axis(0))
        {
            return Err(Fault::LabelCount { inputs: inputs.len_of(Axis(0)), labels: labels.len() });
        }
        let finite = |sample: &ndarray::ArrayViewD<'_, f32>| sample.iter().all(|value| value.is_finite());
        match inputs.outer_iter().position(|sample| !finite(&sample)) {
            Some(sample) => Err(Fault::NonFinite { sample }),
            None => Ok(Self { inputs: inputs.as_standard_layout().into_owned(), labels }),
        }
    }

    /// The number of samples n.
    pub fn len(&self) -> usize {
        self.inputs.len_of(Axis(0))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape of one sample, without the leading axis.
    pub fn shape(&self) -> &[usize] {
        &self.inputs.shape()[1..]
    }

    /// The inputs [n, ...shape], row-major.
    pub fn inputs(&self) -> &ArrayD<f32> {
        &self.inputs
    }

    /// The class of each sample, where known.
    pub fn labels(&self) -> Option<&[u32]> {
        self.labels.as_deref()
    }

    /// Inputs and labels, given away.
    pub fn into_parts(self) -> (ArrayD<f32>, Option<Vec<u32>>) {
        (self.inputs, self.labels)
    }

    /// The samples of a range; one whose start is past its end holds none.
    ///
    /// # Errors
    /// Refuses a range that ends after the last sample.
    pub fn slice(&self, range: Range<usize>) -> Result<Self, Fault> {
        if range.end > self.len() {
            return Err(Fault::OutOfRange { index: range.end, len: self.len() });
        }
        let range = range.start.min(range.end)..range.end;
        Ok(Self {
            inputs: self.inputs.slice_axis(Axis(0), Slice::from(range.clone())).to_owned(),
            labels: self.labels.as_ref().map(|labels| labels[range].to_vec()),
        })
    }

    /// The samples at `indices`, in that order; an index may recur.
    ///
    /// # Errors
    /// Refuses an index past the last sample.
    pub fn take(&self, indices: &[usize]) -> Result<Self, Fault> {
        if let Some(&index) = indices.iter().find(|&&index| index >= self.len()) {
            return Err(Fault::OutOfRange { index, len: self.len() });
        }
        Ok(Self {
            inputs: self.inputs.select(Axis(0), indices),
            labels: self.labels.as_ref().map(|labels| indices.iter().map(|&index| labels[index]).collect()),
        })
    }

    /// The same values with another shape per sample.
    ///
    /// # Errors
    /// Refuses a shape that holds another number of values.
    pub fn reshape(self, shape: &[usize]) -> Result<Self, Fault> {
        let full: Vec<usize> = [self.len()].iter().chain(shape).copied().collect();
        let from = self.shape().to_vec();
        match self.inputs.into_shape_with_order(IxDyn(&full)) {
            Ok(inputs) => Ok(Self { inputs, labels: self.labels }),
            Err(_) => Err(Fault::Reshape { from, to: shape.to_vec() }),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counted(n: usize, shape: &[usize]) -> Samples {
        let full: Vec<usize> = [n].iter().chain(shape).copied().collect();
        let count = full.iter().product::<usize>();
        let inputs = ArrayD::from_shape_vec(IxDyn(&full), (0..count).map(|i| i as f32).collect()).unwrap();
        Samples::new(inputs, Some((0..n as u32).collect())).unwrap()
    }

    #[test]
    fn samples_with_a_nan_are_refused_by_number() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let (mut inputs, labels) = counted(5, &[2, 2]).into_parts();
            inputs[[3, 1, 0]] = bad;
            assert!(matches!(Samples::new(inputs, labels), Err(Fault::NonFinite { sample: 3 })));
        }
    }

    #[test]
    fn labels_of_another_number_are_refused() {
        let (inputs, _) = counted(5, &[2]).into_parts();
        let fault = Samples::new(inputs, Some(vec![0; 4])).unwrap_err();
        assert!(matches!(fault, Fault::LabelCount { inputs: 5, labels: 4 }));
    }

    #[test]
    fn a_single_number_is_refused() {
        let number = ArrayD::from_elem(IxDyn(&[]), 1.0);
        assert!(matches!(Samples::new(number, None), Err(Fault::NoSampleAxis)));
    }

    #[test]
    fn columns_first_inputs_become_row_major() {
        let inputs = counted(2, &[3]).into_parts().0.reversed_axes();
        let samples = Samples::new(inputs, None).unwrap();
        assert_eq!(samples.inputs().as_slice().unwrap(), [0., 3., 1., 4., 2., 5.]);
    }

    #[test]
    fn indices_past_the_end_are_refused() {
        let samples = counted(4, &[2]);
        assert!(matches!(samples.slice(2..5), Err(Fault::OutOfRange { index: 5, len: 4 })));
        assert!(matches!(samples.take(&[0, 4]), Err(Fault::OutOfRange { index: 4, len: 4 })));
    }

    #[test]
    fn shapes_of_another_size_are_refused() {
        assert_eq!(counted(3, &[4]).reshape(&[2, 2]).unwrap().shape(), [2, 2]);
        assert!(matches!(counted(3, &[4]).reshape(&[5]), Err(Fault::Reshape { .. })));
        assert!(matches!(counted(3, &[4]).reshape(&[usize::MAX, 2]), Err(Fault::Reshape { .. })));
    }

    proptest! {
        #[test]
        fn slice_and_take_of_the_same_samples_agree(n in 1usize..9, start in 0usize..10, end in 0usize..10) {
            let samples = counted(n, &[2, 3]);
            let indices: Vec<usize> = (start..end).collect();
            match (samples.slice(start..end), samples.take(&indices)) {
                (Ok(slice), Ok(take)) => {
                    prop_assert_eq!(slice.len(), indices.len());
                    prop_assert_eq!(slice, take);
                }
                (Err(_), take) => prop_assert!(end > n && (take.is_err() || start >= end)),
                (Ok(_), Err(_)) => prop_assert!(false, "take refused what slice gave"),
            }
        }
    }
}
