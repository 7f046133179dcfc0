//! Runs `files`: the action's entries as a tree, its sources read from the workspace.

use super::{Workshop, layer};
use crate::action::record::Output;
use crate::action::{FileEntry, FileKind, FilesLayer};
use crate::build::error::BuildError;
use crate::label::Label;
use crate::oci::tree::{Content, Entry, EntryKind, Tree};

/// Makes the layer.
pub fn run(label: &Label, action: &FilesLayer, shop: &Workshop<'_>) -> Result<Output, BuildError> {
    let entries = action.entries.iter().map(|(path, entry)| (path.clone(), lay(entry, action.mtime, shop)));
    layer::make(label, &Tree { entries: entries.collect() }, &action.compression, shop)
}

fn lay(entry: &FileEntry, mtime: u64, shop: &Workshop<'_>) -> Entry {
    let kind = match &entry.kind {
        FileKind::Source(source) => EntryKind::File(Content::File {
            path: shop.sources.at(&source.path).into(),
            size: source.size,
            digest: source.digest,
            stamp: source.stamp,
        }),
        FileKind::Literal(bytes) => EntryKind::File(Content::Bytes(bytes.clone())),
        FileKind::Symlink(target) => EntryKind::Symlink(target.clone().into_bytes()),
        FileKind::Directory { .. } => EntryKind::Directory,
    };
    Entry {
        mode: entry.mode,
        uid: entry.owner.uid,
        gid: entry.owner.gid,
        mtime,
        xattrs: Default::default(),
        implied: matches!(entry.kind, FileKind::Directory { implied: true }),
        kind,
    }
}
