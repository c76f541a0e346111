//! Why a pool did not do what it was asked.

use std::io;
use std::path::PathBuf;

/// Why a pool did not do what it was asked. Every variant names the file or folder.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// The system failed us.
    #[error("{}: {doing} failed: {source}; check the path, its permissions and the space left", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// The system's word on it.
        source: io::Error,
    },
    /// A deposit under an id that was used before.
    #[error("{}: a lot of this id is in the pool, is being deposited, or was spent; draw a new one", path.display())]
    Known {
        /// The lot, its part, or its mark.
        path: PathBuf,
    },
    /// A deposit beyond the cap.
    #[error(
        "{}: lots take {used} bytes, and {more} more would exceed the cap of {cap}; spend some first, or raise the cap",
        path.display()
    )]
    Full {
        /// The folder.
        path: PathBuf,
        /// Bytes in use.
        used: u64,
        /// Bytes the lot would take.
        more: u64,
        /// Bytes allowed.
        cap: u64,
    },
    /// A withdrawal of what is not there, or no more.
    #[error("{}: there is no such lot, or it has been spent; choose another, or draw one", path.display())]
    Gone {
        /// Where the lot would be.
        path: PathBuf,
    },
    /// A withdrawal of a lot that is not what it was asked for as.
    #[error("{}: this lot was drawn for {field} other than asked for; choose another, or draw one", path.display())]
    Mislabelled {
        /// The lot.
        path: PathBuf,
        /// What differs.
        field: &'static str,
    },
    /// A file that is not as it was deposited.
    #[error(
        "{}: this is not a lot as it was deposited: altered, cut short, or put there by another; it must not be used: remove it if it is still there, and check the disk",
        path.display()
    )]
    Altered {
        /// The file.
        path: PathBuf,
    },
}
