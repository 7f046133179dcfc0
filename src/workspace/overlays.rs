//! What lies over `[workspace]`: the profiles, and the developer's own file.
//!
//! Which of them are used, and in which order: the nearer to the call, the later. Knows nothing of what they set but
//! `inherits` and `profile`.

use super::origin::By;
use super::profile::{self, Chosen};
use super::value::{Entry, Node, Table};
use crate::diagnostic::Diagnostic;
use crate::span::{FileId, Span};

/// The developer's own file, beside the root's.
pub const LOCAL_FILE: &str = "layers.local.toml";

/// A profile, or the developer's own file.
#[derive(Debug)]
pub struct Overlay {
    /// Whose it is.
    pub by: By,
    /// What messages call it.
    pub name: String,
    /// Where its name stands; of the file, its beginning.
    pub span: Span,
    /// The settings.
    pub settings: Table,
    /// `[profile.NAME.vars]`.
    pub vars: Option<Entry>,
    /// `[profile.NAME.targets]`.
    pub targets: Option<Entry>,
}

/// All that could lie over the workspace.
#[derive(Debug, Default)]
pub struct Overlays {
    /// Every profile in written order, then the developer's own file.
    pub all: Vec<Overlay>,
    /// Those of [`Overlays::all`] that are used, in the order in which they are laid.
    pub used: Vec<usize>,
    /// The chosen profile.
    pub chosen: Option<String>,
    /// It and what it inherits from, the nearest first.
    pub chain: Vec<String>,
    /// Mistakes in names.
    pub diagnostics: Vec<Diagnostic>,
}

/// Sorts out what there is. `asked`: the profile of the call, or of the workspace that this one is built with. A profile that the call names lies over the developer's own
/// file, any other below it.
pub fn of(profiles: Option<Entry>, local: Option<Table>, asked: Option<Chosen<'_>>) -> Overlays {
    let mut overlays = Overlays::default();
    let profiles = profiles.map_or_else(Vec::new, |entry| named(entry, &mut overlays.diagnostics));
    let own = asked.or_else(|| local.as_ref().and_then(default_profile));
    let (chain, mistakes) = profile::chain(&profiles, own);
    overlays.diagnostics.extend(mistakes);
    overlays.chosen = own.map(|own| own.name.to_owned());
    overlays.chain = chain.iter().rev().map(|profile| profile.key.clone()).collect();
    let place = |profile: &&Entry| profiles.iter().position(|known| known.key == profile.key);
    overlays.used = chain.iter().filter_map(place).collect();
    if local.is_some() {
        let at = if asked.is_some() { 0 } else { overlays.used.len() };
        overlays.used.insert(at, profiles.len());
    }
    overlays.all = profiles.into_iter().map(of_profile).chain(local.map(of_file)).collect();
    overlays
}

fn named(entry: Entry, diagnostics: &mut Vec<Diagnostic>) -> Vec<Entry> {
    let Node::Table(profiles) = entry.value.node else {
        diagnostics.push(Diagnostic::error("a profile needs a name: `[profile.NAME]`").at(entry.key_span, ""));
        return Vec::new();
    };
    let (profiles, others): (Vec<Entry>, Vec<Entry>) =
        profiles.0.into_iter().partition(|profile| profile.value.as_table().is_some());
    diagnostics.extend(others.iter().map(|other| {
        let message = format!("`[profile.{}]` is a table, not {}", other.key, other.value.kind());
        Diagnostic::error(message).at(other.key_span, "")
    }));
    profiles
}

fn default_profile(local: &Table) -> Option<Chosen<'_>> {
    let value = local.get("profile")?;
    Some(Chosen { name: value.as_str()?, span: Some(value.span) })
}

fn of_profile(entry: Entry) -> Overlay {
    let name = format!("[profile.{}]", entry.key);
    let table = if let Node::Table(table) = entry.value.node { table } else { Table::default() };
    split(table, By::Profile(entry.key), name, entry.key_span)
}

fn of_file(table: Table) -> Overlay {
    let first = table.0.first().map(|first| first.key_span);
    // Only a key that is missing would be told there, and none has to be given.
    let span = first.unwrap_or(Span::new(FileId(0), 0..0));
    split(table, By::Local, LOCAL_FILE.to_owned(), span)
}

fn split(mut settings: Table, by: By, name: String, span: Span) -> Overlay {
    let mut take = |key: &str| {
        let at = settings.0.iter().position(|entry| entry.key == key)?;
        Some(settings.0.remove(at))
    };
    let (vars, targets) = (take("vars"), take("targets"));
    Overlay { by, name, span, settings, vars, targets }
}
