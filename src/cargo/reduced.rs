//! The root's manifest for some crates alone: as if its workspace had no other members.
//!
//! What another member needs, or the root package where it isn't among the crates, is neither seen nor part of any key.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::crates::Crates;
use super::lock::Lock;

/// What stays of a root whose own package isn't needed.
const OF_ROOTS: [&str; 5] = ["workspace", "profile", "patch", "replace", "cargo-features"];

/// The text of the root's Cargo.toml.
pub fn root_manifest(crates: &Crates) -> String {
    let mut root = crates.root_manifest.0.clone();
    let resolver = resolver(&root);
    if !crates.members.contains_key(&crates.root) {
        root.retain(|key, _| OF_ROOTS.iter().any(|kept| **kept == *key));
    }
    let workspace = root.entry("workspace").or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(workspace) = workspace {
        reduce(workspace, crates);
        if let Some(resolver) = resolver {
            workspace.entry("resolver").or_insert(Value::String(resolver.to_owned()));
        }
    }
    if let Some(Value::Table(patch)) = root.get_mut("patch") {
        reduce_patch(patch, &crates.lock);
    }
    root.to_string()
}

/// The resolver that the root package's edition stands for, where it has one.
fn resolver(root: &Table) -> Option<&'static str> {
    let own = root.get("package")?.get("edition")?;
    let of_workspace = || root.get("workspace")?.get("package")?.get("edition")?.as_str();
    match own.as_str().or_else(of_workspace)? {
        "2015" | "2018" => Some("1"),
        "2021" => Some("2"),
        _ => Some("3"),
    }
}

fn reduce(workspace: &mut Table, crates: &Crates) {
    workspace.remove("default-members");
    let members = crates.members.keys().filter(|folder| **folder != crates.root && crates.is_member(folder));
    let below = members.filter_map(|folder| folder.strip_prefix(&crates.root).ok());
    let members = below.map(|path| Value::String(path.as_str().into())).collect();
    workspace.insert("members".into(), Value::Array(members));
    let used: BTreeSet<String> = crates.members.values().flat_map(|manifest| manifest.inherited()).collect();
    if let Some(Value::Table(dependencies)) = workspace.get_mut("dependencies") {
        dependencies.retain(|name, _| used.contains(name));
    }
}

/// Of patches those that are used: of another one, not even its folder is there.
fn reduce_patch(patch: &mut Table, lock: &Lock) {
    for (_, of_source) in patch.iter_mut() {
        let Value::Table(entries) = of_source else { continue };
        entries.retain(|name, value| {
            let name = value.get("package").and_then(Value::as_str).unwrap_or(name);
            let of_tree = value.get("path").is_some();
            lock.packages().iter().any(|package| package.name == *name && (package.source.is_none() || !of_tree))
        });
    }
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;

    use super::super::crates::testing::InMemory;
    use super::*;

    const ROOT: &str = "[package]\nname = \"tool\"\nedition = \"2024\"\n[dependencies]\nbig = \"1\"\n\
                        [workspace]\nmembers = [\"a\", \"b\", \"c\"]\ndefault-members = [\".\"]\n\
                        [workspace.package]\nversion = \"1.0.0\"\n\
                        [workspace.dependencies]\nserde = \"1\"\nother = \"2\"\n[profile.release]\nlto = \"thin\"\n\
                        [patch.crates-io]\nunused = { path = \"none\" }\n";
    const LOCK: &str = "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\ndependencies = [\"b\"]\n\
                        [[package]]\nname = \"b\"\nversion = \"1.0.0\"\n\
                        [[package]]\nname = \"tool\"\nversion = \"1.0.0\"\n";
    const A: &str = "[package]\nname = \"a\"\n[dependencies]\nb = { path = \"../b\" }\nserde.workspace = true\n";

    fn reduced(folder: &str) -> Table {
        let tree = [
            ("Cargo.toml", ROOT),
            ("Cargo.lock", LOCK),
            ("a/Cargo.toml", A),
            ("b/Cargo.toml", "[package]\nname = \"b\"\n"),
        ];
        let crates = Crates::find(Utf8Path::new(folder), &InMemory(&tree)).unwrap();
        root_manifest(&crates).parse().unwrap()
    }

    #[test]
    fn the_root_package_and_other_members_are_gone_and_settings_stay() {
        let root = reduced("a");
        assert_eq!(root.keys().collect::<Vec<_>>(), ["patch", "profile", "workspace"]);
        let workspace = root["workspace"].as_table().unwrap();
        let names = |value: &Value| {
            value.as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(&workspace["members"]), ["a", "b"]);
        assert_eq!(workspace["resolver"].as_str(), Some("3"), "as the root package's edition had it");
        assert_eq!(workspace["dependencies"].as_table().unwrap().keys().collect::<Vec<_>>(), ["serde"]);
        assert!(!workspace.contains_key("default-members"));
        assert_eq!(root["profile"]["release"]["lto"].as_str(), Some("thin"));
        assert!(root["patch"]["crates-io"].as_table().unwrap().is_empty());
    }

    #[test]
    fn the_root_package_itself_needs_none_of_the_others() {
        let root = reduced("");
        assert_eq!(root["package"]["name"].as_str(), Some("tool"));
        assert!(root["dependencies"].get("big").is_some());
        assert!(root["workspace"]["members"].as_array().unwrap().is_empty());
    }
}
