//! The language on toy graphs, and against a second, naive evaluator on random ones.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::error::ErrorKind;
use super::graph::{Id, QueryGraph};
use super::toy::Toy;
use super::{format, query};

/// `app` and `tool` stand on `lib`, all but `lone` on `base`; `loop` needs itself.
fn toy() -> Toy {
    Toy::new(
        "//a:app -> //a:lib //b:conf; //a:lib -> //b:base; //b:base ->; //b:conf -> //b:base; //c:tool -> //a:lib; //c:lone ->; //c:loop -> //c:loop",
    )
}

fn labels(text: &str) -> String {
    let toy = toy();
    let mut out = Vec::new();
    format::label(&query(text, &toy).unwrap(), &toy, &mut out).unwrap();
    String::from_utf8(out).unwrap().lines().collect::<Vec<_>>().join(" ")
}

#[test]
fn deps_hold_the_target_itself_and_stop_at_a_depth() {
    assert_eq!(labels("deps(//a:app)"), "//a:app //a:lib //b:base //b:conf");
    assert_eq!(labels("deps(//a:app, 1)"), "//a:app //a:lib //b:conf");
    assert_eq!(labels("deps(//a:app, 0)"), "//a:app");
    assert_eq!(labels("deps(//c:loop)"), "//c:loop");
}

#[test]
fn rdeps_stay_within_what_the_universe_needs() {
    assert_eq!(labels("rdeps(//..., //b:base)"), "//a:app //a:lib //b:base //b:conf //c:tool");
    assert_eq!(labels("rdeps(//c:tool, //b:base)"), "//a:lib //b:base //c:tool");
    assert_eq!(labels("rdeps(//..., //b:base, 1)"), "//a:lib //b:base //b:conf");
    assert_eq!(labels("rdeps(//b:conf, //a:lib)"), "");
}

#[test]
fn sets_are_combined_and_named() {
    assert_eq!(labels("deps(//a:app) - deps(//a:lib)"), "//a:app //b:conf");
    assert_eq!(labels("let d = deps(//a:app) in $d ^ deps(//c:tool)"), "//a:lib //b:base");
    assert_eq!(labels("let v = //a:app in (let v = //c:lone in $v) + $v"), "//a:app //c:lone");
    assert_eq!(labels("set(//c:lone //a:lib) + set()"), "//a:lib //c:lone");
}

#[test]
fn a_graph_shows_the_edges_between_the_targets() {
    let toy = toy();
    let mut out = Vec::new();
    format::graph(&query("deps(//a:app) - //b:conf", &toy).unwrap(), &toy, &mut out).unwrap();
    insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r#"
    digraph mygraph {
      node [shape=box];
      "//a:app"
      "//a:app" -> "//a:lib"
      "//a:lib"
      "//a:lib" -> "//b:base"
      "//b:base"
    }
    "#);
}

#[test]
fn what_cannot_be_answered_is_told_from_what_is_no_query() {
    let error = |text: &str| query(text, &toy()).unwrap_err();
    let unknown = error("deps(//a:nope)");
    assert_eq!((unknown.kind, unknown.span), (ErrorKind::Evaluation, 5..13));
    let scope = error("(let v = //a:lib in $v) + $v");
    assert_eq!((scope.kind, scope.message.as_str()), (ErrorKind::Evaluation, "undefined variable 'v'"));
    assert_eq!(error("dpes(//a:lib)").kind, ErrorKind::Syntax);
    assert_eq!(error("deps(").kind, ErrorKind::Syntax);
}

/// A query of the random tests, with its meaning written down a second time.
#[derive(Debug, Clone)]
enum Naive {
    Target(Id),
    Deps(Box<Naive>, Option<usize>),
    Rdeps(Box<Naive>, Box<Naive>, Option<usize>),
    Union(Box<Naive>, Box<Naive>),
    Except(Box<Naive>, Box<Naive>),
    Intersect(Box<Naive>, Box<Naive>),
}

