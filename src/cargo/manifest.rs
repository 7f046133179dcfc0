//! One Cargo.toml, as far as it says which other crates, programs and features there are.
//!
//! Reads a text; knows nothing of where it is from, and of no other manifest.

use std::collections::BTreeSet;

use toml::{Table, Value};

/// A manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest(pub Table);

/// A dependency on another crate of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathDependency {
    /// In a folder relative to this manifest's.
    Here(String),
    /// As `[workspace.dependencies]` says of this name.
    OfWorkspace(String),
}

/// A program that a package has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bin {
    /// Its name.
    pub name: String,
    /// Features without which it is not built.
    pub required_features: Vec<String>,
}

const DEPENDENCIES: [&str; 5] =
    ["dependencies", "dev-dependencies", "dev_dependencies", "build-dependencies", "build_dependencies"];

impl Manifest {
    /// Reads one; an error is what is wrong with the TOML.
    pub fn parse(text: &str) -> Result<Manifest, String> {
        let line = |at: usize| text.get(..at).unwrap_or(text).lines().count().max(1);
        text.parse().map(Manifest).map_err(|error: toml::de::Error| match error.span() {
            Some(span) => format!("{} in line {}", error.message(), line(span.start)),
            None => error.message().to_owned(),
        })
    }

    fn table(&self, key: &str) -> Option<&Table> {
        self.0.get(key)?.as_table()
    }

    /// The name of the package; `None` where there is none, as in a workspace's root.
    pub fn name(&self) -> Option<&str> {
        self.table("package")?.get("name")?.as_str()
    }

    /// `[workspace]`.
    pub fn workspace(&self) -> Option<&Table> {
        self.table("workspace")
    }

    /// The root that the package says that it belongs to, relative to its folder.
    pub fn says_root(&self) -> Option<&str> {
        self.table("package")?.get("workspace")?.as_str()
    }

    /// A list of strings in `[workspace]`.
    pub fn workspace_list(&self, key: &str) -> Vec<&str> {
        let items = self.workspace().and_then(|table| table.get(key)?.as_array());
        items.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// The folder that `[workspace.dependencies]` names, relative to this manifest's; `None` for what isn't a path.
    pub fn workspace_path(&self, name: &str) -> Option<&str> {
        self.workspace()?.get("dependencies")?.get(name)?.get("path")?.as_str()
    }

    /// Every crate of the tree that this one may need, for tests too: cargo reads the manifests of all.
    pub fn path_dependencies(&self) -> Vec<PathDependency> {
        let of = |(name, value): (&String, &Value)| match (value.get("path"), value.get("workspace")) {
            (Some(path), _) => path.as_str().map(|path| PathDependency::Here(path.to_owned())),
            (None, Some(Value::Boolean(true))) => Some(PathDependency::OfWorkspace(name.clone())),
            _ => None,
        };
        self.dependency_tables().into_iter().flatten().filter_map(of).collect()
    }

    /// The names that it takes from `[workspace.dependencies]`.
    pub fn inherited(&self) -> BTreeSet<String> {
        let of = |dependency| match dependency {
            PathDependency::OfWorkspace(name) => Some(name),
            PathDependency::Here(_) => None,
        };
        self.path_dependencies().into_iter().filter_map(of).collect()
    }

    fn dependency_tables(&self) -> Vec<&Table> {
        let by_target = self.table("target").into_iter().flat_map(Table::values).filter_map(Value::as_table);
        let places = std::iter::once(&self.0).chain(by_target);
        places.flat_map(|table| DEPENDENCIES.iter().filter_map(|key| table.get(*key)?.as_table())).collect()
    }

    /// Whether anything in it stands in the root of its workspace only.
    pub fn inherits(&self) -> bool {
        fn says_so(value: &Value) -> bool {
            match value {
                Value::Table(table) => {
                    table.get("workspace") == Some(&Value::Boolean(true)) || table.values().any(says_so)
                }
                _ => false,
            }
        }
        self.0.iter().any(|(key, value)| key != "workspace" && says_so(value))
    }

    /// The programs: those that are named, and those that cargo finds among the package's `files`, paths below its folder.
    pub fn bins<'a>(&self, files: impl Iterator<Item = &'a str>) -> Vec<Bin> {
        let named = self.0.get("bin").and_then(Value::as_array).into_iter().flatten();
        let mut bins: Vec<Bin> = named.filter_map(bin).collect();
        let paths: BTreeSet<&str> = self
            .0
            .get("bin")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|bin| bin.get("path")?.as_str())
            .collect();
        let automatic = self.table("package").and_then(|table| table.get("autobins")) != Some(&Value::Boolean(false));
        for file in files.filter(|file| automatic && !paths.contains(file)) {
            let found = match file {
                "src/main.rs" => self.name(),
                _ => file.strip_prefix("src/bin/").and_then(|rest| match rest.split_once('/') {
                    None => rest.strip_suffix(".rs"),
                    Some((name, "main.rs")) => Some(name),
                    Some(_) => None,
                }),
            };
            let Some(name) = found.filter(|name| bins.iter().all(|bin| bin.name != **name)) else { continue };
            bins.push(Bin { name: name.to_owned(), required_features: Vec::new() });
        }
        bins.sort();
        bins
    }

    /// The features that are on where these are asked for, with `default` or without.
    pub fn features(&self, asked: &[String], default: bool) -> BTreeSet<String> {
        let mut open: Vec<String> = asked.iter().cloned().chain(default.then(|| "default".to_owned())).collect();
        let mut on = BTreeSet::new();
        while let Some(feature) = open.pop() {
            let implied = self.table("features").and_then(|table| table.get(&feature)?.as_array());
            if on.insert(feature) {
                open.extend(implied.into_iter().flatten().filter_map(|item| Some(item.as_str()?.to_owned())));
            }
        }
        on
    }
}

