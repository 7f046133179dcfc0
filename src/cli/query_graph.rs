//! The target graph as queries see it: packed, and what is too dear to be packed, told when asked.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use camino::Utf8PathBuf;
use rayon::prelude::*;
use serde_json::{Map, Value};

use super::{provenance, query_sources};
use crate::diagnostic::Diagnostic;
use crate::graph::{TargetGraph, TargetId};
use crate::label::{Label, PackagePath};
use crate::pattern::TargetPattern;
use crate::query::graph::{Id, ResolveError, Role};
use crate::query::known::Details;
use crate::query::packed::{self, Edge, Node, Tie};
use crate::rules::requires;
use crate::span::Span;
use crate::workspace::globs::SourceTree;
use crate::workspace::root::FILE_NAME;
use crate::workspace::schema::{Purpose, Type};
use crate::workspace::value::{self, Table};
use crate::workspace::{LabelUse, Naming, Package, Target, Workspace, print};

/// A target graph, with files or without, in the order of labels: a row each.
pub struct Targets<'a> {
    graph: &'a TargetGraph<'a>,
    rows: Vec<Row>,
    /// Which row a target is, by its id.
    row_of: Vec<Id>,
    unread: Vec<Diagnostic>,
}

/// A target or file.
struct Row {
    package: u32,
    what: What,
}

