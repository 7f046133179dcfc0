//! A workspace in a temporary folder, with two rules as real ones look.

use camino::{Utf8Path, Utf8PathBuf};

use crate::label::PackagePath;
use crate::pattern::TargetPattern;
use crate::workspace::schema::{Purpose, RuleSchema, Type, optional, required};
use crate::workspace::{self, Options, Workspace};

const FILES: RuleSchema = RuleSchema {
    name: "files",
    purpose: Purpose::Layer,
    doc: "",
    example: "",
    attributes: &[required("dest", Type::String, "where to")],
};
const IMAGE: RuleSchema = RuleSchema {
    name: "image",
    purpose: Purpose::Image,
    doc: "",
    example: "",
    attributes: &[
        optional("base", Type::Label(&[Purpose::Image]), "what it stands on"),
        optional("layers", Type::List(&Type::Label(&[Purpose::Layer])), "what it adds"),
    ],
};
static SCHEMAS: [&RuleSchema; 2] = [&FILES, &IMAGE];

pub struct Tree {
    _folder: tempfile::TempDir,
    root: Utf8PathBuf,
}

impl Tree {
    pub fn new(files: &[(&str, &str)]) -> Tree {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap().to_owned();
        for (path, text) in files {
            std::fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            std::fs::write(root.join(path), text).unwrap();
        }
        Tree { _folder: folder, root }
    }

    /// The workspace, and the load's diagnostics rendered.
    pub fn load(&self, patterns: &[&str]) -> (Workspace, Vec<String>) {
        self.load_from(&PackagePath::default(), patterns)
    }

    fn load_from(&self, here: &PackagePath, patterns: &[&str]) -> (Workspace, Vec<String>) {
        let options = Options { schemas: &SCHEMAS, ..Options::default() };
        let patterns = TargetPattern::parse_all(patterns, here).unwrap();
        let (workspace, problems) = workspace::open(&self.root, options).load(&patterns);
        let shown = problems.iter().map(|problem| problem.render(&workspace.sources, false)).collect();
        (workspace, shown)
    }

    /// All diagnostics of load and graph, rendered.
    pub fn problems(&self, patterns: &[&str]) -> Vec<String> {
        let (workspace, mut shown) = self.load(patterns);
        let (_, problems) = super::build(&workspace);
        shown.extend(problems.iter().map(|problem| problem.render(&workspace.sources, false)));
        shown
    }

    /// The labels, then the warnings, or else the errors, that patterns come to.
    pub fn select(&self, here: &str, patterns: &[&str]) -> Vec<String> {
        let here = PackagePath::new(here).unwrap();
        let (workspace, problems) = self.load_from(&here, patterns);
        assert_eq!(problems, Vec::<String>::new());
        let (graph, _) = super::build(&workspace);
        match graph.select(&TargetPattern::parse_all(patterns, &here).unwrap()) {
            Ok(selection) => {
                let labels = selection.targets.iter().map(|id| graph.target(*id).label.to_string());
                labels.chain(selection.warnings.iter().map(|warning| format!("warning: {}", warning.message))).collect()
            }
            Err(errors) => {
                let line = |parts: Vec<String>| parts.join("; ");
                errors
                    .iter()
                    .map(|error| error.diagnostic())
                    .map(|d| line([vec![d.message], d.help].concat()))
                    .collect()
            }
        }
    }
}
