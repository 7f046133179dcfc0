//! Logs of commands: files of lines, appended to while a command works, so that a killed one leaves what it wrote.
//!
//! One folder a workspace; the oldest are removed when another is begun. The lines are opaque here. Whoever writes a log
//! holds its lock: one that nobody holds is over, however it ended. Needs no open store: no log is part of a result.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::FlockOperation;

use super::folder::workspace_name;
use super::lock::flock;
use super::version::{self, Found};

/// How many logs a workspace keeps of commands that did something.
const KEPT: usize = 50;
/// How many of commands that did nothing: they don't push out the others.
const KEPT_IDLE: usize = 20;
/// Bytes that a log may have; what would come then is left out.
const LARGEST: u64 = 8 << 20;
/// Bytes that all logs of the store may have together.
const ALL: u64 = 64 << 20;

/// Names are numbers of this many digits and letters.
const RADIX: u32 = 36;
const SUFFIX: &str = ".jsonl";
const IDLE_SUFFIX: &str = ".idle.jsonl";

/// The logs of one workspace.
#[derive(Debug, Clone)]
pub struct Logs {
    store: PathBuf,
    folder: PathBuf,
}

/// What a log tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogKind {
    /// A command that did something.
    Work,
    /// A command that did nothing: it had nothing to do, or was refused.
    Idle,
}

/// A log that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Its name: later logs have greater ones.
    pub id: String,
    /// What it tells of.
    pub kind: LogKind,
    /// Where it is.
    pub path: PathBuf,
}

/// A log being written.
#[derive(Debug)]
pub struct LogFile {
    /// Its name.
    pub id: String,
    /// Where it is.
    pub path: PathBuf,
    file: File,
    room: u64,
}

impl Logs {
    /// Those of the workspace with this root folder (absolute) in the store of this folder.
    pub fn of(store: &Path, workspace: &Path) -> Logs {
        Logs { store: store.to_owned(), folder: store.join("logs").join(workspace_name(workspace)) }
    }

    /// Begins a log; makes room first. `None` where there is no store, which a log alone doesn't make, or one of another version.
    pub fn create(&self, kind: LogKind) -> io::Result<Option<LogFile>> {
        if !matches!(version::check(&self.store), Ok(Found::Store)) {
            return Ok(None);
        }
        if !self.folder.is_dir() {
            fs::create_dir_all(&self.folder)?;
        }
        let latest = self.make_room(kind)?;
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(since.as_millis()).unwrap_or_default();
        // Later ones have greater names even when the clock was set back.
        let mut moment =
            now.max(latest.map_or(0, |id| u64::from_str_radix(&id, RADIX).unwrap_or_default().saturating_add(1)));
        loop {
            let id = id(moment);
            let path = self.folder.join(format!("{id}{}", suffix(kind)));
            match OpenOptions::new().append(true).create_new(true).open(&path) {
                Ok(file) => {
                    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
                    return Ok(Some(LogFile { id, path, file, room: LARGEST }));
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => moment += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// All logs, the latest first; none where no command ever wrote one.
    pub fn list(&self) -> io::Result<Vec<LogEntry>> {
        let mut entries = entries(&self.folder)?;
        entries.sort_unstable_by(|a, b| b.id.cmp(&a.id));
        Ok(entries)
    }

    /// Gives the name of the latest log.
    fn make_room(&self, kind: LogKind) -> io::Result<Option<String>> {
        let all = self.list()?;
        let latest = all.first().map(|entry| entry.id.clone());
        let kept = if kind == LogKind::Work { KEPT } else { KEPT_IDLE };
        let own = all.into_iter().filter(|entry| entry.kind == kind);
        own.skip(kept - 1).try_for_each(|entry| remove(&entry.path))?;
        if kind == LogKind::Work {
            self.shrink(ALL - LARGEST)?;
        }
        Ok(latest)
    }

    /// Removes the oldest logs of all workspaces until the rest is small enough.
    fn shrink(&self, most: u64) -> io::Result<()> {
        let mut all = Vec::new();
        for folder in fs::read_dir(self.store.join("logs"))? {
            all.extend(entries(&folder?.path())?);
        }
        all.sort_unstable_by(|a, b| b.id.cmp(&a.id));
        let mut sum = 0;
        let too_old = all.into_iter().skip_while(|entry| {
            // Another process may have removed it since.
            sum += entry.path.metadata().map_or(0, |metadata| metadata.len());
            sum <= most
        });
        too_old.into_iter().try_for_each(|entry| remove(&entry.path))
    }
}

impl LogEntry {
    /// Its lines, of which the last may be torn.
    pub fn read(&self) -> io::Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(&self.path)?).into_owned())
    }

    /// Whether a process still writes it.
    pub fn is_running(&self) -> bool {
        let held = |file: File| {
            matches!(flock(&file, FlockOperation::NonBlockingLockShared), Err(rustix::io::Errno::WOULDBLOCK))
        };
        File::open(&self.path).is_ok_and(held)
    }
}

impl LogFile {
    /// Appends whole lines at once; gives whether there was room. `last`: they are short and end the log, and have room always.
    pub fn append(&mut self, lines: &[u8], last: bool) -> io::Result<bool> {
        let size = lines.len() as u64;
        if size > self.room && !last {
            self.room = 0;
            return Ok(false);
        }
        self.room = self.room.saturating_sub(size);
        self.file.write_all(lines).map(|()| true)
    }
}

fn suffix(kind: LogKind) -> &'static str {
    match kind {
        LogKind::Work => SUFFIX,
        LogKind::Idle => IDLE_SUFFIX,
    }
}

