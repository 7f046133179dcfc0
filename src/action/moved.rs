//! An action of another workspace: its files by their paths from the root of the one that is built.
//!
//! Paths say where to read and what to call a file; no key has any, so that none changes.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use super::{Archive, FileEntry, FileKind, Operation, RunAction, RunInput, SecretSource};
use crate::layer_path::LayerPath;

impl Operation {
    /// The same with paths that are relative to `folder` made relative to what that is relative to.
    #[must_use]
    pub fn moved_into(mut self, folder: &Utf8Path) -> Operation {
        match &mut self {
            Operation::Files(layer) => entries(&mut layer.entries, folder),
            Operation::Tar(layer) => {
                if let Archive::Source(source) = &mut layer.archive {
                    path(&mut source.path, folder);
                }
            }
            Operation::Run(run) => step(run, folder),
            Operation::Exec(exec) => step(&mut exec.step, folder),
            Operation::Cargo(cargo) => {
                step(&mut cargo.step, folder);
                path(&mut cargo.folder, folder);
            }
            Operation::Fetch(_)
            | Operation::Image(_)
            | Operation::Pull(_)
            | Operation::Index(_)
            | Operation::Debs(_)
            | Operation::ImageTest(_)
            | Operation::Local(_) => {}
        }
        self
    }
}

fn path(path: &mut Utf8PathBuf, folder: &Utf8Path) {
    *path = folder.join(&*path);
}

fn entries(entries: &mut BTreeMap<LayerPath, FileEntry>, folder: &Utf8Path) {
    for entry in entries.values_mut() {
        if let FileKind::Source(source) = &mut entry.kind {
            path(&mut source.path, folder);
        }
    }
}

fn step(run: &mut RunAction, folder: &Utf8Path) {
    for input in run.inputs.values_mut() {
        if let RunInput::Files(files) = input {
            entries(files, folder);
        }
    }
    for secret in run.secrets.values_mut() {
        if let SecretSource::File(file) = &mut secret.source
            && !file.starts_with("~/")
        {
            *file = folder.join(&*file).into_string();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::{FilesLayer, Owner, SourceFile};
    use crate::digest::Digest;

    #[test]
    fn files_are_found_from_the_other_root() {
        let source = SourceFile { path: "p/a".into(), digest: Digest::of(b""), size: 0, stamp: None };
        let entry = FileEntry { mode: 0o644, owner: Owner::default(), kind: FileKind::Source(source) };
        let entries = [(LayerPath::new("/a").unwrap(), entry)].into();
        let layer = FilesLayer { entries, compression: Default::default(), mtime: 0 };
        let Operation::Files(layer) = Operation::Files(layer).moved_into("../low".into()) else { panic!("no files") };
        let paths = layer.entries.into_values().map(|entry| entry.kind);
        let found = paths.map(|kind| matches!(kind, FileKind::Source(source) if source.path == "../low/p/a"));
        assert_eq!(found.collect::<Vec<_>>(), [true]);
    }
}
