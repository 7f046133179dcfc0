//! What became of checks, one row each: as a table for people, as JSON, and as JUnit's XML for CI.
//!
//! Knows nothing of what is checked.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Value, json};

use super::table::{Align, Table};
use super::text;

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its target.
    pub label: String,
    /// Its rule.
    pub rule: &'static str,
    /// How it ended.
    pub verdict: Verdict,
    /// How long it took; `None` where it did not run.
    pub elapsed: Option<Duration>,
    /// On one line, what was looked at or why it did not pass; may be empty.
    pub detail: String,
    /// Of a failed one, all that is not as it should be.
    pub findings: Vec<Fault>,
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The attribute that asks for it.
    pub attribute: String,
    /// What was looked at; may be empty.
    pub about: String,
    /// What it should be.
    pub expected: String,
    /// What it is.
    pub found: String,
    /// The target that is to blame; `None` where that is not known.
    pub from: Option<String>,
    /// All of it as a sentence.
    pub text: String,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All is well.
    Passed,
    /// All was well when the same was last asked, and cannot have changed.
    Cached,
    /// Something is not as it should be.
    Failed,
    /// It could not be found out.
    Error,
    /// It was not tried: what it looks at could not be had.
    Skipped,
}

impl Verdict {
    /// One word.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::Cached => "cached",
            Verdict::Failed => "failed",
            Verdict::Error => "error",
            Verdict::Skipped => "skipped",
        }
    }
}

/// Aligned columns under a heading; nothing where there are no rows.
pub fn table(rows: &[Row], to: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new([Align::Left, Align::Left, Align::Right, Align::Left]);
    if !rows.is_empty() {
        table.row(["LABEL", "RESULT", "TIME", "DETAIL"].map(str::to_owned));
    }
    for row in rows {
        let time = row.elapsed.map_or("-".to_owned(), text::duration);
        table.row([row.label.clone(), row.verdict.word().to_owned(), time, row.detail.clone()]);
    }
    table.write(to)
}

/// An array of objects.
pub fn json(rows: &[Row], to: &mut dyn Write) -> io::Result<()> {
    let fault = |fault: &Fault| {
        let Fault { attribute, about, expected, found, from, .. } = fault;
        json!({"attribute": attribute, "about": about, "expected": expected, "found": found, "from": from})
    };
    let row = |row: &Row| {
        json!({
            "label": row.label,
            "rule": row.rule,
            "result": row.verdict.word(),
            "seconds": row.elapsed.map(|elapsed| elapsed.as_secs_f64()),
            "detail": row.detail,
            "findings": row.findings.iter().map(fault).collect::<Vec<_>>(),
        })
    };
    writeln!(to, "{}", Value::from(rows.iter().map(row).collect::<Vec<_>>()))
}

/// One suite, as CI systems read it: <https://github.com/testmoapp/junitxml> has the dialects together.
pub fn junit(rows: &[Row], to: &mut dyn Write) -> io::Result<()> {
    let count = |verdict: Verdict| rows.iter().filter(|row| row.verdict == verdict).count();
    let total: Duration = rows.iter().filter_map(|row| row.elapsed).sum();
    let totals = format!(
        "name=\"layerbuild check\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{}\"",
        rows.len(),
        count(Verdict::Failed),
        count(Verdict::Error),
        count(Verdict::Skipped),
        seconds(total)
    );
    writeln!(to, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(to, "<testsuites {totals}>\n  <testsuite {totals}>")?;
    rows.iter().try_for_each(|row| case(row, to))?;
    writeln!(to, "  </testsuite>\n</testsuites>")
}

fn case(row: &Row, to: &mut dyn Write) -> io::Result<()> {
    let (package, name) = row.label.rsplit_once(':').unwrap_or(("", &row.label));
    let time = seconds(row.elapsed.unwrap_or_default());
    write!(to, "    <testcase classname=\"{}\" name=\"{}\" time=\"{time}\"", escaped(package), escaped(name))?;
    let element = match row.verdict {
        Verdict::Passed | Verdict::Cached => return writeln!(to, "/>"),
        Verdict::Failed => "failure",
        Verdict::Error => "error",
        Verdict::Skipped => return writeln!(to, "><skipped message=\"{}\"/></testcase>", escaped(&row.detail)),
    };
    let all: Vec<&str> = row.findings.iter().map(|fault| fault.text.as_str()).collect();
    writeln!(to, ">\n      <{element} message=\"{}\">{}</{element}>", escaped(&row.detail), escaped(&all.join("\n")))?;
    writeln!(to, "    </testcase>")
}

fn seconds(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64())
}

/// Text in XML 1.0, in which most control characters can't stand at all.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\t' => escaped.push_str("&#9;"),
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Row> {
        let row = |label: &str, verdict, detail: &str| Row {
            label: label.into(),
            rule: "image_test",
            verdict,
            elapsed: (verdict != Verdict::Cached && verdict != Verdict::Skipped).then_some(Duration::from_millis(1500)),
            detail: detail.into(),
            findings: Vec::new(),
        };
        let fault = Fault {
            attribute: "labels".into(),
            about: "a<b".into(),
            expected: "\"x\"".into(),
            found: "nothing".into(),
            from: None,
            text: "labels: a<b: expected \"x\" & found\x07 nothing".into(),
        };
        vec![
            row("//a:good", Verdict::Passed, "sha256:ab"),
            Row { findings: vec![fault], ..row("//a:bad", Verdict::Failed, "labels: a<b") },
            row("//b:old", Verdict::Cached, "sha256:cd"),
            row("//b:lost", Verdict::Skipped, "//b:x failed"),
        ]
    }

    fn written(write: impl Fn(&[Row], &mut dyn Write) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&rows(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn people_get_a_table() {
        insta::assert_snapshot!(written(table), @r"
        LABEL     RESULT    TIME  DETAIL
        //a:good  passed   1.50s  sha256:ab
        //a:bad   failed   1.50s  labels: a<b
        //b:old   cached       -  sha256:cd
        //b:lost  skipped      -  //b:x failed
        ");
    }

    #[test]
    fn programs_get_every_finding_in_its_parts() {
        let rows: Value = serde_json::from_str(&written(json)).unwrap();
        assert_eq!(rows[1]["result"], "failed");
        assert_eq!(rows[1]["seconds"], 1.5);
        assert_eq!(rows[1]["findings"][0]["found"], "nothing");
        assert_eq!(rows[2]["seconds"], Value::Null);
    }

    #[test]
    fn junit_counts_and_escapes() {
        insta::assert_snapshot!(written(junit), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="layerbuild check" tests="4" failures="1" errors="0" skipped="1" time="3.000">
          <testsuite name="layerbuild check" tests="4" failures="1" errors="0" skipped="1" time="3.000">
            <testcase classname="//a" name="good" time="1.500"/>
            <testcase classname="//a" name="bad" time="1.500">
              <failure message="labels: a&lt;b">labels: a&lt;b: expected &quot;x&quot; &amp; found� nothing</failure>
            </testcase>
            <testcase classname="//b" name="old" time="0.000"/>
            <testcase classname="//b" name="lost" time="0.000"><skipped message="//b:x failed"/></testcase>
          </testsuite>
        </testsuites>
        "#);
    }
}
