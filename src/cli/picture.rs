//! Targets of a query as a picture: which are drawn, how they look, what joins them, and in which frames they stand.
//!
//! What is told of them beside comes from [`super::picture_facts`]; what the picture becomes is `picture`'s matter.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::picture_facts::Facts;
use super::picture_flow;
use super::picture_needs::Needs;
use crate::picture::{Cluster, Detail, Edge, Node, Picture, Role, Shape, stack};
use crate::query::graph::{Id, QueryGraph, Role as Purpose};
use crate::query::lineage::Lineage;
use crate::query::set::TargetSet;

/// Which targets share a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Clusters {
    /// Those of a package.
    Package,
    /// Those of all packages below the same folder of the workspace, such as platform or warehouse.
    Layer,
    /// None do.
    None,
}

/// What is drawn of a workspace.
#[derive(Debug, Clone)]
pub struct Look {
    /// The workspace's name.
    pub title: String,
    /// `HOST[:PORT][/PREFIX]` that images are pushed to.
    pub registry: String,
    /// Which targets share a frame.
    pub clusters: Clusters,
    /// Whether only images, and what acts on the outside, are drawn; what stands between two images is an edge then.
    pub images_only: bool,
    /// Whether the registry is drawn, with what goes to it and comes from it.
    pub registry_flow: bool,
}

/// The picture of a set of targets, in its order from top to bottom.
pub fn of(found: &TargetSet, graph: &dyn QueryGraph, look: &Look, facts: &Facts) -> Picture {
    let drawn: Vec<Id> = found.iter().filter(|id| !look.images_only || is_in_diagram(graph.role(*id))).collect();
    let at: HashMap<Id, usize> = drawn.iter().copied().zip(0..).collect();
    let mut drawing = Drawing { graph, at: &at, picture: Picture::default() };
    drawing.picture.title.clone_from(&look.title);
    let clusters = clusters(&drawn, graph, look);
    for id in &drawn {
        let node = drawing.node(*id, &clusters, facts);
        drawing.picture.nodes.push(node);
    }
    let (needs, lineage) = (Needs::new(found, &at, graph), Lineage::new(graph));
    drawn.iter().for_each(|id| drawing.join(*id, &needs, &lineage));
    let mut picture = drawing.picture;
    picture.clusters = clusters.frames;
    picture_flow::add(&mut picture, &drawn, graph);
    stack::stack(&mut picture);
    if look.registry_flow {
        add_registry(&mut picture, look);
    }
    picture
}

fn is_in_diagram(role: Purpose) -> bool {
    matches!(role, Purpose::Image | Purpose::Pulled | Purpose::Index | Purpose::Effect)
}

/// The frames, and in which each target stands.
struct Framed {
    frames: Vec<Cluster>,
    /// By target, the frame and what of the label it leaves to be said.
    of: HashMap<Id, (usize, String)>,
}

fn clusters(drawn: &[Id], graph: &dyn QueryGraph, look: &Look) -> Framed {
    let mut framed = Framed { frames: Vec::new(), of: HashMap::new() };
    if look.clusters == Clusters::None {
        return framed;
    }
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    for id in drawn {
        let package = graph.package_name(*id);
        let name = if look.clusters == Clusters::Layer { layer(&package) } else { package.as_str() };
        let at = *names.entry(name.to_owned()).or_insert_with(|| {
            framed.frames.push(frame(name, look));
            framed.frames.len() - 1
        });
        let label = graph.label(*id);
        let own = label.rsplit_once(':').map_or(label.as_str(), |(_, own)| own);
        let below = package[name.len()..].trim_start_matches('/');
        let text = if below.is_empty() { own.to_owned() } else { format!("{below}:{own}") };
        framed.of.insert(*id, (at, text));
    }
    framed
}

/// The first folder of a package's path; of another workspace its name, `@name`.
fn layer(package: &str) -> &str {
    package.split('/').next().unwrap_or_default()
}

fn frame(name: &str, look: &Look) -> Cluster {
    let title = if name.is_empty() { look.title.clone() } else { name.to_owned() };
    let doc = match name {
        "" => format!("pushed to {}", look.registry),
        _ if name.starts_with('@') => "another workspace".to_owned(),
        _ => format!("pushed to {}/{name}", look.registry),
    };
    Cluster { title, doc }
}

