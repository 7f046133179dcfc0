//! `files`: a layer of the workspace's files, literal content, symbolic links and directories.
//!
//! Decides where each file stands, with which mode and owner; reads none. What stands in the way of what is an error
//! that names both places.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use super::mode::{MODE_HELP, OWNER_HELP, parse_mode, parse_owner};
use super::{Context, Rule, Source, Target, shared};
use crate::action::{FileEntry, FileKind, FilesLayer, Operation, Owner, SourceFile};
use crate::diagnostic::Diagnostic;
use crate::layer_path::LayerPath;
use crate::span::Span;
use crate::workspace::attributes::Spanned;
use crate::workspace::globs::{self, Glob, GlobError};
use crate::workspace::schema::{Purpose, RuleSchema, Type, optional};

const DIRECTORY: Type = Type::Table(&[
    optional("mode", Type::String, "Octal, in quotes. Default: `0755`."),
    optional("owner", Type::String, "`uid:gid`. Default: the target's `owner` where that is one for all, else `0:0`."),
]);

/// The rule.
pub static RULE: Rule = Rule {
    schema: RuleSchema {
        name: "files",
        purpose: Purpose::Layer,
        doc: "A layer of the workspace's files, literal content, symbolic links and directories. Its bytes depend on \
              contents, executable bits and link targets alone, never on who checked the files out, when or where.",
        example: "[files.app-files]\nsrcs = [\"app/**\", \"!app/**/*.pyc\"]\ndest = \"/opt/app\"\nowner = \"50000:0\"\n",
        attributes: &[
            optional(
                "srcs",
                Type::List(&Type::String),
                "Globs below the package, `!` before one takes files away again. `*` stops at `/`, `**` does not. Each must match. Globs stop at sub-packages and leave out what .gitignore names; a literal path does not. Symbolic links are taken as links.",
            ),
            optional(
                "strip",
                Type::String,
                "The folder of the package that is cut off each source's path. Default: the globs' common folders before the first wildcard.",
            ),
            optional("dest", Type::String, "The directory of the image that sources go into. Default: `/`."),
            optional(
                "owner",
                Type::Either(&[Type::String, Type::Map(&Type::String)]),
                "`uid:gid` of everything that the target makes, or a table of such by glob as in `mode`. Parents of `dest`, and `dest` itself, stay `0:0` unless `dirs` names them. Default: `0:0`.",
            ),
            optional(
                "mode",
                Type::Map(&Type::String),
                "Octal modes by glob: relative to `dest`, or to the image's root with a leading `/`. The last that matches a file counts; one that matches none is an error. Default: `0755` for executables, else `0644`.",
            ),
            optional("links", Type::Map(&Type::String), "Symbolic links: the link's absolute path = its target."),
            optional("dirs", Type::Map(&DIRECTORY), "Directories by absolute path, with mode and owner."),
            optional("content", Type::Map(&Type::String), "Files by absolute path, with their whole text."),
            shared::COMPRESSION,
        ],
    },
    lower,
};

fn lower(target: &Target<'_>, context: &dyn Context) -> Result<Operation, Vec<Diagnostic>> {
    let mut draft = Draft::new(target);
    draft.add_sources(context);
    draft.add_declared();
    draft.apply_owners();
    draft.apply_modes();
    draft.add_parents();
    let compression = shared::compression(target).map_err(|error| draft.errors.push(error));
    if draft.entries.is_empty() && draft.errors.is_empty() {
        draft.errors.push(empty(target));
    }
    match compression {
        Ok(compression) if draft.errors.is_empty() => {
            let entries = draft.entries.into_iter().map(|(path, made)| (path, made.entry)).collect();
            Ok(Operation::Files(FilesLayer { entries, compression, mtime: target.defaults.epoch }))
        }
        _ => Err(draft.errors),
    }
}

fn empty(target: &Target<'_>) -> Diagnostic {
    let diagnostic = Diagnostic::error(format!("{} is an empty layer", target.label));
    match target.attributes.span("srcs").filter(|_| !target.attributes.strings("srcs").is_empty()) {
        Some(srcs) => diagnostic
            .at(srcs, "what the globs name, the exclusions take away again")
            .help("an exclusion counts wherever it stands in the list"),
        None => diagnostic
            .at(target.span, "says nothing that goes into the layer")
            .help("give it `srcs`, `content`, `links` or `dirs`"),
    }
}

