//! A build as another machine can compare with it: each action's key, what that was made of, and what it gave.
//!
//! One self-contained value, written as canonical JSON. Private things stay out: of variables' values a few digits of a
//! digest travel, of secrets their names, and no path but those of the workspace. Knows nothing of where it is kept.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::action::record::{Component, Output};
use crate::action::{Action, Operation};
use crate::digest::Digest;
use crate::oci::canonical;
use crate::platform::Platform;

/// The number of this form. A record of another form gets another number.
pub const FORM: u32 = 1;

/// A build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BuildRecord {
    /// [`FORM`].
    pub layerbuild_record: u32,
    /// The version of layerbuild that built.
    pub version: String,
    /// The workspace's name.
    pub workspace: String,
    /// The profile; `None`: the workspace's plain settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Its actions, by the name under which a build is noted: the label, with what tells apart actions of one label.
    pub actions: BTreeMap<String, Entry>,
}

/// An action of a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Entry {
    /// The target.
    pub label: String,
    /// What was done: `files`, `image`, …
    pub kind: String,
    /// What it is for, where the action says so itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Its key.
    pub key: Digest,
    /// What the key was made of, in its order; see [`private`].
    pub components: Vec<Component>,
    /// What became of it.
    pub result: Ended,
    /// The shared cache that its result came from, as `HOST/PATH`; `None`: from none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<String>,
    /// What it gave; `None`: it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Output>,
    /// How long it took when it was made, in microseconds; `None`: that isn't known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub microseconds: Option<u64>,
}

/// What became of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ended {
    /// It ran.
    Ran,
    /// Its result was known.
    Hit,
    /// It ran and failed.
    Failed,
}

/// What an action of a build came to.
#[derive(Debug, Clone)]
pub struct Made {
    /// Its key.
    pub key: Digest,
    /// What the key was made of.
    pub components: Vec<Component>,
    /// What became of it.
    pub result: Ended,
    /// The shared cache that its result came from.
    pub cache: Option<String>,
    /// What it gave.
    pub output: Option<Output>,
    /// How long it took when it was made.
    pub elapsed: Option<Duration>,
}

/// Bytes that are no record that can be read.
#[derive(Debug, thiserror::Error)]
pub enum BuildRecordError {
    /// Not JSON of its shape.
    #[error("it is no record of a build ({0})")]
    Shape(#[from] serde_json::Error),
    /// Another form.
    #[error("it is a record of form {0}, and this layerbuild reads form {FORM}")]
    Form(u64),
}

impl BuildRecord {
    /// A record without actions.
    pub fn new(version: &str, workspace: &str, profile: Option<&str>) -> BuildRecord {
        let (version, workspace, profile) = (version.into(), workspace.into(), profile.map(Into::into));
        BuildRecord { layerbuild_record: FORM, version, workspace, profile, actions: BTreeMap::new() }
    }

    /// Adds an action. `name`: as it is noted.
    pub fn add(&mut self, name: String, action: &Action, made: Made) {
        let microseconds = made.elapsed.map(|time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
        let entry = Entry {
            label: action.label.to_string(),
            kind: action.operation.name().to_owned(),
            platform: platform(action).map(ToString::to_string),
            key: made.key,
            components: made.components.into_iter().map(private).collect(),
            result: made.result,
            cache: made.cache,
            output: made.output,
            microseconds,
        };
        self.actions.insert(name, entry);
    }

    /// The record as one line of canonical JSON.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = canonical::to_bytes(&json!(self));
        bytes.push(b'\n');
        bytes
    }

