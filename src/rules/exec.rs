//! `exec`: a layer of what one command makes, run in a sandbox over a build base.
//!
//! Decides what the command sees and where its outputs are. Runs nothing and reads no file itself.

use std::collections::BTreeMap;

use super::image::{absolute, duration, env};
use super::sandbox::{self, Draft, words};
use super::{Context, Rule, Target, shared};
use crate::action::{ExecAction, Operation, RunAction, RunBase};
use crate::diagnostic::Diagnostic;
use crate::layer_path::LayerPath;
use crate::workspace::attributes::Spanned;
use crate::workspace::schema::{Purpose, RuleSchema, Type, optional, required};

/// The rule.
pub static RULE: Rule = Rule {
    schema: RuleSchema {
        name: "exec",
        purpose: Purpose::Layer,
        doc: "A layer of what one command makes: its declared outputs, and nothing else of what it leaves behind. It runs \
              in the sandbox of `run` over the build base, with an empty environment but for `PATH`, `HOME` and \
              `SOURCE_DATE_EPOCH`. Outputs belong to 0:0, with mode 0755 where they are executable, else 0644.",
        example: "[exec.hello]\ncommand = \"cc -o out/hello src/hello.c\"\ninputs = { \"/src\" = [\"hello.c\"] }\noutputs = { \"/usr/bin/hello\" = \"/out/hello\" }\n",
        attributes: &[
            required(
                "command",
                Type::Either(&[Type::String, Type::List(&Type::String)]),
                "A string for the build base's `/bin/sh -c`, or a list, a program and its arguments. Starts in `/`, on the host in a folder of its own, so that relative paths mean the same in both.",
            ),
            required(
                "outputs",
                Type::Map(&Type::String),
                "What becomes the layer: path in the layer = absolute path where the command makes it, a file, a link or a directory. The directories above are there when it starts. An output that it doesn't make is an error.",
            ),
            optional(
                "env",
                Type::Map(&Type::String),
                "Variables beside `PATH`, `HOME` and `SOURCE_DATE_EPOCH`. `$PATH` is the build base's; a dollar is `$$`.",
            ),
            sandbox::INPUTS,
            sandbox::CACHES,
            sandbox::SECRETS,
            sandbox::SECRET_IN_KEY,
            sandbox::NETWORK,
            sandbox::TIMEOUT,
            sandbox::BUILD_BASE,
            shared::COMPRESSION,
        ],
    },
    lower,
};

fn lower(target: &Target<'_>, context: &dyn Context) -> Result<Operation, Vec<Diagnostic>> {
    let mut draft = Draft::new(target, context);
    let attributes = target.attributes;
    let base = draft.build_base();
    let command = command(&mut draft);
    let inputs = draft.at_paths("inputs", Draft::input);
    let caches = draft.at_paths("caches", Draft::cache);
    let secrets = draft.secrets();
    let env = env(attributes, &mut draft.errors);
    let timeout = attributes.text("timeout").and_then(|text| duration(text, &mut draft.errors));
    let mounted: Vec<&LayerPath> = inputs.keys().chain(caches.keys()).chain(secrets.keys()).collect();
    let outputs = outputs(&mut draft, &mounted);
    let compression = shared::compression(target).map_err(|error| draft.errors.push(error));
    draft.no_two_at_one_path(&[inputs.keys().collect(), caches.keys().collect(), secrets.keys().collect()]);
    if let (Some(RunBase::Host), Some(span)) = (&base, attributes.span("secrets")) {
        draft.error("secrets need a sandbox", span, "on the host they would lie on its disk", "name a `build-base`");
    }
    let (Some(base), Ok(compression), true) = (base, compression, draft.errors.is_empty()) else {
        return Err(draft.errors);
    };
    let step = RunAction {
        base,
        commands: vec![command],
        env,
        user: None,
        workdir: None,
        inputs,
        caches,
        secrets,
        network: attributes.boolean("network").unwrap_or(false),
        ignore: Vec::new(),
        timeout,
        compression,
        mtime: target.defaults.epoch,
    };
    Ok(Operation::Exec(Box::new(ExecAction { step, outputs })))
}

fn command(draft: &mut Draft<'_>) -> Vec<String> {
    let Some(value) = draft.target.attributes.get("command") else { return Vec::new() };
    let command = words(value);
    if command.iter().all(String::is_empty) || value.as_str().is_some_and(|text| text.trim().is_empty()) {
        draft.error("an empty command", value.span, "", "write a string for the shell, or a list with a program first");
    }
    command
}

/// Where the command leaves each output; nothing is taken from what is mounted.
fn outputs(draft: &mut Draft<'_>, mounted: &[&LayerPath]) -> BTreeMap<LayerPath, LayerPath> {
    let entries: Vec<_> = draft.target.attributes.map("outputs").collect();
    if let (Some(span), true) = (draft.target.attributes.span("outputs"), entries.is_empty()) {
        draft.error("`outputs` is empty", span, "nothing would be in the layer", "write `\"/usr/bin/x\" = \"/out/x\"`");
    }
    let mut outputs = BTreeMap::new();
    for entry in &entries {
        let Some(written) = entry.text() else { continue };
        let (Some(to), Some(from)) = (in_layer(draft, entry.key), draft.path(written)) else { continue };
        if let Some(place) = mounted.iter().find(|place| from.starts_with(place)) {
            let label = format!("{place} is an input, a cache or a secret");
            draft.error(
                format!("the output {from} is nothing that the command makes"),
                written.span,
                &label,
                "make it elsewhere, such as below `/out`",
            );
        }
        outputs.insert(to, from);
    }
    outputs
}

/// A path of the layer; its root too, for what is in a directory.
fn in_layer(draft: &mut Draft<'_>, text: Spanned<&str>) -> Option<LayerPath> {
    let path = LayerPath::new(absolute(text, &mut draft.errors)?);
    path.map_err(|error| draft.errors.push(Diagnostic::error(error.to_string()).at(text.span, ""))).ok()
}