/// An entry and the text that asked for it.
struct Made {
    entry: FileEntry,
    /// `None` for a parent that nobody asked for by name.
    by: Option<Span>,
    /// Whether `owner` and `mode` apply: what has its own in `dirs` is left alone.
    settled: bool,
}

/// A layer while it is put together; gathers all errors.
struct Draft<'a> {
    target: &'a Target<'a>,
    dest: LayerPath,
    owner: Owner,
    entries: BTreeMap<LayerPath, Made>,
    errors: Vec<Diagnostic>,
}

impl<'a> Draft<'a> {
    fn new(target: &'a Target<'a>) -> Draft<'a> {
        let mut draft = Draft {
            target,
            dest: LayerPath::default(),
            owner: Owner::default(),
            entries: BTreeMap::new(),
            errors: Vec::new(),
        };
        if let Some(dest) = target.attributes.text("dest") {
            draft.dest = draft.path(dest).unwrap_or_default();
        }
        if let Some(owner) = target.attributes.text("owner") {
            draft.owner = draft.read_owner(owner);
        }
        draft
    }

    fn error(&mut self, message: impl Into<String>, span: Span, label: &str, help: &str) {
        let diagnostic = Diagnostic::error(message).at(span, label);
        self.errors.push(if help.is_empty() { diagnostic } else { diagnostic.help(help) });
    }

    fn read_owner(&mut self, text: Spanned<&str>) -> Owner {
        parse_owner(text.value).unwrap_or_else(|| {
            self.error(format!("`{}` is not an owner", text.value), text.span, "expected `uid:gid`", OWNER_HELP);
            Owner::default()
        })
    }

    fn read_mode(&mut self, text: Spanned<&str>) -> u32 {
        parse_mode(text.value).unwrap_or_else(|| {
            self.error(format!("`{}` is not a mode", text.value), text.span, "expected octal digits", MODE_HELP);
            0o755
        })
    }

    /// An absolute path of the image.
    fn path(&mut self, text: Spanned<&str>) -> Option<LayerPath> {
        if !text.value.starts_with('/') {
            let help = format!("write `/{}`", text.value);
            self.error("a path in the image must be absolute", text.span, "does not begin with `/`", &help);
            return None;
        }
        let path = LayerPath::new(text.value);
        path.map_err(|error| self.error(error.to_string(), text.span, "can't stand in an image", "")).ok()
    }

    fn put(&mut self, path: LayerPath, entry: FileEntry, by: Span, settled: bool) {
        if path.is_root() {
            return self.error("the image's root is no entry of a layer", by, "names `/` itself", "");
        }
        if let Some(first) = self.entries.get(&path) {
            let (one, other) = (said(&first.entry.kind), said(&entry.kind));
            let how = if one == other { String::new() } else { format!(": once as {one}, once as {other}") };
            let diagnostic = Diagnostic::error(format!("two inputs give {path}{how}")).at(by, "a second time here");
            self.errors.push(match first.by {
                Some(span) if span != by => diagnostic.also(span, "first here"),
                _ => diagnostic,
            });
            return;
        }
        self.entries.insert(path, Made { entry, by: Some(by), settled });
    }

    fn add_sources(&mut self, context: &dyn Context) {
        let written = self.target.attributes.strings("srcs");
        let Some(globs) = self.compile(&written) else { return };
        if let (Some(all), true) = (self.target.attributes.span("srcs"), globs.iter().all(Glob::excludes)) {
            return self.error("`srcs` names no file", all, "nothing but exclusions", "put a glob before them");
        }
        let files = match context.glob(self.target.directory, &globs) {
            Ok(files) => files,
            Err(errors) => return self.report_globs(&written, errors),
        };
        let strip = self.strip(&globs);
        let whole = self.target.attributes.span("srcs").unwrap_or(self.target.span);
        for (file, source) in files.iter().zip(context.identify(&files)) {
            // The place of the one pattern, or of the list: which glob of several named a file isn't kept.
            let by = if written.len() == 1 { written[0].span } else { whole };
            match (self.destination(file, &strip, by), source) {
                (Some(path), Ok(source)) => self.put_source(path, file, source, by),
                (_, Err(why)) => self.error(why, by, "named here", ""),
                (None, Ok(_)) => {}
            }
        }
    }

    fn compile(&mut self, written: &[Spanned<&str>]) -> Option<Vec<Glob>> {
        let compiled: Vec<_> = written.iter().map(|text| Glob::new(text.value)).collect();
        let mut globs = Vec::new();
        for (glob, text) in compiled.into_iter().zip(written) {
            match glob {
                Ok(glob) => globs.push(glob),
                Err(error) => self.error(error.to_string(), text.span, "", glob_help(&error)),
            }
        }
        (globs.len() == written.len()).then_some(globs)
    }

    fn report_globs(&mut self, written: &[Spanned<&str>], errors: Vec<(usize, GlobError)>) {
        for (index, error) in errors {
            self.error(error.to_string(), written[index].span, "", glob_help(&error));
        }
    }

    /// The folder cut off each source's path, relative to the package.
    fn strip(&self, globs: &[Glob]) -> Utf8PathBuf {
        if let Some(strip) = self.target.attributes.str("strip") {
            return strip.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        }
        let mut prefixes = globs.iter().filter(|glob| !glob.excludes()).map(|glob| Utf8Path::new(glob.fixed_prefix()));
        let first = prefixes.next().unwrap_or(Utf8Path::new(""));
        prefixes.fold(first, common).to_owned()
    }

    fn destination(&mut self, file: &Utf8Path, strip: &Utf8Path, by: Span) -> Option<LayerPath> {
        let below = file.strip_prefix(self.target.directory.join(strip));
        let Ok(below) = below else {
            let place = self.target.attributes.span("strip").unwrap_or(by);
            self.error(format!("{file} does not lie in `{strip}`"), place, "can't be cut off its path", "");
            return None;
        };
        let path = self.dest.join(below.as_str());
        path.map_err(|error| self.error(error.to_string(), by, "named here", "")).ok()
    }

    fn put_source(&mut self, path: LayerPath, file: &Utf8Path, source: Source, by: Span) {
        let (mode, kind) = match source {
            Source::Link(target) => (0o777, FileKind::Symlink(target)),
            Source::File { digest, size, executable, stamp } => {
                let source = SourceFile { path: file.to_owned(), digest, size, stamp };
                (if executable { 0o755 } else { 0o644 }, FileKind::Source(source))
            }
        };
        self.add_folders(&path, by);
        self.put(path, FileEntry { mode, owner: self.owner, kind }, by, false);
    }

    /// The source tree's own folders below `dest`: they belong to the target's owner.
    fn add_folders(&mut self, path: &LayerPath, by: Span) {
        let mut folder = path.parent();
        while let Some(path) = folder.filter(|path| *path != self.dest && path.starts_with(&self.dest)) {
            if self.entries.contains_key(&path) {
                break;
            }
            folder = path.parent();
            let entry = FileEntry { mode: 0o755, owner: self.owner, kind: FileKind::Directory { implied: true } };
            self.entries.insert(path, Made { entry, by: Some(by), settled: false });
        }
    }

    fn add_declared(&mut self) {
        let attributes = self.target.attributes;
        for (path, target) in attributes.map("links").filter_map(|entry| Some((entry.key, entry.str()?))) {
            let kind = FileKind::Symlink(target.to_owned());
            self.declare(path, FileEntry { mode: 0o777, owner: self.owner, kind }, false);
        }
        for (path, text) in attributes.map("content").filter_map(|entry| Some((entry.key, entry.str()?))) {
            let kind = FileKind::Literal(text.as_bytes().into());
            self.declare(path, FileEntry { mode: 0o644, owner: self.owner, kind }, false);
        }
        for (path, table) in attributes.map("dirs").filter_map(|entry| Some((entry.key, entry.table()?))) {
            let mode = table.text("mode").map_or(0o755, |text| self.read_mode(text));
            let owner = table.text("owner").map_or(self.owner, |text| self.read_owner(text));
            let kind = FileKind::Directory { implied: false };
            self.declare(path, FileEntry { mode, owner, kind }, true);
        }
    }

    fn declare(&mut self, path: Spanned<&str>, entry: FileEntry, settled: bool) {
        let Some(at) = self.path(path) else { return };
        // A folder of the sources gives way to the same folder in `dirs`.
        let implied = |made: &Made| matches!(made.entry.kind, FileKind::Directory { implied: true });
        if matches!(entry.kind, FileKind::Directory { .. }) && self.entries.get(&at).is_some_and(implied) {
            self.entries.remove(&at);
        }
        self.put(at, entry, path.span, settled);
    }

    fn apply_owners(&mut self) {
        for rule in self.target.attributes.map("owner").collect::<Vec<_>>() {
            let Some(text) = rule.text() else { continue };
            let owner = self.read_owner(text);
            self.apply(rule.key, &|_| true, &|entry| entry.owner = owner);
        }
    }

    fn apply_modes(&mut self) {
        let is_file = |entry: &FileEntry| matches!(entry.kind, FileKind::Source(_) | FileKind::Literal(_));
        for rule in self.target.attributes.map("mode").collect::<Vec<_>>() {
            let Some(text) = rule.text() else { continue };
            let mode = self.read_mode(text);
            self.apply(rule.key, &is_file, &|entry| entry.mode = mode);
        }
    }

    fn apply(
        &mut self,
        pattern: Spanned<&str>,
        concerns: &dyn Fn(&FileEntry) -> bool,
        change: &dyn Fn(&mut FileEntry),
    ) {
        let (top, text) = match pattern.value.strip_prefix('/') {
            Some(rest) => (LayerPath::default(), rest),
            None => (self.dest.clone(), pattern.value),
        };
        let matcher = match globs::compile(text) {
            Ok(matcher) => matcher,
            Err(error) => return self.error(error.to_string(), pattern.span, "", ""),
        };
        let mut matched = false;
        for (path, made) in &mut self.entries {
            let below = path.starts_with(&top) && *path != top;
            let text = &path.as_bytes()[if top.is_root() || !below { 0 } else { top.as_bytes().len() + 1 }..];
            if below && !made.settled && concerns(&made.entry) && matcher.is_match(&*String::from_utf8_lossy(text)) {
                change(&mut made.entry);
                matched = true;
            }
        }
        if !matched {
            let message = format!("`{}` matches nothing that the target makes", pattern.value);
            let help = "globs are relative to `dest`, or to the image's root with a leading `/`";
            self.error(message, pattern.span, "has no effect", help);
        }
    }

    /// Parents of all entries; an entry that is no directory can't be one.
    fn add_parents(&mut self) {
        let mut missing = BTreeMap::new();
        let mut blocked = Vec::new();
        for (path, made) in &self.entries {
            let mut folder = path.parent().filter(|folder| !folder.is_root());
            while let Some(parent) = folder {
                match self.entries.get(&parent).map(|above| (&above.entry.kind, above.by)) {
                    Some((FileKind::Directory { .. }, _)) => break,
                    Some((_, above)) => {
                        blocked.push((path.clone(), parent, made.by, above));
                        break;
                    }
                    None if missing.contains_key(&parent) => break,
                    None => {}
                }
                folder = parent.parent().filter(|folder| !folder.is_root());
                let kind = FileKind::Directory { implied: true };
                missing.insert(parent, FileEntry { mode: 0o755, owner: Owner::default(), kind });
            }
        }
        for (path, parent, by, above) in blocked {
            self.report_blocked(&path, &parent, by, above);
        }
        let parents = missing.into_iter().map(|(path, entry)| (path, Made { entry, by: None, settled: true }));
        self.entries.extend(parents);
    }

    fn report_blocked(&mut self, path: &LayerPath, parent: &LayerPath, by: Option<Span>, above: Option<Span>) {
        let message = format!("{parent} is not a directory, so {path} can't stand below it");
        let diagnostic = Diagnostic::error(message).at(by.unwrap_or(self.target.span), "needs a directory");
        self.errors.push(match above.filter(|span| Some(*span) != by) {
            Some(span) => diagnostic.also(span, "gives a file or link"),
            None => diagnostic,
        });
    }
}

/// What an entry is, for messages.
fn said(kind: &FileKind) -> &'static str {
    match kind {
        FileKind::Source(_) | FileKind::Literal(_) => "a file",
        FileKind::Symlink(_) => "a symbolic link",
        FileKind::Directory { .. } => "a directory",
    }
}

fn common<'a>(one: &'a Utf8Path, other: &Utf8Path) -> &'a Utf8Path {
    one.ancestors().find(|folder| other.starts_with(folder)).unwrap_or(Utf8Path::new(""))
}

fn glob_help(error: &GlobError) -> &'static str {
    match error {
        GlobError::Outside(_) => "sources lie below the package; move the file or declare the target where it is",
        GlobError::Missing(_) | GlobError::Nothing(_) => {
            "paths are relative to the package; globs pass over sub-packages and what .gitignore names"
        }
        GlobError::Directory(_) => "write `folder/**` for all that is in it",
        GlobError::Escapes(_) => "copy the file into the workspace, or name what the link leads to",
        GlobError::Invalid(_) | GlobError::Unreadable { .. } => "",
    }
}
