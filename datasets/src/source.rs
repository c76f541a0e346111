//! Where samples come from, as it is typed on a command line, and the one way to get them.
//!
//! ```text
//! digits:PART                the built-in set; PART is train, calibration, canary or query
//! FILE                       .npy, .npz, .idx or ...ubyte (IDX), .bin (CIFAR-10), .csv; each also gzipped, as FILE.gz
//! INPUTS,LABELS              two files, each .npy or IDX: MNIST's pictures and labels
//! ...:OPTION=VALUE           options, in any order, after any of these:
//!     :shape=1x28x28         reshape each sample
//!     :scale=1/255           x = (pixel * scale - mean) / std; a number or a fraction
//!     :mean=0.5,0.4,0.3      one for all channels, or one for each
//!     :std=0.25              likewise; not 0
//!     :label=last            which column of a .csv holds the labels: first, last or none (the default)
//! ```
//!
//! Hence a path may hold no comma, and no `:` with a `=` somewhere after it. The samples are reshaped first and
//! preprocessed then.

use crate::{
    DataError, Fault, LabelColumn, Preprocess, Samples,
    array::RawArray,
    cifar,
    digits::{self, Part, UnknownPart},
    idx, npy, read, table,
};
use std::{
    path::{Path, PathBuf},
    str::FromStr,
};
use thiserror::Error;

/// Loads what a source names, reshaped and preprocessed as it says: at least one sample of at least one value.
///
/// # Errors
/// Names the file, what is wrong with it, and what to do.
pub fn load(source: &Source) -> Result<Samples, DataError> {
    let origin = source.origin.name();
    let mut samples = source.origin.read(source.label)?;
    if samples.inputs().is_empty() {
        return Err(Fault::Empty.at(origin));
    }
    if let Some(shape) = &source.shape {
        samples = samples.reshape(shape).map_err(|fault| fault.at(origin.clone()))?;
    }
    source.preprocess.apply(samples).map_err(|fault| fault.at(origin))
}

/// Where samples come from and how they are prepared.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// The files, or the built-in set.
    pub origin: Origin,
    /// Which column of a table holds the labels; of no consequence for other formats.
    pub label: LabelColumn,
    /// The shape to give each sample.
    pub shape: Option<Vec<usize>>,
    /// What to do with each value.
    pub preprocess: Preprocess,
}

/// Where samples come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A part of the built-in set.
    Digits(Part),
    /// One file; from `.npy` and IDX come samples without labels.
    One(File),
    /// Inputs and labels apart, each in `.npy` or IDX.
    Pair {
        /// The file of the inputs.
        inputs: File,
        /// The file of the labels.
        labels: File,
    },
}

/// A file whose format is known by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Where it is.
    pub path: PathBuf,
    /// What it holds.
    pub format: Format,
}

/// A file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One numpy array.
    Npy,
    /// An archive of numpy arrays.
    Npz,
    /// The format of the MNIST family.
    Idx,
    /// CIFAR-10's binary version.
    Cifar,
    /// Comma-separated numbers.
    Csv,
}

/// What is wrong with a source as it was typed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SourceError {
    /// A name from which no format follows.
    #[error(
        "the name `{0}` tells no format; it should end in .npy, .npz, .idx, ubyte, .bin or .csv (or one of these and .gz), or be digits:PART"
    )]
    Format(String),
    /// A part that the built-in set has not.
    #[error(transparent)]
    Part(#[from] UnknownPart),
    /// A member of a pair in a format that holds more, or less, than one array.
    #[error("`{0}` cannot be one of a pair INPUTS,LABELS; both must be .npy or IDX")]
    Pair(String),
    /// An option of no known name, or one for another format.
    #[error("there is no option `{0}` here; there are shape, scale, mean, std and, for a .csv, label")]
    Option(String),
    /// An option given twice.
    #[error("the option `{0}` is given twice; keep one")]
    Twice(String),
    /// An option's value that does not parse.
    #[error("`{option}={value}` should be {expected}")]
    Value {
        /// The option.
        option: String,
        /// Its value.
        value: String,
        /// What its values look like.
        expected: &'static str,
    },
}

impl Origin {
    fn name(&self) -> String {
        match self {
            Self::Digits(part) => format!("digits:{part}"),
            Self::One(file) | Self::Pair { inputs: file, .. } => file.path.display().to_string(),
        }
    }

    fn read(&self, label: LabelColumn) -> Result<Samples, DataError> {
        match self {
            Self::Digits(part) => Ok(digits::samples(*part)),
            Self::One(file) => file.at_fault(file.samples(label)),
            Self::Pair { inputs, labels } => {
                let values = inputs.at_fault(inputs.array())?.inputs();
                let classes = labels.at_fault(labels.array().and_then(|array| array.labels()))?;
                inputs.at_fault(Samples::new(values, Some(classes)))
            }
        }
    }
}

