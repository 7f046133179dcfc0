//! A graph as bytes: written once from what a workspace declares, read without parsing anything.
//!
//! Layout: a mark, then sections, each its length (8 bytes, little-endian) and its bytes. Texts lie together with the
//! offsets of their ends; words that recur (kinds, attributes, packages) are numbered. Everything read is checked, so that
//! no damaged byte can lead astray. Knows neither patterns nor the workspace.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::graph::{Id, Role};
use crate::label::PackagePath;

const MARK: &[u8; 8] = b"lbgraph2";

/// One target or file, to be packed.
#[derive(Debug, Clone)]
pub struct Node<'a> {
    /// Which of the packages it belongs to.
    pub package: u32,
    /// Its name within the package.
    pub name: &'a str,
    /// Such as `image rule`.
    pub kind: Arc<str>,
    /// What it is for.
    pub role: Role,
    /// Whether it is taken as published.
    pub published: bool,
    /// What it needs, in written order.
    pub edges: Vec<Edge>,
    /// What it names without needing it, and in which attribute.
    pub mentions: Vec<(Id, &'static str)>,
    /// The variables that it asks for.
    pub requires: Vec<&'a str>,
}

/// What a target needs.
#[derive(Debug, Clone, Copy)]
pub struct Edge {
    /// By its place among the nodes.
    pub to: Id,
    /// The attribute that names it.
    pub attribute: &'static str,
    /// Which part it plays.
    pub tie: Tie,
}

/// Which part something plays for what needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tie {
    /// It is needed.
    Needed,
    /// It is the image that an image stands on.
    Base,
    /// It is a layer of the image, or an image of the index.
    Part,
}

const ROLES: [Role; 8] =
    [Role::Layer, Role::Image, Role::Pulled, Role::Index, Role::Check, Role::Effect, Role::Source, Role::BuildFile];
const TIES: [Tie; 3] = [Tie::Needed, Tie::Base, Tie::Part];
const PUBLISHED: u32 = 1 << 8;
/// Above a word's number, the tie.
const TIE_SHIFT: u32 = 28;

/// The bytes of a graph. `packages` in their order; `nodes` by package, then name, a target before a file of its name.
pub fn pack(packages: &[PackagePath], nodes: &[Node<'_>]) -> Vec<u8> {
    let mut words = Words::default();
    let mut firsts = nodes.iter().zip(0u32..).peekable();
    let mut table = Vec::new();
    for (index, package) in (0u32..).zip(packages) {
        while firsts.next_if(|(node, _)| node.package < index).is_some() {}
        let first = firsts.peek().map_or(nodes.len() as u32, |(_, at)| *at);
        table.extend([words.number(package.external().unwrap_or("")), words.number(package.as_str()), first]);
    }
    let (mut info, mut starts, mut to, mut how) = (Vec::new(), vec![0], Vec::new(), Vec::new());
    let (mut asks, mut asked) = (vec![0], Vec::new());
    let (mut mentions, mut named, mut by) = (vec![0], Vec::new(), Vec::new());
    for node in nodes {
        let role = ROLES.iter().position(|role| *role == node.role).unwrap_or(0) as u32;
        info.extend([words.number(&node.kind), role | if node.published { PUBLISHED } else { 0 }, node.package]);
        for edge in &node.edges {
            let tie = TIES.iter().position(|tie| *tie == edge.tie).unwrap_or(0) as u32;
            to.push(edge.to);
            how.push(words.number(edge.attribute) | tie << TIE_SHIFT);
        }
        starts.push(to.len() as u32);
        named.extend(node.mentions.iter().map(|(to, _)| *to));
        by.extend(node.mentions.iter().map(|(_, attribute)| words.number(attribute)));
        mentions.push(named.len() as u32);
        asked.extend(node.requires.iter().map(|name| words.number(name)));
        asks.push(asked.len() as u32);
    }
    let mut out = MARK.to_vec();
    texts(&mut out, words.texts.iter().map(|word| &**word));
    texts(&mut out, nodes.iter().map(|node| node.name));
    [table, info, starts, to, how, mentions, named, by, asks, asked]
        .iter()
        .for_each(|numbers| section(&mut out, numbers));
    out
}

/// Texts that recur, by number.
#[derive(Default)]
struct Words {
    texts: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u32>,
}

impl Words {
    fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let (number, text) = (self.texts.len() as u32, Arc::<str>::from(text));
        self.texts.push(Arc::clone(&text));
        self.numbers.insert(text, number);
        number
    }
}

