//! The house rules that a program can hold us to: who imports whom, what files say of themselves, how long they are.
//!
//! Reads the sources as text, line by line; comments and tests within a file count only where a rule says so.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;

/// The ground: small types that import nothing above them.
const GROUND: [&str; 19] = [
    "checkout",
    "compression_level",
    "diagnostic",
    "digest",
    "event",
    "exit",
    "file_stat",
    "host_pattern",
    "label",
    "layer_path",
    "observed",
    "pattern",
    "platform",
    "reason",
    "reference",
    "root_cause",
    "source_root",
    "span",
    "tls",
];

/// What each module above the ground may import besides the ground. ARCHITECTURE.md says why.
const ABOVE: [(&str, &[&str]); 26] = [
    ("store", &[]),
    ("oci", &[]),
    ("packages", &[]),
    ("cargo", &[]),
    ("picture", &[]),
    ("query", &[]),
    ("ui", &[]),
    ("event_log", &[]),
    ("registry", &["oci"]),
    ("toml_format", &[]),
    ("workspace", &[]),
    ("graph", &["workspace"]),
    ("action", &["oci"]),
    ("rules", &["workspace", "action", "cargo", "oci"]),
    ("plan", &["cargo", "graph", "rules", "workspace", "action", "store", "oci"]),
    ("base", &["oci", "store"]),
    ("shared", &["action", "oci", "store"]),
    ("sandbox", &["oci"]),
    ("image_test", &["action", "oci", "packages"]),
    ("build", &["action", "base", "cargo", "image_test", "packages", "sandbox", "shared", "store", "oci"]),
    ("effect", &["action", "shared", "store", "oci", "registry"]),
    ("doctor", &["cargo", "effect", "packages", "registry", "sandbox", "workspace"]),
    ("requirements", &["oci"]),
    ("status", &["registry"]),
    ("lock", &["base", "oci", "packages", "store", "workspace"]),
    (
        "cli",
        &[
            "store",
            "oci",
            "picture",
            "query",
            "ui",
            "registry",
            "workspace",
            "graph",
            "action",
            "rules",
            "plan",
            "base",
            "cargo",
            "shared",
            "build",
            "image_test",
            "sandbox",
            "effect",
            "lock",
            "packages",
            "doctor",
            "requirements",
            "status",
            "toml_format",
            "event_log",
        ],
    ),
];

/// A file of the library: its path below `src`, and its text.
struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// Its module path: `store::blobs`, `store` for `store/mod.rs`, empty for `lib.rs`.
    fn module(&self) -> Vec<String> {
        let path = self.path.with_extension("");
        let parts = path.iter().map(|part| part.to_string_lossy().into_owned());
        parts.filter(|part| !["mod", "lib", "main"].contains(&part.as_str())).collect()
    }

    /// Its lines of code with their numbers: without comments and tests.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let end = self.text.find("#[cfg(test)]\nmod tests {").unwrap_or(self.text.len());
        let lines = self.text[..end].lines().enumerate().map(|(index, line)| (index + 1, line));
        lines.filter(|(_, line)| !line.trim().starts_with("//"))
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
            if path.is_dir() && !hidden && !path.ends_with("target") && !path.ends_with("tests/cases") {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// All files below `src` that are part of the library: those that only tests see are left out.
fn sources() -> Vec<Source> {
    let all = all_sources();
    let for_tests: Vec<Vec<String>> = all.iter().flat_map(test_modules).collect();
    all.into_iter().filter(|source| !for_tests.contains(&source.module())).collect()
}

/// The modules that a file declares behind `#[cfg(test)]`.
fn test_modules(source: &Source) -> Vec<Vec<String>> {
    let lines: Vec<&str> = source.text.lines().map(str::trim).collect();
    let declared = lines.windows(2).filter(|pair| pair[0] == "#[cfg(test)]");
    let name = |line: &str| line.strip_suffix(';')?.rsplit_once("mod ").map(|(_, name)| name.to_owned());
    declared.filter_map(|pair| Some([source.module(), vec![name(pair[1])?]].concat())).collect()
}

fn all_sources() -> Vec<Source> {
    let src = root().join("src");
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a source");
        Source { path: path.strip_prefix(&src).expect("below src").to_owned(), text }
    };
    rust_files(&src).into_iter().map(read).collect()
}

fn none(found: &[String], what: &str) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

/// The paths that a file's code names with `crate::` or `super::`, as modules from the crate's root: each the longest
/// known one.
fn imports(source: &Source, known: &BTreeSet<Vec<String>>) -> BTreeSet<Vec<String>> {
    let code: String = source.code().map(|(_, line)| format!("{line}\n")).collect();
    let mut found: BTreeSet<Vec<String>> = BTreeSet::new();
    let here = source.module();
    let parent = here.len().checked_sub(1).map_or(&[][..], |end| &here[..end]);
    for (marker, start) in [("crate::", &[][..]), ("super::", parent)] {
        let text = &code;
        for (at, _) in text.match_indices(marker) {
            let boundary =
                text[..at].chars().next_back().is_none_or(|before| !before.is_alphanumeric() && before != '_');
            if boundary && !text[..at].ends_with("::") {
                found.extend(expand(&text[at + marker.len()..], start, known));
            }
        }
    }
    // `crate::x` as seen from a child of a `mod.rs` is its parent: a module and its parts are one for this purpose.
    found.remove(&here);
    found
}

