//! Targets and what each needs.
//!
//! Ids, neighbours, order; petgraph inside. Knows nothing of how a label is resolved.

use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;
use petgraph::{Direction, algo};

use crate::label::Label;
use crate::span::Span;
use crate::workspace::{Package, Target, Workspace};

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

fn firsts(workspace: &Workspace) -> Vec<u32> {
    let mut next = 0;
    let count = |package: &Package| {
        let first = next;
        next += u32::try_from(package.targets.len()).unwrap_or(u32::MAX);
        first
    };
    workspace.packages.iter().map(count).collect()
}

fn node(target: TargetId) -> NodeIndex<u32> {
    NodeIndex::from(target.0)
}

fn id(node: NodeIndex<u32>) -> TargetId {
    TargetId(u32::try_from(node.index()).unwrap_or(u32::MAX))
}

impl<'w> TargetGraph<'w> {
    /// The targets without any edge.
    pub(super) fn unconnected(workspace: &'w Workspace) -> TargetGraph<'w> {
        let targets: Vec<&Target> = workspace.packages.iter().flat_map(|package| &package.targets).collect();
        let order = Vec::new();
        TargetGraph { workspace, targets, firsts: firsts(workspace), edges: DiGraph::default(), order }
    }

    /// Sets the edges, in the order of targets and as written in each. Gives the groups of targets that all need each
    /// other, those of one target too; none when there is no circle at all.
    pub(super) fn connect(&mut self, edges: Vec<(TargetId, Dependency)>) -> Vec<Vec<TargetId>> {
        self.edges = DiGraph::with_capacity(self.targets.len(), edges.len());
        self.targets.iter().for_each(|_| _ = self.edges.add_node(()));
        for (from, to) in edges.into_iter().rev() {
            let edge = Edge { attribute: to.attribute, span: to.span };
            self.edges.add_edge(node(from), node(to.target), edge);
        }
        if let Ok(nodes) = algo::toposort(&self.edges, None) {
            self.order = nodes.into_iter().rev().map(id).collect();
            return Vec::new();
        }
        // Kosaraju's algorithm and not Tarjan's: petgraph's Tarjan recurses, and a long chain would overflow the stack.
        let groups = algo::kosaraju_scc(&self.edges);
        self.order = groups.iter().flatten().copied().map(id).collect();
        groups.into_iter().map(|group| group.into_iter().map(id).collect()).collect()
    }

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
        self.in_package(self.workspace.position(&label.package)?, &label.name)
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

    /// The target of a name in the package at an index.
    pub(super) fn in_package(&self, package: usize, name: &str) -> Option<TargetId> {
        Some(self.nth(package, self.workspace.packages[package].position(name)?))
    }

    /// The target at a position in the package at an index.
    pub(super) fn nth(&self, package: usize, position: usize) -> TargetId {
        TargetId(self.firsts[package] + u32::try_from(position).unwrap_or(u32::MAX))
    }

    fn neighbours(&self, target: TargetId, direction: Direction) -> impl Iterator<Item = Dependency> {
        self.edges.edges_directed(node(target), direction).map(move |edge| {
            let other = if direction == Direction::Outgoing { edge.target() } else { edge.source() };
            Dependency { target: id(other), attribute: edge.weight().attribute, span: edge.weight().span }
        })
    }
}
