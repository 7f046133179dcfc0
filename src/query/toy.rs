//! Small graphs for the tests of this module: written as text, packed as those of workspaces are.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::graph::{Id, QueryGraph, ResolveError, Role, Value};
use super::known::{Details, Known};
use super::packed::{self, Edge, Node, Packed, Tie};
use crate::label::PackagePath;
use crate::pattern::TargetPattern;

/// One target or file, as a test writes it.
#[derive(Debug, Clone)]
pub struct Written {
    /// Package and name.
    pub label: (PackagePath, String),
    /// `layer`, `image`, `pulled`, `index`, `check`, `effect` or `source`.
    pub role: Role,
    /// By label. The first image of an image is its base, layers of an image are its parts; `~` goes before what is only
    /// mentioned.
    pub deps: Vec<String>,
    /// Attributes for `attr`; `requires` of images too.
    pub attributes: BTreeMap<String, Value>,
}

fn role(word: &str) -> Role {
    match word {
        "layer" => Role::Layer,
        "image" => Role::Image,
        "pulled" => Role::Pulled,
        "index" => Role::Index,
        "check" => Role::Check,
        "effect" => Role::Effect,
        "source" => Role::Source,
        _ => panic!("no role: {word}"),
    }
}

/// `//a:app`, `@low//a:app` in parts.
pub fn split(label: &str) -> (PackagePath, String) {
    let (path, name) = label.split_once(':').unwrap();
    let package = match path.strip_prefix("//") {
        Some(path) => PackagePath::new(path).unwrap(),
        None => crate::label::Label::parse(&format!("{path}:x"), &PackagePath::default()).unwrap().package,
    };
    (package, name.to_owned())
}

/// `label role key=value … -> dep dep; …`.
pub fn read(text: &str) -> Vec<Written> {
    let entry = |entry: &str| {
        let (what, deps) = entry.split_once("->").unwrap_or((entry, ""));
        let mut words = what.split_whitespace();
        let (label, role) = (split(words.next().unwrap()), role(words.next().unwrap_or("layer")));
        let attribute = |word: &str| {
            let (key, value) = word.split_once('=').unwrap();
            (key.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| Value::from(value)))
        };
        let deps = deps.split_whitespace().map(str::to_owned).collect();
        Written { label, role, deps, attributes: words.map(attribute).collect() }
    };
    text.split(';').map(str::trim).filter(|text| !text.is_empty()).map(entry).collect()
}

/// All of it in order, with the files that declare the packages of this workspace.
pub fn complete(mut all: Vec<Written>) -> Vec<Written> {
    let mut packages: Vec<PackagePath> = all.iter().map(|one| one.label.0.clone()).collect();
    packages.sort();
    packages.dedup();
    all.extend(packages.into_iter().filter(|package| package.external().is_none()).map(|package| Written {
        label: (package, "layers.toml".to_owned()),
        role: Role::BuildFile,
        deps: Vec::new(),
        attributes: BTreeMap::new(),
    }));
    all.sort_by(|a, b| a.label.cmp(&b.label));
    all
}

/// The bytes of a graph.
pub fn bytes(text: &str) -> Vec<u8> {
    pack(&complete(read(text)))
}

fn pack(all: &[Written]) -> Vec<u8> {
    let mut packages: Vec<PackagePath> = all.iter().map(|one| one.label.0.clone()).collect();
    packages.dedup();
    let at = |label: &str| all.iter().position(|one| one.label == split(label)).unwrap();
    let edge = |from: &Written, label: &String| {
        let to = at(label);
        let (attribute, tie) = match (from.role, all[to].role) {
            (Role::Image, Role::Image | Role::Pulled) if is_first_image(from, label, all) => ("base", Tie::Base),
            (Role::Image, Role::Layer) => ("layers", Tie::Part),
            (Role::Index, Role::Image) => ("images", Tie::Part),
            (_, Role::Source) => ("srcs", Tie::Needed),
            _ => ("deps", Tie::Needed),
        };
        Edge { to: to as Id, attribute, tie }
    };
    let made: Vec<_> = all.iter().map(|one| (one, kind(one), asked(one))).collect();
    let nodes: Vec<Node<'_>> = made
        .iter()
        .map(|(one, kind, requires)| Node {
            package: packages.iter().position(|package| *package == one.label.0).unwrap() as u32,
            name: &one.label.1,
            kind: Arc::clone(kind),
            role: one.role,
            published: one.attributes.contains_key("published"),
            edges: one.deps.iter().filter(|dep| !dep.starts_with('~')).map(|dep| edge(one, dep)).collect(),
            mentions: one.deps.iter().filter_map(|dep| Some((at(dep.strip_prefix('~')?) as Id, "tests"))).collect(),
            requires: requires.iter().map(String::as_str).collect(),
        })
        .collect();
    packed::pack(&packages, &nodes)
}

fn kind(one: &Written) -> Arc<str> {
    if one.role.is_file() { "source file".into() } else { format!("{:?} rule", one.role).to_lowercase().into() }
}

fn asked(one: &Written) -> Vec<String> {
    let names = one.attributes.get("requires").and_then(Value::as_str);
    names.map_or_else(Vec::new, |names| names.split(',').map(str::to_owned).collect())
}

fn is_first_image(from: &Written, label: &String, all: &[Written]) -> bool {
    let is_image =
        |dep: &&String| all.iter().any(|one| one.label == split(dep) && matches!(one.role, Role::Image | Role::Pulled));
    from.deps.iter().filter(|dep| !dep.starts_with('~')).find(is_image) == Some(label)
}

struct Texts(Vec<Written>);

impl Details for Texts {
    fn attribute(&self, id: Id, name: &str) -> Option<Value> {
        self.0[id as usize].attributes.get(name).cloned()
    }

    fn attributes(&self, id: Id) -> Vec<(String, Value)> {
        self.0[id as usize].attributes.clone().into_iter().collect()
    }

    fn location(&self, id: Id) -> String {
        format!("layers.toml:{id}:1")
    }

    fn written(&self, id: Id) -> String {
        format!("[toy.{}]\n", self.0[id as usize].label.1)
    }

    fn missing(&self, _: &TargetPattern) -> Option<ResolveError> {
        None
    }
}

/// Asks something of a graph.
pub fn ask<T>(all: Vec<Written>, ask: impl FnOnce(&dyn QueryGraph) -> T) -> T {
    let all = complete(all);
    let bytes = pack(&all);
    let (packed, here, details) = (Packed::read(&bytes).unwrap(), PackagePath::default(), Texts(all));
    ask(&Known::new(&packed, &here, Some(&details)))
}
