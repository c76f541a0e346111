//! Dense layers and convolutions as one sum [Thaler 2013 for the matrix product; protocols §1 for the convolution].
//!
//! For a batch X\[n, g·C+c, q\] with image positions q, weights W\[g, o, c, d\] with kernel offsets d, and accumulators
//! Y\[n, g·O+o, p\] with output positions p ([`Linear`]), at any point (r_n, r_g, r_o, r_p)
//!
//! > Ỹ(r_n, r_g, r_o, r_p) − b̃(r_g, r_o)·1̃(r_n, r_p) = Σ_{g,c,d} W̃(g, r_o, c, d) · A(g, c, d)
//! >
//! > A(g, c, d) = eq(r_g, g) · Σ_p eq(r_p, p) · X̃(r_n, g·C+c, p·stride + d − padding)
//!
//! where 1̃ extends the vector that is 1 on real samples and positions and 0 on padding. The sum runs over one weight
//! tensor's inputs only: no FFT, no im2col. A dense layer is the case of one group, one position, one offset. eq factors
//! over rows and columns, so the prover fills A in two one-dimensional passes a channel ([`patches`]).
//!
//! At the sum's end, Ã(r_g', r_c, r_d) is a linear form over X̃(r_n, ·) without the table ([`input_form`]): it is
//! Σ_{g,c} eq(r_g', g)·eq(r_g, g)·eq(r_c, c) · Σ_q X̃(r_n, g·C+c, q)·K(q) with K(q) = Σ_d eq(r_d, d)·Σ_{p: p∘d = q} eq(r_p, p).
//! Whoever holds X evaluates it ([`patches_at`]); else it is a claim on the node's input.
//!
//! Bounds: every integer is below p/2 in magnitude by the graph's ranges, so the identity over the field is the identity
//! over the integers.

use ark_ff::AdditiveGroup;

use crate::field::Ext;
use crate::graph::Linear;
use crate::poly::{dot, eq_table, eq_table_scaled, fold_rows, ones};
use crate::tensor::{Range, Tensor};
use crate::weights::{log2_ceil, spread};

/// Where a linear node's accumulators are examined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// r_n, over the batch.
    pub sample: Vec<Ext>,
    /// r_g, over groups.
    pub group: Vec<Ext>,
    /// r_o, over the outputs of a group.
    pub output: Vec<Ext>,
    /// r_p, rows.
    pub row: Vec<Ext>,
    /// r_p, columns.
    pub column: Vec<Ext>,
}

impl Point {
    /// The number of coordinates of each part, in the order of the fields.
    pub fn bits(linear: &Linear, batch: usize) -> [usize; 5] {
        let [height, width] = linear.output_image();
        [batch, linear.groups, linear.outputs, height, width].map(log2_ceil)
    }

    /// Splits a flat list of coordinates; `None` if there are too few.
    pub fn split(linear: &Linear, batch: usize, coordinates: &[Ext]) -> Option<Self> {
        let mut rest = coordinates;
        let mut next = |bits: usize| {
            let (part, tail) = rest.split_at_checked(bits)?;
            rest = tail;
            Some(part.to_vec())
        };
        let [n, g, o, h, w] = Self::bits(linear, batch);
        Some(Self { sample: next(n)?, group: next(g)?, output: next(o)?, row: next(h)?, column: next(w)? })
    }

    /// 1̃(r_n, r_p).
    pub fn ones(&self, linear: &Linear, batch: usize) -> Ext {
        let [height, width] = linear.output_image();
        ones(&self.sample, batch) * ones(&self.row, height) * ones(&self.column, width)
    }
}

/// Bits of each axis of the sum, (g, c, d).
pub fn sum_bits(linear: &Linear) -> [usize; 3] {
    [linear.groups, linear.channels, linear.window.area()].map(log2_ceil)
}

/// T̃(r_n, ·): the batch axis bound, one element per entry of a sample.
pub fn bind_batch(tensor: &Tensor, range: Range, r_n: &[Ext]) -> Vec<Ext> {
    let mut weights = eq_table(r_n);
    weights.truncate(tensor.batch());
    fold_rows(&weights, tensor.values(), tensor.sample_len(), range.magnitude())
}

/// Ỹ(r_n, r_g, r_o, r_p) of the accumulators.
pub fn accumulators_at(linear: &Linear, y: &Tensor, range: Range, point: &Point) -> Ext {
    output_form_at(linear, &bind_batch(y, range, &point.sample), point)
}

