//! The tables of one file → the targets that it declares.
//!
//! Holds names to their grammar and to one namespace a package; targets of the workspace's own rules are declared as what
//! they stand for. Knows no rule by name.

use std::collections::HashMap;
use std::sync::Arc;

use camino::Utf8Path;

use super::check::{self, Owner};
use super::model::{Package, Target};
use super::parse::Parsed;
use super::schema::{RuleSchema, quoted};
use super::tables;
use super::template::{self, Call, Known, Origin, Rule, Which};
use super::value::{Entry, Node, Table, Value};
use crate::diagnostic::{Diagnostic, nearest};
use crate::label::{Label, PackagePath, is_name};
use crate::span::Span;

/// What the files of the workspace's own rules hold.
const RULE_TABLE: &str = "rule";

/// Declares a package's targets. Of a file whose syntax is wrong somewhere, the targets around these places are named
/// but not judged.
pub fn declare(parsed: Parsed, path: PackagePath, known: Known<'_>) -> (Package, Vec<Diagnostic>) {
    let sound = parsed.broken.first().copied().unwrap_or(u32::MAX);
    let (complete, diagnostics) = (parsed.broken.is_empty(), parsed.diagnostics);
    let mut declarer = Declarer { path: &path, known, sound, targets: Vec::new(), complete, diagnostics };
    parsed.table.0.into_iter().for_each(|entry| declarer.entry(entry));
    let Declarer { mut targets, mut diagnostics, complete, .. } = declarer;
    let judged = judge(&mut targets, &parsed.broken);
    diagnostics.extend(judged);
    diagnostics.extend(drop_duplicates(&mut targets));
    let targets = targets.into_iter().map(|declared| declared.target).collect();
    (Package { path, targets, complete }, diagnostics)
}

struct Declared {
    target: Target,
    diagnostics: Vec<Diagnostic>,
}

struct Declarer<'a> {
    path: &'a PackagePath,
    known: Known<'a>,
    /// Behind it, keys that look like tables of their own may belong to a header that could not be read.
    sound: u32,
    targets: Vec<Declared>,
    /// Whether all that the file declares is among the targets.
    complete: bool,
    diagnostics: Vec<Diagnostic>,
}

/// A target that is about to be declared.
struct Draft {
    rule: &'static RuleSchema,
    name: String,
    span: Span,
    table: Table,
    origin: Option<Arc<Origin>>,
}

impl<'a> Declarer<'a> {
    /// One top-level key.
    fn entry(&mut self, entry: Entry) {
        match (self.known.rule(&entry.key), entry.value.node) {
            (Some(rule), Node::Table(table)) => table.0.into_iter().for_each(|target| self.target(rule, target)),
            (Some(rule), _) => self.diagnostics.push(not_a_target(rule.name(), entry.key_span)),
            (None, node) => self.other(&entry.key, entry.key_span, &node),
        }
    }

    fn other(&mut self, key: &str, span: Span, node: &Node) {
        // It may be a rule of a file that could not be read.
        self.complete &= self.known.rules.complete;
        if span.start < self.sound {
            self.diagnostics.extend(stranger(key, span, node, self.known));
        }
    }

    /// One `[rule.name]`.
    fn target(&mut self, rule: Which<'a>, entry: Entry) {
        let Entry { key, key_span, value: Value { node, .. } } = entry;
        match node {
            Node::Table(table) => self.table(rule, key, key_span, table),
            Node::Array(items) if items.iter().all(|item| item.as_table().is_some()) => self.diagnostics.push(
                Diagnostic::error(format!("a target is written `[{}.{key}]`", rule.name()))
                    .at(key_span, "written as a list of tables, with two brackets"),
            ),
            _ => self.diagnostics.push(not_a_target(rule.name(), key_span)),
        }
    }

    fn table(&mut self, rule: Which<'a>, name: String, span: Span, mut table: Table) {
        let attributes = rule.attributes();
        let split: Vec<Entry> = table.0.extract_if(.., |entry| is_rest_of_name(entry, &attributes)).collect();
        let only_split = table.0.is_empty() && !split.is_empty();
        for rest in split {
            let whole = dotted(&name, &rest);
            self.diagnostics.push(unquoted(rule.name(), &name, span, &rest.key, &whole));
            self.either(rule, whole.name, rest.key_span, whole.table);
        }
        if !only_split {
            self.either(rule, name, span, table);
        }
    }

