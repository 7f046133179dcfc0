//! What rules of a workspace make is what it would be if it were written out: printed and loaded again, it is the same
//! graph with the same keys, whatever texts, numbers, lists and maps the calls hold.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use layerbuild::cargo::toolchain::Toolchains;
use layerbuild::digest::Digest;
use layerbuild::graph;
use layerbuild::label::{Label, PackagePath};
use layerbuild::observed::Observed;
use layerbuild::pattern::TargetPattern;
use layerbuild::plan::lower::{Identify, World, Worlds, lower};
use layerbuild::plan::source_key::source_keys;
use layerbuild::rules::place::Place;
use layerbuild::rules::{self, Defaults, Source};
use layerbuild::workspace::globs::SourceTree;
use layerbuild::workspace::lock_file::{LockFile, LockedImage, LockedPlatform};
use layerbuild::workspace::{self, Home, Options, Workspace, print};
use proptest::prelude::*;
use toml::{Table, Value};

const ROOT: &str = "[workspace]\nname = \"x\"\n[vars]\nv = \"of ${attr.text} and ${part.bin}\"\n";

/// Every form of placeholder, in every place that can hold one, and a rule that makes targets of another.
const RULES: &str = r#"
[rule.kit.attributes]
text   = { required = true }
more   = {}
number = { type = "integer", default = 7 }
flag   = { type = "boolean", default = false }
base   = { type = "label" }
layers = { type = "list", of = "label", default = [] }
words  = { type = "list" }
map    = { type = "map", default = { "a b" = "c" } }

[rule.kit.target.image]
base       = "${attr.base}"
layers     = ["${part.bin}", "${part.flagged}", "${attr.layers...}"]
entrypoint = ["/run", "${attr.text}", "--more=${attr.more}", "${attr.words...}", "$${attr.text}", "$${vars.v} ${vars.v}"]
cmd        = "${attr.words}"
labels     = { "${attr.text} ${attr.number}" = "${attr.more}", "..." = "${attr.map}", text = "<${attr.text}>" }

[rule.kit.parts.files.bin]
srcs    = ["file-${attr.number}"]
dest    = "/opt"
content = { "/etc/${attr.name}" = "${attr.text}|${attr.flag}|${attr.number}|${attr.more}|", "/etc/text" = "${attr.text}" }

[rule.kit.parts.files.flagged]
when    = "${attr.flag}"
content = { "/etc/flag" = "${text.flag}" }

[rule.two.attributes]
text = { required = true }
map  = { type = "map" }

[rule.two.target.kit]
text = "${attr.text}${attr.text}"
base = "${part.low}"
map  = { "..." = "${attr.map}", own = "${attr.text}" }

[rule.two.parts.kit.low]
text = "${attr.text}"
map  = "${attr.map}"
"#;

/// Texts that would break out of a string, or be taken for something, if they were pasted.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\"".to_owned()),
        Just("\\".to_owned()),
        Just("\n".to_owned()),
        Just("'''".to_owned()),
        Just("]".to_owned()),
        Just("${attr.text}".to_owned()),
        Just("${attr.layers...}".to_owned()),
        Just("${part.bin}".to_owned()),
        Just("$".to_owned()),
        Just("$$".to_owned()),
        Just("{".to_owned()),
        Just("$${vars.v}".to_owned()),
        Just("${vars.v}".to_owned()),
        Just("${HOME}".to_owned()),
        Just("\u{7f}\t".to_owned()),
        Just("é\u{1f980}".to_owned()),
        "[a-z #=]{1,5}",
    ];
    proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn list(texts: Vec<String>) -> Value {
    Value::Array(texts.into_iter().map(Value::String).collect())
}

fn map(texts: Vec<(String, String)>) -> Value {
    Value::Table(texts.into_iter().map(|(key, text)| (key, Value::String(text))).collect())
}

/// One call of the rule `kit`; `None` leaves the attribute out.
fn kit() -> impl Strategy<Value = (&'static str, Table)> {
    use proptest::collection::vec;
    use proptest::option::of;
    let attributes = (
        text(),
        of(text()),
        of(0..3_i64),
        of(any::<bool>()),
        of(vec(text(), 0..3)),
        of(vec((text(), text()), 0..3)),
        of(Just(())),
    );
    attributes.prop_map(|(text, more, number, flag, words, texts, layers)| {
        let written = [
            ("text", Some(Value::String(text))),
            ("more", more.map(Value::String)),
            ("number", Some(Value::Integer(number.unwrap_or(7)))),
            ("flag", flag.map(Value::Boolean)),
            ("words", words.map(list)),
            ("map", texts.map(map)),
            ("layers", layers.map(|()| list(vec![":plain".to_owned()]))),
            ("base", layers.map(|()| Value::String("//q:under".to_owned()))),
        ];
        ("kit", written.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect())
    })
}

