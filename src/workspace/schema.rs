//! What a rule's attributes are called, of which type they are, and what they mean.
//!
//! Plain data: rules hand their schemas in, the loader checks what is written against them, the graph
//! takes its edges from the label-typed ones. Knows no rule.

use super::value::Node;

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
    /// It is somebody else's image: an image can stand on it, and it is never published.
    Base,
    /// It makes an index of images; named as an image is, and published like one.
    Index,
    /// It tests images: it gives nothing, and wildcards name it only where checks are meant.
    Test,
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
    /// A label of such a target that is no edge: the target named may itself need the one that names it.
    Mention(&'static [Purpose]),
    /// A label of such a target that is only told: it is no edge, and for it nothing is read.
    Aside(&'static [Purpose]),
    /// A list.
    List(&'static Type),
    /// A table with free keys, its values all of one type.
    Map(&'static Type),
    /// A table with fixed keys.
    Table(&'static [Attribute]),
    /// Any of several types; the first that fits by kind of value is taken, an enumeration only for its own words where
    /// a later one fits too.
    Either(&'static [Type]),
    /// Anything: whoever reads it judges it.
    Any,
}

/// The attribute that `[workspace] build-base` stands for where a target leaves it out: its rule's actions run over it.
pub const BUILD_BASE: &str = "build-base";

/// Shorthand for an attribute that may be left out.
pub const fn optional(name: &'static str, ty: Type, doc: &'static str) -> Attribute {
    Attribute { name, ty, required: false, doc }
}

/// Shorthand for an attribute that must be given.
pub const fn required(name: &'static str, ty: Type, doc: &'static str) -> Attribute {
    Attribute { name, ty, required: true, doc }
}

impl Type {
    /// What the type takes, for messages: "a list of strings".
    pub fn describe(&self) -> String {
        match self {
            Type::Boolean => "`true` or `false`".to_owned(),
            Type::Integer => "a whole number".to_owned(),
            Type::String => "a string".to_owned(),
            Type::Enum(words) => Type::one_of(words),
            Type::Label(_) | Type::Mention(_) | Type::Aside(_) => "a label".to_owned(),
            Type::List(item) => format!("a list of {}", item.plural()),
            Type::Map(value) => format!("a table of {}", value.plural()),
            Type::Table(_) => "a table".to_owned(),
            Type::Either(types) => types.iter().map(Type::describe).collect::<Vec<_>>().join(" or "),
            Type::Any => "any value".to_owned(),
        }
    }

    /// What a choice between words takes, for messages.
    pub fn one_of(words: &[&str]) -> String {
        match words {
            [word] => format!("`{word}`"),
            words => format!("one of {}", quoted(words)),
        }
    }

    fn plural(&self) -> String {
        match self {
            Type::Boolean => "booleans".to_owned(),
            Type::Integer => "whole numbers".to_owned(),
            Type::String | Type::Enum(_) => "strings".to_owned(),
            Type::Label(_) | Type::Mention(_) | Type::Aside(_) => "labels".to_owned(),
            Type::List(_) => "lists".to_owned(),
            Type::Map(_) | Type::Table(_) => "tables".to_owned(),
            Type::Either(types) => types.iter().map(Type::plural).collect::<Vec<_>>().join(" or "),
            Type::Any => "any values".to_owned(),
        }
    }

    /// Whether a value is of the kind that the type takes; what it says is not looked at.
    pub fn fits(&self, node: &Node) -> bool {
        match self {
            Type::Boolean => matches!(node, Node::Boolean(_)),
            Type::Integer => matches!(node, Node::Integer(_)),
            Type::String | Type::Enum(_) | Type::Label(_) | Type::Mention(_) | Type::Aside(_) => {
                matches!(node, Node::String(_))
            }
            Type::List(_) => matches!(node, Node::Array(_)),
            Type::Map(_) | Type::Table(_) => matches!(node, Node::Table(_)),
            Type::Either(types) => types.iter().any(|ty| ty.fits(node)),
            Type::Any => true,
        }
    }
}

impl Purpose {
    /// Whether a target of it is published under a repository's name.
    pub fn is_published(self) -> bool {
        matches!(self, Purpose::Image | Purpose::Index)
    }

    /// Whether `check` runs a target of it.
    pub fn is_check(self) -> bool {
        matches!(self, Purpose::Test)
    }

    /// For messages: "a layer".
    pub fn describe(self) -> &'static str {
        match self {
            Purpose::Layer => "a layer",
            Purpose::Image => "an image",
            Purpose::Base => "a pulled image",
            Purpose::Index => "an index",
            Purpose::Test => "an image test",
        }
    }
}

/// Words for a message: "`a`, `b`".
pub fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