enum What {
    Target(TargetId),
    File {
        name: String,
        /// Who names it, by its id, and in which attribute.
        by: Vec<(usize, &'static str)>,
    },
}

/// A package's files by name, and who names each.
type Files = BTreeMap<String, Vec<(usize, &'static str)>>;

/// The files of a package, and what is to be said of folders that can't be read.
type Found = (Files, Vec<Diagnostic>);

impl<'a> Targets<'a> {
    /// All targets; with a source tree, also the files that they and their packages are made of.
    pub fn new(graph: &'a TargetGraph<'a>, tree: Option<&SourceTree<'_>>) -> Targets<'a> {
        let packages = &graph.workspace().packages;
        let firsts = packages.iter().scan(0, |next, package| {
            let first = *next;
            *next += package.targets.len();
            Some(first)
        });
        let firsts: Vec<usize> = firsts.collect();
        let files = |(package, first): (&Package, &usize)| {
            tree.map_or_else(Found::default, |tree| files(package, *first, graph, tree))
        };
        let files: Vec<Found> = packages.par_iter().zip(&firsts).map(files).collect();
        let ids: Vec<TargetId> = graph.ids().collect();
        let (rows, unread) = (Vec::with_capacity(ids.len()), Vec::new());
        let mut targets = Targets { graph, rows, row_of: vec![0; ids.len()], unread };
        for (index, (package, (files, unread))) in packages.iter().zip(files).enumerate() {
            let of_package = &ids[firsts[index]..firsts[index] + package.targets.len()];
            targets.add(index as u32, of_package, files);
            targets.unread.extend(unread);
        }
        targets
    }

    /// What is to be said of source folders that can't be read: files are missing.
    pub fn unread(&self) -> &[Diagnostic] {
        &self.unread
    }

    /// A package's targets and files, by name; a target before a file of its name.
    fn add(&mut self, package: u32, ids: &[TargetId], files: Files) {
        let mut files = files.into_iter().peekable();
        for id in ids {
            let name = &self.graph.target(*id).label.name;
            while let Some((name, by)) = files.next_if(|(file, _)| **file < **name) {
                self.rows.push(Row { package, what: What::File { name, by } });
            }
            self.row_of[id.index()] = self.rows.len() as Id;
            self.rows.push(Row { package, what: What::Target(*id) });
        }
        self.rows.extend(files.map(|(name, by)| Row { package, what: What::File { name, by } }));
    }

    /// The graph as bytes.
    pub fn pack(&self) -> Vec<u8> {
        let packages: Vec<PackagePath> =
            self.graph.workspace().packages.iter().map(|package| package.path.clone()).collect();
        let mut named: Vec<Vec<Edge>> = vec![Vec::new(); self.graph.len()];
        for (row, to) in self.rows.iter().zip(0..) {
            if let What::File { by, .. } = &row.what {
                by.iter().for_each(|(id, attribute)| named[*id].push(Edge { to, attribute, tie: Tie::Needed }));
            }
        }
        let mut kinds = Kinds::default();
        let nodes: Vec<Node<'_>> = self.rows.iter().map(|row| self.node(row, &mut named, &mut kinds)).collect();
        packed::pack(&packages, &nodes)
    }

    fn node<'s>(&'s self, row: &'s Row, named: &mut [Vec<Edge>], kinds: &mut Kinds) -> Node<'s> {
        match &row.what {
            What::File { name, by } => Node {
                package: row.package,
                name,
                kind: kinds.of("source file"),
                role: if by.is_empty() { Role::BuildFile } else { Role::Source },
                published: false,
                edges: Vec::new(),
                mentions: Vec::new(),
                requires: Vec::new(),
            },
            What::Target(id) => {
                let target = self.graph.target(*id);
                let edges = self.graph.deps(*id).map(|dep| Edge {
                    to: self.row_of[dep.target.index()],
                    attribute: dep.attribute,
                    tie: tie(target, dep.attribute, self.graph.target(dep.target)),
                });
                Node {
                    package: row.package,
                    name: &target.label.name,
                    kind: kinds.rule(target.rule.name),
                    role: role(target.rule.purpose),
                    published: target.published,
                    edges: edges.chain(std::mem::take(&mut named[id.index()])).collect(),
                    mentions: self.mentions(*id),
                    requires: requires_of(target),
                }
            }
        }
    }

    /// What a target's labels mention beside what it needs. Not what they only tell: whether that was read depends on what
    /// else is asked, and the answer must not.
    fn mentions(&self, id: TargetId) -> Vec<(Id, &'static str)> {
        let beside = self.graph.target(id).labels.iter().filter(|used| used.naming == Naming::Mention);
        let row = |used: &LabelUse| Some((self.row_of[self.graph.id(&used.label)?.index()], used.attribute));
        beside.filter_map(row).collect()
    }

    fn target(&self, id: Id) -> Option<&'a Target> {
        match self.rows[id as usize].what {
            What::Target(id) => Some(self.graph.target(id)),
            What::File { .. } => None,
        }
    }

    /// A file's path, relative to the root.
    fn path(&self, row: &Row, name: &str) -> Utf8PathBuf {
        let workspace = self.graph.workspace();
        workspace.settings.folder(&workspace.packages[row.package as usize].path).join(name)
    }
}

/// What stands for a target of a workspace that is taken as published: where it is taken from.
fn external(target: &Target, workspace: &Workspace) -> Option<String> {
    let home = workspace.home(&target.label.package);
    let label = home.local(&target.label);
    let name = label.package.external()?;
    Some(print::external(name, home.settings.externals.get(name)?))
}

/// What a package's targets name, and its own file. Of other workspaces none: their files are their own.
fn files(package: &Package, first: usize, graph: &TargetGraph<'_>, tree: &SourceTree<'_>) -> Found {
    let (mut files, mut unread) = Found::default();
    if graph.workspace().home(&package.path).name.is_some() {
        return (files, unread);
    }
    let directory = graph.workspace().settings.folder(&package.path);
    for (position, target) in package.targets.iter().enumerate().filter(|(_, target)| !target.published) {
        let named = query_sources::files(target, &directory, tree);
        for (attribute, name) in named.files {
            files.entry(name).or_default().push((first + position, attribute));
        }
        unread.extend(named.unread);
    }
    // A package of another workspace, or one that is not there, has no file here.
    if package.targets.is_empty() || package.targets.iter().any(|target| !target.published) {
        files.entry(FILE_NAME.to_owned()).or_default();
    }
    (files, unread)
}

fn role(purpose: Purpose) -> Role {
    match purpose {
        Purpose::Layer => Role::Layer,
        Purpose::Image => Role::Image,
        Purpose::Base => Role::Pulled,
        Purpose::Index => Role::Index,
        Purpose::Test => Role::Check,
    }
}

fn tie(from: &Target, attribute: &str, to: &Target) -> Tie {
    match (from.rule.purpose, attribute, to.rule.purpose) {
        (Purpose::Image, "base", _) => Tie::Base,
        (Purpose::Image, "layers", Purpose::Layer) | (Purpose::Index, "images", Purpose::Image) => Tie::Part,
        _ => Tie::Needed,
    }
}

fn requires_of(target: &Target) -> Vec<&str> {
    match target.rule.purpose {
        Purpose::Image => requires::said(target.attributes()).map(|said| said.name.value).collect(),
        _ => Vec::new(),
    }
}

/// What kinds are called, each made once.
#[derive(Default)]
struct Kinds(HashMap<&'static str, Arc<str>>);

impl Kinds {
    fn of(&mut self, kind: &'static str) -> Arc<str> {
        Arc::clone(self.0.entry(kind).or_insert_with(|| kind.into()))
    }

    fn rule(&mut self, rule: &'static str) -> Arc<str> {
        Arc::clone(self.0.entry(rule).or_insert_with(|| format!("{rule} rule").into()))
    }
}

impl Details for Targets<'_> {
    fn attribute(&self, id: Id, name: &str) -> Option<Value> {
        let target = self.target(id)?;
        if let Some(value) = target.table.get(name) {
            return Some(Absolute::of(target).json(value));
        }
        match name {
            "name" => Some(Value::from(&*target.label.name)),
            "generator_function" => Some(target.origin.as_ref().map_or(Value::Null, |made| Value::from(&*made.rule))),
            _ => {
                let attribute = target.rule.attributes.iter().find(|attribute| attribute.name == name)?;
                Some(unwritten(&attribute.ty))
            }
        }
    }

    fn attributes(&self, id: Id) -> Vec<(String, Value)> {
        let Some(target) = self.target(id) else { return Vec::new() };
        let labels = Absolute::of(target);
        target.table.0.iter().map(|entry| (entry.key.clone(), labels.json(&entry.value))).collect()
    }

    fn location(&self, id: Id) -> String {
        let row = &self.rows[id as usize];
        match &row.what {
            What::Target(id) => self.graph.workspace().sources.place(self.graph.target(*id).span),
            What::File { name, .. } => format!("{}:1:1", self.path(row, name)),
        }
    }

    fn written(&self, id: Id) -> String {
        let Some(target) = self.target(id) else { return String::new() };
        let workspace = self.graph.workspace();
        let lines = provenance::lines(target, workspace);
        let text = external(target, workspace).unwrap_or_else(|| print::target(target));
        format!("# {}\n# {}\n{text}", target.label, lines.join("\n# "))
    }

    fn missing(&self, pattern: &TargetPattern) -> Option<ResolveError> {
        let errors = self.graph.select(std::slice::from_ref(pattern)).err()?;
        let diagnostic = errors.first()?.diagnostic();
        Some(ResolveError { message: diagnostic.message, help: diagnostic.help.into_iter().next() })
    }
}

/// A target's labels by where they are written, to make them absolute.
struct Absolute<'t>(HashMap<Span, &'t Label>);

impl Absolute<'_> {
    fn of(target: &Target) -> Absolute<'_> {
        Absolute(target.labels.iter().rev().map(|used| (used.span, &used.label)).collect())
    }

    fn json(&self, value: &value::Value) -> Value {
        use value::Node;
        match &value.node {
            Node::String(text) => match self.0.get(&value.span) {
                Some(label) => label.to_string().into(),
                None => text.clone().into(),
            },
            Node::Integer(number) => (*number).into(),
            Node::Float(number) => (*number).into(),
            Node::Boolean(flag) => (*flag).into(),
            Node::Datetime(date) => date.clone().into(),
            Node::Array(items) => items.iter().map(|item| self.json(item)).collect(),
            Node::Table(Table(entries)) => {
                let entry = |entry: &value::Entry| (entry.key.clone(), self.json(&entry.value));
                Value::Object(entries.iter().map(entry).collect::<Map<_, _>>())
            }
        }
    }
}

/// What an attribute comes to that is not written.
fn unwritten(ty: &Type) -> Value {
    match ty {
        Type::List(_) => Value::Array(Vec::new()),
        Type::Map(_) | Type::Table(_) => Value::Object(Map::new()),
        _ => Value::Null,
    }
}
