//! `image`: an image from a base and layers, with what its config and manifest say.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::time::Duration;

use super::flow::{self, READS, WRITES};
use super::requires::{REQUIRES, requires};
use super::{Context, Rule, Target, debs_below};
use crate::action::{ActionId, ImageAction, Operation};
use crate::diagnostic::Diagnostic;
use crate::label::Label;
use crate::oci::image_requires;
use crate::oci::image_spec::{HealthTest, Healthcheck, ImageSpec, Port};
use crate::platform::Platform;
use crate::workspace::attributes::{Attributes, Spanned};
use crate::workspace::schema::{Purpose, RuleSchema, Type, optional, required};

const HEALTHCHECK: &[crate::workspace::schema::Attribute] = &[
    required(
        "test",
        Type::Either(&[Type::String, Type::List(&Type::String)]),
        "A line for the image's shell, or a program with its arguments. `\"none\"` switches the base's check off.",
    ),
    optional("interval", Type::String, "Time between checks, such as `30s`. Default: the engine's."),
    optional("timeout", Type::String, "Time after which a check has failed. Default: the engine's."),
    optional("start-period", Type::String, "Time after the start in which failures don't count. Default: none."),
    optional("start-interval", Type::String, "Time between checks during the start period. Default: the engine's."),
    optional("retries", Type::Integer, "Failures in a row until the container is unhealthy. Default: the engine's."),
];

/// The rule.
pub static RULE: Rule = Rule {
    schema: RuleSchema {
        name: "image",
        purpose: Purpose::Image,
        doc: "An image: a base, layers on top of it, and what its config says. What is not said here comes from the \
              base. Published as <registry>/<package>/<name>:<tag>.",
        example: "[image.app]\nbase = \"//base:debian\"\nlayers = [\":app-files\"]\nentrypoint = [\"/opt/app/run\"]\n",
        attributes: &[
            optional(
                "base",
                Type::Label(&[Purpose::Image, Purpose::Base]),
                "The image below: one of ours, or a `pull`. Default: none (scratch).",
            ),
            optional(
                "layers",
                Type::List(&Type::Label(&[Purpose::Layer])),
                "Layers on top of the base, lowest first. Default: none.",
            ),
            optional("platform", Type::String, "`os/architecture[/variant]`. Default: the workspace's."),
            optional(
                "env",
                Type::Map(&Type::String),
                "Environment variables. `$NAME` and `${NAME}` are the base's values, `$$` is a dollar.",
            ),
            REQUIRES,
            READS,
            WRITES,
            optional(
                "entrypoint",
                Type::List(&Type::String),
                "The program and its first arguments. Clears an inherited `cmd`. Default: the base's.",
            ),
            optional("cmd", Type::List(&Type::String), "Default arguments. Default: the base's."),
            optional("user", Type::String, "`user`, `uid`, `user:group` or `uid:gid`. Default: the base's."),
            optional("workdir", Type::String, "The directory that the program starts in, absolute."),
            optional(
                "ports",
                Type::List(&Type::Either(&[Type::Integer, Type::String])),
                "Ports that the program listens on: `8080` or `\"53/udp\"`. Added to the base's.",
            ),
            optional("volumes", Type::List(&Type::String), "Absolute paths that are volumes. Added to the base's."),
            optional("labels", Type::Map(&Type::String), "Labels in the config, laid over the base's."),
            optional("annotations", Type::Map(&Type::String), "Annotations of the manifest."),
            optional("stop-signal", Type::String, "What stops the program, such as `SIGINT`. Default: the base's."),
            optional(
                "healthcheck",
                Type::Table(HEALTHCHECK),
                "How an engine learns whether the program is well; always written to the config.",
            ),
            optional(
                "tests",
                Type::List(&Type::Mention(&[Purpose::Test])),
                "Tests that must pass before it, or an index with it, is published.",
            ),
        ],
    },
    lower,
};

