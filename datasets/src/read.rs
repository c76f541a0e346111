//! Bytes from files: whole, unpacked, and never more than [`MAX_BYTES`].

use crate::Fault;
use flate2::read::MultiGzDecoder;
use std::{fs::File, io::Read, path::Path};

/// The most bytes a file may hold, packed or unpacked: 1 GiB.
pub const MAX_BYTES: u64 = 1 << 30;

/// Reads a file, and unpacks it if it is gzip.
pub(crate) fn file(path: &Path) -> Result<Vec<u8>, Fault> {
    let bytes = capped(File::open(path)?)?;
    if is_gzip(&bytes) { unpack(&bytes) } else { Ok(bytes) }
}

/// Unpacks gzip.
pub(crate) fn unpack(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    capped(MultiGzDecoder::new(bytes))
}

/// Reads to the end, or to the cap.
pub(crate) fn capped(reader: impl Read) -> Result<Vec<u8>, Fault> {
    up_to(MAX_BYTES, reader)
}

fn up_to(limit: u64, reader: impl Read) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    reader.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(Fault::TooLarge { limit, unit: "bytes" }) } else { Ok(bytes) }
}

fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::{self, Write};

    fn packed(length: usize) -> Vec<u8> {
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(&vec![0; length]).unwrap();
        packed.finish().unwrap()
    }

    #[test]
    fn gzip_unpacks_all_its_members() {
        assert_eq!(unpack(&packed(70_000).repeat(3)).unwrap(), vec![0; 210_000]);
    }

    #[test]
    fn readers_beyond_the_limit_are_stopped_at_it() {
        let bomb = packed(1 << 20);
        let unpacked = |limit| up_to(limit, MultiGzDecoder::new(bomb.as_slice()));
        assert_eq!(unpacked(1 << 20).unwrap().len(), 1 << 20);
        assert!(matches!(unpacked((1 << 20) - 1), Err(Fault::TooLarge { unit: "bytes", .. })));
        assert!(matches!(up_to(1000, io::repeat(7)), Err(Fault::TooLarge { limit: 1000, .. })));
    }

    #[test]
    fn cut_or_altered_gzip_is_refused() {
        let whole = packed(70_000);
        for length in 0..whole.len() {
            assert!(matches!(unpack(&whole[..length]), Err(Fault::Io(_))) || length == 0, "cut to {length}");
        }
        let mut altered = whole.clone();
        altered[whole.len() - 8] ^= 1;
        assert!(matches!(unpack(&altered), Err(Fault::Io(_))), "checksum");
    }
}
