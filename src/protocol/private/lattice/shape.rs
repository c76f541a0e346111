//! A linear node as a correlation without stride or padding, cut into tiles, and where each entry sits in a
//! polynomial.
//!
//! **Correlation.** A convolution of stride σ splits into its phases: input row p·σ + d with d = σ·δ + φ is row p +
//! δ of phase φ. So with min(σ, κ) phases on each axis as further channels, kernel ⌈κ/σ⌉ and the padding's zeros in
//! place, Y[o, p] = Σ_{c, δ} W[o, c, δ]·X[c, p + δ] over C′ = C·phases channels, an input of out + ⌈κ/σ⌉ − 1 on
//! each axis, and no output wasted. A dense layer has one pixel.
//!
//! **Packing** (Cheetah, Huang et al., USENIX Security 2022, §3; tiles and samples as slots are ours). A tile is
//! th×tw outputs of one sample and its input h×w = (th + κ₀ − 1)×(tw + κ₁ − 1), which overlaps its neighbours'. One
//! polynomial of masks holds c channels of `slots` tiles, one of weights o outputs of those c channels, A = c·h·w,
//! slots·o·A ≤ N:
//!
//! ```text
//! masks:    slot·o·A + channel·h·w + y·w + x
//! weights:  output·A + (c − 1 − channel)·h·w + (κ₀ − 1 − δ₀)·w + κ₁ − 1 − δ₁
//! product:  slot·o·A + output·A + (c − 1)·h·w + (κ₀ − 1 + p₀)·w + κ₁ − 1 + p₁   is Y[output, p] of the slot
//! ```
//! The product of mask (slot, channel, y, x) and weight (output, channel′, δ) sits at slot·o·A + output·A +
//! (c − 1 + channel − channel′)·h·w + (κ₀ − 1 + y − δ₀)·w + κ₁ − 1 + x − δ₁. The column is below w + κ₁ − 1: what
//! reaches w carries into the next row and is left at less than κ₁ − 1, short of every result's column. Rows likewise
//! below h + κ₀ − 1, channels below 2c − 1 with results at c − 1. So it meets a result only where it belongs:
//! channel = channel′, y = p₀ + δ₀, x = p₁ + δ₁. What runs past X^N comes back negated, below the first result.
//! c may be more than there are: what is beyond is zero. Where tiles are of one pixel, results sit at multiples of A, less one.
//! Groups that share a polynomial take slots of their own, and an answer is read at its group's.

use serin_circuits::graph::Linear;

use super::LatticeError;

/// Entries of a tensor that a plan may have, input and output each.
const MAX_ENTRIES: usize = 1 << 28;

/// A linear node as a correlation, for a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    linear: Linear,
    /// Samples.
    pub(super) batch: usize,
    /// Phases on each axis.
    phases: [usize; 2],
    /// Kernel of a phase.
    pub(super) kernel: [usize; 2],
    /// Output image.
    pub(super) out: [usize; 2],
}

/// How a correlation is cut: sizes of a tile, and of a polynomial in tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tiling {
    /// Outputs of a tile on each axis.
    pub(super) tile: [usize; 2],
    /// Channels of a polynomial.
    pub(super) channels: usize,
    /// Output channels of a polynomial of weights.
    pub(super) outputs: usize,
    /// Tiles of one group in a polynomial of masks.
    pub(super) images: usize,
    /// Groups in a polynomial of masks.
    pub(super) groups: usize,
}

impl Shape {
    pub(super) fn new(linear: &Linear, batch: usize) -> Result<Self, LatticeError> {
        let out = linear.output_image();
        let sizes = [
            linear.groups,
            linear.channels,
            linear.outputs,
            linear.image[0],
            linear.image[1],
            out[0],
            out[1],
            batch,
        ];
        if sizes.contains(&0) {
            return Err(LatticeError::Geometry("a size is zero"));
        }
        let product = |factors: &[usize]| {
            factors.iter().try_fold(1usize, |a, b| a.checked_mul(*b)).filter(|n| *n <= MAX_ENTRIES)
        };
        let [kernel_0, kernel_1] = linear.window.kernel;
        let counts = [
            product(&[batch, linear.groups, linear.channels, linear.image[0], linear.image[1]]),
            product(&[batch, linear.groups, linear.outputs, out[0], out[1]]),
            product(&[linear.groups, linear.outputs, linear.channels, kernel_0, kernel_1]),
        ];
        if counts.contains(&None) {
            return Err(LatticeError::Geometry("a tensor has more than 2^28 entries"));
        }
        let window = linear.window;
        let phases = [0, 1].map(|axis| window.stride[axis].min(window.kernel[axis]));
        let kernel = [0, 1].map(|axis| window.kernel[axis].div_ceil(window.stride[axis]));
        Ok(Self { linear: *linear, batch, phases, kernel, out })
    }

