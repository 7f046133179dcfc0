//! Which packages a request needs: a search that takes alternatives in apt's order and goes back where they contradict.
//!
//! A universe and a request in; packages, or the chain that can't be met, out. Complete: a request that can be met is met.
//! Going back skips decisions that had no part in the contradiction (conflict-directed backjumping).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::relation::{self, Relation};
use super::universe::{Id, Universe};

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request<'r> {
    /// Names, real or virtual, in the order that they were written in.
    pub packages: Vec<&'r str>,
    /// What is there already, with all that it needs.
    pub present: Vec<Id>,
    /// Whether everything that is `Essential: yes` comes with them.
    pub essential: bool,
    /// Whether what they recommend is taken where it can be.
    pub recommends: bool,
    /// Names that are never taken; a need that only they could meet counts as met.
    pub exclude: BTreeSet<&'r str>,
}

/// Why a request can't be met.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unmet {
    /// No package has or provides a name.
    #[error("there is no package `{name}`")]
    Unknown {
        /// What was asked for.
        name: String,
        /// Names like it.
        similar: Vec<String>,
    },
    /// A need that nothing meets: how one came to it, and what is wrong with each that could.
    #[error("{}: {}", chain.join(" → "), problems.join("; "))]
    Chain {
        /// From what was asked for to the need.
        chain: Vec<String>,
        /// One phrase each.
        problems: Vec<String>,
    },
}

/// The packages that a request needs beside what is there, by name.
pub fn resolve(universe: &Universe<'_>, request: &Request<'_>) -> Result<Vec<Id>, Unmet> {
    let mut search = Search::new(universe, request)?;
    search.run()?;
    let made = search.decisions.iter().skip(request.present.len());
    let mut chosen: Vec<Id> = made.filter_map(|decision| decision.chosen()).collect();
    chosen.sort_by_key(|id| universe.get(*id).name);
    Ok(chosen)
}

/// Alternatives of which one has to be there.
#[derive(Debug, Clone)]
struct Need<'t> {
    group: Vec<Relation<'t>>,
    /// The decision that made it necessary; `None` for what was asked for.
    owner: Option<usize>,
    /// Only where it can be had.
    soft: bool,
}

/// One package taken for one need.
#[derive(Debug)]
struct Decision {
    need: usize,
    /// Needs that were known before.
    needs: usize,
    options: Vec<Option<Id>>,
    at: usize,
    /// Decisions that are to blame for what it could not take.
    blame: BTreeSet<usize>,
}

impl Decision {
    fn chosen(&self) -> Option<Id> {
        self.options[self.at]
    }
}

struct Search<'u, 't> {
    universe: &'u Universe<'t>,
    request: &'u Request<'u>,
    needs: Vec<Need<'t>>,
    next: usize,
    decisions: Vec<Decision>,
    /// Chosen packages by their own name and by all that they provide, with the decision.
    present: HashMap<&'t str, Vec<(Id, usize)>>,
    /// What chosen packages exclude, by name.
    excluded: HashMap<&'t str, Vec<(Relation<'t>, Id, usize)>>,
    first: Option<Unmet>,
}

