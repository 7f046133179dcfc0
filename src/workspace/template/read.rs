//! The files of the folder `rules` → the rules that they define, every mistake reported.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

use super::super::attributes::Attributes;
use super::super::check::{self, Owner};
use super::super::parse::{self, Parsed};
use super::super::root::FILE_NAME;
use super::super::schema::{Attribute, RuleSchema, Type, optional};
use super::super::text::read_text;
use super::super::value::{Entry, Node, Table, Value};
use super::super::vars::Vars;
use super::compile::{Compiler, Names};
use super::judge;
use super::model::{Part, Rule, Rules};
use super::parameter;
use crate::checkout::Checkout;
use crate::diagnostic::{Diagnostic, nearest};
use crate::label::{PackagePath, is_name};
use crate::observed::Observed;
use crate::reason::reason;
use crate::span::{FileId, Sources, Span};

/// The folder of the workspace's own rules, at its root.
pub const FOLDER: &str = "rules";

/// The one table of these files.
pub const TABLE: &str = "rule";

/// What may stand in `[rule.NAME]`.
pub const KEYS: &[Attribute] = &[
    optional("doc", Type::String, "What the rule is for."),
    optional("example", Type::String, "An example in TOML."),
    optional("attributes", Type::Map(&Type::Any), "The attributes, by name."),
    optional("target", Type::Map(&Type::Any), "The target that has the name of the call."),
    optional("parts", Type::Map(&Type::Map(&Type::Any)), "More targets: by rule, then by what stands behind the name."),
];

/// What a target's template says beside the target's own attributes.
pub const WHEN: &str = "when";

/// Words that no rule is called.
const NOT_RULES: [&str; 8] = ["workspace", "package", "profile", "vars", "apt", "registry", "external", TABLE];

/// Reads the rules of a workspace; one that has no such folder has none. The files join the sources.
pub fn read(
    root: &Utf8Path,
    vars: &Vars,
    schemas: &[&'static RuleSchema],
    (checkout, observed): (&dyn Checkout, Option<&Observed>),
    sources: &mut Sources,
) -> (Rules, Vec<Diagnostic>) {
    let mut reader = Reader { vars, rules: Rules { complete: true, ..Rules::default() }, diagnostics: Vec::new() };
    observed.iter().for_each(|observed| observed.note(root.join(FOLDER)));
    for path in reader.files(root, checkout) {
        observed.iter().for_each(|observed| observed.note(root.join(&path)));
        let file = FileId(sources.len());
        let text = read_text(checkout, &root.join(&path), path.as_str(), file);
        let parsed = match text.mistake {
            None => parse::parse(&text.text, file),
            Some(mistake) => Parsed { broken: vec![0], diagnostics: vec![mistake], ..Parsed::default() },
        };
        sources.add(path, text.text.into());
        reader.file(parsed);
    }
    let Reader { mut rules, mut diagnostics, .. } = reader;
    diagnostics.extend(judge::judge(&mut rules, schemas));
    (rules, diagnostics)
}

/// The files with the workspace's own rules, relative to the root, in the order of their names.
pub fn files(root: &Utf8Path, checkout: &dyn Checkout) -> Result<Vec<Utf8PathBuf>, Diagnostic> {
    let folder = root.join(FOLDER);
    let list = || -> std::io::Result<Vec<String>> {
        let entries = checkout.list(&folder)?.into_iter();
        Ok(entries.map(|entry| entry.name.to_string_lossy().into_owned()).collect())
    };
    let mut names = match list() {
        Ok(names) => names,
        Err(_) if !checkout.is_folder(&folder) => Vec::new(),
        Err(error) => {
            return Err(Diagnostic::error(format!("the folder `{FOLDER}` can't be read: {}", reason(&error))));
        }
    };
    names.retain(|name| name.ends_with(".toml") && !name.starts_with('.') && name != FILE_NAME);
    names.sort_unstable();
    Ok(names.into_iter().map(|name| Utf8Path::new(FOLDER).join(name)).collect())
}

struct Reader<'a> {
    vars: &'a Vars,
    rules: Rules,
    diagnostics: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn files(&mut self, root: &Utf8Path, checkout: &dyn Checkout) -> Vec<Utf8PathBuf> {
        files(root, checkout).unwrap_or_else(|mistake| {
            self.diagnostics.push(mistake);
            self.rules.complete = false;
            Vec::new()
        })
    }

    fn file(&mut self, parsed: Parsed) {
        let broken = !parsed.broken.is_empty();
        self.rules.complete &= !broken;
        self.diagnostics.extend(parsed.diagnostics);
        for entry in parsed.table.0 {
            match entry.value.node {
                Node::Table(rules) if entry.key == TABLE => {
                    rules.0.into_iter().for_each(|rule| self.rule(rule, broken));
                }
                _ if broken => {}
                _ => self.diagnostics.push(stranger(&entry)),
            }
        }
    }

    /// One `[rule.NAME]`. Of a file whose syntax is wrong nothing else is said.
    fn rule(&mut self, entry: Entry, broken: bool) {
        let name: Arc<str> = entry.key.as_str().into();
        if let Some(first) = self.rules.by_name.get(&name) {
            let second =
                Diagnostic::error(format!("two rules are named `{name}`")).at(entry.key_span, "and again here");
            self.diagnostics.push(second.also(first.span, "first here").help("rename one"));
            return;
        }
        let mut mistakes = Vec::new();
        let mut rule = one(entry, self.vars, &mut mistakes);
        rule.sound = !broken && mistakes.is_empty();
        self.rules.by_name.insert(name, rule);
        self.diagnostics.extend(mistakes.into_iter().filter(|_| !broken));
    }
}

