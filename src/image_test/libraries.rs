//! Whether the shared libraries of a program are in the image, theirs too, where its loader would look (ld.so(8)).
//!
//! Of glibc's cache nothing is read: what `/etc/ld.so.conf` names counts, and what the loader knows by itself. What a program
//! loads later on its own account is not seen.

use std::collections::{BTreeSet, VecDeque};

use object::elf::Machine;

use super::elf::{self, Elf, architecture};
use super::libc_glob::libc_glob;
use super::root::is_file;
use super::{Contents, Root};

/// A library that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Its name.
    pub library: String,
    /// What asks for it.
    pub asked_by: String,
    /// The target whose layer brought that.
    pub layer: String,
}

/// An object whose libraries are looked for.
struct Object {
    path: String,
    layer: String,
    elf: Elf,
    /// The `DT_RPATH`s of what loaded it, the nearest first.
    inherited: Vec<String>,
}

/// The libraries that are not there. `path`: the program's own, no link in it.
pub fn missing<C: Contents>(
    path: &str,
    layer: &str,
    program: Elf,
    env: &[String],
    root: &Root<'_, C>,
) -> Result<Vec<Missing>, C::Error> {
    let system = system(&program, root)?;
    let given = env.iter().find_map(|entry| entry.strip_prefix("LD_LIBRARY_PATH="));
    let given: Vec<&str> = given.into_iter().flat_map(|text| text.split([':', ';'])).collect();
    // The loader itself is there already: libraries may ask for it by name.
    let loader = program.interpreter.as_deref().and_then(|path| path.rsplit('/').next()).map(str::to_owned);
    let mut loaded: BTreeSet<String> = loader.into_iter().chain(["linux-vdso.so.1".to_owned()]).collect();
    let first = Object { path: path.to_owned(), layer: layer.to_owned(), elf: program, inherited: Vec::new() };
    let (mut open, mut missing) = (VecDeque::from([first]), Vec::new());
    while let Some(object) = open.pop_front() {
        for name in &object.elf.needed {
            if !loaded.insert(name.clone()) {
                continue;
            }
            match object.find(name, &given, &system, root)? {
                Some(library) => open.push_back(library),
                None => missing.push(Missing {
                    library: name.clone(),
                    asked_by: object.path.clone(),
                    layer: object.layer.clone(),
                }),
            }
        }
    }
    Ok(missing)
}

impl Object {
    fn find<C: Contents>(
        &self,
        name: &str,
        given: &[&str],
        system: &[String],
        root: &Root<'_, C>,
    ) -> Result<Option<Object>, C::Error> {
        if name.contains('/') {
            return self.at(self.expanded(name), root);
        }
        // `DT_RPATH` means nothing beside a `DT_RUNPATH`.
        let rpath = if self.elf.runpath.is_empty() { &self.elf.rpath[..] } else { &[] };
        let inherited = if self.elf.runpath.is_empty() { &self.inherited[..] } else { &[] };
        let own = rpath.iter().map(|folder| self.expanded(folder)).chain(inherited.iter().cloned());
        let given = given.iter().map(|folder| self.expanded(folder));
        let runpath = self.elf.runpath.iter().map(|folder| self.expanded(folder));
        for folder in own.chain(given).chain(runpath).chain(system.iter().cloned()) {
            if let Some(library) = self.at(format!("{folder}/{name}"), root)? {
                return Ok(Some(library));
            }
        }
        Ok(None)
    }

    /// What stands at a path, where it is for the same machine: the loader passes over all else.
    fn at<C: Contents>(&self, path: String, root: &Root<'_, C>) -> Result<Option<Object>, C::Error> {
        let found = root.follow(path.as_bytes(), true).ok().filter(|placed| is_file(*placed));
        let Some(placed) = found.filter(|_| path.starts_with('/')) else { return Ok(None) };
        let elf = elf::read(root.open(placed)?).filter(|elf| elf.machine == self.elf.machine);
        let rpath = if self.elf.runpath.is_empty() { &self.elf.rpath[..] } else { &[] };
        let inherited = rpath.iter().map(|folder| self.expanded(folder)).chain(self.inherited.iter().cloned());
        let layer = root.label(placed).to_owned();
        Ok(elf.map(|elf| Object { path, layer, elf, inherited: inherited.collect() }))
    }