    /// The record that bytes are.
    pub fn decode(bytes: &[u8]) -> Result<BuildRecord, BuildRecordError> {
        let value: Value = serde_json::from_slice(bytes)?;
        match value.get("layerbuild-record").and_then(Value::as_u64) {
            Some(form) if form != u64::from(FORM) => Err(BuildRecordError::Form(form)),
            _ => Ok(serde_json::from_value(value)?),
        }
    }
}

fn platform(action: &Action) -> Option<&Platform> {
    action.variant.as_ref().or(match &action.operation {
        Operation::Image(image) => Some(&image.spec.platform),
        Operation::Pull(pull) => Some(&pull.platform),
        Operation::Debs(debs) => Some(&debs.platform),
        _ => None,
    })
}

/// A component as it travels: of variables a few digits of a digest instead of the value, and no place outside of the
/// workspace.
pub fn private(mut component: Component) -> Component {
    if component.name == "env" {
        component.value = hidden_pairs(&component.value);
    } else if component.name.starts_with("env ") {
        component.value = hidden(&component.value);
    }
    let outside = |origin: &String| origin.strip_prefix("file ").is_some_and(leads_out);
    component.origin = component.origin.filter(|origin| !outside(origin));
    component
}

fn leads_out(path: &str) -> bool {
    path.starts_with(['/', '~']) || path.split('/').any(|part| part == "..")
}

/// The variables of an image: pairs as JSON.
fn hidden_pairs(value: &str) -> String {
    let Ok(pairs) = serde_json::from_str::<Vec<(String, String)>>(value) else { return hidden(value) };
    let pairs: Vec<(String, String)> = pairs.into_iter().map(|(name, value)| (name, hidden(&value))).collect();
    String::from_utf8(canonical::to_bytes(&json!(pairs))).expect("JSON is UTF-8")
}

/// Tells two values apart but for one pair in 65,536; so many values share it that none is found out by trying.
fn hidden(value: &str) -> String {
    format!("a value like {}", &Digest::of(value.as_bytes()).hex()[..4])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Fetch;
    use crate::action::record::Blob;
    use crate::label::{Label, PackagePath};

    fn record() -> BuildRecord {
        let component = |name: &str, value: &str, origin: Option<&str>| Component {
            name: name.into(),
            value: value.into(),
            origin: origin.map(Into::into),
        };
        let components = vec![
            component("env TOKEN", "hunter2", None),
            component("env", r#"[["PASSWORD","swordfish"]]"#, None),
            component("entry /a", "file sha256:1", Some("file app/a")),
            component("entry /b", "file sha256:2", Some("file /home/me/app/b")),
        ];
        let label = Label::parse("//:a", &PackagePath::default()).unwrap();
        let digest = Digest::of(b"x");
        let operation = Operation::Fetch(Fetch { url: "https://user:pass@a.example/x".into(), digest });
        let output = Some(Output::File(Blob { digest, size: 1 }));
        let made = Made {
            key: Digest::of(b"key"),
            components,
            result: Ended::Ran,
            cache: None,
            output,
            elapsed: Some(Duration::from_millis(2)),
        };
        let mut record = BuildRecord::new("1.2.3", "test", None);
        record.add("//:a fetch".into(), &Action { label, variant: None, operation }, made);
        record
    }

    #[test]
    fn a_record_reads_back_as_it_was_and_is_one_line() {
        let bytes = record().encode();
        assert_eq!(BuildRecord::decode(&bytes).unwrap(), record());
        assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), 1);
        let entry = &record().actions["//:a fetch"];
        assert_eq!((entry.label.as_str(), entry.microseconds), ("//:a", Some(2000)));
    }

    #[test]
    fn neither_variables_nor_addresses_nor_places_outside_are_in_it() {
        let text = String::from_utf8(record().encode()).unwrap();
        for private in ["hunter2", "swordfish", "/home/me", "a.example", "pass"] {
            assert!(!text.contains(private), "{private} in {text}");
        }
        assert!(text.contains("TOKEN") && text.contains("PASSWORD") && text.contains("app/a"), "{text}");
    }

    #[test]
    fn another_form_and_nonsense_are_told_apart() {
        let other = String::from_utf8(record().encode()).unwrap().replace("record\":1", "record\":2");
        assert!(matches!(BuildRecord::decode(other.as_bytes()), Err(BuildRecordError::Form(2))));
        for nonsense in ["", "{}", "[]", "<html>"] {
            assert!(matches!(BuildRecord::decode(nonsense.as_bytes()), Err(BuildRecordError::Shape(_))), "{nonsense}");
        }
    }
}
