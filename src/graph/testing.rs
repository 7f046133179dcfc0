//! What a workspace in a temporary folder comes to as a graph.

use crate::label::PackagePath;
use crate::pattern::TargetPattern;
pub use crate::workspace::testing::Tree;

impl Tree {
    /// All diagnostics of load and graph, rendered.
    pub fn problems(&self, patterns: &[&str]) -> Vec<String> {
        let (workspace, mut shown) = self.load(patterns);
        let (_, problems) = super::build::build(&workspace);
        shown.extend(problems.iter().map(|problem| problem.render(&workspace.sources, false)));
        shown
    }

    /// The labels, then the warnings, or else the errors, that patterns come to.
    pub fn select(&self, here: &str, patterns: &[&str]) -> Vec<String> {
        let here = PackagePath::new(here).unwrap();
        let (workspace, problems) = self.load_with(&here, patterns, None);
        assert_eq!(problems, Vec::<String>::new());
        let (graph, _) = super::build::build(&workspace);
        match graph.select(&TargetPattern::parse_all(patterns, &here).unwrap()) {
            Ok(selection) => {
                let labels = selection.targets.iter().map(|id| graph.target(*id).label.to_string());
                labels.chain(selection.warnings.iter().map(|warning| format!("warning: {}", warning.message))).collect()
            }
            Err(errors) => {
                let errors = errors.iter().map(super::select::SelectError::diagnostic);
                errors.map(|error| [vec![error.message], error.help].concat().join("; ")).collect()
            }
        }
    }
}
