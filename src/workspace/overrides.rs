//! Attributes of named targets that a profile or the local file sets: `[profile.NAME.targets."//p:t"]`.
//!
//! Laid over what the package's file says before that is judged, so that all behind sees one target; values keep the
//! places where they stand. A table is merged key by key, anything else replaced. Knows no rule.

use super::discover::Finder;
use super::model::{Package, Target};
use super::origin::{By, Origin};
use super::settings::{Override, Settings};
use super::taken::Taken;
use super::value::{Entry, Node, Table};
use crate::diagnostic::{Diagnostic, nearest};
use crate::label::{Label, PackagePath};
use crate::span::Span;

/// An override that found its target's text.
#[derive(Debug, Clone, Copy)]
pub struct Applied<'a> {
    what: &'a Override,
    target: Span,
}

/// Reads `targets`, a table of tables by label.
pub fn read(entry: &Entry, by: &By) -> (Vec<Override>, Vec<Diagnostic>) {
    let (mut overrides, mut mistakes) = (Vec::new(), Vec::new());
    let Some(targets) = entry.value.as_table() else {
        let message = format!("`targets` takes a table of tables by label, not {}", entry.value.kind());
        return (overrides, vec![Diagnostic::error(message).at(entry.value.span, "")]);
    };
    for target in &targets.0 {
        match one(target, by) {
            Ok(found) => overrides.push(found),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    (overrides, mistakes)
}

fn one(entry: &Entry, by: &By) -> Result<Override, Diagnostic> {
    let label = Label::parse(&entry.key, &PackagePath::default());
    let label = label.map_err(|error| Diagnostic::error(error.to_string()).at(entry.key_span, ""))?;
    if !entry.key.starts_with("//") && !entry.key.starts_with('@') {
        let message = format!("`{}` is not a whole label", entry.key);
        return Err(Diagnostic::error(message).at(entry.key_span, "").help("write `//package:name`"));
    }
    let Some(table) = entry.value.as_table() else {
        let message = format!("`{}` takes a table of attributes, not {}", entry.key, entry.value.kind());
        return Err(Diagnostic::error(message).at(entry.value.span, ""));
    };
    Ok(Override { label, span: entry.key_span, table: table.clone(), by: by.clone() })
}

/// Lays what is set of a package's targets over its file's tables. What found no target is in neither list of anybody:
/// [`missing`] tells of it.
pub fn apply<'a>(file: &mut Table, package: &PackagePath, overrides: &'a [Override]) -> Vec<Applied<'a>> {
    let here = overrides.iter().filter(|set| set.label.package == *package);
    here.filter_map(|what| lay(file, what)).collect()
}

fn lay<'a>(file: &mut Table, what: &'a Override) -> Option<Applied<'a>> {
    let rules = file.0.iter_mut().filter_map(|rule| rule.value.as_table_mut());
    let mut targets = rules.flat_map(|rule| rule.0.iter_mut());
    let target = targets.find(|target| *target.key == *what.label.name)?;
    merge(target.value.as_table_mut()?, &what.table);
    Some(Applied { what, target: target.key_span })
}

fn merge(under: &mut Table, over: &Table) {
    for entry in &over.0 {
        let Some(at) = under.0.iter().position(|known| known.key == entry.key) else {
            under.0.push(entry.clone());
            continue;
        };
        match (&mut under.0[at].value.node, &entry.value.node) {
            (Node::Table(under), Node::Table(over)) => merge(under, over),
            _ => under.0[at] = entry.clone(),
        }
    }
}

