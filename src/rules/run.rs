//! `run`: a layer of what commands change in a root file system, run in a sandbox.
//!
//! Decides what they see: base, inputs, caches, secrets, network. Runs nothing and reads no file itself.

use super::image::{absolute, duration, env};
use super::sandbox::{self, Draft, words};
use super::{Context, Rule, Target, shared};
use crate::action::{Operation, RunAction, RunBase};
use crate::diagnostic::Diagnostic;
use crate::workspace::globs;
use crate::workspace::schema::{Purpose, RuleSchema, Type, optional, required};

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
            sandbox::INPUTS,
            sandbox::CACHES,
            sandbox::SECRETS,
            sandbox::SECRET_IN_KEY,
            sandbox::NETWORK,
            optional(
                "ignore",
                Type::List(&Type::String),
                "Globs of absolute paths that do not become part of the layer, with all that is below them: logs, caches, backups.",
            ),
            sandbox::TIMEOUT,
            shared::COMPRESSION,
        ],
    },
    lower,
};

fn lower(target: &Target<'_>, context: &dyn Context) -> Result<Operation, Vec<Diagnostic>> {
    let mut draft = Draft::new(target, context);
    let attributes = target.attributes;
    let base = base(&mut draft);
    let commands = commands(&mut draft);
    let inputs = draft.at_paths("inputs", Draft::input);
    let caches = draft.at_paths("caches", Draft::cache);
    let secrets = draft.secrets();
    let errors = &mut draft.errors;
    let env = env(attributes, errors);
    let workdir = attributes.text("workdir").and_then(|text| absolute(text, errors));
    let timeout = attributes.text("timeout").and_then(|text| duration(text, errors));
    let ignore = ignore(&mut draft);
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

fn base(draft: &mut Draft<'_>) -> Option<RunBase> {
    let mut labels = draft.target.attributes.labels("base");
    let is_list = draft.target.attributes.get("base").is_some_and(|value| value.as_array().is_some());
    if is_list {
        if labels.is_empty() {
            draft.error(
                "`base` is empty",
                draft.target.span,
                "has nothing to run commands over",
                "name a layer or an image",
            );
        }
        let context = draft.context;
        return Some(RunBase::Layers(labels.iter().filter_map(|label| context.action(&label.value)).collect()));
    }
    let label = labels.pop()?;
    draft.over(label)
}

fn commands(draft: &mut Draft<'_>) -> Vec<Vec<String>> {
    let Some(value) = draft.target.attributes.get("commands") else { return Vec::new() };
    let commands: Vec<Vec<String>> = value.as_array().unwrap_or_default().iter().map(words).collect();
    if commands.is_empty() || commands.iter().any(Vec::is_empty) {
        draft.error("an empty command", value.span, "", "write a string for the shell, or a list with a program first");
    }
    commands
}

fn ignore(draft: &mut Draft<'_>) -> Vec<String> {
    let written = draft.target.attributes.strings("ignore");
    for text in &written {
        if !text.value.starts_with('/') {
            let message = format!("`{}` is not an absolute path", text.value);
            draft.error(message, text.span, "", &format!("write `/{0}`, or `/**/{0}` for any directory", text.value));
        } else if let Err(error) = globs::compile(text.value) {
            let help = "a bracket or brace of a name is written `[[]` or `[{]`";
            draft.error(error.to_string(), text.span, "", help);
        }
    }
    written.into_iter().map(|text| text.value.to_owned()).collect()
}
