//! The flags that every verb takes, before or after it, each with an environment twin `LAYERBUILD_…`.
//!
//! What the command line says wins over the environment. Knows no verb.

use std::num::NonZeroUsize;
use std::str::FromStr;
use std::thread;

use camino::{Utf8Path, Utf8PathBuf};

use super::environment::Environment;
use super::error::CliError;
use super::record_place::RecordPlace;
use crate::reference::{ReferenceError, Repository};
use crate::workspace::vars::PREFIX;

/// The flags as written on the command line.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Global options (each also as a variable LAYERBUILD_…)")]
pub struct Flags {
    /// Work as if started in DIR; relative paths are taken from there (LAYERBUILD_DIR)
    #[arg(id = "working-directory", short = 'C', value_name = "DIR", global = true)]
    directory: Option<Utf8PathBuf>,
    /// Settings of [profile.NAME]
    #[arg(long, value_name = "NAME", global = true)]
    profile: Option<String>,
    /// Another value of a variable that [vars] declares; may be given several times (LAYERBUILD_VAR_NAME)
    #[arg(long = "var", value_name = "NAME=VALUE", global = true, value_parser = variable)]
    vars: Vec<(String, String)>,
    /// Leave layers.local.toml out, as is done where CI is set
    #[arg(long, global = true)]
    no_local: bool,
    /// Registry instead of the workspace's
    #[arg(long, value_name = "HOST[:PORT][/PREFIX]", global = true)]
    registry: Option<String>,
    /// Where the store is kept; default: layerbuild in the XDG cache folder
    #[arg(long, value_name = "DIR", global = true)]
    cache_dir: Option<Utf8PathBuf>,
    /// Repository with results of other machines; may be given several times
    #[arg(long, value_name = "HOST[:PORT]/PATH", global = true)]
    cache_from: Vec<Repository>,
    /// Repository that results are written to, for other machines
    #[arg(long, value_name = "HOST[:PORT]/PATH", global = true)]
    cache_to: Option<Repository>,
    /// Write a record of each build, for `explain --against` on other machines
    #[arg(long, value_name = "FILE|REFERENCE", global = true)]
    record: Option<RecordPlace>,
    /// How many actions run at once; default: the number of cores
    #[arg(short = 'j', long, value_name = "N", global = true, value_parser = jobs)]
    jobs: Option<NonZeroUsize>,
    /// Write what ran when, for chrome://tracing and Perfetto
    #[arg(long, value_name = "FILE", global = true)]
    profile_out: Option<Utf8PathBuf>,
    /// Never use the network
    #[arg(long, global = true)]
    offline: bool,
    /// After a failure, go on with all that doesn't depend on it
    #[arg(short = 'k', long, global = true)]
    keep_going: bool,
    /// Say what would be done and why, and do nothing
    #[arg(long, global = true)]
    dry_run: bool,
    /// Events and errors as JSON, one object a line, on stderr
    #[arg(long, global = true)]
    json: bool,
    /// Only errors, warnings and results
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Also what was cached
    #[arg(short, long, global = true)]
    verbose: bool,
    /// Colours: auto, always or never; auto: on a terminal unless NO_COLOR is set
    #[arg(long, value_enum, value_name = "WHEN", global = true, hide_possible_values = true)]
    color: Option<ColorChoice>,
    /// Hash every source file's content, whatever its time stamps say
    #[arg(long, global = true)]
    hash_content: bool,
    /// Fail at once when another process holds the store
    #[arg(long, global = true)]
    no_wait: bool,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set or the terminal is dumb.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl FromStr for ColorChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<ColorChoice, String> {
        clap::ValueEnum::from_str(text, false)
    }
}

impl ColorChoice {
    /// Whether a stream gets colours. `terminal`: a person looks at it.
    pub fn wants(self, terminal: bool, environment: &Environment) -> bool {
        match self {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => terminal && environment.get("NO_COLOR").is_none() && !is_dumb(environment),
        }
    }
}

/// Whether the terminal can neither colour nor move its cursor.
pub fn is_dumb(environment: &Environment) -> bool {
    environment.get("TERM").is_some_and(|term| term == "dumb")
}

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Verbosity {
    /// Errors and warnings.
    Quiet,
    /// Also what ran, and the closing line.
    #[default]
    Normal,
    /// Also what was cached.
    Verbose,
}

