//! Where in a text something of git's will stand: marked while the file is loaded, filled in for the targets that are built.
//!
//! A mark is a field's name between two code points that are no characters, so that no text of a user's is taken for
//! one. Knows nothing of who fills them in.

use super::git::Field;
use super::value::Value;

const OPEN: char = '\u{10FFFE}';
const CLOSE: char = '\u{10FFFF}';

/// The mark of a field.
pub fn mark(field: Field) -> String {
    format!("{OPEN}{}{CLOSE}", field.name())
}

/// Whether a text has a mark.
pub fn is_marked(text: &str) -> bool {
    text.contains(OPEN)
}

/// Whether a value holds a text that has one.
pub fn any(value: &Value) -> bool {
    let mut found = false;
    value.each_text(&mut |text, _| found |= is_marked(text));
    found
}

/// Puts something in the marks' places, where they are a mistake of which more need not be said.
pub fn blank(value: &mut Value) {
    value.each_text_mut(&mut |text, _| *text = sample(text));
}

/// What the text could be, for whoever judges it before git is asked.
pub fn sample(text: &str) -> String {
    fill(text, &mut |_| "0".to_owned())
}

/// The text with each mark replaced.
pub fn fill(text: &str, value: &mut dyn FnMut(Field) -> String) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once(OPEN) {
        let marked = after.split_once(CLOSE).and_then(|(name, after)| Some((Field::parse(name)?, after)));
        out.push_str(before);
        match marked {
            Some((field, after)) => {
                out.push_str(&value(field));
                rest = after;
            }
            None => {
                out.push(OPEN);
                rest = after;
            }
        }
    }
    out + rest
}

/// The text as a user writes it: `${git.revision}`.
pub fn spelled(text: &str) -> String {
    fill(text, &mut |field| format!("${{git.{}}}", field.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_filled_and_all_else_stays() {
        let text = format!("v{}-{}${{git.branch}}", mark(Field::Revision), mark(Field::Dirty));
        assert!(is_marked(&text));
        assert_eq!(fill(&text, &mut |field| field.name().to_uppercase()), "vREVISION-DIRTY${git.branch}");
        assert_eq!(spelled(&text), "v${git.revision}-${git.dirty}${git.branch}");
        let stray = format!("a{OPEN}b");
        assert_eq!(fill(&stray, &mut |_| String::new()), stray);
    }
}