impl<'u, 't> Search<'u, 't>
where
    'u: 't,
{
    fn new(universe: &'u Universe<'t>, request: &'u Request<'u>) -> Result<Search<'u, 't>, Unmet> {
        let mut names: Vec<&'t str> = Vec::new();
        if request.essential {
            names.extend(universe.essential().into_iter().map(|id| universe.get(id).name));
        }
        for name in &request.packages {
            let any = Relation { name, architecture: None, version: None };
            if universe.answers(&any).is_empty() {
                let similar = universe.similar(name).into_iter().map(str::to_owned).collect();
                return Err(Unmet::Unknown { name: (*name).to_owned(), similar });
            }
            names.push(name);
        }
        let wanted =
            |name| Need { group: vec![Relation { name, architecture: None, version: None }], owner: None, soft: false };
        let there = request.present.iter().map(|id| universe.get(*id).name);
        let mut search = Search {
            universe,
            request,
            needs: there.chain(names).map(wanted).collect(),
            next: 0,
            decisions: Vec::new(),
            present: HashMap::new(),
            excluded: HashMap::new(),
            first: None,
        };
        search.settle();
        Ok(search)
    }

    /// What is there is decided, first of all; what it needs is met, or was waived.
    fn settle(&mut self) {
        let needs = self.needs.len();
        for (need, id) in self.request.present.iter().enumerate() {
            let (options, blame) = (vec![Some(*id)], BTreeSet::new());
            self.decisions.push(Decision { need, needs, options, at: 0, blame });
            self.enter(need);
        }
        self.next = self.request.present.len();
    }

    fn run(&mut self) -> Result<(), Unmet> {
        while self.next < self.needs.len() {
            let need = self.next;
            if self.is_met(&self.needs[need]) {
                self.next += 1;
                continue;
            }
            let (options, blame) = self.options(need);
            if options.is_empty() {
                self.go_back(need, blame)?;
            } else {
                self.decisions.push(Decision { need, needs: self.needs.len(), options, at: 0, blame });
                self.take();
            }
        }
        Ok(())
    }

    fn is_met(&self, need: &Need<'t>) -> bool {
        need.group.iter().any(|relation| {
            let present = self.present.get(relation.name).into_iter().flatten();
            present.into_iter().any(|(id, _)| self.universe.is_answer(*id, relation))
        }) || (self.request.exclude.iter().len() > 0 && self.is_waived(need))
    }

    /// Whether only packages that are excluded by name could meet it.
    fn is_waived(&self, need: &Need<'t>) -> bool {
        let answers: Vec<Id> = need.group.iter().flat_map(|relation| self.universe.answers(relation)).collect();
        let named = need.group.iter().any(|relation| self.request.exclude.contains(relation.name));
        (named || !answers.is_empty()) && answers.iter().all(|id| self.is_refused(*id))
    }

    fn is_refused(&self, id: Id) -> bool {
        self.request.exclude.contains(self.universe.get(id).name)
    }

    /// What could be taken for a need, best first, and the decisions that stand in the way of the rest.
    fn options(&self, need: usize) -> (Vec<Option<Id>>, BTreeSet<usize>) {
        let need = &self.needs[need];
        let (mut options, mut blame) = (Vec::new(), BTreeSet::new());
        for id in need.group.iter().flat_map(|relation| self.universe.answers(relation)) {
            if self.is_refused(id) || options.contains(&Some(id)) {
                continue;
            }
            match self.obstacle(id) {
                Some((other, _)) => _ = blame.insert(other),
                None => options.push(Some(id)),
            }
        }
        if need.soft {
            options.push(None);
        }
        (options, blame)
    }

    /// The decision that a package can't stand beside, and what is wrong, as a phrase.
    fn obstacle(&self, id: Id) -> Option<(usize, String)> {
        let package = self.universe.get(id);
        let names = std::iter::once(package.name).chain(package.provides().map(|provided| provided.name));
        let against = names.filter_map(|name| self.excluded.get(name)).flatten();
        let mut theirs = against.filter(|(relation, owner, _)| *owner != id && self.universe.is_answer(id, relation));
        if let Some((relation, owner, at)) = theirs.next() {
            return Some((*at, format!("{} excludes {relation}", self.shown(*owner))));
        }
        package.excludes().find_map(|relation| {
            let present = self.present.get(relation.name)?;
            let (other, at) =
                present.iter().find(|(other, _)| *other != id && self.universe.is_answer(*other, &relation))?;
            Some((*at, format!("{} excludes {relation}, and {} is taken", self.shown(id), self.shown(*other))))
        })
    }

    /// Makes the last decision's option count.
    fn take(&mut self) {
        self.enter(self.decisions.len() - 1);
        self.next = self.decisions.last().map_or(0, |decision| decision.need) + 1;
        let Some(id) = self.decisions.last().and_then(Decision::chosen) else { return };
        let owner = Some(self.decisions.len() - 1);
        let package = self.universe.get(id);
        self.needs.extend(package.needs().into_iter().map(|group| Need { group, owner, soft: false }));
        if self.request.recommends {
            self.needs.extend(package.recommends().into_iter().map(|group| Need { group, owner, soft: true }));
        }
    }

    fn enter(&mut self, at: usize) {
        let Some(id) = self.decisions[at].chosen() else { return };
        let package = self.universe.get(id);
        let names = std::iter::once(package.name).chain(package.provides().map(|provided| provided.name));
        names.for_each(|name| self.present.entry(name).or_default().push((id, at)));
        let excluded = package.excludes();
        excluded.for_each(|relation| self.excluded.entry(relation.name).or_default().push((relation, id, at)));
    }

    /// After a need that nothing meets: to the latest decision that is to blame and has another option.
    fn go_back(&mut self, need: usize, mut blame: BTreeSet<usize>) -> Result<(), Unmet> {
        if self.first.is_none() {
            self.first = Some(self.explain(need));
        }
        blame.extend(self.needs[need].owner);
        while let Some(last) = blame.pop_last() {
            self.decisions.truncate(last + 1);
            let Some(decision) = self.decisions.last_mut() else { break };
            decision.blame.append(&mut blame);
            if decision.at + 1 < decision.options.len() {
                decision.at += 1;
                let needs = decision.needs;
                self.needs.truncate(needs);
                self.rebuild();
                self.take();
                return Ok(());
            }
            blame.append(&mut decision.blame);
            blame.extend(self.needs[decision.need].owner);
        }
        Err(self.first.take().unwrap_or_else(|| self.explain(need)))
    }

    /// What is present without the last decision, which is about to be made anew.
    fn rebuild(&mut self) {
        self.present.clear();
        self.excluded.clear();
        (0..self.decisions.len() - 1).for_each(|at| self.enter(at));
    }

    fn shown(&self, id: Id) -> String {
        let package = self.universe.get(id);
        format!("{} {}", package.name, package.version)
    }

    fn explain(&self, need: usize) -> Unmet {
        let need = &self.needs[need];
        let mut chain = vec![relation::shown(&need.group)];
        let mut owner = need.owner;
        while let Some(decision) = owner.map(|at| &self.decisions[at]) {
            chain.extend(decision.chosen().map(|id| self.shown(id)));
            owner = self.needs[decision.need].owner;
        }
        chain.reverse();
        Unmet::Chain { chain, problems: need.group.iter().flat_map(|relation| self.problems(relation)).collect() }
    }

    /// What is wrong with everything that has an alternative's name.
    fn problems(&self, relation: &Relation<'t>) -> Vec<String> {
        let answers = self.universe.answers(relation);
        if answers.is_empty() {
            return vec![match self.universe.real(relation.name) {
                Some(id) => format!("{relation} is not met by {}", self.shown(id)),
                None => format!("nothing is or provides {relation}"),
            }];
        }
        let problem = |id| match self.obstacle(id) {
            Some((_, why)) => format!("{} can't be taken: {why}", self.shown(id)),
            None => format!("{} is excluded", self.shown(id)),
        };
        answers.into_iter().map(problem).collect()
    }
}

