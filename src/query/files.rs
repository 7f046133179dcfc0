//! Whether source files change what a query answers: where they don't, nobody need look for them.
//!
//! Errs to the side of yes. What labels name is not known here: one of a file is found out where it is looked up.

use super::ast::{Argument, Expr, Node};
use super::functions::{self, Files};

/// Whether the answer may be another one without files. `shown`: whether files in it are seen at all.
pub fn matter(expr: &Expr, shown: bool) -> bool {
    match &expr.node {
        Node::Pattern(text) => shown && means_files(text),
        Node::Set(words) => shown && words.iter().any(|word| means_files(&word.text)),
        // Seen to where it is bound.
        Node::Variable(_) => false,
        Node::Operations(first, rest) => matter(first, shown) || rest.iter().any(|(_, operand)| matter(operand, shown)),
        Node::Let { value, body, .. } => matter(value, true) || matter(body, shown),
        Node::Call { name, arguments } => {
            let files = functions::find(&name.text).map_or(Files::Follows, |function| function.files);
            let inner = match files {
                Files::Drops => false,
                Files::Picks => shown,
                Files::Gives if shown => return true,
                Files::Gives | Files::Follows => true,
            };
            arguments.iter().any(|argument| matches!(argument, Argument::Expr(expr) if matter(expr, inner)))
        }
    }
}

fn means_files(pattern: &str) -> bool {
    [":*", ":all-targets"].iter().any(|end| pattern.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::parse::parse;

    #[test]
    fn files_matter_where_they_are_seen_or_lead_somewhere() {
        let matter = |text: &str, shown| matter(&parse(text).unwrap(), shown);
        for text in ["//...", "rdeps(//..., //a:b)", "images(deps(//...))", "kind(image, //...)", "//a:b + set(c)"] {
            assert!(!matter(text, true), "{text}");
        }
        for text in
            ["deps(//a)", "//a:*", "kind(image, deps(//a))", "labels(srcs, //a)", "let d = deps(//a) in images($d)"]
        {
            assert!(matter(text, true), "{text}");
        }
        assert!(!matter("deps(//a) + //a:*", false));
        for text in ["rdeps(//..., deps(//a))", "some(deps(//a))", "images(siblings(deps(//a)))"] {
            assert!(matter(text, false), "{text}");
        }
    }
}