struct Drawing<'a> {
    graph: &'a dyn QueryGraph,
    /// Where each that is drawn stands among the nodes.
    at: &'a HashMap<Id, usize>,
    picture: Picture,
}

impl Drawing<'_> {
    fn node(&self, id: Id, clusters: &Framed, facts: &Facts) -> Node {
        let label = self.graph.label(id);
        let (cluster, text) = match clusters.of.get(&id) {
            Some((cluster, text)) => (Some(*cluster), text.clone()),
            None => (None, label.clone()),
        };
        let doc = self.doc(id);
        let said = Some(doc.clone()).filter(|doc| !doc.is_empty());
        let mut details: Vec<Detail> = said.into_iter().map(|value| Detail { name: "doc".into(), value }).collect();
        details.push(Detail { name: "declared".into(), value: self.graph.location(id) });
        let fact = facts.of(&label);
        details.extend(fact.into_iter().flat_map(|fact| fact.details.clone()));
        let attributes = self.graph.attributes(id).into_iter();
        details.extend(attributes.map(|(name, value)| Detail { name, value: text_of(&value) }));
        Node {
            id: label,
            text,
            kind: self.graph.kind(id).to_owned(),
            doc,
            shape: self.shape(id),
            cluster,
            state: fact.and_then(|fact| fact.state.clone()),
            details,
        }
    }

    /// What an image says that it is.
    fn doc(&self, id: Id) -> String {
        let labels = self.graph.attribute(id, "labels");
        let doc = labels.as_ref().and_then(|labels| labels.get("org.opencontainers.image.description"));
        doc.and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    fn shape(&self, id: Id) -> Shape {
        match self.graph.role(id) {
            _ if self.graph.is_published(id) => Shape::Pulled,
            Purpose::Layer => Shape::Layer,
            Purpose::Image => Shape::Image,
            Purpose::Pulled => Shape::Pulled,
            Purpose::Index => Shape::Index,
            Purpose::Check => Shape::Check,
            Purpose::Effect => Shape::Effect,
            Purpose::Source | Purpose::BuildFile => Shape::File,
        }
    }

    /// The edges from what is drawn to what it needs, also through what is not drawn. What an image's bases bring is not
    /// said once more.
    fn join(&mut self, id: Id, needs: &Needs<'_>, lineage: &Lineage) {
        let base = self.graph.base(id).filter(|base| *base != id);
        if let Some(base) = base.filter(|base| self.at.contains_key(base)) {
            self.edge(id, base, Role::Base, String::new());
        }
        let role = if self.graph.role(id) == Purpose::Check { Role::Checks } else { Role::Part };
        for needed in needs.of(id).into_iter().filter(|needed| !lineage.stands_on(id, *needed)) {
            self.edge(id, needed, role, String::new());
        }
    }

    fn edge(&mut self, from: Id, to: Id, role: Role, text: String) {
        let (from, to) = (self.at[&from], self.at[&to]);
        self.picture.edges.push(Edge { from, to, role, text });
    }
}

/// A value as people read it: lists a line each, the rest as JSON.
fn text_of(value: &Value) -> String {
    let one = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match value {
        Value::Array(items) => items.iter().map(one).collect::<Vec<_>>().join("\n"),
        Value::Object(entries) => {
            entries.iter().map(|(key, value)| format!("{key} = {}", one(value))).collect::<Vec<_>>().join("\n")
        }
        other => one(other),
    }
}

/// The registry below all else: images go to it, and what is taken as published comes from it.
fn add_registry(picture: &mut Picture, look: &Look) {
    let registry = picture.nodes.len();
    let to_or_from = |(at, node): (usize, &Node)| match node.shape {
        Shape::Image | Shape::Index => {
            Some(Edge { from: at, to: registry, role: Role::Published, text: "push".into() })
        }
        Shape::Pulled => Some(Edge { from: at, to: registry, role: Role::Published, text: "pull".into() }),
        _ => None,
    };
    picture.edges.extend(picture.nodes.iter().enumerate().filter_map(to_or_from).collect::<Vec<_>>());
    picture.nodes.push(Node {
        id: look.registry.clone(),
        text: look.registry.clone(),
        kind: "registry".into(),
        shape: Shape::Registry,
        ..Node::default()
    });
}
