//! The rows of `config`: key, value, and where it comes from.
//!
//! Knows nothing of how they are shown.

use std::collections::BTreeMap;

use super::project::Project;
use crate::source_root::Elsewhere;
use crate::workspace::Target;
use crate::workspace::marks;
use crate::workspace::origin::{By, Origin, line};
use crate::workspace::overrides;
use crate::workspace::own_paths::OwnPath;
use crate::workspace::settings::Settings;
use crate::workspace::value::{Node, Table, Value};
use crate::workspace::vars::Var;

/// One value.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its key; of a value in a table inside, dotted.
    pub key: String,
    /// The value.
    pub value: toml::Value,
    /// Where it comes from.
    pub from: String,
}

impl Row {
    /// With texts as they are.
    pub fn new(key: &str, value: toml::Value, from: &str) -> Row {
        Row { key: key.to_owned(), value, from: from.to_owned() }
    }
}

/// Values that belong together.
#[derive(Debug)]
pub struct Section {
    /// The table's name: one part, or two with the second in need of quotes.
    pub name: Vec<String>,
    /// What it is and where it stands; may be empty.
    pub note: String,
    /// The values.
    pub rows: Vec<Row>,
}

/// The settings in the order in which they are shown; those without a default are left out where nobody says them.
const SETTINGS: [&str; 20] = [
    "name",
    "version",
    "requires",
    "compatible",
    "packages",
    "registry",
    "tag",
    "tags",
    "platform",
    "compression",
    "source-date-epoch",
    "build-base",
    "deploy",
    "from-registry",
    "local",
    "build",
    "cache-from",
    "cache-to",
    "allow-hosts",
    "profile",
];

/// Makes rows of a project.
pub struct Rows<'p> {
    project: &'p Project,
}

