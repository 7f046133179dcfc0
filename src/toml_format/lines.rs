//! What a text consists of before it is laid out: lines, whose parts are raw text. Knows no layout.

/// A line of a document, or of an array or inline table that stands over several.
#[derive(Debug)]
pub enum Line<'t> {
    /// One or more empty lines.
    Blank,
    /// A comment on a line of its own.
    Comment(&'t str),
    /// `[a.b]` or `[[a.b]]`.
    Header {
        /// As it is written out.
        text: String,
        /// Behind it.
        comment: Option<Comment<'t>>,
    },
    /// A key's value, or an array's item.
    Entry {
        /// `a."b c"`; `None` for an item.
        key: Option<String>,
        /// What stands there.
        value: Value<'t>,
        /// Behind it.
        comment: Option<Comment<'t>>,
    },
}

/// A comment behind something.
#[derive(Debug, Clone, Copy)]
pub struct Comment<'t> {
    /// With its `#`.
    pub text: &'t str,
    /// Where it stands, in characters from the line's beginning.
    pub column: usize,
}

/// A value.
#[derive(Debug)]
pub enum Value<'t> {
    /// A number, a text with its quotes, …
    Scalar(&'t str),
    /// `[…]`.
    Array(List<'t>),
    /// `{…}`.
    Table(List<'t>),
}

/// What stands between brackets.
#[derive(Debug, Default)]
pub struct List<'t> {
    /// Items, and what stands between them.
    pub lines: Vec<Line<'t>>,
    /// Whether it is written over several lines.
    pub spread: bool,
    /// Whether a comma follows the last item.
    pub comma: bool,
}

impl List<'_> {
    /// Whether there are comments, nested ones left aside.
    pub fn has_comments(&self) -> bool {
        self.lines.iter().any(|line| {
            matches!(
                line,
                Line::Comment(_) | Line::Entry { comment: Some(_), .. } | Line::Header { comment: Some(_), .. }
            )
        })
    }
}

/// All comments, in order.
pub fn comments<'t>(lines: &[Line<'t>]) -> Vec<&'t str> {
    let mut found = Vec::new();
    for line in lines {
        match line {
            Line::Blank => {}
            Line::Comment(text) => found.push(*text),
            Line::Header { comment, .. } => found.extend(comment.map(|comment| comment.text)),
            Line::Entry { value, comment, .. } => {
                if let Value::Array(list) | Value::Table(list) = value {
                    found.extend(comments(&list.lines));
                }
                found.extend(comment.map(|comment| comment.text));
            }
        }
    }
    found
}