fn texts<'t>(out: &mut Vec<u8>, texts: impl Iterator<Item = &'t str>) {
    let (mut all, mut ends) = (String::new(), Vec::new());
    texts.for_each(|text| {
        all.push_str(text);
        ends.push(all.len() as u32);
    });
    out.extend((all.len() as u64).to_le_bytes());
    out.extend(all.as_bytes());
    section(out, &ends);
}

fn section(out: &mut Vec<u8>, numbers: &[u32]) {
    out.extend((numbers.len() as u64 * 4).to_le_bytes());
    numbers.iter().for_each(|number| out.extend(number.to_le_bytes()));
}

/// A packed graph, read.
#[derive(Debug)]
pub struct Packed<'b> {
    words: Texts<'b>,
    names: Texts<'b>,
    packages: Vec<[u32; 3]>,
    nodes: Vec<[u32; 3]>,
    edges: Lists,
    /// Beside each edge, attribute and tie.
    how: Vec<u32>,
    mentions: Lists,
    /// Beside each mention, its attribute.
    by: Vec<u32>,
    asked: Lists,
    reverse: OnceCell<Lists>,
}

impl<'b> Packed<'b> {
    /// Reads what [`pack`] wrote; `None` for any other bytes.
    pub fn read(bytes: &'b [u8]) -> Option<Packed<'b>> {
        let mut sections = Sections(bytes.strip_prefix(MARK)?);
        let (words, names) = (sections.texts()?, sections.texts()?);
        let (packages, nodes) = (triples(sections.numbers()?)?, triples(sections.numbers()?)?);
        let (starts, to, how) = (sections.numbers()?, sections.numbers()?, sections.numbers()?);
        let (mentions, named, by) = (sections.numbers()?, sections.numbers()?, sections.numbers()?);
        let (asks, asked) = (sections.numbers()?, sections.numbers()?);
        let known = |word: &u32| (*word as usize) < words.ends.len();
        let count = nodes.len() as u32;
        let whole = names.ends.len() == nodes.len()
            && packages.iter().all(|[external, path, first]| known(external) && known(path) && *first <= count)
            && packages.is_sorted_by_key(|[_, _, first]| *first)
            && nodes.iter().all(|[kind, role, package]| {
                known(kind) && (*role as u8 as usize) < ROLES.len() && (*package as usize) < packages.len()
            })
            && to.iter().all(|to| *to < count)
            && how.len() == to.len()
            && how.iter().all(|how| known(&(how & !(!0 << TIE_SHIFT))) && ((how >> TIE_SHIFT) as usize) < TIES.len())
            && named.iter().all(|to| *to < count)
            && by.len() == named.len()
            && by.iter().all(known)
            && asked.iter().all(known);
        let (edges, asked) = (Lists::new(starts, to, nodes.len())?, Lists::new(asks, asked, nodes.len())?);
        let mentions = Lists::new(mentions, named, nodes.len())?;
        let reverse = OnceCell::new();
        whole.then_some(Packed { words, names, packages, nodes, edges, how, mentions, by, asked, reverse })
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The workspace, empty for this one, and the path of a package.
    pub fn package(&self, index: usize) -> (&'b str, &'b str) {
        let [external, path, _] = self.packages[index];
        (self.words.get(external), self.words.get(path))
    }

    /// The place of a package; `None` where nothing of it was read.
    pub fn find_package(&self, package: &PackagePath) -> Option<usize> {
        let wanted = (package.external().unwrap_or(""), package.as_str());
        let key = |[external, path, _]: &[u32; 3]| (self.words.get(*external), self.words.get(*path));
        self.packages.binary_search_by(|one| key(one).cmp(&wanted)).ok()
    }

    /// How many packages there are.
    pub fn packages(&self) -> usize {
        self.packages.len()
    }

    /// The nodes of a package.
    pub fn members(&self, index: usize) -> Range<Id> {
        let end = self.packages.get(index + 1).map_or(self.nodes.len() as u32, |[_, _, first]| *first);
        self.packages[index][2]..end
    }

    /// The node of a name in a package: the target, where a file bears the name too.
    pub fn find(&self, package: usize, name: &str) -> Option<Id> {
        let Range { start, end } = self.members(package);
        let (mut low, mut high) = (start, end);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.name(middle) < name { low = middle + 1 } else { high = middle }
        }
        (low < end && self.name(low) == name).then_some(low)
    }

    /// A node's name within its package.
    pub fn name(&self, id: Id) -> &'b str {
        self.names.get(id)
    }

