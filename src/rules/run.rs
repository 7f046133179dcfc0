//! `run`: a layer of what commands change in a root file system, run in a sandbox.
//!
//! Decides what they see: base, inputs, caches, secrets, network. Runs nothing and reads no file itself.

use std::collections::BTreeMap;

use super::image::{absolute, duration, env};
use super::{Context, Rule, Source, Target, shared};
use crate::action::{
    FileEntry, FileKind, Operation, Owner, RunAction, RunBase, RunInput, RunSecret, SecretSource, SourceFile,
};
use crate::diagnostic::Diagnostic;
use crate::layer_path::LayerPath;
use crate::span::Span;
use crate::workspace::attributes::{Attributes, MapEntry, Spanned};
use crate::workspace::globs::Glob;
use crate::workspace::schema::{Attribute, Purpose, RuleSchema, Type, optional, required};
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

/// The rule.
pub static RULE: Rule = Rule {
    schema: RuleSchema {
        name: "run",
        purpose: Purpose::Layer,
        doc: "A layer of what commands change in a root file system. They run in a sandbox of Linux namespaces: they see \
              the base, their inputs and nothing else of the machine, without network unless asked for, and with the \
              capabilities of a Docker container. What they write, delete and change becomes the layer; times do not, \
              and neither does what came out as it was.",
        example: "[run.accounts]\nbase = \"//base:debian\"\ncommands = [\"useradd --uid 50000 --gid 0 airflow\"]\nignore = [\"/etc/*-\", \"/var/log/**\"]\n",
        attributes: &[
            required(
                "base",
                Type::Either(&[
                    Type::Label(&[Purpose::Image, Purpose::Base, Purpose::Layer]),
                    Type::List(&Type::Label(&[Purpose::Layer])),
                ]),
                "What commands run over: an image (with its `env`, `user` and `workdir`), a layer, or layers, the lowest first.",
            ),
            required(
                "commands",
                Type::List(&Type::Either(&[Type::String, Type::List(&Type::String)])),
                "What is run, in this order: a string is for the base's `/bin/sh -c`, a list is a program and its arguments. The first that fails ends the build.",
            ),
            optional(
                "env",
                Type::Map(&Type::String),
                "Variables, laid over the base's; `$NAME` is the base's value. Nothing of layerbuild's own environment is seen. `SOURCE_DATE_EPOCH` is set.",
            ),
            optional("user", Type::String, "`user`, `uid`, `user:group` or `uid:gid`. Default: the base's."),
            optional(
                "workdir",
                Type::String,
                "The directory that commands start in, absolute. Default: the base's, else `/`.",
            ),
            optional(
                "inputs",
                Type::Map(&Type::Either(&[Type::Label(&[Purpose::Layer]), Type::List(&Type::String)])),
                "What else is seen, read-only, by absolute path: globs of the package's files, or a layer's label. No part of the layer.",
            ),
            optional(
                "caches",
                Type::Map(&Type::String),
                "Directories that outlive the step, by absolute path: each a name, under which the store keeps it for all steps. No part of the layer, nor of the key beyond the name: what commands make must not depend on what is in them.",
            ),
            optional(
                "secrets",
                Type::Map(&Type::Table(SECRET)),
                "Files that exist in memory while commands run: in no layer, key, record or event; printed, they are blotted out. Needs `secret-in-key = false`.",
            ),
            optional(
                "secret-in-key",
                Type::Boolean,
                "`false`, and said so: another value of a secret alone does not run the commands again. `true` is not supported, since a key would betray its value.",
            ),
            optional(
                "network",
                Type::Boolean,
                "Whether commands reach the network, which is the host's then. Default: `false`.",
            ),
            optional(
                "ignore",
                Type::List(&Type::String),
                "Globs of absolute paths that do not become part of the layer, with all that is below them: logs, caches, backups.",
            ),
            optional(
                "timeout",
                Type::String,
                "How long all commands may take together, such as `10m`. Default: as long as they need.",
            ),
            shared::COMPRESSION,
        ],
    },
    lower,
};

fn lower(target: &Target<'_>, context: &dyn Context) -> Result<Operation, Vec<Diagnostic>> {
    let mut draft = Draft { target, context, errors: Vec::new() };
    let attributes = target.attributes;
    let base = draft.base();
    let commands = draft.commands();
    let inputs = draft.at_paths("inputs", Draft::input);
    let caches = draft.at_paths("caches", Draft::cache);
    let secrets = draft.secrets();
    let errors = &mut draft.errors;
    let env = env(attributes, errors);
    let workdir = attributes.text("workdir").and_then(|text| absolute(text, errors));
    let timeout = attributes.text("timeout").and_then(|text| duration(text, errors));
    let ignore = draft.ignore();
    let compression = shared::compression(target).map_err(|error| draft.errors.push(error));
    draft.no_two_at_one_path(&[inputs.keys().collect(), caches.keys().collect(), secrets.keys().collect()]);
    let (Some(base), Ok(compression), true) = (base, compression, draft.errors.is_empty()) else {
        return Err(draft.errors);
    };
    Ok(Operation::Run(Box::new(RunAction {
        base,
        commands,
        env,
        user: attributes.str("user").map(str::to_owned),
        workdir,
        inputs,
        caches,
        secrets,
        network: attributes.boolean("network").unwrap_or(false),
        ignore,
        timeout,
        compression,
        mtime: target.defaults.epoch,
    })))
}

