//! Words of the command line → flags and verb.
//!
//! A call without a verb, `layerbuild //a:b`, is `build`: what its targets are for. Knows nothing of what verbs do.

use std::ffi::{OsStr, OsString};

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};

use super::error::CliError;
use super::global::{ColorChoice, Flags};
use super::{
    build, check, completions, config, diagram, diff, doctor, env, explain, export, help, init, load, lock, ls, patterns,
    promote, push, query, registry, schema, shell, status,
};
use crate::diagnostic::nearest;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "layerbuild", version, about, after_help = AFTER_HELP, max_term_width = 110)]
#[command(arg_required_else_help = true, subcommand_required = true, allow_external_subcommands = true)]
#[command(disable_help_subcommand = true)] // ours knows the rules too
#[command(subcommand_value_name = "VERB", subcommand_help_heading = "Verbs")]
#[command(override_usage = "layerbuild [OPTIONS] VERB …\n       layerbuild [OPTIONS] PATTERN…")]
pub struct Command {
    /// What every verb takes.
    #[command(flatten)]
    pub flags: Flags,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

const AFTER_HELP: &str = "\
A PATTERN without a verb does what its targets are for: layers and images are built, checks are run.
Results go to stdout, all else to stderr.

Exit codes: 0 done, 1 a build action or effect failed, 2 the call or a layers.toml is wrong, 3 a check failed, \
4 a pattern matched nothing, 7 a query could not be evaluated, 8 interrupted, 9 the store is locked, \
36 the environment failed, 37 a bug in layerbuild.";

/// The verbs.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "each verb's documentation is its help text and stands over its arguments")]
pub enum Verb {
    Build(build::Args),
    Check(check::Args),
    Push(push::Args),
    Promote(promote::Args),
    Export(export::Args),
    Load(load::Args),
    Lock(lock::Args),
    Ls(ls::Args),
    Diff(Box<diff::Args>),
    Shell(shell::Args),
    Status(status::Args),
    Env(env::Args),
    Explain(explain::Args),
    Config(config::Args),
    Diagram(diagram::Args),
    Query(query::Args),
    Registry(registry::Args),
    Doctor(doctor::Args),
    Schema(schema::Args),
    Init(init::Args),
    Completions(completions::Args),
    Help(help::Args),
    /// A word that is no verb, and all that follows it.
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

/// Why there is no command: what clap says (help and version are such answers too), or an error of ours.
#[derive(Debug)]
pub enum Refusal {
    /// Help, version, or a wrong call.
    Clap(clap::Error),
    /// Neither a verb nor a label.
    Error(CliError),
}

impl From<clap::Error> for Refusal {
    fn from(error: clap::Error) -> Refusal {
        Refusal::Clap(error)
    }
}

/// All verbs and flags, for whoever describes them.
pub fn definition() -> clap::Command {
    Command::command()
}

/// The command of a line; the program's name stands first.
pub fn command(args: Vec<OsString>) -> Result<Command, Refusal> {
    let (args, bare) = with_verb(patterns::shield(args));
    let command = Command::try_parse_from(&args)?;
    match &command.verb {
        Verb::Other(words) if words.first().is_some_and(|word| patterns::looks_like_pattern(word)) => {
            let (before, from_pattern) = args.split_at(args.len() - words.len());
            let verb = [OsString::from(IMPLIED_VERB)];
            Ok(without_verb(Command::try_parse_from(before.iter().chain(&verb).chain(from_pattern))?))
        }
        Verb::Other(words) => Err(Refusal::Error(unknown_verb(words))),
        Verb::Help(help) if !help.is_of_rules() => Err(help_of_verb(&help.words)),
        _ if bare => Ok(without_verb(command)),
        _ => Ok(command),
    }
}

/// Notes that the verb was not written: then a check that is named is run, with all that `check` says of it.
fn without_verb(mut command: Command) -> Command {
    if let Verb::Build(args) = &mut command.verb {
        args.bare = true;
    }
    command
}

/// What `--help` says of a verb, or of all where none is named.
fn help_of_verb(words: &[String]) -> Refusal {
    let line = std::iter::once("layerbuild").chain(words.iter().map(String::as_str)).chain(["--help"]);
    match Command::try_parse_from(line) {
        Err(help) => Refusal::Clap(help),
        Ok(_) => Refusal::Error(unknown_verb(&words.iter().map(OsString::from).collect::<Vec<_>>())),
    }
}

/// Puts the implied verb before a `--` that no verb stands before: clap allows none there. Tells whether it did.
fn with_verb(mut args: Vec<OsString>) -> (Vec<OsString>, bool) {
    use clap::error::ErrorKind::{DisplayHelpOnMissingArgumentOrSubcommand, MissingSubcommand};
    let Some(dashes) = args.iter().position(|arg| arg == "--") else { return (args, false) };
    let error = Command::try_parse_from(&args[..dashes]).err().map(|error| error.kind());
    let lacks = matches!(error, Some(DisplayHelpOnMissingArgumentOrSubcommand | MissingSubcommand));
    let implied = dashes + 1 < args.len() && lacks;
    if implied {
        args.insert(dashes, IMPLIED_VERB.into());
    }
    (args, implied)
}

/// What layers and images are for.
const IMPLIED_VERB: &str = "build";

/// A word that is neither a verb nor a label, with the verb that it may have been meant to be.
pub fn unknown_verb(words: &[OsString]) -> CliError {
    let written = words.first().map_or("".into(), |word| word.to_string_lossy());
    let clap = Command::command();
    let verbs = clap.get_subcommands().map(clap::Command::get_name);
    let hint = match nearest(&written, verbs) {
        Some(verb) => format!("did you mean `{verb}`?"),
        None => "`layerbuild --help` lists the verbs".to_owned(),
    };
    let error = CliError::usage(format!("`{written}` is neither a verb nor a label")).hint(hint);
    error.hint("a label begins with `//` or `:`")
}

/// What `--color` says, read ahead for the errors of parsing itself.
pub fn color(args: &[OsString]) -> ColorChoice {
    let text = |word: &OsString| word.to_string_lossy().into_owned();
    let joined = args.iter().find_map(|word| text(word).strip_prefix("--color=").map(str::to_owned));
    let after = || args.iter().position(|word| word == OsStr::new("--color")).and_then(|at| args.get(at + 1)).map(text);
    let choice = joined.or_else(after).and_then(|word| ColorChoice::from_str(&word, false).ok());
    choice.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Command {
        let args = std::iter::once("layerbuild").chain(line.split(' ')).map(OsString::from).collect();
        command(args).expect("a command")
    }

    fn built(line: &str) -> Vec<String> {
        match parsed(line).verb {
            Verb::Build(args) => {
                assert_eq!(args.bare, !line.contains("build"), "{line}");
                args.patterns.patterns
            }
            other => panic!("not build: {other:?}"),
        }
    }

    #[test]
    fn the_definition_holds_together() {
        Command::command().debug_assert();
    }

    #[test]
    fn a_bare_label_is_built() {
        assert_eq!(built("//a:b :c"), ["//a:b", ":c"]);
        assert_eq!(built("-C //dir -k a/... --offline -//a/x"), ["a/...", "-//a/x"]);
        assert_eq!(built("-//a"), ["-//a"]);
    }

    #[test]
    fn what_is_taken_away_keeps_its_place_without_a_double_dash() {
        assert_eq!(built("build //a/... -//a/b //a/b/c -v"), ["//a/...", "-//a/b", "//a/b/c"]);
        assert_eq!(built("build -v -- //a/... -//a/b"), ["//a/...", "-//a/b"]);
        assert_eq!(built("-- //a/... -//a/b"), ["//a/...", "-//a/b"]);
        assert_eq!(built("-v --jobs 2 -- //a/... -//a/b"), ["//a/...", "-//a/b"]);
        assert_eq!(built("//a/... -- -//a/b"), ["//a/...", "-//a/b"]);
    }

    #[test]
    fn a_verbs_own_arguments_are_not_taken_for_global_ones() {
        let globals: Vec<String> = Command::command().get_arguments().map(|arg| arg.get_id().to_string()).collect();
        for verb in Command::command().get_subcommands() {
            let own = verb.get_arguments().map(|arg| arg.get_id().to_string());
            assert_eq!(own.filter(|id| globals.contains(id)).collect::<Vec<_>>(), [""; 0], "{}", verb.get_name());
        }
    }

    #[test]
    fn global_flags_stand_before_or_after_the_verb() {
        let before = format!("{:?}", parsed("--jobs 3 --offline build //a").flags);
        assert_eq!(before, format!("{:?}", parsed("build //a --jobs 3 --offline").flags));
        assert_eq!(before, format!("{:?}", parsed("--jobs 3 //a --offline").flags));
    }
}
