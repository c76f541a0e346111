//! Tables of comma-separated numbers [RFC 4180], one sample a row.
//!
//! The label column is what the caller says, nothing is guessed; it holds class numbers 0, 1, 2, ... The other columns
//! are the inputs, one axis. A first row without any number is a header, and skipped. Every row has
//! as many cells as the first; spaces around a number are allowed, empty cells are not.

use crate::{Fault, MAX_VALUES, Samples, array::class, samples::TOO_LARGE};
use csv::{ByteRecord, ReaderBuilder};
use ndarray::{ArrayD, IxDyn};

/// Which column of a table holds the labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LabelColumn {
    /// The leftmost.
    First,
    /// The rightmost.
    Last,
    /// None: every column is input.
    #[default]
    None,
}

/// Reads a table.
pub(crate) fn parse(bytes: &[u8], label: LabelColumn) -> Result<Samples, Fault> {
    let mut reader = ReaderBuilder::new().has_headers(false).from_reader(bytes);
    let (mut inputs, mut labels) = (Vec::new(), Vec::new());
    let (mut rows, mut columns) = (0, 0);
    let mut record = ByteRecord::new();
    let mut may_be_header = true;
    while reader.read_byte_record(&mut record).map_err(malformed)? {
        if std::mem::take(&mut may_be_header) && record.iter().all(|cell| number(cell).is_none()) {
            continue;
        }
        let label_at = match label {
            LabelColumn::First => Some(0),
            LabelColumn::Last => record.len().checked_sub(1),
            LabelColumn::None => None,
        };
        columns = record.len() - usize::from(label_at.is_some());
        if inputs.len() + columns > MAX_VALUES {
            return Err(TOO_LARGE);
        }
        rows += 1;
        for (column, cell) in record.iter().enumerate() {
            let value = number(cell).ok_or_else(|| bad_cell(&record, column, cell))?;
            if label_at == Some(column) {
                labels.push(class(labels.len(), value)?);
            } else {
                inputs.push(value as f32);
            }
        }
    }
    let inputs = ArrayD::from_shape_vec(IxDyn(&[rows, columns]), inputs).map_err(|_| Fault::Empty)?;
    Samples::new(inputs, (label != LabelColumn::None).then_some(labels))
}

fn number(cell: &[u8]) -> Option<f64> {
    std::str::from_utf8(cell).ok()?.trim().parse().ok()
}

fn bad_cell(record: &ByteRecord, column: usize, cell: &[u8]) -> Fault {
    let line = record.position().map_or(0, csv::Position::line);
    Fault::Cell { line, column, text: String::from_utf8_lossy(cell).chars().take(40).collect() }
}

fn malformed(error: csv::Error) -> Fault {
    Fault::Malformed { format: "CSV", detail: error.to_string() }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn flat(samples: &Samples) -> Vec<f32> {
        samples.inputs().iter().copied().collect()
    }

    #[test]
    fn tables_with_and_without_header_read_alike() {
        let bare = parse(b"1, 2.5,7\n-3,4e1,0\n", LabelColumn::Last).unwrap();
        let headed = parse(b"a,b,label\n1, 2.5,7\n-3,4e1,0\n", LabelColumn::Last).unwrap();
        assert_eq!(bare, headed);
        assert_eq!((bare.len(), bare.shape(), bare.labels()), (2, &[2][..], Some(&[7, 0][..])));
        assert_eq!(flat(&bare), [1.0, 2.5, -3.0, 40.0]);
    }

    #[test]
    fn the_label_column_is_where_the_caller_says() {
        let first = parse(b"7,1,2\n0,3,4\n", LabelColumn::First).unwrap();
        assert_eq!((flat(&first), first.labels()), (vec![1., 2., 3., 4.], Some(&[7, 0][..])));
        let none = parse(b"7,1,2\n0,3,4\n", LabelColumn::None).unwrap();
        assert_eq!((none.shape(), none.labels()), (&[3][..], None));
    }

    #[test]
    fn cells_that_are_no_numbers_are_named() {
        let fault = parse(b"a,b\n1,2\n3,x\n", LabelColumn::None).unwrap_err();
        assert!(matches!(fault, Fault::Cell { line: 3, column: 1, ref text } if text == "x"), "{fault}");
        let fault = parse(b"1,2\n3,\n", LabelColumn::None).unwrap_err();
        assert!(matches!(fault, Fault::Cell { line: 2, column: 1, ref text } if text.is_empty()), "{fault}");
    }

    #[test]
    fn rows_of_another_length_are_refused() {
        assert!(matches!(parse(b"1,2\n3\n", LabelColumn::None), Err(Fault::Malformed { format: "CSV", .. })));
    }

    #[test]
    fn labels_that_are_no_classes_are_refused() {
        for text in ["-1", "1.5", "4294967296", "nan", "inf"] {
            let table = format!("5,0\n5,{text}\n");
            let fault = parse(table.as_bytes(), LabelColumn::Last).unwrap_err();
            assert!(matches!(fault, Fault::Label { sample: 1, .. }), "{text}: {fault}");
        }
    }

    #[test]
    fn values_beyond_f32_are_refused_by_sample() {
        let fault = parse(b"1\n1e39\n", LabelColumn::None).unwrap_err();
        assert!(matches!(fault, Fault::NonFinite { sample: 1 }), "{fault}");
    }

    proptest! {
        #[test]
        fn arbitrary_tables_never_panic(text in "[0-9,.\"\n x-]{0,60}") {
            for label in [LabelColumn::First, LabelColumn::Last, LabelColumn::None] {
                if let Ok(samples) = parse(text.as_bytes(), label) {
                    prop_assert_eq!(samples.labels().is_some(), label != LabelColumn::None);
                }
            }
        }
    }

    #[test]
    fn tables_of_nothing_hold_no_samples() {
        for table in ["", "a,b\n", "\n\n"] {
            assert!(parse(table.as_bytes(), LabelColumn::None).unwrap().is_empty());
        }
        assert!(parse(b"1\n2\n", LabelColumn::Last).unwrap().inputs().is_empty());
    }
}
