//! A folder of lots: what the parties of private inference draw ahead of questions, each lot to be spent at most once, whatever crashes.
//!
//! Two questions under the same masks show how they differ, so "at most once" is what hides a question; that a lot is spent at all is
//! only thrift. Whatever goes wrong therefore loses a lot rather than spend it again.
//!
//! | in the folder | is |
//! |---|---|
//! | `<id>.lot` | a lot, whole |
//! | `<id>.part` | a deposit under way, as long as the lot will be |
//! | `spent/<id>` | empty; the lot of this name is spent |
//! | `lock` | held by whoever begins or ends something |
//!
//! **Deposit.** Write the part, sync it, rename it to a lot, sync the folder. A crash leaves the lot whole, or a part, which is never read.
//! **Withdrawal.** Create `spent/<id>`, which succeeds for one caller only, in whatever process; sync it and its folder; only then read the
//! lot, check it, overwrite and remove it, and return its bytes. Once the mark is there the lot is spent, whether or not a crash keeps its
//! bytes from being returned; a machine that fails before the mark is synced may have the lot still, of which then no byte was returned. The
//! mark stays for good: a lot of its id is neither deposited nor, should a copy be put back, withdrawn again.
//!
//! **Leftovers** are parts, and lots that are marked spent. Part and mark are locked by whoever works on them for as long as it does;
//! locks end with their process and with the machine, not with a name that might recur. So [`Pool::open`] wipes a leftover if it gets its
//! lock, and leaves what a live process, or another thread of this one, works on. It does so under the folder's `lock`, under which
//! both are created and first locked, so that it never sees one in between.
//!
//! **What this cannot stop, and who does.** Marks live beside the lots: whoever copies the folder, or puts back a backup or a snapshot of
//! all of it, can spend lots twice on this side. An honest peer then still refuses, as its own pool has its half marked: either party
//! withdraws before it says a word that depends on the lot. A malicious one does not, and sees how the two questions differ. Hence keep a
//! pool out of backups, and never put one back. Who can write to the folder can do anything; the digest in a lot finds damage, not malice.
//! Overwriting is as good as the disk lets it be: file systems that copy on write, and flash, may keep what was overwritten. Locks and
//! creation must be the system's own: use a local file system.
//!
//! **The caller must** draw ids at random with the peer, so that both halves have the same; give up the lot of a failed deposit, which may
//! be there or not; and withdraw and drop lots of which the peer lacks the other half. Bodies are opaque here and secret: what is returned
//! is wiped from memory when dropped, and files are readable by their owner only.

mod disk;
mod error;
mod lot;
#[cfg(test)]
mod tests;

pub use error::PoolError;
pub use lot::Label;

use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// A folder of lots. Any number of these may have the same folder open.
#[derive(Debug)]
pub struct Pool {
    folder: PathBuf,
    cap: u64,
}

impl Pool {
    /// Opens the pool in `folder`, makes it if there is none, and wipes leftovers of crashes.
    ///
    /// # Errors
    /// [`PoolError::Io`].
    pub fn open(folder: &Path) -> Result<Self, PoolError> {
        let pool = Self { folder: folder.into(), cap: u64::MAX };
        disk::create_folder(&pool.spent()).map_err(at(&pool.spent(), "making the folder"))?;
        disk::sync_folder(folder).map_err(at(folder, "syncing the folder"))?;
        pool.sweep()?;
        Ok(pool)
    }

    /// Refuses deposits from here on that would bring [`Self::bytes`] beyond `cap`.
    #[must_use]
    pub fn with_cap(self, cap: u64) -> Self {
        Self { cap, ..self }
    }

