//! Lists: a line a target, or a few. Targets come in the order in which they are given.

use std::collections::BTreeSet;
use std::io::{self, Write};

use crate::query::graph::{Id, QueryGraph};

/// A label a line.
pub fn label(targets: &[Id], graph: &dyn QueryGraph, to: &mut dyn Write) -> io::Result<()> {
    targets.iter().try_for_each(|id| writeln!(to, "{}", graph.label(*id)))
}

/// What it is, and its label: `image rule //a:b`.
pub fn label_kind(targets: &[Id], graph: &dyn QueryGraph, to: &mut dyn Write) -> io::Result<()> {
    targets.iter().try_for_each(|id| writeln!(to, "{} {}", graph.kind(*id), graph.label(*id)))
}

/// Where it stands, what it is, and its label: `a/layers.toml:3:2: image rule //a:b`.
pub fn location(targets: &[Id], graph: &dyn QueryGraph, to: &mut dyn Write) -> io::Result<()> {
    targets.iter().try_for_each(|id| writeln!(to, "{}: {} {}", graph.location(*id), graph.kind(*id), graph.label(*id)))
}

/// The packages, each once and sorted.
pub fn package(targets: &[Id], graph: &dyn QueryGraph, to: &mut dyn Write) -> io::Result<()> {
    let names: BTreeSet<String> = targets.iter().map(|id| graph.package_name(*id)).collect();
    names.iter().try_for_each(|name| writeln!(to, "{name}"))
}

/// Each as it would be written, with an empty line between them; nothing of files.
pub fn build(targets: &[Id], graph: &dyn QueryGraph, to: &mut dyn Write) -> io::Result<()> {
    let written = targets.iter().filter(|id| !graph.role(**id).is_file());
    written.enumerate().try_for_each(|(index, id)| {
        let between = if index == 0 { "" } else { "\n" };
        write!(to, "{between}{}", graph.written(*id))
    })
}
