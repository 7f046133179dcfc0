//! `[vars]`: the workspace declares variables, and profiles, the local file and the call set them again.
//!
//! A variable may use others; what the call gives is plain text. Knows nothing of where variables are used.

use std::collections::BTreeMap;

use super::check::{self, Owner};
use super::dollars::{self, Reference};
use super::origin::{By, Origin};
use super::schema::{Attribute, Type, optional};
use super::value::{Entry, Table};
use crate::diagnostic::{Diagnostic, nearest};
use crate::label::PackagePath;
use crate::span::Span;

/// A variable's text and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Var {
    /// What it stands for; what git says is marked in it.
    pub text: String,
    /// Who said so last.
    pub origin: Origin,
}

/// The variables by name.
pub type Vars = BTreeMap<String, Var>;

/// What a call says of variables.
#[derive(Debug, Clone, Copy, Default)]
pub struct Given<'a> {
    /// `--var NAME=VALUE`, in order. One that is not declared is an error.
    pub flags: &'a [(String, String)],
    /// The environment's variables that begin with [`PREFIX`], each without it. What they name need not be declared:
    /// an environment serves several workspaces.
    pub environment: &'a [(String, String)],
}

/// A variable has no more bytes than this once those that it uses are replaced: a few that use each other ten times over
/// would fill any memory.
const LONGEST: usize = 64 << 10;
/// So many variables stand in each other at most.
const DEEPEST: usize = 64;

/// What the twin of `--var NAME=VALUE` begins with; NAME follows in upper case, other signs than letters and digits as `_`.
pub const PREFIX: &str = "LAYERBUILD_VAR_";

const VARS: &[Attribute] = &[optional("vars", Type::Map(&Type::String), "")];

/// Gathers who says what.
pub struct Reader {
    /// As written, dollars and all.
    written: Vars,
    diagnostics: Vec<Diagnostic>,
}

impl Reader {
    /// Begins with what the workspace declares.
    pub fn new(declared: Option<&Entry>) -> Reader {
        let mut reader = Reader { written: Vars::new(), diagnostics: Vec::new() };
        for entry in declared.into_iter().flat_map(|entry| reader.checked(entry, "[vars]")).collect::<Vec<_>>() {
            reader.set(entry, &By::Workspace);
        }
        reader
    }

    /// Takes what somebody sets again; a variable that is not declared is an error. `name`: the table's, for messages.
    pub fn lay_over(&mut self, entry: &Entry, name: &str, by: &By) {
        for var in self.declared(entry, name) {
            self.set(var, by);
        }
    }

    /// Reports what is wrong with a table that is not used.
    pub fn check(&mut self, entry: &Entry, name: &str) {
        self.declared(entry, name);
    }

    /// Takes what the call says.
    pub fn give(&mut self, given: &Given<'_>) {
        for (name, var) in &mut self.written {
            let twin = twin(name);
            if let Some((_, text)) = given.environment.iter().find(|(name, _)| *name == twin) {
                *var = Var { text: text.clone(), origin: Origin::Variable(format!("{PREFIX}{twin}")) };
            }
        }
        for (name, text) in given.flags {
            match self.written.get_mut(name) {
                Some(var) => *var = Var { text: text.clone(), origin: Origin::Flag(format!("--var {name}")) },
                None => self.diagnostics.push(self.undeclared(&format!("--var {name}"), name)),
            }
        }
    }

    /// The variables, each with those that it uses replaced, and every mistake.
    pub fn resolve(self) -> (Vars, Vec<Diagnostic>) {
        let (done, open, written) = (BTreeMap::new(), Vec::new(), &self.written);
        let mut resolver = Resolver { written, done, open, is_too_deep: false, diagnostics: self.diagnostics };
        for name in self.written.keys() {
            resolver.text(name);
        }
        let Resolver { done, diagnostics, .. } = resolver;
        let origin = |name: &str| self.written[name].origin.clone();
        let vars = done.into_iter().map(|(name, text)| (name.to_owned(), Var { text, origin: origin(name) }));
        (vars.collect(), diagnostics)
    }

    fn set(&mut self, entry: &Entry, by: &By) {
        // What is no string is told of already, and declared all the same.
        let text = entry.value.as_str().unwrap_or_default().to_owned();
        self.written.insert(entry.key.clone(), Var { text, origin: by.at(entry.value.span) });
    }

