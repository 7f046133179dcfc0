//! Our dollars in a text: `${vars.…}`, `${git.…}` and `${env.…}`, and of all dollars only these. `$$` before one of them
//! writes it as plain text.
//!
//! Knows nothing of what variables there are, nor of how an image's `env` reads the other dollars.

use super::git::Field;
use super::marks;
use crate::diagnostic::{Diagnostic, nearest};
use crate::span::Span;

const OURS: [&str; 3] = ["vars", "git", "env"];

/// One of our dollars: `${kind.name}`.
#[derive(Debug, Clone, Copy)]
pub struct Reference<'a> {
    /// `vars`, `git` or `env`.
    pub kind: &'a str,
    /// What is named.
    pub name: &'a str,
    /// Where it stands.
    pub place: Span,
}

/// The text that [`rewrite`] makes this one of: what looks like one of ours gets its second dollar back.
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

/// A text with each of our dollars replaced by what it means, and `$$` before one taken back to a dollar.
pub fn rewrite(text: &str, span: Span, meaning: &mut dyn FnMut(&Reference<'_>) -> String) -> String {
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
                out.extend([&rest[..at], &meaning(&Reference { kind, name, place })]);
            }
        }
        rest = behind;
    }
    out + rest
}

/// What a reference other than `${vars.…}` means while a file is loaded.
pub fn foreign(reference: &Reference<'_>) -> Result<String, Diagnostic> {
    let Reference { kind, name, .. } = reference;
    if *kind == "git" {
        return Field::parse(name).map(marks::mark).ok_or_else(|| no_such_field(reference));
    }
    let message = format!("`${{env.{name}}}` stands only in attributes of effects");
    let help = "what an image is built from can't depend on the environment; `${vars.NAME}` takes a text from `[vars]`";
    Err(mistaken(Diagnostic::error(message).help(help), reference))
}

/// Words for a variable that nobody declares, of those that there are.
pub fn no_such_var<'a>(reference: &Reference<'_>, known: impl IntoIterator<Item = &'a String>) -> Diagnostic {
    let name = reference.name;
    let diagnostic = Diagnostic::error(format!("`[vars]` has no `{name}`"));
    let diagnostic = match nearest(name, known.into_iter().map(String::as_str)) {
        Some(meant) => diagnostic.help(format!("did you mean `${{vars.{meant}}}`?")),
        None => diagnostic.help(format!("add `{name} = \"…\"` to `[vars]` in the workspace's layers.toml")),
    };
    mistaken(diagnostic, reference)
}

fn no_such_field(reference: &Reference<'_>) -> Diagnostic {
    let names: Vec<String> = Field::names().map(|name| format!("`${{git.{name}}}`")).collect();
    let diagnostic = Diagnostic::error(format!("there is no `${{git.{}}}`", reference.name));
    let diagnostic = match nearest(reference.name, Field::names()) {
        Some(meant) => diagnostic.help(format!("did you mean `${{git.{meant}}}`?")),
        None => diagnostic.help(format!("of git there are {}", names.join(", "))),
    };
    mistaken(diagnostic, reference)
}

/// A reference that can't be what was meant; how to write it as plain text.
pub fn mistaken(diagnostic: Diagnostic, reference: &Reference<'_>) -> Diagnostic {
    let Reference { kind, name, place } = reference;
    diagnostic.at(*place, "").help(format!("`$${{{kind}.{name}}}` writes it as plain text"))
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
