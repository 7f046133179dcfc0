//! The functions of the language: name, what each takes, and what it gives.
//!
//! The parser reads arguments by [`Signature`]; the evaluator calls [`Signature::apply`] with them evaluated. One file a
//! family.

mod images;
mod matching;
mod members;
mod paths;
mod reach;

use std::ops::Range;

use regex::{Regex, RegexBuilder};

use super::error::QueryError;
use super::graph::QueryGraph;
use super::set::{Found, TargetSet};

/// What a function takes at one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameter {
    /// An expression.
    Expr,
    /// A word as it stands, such as an attribute's name.
    Word,
    /// A regular expression.
    Pattern,
    /// A whole number, from 0.
    Number,
}

/// An argument, evaluated.
#[derive(Debug, Clone)]
pub enum Given {
    /// Of [`Parameter::Expr`].
    Targets(TargetSet),
    /// Of [`Parameter::Word`].
    Word(String),
    /// Of [`Parameter::Pattern`].
    Pattern(Regex),
    /// Of [`Parameter::Number`].
    Number(usize),
}

/// A call, its arguments evaluated: at least the mandatory ones, each of its parameter's kind.
pub struct Call<'a> {
    /// What is asked.
    pub graph: &'a dyn QueryGraph,
    /// The arguments.
    pub given: Vec<Given>,
    /// The call's place in the query.
    pub span: Range<usize>,
    /// What `allrdeps` looks in.
    pub universe: Option<TargetSet>,
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
    /// What source files mean to it.
    pub files: Files,
    /// What it gives.
    pub apply: fn(&Call<'_>) -> Result<Found, QueryError>,
}

/// What source files mean to a function, so that they need not be looked for where they change nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Files {
    /// Its result may hold files that nothing given to it holds.
    Gives,
    /// Its result holds of the last expression what fits, each judged by itself.
    Picks,
    /// Targets of its result may be there for the sake of files.
    Follows,
    /// Its result holds targets alone, each for the sake of targets.
    Drops,
}

use Parameter::{Expr, Number, Pattern, Word};

impl Signature {
    /// How it is called: `deps(expr[, number])`.
    pub fn usage(&self) -> String {
        let shown = self.parameters.iter().enumerate().map(|(at, parameter)| {
            let separator = if at > 0 { ", " } else { "" };
            let word = match parameter {
                Expr => "expr",
                Word => "word",
                Pattern => "regex",
                Number => "number",
            };
            if at < self.mandatory { format!("{separator}{word}") } else { format!("[{separator}{word}]") }
        });
        format!("{}({})", self.name, shown.collect::<String>())
    }
}

const fn function(
    name: &'static str,
    parameters: &'static [Parameter],
    mandatory: usize,
    files: Files,
    apply: fn(&Call<'_>) -> Result<Found, QueryError>,
) -> Signature {
    Signature { name, parameters, mandatory, files, apply }
}

/// The one whose universe is not among its arguments.
pub const ALLRDEPS: &str = "allrdeps";

/// Every function.
pub const FUNCTIONS: &[Signature] = &[
    function("deps", &[Expr, Number], 1, Files::Gives, reach::deps),
    function("rdeps", &[Expr, Expr, Number], 2, Files::Follows, reach::rdeps),
    function(ALLRDEPS, &[Expr, Number], 1, Files::Follows, reach::allrdeps),
    function("same_pkg_direct_rdeps", &[Expr], 1, Files::Follows, reach::same_package),
    function("somepath", &[Expr, Expr], 2, Files::Follows, paths::somepath),
    function("allpaths", &[Expr, Expr], 2, Files::Follows, paths::allpaths),
    function("siblings", &[Expr], 1, Files::Gives, members::siblings),
    function("some", &[Expr, Number], 1, Files::Follows, members::some),
    function("labels", &[Word, Expr], 2, Files::Gives, members::labels),
    function("buildfiles", &[Expr], 1, Files::Gives, members::buildfiles),
    function("tests", &[Expr], 1, Files::Drops, members::tests),
    function("executables", &[Expr], 1, Files::Drops, members::executables),
    function("kind", &[Pattern, Expr], 2, Files::Picks, matching::kind),
    function("filter", &[Pattern, Expr], 2, Files::Picks, matching::filter),
    function("attr", &[Word, Pattern, Expr], 3, Files::Drops, matching::attr),
    function("images", &[Expr], 1, Files::Drops, images::images),
    function("layers", &[Expr], 1, Files::Drops, images::layers),
    function("base", &[Expr], 1, Files::Drops, images::base),
    function("bases", &[Expr], 1, Files::Drops, images::bases),
    function("published", &[Expr], 1, Files::Drops, images::published),
    function("requires", &[Word, Expr], 2, Files::Drops, images::requires),
];

/// The function of a name.
pub fn find(name: &str) -> Option<&'static Signature> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// A regular expression, bounded in size: whatever it is, looking for it takes time linear in the text.
pub fn compile(function: &str, pattern: &str, span: Range<usize>) -> Result<Regex, QueryError> {
    RegexBuilder::new(pattern).size_limit(1 << 18).nest_limit(50).build().map_err(|error| {
        let why = error.to_string();
        let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ").trim_end_matches('.').to_owned();
        let shown = super::error::shortened(pattern);
        QueryError::evaluation(format!("illegal '{function}' pattern regexp '{shown}': {why}"), span)
    })
}

impl Call<'_> {
    /// The targets given at a place; none where that is another kind of argument.
    fn targets(&self, at: usize) -> &TargetSet {
        const NONE: &TargetSet = &TargetSet::new();
        match self.given.get(at) {
            Some(Given::Targets(targets)) => targets,
            _ => NONE,
        }
    }

    /// The word given at a place.
    fn word(&self, at: usize) -> &str {
        match self.given.get(at) {
            Some(Given::Word(word)) => word,
            _ => "",
        }
    }

    /// The number given at a place; where it is left out, there is no limit.
    fn number(&self, at: usize) -> Option<usize> {
        match self.given.get(at) {
            Some(Given::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// Whether the regular expression given at a place matches anywhere in a text.
    fn matches(&self, at: usize, text: &str) -> bool {
        matches!(self.given.get(at), Some(Given::Pattern(pattern)) if pattern.is_match(text))
    }
}
