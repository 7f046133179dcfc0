//! What is known of targets beside what they declare: what they are locked to, what they gave when they were built last and
//! why; with `--state`, whether they are built now, and published.

use std::collections::HashMap;

use super::context::Context;
use super::error::CliError;
use super::explanation::Explainer;
use super::project::{self, Project};
use super::status;
use super::work::Work;
use crate::action::ActionId;
use crate::action::record::Output;
use crate::build::probe::State;
use crate::picture::{Detail, Tone};
use crate::plan::why::Change;
use crate::status::{Row, Step, Tagged};

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

    /// What the store alone knows: digests, and why they are no others.
    pub fn local(project: &Project, cx: &Context) -> Result<Facts, CliError> {
        let mut facts = Facts::asked(false, project, cx)?;
        facts.0.values_mut().for_each(|fact| fact.state = None);
        Ok(facts)
    }

    /// Asks how the project's targets stand: the store, and the registry for what images are published.
    pub fn states(project: &Project, cx: &Context) -> Result<Facts, CliError> {
        Facts::asked(true, project, cx)
    }

    fn asked(registry: bool, project: &Project, cx: &Context) -> Result<Facts, CliError> {
        let selected = project.select_with_published(cx)?;
        let store = project::open_store(cx)?;
        let lowered = project.lower(&selected, &store, cx)?;
        let work = Work::looking(project, &selected, &lowered, &store, cx)?;
        let listener = cx.listener();
        let states = work.probe(&*listener)?;
        let explainer = Explainer::new(&work, &states)?;
        let mut facts = Facts::default();
        let mut images = Vec::new();
        for id in selected.graph.ids() {
            let target = selected.graph.target(id);
            let Some(action) = lowered.action(id) else { continue };
            let (label, state) = (target.label.to_string(), &states[action.index()]);
            facts.built(&label, state);
            facts.because(&label, &explainer, action, state)?;
            images.extend(
                Some(id).filter(|_| target.rule.purpose.is_published() && target.label.package.external().is_none()),
            );
        }
        if !registry {
            return Ok(facts);
        }
        let found = status::of(&work, &states, &images, cx)?;
        status::tell_failures(&found, &*listener);
        found.rows.iter().for_each(|row| facts.published(row));
        Ok(facts)
    }

    fn built(&mut self, label: &str, state: &State) {
        let digest = state.output().map(Output::digest);
        let said = if digest.is_some() { (Tone::Good, "built") } else { (Tone::Open, "not built") };
        self.0.entry(label.to_owned()).or_default().state = Some((said.0, said.1.to_owned()));
        if let Some(digest) = digest {
            self.tell(label, "digest", digest.to_string());
        }
    }

    /// Why it was built last, or would be built.
    fn because(&mut self, label: &str, explainer: &Explainer<'_>, id: ActionId, state: &State) -> Result<(), CliError> {
        if state.output().is_none() {
            self.tell(label, "would be built because", explainer.reason(id)?.headline());
        } else if let Some(changes) = explainer.last_change(id)?.filter(|changes| !changes.is_empty()) {
            let said: Vec<String> = changes.iter().map(Change::sentence).collect();
            self.tell(label, "last rebuilt because", said.join("\n"));
        }
        Ok(())
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
