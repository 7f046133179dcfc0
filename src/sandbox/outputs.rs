//! What a command left at declared places, as a [`Tree`]: owner 0:0, mode 0755 or 0644 by the executable bit, one time.
//!
//! Contents stay where they are. A link is taken as a link; one on the way to an output must stay within the root. Knows
//! nothing of tar, and not who ran the command.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::task::Place;
use crate::layer_path::LayerPath;
use crate::oci::tree::{Content, Entry, EntryKind, Tree};

/// The tree of what stands at some places below `root`; or all that is wrong with it, a sentence each.
pub fn outputs(root: &Path, places: &[Place], mtime: u64) -> Result<Tree, Vec<String>> {
    let mut walk = Walk { mtime, tree: Tree::default(), wrong: Vec::new() };
    for place in places {
        match found(root, place) {
            Ok((at, meta)) if place.to.is_root() && !meta.is_dir() => {
                walk.wrong
                    .push(format!("the output {} is no directory, so it can't be `/` of the layer", at.display()));
            }
            Ok((at, meta)) => walk.one(&at, &meta, &place.to),
            Err(wrong) => walk.wrong.push(wrong),
        }
    }
    if walk.wrong.is_empty() { Ok(walk.tree) } else { Err(walk.wrong) }
}

/// Where an output is, links on the way followed.
fn found(root: &Path, Place { from, .. }: &Place) -> Result<(PathBuf, Metadata), String> {
    let gone = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => format!("the output {from} is not there: the command ended well without making it"),
        _ => format!("the output {from} can't be read: {error}"),
    };
    let real_root = root.canonicalize().map_err(gone)?;
    let name = |path: &LayerPath| Path::new(std::ffi::OsStr::from_bytes(path.as_bytes())).to_owned();
    let folder = root.join(name(&from.parent().unwrap_or_default())).canonicalize().map_err(gone)?;
    if !folder.starts_with(&real_root) {
        return Err(format!("the output {from} leads out of its folder through a symbolic link"));
    }
    let at = folder.join(std::ffi::OsStr::from_bytes(from.file_name()));
    let meta = fs::symlink_metadata(&at).map_err(gone)?;
    Ok((at, meta))
}

struct Walk {
    mtime: u64,
    tree: Tree,
    wrong: Vec<String>,
}

impl Walk {
    fn one(&mut self, at: &Path, meta: &Metadata, to: &LayerPath) {
        let kind = meta.file_type();
        if kind.is_dir() {
            return self.directory(at, to);
        }
        let kind = match () {
            () if kind.is_file() => EntryKind::File(Content::Range { path: at.into(), offset: 0, size: meta.len() }),
            () if kind.is_symlink() => match fs::read_link(at) {
                Ok(target) => EntryKind::Symlink(target.as_os_str().as_bytes().into()),
                Err(error) => return self.wrong.push(format!("cannot read {}: {error}", at.display())),
            },
            () => {
                let what = "is neither a file nor a directory nor a link, so no layer is made of it";
                return self.wrong.push(format!("{} {what}", at.display()));
            }
        };
        let mode = match kind {
            EntryKind::Symlink(_) => 0o777,
            _ if meta.mode() & 0o111 != 0 => 0o755,
            _ => 0o644,
        };
        self.put(to, mode, kind);
    }

    fn directory(&mut self, at: &Path, to: &LayerPath) {
        if !to.is_root() {
            self.put(to, 0o755, EntryKind::Directory);
        }
        let entries = fs::read_dir(at).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let entries = entries.unwrap_or_else(|error| {
            self.wrong.push(format!("cannot read {}: {error}", at.display()));
            Vec::new()
        });
        for entry in entries {
            match (entry.metadata(), to.join(entry.file_name().as_bytes())) {
                (Ok(meta), Ok(to)) => self.one(&entry.path(), &meta, &to),
                (Err(error), _) => self.wrong.push(format!("cannot read {}: {error}", entry.path().display())),
                (_, Err(error)) => self.wrong.push(error.to_string()),
            }
        }
    }

    fn put(&mut self, to: &LayerPath, mode: u32, kind: EntryKind) {
        if let Err(error) = self.tree.imply_parents(to, self.mtime) {
            return self.wrong.push(format!("two outputs give {to}: {error}"));
        }
        let is_directory = kind == EntryKind::Directory;
        let entry = Entry { mode, uid: 0, gid: 0, mtime: self.mtime, xattrs: BTreeMap::new(), kind, implied: false };
        let before = self.tree.entries.insert(to.clone(), entry);
        if before.is_some_and(|before| !is_directory || before.kind != EntryKind::Directory) {
            self.wrong.push(format!("two outputs give {to}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn made(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        root
    }

    fn taken(root: &Path, places: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let path = |text: &str| LayerPath::new(text).unwrap();
        let places: Vec<Place> = places.iter().map(|(to, from)| Place { from: path(from), to: path(to) }).collect();
        let tree = outputs(root, &places, 7).map_err(|wrong| wrong.join("\n"))?;
        let shown = |(path, entry): (&LayerPath, &Entry)| format!("{path} {:o} {:?}", entry.mode, entry.kind.kind());
        Ok(tree.entries.iter().map(shown).collect())
    }

    #[test]
    fn files_and_directories_are_taken_without_owner_mode_or_time() {
        let root = made(&["out/tool", "out/share/doc"]);
        let set = |name: &str, mode| fs::set_permissions(root.path().join(name), fs::Permissions::from_mode(mode));
        set("out/tool", 0o4751).and_then(|()| set("out/share", 0o700)).unwrap();
        symlink("tool", root.path().join("out/link")).unwrap();
        let listed = taken(root.path(), &[("/usr/bin/tool", "/out/tool"), ("/usr", "/out/share")]).unwrap();
        let expected = ["/usr 755 Directory", "/usr/bin 755 Directory", "/usr/bin/tool 755 File", "/usr/doc 644 File"];
        assert_eq!(listed, expected);
        assert_eq!(taken(root.path(), &[("/", "/out")]).unwrap().len(), 4);
        assert_eq!(taken(root.path(), &[("/l", "/out/link")]).unwrap(), ["/l 777 Symlink"]);
    }

    #[test]
    fn what_is_missing_collides_or_leads_out_is_told() {
        let root = made(&["in/a", "in/d/a"]);
        symlink("/usr", root.path().join("in/out")).unwrap();
        let wrong = taken(
            root.path(),
            &[("/x", "/in/none"), ("/y", "/in/out/bin"), ("/", "/in/a"), ("/a", "/in/a"), ("/a", "/in/d/a")],
        );
        let wrong = wrong.unwrap_err();
        for part in ["/in/none is not there", "/in/out/bin leads out", "is no directory", "two outputs give /a"] {
            assert!(wrong.contains(part), "{part}: {wrong}");
        }
    }
}
