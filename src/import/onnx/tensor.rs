//! ONNX tensors turned into arrays.
//!
//! Taken: float32, float64 (narrowed to float32), int32 and int64 (shapes and axes). Nothing is allocated that the bytes
//! present do not justify: the element count comes from the data and must equal the product of the dimensions. NaN and
//! infinite elements are refused, by the tensor's name.

use ndarray::{ArcArray, ArrayD, IxDyn};
use thiserror::Error;

use super::message::TensorProto;
use crate::import::ImportError;

/// A constant of the file. Floats are shared, so that renaming and reshaping one costs nothing.
#[derive(Clone, Debug)]
pub(crate) enum Constant {
    /// Weights, biases, statistics.
    Float(ArcArray<f32, IxDyn>),
    /// Shapes and axes.
    Int(ArrayD<i64>),
}

/// What is wrong with a tensor of the file.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum TensorFault {
    /// Its data lies in another file.
    #[error("its data is kept in another file; save the model as one file, with the weights inside")]
    External,
    /// Its element type is not read.
    #[error("its element type is ONNX type {0}; serin reads float32, float64, int32 and int64")]
    Type(i32),
    /// Its dimensions and its data disagree.
    #[error("its dimensions {dims:?} do not match the {elements} elements present")]
    Length {
        /// The dimensions as written.
        dims: Vec<i64>,
        /// The elements found.
        elements: usize,
    },
    /// Its raw bytes are not a whole number of elements.
    #[error("its {bytes} raw bytes are no whole number of elements of {width} bytes")]
    Ragged {
        /// Bytes found.
        bytes: usize,
        /// Bytes to an element.
        width: usize,
    },
    /// It has too many axes.
    #[error("it has {0} axes; at most {MAX_RANK} are read")]
    Rank(usize),
    /// An element is NaN or infinite.
    #[error("element {index} is {value}; a model with such weights has no integer form")]
    NotFinite {
        /// Position in row-major order.
        index: usize,
        /// The element.
        value: f64,
    },
    /// Two tensors have this name.
    #[error("two tensors have this name")]
    Twice,
}

/// Reads a tensor; `name` is what errors call it.
pub(crate) fn read(name: &str, tensor: TensorProto) -> Result<Constant, ImportError> {
    parse(tensor).map_err(|fault| ImportError::Tensor { name: name.to_owned(), fault })
}

fn parse(tensor: TensorProto) -> Result<Constant, TensorFault> {
    if tensor.data_location == EXTERNAL {
        return Err(TensorFault::External);
    }
    let raw = &tensor.raw_data;
    Ok(match tensor.data_type {
        FLOAT => float(&tensor.dims, either(raw, tensor.float_data, f32::from_le_bytes)?)?,
        DOUBLE => {
            let wide = either(raw, tensor.double_data, f64::from_le_bytes)?;
            float(&tensor.dims, wide.into_iter().map(|x| x as f32).collect())?
        }
        INT64 => int(&tensor.dims, either(raw, tensor.int64_data, i64::from_le_bytes)?)?,
        INT32 => {
            let narrow = either(raw, tensor.int32_data, i32::from_le_bytes)?;
            int(&tensor.dims, narrow.into_iter().map(i64::from).collect())?
        }
        other => return Err(TensorFault::Type(other)),
    })
}

/// The elements, from the raw bytes when there are any.
fn either<T, const W: usize>(
    raw: &[u8],
    typed: Vec<T>,
    from: fn([u8; W]) -> T,
) -> Result<Vec<T>, TensorFault> {
    if raw.is_empty() {
        return Ok(typed);
    }
    let (elements, rest) = raw.as_chunks::<W>();
    if !rest.is_empty() {
        return Err(TensorFault::Ragged { bytes: raw.len(), width: W });
    }
    Ok(elements.iter().map(|&bytes| from(bytes)).collect())
}

fn float(dims: &[i64], data: Vec<f32>) -> Result<Constant, TensorFault> {
    if let Some(index) = data.iter().position(|x| !x.is_finite()) {
        return Err(TensorFault::NotFinite { index, value: f64::from(data[index]) });
    }
    Ok(Constant::Float(shaped(dims, data)?.into_shared()))
}

fn int(dims: &[i64], data: Vec<i64>) -> Result<Constant, TensorFault> {
    Ok(Constant::Int(shaped(dims, data)?))
}

