//! Target patterns on the command line: telling them from verbs and flags.
//!
//! Knows nothing of what a pattern means; `-//p/x` takes away from what stands to its left.

use std::ffi::{OsStr, OsString};
use std::io;

use camino::Utf8PathBuf;

use super::context::Context;
use super::error::CliError;
use super::global::Verbosity;
use crate::exit::Exit;

/// Patterns of a verb, left to right as written.
#[derive(Debug, Clone, clap::Args)]
pub struct Patterns {
    /// Labels and patterns: //p:t, //p, :t, //p/..., //p:all; -//p/x takes away, left to right
    #[arg(value_name = "PATTERN", required = true, value_parser = read)]
    pub patterns: Vec<String>,
}

/// Patterns of a verb, left to right as written, or a list of them that a program made.
#[derive(Debug, Clone, clap::Args)]
pub struct ListedPatterns {
    /// Labels and patterns: //p:t, //p, :t, //p/..., //p:all; -//p/x takes away, left to right
    #[arg(value_name = "PATTERN", required_unless_present = "targets_from", value_parser = read)]
    pub patterns: Vec<String>,
    /// Take the patterns of a file, one a line; `-` is stdin. Targets that the verb doesn't take are passed over
    #[arg(long, value_name = "FILE", conflicts_with = "patterns")]
    pub targets_from: Option<Utf8PathBuf>,
}

impl ListedPatterns {
    /// The patterns, and whether they are such a list; `None` where there is nothing in it, which is said.
    pub fn all(&self, cx: &mut Context) -> Result<Option<(Vec<String>, bool)>, CliError> {
        let Some(file) = &self.targets_from else { return Ok(Some((self.patterns.clone(), false))) };
        let text = if file == "-" { cx.input.text() } else { std::fs::read_to_string(cx.path(file)) };
        let listed = lines(&text.map_err(|error| unreadable(file.as_str(), &error))?);
        if listed.is_empty() {
            nothing_to_do(cx);
        }
        Ok((!listed.is_empty()).then_some((listed, true)))
    }
}

fn unreadable(file: &str, error: &io::Error) -> CliError {
    let what = if file == "-" { "the list of targets on stdin".to_owned() } else { format!("`{file}`") };
    let told = CliError::io(format!("cannot read {what}"), error);
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::InvalidData => CliError { exit: Exit::Usage, ..told },
        _ => told,
    }
}

/// Says on stderr that a list named nothing that the verb takes.
pub fn nothing_to_do(cx: &Context) {
    if cx.globals.verbosity != Verbosity::Quiet && !cx.globals.json {
        cx.err.line("nothing to do");
    }
}

/// One pattern a line; what stands behind a `#` at its beginning, or nothing, is none.
fn lines(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

/// Whether a word can only be meant as a label or pattern: no verb looks like that.
pub fn looks_like_pattern(word: &OsStr) -> bool {
    let text = word.to_string_lossy();
    text.trim_start().starts_with("-//") || text.contains([':', '/', '@']) || text.contains("...")
}

/// Sets a space before each `-//…`, so that clap takes it for what it is and not for flags. [`read`] removes it.
///
/// Bazel asks for a `--` there; nothing else can begin like this, so we don't.
pub fn shield(args: Vec<OsString>) -> Vec<OsString> {
    args.into_iter().map(|arg| if takes_away(&arg) { spaced(&arg) } else { arg }).collect()
}

fn takes_away(arg: &OsStr) -> bool {
    [b"-//".as_slice(), b"-:", b"-@"].iter().any(|start| arg.as_encoded_bytes().starts_with(start))
}

fn spaced(arg: &OsStr) -> OsString {
    let mut shielded = OsString::from(" ");
    shielded.push(arg);
    shielded
}

/// Undoes [`shield`].
pub fn read(text: &str) -> Result<String, String> {
    Ok(text.strip_prefix(' ').unwrap_or(text).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_a_pattern_a_line_and_may_have_comments() {
        assert_eq!(lines("# affected\n\n //a:b \r\n-//c/...\n"), ["//a:b", "-//c/..."]);
        assert_eq!(lines("\n# none\n"), [""; 0]);
    }

    #[test]
    fn labels_are_told_from_verbs() {
        for word in ["//a:b", ":b", "@x//a", "a:b", "a/...", "...", "-//a", "a/b"] {
            assert!(looks_like_pattern(OsStr::new(word)), "{word}");
        }
        for word in ["build", "biuld", "ls", "b-c"] {
            assert!(!looks_like_pattern(OsStr::new(word)), "{word}");
        }
    }
}
