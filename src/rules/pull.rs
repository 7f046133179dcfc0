//! `pull`: somebody else's image as a base, its digest in `layers.lock`. Also what is
//! taken as published: our own under a profile, and another workspace's.
//!
//! Resolves nothing: what is not locked, or locked otherwise, is an error that says which command to run.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::place::Place;
use super::{Context, Defaults, Rule, Target};
use crate::action::{Operation, PullAction, PulledImage};
use crate::diagnostic::Diagnostic;
use crate::label::Label;
use crate::oci::outline;
use crate::platform::Platform;
use crate::reference::{Reference, ReferenceError, RegistryBase, Repository};
use crate::span::Span;
use crate::workspace::attributes::{Attributes, Spanned};
use crate::workspace::lock_file::LockedImage;
use crate::workspace::schema::{Purpose, RuleSchema, Type, optional, required};

/// The rule.
pub static RULE: Rule = Rule {
    schema: RuleSchema {
        name: "pull",
        purpose: Purpose::Base,
        doc: "An image of a registry, to be the `base` of others. `layerbuild lock` writes its digest to layers.lock; a build \
              takes just that.",
        example: "[pull.debian]\nimage = \"docker.io/library/debian:12\"\n",
        attributes: &[
            required("image", Type::String, "`HOST[:PORT]/PATH[:TAG][@DIGEST]`. With a digest, the tag is a note."),
            optional(
                "platforms",
                Type::List(&Type::String),
                "The platforms that images stand on it for, `os/architecture[/variant]`. Default: the workspace's.",
            ),
        ],
    },
    lower,
};

fn lower(target: &Target<'_>, context: &dyn Context) -> Result<Operation, Vec<Diagnostic>> {
    let source = Source::of_pull(target)?;
    let platform = source.own_platform(target.defaults);
    source.operation(&platform, context, target.defaults).map_err(|error| vec![error])
}

/// A target that is taken as published, as a base of its platform.
pub fn lower_published(target: &Target<'_>, context: &dyn Context) -> Result<Operation, Vec<Diagnostic>> {
    let source = Source::of_published(target).map_err(|error| vec![error])?;
    let platform = source.own_platform(target.defaults);
    source.operation(&platform, context, target.defaults).map_err(|error| vec![error])
}

/// What is to be locked, and where it was asked for.
#[derive(Debug, Clone)]
pub struct Source {
    /// The target.
    pub label: Label,
    /// Whose it is.
    pub place: Place,
    /// The whole reference.
    pub reference: Reference,
    /// Where it lies.
    pub repository: Repository,
    /// The reference as the lock file has it.
    pub image: String,
    /// The platforms that are written; empty: none is.
    pub platforms: Vec<Platform>,
    /// Whether the target is taken as published.
    pub published: bool,
    /// The profile in whose section of the lock file it stands; `None`: among the pulls, or with what is of other
    /// workspaces.
    pub section: Option<String>,
    /// What to underline.
    pub span: Span,
}

impl Source {
    /// What a `pull` asks for; or all that is wrong with its attributes.
    pub fn of_pull(target: &Target<'_>) -> Result<Source, Vec<Diagnostic>> {
        let attributes = target.attributes;
        let mut errors = Vec::new();
        let image = attributes.text("image").unwrap_or(Spanned { value: "", span: target.span });
        let reference = image.value.parse::<Reference>();
        let named = reference.and_then(|reference| Ok((reference.repository()?, reference)));
        let platforms = platforms(attributes, "platforms", &mut errors);
        match named {
            Ok((repository, reference)) if errors.is_empty() => Ok(Source {
                label: target.label.clone(),
                place: target.defaults.place.clone(),
                reference,
                repository,
                image: image.value.to_owned(),
                platforms,
                published: false,
                section: None,
                span: image.span,
            }),
            Ok(_) => Err(errors),
            Err(error) => {
                errors.insert(0, Diagnostic::error(error.to_string()).at(image.span, ""));
                Err(errors)
            }
        }
    }

    /// Where a target is taken from as published.
    pub fn of_published(target: &Target<'_>) -> Result<Source, Diagnostic> {
        let place = |error: ReferenceError| Diagnostic::error(error.to_string()).at(target.span, "");
        let (written, tag, whose) = target.defaults.published_at(target.label);
        let registry: RegistryBase = written.parse().map_err(|error| place(error).help(whose))?;
        let repository = registry.repository(target.label).map_err(place)?;
        let tag = tag.parse().map_err(place)?;
        let below = match &registry.prefix {
            Some(prefix) => &repository.path.as_str()[prefix.as_str().len() + 1..],
            None => repository.path.as_str(),
        };
        let image = format!("{below}:{tag}");
        let Repository { registry, path } = repository.clone();
        let mut errors = Vec::new();
        let mut platforms = platforms(target.attributes, "platform", &mut errors);
        platforms.extend(target.defaults.external(target.label).into_iter().flat_map(|it| it.platforms.clone()));
        match errors.pop() {
            Some(error) => Err(error),
            None => Ok(Source {
                label: target.label.clone(),
                place: target.defaults.place.clone(),
                reference: Reference { registry: Some(registry), path, tag: Some(tag), digest: None },
                repository,
                image,
                platforms,
                published: true,
                section: target.defaults.section(target.label),
                span: target.span,
            }),
        }
    }

