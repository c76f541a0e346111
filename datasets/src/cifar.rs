//! CIFAR-10's binary version [Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009].
//!
//! Records of 3073 bytes: a label 0..=9, then 3072 pixels: red, green and blue plane, each 32 rows of 32. Samples are
//! [n, 3, 32, 32], pixels 0..=255.

use crate::{Fault, Samples, samples::volume};
use ndarray::{ArrayD, IxDyn};

/// Reads a batch.
pub(crate) fn parse(bytes: &[u8]) -> Result<Samples, Fault> {
    let malformed = |detail| Fault::Malformed { format: "CIFAR-10", detail };
    let (records, rest) = bytes.as_chunks::<RECORD>();
    if !rest.is_empty() {
        return Err(malformed(format!("{} bytes are no multiple of {RECORD}", bytes.len())));
    }
    let shape = [records.len(), 3, 32, 32];
    volume(&shape)?;
    if let Some(at) = records.iter().position(|record| record[0] > 9) {
        return Err(malformed(format!("record {at} has label {}, above 9", records[at][0])));
    }
    let labels = records.iter().map(|record| record[0].into()).collect();
    let pixels = records.iter().flat_map(|record| &record[1..]).map(|&pixel| pixel.into()).collect();
    let inputs = ArrayD::from_shape_vec(IxDyn(&shape), pixels).expect("a record holds 3 * 32 * 32 pixels");
    Samples::new(inputs, Some(labels))
}

const RECORD: usize = 1 + 3 * 32 * 32;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn batch(labels: &[u8]) -> Vec<u8> {
        let record =
            |&label| std::iter::once(label).chain((0..3072).map(|i| (i / 1024 * 100 + i % 100) as u8));
        labels.iter().flat_map(record).collect()
    }

    #[test]
    fn records_become_planes_with_labels() {
        let samples = parse(&batch(&[3, 9])).unwrap();
        assert_eq!((samples.len(), samples.shape()), (2, &[3, 32, 32][..]));
        assert_eq!(samples.labels(), Some(&[3, 9][..]));
        // Pixel (row 1, column 2) of the blue plane is number 2048 + 34 of the record.
        assert_eq!(samples.inputs()[[1, 2, 1, 2]], (200 + 2082 % 100) as u8 as f32);
    }

    #[test]
    fn cut_batches_and_foreign_labels_are_refused() {
        let mut bytes = batch(&[3, 10]);
        assert!(matches!(parse(&bytes), Err(Fault::Malformed { format: "CIFAR-10", .. })));
        bytes[RECORD] = 1;
        assert!(parse(&bytes).is_ok());
        assert!(matches!(parse(&bytes[1..]), Err(Fault::Malformed { format: "CIFAR-10", .. })));
    }
}