/// The settings that flags, environment and defaults come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Globals {
    /// The folder to work in, absolute. Relative labels, patterns and paths are taken from it.
    pub directory: Utf8PathBuf,
    /// The profile; `None`: the workspace's plain settings.
    pub profile: Option<String>,
    /// Variables that the command line sets, in order.
    pub vars: Vec<(String, String)>,
    /// Variables that the environment sets, by what follows [`PREFIX`], sorted.
    pub vars_of_environment: Vec<(String, String)>,
    /// Leave the developer's own file out.
    pub no_local: bool,
    /// `HOST[:PORT][/PREFIX]` instead of the workspace's registry; `None`: the workspace's.
    pub registry: Option<String>,
    /// The store's folder, absolute. It need not exist.
    pub cache_dir: Utf8PathBuf,
    /// Repositories that are asked, in this order, for results that the store lacks; none: the workspace's.
    pub cache_from: Vec<Repository>,
    /// The repository that results are written to; `None`: the workspace's.
    pub cache_to: Option<Repository>,
    /// Where the record of a build is written to; `None`: nowhere.
    pub record: Option<RecordPlace>,
    /// How many actions run at once.
    pub jobs: NonZeroUsize,
    /// Where a trace of the command is written, absolute; `None`: none is.
    pub profile_out: Option<Utf8PathBuf>,
    /// Never use the network.
    pub offline: bool,
    /// Go on after a failure.
    pub keep_going: bool,
    /// Do nothing, say what would be done.
    pub dry_run: bool,
    /// Events and errors as JSON.
    pub json: bool,
    /// How much is told.
    pub verbosity: Verbosity,
    /// When to use colours.
    pub color: ColorChoice,
    /// Never trust a file's time stamps.
    pub hash_content: bool,
    /// Fail at once when the store is locked.
    pub no_wait: bool,
}

impl Flags {
    /// What to use: the command line, else the environment, else the default. `here`: the current folder.
    pub fn resolve(self, env: &Environment, here: &Utf8Path) -> Result<Globals, CliError> {
        let directory = here.join(text(self.directory, env, "LAYERBUILD_DIR")?.unwrap_or_default());
        let cache_dir = text(self.cache_dir, env, "LAYERBUILD_CACHE_DIR")?;
        let profile_out = text(self.profile_out, env, "LAYERBUILD_PROFILE_OUT")?;
        let profile_out = profile_out.map(|path| trace_place(&path, &directory)).transpose()?;
        Ok(Globals {
            profile_out,
            cache_dir: cache_dir.map_or_else(|| default_cache_dir(env), |dir| Ok(directory.join(dir)))?,
            directory,
            profile: text(self.profile, env, "LAYERBUILD_PROFILE")?,
            vars: self.vars,
            vars_of_environment: vars_of_environment(env)?,
            no_local: self.no_local || no_local(env)?,
            registry: text(self.registry, env, "LAYERBUILD_REGISTRY")?,
            cache_from: repositories(self.cache_from, env)?,
            cache_to: match self.cache_to {
                Some(repository) => Some(repository),
                None => env.text("LAYERBUILD_CACHE_TO")?.map(|text| named("LAYERBUILD_CACHE_TO", text)).transpose()?,
            },
            record: record(self.record, env)?,
            jobs: or_parsed(self.jobs, env, "LAYERBUILD_JOBS", "a number of at least 1")?.unwrap_or_else(cores),
            offline: self.offline || env.switch("LAYERBUILD_OFFLINE")?,
            keep_going: self.keep_going || env.switch("LAYERBUILD_KEEP_GOING")?,
            dry_run: self.dry_run || env.switch("LAYERBUILD_DRY_RUN")?,
            json: self.json || env.switch("LAYERBUILD_JSON")?,
            verbosity: verbosity(self.quiet, self.verbose, env)?,
            color: or_parsed(self.color, env, "LAYERBUILD_COLOR", "auto, always or never")?.unwrap_or_default(),
            hash_content: self.hash_content || env.switch("LAYERBUILD_HASH_CONTENT")?,
            no_wait: self.no_wait || env.switch("LAYERBUILD_NO_WAIT")?,
        })
    }
}

fn text<T: for<'a> From<&'a str>>(flag: Option<T>, env: &Environment, name: &str) -> Result<Option<T>, CliError> {
    Ok(flag.or(env.text(name)?.map(T::from)))
}

fn or_parsed<T: FromStr>(flag: Option<T>, env: &Environment, name: &str, what: &str) -> Result<Option<T>, CliError> {
    if flag.is_some() { Ok(flag) } else { env.parsed(name, what) }
}

