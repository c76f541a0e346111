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
//!   switched  ⌈(⌈2·D/r⌉·N/2·d + results·(k + 4)) / 8⌉     b·g·o·c·h·w ≤ N
//! ```
//! Answers can be switched ([`switch`](super::switch)) if tiles are of one pixel and c is a multiple of the rank r, up
//! to which it is filled; whether they are is chosen node by node, r and the key's levels for the whole network.
//!
//! Of a dense layer U·D is at least the multiply-adds over N (of a convolution, over N times its kernel's area), so
//! the sum of both grows with the square root of batch · weights / N: a batch costs less than its samples.

use std::array;
use std::collections::BTreeMap;

use serin_circuits::graph::Linear;

use super::LatticeError;
use super::ntt::{N, SMALL};
use super::params::{MODULI, Params, STATISTICAL};
use super::sample::SEED;
use super::shape::{Packing, Shape, Tiling};
use super::switch::Switch;

/// How many switches are offered.
const OFFERED: usize = Switch::OFFERED.len();

/// Bytes a message may have.
pub const MAX_MESSAGE: usize = 1 << 26;

/// One linear node, a batch and its packing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    pub(super) params: Params,
    pub(super) packing: Packing,
    /// Whether answers are switched, and how.
    pub(super) switch: Option<Switch>,
}

impl Plan {
    /// The cheapest packing of `batch` samples under `params`.
    ///
    /// # Errors
    /// [`LatticeError::Geometry`] if a size is zero or beyond bounds, [`LatticeError::NoRoom`] if no packing
    /// leaves room for the flood, or [`LatticeError::TooLarge`] if a message would pass [`MAX_MESSAGE`].
    pub fn new(params: &Params, linear: &Linear, batch: usize) -> Result<Self, LatticeError> {
        let shape = Shape::new(linear, batch)?;
        let switched = params.switch().and_then(|s| Self::best_switched(params, s, &aligned(shape, s)));
        let plan = Self::best(params, &candidates(shape)?).into_iter().chain(switched).min_by_key(Self::cost);
        let plan = plan.ok_or(LatticeError::NoRoom {
            ring_bits: params.ring_bits(),
            modulus_bits: params.modulus_bits(),
        })?;
        match plan.bytes_up().max(plan.bytes_down()) {
            bytes if bytes > MAX_MESSAGE => Err(LatticeError::TooLarge { bytes, cap: MAX_MESSAGE }),
            _ => Ok(plan),
        }
    }

    fn best(params: &Params, candidates: &[Packing]) -> Option<Self> {
        let plans =
            candidates.iter().map(|packing| Self { params: *params, packing: *packing, switch: None });
        plans.filter(Plan::hides).min_by_key(Self::cost)
    }

    /// Every packing whose answers are switched, however it hides.
    #[cfg(test)]
    pub(super) fn every_switched(
        params: &Params,
        switch: Switch,
        linear: &Linear,
        batch: usize,
    ) -> Result<Vec<Self>, LatticeError> {
        let params = params.with_switch(Some(switch));
        let plan = |packing| Self { params, packing, switch: Some(switch) };
        Ok(aligned(Shape::new(linear, batch)?, switch).into_iter().map(plan).collect())
    }

    fn best_switched(params: &Params, switch: Switch, candidates: &[Packing]) -> Option<Self> {
        let params = params.with_switch(Some(switch));
        switch.mask_bits(params.ring_bits())?;
        let plans = candidates.iter().map(|packing| Self { params, packing: *packing, switch: Some(switch) });
        plans.filter(Plan::hides).min_by_key(Self::cost)
    }

    /// Bytes, then products.
    fn cost(&self) -> (usize, usize) {
        (self.bytes_up() + self.bytes_down(), self.products())
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
        let masks = self.answers().div_ceil(self.answers_to_a_mask()) * self.mask_length();
        let bits = masks * self.mask_bits() as usize + self.results() * self.params.body_bits() as usize;
        bits.div_ceil(8)
    }

    /// Answers that share a mask.
    pub(super) fn answers_to_a_mask(&self) -> usize {
        self.switch.map_or(1, Switch::answers)
    }

    /// Coefficients of an answer's mask.
    pub(super) fn mask_length(&self) -> usize {
        if self.switch.is_some() { SMALL } else { N }
    }