fn two() -> impl Strategy<Value = (&'static str, Table)> {
    let attributes = (text(), proptest::option::of(proptest::collection::vec((text(), text()), 0..3)));
    attributes.prop_map(|(text, texts)| {
        let written = [("text", Some(Value::String(text))), ("map", texts.map(map))];
        ("two", written.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect())
    })
}

struct Scene {
    _folder: tempfile::TempDir,
    root: Utf8PathBuf,
}

impl Scene {
    fn new(files: &[(&str, &str)]) -> Scene {
        let folder = tempfile::tempdir().expect("a folder");
        let root = Utf8Path::from_path(folder.path()).expect("UTF-8").to_owned();
        let sources = ["p/file-0", "p/file-1", "p/file-2", "p/file-7"].map(|path| (path, "x"));
        for (path, text) in files.iter().chain(&sources) {
            fs::create_dir_all(root.join(path).parent().expect("a folder")).expect("a folder");
            fs::write(root.join(path), text).expect("a file");
        }
        Scene { _folder: folder, root }
    }

    fn load(&self) -> Workspace {
        self.load_in("")
    }

    /// The workspace in a folder.
    fn load_in(&self, folder: &str) -> Workspace {
        let schemas = rules::schemas();
        let opened = workspace::open(&self.root.join(folder), Options { schemas: &schemas, ..Options::default() });
        let all = TargetPattern::parse_all(&["//..."], &PackagePath::default()).expect("a pattern");
        let (workspace, mistakes) = opened.load(&all);
        let shown: String = mistakes.iter().map(|mistake| mistake.render(&workspace.sources, false)).collect();
        assert_eq!(shown, "", "{}", fs::read_to_string(self.root.join("p/layers.toml")).unwrap_or_default());
        workspace
    }
}

struct Files;

impl Identify for Files {
    fn identify(&self, paths: &[Utf8PathBuf]) -> Vec<Result<Source, String>> {
        let digest = |path: &Utf8PathBuf| Digest::of(path.as_str().as_bytes());
        let file = |path| Ok(Source::File { digest: digest(path), size: 1, executable: false, stamp: None });
        paths.iter().map(file).collect()
    }
}

fn defaults(home: Home<'_>) -> Defaults {
    Defaults {
        place: home.name.map_or_else(Place::default, |name| Place::beside(name, home.folder)),
        compression: Default::default(),
        platform: home.settings.platform.clone(),
        registry: "r.example".to_owned(),
        tag: "latest".to_owned(),
        profile: None,
        externals: home.settings.externals.clone(),
        build_base: None,
        epoch: 0,
    }
}

/// What a workspace comes to: each target's dependencies and source key, by label.
fn meaning(workspace: &Workspace) -> BTreeMap<String, String> {
    let (graph, mistakes) = graph::build(workspace);
    let shown: String = mistakes.iter().map(|mistake| mistake.render(&workspace.sources, false)).collect();
    assert_eq!(shown, "");
    let observed = Observed::default();
    let toolchains = Toolchains::new(Vec::new());
    let homes = std::iter::once(None).chain((0..workspace.beside.len()).map(Some)).map(|at| workspace.home_at(at));
    let scenes: Vec<_> =
        homes.map(|home| (defaults(home), SourceTree::new(home.root, Vec::new(), &observed))).collect();
    let (files, built, toolchains, observed) = (&Files, None, &toolchains, &observed);
    let world = |(defaults, tree)| World { defaults, tree, files, built, toolchains, observed };
    let mut worlds = scenes.iter().map(|(defaults, tree)| world((defaults, tree)));
    let worlds = Worlds { own: worlds.next().expect("the workspace itself"), beside: worlds.collect() };
    let ids: Vec<_> = graph.ids().collect();
    let lowered = lower(&graph, &ids, &worlds).map_err(|mistakes| {
        mistakes.iter().map(|mistake| mistake.render(&workspace.sources, false)).collect::<String>()
    });
    let lowered = lowered.unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let keys = source_keys(&lowered.graph);
    let told = ids.into_iter().map(|id| {
        let key = lowered.action(id).and_then(|action| keys[action.index()]).expect("a key");
        let deps = graph.deps(id).map(|it| format!("{} {}", it.attribute, graph.target(it.target).label));
        let deps = deps.collect::<Vec<_>>().join(", ");
        (graph.target(id).label.to_string(), format!("{} {key}: {deps}", graph.target(id).rule.name))
    });
    told.collect()
}

