//! Errors and warnings as data: what is wrong, where, and what to do.
//!
//! Made by every stage that reads what the user wrote, rendered here, printed by `cli` alone.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::span::{Sources, Span};

/// How bad a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The command can't go on.
    Error,
    /// Worth knowing; the command goes on.
    Warning,
}

/// A place that a diagnostic points at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The underlined text.
    pub span: Span,
    /// What to say beside it; may be empty.
    pub label: String,
}

/// One error or warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong: a lower-case phrase without a full stop.
    pub message: String,
    /// The offending text; `None` where no text of the workspace is at fault.
    pub primary: Option<Place>,
    /// Other places that matter ("first declared here").
    pub others: Vec<Place>,
    /// What to do, one sentence each.
    pub help: Vec<String>,
}

impl Diagnostic {
    /// An error with a message only.
    pub fn error(message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            message: message.into(),
            primary: None,
            others: Vec::new(),
            help: Vec::new(),
        }
    }

    /// A warning with a message only.
    pub fn warning(message: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(message) }
    }

    /// Sets the offending text.
    #[must_use]
    pub fn at(mut self, span: Span, label: impl Into<String>) -> Diagnostic {
        self.primary = Some(Place { span, label: label.into() });
        self
    }

    /// Adds another place that matters.
    #[must_use]
    pub fn also(mut self, span: Span, label: impl Into<String>) -> Diagnostic {
        self.others.push(Place { span, label: label.into() });
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Diagnostic {
        self.help.push(text.into());
        self
    }

    /// The diagnostic as shown to a person, with the text underlined. `color`: with ANSI styles.
    pub fn render(&self, sources: &Sources, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[self.group(sources)]).to_string()
    }

    fn group<'a>(&'a self, sources: &'a Sources) -> Group<'a> {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group = level.primary_title(&self.message).elements(self.snippets(sources));
        for help in &self.help {
            group = group.element(Level::HELP.message(help));
        }
        group
    }

    /// One snippet a file, the primary place's file first.
    fn snippets<'a>(&'a self, sources: &'a Sources) -> Vec<Snippet<'a, annotate_snippets::Annotation<'a>>> {
        let places = self.primary.iter().map(|place| (place, AnnotationKind::Primary));
        let others = self.others.iter().map(|place| (place, AnnotationKind::Context));
        let mut snippets: Vec<(crate::span::FileId, Snippet<'a, _>)> = Vec::new();
        for (place, kind) in places.chain(others) {
            let annotation = kind.span(place.span.range()).label(&place.label);
            let known = snippets.iter().position(|(file, _)| *file == place.span.file);
            let (file, snippet) = match known {
                Some(index) => snippets.remove(index),
                None => (place.span.file, open(sources, place.span)),
            };
            let at = known.unwrap_or(snippets.len());
            snippets.insert(at, (file, snippet.annotation(annotation)));
        }
        snippets.into_iter().map(|(_, snippet)| snippet).collect()
    }
}

fn open(sources: &Sources, span: Span) -> Snippet<'_, annotate_snippets::Annotation<'_>> {
    let file = sources.get(span.file);
    Snippet::source(&*file.text).path(file.path.as_str())
}

/// The candidate nearest to what was written; `None` when nothing is near enough to be meant.
pub fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (written.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(written, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_nonsense_is_not() {
        assert_eq!(nearest("iamge", ["files", "tar", "image"]), Some("image"));
        assert_eq!(nearest("zebra", ["files", "tar", "image"]), None);
    }

    #[test]
    fn rendering_names_file_line_text_and_help() {
        let mut sources = Sources::default();
        let file = sources.add("pkg/layers.toml".into(), "[files.a]\nsrc = 1\n".into());
        let span = Span::new(file, 10..13);
        let shown = Diagnostic::error("unknown attribute `src`")
            .at(span, "not an attribute of files")
            .help("did you mean `srcs`?")
            .render(&sources, false);
        assert!(shown.contains("pkg/layers.toml:2:1"), "{shown}");
        assert!(shown.contains("^^^ not an attribute of files"), "{shown}");
        assert!(shown.contains("did you mean `srcs`?"), "{shown}");
    }
}
