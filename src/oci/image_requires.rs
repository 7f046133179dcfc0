//! What a container of an image needs in its environment: named in one label of the config, inherited along bases.
//!
//! Takes the base's label and what the target adds, gives the new label, and says what can't hold together. Knows
//! nothing of TOML and of who asked first.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::oci::canonical;

/// The label that holds them: an object by name, as canonical JSON.
pub const LABEL: &str = "dev.layerbuild.requires";

/// Variables by name, and what is said of each.
pub type Requires = BTreeMap<String, Requirement>;

/// What is said of a variable. What is absent is left open: an image above may say it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Requirement {
    /// What it is, for people; empty only in labels that others wrote.
    pub doc: String,
    /// The value where nobody gives one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// Whether its value is shown nowhere; absent counts as not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<bool>,
    /// A regular expression that a whole value must match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// A value as it might be, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
}

/// What of a variable can contradict something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// [`Requirement::default`].
    Default,
    /// [`Requirement::secret`].
    Secret,
    /// [`Requirement::pattern`].
    Pattern,
    /// [`Requirement::example`].
    Example,
    /// The value that an image's `env` sets.
    Env,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Default => "default",
            Part::Secret => "secret",
            Part::Pattern => "pattern",
            Part::Example => "example",
            Part::Env => "value in `env`",
        })
    }
}

/// An image says of a variable something else than what it stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disagreement {
    /// Default, secret or pattern.
    pub part: Part,
    /// What is said below.
    pub below: String,
    /// What is said above.
    pub above: String,
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Disagreement { part, below, above } = self;
        write!(f, "{part} is `{above}`, but `{below}` in the image below")
    }
}

/// Two parts that can't both hold: a value, and what it goes against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flaw {
    /// Default, example or env.
    pub value: Part,
    /// Secret or pattern.
    pub against: Part,
}

impl Flaw {
    /// What is wrong with the variable, as a phrase; never its value.
    pub fn sentence(self, name: &str) -> String {
        match self {
            Flaw { value: Part::Default, against: Part::Secret } => format!("the secret `{name}` has a default"),
            Flaw { against: Part::Secret, .. } => format!("the secret `{name}` is set in an image's `env`"),
            Flaw { value, .. } => format!("the {value} of `{name}` does not match its pattern"),
        }
    }
}

impl Requirement {
    /// Whether its value is shown nowhere.
    pub fn is_secret(&self) -> bool {
        self.secret == Some(true)
    }

    /// This one with what an image above says of the same variable. What is said here stays, and what is open may be added;
    /// of doc and example, which are for people, the upper ones count.
    pub fn under(&self, above: &Requirement) -> (Requirement, Vec<Disagreement>) {
        let said = |requirement: &Requirement| {
            let secret = requirement.secret.map(|secret| secret.to_string());
            [
                (Part::Default, requirement.default.clone()),
                (Part::Secret, secret),
                (Part::Pattern, requirement.pattern.clone()),
            ]
        };
        let pairs = said(self).into_iter().zip(said(above));
        let disagreements = pairs.filter_map(|((part, below), (_, above))| {
            let (below, above) = below.zip(above)?;
            (below != above).then_some(Disagreement { part, below, above })
        });
        let merged = Requirement {
            doc: if above.doc.is_empty() { self.doc.clone() } else { above.doc.clone() },
            default: self.default.clone().or_else(|| above.default.clone()),
            secret: self.secret.or(above.secret),
            pattern: self.pattern.clone().or_else(|| above.pattern.clone()),
            example: above.example.clone().or_else(|| self.example.clone()),
        };
        (merged, disagreements.collect())
    }

    /// Whether the two differ at most in what they tell people.
    pub fn asks_the_same(&self, other: &Requirement) -> bool {
        let asked = |it: &Requirement| (it.default.clone(), it.is_secret(), it.pattern.clone());
        asked(self) == asked(other)
    }

    /// What can't hold together. `env`: the value that an image sets; `None` where it sets none, or it isn't known.
    pub fn flaws(&self, env: Option<&str>) -> Vec<Flaw> {
        let (default, example) = (self.default.as_deref(), self.example.as_deref());
        let values = [(Part::Default, default), (Part::Example, example), (Part::Env, env)];
        let flaw = |(value, text): (Part, Option<&str>)| {
            let text = text?;
            match self.is_secret() && value != Part::Example {
                true => Some(Flaw { value, against: Part::Secret }),
                false => (!self.fits(text)).then_some(Flaw { value, against: Part::Pattern }),
            }
        };
        values.into_iter().filter_map(flaw).collect()
    }