    /// Bits of a coefficient of an answer's mask.
    pub(super) fn mask_bits(&self) -> u32 {
        let switched = self.switch.and_then(|switch| switch.mask_bits(self.params.ring_bits()));
        switched.unwrap_or(self.params.mask_bits())
    }

    /// Where the result at coefficient `from` of answer `t` of a mask is in the product of mask and key.
    pub(super) fn place(&self, from: usize, t: usize) -> usize {
        self.switch.map_or(from, |switch| switch.place(from, t))
    }

    /// The answers in order: group, block of outputs, block of tiles.
    pub(super) fn order(&self) -> impl Iterator<Item = [usize; 3]> {
        let (groups, blocks) = (self.packing.shape.sizes()[0], self.packing.blocks());
        let inner = move |group| {
            (0..blocks.outputs)
                .flat_map(move |output| (0..blocks.images).map(move |image| [group, output, image]))
        };
        (0..groups).flat_map(inner)
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
        let layers = layers.iter().map(|(ring, linear, batch)| {
            let shape = Shape::new(linear, *batch)?;
            Ok((*ring, candidates(shape)?, Switch::OFFERED.map(|switch| aligned(shape, switch))))
        });
        let layers = layers.collect::<Result<Vec<_>, LatticeError>>()?;
        let mut best: Option<(usize, Self)> = None;
        for bits in MODULI {
            let params = Self::new(ring_bits, max_weight, bits)?;
            let mut plans = Vec::with_capacity(layers.len());
            for (ring, plain, aligned) in &layers {
                let params = params.with_ring(*ring)?;
                let switched =
                    array::from_fn(|i| Plan::best_switched(&params, Switch::OFFERED[i], &aligned[i]));
                plans.push((Plan::best(&params, plain), switched));
            }
            for choice in 0..=OFFERED {
                let params = params.with_switch(choice.checked_sub(1).map(|i| Switch::OFFERED[i]));
                let least = |(plain, switched): &(Option<Plan>, [Option<Plan>; OFFERED])| {
                    let switched = choice.checked_sub(1).and_then(|i| switched[i]);
                    plain.iter().chain(&switched).map(|plan| plan.cost().0).min()
                };
                let bytes =
                    plans.iter().map(least).sum::<Option<usize>>().map(|sum| sum + params.key_bytes());
                if let Some(bytes) = bytes.filter(|bytes| best.is_none_or(|(least, _)| *bytes < least)) {
                    best = Some((bytes, params));
                }
            }
        }
        let none = LatticeError::NoRoom { ring_bits, modulus_bits: *MODULI.end() };
        best.map(|(_, params)| params).ok_or(none)
    }

    /// Bytes of the message that opens a session: a public key, and a switching key if there is one.
    pub fn key_bytes(&self) -> usize {
        self.public_key_bytes() + self.switch().map_or(0, Switch::key_bytes)
    }

    pub(super) fn public_key_bytes(&self) -> usize {
        SEED + (N * self.coefficient_bits() as usize).div_ceil(8)
    }
}

/// The tilings that fit the ring: block sizes that no smaller one makes as few blocks of, the slots filled with
/// tiles first, then with groups. Of those that take the same ciphertexts both ways, the one that hides best.
fn candidates(shape: Shape) -> Result<Vec<Packing>, LatticeError> {
    let mut best = Best::new();
    for (height, width) in steps(shape.out[0]).flat_map(|h| steps(shape.out[1]).map(move |w| (h, w))) {
        tilings(shape, [height, width], 1, &mut best);
    }
    if best.is_empty() {
        return Err(LatticeError::Geometry("its window is larger than a polynomial"));
    }
    Ok(best.into_values().map(|(_, packing)| packing).collect())
}

/// Those whose answers can be switched; there may be none.
fn aligned(shape: Shape, switch: Switch) -> Vec<Packing> {
    let mut best = Best::new();
    tilings(shape, [1, 1], switch.rank(), &mut best);
    best.into_values().map(|(_, packing)| packing).collect()
}

/// By ciphertexts up and down, what a packing shows and itself.
type Best = BTreeMap<(usize, usize), (f64, Packing)>;

