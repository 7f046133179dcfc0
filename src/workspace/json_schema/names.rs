//! Names as regular expressions: what `label` and `declare` parse by hand, said once more for programs that can't call
//! them. The tests hold the two together.

use serde_json::{Value, json};

/// A text in which something is still to be filled in: what it will say is not known here.
pub const OPEN: &str = r"\$\{";

macro_rules! name {
    () => {
        "[A-Za-z0-9][A-Za-z0-9._-]*"
    };
}

/// `//pkg/path:name`, `//pkg`, `//:name`, each with a workspace before it or without; `@workspace`; `:name`, `name`.
const LABEL: &str = concat!(
    "^((@",
    name!(),
    ")?//(",
    name!(),
    "(/",
    name!(),
    ")*(:",
    name!(),
    ")?|:",
    name!(),
    ")|@",
    name!(),
    "|:?",
    name!(),
    r")$|\$\{"
);
/// The same without what is relative to a package.
const WHOLE_LABEL: &str =
    concat!("^((@", name!(), ")?//(", name!(), "(/", name!(), ")*(:", name!(), ")?|:", name!(), ")|@", name!(), ")$");
const TARGET: &str = concat!("^", name!(), "$");
const REPOSITORY_PART: &str = r"^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*$";

/// A label, or a text with something in it that is filled in later.
pub fn label() -> Value {
    json!({ "type": "string", "pattern": LABEL })
}

/// What names a table by a label, wherever it stands.
pub fn whole_label() -> Value {
    json!({ "pattern": WHOLE_LABEL })
}

/// The name of a target. `published`: whether it becomes part of a repository's.
pub fn target(published: bool) -> Value {
    json!({ "pattern": if published { REPOSITORY_PART } else { TARGET } })
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::super::super::declare::is_repository_part;
    use super::*;
    use crate::label::{Label, PackagePath, is_name};

    const TEXTS: [&str; 30] = [
        "@",
        "@a",
        "@a:b",
        "@a/b",
        "@a//b/c:d",
        "@a//:b",
        "@-a//b",
        "@a//",
        "",
        ":",
        "//",
        "//a:",
        "//a b:c",
        "//a/:c",
        "///a",
        "//a:b:c",
        "-x",
        "a/b",
        "a",
        ":a",
        "//a",
        "//:a",
        "//a/b.c",
        "//a/b:c_d",
        "a..b",
        "a__b",
        "a--b",
        "a_-b",
        "A",
        "a-",
    ];

    #[test]
    fn they_take_what_the_loader_takes() {
        let regex = |text: &str| Regex::new(text).unwrap();
        for text in TEXTS {
            let label = Label::parse(text, &PackagePath::default()).is_ok();
            assert_eq!(regex(LABEL).is_match(text), label, "label {text}");
            let whole = label && text.starts_with(['/', '@']);
            assert_eq!(regex(WHOLE_LABEL).is_match(text), whole, "whole label {text}");
            assert_eq!(regex(TARGET).is_match(text), is_name(text), "name {text}");
            assert_eq!(regex(REPOSITORY_PART).is_match(text), is_repository_part(text), "part {text}");
        }
        assert!(regex(LABEL).is_match("//a:${vars.x}"));
    }
}
