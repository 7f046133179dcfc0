//! What the system says of a failure, in words for a person.
//!
//! Takes an error's text, gives it without Rust's `(os error 2)`. Does not know what was being done: the caller says it.

use std::error::Error;
use std::fmt::Display;

/// An error's words, the number of the system's error left out wherever it stands.
pub fn reason(error: &(impl Display + ?Sized)) -> String {
    const MARK: &str = " (os error ";
    let text = error.to_string();
    let mut parts = text.split(MARK);
    let mut words = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once(')') {
            Some((number, rest)) if number.parse::<i32>().is_ok() => words.push_str(rest),
            _ => words.extend([MARK, part]),
        }
    }
    words
}

/// An error with its causes, each said once.
pub fn chain(error: &dyn Error) -> String {
    let mut text = reason(error);
    let mut source = error.source();
    while let Some(cause) = source {
        let words = reason(cause);
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_system_error_is_left_out_and_nothing_else() {
        assert_eq!(reason(&std::io::Error::from_raw_os_error(2)), "No such file or directory");
        assert_eq!(reason("a (os error 2): b (os error 111)"), "a: b");
        assert_eq!(reason("a (os error x) b (os error 2"), "a (os error x) b (os error 2");
    }
}
