//! What the labels in attributes name.
//!
//! One edge a label whose target exists and is of a fitting kind, one diagnostic for any other; of labels that are
//! mentioned or told aside, no edge.

use rayon::prelude::*;

use super::suggest;
use super::target_graph::{Dependency, TargetGraph, TargetId};
use crate::diagnostic::Diagnostic;
use crate::workspace::schema::Purpose;
use crate::workspace::{LabelUse, Naming, Package, Target};

/// Edges from one target to what it needs, by the order of targets and then as written.
#[derive(Default)]
pub struct Resolved {
    pub edges: Vec<(TargetId, Dependency)>,
    /// Of labels that name nothing: an edge is missing.
    pub unknown: Vec<Diagnostic>,
    /// Of labels that name the wrong kind of target: the edge is there.
    pub unfit: Vec<Diagnostic>,
}

/// Resolves the labels of all targets.
pub fn resolve(graph: &TargetGraph<'_>) -> Resolved {
    let packages = &graph.workspace().packages;
    let parts: Vec<Resolved> =
        packages.par_iter().enumerate().map(|(index, package)| resolve_package(graph, index, package)).collect();
    let mut all = Resolved::default();
    for part in parts {
        all.edges.extend(part.edges);
        all.unknown.extend(part.unknown);
        all.unfit.extend(part.unfit);
    }
    all
}

fn resolve_package(graph: &TargetGraph<'_>, index: usize, package: &Package) -> Resolved {
    let mut resolved = Resolved::default();
    // Labels in a row mostly name the same package: remembered, it isn't searched again.
    let mut near = (&package.path, Some(index));
    for (position, target) in package.targets.iter().enumerate() {
        let from = graph.nth(index, position);
        for used in &target.labels {
            if used.label.package != *near.0 {
                near = (&used.label.package, graph.workspace().position(&used.label.package));
            }
            match near.1.and_then(|package| graph.in_package(package, &used.label.name)) {
                Some(to) => {
                    resolved.unfit.extend(unfit(used, graph.target(to)).map(|it| target.traced(it)));
                    let edge = Dependency { target: to, attribute: used.attribute, span: used.span };
                    resolved.edges.extend((used.naming == Naming::Edge).then_some((from, edge)));
                }
                None => resolved.unknown.extend(unknown(graph, used).map(|it| target.traced(it))),
            }
        }
    }
    resolved
}

/// Nothing is said of a package whose syntax is wrong, nor of a workspace that is not where it should be: what they declare
/// is not known.
fn unknown(graph: &TargetGraph<'_>, used: &LabelUse) -> Option<Diagnostic> {
    let workspace = graph.workspace();
    let is_unread = workspace.package(&used.label.package).is_some_and(|package| !package.complete);
    if is_unread || suggest::is_astray(workspace, &used.label.package) {
        return None;
    }
    let missing = suggest::missing(workspace, &used.label);
    let diagnostic = Diagnostic::error(missing.message).at(used.span, missing.why);
    Some(missing.help.into_iter().fold(diagnostic, Diagnostic::help))
}

/// Of another workspace, an image is all that can be had.
fn not_published(used: &LabelUse, workspace: &str) -> Diagnostic {
    Diagnostic::error(format!("`{}` is of another workspace, which publishes nothing but images", used.label))
        .at(used.span, format!("`{}` takes no image", used.attribute))
        .help(format!(
            "stand on an image of `{workspace}` that has it, as `base`; or build `{workspace}` from its `path`"
        ))
}

fn unfit(used: &LabelUse, target: &Target) -> Option<Diagnostic> {
    let purpose = target.rule.purpose;
    if used.purposes.contains(&purpose) {
        return None;
    }
    if let Some(name) = used.label.package.external().filter(|_| target.published) {
        return Some(not_published(used, name));
    }
    let wanted: Vec<&str> = used.purposes.iter().map(|purpose| Purpose::describe(*purpose)).collect();
    let (wanted, is) = (wanted.join(" or "), purpose.describe());
    Some(
        Diagnostic::error(format!("`{}` is {is}, not {wanted}", used.label))
            .at(used.span, format!("`{}` takes {wanted}", used.attribute))
            .also(target.span, target.declared()),
    )
}

#[cfg(test)]
mod tests {
    use super::super::testing::Tree;

    use crate::workspace::testing::ROOT;

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest_one() {
        let tree = Tree::new(&[ROOT, ("p/layers.toml", "[files.app]\ndest = \"/\"\n[image.x]\nlayers = [\":ap\"]\n")]);
        let problems = tree.problems(&["//..."]);
        assert_eq!(problems.len(), 1);
        for part in ["no such target `//p:ap`", "p/layers.toml:4:11", "did you mean `//p:app`?"] {
            assert!(problems[0].contains(part), "{}", problems[0]);
        }
    }

    #[test]
    fn a_name_of_another_package_is_found_there() {
        let tree = Tree::new(&[
            ROOT,
            (
                "p/layers.toml",
                "[files.application]\ndest = \"/\"\n[image.x]\nbase = \"//q:y\"\nlayers = [\"//q:application\"]\n",
            ),
            ("q/layers.toml", "[image.y]\n"),
        ]);
        let problems = tree.problems(&["//p:x"]);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].contains("`//p:application` has this name"), "{}", problems[0]);
    }

    #[test]
    fn an_unknown_package_is_told_from_an_unknown_target() {
        let tree = Tree::new(&[
            ROOT,
            ("p/layers.toml", "[image.x]\nbase = \"//datakit:y\"\n"),
            ("datakits/layers.toml", "[image.y]\n"),
        ]);
        let problems = tree.problems(&["//p:x"]);
        for part in ["no such package `//datakit`", "there is no `datakit/layers.toml`", "did you mean `//datakits:y`?"]
        {
            assert!(problems[0].contains(part), "{}", problems[0]);
        }
    }

    #[test]
    fn a_target_of_the_wrong_kind_names_both_places() {
        let tree = Tree::new(&[ROOT, ("p/layers.toml", "[image.b]\n[image.x]\nlayers = [\":b\"]\n")]);
        let problems = tree.problems(&["//..."]);
        for part in ["`//p:b` is an image, not a layer", "p/layers.toml:3:11", "declared here with the rule `image`"] {
            assert!(problems[0].contains(part), "{}", problems[0]);
        }
    }

    #[test]
    fn a_label_into_a_file_with_wrong_syntax_is_not_judged() {
        let tree = Tree::new(&[
            ROOT,
            ("p/layers.toml", "[image.x]\nlayers = [\"//q:y\"]\n"),
            ("q/layers.toml", "[files.z]\ndest = \n[files.y\ndest = \"/\"\n"),
        ]);
        let problems = tree.problems(&["//..."]);
        assert!(!problems.is_empty());
        assert!(problems.iter().all(|problem| problem.contains("q/layers.toml")), "{problems:#?}");
    }
}
