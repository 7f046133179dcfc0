//! Tokens → an expression. The grammar, Bazel's:
//!
//! ```text
//! expr    ::= primary ( op primary )*              all operators equal in precedence, left to right
//! op      ::= intersect | ^ | union | + | except | -
//! primary ::= WORD | $NAME | let NAME = expr in expr | ( expr ) | set ( WORD* ) | NAME ( arg (, arg)* )
//! ```
//! The body of `let` goes on as far as it can. What an argument is (expr, word, number) is the function's to say.

use std::ops::Range;

use super::ast::{Argument, Expr, Node, Operator, Word};
use super::error::{ErrorKind, QueryError, shortened};
use super::functions::{self, FUNCTIONS, Parameter, Signature};
use super::lexer::{self, Token, TokenKind};
use crate::diagnostic::nearest;

/// How deep parentheses, calls and lets may stand within each other: more is no query that a person wrote.
const MAX_DEPTH: usize = 200;

/// Parses a whole query.
pub fn parse(text: &str) -> Result<Expr, QueryError> {
    let mut parser = Parser { text, tokens: &lexer::tokens(text)?, depth: 0 };
    let expr = parser.expr()?;
    match parser.tokens.first() {
        None => Ok(expr),
        Some(token) => {
            let [after, found] = [&expr.span, &token.span].map(|span| shortened(&text[span.clone()]));
            let message = format!("unexpected token '{found}' after query expression '{after}'");
            Err(QueryError::syntax(message, token.span.clone()))
        }
    }
}

struct Parser<'t> {
    text: &'t str,
    /// What is still to be read.
    tokens: &'t [Token],
    depth: usize,
}

type Parsed<T> = Result<T, QueryError>;

