//! Other workspaces that are built from their folders: found, each once, however many name it, and their settings read.
//!
//! A workspace is known by its folder. Reads no package.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

use super::attributes::Spanned;
use super::compatible::Version;
use super::external::External;
use super::load::{self, One, Options};
use super::names::Names;
use super::profile::Chosen;
use super::root::{FILE_NAME, find_root};
use super::vars::Given;
use crate::checkout::Disk;
use crate::diagnostic::Diagnostic;
use crate::span::{Sources, Span};

/// A workspace beside the one that the call is in.
pub struct Neighbour<'a> {
    /// What it is called here.
    pub name: Arc<str>,
    /// Its folder, relative to this one's root.
    pub folder: Utf8PathBuf,
    /// The workspace.
    pub one: One<'a>,
    /// Under which profile it is built, as the first says that names it.
    profile: Option<Spanned<String>>,
    /// Where that one's `path` stands.
    span: Span,
}

/// All that are built with a workspace.
#[derive(Default)]
pub struct Neighbours<'a> {
    /// Each before those that it names.
    pub all: Vec<Neighbour<'a>>,
    /// Their other names.
    pub names: Names,
    /// What is wrong with folders, circles and versions.
    pub diagnostics: Vec<Diagnostic>,
}

/// Finds them from the workspace `main` on, those that others name too.
pub fn open<'a>(main: &mut One<'_>, options: Options<'a>, sources: &mut Sources) -> Neighbours<'a> {
    if main.settings.externals.values().all(|external| external.path.is_none()) {
        let diagnostics = Search::of(main, options, sources).incompatible(main);
        return Neighbours { diagnostics, ..Neighbours::default() };
    }
    let mut search = Search::of(main, options, sources);
    let mut at = 0;
    while at <= search.found.len() {
        let externals = search.one(at, main).settings.externals.clone();
        externals.iter().for_each(|(name, external)| search.visit(at, name, external));
        at += 1;
    }
    search.skip_each_other(main);
    let mut diagnostics = search.incompatible(main);
    let order = search.order(main);
    diagnostics.append(&mut search.diagnostics);
    let mut found: Vec<_> = search.found.into_iter().map(Some).collect();
    let all = order.into_iter().filter_map(|at| found.get_mut(at.checked_sub(1)?)?.take()).collect();
    Neighbours { all, names: search.names, diagnostics }
}

/// Numbers are positions among all workspaces, of which the first is the one that the call is in.
struct Search<'s, 'a> {
    options: Options<'a>,
    sources: &'s mut Sources,
    found: Vec<Neighbour<'a>>,
    /// Without symbolic links, by number.
    roots: Vec<Utf8PathBuf>,
    names: Names,
    /// The workspaces that each workspace names, by the names that it gives them, and where.
    edges: Vec<BTreeMap<String, (usize, Span)>>,
    diagnostics: Vec<Diagnostic>,
}

impl<'s, 'a> Search<'s, 'a> {
    fn of(main: &One<'_>, options: Options<'a>, sources: &'s mut Sources) -> Search<'s, 'a> {
        let root = main.root.canonicalize_utf8().unwrap_or_else(|_| main.root.clone());
        let (found, names, diagnostics) = (Vec::new(), Names::default(), Vec::new());
        Search { options, sources, found, roots: vec![root], names, edges: vec![BTreeMap::new()], diagnostics }
    }