/// The table A of the prover, padded to (g, c, d) bits; `x` is X̃(r_n, ·).
pub fn patches(linear: &Linear, x: &[Ext], point: &Point) -> Vec<Ext> {
    let [height, width] = linear.image;
    let [out_height, out_width] = linear.output_image();
    let [kernel_height, kernel_width] = linear.window.kernel;
    let rows = eq_table(&point.row);
    let columns = eq_table(&point.column);
    let groups = eq_table(&point.group);
    let mut dense = Vec::with_capacity(linear.groups * linear.fan_in());
    let mut strip = vec![Ext::ZERO; width];
    for (channel, plane) in x.chunks_exact(height * width).enumerate() {
        let group = groups[channel / linear.channels];
        for d0 in 0..kernel_height {
            strip.fill(Ext::ZERO);
            for (p0, e) in rows[..out_height].iter().enumerate() {
                if let Some(q0) = linear.window.source(0, p0, d0, height) {
                    let e = if linear.groups == 1 { *e } else { *e * group };
                    strip.iter_mut().zip(&plane[q0 * width..]).for_each(|(s, v)| *s += e * v);
                }
            }
            for d1 in 0..kernel_width {
                let sources =
                    (0..out_width).filter_map(|p1| Some((p1, linear.window.source(1, p1, d1, width)?)));
                dense.push(sources.map(|(p1, q1)| columns[p1] * strip[q1]).sum());
            }
        }
    }
    let bits: usize = sum_bits(linear).iter().sum();
    let mut table = vec![Ext::ZERO; 1 << bits];
    spread(&[linear.groups, linear.channels, linear.window.area()], &dense, &mut table);
    table
}

/// The form over one sample of X whose value at X̃(r_n, ·) is Ã(r_g', r_c, r_d); `sum_point` holds (r_g', r_c, r_d). Zero if the point
/// is too short.
pub fn input_form(linear: &Linear, point: &Point, sum_point: &[Ext]) -> Vec<Ext> {
    let [g, c, d] = sum_bits(linear);
    let mut form = Vec::with_capacity(linear.input_channels() * linear.image[0] * linear.image[1]);
    if sum_point.len() == g + c + d {
        let (r_g, rest) = sum_point.split_at(g);
        let (r_c, r_d) = rest.split_at(c);
        let kernel = kernel_image(linear, point, r_d);
        let (channels, groups) = (eq_table(r_c), eq_table(&point.group));
        for (e, group) in eq_table(r_g).iter().zip(&groups).take(linear.groups) {
            for channel in channels.iter().take(linear.channels) {
                let factor = *e * group * channel;
                form.extend(kernel.iter().map(|k| factor * k));
            }
        }
    }
    form
}

/// Ã(r_g', r_c, r_d) where `x` is X̃(r_n, ·).
pub fn patches_at(linear: &Linear, x: &[Ext], point: &Point, sum_point: &[Ext]) -> Ext {
    dot(x, &input_form(linear, point, sum_point))
}

/// A form over one sample of the accumulators, padded to (g, o, rows, columns) bits.
pub fn output_cube(linear: &Linear, form: &[Ext]) -> Vec<Ext> {
    let [height, width] = linear.output_image();
    let axes = [linear.groups, linear.outputs, height, width];
    let mut cube = vec![Ext::ZERO; 1 << axes.map(log2_ceil).iter().sum::<usize>()];
    spread(&axes, form, &mut cube);
    cube
}

/// The extension of [`output_cube`] at (r_g, r_o, r_p).
pub fn output_form_at(linear: &Linear, form: &[Ext], point: &Point) -> Ext {
    let [height, width] = linear.output_image();
    let (rows, columns) = (eq_table(&point.row), eq_table(&point.column));
    let plane = |plane: &[Ext]| -> Ext {
        plane.chunks_exact(width).zip(&rows).map(|(row, e)| dot(row, &columns) * e).sum()
    };
    let channels: Vec<Ext> = form.chunks_exact(height * width).map(plane).collect();
    let outputs = eq_table(&point.output);
    let by_group = channels.chunks_exact(linear.outputs).map(|group| dot(group, &outputs));
    by_group.zip(eq_table(&point.group)).map(|(v, e)| v * e).sum()
}

/// K(q) over the input image.
fn kernel_image(linear: &Linear, point: &Point, r_d: &[Ext]) -> Vec<Ext> {
    let [height, width] = linear.image;
    let [out_height, out_width] = linear.output_image();
    let [kernel_height, kernel_width] = linear.window.kernel;
    let (rows, columns) = (eq_table(&point.row), eq_table(&point.column));
    let offsets = eq_table(r_d);
    let mut image = vec![Ext::ZERO; height * width];
    let mut strip = vec![Ext::ZERO; width];
    for d0 in 0..kernel_height {
        strip.fill(Ext::ZERO);
        for d1 in 0..kernel_width {
            let e = offsets[d0 * kernel_width + d1];
            for (p1, column) in columns[..out_width].iter().enumerate() {
                if let Some(q1) = linear.window.source(1, p1, d1, width) {
                    strip[q1] += e * column;
                }
            }
        }
        for (p0, row) in rows[..out_height].iter().enumerate() {
            if let Some(q0) = linear.window.source(0, p0, d0, height) {
                image[q0 * width..][..width].iter_mut().zip(&strip).for_each(|(v, s)| *v += *row * s);
            }
        }
    }
    image
}

