//! Graphs of queries that were asked before, kept packed in the store: while nothing that was looked at has changed, a
//! query is answered without reading a `layers.toml`.
//!
//! Decides which calls can share a graph; what may have changed is `plan::stamps`' matter.

use std::time::SystemTime;

use camino::Utf8PathBuf;

use super::context::Context;
use super::project::Project;
use super::unchanged;
use crate::digest::Digest;
use crate::label::PackagePath;
use crate::plan::stamps;
use crate::store::{Kept, OpenMode, Store};
use crate::workspace::root::find_root;

/// Where the graph of a query is kept.
pub struct Place {
    root: Utf8PathBuf,
    keys: Vec<Digest>,
    began: SystemTime,
}

/// All that there is.
const ALL: &str = "//...";

impl Place {
    /// The place for what a query names. `files`: whether source files are part of it. `None` where graphs must not be
    /// trusted, or there is no workspace.
    pub fn new(words: &[&str], files: bool, cx: &Context) -> Option<Place> {
        let began = SystemTime::now();
        if cx.globals.hash_content {
            return None;
        }
        let root = find_root(cx.directory()).ok()?;
        let here = cx.directory().strip_prefix(&root).ok()?.as_str();
        let with = if files { "with files" } else { "targets" };
        let mut words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        words.sort_unstable();
        words.dedup();
        let relative = !words.iter().all(|word| word.starts_with("//") || word.starts_with('@'));
        let place = if relative { here } else { "" };
        let own = unchanged::key(&["query", with, place], &words, cx)?;
        // Whoever has read everything knows what any label of this workspace means.
        let all = unchanged::key(&["query", with, ""], &[ALL.to_owned()], cx)?;
        let inner = words.iter().all(|word| !word.starts_with('@'));
        let keys = if inner && !relative && own != all { vec![own, all] } else { vec![own] };
        Some(Place { root, keys, began })
    }

    /// The graphs kept, of which any may have been outrun by edits.
    pub fn kept(&self, store: &Store) -> impl Iterator<Item = Kept> {
        let snapshots = store.snapshots(self.root.as_std_path());
        self.keys.iter().filter_map(move |key| snapshots.load(key).ok().flatten())
    }

    /// The packed graph of what was kept, and the package that relative words are taken from; `None` where something has
    /// changed since.
    pub fn graph<'k>(&self, kept: &'k Kept) -> Option<(PackagePath, &'k [u8])> {
        let (length, rest) = stamps::behind(kept, &self.root)?.split_first_chunk::<4>()?;
        let (here, packed) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        Some((PackagePath::new(std::str::from_utf8(here).ok()?)?, packed))
    }

    /// Keeps a graph, where all that it rests on is old enough to be trusted. That it can't be kept is no mistake.
    pub fn keep(&self, packed: &[u8], project: Project, store: &Store) {
        let here = project.here.as_str().to_owned();
        if let Some(mut bytes) = stamps::take(&self.root, &project.observed.into_paths(), self.began) {
            bytes.extend((here.len() as u32).to_le_bytes());
            bytes.extend(here.as_bytes());
            bytes.extend(packed);
            let _ = store.snapshots(self.root.as_std_path()).save(&self.keys[0], &bytes);
        }
    }
}

/// The store, where it can be had at once: a query does not need one.
pub fn store(cx: &Context) -> Option<Store> {
    Store::open(cx.globals.cache_dir.as_std_path(), OpenMode { wait: false }).ok()
}
