//! Targets that something changed for, each with its cause: labels for programs, a table for people, and JSON.
//!
//! Knows nothing of how they were found.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::table::{Align, Table};
use crate::root_cause::RootCause;

/// One target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its label.
    pub label: String,
    /// Its rule.
    pub rule: &'static str,
    /// What it is for, in one word.
    pub kind: &'static str,
    /// What became of it, in one word.
    pub status: &'static str,
    /// Why; `None` where there is no more to say than the status.
    pub cause: Option<RootCause>,
}

impl Row {
    /// The cause on one line; of another target with its label.
    pub fn sentence(&self) -> String {
        let Some(cause) = &self.cause else { return self.status.to_owned() };
        let more = if cause.more > 0 { format!(", and {} more", cause.more) } else { String::new() };
        let of = if cause.target == self.label { String::new() } else { format!("{}: ", cause.target) };
        format!("{of}{}{more}", cause.text)
    }

    fn json(&self) -> Value {
        let cause = self.cause.as_ref().map(|RootCause { target, text, file, old, new, more }| {
            json!({ "target": target, "text": text, "file": file, "old": old, "new": new, "more": more })
        });
        let Row { label, rule, kind, status, .. } = self;
        json!({ "label": label, "rule": rule, "kind": kind, "status": status, "cause": cause })
    }
}

/// A label a line.
pub fn labels(rows: &[Row], to: &mut dyn Write) -> io::Result<()> {
    rows.iter().try_for_each(|row| writeln!(to, "{}", row.label))
}

/// `RULE rule LABEL` a line, as Bazel's.
pub fn label_kinds(rows: &[Row], to: &mut dyn Write) -> io::Result<()> {
    rows.iter().try_for_each(|row| writeln!(to, "{} rule {}", row.rule, row.label))
}

/// Label and cause in columns; nothing where there are no rows.
pub fn table(rows: &[Row], to: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new([Align::Left, Align::Left]);
    if !rows.is_empty() {
        table.row(["LABEL", "CAUSE"].map(str::to_owned));
    }
    rows.iter().for_each(|row| table.row([row.label.clone(), row.sentence()]));
    table.write(to)
}

/// An array of objects.
pub fn json(rows: &[Row], to: &mut dyn Write) -> io::Result<()> {
    let rows: Vec<Value> = rows.iter().map(Row::json).collect();
    writeln!(to, "{:#}", Value::from(rows))
}

/// An object a line.
pub fn json_lines(rows: &[Row], to: &mut dyn Write) -> io::Result<()> {
    rows.iter().try_for_each(|row| writeln!(to, "{}", row.json()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Row> {
        let cause = |target: &str, more| RootCause {
            target: target.into(),
            text: "file a changed".into(),
            file: Some("a".into()),
            old: None,
            new: None,
            more,
        };
        let row = |label: &str, status, cause| Row { label: label.into(), rule: "files", kind: "layer", status, cause };
        vec![
            row("//p:a", "changed", Some(cause("//p:a", 2))),
            row("//p:long", "changed", Some(cause("//p:a", 0))),
            row("//p:old", "deleted", None),
        ]
    }

    fn shown(by: fn(&[Row], &mut dyn Write) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        by(&rows(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn people_get_the_cause_and_whose_it_is() {
        insta::assert_snapshot!(shown(table), @r"
        LABEL     CAUSE
        //p:a     file a changed, and 2 more
        //p:long  //p:a: file a changed
        //p:old   deleted
        ");
        assert_eq!(shown(labels), "//p:a\n//p:long\n//p:old\n");
        assert_eq!(shown(label_kinds).lines().next(), Some("files rule //p:a"));
    }

    #[test]
    fn programs_get_every_field() {
        let lines = shown(json_lines);
        let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
        assert_eq!((&first["cause"]["file"], &first["cause"]["more"]), (&json!("a"), &json!(2)));
        let all: Value = serde_json::from_str(&shown(json)).unwrap();
        assert_eq!((all.as_array().map(Vec::len), &all[2]["cause"]), (Some(3), &Value::Null));
    }
}
