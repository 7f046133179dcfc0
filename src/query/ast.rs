//! Expressions as trees, each node with the place of its text. Shown, one is a query again that reads as the same tree.

use std::fmt;
use std::ops::Range;

use super::lexer;

/// An expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expr {
    /// The bytes of the query that it was read from.
    pub span: Range<usize>,
    /// What it is.
    pub node: Node,
}

/// What an expression is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A label or target pattern.
    Pattern(String),
    /// `$name`: what `let` bound; the name is without the dollar.
    Variable(String),
    /// `set(a b c)`: the union of target patterns.
    Set(Vec<Word>),
    /// `first op second op third …`, left to right. Flat, so that no length of it can exhaust a stack.
    Operations(Box<Expr>, Vec<(Operator, Expr)>),
    /// `let name = value in body`.
    Let {
        /// Without a dollar.
        name: String,
        /// What it stands for.
        value: Box<Expr>,
        /// Where it may be used.
        body: Box<Expr>,
    },
    /// `name(arguments)`.
    Call {
        /// The function's name.
        name: Word,
        /// What it is given.
        arguments: Vec<Argument>,
    },
}

/// A word and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The bytes of the query; with quotes where it has them.
    pub span: Range<usize>,
    /// Without quotes.
    pub text: String,
}

/// An operator between two sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `union`, `+`.
    Union,
    /// `except`, `-`.
    Except,
    /// `intersect`, `^`.
    Intersect,
}

/// What a function is given at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// Targets.
    Expr(Expr),
    /// Text, such as a regular expression.
    Word(Word),
    /// A whole number.
    Number(usize),
}

impl Expr {
    /// Whether a function is called anywhere in it.
    pub fn calls(&self, function: &str) -> bool {
        match &self.node {
            Node::Pattern(_) | Node::Variable(_) | Node::Set(_) => false,
            Node::Operations(first, rest) => {
                first.calls(function) || rest.iter().any(|(_, operand)| operand.calls(function))
            }
            Node::Let { value, body, .. } => value.calls(function) || body.calls(function),
            Node::Call { name, arguments } => {
                let inner = |argument: &Argument| matches!(argument, Argument::Expr(expr) if expr.calls(function));
                name.text == function || arguments.iter().any(inner)
            }
        }
    }

    /// Every label and target pattern in the expression: what has to be known before it can be evaluated.
    pub fn patterns(&self) -> Vec<&str> {
        let mut found = Vec::new();
        // The parser bounds the depth.
        self.collect(&mut found);
        found
    }

    fn collect<'a>(&'a self, found: &mut Vec<&'a str>) {
        match &self.node {
            Node::Pattern(text) => found.push(text),
            Node::Variable(_) => {}
            Node::Set(words) => found.extend(words.iter().map(|word| word.text.as_str())),
            Node::Operations(first, rest) => {
                first.collect(found);
                rest.iter().for_each(|(_, operand)| operand.collect(found));
            }
            Node::Let { value, body, .. } => {
                value.collect(found);
                body.collect(found);
            }
            Node::Call { arguments, .. } => arguments.iter().for_each(|argument| {
                if let Argument::Expr(expression) = argument {
                    expression.collect(found);
                }
            }),
        }
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.node {
            Node::Pattern(text) => quoted(text, f),
            Node::Variable(name) => quoted(&format!("${name}"), f),
            Node::Set(words) => {
                f.write_str("set(")?;
                for (at, word) in words.iter().enumerate() {
                    f.write_str(if at > 0 { " " } else { "" })?;
                    quoted(&word.text, f)?;
                }
                f.write_str(")")
            }
            Node::Operations(first, rest) => {
                operand(first, f)?;
                rest.iter().try_for_each(|(operator, right)| {
                    write!(f, " {operator} ")?;
                    operand(right, f)
                })
            }
            Node::Let { name, value, body } => write!(f, "let {name} = {value} in {body}"),
            Node::Call { name, arguments } => {
                write!(f, "{}(", name.text)?;
                for (at, argument) in arguments.iter().enumerate() {
                    f.write_str(if at > 0 { ", " } else { "" })?;
                    write!(f, "{argument}")?;
                }
                f.write_str(")")
            }
        }
    }
}

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Argument::Expr(expr) => write!(f, "{expr}"),
            Argument::Word(word) => quoted(&word.text, f),
            Argument::Number(number) => write!(f, "{number}"),
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Operator::Union => "+",
            Operator::Except => "-",
            Operator::Intersect => "^",
        })
    }
}

/// In parentheses where it would else be read as another tree.
fn operand(expr: &Expr, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match expr.node {
        Node::Operations(..) | Node::Let { .. } => write!(f, "({expr})"),
        _ => write!(f, "{expr}"),
    }
}

/// A word, in quotes where it needs them; no word holds both kinds of them.
fn quoted(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match text {
        text if lexer::is_plain(text) => f.write_str(text),
        text if text.contains('\'') => write!(f, "\"{text}\""),
        text => write!(f, "'{text}'"),
    }
}