    /// Groups, channels C′ and outputs of one.
    pub(super) fn sizes(&self) -> [usize; 3] {
        [self.linear.groups, self.linear.channels * self.phases[0] * self.phases[1], self.linear.outputs]
    }

    /// Entries of the input over the batch.
    pub(super) fn inputs(&self) -> usize {
        self.batch * self.linear.input_channels() * self.linear.image[0] * self.linear.image[1]
    }

    /// Entries of the output over the batch.
    pub(super) fn results(&self) -> usize {
        self.batch * self.linear.output_channels() * self.out[0] * self.out[1]
    }

    /// Number of weights, and of those behind one output channel.
    pub(super) fn weights(&self) -> [usize; 2] {
        [self.linear.weight_count(), self.linear.fan_in()]
    }

    /// A channel of a group as (channel, phase, phase).
    fn split(&self, channel: usize) -> (usize, [usize; 2]) {
        let [a, b] = self.phases;
        (channel / (a * b), [channel / b % a, channel % b])
    }

    /// Where input (sample, group, channel, y, x) of the correlation is in the input tensor, if it is there.
    fn source(&self, sample: usize, group: usize, channel: usize, at: [usize; 2]) -> Option<usize> {
        let (channel, phase) = self.split(channel);
        let l = &self.linear;
        let [y, x] = [0, 1].map(|axis| l.window.source(axis, at[axis], phase[axis], l.image[axis]));
        Some((((sample * l.groups + group) * l.channels + channel) * l.image[0] + y?) * l.image[1] + x?)
    }

    /// Where weight (group, output, channel, δ₀, δ₁) is in the weights, if it is there.
    fn weight(&self, group: usize, output: usize, channel: usize, at: [usize; 2]) -> Option<usize> {
        let (channel, phase) = self.split(channel);
        let l = &self.linear;
        let [y, x] = [0, 1].map(|axis| {
            Some(at[axis] * l.window.stride[axis] + phase[axis]).filter(|d| *d < l.window.kernel[axis])
        });
        let row = (group * l.outputs + output) * l.channels + channel;
        Some((row * l.window.kernel[0] + y?) * l.window.kernel[1] + x?)
    }
}

/// A tiling of a shape, block by block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packing {
    pub(super) shape: Shape,
    pub(super) tiling: Tiling,
}

/// Blocks on each loop: of groups, channels, outputs, tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Blocks {
    pub(super) groups: usize,
    pub(super) channels: usize,
    pub(super) outputs: usize,
    pub(super) images: usize,
}

impl Packing {
    /// Tiles on each axis of a sample.
    fn tiles(&self) -> [usize; 2] {
        [0, 1].map(|axis| self.shape.out[axis].div_ceil(self.tiling.tile[axis]))
    }

    /// Height and width of a tile's input.
    fn input(&self) -> [usize; 2] {
        [0, 1].map(|axis| self.tiling.tile[axis] + self.shape.kernel[axis] - 1)
    }

    /// A = c·h·w.
    fn area(&self) -> usize {
        let [h, w] = self.input();
        self.tiling.channels * h * w
    }

    /// Tiles over the batch.
    pub(super) fn images(&self) -> usize {
        let [a, b] = self.tiles();
        self.shape.batch * a * b
    }

    /// How many blocks there are.
    pub(super) fn blocks(&self) -> Blocks {
        let ([groups, channels, outputs], t) = (self.shape.sizes(), &self.tiling);
        Blocks {
            groups: groups.div_ceil(t.groups),
            channels: channels.div_ceil(t.channels),
            outputs: outputs.div_ceil(t.outputs),
            images: self.images().div_ceil(t.images),
        }
    }