    fn either(&mut self, rule: Which<'a>, name: String, span: Span, table: Table) {
        match rule {
            Which::BuiltIn(rule) => self.declare(Draft { rule, name, span, table, origin: None }, true, Vec::new()),
            Which::Own(rule) => self.call(rule, &name, span, &table),
        }
    }

    /// One target of the workspace's own rule: declares what it stands for.
    fn call(&mut self, rule: &Rule, name: &str, span: Span, table: &Table) {
        if let Some(wrong) = bad_name(name, span, self.path) {
            self.complete = false;
            return self.diagnostics.push(wrong);
        }
        let made = template::expand(rule, Call { name, span, table, package: self.path }, self.known);
        // Of a rule that is wrong itself, it isn't known what its targets are.
        self.complete &= !made.is_empty();
        for made in made {
            let (origin, sound) = (Some(made.origin), made.sound);
            let draft = Draft { rule: made.schema, name: made.name, span, table: made.table, origin };
            self.declare(draft, sound, made.diagnostics);
        }
    }

    /// `sound`: whether what is wrong with it is to be told; `diagnostics`: what is wrong already.
    fn declare(&mut self, draft: Draft, sound: bool, mut diagnostics: Vec<Diagnostic>) {
        let Draft { rule, name, span, table, origin } = draft;
        let found = check::check(&table, rule.attributes, Owner { name: rule.name, span }, self.path);
        let mut mistakes = self.name_mistakes(rule, &name, span);
        mistakes.extend(found.diagnostics);
        let traced = |mistake| origin.iter().fold(mistake, |mistake, origin| origin.traced(mistake, span));
        diagnostics.extend(mistakes.into_iter().filter(|_| sound).map(traced));
        let label = Label { package: self.path.clone(), name: name.into() };
        let valid = sound && diagnostics.is_empty();
        let target =
            Target { label, rule, span, origin, table, labels: found.labels, published: false, local: false, valid };
        self.targets.push(Declared { target, diagnostics });
    }

    fn name_mistakes(&self, schema: &RuleSchema, name: &str, span: Span) -> Vec<Diagnostic> {
        if let Some(wrong) = bad_name(name, span, self.path) {
            return vec![wrong];
        }
        if !schema.purpose.is_published() {
            return Vec::new();
        }
        let package = (!self.path.as_str().split('/').all(|part| part.is_empty() || is_repository_part(part)))
            .then(|| format!("the package `{}` can't hold images: its path becomes part of a repository", self.path));
        let image = (!is_repository_part(name)).then(|| format!("`{name}` can't be an image's name"));
        let explain = |message| Diagnostic::error(message).at(span, "").help(REPOSITORY_GRAMMAR);
        package.into_iter().chain(image).map(explain).collect()
    }
}

/// That a name isn't one.
fn bad_name(name: &str, span: Span, package: &PackagePath) -> Option<Diagnostic> {
    let error = Label::parse(&format!(":{name}"), package).err()?;
    Some(Diagnostic::error(format!("`{name}` can't be a target's name")).at(span, "").help(error.why))
}

/// What stands in the root's file beside the settings and is no target. `folder` holds the packages: unless it is the
/// root, no target may stand here.
pub fn strangers(rest: &Table, known: Known<'_>, folder: &Utf8Path) -> Vec<Diagnostic> {
    let judge = |entry: &Entry| match known.rule(&entry.key) {
        None => stranger(&entry.key, entry.key_span, &entry.value.node, known),
        Some(_) => (!folder.as_str().is_empty()).then(|| {
            Diagnostic::error("a target can't stand in the workspace's own file")
                .at(entry.key_span, format!("`packages` says that targets stand in `{folder}`"))
                .help(format!("move it to `{folder}/layers.toml`, which is the package `//`"))
        }),
    };
    rest.0.iter().filter_map(judge).collect()
}

