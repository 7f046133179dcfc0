//! The crates of the tree that one crate reaches, and the root of the workspace that they are in.
//!
//! Reads manifests through [`Texts`]; every path is relative to the tree's own root, and none leads out of it.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

use super::lock::Lock;
use super::manifest::{Manifest, PathDependency};

/// Texts of the tree.
pub trait Texts {
    /// The text at a path; `None` where nothing is there, an error as a phrase that names the path.
    fn text(&self, path: &Utf8Path) -> Result<Option<String>, String>;
}

/// Crates, by folder.
#[derive(Debug, Clone)]
pub struct Crates {
    /// The folder of the crate that was asked for.
    pub folder: Utf8PathBuf,
    /// The folder of its workspace's root, which may be its own.
    pub root: Utf8PathBuf,
    /// The root's manifest.
    pub root_manifest: Manifest,
    /// The manifests of the crate and of all that it reaches.
    pub members: BTreeMap<Utf8PathBuf, Manifest>,
    /// The part of the lock file that they reach.
    pub lock: Lock,
}

/// What is wrong, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// A sentence.
    pub message: String,
    /// What to do.
    pub help: String,
}

fn mistake(message: impl Into<String>, help: impl Into<String>) -> Mistake {
    Mistake { message: message.into(), help: help.into() }
}

/// A path without `.` and `..`; `None` where it leads out of the tree.
pub fn within(path: &Utf8Path) -> Option<Utf8PathBuf> {
    let mut whole = Utf8PathBuf::new();
    for part in path.components() {
        match part {
            Utf8Component::CurDir => {}
            Utf8Component::ParentDir => whole.pop().then_some(())?,
            Utf8Component::Normal(name) => whole.push(name),
            Utf8Component::RootDir | Utf8Component::Prefix(_) => return None,
        }
    }
    Some(whole)
}

impl Crates {
    /// The crates that the one in a folder reaches.
    pub fn find(folder: &Utf8Path, texts: &dyn Texts) -> Result<Crates, Mistake> {
        let search = Search { texts };
        let manifest = search.needed(folder)?;
        if manifest.name().is_none() {
            let members = manifest.workspace_list("members").join(", ");
            let help = format!("name the manifest of one of its members: {members}");
            return Err(mistake(format!("{} declares no package", folder.join("Cargo.toml")), help));
        }
        let (root, root_manifest) = search.root(folder, &manifest)?;
        let mut members = BTreeMap::new();
        search.follow(vec![folder.to_owned()], (&root, &root_manifest), &mut members)?;
        let whole = search.lock(&root)?;
        let mut lock = search.part(&whole, &root, &members)?;
        let patched = search.patched((&root, &root_manifest), &lock)?;
        if patched.iter().any(|folder| !members.contains_key(folder)) {
            search.follow(patched, (&root, &root_manifest), &mut members)?;
            lock = search.part(&whole, &root, &members)?;
        }
        Ok(Crates { folder: folder.to_owned(), root, root_manifest, members, lock })
    }

    /// The manifest of the crate that was asked for.
    pub fn manifest(&self) -> &Manifest {
        &self.members[&self.folder]
    }

    /// The names of all crates.
    pub fn names(&self) -> BTreeSet<String> {
        names(&self.members)
    }

    /// The folder that holds the root and every crate.
    pub fn top(&self) -> Utf8PathBuf {
        let mut top = self.root.clone();
        while self.members.keys().any(|folder| !folder.starts_with(&top)) && top.pop() {}
        top
    }

    /// Whether the root takes a crate as its member, below it and not excluded.
    pub fn is_member(&self, folder: &Utf8Path) -> bool {
        let Ok(below) = folder.strip_prefix(&self.root) else { return false };
        let excluded = self.root_manifest.workspace_list("exclude");
        !excluded.iter().any(|path| within(Utf8Path::new(path)).is_some_and(|path| below.starts_with(path)))
    }
}

fn names(members: &BTreeMap<Utf8PathBuf, Manifest>) -> BTreeSet<String> {
    members.values().filter_map(|manifest| Some(manifest.name()?.to_owned())).collect()
}

struct Search<'a> {
    texts: &'a dyn Texts,
}

