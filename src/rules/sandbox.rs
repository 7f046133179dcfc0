//! What rules that run commands have in common: the attributes of what commands see, and their readers.
//!
//! Knows no rule. Runs nothing and reads no file itself.

use std::collections::{BTreeMap, BTreeSet};

use super::image::absolute;
use super::{Context, Source, Target};
use crate::action::{FileEntry, FileKind, Owner, RunBase, RunInput, RunSecret, SecretSource, SourceFile};
use crate::diagnostic::Diagnostic;
use crate::label::Label;
use crate::layer_path::LayerPath;
use crate::span::Span;
use crate::workspace::attributes::{Attributes, MapEntry, Spanned};
use crate::workspace::build_base::PURPOSES;
use crate::workspace::globs::Glob;
use crate::workspace::schema::{self, Attribute, Purpose, Type, optional};
use crate::workspace::settings::BuildBase;
use crate::workspace::value::Value;

const SECRET: &[Attribute] = &[
    optional(
        "env",
        Type::String,
        "The variable of layerbuild's environment that holds the value. Either this or `file`.",
    ),
    optional(
        "file",
        Type::String,
        "The file that holds the value: absolute, below `~/`, or below the workspace's root.",
    ),
    optional("at", Type::String, "Where commands find it. Default: `/run/secrets/` and its name."),
];

/// What else is seen.
pub(super) const INPUTS: Attribute = optional(
    "inputs",
    Type::Map(&Type::Either(&[Type::Label(&[Purpose::Layer]), Type::List(&Type::String)])),
    "What else is seen, read-only, by absolute path: globs of the package's files, or a layer's label. No part of the layer.",
);

/// Directories that outlive a step.
pub(super) const CACHES: Attribute = optional(
    "caches",
    Type::Map(&Type::String),
    "Directories that outlive the step, by absolute path: each a name, under which the store keeps it for all steps. No part of the layer, nor of the key beyond the name: what commands make must not depend on what is in them.",
);

/// Files in memory.
pub(super) const SECRETS: Attribute = optional(
    "secrets",
    Type::Map(&Type::Table(SECRET)),
    "Files that exist in memory while commands run: in no layer, key, record or event; printed, they are blotted out. Needs `secret-in-key = false`.",
);

/// That a secret's value is in no key.
pub(super) const SECRET_IN_KEY: Attribute = optional(
    "secret-in-key",
    Type::Boolean,
    "`false`, and said so: another value of a secret alone does not run the commands again. `true` is not supported, since a key would betray its value.",
);

/// The host's network.
pub(super) const NETWORK: Attribute = optional(
    "network",
    Type::Boolean,
    "Whether commands reach the network, which is the host's then. Default: `false`.",
);

/// The end of patience.
pub(super) const TIMEOUT: Attribute = optional(
    "timeout",
    Type::String,
    "How long all commands may take together, such as `10m`. Default: as long as they need.",
);

/// What an action runs over that makes something rather than changes its base.
pub(super) const BUILD_BASE: Attribute = optional(
    schema::BUILD_BASE,
    Type::Either(&[Type::Enum(&[BuildBase::HOST]), Type::Label(PURPOSES)]),
    "The label of the image or layer that it runs over, no part of the result. `\"host\"`: no sandbox, the host itself, which is not portable (a target of that name is `\":host\"`). Default: `[workspace] build-base`.",
);

/// The attributes of one target while they are read; gathers all errors.
pub(super) struct Draft<'a> {
    pub(super) target: &'a Target<'a>,
    pub(super) context: &'a dyn Context,
    pub(super) errors: Vec<Diagnostic>,
}

impl<'a> Draft<'a> {
    /// Nothing read yet.
    pub(super) fn new(target: &'a Target<'a>, context: &'a dyn Context) -> Draft<'a> {
        Draft { target, context, errors: Vec::new() }
    }
}

impl Draft<'_> {
    pub(super) fn error(&mut self, message: impl Into<String>, span: Span, label: &str, help: &str) {
        self.errors.push(Diagnostic::error(message).at(span, label).help(help));
    }

