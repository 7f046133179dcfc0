//! Undoes an archive's own compression: a file in, the plain tar as a file out.
//!
//! Which compression it is, its first bytes say, never its name. Every checksum is checked, to the last byte of the source.
//! Doesn't know tar.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Decoders are fed in steps of this many bytes.
const STEP: usize = 256 << 10;

/// What an archive is compressed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Any number of members.
    Gzip,
    /// Any number of frames.
    Zstd,
    /// Any number of streams.
    Xz,
    /// Known, but not read by us.
    Bzip2,
}

impl fmt::Display for Packing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Packing::Gzip => "gzip",
            Packing::Zstd => "zstd",
            Packing::Xz => "xz",
            Packing::Bzip2 => "bzip2",
        })
    }
}

/// Why an archive can't be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The archive itself can't be read.
    #[error("can't read `{path}`")]
    Read {
        /// The archive.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Cut short, damaged, or followed by something else.
    #[error("`{path}` is truncated or corrupt: its {packing} data can't be decoded")]
    Corrupt {
        /// The archive.
        path: PathBuf,
        /// What it is compressed with.
        packing: Packing,
        /// What the decoder says.
        source: io::Error,
    },
    /// Compressed with something that we don't read.
    #[error("`{path}` is compressed with {packing}: only gzip, zstd, xz and plain tar are read")]
    Unsupported {
        /// The archive.
        path: PathBuf,
        /// What it is compressed with.
        packing: Packing,
    },
    /// The plain tar can't be written.
    #[error("can't write the unpacked archive to `{path}`")]
    Write {
        /// The file meant for it.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// What a file is compressed with, by its first bytes; `None` for anything that isn't known to be compressed.
pub fn packing(archive: &Path) -> Result<Option<Packing>, UnpackError> {
    let read = || {
        let mut magic = [0; 6];
        let length = File::open(archive)?.read_at(&mut magic, 0)?;
        Ok((magic, length))
    };
    let (magic, length) = read().map_err(|source| UnpackError::Read { path: archive.to_owned(), source })?;
    Ok(match &magic[..length] {
        [0x1f, 0x8b, ..] => Some(Packing::Gzip),
        // A skippable frame may stand first.
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Packing::Zstd),
        [0xfd, b'7', b'z', b'X', b'Z', 0] => Some(Packing::Xz),
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => Some(Packing::Bzip2),
        _ => None,
    })
}

/// Writes the plain tar of a compressed archive to `spool`, which is made or emptied first.
pub fn unpack(archive: &Path, packing: Packing, spool: &Path) -> Result<(), UnpackError> {
    let source = File::open(archive).map_err(|source| UnpackError::Read { path: archive.to_owned(), source })?;
    let source = BufReader::with_capacity(STEP, source);
    let corrupt = |source| UnpackError::Corrupt { path: archive.to_owned(), packing, source };
    let mut decoder: Box<dyn Read> = match packing {
        Packing::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(source)),
        Packing::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(source).map_err(corrupt)?),
        Packing::Xz => Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(source)),
        Packing::Bzip2 => return Err(UnpackError::Unsupported { path: archive.to_owned(), packing }),
    };
    let unwritable = |source| UnpackError::Write { path: spool.to_owned(), source };
    let mut spool = File::create(spool).map_err(unwritable)?;
    let mut buffer = vec![0; STEP];
    loop {
        match decoder.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => spool.write_all(&buffer[..length]).map_err(unwritable)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(corrupt(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
        encoder.include_checksum(true).unwrap();
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn xz(bytes: &[u8]) -> Vec<u8> {
        let mut packed = Vec::new();
        liblzma::bufread::XzEncoder::new(bytes, 6).read_to_end(&mut packed).unwrap();
        packed
    }

    fn unpacked(packed: &[u8]) -> Result<Vec<u8>, UnpackError> {
        let dir = tempfile::tempdir().unwrap();
        let (archive, spool) = (dir.path().join("archive"), dir.path().join("spool"));
        std::fs::write(&archive, packed).unwrap();
        let packing = packing(&archive)?.expect("it is compressed");
        unpack(&archive, packing, &spool).map(|()| std::fs::read(&spool).unwrap())
    }

    /// Too long for one step of the decoders, and not to be guessed from its beginning.
    fn sample() -> Vec<u8> {
        (0..200_000u32).flat_map(|number| (number.wrapping_mul(2_654_435_761) >> 7).to_le_bytes()).collect()
    }

    #[test]
    fn members_frames_and_streams_are_read_to_the_last() {
        let sample = sample();
        let (head, tail) = sample.split_at(123_456);
        for pack in [gzip, zstd, xz] {
            assert!(unpacked(&[pack(head), pack(tail)].concat()).unwrap() == sample);
        }
    }

    #[test]
    fn what_is_cut_damaged_or_followed_by_garbage_is_corrupt() {
        for packed in [gzip(&sample()), zstd(&sample()), xz(&sample())] {
            let length = packed.len();
            let mut damaged = packed.clone();
            damaged[length / 2] ^= 0x10;
            let cut = [length - 1, length - 9, length / 2, 12].map(|end| packed[..end].to_vec());
            let garbage = [&packed[..], b"garbage"].concat();
            for bad in cut.into_iter().chain([damaged, garbage]) {
                assert!(matches!(unpacked(&bad), Err(UnpackError::Corrupt { .. })), "{} {:?}", bad.len(), &bad[..6]);
            }
        }
    }

    #[test]
    fn bzip2_is_named_as_not_read() {
        assert!(matches!(unpacked(b"BZh91AY&SY"), Err(UnpackError::Unsupported { .. })));
    }
}
