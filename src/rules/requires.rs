//! The attribute `requires`: the variables that a container needs, as they are written.
//!
//! Judges each by itself; whether it agrees with what the image stands on, `plan` says, which sees both.

use crate::diagnostic::Diagnostic;
use crate::oci::image_requires::{Part, Requirement, Requires, compile};
use crate::span::Span;
use crate::workspace::attributes::{Attributes, Spanned};
use crate::workspace::schema::{Attribute, Type, optional, required};

const LONG: &[Attribute] = &[
    required("doc", Type::String, "What it is, in a few words."),
    optional("default", Type::String, "The value where nobody gives one. Default: there must be one."),
    optional("secret", Type::Boolean, "Whether its value is shown nowhere, and stands in no image. Default: no."),
    optional("pattern", Type::String, "A regular expression that the whole value matches. Default: any value."),
    optional("example", Type::String, "A value as it might be, for people. Default: none."),
];

/// The attribute.
pub const REQUIRES: Attribute = optional(
    "requires",
    Type::Map(&Type::Either(&[Type::String, Type::Table(LONG)])),
    "Variables that a container needs at run time, each with its doc, or `{ doc, default, secret, pattern, example }`. Added \
     to the base's; `layerbuild env` shows them.",
);

/// One variable as it is written.
pub struct Said<'a> {
    /// Its name.
    pub name: Spanned<&'a str>,
    /// What is said of it.
    pub requirement: Requirement,
    /// `None` in the short form.
    table: Option<Attributes<'a>>,
}

impl Said<'_> {
    /// Where a part stands; `None` where it isn't said.
    pub fn span(&self, part: Part) -> Option<Span> {
        let key = match part {
            Part::Default => "default",
            Part::Secret => "secret",
            Part::Pattern => "pattern",
            Part::Example => "example",
            Part::Env => return None,
        };
        self.table?.span(key)
    }
}

/// The variables that an image's attributes name, in written order.
pub fn said<'a>(attributes: Attributes<'a>) -> impl Iterator<Item = Said<'a>> {
    attributes.map("requires").map(|entry| {
        let table = entry.table();
        let text = |key: &str| table?.str(key).map(str::to_owned);
        let requirement = Requirement {
            doc: entry.str().map(str::to_owned).or_else(|| text("doc")).unwrap_or_default(),
            default: text("default"),
            secret: table.and_then(|table| table.boolean("secret")),
            pattern: text("pattern"),
            example: text("example"),
        };
        Said { name: entry.key, requirement, table }
    })
}

/// The variables by name; what is wrong with one by itself is told.
pub fn requires(attributes: Attributes<'_>, errors: &mut Vec<Diagnostic>) -> Requires {
    let mut found = Requires::new();
    for said in said(attributes) {
        errors.extend(mistakes(&said));
        found.insert(said.name.value.to_owned(), said.requirement);
    }
    found
}

fn mistakes(said: &Said<'_>) -> Vec<Diagnostic> {
    let Spanned { value: name, span } = said.name;
    let mut errors = Vec::new();
    if !is_name(name) {
        let error = Diagnostic::error(format!("`{name}` is not a variable's name")).at(span, "");
        errors.push(error.help("write letters, digits and `_`, no digit first: other names can't be set in a shell"));
    }
    if said.requirement.doc.trim().is_empty() {
        let error = Diagnostic::error(format!("the required `{name}` has no doc")).at(span, "");
        errors.push(error.help("say in a few words what it is: whoever runs the image reads only that"));
    }
    let pattern = said.requirement.pattern.as_deref().zip(said.span(Part::Pattern));
    if let Some((pattern, span)) = pattern
        && let Err(why) = compile(pattern)
    {
        errors.push(Diagnostic::error(format!("the pattern of `{name}` is no regular expression")).at(span, why));
    }
    errors
}

fn is_name(text: &str) -> bool {
    !text.starts_with(|first: char| first.is_ascii_digit())
        && !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
