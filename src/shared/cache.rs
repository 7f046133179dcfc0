//! What a build asks of shared caches: records by key, many at once, and where the blobs are that they vouch for.
//!
//! A record counts only where its texts are right and its large blobs are in the store or, by a question each, in the
//! cache's repository. Texts are brought into the store, large blobs are left where they are. What goes wrong is a
//! warning and a miss; a registry that fails is asked no more. Never writes to a registry.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::artifact::{self, Found};
use super::depot::{Depot, DepotError};
use crate::action::record::{Blob, Output, Record};
use crate::digest::Digest;
use crate::reference::Repository;
use crate::store::{Cache, Presence, Store, StoreError};

/// After so many records that can't be used a cache is asked no more.
const UNUSABLE: usize = 8;
/// So many keys are asked for at a time.
const AT_ONCE: usize = 16;

/// Caches that machines share, for one command.
pub struct SharedCache<'a> {
    store: &'a Store,
    places: Vec<Place>,
    /// Whether what is found is kept in the store.
    keep: bool,
    known: Mutex<HashMap<Digest, Option<Hit>>>,
    /// Of keys that were looked for: why each place asked had no answer, as a phrase.
    missed: Mutex<HashMap<Digest, Vec<(usize, String)>>>,
    /// Large blobs that the store may lack, and the place that has them.
    held: Mutex<BTreeMap<Digest, usize>>,
    warnings: Mutex<Vec<String>>,
    pending: Mutex<BTreeMap<Digest, Output>>,
}

struct Place {
    depot: Box<dyn Depot>,
    /// Why it is asked no more.
    down: OnceLock<String>,
    /// How many of its records could not be used.
    unusable: AtomicUsize,
}

#[derive(Clone)]
struct Hit {
    output: Output,
    place: usize,
}

/// Why a place has no usable record.
enum Miss {
    /// There is none.
    Absent,
    /// There is one, and a blob of it is gone.
    Gone(Digest),
    /// None is asked for: why not.
    GivenUp(String),
    /// There is one that can't be used, or none can be asked for.
    Depot(DepotError),
    /// The store failed.
    Store(StoreError),
}

impl From<DepotError> for Miss {
    fn from(error: DepotError) -> Miss {
        Miss::Depot(error)
    }
}

impl From<StoreError> for Miss {
    fn from(error: StoreError) -> Miss {
        Miss::Store(error)
    }
}

fn unusable(why: &dyn std::fmt::Display) -> Miss {
    Miss::Depot(DepotError::Unusable(why.to_string()))
}

impl<'a> SharedCache<'a> {
    /// Caches that are asked in this order; none: nothing is ever found. `keep`: what is found goes into the store.
    pub fn new(store: &'a Store, depots: Vec<Box<dyn Depot>>, keep: bool) -> SharedCache<'a> {
        let place = |depot| Place { depot, down: OnceLock::new(), unusable: AtomicUsize::new(0) };
        let places = depots.into_iter().map(place).collect();
        SharedCache {
            store,
            places,
            keep,
            known: Mutex::default(),
            missed: Mutex::default(),
            held: Mutex::default(),
            warnings: Mutex::default(),
            pending: Mutex::default(),
        }
    }

    /// Whether what is found may be kept.
    pub fn keeps(&self) -> bool {
        self.keep
    }

    /// Looks for the records of many keys side by side; [`Cache::get`] has the answers then.
    pub fn look_up(&self, keys: &[Digest]) -> Result<(), StoreError> {
        let known = lock(&self.known);
        let mut open: Vec<Digest> = keys.iter().copied().filter(|key| !known.contains_key(key)).collect();
        drop(known);
        open.sort_unstable();
        open.dedup();
        if self.places.is_empty() || open.is_empty() {
            return Ok(());
        }
        let next = AtomicUsize::new(0);
        let work = || -> Result<(), StoreError> {
            while let Some(key) = open.get(next.fetch_add(1, Ordering::Relaxed)) {
                let hit = self.find(key)?;
                lock(&self.known).insert(*key, hit);
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..AT_ONCE.min(open.len())).map(|_| scope.spawn(work)).collect();
            let ended = workers.into_iter().map(|it| it.join().unwrap_or_else(|it| std::panic::resume_unwind(it)));
            ended.fold(Ok(()), Result::and)
        })
    }

