//! Target patterns on the command line: telling them from verbs and flags.
//!
//! Knows nothing of what a pattern means; `-//p/x` takes away from what stands to its left.

use std::ffi::{OsStr, OsString};

/// Patterns of a verb, left to right as written.
#[derive(Debug, Clone, clap::Args)]
pub struct Patterns {
    /// Labels and patterns: //p:t, //p, :t, //p/..., //p:all; -//p/x takes away, left to right
    #[arg(value_name = "PATTERN", required = true, value_parser = read)]
    pub patterns: Vec<String>,
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
    fn labels_are_told_from_verbs() {
        for word in ["//a:b", ":b", "@x//a", "a:b", "a/...", "...", "-//a", "a/b"] {
            assert!(looks_like_pattern(OsStr::new(word)), "{word}");
        }
        for word in ["build", "biuld", "ls", "b-c"] {
            assert!(!looks_like_pattern(OsStr::new(word)), "{word}");
        }
    }
}