    /// The entries of a table of strings.
    fn checked<'a>(&mut self, entry: &'a Entry, name: &str) -> &'a [Entry] {
        let owner = Owner { name, span: entry.key_span };
        let table = Table(vec![Entry { key: "vars".to_owned(), ..entry.clone() }]);
        self.diagnostics.extend(check::check(&table, VARS, owner, &PackagePath::default()).diagnostics);
        entry.value.as_table().map_or(&[], |table| &table.0)
    }

    fn declared<'a>(&mut self, entry: &'a Entry, name: &str) -> Vec<&'a Entry> {
        let entries = self.checked(entry, name);
        let (known, unknown): (Vec<_>, Vec<_>) =
            entries.iter().partition(|entry: &&Entry| self.written.contains_key(&entry.key));
        for entry in unknown {
            let mistake = self.undeclared(&entry.key, &entry.key).at(entry.key_span, "");
            self.diagnostics.push(mistake);
        }
        known
    }

    fn undeclared(&self, written: &str, name: &str) -> Diagnostic {
        let diagnostic = Diagnostic::error(format!("`{written}` sets a variable that `[vars]` does not declare"));
        match nearest(name, self.written.keys().map(String::as_str)) {
            Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
            None => diagnostic.help(format!("add `{name} = \"…\"` to `[vars]` in the workspace's layers.toml")),
        }
    }
}

/// A variable's name as the environment has it, behind [`PREFIX`].
fn twin(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}

struct Resolver<'a> {
    written: &'a Vars,
    done: BTreeMap<&'a str, String>,
    /// The variables that are being replaced in.
    open: Vec<Open<'a>>,
    /// Whether that was told.
    is_too_deep: bool,
    diagnostics: Vec<Diagnostic>,
}

/// A variable that is being replaced in.
struct Open<'a> {
    name: &'a str,
    /// Where it uses the next.
    next: Span,
    /// How many bytes others have brought so far.
    brought: usize,
}

impl<'a> Resolver<'a> {
    fn text(&mut self, name: &'a str) -> String {
        if let Some(text) = self.done.get(name) {
            return text.clone();
        }
        let var = &self.written[name];
        let text = match var.origin.span() {
            Some(span) => {
                self.open.push(Open { name, next: span, brought: 0 });
                let text = dollars::rewrite(&var.text, span, &mut |reference| self.meaning(reference));
                // What uses one that is too long is not told of it once more.
                let is_whole = self.open.pop().is_some_and(|open| open.brought <= LONGEST);
                if is_whole { text } else { String::new() }
            }
            None => var.text.clone(),
        };
        self.done.insert(name, text.clone());
        text
    }

    fn meaning(&mut self, reference: &Reference<'_>) -> String {
        let meaning = match (reference.kind, self.written.get_key_value(reference.name)) {
            ("vars", Some((name, _))) => return self.used(name, reference.place),
            ("vars", None) => Err(dollars::no_such_var(reference, self.written.keys())),
            _ => dollars::foreign(reference),
        };
        meaning.unwrap_or_else(|mistake| {
            self.diagnostics.push(mistake);
            String::new()
        })
    }

    fn used(&mut self, name: &'a str, place: Span) -> String {
        if let Some(open) = self.open.last_mut() {
            open.next = place;
        }
        match self.open.iter().position(|open| open.name == name) {
            Some(at) => {
                self.diagnostics.push(draw(&self.open[at..]));
                String::new()
            }
            None if self.open.len() == DEEPEST => self.too_deep(name, place),
            None => {
                let text = self.text(name);
                self.brought(text, place)
            }
        }
    }

    /// Told once: whoever stands on a chain that is too long stands on another that is.
    fn too_deep(&mut self, name: &str, place: Span) -> String {
        if !std::mem::replace(&mut self.is_too_deep, true) {
            let mistake = Diagnostic::error(format!("variables stand in each other more than {DEEPEST} deep"));
            self.diagnostics.push(mistake.at(place, format!("`{name}` is one too many")));
        }
        String::new()
    }

    /// The text, as long as the variable that uses it does not get too long; that is told once.
    fn brought(&mut self, text: String, place: Span) -> String {
        let Some(Open { name, brought, .. }) = self.open.last_mut() else { return text };
        let before = *brought;
        *brought = before.saturating_add(text.len());
        if *brought <= LONGEST {
            return text;
        }
        if before <= LONGEST {
            let mistake = Diagnostic::error(format!("the variable `{name}` gets longer than {} KiB", LONGEST >> 10));
            self.diagnostics.push(mistake.at(place, "by what this stands for"));
        }
        String::new()
    }
}

