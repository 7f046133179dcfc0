//! Where ldconfig(8) looks for libraries, and what it finds there: the directories of `/etc/ld.so.conf`, in order, then those that
//! the loader knows by itself.
//!
//! A tree in, libraries out. Knows nothing of the cache's bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use object::elf::{EM_386, EM_AARCH64, EM_X86_64, Machine};

use super::loader_order::order;
use super::new;
use super::root::Merged;
use crate::image_test::elf::{self, Elf};
use crate::image_test::libc_glob::libc_glob;
use crate::layer_path::LayerPath;
use crate::oci::layer_files::Part;
use crate::oci::tree::{Content, EntryKind, Tree};

/// Links followed on the way to one file, as Linux does.
const MAX_LINKS: usize = 40;

/// A library that programs may ask for.
#[derive(Debug)]
pub struct Library {
    /// By what name.
    pub name: String,
    /// Its directory as the configuration has it, absolute.
    pub directory: String,
    /// Where that is, no link in it.
    pub home: LayerPath,
    /// The file that is it, in the same directory; a link by its name should lead there.
    pub file: String,
    /// Whether `file` is such a link already.
    pub link: bool,
    /// For what machine it is, as the loader writes that (`FLAG_*` of glibc's `ldconfig.h`).
    pub flags: u32,
}

/// All of a root file system; `None` where its loader isn't known here, or would choose among libraries by what the processor
/// can (`glibc-hwcaps`).
pub fn libraries(tree: &Tree, merged: &Merged, architecture: &str) -> Option<Vec<Library>> {
    let root = Root { tree, merged };
    let triplet = triplet(architecture)?;
    let mut folders = root.configured(b"/etc/ld.so.conf", &mut BTreeSet::new());
    folders.extend([format!("/lib/{triplet}"), format!("/usr/lib/{triplet}"), "/lib".into(), "/usr/lib".into()]);
    let homes = folders.into_iter().filter_map(|folder| Some((root.directory(&folder)?, folder)));
    // Of several names of one directory the first counts.
    let mut seen = BTreeSet::new();
    let homes: Vec<(LayerPath, String)> = homes.filter(|(home, _)| seen.insert(home.clone())).collect();
    let chooses = |home: &LayerPath| home.join("glibc-hwcaps").is_ok_and(|path| tree.entries.contains_key(&path));
    if homes.iter().any(|(home, _)| chooses(home)) {
        return None;
    }
    Some(homes.iter().flat_map(|(home, folder)| root.libraries(home, folder)).collect())
}

/// Debian's name for the loader's own directories.
fn triplet(architecture: &str) -> Option<&'static str> {
    Some(match architecture {
        "amd64" => "x86_64-linux-gnu",
        "arm64" => "aarch64-linux-gnu",
        "386" => "i386-linux-gnu",
        _ => return None,
    })
}

fn flags(machine: (Machine, bool)) -> Option<u32> {
    Some(match machine {
        (EM_X86_64, true) => 0x0303,
        (EM_X86_64, false) => 0x0803,
        (EM_AARCH64, true) => 0x0a03,
        (EM_386, false) => 0x0003,
        _ => return None,
    })
}

struct Root<'t> {
    tree: &'t Tree,
    merged: &'t Merged,
}

