//! What commands print: line by line, secrets blotted out, the last lines kept.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};

/// So many lines are kept for an error.
const KEPT: usize = 20;
/// A longer line is told in pieces (bytes).
const LONGEST: u64 = 16 << 10;
/// Shorter pieces of a secret are not looked for: they are everywhere.
const SHORTEST: usize = 4;

/// Reads to the end. `told` gets each line; the last ones are the result.
pub(super) fn follow(from: impl Read, secrets: &[String], told: &dyn Fn(&str)) -> Vec<String> {
    let mut from = BufReader::new(from);
    let mut kept = VecDeque::new();
    let mut line = Vec::new();
    while matches!(from.by_ref().take(LONGEST).read_until(b'\n', &mut line), Ok(1..)) {
        let text = blotted(String::from_utf8_lossy(&line).trim_end(), secrets);
        told(&text);
        kept.push_back(text);
        if kept.len() > KEPT {
            kept.pop_front();
        }
        line.clear();
    }
    kept.into()
}

/// The lines of secrets, as they would be printed.
pub(super) fn lines<'a>(secrets: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
    let texts = secrets.map(|secret| String::from_utf8_lossy(secret).into_owned());
    let mut lines: Vec<String> = texts
        .flat_map(|text| text.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>())
        .filter(|line| line.len() >= SHORTEST)
        .collect();
    // A longer one first: it may contain a shorter one.
    lines.sort_by_key(|line| std::cmp::Reverse(line.len()));
    lines
}

fn blotted(line: &str, secrets: &[String]) -> String {
    secrets.iter().fold(line.to_owned(), |line, secret| line.replace(secret.as_str(), "***"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_and_the_last_ones_kept() {
        let text: String = (0..30).map(|number| format!("line {number}\n")).collect();
        let told = std::cell::RefCell::new(0);
        let kept = follow(text.as_bytes(), &[], &|_| *told.borrow_mut() += 1);
        assert_eq!((kept.len(), &*kept[0], &*kept[19], told.into_inner()), (KEPT, "line 10", "line 29", 30));
    }

    #[test]
    fn no_line_of_a_secret_is_told() {
        let secrets = lines([&b"hunter2\nsecond line\n"[..], b"abc"].into_iter());
        let kept = follow(&b"a hunter2 b\n\xffsecond line\nabc"[..], &secrets, &|_| {});
        assert_eq!(kept, ["a *** b", "\u{fffd}***", "abc"]);
    }
}