    /// Polynomials of masks.
    pub(super) fn queries(&self) -> usize {
        let blocks = self.blocks();
        blocks.groups * blocks.images * blocks.channels
    }

    /// Polynomials of answers.
    pub(super) fn answers(&self) -> usize {
        let blocks = self.blocks();
        self.shape.sizes()[0] * blocks.outputs * blocks.images
    }

    /// Sample and first output of a tile.
    fn tile(&self, image: usize) -> (usize, [usize; 2]) {
        let [rows, columns] = self.tiles();
        let (row, column) = (image / columns % rows, image % columns);
        (image / columns / rows, [row * self.tiling.tile[0], column * self.tiling.tile[1]])
    }

    /// (coefficient, index in the input) of every entry in the polynomial of masks (block of groups, of tiles,
    /// of channels).
    pub(super) fn masks(
        &self,
        group_block: usize,
        image_block: usize,
        channel_block: usize,
        mut put: impl FnMut(usize, usize),
    ) {
        let ([groups, channels, _], t, [h, w]) = (self.shape.sizes(), &self.tiling, self.input());
        for image in range(image_block, t.images, self.images()) {
            let (sample, start) = self.tile(image);
            for group in range(group_block, t.groups, groups) {
                let slot = self.slot(image, group) * t.outputs * self.area();
                for channel in range(channel_block, t.channels, channels) {
                    for (y, x) in grid([h, w]) {
                        if let Some(at) =
                            self.shape.source(sample, group, channel, [start[0] + y, start[1] + x])
                        {
                            put(slot + (channel % t.channels * h + y) * w + x, at);
                        }
                    }
                }
            }
        }
    }

    /// (coefficient, index in the weights) of every entry in the polynomial of weights (group, block of
    /// outputs, of channels).
    pub(super) fn weights(
        &self,
        group: usize,
        output_block: usize,
        channel_block: usize,
        mut put: impl FnMut(usize, usize),
    ) {
        let ([_, channels, outputs], t, [h, w]) = (self.shape.sizes(), &self.tiling, self.input());
        let kernel = self.shape.kernel;
        for output in range(output_block, t.outputs, outputs) {
            for channel in range(channel_block, t.channels, channels) {
                let row = output % t.outputs * self.area() + (t.channels - 1 - channel % t.channels) * h * w;
                for (y, x) in grid(kernel) {
                    if let Some(at) = self.shape.weight(group, output, channel, [y, x]) {
                        put(row + (kernel[0] - 1 - y) * w + kernel[1] - 1 - x, at);
                    }
                }
            }
        }
    }

    /// (coefficient, index in the output) of every result in the answer polynomial (group, block of outputs, of
    /// tiles).
    pub(super) fn results(
        &self,
        group: usize,
        output_block: usize,
        image_block: usize,
        mut put: impl FnMut(usize, usize),
    ) {
        let ([groups, _, outputs], t, [h, w]) = (self.shape.sizes(), &self.tiling, self.input());
        let (kernel, out) = (self.shape.kernel, self.shape.out);
        for image in range(image_block, t.images, self.images()) {
            let (sample, start) = self.tile(image);
            for output in range(output_block, t.outputs, outputs) {
                let block = (self.slot(image, group) * t.outputs + output % t.outputs) * self.area();
                let channel = ((sample * groups + group) * outputs + output) * out[0];
                for (p, q) in grid([0, 1].map(|axis| t.tile[axis].min(out[axis] - start[axis]))) {
                    let row = block + (t.channels - 1) * h * w + (kernel[0] - 1 + p) * w;
                    put(row + kernel[1] - 1 + q, (channel + start[0] + p) * out[1] + start[1] + q);
                }
            }
        }
    }

    fn slot(&self, image: usize, group: usize) -> usize {
        image % self.tiling.images * self.tiling.groups + group % self.tiling.groups
    }
}

/// Block number `block` of 0..length in blocks of `size`.
fn range(block: usize, size: usize, length: usize) -> std::ops::Range<usize> {
    block * size..((block + 1) * size).min(length)
}

fn grid([h, w]: [usize; 2]) -> impl Iterator<Item = (usize, usize)> {
    (0..h).flat_map(move |y| (0..w).map(move |x| (y, x)))
}