impl Root<'_> {
    /// The directories that a file of configuration names, as written, and those of the files that it includes. Each
    /// file counts once: of a directory only the first place does.
    fn configured(&self, file: &[u8], read: &mut BTreeSet<LayerPath>) -> Vec<String> {
        let at = self.follow(file).filter(|at| read.insert(at.clone()));
        let bytes = at.and_then(|at| new::read(self.tree, &at.to_string())).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
        let mut folders = Vec::new();
        for line in lines {
            match line.strip_prefix("include").filter(|rest| rest.starts_with([' ', '\t'])) {
                Some(globs) => {
                    let files = globs.split_whitespace().flat_map(|glob| self.matching(glob, file));
                    folders.extend(files.flat_map(|file| self.configured(file.as_bytes(), read)));
                }
                None if line.starts_with('/') => folders.push(line.trim_end_matches('/').to_owned()),
                None => {}
            }
        }
        folders
    }

    /// The paths that a glob names, in order; a relative one begins at the folder of the file that has it.
    fn matching(&self, glob: &str, file: &[u8]) -> Vec<LayerPath> {
        let file = String::from_utf8_lossy(file);
        let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
        let glob = if glob.starts_with('/') { glob.to_owned() } else { format!("/{folder}/{glob}").replace("//", "/") };
        let Some(glob) = libc_glob(&glob) else { return Vec::new() };
        let shown = self.tree.entries.keys().filter(|path| !path.file_name().starts_with(b"."));
        shown.filter(|path| glob.is_match(path.to_string())).cloned().collect()
    }

    fn directory(&self, folder: &str) -> Option<LayerPath> {
        let home = self.follow(folder.as_bytes())?;
        matches!(self.tree.entries.get(&home)?.kind, EntryKind::Directory).then_some(home)
    }

    /// What stands at a path of the root, no link in it.
    fn follow(&self, path: &[u8]) -> Option<LayerPath> {
        let parts = |path: &[u8]| path.split(|byte| *byte == b'/').rev().map(<[u8]>::to_vec).collect::<Vec<_>>();
        let (mut here, mut left, mut links) = (LayerPath::default(), parts(path), 0);
        while let Some(part) = left.pop() {
            if part.is_empty() || part == b"." {
                continue;
            }
            if part == b".." {
                here = here.parent().unwrap_or_default();
                continue;
            }
            let next = self.merged.place(&here.join(&part).ok()?);
            match &self.tree.entries.get(&next)?.kind {
                EntryKind::Symlink(_) if links == MAX_LINKS => return None,
                EntryKind::Symlink(target) => {
                    links += 1;
                    here = if target.starts_with(b"/") { LayerPath::default() } else { here };
                    left.extend(parts(target));
                }
                EntryKind::HardLink(file) => here = file.clone(),
                _ => here = next,
            }
        }
        Some(here)
    }

    /// Those of one directory, each name once.
    fn libraries(&self, home: &LayerPath, directory: &str) -> Vec<Library> {
        let mut found: BTreeMap<String, Library> = BTreeMap::new();
        for name in self.names(home) {
            let Some(library) = self.library(home, directory, name) else { continue };
            if found.get(&library.name).is_none_or(|old| library.is_before(old)) {
                found.insert(library.name.clone(), library);
            }
        }
        found.into_values().collect()
    }

    /// The names in a directory that look like libraries'.
    fn names(&self, home: &LayerPath) -> impl Iterator<Item = &str> {
        let names = self.tree.entries.keys().filter_map(|path| {
            let name = path.as_bytes().strip_prefix(home.as_bytes())?.strip_prefix(b"/")?;
            std::str::from_utf8(name).ok().filter(|name| !name.contains('/') && name.contains(".so"))
        });
        names.filter(|name| ["lib", "ld-", "ld.so.", "ld64.so."].iter().any(|start| name.starts_with(start)))
    }

    fn library(&self, home: &LayerPath, directory: &str, file: &str) -> Option<Library> {
        let path = home.join(file).ok()?;
        let is_link = matches!(self.tree.entries.get(&path)?.kind, EntryKind::Symlink(_));
        let EntryKind::File(content) = &self.tree.entries.get(&self.follow(path.as_bytes())?)?.kind else {
            return None;
        };
        let elf = read(content).filter(|elf| elf.shared)?;
        let flags = flags(elf.machine)?;
        let soname = elf.soname.filter(|name| !name.is_empty()).unwrap_or_else(|| file.to_owned());
        // `libx.so.1`, and `libx.so` for those who link: any other link is as good as a file.
        let link = is_link && (soname == file || file.ends_with(".so") && soname.starts_with(file));
        let name = if link { file.to_owned() } else { soname };
        Some(Library { name, directory: directory.to_owned(), home: home.clone(), file: file.to_owned(), link, flags })
    }
}

impl Library {
    /// Whether it is the one of two with one name: a file before a link, then the newer.
    fn is_before(&self, old: &Library) -> bool {
        (!self.link && old.link) || (self.link == old.link && order(&old.file, &self.file).is_lt())
    }
}

fn read(content: &Content) -> Option<Elf> {
    let part = |path: &Path, offset, size| Some(Part::new(Arc::new(File::open(path).ok()?), offset, size));
    match content {
        Content::Bytes(bytes) => elf::parse(&bytes[..]),
        Content::File { path, size, .. } => elf::read(part(path, 0, *size)?),
        Content::Range { path, offset, size } => elf::read(part(path, *offset, *size)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_those_of_the_configuration_in_its_order() {
        let mut tree = Tree::default();
        for (path, text) in [
            ("etc/ld.so.conf", "/opt/first/ # c\ninclude ld.so.conf.d/*.conf\n  /opt/last"),
            ("etc/ld.so.conf.d/b.conf", "/opt/b\nhwcap 1 x\n"),
            ("etc/ld.so.conf.d/a.conf", "/opt/a\ninclude /etc/ld.so.conf\n"),
            ("etc/ld.so.conf.d/.c.conf", "/opt/c\n"),
            ("etc/ld.so.conf.d/d.txt", "/opt/d\n"),
        ] {
            new::file(&mut tree, path, 0o644, text, 0);
        }
        let merged = Merged::new(true);
        let folders = Root { tree: &tree, merged: &merged }.configured(b"/etc/ld.so.conf", &mut BTreeSet::new());
        assert_eq!(folders, ["/opt/first", "/opt/a", "/opt/b", "/opt/last"]);
    }

    #[test]
    fn links_are_followed_within_the_root_and_circles_lead_nowhere() {
        let mut tree = Tree::default();
        new::file(&mut tree, "usr/lib/x/liba.so.1", 0o644, "", 0);
        for (path, target) in [("opt/abs", "/lib/x"), ("opt/up", "../../../usr/lib/x"), ("opt/self", "self")] {
            new::link(&mut tree, path, target, 0);
        }
        let merged = Merged::new(true);
        let follow =
            |path: &str| Root { tree: &tree, merged: &merged }.follow(path.as_bytes()).map(|at| at.to_string());
        for path in ["/opt/abs/liba.so.1", "/opt/up//liba.so.1", "/lib/x/../x/liba.so.1"] {
            assert_eq!(follow(path).as_deref(), Some("/usr/lib/x/liba.so.1"), "{path}");
        }
        assert_eq!((follow("/opt/self"), follow("/opt/none")), (None, None));
    }
}
