//! The page stands on its own, and takes any text for text.

use super::*;
use crate::picture::model::{Detail, Edge, Role, Shape, Tone};

const NASTY: &str = "</script><script>alert(1)</script><!--title-->\"'&\u{2028}";

fn page(picture: &Picture) -> String {
    let mut out = Vec::new();
    write(picture, &mut out).expect("a vector takes all");
    String::from_utf8(out).expect("UTF-8")
}

fn nasty() -> Picture {
    let node = |id: String| Node {
        id,
        text: NASTY.to_owned(),
        kind: NASTY.to_owned(),
        doc: NASTY.to_owned(),
        shape: Shape::Image,
        cluster: None,
        state: Some((Tone::Bad, NASTY.to_owned())),
        details: vec![Detail { name: NASTY.to_owned(), value: NASTY.to_owned() }],
    };
    let edge = Edge { from: 0, to: 1, role: Role::Flow, text: NASTY.to_owned() };
    let nodes = vec![node(format!("0{NASTY}")), node(format!("1{NASTY}"))];
    Picture { title: NASTY.to_owned(), nodes, edges: vec![edge], clusters: Vec::new() }
}

/// The data of a page as its script reads them.
fn read(page: &str) -> Value {
    let (_, data) = page.split_once(r#"<script type="application/json" id="data">"#).expect("the data");
    let (data, _) = data.split_once("</script>").expect("their end");
    serde_json::from_str(data).expect("JSON")
}

#[test]
fn no_text_leaves_its_place() {
    let page = page(&nasty());
    let scripts = page.matches("<script").count();
    assert_eq!((scripts, page.matches("</script>").count()), (2, 2));
    assert!(!page.contains("<!--"), "a hole is left, or was filled with one");
    let data = read(&page);
    assert_eq!(data["nodes"][0]["details"][0][1], NASTY);
    assert_eq!(data["edges"][0], json!([0, 1, "flow", NASTY]));
}

#[test]
fn nothing_is_loaded_from_elsewhere() {
    let page = page(&nasty());
    assert!(page.contains("default-src 'none'"));
    let namespace = "http://www.w3.org/2000/svg";
    let rest = page.replace(namespace, "");
    for outside in ["http:", "https:", "src=", "@import", "<link", "url(h"] {
        assert!(!rest.contains(outside), "the page has `{outside}`");
    }
}

#[test]
fn every_node_is_drawn_and_told() {
    let page = page(&nasty());
    assert!(page.contains(r#"id="n0""#) && page.contains(r#"id="n1""#) && page.contains(r#"id="e0""#));
    assert_eq!(read(&page)["nodes"].as_array().map(Vec::len), Some(2));
}
