//! Which profiles lie under the one that was asked for.
//!
//! Knows nothing of what a profile sets but `inherits`.

use super::schema::quoted;
use super::value::{Entry, Value};
use crate::diagnostic::{Diagnostic, nearest};
use crate::span::Span;

/// The profile that somebody chose.
#[derive(Debug, Clone, Copy)]
pub struct Chosen<'a> {
    /// Its name.
    pub name: &'a str,
    /// Where it is named; `None`: in the call.
    pub span: Option<Span>,
}

/// The chosen profile and those that it inherits from, the farthest first; also every mistake in any profile's
/// `inherits`.
pub fn chain<'a>(profiles: &'a [Entry], chosen: Option<Chosen<'_>>) -> (Vec<&'a Entry>, Vec<Diagnostic>) {
    let mut diagnostics: Vec<Diagnostic> = profiles.iter().filter_map(|profile| stranger(profiles, profile)).collect();
    diagnostics.extend(circles(profiles));
    let Some(chosen) = chosen else { return (Vec::new(), diagnostics) };
    let Some(start) = find(profiles, chosen.name) else {
        diagnostics.push(no_such_profile(profiles, chosen));
        return (Vec::new(), diagnostics);
    };
    let mut chain = ancestors(profiles, start);
    chain.reverse();
    (chain, diagnostics)
}

fn find<'a>(profiles: &'a [Entry], name: &str) -> Option<&'a Entry> {
    profiles.iter().find(|profile| profile.key == name)
}

fn inherits(profile: &Entry) -> Option<&Value> {
    profile.value.as_table()?.get("inherits").filter(|value| value.as_str().is_some())
}

fn parent<'a>(profiles: &'a [Entry], profile: &Entry) -> Option<&'a Entry> {
    find(profiles, inherits(profile)?.as_str()?)
}

/// The profile, what it inherits from, and so on until the end, or until one comes again.
fn ancestors<'a>(profiles: &'a [Entry], start: &'a Entry) -> Vec<&'a Entry> {
    let mut chain = vec![start];
    let mut next = parent(profiles, start);
    while let Some(profile) = next.filter(|next| chain.iter().all(|seen| seen.key != next.key)) {
        chain.push(profile);
        next = parent(profiles, profile);
    }
    chain
}

fn stranger(profiles: &[Entry], profile: &Entry) -> Option<Diagnostic> {
    let value = inherits(profile)?;
    let name = value.as_str().filter(|name| find(profiles, name).is_none())?;
    Some(suggest(profiles, name, Diagnostic::error(format!("no profile is named `{name}`")).at(value.span, "")))
}

fn no_such_profile(profiles: &[Entry], chosen: Chosen<'_>) -> Diagnostic {
    let diagnostic = Diagnostic::error(format!("no profile is named `{}`", chosen.name));
    suggest(profiles, chosen.name, chosen.span.into_iter().fold(diagnostic, |it, span| it.at(span, "")))
}

fn suggest(profiles: &[Entry], name: &str, diagnostic: Diagnostic) -> Diagnostic {
    let names: Vec<&str> = profiles.iter().map(|profile| profile.key.as_str()).collect();
    match nearest(name, names.iter().copied()) {
        Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
        None if names.is_empty() => diagnostic.help("the workspace's layers.toml declares no `[profile.NAME]`"),
        None => diagnostic.help(format!("the workspace declares {}", quoted(&names))),
    }
}

/// One diagnostic a circle, at its first profile.
fn circles(profiles: &[Entry]) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    for profile in profiles {
        let circle = ancestors(profiles, profile);
        let last = circle.last().and_then(|last| parent(profiles, last));
        let first = circle.iter().map(|member| member.key_span.start).min();
        if last.is_some_and(|last| last.key == profile.key) && first == Some(profile.key_span.start) {
            diagnostics.push(draw(&circle));
        }
    }
    diagnostics
}

fn draw(circle: &[&Entry]) -> Diagnostic {
    let names: Vec<&str> = circle.iter().chain(circle.first()).map(|profile| profile.key.as_str()).collect();
    let mut diagnostic = Diagnostic::error(format!("profiles inherit in a circle: {}", names.join(" → ")));
    for (index, value) in circle.iter().filter_map(|profile| inherits(profile)).enumerate() {
        let label = format!("`{}` inherits `{}`", names[index], names[index + 1]);
        diagnostic = if index == 0 { diagnostic.at(value.span, label) } else { diagnostic.also(value.span, label) };
    }
    diagnostic
}