/// A top-level key that is no rule; `None` where it may stand.
fn stranger(key: &str, span: Span, node: &Node, known: Known<'_>) -> Option<Diagnostic> {
    Some(match node {
        Node::Table(table) if key == tables::PACKAGE => {
            let unknown = table.0.first()?;
            Diagnostic::error(format!("unknown key `{}`", unknown.key))
                .at(unknown.key_span, "`[package]` takes no keys yet")
        }
        Node::Table(_) if tables::is_of_root(key) => misplaced(key, span),
        Node::Table(_) if key == RULE_TABLE => Diagnostic::error("a rule is defined in a file of its own")
            .at(span, "this file holds targets")
            .help(format!("move it to `{}/NAME.toml` at the workspace's root", template::FOLDER)),
        Node::Table(_) | Node::Array(_) if !known.rules.complete => return None,
        Node::Table(_) | Node::Array(_) => unknown_rule(key, span, known),
        _ => Diagnostic::error(format!("`{key}` stands outside of any target"))
            .at(span, "expected a table `[rule.name]` first"),
    })
}

const REPOSITORY_GRAMMAR: &str = "repositories are lower case letters and digits, with single `.`, `_` or any number \
                                  of `-` between them";

/// A path component of the OCI distribution specification ("Pulling manifests", `<name>`).
pub(super) fn is_repository_part(part: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let separators = part.split(|c: char| c.is_ascii() && plain(c as u8)).filter(|between| !between.is_empty());
    let allowed = |between: &str| matches!(between, "." | "_" | "__") || between.bytes().all(|byte| byte == b'-');
    let ends = part.bytes().next().is_some_and(plain) && part.bytes().next_back().is_some_and(plain);
    ends && separators.into_iter().all(allowed)
}

/// Whether a table inside a target is really the rest of a dotted name that lacks its quotes.
fn is_rest_of_name(entry: &Entry, attributes: &[&str]) -> bool {
    let known = |key: &str| attributes.contains(&key);
    let names = || attributes.iter().copied();
    // A name near to an attribute's is a slip, and a key that is no name was never meant as one.
    let may_be_name = is_name(&entry.key) && !known(&entry.key) && nearest(&entry.key, names()).is_none();
    let Some(table) = entry.value.as_table().filter(|_| may_be_name) else { return false };
    entry.key.starts_with(|first: char| first.is_ascii_digit())
        || table.0.iter().any(|inner| known(&inner.key) || is_rest_of_name(inner, attributes))
}

struct Whole {
    name: String,
    table: Table,
}

/// Joins what the dots took apart, for as long as a table holds nothing but one table.
fn dotted(name: &str, rest: &Entry) -> Whole {
    let (mut name, mut at) = (format!("{name}.{}", rest.key), &rest.value);
    while let Some([only]) = at.as_table().map(|table| table.0.as_slice())
        && only.key.starts_with(|first: char| first.is_ascii_digit())
        && only.value.as_table().is_some()
    {
        name = format!("{name}.{}", only.key);
        at = &only.value;
    }
    Whole { name, table: at.as_table().cloned().unwrap_or_default() }
}

fn unquoted(rule: &str, name: &str, span: Span, rest: &str, whole: &Whole) -> Diagnostic {
    Diagnostic::error(format!("a dotted name needs quotes: this says `{rest}` is an attribute of `{name}`"))
        .at(Span { end: span.start + length(&whole.name), ..span }, "")
        .help(format!("write `[{rule}.\"{}\"]`", whole.name))
}

fn length(text: &str) -> u32 {
    u32::try_from(text.len()).unwrap_or(u32::MAX)
}

fn not_a_target(rule: &str, span: Span) -> Diagnostic {
    Diagnostic::error(format!("`{rule}` is a rule, and a target of it needs a name"))
        .at(span, "expected a table")
        .help(format!("write `[{rule}.NAME]`, and the attributes below it"))
}

fn misplaced(key: &str, span: Span) -> Diagnostic {
    let diagnostic = Diagnostic::error(format!("`[{key}]` stands only in the workspace's own layers.toml"))
        .at(span, "this file is a package's");
    if key != "workspace" {
        return diagnostic.help("move it to the layers.toml that has `[workspace]`");
    }
    diagnostic.help("if the folder is a workspace of its own, name it in the outer workspace's .gitignore")
}