fn stranger(entry: &Entry) -> Diagnostic {
    let unknown = Diagnostic::error(format!("`{}` can't stand in a file of rules", entry.key)).at(entry.key_span, "");
    match nearest(&entry.key, [TABLE]) {
        Some(meant) => unknown.help(format!("did you mean `{meant}`?")),
        None => unknown.help("these files hold `[rule.NAME]` only; targets stand in the packages' layers.toml"),
    }
}

fn one(entry: Entry, vars: &Vars, mistakes: &mut Vec<Diagnostic>) -> Rule {
    let Entry { key: name, key_span: span, value } = entry;
    mistakes.extend(name_mistake(&name, span));
    let kind = value.kind();
    let Node::Table(table) = value.node else {
        mistakes.push(Diagnostic::error(format!("`[rule.{name}]` is a table, not {kind}")).at(span, ""));
        return Rule::empty(&name, span);
    };
    let owner = Owner { name: &format!("[rule.{name}]"), span };
    mistakes.extend(check::check(&table, KEYS, owner, &PackagePath::default()).diagnostics);
    let written = entries(&table, "attributes");
    let attributes: Vec<_> = written.iter().map(|entry| parameter::read(entry, mistakes)).collect();
    let root = PackagePath::default();
    let texts = Attributes::new(&table, &root);
    let text = |key| texts.str(key).unwrap_or_default().trim().to_owned();
    let (doc, example) = (text("doc"), text("example"));
    let drafts = drafts(&table, &name, span, mistakes);
    let parts: Vec<&str> = drafts.iter().map(|draft| draft.name.as_str()).collect();
    let mut compiler = Compiler::new(Names { rule: &name, attributes: &attributes, parts: &parts, vars });
    let parts = drafts.iter().map(|draft| draft.compile(&mut compiler)).collect();
    mistakes.append(&mut compiler.diagnostics);
    let asks_git = compiler.asks_git;
    Rule { doc, example, attributes, parts, asks_git, ..Rule::empty(&name, span) }
}

impl Rule {
    fn empty(name: &str, span: Span) -> Rule {
        let (doc, example) = (String::new(), String::new());
        let (name, attributes, parts) = (name.into(), Vec::new(), Vec::new());
        Rule { name, span, doc, example, attributes, parts, sound: false, asks_git: false }
    }
}

fn name_mistake(name: &str, span: Span) -> Option<Diagnostic> {
    if NOT_RULES.contains(&name) {
        let message = format!("a rule can't be called `{name}`");
        return Some(Diagnostic::error(message).at(span, "").help(format!("`[{name}]` has a meaning of its own")));
    }
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    let fine = name.starts_with(|first: char| first.is_ascii_lowercase()) && name.chars().all(allowed);
    let wrong = Diagnostic::error(format!("`{name}` can't be a rule's name")).at(span, "");
    (!fine).then(|| wrong.help("a name is lower case letters, digits, `-` and `_`, beginning with a letter"))
}

