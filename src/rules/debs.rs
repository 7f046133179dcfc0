//! `debs`: a layer of Debian packages, each by its digest in `layers.lock`.
//!
//! Resolves nothing: what is not locked, or locked for another request, is an error that says which command to run.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::debs_source::Source;
use super::{Context, Rule, Target, shared};
use crate::action::{Deb, DebUser, DebsLayer, DebsPart, Operation};
use crate::diagnostic::Diagnostic;
use crate::label::Label;
use crate::platform::Platform;
use crate::workspace::attributes::{Attributes, MapEntry};
use crate::workspace::globs;
use crate::workspace::lock_debs::{LockedDeb, LockedDebs};
use crate::workspace::schema::{Purpose, RuleSchema, Type, optional, required};

/// The rule.
pub static RULE: Rule = Rule {
    schema: RuleSchema {
        name: "debs",
        purpose: Purpose::Layer,
        doc: "A layer of Debian packages and all that they depend on. `layerbuild lock` resolves them and writes them to \
              layers.lock; a build takes just those. They are unpacked without their scripts being run: accounts, \
              certificates, alternatives, time zone, PAM and dpkg's database are made from what the packages hold, and a \
              package whose postinst does more is named in a warning.",
        example: "[debs.python]\npackages = [\"python3\", \"ca-certificates\"]\nessential = true\n",
        attributes: &[
            required(
                "packages",
                Type::List(&Type::String),
                "Names, real or virtual; `NAME=VERSION` for just that version.",
            ),
            optional(
                "source",
                Type::String,
                "The `[apt.NAME]` that they come from. Default: `system`, the archives of this machine's apt.",
            ),
            optional(
                "essential",
                Type::Boolean,
                "Whether Debian's essential packages are in it too, so that the layer is a root file system. Default: false.",
            ),
            optional(
                "on",
                Type::Label(&[Purpose::Layer, Purpose::Image]),
                "What the layer stands on: another `debs` layer, or an image made of some. Their packages are not taken again, and \
                 dpkg's database and all else that packages share is as if all had been installed together. Default: nothing, \
                 and nothing is known of what is below.",
            ),
            optional("recommends", Type::Boolean, "Whether what they recommend is taken too. Default: false."),
            optional(
                "exclude",
                Type::List(&Type::String),
                "Names that are never taken. What only they could provide counts as there. Default: none.",
            ),
            optional(
                "exclude-paths",
                Type::List(&Type::String),
                "Globs of absolute paths that are left out of the packages, `!` before those that stay even so; the last that \
                 matches counts. dpkg then knows nothing of them. Default: as what it stands `on`, else none.",
            ),
            optional(
                "merged-usr",
                Type::Boolean,
                "Whether /bin, /sbin and /lib* are links into /usr, as Debian has it from 12 on. Default: as what it stands \
                 `on`, else true.",
            ),
            optional(
                "users",
                Type::Map(&Type::Table(USER)),
                "Accounts by name, beside those of base-passwd, which has to be among the packages. Default: none.",
            ),
            optional(
                "platforms",
                Type::List(&Type::String),
                "The platforms that images need it for, `os/architecture[/variant]`. Default: the workspace's.",
            ),
            shared::COMPRESSION,
        ],
    },
    lower,
};

const USER: &[crate::workspace::schema::Attribute] = &[
    required("uid", Type::Integer, "Its number."),
    optional("gid", Type::Integer, "Its group's number. Default: as `uid`, in a group of the same name."),
    optional("home", Type::String, "Its folder, made where it isn't there. Default: `/nonexistent`."),
    optional("shell", Type::String, "Default: `/usr/sbin/nologin`."),
];

fn lower(target: &Target<'_>, context: &dyn Context) -> Result<Operation, Vec<Diagnostic>> {
    let source = Source::of(target, &|label| context.declared(label))?;
    let platform = source.own_platform(target.defaults);
    let mut errors = Vec::new();
    let users = users(target.attributes, &mut errors);
    let globs = exclude_paths(target.attributes, &mut errors);
    let compression = shared::compression(target).map_err(|error| errors.push(error)).ok();
    let judged = source.judge(&|label| context.locked_debs(label), &platform);
    let locked = judged.map_err(|error| errors.push(error)).ok();
    let below = below(&source.below, target, context).map_err(|error| errors.push(error)).ok();
    let (Some(compression), Some(locked), Some((below, merged_usr)), true) =
        (compression, locked, below, errors.is_empty())
    else {
        return Err(errors);
    };
    let inherited = below.last().map(|part| part.exclude_paths.clone()).unwrap_or_default();
    let own = DebsPart {
        locked: packages(locked),
        essential: source.essential,
        users,
        exclude_paths: globs.unwrap_or(inherited),
    };
    let layer = DebsLayer { platform, below, own, merged_usr, compression, mtime: target.defaults.epoch };
    without_base_passwd(target, &layer)?;
    Ok(Operation::Debs(Box::new(layer)))
}

