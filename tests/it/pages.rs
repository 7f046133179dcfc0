//! The pages for users: their links lead somewhere, and what the program has stands in them. Reads them as text; whether
//! what they say is true is for readers.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use layerbuild::rules::RULES;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// README, the changelog, and everything in docs/.
fn pages() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("docs")).expect("a folder");
    let docs = entries.map(|entry| Path::new("docs").join(entry.expect("one").file_name()));
    docs.chain(["README.md", "CHANGELOG.md", "ARCHITECTURE.md"].map(PathBuf::from)).collect()
}

/// What headings are called in links, as code hosts make it of them.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let kept = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let anchor = |line: &str| {
        let words: String = line.trim_start_matches('#').trim().chars().filter(|c| kept(*c)).collect();
        words.to_lowercase().replace(' ', "-")
    };
    headings.map(anchor).collect()
}

#[test]
fn links_between_pages_lead_to_pages_and_headings() {
    let mut followed = 0;
    for page in pages() {
        let text = read(&page);
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
        for target in targets.filter(|target| !target.contains("://")) {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let there = if file.is_empty() { page.clone() } else { page.with_file_name(file) };
            let found = anchor.is_empty() || anchors(&read(&there)).contains(anchor);
            assert!(root().join(&there).is_file() && found, "{}: ({target}) leads nowhere", page.display());
            followed += 1;
        }
    }
    assert!(followed > 20, "links went unseen");
}

#[test]
fn every_rule_and_attribute_has_its_line() {
    let page = read("docs/layers-toml.md");
    for rule in RULES {
        let heading = format!("## `{}`: ", rule.schema.name);
        let section = page.split_once(&heading).unwrap_or_else(|| panic!("no `{}`", rule.schema.name)).1;
        let section = section.split("\n## ").next().expect("a section");
        for attribute in rule.schema.attributes {
            let row = format!("| `{}` | ", attribute.name);
            assert!(section.contains(&row), "`{}` of `{}`", attribute.name, rule.schema.name);
        }
    }
}

/// A verb of `--help`: two spaces before it, its purpose behind it.
fn verb(line: &str) -> Option<&str> {
    let word = line.strip_prefix("  ")?.split(' ').next()?;
    (!word.is_empty() && !word.starts_with('-') && word != "help").then_some(word)
}

/// A flag of `--help`, without its value.
fn flag(line: &str) -> Option<&str> {
    let long = line.trim_start().strip_prefix('-').and_then(|line| line.split_once('-'))?.1;
    let word = long.trim_start_matches('-').split([' ', '[', '=']).next()?;
    (line.contains("--") && !["help", "version"].contains(&word)).then_some(word)
}

#[test]
fn every_verb_and_flag_has_its_line() {
    let page = read("docs/commands.md");
    let help = Command::new(env!("CARGO_BIN_EXE_layerbuild")).arg("--help").output().expect("layerbuild runs");
    let help = String::from_utf8(help.stdout).expect("text");
    let (verbs, flags) = help.split_once("Verbs:").and_then(|(_, rest)| rest.split_once("Options:")).expect("both");
    let (verbs, flags): (Vec<_>, Vec<_>) =
        (verbs.lines().filter_map(verb).collect(), flags.lines().filter_map(flag).collect());
    assert!(verbs.len() > 10 && flags.len() > 10, "{verbs:?} {flags:?}");
    for verb in verbs {
        assert!([" ", "`"].iter().any(|end| page.contains(&format!("| `{verb}{end}"))), "{verb}");
    }
    for flag in flags {
        assert!([" ", "`"].iter().any(|end| page.contains(&format!("`--{flag}{end}"))), "--{flag}");
    }
}

#[test]
fn the_readme_can_be_read_in_one_go() {
    assert!(read("README.md").lines().count() <= 250, "reference belongs into docs/");
}
