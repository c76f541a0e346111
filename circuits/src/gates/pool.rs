//! A max pool as clamps: the greatest of a window is found along its rows, then along its columns, two values at a time.
//!
//! > max(a, b) = a + clamp(b − a, 0, B)
//!
//! so one look-up shows that the result is no less than either and equal to one of them. A window that holds fewer real entries than
//! others (padding takes no part) meets its last one again, which changes nothing.

use super::{Gate, Map, Term, Unfolding, Window, image};
use crate::graph::Fault;
use crate::relation::clamp::Clamp;

/// One direction of a pool: vectors of `length` entries `inner` apart, `outer` of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    outer: usize,
    length: usize,
    inner: usize,
    /// For each result the entries it covers, from the first to before the second; never none.
    windows: Vec<[usize; 2]>,
}

/// Both directions of a max pool over an image of this shape, in the order they are taken.
///
/// # Errors
/// [`Fault`], if the window does not fit the image; never so in a built graph.
pub fn axes(window: &Window, shape: &[usize]) -> Result<[Axis; 2], Fault> {
    let [channels, height, width] = image(shape);
    let [out_height, out_width] = window.slide([height, width])?;
    let windows = |axis: usize, results: usize, length: usize| {
        let inside = |q: usize| q.saturating_sub(window.padding[axis]).min(length);
        let start = |p: usize| p * window.stride[axis];
        (0..results).map(|p| [inside(start(p)), inside(start(p) + window.kernel[axis])]).collect()
    };
    Ok([
        Axis { outer: channels * height, length: width, inner: 1, windows: windows(1, out_width, width) },
        Axis { outer: channels, length: height, inner: out_width, windows: windows(0, out_height, height) },
    ])
}

impl Axis {
    /// Appends, for each result in order, (it, the `nth` entry of its window): of a shorter window its last.
    pub fn pairs(&self, nth: usize, pairs: &mut Vec<[u32; 2]>) {
        let results = self.windows.len();
        for outer in 0..self.outer {
            for (p, [start, end]) in self.windows.iter().enumerate() {
                let q = (start + nth).min(end - 1);
                for inner in 0..self.inner {
                    let to = (outer * results + p) * self.inner + inner;
                    let from = (outer * self.length + q) * self.inner + inner;
                    pairs.push([to as u32, from as u32]);
                }
            }
        }
    }

    /// Results.
    pub fn len(&self) -> usize {
        self.outer * self.windows.len() * self.inner
    }

    /// Whether there is no result; never so in a built graph.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The most entries that a window covers, at least one.
    pub fn most(&self) -> usize {
        self.windows.iter().map(|[start, end]| end - start).max().unwrap_or(1)
    }
}

impl Unfolding {
    pub(super) fn max_pool(
        &mut self,
        node: usize,
        window: &Window,
        shape: &[usize],
        input: usize,
    ) -> Result<usize, Fault> {
        let [along_rows, along_columns] = axes(window, shape)?;
        let by_row = self.greatest(node, &along_rows, input)?;
        self.greatest(node, &along_columns, by_row)
    }

    fn greatest(&mut self, node: usize, axis: &Axis, input: usize) -> Result<usize, Fault> {
        let range = self.values[input].range;
        let len = axis.len();
        let term = |unfolding: &mut Self, nth: usize, value: usize, coefficient: i64| {
            let map = unfolding.map(len, |pairs| axis.pairs(nth, pairs))?;
            Ok::<_, Fault>(Term { value, coefficient, map })
        };
        let first = term(self, 0, input, 1)?;
        let mut greatest = self.push(node, len, range, Gate::Affine(vec![first]));
        let span = range[1] - range[0];
        for nth in 1..axis.most() {
            let next = term(self, nth, input, 1)?;
            let so_far = Term { value: greatest, coefficient: -1, map: Map::Same };
            let rise = self.push(node, len, [-span, span], Gate::Affine(vec![next, so_far]));
            let clamp = Clamp::new(0, 0, span, [-span, span]);
            greatest = self.push(node, len, range, Gate::Clamp { clamp, input: rise, base: Some(greatest) });
        }
        Ok(greatest)
    }
}