    /// A node's package.
    pub fn package_of(&self, id: Id) -> usize {
        self.nodes[id as usize][2] as usize
    }

    /// What a node is.
    pub fn kind(&self, id: Id) -> &'b str {
        self.words.get(self.nodes[id as usize][0])
    }

    /// What a node is for.
    pub fn role(&self, id: Id) -> Role {
        ROLES[self.nodes[id as usize][1] as u8 as usize]
    }

    /// Whether a node is taken as published.
    pub fn is_published(&self, id: Id) -> bool {
        self.nodes[id as usize][1] & PUBLISHED != 0
    }

    /// What a node needs.
    pub fn deps(&self, id: Id) -> &[Id] {
        self.edges.get(id)
    }

    /// What needs a node.
    pub fn rdeps(&self, id: Id) -> &[Id] {
        self.reverse.get_or_init(|| self.edges.turned()).get(id)
    }

    /// What a node needs, with attribute and part.
    pub fn edges(&self, id: Id) -> impl Iterator<Item = (Id, &'b str, Tie)> {
        let how = &self.how[self.edges.range(id)];
        let read = |how: &u32| (self.words.get(how & !(!0 << TIE_SHIFT)), TIES[(how >> TIE_SHIFT) as usize]);
        self.deps(id).iter().zip(how).map(move |(to, how)| {
            let (attribute, tie) = read(how);
            (*to, attribute, tie)
        })
    }

    /// What a node names without needing it, and in which attribute.
    pub fn mentions(&self, id: Id) -> impl Iterator<Item = (Id, &'b str)> {
        let by = &self.by[self.mentions.range(id)];
        self.mentions.get(id).iter().zip(by).map(|(to, by)| (*to, self.words.get(*by)))
    }

    /// The variables that a node asks for.
    pub fn requires(&self, id: Id) -> impl Iterator<Item = &'b str> {
        self.asked.get(id).iter().map(|word| self.words.get(*word))
    }
}

/// Texts one behind the other.
#[derive(Debug)]
struct Texts<'b> {
    text: &'b str,
    ends: Vec<u32>,
}

impl<'b> Texts<'b> {
    fn get(&self, at: u32) -> &'b str {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before as usize]);
        &self.text[start as usize..self.ends[at as usize] as usize]
    }
}

/// A list for each node, one behind the other.
#[derive(Debug)]
struct Lists {
    starts: Vec<u32>,
    items: Vec<u32>,
}

impl Lists {
    fn new(starts: Vec<u32>, items: Vec<u32>, count: usize) -> Option<Lists> {
        let ends = starts.last().map(|last| *last as usize);
        let fits = starts.len() == count + 1 && starts.is_sorted() && ends == Some(items.len());
        fits.then_some(Lists { starts, items })
    }

