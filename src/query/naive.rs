//! The language once more, for the tests: every function by its definition, over sets of labels, as slow as may be.

use std::collections::{BTreeMap, BTreeSet};

use super::ast::{Argument, Expr, Node, Operator};
use super::graph::Role;
use super::toy::{self, Written};
use crate::label::PackagePath;

/// A label in parts, which are ordered as labels are.
pub type Name = (PackagePath, String);

/// A graph as it is written.
pub struct Naive(BTreeMap<Name, Written>);

/// What an expression means; `Err`: it means nothing.
type Meant = Result<BTreeSet<Name>, ()>;

impl Naive {
    pub fn new(all: Vec<Written>) -> Naive {
        Naive(toy::complete(all).into_iter().map(|one| (one.label.clone(), one)).collect())
    }

    fn deps(&self, name: &Name) -> Vec<Name> {
        self.0[name].deps.iter().map(|dep| toy::split(dep)).collect()
    }

    fn role(&self, name: &Name) -> Role {
        self.0[name].role
    }

    fn is_file(&self, name: &Name) -> bool {
        matches!(self.role(name), Role::Source | Role::BuildFile)
    }

    fn kind(&self, name: &Name) -> String {
        if self.is_file(name) { "source file".into() } else { format!("{:?} rule", self.role(name)).to_lowercase() }
    }

    fn all(&self, wanted: impl Fn(&Name) -> bool) -> BTreeSet<Name> {
        self.0.keys().filter(|name| wanted(name)).cloned().collect()
    }

    /// Takes every edge again and again until nothing is added, or as often as said.
    fn grow(
        &self,
        start: &BTreeSet<Name>,
        steps: Option<usize>,
        leads: impl Fn(&Name, &Name) -> bool,
    ) -> BTreeSet<Name> {
        let mut reached = start.clone();
        for _ in 0..steps.unwrap_or(self.0.len()) {
            let before = reached.clone();
            reached.extend(self.all(|to| before.iter().any(|from| leads(from, to))));
        }
        reached
    }

    fn closure(&self, start: &BTreeSet<Name>, steps: Option<usize>) -> BTreeSet<Name> {
        self.grow(start, steps, |from, to| self.deps(from).contains(to))
    }

    fn rdeps(&self, universe: &BTreeSet<Name>, of: &BTreeSet<Name>, steps: Option<usize>) -> BTreeSet<Name> {
        let universe = self.closure(universe, None);
        let start = of.intersection(&universe).cloned().collect();
        self.grow(&start, steps, |from, to| universe.contains(to) && self.deps(to).contains(from))
    }

    /// How many steps each is away from `ends`, by the shortest way; those that no way leads from are left out.
    fn far(&self, ends: &BTreeSet<Name>) -> BTreeMap<Name, usize> {
        let mut far: BTreeMap<Name, usize> = ends.iter().map(|name| (name.clone(), 0)).collect();
        for steps in 0..self.0.len() {
            let nearer = |name: &Name| self.deps(name).iter().any(|dep| far.get(dep) == Some(&steps));
            let next = self.all(|name| !far.contains_key(name) && nearer(name));
            far.extend(next.into_iter().map(|name| (name, steps + 1)));
        }
        far
    }

    /// The shortest way of the first to begin; each step to the first dependency written that is nearer.
    pub fn somepath(&self, starts: &BTreeSet<Name>, ends: &BTreeSet<Name>) -> Vec<Name> {
        let far = self.far(ends);
        let first = starts.iter().filter_map(|name| Some((*far.get(name)?, name))).min();
        let mut path: Vec<Name> = first.into_iter().map(|(_, name)| name.clone()).collect();
        while let Some(left) = path.last().map(|last| far[last]).filter(|left| *left > 0) {
            let next = self.deps(path.last().unwrap()).into_iter().find(|dep| far.get(dep) == Some(&(left - 1)));
            path.push(next.unwrap());
        }
        path
    }

    fn base(&self, name: &Name) -> Option<Name> {
        let is_image = |dep: &Name| matches!(self.role(dep), Role::Image | Role::Pulled);
        if self.role(name) == Role::Image { self.deps(name).into_iter().find(is_image) } else { None }
    }

    fn bases(&self, name: &Name) -> BTreeSet<Name> {
        let mut chain: Vec<Name> = Vec::new();
        while let Some(base) = self.base(chain.last().unwrap_or(name)).filter(|base| !chain.contains(base)) {
            chain.push(base);
        }
        chain.into_iter().collect()
    }

    fn labels(&self, attribute: &str, name: &Name) -> Vec<Name> {
        let called = |dep: &Name| match (self.role(name), self.role(dep)) {
            (Role::Image, Role::Image | Role::Pulled) if self.base(name).as_ref() == Some(dep) => "base",
            (Role::Image, Role::Layer) => "layers",
            (Role::Index, Role::Image) => "images",
            (_, Role::Source) => "srcs",
            _ => "deps",
        };
        self.deps(name).into_iter().filter(|dep| called(dep) == attribute).collect()
    }