    fn find(&self, key: &Digest) -> Result<Option<Hit>, StoreError> {
        let mut missed = Vec::new();
        for index in 0..self.places.len() {
            match self.ask(index, key) {
                Ok(output) => return Ok(Some(Hit { output, place: index })),
                Err(Miss::Store(error)) => return Err(error),
                Err(miss) => missed.push((index, self.missed_by(index, key, miss))),
            }
        }
        lock(&self.missed).insert(*key, missed);
        Ok(None)
    }

    /// Why a place has no answer, as a phrase; what is worth a warning gets one.
    fn missed_by(&self, index: usize, key: &Digest, miss: Miss) -> String {
        let place = &self.places[index];
        match miss {
            Miss::Absent => "it has no record of this key".to_owned(),
            Miss::Gone(blob) => format!("blob {blob} of its record is gone"),
            Miss::GivenUp(why) => format!("it is not asked any more: {why}"),
            Miss::Depot(DepotError::Down(why)) => {
                self.give_up(place, &why);
                format!("it does not answer: {why}")
            }
            Miss::Depot(DepotError::Unusable(why)) => {
                let repository = place.depot.repository();
                self.warn(format!("the record {repository}:{} can't be used: {why}", key.hex()));
                if place.unusable.fetch_add(1, Ordering::Relaxed) + 1 == UNUSABLE {
                    self.give_up(place, &format!("{UNUSABLE} of its records can't be used"));
                }
                format!("its record can't be used: {why}")
            }
            Miss::Store(error) => error.to_string(),
        }
    }

    fn give_up(&self, place: &Place, why: &str) {
        if place.down.set(why.to_owned()).is_ok() {
            self.warn(format!("the cache {} is not asked any more: {why}", place.depot.repository()));
        }
    }

    fn ask(&self, index: usize, key: &Digest) -> Result<Output, Miss> {
        let place = &self.places[index];
        if let Some(why) = place.down.get() {
            return Err(Miss::GivenUp(why.clone()));
        }
        let manifest = place.depot.manifest(&artifact::tag(key))?.ok_or(Miss::Absent)?;
        let found = artifact::decode(&manifest, key).map_err(|error| unusable(&error))?;
        for blob in found.output.blobs() {
            self.provide(&blob, &found, index)?;
        }
        Ok(found.output)
    }

    /// Sees to it that a blob is in the store, or known to be in the place.
    fn provide(&self, blob: &Blob, found: &Found, index: usize) -> Result<(), Miss> {
        if self.store.blobs().contains(&blob.digest, blob.size)? == Presence::Present {
            return Ok(());
        }
        let depot = &self.places[index].depot;
        match found.inline.get(&blob.digest) {
            Some(bytes) if self.keep => self.keep_text(bytes),
            Some(_) => Ok(()),
            None if self.keep && artifact::is_text(&found.output, blob) => self.keep_text(&read(&**depot, blob)?),
            None if !depot.has(blob)? => Err(Miss::Gone(blob.digest)),
            None => {
                lock(&self.held).insert(blob.digest, index);
                Ok(())
            }
        }
    }

    fn keep_text(&self, bytes: &[u8]) -> Result<(), Miss> {
        Ok(self.store.blobs().put_bytes(bytes).map(drop)?)
    }

    /// The repository whose record of a key was found; `None` where none was.
    pub fn origin(&self, key: &Digest) -> Option<&Repository> {
        let place = lock(&self.known).get(key)?.as_ref()?.place;
        Some(self.places[place].depot.repository())
    }

