//! `image_test`: an image, or each of an index, held against what is expected of it.

use std::collections::BTreeMap;

use super::mode::{MODE_HELP, OWNER_HELP, parse_mode, parse_owner};
use super::{Context, Rule, Target, image};
use crate::action::{Expected, ExpectedPath, ImageTestAction, Operation, PathKind};
use crate::diagnostic::Diagnostic;
use crate::layer_path::LayerPath;
use crate::workspace::MapEntry;
use crate::workspace::attributes::{Attributes, Spanned};
use crate::workspace::globs;
use crate::workspace::schema::{Attribute, Purpose, RuleSchema, Type, optional, required};

const PATH: &[Attribute] = &[
    optional("type", Type::Enum(&["file", "directory", "symlink"]), "What stands there. Default: anything."),
    optional("mode", Type::String, "Octal permission bits, such as `0755`. Default: any."),
    optional("owner", Type::String, "`uid:gid`. Default: any."),
    optional("target", Type::String, "What the symbolic link names, as it is written there. Default: not asked."),
    optional("content", Type::String, "The whole text of the file. Default: any."),
    optional("contains", Type::String, "Text that stands in the file. Default: any."),
    optional("executable", Type::Boolean, "Whether it is a file that somebody may execute. Default: not asked."),
];

/// The rule.
pub static RULE: Rule = Rule {
    schema: RuleSchema {
        name: "image_test",
        purpose: Purpose::Test,
        doc: "What must hold of an image; of an index, of each of its images. `check` runs it, and `tests` of an image \
              makes it a condition of publishing. A pass is remembered until the image or the test changes.",
        example: "[image_test.app-test]\nimage = \":app\"\nmax-size = \"40MB\"\nabsent-packages = [\"gcc*\"]\nnon-root = true\nentrypoint = true\n",
        attributes: &[
            required(
                "image",
                Type::Label(&[Purpose::Image, Purpose::Index, Purpose::Base]),
                "The image, index or `pull`.",
            ),
            optional(
                "max-size",
                Type::String,
                "The most that its layers may have as pushed, such as `40MB` or `150MiB`.",
            ),
            optional("max-unpacked-size", Type::String, "The most that the files of its layers may have together."),
            optional(
                "present-packages",
                Type::List(&Type::String),
                "Globs of names of Debian, Alpine or Python packages; each must match an installed one.",
            ),
            optional(
                "absent-packages",
                Type::List(&Type::String),
                "Globs of names of Debian, Alpine or Python packages that may not be installed.",
            ),
            optional("absent-paths", Type::List(&Type::String), "Globs of absolute paths at which nothing may stand."),
            optional("paths", Type::Map(&Type::Table(PATH)), "What must stand at absolute paths; links are followed."),
            optional("non-root", Type::Boolean, "Whether its user must be another than root. Default: `false`."),
            optional("user", Type::String, "Its user, `user` or `user:group`, by names or numbers."),
            optional(
                "entrypoint",
                Type::Boolean,
                "Whether the program that it starts must be able to: be there and executable, with its interpreter and \
                 shared libraries. Default: `false`.",
            ),
            optional(
                "programs",
                Type::List(&Type::String),
                "Other programs of which the same is asked: paths, or names that are looked for in `PATH`.",
            ),
            optional("env", Type::Map(&Type::String), "Variables that it must set, and their values."),
            optional("labels", Type::Map(&Type::String), "Labels that its config must have, and their values."),
            optional(
                "ports",
                Type::List(&Type::Either(&[Type::Integer, Type::String])),
                "Ports that it must expose: `8080` or `\"53/udp\"`.",
            ),
        ],
    },
    lower,
};

fn lower(target: &Target<'_>, context: &dyn Context) -> Result<Operation, Vec<Diagnostic>> {
    let mut errors = Vec::new();
    let expected = expected(target.attributes, &mut errors);
    if errors.is_empty() && expected == Expected::default() {
        let error =
            Diagnostic::error(format!("{} asks for nothing", target.label)).at(target.span, "would always pass");
        errors.push(error.help("say what must hold, such as `non-root = true` or `max-size = \"40MB\"`"));
    }
    let image = target.attributes.label("image").and_then(|label| {
        let found = context.action(&label.value);
        if found.is_none() {
            errors.push(Diagnostic::error(format!("{} can't be built", label.value)).at(label.span, "used here"));
        }
        found
    });
    match image {
        Some(image) if errors.is_empty() => Ok(Operation::ImageTest(Box::new(ImageTestAction { image, expected }))),
        _ => Err(errors),
    }
}

/// What is asked for, of whatever image.
pub fn asked(attributes: Attributes<'_>) -> Result<Expected, Vec<Diagnostic>> {
    let mut errors = Vec::new();
    let expected = expected(attributes, &mut errors);
    if errors.is_empty() { Ok(expected) } else { Err(errors) }
}

