//! What a pool asks of the file system: files of their owner's, synced folders, and contents that are gone.

use std::fs::{DirBuilder, File, OpenOptions, remove_file};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// Makes a folder, and those above it, that nobody else may enter; leaves one that is there as it is.
pub(super) fn create_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path)
}

/// Makes a file that nobody else may read, and that was not there.
pub(super) fn create(path: &Path) -> io::Result<File> {
    owners().create_new(true).open(path)
}

/// Opens a file that is only locked.
pub(super) fn open_lock(path: &Path) -> io::Result<File> {
    owners().create(true).truncate(false).open(path)
}

/// Brings to the disk which files the folder holds. Elsewhere than on Unix, where folders are no files, the system is trusted with it.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

/// Overwrites a file with zeros, on the disk, and removes it. One that is not there is none to wipe.
pub(super) fn wipe(path: &Path) -> io::Result<()> {
    let mut file = match OpenOptions::new().write(true).open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    match overwrite(&mut file) {
        // A full disk has no room for the rest of a part that was never written; what was written lies before it.
        Err(error) if [ErrorKind::StorageFull, ErrorKind::QuotaExceeded].contains(&error.kind()) => {}
        overwritten => overwritten?,
    }
    file.sync_all()?;
    remove_file(path)
}

fn overwrite(file: &mut File) -> io::Result<()> {
    let mut left = file.metadata()?.len();
    while left > 0 {
        let zeros = &ZEROS[..left.min(ZEROS.len() as u64) as usize];
        file.write_all(zeros)?;
        left -= zeros.len() as u64;
    }
    Ok(())
}

fn owners() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

static ZEROS: [u8; 1 << 16] = [0; 1 << 16];