impl Naive {
    fn text(&self) -> String {
        let depth = |depth: &Option<usize>| depth.map_or(String::new(), |depth| format!(", {depth}"));
        match self {
            Naive::Target(id) => format!("//:{id}"),
            Naive::Deps(e, n) => format!("deps({}{})", e.text(), depth(n)),
            Naive::Rdeps(u, e, n) => format!("rdeps({}, {}{})", u.text(), e.text(), depth(n)),
            Naive::Union(a, b) => format!("({} union {})", a.text(), b.text()),
            Naive::Except(a, b) => format!("({} except {})", a.text(), b.text()),
            Naive::Intersect(a, b) => format!("({} ^ {})", a.text(), b.text()),
        }
    }

    fn targets(&self, edges: &[Vec<Id>]) -> BTreeSet<Id> {
        match self {
            Naive::Target(id) => [*id].into(),
            Naive::Deps(e, n) => within(edges, n, |from, to| from.contains(to), &e.targets(edges)),
            Naive::Rdeps(u, e, n) => {
                let universe = Naive::Deps(u.clone(), None).targets(edges);
                let start = e.targets(edges).intersection(&universe).copied().collect();
                let mut inner = edges.to_vec();
                let outside = (0..inner.len()).filter(|id| !universe.contains(&(*id as Id)));
                outside.collect::<Vec<_>>().into_iter().for_each(|id| inner[id].clear());
                backwards(&inner, n, &start)
            }
            Naive::Union(a, b) => a.targets(edges).union(&b.targets(edges)).copied().collect(),
            Naive::Except(a, b) => a.targets(edges).difference(&b.targets(edges)).copied().collect(),
            Naive::Intersect(a, b) => a.targets(edges).intersection(&b.targets(edges)).copied().collect(),
        }
    }
}

/// Takes every edge again and again until nothing is added, or as often as `n` says.
fn within(
    edges: &[Vec<Id>],
    n: &Option<usize>,
    leads: impl Fn(&Vec<Id>, &Id) -> bool,
    start: &BTreeSet<Id>,
) -> BTreeSet<Id> {
    let mut reached = start.clone();
    for _ in 0..n.unwrap_or(edges.len()) {
        let before = reached.clone();
        let all = 0..edges.len() as Id;
        reached.extend(all.filter(|to| before.iter().any(|from| leads(&edges[*from as usize], to))));
    }
    reached
}

fn backwards(edges: &[Vec<Id>], n: &Option<usize>, start: &BTreeSet<Id>) -> BTreeSet<Id> {
    let mut turned = vec![Vec::new(); edges.len()];
    edges.iter().zip(0..).for_each(|(deps, from)| deps.iter().for_each(|to| turned[*to as usize].push(from)));
    within(&turned, n, |from, to| from.contains(to), start)
}

const SIZE: u32 = 9;

fn edges() -> impl Strategy<Value = Vec<Vec<Id>>> {
    prop::collection::vec(prop::collection::vec(0..SIZE, 0..4), SIZE as usize)
}

fn expressions() -> impl Strategy<Value = Naive> {
    let depth = || prop::option::of(0usize..4);
    (0..SIZE).prop_map(Naive::Target).prop_recursive(4, 24, 2, move |inner| {
        let boxed = inner.prop_map(Box::new).boxed();
        let two = (boxed.clone(), boxed.clone());
        prop_oneof![
            (boxed.clone(), depth()).prop_map(|(e, n)| Naive::Deps(e, n)),
            (boxed.clone(), boxed, depth()).prop_map(|(u, e, n)| Naive::Rdeps(u, e, n)),
            two.clone().prop_map(|(a, b)| Naive::Union(a, b)),
            two.clone().prop_map(|(a, b)| Naive::Except(a, b)),
            two.prop_map(|(a, b)| Naive::Intersect(a, b)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_evaluator_agrees_with_a_naive_one(edges in edges(), expression in expressions()) {
        let graph = Toy::numbered(edges.clone());
        prop_assert_eq!(graph.len(), SIZE as usize);
        let found: BTreeSet<Id> = query(&expression.text(), &graph).unwrap().iter().collect();
        prop_assert_eq!(found, expression.targets(&edges));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[ a-c/:$()'\"+=^,-]{0,30}|[a-zé(),+ ]{0,20}|(let|in|set|deps|[a(),$= ]){0,12}") {
        let _ = super::parse::parse(&text).map_err(|error| error.render(&text, false));
    }
}
