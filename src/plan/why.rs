//! Why an action's key is another than before: the components that differ, old and new.
//!
//! Compares what one walk said then with what it says now; knows nothing of caches.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::brief;
use crate::action::record::Component;

/// One component that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What it is about, such as `entry /opt/app/run`.
    pub name: String,
    /// The value before; `None` for a component that is new.
    pub old: Option<String>,
    /// The value now; `None` for a component that is gone.
    pub new: Option<String>,
    /// Where the value comes from: `file src/run`, or the label of an input.
    pub origin: Option<String>,
    /// Where the old value came from, where that is elsewhere: another file, another input in its place.
    pub was: Option<String>,
}

/// The components that differ, in the order of the new walk, what is gone last. Of a table, each member that differs.
pub fn changes(old: &[Component], new: &[Component]) -> Vec<Change> {
    let (before, now) = (numbered(old), numbered(new));
    let known: HashMap<_, &Component> = before.iter().copied().collect();
    let there: HashMap<_, &Component> = now.iter().copied().collect();
    let differs = now.iter().filter_map(|(place, component)| {
        let old = known.get(place);
        (old.map(|old| &old.value) != Some(&component.value)).then(|| Change {
            name: component.name.clone(),
            old: old.map(|old| old.value.clone()),
            new: Some(component.value.clone()),
            origin: component.origin.clone(),
            was: old.and_then(|old| old.origin.clone()).filter(|was| Some(was) != component.origin.as_ref()),
        })
    });
    let gone = before.iter().filter(|(place, _)| !there.contains_key(place)).map(|(_, component)| Change {
        name: component.name.clone(),
        old: Some(component.value.clone()),
        new: None,
        origin: component.origin.clone(),
        was: None,
    });
    differs.chain(gone).flat_map(members).collect()
}

/// Each component with its name and how many of that name come before it.
fn numbered(components: &[Component]) -> Vec<((&str, usize), &Component)> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let mut place = |name| {
        let count = counts.entry(name).or_default();
        *count += 1;
        (name, *count)
    };
    components.iter().map(|component| (place(&component.name), component)).collect()
}

/// A change of a table, or of a list of pairs, as changes of its members; any other as it is.
fn members(change: Change) -> Vec<Change> {
    let table = |value: &Option<String>| value.as_deref().map_or(Some(BTreeMap::new()), table);
    let (Some(old), Some(new)) = (table(&change.old), table(&change.new)) else { return vec![change] };
    let names = old.keys().chain(new.keys()).collect::<std::collections::BTreeSet<_>>();
    let differs = names.into_iter().filter(|name| old.get(*name) != new.get(*name));
    let member = |name: &String| Change {
        name: format!("{} {name}", change.name),
        old: old.get(name).cloned(),
        new: new.get(name).cloned(),
        origin: change.origin.clone(),
        was: change.was.clone(),
    };
    let changes: Vec<Change> = differs.map(member).collect();
    // The order alone.
    if changes.is_empty() { vec![change] } else { changes }
}

/// The members of a JSON object, or of an array of pairs.
fn table(text: &str) -> Option<BTreeMap<String, String>> {
    if !text.starts_with(['{', '[']) {
        return None;
    }
    match serde_json::from_str(text).ok()? {
        Value::Object(members) => Some(members.into_iter().map(|(name, value)| (name, plain(&value))).collect()),
        Value::Array(pairs) if !pairs.is_empty() => pairs.iter().map(pair).collect(),
        _ => None,
    }
}