/// The entries of a table of a rule; none where it isn't there or no table, which is told elsewhere.
fn entries<'a>(table: &'a Table, key: &str) -> &'a [Entry] {
    table.get(key).and_then(Value::as_table).map_or(&[], |table| &table.0)
}

/// A target's template before its placeholders are looked up.
struct Draft {
    name: String,
    span: Span,
    rule: String,
    rule_span: Span,
    when: Option<Value>,
    table: Table,
}

impl Draft {
    /// `[rule.X.target.RULE]` or `[rule.X.parts.RULE.NAME]`; `None`, and a mistake, where that is no table.
    fn read(name: &str, span: Span, rule: &Entry, value: &Value, mistakes: &mut Vec<Diagnostic>) -> Option<Draft> {
        let Node::Table(table) = &value.node else {
            mistakes.push(Diagnostic::error(format!("a target is a table, not {}", value.kind())).at(span, ""));
            return None;
        };
        let mut table = table.clone();
        let when = table.0.iter().position(|entry| entry.key == WHEN).map(|at| table.0.remove(at).value);
        let (rule, rule_span) = (rule.key.clone(), rule.key_span);
        Some(Draft { name: name.to_owned(), span, rule, rule_span, when, table })
    }

    fn compile(&self, compiler: &mut Compiler<'_>) -> Part {
        let condition = self.when.as_ref().and_then(|when| compiler.condition(when));
        let template = compiler.target(self.table.clone(), self.span);
        let (name, rule) = (self.name.clone(), self.rule.clone());
        Part { name, span: self.span, rule, rule_span: self.rule_span, condition, template }
    }
}

/// The targets of a rule, the one with the call's own name first.
fn drafts(table: &Table, rule: &str, span: Span, mistakes: &mut Vec<Diagnostic>) -> Vec<Draft> {
    let own = entries(table, "target");
    let read = |entry: &Entry, found: &mut Vec<Diagnostic>| Draft::read("", entry.key_span, entry, &entry.value, found);
    let mut drafts: Vec<Draft> = own.iter().filter_map(|entry| read(entry, mistakes)).collect();
    match own {
        [] => {
            let wrong = Diagnostic::error(format!("the rule `{rule}` makes no target of the call's own name"));
            mistakes.push(wrong.at(span, "").help(format!("add `[rule.{rule}.target.RULE]`, such as `target.image`")));
        }
        [_] => mistakes.extend(drafts.iter().filter_map(always)),
        [first, second, ..] => mistakes.push(
            Diagnostic::error(format!("the rule `{rule}` makes two targets of one name"))
                .at(second.key_span, "and again here")
                .also(first.key_span, "first here")
                .help(format!("move one to `[rule.{rule}.parts.{}.NAME]`", second.key)),
        ),
    }
    for of in entries(table, "parts") {
        for part in of.value.as_table().map_or(&[][..], |table| &table.0) {
            mistakes.extend(part_mistake(part, &drafts));
            drafts.extend(Draft::read(&part.key, part.key_span, of, &part.value, mistakes));
        }
    }
    drafts
}

fn always(draft: &Draft) -> Option<Diagnostic> {
    let when = draft.when.as_ref()?;
    let wrong = Diagnostic::error("the target that has the call's name is always made").at(when.span, "");
    Some(wrong.help("`when` is for parts"))
}

fn part_mistake(part: &Entry, drafts: &[Draft]) -> Option<Diagnostic> {
    if !is_name(&part.key) {
        let wrong = Diagnostic::error(format!("`{}` can't be a part's name", part.key)).at(part.key_span, "");
        return Some(wrong.help("a name is letters, digits, `.`, `_` or `-`, beginning with a letter or digit"));
    }
    let first = drafts.iter().find(|draft| draft.name == part.key)?;
    let wrong = Diagnostic::error(format!("two parts are named `{}`", part.key)).at(part.key_span, "and again here");
    Some(wrong.also(first.span, "first here").help("rename one"))
}