/// Tilings with this tile and channels in multiples of `unit`.
fn tilings(shape: Shape, [height, width]: [usize; 2], unit: usize, best: &mut Best) {
    let [groups, channels, outputs] = shape.sizes();
    let pixels = (height + shape.kernel[0] - 1).saturating_mul(width + shape.kernel[1] - 1);
    let channels = steps(channels).map(|c| c.next_multiple_of(unit));
    for c in channels.filter(|c| c.saturating_mul(pixels) <= N) {
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

/// The distinct values of ⌈length/n⌉, falling.
fn steps(length: usize) -> impl Iterator<Item = usize> {
    let next = move |size: &usize| (*size > 1).then(|| length.div_ceil(length.div_ceil(*size - 1).max(1)));
    std::iter::successors(Some(length), next)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serin_circuits::graph::Window;

    use super::*;

    fn plain(channels: usize, outputs: usize, image: usize, kernel: usize) -> Linear {
        let window = Window { kernel: [kernel; 2], stride: [1; 2], padding: [0; 4] };
        Linear { groups: 1, channels, outputs, window, image: [image; 2], weight_exponent: 0 }
    }

    #[test]
    fn plans_of_a_batch_cost_less_than_their_samples_and_hide_enough() {
        let layers =
            [Linear::dense(784, 128, 0), plain(1, 16, 28, 5), plain(16, 16, 12, 5), plain(512, 512, 7, 3)];
        for linear in layers {
            let params = Params::cheapest(20, 127, &[(linear, 16)]).unwrap();
            let bytes =
                |batch| Plan::new(&params, &linear, batch).map(|p| (p.bytes_up() + p.bytes_down()) as f64);
            assert!(bytes(16).unwrap() < 14.0 * bytes(1).unwrap());
            assert!(Plan::new(&params, &linear, 16).unwrap().hiding_bits() >= f64::from(STATISTICAL));
        }
    }

    #[test]
    fn plans_of_the_usual_layers_take_no_more_bytes_than_they_did() {
        let (dense, first, second) = (Linear::dense(784, 128, 0), plain(1, 16, 28, 5), plain(16, 16, 12, 5));
        for (linear, batch, most) in [
            (dense, 1, 184_000),
            (dense, 16, 416_000),
            (first, 1, 138_000),
            (first, 16, 1_666_000),
            (second, 1, 188_000),
            (second, 16, 1_016_000),
        ] {
            let params = Params::cheapest(20, 127, &[(linear, batch)]).unwrap();
            let plan = Plan::new(&params, &linear, batch).unwrap();
            let bytes = plan.bytes_up() + plan.bytes_down();
            assert!(bytes <= most, "{linear:?} batch {batch}: {bytes} by {plan:?}");
        }
    }

    #[test]
    fn switched_answers_of_a_dense_layer_save_more_than_the_key_takes() {
        // Without a switch 274 and 1083 kB, and the public key 42 kB.
        let dense = Linear::dense(784, 128, 0);
        for (batch, most) in [(1, 281_000), (16, 679_000)] {
            let params = Params::cheapest(20, 127, &[(dense, batch)]).unwrap();
            let plan = Plan::new(&params, &dense, batch).unwrap();
            assert!(plan.switch.is_some() && params.switch() == plan.switch);
            assert!(params.key_bytes() + plan.bytes_up() + plan.bytes_down() <= most, "{plan:?}");
        }
        let params = Params::cheapest(20, 127, &[(plain(1, 16, 28, 5), 16)]).unwrap();
        assert_eq!(params.switch(), None, "no key is sent that nothing needs");
        // Results too wide for a switch are shared without one.
        let params = Params::new(26, 127, 109).unwrap().with_switch(Some(Switch::OFFERED[0]));
        assert_eq!(Plan::new(&params, &dense, 16).unwrap().switch, None);
    }

    #[test]
    fn plans_without_room_or_beyond_bounds_are_refused() {
        let params = Params::new(32, 1 << 16, 77).unwrap();
        let dense = Linear::dense(784, 128, 0);
        assert!(matches!(Plan::new(&params, &dense, 1), Err(LatticeError::NoRoom { ring_bits: 32, .. })));
        assert!(matches!(Plan::new(&params, &dense, 0), Err(LatticeError::Geometry(_))));
        let large = Linear { channels: usize::MAX, ..dense };
        assert!(matches!(Plan::new(&params, &large, 1), Err(LatticeError::Geometry(_))));
        assert!(matches!(Plan::new(&params, &plain(1, 1, 70, 70), 1), Err(LatticeError::Geometry(_))));
        let params = Params::new(20, 127, 109).unwrap();
        let wide = plain(64, 64, 224, 3);
        assert!(matches!(Plan::new(&params, &wide, 80), Err(LatticeError::TooLarge { .. })));
    }
}
