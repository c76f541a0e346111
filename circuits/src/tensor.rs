//! Batched integer tensors.
//!
//! A [`Tensor`] is a batch of N samples of one shape, row-major with the batch axis outermost. Entries are `i32`:
//! the compiler proves a static bound for every node ([`crate::graph`]) and refuses a model whose accumulators
//! could leave `i32`, so storage never truncates.

/// An inclusive range of integers, `low ≤ high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The least value.
    pub low: i32,
    /// The greatest value.
    pub high: i32,
}

impl Range {
    /// The range `low..=high`; `None` if it is empty.
    pub fn new(low: i32, high: i32) -> Option<Self> {
        (low <= high).then_some(Self { low, high })
    }

    /// The range of two 64-bit bounds; `None` if it is empty or leaves `i32`.
    pub fn from_wide(low: i64, high: i64) -> Option<Self> {
        Self::new(i32::try_from(low).ok()?, i32::try_from(high).ok()?)
    }

    /// Whether `v` lies inside.
    pub fn contains(&self, v: i32) -> bool {
        self.low <= v && v <= self.high
    }

    /// Whether all of `other` lies inside.
    pub fn covers(&self, other: &Range) -> bool {
        self.low <= other.low && other.high <= self.high
    }

    /// The least range that covers both.
    pub fn hull(&self, other: &Range) -> Range {
        Range { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    /// max |v| over the range.
    pub fn magnitude(&self) -> u32 {
        self.low.unsigned_abs().max(self.high.unsigned_abs())
    }

    /// Bytes of the fixed-width encoding of v − low: 1 to 4.
    pub fn byte_width(&self) -> usize {
        let span = self.high.abs_diff(self.low);
        ((32 - span.leading_zeros()).div_ceil(8) as usize).max(1)
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}..={}", self.low, self.high)
    }
}

/// A batch of integer tensors of one shape, row-major, batch axis outermost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    batch: usize,
    shape: Vec<usize>,
    values: Vec<i32>,
}

impl Tensor {
    /// A batch of `batch` samples of `shape`; `None` unless `values` has exactly batch · ∏ shape entries.
    pub fn new(batch: usize, shape: &[usize], values: Vec<i32>) -> Option<Self> {
        let size = shape.iter().try_fold(batch, |n, d| n.checked_mul(*d))?;
        (size == values.len()).then(|| Self { batch, shape: shape.to_vec(), values })
    }

    /// A tensor of zeros.
    pub fn zeros(batch: usize, shape: &[usize]) -> Self {
        let size = batch * shape.iter().product::<usize>();
        Self { batch, shape: shape.to_vec(), values: vec![0; size] }
    }

    /// Samples in the batch.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// The shape of one sample.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Entries of one sample.
    pub fn sample_len(&self) -> usize {
        self.shape.iter().product()
    }

    /// All entries, row-major.
    pub fn values(&self) -> &[i32] {
        &self.values
    }

    /// All entries, to change.
    pub fn values_mut(&mut self) -> &mut [i32] {
        &mut self.values
    }

    /// The entries of sample `n`, empty beyond the batch.
    pub fn sample(&self, n: usize) -> &[i32] {
        let len = self.sample_len();
        n.checked_mul(len).and_then(|start| self.values.get(start..start + len)).unwrap_or(&[])
    }

    /// The samples at `positions`, in that order; `None` if one lies beyond the batch.
    pub fn select(&self, positions: &[usize]) -> Option<Self> {
        let mut values = Vec::with_capacity(positions.len().checked_mul(self.sample_len())?);
        for &n in positions {
            if n >= self.batch {
                return None;
            }
            values.extend_from_slice(self.sample(n));
        }
        Self::new(positions.len(), &self.shape, values)
    }

    /// The first entry outside `range`, as (sample, offset in the sample, value).
    pub fn first_outside(&self, range: Range) -> Option<(usize, usize, i32)> {
        let at = self.values.iter().position(|v| !range.contains(*v))?;
        let len = self.sample_len();
        Some((at / len, at % len, self.values[at]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_width_of_ranges_is_least() {
        let width = |low, high| Range { low, high }.byte_width();
        assert_eq!([width(0, 0), width(0, 255), width(-128, 127), width(0, 256)], [1, 1, 1, 2]);
        assert_eq!([width(-(1 << 23), (1 << 23) - 1), width(i32::MIN, i32::MAX)], [3, 4]);
    }

    #[test]
    fn constructor_of_wrong_size_refuses() {
        assert!(Tensor::new(2, &[3], vec![0; 5]).is_none());
        assert!(Tensor::new(usize::MAX, &[2], vec![]).is_none());
    }

    #[test]
    fn select_of_positions_keeps_order() {
        let t = Tensor::new(3, &[2], (0..6).collect()).expect("six entries");
        assert_eq!(t.select(&[2, 0]).expect("in range").values(), [4, 5, 0, 1]);
        assert!(t.select(&[3]).is_none());
        assert_eq!(t.first_outside(Range { low: 0, high: 3 }), Some((2, 0, 4)));
    }
}
