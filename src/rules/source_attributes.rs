//! Which attributes name files of the package: for whoever asks what a target is made of without making it.
//!
//! What a crate holds beside its manifest only cargo's files tell, and is not told here.

use crate::workspace::attributes::{Attributes, Spanned};

/// Rule and attribute.
const NAMED: [(&str, &str); 5] =
    [("files", "srcs"), ("tar", "src"), ("cargo", "manifest"), ("run", "inputs"), ("exec", "inputs")];

/// For each attribute of a target that names files, its globs as written, by themselves where they belong together.
pub fn globs<'a>(rule: &str, attributes: Attributes<'a>) -> Vec<(&'static str, Vec<Spanned<&'a str>>)> {
    let named = NAMED.into_iter().filter(|(of, _)| *of == rule);
    named.flat_map(|(_, attribute)| of_attribute(attribute, attributes)).collect()
}

/// A table's lists each by itself; its lone strings are labels.
fn of_attribute<'a>(attribute: &'static str, attributes: Attributes<'a>) -> Vec<(&'static str, Vec<Spanned<&'a str>>)> {
    if attributes.get(attribute).is_some_and(|value| value.as_table().is_some()) {
        let lists = attributes.map(attribute).filter(|entry| entry.str().is_none());
        return lists.map(|entry| (attribute, entry.strings())).collect();
    }
    vec![(attribute, attributes.strings(attribute))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_an_attribute_of_its_rule() {
        for (rule, attribute) in NAMED {
            let schema = &crate::rules::rule(rule).unwrap().schema;
            assert!(schema.attributes.iter().any(|one| one.name == attribute), "{rule} {attribute}");
        }
    }
}
