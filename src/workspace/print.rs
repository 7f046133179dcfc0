//! A target as TOML: what the loader would read it from.
//!
//! Values are as loaded: variables are filled in, and what would be taken for one is escaped.

use std::fmt::Write as _;

use super::external::External;
use super::model::Target;
use super::value::{Node, Table, Value};
use super::{dollars, marks};

/// A line that is longer has each item of its list on one of its own.
const WIDTH: usize = 100;

/// `[rule.name]` and the attributes.
pub fn target(target: &Target) -> String {
    let mut out = format!("[{}.{}]\n", target.rule.name, key(&target.label.name));
    for entry in &target.table.0 {
        let line = format!("{} = {}", key(&entry.key), value(&entry.value));
        match &entry.value.node {
            Node::Array(items) if line.len() > WIDTH => {
                let items: String = items.iter().map(|item| format!("    {},\n", value(item))).collect();
                let _ = writeln!(out, "{} = [\n{items}]", key(&entry.key));
            }
            _ => out.extend([&line, "\n"]),
        }
    }
    out
}

/// `[external.NAME]` and what is said of that workspace.
pub fn external(name: &str, external: &External) -> String {
    let mut out = format!("[external.{}]\n", key(name));
    let mut say = |key: &str, text: &str| _ = writeln!(out, "{key} = {}", quoted(&dollars::escape(text)));
    if let Some(path) = &external.path {
        say("path", &path.value);
        external.profile.iter().for_each(|profile| say("profile", &profile.value));
        return out;
    }
    say("registry", &external.registry);
    say("tag", &external.tag.value);
    if !external.platforms.is_empty() {
        let platforms: Vec<String> = external.platforms.iter().map(|it| quoted(&it.to_string())).collect();
        let _ = writeln!(out, "platforms = [{}]", platforms.join(", "));
    }
    out
}

/// A value on one line.
pub fn value(value: &Value) -> String {
    match &value.node {
        Node::String(text) => quoted(&marks::spelled(&dollars::escape(text))),
        Node::Integer(number) => number.to_string(),
        Node::Float(number) if number.is_nan() => "nan".to_owned(),
        Node::Float(number) => format!("{number:?}"),
        Node::Boolean(flag) => flag.to_string(),
        Node::Datetime(date) => date.clone(),
        Node::Array(items) => format!("[{}]", items.iter().map(self::value).collect::<Vec<_>>().join(", ")),
        Node::Table(table) => inline(table),
    }
}

fn inline(table: &Table) -> String {
    let entry = |entry: &super::value::Entry| format!("{} = {}", key(&entry.key), value(&entry.value));
    let entries: Vec<String> = table.0.iter().map(entry).collect();
    if entries.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", entries.join(", ")) }
}

/// A key, in quotes where it needs them.
fn key(text: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !text.is_empty() && text.chars().all(bare) { text.to_owned() } else { quoted(text) }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => _ = write!(out, "\\u{:04X}", u32::from(c)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