    /// The platform of the target's own action: the workspace's where nothing or that is written, else the first.
    pub fn own_platform(&self, defaults: &Defaults) -> Platform {
        let ours = self.platforms.is_empty() || self.platforms.contains(&defaults.platform);
        if ours { defaults.platform.clone() } else { self.platforms[0].clone() }
    }

    /// The platforms to lock it for: those that are written, else the workspace's.
    pub fn wanted_platforms(&self, defaults: &Defaults) -> BTreeSet<Platform> {
        let written = self.platforms.iter().cloned();
        if self.platforms.is_empty() { [defaults.platform.clone()].into() } else { written.collect() }
    }

    /// Whether what is locked is what is asked for: by the same reference, or of the digest that is written.
    pub fn is_locked_by(&self, locked: &LockedImage) -> bool {
        locked.image == self.image || self.reference.digest == Some(locked.digest)
    }

    /// What is locked, if it answers what is asked for on a platform; else what is wrong, and the command to run.
    pub fn judge<'l>(
        &self,
        locked: Option<&'l LockedImage>,
        platform: &Platform,
        defaults: &Defaults,
    ) -> Result<&'l LockedImage, Diagnostic> {
        let run = format!("run `{}`", self.command());
        let Some(locked) = locked else {
            let label = format!("no digest of {} is in layers.lock", self.image);
            return Err(Diagnostic::error(format!("{} is not locked", self.label)).at(self.span, label).help(run));
        };
        if !self.is_locked_by(locked) {
            let label = format!("this is {}, but {} is locked", self.image, locked.image);
            let message = format!("layers.lock has another image for {}", self.label);
            return Err(Diagnostic::error(message).at(self.span, label).help(run));
        }
        if locked.platforms.contains_key(platform) { Ok(locked) } else { Err(self.not_for(platform, &run, defaults)) }
    }

    /// The action for a platform, from what is locked.
    pub fn operation(
        &self,
        platform: &Platform,
        context: &dyn Context,
        defaults: &Defaults,
    ) -> Result<Operation, Diagnostic> {
        let locked = self.judge(context.locked(&self.label), platform, defaults)?;
        let images = locked.platforms.iter().map(|(platform, locked)| match outline::from_lines(&locked.outline) {
            Ok(outline) => {
                let image = PulledImage { manifest: locked.manifest, listing: locked.listing, outline };
                Ok((platform.clone(), image))
            }
            Err(line) => Err(self.unreadable(&locked.outline[line])),
        });
        Ok(Operation::Pull(Box::new(PullAction {
            repository: self.repository.clone(),
            platform: platform.clone(),
            locked: Arc::new(images.collect::<Result<_, _>>()?),
        })))
    }

    fn unreadable(&self, line: &str) -> Diagnostic {
        Diagnostic::error(format!("layers.lock has the line `{line}` in an outline of {}", self.label))
            .at(self.span, "which can't be read")
            .help("take layers.lock from version control again, or run `layerbuild lock --update`")
    }

    fn not_for(&self, platform: &Platform, run: &str, defaults: &Defaults) -> Diagnostic {
        let diagnostic = Diagnostic::error(format!("{} is not locked for {platform}", self.label));
        let diagnostic = diagnostic.at(self.span, "locked without this platform");
        let wanted = self.wanted_platforms(defaults).contains(platform);
        diagnostic.help(if wanted {
            run.to_owned()
        } else {
            let label = self.place.local(&self.label);
            let whose = label
                .package
                .external()
                .map_or("its `platforms`".to_owned(), |name| format!("`platforms` of `[external.{name}]`"));
            format!("add \"{platform}\" to {whose}, then {run}")
        })
    }

    /// The command that locks it.
    pub fn command(&self) -> String {
        self.place.lock(self.section.as_deref(), &self.label)
    }
}

fn platforms(attributes: Attributes<'_>, key: &str, errors: &mut Vec<Diagnostic>) -> Vec<Platform> {
    let parse = |text: Spanned<&str>| {
        let parsed = text.value.parse::<Platform>();
        parsed.map_err(|error| errors.push(Diagnostic::error(error.to_string()).at(text.span, ""))).ok()
    };
    attributes.strings(key).into_iter().filter_map(parse).collect()
}