/// Shows the target beside a mistake in what is set of it.
pub fn explain(diagnostics: &mut [Diagnostic], applied: &[Applied<'_>]) {
    for diagnostic in diagnostics {
        let Some(place) = diagnostic.primary.as_ref().map(|place| place.span) else { continue };
        let set = applied.iter().find(|applied| holds(&applied.what.table, place));
        if let Some(Applied { what, target }) = set {
            *diagnostic = diagnostic.clone().also(*target, format!("of `{}`, which stands here", what.label));
        }
    }
}

/// Whether a place is a key or a value of a table, or within one.
fn holds(table: &Table, place: Span) -> bool {
    let within = |span: Span| span.file == place.file && span.start <= place.start && place.end <= span.end;
    table.0.iter().any(|entry| {
        within(entry.key_span)
            || within(entry.value.span)
            || entry.value.as_table().is_some_and(|table| holds(table, place))
    })
}

/// Who set the value of a target that stands at a place; `None` where the target's own file did.
pub fn origin(settings: &Settings, label: &Label, value: Span) -> Option<Origin> {
    let set = settings.overrides.iter().rfind(|set| set.label == *label && holds(&set.table, value))?;
    Some(set.by.at(value))
}

/// What is set of targets that are not there. `read`: the packages that were read, those of the labels among them.
pub fn missing(settings: &Settings, read: &[&Package], finder: &mut Finder<'_>) -> Vec<Diagnostic> {
    let mut packages = None;
    let mut found = Vec::new();
    for set in &settings.overrides {
        let package = read.iter().find(|package| package.path == set.label.package);
        let diagnostic = match package {
            Some(package) => package.target(&set.label.name).map_or_else(|| no_target(set, package), |_| None),
            _ if set.label.package.external().is_some() => Some(elsewhere(set)),
            None if settings.taken(&set.label) != Taken::Built => None,
            None => {
                let all = packages.get_or_insert_with(|| finder.below(&PackagePath::default()).packages);
                Some(no_package(set, all))
            }
        };
        found.extend(diagnostic);
    }
    found
}

fn elsewhere(set: &Override) -> Diagnostic {
    Diagnostic::error(format!("`{}` is another workspace's, which builds it", set.label))
        .at(set.span, "its attributes can't be set here")
        .help("set them in that workspace; from here, `external` of the profile says where its images are taken from")
}

/// Targets that are there, and whose text was not: a rule of the workspace's made them.
pub fn unreachable(package: &Package, overrides: &[Override], applied: &[Applied<'_>]) -> Vec<Diagnostic> {
    let here = overrides.iter().filter(|set| set.label.package == package.path);
    let lost = here.filter(|set| applied.iter().all(|applied| applied.what.label != set.label));
    lost.filter_map(|set| Some(made_by_a_rule(set, package.target(&set.label.name)?, package))).collect()
}

fn made_by_a_rule(set: &Override, part: &Target, package: &Package) -> Diagnostic {
    // The target that has the name of the call stands in the same place, and its name is the beginning of all others.
    let of_call = package.targets.iter().filter(|target| target.span == part.span);
    let call = of_call.min_by_key(|target| target.label.name.len()).map_or(&part.label, |target| &target.label);
    let rule = part.origin.as_ref().and_then(|origin| origin.chain().last()).map_or("", |origin| &*origin.rule);
    Diagnostic::error(format!("`{}` has no table of its own whose attributes could be set", set.label))
        .at(set.span, "")
        .also(part.span, format!("the rule `{rule}` makes it of this"))
        .help(format!("set attributes of `{call}`, or give the rule one for what is to differ"))
}

/// Nothing is said of a package whose syntax is wrong: what it declares is not known.
fn no_target(set: &Override, package: &Package) -> Option<Diagnostic> {
    if !package.complete {
        return None;
    }
    let names = || package.targets.iter().map(|target| &*target.label.name);
    let help = match nearest(&set.label.name, names()) {
        Some(meant) => format!("did you mean `{}:{meant}`?", package.path),
        None => format!("`{}` declares {}", package.path, listed(names())),
    };
    Some(
        Diagnostic::error(format!("no such target `{}`", set.label))
            .at(set.span, "its attributes are set here")
            .help(help),
    )
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.take(8).collect();
    if names.is_empty() { "no targets".to_owned() } else { super::schema::quoted(&names) }
}

fn no_package(set: &Override, packages: &[PackagePath]) -> Diagnostic {
    let diagnostic = Diagnostic::error(format!("no such package `{}`", set.label.package))
        .at(set.span, "attributes of a target of it are set here");
    match nearest(set.label.package.as_str(), packages.iter().map(PackagePath::as_str)) {
        Some(meant) => diagnostic.help(format!("did you mean `//{meant}:{}`?", set.label.name)),
        None => diagnostic.help("a package is a folder with a layers.toml"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::load::Options;
    use super::super::testing::{Tree, expect};
    use super::*;
    use crate::workspace::Workspace;

    const PACKAGE: &str =
        "[files.f]\ndest = \"/old\"\nmode = { \"*\" = \"0644\", \"bin/*\" = \"0755\" }\n[image.a]\nlayers = [\":f\"]\n";

    fn load(root: &str, profile: Option<&str>) -> (Workspace, Vec<String>) {
        let root = format!("[workspace]\nname = \"x\"\n{root}");
        let files = [("layers.toml", &*root), ("p/layers.toml", PACKAGE), ("q/layers.toml", "[image.b]\n")];
        Tree::new(&files).load_as(&["//p/..."], Options { profile, ..Options::default() })
    }

    #[test]
    fn values_are_replaced_and_tables_merged_and_all_keep_their_places() {
        let root = "[profile.low.targets.\"//p:f\"]\ndest = \"/low\"\nlevel = 3\n\
                    [profile.top]\ninherits = \"low\"\n[profile.top.targets.\"//p:f\"]\ndest = \"/new\"\nmode = { \"*\" = \"0600\" }\n\
                    [profile.top.targets.\"//p:a\"]\nbase = \"//q:b\"\n";
        let (workspace, problems) = load(root, Some("top"));
        assert_eq!(problems, [""; 0]);
        let package = workspace.package(&PackagePath::new("p").unwrap()).unwrap();
        let target = package.target("f").unwrap();
        let attributes = target.attributes();
        assert_eq!((attributes.str("dest"), attributes.integer("level")), (Some("/new"), Some(3)));
        let modes: Vec<_> = attributes.map("mode").map(|entry| (entry.key.value, entry.str().unwrap())).collect();
        assert_eq!(modes, [("*", "0600"), ("bin/*", "0755")]);
        let says = |key| {
            let origin = origin(&workspace.settings, &target.label, attributes.span(key).unwrap())?;
            Some(origin.describe(&workspace.sources))
        };
        assert_eq!(says("dest").as_deref(), Some("profile top, layers.toml:9"));
        assert_eq!(says("level").as_deref(), Some("profile low, layers.toml:5"));
        let labels: Vec<_> = package.target("a").unwrap().labels.iter().map(|used| used.label.to_string()).collect();
        assert_eq!(labels, ["//p:f", "//q:b"]);
        assert!(workspace.package(&PackagePath::new("q").unwrap()).is_some(), "what an override names is read");
        let plain = load(root, None).0;
        let target = plain.package(&PackagePath::new("p").unwrap()).unwrap().target("f").unwrap().clone();
        assert_eq!(target.attributes().str("dest"), Some("/old"));
    }

    #[test]
    fn what_is_wrong_is_told_at_the_profiles_line_with_the_target() {
        let root = "[profile.a.targets.\"//p:f\"]\ndset = \"/x\"\nlevel = \"3\"\n[profile.a.targets.\"//p:g\"]\n\
                    [profile.a.targets.\"//pp:f\"]\n[profile.a.targets.\"//q:b\"]\nbase = \"b c\"\n\
                    [profile.a.targets.\"//q:c\"]\n";
        expect(
            &load(root, Some("a")).1,
            &[
                &[
                    "unknown attribute `dset`",
                    "layers.toml:4:1",
                    "did you mean `dest`?",
                    "of `//p:f`, which stands here",
                ],
                &["`level` takes a whole number", "layers.toml:5:9", "p/layers.toml:1"],
                &["no such target `//p:g`", "layers.toml:6:20", "did you mean `//p:"],
                &["no such package `//pp`", "layers.toml:7:20", "did you mean `//p:f`?"],
                &["no such target `//q:c`", "layers.toml:10:20"],
            ],
        );
        assert_eq!(load(root, None).1, [""; 0]);
    }

    #[test]
    fn what_is_no_label_or_no_table_is_told_of_profiles_that_are_not_used_too() {
        let root = "[profile.a.targets]\n\"b c\" = {}\n\":x\" = {}\n\"//p:f\" = 1\n[profile.b]\ntargets = 1\n";
        expect(
            &load(root, None).1,
            &[
                &["`b c` is not a label", "layers.toml:4:1"],
                &["`:x` is not a whole label", "layers.toml:5:1"],
                &["`//p:f` takes a table of attributes, not an integer", "layers.toml:6:11"],
                &["`targets` takes a table of tables by label, not an integer", "layers.toml:8:11"],
            ],
        );
    }
}
