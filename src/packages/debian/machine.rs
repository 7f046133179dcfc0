//! Which archives there are for this machine: what its apt says, and the sources that the workspace names.
//!
//! Reads apt's configuration (through `apt-config`, where it is) when it is first asked for. The only place that knows
//! addresses: what is locked has none.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::apt::{self, Archive, Keys};
use super::download::{Client, DownloadError, Proxies};

/// The name of the source that is this machine's own configuration.
pub const SYSTEM: &str = "system";

/// A source as the workspace names it, `[apt.NAME]`; what it leaves out is the machine's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// Below `dists`; empty: all that the machine takes.
    pub suites: Vec<String>,
    /// Empty: `main`, or the machine's where no suites are named.
    pub components: Vec<String>,
    /// Debian's names; empty: any.
    pub architectures: Vec<String>,
    /// Addresses in the order in which they are tried; empty: the machine's.
    pub mirrors: Vec<String>,
    /// A file; `None`: the machine's.
    pub keyring: Option<PathBuf>,
    /// Whether an archive that says that it is out of date is taken even so.
    pub ignore_valid_until: bool,
}

/// What is missing of a source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// Nobody says what it is.
    #[error("no `[apt.{0}]` says what the source is")]
    Unknown(String),
    /// The machine has none of its own.
    #[error("this machine's apt names no archive that could be read")]
    NoArchives,
}

/// This machine's archives.
pub struct Machine {
    named: BTreeMap<String, Source>,
    variables: Vec<(OsString, OsString)>,
    offline: bool,
    configured: OnceLock<Configured>,
    client: OnceLock<Result<Client, String>>,
}

struct Configured {
    archives: Vec<Archive>,
    trusted: Vec<PathBuf>,
    proxies: Proxies,
}

impl Machine {
    /// `variables`: those that programs are started with.
    pub fn new(named: BTreeMap<String, Source>, variables: Vec<(OsString, OsString)>, offline: bool) -> Machine {
        Machine { named, variables, offline, configured: OnceLock::new(), client: OnceLock::new() }
    }

    /// A source's archives.
    pub fn archives(&self, source: &str) -> Result<Vec<Archive>, SourceError> {
        let archives = match self.named.get(source) {
            Some(named) => self.of(named),
            None if source == SYSTEM => self.configured().archives.clone(),
            None => return Err(SourceError::Unknown(source.to_owned())),
        };
        if archives.is_empty() { Err(SourceError::NoArchives) } else { Ok(archives) }
    }

    fn of(&self, source: &Source) -> Vec<Archive> {
        let check_valid_until = !source.ignore_valid_until;
        let keys = source.keyring.as_ref().map(|file| Keys::Files(vec![file.display().to_string()]));
        if source.suites.is_empty() {
            return self.configured().archives.iter().map(|archive| adapted(archive.clone(), source, &keys)).collect();
        }
        let main = || vec!["main".to_owned()];
        let mirrors = match source.mirrors.is_empty() {
            true => self.configured().archives.iter().flat_map(|archive| archive.addresses.clone()).collect(),
            false => source.mirrors.clone(),
        };
        let archive = Archive {
            addresses: mirrors,
            suites: source.suites.clone(),
            components: if source.components.is_empty() { main() } else { source.components.clone() },
            architectures: source.architectures.clone(),
            keys: keys.unwrap_or_else(|| self.machines_keys()),
            check_valid_until,
        };
        vec![archive]
    }

    /// The keys of the machine's archives, or what it trusts for all.
    fn machines_keys(&self) -> Keys {
        let files = self.configured().archives.iter().filter_map(|archive| match &archive.keys {
            Keys::Files(files) => Some(files.clone()),
            _ => None,
        });
        let files: Vec<String> = files.flatten().collect();
        if files.is_empty() { Keys::Machine } else { Keys::Files(files) }
    }

    /// The keyrings whose signatures count for an archive, and a key that its list holds.
    pub fn keys<'a>(&self, archive: &'a Archive) -> (Vec<PathBuf>, Option<&'a str>) {
        match &archive.keys {
            Keys::Machine => (self.configured().trusted.clone(), None),
            Keys::Files(files) => (files.iter().map(PathBuf::from).collect(), None),
            Keys::Inline(key) => (Vec::new(), Some(key)),
        }
    }

    /// What fetches files.
    pub fn client(&self) -> Result<&Client, DownloadError> {
        let made = self
            .client
            .get_or_init(|| Client::new(&self.configured().proxies, self.offline).map_err(|error| error.to_string()));
        made.as_ref().map_err(|error| DownloadError::Failed(error.clone()))
    }

    /// Every address of the sources under which a locked path can be, in the order in which they are tried.
    pub fn urls(&self, source: &str, path: &str) -> Result<Vec<String>, SourceError> {
        let mut urls: Vec<String> = Vec::new();
        for address in self.archives(source)?.iter().flat_map(|archive| &archive.addresses) {
            let url = format!("{address}/{path}");
            if !urls.contains(&url) {
                urls.push(url);
            }
        }
        Ok(urls)
    }

    /// A file from an address.
    pub fn fetch(&self, url: &str, out: &mut dyn Write) -> Result<(), DownloadError> {
        self.client()?.fetch(url, out)
    }

    fn configured(&self) -> &Configured {
        self.configured.get_or_init(|| Configured::read(&self.settings()))
    }

    /// What `apt-config dump` says; empty where it can't be asked.
    fn settings(&self) -> BTreeMap<String, String> {
        let output = Command::new("apt-config").arg("dump").env_clear().envs(self.variables.iter().cloned()).output();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        let setting = |line: &str| {
            let (name, value) = line.trim_end_matches(';').split_once(' ')?;
            Some((name.to_owned(), value.trim().trim_matches('"').to_owned())).filter(|(_, value)| !value.is_empty())
        };
        text.lines().filter_map(setting).collect()
    }
}

