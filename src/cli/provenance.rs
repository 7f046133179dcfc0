//! Where a target comes from: its place, and the rules of the workspace that made it.

use crate::span::Sources;
use crate::workspace::Target;

/// The place of a target or of the call that it was made of; then a line for each rule that made it, innermost first.
pub fn lines(target: &Target, sources: &Sources) -> Vec<String> {
    let mut lines = vec![sources.place(target.span)];
    let made = target.origin.iter().flat_map(|origin| origin.chain());
    lines.extend(made.map(|origin| format!("made by the rule `{}`, {}", origin.rule, sources.place(origin.template))));
    lines
}
