//! What a log says of how a command failed: each mistake, where it is, and what to do; no line of any file.
//!
//! Values of variables and passwords in addresses are blotted out, as in the words of the call.

use super::command_line::{BLOT, without_password};
use super::context::Context;
use super::error::CliError;

/// Of more mistakes only the number is told.
const MOST: usize = 10;
/// A value that is shorter says nothing, and may stand anywhere.
const SHORTEST: usize = 4;
/// Before the place of a mistake.
const PLACE: &str = "--> ";
/// Where lines of a file begin, or could.
const FRAME: &str = "|";
/// Before what to do.
const HELP: &str = "= help: ";

/// An error's text.
pub fn told(error: &CliError, cx: &Context) -> String {
    let values = cx.globals.vars.iter().chain(&cx.globals.vars_of_environment).map(|(_, value)| value.as_str());
    blotted(&text(error), values)
}

fn text(error: &CliError) -> String {
    let mut lines: Vec<String> = error.diagnostics.iter().take(MOST).map(|text| told_of(&plain(text))).collect();
    let more = error.diagnostics.len().saturating_sub(MOST);
    lines.extend((more > 0).then(|| format!("and {more} more")));
    lines.extend((!error.message.is_empty()).then(|| plain(&error.message)));
    lines.join("\n")
}

/// A diagnostic without the lines of files: what is wrong, where, and what to do.
fn told_of(text: &str) -> String {
    let is_frame = |line: &&str| line.trim() == FRAME || line.trim_start().starts_with(PLACE);
    let words = text.lines().take_while(|line| !is_frame(line));
    let place = text.lines().find(|line| line.trim_start().starts_with(PLACE));
    let frame = text.lines().skip_while(|line| !is_frame(line));
    let help = frame.filter(|line| line.trim_start().starts_with(HELP));
    let lines = words.chain(place).chain(help).map(str::trim_end);
    lines.collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

/// Without colours.
fn plain(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
}

fn blotted<'v>(text: &str, values: impl Iterator<Item = &'v str>) -> String {
    let blot = |text: String, value: &str| text.replace(value, BLOT);
    let text = values.filter(|value| value.len() >= SHORTEST).fold(text.to_owned(), blot);
    text.split(' ').map(without_password).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn of_a_mistake_all_is_told_but_colours_and_the_files_lines() {
        let shown = "\u{1b}[1;31merror\u{1b}[0m: milk\n \u{1b}[1m-->\u{1b}[0m p/layers.toml:1:8\n  |\n1 | secret = 1\n  = help: x\n";
        let mut error =
            CliError::diagnosed(Exit::Usage, vec![shown.into(), "error: no\nplace\n |\n = help: y\n".into()]);
        assert_eq!(text(&error), "error: milk\n --> p/layers.toml:1:8\n  = help: x\nerror: no\nplace\n = help: y");
        error.diagnostics = vec!["error: x".into(); MOST + 2];
        error.message = "12 errors".into();
        assert!(text(&error).ends_with("error: x\nand 2 more\n12 errors") && text(&error).lines().count() == MOST + 2);
    }

    #[test]
    fn values_and_passwords_are_blotted_out() {
        let values = ["hunter2", "a"];
        let told = blotted("`/opt/hunter2` is at https://u:hunter2@r.example/a", values.into_iter());
        assert_eq!(told, "`/opt/…` is at https://…@r.example/a");
    }
}
