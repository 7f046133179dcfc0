//! What is made of something else than in another plan, and the root cause of each: the component that differs first.
//!
//! Compares source keys, so nothing need be built on either side. Knows nothing of git, nor where the plans come from.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::source_key::SourceKeys;
use super::why::{self, Change};
use crate::action::record::Component;
use crate::action::{ActionGraph, ActionId};
use crate::diagnostic::Diagnostic;
use crate::label::Label;
use crate::root_cause::RootCause;

/// The plan that is compared with.
pub struct Then<'a> {
    keys: SourceKeys<'a>,
    failed: &'a BTreeMap<Label, Vec<Diagnostic>>,
    by_name: HashMap<String, ActionId>,
}

/// What differs.
#[derive(Debug, Default)]
pub struct Comparison {
    /// The cause of each action that is made of something else, by id.
    pub causes: Vec<Option<RootCause>>,
    /// The source files of these, relative to the workspace's root.
    pub files: BTreeSet<String>,
}

/// The origin of a component that is a source file: behind it stands the path.
const FILE: &str = "file ";
const DIGEST: &str = "sha256:";
/// Characters of a digest that are enough.
const SHORT: usize = DIGEST.len() + 12;
/// Values longer than that are cut.
const LONG: usize = 40;
/// How much is shown before a difference within a long word.
const BEFORE: usize = 12;

impl<'a> Then<'a> {
    /// `failed`: what could not be planned, and why.
    pub fn new(graph: &'a ActionGraph, failed: &'a BTreeMap<Label, Vec<Diagnostic>>) -> Then<'a> {
        let keys = SourceKeys::but(graph, &|action| failed.contains_key(&action.label));
        let by_name = graph.ids().map(|id| (graph.note_name(id), id)).collect();
        Then { keys, failed, by_name }
    }

    /// The action that had this name, where it is known what it was made of.
    pub fn known(&self, name: &str) -> Option<ActionId> {
        self.by_name.get(name).copied().filter(|id| self.keys.of(*id).is_some())
    }
}

/// Compares all actions of a plan with those of the same names.
pub fn compare(now: &SourceKeys<'_>, then: &Then<'_>) -> Comparison {
    let mut found = Comparison { causes: vec![None; now.graph.actions.len()], files: BTreeSet::new() };
    for id in now.graph.inputs_first() {
        let cause = Compared { now, then, id, causes: &found.causes }.cause();
        if cause.is_some() {
            let origins = now.components(id).unwrap_or_default().into_iter().filter_map(|it| it.origin);
            found.files.extend(origins.filter_map(|origin| origin.strip_prefix(FILE).map(str::to_owned)));
        }
        found.causes[id.index()] = cause;
    }
    found
}

/// One action, those below it done.
struct Compared<'a> {
    now: &'a SourceKeys<'a>,
    then: &'a Then<'a>,
    id: ActionId,
    causes: &'a [Option<RootCause>],
}

