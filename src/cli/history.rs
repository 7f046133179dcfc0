//! What is known of builds before: of each target the last one and the one before, by name alone. Needs no plan and reads
//! no source.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

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
    known: RefCell<Known>,
}

impl<'a> History<'a> {
    /// Of the workspace with this root.
    pub fn open(store: &'a Store, root: &Utf8Path) -> Result<History<'a>, CliError> {
        let last = store.last_builds(root.as_std_path()).load()?;
        Ok(History { store, last, known: RefCell::default() })
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
        let blamed = self.blamed(name)?;
        let Some(rebuild) = self.rebuild(&blamed)? else { return Ok(None) };
        let changes = &rebuild.changes;
        let own = changes.iter().find(|change| !is_inputs(change));
        let Some(change) = own.or(changes.first()) else { return Ok(None) };
        let more = if changes.len() > 1 { format!(" and {} more", changes.len() - 1) } else { String::new() };
        let place = if blamed == name { String::new() } else { format!(", in {blamed}") };
        Ok(Some(format!("{}{more}{place}", change.headline())))
    }

    /// The target to blame for a rebuild, perhaps itself: the way there is gone once, whoever asks.
    fn blamed(&self, name: &str) -> Result<String, CliError> {
        let (mut at, mut seen) = (name.to_owned(), BTreeSet::from([name.to_owned()]));
        loop {
            if let Some(known) = self.known.borrow().blamed.get(&at) {
                at.clone_from(known);
                break;
            }
            let Some(next) = self.next(&at)?.filter(|next| seen.insert(next.clone())) else { break };
            at = next;
        }
        self.known.borrow_mut().blamed.extend(seen.into_iter().map(|name| (name, at.clone())));
        Ok(at)
    }

    /// The input whose rebuild was the reason for one's own.
    fn next(&self, name: &str) -> Result<Option<String>, CliError> {
        let Some(rebuild) = self.rebuild(name)? else { return Ok(None) };
        let Some((input, change)) = input(name, &rebuild.changes) else { return Ok(None) };
        let below = self.rebuild(&input)?;
        Ok(below.filter(|below| below.gave == (change.old, change.new)).map(|_| input))
    }

    /// A target's last build against the one before; `None` where one of the two is not known. Read once.
    fn rebuild(&self, name: &str) -> Result<Option<Rc<Rebuild>>, CliError> {
        if let Some(known) = self.known.borrow().rebuilds.get(name) {
            return Ok(known.clone());
        }
        let two = match (self.before(name), self.last(name)) {
            (Some(old), Some(new)) => self.record(old)?.zip(self.record(new)?),
            _ => None,
        };
        let rebuild = two.map(|(old, new)| Rc::new(Rebuild::of(&Two { old, new })));
        self.known.borrow_mut().rebuilds.insert(name.to_owned(), rebuild.clone());
        Ok(rebuild)
    }
}

/// What has been found out of builds.
#[derive(Default)]
struct Known {
    rebuilds: HashMap<String, Option<Rc<Rebuild>>>,
    blamed: HashMap<String, String>,
}

/// What differs between the last two builds of a target.
struct Rebuild {
    /// What the two gave.
    gave: (Option<String>, Option<String>),
    changes: Vec<Change>,
}

impl Rebuild {
    fn of(two: &Two) -> Rebuild {
        Rebuild { gave: two.results(), changes: why::changes(&two.old.components, &two.new.components) }
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
        let (old, new) = self.results();
        old == change.old && new == change.new
    }

    /// What each gave, as components of what stands on it say it.
    fn results(&self) -> (Option<String>, Option<String>) {
        let gave = |record: &Record| Some(record.output.digest().to_string());
        (gave(&self.old), gave(&self.new))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::record::{Blob, Component, Output};
    use crate::store::OpenMode;

    /// Builds of `//:image` over `//:layer`, each of one component, in a store.
    struct Scene {
        _folder: tempfile::TempDir,
        store: Store,
    }

    impl Scene {
        fn new() -> Scene {
            let folder = tempfile::tempdir().unwrap();
            let store = Store::open(folder.path(), OpenMode { wait: true }).unwrap();
            Scene { _folder: folder, store }
        }

        /// Notes a build: what it gave, and of what. `before`: not the last, but the one before.
        fn note(&self, name: &str, gave: &str, components: &[(&str, &str, &str)], before: bool) {
            let component = |(name, value, origin): &(&str, &str, &str)| Component {
                name: (*name).into(),
                value: (*value).into(),
                origin: Some((*origin).into()),
            };
            let output = Output::File(Blob { digest: Digest::of(gave.as_bytes()), size: 1 });
            let components = components.iter().map(component).collect();
            let record = Record { output, components, shared: None, elapsed: None };
            let key = Digest::of(format!("{name} {gave}").as_bytes());
            self.store.actions().put(&key, &record.encode()).unwrap();
            let name = if before { format!("{name} before") } else { name.to_owned() };
            self.store.last_builds("/w".as_ref()).record([(name.as_str(), key)]).unwrap();
        }

        fn why(&self) -> Option<String> {
            History::open(&self.store, "/w".into()).unwrap().last_rebuilt("//:image").unwrap()
        }
    }

    fn digest(text: &str) -> String {
        Digest::of(text.as_bytes()).to_string()
    }

    #[test]
    fn the_target_to_blame_is_named_where_it_is_another() {
        let scene = Scene::new();
        for (content, layer, image, before) in [("1", "layer 1", "image 1", true), ("2", "layer 2", "image 2", false)] {
            scene.note("//:layer", layer, &[("entry /a", content, "file src/a")], before);
            scene.note("//:image", image, &[("layer 1", &digest(layer), "//:layer")], before);
        }
        assert_eq!(scene.why().as_deref(), Some("file src/a (entry /a) changed, in //:layer"));
        // Whoever was asked for before.
        let history = History::open(&scene.store, "/w".into()).unwrap();
        for (name, place) in [("//:layer", ""), ("//:image", ", in //:layer"), ("//:image", ", in //:layer")] {
            let told = history.last_rebuilt(name).unwrap();
            assert_eq!(told, Some(format!("file src/a (entry /a) changed{place}")), "{name}");
        }
        // The layer was built once more since: what it changed for then is another matter.
        scene.note("//:layer", "layer 3", &[("entry /a", "3", "file src/a")], false);
        assert_eq!(scene.why().as_deref(), Some("//:layer (layer 1) changed"));
    }

    #[test]
    fn what_was_built_once_was_not_rebuilt() {
        let scene = Scene::new();
        assert_eq!(scene.why(), None);
        scene.note("//:image", "image 1", &[("user", "1", "layers.toml")], false);
        assert_eq!(scene.why(), None);
    }
}