fn lower(target: &Target<'_>, context: &dyn Context) -> Result<Operation, Vec<Diagnostic>> {
    let mut errors = Vec::new();
    let spec = spec(target, &mut errors);
    let mut built = |label: Spanned<Label>, found: Result<Option<ActionId>, Diagnostic>| -> Option<ActionId> {
        match found {
            Ok(None) => {
                errors.push(Diagnostic::error(format!("{} can't be built", label.value)).at(label.span, "used here"));
                None
            }
            Ok(found) => found,
            Err(error) => {
                errors.push(error.at(label.span, "the base of an image for this platform"));
                None
            }
        }
    };
    let base = target.attributes.label("base").and_then(|label| {
        let found = context.base(&label.value, &spec.platform);
        built(label, found)
    });
    let layers = target.attributes.labels("layers").into_iter().filter_map(|label| {
        let found = Ok(context.layer(&label.value, &spec.platform));
        built(label, found)
    });
    let layers = layers.collect();
    errors.extend(flow::mistakes(target.attributes, target.label));
    errors.extend(debs_below::misplaced(target.attributes, &|label| context.declared(label)));
    if errors.is_empty() { Ok(Operation::Image(Box::new(ImageAction { base, layers, spec }))) } else { Err(errors) }
}

fn spec(target: &Target<'_>, errors: &mut Vec<Diagnostic>) -> ImageSpec {
    let attributes = target.attributes;
    let list = |key| attributes.has(key).then(|| owned(attributes.strings(key)));
    let platform = attributes.text("platform").and_then(|text| parsed::<Platform>(text, errors));
    ImageSpec {
        platform: platform.unwrap_or_else(|| target.defaults.platform.clone()),
        env: env(attributes, errors),
        requires: requires(attributes, errors),
        entrypoint: list("entrypoint"),
        cmd: list("cmd"),
        user: attributes.str("user").map(str::to_owned),
        workdir: attributes.text("workdir").and_then(|text| absolute(text, errors)),
        ports: ports(attributes, errors),
        volumes: attributes.strings("volumes").into_iter().filter_map(|text| absolute(text, errors)).collect(),
        labels: labels(attributes, errors),
        annotations: strings(attributes, "annotations"),
        stop_signal: attributes.text("stop-signal").and_then(|text| signal(text, errors)),
        healthcheck: attributes.table("healthcheck").map(|table| healthcheck(table, errors)),
        created: target.defaults.epoch,
    }
}

fn owned(texts: Vec<Spanned<&str>>) -> Vec<String> {
    texts.into_iter().map(|text| text.value.to_owned()).collect()
}

/// A table of strings.
pub(super) fn strings(attributes: Attributes<'_>, key: &str) -> BTreeMap<String, String> {
    let pair = |entry: crate::workspace::MapEntry<'_>| Some((entry.key.value.to_owned(), entry.str()?.to_owned()));
    attributes.map(key).filter_map(pair).collect()
}

fn parsed<T: FromStr<Err: ToString>>(text: Spanned<&str>, errors: &mut Vec<Diagnostic>) -> Option<T> {
    text.value.parse().map_err(|error: T::Err| errors.push(Diagnostic::error(error.to_string()).at(text.span, ""))).ok()
}

/// A path in the image.
pub(super) fn absolute(text: Spanned<&str>, errors: &mut Vec<Diagnostic>) -> Option<String> {
    if text.value.starts_with('/') {
        return Some(text.value.to_owned());
    }
    let mistake = Diagnostic::error("a path in the image must be absolute").at(text.span, "does not begin with `/`");
    errors.push(mistake.help(format!("write `/{}`", text.value)));
    None
}

/// Variables.
pub(super) fn env(attributes: Attributes<'_>, errors: &mut Vec<Diagnostic>) -> Vec<(String, String)> {
    let mut variables = Vec::new();
    for entry in attributes.map("env") {
        let name = entry.key;
        if name.value.is_empty() || name.value.contains(['=', '\0']) {
            let message = format!("`{}` is not a variable's name", name.value);
            errors.push(Diagnostic::error(message).at(name.span, "empty, or contains `=`"));
        }
        variables.extend(entry.str().map(|value| (name.value.to_owned(), value.to_owned())));
    }
    variables
}

