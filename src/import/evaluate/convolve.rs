//! Convolution of one sample: the image is unfolded into columns, one to each pixel of the result, and multiplied by the weights,
//! group by group. Everything is flat and row-major; the caller has checked the shapes.

use ndarray::{Array4, ArrayView2, ArrayViewMut2};

use crate::import::float::Padding;

/// Where a convolution's windows lie.
pub(super) struct Window {
    /// Channels, rows, columns.
    pub(super) image: (usize, usize, usize),
    pub(super) kernel: (usize, usize),
    pub(super) stride: (usize, usize),
    pub(super) padding: Padding,
    pub(super) out: (usize, usize),
}

/// Convolves one sample x into y, without bias.
pub(super) fn convolve(window: &Window, weight: &Array4<f32>, groups: usize, x: &[f32], y: &mut [f32]) {
    let (out, channels, ..) = weight.dim();
    let taps = channels * window.kernel.0 * window.kernel.1;
    let (_, height, width) = window.image;
    let plane = window.out.0 * window.out.1;
    let mut columns = vec![0.0; taps * plane];
    let weight = weight.as_slice().expect("weights are in standard layout");
    let images = x.chunks_exact(channels * height * width);
    let results = y.chunks_exact_mut(out / groups * plane);
    for ((x, y), weight) in images.zip(results).zip(weight.chunks_exact(out / groups * taps)) {
        window.unfold(x, &mut columns);
        let weight = ArrayView2::from_shape((out / groups, taps), weight).expect("a group's weights");
        let columns = ArrayView2::from_shape((taps, plane), &columns).expect("one column to each pixel");
        let mut y = ArrayViewMut2::from_shape((out / groups, plane), y).expect("a group's result");
        ndarray::linalg::general_mat_mul(1.0, &weight, &columns, 0.0, &mut y);
    }
}

impl Window {
    /// One row for each (channel, kernel row, kernel column), one column for each pixel of the result.
    fn unfold(&self, x: &[f32], columns: &mut [f32]) {
        let (_, height, width) = self.image;
        let area = self.kernel.0 * self.kernel.1;
        for (tap, row) in columns.chunks_exact_mut(self.out.0 * self.out.1).enumerate() {
            let plane = &x[tap / area * height * width..][..height * width];
            let (down, right) = (tap % area / self.kernel.1, tap % self.kernel.1);
            for (i, line) in row.chunks_exact_mut(self.out.1).enumerate() {
                let from = (i * self.stride.0 + down).checked_sub(self.padding.top).filter(|&r| r < height);
                for (j, pixel) in line.iter_mut().enumerate() {
                    let column = (j * self.stride.1 + right).checked_sub(self.padding.left);
                    *pixel = match (from, column.filter(|&c| c < width)) {
                        (Some(row), Some(column)) => plane[row * width + column],
                        _ => 0.0,
                    };
                }
            }
        }
    }
}
