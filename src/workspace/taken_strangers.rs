//! Patterns of `from-registry`, `local` and `build` that name no image: most likely they are misspelt, and what they should
//! name is silently built, or not.
//!
//! Reads no package for it. Of a package that was read it is known what it declares; of any other, whether its folder is
//! there. What is taken as it is need not be there: then only a name that is like another's is told.

use super::discover::Finder;
use super::lock_file::LockFile;
use super::model::Package;
use super::schema::{Purpose, quoted};
use super::taken::{self, List};
use crate::diagnostic::{Diagnostic, nearest};
use crate::label::{Label, PackagePath};
use crate::pattern::{PackageSelection, Scope, TargetPattern};
use crate::span::Span;

/// What is known of a workspace's packages.
pub struct Known<'a, 'f> {
    /// Those that were read.
    pub read: &'a [Package],
    /// Finds the others.
    pub finder: &'a mut Finder<'f>,
    /// What is locked.
    pub lock: &'a LockFile,
}

/// A mistake or a warning for each.
pub fn strangers(lists: &[List], mut known: Known<'_, '_>) -> Vec<Diagnostic> {
    let key = |list: &List| taken::KEYS.iter().find(|(_, taken)| *taken == list.taken).map_or("", |(key, _)| *key);
    let patterns = lists.iter().flat_map(|list| list.patterns.iter().zip(&list.spans).map(move |it| (key(list), it)));
    let positive = patterns.filter(|(_, (pattern, _))| !pattern.negative);
    positive.filter_map(|(key, (pattern, span))| known.judge(pattern, *span, key)).collect()
}

impl Known<'_, '_> {
    fn judge(&mut self, pattern: &TargetPattern, span: Span, key: &str) -> Option<Diagnostic> {
        let packages = match pattern.packages() {
            PackageSelection::One(package) => vec![package],
            PackageSelection::FirstOf(packages) => packages,
            PackageSelection::Below(top) if self.finder.has_folder(&top) => return None,
            PackageSelection::Below(_) => Vec::new(),
        };
        let there: Vec<PackagePath> = packages.into_iter().filter(|package| self.finder.exists(package)).collect();
        if there.is_empty() {
            return if self.names_what_is_not_there(pattern) { None } else { self.absent(pattern, span, key) };
        }
        let read: Option<Vec<&Package>> = there.iter().map(|path| self.package(path)).collect();
        // What the others declare is not known.
        let read = read.filter(|read| read.iter().all(|package| package.complete))?;
        no_image(pattern, &read, span, key)
    }

    fn package(&self, path: &PackagePath) -> Option<&Package> {
        self.read.iter().find(|package| package.path == *path)
    }

    fn names_what_is_not_there(&self, pattern: &TargetPattern) -> bool {
        let LockFile { pulls, profiles, .. } = self.lock;
        let mut locked = pulls.keys().chain(profiles.values().flat_map(|images| images.keys()));
        let targets = self.read.iter().flat_map(|package| &package.targets);
        let mut used = targets.flat_map(|target| &target.labels).map(|used| &used.label);
        let names = |label: &Label| pattern.names(label);
        locked.any(names) || used.any(names)
    }

    /// Only where another folder has a name like that: what is taken as it is need not be checked out, and nothing of what
    /// is not can be built by mistake.
    fn absent(&mut self, pattern: &TargetPattern, span: Span, key: &str) -> Option<Diagnostic> {
        let wanted = match pattern.packages() {
            PackageSelection::One(package) | PackageSelection::Below(package) => package,
            PackageSelection::FirstOf(packages) => packages.into_iter().next()?,
        };
        let help = match self.meant(&wanted)? {
            meant if meant == wanted.as_str() => "a package is a folder with a layers.toml".to_owned(),
            meant => format!("did you mean `//{meant}{}`?", rest(pattern)),
        };
        let message = format!("`{pattern}` in `{key}` names nothing: there is no such package");
        Some(Diagnostic::warning(message).at(span, "").help(help))
    }

    /// The folder with the name that is nearest, part by part: the whole tree is not walked for it.
    fn meant(&mut self, wanted: &PackagePath) -> Option<String> {
        let mut path = String::new();
        for part in wanted.as_str().split('/') {
            let folders = self.finder.folders_in(&path);
            let is_there = folders.iter().any(|folder| folder == part);
            let name = if is_there { part } else { nearest(part, folders.iter().map(String::as_str))? };
            path = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
        }
        Some(path)
    }
}

/// What stands behind the package in a pattern.
fn rest(pattern: &TargetPattern) -> String {
    match &pattern.scope {
        Scope::Target(label) if *label.name == *label.package.last() => String::new(),
        Scope::Target(label) => format!(":{}", label.name),
        Scope::FirstOf(_) => String::new(),
        Scope::Package(_, wildcard) => format!(":{wildcard}"),
        Scope::Below(_) => "/...".to_owned(),
    }
}

/// `read`: all packages that the pattern reaches.
fn no_image(pattern: &TargetPattern, read: &[&Package], span: Span, key: &str) -> Option<Diagnostic> {
    if pattern.is_wildcard() {
        return None;
    }
    let mut named = read.iter().flat_map(|package| &package.targets).filter(|target| pattern.names(&target.label));
    let Some(target) = named.next() else { return Some(no_target(pattern, read, span, key)) };
    if target.rule.purpose == Purpose::Image {
        return None;
    }
    let message =
        format!("`{pattern}` in `{key}` names no image: `{}` is of the rule `{}`", target.label, target.rule.name);
    Some(Diagnostic::warning(message).at(span, "images alone are taken as they are").also(target.span, "declared here"))
}

