//! Another workspace that is checked out beside this one: where it says that its images are published.
//!
//! Its settings alone, as they hold without a profile. Its packages are not read, and nothing of it is built.

use camino::Utf8Path;

use super::attributes::Spanned;
use super::parse;
use super::places::{DEFAULT_REGISTRY, DEFAULT_TAG};
use super::root::FILE_NAME;
use super::text::read_text;
use super::value::Table;
use crate::checkout::Checkout;
use crate::diagnostic::Diagnostic;
use crate::span::FileId;

/// What the other workspace says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside {
    /// `HOST[:PORT][/PREFIX]`: where its images are published.
    pub registry: String,
    /// The tag that they are published under.
    pub tag: String,
}

/// Reads the settings of the workspace at `path`, which is relative to the folder of this one.
pub fn read(path: Spanned<&str>, folder: &Utf8Path, checkout: &dyn Checkout) -> Result<Beside, Diagnostic> {
    let wrong = |message: String| Diagnostic::error(message).at(path.span, "");
    if path.value.starts_with('/') {
        return Err(wrong(
            "`path` is relative to this workspace's folder, so that it holds on every machine".to_owned(),
        ));
    }
    let there = folder.join(path.value);
    let is_this = checkout.resolve(&there).ok().is_some_and(|there| checkout.resolve(folder).ok() == Some(there));
    if is_this {
        return Err(wrong("`path` leads to this workspace itself".to_owned()));
    }
    let text = read_text(checkout, &there.join(FILE_NAME), FILE_NAME, FileId(0));
    if let Some(mistake) = text.mistake {
        let help = "check it out there, or write `registry` instead of `path`";
        return Err(wrong(format!("no workspace is at `{}`: {}", path.value, mistake.message)).help(help));
    }
    let parsed = parse::parse(&text.text, FileId(0));
    if !parsed.broken.is_empty() {
        return Err(wrong(format!("the {FILE_NAME} at `{}` is not TOML", path.value)).help("run `layerbuild` there"));
    }
    let Some(workspace) = parsed.table.get("workspace").and_then(|value| value.as_table()) else {
        return Err(wrong(format!("the {FILE_NAME} at `{}` is no workspace's: it has no `[workspace]`", path.value)));
    };
    settings(workspace).map_err(|key| {
        wrong(format!("`{key}` of the workspace at `{}` depends on variables, which are not read", path.value))
            .help(format!("write `{key}` here, beside `path`"))
    })
}

/// The error is the key whose text is not known from the file alone.
fn settings(workspace: &Table) -> Result<Beside, &'static str> {
    let text = |key: &'static str, default: &str| match workspace.get(key).and_then(|value| value.as_str()) {
        Some(text) if text.contains("${") => Err(key),
        text => Ok(text.unwrap_or(default).to_owned()),
    };
    Ok(Beside { registry: text("registry", DEFAULT_REGISTRY)?, tag: text("tag", DEFAULT_TAG)? })
}
