//! What a build asks of shared caches: records by key, many at once, and where the blobs are that they vouch for.
//!
//! A record counts only where its texts are right and its large blobs are in the store or, by a question each, in the
//! cache's repository. Texts are brought into the store, large blobs are left where they are. What goes wrong is a
//! warning and a miss; a registry that fails is asked no more. Never writes to a registry.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::artifact::{self, Found};
use super::depot::{Depot, DepotError};
use crate::action::record::{Blob, Output, Record};
use crate::digest::Digest;
use crate::reference::Repository;
use crate::store::{Cache, Presence, Store, StoreError};

/// So many keys are asked for at a time.
const AT_ONCE: usize = 16;

/// Caches that machines share, for one command.
pub struct SharedCache<'a> {
    store: &'a Store,
    places: Vec<Place>,
    /// Whether what is found is kept in the store.
    keep: bool,
    known: Mutex<HashMap<Digest, Option<Hit>>>,
    /// Large blobs that the store may lack, and the place that has them.
    held: Mutex<BTreeMap<Digest, usize>>,
    warnings: Mutex<Vec<String>>,
    pending: Mutex<BTreeMap<Digest, Output>>,
}

struct Place {
    depot: Box<dyn Depot>,
    down: AtomicBool,
}

#[derive(Clone)]
struct Hit {
    output: Output,
    place: usize,
}

/// Why a place has no usable record.
enum Miss {
    /// There is none, or a blob of it is gone.
    Absent,
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
        let places = depots.into_iter().map(|depot| Place { depot, down: AtomicBool::new(false) }).collect();
        SharedCache {
            store,
            places,
            keep,
            known: Mutex::default(),
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
        for (index, place) in self.places.iter().enumerate() {
            let repository = place.depot.repository();
            match self.ask(index, key) {
                Ok(output) => return Ok(Some(Hit { output, place: index })),
                Err(Miss::Absent) => {}
                Err(Miss::Store(error)) => return Err(error),
                Err(Miss::Depot(DepotError::Unusable(why))) => {
                    self.warn(format!("the record {repository}:{} can't be used: {why}", key.hex()));
                }
                Err(Miss::Depot(DepotError::Down(why))) => {
                    if !place.down.swap(true, Ordering::Relaxed) {
                        self.warn(format!("the cache {repository} is not asked any more: {why}"));
                    }
                }
            }
        }
        Ok(None)
    }

    fn ask(&self, index: usize, key: &Digest) -> Result<Output, Miss> {
        let place = &self.places[index];
        if place.down.load(Ordering::Relaxed) {
            return Err(Miss::Absent);
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
            Some(bytes) if self.keep => self.put(bytes),
            Some(_) => Ok(()),
            None if self.keep && artifact::is_text(&found.output, blob) => self.put(&read(&**depot, blob)?),
            None if !depot.has(blob)? => Err(Miss::Absent),
            None => {
                lock(&self.held).insert(blob.digest, index);
                Ok(())
            }
        }
    }

    fn put(&self, bytes: &[u8]) -> Result<(), Miss> {
        Ok(self.store.blobs().put_bytes(bytes).map(drop)?)
    }

    /// The repository whose record of a key was found; `None` where none was.
    pub fn origin(&self, key: &Digest) -> Option<&Repository> {
        let place = lock(&self.known).get(key)?.as_ref()?.place;
        Some(self.places[place].depot.repository())
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
        let Some(place) = lock(&self.held).remove(digest) else { return };
        let repository = self.places[place].depot.repository();
        self.warn(format!("blob {digest} of the cache {repository} can't be used, and is built again: {why}"));
        for hit in lock(&self.known).values_mut() {
            if hit.as_ref().is_some_and(|hit| hit.output.blobs().any(|blob| blob.digest == *digest)) {
                *hit = None;
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
            Record { output, components: Vec::new(), shared }.encode()
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
