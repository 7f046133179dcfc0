//! What git says, put into the targets that ask for it.
//!
//! Of the targets that are given only: no other one's key, or error, has anything of git in it.

use super::git::{Field, Git};
use super::marks;
use super::model::Workspace;
use crate::diagnostic::Diagnostic;
use crate::label::Label;
use crate::span::{Sources, Span};

/// What came of it.
#[derive(Debug, Default)]
pub struct Stamped {
    /// What git had no answer to, at the places that ask.
    pub diagnostics: Vec<Diagnostic>,
    /// Whether any target asked.
    pub any: bool,
}

/// Fills in the targets of these labels, which are all of one workspace, that whose git is asked.
pub fn stamp(workspace: &mut Workspace, labels: &[Label], git: &Git) -> Stamped {
    let mut stamper = Stamper { git, sources: &workspace.sources, stamped: Stamped::default() };
    for label in labels {
        let found = workspace.packages.binary_search_by(|package| package.path.cmp(&label.package));
        let Ok(at) = found else { continue };
        let package = &mut workspace.packages[at];
        if let Some(at) = package.position(&label.name) {
            package.targets[at].table.each_text_mut(&mut |text, span| stamper.text(text, span));
        }
    }
    stamper.stamped
}

/// Fills in one text. `span`: where it stands; its mistakes are told there.
pub fn text(text: &str, span: Option<Span>, sources: &Sources, git: &Git) -> Result<String, Vec<Diagnostic>> {
    let mut mistakes = Vec::new();
    let filled = marks::fill(text, &mut |field| {
        git.value(field).unwrap_or_else(|error| {
            let diagnostic = Diagnostic::error(error.to_string());
            let diagnostic = span.into_iter().fold(diagnostic, |it, span| it.at(place(field, span, sources), ""));
            let plain = format!("`$${{git.{}}}` writes it as plain text", field.name());
            mistakes.push(diagnostic.help(error.hint()).help(plain));
            String::new()
        })
    });
    if mistakes.is_empty() { Ok(filled) } else { Err(mistakes) }
}

/// Where a field is named within a string; the whole string where a variable brought it.
fn place(field: Field, span: Span, sources: &Sources) -> Span {
    let written = format!("${{git.{}}}", field.name());
    let range = span.range();
    let found = sources.get(span.file).text.get(range.clone()).and_then(|text| text.find(&written));
    found.map_or(span, |at| Span::new(span.file, range.start + at..range.start + at + written.len()))
}

struct Stamper<'a> {
    git: &'a Git,
    sources: &'a Sources,
    stamped: Stamped,
}

impl Stamper<'_> {
    fn text(&mut self, written: &mut String, span: Span) {
        if !marks::is_marked(written) {
            return;
        }
        self.stamped.any = true;
        match text(written, Some(span), self.sources, self.git) {
            Ok(filled) => *written = filled,
            Err(mistakes) => self.stamped.diagnostics.extend(mistakes),
        }
    }
}