/// W̃(·, r_o, ·, ·): the prover's other table, padded to (g, c, d) bits. `magnitude` bounds |w|.
pub fn bind_weights(linear: &Linear, weight: &[i32], magnitude: u32, r_o: &[Ext]) -> Vec<Ext> {
    let mut outputs = eq_table(r_o);
    outputs.truncate(linear.outputs);
    let fan_in = linear.fan_in();
    let groups = weight.chunks_exact(linear.outputs * fan_in);
    let dense: Vec<Ext> = groups.flat_map(|group| fold_rows(&outputs, group, fan_in, magnitude)).collect();
    let bits: usize = sum_bits(linear).iter().sum();
    let mut table = vec![Ext::ZERO; 1 << bits];
    spread(&[linear.groups, linear.channels, linear.window.area()], &dense, &mut table);
    table
}

/// b̃(r_g, r_o).
pub fn bias_at(linear: &Linear, bias: &[i32], point: &Point) -> Ext {
    let groups = eq_table(&point.group);
    let by_group = groups.iter().zip(bias.chunks_exact(linear.outputs)).flat_map(|(e, _)| {
        let mut table = eq_table_scaled(&point.output, *e);
        table.truncate(linear.outputs);
        table
    });
    let weights: Vec<Ext> = by_group.collect();
    let magnitude = bias.iter().map(|b| b.unsigned_abs()).max().unwrap_or(0);
    fold_rows(&weights, bias, 1, magnitude).into_iter().sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::graph::{Builder, Op, Port, Window, Wire};
    use crate::poly::evaluate;
    use crate::poly::tests::any_ext;
    use crate::weights::{LinearWeights, Weights, accumulator_range};

    const INPUT: Range = Range { low: -100, high: 200 };

    fn any_conv() -> impl Strategy<Value = Linear> {
        let window = (1usize..4, 1usize..4, 1usize..3, 1usize..3).prop_flat_map(|(k0, k1, s0, s1)| {
            (0..k0, 0..k1, 0..k0, 0..k1).prop_map(move |(t, l, b, r)| Window {
                kernel: [k0, k1],
                stride: [s0, s1],
                padding: [t, l, b, r],
            })
        });
        (window, 1usize..4, 1usize..4, 1usize..4, 3usize..7, 3usize..6).prop_map(
            |(window, groups, channels, outputs, h, w)| Linear {
                groups,
                channels,
                outputs,
                window,
                image: [h, w],
                weight_exponent: 3,
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn identity_of_any_convolution_holds(
            linear in any_conv(),
            batch in 1usize..6,
            seed in any::<u64>(),
            coins in proptest::collection::vec(any_ext(), 40),
        ) {
            let mut state = seed;
            let mut next = |modulus: u64| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                ((state >> 33) % modulus) as i32
            };
            let weight: Vec<i32> = (0..linear.weight_count()).map(|_| next(255) - 127).collect();
            let bias: Vec<i32> = (0..linear.output_channels()).map(|_| next(9999) - 5000).collect();
            let shape = [linear.input_channels(), linear.image[0], linear.image[1]];
            let len = batch * shape.iter().product::<usize>();
            let x = Tensor::new(batch, &shape, (0..len).map(|_| next(301) - 100).collect()).expect("sized");
            let tensors = LinearWeights { weight, bias };
            let (low, high) = accumulator_range(&linear, &tensors, INPUT);
            let range = Range::from_wide(low, high).expect("small");
            let mut builder = Builder::new(Port { shape: shape.to_vec(), exponent: 0, range: INPUT }).expect("sized");
            builder.push("conv", Op::Conv(linear), &[Wire::INPUT], Some(range)).expect("consistent");
            let graph = builder.finish().expect("one node");
            let weights = Weights::new(&graph, vec![tensors]).expect("bounded");
            let y = crate::reference::infer(&graph, &weights, x.clone());
            prop_assert!(y.first_outside(range).is_none());

            let point = Point::split(&linear, batch, &coins).expect("enough coins");
            let bound = bind_batch(&x, INPUT, &point.sample);
            let a = patches(&linear, &bound, &point);
            let tensors = &weights.tensors()[0];
            let w = bind_weights(&linear, &tensors.weight, 127, &point.output);
            let left = accumulators_at(&linear, &y, range, &point)
                - bias_at(&linear, &tensors.bias, &point) * point.ones(&linear, batch);
            prop_assert_eq!(left, dot(&a, &w));
            let end = &coins[40 - sum_bits(&linear).iter().sum::<usize>()..];
            prop_assert_eq!(patches_at(&linear, &bound, &point, end), evaluate(&a, end));
        }
    }
}
