//! What a `debs` target asks for, and whether what `layers.lock` has of it answers that.
//!
//! Reads attributes; resolves nothing.

use std::collections::BTreeSet;

use super::debs_below::{self, Declared};
use super::place::Place;
use super::{Defaults, Target};
use crate::diagnostic::Diagnostic;
use crate::digest::Digest;
use crate::label::Label;
use crate::platform::Platform;
use crate::span::Span;
use crate::workspace::attributes::Spanned;
use crate::workspace::lock_debs::{self, LockedDebs};

/// Looks up what is locked of a `debs` target.
pub type Locked<'l> = dyn Fn(&Label) -> Option<&'l LockedDebs> + 'l;

/// What is to be locked, and where it was asked for.
#[derive(Debug, Clone)]
pub struct Source {
    /// The target.
    pub label: Label,
    /// Whose it is.
    pub place: Place,
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
    /// The layers of packages that it stands on, the lowest first.
    pub below: Vec<Label>,
    /// The platforms to lock them for; at least one.
    pub platforms: BTreeSet<Platform>,
    /// What to underline.
    pub span: Span,
}

impl Source {
    /// What a target asks for; or all that is wrong with it.
    pub fn of(target: &Target<'_>, declared: &Declared<'_>) -> Result<Source, Vec<Diagnostic>> {
        let attributes = target.attributes;
        let mut errors = Vec::new();
        let on = attributes.label("on").map_or(Ok(Vec::new()), |on| debs_below::named(&on, declared));
        let below = on.map_err(|error| errors.push(error)).unwrap_or_default();
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
            place: target.defaults.place.clone(),
            packages,
            source: attributes.str("source").unwrap_or("system").to_owned(),
            essential: attributes.boolean("essential").unwrap_or(false),
            recommends: attributes.boolean("recommends").unwrap_or(false),
            exclude,
            below,
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
        for below in &self.below {
            text.push_str(&format!(", on {}", self.place.local(below)));
        }
        text
    }

    /// What it rests on, as `layers.lock` has it: `Ok(None)` for nothing; an error names what is not locked.
    pub fn below<'l>(&self, locked: &Locked<'l>) -> Result<Option<Digest>, &Label> {
        let layers: Vec<&LockedDebs> =
            self.below.iter().map(|label| locked(label).ok_or(label)).collect::<Result<_, _>>()?;
        Ok((!layers.is_empty()).then(|| lock_debs::below(&layers, &self.platforms)))
    }

    /// The platform of the target's own action: the workspace's where that is one of its own, else the first.
    pub fn own_platform(&self, defaults: &Defaults) -> Platform {
        let first = self.platforms.first().filter(|_| !self.platforms.contains(&defaults.platform));
        first.unwrap_or(&defaults.platform).clone()
    }

    /// What is locked, if it answers what is asked for on a platform; else what is wrong, and the command to run.
    pub fn judge<'l>(&self, locked: &Locked<'l>, platform: &Platform) -> Result<&'l LockedDebs, Diagnostic> {
        let run = format!("run `{}`", self.place.lock(None, &self.label));
        let wrong = |message: String, label: &str| Diagnostic::error(message).at(self.span, label).help(run.clone());
        let Some(own) = locked(&self.label) else {
            return Err(wrong(format!("{} is not locked", self.label), "none of these is in layers.lock"));
        };
        if own.request != self.request() {
            let message = format!("layers.lock has other packages for {}", self.label);
            return Err(wrong(message, "").help(format!("locked: {}", own.request)));
        }
        let below = self.below(locked).map_err(|label| wrong(format!("{label} is not locked"), "stands on it"))?;
        if own.below != below {
            let message = format!("{} was locked when other packages were below it", self.label);
            return Err(wrong(message, &format!("stands on {}, which was locked again", last(&self.below))));
        }
        let has = |label: &&Label| locked(label).is_some_and(|layer| layer.platforms.contains_key(platform));
        if let Some(label) = self.below.iter().find(|label| own.platforms.contains_key(platform) && !has(label)) {
            return Err(wrong(format!("{label} is not locked for {platform}"), "stands on it"));
        }
        self.judge_platform(own, platform, wrong)
    }

    fn judge_platform<'l>(
        &self,
        own: &'l LockedDebs,
        platform: &Platform,
        wrong: impl Fn(String, &str) -> Diagnostic,
    ) -> Result<&'l LockedDebs, Diagnostic> {
        if own.platforms.contains_key(platform) {
            return Ok(own);
        }
        let message = format!("{} is not locked for {platform}", self.label);
        if self.platforms.contains(platform) {
            return Err(wrong(message, "locked without this platform"));
        }
        let diagnostic = Diagnostic::error(message).at(self.span, "an image needs them for this platform");
        let run = format!("run `{}`", self.place.lock(None, &self.label));
        Err(diagnostic.help(format!("add \"{platform}\" to its `platforms`, then {run}")))
    }
}

fn last(labels: &[Label]) -> String {
    labels.last().map(Label::to_string).unwrap_or_default()
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
