//! The listing of somebody else's layer, read once as it comes, and of several laid over each other.
//!
//! Takes a blob's bytes and its diff ID, keeps no content. More lenient than what reads archives into layers of ours: it lists what
//! an engine would extract, and judges only whether it can be read. Knows nothing of where blobs come from.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};

use crate::digest::{DiffId, Digest, Hasher};
use crate::layer_path::{LayerPath, LayerPathError};
use crate::oci::decompress::decompress;
use crate::oci::listing::{Listed, Listing};
use crate::oci::overlay::overlay;
use crate::oci::tar_members::{FormatError, Members, RawMember};
use crate::oci::tree::Kind;
use crate::reason::reason;

/// A layer that can't be listed.
#[derive(Debug, thiserror::Error)]
pub enum LayerListingError {
    /// The blob can't be read to its end, or not be decompressed.
    #[error("it can't be read: {}", reason(.0))]
    Read(#[source] io::Error),
    /// The plain tar can't be put aside.
    #[error("it can't be unpacked to disk: {}", reason(.0))]
    Spool(#[source] io::Error),
    /// It is another layer than the config says.
    #[error("uncompressed its digest is {found}, but the config says {expected}")]
    OtherContent {
        /// What it has.
        found: Digest,
        /// What the image's config says.
        expected: Digest,
    },
    /// It is no tar.
    #[error("it is no layer: {0}")]
    Format(#[from] FormatError),
    /// A member that leads out of the image.
    #[error("the name of one of its members is unsafe: {0}")]
    Name(#[from] LayerPathError),
}

impl LayerListingError {
    /// Whether disk or network may be to blame.
    pub fn is_environment(&self) -> bool {
        matches!(self, LayerListingError::Read(_) | LayerListingError::Spool(_))
    }
}

/// What a layer's blob holds. Reads it to its end; `spool` is an empty file that takes the plain tar.
pub fn list_layer(blob: impl Read, diff_id: DiffId, mut spool: File) -> Result<Listing, LayerListingError> {
    let (_, mut tar) = decompress(blob).map_err(LayerListingError::Read)?;
    let (digest, length) = put_aside(&mut tar, &mut spool)?;
    if digest != diff_id.0 {
        return Err(LayerListingError::OtherContent { found: digest, expected: diff_id.0 });
    }
    let mut entries = Vec::new();
    // Some tools write an empty layer as no bytes at all.
    for member in Members::new(&spool, length).take(if length == 0 { 0 } else { usize::MAX }) {
        entries.extend(listed(member?)?);
    }
    Ok(Listing::of_entries(entries))
}

/// Writes a plain tar to a file; gives its digest and its length in bytes.
pub(super) fn put_aside(tar: &mut dyn Read, spool: &mut File) -> Result<(Digest, u64), LayerListingError> {
    let (mut hasher, mut length) = (Hasher::new(), 0);
    let mut buffer = vec![0; 256 << 10];
    loop {
        let count = match tar.read(&mut buffer) {
            Ok(0) => return Ok((hasher.finish(), length)),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(LayerListingError::Read(error)),
        };
        hasher.update(&buffer[..count]);
        spool.write_all(&buffer[..count]).map_err(LayerListingError::Spool)?;
        length += count as u64;
    }
}

/// `None` for the root itself, and for what no engine extracts.
pub(super) fn listed(member: RawMember) -> Result<Option<Listed>, LayerPathError> {
    let path = LayerPath::new(&member.name)?;
    let Some(kind) = kind(&member).filter(|_| !path.is_root()) else { return Ok(None) };
    let target = match kind {
        Kind::Symlink => member.link,
        Kind::HardLink => LayerPath::new(&member.link)?.as_bytes().to_vec(),
        _ => Vec::new(),
    };
    let mode = if kind == Kind::Symlink { 0o777 } else { member.mode & 0o7777 };
    let size = if kind == Kind::File { member.size } else { 0 };
    Ok(Some(Listed { path, kind, mode, uid: member.uid, gid: member.gid, size, target, implied: false }))
}

/// POSIX.1-2017, pax, "typeflag Field".
fn kind(member: &RawMember) -> Option<Kind> {
    Some(match member.type_flag {
        // Before ustar, a directory was a file whose name ends in a slash.
        b'0' | 0 if member.name.ends_with(b"/") => Kind::Directory,
        b'0' | 0 | b'7' => Kind::File,
        b'1' => Kind::HardLink,
        b'2' => Kind::Symlink,
        b'3' => Kind::CharDevice,
        b'4' => Kind::BlockDevice,
        b'5' => Kind::Directory,
        b'6' => Kind::Fifo,
        _ => return None,
    })
}

/// The file system that layers make, lowest first, as one listing: whiteouts applied, and every parent there, as an
/// engine makes those that no layer holds.
pub fn flatten(layers: &[Listing]) -> Listing {
    let layers: Vec<&Listing> = layers.iter().collect();
    let mut entries: BTreeMap<LayerPath, Listed> =
        overlay(&layers).into_iter().map(|placed| (placed.entry.path.clone(), placed.entry.clone())).collect();
    let paths: Vec<LayerPath> = entries.keys().cloned().collect();
    for path in paths {
        let mut above = path.parent();
        while let Some(parent) = above.filter(|parent| !parent.is_root() && !entries.contains_key(parent)) {
            above = parent.parent();
            entries.insert(parent.clone(), implied(parent));
        }
    }
    Listing::of_entries(entries.into_values())
}

fn implied(path: LayerPath) -> Listed {
    let (kind, mode) = (Kind::Directory, 0o755);
    Listed { path, kind, mode, uid: 0, gid: 0, size: 0, target: Vec::new(), implied: true }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::sample;

    fn list(blob: &[u8], diff_id: Digest) -> Result<Listing, LayerListingError> {
        list_layer(blob, DiffId(diff_id), tempfile::tempfile().unwrap())
    }

    #[test]
    fn a_layer_is_listed_however_it_is_compressed() {
        let tar = sample::tar("etc/a", "hello");
        let expected = "listing 1\nf 644 0 0 5 etc/a\n";
        let zstd = zstd::stream::encode_all(&tar[..], 1).unwrap();
        for blob in [&tar, &sample::gzip(&tar), &zstd] {
            assert_eq!(list(blob, Digest::of(&tar)).unwrap().to_text(), expected);
        }
        assert_eq!(list(b"", Digest::of(b"")).unwrap().entries(), []);
    }

    #[test]
    fn another_content_a_cut_blob_and_what_is_no_tar_are_refused() {
        let tar = sample::tar("a", "hello");
        let gzip = sample::gzip(&tar);
        assert!(matches!(list(&gzip, Digest::of(b"")), Err(LayerListingError::OtherContent { .. })));
        assert!(matches!(list(&gzip[..gzip.len() / 2], Digest::of(&tar)), Err(LayerListingError::Read(_))));
        assert!(matches!(list(&[7; 1024], Digest::of(&[7; 1024])), Err(LayerListingError::Format(_))));
    }

    #[test]
    fn layers_are_laid_over_each_other_and_missing_parents_are_there() {
        let layer = |lines: &str| Listing::parse(&format!("listing 1\n{lines}")).unwrap();
        let lower = layer("d 700 0 0 0 opt\nf 644 0 0 1 opt/gone\nf 644 0 0 1 opt/kept\n");
        let upper = layer("f 644 0 0 2 a/b/c\nf 0 0 0 0 opt/.wh.gone\n");
        let expected =
            "listing 1\nd* 755 0 0 0 a\nd* 755 0 0 0 a/b\nf 644 0 0 2 a/b/c\nd 700 0 0 0 opt\nf 644 0 0 1 opt/kept\n";
        assert_eq!(flatten(&[lower, upper]).to_text(), expected);
    }
}