impl Search<'_> {
    fn manifest(&self, folder: &Utf8Path) -> Result<Option<Manifest>, Mistake> {
        let path = folder.join("Cargo.toml");
        let text = self.texts.text(&path).map_err(|why| mistake(why, "look at the file"))?;
        let parsed = text.map(|text| Manifest::parse(&text)).transpose();
        parsed.map_err(|why| mistake(format!("{path} can't be read: {why}"), "cargo would not take it either"))
    }

    fn needed(&self, folder: &Utf8Path) -> Result<Manifest, Mistake> {
        let gone = || mistake(format!("there is no {}", folder.join("Cargo.toml")), "name a crate's Cargo.toml");
        self.manifest(folder)?.ok_or_else(gone)
    }

    /// The root that a crate says, or the nearest folder above with a `[workspace]` that doesn't exclude it; else its own.
    fn root(&self, folder: &Utf8Path, manifest: &Manifest) -> Result<(Utf8PathBuf, Manifest), Mistake> {
        if let Some(said) = manifest.says_root() {
            let root = within(&folder.join(said)).ok_or_else(|| outside(folder, said))?;
            return Ok((root.clone(), self.needed(&root)?));
        }
        let mut at = folder.to_owned();
        loop {
            if let Some(found) = self.manifest(&at)?.filter(|found| found.workspace().is_some()) {
                let below = folder.strip_prefix(&at).unwrap_or(folder);
                let excluded = found.workspace_list("exclude");
                if at == folder || !excluded.iter().any(|path| below.starts_with(path.trim_end_matches('/'))) {
                    return Ok((at, found));
                }
            }
            if !at.pop() {
                return Ok((folder.to_owned(), manifest.clone()));
            }
        }
    }

    /// Adds crates and all that they reach by path.
    fn follow(
        &self,
        mut open: Vec<Utf8PathBuf>,
        (root, root_manifest): (&Utf8Path, &Manifest),
        members: &mut BTreeMap<Utf8PathBuf, Manifest>,
    ) -> Result<(), Mistake> {
        while let Some(folder) = open.pop() {
            if members.contains_key(&folder) {
                continue;
            }
            let manifest = self.needed(&folder)?;
            if !folder.starts_with(root) && manifest.inherits() {
                let message = format!("{folder} takes settings from another cargo workspace than {root}/Cargo.toml");
                return Err(mistake(message, "write them out there, or make it a member"));
            }
            for needed in manifest.path_dependencies() {
                let (from, path) = match &needed {
                    PathDependency::Here(path) => (&*folder, Some(path.as_str())),
                    PathDependency::OfWorkspace(name) => (root, root_manifest.workspace_path(name)),
                };
                let Some(path) = path else { continue };
                open.push(within(&from.join(path)).ok_or_else(|| outside(&folder, path))?);
            }
            members.insert(folder, manifest);
        }
        Ok(())
    }

    fn lock(&self, root: &Utf8Path) -> Result<Lock, Mistake> {
        let path = root.join("Cargo.lock");
        let text = self.texts.text(&path).map_err(|why| mistake(why, "look at the file"))?;
        let shown = if root.as_str().is_empty() { Utf8Path::new(".") } else { root };
        let help = format!("run `cargo generate-lockfile` in {shown}, and keep the file in version control");
        let text = text.ok_or_else(|| mistake(format!("there is no {path}"), help))?;
        Lock::parse(&text).map_err(|why| mistake(format!("{path} can't be read: {why}"), "let cargo write it anew"))
    }

    fn part(&self, whole: &Lock, root: &Utf8Path, members: &BTreeMap<Utf8PathBuf, Manifest>) -> Result<Lock, Mistake> {
        whole.part_of(&names(members)).map_err(|name| {
            let path = root.join("Cargo.lock");
            mistake(format!("{path} is stale: it lacks the package `{name}`"), stale_help())
        })
    }

    /// The folders of `[patch]` that crates come from after all.
    fn patched(&self, (root, manifest): (&Utf8Path, &Manifest), lock: &Lock) -> Result<Vec<Utf8PathBuf>, Mistake> {
        let tables = manifest.0.get("patch").and_then(toml::Value::as_table);
        let entries = tables.into_iter().flat_map(|table| table.values()).filter_map(toml::Value::as_table).flatten();
        let mut folders = Vec::new();
        for (name, value) in entries {
            let name = value.get("package").and_then(toml::Value::as_str).unwrap_or(name);
            let Some(path) = value.get("path").and_then(toml::Value::as_str) else { continue };
            if lock.packages().iter().any(|package| package.name == name && package.source.is_none()) {
                folders.push(within(&root.join(path)).ok_or_else(|| outside(root, path))?);
            }
        }
        Ok(folders)
    }
}