fn no_target(pattern: &TargetPattern, read: &[&Package], span: Span, key: &str) -> Diagnostic {
    let package = read[0];
    let images = || package.targets.iter().filter(|target| target.rule.purpose == Purpose::Image);
    let names: Vec<&str> = images().map(|target| &*target.label.name).collect();
    let name = match &pattern.scope {
        Scope::Target(label) => &*label.name,
        _ => pattern.text.rsplit(['/', ':']).next().unwrap_or_default(),
    };
    let help = match nearest(name, names.iter().copied()) {
        Some(meant) => format!("did you mean `{}:{meant}`?", package.path),
        None if names.is_empty() => format!("`{}` declares no image", package.path),
        None => format!("images of `{}` are {}", package.path, quoted(&names[..names.len().min(8)])),
    };
    Diagnostic::error(format!("`{pattern}` in `{key}` names no target")).at(span, "").help(help)
}

#[cfg(test)]
mod tests {
    use super::super::load::Options;
    use super::super::testing::{Tree, expect};

    const P: (&str, &str) = ("p/layers.toml", "[image.app]\nbase = \"//gone:base\"\n[files.f]\ndest = \"/\"\n");
    const DEEP: (&str, &str) = ("platform/deep/layers.toml", "[image.x]\n");

    /// What is wrong with the patterns of a list, when `wanted` is asked for.
    fn told(list: &str, wanted: &str) -> Vec<String> {
        let root = format!("[workspace]\nname = \"x\"\n[profile.a]\n{list}\n");
        let tree = Tree::new(&[("layers.toml", &*root), P, DEEP]);
        tree.load_as(&[wanted], Options { profile: Some("a"), ..Options::default() }).1
    }

    #[test]
    fn a_target_that_a_package_which_was_read_lacks_is_an_error_and_of_others_nothing_is_said() {
        let list =
            "from-registry = [\"//p:ap\", \"//p:f\", \"p\", \"p/app\", \"//p:all\", \"-//p:none\", \"//gone:base\"]";
        expect(
            &told(list, "//..."),
            &[
                &["error: `//p:ap` in `from-registry` names no target", "layers.toml:4:18", "did you mean `//p:app`?"],
                &["warning: `//p:f` in `from-registry` names no image", "layers.toml:4:28", "p/layers.toml:3:8"],
                &["error: `p` in `from-registry` names no target", "layers.toml:4:37", "images of `//p` are `app`"],
            ],
        );
        assert_eq!(told("local = [\"//p:ap\"]", "//platform/..."), [""; 0]);
        assert_eq!(told("local = [\"//p:app\", \"//platform/...\"]\nbuild = [\"//p/...\"]", "//p:app"), [""; 0]);
    }

    #[test]
    fn a_package_that_is_not_there_is_warned_of_where_another_has_a_name_like_that() {
        expect(
            &told("local = [\"//plaform/...\", \"//platform/dep:x\"]\nbuild = [\"//pp:all\"]", "//platform/..."),
            &[
                &["warning: `//plaform/...` in `local` names nothing", "layers.toml:4:10", "mean `//platform/...`?"],
                &["warning: `//platform/dep:x` in `local`", "did you mean `//platform/deep:x`?"],
                &["warning: `//pp:all` in `build`", "layers.toml:5:10", "did you mean `//p:all`?"],
            ],
        );
        assert_eq!(told("from-registry = [\"//elsewhere/...\"]", "//platform/..."), [""; 0]);
        let no_package = told("from-registry = [\"//platform\"]", "//platform/...");
        expect(
            &no_package,
            &[&["warning: `//platform` in `from-registry` names nothing", "a folder with a layers.toml"]],
        );
    }

    #[test]
    fn what_a_label_or_the_lock_file_names_need_not_be_there() {
        let list = "from-registry = [\"//deap:base\"]";
        let high = |label: &str| format!("[image.x]\nbase = \"{label}\"\n");
        let root = format!("[workspace]\nname = \"x\"\n[profile.a]\n{list}\n");
        let told = |base: &str, lock: &str| {
            let files = [("layers.toml", &*root), ("layers.lock", lock), ("deep/layers.toml", &*high(base))];
            Tree::new(&files).load_as(&["//..."], Options { profile: Some("a"), ..Options::default() }).1
        };
        let none = "version = 1\n";
        assert_eq!(told(":x", none).len(), 1);
        assert_eq!(told("//deap:base", none), [""; 0]);
        let digest = "a".repeat(64);
        let lock = format!(
            "{none}[profile.a.\"//deap:base\"]\nimage = \"r.example/deap:1\"\ndigest = \"sha256:{digest}\"\n\
             [profile.a.\"//deap:base\".\"linux/amd64\"]\nmanifest = \"sha256:{digest}\"\n\
             config = \"sha256:{digest}\"\nlisting = \"sha256:{digest}\"\noutline = []\n"
        );
        assert_eq!(told(":x", &lock), [""; 0]);
    }
}
