//! An array as a file states it: shape, order, element type, and just the bytes these call for.

use crate::{Fault, samples::volume};
use ndarray::{ArrayD, IxDyn, ShapeBuilder};

/// Bytes whose number is exactly what shape and element type call for; at most [`MAX_VALUES`](crate::MAX_VALUES) elements, at least one.
pub(crate) struct RawArray {
    shape: Vec<usize>,
    /// Whether the first axis, not the last, runs fastest.
    columns_first: bool,
    element: Element,
    bytes: Vec<u8>,
}

/// The element types that are read; all little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Element {
    F32,
    F64,
    U8,
    I8,
    I32,
    I64,
}

impl RawArray {
    pub(crate) fn new(
        shape: Vec<usize>,
        columns_first: bool,
        element: Element,
        bytes: Vec<u8>,
    ) -> Result<Self, Fault> {
        if shape.contains(&0) {
            return Err(Fault::Empty);
        }
        let (expected, found) = ((volume(&shape)? * element.width()) as u64, bytes.len() as u64);
        if expected != found {
            return Err(Fault::Length { expected, found });
        }
        Ok(Self { shape, columns_first, element, bytes })
    }

    /// The elements as inputs, each rounded to the nearest `f32`.
    pub(crate) fn inputs(&self) -> ArrayD<f32> {
        let shape = IxDyn(&self.shape).set_f(self.columns_first);
        let values = self.elements().map(|value| value as f32).collect();
        ArrayD::from_shape_vec(shape, values)
            .expect("new() has matched the shape with the number of elements")
    }

    /// The elements as class numbers.
    pub(crate) fn labels(&self) -> Result<Vec<u32>, Fault> {
        self.elements().enumerate().map(|(sample, value)| class(sample, value)).collect()
    }

    /// The elements in the file's order. Exact but for integers beyond 2^53.
    fn elements(&self) -> Box<dyn Iterator<Item = f64> + '_> {
        match self.element {
            Element::F32 => self.map(|bytes| f32::from_le_bytes(bytes).into()),
            Element::F64 => self.map(f64::from_le_bytes),
            Element::U8 => self.map(|bytes| u8::from_le_bytes(bytes).into()),
            Element::I8 => self.map(|bytes| i8::from_le_bytes(bytes).into()),
            Element::I32 => self.map(|bytes| i32::from_le_bytes(bytes).into()),
            Element::I64 => self.map(|bytes| i64::from_le_bytes(bytes) as f64),
        }
    }

    fn map<'a, const WIDTH: usize>(
        &'a self,
        read: impl Fn([u8; WIDTH]) -> f64 + 'a,
    ) -> Box<dyn Iterator<Item = f64> + 'a> {
        Box::new(self.bytes.as_chunks().0.iter().map(move |&bytes| read(bytes)))
    }
}

impl Element {
    fn width(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::F32 | Self::I32 => 4,
            Self::F64 | Self::I64 => 8,
        }
    }
}

/// A value as a class number.
pub(crate) fn class(sample: usize, value: f64) -> Result<u32, Fault> {
    let label = value as u32;
    if f64::from(label) == value { Ok(label) } else { Err(Fault::Label { sample, found: value }) }
}