/// A package with these calls, and a target that they may name.
fn package(calls: &[(&str, Table)]) -> String {
    let mut package = "[files.plain]\ncontent = { \"/plain\" = \"\" }\n".to_owned();
    for (at, (rule, table)) in calls.iter().enumerate() {
        let named = Table::from_iter([(format!("c{at}"), Value::Table(table.clone()))]);
        let _ = writeln!(package, "{}", Table::from_iter([((*rule).to_owned(), Value::Table(named))]));
    }
    package
}

const UNDER: (&str, &str) = ("q/layers.toml", "[image.under]\n");

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn what_rules_make_is_what_is_printed_of_it(calls in proptest::collection::vec(prop_oneof![kit(), two()], 1..5)) {
        let package = package(&calls);
        let ruled = Scene::new(&[("layers.toml", ROOT), ("rules/kit.toml", RULES), ("p/layers.toml", &package), UNDER]);
        let ruled = ruled.load();
        let made = ruled.packages.iter().flat_map(|package| &package.targets).filter(|it| it.origin.is_some()).count();
        prop_assert!(made >= 2 * calls.len());

        let printed: String = ruled.packages[1].targets.iter().map(print::target).collect();
        let written = Scene::new(&[("layers.toml", ROOT), ("p/layers.toml", &printed), UNDER]);
        prop_assert_eq!(meaning(&ruled), meaning(&written.load()), "{}", printed);
    }

    #[test]
    fn workspaces_that_stand_on_others_are_what_is_printed_of_them(
        above in proptest::collection::vec(prop_oneof![kit(), two()], 1..3),
        below in proptest::collection::vec(prop_oneof![kit(), two()], 1..3),
    ) {
        let (above, below) = (package(&above), package(&below));
        let stands = "[image.low]\nbase = \"@low//p:c0\"\nlayers = [\"@low//p:plain\"]\n[image.far]\nbase = \"@far//x\"\n";
        let externals = "[external.low]\npath = \"../low\"\n[external.far]\nregistry = \"r.example/far\"\ntag = \"0.1.0\"\n";
        let (root, above) = (format!("{ROOT}{externals}"), format!("{above}{stands}"));
        let ruled = Beside { root: &root, rules: Some(RULES), above: &above, below: &below }.scene();
        let ruled = ruled.load_in("up");

        let texts = |external: Option<&str>| -> String {
            let packages = ruled.packages.iter().filter(|it| it.path.external() == external && it.path.as_str() == "p");
            packages.flat_map(|package| &package.targets).map(print::target).collect()
        };
        let externals = ruled.settings.externals.iter().map(|(name, external)| print::external(name, external));
        let (root, above, below) = (format!("{ROOT}{}", externals.collect::<String>()), texts(None), texts(Some("low")));
        let written = Beside { root: &root, rules: None, above: &above, below: &below }.scene();
        prop_assert_eq!(meaning(&ruled), meaning(&written.load_in("up")), "{}\n{}\n{}", root, above, below);
    }
}

/// A workspace that stands on another that is built with it, and on one that is taken as published.
struct Beside<'a> {
    root: &'a str,
    rules: Option<&'a str>,
    above: &'a str,
    below: &'a str,
}

impl Beside<'_> {
    fn scene(&self) -> Scene {
        let lock = locked("@far//x");
        let mut files = vec![
            ("up/layers.toml", self.root),
            ("up/layers.lock", &*lock),
            ("up/p/layers.toml", self.above),
            ("up/q/layers.toml", UNDER.1),
            ("low/layers.toml", ROOT),
            ("low/p/layers.toml", self.below),
            ("low/q/layers.toml", UNDER.1),
        ];
        let rules = self.rules.unwrap_or_default();
        files.extend(["up/rules/kit.toml", "low/rules/kit.toml"].map(|path| (path, rules)));
        let sources = ["file-0", "file-1", "file-2", "file-7"];
        let sources: Vec<String> =
            sources.iter().flat_map(|name| [format!("up/p/{name}"), format!("low/p/{name}")]).collect();
        files.extend(sources.iter().map(|path| (&**path, "x")));
        Scene::new(&files)
    }
}

/// A lock file with one image of another workspace.
fn locked(label: &str) -> String {
    let (digest, mut file) = (Digest::of(b"locked"), LockFile::default());
    let outline = Vec::new();
    let platform = LockedPlatform { manifest: digest, config: digest, listing: digest, outline };
    let platforms = BTreeMap::from([("linux/amd64".parse().expect("a platform"), platform)]);
    let label = Label::parse(label, &PackagePath::default()).expect("a label");
    file.pulls.insert(label, LockedImage { image: "x/x:0.1.0".to_owned(), digest, platforms });
    file.to_text()
}
