//! `fmt`: the workspace's TOML files in one style. What it is, `toml_format` knows.
//!
//! A file whose syntax is wrong is told and left as it is, and so is a folder whose file can't be taken; the others are
//! formatted all the same.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;

use camino::Utf8Path;
use similar::TextDiff;

use super::context::Context;
use super::error::CliError;
use super::fmt_files::{self, Found};
use super::global::Verbosity;
use super::patterns;
use crate::checkout::Disk;
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::span::{FileId, Sources};
use crate::toml_format::format;
use crate::workspace::parse::parse;
use crate::workspace::text::{Text, read_text};

/// Lay out layers.toml files in one style; prints the path of each that changes
///
/// Comments, the order of keys and what the file means stay as they are. Without a PATTERN or PATH: all layers.toml of the
/// workspace, its rules/*.toml and layers.local.toml.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Files of these packages, files, or folders; - is stdin to stdout
    #[arg(value_name = "PATTERN|PATH", value_parser = patterns::read)]
    pub what: Vec<String>,
    /// Change nothing; end with 3 where a file would change. With -v the changes are shown
    #[arg(long)]
    pub check: bool,
}

/// Formats them.
pub fn run(args: &Args, cx: &mut Context) -> Result<(), CliError> {
    if args.what == ["-"] {
        return through(args, cx);
    }
    let Found { files, unfit } = fmt_files::find(&args.what, cx)?;
    let mut errors: Vec<CliError> = if unfit.is_empty() { Vec::new() } else { vec![fmt_files::told(&unfit, cx)] };
    let mut changed = 0;
    for (path, shown) in &files {
        match one(path, shown, args, cx) {
            Ok(differs) => changed += usize::from(differs),
            Err(error) => errors.push(error),
        }
    }
    match errors.into_iter().reduce(joined) {
        Some(error) => Err(error),
        None if args.check && changed > 0 => Err(unformatted(changed, files.len())),
        None => Ok(()),
    }
}

/// Several errors as one; what the environment did weighs more.
fn joined(mut first: CliError, next: CliError) -> CliError {
    first.exit = first.exit.max(next.exit);
    if !first.message.is_empty() && !next.message.is_empty() {
        first.message.push_str("\nerror: ");
    }
    first.message.push_str(&next.message);
    first.hints.extend(next.hints);
    first.diagnostics.extend(next.diagnostics);
    first
}

fn unformatted(changed: usize, all: usize) -> CliError {
    let error = CliError::new(Exit::Partial, format!("{changed} of {all} files would change"));
    error.hint("run `layerbuild fmt`; `layerbuild fmt --check -v` shows how")
}

/// Whether the file changed, or would.
fn one(path: &Utf8Path, shown: &Utf8Path, args: &Args, cx: &mut Context) -> Result<bool, CliError> {
    let Text { text, mistake } = read_text(&Disk, path, shown.as_str(), FileId(0));
    let formatted = formatted(&text, mistake, shown, cx)?;
    if formatted == text {
        return Ok(false);
    }
    if args.check || cx.globals.dry_run {
        show(&text, &formatted, shown, cx)?;
    } else {
        replace(path, &formatted).map_err(|error| CliError::io(format!("cannot write {shown}"), &error))?;
        writeln!(cx.out, "{shown}")?;
    }
    Ok(true)
}

/// The text in our style, or why it has none. `mistake`: why it is no text.
fn formatted(text: &str, mistake: Option<Diagnostic>, shown: &Utf8Path, cx: &Context) -> Result<String, CliError> {
    let mistakes = mistake.map_or_else(|| parse(text, FileId(0)).diagnostics, |mistake| vec![mistake]);
    if mistakes.is_empty() {
        return format(text)
            .ok_or_else(|| CliError::new(Exit::Bug, format!("{shown} would come out as something else")));
    }
    let mut sources = Sources::default();
    sources.add(shown.to_owned(), text.into());
    let color = cx.err_style().color;
    let shown = mistakes.iter().map(|mistake| mistake.render(&sources, color)).collect();
    Err(CliError::diagnosed(Exit::Usage, shown))
}

/// A line for the file, or how it would change.
fn show(before: &str, after: &str, shown: &Utf8Path, cx: &mut Context) -> Result<(), CliError> {
    if cx.globals.verbosity != Verbosity::Verbose {
        return Ok(writeln!(cx.out, "{shown}")?);
    }
    let diff = TextDiff::from_lines(before, after);
    let mut unified = diff.unified_diff();
    Ok(write!(cx.out, "{}", unified.header(shown.as_str(), &format!("{shown} as formatted")))?)
}

/// The old file stands until the new one is whole; its owner and mode stay, and so does a link to it.
fn replace(path: &Utf8Path, text: &str) -> io::Result<()> {
    let path = path.canonicalize()?;
    let mut temporary = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(&path))?;
    temporary.write_all(text.as_bytes())?;
    let (before, file) = (fs::metadata(&path)?, temporary.as_file());
    let ours = file.metadata()?;
    if (before.uid(), before.gid()) != (ours.uid(), ours.gid()) {
        std::os::unix::fs::fchown(file, Some(before.uid()), Some(before.gid()))?;
    }
    file.set_permissions(before.permissions())?;
    file.sync_all()?;
    temporary.persist(&path).map(drop).map_err(|error| error.error)
}

/// Stdin to stdout, for editors: nothing is printed where the syntax is wrong.
fn through(args: &Args, cx: &mut Context) -> Result<(), CliError> {
    let name = Utf8Path::new("<stdin>");
    let text = cx.input.text().map_err(|error| CliError::io("cannot read stdin", &error))?;
    let formatted = formatted(&text, None, name, cx)?;
    if !args.check {
        return Ok(cx.out.write_all(formatted.as_bytes())?);
    }
    if formatted == text {
        return Ok(());
    }
    show(&text, &formatted, name, cx)?;
    Err(unformatted(1, 1))
}
