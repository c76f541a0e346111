//! What can be wrong with data, and what to do about it.
//!
//! A [`Fault`] says what is wrong; a [`DataError`] adds where. Neither ever stands for a bug of ours: every fault is
//! something the file, or the one who asked for it, can put right.

use std::io;
use thiserror::Error;

/// A [`Fault`] together with the file (or the built-in set) it was found in.
#[derive(Debug, Error)]
#[error("{origin}: {fault}")]
pub struct DataError {
    /// The path or the name of the set, as it was asked for.
    pub origin: String,
    /// What is wrong with it.
    #[source]
    pub fault: Fault,
}

/// What is wrong with data. Samples, rows and columns are counted from 0, lines from 1.
#[derive(Debug, Error)]
pub enum Fault {
    /// The operating system refused, or a compressed stream is damaged.
    #[error("cannot be read ({0}); check that the path is right and the file is complete")]
    Io(#[from] io::Error),
    /// More data than this crate is willing to hold in memory.
    #[error("holds more than {limit} {unit} once unpacked; split it into smaller files")]
    TooLarge {
        /// The limit it exceeds.
        limit: u64,
        /// What the limit counts.
        unit: &'static str,
    },
    /// The bytes are not what their format demands.
    #[error("is not a valid {format} file: {detail}; write or fetch it again")]
    Malformed {
        /// The format, as it was inferred from the file's name.
        format: &'static str,
        /// The first rule that is broken.
        detail: String,
    },
    /// The header promises another amount of data than follows it.
    #[error(
        "its header promises {expected} bytes of data but {found} follow; it is truncated or altered: fetch it again"
    )]
    Length {
        /// What the header promises.
        expected: u64,
        /// What follows it.
        found: u64,
    },
    /// Numbers of a type that is not read.
    #[error("holds elements of type {found}; convert them to one of {accepted}")]
    ElementType {
        /// The type, as the file names it.
        found: String,
        /// The types that are read.
        accepted: &'static str,
    },
    /// An archive without the array that is looked for.
    #[error("has no array named {}, only {}; rename one", wanted.join(" or "), found.join(", "))]
    NoArray {
        /// The names that are recognised.
        wanted: &'static [&'static str],
        /// The names there are.
        found: Vec<String>,
    },
    /// A cell of a table that is no number.
    #[error("line {line}, column {column}: `{text}` is not a number; correct it or remove the row")]
    Cell {
        /// The line in the file.
        line: u64,
        /// The column.
        column: usize,
        /// What stands there, shortened.
        text: String,
    },
    /// A label that is no class number.
    #[error(
        "the label of sample {sample} is {found}, not a class number 0, 1, 2, ...; check which column or array holds the labels"
    )]
    Label {
        /// The sample.
        sample: usize,
        /// The label.
        found: f64,
    },
    /// Inputs and labels that do not pair up.
    #[error("{inputs} samples come with {labels} labels; check that both belong to the same set")]
    LabelCount {
        /// How many samples.
        inputs: usize,
        /// How many labels.
        labels: usize,
    },
    /// An array of rank 0, which has no axis to number samples along.
    #[error("is a single number, not a list of samples; store an array whose first axis counts the samples")]
    NoSampleAxis,
    /// Nothing in it.
    #[error("holds no samples, or samples without values; choose another file")]
    Empty,
    /// A value that is infinite or no number at all.
    #[error("sample {sample} holds a value that is infinite or not a number; remove the sample or repair it")]
    NonFinite {
        /// The sample.
        sample: usize,
    },
    /// A sample that is not there.
    #[error("sample {index} was asked for, but there are only {len}")]
    OutOfRange {
        /// The number asked for (of a range, its end).
        index: usize,
        /// How many there are.
        len: usize,
    },
    /// A shape that holds another number of values.
    #[error(
        "a sample of shape {from:?} cannot be given the shape {to:?}: they hold different numbers of values"
    )]
    Reshape {
        /// The shape per sample there is.
        from: Vec<usize>,
        /// The shape per sample asked for.
        to: Vec<usize>,
    },
    /// A list of means or deviations that does not match the channels.
    #[error("{given} values of `{name}` for {channels} channels; give one for all, or one for each")]
    Channels {
        /// `mean` or `std`.
        name: &'static str,
        /// How many values were given.
        given: usize,
        /// The length of the sample's first axis.
        channels: usize,
    },
}

impl Fault {
    /// Adds where the fault was found.
    pub(crate) fn at(self, origin: impl Into<String>) -> DataError {
        DataError { origin: origin.into(), fault: self }
    }
}