/// The machine's archive, with what the workspace says otherwise.
fn adapted(archive: Archive, source: &Source, keys: &Option<Keys>) -> Archive {
    let or = |ours: &Vec<String>, theirs: Vec<String>| if ours.is_empty() { theirs } else { ours.clone() };
    Archive {
        addresses: or(&source.mirrors, archive.addresses),
        components: or(&source.components, archive.components),
        architectures: or(&source.architectures, archive.architectures),
        keys: keys.clone().unwrap_or(archive.keys),
        check_valid_until: !source.ignore_valid_until,
        suites: archive.suites,
    }
}

impl Configured {
    fn read(settings: &BTreeMap<String, String>) -> Configured {
        let get = |name: &str, default: &str| settings.get(name).cloned().unwrap_or_else(|| default.to_owned());
        let folder = Path::new(&get("Dir", "/")).join(get("Dir::Etc", "etc/apt"));
        let mut archives = Vec::new();
        archives.extend(apt::one_line(&text(&folder.join(get("Dir::Etc::sourcelist", "sources.list")))));
        for file in files(&folder.join(get("Dir::Etc::sourceparts", "sources.list.d")), &["list", "sources"]) {
            let is_list = file.extension().is_some_and(|extension| extension == "list");
            archives.extend(if is_list { apt::one_line(&text(&file)) } else { apt::deb822(&text(&file)) });
        }
        let mut trusted = files(&folder.join(get("Dir::Etc::trustedparts", "trusted.gpg.d")), &["gpg", "asc"]);
        trusted.insert(0, folder.join(get("Dir::Etc::trusted", "trusted.gpg")));
        trusted.retain(|file| file.metadata().is_ok_and(|data| data.len() > 0));
        let proxy = |scheme: &str| settings.get(&format!("Acquire::{scheme}::Proxy")).cloned();
        let proxies = Proxies { http: proxy("http"), https: proxy("https") };
        Configured { archives, trusted, proxies }
    }
}

/// A file's text; empty where there is none.
fn text(path: &Path) -> String {
    std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// The files of a folder with one of the endings, by name.
fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| endings.iter().any(|known| ending == *known)));
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine whose apt is configured in a folder of its own.
    fn machine(folder: &Path, named: &[(&str, Source)]) -> Machine {
        let named = named.iter().map(|(name, source)| ((*name).to_owned(), source.clone())).collect();
        let machine = Machine::new(named, Vec::new(), true);
        let settings = [("Dir".to_owned(), folder.display().to_string())].into();
        _ = machine.configured.set(Configured::read(&settings));
        machine
    }

    fn configured() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join("etc/apt").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("sources.list", "deb http://a.example/debian s main\n");
        write("sources.list.d/b.sources", "Types: deb\nURIs: http://b.example\nSuites: t\nComponents: x\n");
        write("sources.list.d/c.list.disabled", "deb http://c.example u main\n");
        write("trusted.gpg.d/k.gpg", "k");
        folder
    }

    #[test]
    fn the_systems_own_lists_are_the_default_source() {
        let folder = configured();
        let machine = machine(folder.path(), &[]);
        let urls = machine.urls(SYSTEM, "pool/a.deb").unwrap();
        assert_eq!(urls, ["http://a.example/debian/pool/a.deb", "http://b.example/pool/a.deb"]);
        let archives = machine.archives(SYSTEM).unwrap();
        assert_eq!(machine.keys(&archives[0]).0, [folder.path().join("etc/apt/trusted.gpg.d/k.gpg")]);
        assert_eq!(machine.archives("other"), Err(SourceError::Unknown("other".into())));
    }

    #[test]
    fn a_named_source_says_what_it_says_and_leaves_the_rest_to_the_machine() {
        let folder = configured();
        let own = Source { suites: vec!["v".into()], ignore_valid_until: true, ..Source::default() };
        let waived = Source { ignore_valid_until: true, ..Source::default() };
        let machine = machine(folder.path(), &[("own", own), (SYSTEM, waived)]);
        let archives = machine.archives("own").unwrap();
        assert_eq!((archives.len(), archives[0].addresses.len(), &*archives[0].components[0]), (1, 2, "main"));
        let system = machine.archives(SYSTEM).unwrap();
        assert!(system.len() == 2 && system.iter().all(|archive| !archive.check_valid_until));
    }
}
