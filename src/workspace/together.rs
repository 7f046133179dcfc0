//! A workspace and those beside it, read as one: every package under the name that it has here.
//!
//! Each workspace is read by itself, with settings, rules and lock file of its own; what others name of it is what it is
//! asked for, so that who names comes before who is named.

use std::collections::BTreeSet;
use std::sync::Arc;

use camino::Utf8Path;

use super::asides;
use super::beside::{self, Neighbour, Neighbours};
use super::load::{self, One, Options, Reached, Read};
use super::model::{Beside, Package, Target, Workspace, owner};
use super::names::Names;
use super::profile::Chosen;
use super::settings::Settings;
use crate::diagnostic::Diagnostic;
use crate::label::{Label, PackagePath};
use crate::pattern::{Scope, TargetPattern};
use crate::span::{Sources, Span};

/// A workspace whose settings are known, and those of all beside it, and whose packages are still to be read.
pub struct Opened<'a> {
    one: One<'a>,
    beside: Neighbours<'a>,
    sources: Sources,
}

/// Reads a workspace's settings. `root` is the folder that [`super::root::find_root`] gives.
pub fn open<'a>(root: &Utf8Path, options: Options<'a>) -> Opened<'a> {
    let mut sources = Sources::default();
    let profile = options.profile.map(|name| Chosen { name, span: None });
    let mut one = load::open(root, profile, options, &mut sources);
    let beside = beside::open(&mut one, options, &mut sources);
    Opened { one, beside, sources }
}

impl Opened<'_> {
    /// The settings, which relative patterns need.
    pub fn settings(&self) -> &Settings {
        &self.one.settings
    }

    /// The files of the packages that patterns can reach, as `One::files`.
    pub fn files(&self, wanted: &[TargetPattern]) -> Reached {
        self.one.files(wanted)
    }

    /// The patterns with the one name of each workspace that they name.
    pub fn named(&self, patterns: Vec<TargetPattern>) -> Vec<TargetPattern> {
        let names = &self.beside.names;
        patterns.into_iter().map(|pattern| pattern.renamed(&|package| names.canonical(package))).collect()
    }

    /// Reads the packages that the patterns can reach, and all that these need. The diagnostics are those of the root's
    /// file too, sorted by file and place; where one of them is an error, the workspace may lack what is wrong.
    pub fn load(self, wanted: &[TargetPattern]) -> (Workspace, Vec<Diagnostic>) {
        let Opened { mut one, beside, mut sources } = self;
        let wanted = wanted.iter().cloned().map(|it| it.renamed(&|package| beside.names.canonical(package)));
        let wanted: Vec<TargetPattern> = wanted.collect();
        let mut all = one.load(&wanted, &mut sources);
        adopt(None, &beside.names, &mut all.packages);
        let Neighbours { all: neighbours, names, diagnostics } = beside;
        all.diagnostics.extend(diagnostics);
        let known: Vec<_> = neighbours.iter().map(|neighbour| neighbour.name.clone()).collect();
        let mut gathered = Gathered { all, sources, names, known, wanted: &wanted };
        let mut beside: Vec<Beside> = neighbours.into_iter().map(|neighbour| gathered.take(neighbour)).collect();
        beside.sort_by(|one, other| one.name.cmp(&other.name));
        let Gathered { all, sources, names, .. } = gathered;
        let Read { mut packages, mut others, mut diagnostics, asks_git, .. } = all;
        packages.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        others.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        let One { root, mut settings, lock, rules, .. } = one;
        for beside in &beside {
            settings.registries.add_hosts(&beside.settings.registries);
            diagnostics.extend(add_apt(&mut settings, &beside.settings));
        }
        diagnostics.extend(asides::forget(&mut packages, load::is_whole(&wanted)));
        sort(&mut diagnostics, &sources);
        let workspace = Workspace { root, settings, lock, rules, sources, packages, others, asks_git, beside, names };
        (workspace, diagnostics)
    }
}

/// What was read so far.
struct Gathered<'a> {
    all: Read,
    sources: Sources,
    names: Names,
    /// The names of all workspaces beside this one.
    known: Vec<Arc<str>>,
    wanted: &'a [TargetPattern],
}

