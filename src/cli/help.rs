//! `help`: more of a verb, the rules that there are, or one rule.
//!
//! What `--help` says too is `parse`'s matter; this knows the rules, those of the workspace around the current folder too.

use std::io::Write;

use super::context::Context;
use super::error::CliError;
use super::{help_rule, known_rules};
use crate::diagnostic::nearest;
use crate::rules;
use crate::workspace::template::{Known, Which};

/// Say more of a verb; `help rules` lists the rules, `help rule NAME` describes one, the workspace's own too
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// A verb, `rules`, or `rule` and a name; none: all verbs
    #[arg(value_name = "WORD")]
    pub words: Vec<String>,
}

impl Args {
    /// Whether rules are asked for and not verbs.
    pub fn is_of_rules(&self) -> bool {
        self.words.first().is_some_and(|word| matches!(word.as_str(), "rules" | "rule"))
    }
}

/// Tells what was asked for.
pub fn run(args: &Args, cx: &mut Context) -> Result<(), CliError> {
    let own = known_rules::own(cx)?;
    let schemas = rules::schemas();
    let known = Known { schemas: &schemas, rules: &own.rules };
    let words: Vec<&str> = args.words.iter().map(String::as_str).collect();
    let text = match words[..] {
        ["rules"] => list(known),
        ["rule", name] => help_rule::describe(known.rule(name).ok_or_else(|| unknown(name, known))?, &own.sources),
        _ => return Err(CliError::usage("`help rule` takes the name of one rule").hint("`help rules` lists them")),
    };
    Ok(cx.out.write_all(text.as_bytes())?)
}

fn unknown(name: &str, known: Known<'_>) -> CliError {
    let error = CliError::usage(format!("there is no rule `{name}`"));
    match nearest(name, known.names()) {
        Some(meant) => error.hint(format!("did you mean `{meant}`?")),
        None => error.hint("`layerbuild help rules` lists them"),
    }
}

/// A line a rule.
fn list(known: Known<'_>) -> String {
    let rules: Vec<Which<'_>> = known.names().into_iter().filter_map(|name| known.rule(name)).collect();
    let width = rules.iter().map(|rule| rule.name().len()).max().unwrap_or_default();
    let lines = |own: bool| -> String {
        let rules = rules.iter().filter(|rule| matches!(rule, Which::Own(_)) == own);
        rules.map(|rule| format!("  {:width$}  {}\n", rule.name(), first_sentence(rule.doc()))).collect()
    };
    let own = match lines(true) {
        own if own.is_empty() => own,
        own => format!("\nThis workspace's own:\n{own}"),
    };
    format!("Built in:\n{}{own}\n`layerbuild help rule NAME` says more of one.\n", lines(false))
}

fn first_sentence(doc: &str) -> String {
    let end = doc.find(". ").map_or(doc.len(), |at| at + 1);
    doc[..end].split_whitespace().collect::<Vec<_>>().join(" ")
}
