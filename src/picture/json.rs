//! A picture as JSON, for whoever draws it otherwise.

use serde_json::{Value, json};

use super::model::Picture;

/// One object: `title`, `clusters`, `nodes`, `edges`. Nodes are named by `id`, clusters by position; `from` needs `to`.
pub fn value(picture: &Picture) -> Value {
    let clusters = picture.clusters.iter().map(|cluster| json!({ "title": cluster.title, "doc": cluster.doc }));
    let nodes = picture.nodes.iter().map(|node| {
        let details = node.details.iter().map(|detail| json!({ "name": detail.name, "value": detail.value }));
        json!({
            "id": node.id, "text": node.text, "kind": node.kind, "doc": node.doc, "shape": node.shape.word(),
            "cluster": node.cluster,
            "state": node.state.as_ref().map(|(tone, said)| json!({ "tone": tone.word(), "text": said })),
            "details": details.collect::<Value>(),
        })
    });
    let edges = picture.edges.iter().map(|edge| {
        let id = |at: usize| &picture.nodes[at].id;
        json!({ "from": id(edge.from), "to": id(edge.to), "role": edge.role.word(), "text": edge.text })
    });
    json!({
        "title": picture.title, "clusters": clusters.collect::<Value>(), "nodes": nodes.collect::<Value>(),
        "edges": edges.collect::<Value>(),
    })
}
