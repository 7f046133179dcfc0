//! What moves in a picture while containers run: data, and what volumes share.
//!
//! Takes what images say of it; makes nothing of what only an engine knows.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use super::picture_volumes::Volumes;
use crate::picture::{Edge, Node, Picture, Role, Shape};
use crate::query::graph::{Id, QueryGraph};

/// Adds it to a picture whose first nodes are the targets that are drawn, and the systems outside that their data comes
/// from or goes to.
pub fn add(picture: &mut Picture, drawn: &[Id], graph: &dyn QueryGraph) {
    share_volumes(picture, drawn, graph);
    let at = picture.nodes.iter().enumerate().map(|(at, node)| (node.id.clone(), at)).collect();
    let mut ends = Ends { at, outside: HashMap::new() };
    // Said by both ends, a way is drawn once.
    let mut ways: BTreeSet<(usize, usize)> = BTreeSet::new();
    for (own, id) in drawn.iter().enumerate() {
        ways.extend(told(graph, *id, "reads").filter_map(|end| Some((own, ends.of(&end, picture)?))));
        ways.extend(told(graph, *id, "writes").filter_map(|end| Some((ends.of(&end, picture)?, own))));
    }
    let edge = |(from, to)| Edge { from, to, role: Role::Data, text: "data".to_owned() };
    picture.edges.extend(ways.into_iter().map(edge));
}

fn told(graph: &dyn QueryGraph, id: Id, attribute: &str) -> impl Iterator<Item = Value> + use<> {
    let ends = graph.attribute(id, attribute).and_then(|ends| ends.as_array().cloned());
    ends.unwrap_or_default().into_iter()
}

/// Where the ends of data's ways stand among the nodes.
struct Ends {
    /// By label.
    at: HashMap<String, usize>,
    /// By name.
    outside: HashMap<String, usize>,
}

impl Ends {
    /// The node of a label, or of a system outside, which is drawn when it is first named; `None` for an image that isn't
    /// drawn.
    fn of(&mut self, end: &Value, picture: &mut Picture) -> Option<usize> {
        if let Value::String(label) = end {
            return self.at.get(label).copied();
        }
        let name = end.get("outside")?.as_str()?;
        let at = self.outside.entry(name.to_owned()).or_insert_with(|| {
            picture.nodes.push(outside(name));
            picture.nodes.len() - 1
        });
        Some(*at)
    }
}

/// A system that is no image here. No label has such an id.
fn outside(name: &str) -> Node {
    let (id, text) = (format!("outside:{name}"), name.to_owned());
    Node { id, text, kind: "outside".to_owned(), shape: Shape::Outside, ..Node::default() }
}

/// One image declares a volume, and a variable of another is a path in it, such as that of a ticket cache. Said of those
/// that set the variable, not of what stands on them. What an image declares itself is its own.
fn share_volumes(picture: &mut Picture, drawn: &[Id], graph: &dyn QueryGraph) {
    let declared: Vec<Vec<String>> = drawn.iter().map(|id| texts(graph.attribute(*id, "volumes"))).collect();
    let mut volumes = Volumes::default();
    declared.iter().enumerate().for_each(|(owner, own)| volumes.add(owner, own));
    for (from, (id, own)) in drawn.iter().zip(&declared).enumerate() {
        let env = texts(graph.attribute(*id, "env"));
        for (owner, _, volume) in volumes.led_into(&env, own) {
            picture.edges.push(Edge { from, to: owner, role: Role::Flow, text: format!("shares {volume}") });
        }
    }
}

/// The texts of a list, or the values of a table.
fn texts(value: Option<Value>) -> Vec<String> {
    let text = |value: Value| value.as_str().map(str::to_owned);
    match value {
        Some(Value::Array(items)) => items.into_iter().filter_map(text).collect(),
        Some(Value::Object(entries)) => entries.into_iter().filter_map(|(_, value)| text(value)).collect(),
        _ => Vec::new(),
    }
}
