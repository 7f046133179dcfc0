//! Who asks for which variable and who fills it, over images that stand on one another.
//!
//! Takes what each image says; the caller's variables are asked for one by one, and no value of theirs is kept. Knows
//! neither targets nor registries.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use crate::oci::image_requires::{self, Disagreement, Requirement, Requires};
use crate::oci::manifest::Config;

/// One image, as far as it asks and fills.
#[derive(Debug, Clone, Default)]
pub struct Link {
    /// What people call it.
    pub name: String,
    /// What it asks for itself; of a published image also what all below it ask for.
    pub requires: Requires,
    /// The variables that it sets.
    pub sets: BTreeSet<String>,
}

impl Link {
    /// An image by its config, which tells for all that it stands on.
    pub fn of_config(name: String, config: &Config) -> Result<Link, serde_json::Error> {
        let run = &config.config;
        let sets = run.env.iter().filter_map(|entry| Some(entry.split_once('=')?.0.to_owned()));
        Ok(Link { name, requires: image_requires::read(&run.labels)?, sets: sets.collect() })
    }
}

/// Who fills a variable.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Filled {
    /// Nobody.
    Missing,
    /// The caller's environment, but with a value that the pattern forbids.
    Unfit,
    /// The `env` of an image.
    Image(String),
    /// The caller's environment.
    Environment,
    /// Its default.
    Default,
}

/// A variable that images ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// What is said of it.
    pub requirement: Requirement,
    /// The images that ask for it, the lowest first.
    pub asked_by: Vec<String>,
    /// Who fills it.
    pub filled: Filled,
}

impl Row {
    /// Whether it has a value.
    pub fn is_filled(&self) -> bool {
        !matches!(self.filled, Filled::Missing | Filled::Unfit)
    }

    /// Missing ones first, then by name.
    fn order(&self, other: &Row) -> Ordering {
        let key = |row: &Row| (row.is_filled(), row.name.clone());
        key(self).cmp(&key(other))
    }
}

/// An image that contradicts one that it stands on, of which only a label tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// The variable.
    pub name: String,
    /// The image above.
    pub above: String,
    /// The image below.
    pub below: String,
    /// About what.
    pub disagreement: Disagreement,
}

/// A value of the caller's environment; `None` where it is not set, or to nothing.
pub type Value<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What images need together, each given as a chain: itself, the image that it stands on, and so on. A variable has
/// several rows where the images say different things of it, or others fill it.
pub fn rows(chains: &[Vec<Link>], value: Value<'_>) -> Result<Vec<Row>, Vec<Contradiction>> {
    let (mut rows, mut wrong) = (Vec::<Row>::new(), Vec::new());
    for chain in chains {
        for row in of_chain(chain, value, &mut wrong) {
            let same = |known: &&mut Row| {
                let alike = known.requirement.asks_the_same(&row.requirement);
                alike && (&known.name, &known.filled) == (&row.name, &row.filled)
            };
            match rows.iter_mut().find(same) {
                Some(known) => known.asked_by.extend(unknown(&known.asked_by, row.asked_by)),
                None => rows.push(row),
            }
        }
    }
    rows.sort_by(Row::order);
    if wrong.is_empty() { Ok(rows) } else { Err(wrong) }
}

fn unknown(known: &[String], more: Vec<String>) -> Vec<String> {
    more.into_iter().filter(|name| !known.contains(name)).collect()
}

fn of_chain(chain: &[Link], value: Value<'_>, wrong: &mut Vec<Contradiction>) -> Vec<Row> {
    let mut asked: BTreeMap<&str, (Requirement, Vec<String>)> = BTreeMap::new();
    for link in chain.iter().rev() {
        for (name, above) in &link.requires {
            let (requirement, asked_by) = asked.entry(name).or_default();
            let (merged, disagreements) = requirement.under(above);
            *requirement = merged;
            wrong.extend(disagreements.into_iter().map(|disagreement| {
                let below = asked_by.last().cloned().unwrap_or_default();
                Contradiction { name: name.clone(), above: link.name.clone(), below, disagreement }
            }));
            asked_by.push(link.name.clone());
        }
    }
    let row = |(name, (requirement, asked_by)): (&str, (Requirement, Vec<String>))| {
        let filled = filled(name, &requirement, chain, value);
        Row { name: name.to_owned(), requirement, asked_by, filled }
    };
    asked.into_iter().map(row).collect()
}

/// An image's `env` counts before the caller's: it holds wherever a container of the image runs.
fn filled(name: &str, requirement: &Requirement, chain: &[Link], value: Value<'_>) -> Filled {
    if let Some(image) = chain.iter().find(|link| link.sets.contains(name)) {
        return Filled::Image(image.name.clone());
    }
    match value(name) {
        Some(value) if requirement.fits(&value) => Filled::Environment,
        Some(_) => Filled::Unfit,
        None if requirement.default.is_some() => Filled::Default,
        None => Filled::Missing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(name: &str, requires: &str, sets: &[&str]) -> Link {
        Link {
            name: name.to_owned(),
            requires: serde_json::from_str(requires).unwrap(),
            sets: sets.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    fn shown(chains: &[Vec<Link>], environment: &[(&str, &str)]) -> Vec<String> {
        let value =
            |name: &str| environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let rows = rows(chains, &value).unwrap();
        rows.iter().map(|row| format!("{} {:?} {}", row.name, row.filled, row.asked_by.join(","))).collect()
    }

    #[test]
    fn each_variable_has_one_row_with_all_who_ask_and_missing_ones_come_first() {
        let chain = vec![
            link("kit", r#"{"MSSQL": {"doc": "host"}, "REALM": {"doc": "realm of the source"}}"#, &[]),
            link(
                "platform",
                r#"{"REALM": {"doc": "realm", "pattern": "[A-Z]+"}, "CACHE": {"doc": "tickets"}}"#,
                &["CACHE"],
            ),
            link("base", r#"{"LANG": {"doc": "language", "default": "C"}}"#, &["PATH"]),
        ];
        assert_eq!(
            shown(std::slice::from_ref(&chain), &[("REALM", "CORP"), ("PATH", "x")]),
            [
                "MSSQL Missing kit",
                "CACHE Image(\"platform\") platform",
                "LANG Default base",
                "REALM Environment platform,kit",
            ]
        );
        assert_eq!(shown(&[chain], &[("REALM", "corp"), ("LANG", "de")])[1], "REALM Unfit platform,kit");
    }

    #[test]
    fn images_that_ask_alike_share_a_row_and_others_have_their_own() {
        let below = link("base", r#"{"A": {"doc": "a"}}"#, &[]);
        let chains = [
            vec![link("x", "{}", &[]), below.clone()],
            vec![link("y", r#"{"A": {"doc": "said otherwise"}}"#, &[]), below.clone()],
            vec![link("z", "{}", &["A"]), below],
            vec![link("w", r#"{"A": {"doc": "a", "pattern": "x"}}"#, &[])],
        ];
        assert_eq!(shown(&chains, &[]), ["A Missing base,y", "A Missing w", "A Image(\"z\") base"]);
    }

    #[test]
    fn what_contradicts_a_label_names_both_images() {
        let chain = [
            link("kit", r#"{"A": {"doc": "a", "secret": true}}"#, &[]),
            link("published", r#"{"A": {"doc": "a", "secret": false}}"#, &[]),
        ];
        let wrong = rows(&[chain.to_vec()], &|_| None).unwrap_err();
        assert_eq!((wrong.len(), &*wrong[0].above, &*wrong[0].below), (1, "kit", "published"));
    }
}