    fn pattern(&self, text: &str) -> Meant {
        let star = text.ends_with(":*") || text.ends_with(":all-targets");
        let meant = |name: &Name| star || !self.is_file(name);
        let path = text.trim_start_matches("//").split(':').next().unwrap();
        let found = if let Some(top) = path.strip_suffix("...") {
            let top = top.trim_end_matches('/');
            self.all(|name| {
                let path = name.0.as_str();
                meant(name) && (top.is_empty() || path == top || path.starts_with(&format!("{top}/")))
            })
        } else if star || text.ends_with(":all") {
            self.all(|name| meant(name) && name.0.as_str() == path)
        } else {
            self.all(|name| *name == toy::split(text))
        };
        if found.is_empty() { Err(()) } else { Ok(found) }
    }

    pub fn eval(&self, expr: &Expr, bound: &[(String, BTreeSet<Name>)]) -> Meant {
        match &expr.node {
            Node::Pattern(text) => self.pattern(text),
            Node::Variable(name) => {
                bound.iter().rev().find(|(known, _)| known == name).map(|(_, set)| set.clone()).ok_or(())
            }
            Node::Set(words) => {
                let sets: Result<Vec<_>, ()> = words.iter().map(|word| self.pattern(&word.text)).collect();
                Ok(sets?.into_iter().flatten().collect())
            }
            Node::Operations(first, rest) => {
                rest.iter().try_fold(self.eval(first, bound)?, |left, (operator, right)| {
                    let right = self.eval(right, bound)?;
                    Ok(match operator {
                        Operator::Union => &left | &right,
                        Operator::Except => &left - &right,
                        Operator::Intersect => &left & &right,
                    })
                })
            }
            Node::Let { name, value, body } => {
                let value = self.eval(value, bound)?;
                self.eval(body, &[bound, &[(name.clone(), value)]].concat())
            }
            Node::Call { name, arguments } => self.call(&name.text, arguments, bound),
        }
    }

    fn call(&self, name: &str, arguments: &[Argument], bound: &[(String, BTreeSet<Name>)]) -> Meant {
        let (mut sets, mut words, mut number) = (Vec::new(), Vec::new(), None);
        for argument in arguments {
            match argument {
                Argument::Expr(expr) => sets.push(self.eval(expr, bound)?),
                Argument::Word(word) => words.push(word.text.clone()),
                Argument::Number(n) => number = Some(*n),
            }
        }
        let given = &sets[sets.len() - 1];
        let has = |pattern: &str, text: &str| regex::Regex::new(pattern).unwrap().is_match(text);
        let those = |wanted: &dyn Fn(&Name) -> bool| given.iter().filter(|one| wanted(one)).cloned().collect();
        let label = |one: &Name| format!("{}:{}", one.0, one.1);
        let parts = |of: Role, what: &[Role]| {
            let inner = given
                .iter()
                .filter(|one| self.role(one) == of)
                .flat_map(|one| self.labels(if of == Role::Image { "layers" } else { "images" }, one));
            given.iter().cloned().chain(inner).filter(|one| what.contains(&self.role(one))).collect()
        };
        Ok(match name {
            "deps" => self.closure(given, number),
            "rdeps" => self.rdeps(&sets[0], given, number),
            "allrdeps" => self.rdeps(&self.pattern("//...")?, given, number),
            "same_pkg_direct_rdeps" => self.all(|one| {
                let near = |dep: &Name| dep.0 == one.0 && given.contains(dep);
                self.deps(one).iter().any(near)
            }),
            "somepath" => self.somepath(&sets[0], given).into_iter().collect(),
            "allpaths" => {
                let reached = self.closure(&sets[0], None);
                let leads = |one: &Name| !self.closure(&[one.clone()].into(), None).is_disjoint(given);
                reached.into_iter().filter(leads).collect()
            }
            "siblings" => self.all(|one| given.iter().any(|other| other.0 == one.0)),
            "buildfiles" => self.all(|one| one.1 == "layers.toml" && given.iter().any(|other| other.0 == one.0)),
            "some" if given.is_empty() => return Err(()),
            "some" => given.iter().take(number.unwrap_or(1)).cloned().collect(),
            "labels" => given.iter().flat_map(|one| self.labels(&words[0], one)).collect(),
            "tests" => those(&|one| self.role(one) == Role::Check),
            "executables" => those(&|one| self.role(one) == Role::Effect),
            "kind" => those(&|one| has(&words[0], &self.kind(one))),
            "filter" => those(&|one| has(&words[0], &label(one))),
            "attr" => those(&|one| {
                let value = self.0[one].attributes.get(&words[0]).map(|value| value.as_str().unwrap().to_owned());
                value.is_some_and(|value| has(&words[1], &value))
            }),
            "images" => parts(Role::Index, &[Role::Image, Role::Pulled]),
            "layers" => parts(Role::Image, &[Role::Layer]),
            "base" => given.iter().filter_map(|one| self.base(one)).collect(),
            "bases" => given.iter().flat_map(|one| self.bases(one)).collect(),
            "published" => those(&|one| self.0[one].attributes.contains_key("published")),
            "requires" => those(&|one| {
                let asks = |one: &Name| {
                    let value = self.0[one].attributes.get("requires");
                    value.is_some_and(|value| value.as_str().unwrap().split(',').any(|name| name == words[0]))
                };
                asks(one) || self.bases(one).iter().any(asks)
            }),
            _ => panic!("no function: {name}"),
        })
    }
}