/// The modules that `a::b::{c, d::e}` names, begun at `start`.
fn expand(text: &str, start: &[String], known: &BTreeSet<Vec<String>>) -> Vec<Vec<String>> {
    let mut path = start.to_vec();
    let mut rest = text;
    loop {
        if let Some(inner) = rest.strip_prefix("super::") {
            path.pop();
            rest = inner;
            continue;
        }
        if let Some(group) = rest.strip_prefix('{') {
            return split(group).into_iter().flat_map(|item| expand(item.trim(), &path, known)).collect();
        }
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let mut longer = path.clone();
        longer.push(rest[..end].to_owned());
        if !known.contains(&longer) {
            return vec![path];
        }
        path = longer;
        match rest[end..].strip_prefix("::") {
            Some(inner) => rest = inner,
            None => return vec![path],
        }
    }
}

/// The items of a group up to its closing brace.
fn split(group: &str) -> Vec<&str> {
    let (mut depth, mut from, mut items) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                items.push(&group[from..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                items.push(&group[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    items.retain(|item| !item.trim().is_empty());
    items
}

fn known(sources: &[Source]) -> BTreeSet<Vec<String>> {
    sources.iter().map(Source::module).collect()
}

#[test]
fn imports_go_one_way() {
    let sources = sources();
    let known = known(&sources);
    let allowed: BTreeMap<&str, &[&str]> = ABOVE.into_iter().collect();
    let mut wrong = Vec::new();
    for source in &sources {
        let Some(top) = source.module().first().cloned() else { continue };
        let may = allowed.get(top.as_str());
        assert!(may.is_some() || GROUND.contains(&top.as_str()), "`{top}` stands in no row of the table: give it one");
        for import in imports(source, &known) {
            let Some(other) = import.first().filter(|other| **other != top) else { continue };
            let is_ground = GROUND.contains(&other.as_str());
            if !is_ground && !may.is_some_and(|may| may.contains(&other.as_str())) {
                wrong.push(format!("src/{} imports {other}", source.path.display()));
            }
        }
    }
    none(&wrong, "imports against the direction");
}

#[test]
fn no_two_files_import_each_other() {
    let sources = sources();
    let known = known(&sources);
    let names: Vec<String> = sources.iter().map(|source| source.module().join("::")).collect();
    let index: BTreeMap<&str, usize> = names.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
    let mut graph = DiGraphMap::<usize, ()>::new();
    for (from, source) in sources.iter().enumerate() {
        for import in imports(source, &known) {
            // What stands above a file declares it, and a folder's own types belong to all of its files.
            let module = source.module();
            if !module.starts_with(&import) {
                graph.add_edge(from, index[import.join("::").as_str()], ());
            }
        }
    }
    let circles = tarjan_scc(&graph).into_iter().filter(|circle| circle.len() > 1);
    let told: Vec<String> = circles
        .map(|circle| circle.iter().map(|at| sources[*at].path.display().to_string()).collect::<Vec<_>>().join(" ↔ "))
        .collect();
    none(&told, "files that import each other");
}

#[test]
fn every_file_says_what_it_is_and_is_short() {
    let mut wrong = Vec::new();
    for path in ["src", "tests", "benches", "images"].iter().flat_map(|folder| rust_files(&root().join(folder))) {
        let text = fs::read_to_string(&path).expect("a source");
        let shown = path.strip_prefix(root()).expect("below the root").display();
        let about = text.lines().take_while(|line| line.starts_with("//!")).count();
        if !(1..=9).contains(&about) && about != text.lines().take_while(|line| !line.is_empty()).count() {
            wrong.push(format!("{shown} opens with {about} lines of `//!`"));
        }
        if about == 0 {
            wrong.push(format!("{shown} does not say what it is"));
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if ["util", "utils", "common", "helpers", "misc"].contains(&name.as_str()) {
            wrong.push(format!("{shown} has a name that says nothing"));
        }
        if text.lines().count() > 600 {
            wrong.push(format!("{shown} has {} lines", text.lines().count()));
        }
    }
    none(&wrong, "files that break the house rules");
}

#[test]
fn the_library_reads_no_environment_and_prints_nothing() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.path != Path::new("main.rs")) {
        for (line, text) in source.code() {
            let forbidden = ["std::env::", "env::var", "println!", "eprintln!", "print!(", "dbg!("];
            let named = forbidden.iter().find(|word| text.contains(**word));
            if let Some(word) = named {
                wrong.push(format!("src/{}:{line} says `{word}`", source.path.display()));
            }
        }
    }
    none(&wrong, "a library that reaches out");
}

#[test]
fn the_tool_and_the_programs_of_the_images_do_not_depend_on_each_other() {
    let names = |manifest: &Path| -> (String, BTreeSet<String>) {
        let table: toml::Table = fs::read_to_string(manifest).expect("a manifest").parse().expect("TOML");
        let keys = ["dependencies", "dev-dependencies", "build-dependencies"].into_iter();
        let tables = keys.filter_map(|key| table.get(key)?.as_table());
        let dependencies = tables.flat_map(|table| table.keys().cloned()).collect();
        (table["package"]["name"].as_str().expect("a name").to_owned(), dependencies)
    };
    let (tool, needs) = names(&root().join("Cargo.toml"));
    let root_manifest: toml::Table =
        fs::read_to_string(root().join("Cargo.toml")).expect("a manifest").parse().expect("TOML");
    let members = root_manifest["workspace"]["members"].as_array().expect("members");
    assert!(!members.is_empty());
    for member in members.iter().filter_map(toml::Value::as_str) {
        let (name, its_needs) = names(&root().join(member).join("Cargo.toml"));
        assert!(!its_needs.contains(&tool), "{name} depends on {tool}");
        assert!(!needs.contains(&name), "{tool} depends on {name}");
    }
}

/// Lines of each function in code, tests left out.
fn function_lengths(source: &Source) -> Vec<usize> {
    let lines: Vec<&str> = source.code().map(|(_, line)| line).collect();
    let mut lengths = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let opens =
            |line: &str| line.trim_start().trim_start_matches("pub").trim_start_matches("(super)").contains("fn ");
        let starts = ["fn ", "pub fn ", "pub(super) fn ", "async fn ", "pub async fn ", "pub const fn ", "const fn "];
        if !starts.iter().any(|start| line.trim_start().starts_with(start)) || !opens(line) {
            continue;
        }
        let end = lines[at..].iter().position(|line| {
            line.len() - line.trim_start().len() == indent
                && (line.trim() == "}" || line.trim_end().ends_with([';', '}']))
        });
        lengths.extend(end.map(|end| end + 1));
    }
    lengths
}

/// What every Debian with apt has.
const ESSENTIAL: [&str; 12] =
    ["apt-get", "bash", "chroot", "dpkg", "dpkg-deb", "ldconfig", "ldd", "perl", "setpriv", "sh", "tar", "unshare"];

/// A test skips loudly where a program is missing, and fails so in CI: a fresh machine must get them all.
#[test]
fn setup_installs_every_program_that_tests_ask_for() {
    let setup = fs::read_to_string(root().join("tools/setup")).expect("tools/setup");
    let installed: BTreeSet<&str> = setup
        .lines()
        .map(|line| line.split_once("=\"").map_or(line, |(_, rest)| rest))
        .filter_map(|line| line.trim_end_matches('"').split_once(' ').map(|(program, _)| program))
        .chain(ESSENTIAL)
        .collect();
    let mut missing = Vec::new();
    let mut asked = 0;
    for path in rust_files(&root().join("tests/it")) {
        let text = fs::read_to_string(&path).expect("a source file");
        // Taken apart, so that this line is none of them.
        for list in text.split(concat!("has(", "&[")).skip(1) {
            for program in list.split(']').next().unwrap_or_default().split(',') {
                asked += 1;
                let program = program.trim().trim_matches('"');
                if !program.is_empty() && !installed.contains(program) {
                    missing.push(format!("{}: {program}", path.display()));
                }
            }
        }
    }
    assert!(asked > 10, "what tests ask for went unseen");
    none(&missing, "programs that tools/setup doesn't install");
}

#[test]
fn functions_are_short() {
    let mut lengths: Vec<usize> = sources().iter().flat_map(function_lengths).collect();
    lengths.sort_unstable();
    let (median, p90) = (lengths[lengths.len() / 2], lengths[lengths.len() * 9 / 10]);
    let longest = lengths.last().copied().unwrap_or(0);
    println!("{} functions: median {median} lines, nine of ten within {p90}, longest {longest}", lengths.len());
    assert!(lengths.len() > 500, "functions went unseen");
    assert!(median <= 10 && p90 <= 35 && longest <= 80, "median {median}, p90 {p90}, longest {longest}");
}

#[test]
fn groups_and_supers_are_followed_to_the_module() {
    let known: BTreeSet<Vec<String>> =
        ["a", "a::b", "a::c", "d"].iter().map(|path| path.split("::").map(str::to_owned).collect()).collect();
    let shown = |text: &str, start: &[&str]| -> Vec<String> {
        let start: Vec<String> = start.iter().map(|part| (*part).to_owned()).collect();
        expand(text, &start, &known).iter().map(|path| path.join("::")).collect()
    };
    assert_eq!(shown("a::{b::{X, Y}, c, Z};", &[]), ["a::b", "a::b", "a::c", "a"]);
    assert_eq!(shown("c::W;", &["a"]), ["a::c"]);
    assert_eq!(shown("super::d::V;", &["a"]), ["d"]);
}