impl Gathered<'_> {
    /// Reads what is asked of another workspace.
    fn take(&mut self, neighbour: Neighbour<'_>) -> Beside {
        let Neighbour { name, folder, mut one, .. } = neighbour;
        let (wanted, first) = (self.asked(&name), self.sources.len());
        let mut read = one.load(&wanted, &mut self.sources);
        self.sources.put_under(&folder, first);
        adopt(Some(&name), &self.names, &mut read.packages);
        adopt(Some(&name), &self.names, &mut read.others);
        self.all.packages.append(&mut read.packages);
        self.all.others.append(&mut read.others);
        self.all.diagnostics.append(&mut read.diagnostics);
        self.all.asks_git |= read.asks_git;
        let One { root, settings, lock, .. } = one;
        Beside { name, folder, root, settings, lock }
    }

    /// What call and targets name of a workspace, as it calls that itself.
    fn asked(&self, name: &str) -> Vec<TargetPattern> {
        let is_of = |external: Option<&str>| external.is_some_and(|it| owner(it, &self.known) == Some(name));
        let patterns = self.wanted.iter().filter(|pattern| is_of(pattern.external()));
        let own = |pattern: &TargetPattern| {
            pattern.clone().renamed(&|package| package.seen_from(name).unwrap_or_else(|| package.clone()))
        };
        let used = self.all.packages.iter().flat_map(labels).filter(|label| is_of(label.package.external()));
        let labels: BTreeSet<Label> = used.filter_map(|label| label.seen_from(name)).collect();
        // Behind the patterns: no minus of theirs takes away what a target needs.
        patterns.map(own).chain(labels.into_iter().map(one_target)).collect()
    }
}

/// Gives the packages of a workspace, and all that their targets name, the names that they have here. `workspace`: what
/// it is called; `None`: it is this one. What is written in a target stays: it is read relative to its package.
fn adopt(workspace: Option<&str>, names: &Names, packages: &mut [Package]) {
    let here = |package: &PackagePath| match workspace {
        Some(outer) => names.canonical(&package.within(outer)),
        None => names.canonical(package),
    };
    for package in packages {
        package.path = here(&package.path);
        for target in &mut package.targets {
            target.label.package = here(&target.label.package);
            target.labels.iter_mut().for_each(|used| used.label.package = here(&used.label.package));
        }
    }
}

/// Takes the sources of packages that another workspace names, of which a layer's lock has the name alone.
fn add_apt(settings: &mut Settings, other: &Settings) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    for (name, source) in &other.apt {
        let known = settings.apt.entry(name.clone()).or_insert_with(|| source.clone());
        if known != source {
            let error =
                Diagnostic::error(format!("two workspaces that are built together have another `[apt.{name}]`"));
            let places = [apt_place(settings, name), apt_place(other, name)];
            let error = error.help("give one of them another name");
            diagnostics.push(places.into_iter().flatten().enumerate().fold(error, |error, (at, span)| match at {
                0 => error.at(span, ""),
                _ => error.also(span, ""),
            }));
        }
    }
    diagnostics
}

fn apt_place(settings: &Settings, name: &str) -> Option<Span> {
    let table = settings.tables.iter().find(|table| table.key == "apt")?.value.as_table()?;
    Some(table.entry(name)?.key_span)
}

fn labels(package: &Package) -> impl Iterator<Item = &Label> {
    package.targets.iter().flat_map(Target::followed).map(|used| &used.label)
}

fn one_target(label: Label) -> TargetPattern {
    TargetPattern { text: label.to_string(), negative: false, scope: Scope::Target(label) }
}

/// By file and place, those without a place first; what is found twice is said once.
fn sort(diagnostics: &mut Vec<Diagnostic>, sources: &Sources) {
    let place = |diagnostic: &Diagnostic| {
        diagnostic.primary.as_ref().map(|place| (sources.get(place.span.file).path.clone(), place.span.start))
    };
    diagnostics.sort_by_cached_key(place);
    diagnostics.dedup();
}

#[cfg(test)]
mod tests {
    use super::super::load::Options;
    use super::super::testing::{Tree, expect};
    use crate::observed::Observed;

    /// A workspace `up`, below which the others are checked out.
    fn tree(up: &str, others: &[(&str, &str)]) -> Tree {
        let root = format!("[workspace]\nname = \"up\"\n{up}");
        let files = [("layers.toml", &*root), ("a/layers.toml", "[image.a]\nbase = \"@low//p:b\"\n")];
        Tree::new(&[&files[..], others].concat())
    }

    fn labels(tree: &Tree, patterns: &[&str]) -> (Vec<String>, Vec<String>) {
        let (workspace, problems) = tree.load(patterns);
        let targets = workspace.packages.iter().flat_map(|package| &package.targets);
        let told = targets.map(|target| {
            let published = if target.published { " published" } else { "" };
            let needs: Vec<String> = target.labels.iter().map(|used| used.label.to_string()).collect();
            format!("{}{published} [{}]", target.label, needs.join(", "))
        });
        (told.collect(), problems)
    }

    const LOW: (&str, &str) = ("x/low/layers.toml", "[workspace]\nname = \"low\"\npackages = \"images\"\n");
    const LOW_P: (&str, &str) =
        ("x/low/images/p/layers.toml", "[image.b]\nbase = \":c\"\nlayers = [\"//q:f\"]\n[image.c]\n");
    const LOW_Q: (&str, &str) =
        ("x/low/images/q/layers.toml", "[files.f]\ndest = \"/\"\n[files.other]\ndest = \"/\"\n");