fn draw(circle: &[Open<'_>]) -> Diagnostic {
    let names: Vec<&str> = circle.iter().chain(circle.first()).map(|open| open.name).collect();
    let mut diagnostic = Diagnostic::error(format!("variables use one another in a circle: {}", names.join(" → ")));
    for (index, Open { next: place, .. }) in circle.iter().enumerate() {
        let label = format!("`{}` uses `{}`", names[index], names[index + 1]);
        diagnostic = if index == 0 { diagnostic.at(*place, label) } else { diagnostic.also(*place, label) };
    }
    diagnostic
}

#[cfg(test)]
mod tests {
    use super::super::load::Options;
    use super::super::testing::{Tree, expect};
    use super::*;

    fn load(text: &str, given: Given<'_>, profile: Option<&str>) -> (Vec<(String, String)>, Vec<String>) {
        let tree = Tree::new(&[("layers.toml", &format!("[workspace]\nname = \"x\"\n{text}"))]);
        let (workspace, problems) = tree.load_as(&["//..."], Options { given, profile, ..Options::default() });
        let vars = workspace.settings.vars.into_iter().map(|(name, var)| (name, var.text));
        (vars.collect(), problems)
    }

    fn pair(name: &str, text: &str) -> (String, String) {
        (name.to_owned(), text.to_owned())
    }

    #[test]
    fn variables_use_others_and_what_lies_over_one_is_seen_by_all() {
        let text = "[vars]\nimage = \"${vars.name}-${vars.version}\"\nname = \"a\"\nversion = \"1\"\nplain = \"$${vars.name}\"\n\
                    [profile.p.vars]\nversion = \"2\"\n";
        let (vars, problems) = load(text, Given::default(), None);
        assert_eq!(problems, [""; 0]);
        assert_eq!(vars[0], pair("image", "a-1"));
        assert_eq!(vars[2], pair("plain", "${vars.name}"));
        let (vars, problems) = load(text, Given::default(), Some("p"));
        assert_eq!((vars[0].clone(), problems.len()), (pair("image", "a-2"), 0));
    }

    #[test]
    fn a_circle_is_drawn_once_and_what_is_missing_is_underlined() {
        let text = "[vars]\na = \"x${vars.b}\"\nb = \"${vars.a}\"\nc = \"${vars.a} ${vars.gone} ${env.HOME}\"\n";
        expect(
            &load(text, Given::default(), None).1,
            &[
                &["variables use one another in a circle: a → b → a", "layers.toml:4:7", "`b` uses `a`"],
                &["`[vars]` has no `gone`", "layers.toml:6:16"],
                &["`${env.HOME}` stands only in attributes of effects", "layers.toml:6:29"],
            ],
        );
    }

    #[test]
    fn variables_that_use_each_other_many_times_fill_no_memory() {
        let mut text = "[vars]\nv0 = \"0123456789abcdef\"\n".to_owned();
        for number in 1..20 {
            text += &format!("v{number} = \"{}\"\n", format!("${{vars.v{}}}", number - 1).repeat(10));
        }
        let (vars, problems) = load(&text, Given::default(), None);
        expect(&problems, &[&["the variable `v4` gets longer than 64 KiB", "layers.toml:8:47"]]);
        assert!(vars.iter().all(|(_, text)| text.len() <= LONGEST), "{problems:?}");
        assert_eq!(vars.iter().find(|(name, _)| name == "v3").map(|(_, text)| text.len()), Some(16_000));
    }

    #[test]
    fn a_chain_of_variables_goes_only_so_deep() {
        let chain = |count| {
            let next = |number| format!("v{number:05} = \"${{vars.v{:05}}}\"\n", number + 1);
            let text: String = (0..count).map(next).collect();
            load(&format!("[vars]\n{text}v{count:05} = \"x\"\n"), Given::default(), None)
        };
        let (vars, problems) = chain(60);
        assert_eq!((vars[0].1.as_str(), problems.len()), ("x", 0));
        expect(&chain(20_000).1, &[&["variables stand in each other more than 64 deep", "`v00064` is one too many"]]);
    }

    #[test]
    fn the_call_wins_over_the_environment_and_both_are_plain_text() {
        let text = "[vars]\npy-version = \"1\"\nother = \"2\"\n";
        let environment = [pair("PY_VERSION", "3"), pair("OTHER", "${vars.other}"), pair("SOMEBODYS", "x")];
        let flags = [pair("py-version", "4")];
        let (vars, problems) = load(text, Given { flags: &flags, environment: &environment }, None);
        assert_eq!(problems, [""; 0]);
        assert_eq!(vars, [pair("other", "${vars.other}"), pair("py-version", "4")]);
    }

    #[test]
    fn only_what_is_declared_can_be_set() {
        let text = "[vars]\npython = \"1\"\n[profile.p.vars]\npyhton = \"2\"\n";
        let flags = [pair("zebra", "4")];
        expect(
            &load(text, Given { flags: &flags, environment: &[] }, None).1,
            &[
                &["`--var zebra` sets a variable that `[vars]` does not declare"],
                &["`pyhton` sets a variable", "layers.toml:6:1", "did you mean `python`?"],
            ],
        );
    }
}
