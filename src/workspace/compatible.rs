//! `[workspace] compatible`: the versions of other workspaces that this one works with.
//!
//! Reads and compares. Which version another workspace has is told by whoever asks.

use super::attributes::{Attributes, Spanned};
use super::version;
use crate::diagnostic::Diagnostic;
use crate::label::is_name;
use crate::span::Span;

/// What is said of one other workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compatible {
    /// The name that it has here.
    pub name: String,
    /// Comparisons, as `[workspace] requires` has them.
    pub versions: String,
    /// Where it is written.
    pub span: Span,
}

/// The version of another workspace, as far as it is known.
#[derive(Debug, Clone, Copy)]
pub struct Version<'a> {
    /// The key that tells it: `version` of a workspace on disk, else `tag`.
    pub key: &'static str,
    /// What it says, and where; `None`: nothing is written, which is told at `place`.
    pub text: Option<Spanned<&'a str>>,
    /// Where the workspace is spoken of.
    pub place: Span,
}

/// Reads the attribute, a text or a list of them.
pub fn read(attributes: &Attributes<'_>) -> (Vec<Compatible>, Vec<Diagnostic>) {
    let (mut all, mut diagnostics) = (Vec::new(), Vec::new());
    for written in attributes.strings("compatible") {
        match one(written) {
            Ok(compatible) => all.push(compatible),
            Err(mistake) => diagnostics.push(mistake),
        }
    }
    (all, diagnostics)
}

/// A name, then comparisons.
fn one(written: Spanned<&str>) -> Result<Compatible, Diagnostic> {
    let text = written.value.trim();
    let cut = text.find(|c: char| c.is_whitespace() || "<>=".contains(c)).unwrap_or(text.len());
    let (name, versions) = (&text[..cut], text[cut..].trim());
    if is_name(name) && version::meets(versions, "0").is_some() {
        return Ok(Compatible { name: name.to_owned(), versions: versions.to_owned(), span: written.span });
    }
    let general =
        || "write a workspace's name, then comparisons joined by commas, such as `platform >= 0.1, < 0.3`".to_owned();
    let mended = version::mended_requirement(versions).filter(|_| is_name(name));
    Err(Diagnostic::error(format!("`{}` doesn't say which versions of what", written.value))
        .at(written.span, "")
        .help(mended.map_or_else(general, |mended| format!("did you mean `{name} {mended}`?"))))
}

impl Compatible {
    /// What is wrong with the version that the other workspace has.
    pub fn judge(&self, version: Version<'_>) -> Option<Diagnostic> {
        let Version { key, text, place } = version;
        let (name, wanted) = (&self.name, &self.versions);
        let is = text.map(|text| text.value).unwrap_or_default();
        match version::meets(wanted, is) {
            Some(true) => None,
            Some(false) => Some(
                Diagnostic::error(format!("this workspace works with `{name}` {wanted}, and that is {is}"))
                    .at(self.span, "the versions that it works with")
                    .also(text.map_or(place, |text| text.span), "the version that there is")
                    .help(format!("take a version of `{name}` that fits, or change `compatible`")),
            ),
            None => Some(self.unknown(key, text, place)),
        }
    }

    fn unknown(&self, key: &str, text: Option<Spanned<&str>>, place: Span) -> Diagnostic {
        let why = match text {
            Some(text) => format!("its `{key}` is `{}`", text.value),
            None => format!("it has no `{key}`"),
        };
        Diagnostic::error(format!("the version of `{}` is not known: {why}", self.name))
            .at(self.span, format!("is held against its `{key}`"))
            .also(text.map_or(place, |text| text.span), "")
            .help(format!("write its `{key}` as a version, such as \"0.2.0\", or leave it out of `compatible`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::FileId;

    fn parsed(text: &str) -> Result<(String, String), String> {
        let span = Span::new(FileId(0), 0..1);
        let parsed = one(Spanned { value: text, span });
        parsed.map(|it| (it.name, it.versions)).map_err(|mistake| mistake.message)
    }

    #[test]
    fn a_name_and_comparisons_are_told_apart_with_and_without_blanks() {
        for text in ["platform >= 0.1, < 0.3", "platform>= 0.1, < 0.3", " platform   >= 0.1, < 0.3 "] {
            assert_eq!(parsed(text), Ok(("platform".to_owned(), ">= 0.1, < 0.3".to_owned())), "{text}");
        }
        for text in ["platform", ">= 0.1", "platform 0.1", "@platform >= 1", "platform >= x", "platform >= 00.1", ""] {
            assert!(parsed(text).is_err(), "{text}");
        }
    }
}
