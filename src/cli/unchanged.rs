//! The shortest way through `build`: the answer that the same call gave before, where nothing that it depends on has
//! changed. Decides which calls are the same; what may have changed is `plan::snapshot`'s matter.

use std::time::{Instant, SystemTime};

use camino::Utf8PathBuf;

use super::context::Context;
use super::error::CliError;
use super::global::Verbosity;
use super::project::Project;
use crate::action::record::Output;
use crate::digest::{Digest, Hasher};
use crate::event::Summary;
use crate::pattern::{PackageSelection, TargetPattern};
use crate::plan::snapshot::{self, Answer};
use crate::store::Store;
use crate::workspace::root::find_root;

/// One call, and when it began.
pub struct Call {
    root: Utf8PathBuf,
    key: Digest,
    began: SystemTime,
    clock: Instant,
}

impl Call {
    /// The call of these patterns; `None` where an answer given before must not be trusted, or there is no workspace.
    pub fn new(patterns: &[String], cx: &Context) -> Option<Call> {
        let began = SystemTime::now();
        let clock = Instant::now();
        let tells_all = cx.globals.json || cx.globals.verbosity == Verbosity::Verbose;
        let shares = cx.globals.cache_to.is_some() || cx.globals.record.is_some();
        if cx.globals.hash_content || cx.globals.dry_run || tells_all || shares {
            return None;
        }
        let root = find_root(cx.directory()).ok()?;
        let here = cx.directory().strip_prefix(&root).ok()?.as_str();
        Some(Call { key: key(&["build", here], patterns, cx)?, root, began, clock })
    }

    /// The answer given before, with the figures for the closing line.
    pub fn recall(&self, store: &Store) -> Result<Option<(Answer, Summary)>, CliError> {
        let kept = store.snapshots(self.root.as_std_path()).load(&self.key)?;
        let Some(answer) = kept.and_then(|bytes| snapshot::recall(&bytes, &self.root, store)) else {
            return Ok(None);
        };
        let cached = usize::try_from(answer.actions).unwrap_or(usize::MAX);
        let summary = Summary { verb: "built", cached, elapsed: self.clock.elapsed(), ..Summary::default() };
        Ok(Some((answer, summary)))
    }

    /// Keeps an answer for which nothing had to run.
    pub fn keep<'a>(
        &self,
        project: Project,
        outputs: impl Iterator<Item = &'a Output>,
        answer: &Answer,
        store: &Store,
    ) -> Result<(), CliError> {
        let walks_up = |pattern: &TargetPattern| matches!(pattern.packages(), PackageSelection::FirstOf(_));
        if project.patterns.iter().any(walks_up) || project.asked_git() {
            // Which packages such a pattern looked for in vain isn't noted, nor is what a commit or an edit is to git.
            return Ok(());
        }
        let blobs = outputs.flat_map(Output::blobs);
        let paths = project.observed.into_paths();
        match snapshot::take(&self.root, &paths, blobs, answer, self.began) {
            Some(bytes) => Ok(store.snapshots(self.root.as_std_path()).save(&self.key, &bytes)?),
            None => Ok(()),
        }
    }
}

/// All that decides an answer besides the source tree. `what`: what is asked for, and from where.
pub fn key(what: &[&str], patterns: &[String], cx: &Context) -> Option<Digest> {
    let mut hasher = Hasher::new();
    let mut field = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    field(&program());
    what.iter().for_each(|text| field(text));
    field(cx.globals.profile.as_deref().map_or("-", |_| "+"));
    field(cx.globals.profile.as_deref().unwrap_or_default());
    field(if cx.globals.no_local { "-" } else { "+" });
    for vars in [&cx.globals.vars, &cx.globals.vars_of_environment] {
        field(&vars.len().to_string());
        vars.iter().for_each(|(name, value)| [name, value].iter().for_each(|text| field(text)));
    }
    field(cx.environment.text("SOURCE_DATE_EPOCH").ok()?.unwrap_or_default());
    // What decides which Rust toolchain counts, beside files.
    for name in ["PATH", "HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"] {
        field(cx.environment.text(name).ok()?.unwrap_or_default());
    }
    patterns.iter().for_each(|pattern| field(pattern));
    Some(hasher.finish())
}

/// This very program: another build of it may answer otherwise.
fn program() -> String {
    let stat = std::fs::metadata("/proc/self/exe");
    let identity = stat.ok().and_then(|stat| Some((stat.len(), stat.modified().ok()?)));
    format!("layerbuild {} {identity:?}", env!("CARGO_PKG_VERSION"))
}
