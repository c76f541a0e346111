//! How one linear node is packed for one batch, and what that costs: [`Plan::new`] searches every tiling that fits
//! the ring and hides enough, for the fewest bytes, then the fewest products; [`Params::cheapest`] also chooses the
//! modulus over all nodes of a network.
//!
//! Both sides compute the same plan from public values; every size on the wire follows from it. Let U be the
//! polynomials of masks and D those of answers:
//!
//! ```text
//! bytes up    32 + ⌈U·N·log₂Q / 8⌉                       U = ⌈groups/g⌉ · ⌈tiles/b⌉ · ⌈C′/c⌉
//! bytes down  ⌈(D·N·(k + 10) + results·(k + 4)) / 8⌉      D = groups · ⌈outputs/o⌉ · ⌈tiles/b⌉
//!                                                         b·g·o·c·h·w ≤ N
//! ```
//! U·D is at least the multiply-adds over N, so the sum of both grows with the square root of batch · weights · N:
//! a batch costs less than its samples.

use std::collections::BTreeMap;

use serin_circuits::graph::Linear;

use super::LatticeError;
use super::ntt::N;
use super::params::{MODULI, Params, STATISTICAL};
use super::sample::SEED;
use super::shape::{Packing, Shape, Tiling};

/// Bytes a message may have.
pub const MAX_MESSAGE: usize = 1 << 26;

/// One linear node, a batch and its packing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    pub(super) params: Params,
    pub(super) packing: Packing,
}

impl Plan {
    /// The cheapest packing of `batch` samples under `params`.
    ///
    /// # Errors
    /// [`LatticeError::Geometry`] if a size is zero or beyond bounds, [`LatticeError::NoRoom`] if no packing
    /// leaves room for the flood, or [`LatticeError::TooLarge`] if a message would pass [`MAX_MESSAGE`].
    pub fn new(params: &Params, linear: &Linear, batch: usize) -> Result<Self, LatticeError> {
        let plan =
            Self::best(params, &candidates(Shape::new(linear, batch)?)?).ok_or(LatticeError::NoRoom {
                ring_bits: params.ring_bits(),
                modulus_bits: params.modulus_bits(),
            })?;
        match plan.bytes_up().max(plan.bytes_down()) {
            bytes if bytes > MAX_MESSAGE => Err(LatticeError::TooLarge { bytes, cap: MAX_MESSAGE }),
            _ => Ok(plan),
        }
    }

    fn best(params: &Params, candidates: &[Packing]) -> Option<Self> {
        let plans = candidates.iter().map(|packing| Self { params: *params, packing: *packing });
        plans.filter(Plan::hides).min_by_key(|plan| (plan.bytes_up() + plan.bytes_down(), plan.products()))
    }

    /// Whether the flood fits, and hides enough.
    fn hides(&self) -> bool {
        self.params.hiding(self.terms(), self.revealed()) >= (1u64 << STATISTICAL) as f64
    }

    /// The parameters.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// Entries of R: `[batch, channels, height, width]`.
    pub fn inputs(&self) -> usize {
        self.packing.shape.inputs()
    }

    /// Entries of S and of W∗R − S: `[batch, output channels, height, width]`.
    pub fn results(&self) -> usize {
        self.packing.shape.results()
    }

    /// Number of weights.
    pub fn weights(&self) -> usize {
        self.packing.shape.weights()[0]
    }

    /// Bytes of a query.
    pub fn bytes_up(&self) -> usize {
        SEED + (self.queries() * N * self.params.coefficient_bits() as usize).div_ceil(8)
    }

    /// Bytes of an answer.
    pub fn bytes_down(&self) -> usize {
        let mask = N * self.params.mask_bits() as usize;
        (self.answers() * mask + self.results() * self.params.body_bits() as usize).div_ceil(8)
    }

    /// Products of a ciphertext and a polynomial of weights.
    pub fn products(&self) -> usize {
        self.answers() * self.packing.blocks().channels
    }

    /// Ciphertexts in a query.
    pub fn queries(&self) -> usize {
        self.packing.queries()
    }

    /// Ciphertexts in an answer.
    pub fn answers(&self) -> usize {
        self.packing.answers()
    }

    /// Bits of statistical distance of one answer polynomial from one made of its results alone.
    pub fn hiding_bits(&self) -> f64 {
        self.params.hiding(self.terms(), self.revealed()).log2()
    }

    /// Nonzero weights that meet one answer polynomial, at most.
    pub(super) fn terms(&self) -> usize {
        self.packing.tiling.outputs * self.packing.shape.weights()[1]
    }

