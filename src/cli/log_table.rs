//! Rows of values under names, as text, JSON or CSV: text formats them for people, the others leave them as they are.

use std::io::Write;
use std::time::Duration;

use serde_json::{Map, Value};

use super::error::CliError;
use crate::oci::timestamp::rfc3339;
use crate::ui::table::{Align, Table};
use crate::ui::text;

/// How a view is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// An array of objects; of `last`, one object.
    Json,
    /// Comma-separated values below their names; of `last`, a line a value.
    Csv,
}

/// How people read a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// As it is.
    Text,
    /// A number.
    Count,
    /// A duration in seconds.
    Seconds,
    /// A size in bytes; 0 is none.
    Bytes,
    /// Seconds since 1970.
    Moment,
}

/// Rows of values under names.
pub struct View<const N: usize> {
    /// Each with how people read it.
    pub columns: [(&'static str, Kind); N],
    /// As programs read them.
    pub rows: Vec<[Value; N]>,
}

impl<const N: usize> View<N> {
    /// Writes them.
    pub fn write(&self, output: Output, to: &mut dyn Write) -> Result<(), CliError> {
        match output {
            Output::Text => self.table().write(to)?,
            Output::Json => {
                let objects: Vec<Value> = self.rows.iter().map(|row| self.object(row)).collect();
                writeln!(to, "{}", Value::from(objects))?;
            }
            Output::Csv => {
                writeln!(to, "{}", self.columns.map(|(name, _)| name).join(","))?;
                self.rows.iter().try_for_each(|row| writeln!(to, "{}", row.each_ref().map(csv).join(",")))?;
            }
        }
        Ok(())
    }

    fn table(&self) -> Table<N> {
        let align = |(_, kind)| if matches!(kind, Kind::Text | Kind::Moment) { Align::Left } else { Align::Right };
        let mut table = Table::new(self.columns.map(align));
        if !self.rows.is_empty() {
            table.row(self.columns.map(|(name, _)| name.to_uppercase()));
        }
        for row in &self.rows {
            table.row(std::array::from_fn(|at| shown(&row[at], self.columns[at].1)));
        }
        table
    }

    fn object(&self, row: &[Value; N]) -> Value {
        let entries = self.columns.iter().zip(row).map(|((name, _), value)| ((*name).to_owned(), value.clone()));
        Value::Object(entries.collect::<Map<_, _>>())
    }
}

fn shown(value: &Value, kind: Kind) -> String {
    let number = value.as_f64();
    match (kind, number) {
        (Kind::Seconds, Some(seconds)) => time(seconds),
        (Kind::Bytes, Some(_)) => value.as_u64().filter(|bytes| *bytes > 0).map_or("-".into(), text::size),
        (Kind::Moment, Some(seconds)) => moment(seconds),
        _ => match value {
            Value::String(text) => text.clone(),
            Value::Null => "-".to_owned(),
            other => other.to_string(),
        },
    }
}

/// So many seconds, for people.
pub fn time(seconds: f64) -> String {
    text::duration(Duration::from_secs_f64(seconds.max(0.0)))
}

/// A moment in seconds since 1970, for people.
pub fn moment(seconds: f64) -> String {
    rfc3339(seconds as u64).unwrap_or_default()
}

/// As RFC 4180 has it.
fn csv(value: &Value) -> String {
    match value {
        Value::String(text) if text.contains([',', '"', '\n', '\r']) => format!("\"{}\"", text.replace('"', "\"\"")),
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cell_is_quoted_where_it_must_be() {
        let cells = [json!("a"), json!("a,\"b\"\n"), json!(1.5), Value::Null];
        assert_eq!(cells.each_ref().map(csv).join(","), "a,\"a,\"\"b\"\"\n\",1.5,");
    }

    #[test]
    fn people_get_units_and_programs_the_number() {
        let columns =
            [("name", Kind::Text), ("seconds", Kind::Seconds), ("bytes", Kind::Bytes), ("begun", Kind::Moment)];
        let view = View { columns, rows: vec![[json!("x"), json!(0.25), json!(1500), json!(1_795_892_000.75)]] };
        let written = |output| {
            let mut text = Vec::new();
            view.write(output, &mut text).unwrap();
            String::from_utf8(text).unwrap()
        };
        assert_eq!(
            written(Output::Text),
            "NAME  SECONDS   BYTES  BEGUN\nx       0.25s  1.5 kB  2026-11-28T18:53:20Z\n"
        );
        assert_eq!(
            written(Output::Json),
            "[{\"begun\":1795892000.75,\"bytes\":1500,\"name\":\"x\",\"seconds\":0.25}]\n"
        );
        assert_eq!(written(Output::Csv), "name,seconds,bytes,begun\nx,0.25,1500,1795892000.75\n");
    }
}