impl<'t> Parser<'t> {
    fn expr(&mut self) -> Parsed<Expr> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(QueryError::syntax("the query is nested too deeply", self.here()));
        }
        let first = self.primary()?;
        let mut rest = Vec::new();
        while let Some(operator) = self.operator() {
            rest.push((operator, self.primary()?));
        }
        self.depth -= 1;
        let Some((_, last)) = rest.last() else { return Ok(first) };
        let span = first.span.start..last.span.end;
        Ok(Expr { span, node: Node::Operations(Box::new(first), rest) })
    }

    fn operator(&mut self) -> Option<Operator> {
        let operator = match &self.tokens.first()?.kind {
            TokenKind::Symbol('+') | TokenKind::Keyword("union") => Operator::Union,
            TokenKind::Symbol('-') | TokenKind::Keyword("except") => Operator::Except,
            TokenKind::Symbol('^') | TokenKind::Keyword("intersect") => Operator::Intersect,
            _ => return None,
        };
        self.tokens = &self.tokens[1..];
        Some(operator)
    }

    fn primary(&mut self) -> Parsed<Expr> {
        let start = self.here().start;
        let node = match self.tokens.first().map(|token| &token.kind) {
            Some(TokenKind::Symbol('(')) => return self.parenthesised(),
            Some(TokenKind::Keyword("let")) => self.binding()?,
            Some(TokenKind::Keyword("set")) => self.set()?,
            Some(TokenKind::Word(_)) => {
                let word = self.word()?;
                if self.is_at('(') { self.call(word)? } else { literal(word)? }
            }
            _ => return Err(self.unexpected()),
        };
        Ok(Expr { span: start..self.end(), node })
    }

    fn parenthesised(&mut self) -> Parsed<Expr> {
        let start = self.here().start;
        self.symbol('(')?;
        let inner = self.expr()?;
        self.symbol(')')?;
        Ok(Expr { span: start..self.end(), node: inner.node })
    }

    fn binding(&mut self) -> Parsed<Node> {
        self.keyword("let")?;
        let name = self.word()?;
        if !is_variable_name(&name.text) {
            return Err(QueryError::syntax(
                format!("invalid variable name '{}' in let expression", shortened(&name.text)),
                name.span,
            ));
        }
        self.symbol('=')?;
        let value = Box::new(self.expr()?);
        self.keyword("in")?;
        Ok(Node::Let { name: name.text, value, body: Box::new(self.expr()?) })
    }

    fn set(&mut self) -> Parsed<Node> {
        self.keyword("set")?;
        self.symbol('(')?;
        let mut words = Vec::new();
        while !self.is_at(')') {
            let word = self.word()?;
            check_pattern(&word)?;
            words.push(word);
        }
        self.symbol(')')?;
        Ok(Node::Set(words))
    }

    fn call(&mut self, name: Word) -> Parsed<Node> {
        let function = functions::find(&name.text).ok_or_else(|| unknown_function(&name))?;
        self.symbol('(')?;
        let mut arguments = Vec::new();
        for (at, parameter) in function.parameters.iter().enumerate() {
            if at >= function.mandatory && self.is_at(')') {
                break;
            }
            if at > 0 {
                self.symbol(',').map_err(|error| usage(error, function))?;
            }
            arguments.push(self.argument(*parameter, function).map_err(|error| usage(error, function))?);
        }
        self.symbol(')').map_err(|error| usage(error, function))?;
        Ok(Node::Call { name, arguments })
    }

    fn argument(&mut self, parameter: Parameter, function: &Signature) -> Parsed<Argument> {
        match parameter {
            Parameter::Expr => self.expr().map(Argument::Expr),
            Parameter::Word => self.word().map(Argument::Word),
            Parameter::Pattern => {
                let word = self.word()?;
                functions::compile(function.name, &word.text, word.span.clone())?;
                Ok(Argument::Word(word))
            }
            Parameter::Number => {
                let word = self.word()?;
                let text = shortened(&word.text);
                let wrong = |_| QueryError::syntax(format!("expected an integer literal: '{text}'"), word.span);
                word.text.parse().map(Argument::Number).map_err(wrong)
            }
        }
    }

    fn word(&mut self) -> Parsed<Word> {
        match self.tokens.split_first() {
            Some((Token { span, kind: TokenKind::Word(text) }, rest)) => {
                self.tokens = rest;
                Ok(Word { span: span.clone(), text: text.clone() })
            }
            _ => Err(self.unexpected()),
        }
    }

    fn symbol(&mut self, symbol: char) -> Parsed<()> {
        self.expect(&TokenKind::Symbol(symbol))
    }

    fn keyword(&mut self, keyword: &'static str) -> Parsed<()> {
        self.expect(&TokenKind::Keyword(keyword))
    }

    fn expect(&mut self, kind: &TokenKind) -> Parsed<()> {
        match self.tokens.split_first() {
            Some((token, rest)) if token.kind == *kind => {
                self.tokens = rest;
                Ok(())
            }
            _ => Err(self.unexpected()),
        }
    }

    fn is_at(&self, symbol: char) -> bool {
        self.tokens.first().is_some_and(|token| token.kind == TokenKind::Symbol(symbol))
    }

    /// The place of the next token; the query's end where there is none.
    fn here(&self) -> Range<usize> {
        self.tokens.first().map_or(self.text.len()..self.text.len(), |token| token.span.clone())
    }

    /// The end of what was read last.
    fn end(&self) -> usize {
        self.text[..self.here().start].trim_end().len()
    }

    fn unexpected(&self) -> QueryError {
        let tokens = self.tokens.iter().take(3);
        let shown: Vec<_> = tokens.map(|token| shortened(&self.text[token.span.clone()])).collect();
        if shown.is_empty() {
            return QueryError::syntax("premature end of input", self.here());
        }
        QueryError::syntax(format!("syntax error at '{}'", shown.join(" ")), self.here())
    }
}

fn literal(word: Word) -> Parsed<Node> {
    if let Some(name) = word.text.strip_prefix('$') {
        return Ok(Node::Variable(name.to_owned()));
    }
    check_pattern(&word)?;
    Ok(Node::Pattern(word.text))
}

/// More than a path may have is no target that anybody named.
const LONGEST: usize = 4096;

/// A target literal must not look like an operator or a lone wildcard.
fn check_pattern(word: &Word) -> Parsed<()> {
    if word.text.len() > LONGEST {
        let message = format!("target literal must not be longer than {LONGEST} bytes: {}", shortened(&word.text));
        return Err(QueryError::syntax(message, word.span.clone()));
    }
    match word.text.chars().next() {
        Some(first @ ('-' | '*')) => {
            let message = format!("target literal must not begin with ({first}): {}", shortened(&word.text));
            Err(QueryError::syntax(message, word.span.clone()))
        }
        Some(_) => Ok(()),
        None => Err(QueryError::syntax("target literal must not be empty", word.span.clone())),
    }
}

