//! The functions of the language: name, what each takes, and what it gives.
//!
//! The parser reads arguments by [`Signature`]; the evaluator calls [`Signature::apply`] with them evaluated.

use super::graph::{Id, QueryGraph};
use super::set::TargetSet;

/// What a function takes at one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameter {
    /// An expression.
    Expr,
    /// A word as it stands, such as a regular expression.
    Word,
    /// A whole number, from 0.
    Number,
}

/// An argument, evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// Of [`Parameter::Expr`].
    Targets(TargetSet),
    /// Of [`Parameter::Word`].
    Word(String),
    /// Of [`Parameter::Number`].
    Number(usize),
}

/// A function.
#[derive(Debug)]
pub struct Signature {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub parameters: &'static [Parameter],
    /// How many of them must be given; the others are optional.
    pub mandatory: usize,
    /// What it gives. Holds at least the mandatory arguments, each of its parameter's kind.
    pub apply: fn(&[Given], &dyn QueryGraph) -> TargetSet,
}

use Parameter::{Expr, Number};

impl Signature {
    /// How it is called: `deps(expr[, number])`.
    pub fn usage(&self) -> String {
        let shown = self.parameters.iter().enumerate().map(|(at, parameter)| {
            let separator = if at > 0 { ", " } else { "" };
            let word = match parameter {
                Expr => "expr",
                Parameter::Word => "word",
                Number => "number",
            };
            if at < self.mandatory { format!("{separator}{word}") } else { format!("[{separator}{word}]") }
        });
        format!("{}({})", self.name, shown.collect::<String>())
    }
}

/// Every function.
pub const FUNCTIONS: &[Signature] = &[
    Signature { name: "deps", parameters: &[Expr, Number], mandatory: 1, apply: deps },
    Signature { name: "rdeps", parameters: &[Expr, Expr, Number], mandatory: 2, apply: rdeps },
];

/// The function of a name.
pub fn find(name: &str) -> Option<&'static Signature> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// `deps(e[,n])`: what `e` needs, directly or not, and `e` itself; at most `n` steps away.
fn deps(given: &[Given], graph: &dyn QueryGraph) -> TargetSet {
    reach(targets(given, 0), steps(given, 1), |id| graph.deps(id), |_| true)
}

/// `rdeps(u, e[,n])`: what needs `e` within all that `u` needs, and `e` itself as far as it is part of that.
fn rdeps(given: &[Given], graph: &dyn QueryGraph) -> TargetSet {
    let universe = reach(targets(given, 0), usize::MAX, |id| graph.deps(id), |_| true);
    let start = targets(given, 1).clone().intersection(&universe);
    reach(&start, steps(given, 2), |id| graph.rdeps(id), |id| universe.contains(id))
}

/// What can be reached in at most so many steps, start included, over targets that `within` admits. Breadth first.
fn reach<'g>(start: &TargetSet, steps: usize, next: impl Fn(Id) -> &'g [Id], within: impl Fn(Id) -> bool) -> TargetSet {
    let mut reached = start.clone();
    let mut border: Vec<Id> = start.iter().collect();
    let mut left = steps;
    while left > 0 && !border.is_empty() {
        let neighbours = border.iter().flat_map(|id| next(*id)).copied();
        border = neighbours.filter(|id| within(*id) && reached.insert(*id)).collect();
        left -= 1;
    }
    reached
}

fn targets(given: &[Given], at: usize) -> &TargetSet {
    const NONE: &TargetSet = &TargetSet::new();
    match given.get(at) {
        Some(Given::Targets(targets)) => targets,
        _ => NONE,
    }
}

/// A number of steps; without one, as many as there are.
fn steps(given: &[Given], at: usize) -> usize {
    match given.get(at) {
        Some(Given::Number(number)) => *number,
        _ => usize::MAX,
    }
}