/// The layers that it stands on, and whether `/usr` is merged in all of them and in it. What isn't locked of them has been
/// told.
fn below(labels: &[Label], target: &Target<'_>, context: &dyn Context) -> Result<(Vec<DebsPart>, bool), Diagnostic> {
    let own = target.attributes.boolean("merged-usr");
    let (mut parts, mut merged): (Vec<DebsPart>, Option<bool>) = (Vec::new(), None);
    for label in labels {
        let (Some((_, attributes)), Some(locked)) = (context.declared(label), context.locked_debs(label)) else {
            continue;
        };
        merged = Some(attributes.boolean("merged-usr").or(merged).unwrap_or(true));
        parts.push(part(attributes, locked, parts.last()));
    }
    match (own, merged) {
        (Some(own), Some(merged)) if own != merged => {
            let span = target.attributes.span("merged-usr").unwrap_or(target.span);
            let diagnostic =
                Diagnostic::error("`merged-usr` is another than below").at(span, format!("{merged} there"));
            Err(diagnostic.help("leave it out: it is as what the layer stands on"))
        }
        _ => Ok((parts, own.or(merged).unwrap_or(true))),
    }
}

/// A layer that another stands on. What is wrong with it is told where it is lowered.
fn part(attributes: Attributes<'_>, locked: &LockedDebs, below: Option<&DebsPart>) -> DebsPart {
    let mut told = Vec::new();
    let inherited = || below.map(|part| part.exclude_paths.clone()).unwrap_or_default();
    DebsPart {
        locked: packages(locked),
        essential: attributes.boolean("essential").unwrap_or(false),
        users: users(attributes, &mut told),
        exclude_paths: exclude_paths(attributes, &mut told).unwrap_or_else(inherited),
    }
}

fn packages(locked: &LockedDebs) -> Arc<BTreeMap<Platform, Vec<Deb>>> {
    let packages = locked.platforms.iter().map(|(platform, debs)| (platform.clone(), debs.iter().map(deb).collect()));
    Arc::new(packages.collect())
}

/// The globs as they are written; `None` where none are.
fn exclude_paths(attributes: Attributes<'_>, errors: &mut Vec<Diagnostic>) -> Option<Vec<String>> {
    attributes.has("exclude-paths").then_some(())?;
    let written = attributes.strings("exclude-paths");
    for text in &written {
        let glob = text.value.strip_prefix('!').unwrap_or(text.value);
        if !glob.starts_with('/') {
            let diagnostic = Diagnostic::error(format!("`{glob}` is not an absolute path")).at(text.span, "");
            errors.push(diagnostic.help(format!("write `/{glob}`, or `/**/{glob}` for any directory")));
        } else if let Err(error) = globs::compile(glob) {
            errors.push(Diagnostic::error(error.to_string()).at(text.span, ""));
        }
    }
    Some(written.iter().map(|text| text.value.to_owned()).collect())
}

/// Accounts stand behind those of base-passwd: without it they would go nowhere.
fn without_base_passwd(target: &Target<'_>, layer: &DebsLayer) -> Result<(), Vec<Diagnostic>> {
    let mut debs = layer.parts().filter_map(|part| part.packages(&layer.platform)).flatten();
    if layer.own.users.is_empty() || debs.any(|deb| deb.name == "base-passwd") {
        return Ok(());
    }
    let span = target.attributes.span("users").unwrap_or(target.span);
    let diagnostic =
        Diagnostic::error("`users` without base-passwd").at(span, "there is no /etc/passwd to put these in");
    Err(vec![
        diagnostic.help("say `essential = true`, stand `on` a layer that does, or add \"base-passwd\" to `packages`"),
    ])
}

fn deb(locked: &LockedDeb) -> Deb {
    let LockedDeb { source, name, version, architecture, path, digest, size } = locked.clone();
    Deb { source, name, version, architecture, path, digest, size }
}

fn users(attributes: Attributes<'_>, errors: &mut Vec<Diagnostic>) -> Vec<DebUser> {
    attributes.map("users").filter_map(|entry| user(&entry).map_err(|error| errors.push(error)).ok()).collect()
}

fn user(entry: &MapEntry<'_>) -> Result<DebUser, Diagnostic> {
    let name = entry.key.value;
    let wrong = |what: &str| Diagnostic::error(format!("`{name}`: {what}")).at(entry.key.span, "this account");
    let table = entry.table().ok_or_else(|| wrong("an account is a table with `uid`"))?;
    let plain = |text: &str| !text.contains([':', '\n']) && !text.is_empty();
    let number =
        |key: &str| table.integer(key).map(|number| u64::try_from(number).map_err(|_| wrong("a number is negative")));
    let uid = number("uid").ok_or_else(|| wrong("`uid` is missing"))??;
    let gid = number("gid").transpose()?.unwrap_or(uid);
    let text = |key: &str, default: &str| table.str(key).unwrap_or(default).to_owned();
    let (home, shell) = (text("home", "/nonexistent"), text("shell", "/usr/sbin/nologin"));
    if !plain(name) || !plain(&home) || !plain(&shell) || !home.starts_with('/') || !shell.starts_with('/') {
        return Err(wrong("name, home and shell hold no colon, and the paths are absolute"));
    }
    Ok(DebUser { name: name.to_owned(), uid, gid, home, shell })
}
