//! Which layers of packages an image, or a layer, consists of: by following `on`, `base` and `layers`.
//!
//! Labels in, labels out. Each of several layers of packages stands on those before it: only then is it known what dpkg's
//! database says.

use crate::diagnostic::Diagnostic;
use crate::label::Label;
use crate::span::Span;
use crate::workspace::attributes::{Attributes, Spanned};
use crate::workspace::schema::RuleSchema;

/// What is written of a target; `None` where it isn't known what it is made of.
pub type Declared<'a> = dyn Fn(&Label) -> Option<(&'static RuleSchema, Attributes<'a>)> + 'a;

/// Why nobody can tell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BelowError {
    /// An image from a registry.
    #[error("{0} comes from a registry: which packages are in it isn't known")]
    Unknown(Label),
    /// A layer of packages over others that it doesn't know.
    #[error("{} does not stand on {}", upper, shown(lower))]
    SideBySide {
        /// The layer.
        upper: Label,
        /// What is below it.
        lower: Vec<Label>,
        /// What it says that is.
        on: Vec<Label>,
    },
}

/// The layers of packages that a target consists of, the lowest first; empty where there are none.
pub fn layers(label: &Label, declared: &Declared<'_>) -> Result<Vec<Label>, BelowError> {
    of(label, declared, &mut Vec::new())
}

fn of(label: &Label, declared: &Declared<'_>, open: &mut Vec<Label>) -> Result<Vec<Label>, BelowError> {
    // A workspace in which labels go in a circle has been told so.
    let unknown = || BelowError::Unknown(label.clone());
    if open.contains(label) {
        return Err(unknown());
    }
    open.push(label.clone());
    let (schema, attributes) = declared(label).ok_or_else(unknown)?;
    let found = match schema.name {
        "debs" => {
            let mut below = attributes.label("on").map_or(Ok(Vec::new()), |on| of(&on.value, declared, open))?;
            below.push(label.clone());
            below
        }
        "image" => of_image(attributes, declared, open)?,
        "pull" => return Err(unknown()),
        _ => Vec::new(),
    };
    open.pop();
    Ok(found)
}

fn of_image(
    attributes: Attributes<'_>,
    declared: &Declared<'_>,
    open: &mut Vec<Label>,
) -> Result<Vec<Label>, BelowError> {
    let mut found = attributes.label("base").map_or(Ok(Vec::new()), |base| of(&base.value, declared, open))?;
    for layer in attributes.labels("layers") {
        let mut chain = of(&layer.value, declared, open)?;
        if let Some(upper) = chain.pop() {
            if chain != found {
                return Err(BelowError::SideBySide { upper, lower: found, on: chain });
            }
            found.push(upper);
        }
    }
    Ok(found)
}

/// What is wrong with the layers of an image, of which one is made to stand on others than those that are below it. Layers
/// that stand on none are left alone, and so is what comes from a registry.
pub fn misplaced(attributes: Attributes<'_>, declared: &Declared<'_>) -> Option<Diagnostic> {
    let written = attributes.labels("layers");
    let on = written.iter().find_map(|layer| {
        let (_, attributes) = declared(&layer.value).filter(|(schema, _)| schema.name == "debs")?;
        Some((layer, attributes.label("on")?))
    });
    let (layer, on) = on?;
    let error = of_image(attributes, declared, &mut Vec::new()).err()?;
    let BelowError::SideBySide { upper, lower, on: wanted } = &error else { return None };
    let place = written.iter().find(|layer| layer.value == *upper).unwrap_or(layer);
    Some(diagnostic(upper, lower, wanted, place.span).also(on.span, format!("{} stands on this", layer.value)))
}

fn diagnostic(upper: &Label, lower: &[Label], wanted: &[Label], span: Span) -> Diagnostic {
    let message = match wanted.is_empty() {
        true => format!("{upper} stands on no packages, but {} is below it here", shown(lower)),
        false => format!("{upper} stands on {}, but {} is below it here", shown(wanted), shown(lower)),
    };
    let help = match lower.last() {
        Some(last) => format!("say `on = \"{last}\"` in {upper}, or give the image the packages that it is made for"),
        None => "give the image a `base` with those packages, or put their layer before it".to_owned(),
    };
    Diagnostic::error(message).at(span, "this layer's part of dpkg's database would be wrong").help(help)
}

/// What is wrong with an `on`; the layers that it names.
pub fn named(on: &Spanned<Label>, declared: &Declared<'_>) -> Result<Vec<Label>, Diagnostic> {
    match layers(&on.value, declared) {
        Ok(layers) if layers.is_empty() => {
            let message = format!("no packages are in {}", on.value);
            let diagnostic = Diagnostic::error(message).at(on.span, "neither it nor its bases have a layer of `debs`");
            Err(diagnostic.help("name a `debs` layer or an image made of some, or leave `on` out"))
        }
        Ok(layers) => Ok(layers),
        Err(BelowError::SideBySide { upper, lower, on: wanted }) => Err(diagnostic(&upper, &lower, &wanted, on.span)),
        Err(error) => {
            let diagnostic = Diagnostic::error(error.to_string()).at(on.span, "can't be stood on");
            Err(diagnostic
                .help("build it from `debs` here, or leave `on` out: the layer then brings all that it needs"))
        }
    }
}

fn shown(labels: &[Label]) -> String {
    match labels {
        [] => "nothing".to_owned(),
        labels => labels.iter().map(Label::to_string).collect::<Vec<_>>().join(" and "),
    }
}