fn expected(attributes: Attributes<'_>, errors: &mut Vec<Diagnostic>) -> Expected {
    let owned = |key| attributes.strings(key).into_iter().map(|text| text.value.to_owned()).collect::<Vec<_>>();
    for key in ["present-packages", "absent-packages", "absent-paths"] {
        attributes.strings(key).into_iter().for_each(|text| glob(text, errors));
    }
    for text in attributes.strings("absent-paths") {
        let _ = image::absolute(text, errors);
    }
    Expected {
        max_size: attributes.text("max-size").and_then(|text| size(text, errors)),
        max_unpacked_size: attributes.text("max-unpacked-size").and_then(|text| size(text, errors)),
        present_packages: owned("present-packages"),
        absent_packages: owned("absent-packages"),
        absent_paths: owned("absent-paths"),
        paths: paths(attributes, errors),
        non_root: attributes.boolean("non-root").unwrap_or_default(),
        user: attributes.str("user").map(str::to_owned),
        entrypoint: attributes.boolean("entrypoint").unwrap_or_default(),
        programs: owned("programs"),
        env: image::env(attributes, errors).into_iter().collect(),
        labels: image::strings(attributes, "labels"),
        ports: image::ports(attributes, errors).iter().map(ToString::to_string).collect(),
    }
}

fn glob(text: Spanned<&str>, errors: &mut Vec<Diagnostic>) {
    if let Err(error) = globs::compile(text.value) {
        errors.push(Diagnostic::error(error.to_string()).at(text.span, ""));
    }
}

fn size(text: Spanned<&str>, errors: &mut Vec<Diagnostic>) -> Option<u64> {
    let found = parse_size(text.value);
    if found.is_none() {
        let error = Diagnostic::error(format!("`{}` is not a size", text.value)).at(text.span, "");
        errors
            .push(error.help("write a whole number and `B`, `kB`, `MB`, `GB`, `KiB`, `MiB` or `GiB`, such as `40MB`"));
    }
    found
}

/// Bytes; `None` for what is no size.
fn parse_size(text: &str) -> Option<u64> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit())?;
    let unit = match text[digits..].trim_start() {
        "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    text[..digits].parse::<u64>().ok()?.checked_mul(unit)
}

fn paths(attributes: Attributes<'_>, errors: &mut Vec<Diagnostic>) -> BTreeMap<LayerPath, ExpectedPath> {
    let mut paths = BTreeMap::new();
    for entry in attributes.map("paths") {
        let (Some(path), Some(table)) = (layer_path(&entry, errors), entry.table()) else { continue };
        let expected = path_expected(table, errors);
        if paths.insert(path, expected).is_some() {
            errors.push(Diagnostic::error(format!("`{}` is written twice", entry.key.value)).at(entry.key.span, ""));
        }
    }
    paths
}

fn layer_path(entry: &MapEntry<'_>, errors: &mut Vec<Diagnostic>) -> Option<LayerPath> {
    let text = image::absolute(entry.key, errors)?;
    let path = LayerPath::new(&text);
    let mistake =
        |error: crate::layer_path::LayerPathError| Diagnostic::error(error.to_string()).at(entry.key.span, "");
    path.map_err(|error| errors.push(mistake(error))).ok()
}

fn path_expected(table: Attributes<'_>, errors: &mut Vec<Diagnostic>) -> ExpectedPath {
    let kind = table.str("type").map(|word| match word {
        "file" => PathKind::File,
        "directory" => PathKind::Directory,
        _ => PathKind::Symlink,
    });
    let owned = |key| table.str(key).map(str::to_owned);
    let mut read = |key, what: &str, help: &str, good: &dyn Fn(&str) -> bool| {
        let text = table.text(key)?;
        if !good(text.value) {
            errors.push(Diagnostic::error(format!("`{}` is not {what}", text.value)).at(text.span, "").help(help));
        }
        Some(text.value)
    };
    ExpectedPath {
        kind,
        mode: read("mode", "a mode", MODE_HELP, &|text| parse_mode(text).is_some()).and_then(parse_mode),
        owner: read("owner", "an owner", OWNER_HELP, &|text| parse_owner(text).is_some()).and_then(parse_owner),
        target: owned("target"),
        content: owned("content"),
        contains: owned("contains"),
        executable: table.boolean("executable"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_whole_numbers_with_decimal_or_binary_units() {
        assert_eq!(parse_size("40MB"), Some(40_000_000));
        assert_eq!(parse_size("150 MiB"), Some(150 << 20));
        assert_eq!(parse_size("7B"), Some(7));
        for text in ["", "40", "MB", "-1MB", "1.5GB", "40mb", "40 M", "99999999999GB"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
    }
}
