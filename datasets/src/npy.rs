//! numpy's `.npy` and `.npz` [numpy.lib.format, versions 1.0 to 3.0].
//!
//! The header goes through `ndarray-npy` once its length and its nesting are known to be harmless; the data are decoded
//! here, because sizes must be checked before anything is allocated. Little-endian f32, f64, u8, i8, i32 and i64 are
//! read, in either order of axes. An `.npz` is a zip of `.npy` files; the first of the recognised names is taken.

use crate::{
    Fault, Samples,
    array::{Element, RawArray},
    read,
};
use ndarray_npy::npy::header::Header;
use std::io::Cursor;
use zip::ZipArchive;

/// Reads one array.
pub(crate) fn parse(mut bytes: Vec<u8>) -> Result<RawArray, Fault> {
    check_header(&bytes)?;
    let mut cursor = Cursor::new(bytes.as_slice());
    let header = Header::from_reader(&mut cursor).map_err(|error| malformed(error.to_string()))?;
    let start = cursor.position() as usize;
    let found = header.type_descriptor.to_string();
    let element = match header.type_descriptor.as_string().map(String::as_str) {
        Some("<f4") => Element::F32,
        Some("<f8") => Element::F64,
        Some("|u1") => Element::U8,
        Some("|i1") => Element::I8,
        Some("<i4") => Element::I32,
        Some("<i8") => Element::I64,
        _ => {
            return Err(Fault::ElementType { found, accepted: ACCEPTED });
        }
    };
    bytes.drain(..start);
    RawArray::new(header.shape, header.layout.is_fortran(), element, bytes)
}

/// Reads the inputs of an archive, and its labels if it has any.
pub(crate) fn parse_archive(bytes: &[u8]) -> Result<Samples, Fault> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(bad_archive)?;
    let Some(inputs) = member(&mut archive, INPUTS)? else {
        let found = archive.file_names().map(|name| name.trim_end_matches(".npy").to_owned()).collect();
        return Err(Fault::NoArray { wanted: INPUTS, found });
    };
    let labels = member(&mut archive, LABELS)?.map(|labels| labels.labels()).transpose()?;
    Samples::new(inputs.inputs(), labels)
}

fn member(archive: &mut ZipArchive<Cursor<&[u8]>>, names: &[&str]) -> Result<Option<RawArray>, Fault> {
    let index = names.iter().find_map(|name| archive.index_for_name(&format!("{name}.npy")));
    let Some(index) = index else { return Ok(None) };
    let file = archive.by_index(index).map_err(bad_archive)?;
    parse(read::capped(file)?).map(Some)
}

/// The header's parser allocates what the header claims, recurses as deep as its brackets, and knows more of Python
/// than a plain array needs: only what one needs is let through to it.
fn check_header(bytes: &[u8]) -> Result<(), Fault> {
    let (length, text) = match bytes.strip_prefix(b"\x93NUMPY") {
        Some([1, _, a, b, text @ ..]) => (u16::from_le_bytes([*a, *b]).into(), text),
        Some([2 | 3, _, a, b, c, d, text @ ..]) => (u32::from_le_bytes([*a, *b, *c, *d]), text),
        _ => return Err(malformed("it does not start as numpy's files do".into())),
    };
    let text = match text.get(..length as usize) {
        Some(text) if length <= MAX_HEADER => text,
        _ => {
            let detail = format!("its header of {length} bytes exceeds {MAX_HEADER} or the file");
            return Err(malformed(detail));
        }
    };
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"{}()[]'\":,_<>|= \n".contains(byte);
    let brackets = text.iter().filter(|byte| b"([{".contains(byte)).count();
    if !text.iter().all(plain) || brackets > MAX_BRACKETS {
        return Err(malformed("its header describes no plain array".into()));
    }
    Ok(())
}

fn malformed(detail: String) -> Fault {
    Fault::Malformed { format: "npy", detail }
}

fn bad_archive(error: zip::result::ZipError) -> Fault {
    Fault::Malformed { format: "npz", detail: error.to_string() }
}

