//! Samples with known answers: loaders for the usual formats, a small real set, and synthetic data.
//!
//! [`load`] reads what a [`Source`] names, be it a file or the built-in [`digits`]; [`synthetic`] makes samples out of
//! a seed. Whatever comes out is [`Samples`]: one row-major `f32` array [n, ...shape] of finite values, and labels where
//! they are known.
//!
//! Files are foreign bytes: sizes are capped before anything is allocated, what follows the data is refused, and every
//! fault is a typed [`DataError`] that names the file, what is wrong with it and what to do. No panic, no unsafe code.

#![forbid(unsafe_code)]

pub mod digits;
pub mod synthetic;

mod array;
mod cifar;
mod error;
mod idx;
mod npy;
mod preprocess;
mod read;
mod samples;
mod source;
mod table;

pub use error::{DataError, Fault};
pub use preprocess::Preprocess;
pub use read::MAX_BYTES;
pub use samples::{MAX_VALUES, Samples};
pub use source::{File, Format, Origin, Source, SourceError, load};
pub use table::LabelColumn;