struct Draft<'a> {
    target: &'a Target<'a>,
    context: &'a dyn Context,
    errors: Vec<Diagnostic>,
}

impl Draft<'_> {
    fn error(&mut self, message: impl Into<String>, span: Span, label: &str, help: &str) {
        self.errors.push(Diagnostic::error(message).at(span, label).help(help));
    }

    fn base(&mut self) -> Option<RunBase> {
        let mut labels = self.target.attributes.labels("base");
        let is_list = self.target.attributes.get("base").is_some_and(|value| value.as_array().is_some());
        let purpose = |label| self.context.written(label).map(|(schema, _)| schema.purpose);
        if is_list || labels.first().is_some_and(|label| purpose(&label.value) == Some(Purpose::Layer)) {
            if labels.is_empty() {
                self.error(
                    "`base` is empty",
                    self.target.span,
                    "has nothing to run commands over",
                    "name a layer or an image",
                );
            }
            let context = self.context;
            return Some(RunBase::Layers(labels.iter().filter_map(|label| context.action(&label.value)).collect()));
        }
        let label = labels.pop()?;
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

    fn commands(&mut self) -> Vec<Vec<String>> {
        let Some(value) = self.target.attributes.get("commands") else { return Vec::new() };
        let commands: Vec<Vec<String>> = value.as_array().unwrap_or_default().iter().map(words).collect();
        if commands.is_empty() || commands.iter().any(Vec::is_empty) {
            self.error(
                "an empty command",
                value.span,
                "",
                "write a string for the shell, or a list with a program first",
            );
        }
        commands
    }

    /// A table of absolute paths.
    fn at_paths<T>(
        &mut self,
        key: &str,
        read: impl Fn(&mut Self, &MapEntry<'_>) -> Option<T>,
    ) -> BTreeMap<LayerPath, T> {
        let entries: Vec<_> = self.target.attributes.map(key).collect();
        entries.iter().filter_map(|entry| Some((self.path(entry.key)?, read(self, entry)?))).collect()
    }

    fn path(&mut self, text: Spanned<&str>) -> Option<LayerPath> {
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

    fn input(&mut self, entry: &MapEntry<'_>) -> Option<RunInput> {
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

    fn cache(&mut self, entry: &MapEntry<'_>) -> Option<String> {
        let name = entry.text()?;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if name.value.is_empty() || !name.value.bytes().all(fits) || name.value.starts_with('.') {
            let help = "write letters, digits, `.`, `_` and `-`, a letter or digit first";
            self.error(format!("`{}` is not a cache's name", name.value), name.span, "", help);
            return None;
        }
        Some(name.value.to_owned())
    }

    fn secrets(&mut self) -> BTreeMap<LayerPath, RunSecret> {
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

    fn secret(&mut self, name: Spanned<&str>, table: Attributes<'_>) -> Option<(LayerPath, RunSecret)> {
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

    fn ignore(&mut self) -> Vec<String> {
        let written = self.target.attributes.strings("ignore");
        for text in &written {
            if !text.value.starts_with('/') {
                let message = format!("`{}` is not an absolute path", text.value);
                self.error(
                    message,
                    text.span,
                    "",
                    &format!("write `/{0}`, or `/**/{0}` for any directory", text.value),
                );
            }
        }
        written.into_iter().map(|text| text.value.to_owned()).collect()
    }

    fn no_two_at_one_path(&mut self, tables: &[Vec<&LayerPath>; 3]) {
        let mut seen = std::collections::BTreeSet::new();
        for path in tables.iter().flatten() {
            if !seen.insert(*path) {
                let message = format!("two things are put at {path}");
                self.errors.push(Diagnostic::error(message).at(self.target.span, "by `inputs`, `caches` or `secrets`"));
            }
        }
    }
}

fn words(value: &Value) -> Vec<String> {
    match value.as_array() {
        Some(items) => items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect(),
        None => vec!["/bin/sh".to_owned(), "-c".to_owned(), value.as_str().unwrap_or_default().to_owned()],
    }
}

fn seen(file: &camino::Utf8Path, source: Source) -> FileEntry {
    let (mode, kind) = match source {
        Source::Link(target) => (0o777, FileKind::Symlink(target)),
        Source::File { digest, size, executable, stamp } => {
            let source = SourceFile { path: file.to_owned(), digest, size, stamp };
            (if executable { 0o755 } else { 0o644 }, FileKind::Source(source))
        }
    };
    FileEntry { mode, owner: Owner::default(), kind }
}