    /// Whether the pattern allows a value. Without a pattern, or with one that can't be read, every value is allowed.
    pub fn fits(&self, value: &str) -> bool {
        let pattern = self.pattern.as_deref().and_then(|pattern| compile(pattern).ok());
        pattern.is_none_or(|pattern| pattern.is_match(value))
    }
}

/// A pattern as something that matches whole values; else why it is no regular expression, as a phrase.
pub fn compile(pattern: &str) -> Result<Regex, String> {
    let why = |error: regex::Error| {
        let text = error.to_string();
        text.lines().last().map(|line| line.trim_start_matches("error: ").to_owned()).unwrap_or_default()
    };
    // By itself first: `a)(b` would be right between our parentheses.
    Regex::new(pattern).and_then(|_| Regex::new(&format!(r"\A(?:{pattern})\z"))).map_err(why)
}

/// Requirements that can't be laid over a base's.
#[derive(Debug, thiserror::Error)]
pub enum RequiresError {
    /// The base's label is none that we can read.
    #[error("the base's label {label} can't be read: {0}", label = LABEL)]
    Label(#[source] serde_json::Error),
    /// What is said contradicts the base, or itself; one sentence each.
    #[error("{}", .0.join("\n"))]
    Contradictions(Vec<String>),
}

/// The requirements in the labels of an image's config; none where there is no such label.
pub fn read(labels: &BTreeMap<String, String>) -> Result<Requires, serde_json::Error> {
    labels.get(LABEL).map_or(Ok(Requires::new()), |text| serde_json::from_str(text))
}

/// The label of an image, where its target adds anything to the base's label; `None` where that stays as it is.
///
/// `env`: the image's environment as `NAME=value`; `set`: the names in it that the target itself sets. Keys that nobody
/// here knows stay in the label.
pub fn lay(label: Option<&str>, own: &Requires, env: &[String], set: &[&str]) -> Result<Option<String>, RequiresError> {
    let mut raw: Map<String, Value> =
        label.map_or(Ok(Map::new()), serde_json::from_str).map_err(RequiresError::Label)?;
    let mut all: Requires = serde_json::from_value(raw.clone().into()).map_err(RequiresError::Label)?;
    let mut wrong = Vec::new();
    for (name, requirement) in own {
        let (merged, disagreements) = all.get(name).cloned().unwrap_or_default().under(requirement);
        wrong.extend(disagreements.iter().map(|it| format!("of the required `{name}` the {it} ({LABEL})")));
        all.insert(name.clone(), merged);
    }
    let touched: BTreeSet<&str> = own.keys().map(String::as_str).chain(set.iter().copied()).collect();
    let judged = touched.into_iter().filter_map(|name| Some((name, all.get(name)?)));
    wrong.extend(judged.flat_map(|(name, requirement)| {
        let flaws = requirement.flaws(value(env, name)).into_iter();
        flaws.map(move |flaw| flaw.sentence(name))
    }));
    if !wrong.is_empty() {
        return Err(RequiresError::Contradictions(wrong));
    }
    own.keys().for_each(|name| overlay(&mut raw, name, &all[name]));
    Ok((!own.is_empty()).then(|| String::from_utf8_lossy(&canonical::to_bytes(&Value::from(raw))).into_owned()))
}

fn value<'a>(env: &'a [String], name: &str) -> Option<&'a str> {
    env.iter().rev().filter_map(|entry| entry.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn overlay(raw: &mut Map<String, Value>, name: &str, requirement: &Requirement) {
    let Ok(Value::Object(fields)) = serde_json::to_value(requirement) else {
        unreachable!("a struct serialises to an object");
    };
    match raw.get_mut(name) {
        Some(Value::Object(known)) => known.extend(fields),
        _ => _ = raw.insert(name.to_owned(), fields.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requirement(json: &str) -> Requirement {
        serde_json::from_str(json).unwrap()
    }

    fn own(json: &str) -> Requires {
        serde_json::from_str(json).unwrap()
    }

    fn laid(label: Option<&str>, json: &str, env: &[&str]) -> Result<Option<String>, String> {
        let env: Vec<String> = env.iter().map(|entry| (*entry).to_owned()).collect();
        let set: Vec<&str> = env.iter().filter_map(|entry| Some(entry.split_once('=')?.0)).collect();
        lay(label, &own(json), &env, &set).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_open_may_be_added_and_what_is_said_stays() {
        let below = requirement(r#"{"doc": "realm", "pattern": "[A-Z.]+"}"#);
        let above = requirement(r#"{"doc": "the realm of the source", "default": "A.B", "pattern": "[A-Z.]+"}"#);
        let (merged, disagreements) = below.under(&above);
        assert_eq!(disagreements, []);
        assert_eq!(merged, above);
        let (merged, disagreements) = above.under(&requirement(r#"{"default": "C", "secret": true, "pattern": "x"}"#));
        let parts: Vec<Part> = disagreements.iter().map(|disagreement| disagreement.part).collect();
        assert_eq!(parts, [Part::Default, Part::Pattern]);
        assert_eq!((merged.default.as_deref(), merged.secret), (Some("A.B"), Some(true)));
        assert_eq!(requirement(r#"{"secret": true}"#).under(&requirement(r#"{"secret": false}"#)).1.len(), 1);
    }

    #[test]
    fn a_pattern_is_held_against_the_whole_value() {
        for (pattern, value, fits) in
            [("a|ab", "ab", true), ("[0-9]+", "12", true), ("[0-9]+", "12x", false), ("[0-9]+", "12\n", false)]
        {
            let requirement = Requirement { pattern: Some(pattern.into()), ..Requirement::default() };
            assert_eq!(requirement.fits(value), fits, "{pattern} {value}");
        }
        for pattern in ["(", "a)(b", "["] {
            assert!(!compile(pattern).unwrap_err().contains('\n'), "{pattern}");
        }
    }

    #[test]
    fn secrets_have_no_value_in_an_image_and_values_match_their_pattern() {
        let flaws = |json: &str, env| -> Vec<(Part, Part)> {
            requirement(json).flaws(env).into_iter().map(|flaw| (flaw.value, flaw.against)).collect()
        };
        assert_eq!(flaws(r#"{"secret": true, "pattern": "a", "example": "a"}"#, None), []);
        assert_eq!(
            flaws(r#"{"secret": true, "default": "a"}"#, Some("b")),
            [(Part::Default, Part::Secret), (Part::Env, Part::Secret)]
        );
        assert_eq!(
            flaws(r#"{"pattern": "a", "default": "b", "example": "c"}"#, Some("a")),
            [(Part::Default, Part::Pattern), (Part::Example, Part::Pattern)]
        );
    }

    #[test]
    fn the_label_is_canonical_and_keeps_what_is_unknown() {
        let base = r#"{"B": {"doc": "b", "newer": 1}, "A": {"doc": "a"}}"#;
        let label = laid(Some(base), r#"{"B": {"doc": "mine"}, "C": {"doc": "c", "secret": true}}"#, &[]);
        assert_eq!(
            label.unwrap().unwrap(),
            r#"{"A":{"doc":"a"},"B":{"doc":"mine","newer":1},"C":{"doc":"c","secret":true}}"#
        );
        assert_eq!(laid(Some(base), "{}", &["A=1"]), Ok(None));
        assert_eq!(laid(None, "{}", &["A=1"]), Ok(None));
    }

    #[test]
    fn what_contradicts_the_bases_label_is_told_all_at_once() {
        let base = r#"{"A": {"doc": "a", "pattern": "[0-9]+"}, "S": {"doc": "s", "secret": true}}"#;
        let told =
            laid(Some(base), r#"{"A": {"doc": "a", "pattern": "x", "default": "y"}}"#, &["S=secret!"]).unwrap_err();
        assert_eq!(
            told.lines().collect::<Vec<_>>(),
            [
                "of the required `A` the pattern is `x`, but `[0-9]+` in the image below (dev.layerbuild.requires)",
                "the default of `A` does not match its pattern",
                "the secret `S` is set in an image's `env`",
            ]
        );
        assert!(laid(Some("[]"), "{}", &[]).unwrap_err().contains("can't be read"));
    }
}