    /// Of a key that was looked for and not found: each repository that was asked, and why it had no answer, as a phrase.
    pub fn missed(&self, key: &Digest) -> Vec<(&Repository, String)> {
        let missed = lock(&self.missed);
        let missed = missed.get(key).into_iter().flatten();
        missed.map(|(index, why)| (self.places[*index].depot.repository(), why.clone())).collect()
    }

    /// Where a large blob is that a record found so far vouches for and that the store may lack.
    pub fn elsewhere(&self, digest: &Digest) -> Option<Repository> {
        let place = *lock(&self.held).get(digest)?;
        Some(self.places[place].depot.repository().clone())
    }

    /// All such blobs.
    pub fn held(&self) -> Vec<(Digest, Repository)> {
        let held = lock(&self.held);
        held.iter().map(|(digest, place)| (*digest, self.places[*place].depot.repository().clone())).collect()
    }

    /// Takes back what was said of a blob that could not be had after all: its records count as not found.
    pub fn distrust(&self, digest: &Digest, why: &str) {
        lock(&self.held).remove(digest);
        for hit in lock(&self.known).values_mut() {
            let names = |hit: &mut Hit| hit.output.blobs().any(|blob| blob.digest == *digest);
            if let Some(hit) = hit.take_if(names) {
                let repository = self.places[hit.place].depot.repository();
                self.warn(format!("blob {digest} of the cache {repository} can't be used, and is built again: {why}"));
            }
        }
    }

    fn warn(&self, text: String) {
        lock(&self.warnings).push(text);
    }

    /// What went wrong since the last call, as sentences for the user.
    pub fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.warnings))
    }

    /// The outputs that were put since the last call, by key.
    pub fn take_pending(&self) -> BTreeMap<Digest, Output> {
        std::mem::take(&mut lock(&self.pending))
    }
}

/// Records of other machines. They lack components: whoever asks has those of the key.
impl Cache for SharedCache<'_> {
    fn get(&self, key: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        self.look_up(&[*key])?;
        let hit = lock(&self.known).get(key).cloned().flatten();
        let record = |Hit { output, place }| {
            let shared = Some(self.places[place].depot.repository().to_string());
            Record { output, components: Vec::new(), shared, elapsed: None }.encode()
        };
        Ok(hit.map(record))
    }

    /// For [`SharedCache::take_pending`]; whoever takes them sends them.
    fn put(&self, key: &Digest, record: &[u8]) -> Result<(), StoreError> {
        if let Ok(output) = Record::decode_output(record) {
            lock(&self.pending).insert(*key, output);
        }
        Ok(())
    }
}