    #[test]
    fn what_labels_name_is_read_with_all_that_it_needs_under_names_of_this_workspace() {
        let tree = tree("[external.low]\npath = \"x/low\"\n", &[LOW, LOW_P, LOW_Q]);
        let (told, problems) = labels(&tree, &["//..."]);
        assert_eq!(problems, [""; 0]);
        let expected = [
            "//a:a [@low//p:b]",
            "@low//p:b [@low//p:c, @low//q:f]",
            "@low//p:c []",
            "@low//q:f []",
            "@low//q:other []",
        ];
        assert_eq!(told, expected, "and x/low is no package of this one");
        assert_eq!(labels(&tree, &["@low//q/..."]).0, ["@low//q:f []", "@low//q:other []"]);
        let observed = Observed::default();
        tree.load_as(&["//..."], Options { observed: Some(&observed), ..Options::default() });
        let paths = observed.into_paths();
        let root = tree.root.canonicalize_utf8().unwrap();
        for path in ["x/low/layers.toml", "x/low/layers.lock", "x/low/images/p/layers.toml"] {
            assert!(paths.contains(&root.join(path)), "{path}: {paths:?}");
        }
    }

    #[test]
    fn a_workspace_that_is_named_in_two_ways_is_one_and_its_names_are_its_own() {
        let up = "[external.low]\npath = \"x/low\"\n[external.ground]\npath = \"x/base\"\n\
                  [external.base]\nregistry = \"r.example\"\n";
        let low = "[workspace]\nname = \"low\"\n[external.base]\npath = \"../base\"\n\
                   [external.far]\nregistry = \"far.example\"\n";
        let files = [
            ("x/low/layers.toml", low),
            ("x/low/p/layers.toml", "[image.b]\nbase = \"@base//os\"\n[image.far]\nbase = \"@far//os\"\n"),
            ("x/base/layers.toml", "[workspace]\nname = \"base\"\n"),
            ("x/base/os/layers.toml", "[image.os]\n"),
            ("b/layers.toml", "[image.b]\nbase = \"@ground//os\"\n[image.c]\nbase = \"@base//os\"\n"),
        ];
        let tree = tree(up, &files);
        let (told, problems) = labels(&tree, &["//..."]);
        assert_eq!(problems, [""; 0]);
        let expected = [
            "//a:a [@low//p:b]",
            "//b:b [@ground//os:os]",
            "//b:c [@base//os:os]",
            "@base//os:os published []",
            "@ground//os:os []",
            "@low//p:b [@ground//os:os]",
            "@low//p:far [@low/far//os:os]",
            "@low/far//os:os published []",
        ];
        assert_eq!(told, expected);
        let (workspace, _) = tree.load(&["@low/base//..."]);
        let named = |text: &str| crate::label::Label::parse(text, &Default::default()).unwrap();
        assert!(workspace.target(&named("@low/base//os")).is_some(), "by its other name too");
        let home = |text: &str| workspace.home(&named(text).package).name.map(str::to_owned);
        assert_eq!(home("@low/far//os"), Some("low".to_owned()));
        assert_eq!((home("@base//os"), home("@low/base//os")), (None, Some("ground".to_owned())));
    }

    #[test]
    fn workspaces_that_stand_on_each_other_are_drawn() {
        let low = "[workspace]\nname = \"low\"\n[external.up]\npath = \"../..\"\n[external.self]\npath = \".\"\n";
        let tree = tree(
            "[external.low]\npath = \"x/low\"\n",
            &[("x/low/layers.toml", low), ("x/low/p/layers.toml", "[image.b]\n")],
        );
        expect(
            &tree.load(&["//..."]).1,
            &[
                &["in a circle: up → low → up", "layers.toml:4:8", "`up` stands on `low`"],
                &["in a circle: low → low", "x/low/layers.toml:6:8"],
            ],
        );
    }

    #[test]
    fn mistakes_stand_in_the_file_that_has_them() {
        let up = "[external.low]\npath = \"x/low\"\nprofile = \"lwo\"\n[external.gone]\npath = \"x/gone\"\n\
                  [external.plain]\npath = \"a\"\n";
        let low = ("x/low/layers.toml", "[workspace]\nname = \"low\"\n[profile.low]\n");
        let tree = tree(
            up,
            &[
                low,
                ("x/low/p/layers.toml", "[image.b]\nlayer = []\n"),
                ("b/layers.toml", "[image.b]\nbase = \"@gone//p\"\n"),
            ],
        );
        expect(
            &tree.load(&["//..."]).1,
            &[
                &["no profile is named `lwo`", " layers.toml:5:11", "did you mean `low`?"],
                &["no workspace is at `x/gone`", " layers.toml:7:8"],
                &["the layers.toml at `a` is no workspace's", " layers.toml:9:8"],
                &["unknown attribute `layer`", "x/low/p/layers.toml:2:1"],
            ],
        );
    }

