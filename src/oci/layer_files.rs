//! The files of one layer, wherever in it they stand: its plain tar put aside once, and read from there.
//!
//! Takes a blob's bytes and its diff ID. Knows nothing of other layers, and nothing of where blobs come from.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::digest::DiffId;
use crate::layer_path::LayerPath;
use crate::oci::decompress::decompress;
use crate::oci::layer_listing::{LayerListingError, listed, put_aside};
use crate::oci::tar_members::Members;
use crate::oci::tree::Kind;

/// The regular files of a layer.
#[derive(Debug)]
pub struct LayerFiles {
    tar: Arc<File>,
    places: HashMap<LayerPath, Place>,
}

#[derive(Debug)]
enum Place {
    At { offset: u64, size: u64 },
    SameAs(LayerPath),
}

/// A file's content: a part of an archive, read from one end to the other or wherever one likes.
#[derive(Debug, Clone)]
pub struct Part {
    file: Arc<File>,
    offset: u64,
    size: u64,
    at: u64,
}

impl LayerFiles {
    /// Those of a layer's blob, which is read to its end; `spool` is an empty file that takes the plain tar.
    pub fn unpack(blob: impl Read, diff_id: DiffId, mut spool: File) -> Result<LayerFiles, LayerListingError> {
        let (_, mut tar) = decompress(blob).map_err(LayerListingError::Read)?;
        let (digest, length) = put_aside(&mut tar, &mut spool)?;
        if digest != diff_id.0 {
            return Err(LayerListingError::OtherContent { found: digest, expected: diff_id.0 });
        }
        let mut places = HashMap::new();
        // Some tools write an empty layer as no bytes at all.
        for member in Members::new(&spool, length).take(if length == 0 { 0 } else { usize::MAX }) {
            let member = member?;
            let (offset, size) = (member.offset, member.size);
            let Some(entry) = listed(member)? else { continue };
            match entry.kind {
                Kind::File => places.insert(entry.path, Place::At { offset, size }),
                Kind::HardLink => places.insert(entry.path, Place::SameAs(LayerPath::new(&entry.target)?)),
                _ => None,
            };
        }
        Ok(LayerFiles { tar: Arc::new(spool), places })
    }

    /// The file at a path; `None` where this layer has none.
    pub fn get(&self, path: &LayerPath) -> Option<Part> {
        let mut place = self.places.get(path)?;
        // A hard link names an earlier member; one that names itself, or a circle of them, no file.
        for _ in 0..8 {
            match place {
                Place::At { offset, size } => return Some(Part::new(self.tar.clone(), *offset, *size)),
                Place::SameAs(other) => place = self.places.get(other)?,
            }
        }
        None
    }
}

impl Part {
    /// So many bytes of a file.
    pub fn new(file: Arc<File>, offset: u64, size: u64) -> Part {
        Part { file, offset, size, at: 0 }
    }

    /// In bytes.
    pub fn size(&self) -> u64 {
        self.size
    }
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.size.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        let read = self.file.read_at(&mut buffer[..wanted], self.offset + self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Part {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let found = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = found.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::oci::sample;

    #[test]
    fn a_file_is_found_and_read_from_anywhere_and_what_is_none_is_not() {
        let tar = sample::tar("etc/a", "hello");
        let spool = || tempfile::tempfile().unwrap();
        let files = LayerFiles::unpack(&sample::gzip(&tar)[..], DiffId(Digest::of(&tar)), spool()).unwrap();
        let mut part = files.get(&LayerPath::new("/etc/a").unwrap()).unwrap();
        let mut text = String::new();
        part.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), part.size()), ("hello", 5));
        part.seek(SeekFrom::End(-2)).unwrap();
        text.clear();
        part.read_to_string(&mut text).unwrap();
        assert_eq!(text, "lo", "and nothing of what stands behind it in the archive");
        assert!(files.get(&LayerPath::new("/etc").unwrap()).is_none());
        let other = LayerFiles::unpack(&tar[..], DiffId(Digest::of(b"other")), spool());
        assert!(matches!(other, Err(LayerListingError::OtherContent { .. })));
    }
}
