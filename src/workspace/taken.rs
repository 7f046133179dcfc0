//! How an image comes to be: built from its sources, taken as published, or taken as this machine built it last; and the
//! lists of patterns by which profiles and the developer's own file say so.
//!
//! Knows nothing of what is published or was built.

use super::origin::By;
use crate::label::{Label, PackagePath};
use crate::pattern::{PackageSelection, TargetPattern};
use crate::span::Span;

/// How an image comes to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// From its sources.
    Built,
    /// As `lock` found it published.
    Published,
    /// As its last build on this machine left it.
    Local,
}

/// The keys that say so; within one table each is stronger than the one before.
pub const KEYS: [(&str, Taken); 3] =
    [("from-registry", Taken::Published), ("local", Taken::Local), ("build", Taken::Built)];

/// One of the keys, as a profile or the developer's own file has it.
#[derive(Debug, Clone)]
pub struct List {
    /// What the patterns' images are.
    pub taken: Taken,
    /// Which these are.
    pub patterns: Vec<TargetPattern>,
    /// Where each stands.
    pub spans: Vec<Span>,
    /// Who says so.
    pub by: By,
    /// Where: the key.
    pub span: Span,
}

/// Lays a list over those before it. One of images that are taken replaces the one of the same key.
pub fn lay(lists: &mut Vec<List>, list: List) {
    lists.retain(|before| before.taken != list.taken || list.taken == Taken::Built);
    lists.push(list);
}

/// The last list that names an image; `None`: none does, and it is built.
pub fn deciding<'l>(lists: &'l [List], label: &Label) -> Option<&'l List> {
    lists.iter().rfind(|list| TargetPattern::pick(&list.patterns, label))
}

/// Whether a package may hold images that are taken, and so need not be there.
pub fn may_hold_taken(lists: &[List], package: &PackagePath) -> bool {
    let taken = lists.iter().filter(|list| list.taken != Taken::Built).flat_map(|list| &list.patterns);
    taken.into_iter().any(|pattern| match pattern.packages() {
        PackageSelection::One(one) => one == *package,
        PackageSelection::FirstOf(some) => some.contains(package),
        PackageSelection::Below(top) => package.is_below(&top),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::Tree;
    use super::*;

    /// What `//p:x` is under a profile, with or without the developer's own file.
    fn taken(profiles: &str, local: &str, profile: Option<&str>) -> Taken {
        let root = format!("[workspace]\nname = \"x\"\n{profiles}");
        let mut files = vec![("layers.toml", &*root), ("p/layers.toml", "[image.x]\n")];
        if !local.is_empty() {
            files.push(("layers.local.toml", local));
        }
        let options = super::super::load::Options { profile, local: true, ..Default::default() };
        let (workspace, problems) = Tree::new(&files).load_as(&["//..."], options);
        assert_eq!(problems, [""; 0]);
        workspace.settings.taken(&Label::parse("//p:x", &PackagePath::default()).unwrap())
    }

    #[test]
    fn the_nearest_that_names_an_image_counts_and_in_one_table_build_over_local_over_published() {
        let all = ["from-registry", "local", "build"].map(|key| format!("{key} = [\"//p/...\"]\n"));
        let [published, local, built] = &all;
        assert_eq!(taken("", "", None), Taken::Built);
        assert_eq!(taken("", local, None), Taken::Local);
        for (table, expected) in [
            (format!("{local}{published}"), Taken::Local),
            (format!("{built}{local}{published}"), Taken::Built),
            (published.clone(), Taken::Published),
        ] {
            assert_eq!(taken(&format!("[profile.a]\n{table}"), "", Some("a")), expected, "{table}");
        }
        // A profile of the call lies over the developer's own file, one that the file names below it.
        let profile = format!("[profile.a]\n{published}");
        assert_eq!(taken(&profile, local, Some("a")), Taken::Published);
        assert_eq!(taken(&profile, &format!("profile = \"a\"\n{local}"), None), Taken::Local);
        assert_eq!(taken(&profile, &format!("profile = \"a\"\n{built}"), None), Taken::Built);
    }

    #[test]
    fn a_list_replaces_the_inherited_one_of_its_key_and_what_it_leaves_out_is_as_before() {
        let low = "[profile.low]\nfrom-registry = [\"//p/...\"]\n[profile.top]\ninherits = \"low\"\n";
        assert_eq!(taken(&format!("{low}from-registry = []\n"), "", Some("top")), Taken::Built);
        assert_eq!(taken(&format!("{low}local = [\"//other/...\"]\n"), "", Some("top")), Taken::Published);
        assert_eq!(taken(&format!("{low}local = [\"//p/...\", \"-//p:x\"]\n"), "", Some("top")), Taken::Published);
        assert_eq!(
            taken(&format!("{low}build = [\"//p:x\"]\nlocal = [\"//other/...\"]\n"), "", Some("top")),
            Taken::Built
        );
    }
}
