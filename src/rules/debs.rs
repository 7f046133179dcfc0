//! `debs`: a layer of Debian packages, each by its digest in `layers.lock`.
//!
//! Resolves nothing: what is not locked, or locked for another request, is an error that says which command to run.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Context, Defaults, Rule, Target, shared};
use crate::action::{Deb, DebUser, DebsLayer, Operation};
use crate::diagnostic::Diagnostic;
use crate::label::Label;
use crate::platform::Platform;
use crate::span::Span;
use crate::workspace::attributes::{MapEntry, Spanned};
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
            optional("recommends", Type::Boolean, "Whether what they recommend is taken too. Default: false."),
            optional(
                "exclude",
                Type::List(&Type::String),
                "Names that are never taken. What only they could provide counts as there. Default: none.",
            ),
            optional(
                "merged-usr",
                Type::Boolean,
                "Whether /bin, /sbin and /lib* are links into /usr, as Debian has it from 12 on. Default: true.",
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

/// What is to be locked, and where it was asked for.
#[derive(Debug, Clone)]
pub struct Source {
    /// The target.
    pub label: Label,
    /// `NAME` or `NAME=VERSION`, as they were written.
    pub packages: Vec<String>,
    /// Where they come from.
    pub source: String,
    /// Whether the essential packages come with them.
    pub essential: bool,
    /// Whether what they recommend does.
    pub recommends: bool,
    /// Names that are never taken.
    pub exclude: BTreeSet<String>,
    /// The platforms to lock them for; at least one.
    pub platforms: BTreeSet<Platform>,
    /// What to underline.
    pub span: Span,
}

impl Source {
    /// What a target asks for; or all that is wrong with it.
    pub fn of(target: &Target<'_>) -> Result<Source, Vec<Diagnostic>> {
        let attributes = target.attributes;
        let mut errors = Vec::new();
        let names = |key: &str, errors: &mut Vec<Diagnostic>| -> Vec<String> {
            let written = attributes.strings(key);
            errors.extend(written.iter().filter(|name| !is_package(name.value)).map(not_a_package));
            written.iter().map(|name| name.value.to_owned()).collect()
        };
        let packages = names("packages", &mut errors);
        let exclude = names("exclude", &mut errors).into_iter().collect();
        let platform = |text: Spanned<&str>| {
            let parsed = text.value.parse::<Platform>();
            parsed.map_err(|error| errors.push(Diagnostic::error(error.to_string()).at(text.span, ""))).ok()
        };
        let mut platforms: BTreeSet<Platform> =
            attributes.strings("platforms").into_iter().filter_map(platform).collect();
        if platforms.is_empty() {
            platforms.insert(target.defaults.platform.clone());
        }
        let source = Source {
            label: target.label.clone(),
            packages,
            source: attributes.str("source").unwrap_or("system").to_owned(),
            essential: attributes.boolean("essential").unwrap_or(false),
            recommends: attributes.boolean("recommends").unwrap_or(false),
            exclude,
            platforms,
            span: attributes.span("packages").unwrap_or(target.span),
        };
        if errors.is_empty() { Ok(source) } else { Err(errors) }
    }

    /// What is asked for, in one form, for `layers.lock`.
    pub fn request(&self) -> String {
        let mut packages = self.packages.clone();
        packages.sort();
        let mut text = format!("{} from {}", packages.join(" "), self.source);
        if self.essential {
            text.push_str(", essential");
        }
        if self.recommends {
            text.push_str(", recommends");
        }
        if !self.exclude.is_empty() {
            text.push_str(", without ");
            text.push_str(&self.exclude.iter().map(String::as_str).collect::<Vec<_>>().join(" "));
        }
        text
    }

    /// The platform of the target's own action: the workspace's where that is one of its own, else the first.
    pub fn own_platform(&self, defaults: &Defaults) -> Platform {
        let first = self.platforms.first().filter(|_| !self.platforms.contains(&defaults.platform));
        first.unwrap_or(&defaults.platform).clone()
    }

    /// What is locked, if it answers what is asked for on a platform; else what is wrong, and the command to run.
    pub fn judge<'l>(&self, locked: Option<&'l LockedDebs>, platform: &Platform) -> Result<&'l LockedDebs, Diagnostic> {
        let run = format!("run `layerbuild lock {}`", self.label);
        let wrong = |message: String, label: &str| Diagnostic::error(message).at(self.span, label).help(run.clone());
        let Some(locked) = locked else {
            return Err(wrong(format!("{} is not locked", self.label), "none of these is in layers.lock"));
        };
        if locked.request != self.request() {
            let message = format!("layers.lock has other packages for {}", self.label);
            return Err(wrong(message, "").help(format!("locked: {}", locked.request)));
        }
        if locked.platforms.contains_key(platform) {
            return Ok(locked);
        }
        let message = format!("{} is not locked for {platform}", self.label);
        if self.platforms.contains(platform) {
            return Err(wrong(message, "locked without this platform"));
        }
        let diagnostic = Diagnostic::error(message).at(self.span, "an image needs them for this platform");
        Err(diagnostic.help(format!("add \"{platform}\" to its `platforms`, then {run}")))
    }
}

