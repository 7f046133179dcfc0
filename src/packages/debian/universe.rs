//! Every package that could be taken, by name: of each the one version that apt would call its candidate.
//!
//! Packages in, look-ups out; decides nothing.

use std::collections::{BTreeMap, HashMap};

use super::package::Package;
use super::relation::Relation;
use super::version;

/// A package of a [`Universe`], by position.
pub type Id = usize;

/// Every package that could be taken.
#[derive(Debug)]
pub struct Universe<'t> {
    architecture: &'t str,
    packages: Vec<Package<'t>>,
    by_name: HashMap<&'t str, Id>,
    providers: HashMap<&'t str, Vec<Id>>,
}

impl<'t> Universe<'t> {
    /// The packages for an architecture. `pinned`: names with the version that is asked for; of others the latest is
    /// taken, and of equal ones the first.
    pub fn new(
        packages: impl IntoIterator<Item = Package<'t>>,
        architecture: &'t str,
        pinned: &BTreeMap<&str, &str>,
    ) -> Universe<'t> {
        let mut universe =
            Universe { architecture, packages: Vec::new(), by_name: HashMap::new(), providers: HashMap::new() };
        for package in packages {
            let other = pinned.get(package.name).is_some_and(|version| *version != package.version);
            if !other && ["all", architecture].contains(&package.architecture) {
                universe.add(package);
            }
        }
        for id in 0..universe.packages.len() {
            for provided in universe.packages[id].provides() {
                universe.providers.entry(provided.name).or_default().push(id);
            }
        }
        let order = |id: &Id| (universe.packages[*id].priority, universe.packages[*id].name);
        universe.providers.values_mut().for_each(|ids| ids.sort_by_key(order));
        universe
    }

    fn add(&mut self, package: Package<'t>) {
        match self.by_name.get(package.name) {
            Some(id) if version::compare(self.packages[*id].version, package.version).is_ge() => {}
            Some(id) => self.packages[*id] = package,
            None => {
                self.by_name.insert(package.name, self.packages.len());
                self.packages.push(package);
            }
        }
    }

    /// A package.
    pub fn get(&self, id: Id) -> &Package<'t> {
        &self.packages[id]
    }

    /// The package of a name; `None` where there is no real one.
    pub fn real(&self, name: &str) -> Option<Id> {
        self.by_name.get(name).copied()
    }

    /// The packages that every system has, by name.
    pub fn essential(&self) -> Vec<Id> {
        let mut ids: Vec<Id> = (0..self.packages.len()).filter(|id| self.packages[*id].essential).collect();
        ids.sort_by_key(|id| self.packages[*id].name);
        ids
    }

    /// Whatever answers a relation, best first: the real package, then those that provide it, by priority and name.
    pub fn answers(&self, relation: &Relation<'_>) -> Vec<Id> {
        let real = self.real(relation.name).into_iter();
        let providers = self.providers.get(relation.name).into_iter().flatten().copied();
        let mut found = Vec::new();
        for id in real.chain(providers) {
            if !found.contains(&id) && self.is_answer(id, relation) {
                found.push(id);
            }
        }
        found
    }

    /// Whether a package answers a relation, by its own name or by one that it provides. A version is only met by a
    /// provision that says one (Debian Policy 7.5).
    pub fn is_answer(&self, id: Id, relation: &Relation<'_>) -> bool {
        let package = &self.packages[id];
        if !self.is_architecture(package, relation.architecture) {
            return false;
        }
        let real = package.name == relation.name && relation.takes(package.version);
        real || package.provides().filter(|provided| provided.name == relation.name).any(|provided| {
            match (relation.version, provided.version) {
                (None, _) => true,
                (Some(_), Some((_, version))) => relation.takes(version),
                (Some(_), None) => false,
            }
        })
    }

    /// `:any` is for packages that allow it; everything else here is of one architecture.
    fn is_architecture(&self, package: &Package<'_>, wanted: Option<&str>) -> bool {
        match wanted {
            None | Some("native") => true,
            Some("any") => package.multi_arch == "allowed",
            Some(architecture) => architecture == self.architecture,
        }
    }

    /// Names that begin alike or differ little, for a message.
    pub fn similar(&self, name: &str) -> Vec<&'t str> {
        let mut near: Vec<(usize, &'t str)> = self
            .by_name
            .keys()
            .filter(|other| other.len().abs_diff(name.len()) <= 2)
            .map(|other| (strsim::levenshtein(name, other), *other))
            .filter(|(distance, _)| *distance <= 2)
            .collect();
        near.sort_unstable();
        near.into_iter().take(3).map(|(_, name)| name).collect()
    }
}