    /// An image or a layer to run over.
    pub(super) fn over(&mut self, label: Spanned<Label>) -> Option<RunBase> {
        let purpose = self.context.written(&label.value).map(|(schema, _)| schema.purpose);
        if purpose == Some(Purpose::Layer) {
            return self.context.action(&label.value).map(|layer| RunBase::Layers(vec![layer]));
        }
        match self.context.base(&label.value, &self.target.defaults.platform) {
            Ok(Some(image)) => Some(RunBase::Image(image)),
            Ok(None) => {
                let message = format!("{} can't be built", label.value);
                self.errors.push(Diagnostic::error(message).at(label.span, "used here"));
                None
            }
            Err(error) => {
                self.errors.push(error.at(label.span, "the base of commands for this platform"));
                None
            }
        }
    }

    /// `build-base` of the target, else of the workspace.
    pub(super) fn build_base(&mut self) -> Option<RunBase> {
        let attributes = self.target.attributes;
        if attributes.str(schema::BUILD_BASE) == Some(BuildBase::HOST) {
            return Some(RunBase::Host);
        }
        if let Some(label) = attributes.label(schema::BUILD_BASE) {
            return self.over(label);
        }
        match self.target.defaults.build_base.clone() {
            Some(Spanned { value: BuildBase::Host, .. }) => Some(RunBase::Host),
            Some(Spanned { value: BuildBase::Target(value), span }) => self.over(Spanned { value, span }),
            None => {
                let label = "neither it nor `[workspace]` has a `build-base`";
                let help = "write `build-base = \"//base:build\"` in `[workspace]`: the label of an image or layer with \
                            the programs that are needed";
                self.error(format!("nothing says what {} runs over", self.target.label), self.target.span, label, help);
                None
            }
        }
    }

