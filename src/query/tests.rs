//! The language on toy graphs, and against a second, naive evaluator on random ones.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::ast::{Argument, Expr, Node, Operator, Word};
use super::error::ErrorKind;
use super::eval::{self, Options};
use super::format::{self, Drawn};
use super::functions::{FUNCTIONS, Parameter};
use super::graph::{Id, QueryGraph};
use super::naive::{Naive, Name};
use super::order::{Order, ordered};
use super::toy::{self, Written};
use super::{Found, parse, query};

/// `app` and `tool` stand on `lib`, all but `lone` on `base`; `loop` needs itself.
const TOY: &str = "//a:app image -> //a:lib //b:conf; //a:lib layer size=big -> //b:base //a:src/x; //a:src/x source; \
                   //b:base layer size=small; //b:conf layer -> //b:base; //c:tool check -> //a:lib; //c:lone effect; \
                   //c:loop layer -> //c:loop";

fn asked<T>(text: &str, ask: impl FnOnce(&Found, &dyn QueryGraph) -> T) -> T {
    toy::ask(toy::read(TOY), |graph| ask(&query(text, graph).unwrap(), graph))
}

fn labels(text: &str) -> String {
    asked(text, |found, graph| {
        let shown = ordered(found, graph, Order::Auto).into_iter().map(|id| graph.label(id));
        shown.collect::<Vec<_>>().join(" ")
    })
}

#[test]
fn deps_hold_the_target_itself_and_stop_at_a_depth() {
    assert_eq!(labels("deps(//a:app)"), "//a:app //a:lib //a:src/x //b:base //b:conf");
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
    assert_eq!(labels("rdeps(//..., //a:src/x)"), "//a:app //a:lib //a:src/x //c:tool");
    assert_eq!(labels("same_pkg_direct_rdeps(//a:lib + //b:base)"), "//a:app //b:conf");
}

#[test]
fn sets_are_combined_and_named() {
    assert_eq!(labels("deps(//a:app) - deps(//a:lib)"), "//a:app //b:conf");
    assert_eq!(labels("let d = deps(//a:app) in $d ^ deps(//c:tool)"), "//a:lib //a:src/x //b:base");
    assert_eq!(labels("let v = //a:app in (let v = //c:lone in $v) + $v"), "//a:app //c:lone");
    assert_eq!(labels("set(//c:lone //a:lib) + set()"), "//a:lib //c:lone");
}

#[test]
fn a_path_is_told_as_it_leads() {
    assert_eq!(labels("somepath(//c:tool, //b:base)"), "//c:tool //a:lib //b:base");
    assert_eq!(labels("let p = somepath(//c:tool, //b:base) in $p"), "//c:tool //a:lib //b:base");
    assert_eq!(labels("somepath(//b:base, //c:tool)"), "");
    assert_eq!(labels("allpaths(//a:app, //b:base)"), "//a:app //a:lib //b:base //b:conf");
}

#[test]
fn what_something_is_and_holds_is_asked_by_regular_expressions() {
    assert_eq!(labels("kind('source file', //a:*)"), "//a:layers.toml //a:src/x");
    assert_eq!(labels("kind(image, //...) + filter('^//b', //...)"), "//a:app //b:base //b:conf");
    assert_eq!(labels("attr(size, '^b', //...)"), "//a:lib");
    assert_eq!(labels("tests(//...) + executables(//...)"), "//c:lone //c:tool");
    assert_eq!(labels("labels(layers, //a:app) - labels(nope, //a:app)"), "//a:lib //b:conf");
    assert_eq!(labels("siblings(//a:src/x) - buildfiles(//a:lib)"), "//a:app //a:lib //a:src/x");
    assert_eq!(labels("some(//b:all)"), "//b:base");
    assert_eq!(labels("some(//..., 2)"), "//a:app //a:lib");
}