    #[test]
    fn versions_are_held_against_what_is_there_whoever_asks() {
        let up = "version = \"1.0.0\"\ncompatible = [\"low >= 0.1, < 0.3\", \"far <2\", \"lwo >1\"]\n\
                  [external.low]\npath = \"x/low\"\n[external.far]\nregistry = \"r.example\"\ntag = \"2.0.0\"\n";
        let low = |version: &str| {
            format!(
                "[workspace]\nname = \"low\"\n{version}compatible = \"base >= 1\"\n[external.base]\npath = \"../base\"\n"
            )
        };
        let base = ("x/base/layers.toml", "[workspace]\nname = \"base\"\nversion = \"0.9.0\"\n");
        let told = |version: &str| tree(up, &[("x/low/layers.toml", &low(version)), base]).load(&[]).1;
        let others: [&[&str]; 3] = [
            &["works with `far` <2, and that is 2.0.0", "layers.toml:4:", "9 | tag = "],
            &["no other workspace is named `lwo`", "did you mean `@low`?"],
            &["works with `base` >= 1, and that is 0.9.0", "x/low/layers.toml:4:14", "x/base/layers.toml:3:11"],
        ];
        let third: &[&str] = &["works with `base` >= 1, and that is 0.9.0", "x/low/layers.toml:3:14"];
        let wrong: &[&str] = &["works with `low` >= 0.1, < 0.3, and that is 0.3.0", "x/low/layers.toml:3:11"];
        expect(&told("version = \"0.2.9\"\n"), &others);
        expect(&told("version = \"0.3.0\"\n"), &[wrong, others[0], others[1], others[2]]);
        expect(&told(""), &[&["the version of `low` is not known: it has no `version`"], others[0], others[1], third]);
    }

    #[test]
    fn the_version_is_the_tag_unless_that_is_written() {
        let tag = |text: &str| tree(text, &[]).load(&[]).0.settings.tag;
        assert_eq!(tag("version = \"0.2.0\"\n"), "0.2.0");
        assert_eq!(tag("tag = \"x\"\nversion = \"0.2.0\"\n"), "x");
        assert_eq!(tag(""), "latest");
        expect(&tree("version = \"0.2\"\n", &[]).load(&[]).1, &[&["`0.2` is not a version", "layers.toml:3:11"]]);
    }

    #[test]
    fn the_last_who_says_a_path_or_a_registry_says_how_it_is_taken() {
        let up = "[external.low]\nregistry = \"r.example\"\ntag = \"1\"\n[profile.dev.external.low]\npath = \"x/low\"\n\
                  [profile.live]\ninherits = \"dev\"\n[profile.live.external.low]\nregistry = \"live.example\"\n";
        let tree = tree(up, &[LOW, LOW_P, LOW_Q]);
        let published = |profile| {
            let (workspace, problems) = tree.load_as(&["//a"], Options { profile, ..Options::default() });
            assert_eq!(problems, [""; 0]);
            workspace.packages[1].targets[0].published
        };
        assert_eq!([published(None), published(Some("dev")), published(Some("live"))], [true, false, true]);
        std::fs::write(tree.root.join("layers.local.toml"), "[external.low]\npath = \"x/low\"\n").unwrap();
        let (workspace, _) = tree.load_as(&["//a"], Options { local: true, ..Options::default() });
        assert!(!workspace.packages[1].targets[0].published);
    }

    #[test]
    fn of_a_workspace_that_is_built_everything_is_its_own() {
        let up = "tag = \"up\"\n[vars]\nv = \"up\"\n[external.low]\npath = \"x/low\"\nprofile = \"p\"\n";
        let low = "[workspace]\nname = \"low\"\n[vars]\nv = \"low\"\n[profile.p]\ntag = \"${vars.v}\"\n";
        let p = "[image.b]\nenv = { V = \"${vars.v}\" }\n";
        let tree = tree(up, &[("x/low/layers.toml", low), ("x/low/p/layers.toml", p)]);
        let (workspace, problems) = tree.load(&["//a"]);
        assert_eq!(problems, [""; 0]);
        let image = &workspace.packages[1].targets[0];
        let env = image.attributes().map("env").next().and_then(|entry| entry.str().map(str::to_owned));
        assert_eq!(env.as_deref(), Some("low"));
        let home = workspace.home(&image.label.package);
        assert_eq!((&*home.settings.tag, home.folder.as_str()), ("low", "x/low"));
        assert_eq!(home.local(&image.label).to_string(), "//p:b");
        assert_eq!(home.folder_of(&image.label.package), "x/low/p");
    }
}
