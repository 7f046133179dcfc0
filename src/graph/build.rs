//! Making the graph: every label resolved, every circle drawn.

use camino::Utf8Path;

use super::target_graph::TargetGraph;
use super::{cycle, resolve};
use crate::diagnostic::Diagnostic;
use crate::workspace::Workspace;

/// Resolves every label. Labels that name nothing, or the wrong kind of target, and circles are reported, sorted by file
/// and place; the graph has every other edge.
pub fn build(workspace: &Workspace) -> (TargetGraph<'_>, Vec<Diagnostic>) {
    let mut graph = TargetGraph::unconnected(workspace);
    let resolve::Resolved { edges, unknown, unfit } = resolve::resolve(&graph);
    let groups = graph.connect(edges);
    let circles = groups.iter().filter_map(|group| cycle::describe(&graph, group));
    let diagnostics = sorted(workspace, unknown.into_iter().chain(unfit).chain(circles));
    (graph, diagnostics)
}

/// The same for whoever asks only how targets hang together: of labels of the wrong kind and of circles nothing is said.
pub fn shape(workspace: &Workspace) -> (TargetGraph<'_>, Vec<Diagnostic>) {
    let mut graph = TargetGraph::unconnected(workspace);
    let resolve::Resolved { edges, unknown, .. } = resolve::resolve(&graph);
    graph.connect(edges);
    (graph, sorted(workspace, unknown.into_iter()))
}

fn sorted(workspace: &Workspace, diagnostics: impl Iterator<Item = Diagnostic>) -> Vec<Diagnostic> {
    let mut diagnostics: Vec<Diagnostic> = diagnostics.collect();
    diagnostics.sort_by_cached_key(|diagnostic| place(workspace, diagnostic));
    diagnostics
}

fn place<'w>(workspace: &'w Workspace, diagnostic: &Diagnostic) -> Option<(&'w Utf8Path, u32)> {
    let span = diagnostic.primary.as_ref()?.span;
    Some((&workspace.sources.get(span.file).path, span.start))
}

#[cfg(test)]
mod tests {
    use super::super::testing::Tree;
    use super::build;

    #[test]
    fn dependencies_come_in_written_order_and_before_what_needs_them() {
        let tree = Tree::new(&[
            ("layers.toml", "[workspace]\nname = \"x\"\n"),
            ("b/layers.toml", "[files.z]\ndest = \"/z\"\n[files.a]\ndest = \"/a\"\n"),
            ("a/layers.toml", "[image.app]\nbase = \"//b:base\"\nlayers = [\"//b:z\", \"//b:a\"]\n"),
            ("b/layers.toml", "[files.z]\ndest = \"/z\"\n[files.a]\ndest = \"/a\"\n[image.base]\nlayers = [\":a\"]\n"),
        ]);
        let (workspace, problems) = tree.load(&["//..."]);
        assert_eq!(problems, Vec::<String>::new());
        let (graph, _) = build(&workspace);
        let shown = |id| graph.target(id).label.to_string();
        assert_eq!(graph.ids().map(shown).collect::<Vec<_>>(), ["//a:app", "//b:a", "//b:base", "//b:z"]);
        let app = graph.ids().next().unwrap();
        let deps: Vec<String> = graph.deps(app).map(|dep| format!("{} {}", dep.attribute, shown(dep.target))).collect();
        assert_eq!(deps, ["base //b:base", "layers //b:z", "layers //b:a"]);
        let layer =
            graph.id(&graph.deps(app).last().map(|dep| graph.target(dep.target).label.clone()).unwrap()).unwrap();
        let mut rdeps: Vec<String> = graph.rdeps(layer).map(|dep| shown(dep.target)).collect();
        rdeps.sort();
        assert_eq!(rdeps, ["//a:app", "//b:base"]);
        let at = |label: &str| graph.topological().iter().position(|id| shown(*id) == label).unwrap();
        assert!(at("//b:a") < at("//b:base") && at("//b:base") < at("//a:app") && at("//b:z") < at("//a:app"));
        assert_eq!(graph.closure([layer]), [layer]);
        assert_eq!(graph.closure([app]).len(), 4);
    }
}