/// A text; its size was checked when its record was read.
fn read(depot: &dyn Depot, blob: &Blob) -> Result<Vec<u8>, Miss> {
    let mut bytes = Vec::new();
    let mut reader = depot.open(blob)?.take(blob.size + 1);
    reader.read_to_end(&mut bytes).map_err(|error| unusable(&error))?;
    if Digest::of(&bytes) == blob.digest {
        return Ok(bytes);
    }
    Err(unusable(&format!("blob {} is damaged", blob.digest)))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::action::record::LayerOutput;
    use crate::digest::DiffId;
    use crate::reference::Tag;
    use crate::store::OpenMode;

    /// A repository in memory that notes what it is asked.
    #[derive(Default)]
    struct Memory {
        manifests: HashMap<Tag, Vec<u8>>,
        blobs: Mutex<HashMap<Digest, Vec<u8>>>,
        down: AtomicBool,
        asked: AtomicUsize,
    }

    struct Depository(Repository, Arc<Memory>);

    impl Depot for Depository {
        fn repository(&self) -> &Repository {
            &self.0
        }

        fn manifest(&self, tag: &Tag) -> Result<Option<Vec<u8>>, DepotError> {
            self.1.asked.fetch_add(1, Ordering::Relaxed);
            match self.1.down.load(Ordering::Relaxed) {
                true => Err(DepotError::Down("nobody answers".to_owned())),
                false => Ok(self.1.manifests.get(tag).cloned()),
            }
        }

        fn has(&self, blob: &Blob) -> Result<bool, DepotError> {
            Ok(lock(&self.1.blobs).contains_key(&blob.digest))
        }

        fn open(&self, blob: &Blob) -> Result<Box<dyn Read + Send>, DepotError> {
            let bytes = lock(&self.1.blobs).get(&blob.digest).cloned();
            Ok(Box::new(Cursor::new(bytes.ok_or(DepotError::Unusable("gone".to_owned()))?)))
        }
    }

    fn blob(bytes: &[u8]) -> Blob {
        Blob { digest: Digest::of(bytes), size: bytes.len() as u64 }
    }

    fn large_listing() -> Vec<u8> {
        vec![b'\n'; 100_000]
    }

    fn layer(listing: &[u8]) -> Output {
        let diff_id = DiffId(Digest::of(b"tar"));
        let (blob, listing) = (blob(b"a layer"), blob(listing));
        Output::Layer(LayerOutput { blob, diff_id, uncompressed: 3, media_type: "x".to_owned(), listing })
    }

    fn key(number: u8) -> Digest {
        Digest::of(&[number])
    }

    /// A repository with a layer under key 1, and one with a large listing under key 2.
    fn memory() -> Memory {
        let mut memory = Memory::default();
        for (number, listing) in [(1, b"small".to_vec()), (2, large_listing())] {
            let artifact = artifact::encode(&key(number), &layer(&listing), |_| Ok::<_, ()>(listing.clone())).unwrap();
            memory.manifests.insert(artifact.tag, artifact.manifest);
        }
        *lock(&memory.blobs) =
            [b"a layer".to_vec(), large_listing()].into_iter().map(|bytes| (Digest::of(&bytes), bytes)).collect();
        memory
    }

    fn repository() -> Repository {
        "a.example/cache".parse().unwrap()
    }

    struct Scene {
        _folder: tempfile::TempDir,
        store: Store,
        memory: Arc<Memory>,
    }

    fn scene() -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), OpenMode { wait: true }).unwrap();
        Scene { _folder: folder, store, memory: Arc::new(memory()) }
    }

    impl Scene {
        fn cache(&self, keep: bool) -> SharedCache<'_> {
            let depot = Depository(repository(), self.memory.clone());
            SharedCache::new(&self.store, vec![Box::new(depot)], keep)
        }

        fn has(&self, bytes: &[u8]) -> bool {
            self.store.blobs().path(&Digest::of(bytes)).exists()
        }
    }

    #[test]
    fn texts_come_into_the_store_and_the_layer_stays_where_it_is() {
        let scene = scene();
        let cache = scene.cache(true);
        let record = Record::decode(&cache.get(&key(1)).unwrap().unwrap()).unwrap();
        assert_eq!((record.output, record.shared.as_deref()), (layer(b"small"), Some("a.example/cache")));
        assert!(cache.get(&key(2)).unwrap().is_some() && cache.get(&key(3)).unwrap().is_none());
        assert!(scene.has(b"small") && scene.has(&large_listing()) && !scene.has(b"a layer"));
        assert_eq!(cache.held(), [(Digest::of(b"a layer"), repository())]);
        assert_eq!((cache.origin(&key(1)), cache.origin(&key(3))), (Some(&repository()), None));
        assert!(cache.take_warnings().is_empty());
    }

    #[test]
    fn who_only_looks_keeps_nothing() {
        let scene = scene();
        let cache = scene.cache(false);
        cache.look_up(&[key(1), key(2)]).unwrap();
        assert!(cache.get(&key(1)).unwrap().is_some() && cache.get(&key(2)).unwrap().is_some());
        assert!(!scene.has(b"small") && !scene.has(&large_listing()));
    }

    #[test]
    fn a_key_is_asked_for_once_whatever_the_answer() {
        let scene = scene();
        let cache = scene.cache(true);
        for _ in 0..3 {
            cache.look_up(&[key(1), key(3), key(1)]).unwrap();
            cache.get(&key(3)).unwrap();
        }
        assert_eq!(scene.memory.asked.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_record_whose_layer_is_gone_is_a_silent_miss_and_one_whose_text_is_damaged_a_told_one() {
        let scene = scene();
        lock(&scene.memory.blobs).remove(&Digest::of(b"a layer"));
        let cache = scene.cache(true);
        assert!(cache.get(&key(1)).unwrap().is_none() && cache.take_warnings().is_empty());
        let gone = format!("blob {} of its record is gone", Digest::of(b"a layer"));
        assert_eq!(cache.missed(&key(1)), [(&repository(), gone)]);
        lock(&scene.memory.blobs).insert(Digest::of(b"a layer"), b"a layer".to_vec());
        lock(&scene.memory.blobs).insert(Digest::of(&large_listing()), vec![b'x'; 100_000]);
        let cache = scene.cache(true);
        assert!(cache.get(&key(2)).unwrap().is_none() && !scene.has(&large_listing()));
        let told = cache.take_warnings();
        assert!(told.len() == 1 && told[0].ends_with("is damaged"), "{told:?}");
    }

    #[test]
    fn a_cache_that_is_down_is_told_of_once_and_asked_no_more() {
        let scene = scene();
        scene.memory.down.store(true, Ordering::Relaxed);
        let cache = scene.cache(true);
        assert!(cache.get(&key(1)).unwrap().is_none());
        cache.look_up(&[key(2), key(3), key(4)]).unwrap();
        let why = |number| cache.missed(&key(number)).into_iter().map(|(_, why)| why).collect::<Vec<_>>();
        assert_eq!(why(1), ["it does not answer: nobody answers"]);
        assert_eq!(why(4), ["it is not asked any more: nobody answers"]);
        assert_eq!(cache.take_warnings(), ["the cache a.example/cache is not asked any more: nobody answers"]);
        assert_eq!(scene.memory.asked.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_cache_of_nothing_but_nonsense_is_given_up() {
        let mut memory = memory();
        (10..40).for_each(|number| drop(memory.manifests.insert(artifact::tag(&key(number)), b"<html>".to_vec())));
        let scene = Scene { memory: Arc::new(memory), ..scene() };
        let cache = scene.cache(true);
        assert!((10..40).all(|number| cache.get(&key(number)).unwrap().is_none()));
        assert_eq!((cache.take_warnings().len(), scene.memory.asked.load(Ordering::Relaxed)), (UNUSABLE + 1, UNUSABLE));
    }

    #[test]
    fn what_is_distrusted_counts_as_not_found() {
        let scene = scene();
        let cache = scene.cache(true);
        cache.look_up(&[key(1), key(2)]).unwrap();
        cache.distrust(&Digest::of(b"small"), "it was damaged");
        assert!(cache.get(&key(1)).unwrap().is_none() && cache.get(&key(2)).unwrap().is_some());
        assert_eq!(cache.take_warnings().len(), 1);
        cache.distrust(&Digest::of(b"a layer"), "it was damaged");
        assert!(cache.get(&key(2)).unwrap().is_none() && cache.held().is_empty());
    }

    #[test]
    fn what_is_put_waits_for_whoever_sends_it() {
        let scene = scene();
        let cache = scene.cache(true);
        let record = Record { output: layer(b"small"), components: Vec::new(), shared: None, elapsed: None };
        cache.put(&key(7), &record.encode()).unwrap();
        assert_eq!(cache.take_pending(), [(key(7), layer(b"small"))].into());
        assert!(cache.take_pending().is_empty());
    }
}
