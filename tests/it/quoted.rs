//! What the pages for users quote of this repository's workspace: each answer is what the program gives today.
//! `UPDATE_CASES=1` writes what it gives into the pages.

use std::fs;
use std::path::{Path, PathBuf};

use crate::space::Space;

/// Verbs that answer from `layers.toml` files alone.
const VERBS: [&str; 2] = ["diagram", "query"];
/// The pages that speak of the reference platform.
const PAGES: [&str; 3] = ["README.md", "docs/diagram.md", "docs/query.md"];

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// What a quoted command prints; `None` for one that does something else than to answer.
fn answer(line: &str) -> Option<String> {
    let words = shell_words(line.strip_prefix("$ layerbuild ")?)?;
    words.iter().find(|word| VERBS.contains(&word.as_str()))?;
    let space = Space::empty();
    let given = ["-C".to_owned(), env!("CARGO_MANIFEST_DIR").to_owned()].into_iter().chain(words);
    let mut command = space.command(crate::space::PROGRAM);
    let ran = space.output(command.args(given).env("COLUMNS", "80"));
    assert_eq!(ran.code, 0, "{line}: {}", ran.stderr);
    Some(ran.stdout)
}

/// The words of a line; `None` where a shell would do more than to call the program.
fn shell_words(line: &str) -> Option<Vec<String>> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for letter in line.chars() {
        match letter {
            '\'' => quoted = !quoted,
            '>' | '|' | '#' if !quoted => return None,
            ' ' if !quoted => words.push(String::new()),
            letter => words.last_mut().into_iter().for_each(|word| word.push(letter)),
        }
    }
    Some(words)
}

/// A page with every answer as it is today, and how many there are. An answer ends at the next command or at the end of the
/// block.
fn answered(page: &str) -> (String, usize) {
    let (mut out, mut count, mut replaced) = (String::new(), 0, false);
    for line in page.lines() {
        let ends = line.starts_with("$ ") || line.starts_with("```");
        if ends || !replaced {
            out += &format!("{line}\n");
        }
        replaced = replaced && !ends;
        if let Some(answer) = answer(line) {
            (replaced, count) = (true, count + 1);
            out += &answer;
        }
    }
    (out, count)
}

#[test]
fn what_the_pages_quote_is_what_the_program_answers() {
    let mut count = 0;
    for page in PAGES {
        let text = fs::read_to_string(repository(page)).expect("a page");
        let (today, answers) = answered(&text);
        if std::env::var_os("UPDATE_CASES").is_some() {
            fs::write(repository(page), &today).expect("a page that can be written");
        } else {
            assert_same(page, &text, &today);
        }
        count += answers;
    }
    assert!(count > 15, "{count} answers are quoted");
}

#[test]
fn the_picture_in_the_pages_is_what_the_program_draws() {
    let drawn = answer("$ layerbuild diagram --output=svg").expect("a picture");
    let path = repository("docs/platform.svg");
    if std::env::var_os("UPDATE_CASES").is_some() {
        fs::write(&path, &drawn).expect("a file that can be written");
    }
    assert!(fs::read_to_string(&path).expect("a picture") == drawn, "write it anew: UPDATE_CASES=1");
}

/// Names the first line that differs.
fn assert_same(page: &str, quoted: &str, today: &str) {
    let mut lines = quoted.lines().zip(today.lines()).zip(1..);
    if let Some(((quoted, today), line)) = lines.find(|((quoted, today), _)| quoted != today) {
        panic!("{page}:{line} has\n{quoted}\nand the program says\n{today}");
    }
    assert_eq!(quoted.lines().count(), today.lines().count(), "{page}");
}
