//! A sample's reals turned into the integers of a graph's input.

use ndarray::ArrayD;
use serin_circuits::graph::Port;
use serin_circuits::quant::quantise;
use serin_circuits::tensor::{Range, Tensor};

use crate::import::evaluate::all_finite;
use crate::import::{BatchError, Reading};

/// Turns samples, as the model's file takes them, into the integers of its graph's input.
///
/// It is public, a part of how the model is used: whoever asks applies it to the question. Values beyond the calibrated range are
/// clamped to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoder {
    /// What is done to a sample in floats.
    pub reading: Reading,
    /// The exponent of the integers' scale.
    pub exponent: i8,
    /// The integers there are.
    pub range: Range,
}

impl Encoder {
    /// The encoder for a graph's input port.
    pub fn new(reading: Reading, input: &Port) -> Self {
        Encoder { reading, exponent: input.exponent, range: input.range }
    }

    /// Encodes a batch [samples, …sample shape].
    ///
    /// # Errors
    /// [`BatchError`] when the batch is not made of this model's samples, or one is not finite.
    pub fn encode(&self, batch: &ArrayD<f32>) -> Result<Tensor, BatchError> {
        let input = self.reading.read(batch)?;
        all_finite(&input)?;
        let Range { low, high } = self.range;
        let values = input.iter().map(|&x| quantise(x, self.exponent, low, high)).collect();
        let samples = input.shape()[0];
        Ok(Tensor::new(samples, &self.reading.shape, values).expect("as many integers as reals"))
    }
}
