//! Targets for programs: an object each, in one array or one a line.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use crate::query::graph::{Id, QueryGraph};

/// An array of objects, one a line. `files`: whether source files are told among what a target needs.
pub fn json(targets: &[Id], files: bool, graph: &dyn QueryGraph, to: &mut dyn Write) -> io::Result<()> {
    write!(to, "[")?;
    for (index, id) in targets.iter().enumerate() {
        write!(to, "{}{}", if index == 0 { "\n" } else { ",\n" }, object(*id, files, graph))?;
    }
    writeln!(to, "\n]")
}

/// An object a line; the same otherwise.
pub fn jsonl(targets: &[Id], files: bool, graph: &dyn QueryGraph, to: &mut dyn Write) -> io::Result<()> {
    targets.iter().try_for_each(|id| writeln!(to, "{}", object(*id, files, graph)))
}

/// `deps`: each once, by label; `attributes`: as written; `base`, `published`, `requires` only where there is something to
/// say.
fn object(id: Id, files: bool, graph: &dyn QueryGraph) -> Value {
    let mut deps: Vec<Id> = graph.deps(id).iter().copied().filter(|dep| files || !graph.role(*dep).is_file()).collect();
    deps.sort_unstable();
    deps.dedup();
    let mut object = json!({
        "label": graph.label(id),
        "kind": graph.kind(id),
        "package": graph.package_name(id),
        "location": graph.location(id),
    });
    let mut set = |key: &str, value: Value| {
        object.as_object_mut().map(|object| object.insert(key.to_owned(), value));
    };
    if graph.role(id).is_file() {
        return object;
    }
    set("deps", deps.into_iter().map(|dep| graph.label(dep)).collect());
    set("attributes", Value::Object(graph.attributes(id).into_iter().collect::<Map<_, _>>()));
    if let Some(base) = graph.base(id) {
        set("base", graph.label(base).into());
    }
    if graph.is_published(id) {
        set("published", true.into());
    }
    let requires = graph.requires(id);
    if !requires.is_empty() {
        set("requires", requires.into());
    }
    object
}