impl<'p> Rows<'p> {
    /// Of this project.
    pub fn new(project: &'p Project) -> Rows<'p> {
        Rows { project }
    }

    /// `[workspace]`. `flags`: what the call says instead.
    pub fn settings(&self, flags: &BTreeMap<&'static str, Row>) -> Section {
        let said = &self.project.workspace.settings.said;
        let row = |key: &&str| {
            let written = said.get(*key).map(|said| Row {
                key: (*key).to_owned(),
                value: self.value(&said.value),
                from: said.origin.describe(&self.project.workspace.sources),
            });
            flags.get(*key).cloned().or(written).or_else(|| Some(Row::new(key, default(key)?, "default")))
        };
        Section { name: vec!["workspace".into()], note: String::new(), rows: SETTINGS.iter().filter_map(row).collect() }
    }

    /// `[vars]`.
    pub fn vars(&self) -> Section {
        let row = |(name, var): (&String, &Var)| Row { key: part(name), ..self.var(name, var) };
        let rows = self.project.workspace.settings.vars.iter().map(row).collect();
        Section { name: vec!["vars".into()], note: String::new(), rows }
    }

    /// Variables that somebody sets again.
    pub fn set_vars(&self) -> Vec<Row> {
        let settings = &self.project.workspace.settings;
        let is_set = |row: &Row| !matches!(settings.vars[&row.key].origin, Origin::Written(By::Workspace, _));
        settings.vars.iter().map(|(name, var)| self.var(name, var)).filter(is_set).collect()
    }

    fn var(&self, name: &str, var: &Var) -> Row {
        let from = var.origin.describe(&self.project.workspace.sources);
        Row { key: name.to_owned(), value: self.text(&var.text).into(), from }
    }

    /// `[paths]`.
    pub fn paths(&self) -> Section {
        let workspace = &self.project.workspace;
        let row = |path: &OwnPath| {
            let Elsewhere { folder, from } = &path.place;
            let said = line(&workspace.sources, path.span);
            Row { key: part(folder.as_str()), value: from.as_str().into(), from: said }
        };
        let rows = workspace.settings.paths.iter().map(row).collect();
        Section { name: vec!["paths".into()], note: String::new(), rows }
    }

    /// `[registry."HOST"]`, `[apt.NAME]` and `[external.NAME]`.
    pub fn tables(&self) -> Vec<Section> {
        let from = |value: &Value| line(&self.project.workspace.sources, value.span);
        let mut sections = Vec::new();
        for outer in &self.project.workspace.settings.tables {
            for inner in outer.value.as_table().into_iter().flat_map(|table| &table.0) {
                let rows = inner.value.as_table().map(|table| self.leaves(table, &from)).unwrap_or_default();
                let name = vec![outer.key.clone(), inner.key.clone()];
                sections.push(Section { name, note: String::new(), rows });
            }
        }
        sections
    }

    /// A target's attributes.
    pub fn target(&self, target: &Target) -> Section {
        let sources = &self.project.workspace.sources;
        let published = if target.published { "; taken as published" } else { "" };
        let note = format!("{}, {}{published}", target.rule.name, line(sources, target.span));
        let rows = self.leaves(&target.table, &|value| self.origin(target, value));
        Section { name: vec!["targets".into(), target.label.to_string()], note, rows }
    }

    /// Of a target's attributes those that profile or local file set.
    pub fn set(&self, target: &Target) -> Vec<Row> {
        let settings = &self.project.workspace.settings;
        let is_set = |value: &Value| overrides::origin(settings, &target.label, value.span).is_some();
        let mut rows = Vec::new();
        leaves(&target.table, "", &mut |key, value| {
            if is_set(value) {
                rows.push(Row { key, value: self.value(value), from: self.origin(target, value) });
            }
        });
        rows
    }

    fn origin(&self, target: &Target, value: &Value) -> String {
        let workspace = &self.project.workspace;
        match overrides::origin(&workspace.settings, &target.label, value.span) {
            Some(origin) => origin.describe(&workspace.sources),
            None => line(&workspace.sources, value.span),
        }
    }

    fn leaves(&self, table: &Table, from: &dyn Fn(&Value) -> String) -> Vec<Row> {
        let mut rows = Vec::new();
        leaves(table, "", &mut |key, value| rows.push(Row { key, value: self.value(value), from: from(value) }));
        rows
    }

    fn value(&self, value: &Value) -> toml::Value {
        match &value.node {
            Node::String(text) => self.text(text).into(),
            Node::Integer(number) => (*number).into(),
            Node::Float(number) => (*number).into(),
            Node::Boolean(flag) => (*flag).into(),
            Node::Datetime(text) => text.parse::<toml::value::Datetime>().map_or(text.as_str().into(), Into::into),
            Node::Array(items) => items.iter().map(|item| self.value(item)).collect::<Vec<_>>().into(),
            Node::Table(table) => {
                let entries = table.0.iter().map(|entry| (entry.key.clone(), self.value(&entry.value)));
                toml::Value::Table(entries.collect())
            }
        }
    }

    /// With what git says, or the dollar where it has no answer: nothing fails here for what only a build needs.
    fn text(&self, text: &str) -> String {
        let git = &self.project.git;
        marks::fill(text, &mut |field| git.value(field).unwrap_or_else(|_| format!("${{git.{}}}", field.name())))
    }
}

/// Each value that is no table, or an empty one, with its dotted key.
fn leaves<'t>(table: &'t Table, before: &str, visit: &mut dyn FnMut(String, &'t Value)) {
    for entry in &table.0 {
        let key = format!("{before}{}", part(&entry.key));
        match entry.value.as_table().filter(|table| !table.0.is_empty()) {
            Some(inner) => leaves(inner, &format!("{key}."), visit),
            None => visit(key, &entry.value),
        }
    }
}

/// A key as TOML writes it.
pub fn part(key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if bare { key.to_owned() } else { quoted(key) }
}

/// A text in quotes, on one line: what JSON escapes, TOML reads.
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn default(key: &str) -> Option<toml::Value> {
    let settings = Settings::default();
    Some(match key {
        "packages" => ".".into(),
        "registry" => settings.registry.into(),
        "tag" => settings.tag.into(),
        "platform" => settings.platform.to_string().into(),
        "compression" => "gzip".into(),
        "source-date-epoch" => 0.into(),
        "deploy" => "compose".into(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_that_can_be_written_is_shown() {
        use crate::workspace::keys::{LOCAL, PROFILE, WORKSPACE};
        let written = [LOCAL, PROFILE, WORKSPACE].into_iter().flatten().map(|attribute| attribute.name);
        let elsewhere = ["inherits", "vars", "targets", "external", "paths"];
        let missing: Vec<&str> = written.filter(|name| !SETTINGS.contains(name) && !elsewhere.contains(name)).collect();
        assert_eq!(missing, [""; 0]);
    }

    #[test]
    fn keys_are_written_as_toml_has_them() {
        assert_eq!(part("a-b_1"), "a-b_1");
        assert_eq!(part("/etc/x"), "\"/etc/x\"");
        assert_eq!(part(""), "\"\"");
    }
}
