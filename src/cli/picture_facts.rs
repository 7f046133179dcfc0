//! What is known of targets beside what they declare: what they are locked to, what they gave when they were built last and
//! why; with `--state`, whether they are built now, and published.

use std::collections::HashMap;

use super::context::Context;
use super::error::CliError;
use super::explanation::Explainer;
use super::history::History;
use super::project::Project;
use super::status;
use super::work::Work;
use crate::action::record::Output;
use crate::build::probe::State;
use crate::picture::{Detail, Tone};
use crate::status::{Row, Step, Tagged};
use crate::store::Store;

/// Facts by label.
#[derive(Debug, Default)]
pub struct Facts(HashMap<String, Fact>);

/// What is known of a target.
#[derive(Debug, Default, Clone)]
pub struct Fact {
    /// How it stands; `None` where that is not asked.
    pub state: Option<(Tone, String)>,
    /// What else is told.
    pub details: Vec<Detail>,
}

impl Facts {
    /// What is known of a label.
    pub fn of(&self, label: &str) -> Option<&Fact> {
        self.0.get(label)
    }

    fn tell(&mut self, label: &str, name: &str, value: String) {
        let fact = self.0.entry(label.to_owned()).or_default();
        fact.details.push(Detail { name: name.to_owned(), value });
    }

    /// What the store remembers of targets: what each gave when it was built last, and why it was built then.
    pub fn remember(&mut self, project: &Project, store: &Store) -> Result<(), CliError> {
        let history = History::open(store, project.root())?;
        for target in project.workspace.packages.iter().flat_map(|package| &package.targets) {
            let label = target.label.to_string();
            let record = history.last(&label).map(|key| history.record(key)).transpose()?.flatten();
            if let Some(record) = record {
                self.tell(&label, "built last", record.output.digest().to_string());
            }
            if let Some(why) = history.last_rebuilt(&label)? {
                self.tell(&label, "rebuilt for", why);
            }
        }
        Ok(())
    }

    /// Asks how the project's targets stand: the store, and the registry for what images are published.
    pub fn ask(&mut self, project: &Project, store: &Store, cx: &Context) -> Result<(), CliError> {
        let selected = project.select_with_taken(store, cx)?;
        let lowered = project.lower(&selected, store, cx)?;
        let work = Work::looking(project, &selected, &lowered, store, cx)?;
        let listener = cx.listener();
        let states = work.probe(&*listener)?;
        let explainer = Explainer::new(&work, &states)?;
        let mut images = Vec::new();
        for id in selected.graph.ids() {
            let target = selected.graph.target(id);
            let Some(action) = lowered.action(id) else { continue };
            let (label, state) = (target.label.to_string(), &states[action.index()]);
            self.built(&label, state);
            if state.output().is_none() {
                self.tell(&label, "would be built because", explainer.headline(action)?);
            }
            images.extend(Some(id).filter(|_| target.rule.purpose.is_published() && project.is_own(target)));
        }
        let found = status::of(&work, &states, &images, cx)?;
        status::tell_failures(&found, &*listener);
        found.rows.iter().for_each(|row| self.published(row));
        Ok(())
    }

    fn built(&mut self, label: &str, state: &State) {
        let digest = state.output().map(Output::digest);
        let said = if digest.is_some() { (Tone::Good, "built") } else { (Tone::Open, "not built") };
        self.0.entry(label.to_owned()).or_default().state = Some((said.0, said.1.to_owned()));
        if let Some(digest) = digest {
            self.tell(label, "digest", digest.to_string());
        }
    }

    fn published(&mut self, row: &Row) {
        let tone = match row.step {
            Step::InStep => Tone::Good,
            Step::OutOfStep | Step::NotPublished | Step::NotBuilt => Tone::Open,
            Step::Unknown => Tone::Unknown,
        };
        let label = &row.local.label;
        let built = match (row.local.taken, row.local.built, row.step) {
            (true, Some(_), _) => "locked, ",
            (false, Some(_), _) => "built, ",
            (_, None, Step::Unknown) => "not built, registry ",
            (_, None, _) => "",
        };
        self.0.entry(label.clone()).or_default().state = Some((tone, format!("{built}{}", status::step(row.step))));
        self.tell(label, "published as", row.local.published.to_string());
        if let Tagged::Names(digest) = row.published {
            self.tell(label, "published", digest.to_string());
        }
    }
}