    fn one<'o>(&'o self, at: usize, main: &'o One<'_>) -> &'o One<'o> {
        match at.checked_sub(1) {
            Some(at) => &self.found[at].one,
            None => main,
        }
    }

    fn name(&self, at: usize) -> Option<&Arc<str>> {
        Some(&self.found[at.checked_sub(1)?].name)
    }

    /// Looks at a workspace that another calls `inner`.
    fn visit(&mut self, user: usize, inner: &str, external: &External) {
        let Some(path) = &external.path else { return };
        let name: Arc<str> = match self.name(user) {
            Some(outer) => format!("{outer}/{inner}").into(),
            None => inner.into(),
        };
        self.observe(&self.roots[user].join(&path.value));
        let root = match find(&self.roots[user], path) {
            Ok(root) => root,
            Err(mistake) => return self.diagnostics.push(mistake),
        };
        let at = match self.roots.iter().position(|known| *known == root) {
            Some(at) => self.again(at, name, external),
            None => self.first(root, name, external, path.span),
        };
        self.edges[user].insert(inner.to_owned(), (at, path.span));
    }

    /// That a folder is there may change, and what it is a link to.
    fn observe(&self, folder: &Utf8Path) {
        if let Some(observed) = self.options.observed {
            observed.note(folder.to_owned());
            observed.note(folder.join(FILE_NAME));
        }
    }

    fn first(&mut self, root: Utf8PathBuf, name: Arc<str>, external: &External, span: Span) -> usize {
        let first = self.sources.len();
        let chosen = external.profile.as_ref().map(|said| Chosen { name: &said.value, span: Some(said.span) });
        // Variables of the call are this workspace's; those of the environment are everybody's.
        let given = Given { flags: &[], ..self.options.given };
        // A commit has the files of its own repository only.
        let is_held = self.options.checkout.holds(&root);
        let checkout = if is_held { self.options.checkout } else { &Disk };
        let one = load::open(&root, chosen, Options { given, checkout, ..self.options }, self.sources);
        let folder = relative(&self.roots[0], &root);
        self.sources.put_under(&folder, first);
        self.found.push(Neighbour { name, folder, one, profile: external.profile.clone(), span });
        self.roots.push(root);
        self.edges.push(BTreeMap::new());
        self.found.len()
    }

    /// One that was found before: a circle is told when all are known.
    fn again(&mut self, at: usize, name: Arc<str>, external: &External) -> usize {
        let Some(known) = at.checked_sub(1).map(|at| &self.found[at]) else { return at };
        let text = |profile: &Option<Spanned<String>>| profile.as_ref().map(|profile| profile.value.clone());
        if text(&known.profile) != text(&external.profile) {
            let place = |profile: &Option<Spanned<String>>, span| profile.as_ref().map_or(span, |profile| profile.span);
            let here = place(&external.profile, external.span);
            let there = place(&known.profile, known.span);
            self.diagnostics.push(
                Diagnostic::error(format!("the workspace `{}` is built under two profiles", known.folder))
                    .at(here, "")
                    .also(there, "")
                    .help("it is one workspace, whoever names it: write the same `profile` in both places"),
            );
        }
        self.names.alias(name, known.name.clone());
        at
    }

    /// None takes another's packages for its own, where one lies in the other.
    fn skip_each_other(&mut self, main: &mut One<'_>) {
        let folders = |from: &Utf8Path, root: &Utf8Path| -> Vec<Utf8PathBuf> {
            let others = self.roots.iter().filter(|other| other.as_path() != from && other.starts_with(from));
            others.map(|other| root.join(relative(from, other))).collect()
        };
        main.skip.extend(folders(&self.roots[0], &main.root));
        let skips: Vec<_> = self.roots[1..].iter().map(|root| folders(root, root)).collect();
        self.found.iter_mut().zip(skips).for_each(|(neighbour, skip)| neighbour.one.skip.extend(skip));
    }

    /// What is built or taken of another version than a workspace works with.
    fn incompatible(&self, main: &One<'_>) -> Vec<Diagnostic> {
        let of = |at: usize| {
            let settings = &self.one(at, main).settings;
            settings.compatible.iter().filter_map(move |compatible| {
                let external = settings.externals.get(&compatible.name)?;
                let text = |text: &'_ Spanned<String>| Spanned { value: text.value.clone(), span: text.span };
                let (key, said) = match (&external.path, self.edges[at].get(&compatible.name)) {
                    (None, _) => ("tag", Some(text(&external.tag))),
                    (Some(_), Some((other, _))) => {
                        ("version", self.one(*other, main).settings.version.as_ref().map(text))
                    }
                    // That it is not there is told.
                    (Some(_), None) => return None,
                };
                let place = external.path.as_ref().map_or(external.span, |path| path.span);
                let text = said.as_ref().map(|said| Spanned { value: said.value.as_str(), span: said.span });
                compatible.judge(Version { key, text, place })
            })
        };
        (0..=self.found.len()).flat_map(of).collect()
    }

    /// All numbers, each before those that it names; circles are told.
    fn order(&mut self, main: &One<'_>) -> Vec<usize> {
        let mut walk = Walk {
            edges: &self.edges,
            state: vec![State::New; self.roots.len()],
            path: Vec::new(),
            done: Vec::new(),
            circles: Vec::new(),
        };
        walk.enter(0);
        let Walk { mut done, circles, .. } = walk;
        done.reverse();
        let told: Vec<Diagnostic> = circles.iter().map(|circle| self.draw(circle, main)).collect();
        self.diagnostics.extend(told);
        done
    }

    fn draw(&self, circle: &[(usize, Span)], main: &One<'_>) -> Diagnostic {
        let name = |at: usize| self.one(at, main).settings.name.clone();
        let names: Vec<String> = circle.iter().chain(circle.first()).map(|(at, _)| name(*at)).collect();
        let drawn = Diagnostic::error(format!("workspaces stand on each other in a circle: {}", names.join(" → ")));
        let place = |(drawn, index): (Diagnostic, usize), (_, span): &(usize, Span)| {
            let label = format!("`{}` stands on `{}`", names[index], names[index + 1]);
            (if index == 0 { drawn.at(*span, label) } else { drawn.also(*span, label) }, index + 1)
        };
        circle.iter().fold((drawn, 0), place).0
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Open,
    Done,
}