    /// Adds a lot, for good.
    ///
    /// # Errors
    /// [`PoolError::Known`] if a lot of this id is there or was; [`PoolError::Full`]; [`PoolError::Io`].
    pub fn deposit(&self, label: &Label, body: &[u8]) -> Result<(), PoolError> {
        let mut part = self.begin(label, body.len())?;
        let done = part.fill(label, body).and_then(|()| self.finish(&part));
        if done.is_err() {
            // What is left the next one to open the pool wipes; the first error is the one to tell.
            let _ = disk::wipe(&part.path);
        }
        done
    }

    /// The lots that are there, the smallest first.
    ///
    /// # Errors
    /// [`PoolError::Io`]; [`PoolError::Altered`].
    pub fn lots(&self) -> Result<Vec<Label>, PoolError> {
        let mut lots = Vec::new();
        for path in self.files(LOT)? {
            let id = id_of(&path).ok_or_else(|| PoolError::Altered { path: path.clone() })?;
            lots.extend(self.find(&id)?);
        }
        lots.sort_by_key(|label| (label.positions, label.id));
        Ok(lots)
    }

    /// Spends a lot and returns its body. Once the lot is marked spent it is gone, whatever this returns.
    ///
    /// # Errors
    /// [`PoolError::Mislabelled`], and the lot stays, if it is not what `label` says; [`PoolError::Gone`] if it is not there, or another
    /// caller was first; [`PoolError::Altered`]; [`PoolError::Io`].
    pub fn withdraw(&self, label: &Label) -> Result<Zeroizing<Vec<u8>>, PoolError> {
        let path = self.lot(&label.id);
        let found = self.find(&label.id)?.ok_or_else(|| PoolError::Gone { path: path.clone() })?;
        if let Some(field) = label.differs(&found) {
            return Err(PoolError::Mislabelled { path, field });
        }
        let _mark = self.claim(label)?;
        let body = lot::read(&path, label);
        // Not synced: should the removal be undone by a crash, the mark is not, and what comes back is zeros.
        disk::wipe(&path).map_err(at(&path, "removing the spent lot"))?;
        body
    }

    /// Bytes that lots and deposits under way take.
    ///
    /// # Errors
    /// [`PoolError::Io`].
    pub fn bytes(&self) -> Result<u64, PoolError> {
        let mut sum = 0;
        for path in [self.files(LOT)?, self.files(PART)?].concat() {
            match path.metadata() {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                found => sum += found.map_err(at(&path, "measuring"))?.len(),
            }
        }
        Ok(sum)
    }

    /// Takes the room and the id for a lot.
    fn begin(&self, label: &Label, body: usize) -> Result<Part, PoolError> {
        let _guard = self.guard()?;
        let path = self.folder.join(name(&label.id, PART));
        for other in [self.lot(&label.id), self.mark(&label.id), path.clone()] {
            if exists(&other)? {
                return Err(PoolError::Known { path: other });
            }
        }
        let (used, more) = (self.bytes()?, lot::size(body));
        if more > self.cap.saturating_sub(used) {
            return Err(PoolError::Full { path: self.folder.clone(), used, more, cap: self.cap });
        }
        let file = disk::create(&path).map_err(at(&path, "creating"))?;
        if let Err(source) = file.lock().and_then(|()| file.set_len(more)) {
            let _ = std::fs::remove_file(&path);
            return Err(at(&path, "taking room")(source));
        }
        Ok(Part { path, file })
    }

    /// Makes a part, which was synced, a lot.
    fn finish(&self, part: &Part) -> Result<(), PoolError> {
        let _guard = self.guard()?;
        std::fs::rename(&part.path, part.path.with_extension(LOT)).map_err(at(&part.path, "renaming"))?;
        disk::sync_folder(&self.folder).map_err(at(&self.folder, "syncing the folder"))
    }

    /// The label of a lot that is not spent. The mark is looked for last: a header that is being wiped has one.
    fn find(&self, id: &[u8; 32]) -> Result<Option<Label>, PoolError> {
        let path = self.lot(id);
        let header = match File::open(&path).and_then(|mut file| lot::Header::read(&mut file)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            header => header.map_err(at(&path, "reading"))?,
        };
        if exists(&self.mark(id))? {
            return Ok(None);
        }
        let label = header.map(|header| header.label).filter(|label| label.id == *id);
        label.map(Some).ok_or(PoolError::Altered { path })
    }