fn pair(value: &Value) -> Option<(String, String)> {
    match value.as_array()?.as_slice() {
        [Value::String(name), value] => Some((name.clone(), plain(value))),
        _ => None,
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Change {
    /// What changed and how, without values: `file src/a.sql (entry /a.sql) changed`.
    pub fn headline(&self) -> String {
        let subject = self.subject();
        match (&self.old, &self.new) {
            // `x instead of y` says it.
            (Some(_), Some(_)) if self.was.is_some() && self.origin.is_some() => subject,
            (Some(_), Some(_)) => format!("{subject} changed"),
            (None, Some(_)) => format!("{subject} is new"),
            (Some(_), None) => format!("{subject} is gone"),
            (None, None) => subject,
        }
    }

    /// The change on one line: `file src/a.sql (entry /a.sql) changed: file sha256:0123456789ab → file sha256:…`. With long
    /// values and digests cut.
    pub fn brief(&self) -> String {
        match (&self.old, &self.new) {
            (Some(old), Some(new)) => {
                let (old, new) = brief::two(old, new);
                self.said(Some(old), Some(new))
            }
            (old, new) => self.said(old.as_deref().map(brief::one), new.as_deref().map(brief::one)),
        }
    }

    /// The same with values in full.
    pub fn sentence(&self) -> String {
        self.said(self.old.clone(), self.new.clone())
    }

    fn said(&self, old: Option<String>, new: Option<String>) -> String {
        let headline = self.headline();
        match (old, new) {
            (Some(old), Some(new)) => format!("{headline}: {old} → {new}"),
            (None, Some(new)) => format!("{headline}: {new}"),
            (Some(old), None) => format!("{headline}: was {old}"),
            (None, None) => headline,
        }
    }

    fn subject(&self) -> String {
        match &self.origin {
            Some(origin) => match &self.was {
                Some(was) => format!("{origin} instead of {was} ({})", self.name),
                None => format!("{origin} ({})", self.name),
            },
            None => self.name.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(name: &str, value: &str) -> Component {
        Component { name: name.into(), value: value.into(), origin: None }
    }

    fn told(old: &[Component], new: &[Component]) -> Vec<String> {
        changes(old, new).iter().map(Change::sentence).collect()
    }

    #[test]
    fn what_changed_came_and_went_is_told_and_the_rest_is_not() {
        let old = [component("same", "1"), component("changed", "1"), component("gone", "1")];
        let new = [component("new", "2"), component("changed", "2"), component("same", "1")];
        assert_eq!(told(&old, &new), ["new is new: 2", "changed changed: 1 → 2", "gone is gone: was 1"]);
    }

    #[test]
    fn another_input_in_the_place_of_one_is_told_apart_from_another_result_of_it() {
        let of = |value: &str, label: &str| [Component { origin: Some(label.into()), ..component("layer 1", value) }];
        assert_eq!(told(&of("1", "//:a"), &of("2", "//:a")), ["//:a (layer 1) changed: 1 → 2"]);
        assert_eq!(told(&of("1", "//:a"), &of("2", "//:b")), ["//:b instead of //:a (layer 1): 1 → 2"]);
    }

    #[test]
    fn components_of_one_name_are_compared_in_their_order() {
        let of = |values: &[&str]| values.iter().map(|value| component("ignore", value)).collect::<Vec<_>>();
        assert_eq!(told(&of(&["/a", "/b"]), &of(&["/a", "/c"])), ["ignore changed: /b → /c"]);
        assert_eq!(told(&of(&["/a"]), &of(&["/a", "/c"])), ["ignore is new: /c"]);
    }

    #[test]
    fn of_a_table_and_of_pairs_the_members_that_differ_are_told() {
        let old = [component("labels", r#"{"a":"1","b":"2"}"#), component("env", r#"[["A","1"],["B","2"]]"#)];
        let new = [component("labels", r#"{"a":"1","b":"3"}"#), component("env", r#"[["B","2"],["C","4"]]"#)];
        assert_eq!(told(&old, &new), ["labels b changed: 2 → 3", "env A is gone: was 1", "env C is new: 4"]);
        let turned = [component("env", r#"[["B","2"],["A","1"]]"#)];
        assert_eq!(told(&old[1..], &turned), [r#"env changed: [["A","1"],["B","2"]] → [["B","2"],["A","1"]]"#]);
        let words = [component("cmd", r#"["a","b"]"#)];
        let other = [component("cmd", r#"["a"]"#)];
        assert_eq!(told(&words, &other), [r#"cmd changed: ["a","b"] → ["a"]"#]);
    }
}
