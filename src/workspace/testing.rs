//! A workspace in a temporary folder, with two rules as real ones look.

use camino::{Utf8Path, Utf8PathBuf};

use super::load::Options;
use super::model::Workspace;
use super::schema::{Attribute, Purpose, RuleSchema, Type, optional, required};
use super::together::open;
use crate::label::PackagePath;
use crate::pattern::TargetPattern;

const DIRECTORY: &[Attribute] = &[optional("mode", Type::String, "octal"), optional("owner", Type::String, "uid:gid")];
const FILES: RuleSchema = RuleSchema {
    name: "files",
    purpose: Purpose::Layer,
    doc: "",
    example: "",
    attributes: &[
        optional("srcs", Type::List(&Type::String), "globs"),
        required("dest", Type::String, "where to"),
        optional("mode", Type::Either(&[Type::String, Type::Map(&Type::String)]), "one, or one a glob"),
        optional("dirs", Type::Map(&Type::Table(DIRECTORY)), "made empty"),
        optional("level", Type::Integer, "a number"),
        optional("strict", Type::Boolean, "a choice"),
        optional("format", Type::Enum(&["gzip", "zstd"]), "a word"),
    ],
};
const IMAGE: RuleSchema = RuleSchema {
    name: "image",
    purpose: Purpose::Image,
    doc: "",
    example: "",
    attributes: &[
        optional("base", Type::Label(&[Purpose::Image]), "what it stands on"),
        optional("layers", Type::List(&Type::Label(&[Purpose::Layer])), "what it adds"),
        optional("env", Type::Map(&Type::String), "variables"),
        optional("writes", Type::List(&Type::Aside(&[Purpose::Image])), "where its data goes to"),
    ],
};
/// The rules.
pub static SCHEMAS: [&RuleSchema; 2] = [&FILES, &IMAGE];

/// The smallest root file.
pub const ROOT: (&str, &str) = ("layers.toml", "[workspace]\nname = \"x\"\n");

/// Files in a temporary folder, gone with the value.
pub struct Tree {
    _folder: tempfile::TempDir,
    /// The workspace's root.
    pub root: Utf8PathBuf,
}

impl Tree {
    /// Writes the files, folders included.
    pub fn new(files: &[(&str, &str)]) -> Tree {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap().to_owned();
        for (path, text) in files {
            std::fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            std::fs::write(root.join(path), text).unwrap();
        }
        Tree { _folder: folder, root }
    }

    /// The workspace, and the diagnostics rendered.
    pub fn load(&self, patterns: &[&str]) -> (Workspace, Vec<String>) {
        self.load_with(&PackagePath::default(), patterns, None)
    }

    /// [`Tree::load`] with patterns relative to `here`, under a profile.
    pub fn load_with(&self, here: &PackagePath, patterns: &[&str], profile: Option<&str>) -> (Workspace, Vec<String>) {
        let patterns = TargetPattern::parse_all(patterns, here).unwrap();
        self.read(&patterns, Options { profile, ..Options::default() })
    }

    /// [`Tree::load`] with options; the rules are always those of this file.
    pub fn load_as(&self, patterns: &[&str], options: Options<'_>) -> (Workspace, Vec<String>) {
        self.read(&TargetPattern::parse_all(patterns, &PackagePath::default()).unwrap(), options)
    }

    fn read(&self, patterns: &[TargetPattern], options: Options<'_>) -> (Workspace, Vec<String>) {
        let options = Options { schemas: &SCHEMAS, ..options };
        let (workspace, problems) = open(&self.root, options).load(patterns);
        let shown = problems.iter().map(|problem| problem.render(&workspace.sources, false)).collect();
        (workspace, shown)
    }
}

/// The rendered diagnostics of one package file `p/layers.toml`.
pub fn mistakes(text: &str) -> Vec<String> {
    Tree::new(&[ROOT, ("p/layers.toml", text)]).load(&["//..."]).1
}

/// That each of the parts stands in its diagnostic, and that there is no further diagnostic.
pub fn expect(shown: &[String], expected: &[&[&str]]) {
    assert_eq!(shown.len(), expected.len(), "{}", shown.join("\n"));
    for (shown, parts) in shown.iter().zip(expected) {
        for part in *parts {
            assert!(shown.contains(part), "expected `{part}` in\n{shown}");
        }
    }
}