    /// Marks a lot as spent, so that no crash undoes it. The mark is locked until it is dropped.
    fn claim(&self, label: &Label) -> Result<File, PoolError> {
        let path = self.mark(&label.id);
        let guard = self.guard()?;
        let mark = disk::create(&path).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => PoolError::Gone { path: self.lot(&label.id) },
            _ => at(&path, "marking the lot spent")(error),
        })?;
        mark.lock().map_err(at(&path, "locking"))?;
        drop(guard);
        mark.sync_all().map_err(at(&path, "syncing"))?;
        disk::sync_folder(&self.spent()).map_err(at(&self.spent(), "syncing the folder"))?;
        Ok(mark)
    }

    fn sweep(&self) -> Result<(), PoolError> {
        let _guard = self.guard()?;
        let parts = self.files(PART)?.into_iter().map(|part| (part.clone(), part));
        let lots = self.files(LOT)?.into_iter();
        let lots = lots.filter_map(|lot| id_of(&lot).map(|id| (self.mark(&id), lot)));
        for (held, leftover) in parts.chain(lots) {
            if abandoned(&held)? {
                disk::wipe(&leftover).map_err(at(&leftover, "removing a leftover"))?;
            }
        }
        Ok(())
    }

    fn guard(&self) -> Result<File, PoolError> {
        let path = self.folder.join("lock");
        let locked = disk::open_lock(&path).and_then(|file| file.lock().map(|()| file));
        locked.map_err(at(&path, "locking"))
    }

    fn files(&self, extension: &str) -> Result<Vec<PathBuf>, PoolError> {
        let entries = std::fs::read_dir(&self.folder)
            .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>());
        let mut paths = entries.map_err(at(&self.folder, "listing"))?;
        paths.retain(|path| path.extension().is_some_and(|found| found == extension));
        Ok(paths)
    }

    fn lot(&self, id: &[u8; 32]) -> PathBuf {
        self.folder.join(name(id, LOT))
    }

    fn spent(&self) -> PathBuf {
        self.folder.join("spent")
    }

    fn mark(&self, id: &[u8; 32]) -> PathBuf {
        self.spent().join(hex::encode(id))
    }
}

/// A deposit under way; its file is locked.
struct Part {
    path: PathBuf,
    file: File,
}

impl Part {
    fn fill(&mut self, label: &Label, body: &[u8]) -> Result<(), PoolError> {
        let header = lot::Header::of(label, body).encode();
        let filled = self.file.write_all(&header).and_then(|()| self.file.write_all(body));
        filled.and_then(|()| self.file.sync_all()).map_err(at(&self.path, "writing"))
    }
}

/// Whether the file is there and nobody holds its lock.
fn abandoned(path: &Path) -> Result<bool, PoolError> {
    let locked = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        file => file.map_err(at(path, "opening"))?.try_lock(),
    };
    match locked {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(source)) => Err(at(path, "locking")(source)),
    }
}

fn exists(path: &Path) -> Result<bool, PoolError> {
    path.try_exists().map_err(at(path, "looking for it"))
}

fn at(path: &Path, doing: &'static str) -> impl FnOnce(std::io::Error) -> PoolError {
    move |source| PoolError::Io { path: path.into(), doing, source }
}

fn name(id: &[u8; 32], extension: &str) -> String {
    format!("{}.{extension}", hex::encode(id))
}

/// The id a file is named after.
fn id_of(path: &Path) -> Option<[u8; 32]> {
    let mut id = [0; 32];
    hex::decode_to_slice(path.file_stem()?.to_str()?, &mut id).ok()?;
    Some(id)
}

const LOT: &str = "lot";
const PART: &str = "part";