    /// Coefficients that one answer polynomial reveals, at most.
    fn revealed(&self) -> usize {
        let t = &self.packing.tiling;
        t.images.min(self.packing.images()) * t.outputs * t.tile[0] * t.tile[1]
    }
}

impl Params {
    /// The modulus for which all `layers` (a node and its batch each) take the fewest bytes together, the key's
    /// message included.
    ///
    /// # Errors
    /// As [`Params::new`] and [`Plan::new`].
    pub fn cheapest(
        ring_bits: u32,
        max_weight: u32,
        layers: &[(Linear, usize)],
    ) -> Result<Self, LatticeError> {
        let layers: Vec<_> = layers.iter().map(|(linear, batch)| (ring_bits, *linear, *batch)).collect();
        Self::shared(max_weight, &layers)
    }

    /// [`Params::cheapest`] where each layer has a ring of its own, and the key serves all: with the widest ring.
    ///
    /// # Errors
    /// As [`Params::cheapest`].
    pub fn shared(max_weight: u32, layers: &[(u32, Linear, usize)]) -> Result<Self, LatticeError> {
        let ring_bits = layers.iter().map(|(ring, ..)| *ring).max().unwrap_or(1);
        let layers =
            layers.iter().map(|(ring, linear, batch)| Ok((*ring, candidates(Shape::new(linear, *batch)?)?)));
        let layers = layers.collect::<Result<Vec<_>, LatticeError>>()?;
        let mut best: Option<(usize, Self)> = None;
        for bits in MODULI {
            let params = Self::new(ring_bits, max_weight, bits)?;
            let mut plans = Vec::with_capacity(layers.len());
            for (ring, layer) in &layers {
                plans.extend(Plan::best(&params.with_ring(*ring)?, layer));
            }
            if plans.len() < layers.len() {
                continue;
            }
            let layers: usize = plans.iter().map(|plan| plan.bytes_up() + plan.bytes_down()).sum();
            let bytes = params.key_bytes() + layers;
            if best.is_none_or(|(least, _)| bytes < least) {
                best = Some((bytes, params));
            }
        }
        let none = LatticeError::NoRoom { ring_bits, modulus_bits: *MODULI.end() };
        best.map(|(_, params)| params).ok_or(none)
    }

    /// Bytes of the message that opens a session: a public key.
    pub fn key_bytes(&self) -> usize {
        SEED + (N * self.coefficient_bits() as usize).div_ceil(8)
    }
}

/// The tilings that fit the ring: block sizes that no smaller one makes as few blocks of, the slots filled with
/// tiles first, then with groups. Of those that take the same ciphertexts both ways, the one that hides best.
fn candidates(shape: Shape) -> Result<Vec<Packing>, LatticeError> {
    let [groups, channels, outputs] = shape.sizes();
    let mut best: BTreeMap<(usize, usize), (f64, Packing)> = BTreeMap::new();
    for (height, width) in steps(shape.out[0]).flat_map(|h| steps(shape.out[1]).map(move |w| (h, w))) {
        let pixels = (height + shape.kernel[0] - 1).saturating_mul(width + shape.kernel[1] - 1);
        for c in steps(channels).filter(|c| c.saturating_mul(pixels) <= N) {
            for o in steps(outputs).filter(|o| o.saturating_mul(c * pixels) <= N) {
                let slots = N / (o * c * pixels);
                let tiling = Tiling { tile: [height, width], channels: c, outputs: o, images: 1, groups: 1 };
                let tiles = Packing { shape, tiling }.images();
                let images = tiles.div_ceil(tiles.div_ceil(slots));
                let tiling = Tiling { images, groups: (slots / images).min(groups), ..tiling };
                let packing = Packing { shape, tiling };
                let shown = (images * o * height * width) as f64 * (o as f64).sqrt();
                let entry = best.entry((packing.queries(), packing.answers())).or_insert((shown, packing));
                if shown < entry.0 {
                    *entry = (shown, packing);
                }
            }
        }
    }
    if best.is_empty() {
        return Err(LatticeError::Geometry("its window is larger than a polynomial"));
    }
    Ok(best.into_values().map(|(_, packing)| packing).collect())
}

/// The distinct values of ⌈length/n⌉, falling.
fn steps(length: usize) -> impl Iterator<Item = usize> {
    let next = move |size: &usize| (*size > 1).then(|| length.div_ceil(length.div_ceil(*size - 1).max(1)));
    std::iter::successors(Some(length), next)
}