impl Compared<'_> {
    fn cause(&self) -> Option<RootCause> {
        let Some(old) = self.then.by_name.get(&self.now.graph.note_name(self.id)) else {
            return Some(self.said("it is new".to_owned()));
        };
        let key = self.now.of(self.id);
        if key.is_some() && key == self.then.keys.of(*old) {
            return None;
        }
        if let Some(mistakes) = self.then.failed.get(&self.now.graph.get(self.id).label) {
            let why = mistakes.first().map(|mistake| mistake.message.as_str()).unwrap_or_default();
            return Some(self.said(format!("what it was made of is not known: {why}")));
        }
        let components = self.now.components(self.id).zip(self.then.keys.components(*old));
        let own = components.as_ref().and_then(|(now, then)| self.differs(*old, now, then));
        Some(own.or_else(|| self.inherited()).unwrap_or_else(|| self.said("it stands on something else".to_owned())))
    }

    fn said(&self, text: String) -> RootCause {
        RootCause::said(self.name(self.id), text)
    }

    fn name(&self, id: ActionId) -> String {
        self.now.graph.get(id).name()
    }

    /// The cause of the first input that has one.
    fn inherited(&self) -> Option<RootCause> {
        let inputs = self.now.graph.get(self.id).operation.inputs();
        inputs.into_iter().find_map(|input| self.causes[input.index()].clone())
    }

    /// What differs first that is not an input which is itself made of something else.
    fn differs(&self, old: ActionId, now: &[Component], then: &[Component]) -> Option<RootCause> {
        let inputs_of = |graph: &ActionGraph, id: ActionId| -> HashMap<String, ActionId> {
            graph.get(id).operation.inputs().into_iter().map(|input| (graph.get(input).name(), input)).collect()
        };
        let (inputs, before) = (inputs_of(self.now.graph, self.id), inputs_of(self.then.keys.graph, old));
        let changes = why::changes(then, now);
        let is_input = |origin: &String| inputs.contains_key(origin) || before.contains_key(origin);
        let (below, own): (Vec<&Change>, Vec<&Change>) =
            changes.iter().partition(|change| change.origin.as_ref().is_some_and(is_input));
        if let [first, rest @ ..] = own.as_slice() {
            return Some(RootCause { more: rest.len(), ..self.of_change(first) });
        }
        // Another input than before, or one more or less: an input that is only another itself has its own cause.
        let origin_then = |name: &str| then.iter().find(|it| it.name == name).and_then(|it| it.origin.clone());
        let replaced = |change: &&&Change| change.new.is_none() || origin_then(&change.name) != change.origin;
        let change = below.iter().find(replaced)?;
        Some(self.said(match (origin_then(&change.name), &change.new, &change.origin) {
            (Some(old), Some(_), Some(new)) => format!("{} changed: {old} → {new}", change.name),
            (None, _, Some(new)) => format!("{} is new: {new}", change.name),
            (old, ..) => format!("{} is gone: was {}", change.name, old.unwrap_or_default()),
        }))
    }

    fn of_change(&self, change: &Change) -> RootCause {
        let file = change.origin.as_deref().and_then(|origin| origin.strip_prefix(FILE)).map(str::to_owned);
        let subject = file.as_ref().map_or_else(|| change.name.clone(), |file| format!("file {file}"));
        let text = match (&change.old, &change.new) {
            (None, Some(_)) if file.is_some() => format!("{subject} is new"),
            (Some(_), None) if file.is_some() => format!("{subject} is gone"),
            (Some(old), Some(new)) if content(old).is_some() && content(old) != content(new) => {
                format!("{subject} changed")
            }
            (None, Some(new)) => format!("{subject} is new: {}", cut(new)),
            (Some(old), None) => format!("{subject} is gone: was {}", cut(old)),
            (Some(old), Some(new)) => {
                let (old, new) = apart(old, new);
                format!("{subject} changed: {} → {}", cut(&old), cut(&new))
            }
            (None, None) => subject,
        };
        let (old, new) = (change.old.clone(), change.new.clone());
        RootCause { target: self.name(self.id), text, file, old, new, more: 0 }
    }
}

/// The digest in a file's value, which says nothing to people; `None` for any other value.
fn content(value: &str) -> Option<&str> {
    value.strip_prefix(FILE)?.split(' ').next().filter(|digest| digest.starts_with(DIGEST))
}

/// Both values from about where they differ: from the word on, or within a long one a little before.
fn apart(old: &str, new: &str) -> (String, String) {
    let same: Vec<(usize, char)> =
        old.char_indices().zip(new.chars()).take_while(|((_, a), b)| a == b).map(|(place, _)| place).collect();
    let word = same.iter().rposition(|(_, c)| *c == ' ').map_or(0, |at| at + 1);
    let (from, mark) = match same.len() - word {
        within if within > LONG / 2 => (same.len() - BEFORE, "…"),
        _ => (word, ""),
    };
    let from = same.get(from).map_or_else(|| same.last().map_or(0, |(at, c)| at + c.len_utf8()), |(at, _)| *at);
    (format!("{mark}{}", &old[from..]), format!("{mark}{}", &new[from..]))
}

/// On one line, and not too long: a digest is told by its first digits.
fn cut(value: &str) -> String {
    let line: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let (long, mark) = if line.starts_with(DIGEST) { (SHORT, "") } else { (LONG - 1, "…") };
    if line.chars().count() <= LONG { line } else { line.chars().take(long).collect::<String>() + mark }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(old: &str, new: &str) -> String {
        let (old, new) = apart(old, new);
        format!("{} → {}", cut(&old), cut(&new))
    }

    #[test]
    fn values_are_shown_from_about_where_they_differ() {
        assert_eq!(shown("a", "b"), "a → b");
        assert_eq!(shown("a b c", "a b d"), "c → d");
        assert_eq!(shown("a", "a b"), "a → a b");
        assert_eq!(shown("", "ä"), " → ä");
        let long = "abcdefghijklmnopqrstuvwxyzä";
        assert_eq!(shown(&format!("{long}1"), &format!("{long}2")), "…pqrstuvwxyzä1 → …pqrstuvwxyzä2");
        assert_eq!(shown(long, &format!("{long}2")), "…pqrstuvwxyzä → …pqrstuvwxyzä2");
        assert_eq!(shown(&"x".repeat(50), "y").chars().count(), LONG + 4);
    }
}