fn shaped<T>(dims: &[i64], data: Vec<T>) -> Result<ArrayD<T>, TensorFault> {
    if dims.len() > MAX_RANK {
        return Err(TensorFault::Rank(dims.len()));
    }
    let wrong = TensorFault::Length { dims: dims.to_vec(), elements: data.len() };
    let lengths: Option<Vec<usize>> = dims.iter().map(|&d| usize::try_from(d).ok()).collect();
    lengths.and_then(|lengths| ArrayD::from_shape_vec(lengths, data).ok()).ok_or(wrong)
}

/// The most axes a tensor may have.
const MAX_RANK: usize = 8;
/// `TensorProto.DataLocation.EXTERNAL`.
const EXTERNAL: i32 = 1;
/// `TensorProto.DataType`.
pub(crate) const FLOAT: i32 = 1;
const INT32: i32 = 6;
pub(crate) const INT64: i32 = 7;
const DOUBLE: i32 = 11;

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(data_type: i32, dims: &[i64], bytes: &[u8]) -> TensorProto {
        TensorProto { data_type, dims: dims.to_vec(), raw_data: bytes.to_vec(), ..Default::default() }
    }

    fn fault(tensor: TensorProto) -> TensorFault {
        match read("w", tensor) {
            Err(ImportError::Tensor { name, fault }) if name == "w" => fault,
            other => panic!("expected a fault of `w`, got {other:?}"),
        }
    }

    fn floats(tensor: TensorProto) -> Vec<f32> {
        match read("w", tensor) {
            Ok(Constant::Float(array)) => array.iter().copied().collect(),
            other => panic!("expected floats, got {other:?}"),
        }
    }

    fn ints(tensor: TensorProto) -> Vec<i64> {
        match read("w", tensor) {
            Ok(Constant::Int(array)) => array.iter().copied().collect(),
            other => panic!("expected integers, got {other:?}"),
        }
    }

    #[test]
    fn every_element_type_is_read_from_raw_and_from_typed_data() {
        let bytes: Vec<u8> = [1.5f32, -2.0].iter().flat_map(|x| x.to_le_bytes()).collect();
        assert_eq!(floats(raw(FLOAT, &[2], &bytes)), [1.5, -2.0]);
        let typed = TensorProto { float_data: vec![1.5, -2.0], ..raw(FLOAT, &[2], &[]) };
        assert_eq!(floats(typed), [1.5, -2.0]);
        assert_eq!(floats(raw(DOUBLE, &[], &0.25f64.to_le_bytes())), [0.25]);
        let typed = TensorProto { double_data: vec![0.25], ..raw(DOUBLE, &[1], &[]) };
        assert_eq!(floats(typed), [0.25]);
        assert_eq!(ints(raw(INT64, &[1], &(-1i64).to_le_bytes())), [-1]);
        assert_eq!(ints(raw(INT32, &[1], &7i32.to_le_bytes())), [7]);
        assert_eq!(ints(TensorProto { int64_data: vec![1, 784], ..raw(INT64, &[2], &[]) }), [1, 784]);
        assert_eq!(ints(TensorProto { int32_data: vec![3], ..raw(INT32, &[1], &[]) }), [3]);
    }

    #[test]
    fn dimensions_that_promise_more_than_the_data_are_refused() {
        for dims in [vec![3], vec![i64::MAX, i64::MAX], vec![-2], vec![1 << 40]] {
            let fault = fault(raw(FLOAT, &dims, &[0; 8]));
            assert_eq!(fault, TensorFault::Length { dims, elements: 2 });
        }
        assert_eq!(fault(raw(FLOAT, &[1], &[0; 7])), TensorFault::Ragged { bytes: 7, width: 4 });
        assert_eq!(fault(raw(FLOAT, &[1; 9], &[0; 4])), TensorFault::Rank(9));
    }

    #[test]
    fn nan_and_infinite_weights_are_refused_with_their_place() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let tensor = TensorProto { float_data: vec![0.0, bad], ..raw(FLOAT, &[2], &[]) };
            assert!(matches!(fault(tensor), TensorFault::NotFinite { index: 1, .. }));
        }
        let narrowed = TensorProto { double_data: vec![1e300], ..raw(DOUBLE, &[1], &[]) };
        assert!(matches!(fault(narrowed), TensorFault::NotFinite { index: 0, .. }));
    }

    #[test]
    fn external_data_and_unread_types_are_refused() {
        let external = TensorProto { data_location: EXTERNAL, ..raw(FLOAT, &[1], &[]) };
        assert_eq!(fault(external), TensorFault::External);
        assert_eq!(fault(raw(10, &[1], &[0; 2])), TensorFault::Type(10));
    }
}
