//! Steps from a target down to its root causes, as lines for people and as JSON. Knows neither plans nor records: what a
//! step says is handed in.

use serde_json::{Value, json};

use crate::plan::why::Change;

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// How the action stands, in one word: `HIT`, `MISS`, `DIFF`, …
    pub verdict: &'static str,
    /// The target, with its platform where it has several.
    pub name: String,
    /// What is done for it: `files`, `image`, …
    pub kind: &'static str,
    /// What is known beside changes, as phrases.
    pub notes: Vec<String>,
    /// The components that changed.
    pub changes: Vec<Change>,
    /// The inputs that it waits for.
    pub waits: Vec<String>,
    /// Whether something began here.
    pub is_root: bool,
}

/// So many changes of one step are shown, before the rest is only counted.
const CHANGES: usize = 10;
/// So many steps.
const STEPS: usize = 40;
/// So many labels on a line.
const LABELS: usize = 5;

/// The steps as indented lines. `all`: nothing is left out and no value cut.
pub fn lines(steps: &[Told], all: bool) -> Vec<String> {
    let shown = if all { steps.len() } else { STEPS.min(steps.len()) };
    // What began somewhere is told in any case.
    let (head, tail) = steps.split_at(shown);
    let roots = tail.iter().filter(|step| step.is_root).take(STEPS);
    let mut lines: Vec<String> = head.iter().chain(roots).flat_map(|step| step.lines(all)).collect();
    let left = tail.len() - tail.iter().filter(|step| step.is_root).count().min(STEPS);
    if left > 0 {
        lines.push(format!("  and {left} more steps (-v shows all)"));
    }
    lines
}

/// The line that names what to blame; `None` where nothing is known.
pub fn root_causes(steps: &[Told], all: bool) -> Option<String> {
    let roots: Vec<&str> = steps.iter().filter(|step| step.is_root).map(|step| step.name.as_str()).collect();
    match roots.as_slice() {
        [] => None,
        [root] => Some(format!("root cause: {root}")),
        roots => Some(format!("{} root causes: {}", roots.len(), listed(roots, all))),
    }
}

/// The steps for programs.
pub fn json(steps: &[Told]) -> Value {
    let change = |change: &Change| {
        json!({
            "component": change.name, "origin": change.origin, "was-origin": change.was, "old": change.old, "new": change.new,
        })
    };
    let step = |step: &Told| {
        json!({
            "label": step.name, "kind": step.kind, "verdict": step.verdict, "root-cause": step.is_root, "notes": step.notes,
            "waits-for": step.waits, "changes": step.changes.iter().map(change).collect::<Vec<_>>(),
        })
    };
    steps.iter().map(step).collect()
}

impl Told {
    fn lines(&self, all: bool) -> Vec<String> {
        let mut lines = vec![format!("  {} {} {}", self.verdict, self.name, self.kind)];
        lines.extend(self.notes.iter().map(|note| format!("    {note}")));
        let shown = if all { self.changes.len() } else { CHANGES.min(self.changes.len()) };
        let told = |change: &Change| if all { change.sentence() } else { change.brief() };
        lines.extend(self.changes[..shown].iter().map(|change| format!("    {}", told(change))));
        if shown < self.changes.len() {
            lines.push(format!("    and {} more changes (-v shows all)", self.changes.len() - shown));
        }
        if !self.waits.is_empty() {
            let waits: Vec<&str> = self.waits.iter().map(String::as_str).collect();
            lines.push(format!("    waits for {}", listed(&waits, all)));
        }
        lines
    }
}

/// Labels with commas between them, cut to a line.
pub fn listed(labels: &[&str], all: bool) -> String {
    if all || labels.len() <= LABELS {
        return labels.join(", ");
    }
    format!("{} and {} more", labels[..LABELS].join(", "), labels.len() - LABELS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &str, changes: usize, is_root: bool) -> Told {
        let change = |number| Change {
            name: format!("entry /{number}"),
            old: None,
            new: Some("x".repeat(200)),
            origin: None,
            was: None,
        };
        let (notes, waits) = (Vec::new(), Vec::new());
        let changes = (0..changes).map(change).collect();
        Told { verdict: "MISS", name: name.to_owned(), kind: "files", notes, changes, waits, is_root }
    }

    #[test]
    fn long_lists_are_cut_with_a_count_and_v_shows_all() {
        let steps = [step("//:a", CHANGES + 2, true)];
        let (some, all) = (lines(&steps, false), lines(&steps, true));
        assert_eq!((some.len(), all.len()), (CHANGES + 2, CHANGES + 3));
        assert_eq!(some.last().map(String::as_str), Some("    and 2 more changes (-v shows all)"));
        assert!(some[1].ends_with('…') && all[1].ends_with('x'), "{} {}", some[1], all[1]);
    }

    #[test]
    fn what_began_something_is_told_however_many_steps_there_are() {
        let mut steps: Vec<Told> = (0..STEPS + 5).map(|number| step(&format!("//:{number}"), 0, false)).collect();
        steps.push(step("//:root", 1, true));
        let told = lines(&steps, false);
        assert!(told.contains(&"  MISS //:root files".to_owned()), "{told:?}");
        assert_eq!(told.last().map(String::as_str), Some("  and 5 more steps (-v shows all)"));
        assert_eq!(root_causes(&steps, false).as_deref(), Some("root cause: //:root"));
        steps.push(step("//:other", 1, true));
        assert_eq!(root_causes(&steps, false).as_deref(), Some("2 root causes: //:root, //:other"));
    }
}