fn bin(value: &Value) -> Option<Bin> {
    let features = value.get("required-features").and_then(Value::as_array);
    let required_features = features.into_iter().flatten().filter_map(|item| Some(item.as_str()?.to_owned())).collect();
    Some(Bin { name: value.get("name")?.as_str()?.to_owned(), required_features })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(text: &str) -> Manifest {
        Manifest::parse(text).unwrap()
    }

    #[test]
    fn crates_of_the_tree_are_found_in_every_table() {
        let text = "[dependencies]\na = { path = \"../a\" }\nserde = \"1\"\nw = { workspace = true }\n\
                    [target.'cfg(unix)'.build-dependencies]\nb = { path = \"b\", version = \"1\" }\n\
                    [dev-dependencies]\nx.workspace = true\n";
        let found = manifest(text).path_dependencies();
        let here = |path: &str| PathDependency::Here(path.into());
        let inherited = |name: &str| PathDependency::OfWorkspace(name.into());
        assert_eq!(found, [here("../a"), inherited("w"), inherited("x"), here("b")]);
        assert!(manifest(text).inherits() && !manifest("[dependencies]\na = { path = \"../a\" }\n").inherits());
    }

    #[test]
    fn programs_are_named_or_found() {
        let files = ["src/main.rs", "src/lib.rs", "src/bin/two.rs", "src/bin/three/main.rs", "src/bin/three/x.rs"];
        let names = |text: &str| -> Vec<String> {
            manifest(text).bins(files.into_iter()).into_iter().map(|bin| bin.name).collect()
        };
        assert_eq!(names("[package]\nname = \"one\"\n"), ["one", "three", "two"]);
        assert_eq!(names("[package]\nname = \"one\"\nautobins = false\n[[bin]]\nname = \"x\"\n"), ["x"]);
        let renamed = "[package]\nname = \"one\"\n[[bin]]\nname = \"x\"\npath = \"src/main.rs\"\n";
        assert_eq!(names(renamed), ["three", "two", "x"]);
    }

    #[test]
    fn a_feature_brings_those_that_it_names() {
        let manifest = manifest("[features]\ndefault = [\"a\"]\na = [\"b\"]\nb = []\nc = []\n");
        let on = |asked: &[String], default| manifest.features(asked, default).into_iter().collect::<Vec<_>>();
        assert_eq!(on(&[], true), ["a", "b", "default"]);
        assert_eq!(on(&["c".into()], false), ["c"]);
    }
}