    /// A table of absolute paths.
    pub(super) fn at_paths<T>(
        &mut self,
        key: &str,
        read: impl Fn(&mut Self, &MapEntry<'_>) -> Option<T>,
    ) -> BTreeMap<LayerPath, T> {
        let entries: Vec<_> = self.target.attributes.map(key).collect();
        entries.iter().filter_map(|entry| Some((self.path(entry.key)?, read(self, entry)?))).collect()
    }

    pub(super) fn path(&mut self, text: Spanned<&str>) -> Option<LayerPath> {
        let path = LayerPath::new(absolute(text, &mut self.errors)?);
        let path = path.map_err(|error| self.errors.push(Diagnostic::error(error.to_string()).at(text.span, "")));
        let path = path.ok()?;
        let own = ["proc", "dev", "sys"]
            .iter()
            .any(|own| path.as_bytes().split(|byte| *byte == b'/').next() == Some(own.as_bytes()));
        if own || path.is_root() {
            self.error(
                format!("nothing can be put at `{text}`", text = text.value),
                text.span,
                "is the sandbox's own",
                "name a directory of its own, such as `/src`",
            );
            return None;
        }
        Some(path)
    }

    pub(super) fn input(&mut self, entry: &MapEntry<'_>) -> Option<RunInput> {
        if entry.str().is_some() {
            let label = entry.label()?;
            return self.context.action(&label.value).map(RunInput::Layer);
        }
        let written = entry.strings();
        let globs: Result<Vec<Glob>, _> = written.iter().map(|text| Glob::new(text.value)).collect();
        let span = entry.value.span;
        let globs = globs.map_err(|error| self.errors.push(Diagnostic::error(error.to_string()).at(span, "")));
        let found = self.context.glob(self.target.directory, &globs.ok()?);
        let files = found.map_err(|errors| {
            let told =
                errors.iter().map(|(index, error)| Diagnostic::error(error.to_string()).at(written[*index].span, ""));
            self.errors.extend(told);
        });
        let files = files.ok()?;
        let mut entries = BTreeMap::new();
        for (file, source) in files.iter().zip(self.context.identify(&files)) {
            let below = file.strip_prefix(self.target.directory).unwrap_or(file);
            match (LayerPath::new(below.as_str()), source) {
                (Ok(path), Ok(source)) => _ = entries.insert(path, seen(file, source)),
                (_, Err(why)) => {
                    self.error(format!("cannot read {file}: {why}"), span, "named here", "look at the file")
                }
                (Err(error), _) => self.error(error.to_string(), span, "named here", "rename the file"),
            }
        }
        Some(RunInput::Files(entries))
    }

    pub(super) fn cache(&mut self, entry: &MapEntry<'_>) -> Option<String> {
        let name = entry.text()?;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if name.value.is_empty() || !name.value.bytes().all(fits) || name.value.starts_with('.') {
            let help = "write letters, digits, `.`, `_` and `-`, a letter or digit first";
            self.error(format!("`{}` is not a cache's name", name.value), name.span, "", help);
            return None;
        }
        Some(name.value.to_owned())
    }

    pub(super) fn secrets(&mut self) -> BTreeMap<LayerPath, RunSecret> {
        let attributes = self.target.attributes;
        let entries: Vec<_> = attributes.map("secrets").filter_map(|entry| Some((entry.key, entry.table()?))).collect();
        let help = "write `secret-in-key = false`: another value of a secret alone does not run the commands again";
        match (attributes.boolean("secret-in-key"), attributes.span("secret-in-key"), entries.first()) {
            (Some(true), Some(span), _) => {
                self.error("a secret can't be part of the key", span, "a key would betray its value", help)
            }
            (None, _, Some((name, _))) => {
                self.error("`secrets` without `secret-in-key`", name.span, "a value that the key does not see", help)
            }
            _ => {}
        }
        entries.into_iter().filter_map(|(name, table)| self.secret(name, table)).collect()
    }

    pub(super) fn secret(&mut self, name: Spanned<&str>, table: Attributes<'_>) -> Option<(LayerPath, RunSecret)> {
        let source = match (table.str("env"), table.str("file")) {
            (Some(variable), None) => SecretSource::Variable(variable.to_owned()),
            (None, Some(file)) => SecretSource::File(file.to_owned()),
            _ => {
                let message = format!("the secret `{}` needs one source", name.value);
                self.error(message, name.span, "", "give it `env` or `file`, not both");
                return None;
            }
        };
        let default = format!("/run/secrets/{}", name.value);
        let at = table.text("at").unwrap_or(Spanned { value: &default, span: name.span });
        Some((self.path(at)?, RunSecret { name: name.value.to_owned(), source }))
    }

    pub(super) fn no_two_at_one_path(&mut self, tables: &[Vec<&LayerPath>; 3]) {
        let mut seen = BTreeSet::new();
        for path in tables.iter().flatten() {
            if !seen.insert(*path) {
                let message = format!("two things are put at {path}");
                self.errors.push(Diagnostic::error(message).at(self.target.span, "by `inputs`, `caches` or `secrets`"));
            }
        }
    }
}

pub(super) fn words(value: &Value) -> Vec<String> {
    match value.as_array() {
        Some(items) => items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect(),
        None => vec!["/bin/sh".to_owned(), "-c".to_owned(), value.as_str().unwrap_or_default().to_owned()],
    }
}

pub(super) fn seen(file: &camino::Utf8Path, source: Source) -> FileEntry {
    let (mode, kind) = match source {
        Source::Link(target) => (0o777, FileKind::Symlink(target)),
        Source::File { digest, size, executable, stamp } => {
            let source = SourceFile { path: file.to_owned(), digest, size, stamp };
            (if executable { 0o755 } else { 0o644 }, FileKind::Source(source))
        }
    };
    FileEntry { mode, owner: Owner::default(), kind }
}
