//! What commands print: line by line, secrets blotted out, the last lines kept. A terminal takes any of it: no control
//! characters are left.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read};
use std::process::Command;

use super::error::SandboxError;

/// So many lines are kept for an error.
const KEPT: usize = 20;
/// A longer line is told in pieces (bytes).
const LONGEST: usize = 16 << 10;
/// Shorter pieces of a secret are not looked for: they are everywhere.
const SHORTEST: usize = 4;
/// What stands in a secret's place.
const BLOT: &[u8] = b"***";

/// Both outputs of a command, followed while `run` starts it and waits for its end; what that gave, and the last lines. `run`
/// drops the command once it is started: else its end of the pipe stays open.
pub(super) fn caught<T>(
    mut command: Command,
    secrets: &[Vec<u8>],
    told: &(dyn Fn(&str) + Sync),
    run: impl FnOnce(Command) -> Result<T, SandboxError>,
) -> Result<(T, Vec<String>), SandboxError> {
    let (reader, writer) = io::pipe().map_err(SandboxError::Start)?;
    let copy = writer.try_clone().map_err(SandboxError::Start)?;
    command.stdout(writer).stderr(copy);
    std::thread::scope(|scope| {
        let output = scope.spawn(|| follow(reader, secrets, &|line| told(line)));
        let given = run(command);
        let last_lines = output.join().unwrap_or_default();
        Ok((given?, last_lines))
    })
}

/// Reads to the end. `told` gets each line; the last ones are the result.
pub(super) fn follow(from: impl Read, secrets: &[Vec<u8>], told: &dyn Fn(&str)) -> Vec<String> {
    let mut from = BufReader::new(from);
    let mut kept = VecDeque::new();
    let mut line = Vec::new();
    loop {
        let room = LONGEST.saturating_sub(line.len()).max(1) as u64;
        let read = from.by_ref().take(room).read_until(b'\n', &mut line).unwrap_or_default();
        if read == 0 && line.is_empty() {
            return kept.into();
        }
        let cut = read > 0 && line.last() != Some(&b'\n');
        if cut && line.len() < LONGEST {
            continue; // the last line, without an end
        }
        secrets.iter().for_each(|secret| blot(&mut line, secret));
        // What may go on as a secret waits for the rest of it.
        let rest = if cut { line.split_off(line.len() - begun(&line, secrets)) } else { Vec::new() };
        let text = shown(&line);
        told(&text);
        kept.push_back(text);
        if kept.len() > KEPT {
            kept.pop_front();
        }
        line = rest;
    }
}

/// The lines of secrets, as they would be printed.
pub(super) fn lines<'a>(secrets: impl Iterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let lines = secrets.flat_map(|secret| secret.split(|byte| matches!(byte, b'\n' | b'\r')).map(<[u8]>::trim_ascii));
    let mut lines: Vec<Vec<u8>> = lines.filter(|line| line.len() >= SHORTEST).map(<[u8]>::to_vec).collect();
    // A longer one first: it may contain a shorter one.
    lines.sort_by_key(|line| std::cmp::Reverse(line.len()));
    lines
}

fn blot(line: &mut Vec<u8>, secret: &[u8]) {
    let mut from = 0;
    while let Some(at) = line[from..].windows(secret.len()).position(|part| part == secret) {
        line.splice(from + at..from + at + secret.len(), BLOT.iter().copied());
        from += at + BLOT.len();
    }
}

/// How many bytes at a line's end a secret may begin with.
fn begun(line: &[u8], secrets: &[Vec<u8>]) -> usize {
    let of =
        |secret: &Vec<u8>| (1..secret.len().min(line.len())).rev().find(|length| line.ends_with(&secret[..*length]));
    secrets.iter().filter_map(of).max().unwrap_or_default()
}

/// As a terminal would leave it: of a line that was written over and over the last text, and neither colours nor commands.
fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end().rsplit('\r').next().unwrap_or_default();
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    let text = parts.fold(first, |text, part| {
        let mut rest = part.trim_start_matches(is_parameter).chars();
        rest.next();
        text + rest.as_str()
    });
    text.chars().map(|it| if it.is_control() && it != '\t' { char::REPLACEMENT_CHARACTER } else { it }).collect()
}

/// Of a terminal's command (ECMA-48, 5.4): what stands before its last letter.
fn is_parameter(character: char) -> bool {
    matches!(character, ' '..='?')
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
        assert_eq!(follow(&b"a\n\nno end"[..], &[], &|_| {}), ["a", "", "no end"]);
    }

    #[test]
    fn no_line_of_a_secret_is_told() {
        let secrets = lines([&b"hunter2\nsecond line\n"[..], b"abc", b"\xff\xfebinary"].into_iter());
        let kept = follow(&b"a hunter2 b hunter2\n\xffsecond line\nabc\xff\xfebinary"[..], &secrets, &|_| {});
        assert_eq!(kept, ["a *** b ***", "\u{fffd}***", "abc***"]);
    }

    #[test]
    fn a_secret_is_found_wherever_a_long_line_is_cut() {
        let secrets = lines([&b"correct-horse-battery"[..]].into_iter());
        for before in LONGEST - 30..LONGEST + 3 {
            let line = format!("{}correct-horse-battery{}", "x".repeat(before), "y".repeat(2 * LONGEST));
            let kept = follow(line.as_bytes(), &secrets, &|_| {});
            assert!(kept.len() > 2 && kept.iter().all(|piece| piece.len() <= LONGEST), "{before}");
            let (all, blotted) = (kept.concat(), line.replace("correct-horse-battery", "***"));
            assert_eq!(all.len(), blotted.len(), "{before}");
            assert!(all == blotted, "{before}");
        }
    }

    #[test]
    fn a_terminal_is_neither_commanded_nor_written_over() {
        let kept =
            follow(&b"10%\r20%\r100%\r\n\x1b[1;31mred\x1b[0m\x1b[2K\tend\n\x1b]0;title\x07\0\n"[..], &[], &|_| {});
        assert_eq!(kept, ["100%", "red\tend", "\u{fffd}]0;title\u{fffd}\u{fffd}"]);
    }
}