fn unknown_rule(key: &str, span: Span, known: Known<'_>) -> Diagnostic {
    let rules = known.names();
    let diagnostic = Diagnostic::error(format!("unknown rule `{key}`")).at(span, "no rule has this name");
    match nearest(key, rules.iter().copied().chain(tables::names())) {
        Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
        None => diagnostic.help(format!("the rules are {}", quoted(&rules))),
    }
}

/// Sorts by name and hands out the mistakes of those targets whose text could be read.
fn judge(targets: &mut [Declared], broken: &[u32]) -> Vec<Diagnostic> {
    let mut starts: Vec<u32> = targets.iter().map(|declared| declared.target.span.start).collect();
    starts.sort_unstable();
    let around = |at: &u32| starts.partition_point(|start| start <= at).checked_sub(1).map(|index| starts[index]);
    let unreadable: Vec<u32> = broken.iter().filter_map(around).collect();
    let mut kept = Vec::new();
    for declared in targets {
        let diagnostics = std::mem::take(&mut declared.diagnostics);
        if unreadable.contains(&declared.target.span.start) {
            declared.target.valid = false;
        } else {
            kept.extend(diagnostics);
        }
    }
    kept
}

/// Sorts the targets by name; of those with one name, the first written stays.
fn drop_duplicates(targets: &mut Vec<Declared>) -> Vec<Diagnostic> {
    targets
        .sort_by(|a, b| (&a.target.label.name, a.target.span.start).cmp(&(&b.target.label.name, b.target.span.start)));
    let mut first: HashMap<Arc<str>, (Span, String)> = HashMap::new();
    let mut diagnostics = Vec::new();
    if targets.windows(2).all(|pair| pair[0].target.label.name != pair[1].target.label.name) {
        return diagnostics;
    }
    targets.retain(|Declared { target, .. }| {
        let Some((span, rule)) = first.get(&target.label.name) else {
            first.insert(target.label.name.clone(), (target.span, made_by(target)));
            return true;
        };
        diagnostics.push(two_of_one_name(target, *span, rule));
        false
    });
    diagnostics
}

/// The rule of a target, and what made it.
fn made_by(target: &Target) -> String {
    let rule = target.rule.name;
    target.origin.as_ref().map_or(format!("`{rule}`"), |origin| format!("`{rule}`, made by the rule `{}`", origin.rule))
}