#[test]
fn a_platform_in_layers_is_asked_what_stands_on_what() {
    let platform = "//p:base image requires=REALM -> //p:pulled //p:os; //p:pulled pulled; //p:os layer; \
                    //k:kit image requires=HOST -> //p:base //k:bin; //k:bin layer; //k:both index -> //k:kit; \
                    //k:taken image published=1";
    let shown = |text: &str| {
        toy::ask(toy::read(platform), |graph| {
            let ids = query(text, graph).unwrap().targets;
            ids.iter().map(|id| graph.label(id)).collect::<Vec<_>>().join(" ")
        })
    };
    assert_eq!(shown("base(//k:kit)"), "//p:base");
    assert_eq!(shown("bases(//k:kit)"), "//p:base //p:pulled");
    assert_eq!(shown("images(//k:both + //k:bin)"), "//k:kit");
    assert_eq!(shown("layers(bases(//k:kit)) + layers(//k:bin)"), "//k:bin //p:os");
    assert_eq!(shown("requires(REALM, //...)"), "//k:kit //p:base");
    assert_eq!(shown("requires(HOST, //...) + published(//...)"), "//k:kit //k:taken");
}

fn drawn(text: &str, factored: bool) -> String {
    asked(text, |found, graph| {
        let mut out = Vec::new();
        format::dot(&found.targets, Drawn { factored, limit: Some(22) }, graph, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    })
}

#[test]
fn a_graph_shows_the_edges_between_the_targets() {
    insta::assert_snapshot!(drawn("deps(//a:app) - //b:conf - //a:src/x", false), @r#"
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
fn what_edges_cannot_tell_apart_is_one_node() {
    insta::assert_snapshot!(drawn("//a:app + //a:lib + //b:conf + //b:base", true), @r#"
    digraph mygraph {
      node [shape=box];
      "//a:app"
      "//a:app" -> "//a:lib\n//b:conf"
      "//a:lib\n//b:conf"
      "//a:lib\n//b:conf" -> "//b:base"
      "//b:base"
    }
    "#);
    assert!(drawn("//c:*", true).contains("\"//c:layers.toml\\n...and 2 more items\""), "{}", drawn("//c:*", true));
}

#[test]
fn ranks_are_ways_from_what_nothing_needs() {
    let ranks = |longest| {
        asked("deps(//a:app) + //c:loop", |found, graph| {
            let mut out = Vec::new();
            format::ranks(&found.targets, longest, graph, &mut out).unwrap();
            String::from_utf8(out).unwrap().lines().collect::<Vec<_>>().join(", ")
        })
    };
    assert_eq!(ranks(false), "0 //a:app, 0 //c:loop, 1 //a:lib, 1 //b:conf, 2 //a:src/x, 2 //b:base");
    assert_eq!(ranks(true), "0 //a:app, 0 //c:loop, 1 //a:lib, 1 //b:conf, 2 //a:src/x, 2 //b:base");
}

#[test]
fn with_dependencies_ordered_what_needs_comes_before_what_is_needed() {
    let shown = asked("//...", |found, graph| {
        let ids = ordered(found, graph, Order::Dependencies);
        ids.into_iter().map(|id| graph.label(id)).collect::<Vec<_>>().join(" ")
    });
    assert_eq!(shown, "//a:app //b:conf //c:lone //c:loop //c:tool //a:lib //b:base");
}

#[test]
fn what_cannot_be_answered_is_told_from_what_is_no_query() {
    let error = |text: &str| toy::ask(toy::read(TOY), |graph| query(text, graph).unwrap_err());
    let unknown = error("deps(//a:nope)");
    assert_eq!((unknown.kind, unknown.span), (ErrorKind::Evaluation, 5..13));
    let scope = error("(let v = //a:lib in $v) + $v");
    assert_eq!((scope.kind, scope.message.as_str()), (ErrorKind::Evaluation, "undefined variable 'v'"));
    assert_eq!(error("some(set())").message, "argument set is empty");
    let regex = error("kind('(', //...)");
    assert_eq!((regex.kind, regex.span), (ErrorKind::Evaluation, 5..8));
    assert_eq!(regex.message, "illegal 'kind' pattern regexp '(': unclosed group");
    assert!(error("filter('(a{1,99}){1,99}{99}', //...)").message.starts_with("illegal 'filter' pattern regexp"));
    assert_eq!(error("dpes(//a:lib)").kind, ErrorKind::Syntax);
    assert_eq!(error("deps(").kind, ErrorKind::Syntax);
}

#[test]
fn one_that_names_nothing_may_be_let_pass_and_is_told() {
    toy::ask(toy::read(TOY), |graph| {
        let expr = parse::parse("set(//b:base //x:y) + deps(//z/...)").unwrap();
        let answer = eval::evaluate(&expr, graph, Options { keep_going: true, ..Options::default() }).unwrap();
        assert_eq!((answer.found.targets.len(), answer.told.len()), (1, 2));
    });
}

/// What random graphs are made of; edges vary.
const NODES: [(&str, &str); 14] = [
    ("//a:check", "check"),
    ("//a:image", "image requires=HOST,REALM"),
    ("//a:index", "index"),
    ("//a:layer", "layer size=big"),
    ("//a:src/f", "source"),
    ("//b:image", "image requires=REALM size=small"),
    ("//b:other", "image published=1"),
    ("//b:layer", "layer size=small"),
    ("//b:pulled", "pulled"),
    ("//b/c:effect", "effect size=big"),
    ("//b/c:f", "source"),
    ("//b/c:image", "image"),
    ("//b/c:layer", "layer"),
    ("//b/c:two", "layer size=medium"),
];

const PATTERNS: [&str; 8] =
    ["//...", "//a:all", "//b/...", "//a:*", "//b/c:all-targets", "//b/...:*", "//nowhere:all", "//b:none"];
const REGEXES: [&str; 7] = ["a", "^//b", "image|layer rule", "source", "e$", "", "[bm]i"];
const WORDS: [&str; 8] = ["size", "base", "layers", "srcs", "images", "deps", "nope", "REALM"];

fn graphs() -> impl Strategy<Value = Vec<Written>> {
    let edges = prop::collection::vec(prop::collection::vec(0..NODES.len(), 0..4), NODES.len());
    edges.prop_map(|edges| {
        let entry = |((label, what), to): (&(&str, &str), Vec<usize>)| {
            let to: BTreeSet<usize> = if what.contains("source") { BTreeSet::new() } else { to.into_iter().collect() };
            let to: Vec<&str> = to.into_iter().rev().map(|to| NODES[to].0).collect();
            format!("{label} {what} -> {}", to.join(" "))
        };
        toy::read(&NODES.iter().zip(edges).map(entry).collect::<Vec<_>>().join(";"))
    })
}

fn expr(node: Node) -> Expr {
    Expr { span: 0..0, node }
}

fn word(text: &str) -> Word {
    Word { span: 0..0, text: text.to_owned() }
}

fn leaves() -> impl Strategy<Value = Expr> {
    let label = (0..NODES.len()).prop_map(|at| NODES[at].0.to_owned());
    let pattern = prop_oneof![4 => label, 2 => prop::sample::select(&PATTERNS[..6]).prop_map(str::to_owned),
                              1 => prop::sample::select(&PATTERNS[..]).prop_map(str::to_owned)];
    let set = prop::collection::vec(pattern.clone().prop_map(|text| word(&text)), 0..4);
    prop_oneof![
        8 => pattern.prop_map(|text| expr(Node::Pattern(text))),
        1 => set.prop_map(|words| expr(Node::Set(words))),
        1 => prop::sample::select(&["v", "w"][..]).prop_map(|name| expr(Node::Variable(name.to_owned()))),
    ]
}

/// Every function, with arguments of the right kinds.
fn calls(inner: BoxedStrategy<Expr>) -> impl Strategy<Value = Expr> {
    let numbers = prop::option::of(0usize..4);
    let parts = (
        0..FUNCTIONS.len(),
        inner.clone(),
        inner,
        numbers,
        prop::sample::select(&REGEXES[..]),
        prop::sample::select(&WORDS[..]),
    );
    parts.prop_map(|(function, first, second, number, regex, name)| {
        let function = &FUNCTIONS[function];
        let mut exprs = vec![second, first];
        let argument = |parameter: &Parameter| match parameter {
            Parameter::Expr => exprs.pop().map(Argument::Expr),
            Parameter::Word => Some(Argument::Word(word(name))),
            Parameter::Pattern => Some(Argument::Word(word(regex))),
            Parameter::Number => number.map(Argument::Number),
        };
        let arguments = function.parameters.iter().filter_map(argument).collect();
        expr(Node::Call { name: word(function.name), arguments })
    })
}

fn expressions() -> impl Strategy<Value = Expr> {
    leaves().prop_recursive(5, 24, 3, |inner| {
        let inner = inner.boxed();
        let operator = prop::sample::select(&[Operator::Union, Operator::Except, Operator::Intersect][..]);
        let rest = prop::collection::vec((operator, inner.clone()), 1..3);
        let boxed = inner.clone().prop_map(Box::new);
        prop_oneof![
            6 => calls(inner.clone()),
            2 => (boxed.clone(), rest).prop_map(|(first, rest)| expr(Node::Operations(first, rest))),
            1 => (prop::sample::select(&["v", "w"][..]), boxed.clone(), boxed).prop_map(|(name, value, body)| {
                expr(Node::Let { name: name.to_owned(), value, body })
            }),
        ]
    })
}

/// With every place left out.
fn bare(tree: &Expr) -> Expr {
    let words = |words: &[Word]| words.iter().map(|one| word(&one.text)).collect();
    let argument = |argument: &Argument| match argument {
        Argument::Expr(inner) => Argument::Expr(bare(inner)),
        Argument::Word(one) => Argument::Word(word(&one.text)),
        Argument::Number(number) => Argument::Number(*number),
    };
    expr(match &tree.node {
        Node::Pattern(_) | Node::Variable(_) => tree.node.clone(),
        Node::Set(all) => Node::Set(words(all)),
        Node::Operations(first, rest) => Node::Operations(
            Box::new(bare(first)),
            rest.iter().map(|(operator, right)| (*operator, bare(right))).collect(),
        ),
        Node::Let { name, value, body } => {
            Node::Let { name: name.clone(), value: Box::new(bare(value)), body: Box::new(bare(body)) }
        }
        Node::Call { name, arguments } => {
            Node::Call { name: word(&name.text), arguments: arguments.iter().map(argument).collect() }
        }
    })
}

const CASES: u32 = 1300;
const EACH: usize = 8;

fn named(graph: &dyn QueryGraph, ids: impl Iterator<Item = Id>) -> Vec<Name> {
    ids.map(|id| toy::split(&graph.label(id))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: CASES, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    /// 1300 graphs with eight expressions each.
    #[test]
    fn the_evaluator_agrees_with_a_naive_one(all in graphs(), expressions in prop::collection::vec(expressions(), EACH)) {
        let naive = Naive::new(all.clone());
        toy::ask(all, |graph| {
            let universe = ["//...".to_owned()];
            for expression in &expressions {
                let parsed = parse::parse(&expression.to_string()).unwrap();
                let options = Options { universe: &universe, ..Options::default() };
                let found = eval::evaluate(&parsed, graph, options).map(|answer| answer.found);
                let meant = naive.eval(expression, &[]);
                let shown = found.as_ref().map_err(|_| ()).map(|found| named(graph, found.targets.iter()).into_iter().collect());
                prop_assert_eq!(shown, meant, "{}", expression);
                if let (Ok(Found { path: Some(path), .. }), Node::Call { arguments, .. }) = (&found, &expression.node) {
                    let [Argument::Expr(starts), Argument::Expr(ends)] = &arguments[..] else { continue };
                    let (starts, ends) = (naive.eval(starts, &[]).unwrap(), naive.eval(ends, &[]).unwrap());
                    prop_assert_eq!(named(graph, path.iter().copied()), naive.somepath(&starts, &ends), "{}", expression);
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn what_is_shown_of_a_tree_reads_as_that_tree(expression in expressions()) {
        prop_assert_eq!(bare(&parse::parse(&expression.to_string()).unwrap()), expression);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[ a-c/:$()'\"+=^,-]{0,30}|[a-zé(),+ ]{0,20}|(let|in|set|deps|kind|[a(),$= ]){0,12}") {
        match parse::parse(&text) {
            Ok(expression) => prop_assert_eq!(bare(&parse::parse(&expression.to_string()).unwrap()), bare(&expression)),
            Err(error) => _ = error.render(&text, false),
        }
    }
}
