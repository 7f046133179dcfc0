//! Expressions as trees, each node with the place of its text.

use std::ops::Range;

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
