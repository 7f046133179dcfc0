//! What is known of builds before: of each target the last one and the one before, by name alone. Needs no plan and reads
//! no source.

use std::collections::{BTreeSet, HashMap};

use camino::Utf8Path;

use super::error::CliError;
use crate::action::record::Record;
use crate::digest::Digest;
use crate::plan::why::{self, Change};
use crate::store::{Cache, Store};

/// The builds that one workspace's targets had in one store.
pub struct History<'a> {
    store: &'a Store,
    last: HashMap<String, Digest>,
}

impl<'a> History<'a> {
    /// Of the workspace with this root.
    pub fn open(store: &'a Store, root: &Utf8Path) -> Result<History<'a>, CliError> {
        let last = store.last_builds(root.as_std_path()).load()?;
        Ok(History { store, last })
    }

    /// The action key of a target's last build; `None`: it never was built here. `name`: as the build was noted, which is
    /// the label, with what tells apart actions of one label behind it.
    pub fn last(&self, name: &str) -> Option<&Digest> {
        self.last.get(name)
    }

    /// The key of the build before the last one.
    pub fn before(&self, name: &str) -> Option<&Digest> {
        self.last.get(&format!("{name} before"))
    }

    /// The record of a key; `None` where it is gone or can't be read.
    pub fn record(&self, key: &Digest) -> Result<Option<Record>, CliError> {
        let bytes = self.store.actions().get(key)?;
        Ok(bytes.and_then(|bytes| Record::decode(&bytes).ok()))
    }

    /// What a target was last rebuilt for, in a few words, with the target to blame where it is another: `file app/run
    /// changed, in //app:files`. `None`: no build before its last one is known.
    pub fn last_rebuilt(&self, name: &str) -> Result<Option<String>, CliError> {
        let Some((_, mut changes)) = self.rebuild(name)? else { return Ok(None) };
        let (mut at, mut seen) = (name.to_owned(), BTreeSet::from([name.to_owned()]));
        while let Some((next, change)) = input(&at, &changes) {
            let Some((two, below)) = self.rebuild(&next)? else { break };
            if !two.gave(&change) || !seen.insert(next.clone()) {
                break;
            }
            (at, changes) = (next, below);
        }
        let own = changes.iter().find(|change| !is_inputs(change));
        let Some(change) = own.or(changes.first()) else { return Ok(None) };
        let more = if changes.len() > 1 { format!(" and {} more", changes.len() - 1) } else { String::new() };
        let place = if at == name { String::new() } else { format!(", in {at}") };
        Ok(Some(format!("{}{more}{place}", change.headline())))
    }

    fn rebuild(&self, name: &str) -> Result<Option<(Two, Vec<Change>)>, CliError> {
        let (Some(old), Some(new)) = (self.before(name), self.last(name)) else { return Ok(None) };
        let two = self.record(old)?.zip(self.record(new)?).map(|(old, new)| Two { old, new });
        Ok(two.map(|two| {
            let changes = why::changes(&two.old.components, &two.new.components);
            (two, changes)
        }))
    }
}

/// Two results of one target, one after the other.
pub struct Two {
    /// The earlier.
    pub old: Record,
    /// The later.
    pub new: Record,
}

impl Two {
    /// Whether a change of what stands on the target is from the one to the other.
    pub fn gave(&self, change: &Change) -> bool {
        let gave = |record: &Record| Some(record.output.digest().to_string());
        gave(&self.old) == change.old && gave(&self.new) == change.new
    }
}

/// Whether a change is of another target's result.
fn is_inputs(change: &Change) -> bool {
    let same = change.was.is_none() && change.new.is_some();
    same && change.origin.as_deref().is_some_and(|origin| origin.starts_with("//") || origin.starts_with('@'))
}

/// The input to blame where all changes are of inputs', by the name under which its builds are noted, with its change: what a
/// target fetches bears its own label. `None` where the target itself changed.
fn input(at: &str, changes: &[Change]) -> Option<(String, Change)> {
    let change = changes.first().filter(|_| changes.iter().all(is_inputs))?;
    let origin = change.origin.as_deref()?;
    Some((if origin == at { format!("{origin} fetch") } else { origin.to_owned() }, change.clone()))
}
