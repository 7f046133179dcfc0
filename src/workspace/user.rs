//! The user's own file, `config.toml` → how registries are reached from their machine. Every mistake is reported.
//!
//! It holds the tables `[registry."HOST"]` and `[workspace]` (with `allow-hosts`) as a workspace does, nothing else.

use camino::Utf8Path;

use super::attributes::Attributes;
use super::check::{self, Owner};
use super::parse;
use super::registries::{self, ALLOW_HOSTS, Registries};
use super::schema::Attribute;
use super::value::Entry;
use crate::diagnostic::{Diagnostic, nearest};
use crate::label::PackagePath;
use crate::reason::reason;
use crate::span::{FileId, Sources};

/// What a user's file says, and what is wrong with it.
#[derive(Debug, Default)]
pub struct UserConfig {
    /// How registries are reached.
    pub registries: Registries,
    /// The mistakes.
    pub diagnostics: Vec<Diagnostic>,
    /// The file, for the mistakes' places.
    pub sources: Sources,
}

const TABLES: [&str; 2] = ["registry", "workspace"];
const WORKSPACE: &[Attribute] = &[ALLOW_HOSTS];

/// Reads the file; one that does not exist says nothing. Relative paths in it are relative to its folder.
pub fn read(path: &Utf8Path) -> UserConfig {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return UserConfig::default(),
        Err(error) => {
            let message = format!("`{path}` can't be read: {}", reason(&error));
            return UserConfig { diagnostics: vec![Diagnostic::error(message)], ..UserConfig::default() };
        }
    };
    let parsed = parse::parse(&text, FileId(0));
    let mut config = UserConfig { diagnostics: parsed.diagnostics, ..UserConfig::default() };
    config.sources.add(path.to_owned(), text.into());
    if parsed.broken.is_empty() {
        parsed.table.0.iter().for_each(|entry| config.entry(entry, path.parent().unwrap_or(path)));
    }
    config
}

impl UserConfig {
    fn entry(&mut self, entry: &Entry, folder: &Utf8Path) {
        match entry.key.as_str() {
            "registry" => {
                let (hosts, mistakes) = registries::read(entry, folder);
                self.registries.hosts = hosts;
                self.diagnostics.extend(mistakes);
            }
            "workspace" => self.workspace(entry),
            key => {
                let diagnostic = Diagnostic::error(format!("unknown table `{key}`")).at(entry.key_span, "");
                let meant = nearest(key, TABLES);
                let help = "your own file takes `[registry.\"HOST\"]`, and `[workspace]` with `allow-hosts`".to_owned();
                let help = meant.map_or(help, |meant| format!("did you mean `{meant}`?"));
                self.diagnostics.push(diagnostic.help(help));
            }
        }
    }

    fn workspace(&mut self, entry: &Entry) {
        let Some(table) = entry.value.as_table() else {
            let message = format!("`[workspace]` is a table, not {}", entry.value.kind());
            return self.diagnostics.push(Diagnostic::error(message).at(entry.key_span, ""));
        };
        let root = PackagePath::default();
        let owner = Owner { name: "[workspace]", span: entry.key_span };
        self.diagnostics.extend(check::check(table, WORKSPACE, owner, &root).diagnostics);
        let (allow, mistakes) = registries::read_allow(&Attributes::new(table, &root));
        self.registries.allow.extend(allow);
        self.diagnostics.extend(mistakes);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::expect;
    use super::*;

    fn config(text: &str) -> (UserConfig, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap().join("config.toml");
        std::fs::write(&path, text).unwrap();
        let config = read(&path);
        let shown = config.diagnostics.iter().map(|mistake| mistake.render(&config.sources, false)).collect();
        (config, shown)
    }

    #[test]
    fn it_says_what_a_workspace_may_say_of_registries() {
        let (config, mistakes) = config(
            "[workspace]\nallow-hosts = [\"h\"]\n[registry.\"docker.io\"]\nmirrors = [\"m/x\"]\nca = \"ca.pem\"\n",
        );
        assert_eq!(mistakes, Vec::<String>::new());
        assert_eq!((config.registries.hosts.len(), config.registries.allow.len()), (1, 1));
        let host = config.registries.hosts.into_values().next().unwrap();
        assert!(host.ca.unwrap().is_absolute());
    }

    #[test]
    fn a_file_that_is_not_there_says_nothing() {
        let config = read(Utf8Path::new("/nowhere/config.toml"));
        assert_eq!((config.registries, config.diagnostics), (Registries::default(), Vec::new()));
    }

    #[test]
    fn every_mistake_is_reported_at_its_place() {
        let (_, mistakes) =
            config("[registyr.\"h\"]\n[workspace]\nname = \"x\"\n[files.x]\n[registry.\"h\"]\nca = 1\n");
        expect(
            &mistakes,
            &[
                &["unknown table `registyr`", "config.toml:1:2", "did you mean `registry`?"],
                &["unknown attribute `name`", "config.toml:3:1", "takes `allow-hosts`"],
                &["unknown table `files`", "config.toml:4:2", "your own file takes"],
                &["`ca` takes a string, not an integer", "config.toml:6:6"],
            ],
        );
        assert!(config("x = \n").1.concat().contains("config.toml:1"));
    }
}