impl File {
    fn samples(&self, label: LabelColumn) -> Result<Samples, Fault> {
        match self.format {
            Format::Npy | Format::Idx => Samples::new(self.array()?.inputs(), None),
            Format::Npz => npy::parse_archive(&read::file(&self.path)?),
            Format::Cifar => cifar::parse(&read::file(&self.path)?),
            Format::Csv => table::parse(&read::file(&self.path)?, label),
        }
    }

    fn array(&self) -> Result<RawArray, Fault> {
        let bytes = read::file(&self.path)?;
        match self.format {
            Format::Idx => idx::parse(&bytes),
            _ => npy::parse(bytes),
        }
    }

    fn at_fault<T>(&self, result: Result<T, Fault>) -> Result<T, DataError> {
        result.map_err(|fault| fault.at(self.path.display().to_string()))
    }
}

impl FromStr for Source {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        let (mut rest, mut options) = (text, Vec::new());
        while let Some((before, last)) = rest.rsplit_once(':')
            && let Some(option) = last.split_once('=')
        {
            options.push(option);
            rest = before;
        }
        let mut source = Self {
            origin: rest.parse()?,
            label: LabelColumn::default(),
            shape: None,
            preprocess: Preprocess::default(),
        };
        for (at, &(name, value)) in options.iter().enumerate() {
            if options[..at].iter().any(|(other, _)| *other == name) {
                return Err(SourceError::Twice(name.into()));
            }
            source.set(name, value)?;
        }
        Ok(source)
    }
}

impl Source {
    fn set(&mut self, name: &str, value: &str) -> Result<(), SourceError> {
        let is_table = matches!(&self.origin, Origin::One(file) if file.format == Format::Csv);
        let wrong = |expected| SourceError::Value { option: name.into(), value: value.into(), expected };
        match name {
            "scale" => {
                self.preprocess.scale = number(value).ok_or_else(|| wrong("a number, as 0.5 or 1/255"))?
            }
            "mean" => {
                self.preprocess.mean =
                    numbers(value).ok_or_else(|| wrong("numbers, as 0.5 or 0.5,0.4,0.3"))?
            }
            "std" => {
                let values = numbers(value).filter(|values| !values.contains(&0.0));
                self.preprocess.std =
                    values.ok_or_else(|| wrong("numbers other than 0, as 0.25 or 0.2,0.3,0.2"))?;
            }
            "shape" => self.shape = Some(shape(value).ok_or_else(|| wrong("lengths of axes, as 1x28x28"))?),
            "label" if is_table => {
                self.label = match value {
                    "first" => LabelColumn::First,
                    "last" => LabelColumn::Last,
                    "none" => LabelColumn::None,
                    _ => return Err(wrong("first, last or none")),
                }
            }
            _ => return Err(SourceError::Option(name.into())),
        }
        Ok(())
    }
}

impl FromStr for Origin {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        if let Some(part) = text.strip_prefix("digits:") {
            return Ok(Self::Digits(part.parse()?));
        }
        let Some((inputs, labels)) = text.split_once(',') else {
            return Ok(Self::One(text.parse()?));
        };
        let [inputs, labels] = [inputs.parse::<File>()?, labels.parse::<File>()?];
        for file in [&inputs, &labels] {
            if !matches!(file.format, Format::Npy | Format::Idx) {
                return Err(SourceError::Pair(file.path.display().to_string()));
            }
        }
        Ok(Self::Pair { inputs, labels })
    }
}

impl FromStr for File {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        let name = text.strip_suffix(".gz").unwrap_or(text);
        let known = FORMATS.iter().find(|(ending, _)| name.ends_with(ending));
        let &(_, format) = known.ok_or_else(|| SourceError::Format(text.into()))?;
        Ok(Self { path: Path::new(text).into(), format })
    }
}

fn numbers(text: &str) -> Option<Vec<f32>> {
    text.split(',').map(number).collect()
}

fn number(text: &str) -> Option<f32> {
    let value = match text.split_once('/') {
        Some((above, below)) => above.parse::<f32>().ok()? / below.parse::<f32>().ok()?,
        None => text.parse().ok()?,
    };
    value.is_finite().then_some(value)
}

fn shape(text: &str) -> Option<Vec<usize>> {
    text.split('x').map(|axis| axis.parse().ok().filter(|&axis| axis > 0)).collect()
}

const FORMATS: [(&str, Format); 6] = [
    (".npy", Format::Npy),
    (".npz", Format::Npz),
    (".idx", Format::Idx),
    ("ubyte", Format::Idx),
    (".bin", Format::Cifar),
    (".csv", Format::Csv),
];

#[cfg(test)]
mod tests;
