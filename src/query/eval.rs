//! An expression → the targets that it names, asking a graph.
//!
//! Operators and `let` stand here, functions in [`functions`]. Cycles in the graph do no harm.

use std::ops::Range;

use super::ast::{Argument, Expr, Node, Operator};
use super::error::QueryError;
use super::functions::{self, Given};
use super::graph::{QueryGraph, ResolveError};
use super::set::TargetSet;
use crate::diagnostic::nearest;

/// The targets of an expression.
pub fn evaluate(expr: &Expr, graph: &dyn QueryGraph) -> Result<TargetSet, QueryError> {
    Scope { graph, variables: Vec::new() }.eval(expr)
}

struct Scope<'e> {
    graph: &'e dyn QueryGraph,
    /// What `let` has bound, innermost last: a name hides the same name before it.
    variables: Vec<(&'e str, TargetSet)>,
}

impl<'e> Scope<'e> {
    fn eval(&mut self, expr: &'e Expr) -> Result<TargetSet, QueryError> {
        match &expr.node {
            Node::Pattern(pattern) => self.resolve(pattern, expr.span.clone()),
            Node::Variable(name) => self.variable(name, expr),
            Node::Set(words) => words
                .iter()
                .try_fold(TargetSet::new(), |set, word| Ok(set.union(&self.resolve(&word.text, word.span.clone())?))),
            Node::Operations(first, rest) => self.operations(first, rest),
            Node::Let { name, value, body } => {
                let value = self.eval(value)?;
                self.variables.push((name, value));
                let result = self.eval(body);
                self.variables.pop();
                result
            }
            Node::Call { name, arguments } => {
                let unknown = || QueryError::evaluation(format!("unknown function '{}'", name.text), name.span.clone());
                let function = functions::find(&name.text).ok_or_else(unknown)?;
                let given = arguments.iter().map(|argument| self.argument(argument)).collect::<Result<Vec<_>, _>>()?;
                Ok((function.apply)(&given, self.graph))
            }
        }
    }

    fn resolve(&self, pattern: &str, span: Range<usize>) -> Result<TargetSet, QueryError> {
        let targets = self.graph.resolve(pattern);
        let error = |error: ResolveError| QueryError::evaluation(error.message, span).help(error.help);
        Ok(targets.map_err(error)?.into_iter().collect())
    }

    fn variable(&self, name: &str, expr: &Expr) -> Result<TargetSet, QueryError> {
        let bound = self.variables.iter().rev().find(|(bound, _)| *bound == name);
        bound.map(|(_, targets)| targets.clone()).ok_or_else(|| {
            let meant = nearest(name, self.variables.iter().map(|(bound, _)| *bound));
            let help = meant.map(|meant| format!("did you mean `${meant}`?"));
            QueryError::evaluation(format!("undefined variable '{name}'"), expr.span.clone()).help(help)
        })
    }

    fn operations(&mut self, first: &'e Expr, rest: &'e [(Operator, Expr)]) -> Result<TargetSet, QueryError> {
        let first = self.eval(first)?;
        rest.iter().try_fold(first, |left, (operator, right)| {
            let right = self.eval(right)?;
            Ok(match operator {
                Operator::Union => left.union(&right),
                Operator::Except => left.difference(&right),
                Operator::Intersect => left.intersection(&right),
            })
        })
    }

    fn argument(&mut self, argument: &'e Argument) -> Result<Given, QueryError> {
        Ok(match argument {
            Argument::Expr(expr) => Given::Targets(self.eval(expr)?),
            Argument::Word(word) => Given::Word(word.text.clone()),
            Argument::Number(number) => Given::Number(*number),
        })
    }
}
