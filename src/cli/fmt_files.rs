//! Which files `fmt` is about: the workspace's, those of patterns, and those that paths name.
//!
//! A file is found whatever is wrong with it. Reads none but the root's, for where the packages are.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use super::context::Context;
use super::error::CliError;
use crate::checkout::Disk;
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::pattern::TargetPattern;
use crate::rules;
use crate::span::Sources;
use crate::workspace::overlays::LOCAL_FILE;
use crate::workspace::root::{FILE_NAME, find_root};
use crate::workspace::settings::Settings;
use crate::workspace::template;
use crate::workspace::vars::Given;
use crate::workspace::{self, Opened, Options, Reached};

/// What was found.
#[derive(Default)]
pub struct Found {
    /// Files by their paths, with what messages call each.
    pub files: BTreeMap<Utf8PathBuf, Utf8PathBuf>,
    /// Folders where no file can be taken from, and why.
    pub unfit: Vec<Diagnostic>,
}

/// What the words name; without one, all files of the workspace.
pub fn find(words: &[String], cx: &Context) -> Result<Found, CliError> {
    let (patterns, paths): (Vec<&String>, Vec<&String>) = words.iter().partition(|word| is_pattern(word));
    let mut found = Found::default();
    if words.is_empty() {
        let root = root_of(cx.directory())?;
        found.add(&root, all(&root, &root, cx), cx);
    }
    if !patterns.is_empty() {
        let root = root_of(cx.directory())?;
        found.add(&root, of_patterns(&patterns, &root, cx)?, cx);
    }
    for written in paths {
        of_path(written, &mut found, cx)?;
    }
    Ok(found)
}

impl Found {
    fn add(&mut self, root: &Utf8Path, (files, unfit): (Vec<Utf8PathBuf>, Vec<Diagnostic>), cx: &Context) {
        for path in files.into_iter().map(|path| root.join(path)) {
            let shown = path.strip_prefix(cx.directory()).unwrap_or(&path).to_owned();
            self.files.insert(path, shown);
        }
        for mistake in unfit {
            if !self.unfit.contains(&mistake) {
                self.unfit.push(mistake);
            }
        }
    }
}

/// What only a label or pattern looks like: a path can be written as `./a:b`.
fn is_pattern(word: &str) -> bool {
    let word = word.strip_prefix('-').unwrap_or(word);
    word.starts_with("//") || word.starts_with(':') || word.starts_with('@') || word.ends_with("...")
}

fn root_of(folder: &Utf8Path) -> Result<Utf8PathBuf, CliError> {
    find_root(folder).map_err(|error| CliError::usage(error.to_string()).hint(error.hint()))
}

/// Every file of a workspace that lies in a folder, relative to the root; and what of that folder can't be looked at.
fn all(root: &Utf8Path, folder: &Utf8Path, cx: &Context) -> (Vec<Utf8PathBuf>, Vec<Diagnostic>) {
    let of_rules = template::files(root, &Disk);
    let (packages, mut unfit) = with_opened(root, cx, |opened| {
        let Settings { packages, .. } = opened.settings();
        let within = folder.strip_prefix(root).unwrap_or(Utf8Path::new(""));
        if !within.starts_with(packages) && !packages.starts_with(within) {
            return Default::default();
        }
        let below = TargetPattern::parse("...", &opened.settings().package_at(within)).expect("it is a pattern");
        let Reached { files, unfit, .. } = opened.files(&[below]);
        (files, unfit)
    });
    let own = [FILE_NAME, LOCAL_FILE].map(Utf8PathBuf::from).into_iter().filter(|path| root.join(path).is_file());
    let rules = of_rules.unwrap_or_else(|mistake| {
        unfit.push(mistake);
        Vec::new()
    });
    let files = own.chain(rules).chain(packages).filter(|path| root.join(path).starts_with(folder));
    (files.collect(), unfit)
}

fn of_patterns(
    texts: &[&String],
    root: &Utf8Path,
    cx: &Context,
) -> Result<(Vec<Utf8PathBuf>, Vec<Diagnostic>), CliError> {
    with_opened(root, cx, |opened| {
        let here = cx.directory().strip_prefix(root).unwrap_or(Utf8Path::new(""));
        let patterns = TargetPattern::parse_all(texts, &opened.settings().package_at(here));
        let malformed = |error: &crate::pattern::PatternError| Diagnostic::error(error.to_string()).help(&error.hint);
        let patterns = patterns.map_err(|errors| told(&errors.iter().map(malformed).collect::<Vec<_>>(), cx))?;
        let Reached { files, unreached, unfit } = opened.files(&patterns);
        if unreached.is_empty() {
            return Ok((files, unfit));
        }
        let wildcards = patterns.iter().all(TargetPattern::is_wildcard);
        let exit = if wildcards { Exit::NothingMatched } else { Exit::Usage };
        Err(CliError { exit, ..told(&unreached, cx) })
    })
}

fn with_opened<T>(root: &Utf8Path, cx: &Context, work: impl FnOnce(&Opened<'_>) -> T) -> T {
    let (schemas, skip) = (rules::schemas(), [cx.globals.cache_dir.clone()]);
    let given = Given { flags: &cx.globals.vars, environment: &cx.globals.vars_of_environment };
    work(&workspace::open(root, Options { schemas: &schemas, given, skip: &skip, ..Options::default() }))
}

/// Mistakes that no place in a file belongs to.
pub fn told(mistakes: &[Diagnostic], cx: &Context) -> CliError {
    let color = cx.err_style().color;
    let shown = mistakes.iter().map(|mistake| mistake.render(&Sources::default(), color)).collect();
    CliError::diagnosed(Exit::Usage, shown)
}

/// A file, whatever it is called, or those of a workspace that lie in a folder.
fn of_path(written: &str, found: &mut Found, cx: &Context) -> Result<(), CliError> {
    let path = cx.path(written);
    if !path.is_dir() {
        path.metadata().map_err(|error| CliError { exit: Exit::Usage, ..CliError::io(written, &error) })?;
        found.files.insert(path, written.into());
        return Ok(());
    }
    let cannot = |error: std::io::Error| CliError::io(format!("cannot look at {written}"), &error);
    let folder = path.canonicalize_utf8().map_err(cannot)?;
    let root = root_of(&folder)?;
    let all = all(&root, &folder, cx);
    if all.0.is_empty() && all.1.is_empty() {
        return Err(CliError::new(Exit::NothingMatched, format!("no {FILE_NAME} of a workspace lies in {written}")));
    }
    found.add(&root, all, cx);
    Ok(())
}
