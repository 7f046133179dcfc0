//! How `config` shows its rows: as TOML with comments, or as one JSON object.

use std::io::Write;

use serde_json::{Map, Value as Json, json};

use super::config_rows::{Row, Section, part, quoted};
use super::error::CliError;
use crate::ui::table::{Align, Table};
use crate::workspace::settings::Settings;

/// TOML that can be read again; `head` stands above it as comments.
pub fn as_toml(head: &[String], sections: &[Section], to: &mut dyn Write) -> Result<(), CliError> {
    for line in head {
        writeln!(to, "# {line}")?;
    }
    for Section { name, note, rows } in sections.iter().filter(|section| is_shown(section)) {
        let name: Vec<String> = name.iter().map(|name| part(name)).collect();
        let note = if note.is_empty() { String::new() } else { format!("  # {note}") };
        writeln!(to, "\n[{}]{note}", name.join("."))?;
        let mut table = Table::new([Align::Left; 2]);
        let line = |row: &Row| [format!("{} = {}", row.key, on_one_line(&row.value)), format!("# {}", row.from)];
        rows.iter().for_each(|row| table.row(line(row)));
        table.write(to)?;
    }
    Ok(())
}

fn on_one_line(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => quoted(text),
        toml::Value::Array(items) => format!("[{}]", items.iter().map(on_one_line).collect::<Vec<_>>().join(", ")),
        toml::Value::Table(table) if table.is_empty() => "{}".to_owned(),
        toml::Value::Table(table) => {
            let entry = |(key, value): (&String, &toml::Value)| format!("{} = {}", part(key), on_one_line(value));
            format!("{{ {} }}", table.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// A target without attributes is there all the same.
fn is_shown(section: &Section) -> bool {
    !section.rows.is_empty() || section.name.len() > 1
}

/// `{"profile":…,"inherits":[…],"local":…,"workspace":{"tag":{"value":…,"from":…},…},"vars":…,"targets":{…}}`.
pub fn as_json(settings: &Settings, sections: &[Section], to: &mut dyn Write) -> Result<(), CliError> {
    let mut object = Map::new();
    object.insert("profile".into(), json!(settings.profile));
    object.insert("inherits".into(), json!(settings.chain.get(1..).unwrap_or_default()));
    object.insert("local".into(), json!(settings.local));
    for Section { name, note, rows } in sections {
        let values: Map<String, Json> = rows.iter().map(|row| (row.key.clone(), of(row))).collect();
        match &name[..] {
            [name] => _ = object.insert(name.clone(), values.into()),
            [outer, inner] => {
                let values =
                    if note.is_empty() { values.into() } else { json!({ "about": note, "attributes": values }) };
                let known = object.entry(outer.clone()).or_insert_with(|| json!({}));
                known.as_object_mut().map(|known| known.insert(inner.clone(), values));
            }
            _ => {}
        }
    }
    Ok(writeln!(to, "{}", Json::Object(object))?)
}

fn of(row: &Row) -> Json {
    json!({ "value": row.value, "from": row.from })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_toml_that_says_the_same() {
        let value: toml::Table = "a = \"x\\n\\\"\\u001b\"\nb = [1, { c = true, \"d.e\" = {} }]\n".parse().unwrap();
        let rows = value.iter().map(|(key, value)| Row::new(key, value.clone(), "x")).collect();
        let section = Section { name: vec!["targets".into(), "//p:t".into()], note: "files".into(), rows };
        let mut text = Vec::new();
        as_toml(&["no profile".to_owned()], &[section], &mut text).unwrap();
        let read: toml::Table = String::from_utf8(text).unwrap().parse().unwrap();
        assert_eq!(read["targets"]["//p:t"], toml::Value::Table(value));
    }
}