/// Pinned requests, `NAME=VERSION`, as names and the versions that they pin.
pub fn split_pins<'r>(written: &[&'r str]) -> (Vec<&'r str>, BTreeMap<&'r str, &'r str>) {
    let split =
        written.iter().map(|text| text.split_once('=').map_or((*text, None), |(name, version)| (name, Some(version))));
    let all: Vec<(&str, Option<&str>)> = split.collect();
    let pins = all.iter().filter_map(|(name, version)| Some((*name, (*version)?))).collect();
    (all.into_iter().map(|(name, _)| name).collect(), pins)
}

#[cfg(test)]
mod tests {
    use super::super::control::paragraphs;
    use super::super::package::Package;
    use super::*;

    /// Stanzas from lines `NAME VERSION; Field: value; …`.
    fn index(lines: &[&str]) -> String {
        let stanza = |line: &&str| {
            let mut parts = line.split("; ");
            let (name, version) = parts.next().unwrap().split_once(' ').unwrap();
            let fields: String = parts.map(|field| format!("{field}\n")).collect();
            let architecture = if fields.contains("Architecture:") { "" } else { "Architecture: amd64\n" };
            format!("Package: {name}\nVersion: {version}\n{architecture}{fields}\n")
        };
        lines.iter().map(stanza).collect()
    }

