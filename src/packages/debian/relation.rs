//! Relationship fields: `Depends: a (>= 1) | b:any, c` (deb-control(5), Debian Policy 7.1).
//!
//! Texts in, groups of alternatives out. Which package answers a relation is not known here.

use std::cmp::Ordering;
use std::fmt;

use super::version;

/// One alternative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relation<'t> {
    /// The package that is meant, real or virtual.
    pub name: &'t str,
    /// What stands behind its colon: `any`, `native` or an architecture; `None`: nothing.
    pub architecture: Option<&'t str>,
    /// Which versions; `None`: any.
    pub version: Option<(Operator, &'t str)>,
}

/// How a version has to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `<<`
    Earlier,
    /// `<=`, and its old spelling `<`
    EarlierOrEqual,
    /// `=`
    Exactly,
    /// `>=`, and its old spelling `>`
    LaterOrEqual,
    /// `>>`
    Later,
}

/// A field's groups; one alternative of each has to be there.
pub fn groups(field: &str) -> Vec<Vec<Relation<'_>>> {
    let group = |text| str::split(text, '|').filter_map(relation).collect::<Vec<_>>();
    field.split(',').map(group).filter(|group| !group.is_empty()).collect()
}

/// The relations of a field without alternatives: `Conflicts`, `Breaks`, `Replaces`, `Provides`.
pub fn list(field: &str) -> impl Iterator<Item = Relation<'_>> {
    field.split(',').filter_map(relation)
}

fn relation(text: &str) -> Option<Relation<'_>> {
    let (head, version) = match text.split_once('(') {
        Some((head, rest)) => (head, constraint(rest.split(')').next().unwrap_or(rest))),
        None => (text, None),
    };
    // Restrictions to architectures and build profiles don't stand in binary packages.
    let head = head.split(['[', '<']).next().unwrap_or(head).trim();
    let (name, architecture) = head.split_once(':').map_or((head, None), |(name, rest)| (name, Some(rest)));
    (!name.is_empty()).then_some(Relation { name, architecture, version })
}

fn constraint(text: &str) -> Option<(Operator, &str)> {
    let text = text.trim();
    let end = text.find(|sign| !"<>=".contains(sign))?;
    let operator = match &text[..end] {
        "<<" => Operator::Earlier,
        "<=" | "<" => Operator::EarlierOrEqual,
        ">=" | ">" => Operator::LaterOrEqual,
        ">>" => Operator::Later,
        _ => Operator::Exactly,
    };
    Some((operator, text[end..].trim()))
}

impl Relation<'_> {
    /// Whether a version is one of those that are meant.
    pub fn takes(&self, version: &str) -> bool {
        let Some((operator, wanted)) = self.version else { return true };
        let found = version::compare(version, wanted);
        match operator {
            Operator::Earlier => found == Ordering::Less,
            Operator::EarlierOrEqual => found != Ordering::Greater,
            Operator::Exactly => found == Ordering::Equal,
            Operator::LaterOrEqual => found != Ordering::Less,
            Operator::Later => found == Ordering::Greater,
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Operator::Earlier => "<<",
            Operator::EarlierOrEqual => "<=",
            Operator::Exactly => "=",
            Operator::LaterOrEqual => ">=",
            Operator::Later => ">>",
        })
    }
}

impl fmt::Display for Relation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        self.architecture.map_or(Ok(()), |architecture| write!(f, ":{architecture}"))?;
        self.version.map_or(Ok(()), |(operator, version)| write!(f, " ({operator} {version})"))
    }
}

/// A group as it is written: `a (>= 1) | b`.
pub fn shown(group: &[Relation<'_>]) -> String {
    group.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_shown_as_it_was_written() {
        let text = "libc6 (>= 2.36), debconf (>= 0.5) | debconf-2.0, python3:any, x (<< 2~), y(=1)";
        let groups = groups(text);
        let shown: Vec<String> = groups.iter().map(|group| shown(group)).collect();
        assert_eq!(shown, ["libc6 (>= 2.36)", "debconf (>= 0.5) | debconf-2.0", "python3:any", "x (<< 2~)", "y (= 1)"]);
        assert_eq!(list("a (= 1), ,b").map(|relation| relation.name).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(super::groups(""), Vec::<Vec<Relation<'_>>>::new());
    }

    #[test]
    fn each_operator_takes_its_versions() {
        let takes = |text, version| relation(text).unwrap().takes(version);
        for (text, expected) in [
            ("a (<< 2)", [true, false, false]),
            ("a (<= 2)", [true, true, false]),
            ("a (= 2)", [false, true, false]),
            ("a (>= 2)", [false, true, true]),
            ("a (>> 2)", [false, false, true]),
            ("a", [true, true, true]),
        ] {
            assert_eq!(["2~", "2", "2.0"].map(|version| takes(text, version)), expected, "{text}");
        }
    }
}
