//! Where a target comes from: its place, and the rules of the workspace that made it.

use crate::workspace::{Target, Workspace};

/// The place of a target or of the call that it was made of; then a line for each rule that made it, innermost first; of one
/// that is taken as it is, who says so.
pub fn lines(target: &Target, workspace: &Workspace) -> Vec<String> {
    let Workspace { settings, sources, .. } = workspace;
    let mut lines = vec![sources.place(target.span)];
    let made = target.origin.iter().flat_map(|origin| origin.chain());
    lines.extend(made.map(|origin| format!("made by the rule `{}`, {}", origin.rule, sources.place(origin.template))));
    let how = if target.local { "built here last" } else { "published" };
    let by = settings.taken_by(&target.label).filter(|_| !target.is_built());
    lines.extend(by.map(|by| format!("taken as {how}: {}", by.describe(sources))));
    lines
}
