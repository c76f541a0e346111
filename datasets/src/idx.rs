//! IDX, the format of the MNIST family [LeCun, Cortes, Burges: THE MNIST DATABASE].
//!
//! Two zero bytes, the element type (only 8, unsigned bytes, is read), the rank, each axis as a big-endian `u32`, then
//! the data. A list of pictures, rank 3, gets the channel axis that models expect: [n, height, width] becomes
//! [n, 1, height, width].

use crate::{
    Fault,
    array::{Element, RawArray},
};

/// Reads one file.
pub(crate) fn parse(bytes: &[u8]) -> Result<RawArray, Fault> {
    let malformed = |detail: &str| Fault::Malformed { format: "IDX", detail: detail.into() };
    let [0, 0, element, rank, rest @ ..] = bytes else {
        return Err(malformed("it does not start with two zero bytes, a type and a rank"));
    };
    if *element != UNSIGNED_BYTE {
        return Err(Fault::ElementType {
            found: format!("0x{element:02x}"),
            accepted: "0x08 (unsigned byte)",
        });
    }
    let (axes, data) = rest
        .split_at_checked(4 * usize::from(*rank))
        .ok_or_else(|| malformed("it ends before the list of its axes does"))?;
    let mut shape: Vec<usize> =
        axes.as_chunks().0.iter().map(|&axis| u32::from_be_bytes(axis) as usize).collect();
    if shape.len() == 3 {
        shape.insert(1, 1);
    }
    RawArray::new(shape, false, Element::U8, data.to_vec())
}

const UNSIGNED_BYTE: u8 = 8;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Two pictures of 1 x 3 pixels.
    const PICTURES: &[u8] = &[0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3, 4, 5, 255];

    #[test]
    fn pictures_get_a_channel_axis() {
        let inputs = parse(PICTURES).unwrap().inputs();
        assert_eq!(inputs.shape(), [2, 1, 1, 3]);
        assert_eq!(inputs.as_slice().unwrap(), [1., 2., 3., 4., 5., 255.]);
    }

    #[test]
    fn labels_are_the_bytes() {
        assert_eq!(parse(&[0, 0, 8, 1, 0, 0, 0, 2, 9, 4]).unwrap().labels().unwrap(), [9, 4]);
    }

    #[test]
    fn other_element_types_are_refused_by_name() {
        let fault = parse(&[0, 0, 0x0d, 1, 0, 0, 0, 0]).err().unwrap();
        assert!(matches!(&fault, Fault::ElementType { found, .. } if found == "0x0d"), "{fault}");
    }

    #[test]
    fn axes_beyond_the_data_are_refused_before_allocation() {
        let huge = [&[0, 0, 8, 3][..], &[0xff; 12]].concat();
        assert!(matches!(parse(&huge).err().unwrap(), Fault::TooLarge { .. }));
        let longer = [PICTURES, &[0]].concat();
        assert!(matches!(parse(&longer).err().unwrap(), Fault::Length { expected: 6, found: 7 }));
    }

    proptest! {
        #[test]
        fn cut_files_are_refused(length in 0..PICTURES.len()) {
            prop_assert!(parse(&PICTURES[..length]).is_err());
        }

        #[test]
        fn arbitrary_bytes_never_panic(rank in 0u8..9, rest: Vec<u8>) {
            let bytes = [&[0, 0, 8, rank], &rest[..]].concat();
            let _ = parse(&bytes).map(|array| (array.inputs(), array.labels().is_ok()));
        }
    }
}
