//! The command line: one file per verb, each with its arguments, one call into the library, and rendering.
//!
//! [`run`] takes arguments and a [`process::Process`], and gives an exit code. Nothing imports this module.

pub mod affected;
mod affected_sides;
pub mod as_built;
pub mod build;
pub mod build_record;
pub mod check;
pub mod checks;
pub mod command_line;
pub mod completions;
pub mod config;
pub mod config_rows;
pub mod config_text;
pub mod context;
pub mod diagram;
pub mod diff;
pub mod diff_side;
pub mod doctor;
pub mod dry_run;
pub mod env;
pub mod env_report;
pub mod environment;
pub mod error;
pub mod explain;
pub mod explain_against;
pub mod explain_cost;
pub mod explain_steps;
pub mod explanation;
pub mod export;
pub mod fmt;
pub mod fmt_files;
pub mod global;
pub mod help;
pub mod help_rule;
pub mod history;
pub mod images;
pub mod init;
pub mod known_rules;
pub mod load;
pub mod lock;
pub mod lock_debs;
pub mod lock_report;
pub mod log;
pub mod log_last;
pub mod log_select;
pub mod log_table;
pub mod log_views;
pub mod ls;
pub mod machine;
pub mod parse;
pub mod patterns;
pub mod picture;
pub mod picture_facts;
mod picture_flow;
pub mod picture_form;
pub mod picture_needs;
pub mod picture_volumes;
pub mod process;
pub mod project;
pub mod promote;
pub mod promote_tests;
pub mod provenance;
pub mod published;
pub mod push;
pub mod queried;
pub mod query;
pub mod query_graph;
pub mod query_kept;
pub mod query_output;
pub mod query_sources;
pub mod record_place;
pub mod recorder;
pub mod registries;
pub mod registry;
pub mod registry_ls;
pub mod registry_serve;
pub mod remote;
pub mod schema;
pub mod shared;
pub mod shell;
pub mod status;
pub mod unchanged;
pub mod whole_file;
pub mod work;
pub mod worlds;

use std::ffi::OsString;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use self::context::Context;
use self::error::CliError;
use self::parse::{Refusal, Verb};
use self::process::Process;
use self::recorder::Recorder;
use crate::exit::Exit;
use crate::ui::style::Style;

/// Runs one command. `args`: the program's name first.
pub fn run(args: Vec<OsString>, process: Process) -> ExitCode {
    // The panic hook has told the user what happened.
    catch_unwind(AssertUnwindSafe(|| command(args, process))).unwrap_or(Exit::Bug).into()
}

fn command(args: Vec<OsString>, process: Process) -> Exit {
    let style = Style { color: parse::color(&args).wants(process.err.is_terminal(), &process.environment) };
    let words = command_line::sanitised(&args);
    let command = match parse::command(args) {
        Ok(command) => command,
        Err(refusal) => return refuse(refusal, process, style),
    };
    let err = process.err.clone();
    let mut context = match Context::new(command.flags, process) {
        Ok(context) => context,
        Err(error) => {
            error.show(&err, style);
            return error.exit;
        }
    };
    record(&command.verb, &words, &mut context);
    let result = dispatch(&command.verb, &mut context).and_then(|()| Ok(context.out.flush()?));
    let result = log::close(result, &context);
    result.map_or_else(|error| context.fail(&error), |()| Exit::Done)
}

/// Begins the log of a call that leaves one.
fn record(verb: &Verb, words: &[String], context: &mut Context) {
    let Some(logged) = verb.logged().filter(|_| !context.globals.dry_run) else {
        if context.globals.profile_out.is_some() && !matches!(verb, Verb::Log(_)) {
            context.warn("--profile-out: nothing is written, as nothing is done");
        }
        return;
    };
    let recorder = Recorder::new(logged, words, &context.globals);
    context.interrupts.record(recorder.clone());
    context.recorder = Some(recorder);
}

fn dispatch(verb: &Verb, context: &mut Context) -> Result<(), CliError> {
    match verb {
        Verb::Build(args) => build::run(args, context),
        Verb::Check(args) => check::run(args, context),
        Verb::Push(args) => push::run(args, context),
        Verb::Promote(args) => promote::run(args, context),
        Verb::Export(args) => export::run(args, context),
        Verb::Load(args) => load::run(args, context),
        Verb::Diff(args) => diff::run(args, context),
        Verb::Lock(args) => lock::run(args, context),
        Verb::Ls(args) => ls::run(args, context),
        Verb::Shell(args) => shell::run(args, context),
        Verb::Status(args) => status::run(args, context),
        Verb::Env(args) => env::run(args, context),
        Verb::Explain(args) => explain::run(args, context),
        Verb::Config(args) => config::run(args, context),
        Verb::Diagram(args) => diagram::run(args, context),
        Verb::Query(args) => query::run(args, context),
        Verb::Affected(args) => affected::run(args, context),
        Verb::Registry(args) => registry::run(args, context),
        Verb::Doctor(args) => doctor::run(args, context),
        Verb::Log(args) => log::run(args, context),
        Verb::Fmt(args) => fmt::run(args, context),
        Verb::Schema(args) => schema::run(args, context),
        Verb::Init(args) => init::run(args, context),
        Verb::Help(args) => help::run(args, context),
        Verb::Completions(args) => completions::run(args, parse::definition(), context),
        Verb::Other(words) => Err(parse::unknown_verb(words)),
    }
}

