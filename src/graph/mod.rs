//! Workspace → TargetGraph: targets as nodes, label-typed attributes as edges.
//!
//! `resolve` finds what labels name, `cycle` draws circles, `select` picks what patterns mean, `suggest` words what is
//! missing. Knows no rule by name, and nothing of actions.

mod cycle;
mod resolve;
mod select;
mod suggest;
#[cfg(test)]
mod testing;

pub use select::{SelectError, Selection};
pub use suggest::Missing;

use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;
use petgraph::{Direction, algo};

use crate::diagnostic::Diagnostic;
use crate::label::Label;
use crate::span::Span;
use crate::workspace::{Target, Workspace};

/// A target of one graph; ids are in the order of labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetId(u32);

impl TargetId {
    /// From 0 to below [`TargetGraph::len`], for tables beside the graph.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// One target needing another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dependency {
    /// What is needed.
    pub target: TargetId,
    /// The attribute that says so.
    pub attribute: &'static str,
    /// Where the label stands.
    pub span: Span,
}

#[derive(Debug, Clone, Copy)]
struct Edge {
    attribute: &'static str,
    span: Span,
}

/// The targets of a workspace and what each needs.
#[derive(Debug)]
pub struct TargetGraph<'w> {
    workspace: &'w Workspace,
    /// By id, which is the order of labels.
    targets: Vec<&'w Target>,
    /// The first id of each of the workspace's packages.
    firsts: Vec<u32>,
    /// Edges go from a target to what it needs, and are added last to first: petgraph gives them back in written order.
    edges: DiGraph<(), Edge, u32>,
    /// What is needed before what needs it; in a circle, in any order.
    order: Vec<TargetId>,
}

/// Resolves every label. Labels that name nothing, or the wrong kind of target, and circles are reported; the graph
/// has every other edge.
pub fn build(workspace: &Workspace) -> (TargetGraph<'_>, Vec<Diagnostic>) {
    let targets: Vec<&Target> = workspace.packages.iter().flat_map(|package| &package.targets).collect();
    let mut graph =
        TargetGraph { workspace, targets, firsts: firsts(workspace), edges: DiGraph::default(), order: vec![] };
    let resolve::Resolved { edges, mut diagnostics } = resolve::resolve(&graph);
    graph.edges = DiGraph::with_capacity(graph.targets.len(), edges.len());
    graph.targets.iter().for_each(|_| _ = graph.edges.add_node(()));
    for (from, to) in edges.into_iter().rev() {
        let edge = Edge { attribute: to.attribute, span: to.span };
        graph.edges.add_edge(node(from), node(to.target), edge);
    }
    match algo::toposort(&graph.edges, None) {
        Ok(nodes) => graph.order = nodes.into_iter().rev().map(id).collect(),
        Err(_) => diagnostics.extend(graph.break_circles()),
    }
    diagnostics.sort_by_cached_key(|diagnostic| place(workspace, diagnostic));
    (graph, diagnostics)
}

fn firsts(workspace: &Workspace) -> Vec<u32> {
    let mut next = 0;
    let count = |package: &crate::workspace::Package| {
        let first = next;
        next += u32::try_from(package.targets.len()).unwrap_or(u32::MAX);
        first
    };
    workspace.packages.iter().map(count).collect()
}

fn place<'w>(workspace: &'w Workspace, diagnostic: &Diagnostic) -> Option<(&'w camino::Utf8Path, u32)> {
    let span = diagnostic.primary.as_ref()?.span;
    Some((&workspace.sources.get(span.file).path, span.start))
}

fn node(target: TargetId) -> NodeIndex<u32> {
    NodeIndex::from(target.0)
}

fn id(node: NodeIndex<u32>) -> TargetId {
    TargetId(u32::try_from(node.index()).unwrap_or(u32::MAX))
}

impl<'w> TargetGraph<'w> {
    /// The workspace that the targets are declared in.
    pub fn workspace(&self) -> &'w Workspace {
        self.workspace
    }

    /// How many targets there are.
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Whether there is no target.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// All targets in the order of their labels.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = TargetId> + ExactSizeIterator + use<> {
        (0..u32::try_from(self.targets.len()).unwrap_or(u32::MAX)).map(TargetId)
    }

    /// The target of a label; `None` where no package that was read declares it.
    pub fn id(&self, label: &Label) -> Option<TargetId> {
        let package = self.workspace.position(&label.package)?;
        let position = self.workspace.packages[package].position(&label.name)?;
        Some(self.nth(package, position))
    }

    /// The declaration of a target.
    pub fn target(&self, id: TargetId) -> &'w Target {
        self.targets[id.index()]
    }

    /// What a target needs, in written order; once for each time that it says so.
    pub fn deps(&self, id: TargetId) -> impl Iterator<Item = Dependency> {
        self.neighbours(id, Direction::Outgoing)
    }

    /// What needs a target: in each, `target` is the one that needs it.
    pub fn rdeps(&self, id: TargetId) -> impl Iterator<Item = Dependency> {
        self.neighbours(id, Direction::Incoming)
    }

    /// All targets, each behind those that it needs.
    pub fn topological(&self) -> &[TargetId] {
        &self.order
    }

    /// The targets and all that they need, directly or not, each behind those that it needs.
    pub fn closure(&self, roots: impl IntoIterator<Item = TargetId>) -> Vec<TargetId> {
        let mut needed = vec![false; self.targets.len()];
        let mut open: Vec<TargetId> = roots.into_iter().collect();
        while let Some(target) = open.pop() {
            if !std::mem::replace(&mut needed[target.index()], true) {
                open.extend(self.deps(target).map(|dependency| dependency.target));
            }
        }
        self.order.iter().copied().filter(|target| needed[target.index()]).collect()
    }

    fn nth(&self, package: usize, position: usize) -> TargetId {
        TargetId(self.firsts[package] + u32::try_from(position).unwrap_or(u32::MAX))
    }

    fn neighbours(&self, target: TargetId, direction: Direction) -> impl Iterator<Item = Dependency> {
        self.edges.edges_directed(node(target), direction).map(move |edge| {
            let other = if direction == Direction::Outgoing { edge.target() } else { edge.source() };
            Dependency { target: id(other), attribute: edge.weight().attribute, span: edge.weight().span }
        })
    }

    fn break_circles(&mut self) -> Vec<Diagnostic> {
        // Kosaraju's algorithm and not Tarjan's: petgraph's Tarjan recurses, and a long chain would overflow the stack.
        let components = algo::kosaraju_scc(&self.edges);
        self.order = components.iter().flatten().copied().map(id).collect();
        let circles = components.into_iter().map(|component| component.into_iter().map(id).collect::<Vec<_>>());
        circles.filter_map(|members| cycle::describe(self, &members)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::testing::Tree;

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
        let (graph, _) = super::build(&workspace);
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
