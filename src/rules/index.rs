//! `index`: one name for the images of several platforms: given one by one, or one image built for each platform.

use super::{Context, Rule, Target, image};
use crate::action::{ActionId, IndexAction, Operation};
use crate::diagnostic::Diagnostic;
use crate::label::Label;
use crate::platform::Platform;
use crate::span::Span;
use crate::workspace::attributes::Spanned;
use crate::workspace::schema::{Purpose, RuleSchema, Type, optional, required};

/// The rule.
pub static RULE: Rule = Rule {
    schema: RuleSchema {
        name: "index",
        purpose: Purpose::Index,
        doc: "One name for the images of several platforms (an OCI image index); whoever pulls it gets the image that \
              fits. Published like an image, its images by digest only.",
        example: "[index.app]\nimages = [\":app-image\"]\nplatforms = [\"linux/amd64\", \"linux/arm64\"]\n",
        attributes: &[
            required(
                "images",
                Type::List(&Type::Label(&[Purpose::Image])),
                "The images, each for its own platform, in the order in which clients look for one that fits.",
            ),
            optional(
                "platforms",
                Type::List(&Type::String),
                "Builds each image for each of these platforms, and the images below it too; layers are the same for \
                 all. Default: each image is for its own platform.",
            ),
            optional("annotations", Type::Map(&Type::String), "Annotations of the index."),
            optional(
                "tests",
                Type::List(&Type::Mention(&[Purpose::Test])),
                "Tests that must pass before it is published.",
            ),
        ],
    },
    lower,
};

fn lower(target: &Target<'_>, context: &dyn Context) -> Result<Operation, Vec<Diagnostic>> {
    let mut errors = Vec::new();
    let platforms = platforms(target, &mut errors);
    let lines = target.attributes.labels("images").into_iter().flat_map(|image| match &platforms {
        None => vec![line(image, context)],
        Some(platforms) => platforms.iter().map(|platform| variant(&image, platform, target, context)).collect(),
    });
    let lines: Vec<Line> = lines.filter_map(|line| line.map_err(|error| errors.push(error)).ok()).collect();
    errors.extend(twice(&lines, target));
    if lines.is_empty() && errors.is_empty() {
        let error = Diagnostic::error(format!("{} has no image", target.label));
        errors.push(error.at(target.span, "needs at least one in `images`"));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let images = lines.iter().map(|line| line.action).collect();
    Ok(Operation::Index(IndexAction { images, annotations: image::strings(target.attributes, "annotations") }))
}

/// One image of the index.
struct Line {
    action: ActionId,
    label: Label,
    span: Span,
    /// `None` where only building tells.
    platform: Option<Platform>,
}

/// `None` where the attribute isn't written; what can't be read is left out and told.
fn platforms(target: &Target<'_>, errors: &mut Vec<Diagnostic>) -> Option<Vec<Platform>> {
    let written = target.attributes.has("platforms").then(|| target.attributes.strings("platforms"))?;
    if written.is_empty() {
        let error = Diagnostic::error("`platforms` is empty");
        errors.extend(target.attributes.span("platforms").map(|span| error.at(span, "name one, or leave it out")));
    }
    let mut found: Vec<Platform> = Vec::new();
    for text in written {
        match text.value.parse() {
            Ok(platform) if found.contains(&platform) => {
                errors.push(Diagnostic::error(format!("`{platform}` stands in `platforms` twice")).at(text.span, ""));
            }
            Ok(platform) => found.push(platform),
            Err(error) => errors.push(Diagnostic::error(error.to_string()).at(text.span, "")),
        }
    }
    Some(found)
}

/// An image for its own platform.
fn line(image: Spanned<Label>, context: &dyn Context) -> Result<Line, Diagnostic> {
    let Spanned { value: label, span } = image;
    let platform = written(&label, context);
    let action = context.action(&label).ok_or_else(|| no_action(&label, span))?;
    Ok(Line { action, label, span, platform })
}

/// An image for a platform that the index names.
fn variant(
    image: &Spanned<Label>,
    platform: &Platform,
    target: &Target<'_>,
    context: &dyn Context,
) -> Result<Line, Diagnostic> {
    let Spanned { value: label, span } = image.clone();
    if let Some((fixed, text)) = fixed(&label, platform, context) {
        let message = format!("{} is for {} only, and {} asks for {platform}", fixed, text.value, target.label);
        let error = Diagnostic::error(message).at(span, "can't be built for all `platforms`");
        return Err(error.also(text.span, "take this away, and the index's platforms count"));
    }
    if written(&label, context).as_ref() == Some(platform) {
        return line(image.clone(), context);
    }
    let action = context.variant(&label, platform).ok_or_else(|| no_action(&label, span))?;
    Ok(Line { action, label, span, platform: Some(platform.clone()) })
}

fn no_action(label: &Label, span: Span) -> Diagnostic {
    Diagnostic::error(format!("{label} can't be built")).at(span, "used here")
}

/// What an image says or gets of the workspace; `None` for what is no `[image.…]`.
fn written(label: &Label, context: &dyn Context) -> Option<Platform> {
    let (schema, attributes) = context.written(label)?;
    let own = || attributes.str("platform").map_or_else(|| Some(context.platform(label)), |text| text.parse().ok());
    if schema.name == image::RULE.schema.name { own() } else { None }
}

/// The first image from this one down to its lowest base that says another platform, and where it does.
fn fixed<'a>(label: &Label, wanted: &Platform, context: &'a dyn Context) -> Option<(Label, Spanned<&'a str>)> {
    let mut next = Some(label.clone());
    while let Some(label) = next {
        let (schema, attributes) = context.written(&label)?;
        if schema.name != image::RULE.schema.name {
            return None;
        }
        match attributes.text("platform") {
            Some(text) if text.value.parse().as_ref() != Ok(wanted) => return Some((label, text)),
            _ => next = attributes.label("base").map(|base| base.value),
        }
    }
    None
}

/// Two images for one platform, each pair told once.
fn twice(lines: &[Line], target: &Target<'_>) -> Vec<Diagnostic> {
    let mut errors = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(platform) = &line.platform else { continue };
        let Some(first) = lines[..at].iter().find(|first| first.platform.as_ref() == Some(platform)) else { continue };
        let message = format!("{} and {} of {} are both for {platform}", first.label, line.label, target.label);
        errors.push(
            Diagnostic::error(message)
                .at(line.span, "a client would never get this one")
                .also(first.span, "it takes the first that fits")
                .help("give one of them another `platform`"),
        );
    }
    errors
}
