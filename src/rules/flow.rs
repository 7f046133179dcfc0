//! The attributes `reads` and `writes`: where the data of an image's containers comes from and goes to.
//!
//! Told to people and drawn; nothing that is built depends on it, so that no key and no image holds it.

use crate::diagnostic::Diagnostic;
use crate::label::Label;
use crate::span::Span;
use crate::workspace::attributes::Attributes;
use crate::workspace::schema::{Attribute, Purpose, Type, optional, required};
use crate::workspace::value::Value;

const OUTSIDE: &[Attribute] =
    &[required("outside", Type::String, "What it is called, such as `SQL Server`: a system that is no image here.")];

const ENDS: Type =
    Type::List(&Type::Either(&[Type::Aside(&[Purpose::Image, Purpose::Base, Purpose::Index]), Type::Table(OUTSIDE)]));

/// Where data comes from.
pub const READS: Attribute = optional(
    "reads",
    ENDS,
    "Where its data comes from: labels of images, and `{ outside = \"NAME\" }` for other systems. Drawn by \
     `layerbuild diagram`, and in no image. Default: not told.",
);

/// Where data goes to.
pub const WRITES: Attribute = optional("writes", ENDS, "Where its data goes to, as `reads`. Default: not told.");

/// What can't be: a system without a name, an image that is its own source.
pub fn mistakes(attributes: Attributes<'_>, own: &Label) -> Vec<Diagnostic> {
    let names = [READS.name, WRITES.name];
    names.into_iter().flat_map(|name| of(attributes, name, own)).collect()
}

fn of(attributes: Attributes<'_>, name: &str, own: &Label) -> Vec<Diagnostic> {
    let ends = attributes.get(name).and_then(Value::as_array).unwrap_or_default();
    let unnamed = ends.iter().filter_map(|end| end.as_table()?.get("outside")).filter(|name| is_blank(name));
    let mut mistakes: Vec<Diagnostic> = unnamed.map(|name| nameless(name.span)).collect();
    let itself = attributes.labels(name).into_iter().find(|label| label.value == *own);
    mistakes.extend(itself.map(|label| {
        let mistake = Diagnostic::error(format!("`{name}` names the image itself")).at(label.span, "");
        mistake.help("name the image, or the system outside, at the other end")
    }));
    mistakes
}

fn is_blank(name: &Value) -> bool {
    name.as_str().is_some_and(|name| name.trim().is_empty())
}

fn nameless(span: Span) -> Diagnostic {
    Diagnostic::error("a system outside needs a name").at(span, "").help("write what people call it: `SQL Server`")
}
