//! An expression → the targets that it names, asking a graph.
//!
//! Operators and `let` stand here, functions in [`functions`]. Circles in the graph do no harm.

use std::ops::Range;

use super::ast::{Argument, Expr, Node, Operator, Word};
use super::error::QueryError;
use super::functions::{self, ALLRDEPS, Call, Given, Parameter};
use super::graph::{QueryGraph, ResolveError};
use super::set::{Found, TargetSet};
use crate::diagnostic::nearest;

/// What does not stand in the query.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options<'o> {
    /// The patterns that `allrdeps` looks in.
    pub universe: &'o [String],
    /// Takes a pattern that names nothing for an empty one, and tells of it beside the answer.
    pub keep_going: bool,
}

/// What an expression comes to.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The targets, and their order where they are a path.
    pub found: Found,
    /// The patterns that named nothing, where that was let pass.
    pub told: Vec<QueryError>,
}

/// The targets of an expression.
pub fn evaluate(expr: &Expr, graph: &dyn QueryGraph, options: Options<'_>) -> Result<Answer, QueryError> {
    let mut scope = Scope { graph, options, variables: Vec::new(), told: Vec::new() };
    let found = scope.eval(expr)?;
    Ok(Answer { found, told: scope.told })
}

struct Scope<'e> {
    graph: &'e dyn QueryGraph,
    options: Options<'e>,
    /// What `let` has bound, innermost last: a name hides the same name before it.
    variables: Vec<(&'e str, Found)>,
    told: Vec<QueryError>,
}

type Evaluated<T> = Result<T, QueryError>;

impl<'e> Scope<'e> {
    fn eval(&mut self, expr: &'e Expr) -> Evaluated<Found> {
        match &expr.node {
            Node::Pattern(pattern) => Ok(self.resolve(pattern, &expr.span)?.into()),
            Node::Variable(name) => self.variable(name, expr),
            Node::Set(words) => self.set(words),
            Node::Operations(first, rest) => self.operations(first, rest),
            Node::Let { name, value, body } => {
                let value = self.eval(value)?;
                self.variables.push((name, value));
                let result = self.eval(body);
                self.variables.pop();
                result
            }
            Node::Call { name, arguments } => self.call(name, arguments, &expr.span),
        }
    }

    fn resolve(&mut self, pattern: &str, span: &Range<usize>) -> Evaluated<TargetSet> {
        match self.graph.resolve(pattern) {
            Ok(ids) => Ok(ids.into_iter().collect()),
            Err(ResolveError { message, help }) => {
                let error = QueryError::evaluation(message, span.clone()).help(help);
                if !self.options.keep_going {
                    return Err(error);
                }
                self.told.push(error);
                Ok(TargetSet::new())
            }
        }
    }

    fn set(&mut self, words: &[Word]) -> Evaluated<Found> {
        let mut all = TargetSet::new();
        for word in words {
            all.add(&self.resolve(&word.text, &word.span)?);
        }
        Ok(all.into())
    }

    fn variable(&self, name: &str, expr: &Expr) -> Evaluated<Found> {
        let bound = self.variables.iter().rev().find(|(bound, _)| *bound == name);
        bound.map(|(_, found)| found.clone()).ok_or_else(|| {
            let meant = nearest(name, self.variables.iter().map(|(bound, _)| *bound));
            let help = meant.map(|meant| format!("did you mean `${meant}`?"));
            QueryError::evaluation(format!("undefined variable '{name}'"), expr.span.clone()).help(help)
        })
    }

    fn operations(&mut self, first: &'e Expr, rest: &'e [(Operator, Expr)]) -> Evaluated<Found> {
        let mut left = self.eval(first)?.targets;
        for (operator, right) in rest {
            let right = self.eval(right)?.targets;
            match operator {
                Operator::Union => left.add(&right),
                Operator::Except => left = left.difference(&right),
                Operator::Intersect => left = left.intersection(&right),
            }
        }
        Ok(left.into())
    }

    fn call(&mut self, name: &'e Word, arguments: &'e [Argument], span: &Range<usize>) -> Evaluated<Found> {
        let unknown = || QueryError::evaluation(format!("unknown function '{}'", name.text), name.span.clone());
        let function = functions::find(&name.text).ok_or_else(unknown)?;
        let pairs = arguments.iter().zip(function.parameters);
        let given = pairs.map(|(argument, parameter)| self.argument(argument, *parameter, function.name));
        let given = given.collect::<Evaluated<Vec<_>>>()?;
        let universe = if function.name == ALLRDEPS { Some(self.universe(span)?) } else { None };
        (function.apply)(&Call { graph: self.graph, given, span: span.clone(), universe })
    }

    fn universe(&mut self, span: &Range<usize>) -> Evaluated<TargetSet> {
        let mut all = TargetSet::new();
        for pattern in self.options.universe {
            all.add(&self.resolve(pattern, span)?);
        }
        Ok(all)
    }

    fn argument(&mut self, argument: &'e Argument, parameter: Parameter, function: &str) -> Evaluated<Given> {
        Ok(match argument {
            Argument::Expr(expr) => Given::Targets(self.eval(expr)?.targets),
            Argument::Word(word) if parameter == Parameter::Pattern => {
                Given::Pattern(functions::compile(function, &word.text, word.span.clone())?)
            }
            Argument::Word(word) => Given::Word(word.text.clone()),
            Argument::Number(number) => Given::Number(*number),
        })
    }
}