fn is_package(text: &str) -> bool {
    let (name, version) = text.split_once('=').unwrap_or((text, "0"));
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
    name.len() > 1
        && name.bytes().all(known)
        && !version.is_empty()
        && version.bytes().all(|byte| byte.is_ascii_graphic())
}

fn not_a_package(written: &Spanned<&str>) -> Diagnostic {
    Diagnostic::error(format!("`{}` is not a package's name", written.value))
        .at(written.span, "expected NAME or NAME=VERSION")
        .help("names are lower case, without architecture or suite")
}

fn lower(target: &Target<'_>, context: &dyn Context) -> Result<Operation, Vec<Diagnostic>> {
    let source = Source::of(target)?;
    let platform = source.own_platform(target.defaults);
    let mut errors = Vec::new();
    let users = users(target, &mut errors);
    let compression = shared::compression(target).map_err(|error| errors.push(error)).ok();
    let locked = source.judge(context.locked_debs(target.label), &platform).map_err(|error| errors.push(error)).ok();
    let (Some(compression), Some(locked), true) = (compression, locked, errors.is_empty()) else { return Err(errors) };
    without_base_passwd(target, &users, locked, &platform)?;
    let packages = locked.platforms.iter().map(|(platform, debs)| (platform.clone(), debs.iter().map(deb).collect()));
    Ok(Operation::Debs(Box::new(DebsLayer {
        platform,
        locked: Arc::new(packages.collect()),
        essential: source.essential,
        merged_usr: target.attributes.boolean("merged-usr").unwrap_or(true),
        users,
        compression,
        mtime: target.defaults.epoch,
    })))
}

/// Accounts stand behind those of base-passwd: without it they would go nowhere.
fn without_base_passwd(
    target: &Target<'_>,
    users: &[DebUser],
    locked: &LockedDebs,
    platform: &Platform,
) -> Result<(), Vec<Diagnostic>> {
    let mut debs = locked.platforms.get(platform).into_iter().flatten();
    if users.is_empty() || debs.any(|deb| deb.name == "base-passwd") {
        return Ok(());
    }
    let span = target.attributes.span("users").unwrap_or(target.span);
    let diagnostic =
        Diagnostic::error("`users` without base-passwd").at(span, "there is no /etc/passwd to put these in");
    Err(vec![diagnostic.help("say `essential = true`, or add \"base-passwd\" to `packages`")])
}

fn deb(locked: &LockedDeb) -> Deb {
    let LockedDeb { source, name, version, architecture, path, digest, size } = locked.clone();
    Deb { source, name, version, architecture, path, digest, size }
}

fn users(target: &Target<'_>, errors: &mut Vec<Diagnostic>) -> Vec<DebUser> {
    target.attributes.map("users").filter_map(|entry| user(&entry).map_err(|error| errors.push(error)).ok()).collect()
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