/// Says why the command line was not taken; help and version are results, all else is an error.
fn refuse(refusal: Refusal, mut process: Process, style: Style) -> Exit {
    let error = match refusal {
        Refusal::Error(error) => {
            error.show(&process.err, style);
            return error.exit;
        }
        Refusal::Clap(error) => error,
    };
    let help = !error.use_stderr();
    let to = if help { &mut process.out } else { &mut process.err };
    let styled = if help { to.is_terminal() && style.color } else { style.color };
    let rendered = error.render();
    let text = if styled { rendered.ansi().to_string() } else { rendered.to_string() };
    match write!(to, "{text}").and_then(|()| to.flush()) {
        Err(_) => Exit::Environment,
        Ok(()) if help => Exit::Done,
        Ok(()) => Exit::Usage,
    }
}

#[cfg(test)]
mod tests {
    use super::process::{Input, Interrupts};
    use super::*;
    use crate::ui::stream::{Captured, Stream};

    struct Ended {
        exit: Exit,
        out: Captured,
        err: Captured,
    }

    fn layerbuild(args: &[&str]) -> Ended {
        let ((out, captured_out), (err, captured_err)) = (Stream::memory(), Stream::memory());
        let environment = [("HOME".into(), "/nowhere".into())].into_iter().collect();
        let (directory, interrupts, input) = (Ok("/".into()), Interrupts::default(), Input::empty());
        let process = Process { environment, directory, out, err, input, interrupts };
        let args = ["layerbuild"].iter().chain(args).map(OsString::from).collect();
        Ended { exit: command(args, process), out: captured_out, err: captured_err }
    }

    #[test]
    fn an_unknown_verb_is_told_apart_from_a_label() {
        let ended = layerbuild(&["biuld", "//a:b"]);
        assert_eq!(ended.exit, Exit::Usage);
        insta::assert_snapshot!(ended.err.text(), @r"
        error: `biuld` is neither a verb nor a label
          hint: did you mean `build`?
          hint: a label begins with `//` or `:`
        ");
    }

    #[test]
    fn help_is_a_result_and_a_missing_verb_is_an_error() {
        let help = layerbuild(&["--help"]);
        assert_eq!((help.exit, help.err.text().as_str()), (Exit::Done, ""));
        assert!(help.out.text().contains("layerbuild [OPTIONS] PATTERN"), "{}", help.out.text());
        let nothing = layerbuild(&[]);
        assert_eq!((nothing.exit, nothing.out.text().as_str()), (Exit::Usage, ""));
    }

    #[test]
    fn help_tells_of_verbs_what_they_tell_themselves_and_of_rules_outside_of_a_workspace_too() {
        let out = |args: &[&str]| {
            let ended = layerbuild(args);
            assert_eq!((ended.exit, ended.err.text().as_str()), (Exit::Done, ""), "{args:?}");
            ended.out.text()
        };
        assert_eq!(out(&["help"]), out(&["--help"]));
        assert_eq!(out(&["help", "registry", "serve"]), out(&["registry", "serve", "--help"]));
        assert!(layerbuild(&["help", "biuld"]).err.text().contains("did you mean `build`?"));
        let rules = out(&["help", "rules"]);
        let pull = rules.lines().find(|line| line.trim_start().starts_with("pull "));
        assert!(pull.is_some_and(|line| line.contains("An image of a registry")), "{rules}");
        let image = out(&["help", "rule", "image"]);
        for part in [
            "\n  layers: a list of labels\n",
            "\n      test: a string or a list of strings, required\n",
            "  [image.app]\n",
        ] {
            assert!(image.contains(part), "{image}");
        }
        assert!(layerbuild(&["help", "rule", "imgae"]).err.text().contains("did you mean `image`?"));
    }

    #[test]
    fn a_folder_that_is_not_there_is_the_callers_mistake() {
        let ended = layerbuild(&["-C", "/no/such", "ls", "//a:b"]);
        assert_eq!(ended.exit, Exit::Usage);
        assert!(ended.err.text().contains("no such folder: /no/such"), "{}", ended.err.text());
    }

    #[test]
    fn build_without_patterns_is_a_wrong_call() {
        assert_eq!(layerbuild(&["build"]).exit, Exit::Usage);
    }
}
