//! The set that is built in: 1797 real handwritten digits, and two models trained on them.
//!
//! UCI "Optical Recognition of Handwritten Digits" (its test half) as scikit-learn ships it; `data/README.md` has
//! provenance, licences, checksums and the models' measured accuracies, `train/train_digits.py` how they were trained.
//!
//! Inputs are [n, 1, 8, 8], pixel / 16, so multiples of 2^-4 in [0, 1], exact in binary; labels are 0..=9.
//!
//! The split: order the rows of the file by the first output of SplitMix64 seeded with the row's index (from 0), then
//! cut that order as [`Part::range`] says. The parts are disjoint and make up the whole set. The models have seen the
//! part `train` alone; `calibration` is for choosing scales, `canary` and `query` for the two roles in a session.

use crate::{Fault, LabelColumn, Preprocess, Samples, read, synthetic::SplitMix64, table};
use std::{fmt, ops::Range, str::FromStr, sync::LazyLock};

/// A part of the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// What the models were trained on: 797 samples.
    Train,
    /// For choosing scales: 100 samples.
    Calibration,
    /// For canaries with known answers: 450 samples.
    Canary,
    /// For a client's own questions: 450 samples.
    Query,
}

/// The samples of one part, in the order of the split.
pub fn samples(part: Part) -> Samples {
    SHUFFLED.slice(part.range()).expect("the parts' ranges end at the set's length")
}

/// A convolutional network as ONNX: [N, 1, 8, 8] to [N, 10] logits, 452,864 multiply-adds a sample.
pub fn model() -> &'static [u8] {
    include_bytes!("../data/digits_cnn.onnx")
}

/// What a cheating server would rather run: the same input and output in 592 multiply-adds, and less accurate.
pub fn cheap_model() -> &'static [u8] {
    include_bytes!("../data/digits_cheap.onnx")
}

impl Part {
    /// Every part, in the order of the split.
    pub const ALL: [Self; 4] = [Self::Train, Self::Calibration, Self::Canary, Self::Query];

    /// Its positions in the shuffled set.
    pub fn range(self) -> Range<usize> {
        match self {
            Self::Train => 0..797,
            Self::Calibration => 797..897,
            Self::Canary => 897..1347,
            Self::Query => 1347..1797,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Calibration => "calibration",
            Self::Canary => "canary",
            Self::Query => "query",
        })
    }
}

impl FromStr for Part {
    type Err = UnknownPart;

    fn from_str(name: &str) -> Result<Self, UnknownPart> {
        let named = Self::ALL.into_iter().find(|part| part.to_string() == name);
        named.ok_or_else(|| UnknownPart(name.to_owned()))
    }
}

/// A name that no part of the set has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the digits have no part `{0}`; choose train, calibration, canary or query")]
pub struct UnknownPart(pub String);

/// The whole set in the order of the split.
static SHUFFLED: LazyLock<Samples> =
    LazyLock::new(|| decode(FILE).expect("the embedded file is fixed, and a test decodes it"));

const FILE: &[u8] = include_bytes!("../data/digits.csv.gz");

fn decode(file: &[u8]) -> Result<Samples, Fault> {
    let rows = table::parse(&read::unpack(file)?, LabelColumn::Last)?;
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|&row| SplitMix64::new(row as u64).next_word());
    let sixteenths = Preprocess { scale: 1.0 / 16.0, ..Preprocess::default() };
    sixteenths.apply(rows.take(&order)?.reshape(&[1, 8, 8])?)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};
    use std::collections::HashSet;

    #[test]
    fn embedded_files_have_the_recorded_checksums() {
        let record = include_str!("../data/README.md");
        let files =
            [("digits.csv.gz", FILE), ("digits_cnn.onnx", model()), ("digits_cheap.onnx", cheap_model())];
        for (name, bytes) in files {
            let row = record.lines().find(|line| line.starts_with(&format!("| `{name}` |"))).unwrap();
            let digest = hex::encode(Sha256::digest(bytes));
            assert!(row.contains(&digest), "{name} has SHA-256 {digest}, not what data/README.md records");
        }
    }

    #[test]
    fn parts_are_disjoint_and_cover_the_set() {
        let mut pictures = HashSet::new();
        for part in Part::ALL {
            let samples = samples(part);
            assert_eq!((samples.len(), samples.shape()), (part.range().len(), &[1, 8, 8][..]));
            for picture in samples.inputs().outer_iter() {
                let pixels: Vec<u8> = picture.iter().map(|value| (value * 16.0) as u8).collect();
                assert!(pictures.insert(pixels), "a picture of {part} occurs twice");
            }
        }
        assert_eq!(pictures.len(), 1797);
    }

    #[test]
    fn inputs_are_sixteenths_and_labels_digits() {
        for part in Part::ALL {
            let samples = samples(part);
            assert!(samples.inputs().iter().all(|v| (0.0..=1.0).contains(v) && (v * 16.0).fract() == 0.0));
            let classes: HashSet<u32> = samples.labels().unwrap().iter().copied().collect();
            assert_eq!(classes, (0..10).collect());
        }
    }

    /// The same rows as `load_parts` of `train/train_digits.py`: the first row of each part, in the file's numbering.
    #[test]
    fn the_split_is_that_of_the_training_script() {
        let file = table::parse(&read::unpack(FILE).unwrap(), LabelColumn::Last).unwrap();
        for (part, row) in Part::ALL.into_iter().zip([558, 1183, 58, 1045]) {
            let original = file.slice(row..row + 1).unwrap().into_parts().0;
            let first = samples(part).slice(0..1).unwrap().into_parts().0;
            assert!(original.iter().eq(first.map(|value| value * 16.0).iter()), "{part}");
        }
    }

    #[test]
    fn part_names_parse_and_others_are_refused() {
        for part in Part::ALL {
            assert_eq!(part.to_string().parse(), Ok(part));
        }
        assert_eq!("test".parse::<Part>(), Err(UnknownPart("test".into())));
    }
}
