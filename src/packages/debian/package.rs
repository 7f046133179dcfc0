//! One stanza of a `Packages` index, as far as resolving and locking need it.
//!
//! Borrowed from the index. Relations are read when they are asked for: of sixty thousand packages a hundred are.

use super::control::Paragraph;
use super::relation::{self, Relation};
use crate::digest::Digest;

/// A binary package of an archive.
#[derive(Debug, Clone, Copy)]
pub struct Package<'t> {
    /// Its name.
    pub name: &'t str,
    /// Its version.
    pub version: &'t str,
    /// Its architecture, or `all`.
    pub architecture: &'t str,
    /// `Multi-Arch`: `same`, `foreign`, `allowed`; `no` where it isn't written.
    pub multi_arch: &'t str,
    /// Whether every system has it.
    pub essential: bool,
    /// 0 for `required` to 4 for `extra`.
    pub priority: u8,
    /// The source that it is from, as the caller counts them.
    pub source: usize,
    depends: &'t str,
    pre_depends: &'t str,
    recommends: &'t str,
    conflicts: &'t str,
    breaks: &'t str,
    provides: &'t str,
    filename: &'t str,
    sha256: &'t str,
    size: &'t str,
}

/// Where a package's file is, and what it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File<'t> {
    /// The path below the archive's address.
    pub path: &'t str,
    /// Of its bytes.
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
}

impl<'t> Package<'t> {
    /// Reads a stanza; `None` for one without name, version or architecture.
    pub fn read(paragraph: Paragraph<'t>, source: usize) -> Option<Package<'t>> {
        let mut package = Package {
            name: "",
            version: "",
            architecture: "",
            multi_arch: "no",
            essential: false,
            priority: 3,
            source,
            depends: "",
            pre_depends: "",
            recommends: "",
            conflicts: "",
            breaks: "",
            provides: "",
            filename: "",
            sha256: "",
            size: "",
        };
        paragraph.fields().for_each(|(name, value)| package.set(name, value));
        let whole = ![package.name, package.version, package.architecture].contains(&"");
        whole.then_some(package)
    }

    fn set(&mut self, name: &str, value: &'t str) {
        match name {
            "Package" => self.name = value,
            "Version" => self.version = value,
            "Architecture" => self.architecture = value,
            "Multi-Arch" => self.multi_arch = value,
            "Essential" => self.essential = value == "yes",
            "Priority" => self.priority = priority(value),
            "Depends" => self.depends = value,
            "Pre-Depends" => self.pre_depends = value,
            "Recommends" => self.recommends = value,
            "Conflicts" => self.conflicts = value,
            "Breaks" => self.breaks = value,
            "Provides" => self.provides = value,
            "Filename" => self.filename = value,
            "SHA256" => self.sha256 = value,
            "Size" => self.size = value,
            _ => {}
        }
    }

    /// What has to be there with it, `Pre-Depends` first.
    pub fn needs(&self) -> Vec<Vec<Relation<'t>>> {
        [relation::groups(self.pre_depends), relation::groups(self.depends)].concat()
    }

    /// What is meant to be there with it.
    pub fn recommends(&self) -> Vec<Vec<Relation<'t>>> {
        relation::groups(self.recommends)
    }

    /// What can't be there with it: `Conflicts` and `Breaks`.
    pub fn excludes(&self) -> impl Iterator<Item = Relation<'t>> + use<'t> {
        relation::list(self.conflicts).chain(relation::list(self.breaks))
    }

    /// The virtual packages that it stands for.
    pub fn provides(&self) -> impl Iterator<Item = Relation<'t>> + use<'t> {
        relation::list(self.provides)
    }

    /// Its file; `None` where the index doesn't say enough of it.
    pub fn file(&self) -> Option<File<'t>> {
        Some(File { path: self.filename, digest: Digest::from_hex(self.sha256)?, size: self.size.parse().ok()? })
            .filter(|file| is_plain(file.path))
    }
}

/// A path that can be written behind an address and stays below it.
pub fn is_plain(path: &str) -> bool {
    !path.is_empty()
        && path.split('/').all(|part| !["", ".", ".."].contains(&part))
        && path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\\\"".contains(&byte))
}

fn priority(value: &str) -> u8 {
    let names = ["required", "important", "standard", "optional", "extra"];
    names.iter().position(|name| *name == value).unwrap_or(3) as u8
}

#[cfg(test)]
mod tests {
    use super::super::control::paragraphs;
    use super::*;

    #[test]
    fn a_stanza_is_read() {
        let sha256 = "0".repeat(64);
        let text = format!(
            "Package: a\nVersion: 1\nArchitecture: all\nEssential: yes\nPriority: required\nPre-Depends: b\nDepends: c | d\n\
             Conflicts: e\nBreaks: f\nProvides: g (= 2)\nFilename: pool/a.deb\nSHA256: {sha256}\nSize: 7\n"
        );
        let package = Package::read(paragraphs(&text).next().unwrap(), 0).unwrap();
        assert_eq!((package.name, package.essential, package.priority, package.multi_arch), ("a", true, 0, "no"));
        assert_eq!(package.needs().iter().map(|group| relation::shown(group)).collect::<Vec<_>>(), ["b", "c | d"]);
        assert_eq!(package.excludes().map(|relation| relation.name).collect::<Vec<_>>(), ["e", "f"]);
        assert_eq!(package.file().unwrap().size, 7);
        let escaping = text.replace("pool/a.deb", "pool/../../a.deb");
        assert_eq!(Package::read(paragraphs(&escaping).next().unwrap(), 0).unwrap().file(), None);
        assert!(Package::read(Paragraph { text: "Package: a\nVersion: 1\n" }, 0).is_none());
    }
}
