//! What a rule's attributes are called, of which type they are, and what they mean.
//!
//! Plain data: rules hand their schemas in, the loader checks what is written against them, the graph
//! takes its edges from the label-typed ones. Knows no rule.

/// A rule: what may stand in a `[rule.name]` table.
#[derive(Debug)]
pub struct RuleSchema {
    /// The rule's name, the first part of `[rule.name]`.
    pub name: &'static str,
    /// What a target of the rule is for.
    pub purpose: Purpose,
    /// One paragraph for users.
    pub doc: &'static str,
    /// A complete example in TOML.
    pub example: &'static str,
    /// The attributes, in the order in which documentation shows them.
    pub attributes: &'static [Attribute],
}

/// What a target of a rule is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It makes a layer.
    Layer,
    /// It makes an image: its name follows a repository's grammar (lower case).
    Image,
}

/// One attribute of a rule, or one key of a table inside one.
#[derive(Debug)]
pub struct Attribute {
    /// The key.
    pub name: &'static str,
    /// What it takes.
    pub ty: Type,
    /// Whether leaving it out is an error.
    pub required: bool,
    /// One or two sentences for users: unit, default, what absence means.
    pub doc: &'static str,
}

/// What an attribute takes.
#[derive(Debug)]
pub enum Type {
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Integer,
    /// Any string.
    String,
    /// One of the strings.
    Enum(&'static [&'static str]),
    /// A label: an edge to a target whose rule has one of the purposes.
    Label(&'static [Purpose]),
    /// A list.
    List(&'static Type),
    /// A table with free keys, its values all of one type.
    Map(&'static Type),
    /// A table with fixed keys.
    Table(&'static [Attribute]),
    /// Any of several types; the first that fits by kind of value is taken.
    Either(&'static [Type]),
}

/// Shorthand for an attribute that may be left out.
pub const fn optional(name: &'static str, ty: Type, doc: &'static str) -> Attribute {
    Attribute { name, ty, required: false, doc }
}

/// Shorthand for an attribute that must be given.
pub const fn required(name: &'static str, ty: Type, doc: &'static str) -> Attribute {
    Attribute { name, ty, required: true, doc }
}
