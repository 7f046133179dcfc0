//! `--record` and `--against`: the record of a build, made of what it came to, written and read where it is kept.

use std::fs;

use super::context::Context;
use super::error::CliError;
use super::project::Project;
use super::record_place::RecordPlace;
use super::registries;
use super::whole_file::to_file;
use crate::action::key::{self, Inputs};
use crate::action::record::{Output, Record};
use crate::action::{ActionGraph, ActionId};
use crate::build::scheduler::Built;
use crate::digest::Digest;
use crate::effect::records;
use crate::event::Listener;
use crate::exit::Exit;
use crate::plan::build_record::{BuildRecord, BuildRecordError, Ended, Made};
use crate::registry::Puller;
use crate::store::{Cache, Store};

/// A build that is over, as far as its record is concerned.
pub struct Recorded<'a> {
    /// The workspace.
    pub project: &'a Project,
    /// The actions.
    pub graph: &'a ActionGraph,
    /// What they came to.
    pub built: &'a Built,
    /// Where their records are.
    pub store: &'a Store,
}

impl Recorded<'_> {
    /// Writes the record.
    pub fn write(&self, place: &RecordPlace, cx: &Context, listener: &dyn Listener) -> Result<(), CliError> {
        let bytes = self.record()?.encode();
        match place {
            RecordPlace::File(path) => to_file(&cx.path(path), |file| Ok(file.write_all(&bytes)?)),
            RecordPlace::Published(reference) => {
                let client = registries::client(cx, &self.project.workspace.settings.registries)?;
                Ok(records::put(reference, bytes, client, listener)?)
            }
        }
    }

    fn record(&self) -> Result<BuildRecord, CliError> {
        let settings = &self.project.workspace.settings;
        let mut record = BuildRecord::new(env!("CARGO_PKG_VERSION"), &settings.name, settings.profile.as_deref());
        for id in self.graph.ids() {
            if let Some(made) = self.made(id)? {
                record.add(self.graph.note_name(id), self.graph.get(id), made);
            }
        }
        Ok(record)
    }

    /// What became of an action; `None`: it was not tried.
    fn made(&self, id: ActionId) -> Result<Option<Made>, CliError> {
        let (action, built) = (self.graph.get(id), self.built);
        let output = built.outputs[id.index()].clone();
        let failed = built.failures.iter().any(|failure| failure.id == id);
        let (Some(key), Some(components)) = (key::key(action, self), key::components(action, self)) else {
            return Ok(None);
        };
        let ran = built.times.get(id.index()).filter(|time| !time.is_zero());
        let result = match (&output, ran) {
            (None, _) if !failed => return Ok(None),
            (None, _) => Ended::Failed,
            (Some(_), Some(_)) => Ended::Ran,
            (Some(_), None) => Ended::Hit,
        };
        let kept = self.store.actions().get(&key)?.and_then(|bytes| Record::decode(&bytes).ok());
        let elapsed = ran.copied().or(kept.as_ref().and_then(|record| record.elapsed));
        let cache = kept.and_then(|record| record.shared);
        Ok(Some(Made { key, components, result, cache, output, elapsed }))
    }
}

/// What the build came to, as the key's walk asks for it.
impl Inputs for Recorded<'_> {
    fn digest(&self, id: ActionId) -> Option<Digest> {
        self.built.outputs[id.index()].as_ref().map(Output::digest)
    }

    fn label(&self, id: ActionId) -> String {
        self.graph.get(id).name()
    }
}

/// Reads a record.
pub fn read(place: &RecordPlace, project: &Project, cx: &Context) -> Result<BuildRecord, CliError> {
    let bytes = match place {
        RecordPlace::File(path) => {
            let failed = |error| CliError::io(format!("cannot read the record {path}"), &error);
            fs::read(cx.path(path)).map_err(failed).map_err(|error| match cx.path(path).exists() {
                true => error,
                false => CliError { exit: Exit::Usage, ..error }.hint("a build writes one with `--record FILE`"),
            })?
        }
        RecordPlace::Published(reference) => {
            let client = registries::client(cx, &project.workspace.settings.registries)?;
            let registry = reference.registry.as_ref();
            let client = registry.map_or(client.clone(), |registry| registries::without_mirrors(client, registry));
            records::get(reference, &Puller::new(client)?)?
        }
    };
    BuildRecord::decode(&bytes).map_err(|error| unreadable(place, &error))
}

fn unreadable(place: &RecordPlace, error: &BuildRecordError) -> CliError {
    let told = CliError::usage(format!("{place}: {error}"));
    match error {
        BuildRecordError::Shape(_) => told.hint("a build writes one with `--record FILE`"),
        BuildRecordError::Form(_) => told.hint("take the version of layerbuild that wrote it, or one as new"),
    }
}

impl From<records::RecordsError> for CliError {
    fn from(error: records::RecordsError) -> CliError {
        match error {
            records::RecordsError::Registry(error) => error.into(),
            other => CliError::usage(other.to_string()),
        }
    }
}