/// Milliseconds since 1970 as digits and letters: short enough to be typed, and greater for a later moment.
fn id(mut moment: u64) -> String {
    let mut digits = Vec::new();
    while moment > 0 || digits.len() < 8 {
        let digit = (moment % u64::from(RADIX)) as u32;
        digits.push(char::from_digit(digit, RADIX).expect("a rest is below the divisor"));
        moment /= u64::from(RADIX);
    }
    digits.iter().rev().collect()
}

fn entries(folder: &Path) -> io::Result<Vec<LogEntry>> {
    let listed = match fs::read_dir(folder) {
        Err(error) if [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&error.kind()) => {
            return Ok(Vec::new());
        }
        listed => listed?,
    };
    let mut found = Vec::new();
    for entry in listed {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let idle = name.strip_suffix(IDLE_SUFFIX).map(|id| (id, LogKind::Idle));
        let Some((id, kind)) = idle.or(name.strip_suffix(SUFFIX).map(|id| (id, LogKind::Work))) else { continue };
        found.push(LogEntry { id: id.to_owned(), kind, path: entry.path() });
    }
    Ok(found)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logs() -> (tempfile::TempDir, Logs) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("store")).unwrap();
        fs::write(dir.path().join("store/VERSION"), "layerbuild store 1\n").unwrap();
        let logs = Logs::of(&dir.path().join("store"), Path::new("/w"));
        (dir, logs)
    }

    fn begun(logs: &Logs, kind: LogKind) -> LogFile {
        logs.create(kind).unwrap().expect("there is a store")
    }

    #[test]
    fn a_log_alone_makes_no_store() {
        let dir = tempfile::tempdir().unwrap();
        let logs = Logs::of(&dir.path().join("store"), Path::new("/w"));
        assert!(logs.create(LogKind::Work).unwrap().is_none() && !dir.path().join("store").exists());
    }

    #[test]
    fn later_logs_stand_first_and_only_so_many_of_each_kind_stay() {
        let (_dir, logs) = logs();
        assert!(logs.list().unwrap().is_empty());
        let first = begun(&logs, LogKind::Work).id;
        let ids: Vec<String> = (0..KEPT_IDLE + 3).map(|_| begun(&logs, LogKind::Idle).id).collect();
        let listed = logs.list().unwrap();
        assert_eq!(listed.len(), KEPT_IDLE + 1, "idle ones push out no others");
        assert_eq!((&listed[0].id, &listed.last().unwrap().id), (ids.last().unwrap(), &first));
        (0..KEPT).for_each(|_| drop(begun(&logs, LogKind::Work)));
        assert!(logs.list().unwrap().iter().all(|entry| entry.id != first));
    }

    #[test]
    fn the_oldest_go_when_all_are_too_large() {
        let (dir, logs) = logs();
        let other = Logs::of(&dir.path().join("store"), Path::new("/other"));
        for logs in [&other, &logs] {
            begun(logs, LogKind::Work).append(&[b'x'; 100], false).unwrap();
        }
        logs.shrink(199).unwrap();
        assert_eq!((other.list().unwrap().len(), logs.list().unwrap().len()), (0, 1));
    }

    #[test]
    fn a_stray_file_is_in_nobodys_way() {
        let (dir, logs) = logs();
        drop(begun(&logs, LogKind::Work));
        fs::write(dir.path().join("store/logs/stray"), "").unwrap();
        fs::write(logs.folder.join("stray"), "").unwrap();
        drop(begun(&logs, LogKind::Work));
        assert_eq!(logs.list().unwrap().len(), 2);
    }

    #[test]
    fn a_log_has_an_end_that_always_has_room() {
        let (_dir, logs) = logs();
        let mut log = begun(&logs, LogKind::Work);
        log.room = 10;
        assert!(log.append(b"12345\n", false).unwrap());
        assert!(!log.append(b"12345\n", false).unwrap() && !log.append(b"1\n", false).unwrap());
        assert!(log.append(b"end\n", true).unwrap());
        assert_eq!(logs.list().unwrap()[0].read().unwrap(), "12345\nend\n");
    }

    #[test]
    fn a_log_runs_as_long_as_its_writer_holds_it() {
        let (_dir, logs) = logs();
        let log = begun(&logs, LogKind::Work);
        let entry = logs.list().unwrap().remove(0);
        assert!(entry.is_running());
        drop(log);
        assert!(!entry.is_running());
    }

    #[test]
    fn ids_grow_with_time() {
        let ids: Vec<String> = [1, 35, 36, 1_795_892_000_000, 1_795_892_000_001].map(id).to_vec();
        assert!(ids.is_sorted() && ids.iter().all(|id| id.len() == 8), "{ids:?}");
    }
}
