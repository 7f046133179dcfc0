//! The tables of a layers.toml that are no targets, and what may stand in each.
//!
//! `read` and those that it calls read them; this is for whoever tells them apart, or describes them. Knows no rule.

use super::schema::{Attribute, Type, optional};
use super::{apt, external, keys, registries};

/// The tables of the root's file alone.
pub const ROOT: &[Attribute] = &[
    optional("workspace", Type::Table(keys::WORKSPACE), "What holds for the whole workspace."),
    optional(
        "profile",
        Type::Map(&Type::Table(keys::PROFILE)),
        "Other settings under a name: `--profile NAME` lays them over those of `[workspace]`.",
    ),
    optional(
        "registry",
        Type::Map(&Type::Table(registries::REGISTRY)),
        "How a registry is reached: `[registry.\"HOST[:PORT]\"]`.",
    ),
    optional(
        "apt",
        Type::Map(&Type::Table(apt::APT)),
        "Where Debian packages come from, under a name that the `source` of a `debs` target takes.",
    ),
    optional(
        "external",
        Type::Map(&Type::Table(external::EXTERNAL)),
        "Other workspaces, each under the name that `@NAME//pkg:target` takes: whose published images this one stands on.",
    ),
    optional("vars", Type::Map(&Type::String), "Variables by name: what `${vars.NAME}` stands for in any text."),
];

/// The table that every package's file may have. It takes no keys yet.
pub const PACKAGE: &str = "package";

/// Whether a table stands in the root's file alone.
pub fn is_of_root(name: &str) -> bool {
    ROOT.iter().any(|table| table.name == name)
}

/// The names of all of them.
pub fn names<'a>() -> impl Iterator<Item = &'a str> {
    ROOT.iter().map(|table| table.name).chain([PACKAGE])
}
