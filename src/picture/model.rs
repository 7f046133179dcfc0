//! What is drawn: nodes, what they need, and the clusters that they stand in.

/// A picture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Picture {
    /// What it shows, such as the workspace's name.
    pub title: String,
    /// In a fixed order; edges and clusters name them by position.
    pub nodes: Vec<Node>,
    /// In any order; two may join the same nodes with different roles.
    pub edges: Vec<Edge>,
    /// From top to bottom; may be empty.
    pub clusters: Vec<Cluster>,
}

impl Picture {
    /// Where an arrow begins and ends that shows what moves: what is needed goes to what needs it, and images to the
    /// registry that they are pushed to.
    pub fn arrow(&self, edge: &Edge) -> (usize, usize) {
        let is_pushed = edge.role == Role::Published && self.nodes[edge.from].shape != Shape::Pulled;
        if is_pushed { (edge.from, edge.to) } else { (edge.to, edge.from) }
    }

    /// The nodes that stand in each cluster, by position and in order.
    pub fn members(&self) -> Vec<Vec<usize>> {
        let mut members = vec![Vec::new(); self.clusters.len()];
        for (at, node) in self.nodes.iter().enumerate() {
            node.cluster.into_iter().for_each(|cluster| members[cluster].push(at));
        }
        members
    }

    /// The nodes that stand in none, by position and in order.
    pub fn loose(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|at| self.nodes[*at].cluster.is_none()).collect()
    }

    /// By node, the edges of which it is the one end, in order.
    pub fn edges_by(&self, end: impl Fn(&Edge) -> usize) -> Vec<Vec<&Edge>> {
        let mut by = vec![Vec::new(); self.nodes.len()];
        self.edges.iter().for_each(|edge| by[end(edge)].push(edge));
        by
    }
}

/// A node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Node {
    /// What names it and nothing else, such as `//platform:kerberos-base`.
    pub id: String,
    /// What is written on it; the id, or what its cluster leaves to be said.
    pub text: String,
    /// What it is, such as `image rule`.
    pub kind: String,
    /// What it is for, in a line; empty: not said.
    pub doc: String,
    /// How it looks.
    pub shape: Shape,
    /// The cluster that it stands in, by position; `None`: none.
    pub cluster: Option<usize>,
    /// How it stands; `None` where that is not asked.
    pub state: Option<(Tone, String)>,
    /// What else is known of it, in the order in which it is shown.
    pub details: Vec<Detail>,
}

/// The look of a node: what it is for, told apart without colours too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shape {
    /// An image: a box with a heavy frame.
    Image,
    /// Several images as one, an index: the same, doubled.
    Index,
    /// Somebody else's image: a box with a broken frame.
    Pulled,
    /// A layer: a flat box with round ends.
    #[default]
    Layer,
    /// A test or check: a hexagon.
    Check,
    /// What acts on the outside, such as a deploy: an arrow-like box.
    Effect,
    /// A source file: a sheet with a folded corner.
    File,
    /// Where images are published: a cylinder.
    Registry,
    /// A system that is no image here, such as a database that data comes from: an ellipse.
    Outside,
}

impl Shape {
    /// Its name, in JSON and as a class in style sheets.
    pub fn word(self) -> &'static str {
        match self {
            Shape::Image => "image",
            Shape::Index => "index",
            Shape::Pulled => "pulled",
            Shape::Layer => "layer",
            Shape::Check => "check",
            Shape::Effect => "effect",
            Shape::File => "file",
            Shape::Registry => "registry",
            Shape::Outside => "outside",
        }
    }
}

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Something is to be done, such as a build.
    Open,
    /// Wrong.
    Bad,
    /// Not known.
    Unknown,
}

impl Tone {
    /// Its name, in JSON and as a class in style sheets.
    pub fn word(self) -> &'static str {
        match self {
            Tone::Good => "good",
            Tone::Open => "open",
            Tone::Bad => "bad",
            Tone::Unknown => "unknown",
        }
    }
}

/// A line of what is known of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// Such as `digest`, or an attribute's name.
    pub name: String,
    /// Its value as text; may have several lines.
    pub value: String,
}

/// An edge, from what needs something to what it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// What needs.
    pub from: usize,
    /// What is needed.
    pub to: usize,
    /// What for.
    pub role: Role,
    /// What is written beside it; empty: nothing.
    pub text: String,
}

/// What an edge is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// An image stands on another: a thick line.
    Base,
    /// A layer is part of an image, or whatever else is needed to make it: a thin line.
    #[default]
    Part,
    /// Published to, or taken from, a registry: a dashed line.
    Published,
    /// A test or check looks at it: a dotted line.
    Checks,
    /// What containers share while they run, such as tickets: a coloured line with text.
    Flow,
    /// Data that comes from what is needed: a coloured line with text.
    Data,
}

impl Role {
    /// Its name, in JSON and as a class in style sheets.
    pub fn word(self) -> &'static str {
        match self {
            Role::Base => "base",
            Role::Part => "part",
            Role::Published => "published",
            Role::Checks => "checks",
            Role::Flow => "flow",
            Role::Data => "data",
        }
    }

    /// Whether something moves along it while containers run, so that it says little of what stands on what.
    pub fn is_flow(self) -> bool {
        matches!(self, Role::Flow | Role::Data)
    }
}

/// A group of nodes with a frame around them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cluster {
    /// Its name, such as `platform`.
    pub title: String,
    /// A line below the name; empty: none.
    pub doc: String,
}