    /// With what the loader puts for `$ORIGIN` and `$LIB`.
    fn expanded(&self, text: &str) -> String {
        let origin = self.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let library = if self.elf.machine.1 { "lib64" } else { "lib" };
        let text = text.replace("${ORIGIN}", origin).replace("$ORIGIN", origin);
        text.replace("${LIB}", library).replace("$LIB", library)
    }
}

/// Where the program's loader looks in the end.
fn system<C: Contents>(program: &Elf, root: &Root<'_, C>) -> Result<Vec<String>, C::Error> {
    let owned = |folders: &[&str]| folders.iter().map(|folder| (*folder).to_owned()).collect::<Vec<_>>();
    let loader = program.interpreter.as_deref().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
    if let Some(machine) = loader.strip_prefix("ld-musl-").and_then(|rest| rest.strip_suffix(".so.1")) {
        let written = root.text(&format!("/etc/ld-musl-{machine}.path"))?;
        let written = written.map(|text| text.split([':', '\n']).map(str::to_owned).collect());
        return Ok(written.unwrap_or_else(|| owned(&["/lib", "/usr/local/lib", "/usr/lib"])));
    }
    let mut folders = configured("/etc/ld.so.conf", root, 0)?;
    if let Some(triplet) = triplet(program.machine) {
        folders.extend([format!("/lib/{triplet}"), format!("/usr/lib/{triplet}")]);
    }
    folders.extend(owned(&["/lib64", "/usr/lib64", "/lib", "/usr/lib"]));
    Ok(folders)
}

/// ldconfig(8)'s file: a folder a line, `include` with a glob.
fn configured<C: Contents>(file: &str, root: &Root<'_, C>, depth: usize) -> Result<Vec<String>, C::Error> {
    let mut folders = Vec::new();
    let text = root.text(file)?.filter(|_| depth < 8).unwrap_or_default();
    for line in text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()) {
        match line.strip_prefix("include").filter(|rest| rest.starts_with([' ', '\t'])) {
            None => folders.extend((line.starts_with('/')).then(|| line.to_owned())),
            Some(globs) => {
                for glob in globs.split_whitespace() {
                    for included in matching(glob, file, root) {
                        folders.extend(configured(&included, root, depth + 1)?);
                    }
                }
            }
        }
    }
    Ok(folders)
}

/// The paths that a glob names, in order; a relative one is relative to the file's folder.
fn matching<C>(glob: &str, file: &str, root: &Root<'_, C>) -> Vec<String> {
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let glob = if glob.starts_with('/') { glob.to_owned() } else { format!("{folder}/{glob}") };
    let Some(glob) = libc_glob(&glob) else { return Vec::new() };
    let paths = root.entries().map(|placed| placed.entry.path.to_string());
    paths.filter(|path| glob.is_match(path)).collect()
}

/// Debian's name for a machine's folder of libraries, which its loader knows by itself.
fn triplet(machine: (Machine, bool)) -> Option<&'static str> {
    Some(match architecture(machine)? {
        "amd64" => "x86_64-linux-gnu",
        "arm64" => "aarch64-linux-gnu",
        "arm" => "arm-linux-gnueabihf",
        "386" => "i386-linux-gnu",
        "ppc64le" => "powerpc64le-linux-gnu",
        "s390x" => "s390x-linux-gnu",
        "riscv64" => "riscv64-linux-gnu",
        "loong64" => "loongarch64-linux-gnu",
        _ => return None,
    })
}