/// A walk along who names whom.
struct Walk<'w> {
    edges: &'w [BTreeMap<String, (usize, Span)>],
    state: Vec<State>,
    /// The way from the first, with the place where each names the next.
    path: Vec<(usize, Span)>,
    /// Each behind those that it names.
    done: Vec<usize>,
    circles: Vec<Vec<(usize, Span)>>,
}

impl Walk<'_> {
    fn enter(&mut self, at: usize) {
        self.state[at] = State::Open;
        for (next, span) in self.edges[at].values() {
            self.path.push((at, *span));
            match self.state[*next] {
                State::New => self.enter(*next),
                State::Open => {
                    let first = self.path.iter().position(|(at, _)| at == next).unwrap_or_default();
                    self.circles.push(self.path[first..].to_vec());
                }
                State::Done => {}
            }
            self.path.pop();
        }
        self.state[at] = State::Done;
        self.done.push(at);
    }
}

/// The root of the workspace at a path that is relative to another's.
fn find(from: &Utf8Path, path: &Spanned<String>) -> Result<Utf8PathBuf, Diagnostic> {
    let there = from.join(&path.value);
    let wrong = |message: String| Diagnostic::error(message).at(path.span, "");
    let help = "check it out there, or take its images as published: `registry` instead of `path`";
    let root = there.canonicalize_utf8().map_err(|error| {
        wrong(format!("no workspace is at `{}`: {}", path.value, crate::reason::reason(&error))).help(help)
    })?;
    if !root.join(FILE_NAME).is_file() {
        return Err(wrong(format!("no workspace is at `{}`: it has no {FILE_NAME}", path.value)).help(help));
    }
    match find_root(&root) {
        Ok(found) if found == root => Ok(root),
        _ => Err(wrong(format!("the {FILE_NAME} at `{}` is no workspace's: it has no `[workspace]`", path.value))),
    }
}

/// The way from one folder to another, both absolute and without symbolic links.
fn relative(from: &Utf8Path, to: &Utf8Path) -> Utf8PathBuf {
    let common = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(common).map(|_| "..");
    up.chain(to.components().skip(common).map(|part| part.as_str())).collect()
}
