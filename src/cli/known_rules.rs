//! The rules that a call knows: those that are built in, and those of the workspace around the current folder.

use super::context::Context;
use super::error::CliError;
use super::project;
use crate::span::Sources;
use crate::workspace::root::find_root;
use crate::workspace::template::Rules;

/// The workspace's own rules; none outside of a workspace.
#[derive(Debug, Default)]
pub struct Own {
    /// The rules.
    pub rules: Rules,
    /// The texts that their places point into.
    pub sources: Sources,
}

/// Reads them. What is wrong with them is shown, and is no error.
pub fn own(cx: &Context) -> Result<Own, CliError> {
    if find_root(cx.directory()).is_err() {
        return Ok(Own { rules: Rules { complete: true, ..Rules::default() }, sources: Sources::default() });
    }
    let project = project::open_with(cx, |_| Ok(Vec::new()))?;
    project.show_findings();
    Ok(Own { rules: project.workspace.rules, sources: project.workspace.sources })
}