fn two_of_one_name(second: &Target, first: Span, rule: &str) -> Diagnostic {
    Diagnostic::error(format!("two targets are named `{}`", second.label.name))
        .at(second.span, format!("{}, and again here", made_by(second)))
        .also(first, format!("{rule}, first here"))
        .help("the targets of a package share one namespace, whatever their rules: rename one")
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ROOT, Tree, expect, mistakes};

    #[test]
    fn an_unknown_rule_is_answered_with_the_nearest_one() {
        expect(
            &mistakes("[iamge.a]\n[zebra.b]\n"),
            &[
                &["unknown rule `iamge`", "p/layers.toml:1:2", "did you mean `image`?"],
                &["unknown rule `zebra`", "p/layers.toml:2:2", "the rules are `files`, `image`"],
            ],
        );
    }

    #[test]
    fn two_targets_of_one_name_are_named_with_both_places_whatever_their_rules() {
        expect(
            &mistakes("[files.a]\ndest = \"/\"\n[image.a]\n"),
            &[&[
                "two targets are named `a`",
                "p/layers.toml:3:8",
                "`image`, and again here",
                "1 | [files.a]",
                "`files`, first here",
            ]],
        );
    }

    #[test]
    fn an_unquoted_dotted_name_says_how_to_quote_it() {
        expect(
            &mistakes("[image.python3.11]\nlayers = []\n[files.a.b]\ndest = \"/\"\n[image.x1.2.3]\n"),
            &[
                &["a dotted name needs quotes", "p/layers.toml:1:8", "^^^^^^^^^^", "write `[image.\"python3.11\"]`"],
                &["a dotted name needs quotes", "p/layers.toml:3:8", "write `[files.\"a.b\"]`"],
                &["a dotted name needs quotes", "write `[image.\"x1.2.3\"]`"],
            ],
        );
    }

    #[test]
    fn a_slip_in_a_tables_name_is_not_taken_for_a_dotted_name() {
        expect(
            &mistakes("[files.a]\ndest = \"/\"\n[files.a.dir]\n\"/x\" = { mode = \"0755\" }\n"),
            &[&["unknown attribute `dir`", "p/layers.toml:3:10", "did you mean `dirs`?"]],
        );
    }

    #[test]
    fn a_quoted_dotted_name_is_a_name() {
        let tree = Tree::new(&[ROOT, ("p/layers.toml", "[image.\"python3.11\"]\n[files.lib]\ndest = \"/\"\n")]);
        let (workspace, problems) = tree.load(&["//..."]);
        assert_eq!(problems, Vec::<String>::new());
        let names: Vec<String> = workspace.packages[1].targets.iter().map(|target| target.label.to_string()).collect();
        assert_eq!(names, ["//p:lib", "//p:python3.11"]);
    }

    #[test]
    fn names_are_held_to_their_grammar_and_images_to_a_repositorys() {
        expect(
            &mistakes(
                "[files.\"a b\"]\ndest = \"/\"\n[image.App]\n[image.\"a..b\"]\n[image.a__b]\n[image.a--b]\n[image.a_-b]\n",
            ),
            &[
                &["`a b` can't be a target's name", "p/layers.toml:1:8", "a name is letters"],
                &["`App` can't be an image's name", "p/layers.toml:3:8", "lower case"],
                &["`a..b` can't be an image's name"],
                &["`a_-b` can't be an image's name"],
            ],
        );
        let tree = Tree::new(&[ROOT, ("Data/layers.toml", "[files.F]\ndest = \"/\"\n[image.a]\n")]);
        expect(&tree.load(&["//..."]).1, &[&["the package `//Data` can't hold images", "Data/layers.toml:3:8"]]);
    }

    #[test]
    fn what_stands_in_the_wrong_file_or_form_is_named() {
        expect(
            &mistakes(
                "x = 1\nfiles = 2\n[workspace]\nname = \"y\"\n[profile.a]\n[external]\n[package]\nz = 1\n[[image.b]]\n[image]\nc = 3\n",
            ),
            &[
                &["`x` stands outside of any target", "p/layers.toml:1:1"],
                &["`files` is a rule, and a target of it needs a name", "write `[files.NAME]`"],
                &["`[workspace]` stands only in the workspace's own layers.toml", "p/layers.toml:3:2", ".gitignore"],
                &["`[profile]` stands only in the workspace's own layers.toml"],
                &["`[external]` stands only in the workspace's own layers.toml"],
                &["unknown key `z`", "p/layers.toml:8:1"],
                &["a target is written `[image.b]`", "p/layers.toml:9:9"],
                &["`image` is a rule, and a target of it needs a name", "p/layers.toml:11:1"],
            ],
        );
    }

    #[test]
    fn a_target_in_the_roots_file_is_an_error_when_packages_stand_elsewhere() {
        let tree = Tree::new(&[
            ("layers.toml", "[workspace]\nname = \"x\"\npackages = \"images\"\n[image.a]\n[iamge.b]\n"),
            ("images/layers.toml", "[image.c]\n"),
        ]);
        expect(
            &tree.load(&["//..."]).1,
            &[
                &[
                    "a target can't stand in the workspace's own file",
                    "layers.toml:4:2",
                    "move it to `images/layers.toml`",
                ],
                &["unknown rule `iamge`", "layers.toml:5:2"],
            ],
        );
    }

    #[test]
    fn of_a_target_whose_syntax_is_wrong_nothing_else_is_said() {
        let shown = mistakes("[files.a]\nsrcs = [x]\n[files.b]\nsrc = []\ndest = \"/\"\n");
        expect(&shown, &[&["p/layers.toml:2:9"], &["unknown attribute `src`", "p/layers.toml:4:1"]]);
    }
}