    fn range(&self, id: Id) -> Range<usize> {
        self.starts[id as usize] as usize..self.starts[id as usize + 1] as usize
    }

    fn get(&self, id: Id) -> &[u32] {
        &self.items[self.range(id)]
    }

    /// Who names each node, in order.
    fn turned(&self) -> Lists {
        let count = self.starts.len() - 1;
        let mut starts = vec![0u32; count + 1];
        self.items.iter().for_each(|to| starts[*to as usize + 1] += 1);
        (0..count).for_each(|at| starts[at + 1] += starts[at]);
        let (mut next, mut items) = (starts.clone(), vec![0; self.items.len()]);
        for from in 0..count as u32 {
            for to in self.get(from) {
                items[next[*to as usize] as usize] = from;
                next[*to as usize] += 1;
            }
        }
        Lists { starts, items }
    }
}

/// Sections still to be read.
struct Sections<'b>(&'b [u8]);

impl<'b> Sections<'b> {
    fn next(&mut self) -> Option<&'b [u8]> {
        let (length, rest) = self.0.split_first_chunk::<8>()?;
        let (section, rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        self.0 = rest;
        Some(section)
    }

    fn numbers(&mut self) -> Option<Vec<u32>> {
        let (numbers, rest) = self.next()?.as_chunks::<4>();
        rest.is_empty().then(|| numbers.iter().map(|number| u32::from_le_bytes(*number)).collect())
    }

    fn texts(&mut self) -> Option<Texts<'b>> {
        let text = std::str::from_utf8(self.next()?).ok()?;
        let ends = self.numbers()?;
        let whole = ends.is_sorted()
            && ends.iter().all(|end| text.is_char_boundary(*end as usize))
            && ends.last().is_none_or(|last| *last as usize <= text.len());
        whole.then_some(Texts { text, ends })
    }
}

fn triples(numbers: Vec<u32>) -> Option<Vec<[u32; 3]>> {
    let (triples, rest) = numbers.as_chunks::<3>();
    rest.is_empty().then(|| triples.to_vec())
}

#[cfg(test)]
mod tests {
    use super::super::toy;
    use super::*;

    #[test]
    fn what_was_packed_is_read_and_cut_or_changed_bytes_never_lead_astray() {
        let bytes = toy::bytes(
            "//a:app image -> //a:lib //b/c:d ~//b/c:x; //a:lib layer; //b/c:d layer -> //b/c:x; //b/c:x source",
        );
        let packed = Packed::read(&bytes).unwrap();
        assert_eq!((packed.len(), packed.packages()), (6, 2), "two files declare the packages");
        let names: Vec<&str> = (0..6).map(|id| packed.name(id)).collect();
        assert_eq!(names, ["app", "layers.toml", "lib", "d", "layers.toml", "x"]);
        assert_eq!((packed.deps(0), packed.rdeps(5)), (&[2, 3][..], &[3][..]));
        assert_eq!(packed.mentions(0).collect::<Vec<_>>(), [(5, "tests")], "and is no edge");
        assert_eq!(packed.find(1, "x"), Some(5));
        assert_eq!(packed.find(1, "y"), None);
        for length in 0..bytes.len() {
            assert!(Packed::read(&bytes[..length]).is_none(), "{length}");
        }
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x41;
            let Some(packed) = Packed::read(&changed) else { continue };
            (0..packed.len() as u32).for_each(|id| {
                let _ = (packed.name(id), packed.kind(id), packed.role(id), packed.rdeps(id).len());
                let _ = (packed.edges(id).count(), packed.requires(id).count(), packed.package(packed.package_of(id)));
                let _ = packed.mentions(id).count();
                let _ = packed.find(packed.package_of(id), "x");
            });
        }
    }
}
