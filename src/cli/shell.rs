//! `shell`: a shell in the root file system of an image, or of a `run` or `exec` as one of its commands sees it.
//!
//! What is done there is lost when it ends. Builds what stands below, and nothing else.

use super::context::Context;
use super::error::CliError;
use super::work::Work;
use super::{patterns, project};
use crate::action::{Action, ActionId, ExecAction, Operation, RunAction, RunBase};
use crate::build::roots::Scratch;
use crate::build::upstream::Upstream;
use crate::build::{Workshop, exec as exec_command, run as run_commands};
use crate::exit::Exit;
use crate::oci::compress::{Compression, Format};
use crate::sandbox::task::{Answer, Task};

/// Open a shell in an image, or where a command of a `run` or `exec` begins
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// An image, a `run` or an `exec`
    #[arg(value_name = "LABEL", value_parser = patterns::read)]
    pub label: String,
    /// Run the commands before this one first, from 1 on; one more than there are: all of them
    #[arg(long, value_name = "STEP", default_value = "1")]
    pub at: usize,
}

/// Whatever shell the base has.
const SHELL: &str = "if command -v bash >/dev/null; then exec bash; else exec sh; fi";

/// Opens it.
pub fn run(args: &Args, cx: &mut Context) -> Result<(), CliError> {
    let project = project::open(std::slice::from_ref(&args.label), cx)?;
    let selected = project.select(cx)?;
    let target = selected.only(&args.label, "shell")?;
    let store = project::open_store(cx)?;
    let lowered = project.lower(&selected, &store, cx)?;
    let work = Work::new(&project, &selected, &lowered, &store, cx)?;
    let id = lowered.action(target).ok_or_else(|| CliError::new(Exit::Bug, "the target has no action"))?;
    let action = opened(id, lowered.graph.get(id), args)?;
    let listener = cx.listener();
    let results = match &action.step().base {
        RunBase::Image(image) if *image == id => {
            let (results, error) = work.build(cx, &*listener)?;
            error.map_or(Ok(results), Err)?
        }
        _ => work.build_below(id, cx, &*listener)?,
    };
    drop(listener);
    let inputs = Upstream::of_run(action.step(), &lowered.graph, |id| results.output(id));
    let answer = work.in_shop(cx, |shop| converse(&action, &inputs, shop, cx))?;
    judge(answer, action.step())
}

/// What a shell is opened in.
enum Opened {
    Run(RunAction),
    Exec(ExecAction),
}

impl Opened {
    fn step(&self) -> &RunAction {
        match self {
            Opened::Run(run) => run,
            Opened::Exec(exec) => &exec.step,
        }
    }

    fn commands(&mut self) -> &mut Vec<Vec<String>> {
        match self {
            Opened::Run(run) => &mut run.commands,
            Opened::Exec(exec) => &mut exec.step.commands,
        }
    }
}

/// The commands up to the shell.
fn opened(id: ActionId, action: &Action, args: &Args) -> Result<Opened, CliError> {
    let mut opened = match &action.operation {
        Operation::Run(run) => Opened::Run((**run).clone()),
        Operation::Exec(exec) if exec.is_portable() => Opened::Exec((**exec).clone()),
        Operation::Image(_) | Operation::Pull(_) | Operation::Local(_) => Opened::Run(over(id)?),
        other => {
            let message = format!(
                "{} is of rule `{}`: a shell opens in an image, a `run` or an `exec` in its sandbox",
                action.label,
                other.name()
            );
            return Err(CliError::usage(message));
        }
    };
    let count = opened.step().commands.len();
    if args.at == 0 || args.at > count + 1 {
        return Err(CliError::usage(format!("--at {}: {} has {count} commands", args.at, action.label)));
    }
    opened.commands().truncate(args.at - 1);
    opened.commands().push(["/bin/sh", "-c", SHELL].map(str::to_owned).to_vec());
    Ok(opened)
}

/// No commands over an image.
fn over(image: ActionId) -> Result<RunAction, CliError> {
    let compression = Compression::new(Format::None, false);
    Ok(RunAction {
        base: RunBase::Image(image),
        commands: Vec::new(),
        env: Vec::new(),
        user: None,
        workdir: None,
        inputs: Default::default(),
        caches: Default::default(),
        secrets: Default::default(),
        network: false,
        ignore: Vec::new(),
        timeout: None,
        compression: compression.map_err(|error| CliError::new(Exit::Bug, error.to_string()))?,
        mtime: 0,
    })
}

fn converse(action: &Opened, inputs: &Upstream, shop: &Workshop<'_>, cx: &Context) -> Result<Answer, CliError> {
    let failed = |error: crate::build::error::BuildError| {
        let error = match error.is_environment() {
            true => (CliError::environment(error.to_string()), error.hint()),
            false => (CliError::new(Exit::Failed, error.to_string()), error.hint()),
        };
        error.1.into_iter().fold(error.0, CliError::hint)
    };
    let scratch = Scratch::new(shop).map_err(failed)?;
    let prepared = match action {
        Opened::Run(run) => run_commands::prepare(run, inputs, &scratch, shop),
        Opened::Exec(exec) => exec_command::prepare(exec, inputs, &scratch, shop),
    };
    let mut run = prepared.map_err(failed)?;
    run.env.extend(cx.environment.text("TERM")?.map(|term| ("TERM".to_owned(), term.to_owned())));
    shop.sandbox.converse(&Task::Run(Box::new(run))).map_err(|error| failed(error.into()))
}

/// How the shell itself ended is its user's business.
fn judge(answer: Answer, action: &RunAction) -> Result<(), CliError> {
    let last = action.commands.len() - 1;
    match answer {
        Answer::Failed { command, status } if command < last => {
            Err(CliError::new(Exit::Failed, format!("command {} ended with {status}", command + 1)))
        }
        Answer::NotStarted { why, .. } => Err(CliError::new(Exit::Failed, why)),
        Answer::Unfit(why) => Err(CliError::new(Exit::Failed, why.join("\n"))),
        _ => Ok(()),
    }
}
