//! How `env` shows variables: as a table, as JSON, or as a file for `--env-file`.
//!
//! Shows no value of the caller's environment, and none of a secret.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::requirements::{Filled, Row};
use crate::ui::table::{Align, Table};

/// A form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Form {
    /// A line each, for people.
    #[default]
    Table,
    /// An array of objects.
    Json,
    /// A template, its docs as comments.
    Dotenv,
}

/// Writes the rows.
pub fn write(rows: &[Row], form: Form, to: &mut dyn Write) -> io::Result<()> {
    match form {
        Form::Table => table(rows).write(to),
        Form::Json => writeln!(to, "{}", Value::from(rows.iter().map(object).collect::<Vec<_>>())),
        Form::Dotenv => to.write_all(dotenv(rows).as_bytes()),
    }
}

fn table(rows: &[Row]) -> Table<4> {
    let mut table = Table::new([Align::Left; 4]);
    if !rows.is_empty() {
        table.row(["NAME", "ASKED BY", "FILLED BY", "DOC"].map(str::to_owned));
    }
    for row in rows {
        let doc = one_line(&row.requirement.doc);
        table.row([row.name.clone(), row.asked_by.join(", "), filled(row), doc]);
    }
    table
}

fn filled(row: &Row) -> String {
    let secret = row.requirement.is_secret();
    match &row.filled {
        Filled::Missing if secret => "not set".to_owned(),
        Filled::Missing => "nobody".to_owned(),
        Filled::Unfit => "this environment, against its pattern".to_owned(),
        Filled::Image(_) | Filled::Environment | Filled::Default if secret => "set".to_owned(),
        Filled::Image(image) => format!("env of {image}"),
        Filled::Environment => "this environment".to_owned(),
        Filled::Default => format!("default {}", one_line(row.requirement.default.as_deref().unwrap_or_default())),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn object(row: &Row) -> Value {
    let requirement = &row.requirement;
    let (by, image) = match &row.filled {
        Filled::Missing => (None, None),
        Filled::Unfit | Filled::Environment => (Some("environment"), None),
        Filled::Image(image) => (Some("image"), Some(image)),
        Filled::Default => (Some("default"), None),
    };
    json!({
        "name": row.name,
        "asked-by": row.asked_by,
        "filled": row.is_filled(),
        "filled-by": by,
        "image": image,
        "doc": requirement.doc,
        "secret": requirement.is_secret(),
        "default": requirement.default.as_ref().filter(|_| !requirement.is_secret()),
        "pattern": requirement.pattern,
        "example": requirement.example,
    })
}

/// What has a value already stands behind a `#`. A name stands there once, whoever fills it for other images.
fn dotenv(rows: &[Row]) -> String {
    let mut text = String::new();
    for (at, row) in rows.iter().enumerate() {
        if rows[..at].iter().any(|before| before.name == row.name) {
            continue;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        comments(row).iter().for_each(|line| text += &format!("# {line}\n"));
        text += &match (&row.filled, &row.requirement.default) {
            (Filled::Image(_), _) => format!("#{}=\n", row.name),
            (_, Some(default)) if !row.requirement.is_secret() => format!("#{}={}\n", row.name, quoted(default)),
            _ => format!("{}=\n", row.name),
        };
    }
    text
}

fn comments(row: &Row) -> Vec<String> {
    let requirement = &row.requirement;
    let mut lines: Vec<String> = requirement.doc.lines().map(str::to_owned).collect();
    lines.push(format!("asked by {}", row.asked_by.join(", ")));
    if requirement.is_secret() {
        lines.push("secret: keep this file out of version control".to_owned());
    }
    lines.extend(requirement.pattern.as_ref().map(|pattern| format!("matches {}", one_line(pattern))));
    lines.extend(requirement.example.as_ref().map(|example| format!("such as {}", one_line(example))));
    if let Filled::Image(image) = &row.filled {
        lines.push(format!("set by the env of {image}"));
    }
    lines
}

/// Plain where every reader of such files takes it plain, else in single quotes, which take everything literally.
fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.,:/@%+=".contains(&byte);
    if text.bytes().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, requirement: &str, filled: Filled) -> Row {
        let requirement = serde_json::from_str(requirement).unwrap();
        Row { name: name.into(), requirement, asked_by: vec!["//p:base".into(), "//d:kit".into()], filled }
    }

    fn rows() -> Vec<Row> {
        vec![
            row("PASSWORD", r#"{"doc": "of the loader", "secret": true}"#, Filled::Missing),
            row("HOST", r#"{"doc": "host\nof it", "pattern": "[a-z.]+", "example": "a.b"}"#, Filled::Unfit),
            row("CACHE", r#"{"doc": "tickets"}"#, Filled::Image("//p:base".into())),
            row("TOKEN", r#"{"doc": "a token", "secret": true}"#, Filled::Environment),
            row("TYPE", r#"{"doc": "how", "default": "it's"}"#, Filled::Default),
        ]
    }

    fn shown(form: Form) -> String {
        let mut out = Vec::new();
        write(&rows(), form, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_table_has_a_line_each_and_secrets_are_set_or_not() {
        insta::assert_snapshot!(shown(Form::Table), @r"
        NAME      ASKED BY           FILLED BY                              DOC
        PASSWORD  //p:base, //d:kit  not set                                of the loader
        HOST      //p:base, //d:kit  this environment, against its pattern  host of it
        CACHE     //p:base, //d:kit  env of //p:base                        tickets
        TOKEN     //p:base, //d:kit  set                                    a token
        TYPE      //p:base, //d:kit  default it's                           how
        ");
    }

    #[test]
    fn a_template_asks_for_what_nobody_but_the_environment_gives() {
        insta::assert_snapshot!(shown(Form::Dotenv), @r"
        # of the loader
        # asked by //p:base, //d:kit
        # secret: keep this file out of version control
        PASSWORD=

        # host
        # of it
        # asked by //p:base, //d:kit
        # matches [a-z.]+
        # such as a.b
        HOST=

        # tickets
        # asked by //p:base, //d:kit
        # set by the env of //p:base
        #CACHE=

        # a token
        # asked by //p:base, //d:kit
        # secret: keep this file out of version control
        TOKEN=

        # how
        # asked by //p:base, //d:kit
        #TYPE='it'\''s'
        ");
    }

    #[test]
    fn for_programs_every_row_has_every_key() {
        let told: Value = serde_json::from_str(&shown(Form::Json)).unwrap();
        assert_eq!(
            told[1],
            json!({
                "name": "HOST", "asked-by": ["//p:base", "//d:kit"], "filled": false, "filled-by": "environment",
                "image": null, "doc": "host\nof it", "secret": false, "default": null, "pattern": "[a-z.]+",
                "example": "a.b",
            })
        );
        assert_eq!((&told[2]["filled-by"], &told[2]["image"]), (&json!("image"), &json!("//p:base")));
    }
}