    fn ask(lines: &[&str], request: Request<'_>) -> Result<String, String> {
        let text = index(lines);
        let (names, pins) = split_pins(&request.packages);
        let packages = paragraphs(&text).filter_map(|paragraph| Package::read(paragraph, 0));
        let universe = Universe::new(packages, "amd64", &pins);
        let chosen = resolve(&universe, &Request { packages: names, ..request }).map_err(|error| error.to_string())?;
        let shown = chosen.iter().map(|id| format!("{}={}", universe.get(*id).name, universe.get(*id).version));
        Ok(shown.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn what_is_there_stays_is_not_taken_again_and_excludes_as_ever() {
        let text = index(&[
            "base 1; Provides: v; Conflicts: x; Depends: waived",
            "a 1; Depends: x | y, v, base",
            "x 1",
            "y 1",
        ]);
        let packages = paragraphs(&text).filter_map(|paragraph| Package::read(paragraph, 0));
        let universe = Universe::new(packages, "amd64", &BTreeMap::new());
        let ask = |names: &[&'static str]| {
            let present = vec![universe.real("base").unwrap()];
            let request = Request { packages: names.to_vec(), present, ..Request::default() };
            let chosen = resolve(&universe, &request).map_err(|error| error.to_string())?;
            Ok(chosen.iter().map(|id| universe.get(*id).name).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(ask(&["a", "base"]), Ok("a y".to_owned()));
        assert_eq!(ask(&[]), Ok(String::new()));
        assert_eq!(ask(&["a", "x"]), Err::<String, String>("x: x 1 can't be taken: base 1 excludes x".to_owned()));
    }

    fn get(lines: &[&str], packages: &[&str]) -> Result<String, String> {
        ask(lines, Request { packages: packages.to_vec(), ..Request::default() })
    }

    #[test]
    fn needs_are_followed_and_the_latest_version_is_taken() {
        let lines = ["a 1; Depends: b (>= 2), c; Pre-Depends: d", "b 2", "b 10", "b 9", "c 1", "d 1", "e 1"];
        assert_eq!(get(&lines, &["a"]).unwrap(), "a=1 b=10 c=1 d=1");
        assert_eq!(get(&lines, &["a", "b=9"]).unwrap(), "a=1 b=9 c=1 d=1");
        assert_eq!(get(&lines, &["b=3"]).unwrap_err(), "there is no package `b`");
    }

    #[test]
    fn the_first_alternative_is_taken_unless_another_is_there_already() {
        let lines = ["a 1; Depends: x | y", "b 1; Depends: y", "x 1", "y 1"];
        assert_eq!(get(&lines, &["a"]).unwrap(), "a=1 x=1");
        assert_eq!(get(&lines, &["a", "y"]).unwrap(), "a=1 y=1");
    }

    #[test]
    fn a_real_package_goes_before_those_that_provide_it_and_these_go_by_priority() {
        let lines = ["a 1; Depends: m", "m 1", "p 1; Provides: m, v", "q 1; Provides: v; Priority: important"];
        assert_eq!(get(&lines, &["a"]).unwrap(), "a=1 m=1");
        assert_eq!(get(&lines, &["v"]).unwrap(), "q=1");
    }

    #[test]
    fn a_version_is_met_only_by_a_provision_that_says_one() {
        let lines = ["a 1; Depends: v (>= 2)", "p 9; Provides: v", "q 1; Provides: v (= 2)", "r 1; Provides: v (= 1)"];
        assert_eq!(get(&lines, &["a"]).unwrap(), "a=1 q=1");
    }

    #[test]
    fn what_excludes_another_is_not_taken_beside_it_and_alternatives_are_gone_back_to() {
        let lines = [
            "a 1; Depends: x | y, z",
            "x 1; Conflicts: z",
            "y 1",
            "z 1",
            "m 1; Depends: n | o, p",
            "n 1",
            "o 1",
            "p 1; Breaks: n (<< 2)",
            "mta1 1; Provides: mta; Conflicts: mta",
        ];
        assert_eq!(get(&lines, &["a"]).unwrap(), "a=1 y=1 z=1");
        assert_eq!(get(&lines, &["m"]).unwrap(), "m=1 o=1 p=1");
        assert_eq!(get(&lines, &["mta1"]).unwrap(), "mta1=1", "nothing excludes itself");
    }

    #[test]
    fn many_alternatives_that_have_no_part_in_a_contradiction_are_not_all_tried() {
        let mut lines =
            vec!["bad 1; Depends: l | r, k".to_owned(), "l 1; Conflicts: k".into(), "r 1".into(), "k 1".into()];
        lines.extend(
            (0..60).flat_map(|n| [format!("n{n} 1; Depends: a{n} | b{n}"), format!("a{n} 1"), format!("b{n} 1")]),
        );
        lines.push(format!("all 1; Depends: bad, {}", (0..60).map(|n| format!("n{n}")).collect::<Vec<_>>().join(", ")));
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert!(get(&lines, &["all"]).unwrap().contains(" r=1"));
        let impossible: Vec<&str> = lines.iter().copied().filter(|line| !line.starts_with("r 1")).collect();
        assert!(get(&impossible, &["all"]).is_err());
    }

    #[test]
    fn qualifiers_and_architectures_are_those_of_debian() {
        let lines = [
            "a 1; Depends: py:any",
            "py 1; Multi-Arch: allowed",
            "b 1; Depends: c:any",
            "c 1",
            "d 1; Depends: c:amd64, all",
            "e 1; Depends: c:arm64",
            "all 1; Architecture: all",
            "f 1; Architecture: arm64",
        ];
        assert_eq!(get(&lines, &["a"]).unwrap(), "a=1 py=1");
        assert!(get(&lines, &["b"]).is_err());
        assert_eq!(get(&lines, &["d"]).unwrap(), "all=1 c=1 d=1");
        assert!(get(&lines, &["e"]).is_err() && get(&lines, &["f"]).is_err());
    }

    #[test]
    fn the_essential_set_recommendations_and_exclusions_are_as_asked() {
        let lines = [
            "base 1; Essential: yes; Depends: libc",
            "libc 1",
            "a 1; Recommends: r, gone; Depends: x | y",
            "r 1",
            "x 1",
            "y 1",
        ];
        let request = Request { packages: vec!["a"], ..Request::default() };
        assert_eq!(ask(&lines, Request { essential: true, ..request.clone() }).unwrap(), "a=1 base=1 libc=1 x=1");
        assert_eq!(ask(&lines, Request { recommends: true, ..request.clone() }).unwrap(), "a=1 r=1 x=1");
        assert_eq!(ask(&lines, Request { exclude: ["x"].into(), ..request.clone() }).unwrap(), "a=1 y=1");
        assert_eq!(ask(&lines, Request { exclude: ["x", "y"].into(), ..request }).unwrap(), "a=1");
    }

    #[test]
    fn what_cannot_be_met_is_told_with_the_chain_that_leads_to_it() {
        let lines =
            ["a 1; Depends: b", "b 2; Depends: c (>= 3) | v", "c 2", "k 1; Depends: l, m", "l 1", "m 1; Conflicts: l"];
        assert_eq!(
            get(&lines, &["a"]).unwrap_err(),
            "a → a 1 → b → b 2 → c (>= 3) | v: c (>= 3) is not met by c 2; nothing is or provides v"
                .replace("a → a 1 → b → b 2", "a 1 → b 2")
        );
        let error = get(&lines, &["k"]).unwrap_err();
        assert_eq!(error, "k 1 → m: m 1 can't be taken: m 1 excludes l, and l 1 is taken");
        assert_eq!(get(&lines, &["bb"]).unwrap_err(), "there is no package `bb`");
    }
}
