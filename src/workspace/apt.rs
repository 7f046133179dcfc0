//! `[apt.NAME]` of the root's file: where Debian packages come from, as far as the workspace says.
//!
//! Plain values. What a source leaves out is the machine's, which is not known here.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use super::attributes::Attributes;
use super::check::{self, Owner};
use super::schema::{Attribute, Type, optional};
use super::value::{Entry, Node};
use crate::diagnostic::Diagnostic;
use crate::label::PackagePath;

/// One source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AptSource {
    /// Names below `dists`; empty: those of the machine.
    pub suites: Vec<String>,
    /// Empty: `main`, or those of the machine where no suites are named.
    pub components: Vec<String>,
    /// Debian's names; empty: any.
    pub architectures: Vec<String>,
    /// Addresses; empty: those of the machine.
    pub mirrors: Vec<String>,
    /// Absolute; `None`: those of the machine.
    pub keyring: Option<Utf8PathBuf>,
    /// Whether the archive's `Valid-Until` counts.
    pub check_valid_until: bool,
}

/// What may stand in `[apt.NAME]`.
pub const APT: &[Attribute] = &[
    optional(
        "suites",
        Type::List(&Type::String),
        "the suites, such as bookworm; default: those that the machine's apt takes",
    ),
    optional("components", Type::List(&Type::String), "default: main, or the machine's where `suites` is left out"),
    optional("architectures", Type::List(&Type::String), "Debian's names of those that there are; default: all"),
    optional(
        "mirrors",
        Type::List(&Type::String),
        "http://, https:// or file:// addresses, tried in order; default: the machine's",
    ),
    optional(
        "keyring",
        Type::String,
        "the keys that sign for it, a file; default: those that the machine's apt trusts for its own",
    ),
    optional(
        "check-valid-until",
        Type::Boolean,
        "false: take it, with a warning, when it says that it is out of date; default: true",
    ),
];

/// Reads the table `apt`. Paths are relative to `folder`.
pub fn read(entry: &Entry, folder: &Utf8Path) -> (BTreeMap<String, AptSource>, Vec<Diagnostic>) {
    let (mut sources, mut diagnostics) = (BTreeMap::new(), Vec::new());
    let Node::Table(tables) = &entry.value.node else {
        let wrong = Diagnostic::error("a source of packages needs its name: `[apt.NAME]`").at(entry.key_span, "");
        return (sources, vec![wrong]);
    };
    for entry in &tables.0 {
        let Some(table) = entry.value.as_table() else {
            let message = format!("`[apt.{}]` is a table, not {}", entry.key, entry.value.kind());
            diagnostics.push(Diagnostic::error(message).at(entry.key_span, "write `[apt.NAME]`"));
            continue;
        };
        let (name, root) = (format!("[apt.{}]", entry.key), PackagePath::default());
        diagnostics.extend(check::check(table, APT, Owner { name: &name, span: entry.key_span }, &root).diagnostics);
        let attributes = Attributes::new(table, &root);
        if entry.key.contains(char::is_whitespace) || entry.key.is_empty() {
            diagnostics.push(Diagnostic::error("a source's name has no spaces").at(entry.key_span, ""));
        }
        let schemes = ["http://", "https://", "file:///"];
        for mirror in attributes.strings("mirrors") {
            if !schemes.iter().any(|scheme| mirror.value.starts_with(scheme)) {
                let wrong = format!("`{}` is not an address of an archive", mirror.value);
                diagnostics.push(Diagnostic::error(wrong).at(mirror.span, "expected http://, https:// or file:///"));
            }
        }
        sources.insert(entry.key.clone(), source(&attributes, folder));
    }
    (sources, diagnostics)
}

fn source(attributes: &Attributes<'_>, folder: &Utf8Path) -> AptSource {
    let list = |key| attributes.strings(key).into_iter().map(|item| item.value.to_owned()).collect::<Vec<_>>();
    AptSource {
        suites: list("suites"),
        components: list("components"),
        architectures: list("architectures"),
        mirrors: list("mirrors").iter().map(|mirror| mirror.trim_end_matches('/').to_owned()).collect(),
        keyring: attributes.str("keyring").map(|path| folder.join(path)),
        check_valid_until: attributes.boolean("check-valid-until").unwrap_or(true),
    }
}
