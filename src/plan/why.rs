//! Why an action's key is another than before: the components that differ, old and new.
//!
//! Compares what one walk said then with what it says now; knows nothing of caches.

use std::collections::HashMap;

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
}

/// The components that differ, in the order of the new walk, what is gone last.
pub fn changes(old: &[Component], new: &[Component]) -> Vec<Change> {
    let before: HashMap<&str, &Component> = old.iter().map(|component| (component.name.as_str(), component)).collect();
    let now: HashMap<&str, &Component> = new.iter().map(|component| (component.name.as_str(), component)).collect();
    let differs = new.iter().filter_map(|component| {
        let old = before.get(component.name.as_str());
        (old.map(|old| &old.value) != Some(&component.value)).then(|| Change {
            name: component.name.clone(),
            old: old.map(|old| old.value.clone()),
            new: Some(component.value.clone()),
            origin: component.origin.clone(),
        })
    });
    let gone = old.iter().filter(|component| !now.contains_key(component.name.as_str())).map(|component| Change {
        name: component.name.clone(),
        old: Some(component.value.clone()),
        new: None,
        origin: component.origin.clone(),
    });
    differs.chain(gone).collect()
}

impl Change {
    /// The change on one line: `file src/a.sql changed: file sha256:… → file sha256:…`.
    pub fn sentence(&self) -> String {
        let subject = match &self.origin {
            Some(origin) => format!("{origin} ({})", self.name),
            None => self.name.clone(),
        };
        match (&self.old, &self.new) {
            (Some(old), Some(new)) => format!("{subject} changed: {old} → {new}"),
            (None, Some(new)) => format!("{subject} is new: {new}"),
            (Some(old), None) => format!("{subject} is gone: was {old}"),
            (None, None) => subject,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(name: &str, value: &str) -> Component {
        Component { name: name.into(), value: value.into(), origin: None }
    }

    #[test]
    fn what_changed_came_and_went_is_told_and_the_rest_is_not() {
        let old = [component("same", "1"), component("changed", "1"), component("gone", "1")];
        let new = [component("new", "2"), component("changed", "2"), component("same", "1")];
        let told: Vec<String> = changes(&old, &new).iter().map(Change::sentence).collect();
        assert_eq!(told, ["new is new: 2", "changed changed: 1 → 2", "gone is gone: was 1"]);
    }
}