/// Labels; that of the requirements is made, not written.
fn labels(attributes: Attributes<'_>, errors: &mut Vec<Diagnostic>) -> BTreeMap<String, String> {
    if let Some(entry) = attributes.map("labels").find(|entry| entry.key.value == image_requires::LABEL) {
        let error = Diagnostic::error(format!("the label {} is made of `requires`", image_requires::LABEL));
        errors.push(error.at(entry.key.span, "").help("write the variables into `requires`"));
    }
    strings(attributes, "labels")
}

/// Ports.
pub(super) fn ports(attributes: Attributes<'_>, errors: &mut Vec<Diagnostic>) -> BTreeSet<Port> {
    let items = attributes.get("ports").and_then(|value| value.as_array()).unwrap_or_default();
    let mut ports = BTreeSet::new();
    for item in items {
        let text = match &item.node {
            crate::workspace::value::Node::Integer(number) => number.to_string(),
            _ => item.as_str().unwrap_or_default().to_owned(),
        };
        ports.extend(parsed::<Port>(Spanned { value: &text, span: item.span }, errors));
    }
    ports
}

fn signal(text: Spanned<&str>, errors: &mut Vec<Diagnostic>) -> Option<String> {
    let named = text.value.strip_prefix("SIG").is_some_and(|rest| {
        !rest.is_empty()
            && rest.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"+-".contains(&byte))
    });
    if named || text.value.parse::<u8>().is_ok_and(|number| (1..=64).contains(&number)) {
        return Some(text.value.to_owned());
    }
    let message = format!("`{}` is not a signal", text.value);
    errors.push(Diagnostic::error(message).at(text.span, "").help("write its name, such as `SIGTERM`, or its number"));
    None
}

fn healthcheck(table: Attributes<'_>, errors: &mut Vec<Diagnostic>) -> Healthcheck {
    let test = match table.str("test") {
        Some(word) if word.eq_ignore_ascii_case("none") => HealthTest::None,
        Some(line) => HealthTest::Shell(line.to_owned()),
        None => HealthTest::Command(owned(table.strings("test"))),
    };
    let mut time = |key| table.text(key).and_then(|text| duration(text, errors));
    let (interval, timeout) = (time("interval"), time("timeout"));
    let (start_period, start_interval) = (time("start-period"), time("start-interval"));
    let retries = table.integer("retries").and_then(|number| {
        let fits = u32::try_from(number).ok().filter(|number| *number > 0);
        if let (None, Some(span)) = (fits, table.span("retries")) {
            errors.push(Diagnostic::error("`retries` must be at least 1").at(span, ""));
        }
        fits
    });
    Healthcheck { test, interval, timeout, start_period, start_interval, retries }
}

/// A span of time.
pub(super) fn duration(text: Spanned<&str>, errors: &mut Vec<Diagnostic>) -> Option<Duration> {
    let found = parse_duration(text.value);
    if found.is_none() {
        let message = format!("`{}` is not a duration", text.value);
        errors.push(
            Diagnostic::error(message)
                .at(text.span, "")
                .help("write a number and `ms`, `s`, `m` or `h`, such as `30s` or `1m30s`"),
        );
    }
    found
}

/// A duration as Docker writes it: numbers with `h`, `m`, `s` or `ms`, such as `1m30s`; `None` for anything else.
fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        let unit_end =
            rest[digits..].find(|letter: char| letter.is_ascii_digit()).map_or(rest.len(), |end| digits + end);
        let unit = match &rest[digits..unit_end] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        };
        total = total.checked_add(Duration::from_millis(number.checked_mul(unit)?))?;
        rest = &rest[unit_end..];
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units() {
        assert_eq!(parse_duration("1m30s"), Some(Duration::from_secs(90)));
        assert_eq!(parse_duration("250ms"), Some(Duration::from_millis(250)));
        for text in ["", "30", "s", "-1s", "1 s", "1d", "99999999999999999999s"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