fn record(flag: Option<RecordPlace>, env: &Environment) -> Result<Option<RecordPlace>, CliError> {
    let place = or_parsed(flag, env, "LAYERBUILD_RECORD", "a path or HOST[:PORT]/PATH:TAG")?;
    match &place {
        Some(place) if !place.is_writable() => {
            let message =
                format!("--record (or LAYERBUILD_RECORD): `{place}` has a digest, under which nothing can be written");
            Err(CliError::usage(message).hint("write HOST[:PORT]/PATH:TAG"))
        }
        _ => Ok(place),
    }
}

/// The variable has several with blanks between them.
fn repositories(flags: Vec<Repository>, env: &Environment) -> Result<Vec<Repository>, CliError> {
    let name = "LAYERBUILD_CACHE_FROM";
    let texts = env.text(name)?.filter(|_| flags.is_empty()).unwrap_or_default().split_whitespace();
    let more = texts.map(|text| named(name, text)).collect::<Result<Vec<_>, _>>()?;
    Ok(flags.into_iter().chain(more).collect())
}

fn named(name: &str, text: &str) -> Result<Repository, CliError> {
    text.parse().map_err(|error: ReferenceError| CliError::usage(format!("the variable {name}: {error}")))
}

fn variable(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = pair.ok_or_else(|| "write NAME=VALUE".to_owned())?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Results go to stdout, so `-` is not it.
fn trace_place(path: &Utf8Path, directory: &Utf8Path) -> Result<Utf8PathBuf, CliError> {
    if path == "-" {
        let error = CliError::usage("--profile-out (or LAYERBUILD_PROFILE_OUT) takes a file, and `-` is none");
        return Err(error.hint("stdout is for results; a file of that name is `./-`"));
    }
    Ok(directory.join(path))
}

fn vars_of_environment(env: &Environment) -> Result<Vec<(String, String)>, CliError> {
    let mut vars = Vec::new();
    for (name, _) in env.iter() {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        let value = env.text(name)?.map(|value| (name[PREFIX.len()..].to_owned(), value.to_owned()));
        vars.extend(value);
    }
    Ok(vars)
}

/// The developer's own file is for a developer's machine: CI systems set `CI`.
fn no_local(env: &Environment) -> Result<bool, CliError> {
    let name = "LAYERBUILD_NO_LOCAL";
    if env.get(name).is_some() {
        return env.switch(name);
    }
    Ok(env.get("CI").is_some_and(|ci| ci != "false" && ci != "0"))
}

fn jobs(text: &str) -> Result<NonZeroUsize, String> {
    let number: usize = text.parse().map_err(|_| "--jobs takes a whole number".to_owned())?;
    NonZeroUsize::new(number).ok_or_else(|| "--jobs must be at least 1".to_owned())
}

fn verbosity(quiet: bool, verbose: bool, env: &Environment) -> Result<Verbosity, CliError> {
    let from_env = (env.switch("LAYERBUILD_QUIET")?, env.switch("LAYERBUILD_VERBOSE")?);
    let flags = if quiet || verbose { (quiet, verbose) } else { from_env };
    Ok(match flags {
        (_, true) => Verbosity::Verbose,
        (true, false) => Verbosity::Quiet,
        (false, false) => Verbosity::Normal,
    })
}

fn cores() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// `$XDG_CACHE_HOME/layerbuild` or `~/.cache/layerbuild`. The XDG specification says that a relative path is ignored.
fn default_cache_dir(env: &Environment) -> Result<Utf8PathBuf, CliError> {
    let absolute = |path: &str| Utf8Path::new(path).is_absolute();
    let xdg = env.text("XDG_CACHE_HOME")?.filter(|path| absolute(path)).map(Utf8PathBuf::from);
    let home = env.text("HOME")?.filter(|path| absolute(path)).map(|home| Utf8Path::new(home).join(".cache"));
    let none = || CliError::usage("no cache folder: neither XDG_CACHE_HOME nor HOME is set");
    let cache = xdg.or(home).ok_or_else(|| none().hint("give one with `--cache-dir DIR`"))?;
    Ok(cache.join("layerbuild"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        let home = [("HOME", "/home/u")];
        home.iter().chain(variables).map(|(name, value)| (name.into(), value.into())).collect()
    }

    fn resolve(flags: Flags, variables: &[(&str, &str)]) -> Globals {
        flags.resolve(&environment(variables), Utf8Path::new("/work")).unwrap()
    }

    #[test]
    fn every_flag_has_a_working_twin() {
        let twins = [
            ("LAYERBUILD_DIR", "sub"),
            ("LAYERBUILD_PROFILE", "production"),
            ("LAYERBUILD_VAR_PYTHON", "3"),
            ("LAYERBUILD_NO_LOCAL", "1"),
            ("LAYERBUILD_REGISTRY", "r.example/p"),
            ("LAYERBUILD_CACHE_DIR", "cache"),
            ("LAYERBUILD_JOBS", "3"),
            ("LAYERBUILD_PROFILE_OUT", "trace.json"),
            ("LAYERBUILD_OFFLINE", "1"),
            ("LAYERBUILD_KEEP_GOING", "true"),
            ("LAYERBUILD_DRY_RUN", "yes"),
            ("LAYERBUILD_CACHE_FROM", "a.example/one b.example/two"),
            ("LAYERBUILD_CACHE_TO", "c.example/three"),
            ("LAYERBUILD_RECORD", "ci.json"),
            ("LAYERBUILD_JSON", "on"),
            ("LAYERBUILD_QUIET", "1"),
            ("LAYERBUILD_COLOR", "never"),
            ("LAYERBUILD_HASH_CONTENT", "1"),
            ("LAYERBUILD_NO_WAIT", "1"),
        ];
        let expected = Globals {
            directory: "/work/sub".into(),
            profile: Some("production".into()),
            vars: Vec::new(),
            vars_of_environment: vec![("PYTHON".into(), "3".into())],
            no_local: true,
            registry: Some("r.example/p".into()),
            cache_dir: "/work/sub/cache".into(),
            cache_from: vec!["a.example/one".parse().unwrap(), "b.example/two".parse().unwrap()],
            cache_to: Some("c.example/three".parse().unwrap()),
            record: Some(RecordPlace::File("ci.json".into())),
            jobs: NonZeroUsize::new(3).unwrap(),
            profile_out: Some("/work/sub/trace.json".into()),
            offline: true,
            keep_going: true,
            dry_run: true,
            json: true,
            verbosity: Verbosity::Quiet,
            color: ColorChoice::Never,
            hash_content: true,
            no_wait: true,
        };
        assert_eq!(resolve(Flags::default(), &twins), expected);
    }

    #[test]
    fn the_command_line_wins_over_the_environment() {
        let flags = Flags { profile: Some("here".into()), verbose: true, ..Flags::default() };
        let globals = resolve(flags, &[("LAYERBUILD_PROFILE", "there"), ("LAYERBUILD_QUIET", "1")]);
        assert_eq!((globals.profile.as_deref(), globals.verbosity), (Some("here"), Verbosity::Verbose));
    }

    #[test]
    fn a_variable_is_a_name_and_any_text() {
        assert_eq!(variable("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert_eq!(variable("a="), Ok(("a".into(), String::new())));
        assert!(variable("a").is_err() && variable("=b").is_err());
    }

    #[test]
    fn the_developers_own_file_is_left_out_in_ci_unless_it_is_asked_for() {
        let left_out = |variables: &[_]| resolve(Flags::default(), variables).no_local;
        assert!(!left_out(&[]) && left_out(&[("CI", "true")]) && !left_out(&[("CI", "false")]));
        assert!(!left_out(&[("CI", "true"), ("LAYERBUILD_NO_LOCAL", "0")]));
    }

    #[test]
    fn jobs_are_at_least_one() {
        assert_eq!(jobs("3").map(NonZeroUsize::get), Ok(3));
        assert_eq!(jobs("0").unwrap_err(), "--jobs must be at least 1");
        assert!(jobs("-1").is_err() && jobs("many").is_err());
    }

    #[test]
    fn the_cache_folder_follows_xdg_and_ignores_a_relative_one() {
        let cache = |variables: &[_]| resolve(Flags::default(), variables).cache_dir;
        assert_eq!(cache(&[]), "/home/u/.cache/layerbuild");
        assert_eq!(cache(&[("XDG_CACHE_HOME", "/x")]), "/x/layerbuild");
        assert_eq!(cache(&[("XDG_CACHE_HOME", "x")]), "/home/u/.cache/layerbuild");
    }

    #[test]
    fn colours_are_for_terminals_that_have_them() {
        let plain = environment(&[]);
        assert!(ColorChoice::Auto.wants(true, &plain) && !ColorChoice::Auto.wants(false, &plain));
        assert!(!ColorChoice::Auto.wants(true, &environment(&[("NO_COLOR", "1")])));
        assert!(!ColorChoice::Auto.wants(true, &environment(&[("TERM", "dumb")])));
        assert!(ColorChoice::Always.wants(false, &environment(&[("NO_COLOR", "1")])));
    }
}
