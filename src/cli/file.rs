//! Files in and out, each error with the path it is about.
//!
//! An [`Output`] is written to a new file beside it, which then takes its name: whoever looks sees the whole content or what
//! was there before. Without `--force` an existing file is left alone, and the command ends before it does any work.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde::de::DeserializeOwned;

/// The whole of a file of at most [`MAX_BYTES`].
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    let shown = path.display();
    let size = fs::metadata(path).with_context(|| format!("cannot read {shown}; check the path"))?.len();
    ensure!(size <= MAX_BYTES, "{shown} is larger than {MAX_BYTES} bytes, the most that is read");
    fs::read(path).with_context(|| format!("cannot read {shown}"))
}

/// A file of JSON; `what` it should be, for the error.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path, what: &str) -> Result<T> {
    let bytes = read(path)?;
    serde_json::from_slice(&bytes).with_context(|| format!("{} is not {what}", path.display()))
}

/// Where a command writes its result.
#[derive(Args, Debug)]
pub(super) struct Output {
    /// Where to write the result
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    path: PathBuf,
    /// Overwrite what is there
    #[arg(long)]
    force: bool,
}

impl Output {
    /// Where it will stand.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The file of another ending beside it, under the same terms.
    pub(super) fn beside(&self, ending: &str) -> Self {
        Self { path: self.path.with_extension(ending), force: self.force }
    }

    /// Says now rather than after the work whether writing will be refused.
    pub(super) fn check(&self) -> Result<()> {
        check(&self.path, self.force)
    }

    /// Leaves nothing there.
    pub(super) fn remove(&self) -> Result<()> {
        self.check()?;
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", self.path.display()))
            }
            _ => Ok(()),
        }
    }

    /// Writes the whole of it, or nothing.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<()> {
        write(&self.path, bytes, self.force)
    }
}

/// Refuses a path that is taken, unless forced, and one in no folder.
pub(super) fn check(path: &Path, force: bool) -> Result<()> {
    let shown = path.display();
    ensure!(force || !path.exists(), "{shown} exists; choose another name, or --force to overwrite it");
    ensure!(path.file_name().is_some() && !path.is_dir(), "{shown} is no name for a file");
    ensure!(folder(path).is_dir(), "cannot write {shown}: there is no folder {}", folder(path).display());
    Ok(())
}

/// Writes a whole file, or nothing.
pub(super) fn write(path: &Path, bytes: &[u8], force: bool) -> Result<()> {
    check(path, force)?;
    let Some(name) = path.file_name() else {
        bail!("{} is no name for a file", path.display());
    };
    let unfinished = folder(path).join(format!(".{}.{}.unfinished", name.display(), std::process::id()));
    let written = OpenOptions::new().write(true).create_new(true).open(&unfinished).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, path)
    });
    written.map_err(|error| {
        // What is left of it is of no use to anybody.
        let _ = fs::remove_file(&unfinished);
        anyhow::Error::new(error).context(format!("cannot write {}", path.display()))
    })
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// The path of a file whose name ends in `.onnx`.
#[derive(Clone, Debug)]
pub(super) struct OnnxPath(pub(super) PathBuf);

impl FromStr for OnnxPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ending = |ending: &str| text.to_ascii_lowercase().ends_with(ending);
        if ending(".onnx") {
            return Ok(Self(text.into()));
        }
        let unpack = [(".xz", "xz -dk"), (".gz", "gunzip -k"), (".zst", "zstd -d"), (".zip", "unzip")];
        Err(match unpack.iter().find(|(packed, _)| ending(packed)) {
            Some((_, command)) => {
                format!("it is packed; unpack it with `{command} {text}` and name the .onnx file")
            }
            None => "a model's name must end in .onnx; export the model to ONNX".into(),
        })
    }
}

/// Larger than any model file or record taken.
const MAX_BYTES: u64 = 1 << 34;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn existing_file_without_force_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("card.json");
        write(&path, b"first", false).unwrap();
        assert!(write(&path, b"second", false).unwrap_err().to_string().contains("--force"));
        assert_eq!(fs::read(&path).unwrap(), b"first");
        write(&path, b"second", true).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing unfinished is left");
    }

    #[test]
    fn removed_file_is_gone_only_if_forced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.reading.json");
        fs::write(&path, b"stale").unwrap();
        assert!(Output { path: path.clone(), force: false }.remove().is_err());
        assert!(path.exists());
        let forced = Output { path, force: true };
        forced.remove().unwrap();
        assert!(!forced.path().exists());
        forced.remove().unwrap();
    }

    #[test]
    fn file_in_no_folder_is_refused_before_any_work() {
        let folder = tempfile::tempdir().unwrap();
        let error = check(&folder.path().join("none/card.json"), false).unwrap_err();
        assert!(error.to_string().contains("there is no folder"), "{error}");
    }

    #[test]
    fn packed_model_is_told_how_to_unpack() {
        assert!("net.onnx".parse::<OnnxPath>().is_ok());
        assert!("net.onnx.xz".parse::<OnnxPath>().unwrap_err().contains("xz -dk net.onnx.xz"));
        assert!("net.pt".parse::<OnnxPath>().unwrap_err().contains(".onnx"));
    }
}