const INPUTS: &[&str] = &["x", "inputs", "images", "data"];
const LABELS: &[&str] = &["y", "labels", "label"];
const ACCEPTED: &str = "little-endian f32, f64, u8, i8, i32, i64";
/// A plain array's header takes 118 bytes; numpy itself refuses more than 10,000.
const MAX_HEADER: u32 = 10_000;
/// A plain array's header has two: the dictionary's and the shape's.
const MAX_BRACKETS: usize = 2;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use ndarray::{ArrayD, IxDyn, array};
    use ndarray_npy::{NpzWriter, WriteNpyExt};
    use proptest::prelude::*;

    const SHREDS: &[&str] = &[
        "{",
        "}",
        "(",
        ")",
        "'descr'",
        "'fortran_order'",
        "'shape'",
        ":",
        ",",
        "'<f4'",
        "'",
        "True",
        "False",
        "None",
        "0x",
        "0b1",
        "9",
        "1e",
        "99999999999999999999",
        "j",
        "_",
        " ",
        "\"",
        "b'",
        "''",
    ];

    fn written(array: &impl WriteNpyExt) -> Vec<u8> {
        let mut bytes = Vec::new();
        array.write_npy(&mut bytes).unwrap();
        bytes
    }

    /// A version 1.0 file with this header and these data.
    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        let length = (header.len() as u16 + 1).to_le_bytes();
        [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), b"\n", data].concat()
    }

    fn archive(names: &[&str]) -> Vec<u8> {
        let mut writer = NpzWriter::new_compressed(Cursor::new(Vec::new()));
        for (offset, name) in names.iter().enumerate() {
            writer.add_array(*name, &array![offset as i64, 1]).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn every_accepted_type_reads_exactly() {
        let expected = ArrayD::from_shape_vec(IxDyn(&[2, 2]), vec![0.0f32, 1.0, 2.0, 127.0]).unwrap();
        let array = array![[0u8, 1], [2, 127]];
        let files = [
            written(&array),
            written(&array.mapv(|v| v as i8)),
            written(&array.mapv(i32::from)),
            written(&array.mapv(i64::from)),
            written(&array.mapv(f32::from)),
            written(&array.mapv(f64::from)),
        ];
        for bytes in files {
            assert_eq!(parse(bytes).unwrap().inputs(), expected);
        }
        assert_eq!(parse(written(&array![-7i8, -1])).unwrap().inputs().as_slice().unwrap(), [-7.0, -1.0]);
    }

    #[test]
    fn columns_first_arrays_keep_their_meaning() {
        let array = array![[1.0f32, 2.0, 3.0], [4.0, 5.0, 6.0]];
        let file = written(&array.t().as_standard_layout().reversed_axes());
        assert!(String::from_utf8_lossy(&file).contains("'fortran_order': True"));
        assert_eq!(parse(file).unwrap().inputs(), array.into_dyn());
    }

    #[test]
    fn other_element_types_are_refused_by_name() {
        for descr in ["'>f4'", "'<c8'", "'|O'", "'<U3'"] {
            let header = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (1,), }}");
            let fault = parse(file(&header, &[0; 4])).err().unwrap();
            assert!(matches!(&fault, Fault::ElementType { found, .. } if found == descr), "{fault}");
        }
    }

    #[test]
    fn shapes_beyond_the_data_are_refused_before_allocation() {
        let with_shape = |shape| format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape}), }}");
        for shape in ["1099511627776,", "4294967296, 4294967296, 4294967296", "268435457,"] {
            let fault = parse(file(&with_shape(shape), &[0; 4])).err().unwrap();
            assert!(matches!(fault, Fault::TooLarge { unit: "values", .. }), "{shape}: {fault}");
        }
        let fault = parse(file(&with_shape("268435456,"), &[0; 4])).err().unwrap();
        assert!(matches!(fault, Fault::Length { expected: 1_073_741_824, found: 4 }), "{fault}");
        let fault = parse(file(&with_shape("0, 18446744073709551615"), &[])).err().unwrap();
        assert!(matches!(fault, Fault::Empty), "{fault}");
    }

    #[test]
    fn headers_that_nest_or_sprawl_are_refused() {
        let nested = parse(file(&"(".repeat(9000), &[])).err().unwrap();
        assert!(matches!(nested, Fault::Malformed { format: "npy", .. }), "{nested}");
        let sprawling = parse([&b"\x93NUMPY\x02\x00"[..], &[0xff; 4], &[b' '; 64]].concat()).err().unwrap();
        assert!(matches!(sprawling, Fault::Malformed { format: "npy", .. }), "{sprawling}");
    }

    #[test]
    fn headers_with_more_python_than_needed_are_refused() {
        for shape in ["(1 + 1,)", "(-1,)", "((1,),)", "(1.0,)", "[1]", "(1e400,)", "1"] {
            let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}");
            let fault = parse(file(&header, &[0; 2])).err().unwrap();
            assert!(matches!(fault, Fault::Malformed { format: "npy", .. }), "{shape}: {fault}");
        }
    }

    #[test]
    fn archives_give_inputs_and_labels_by_any_known_name() {
        for (names, labels) in [
            (&["labels", "images"][..], Some(vec![0, 1])),
            (&["other", "data", "y"], Some(vec![2, 1])),
            (&["other", "inputs"], None),
        ] {
            let samples = parse_archive(&archive(names)).unwrap();
            assert_eq!(samples.inputs().as_slice().unwrap(), [1.0, 1.0], "{names:?}");
            assert_eq!(samples.labels().map(<[u32]>::to_vec), labels);
        }
    }

    #[test]
    fn archives_without_inputs_list_what_they_have() {
        let fault = parse_archive(&archive(&["weights", "y"])).unwrap_err();
        assert!(matches!(&fault, Fault::NoArray { found, .. } if found == &["weights", "y"]), "{fault}");
    }

    proptest! {
        #[test]
        fn cut_or_altered_bytes_never_panic(at in 0usize..400, byte: u8, cut in 0usize..400) {
            for mut bytes in [written(&array![[1.0f32, 2.0], [3.0, 4.0]]), archive(&["x", "y"])] {
                let at = at % bytes.len();
                bytes[at] = byte;
                bytes.truncate(bytes.len() - cut % bytes.len());
                let _ = parse(bytes.clone()).map(|array| (array.inputs(), array.labels().is_ok()));
                let _ = parse_archive(&bytes);
            }
        }

        #[test]
        fn headers_of_python_shreds_never_panic(
            shreds in prop::collection::vec(prop::sample::select(SHREDS), 0..24),
        ) {
            let _ = parse(file(&shreds.concat(), &[0; 4]));
        }

        #[test]
        fn cut_arrays_are_refused(cut in 1usize..144) {
            let mut bytes = written(&array![[1.0f32, 2.0], [3.0, 4.0]]);
            bytes.truncate(bytes.len() - cut);
            prop_assert!(parse(bytes).is_err());
        }
    }
}
