//! A record on disk: one file, only ever appended to, an entry at a time.
//!
//! An entry is handed to the system in one write and synced before [`Recorder::append`] returns, so that it outlives a crash of the
//! program or the machine; a crash within the write leaves a torn entry, which readers report and never half-read. The file is locked
//! while it is open: two sessions cannot interleave. What the chain of digests gives is said in [`serin_verifier::record`].

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serin_circuits::codec::Digest;
use serin_verifier::record::{End, Entry, EntryError, Record, RecordError, append, begin};

/// A record being written.
#[derive(Debug)]
pub struct Recorder {
    sink: Sink,
    head: Digest,
}

#[derive(Debug)]
enum Sink {
    File {
        file: File,
        path: PathBuf,
    },
    Memory(Vec<u8>),
    /// An append failed: what the file ends with is not known.
    Broken,
}

/// A record that cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecorderError {
    /// The system failed us.
    #[error("{}: {doing} failed: {source}; check the path, its permissions and the space left", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// The system's word on it.
        source: io::Error,
    },
    /// Another program is writing it.
    #[error("{}: another session is writing this record; wait for it, or use another file", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// Its last entry is cut short.
    #[error(
        "{}: the last entry was cut short at byte {at} while being written; keep a copy, then cut the file to {at} bytes to go on",
        path.display()
    )]
    Torn {
        /// The file.
        path: PathBuf,
        /// Where the torn entry starts.
        at: usize,
    },
    /// It is not a record, or was altered.
    #[error("{}: {error}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: RecordError,
    },
    /// An earlier append failed.
    #[error("an earlier entry could not be written; open the record again")]
    Broken,
    /// The entry's parts do not fit each other.
    #[error(transparent)]
    Entry(#[from] EntryError),
}

impl Recorder {
    /// Opens the record at `path` to append to it, and makes it if there is none.
    ///
    /// # Errors
    /// [`RecorderError`]: above all, a record that was altered or is torn is not appended to.
    pub fn open(path: &Path) -> Result<Self, RecorderError> {
        let failed = |doing| move |source| RecorderError::Io { path: path.into(), doing, source };
        let mut options = OpenOptions::new();
        let mut file = options.read(true).append(true).create(true).open(path).map_err(failed("opening"))?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => RecorderError::Locked { path: path.into() },
            TryLockError::Error(source) => failed("locking")(source),
        })?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed("reading"))?;
        let head = if bytes.is_empty() {
            let (header, head) = begin();
            file.write_all(header).and_then(|()| file.sync_all()).map_err(failed("writing"))?;
            head
        } else {
            match Record::head_of(&bytes)
                .map_err(|error| RecorderError::Record { path: path.into(), error })?
            {
                (head, End::Whole) => head,
                (_, End::Torn { at }) => {
                    return Err(RecorderError::Torn { path: path.into(), at });
                }
            }
        };
        Ok(Self { sink: Sink::File { file, path: path.into() }, head })
    }

    /// A record in memory, for whoever needs none afterwards.
    pub fn memory() -> Self {
        let (header, head) = begin();
        Self { sink: Sink::Memory(header.to_vec()), head }
    }

    /// The digest that names the record so far.
    pub fn head(&self) -> &Digest {
        &self.head
    }

    /// The bytes of a record in memory; `None` of a file.
    pub fn bytes(&self) -> Option<&[u8]> {
        match &self.sink {
            Sink::Memory(bytes) => Some(bytes),
            Sink::File { .. } | Sink::Broken => None,
        }
    }

    /// Appends one entry, for good, and returns the new head. After an error of the system nothing more is appended.
    ///
    /// # Errors
    /// [`RecorderError`].
    pub fn append(&mut self, entry: &Entry) -> Result<Digest, RecorderError> {
        let (frame, head) = append(&self.head, entry)?;
        match &mut self.sink {
            Sink::Memory(bytes) => bytes.extend(frame),
            Sink::File { file, path } => {
                if let Err(source) = file.write_all(&frame).and_then(|()| file.sync_data()) {
                    let path = path.clone();
                    self.sink = Sink::Broken;
                    return Err(RecorderError::Io { path, doing: "writing", source });
                }
            }
            Sink::Broken => return Err(RecorderError::Broken),
        }
        self.head = head;
        Ok(head)
    }
}

/// Reads the record at `path`.
///
/// # Errors
/// [`RecorderError`]; a torn last entry is none, see [`Record::end`].
pub fn read(path: &Path) -> Result<Record, RecorderError> {
    let bytes = std::fs::read(path).map_err(|source| RecorderError::Io {
        path: path.into(),
        doing: "reading",
        source,
    })?;
    Record::decode(&bytes).map_err(|error| RecorderError::Record { path: path.into(), error })
}
