//! `${vars.NAME}` in a file's strings, replaced while it is loaded.
//!
//! Of all dollars only `${vars.…}`, `${git.…}` and `${env.…}` are ours, and `$$` before one of these writes it as plain
//! text. Knows nothing of how an image's `env` reads the other dollars.

use std::collections::BTreeMap;

use super::value::{Node, Table, Value};
use crate::diagnostic::{Diagnostic, nearest};
use crate::span::Span;

const OURS: [&str; 3] = ["vars", "git", "env"];

/// Replaces in all strings of a table; keys are left as they are.
pub fn replace(table: &mut Table, vars: &BTreeMap<String, String>) -> Vec<Diagnostic> {
    let mut replacer = Replacer { vars, diagnostics: Vec::new() };
    replacer.table(table);
    replacer.diagnostics
}

/// Replaces in one text, which stands in the string at `span`.
pub fn replace_text(
    text: &str,
    span: Span,
    vars: &BTreeMap<String, String>,
    diagnostics: &mut Vec<Diagnostic>,
) -> String {
    let mut replacer = Replacer { vars, diagnostics: Vec::new() };
    let replaced = replacer.text(text, span);
    diagnostics.append(&mut replacer.diagnostics);
    replaced
}

/// The text that [`replace`] makes this one of: what looks like one of ours gets its second dollar back.
pub fn escape(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find("${") {
        let behind = reference(&rest[at..]).map(|(_, _, behind)| behind);
        let end = rest.len() - behind.map_or(rest.len() - at - 2, str::len);
        out.extend([&rest[..at], if behind.is_some() { "$" } else { "" }, &rest[at..end]]);
        rest = &rest[end..];
    }
    out + rest
}

struct Replacer<'a> {
    vars: &'a BTreeMap<String, String>,
    diagnostics: Vec<Diagnostic>,
}

impl Replacer<'_> {
    fn table(&mut self, table: &mut Table) {
        table.0.iter_mut().for_each(|entry| self.value(&mut entry.value));
    }

    fn value(&mut self, value: &mut Value) {
        match &mut value.node {
            Node::String(text) if text.contains("${") => *text = self.text(text, value.span),
            Node::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Node::Table(table) => self.table(table),
            _ => {}
        }
    }

    fn text(&mut self, text: &str, span: Span) -> String {
        let (mut out, mut rest) = (String::with_capacity(text.len()), text);
        while let Some(at) = rest.find("${") {
            let Some((kind, name, behind)) = reference(&rest[at..]) else {
                out.push_str(&rest[..at + 2]);
                rest = &rest[at + 2..];
                continue;
            };
            let written = &rest[at..rest.len() - behind.len()];
            match rest[..at].strip_suffix('$') {
                Some(before) => out.extend([before, written]),
                None => {
                    let place = part(span, text, text.len() - rest.len() + at, written.len());
                    out.extend([&rest[..at], &self.meaning(kind, name, place)]);
                }
            }
            rest = behind;
        }
        out + rest
    }

    fn meaning(&mut self, kind: &str, name: &str, span: Span) -> String {
        let diagnostic = match (kind, self.vars.get(name)) {
            ("vars", Some(text)) => return text.clone(),
            ("vars", None) => self.no_such_var(name),
            ("git", _) => Diagnostic::error(format!("`${{git.{name}}}` is not supported by this version of layerbuild")),
            _ => Diagnostic::error(format!("`${{env.{name}}}` stands only in attributes of effects"))
                .help("what an image is built from can't depend on the environment; `${vars.NAME}` takes a text from `[vars]`"),
        };
        let plain = format!("`$${{{kind}.{name}}}` writes it as plain text");
        self.diagnostics.push(diagnostic.at(span, "").help(plain));
        String::new()
    }

    fn no_such_var(&self, name: &str) -> Diagnostic {
        let diagnostic = Diagnostic::error(format!("`[vars]` has no `{name}`"));
        match nearest(name, self.vars.keys().map(String::as_str)) {
            Some(meant) => diagnostic.help(format!("did you mean `${{vars.{meant}}}`?")),
            None => diagnostic.help(format!("add `{name} = \"…\"` to `[vars]` in the workspace's layers.toml")),
        }
    }
}

/// The place of a part of a string; that of the whole string where it holds escapes, or is written otherwise than in
/// one pair of quotes.
pub fn part(span: Span, text: &str, at: usize, length: usize) -> Span {
    let range = span.range();
    let start = range.start + 1 + at;
    if range.len() == text.len() + 2 { Span::new(span.file, start..start + length) } else { span }
}

/// `${kind.name}` at the beginning of a text, and what follows it; `None` where it is not one of ours.
fn reference(text: &str) -> Option<(&str, &str, &str)> {
    let (inside, behind) = text.strip_prefix("${")?.split_once('}')?;
    let (kind, name) = inside.split_once('.')?;
    OURS.contains(&kind).then_some((kind, name, behind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::FileId;

    fn replaced(text: &str) -> (String, Vec<Diagnostic>) {
        let vars = BTreeMap::from([("version".to_owned(), "1.2".to_owned())]);
        let mut replacer = Replacer { vars: &vars, diagnostics: Vec::new() };
        let out = replacer.text(text, Span::new(FileId(0), 0..0));
        (out, replacer.diagnostics)
    }

    #[test]
    fn what_is_escaped_is_replaced_by_itself() {
        for text in ["${vars.version} $${env.HOME}$", "a$$${git.x}", "${PATH}${", "${vars.a${vars.b}}"] {
            assert_eq!(replaced(&escape(text)), (text.to_owned(), Vec::new()), "{}", escape(text));
        }
    }

    #[test]
    fn only_our_own_dollars_are_touched() {
        for (text, meant) in [
            ("v${vars.version}-${vars.version}", "v1.2-1.2"),
            ("$${vars.version}", "${vars.version}"),
            ("$${env.HOME} and ${HOME}", "${env.HOME} and ${HOME}"),
            ("${PATH}:$$x ${a.b} $", "${PATH}:$$x ${a.b} $"),
            ("${vars.version", "${vars.version"),
        ] {
            assert_eq!(replaced(text), (meant.to_owned(), Vec::new()), "{text}");
        }
    }

    #[test]
    fn one_of_ours_in_the_wrong_place_is_an_error_with_the_right_spelling() {
        let shown = |text| format!("{:?}", replaced(text).1);
        assert!(shown("${vars.verson}").contains("did you mean `${vars.version}`?"));
        assert!(shown("${env.HOME}").contains("stands only in attributes of effects"));
        assert!(shown("${env.HOME}").contains("`$${env.HOME}` writes it as plain text"));
        assert!(shown("${git.sha}").contains("not supported"));
    }
}
