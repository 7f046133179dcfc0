//! The text of a query → tokens with their places.
//!
//! Space, tab, newline and carriage return separate. `( ) , + - = ^` are tokens of their own. A word goes on over
//! letters, digits and `* / @ . - _ : $ ~ [ ]`, so `a-b` is one word and ` -b` is minus and `b`; in a word that begins
//! `@@`, over `+` too. Within quotes, single or double, everything is a word; there are no escapes.

use std::ops::Range;

use super::error::QueryError;

/// A token and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The bytes of the query, with quotes.
    pub span: Range<usize>,
    /// What it is.
    pub kind: TokenKind,
}

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenKind {
    /// A word, without its quotes. Keywords that are quoted are words.
    Word(String),
    /// One of [`KEYWORDS`], unquoted.
    Keyword(&'static str),
    /// One of `( ) , + - = ^`.
    Symbol(char),
}

/// Words that mean something else than a target, unless quoted.
pub const KEYWORDS: [&str; 6] = ["except", "in", "intersect", "let", "set", "union"];

/// Splits a query into tokens.
pub fn tokens(text: &str) -> Result<Vec<Token>, QueryError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        if matches!(first, ' ' | '\t' | '\n' | '\r') {
            at += 1;
            continue;
        }
        let token = token(text, at, first)?;
        at = token.span.end;
        tokens.push(token);
    }
    Ok(tokens)
}

fn token(text: &str, at: usize, first: char) -> Result<Token, QueryError> {
    match first {
        '(' | ')' | ',' | '+' | '-' | '=' | '^' => Ok(Token { span: at..at + 1, kind: TokenKind::Symbol(first) }),
        '\'' | '"' => quoted(text, at, first),
        _ => word(text, at, first),
    }
}

fn quoted(text: &str, at: usize, quote: char) -> Result<Token, QueryError> {
    let Some(length) = text[at + 1..].find(quote) else {
        return Err(QueryError::syntax("unclosed quotation", at..text.len()));
    };
    let inner = at + 1..at + 1 + length;
    Ok(Token { span: at..inner.end + 1, kind: TokenKind::Word(text[inner].to_owned()) })
}

fn word(text: &str, at: usize, first: char) -> Result<Token, QueryError> {
    let rest = &text[at..];
    let with_plus = rest.starts_with("@@");
    let length = rest.find(|c| !(in_word(c) || with_plus && c == '+')).unwrap_or(rest.len());
    if length == 0 {
        let span = at..at + first.len_utf8();
        let error = QueryError::syntax(format!("unexpected character {first:?}"), span);
        return Err(error.help(Some("a word with other characters stands in quotes".to_owned())));
    }
    let word = &rest[..length];
    let keyword = KEYWORDS.iter().find(|keyword| **keyword == word);
    let kind = keyword.map_or_else(|| TokenKind::Word(word.to_owned()), |keyword| TokenKind::Keyword(keyword));
    Ok(Token { span: at..at + length, kind })
}

/// Whether a text is one word without quotes. A dash at its beginning would be an operator.
pub fn is_plain(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('-') && text.chars().all(in_word) && !KEYWORDS.contains(&text)
}

fn in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || "*/@.-_:$~[]".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_would_be_read_as_something_else_is_not_plain() {
        assert!(["a", "a-b", "//a:b", "*", "$x"].into_iter().all(is_plain));
        assert!(["", "-a", "a b", "a+b", "let"].into_iter().all(|text| !is_plain(text)));
    }

    fn texts(query: &str) -> Vec<String> {
        let shown = |token: Token| match token.kind {
            TokenKind::Word(word) => word,
            TokenKind::Keyword(word) => word.to_uppercase(),
            TokenKind::Symbol(symbol) => format!("<{symbol}>"),
        };
        tokens(query).unwrap().into_iter().map(shown).collect()
    }

    #[test]
    fn a_minus_within_a_word_belongs_to_it() {
        assert_eq!(texts("//a-b:c -//d"), ["//a-b:c", "<->", "//d"]);
        assert_eq!(texts("a+b"), ["a", "<+>", "b"]);
        assert_eq!(texts("@@a+b//c"), ["@@a+b//c"]);
    }

    #[test]
    fn a_quoted_keyword_is_a_word() {
        assert_eq!(texts("set('set' \"a b\") in"), ["SET", "<(>", "set", "a b", "<)>", "IN"]);
    }

    #[test]
    fn what_is_no_token_is_refused_with_its_place() {
        assert_eq!(tokens("deps('//a").unwrap_err().message, "unclosed quotation");
        let error = tokens("//a:größe").unwrap_err();
        assert_eq!((error.message.as_str(), error.span), ("unexpected character 'ö'", 6..8));
    }
}