/// What mends a stale lock file.
pub fn stale_help() -> &'static str {
    "run `cargo update --workspace` there, which changes no more than it must"
}

fn outside(folder: &Utf8Path, path: &str) -> Mistake {
    let message = format!("{} names `{path}`, which lies outside of the workspace", folder.join("Cargo.toml"));
    mistake(message, "only what is below the workspace's root can be seen")
}

#[cfg(test)]
pub mod testing {
    //! A tree of texts in memory.

    use super::*;

    /// Texts by path.
    pub struct InMemory<'a>(pub &'a [(&'a str, &'a str)]);

    impl Texts for InMemory<'_> {
        fn text(&self, path: &Utf8Path) -> Result<Option<String>, String> {
            Ok(self.0.iter().find(|(name, _)| *name == path).map(|(_, text)| (*text).to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::InMemory;
    use super::*;

    fn folders(tree: &[(&str, &str)], folder: &str) -> Result<(String, Vec<String>), String> {
        let found = Crates::find(Utf8Path::new(folder), &InMemory(tree)).map_err(|mistake| mistake.message)?;
        Ok((found.root.into_string(), found.members.into_keys().map(Utf8PathBuf::into_string).collect()))
    }

    const LOCK: &str = "version = 4\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\ndependencies = [\"b\", \"p\"]\n\
                        [[package]]\nname = \"b\"\nversion = \"1.0.0\"\n[[package]]\nname = \"p\"\nversion = \"1.0.0\"\n";

    #[test]
    fn a_workspace_is_followed_along_paths_and_patches() {
        let root = "[workspace]\nmembers = [\"a\", \"b\", \"c\"]\n[workspace.dependencies]\nb = { path = \"b\" }\n\
                    [patch.crates-io]\np = { path = \"vendor/p\" }\nunused = { path = \"none\" }\n";
        let tree = [
            ("r/Cargo.toml", root),
            ("r/Cargo.lock", LOCK),
            ("r/a/Cargo.toml", "[package]\nname = \"a\"\n[dependencies]\nb.workspace = true\np = \"1\"\n"),
            ("r/b/Cargo.toml", "[package]\nname = \"b\"\n"),
            ("r/c/Cargo.toml", "[package]\nname = \"c\"\n"),
            ("r/vendor/p/Cargo.toml", "[package]\nname = \"p\"\n"),
        ];
        let (root, members) = folders(&tree, "r/a").unwrap();
        assert_eq!((&*root, members), ("r", ["r/a", "r/b", "r/vendor/p"].map(String::from).to_vec()));
        assert_eq!(folders(&tree, "r/c"), Err("r/Cargo.lock is stale: it lacks the package `c`".into()));
        assert_eq!(folders(&tree, "r"), Err("r/Cargo.toml declares no package".into()));
        assert_eq!(folders(&tree, "r/d"), Err("there is no r/d/Cargo.toml".into()));
    }

    #[test]
    fn a_crate_that_nobody_holds_is_its_own_root() {
        let lock = "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n";
        let own = [
            ("Cargo.toml", "[workspace]\nexclude = [\"x\"]\n"),
            ("x/a/Cargo.toml", "[package]\nname = \"a\"\n"),
            ("x/a/Cargo.lock", lock),
        ];
        assert_eq!(folders(&own, "x/a").unwrap(), ("x/a".into(), vec!["x/a".into()]));
        assert_eq!(folders(&own[..2], "x/a"), Err("there is no x/a/Cargo.lock".into()));
    }

    #[test]
    fn no_path_leads_out_of_the_tree() {
        let text = "[package]\nname = \"a\"\n[dependencies]\nz = { path = \"../../z\" }\n";
        let wrong = folders(&[("a/Cargo.toml", text)], "a").unwrap_err();
        assert!(wrong.contains("`../../z`, which lies outside"), "{wrong}");
        assert_eq!(within(Utf8Path::new("a/../b/./c")), Some("b/c".into()));
        assert_eq!(within(Utf8Path::new("../b")), None);
    }
}