fn is_variable_name(text: &str) -> bool {
    let first = text.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    first && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn unknown_function(name: &Word) -> QueryError {
    let names: Vec<&str> = FUNCTIONS.iter().map(|function| function.name).collect();
    let help = match nearest(&name.text, names.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("expected one of {}", names.join(", ")),
    };
    QueryError::syntax(format!("unknown function '{}'", shortened(&name.text)), name.span.clone()).help(Some(help))
}

/// Adds how the function is called; an argument's own call has said its part already, and of a regular expression it is
/// not the matter.
fn usage(error: QueryError, function: &Signature) -> QueryError {
    if error.help.is_some() || error.kind == ErrorKind::Evaluation {
        error
    } else {
        error.help(Some(format!("it is called as {}", function.usage())))
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Add;

    use super::*;

    /// The tree with all its parentheses.
    fn tree(expr: &Expr) -> String {
        match &expr.node {
            Node::Pattern(text) => text.clone(),
            Node::Variable(name) => format!("${name}"),
            Node::Set(words) => format!("{{{}}}", words.iter().map(|w| w.text.as_str()).collect::<Vec<_>>().join(" ")),
            Node::Operations(first, rest) => rest
                .iter()
                .fold(tree(first), |left, (operator, right)| format!("({left} {operator:?} {})", tree(right))),
            Node::Let { name, value, body } => format!("[{name}={}: {}]", tree(value), tree(body)),
            Node::Call { name, arguments } => {
                let shown = arguments.iter().map(|argument| match argument {
                    Argument::Expr(expr) => tree(expr),
                    Argument::Word(word) => word.text.clone(),
                    Argument::Number(number) => number.to_string(),
                });
                format!("{}({})", name.text, shown.collect::<Vec<_>>().join(","))
            }
        }
    }

    fn parsed(text: &str) -> String {
        tree(&parse(text).unwrap())
    }

    fn refused(text: &str) -> String {
        parse(text).unwrap_err().message
    }

    #[test]
    fn operators_are_equal_and_go_left_to_right() {
        assert_eq!(parsed("a + b ^ c - d"), "(((a Union b) Intersect c) Except d)");
        assert_eq!(parsed("a union (b intersect c) except d"), "((a Union (b Intersect c)) Except d)");
    }

    #[test]
    fn the_body_of_let_goes_on_as_far_as_it_can() {
        assert_eq!(parsed("let v = //a in $v + b ^ c"), "[v=//a: (($v Union b) Intersect c)]");
        assert_eq!(parsed("(let v = a in $v) + b"), "([v=a: $v] Union b)");
    }

    #[test]
    fn calls_take_what_their_function_says() {
        assert_eq!(
            parsed("deps(//a:b, 2) + rdeps(//..., deps(set(x y)))"),
            "(deps(//a:b,2) Union rdeps(//...,deps({x y})))"
        );
        assert_eq!(parsed("'set' + set()"), "(set Union {})");
    }

    #[test]
    fn what_is_no_query_is_refused_in_bazels_words() {
        assert_eq!(refused("a +"), "premature end of input");
        assert_eq!(refused(""), "premature end of input");
        assert_eq!(refused("deps(a b c d)"), "syntax error at 'b c d'");
        assert_eq!(refused("deps()"), "syntax error at ')'");
        assert_eq!(refused("a b"), "unexpected token 'b' after query expression 'a'");
        assert_eq!(refused("deps(a, x)"), "expected an integer literal: 'x'");
        assert_eq!(refused("set(a, b)"), "syntax error at ', b )'");
        assert_eq!(refused("'-x'"), "target literal must not begin with (-): -x");
        assert_eq!(refused("let 1 = a in b"), "invalid variable name '1' in let expression");
    }

    #[test]
    fn no_depth_or_length_exhausts_the_stack() {
        assert_eq!(refused(&"(".repeat(100_000)), "the query is nested too deeply");
        parse(&"a+".repeat(100_000).add("a")).unwrap();
        assert_eq!(parsed(&format!("{}a{}", "(".repeat(150), ")".repeat(150))), "a");
    }

    #[test]
    fn an_unknown_function_is_underlined_with_what_was_meant() {
        let text = "//a + dpes(//b)";
        insta::assert_snapshot!(parse(text).unwrap_err().render(text, false), @r"
        error: unknown function 'dpes'
         --> query:1:7
          |
        1 | //a + dpes(//b)
          |       ^^^^
          |
          = help: did you mean `deps`?
        ");
    }

    #[test]
    fn a_span_covers_the_text_of_its_expression() {
        let text = " deps( //a )  + (b) ";
        let expr = parse(text).unwrap();
        assert_eq!(&text[expr.span], "deps( //a )  + (b)");
    }
}
