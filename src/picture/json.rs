//! A picture as JSON, for whoever draws it otherwise.

use serde_json::{Value, json};

use super::model::{Picture, Role, Shape, Tone};

/// One object: `title`, `clusters`, `nodes`, `edges`. Nodes are named by `id`, clusters by position; `from` needs `to`.
pub fn value(picture: &Picture) -> Value {
    let clusters = picture.clusters.iter().map(|cluster| json!({ "title": cluster.title, "doc": cluster.doc }));
    let nodes = picture.nodes.iter().map(|node| {
        let details = node.details.iter().map(|detail| json!({ "name": detail.name, "value": detail.value }));
        json!({
            "id": node.id, "text": node.text, "kind": node.kind, "doc": node.doc, "shape": shape(node.shape),
            "cluster": node.cluster,
            "state": node.state.as_ref().map(|(tone, said)| json!({ "tone": self::tone(*tone), "text": said })),
            "details": details.collect::<Value>(),
        })
    });
    let edges = picture.edges.iter().map(|edge| {
        let id = |at: usize| &picture.nodes[at].id;
        json!({ "from": id(edge.from), "to": id(edge.to), "role": role(edge.role), "text": edge.text })
    });
    json!({
        "title": picture.title, "clusters": clusters.collect::<Value>(), "nodes": nodes.collect::<Value>(),
        "edges": edges.collect::<Value>(),
    })
}

/// The word for a shape; also a class in style sheets.
pub fn shape(shape: Shape) -> &'static str {
    match shape {
        Shape::Image => "image",
        Shape::Index => "index",
        Shape::Pulled => "pulled",
        Shape::Layer => "layer",
        Shape::Check => "check",
        Shape::Effect => "effect",
        Shape::File => "file",
        Shape::Registry => "registry",
    }
}

/// The word for an edge's role.
pub fn role(role: Role) -> &'static str {
    match role {
        Role::Base => "base",
        Role::Part => "part",
        Role::Published => "published",
        Role::Checks => "checks",
        Role::Flow => "flow",
    }
}

/// The word for how something stands.
pub fn tone(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "good",
        Tone::Open => "open",
        Tone::Bad => "bad",
        Tone::Unknown => "unknown",
    }
}
