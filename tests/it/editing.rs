//! The schemas for editors, held against files that the loader takes and refuses: with a small reading of JSON schema's
//! rules, and (on demand) with taplo, the program behind most editors' TOML.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;
use serde_json::Value;

use crate::space::{PROGRAM, Space};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What is wrong with a value: all that our schemas say is understood, and nothing else.
fn mistakes(schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let Some(schema) = schema.as_object() else { panic!("no schema at {at}: {schema}") };
    for (key, says) in schema {
        let holds = match key.as_str() {
            "$schema" | "title" | "description" => true,
            "type" => is_of(value, says.as_str().expect("a type")),
            "enum" => says.as_array().expect("words").contains(value),
            "pattern" => value.as_str().is_none_or(|text| regex(says).is_match(text)),
            "anyOf" => says.as_array().expect("schemas").iter().any(|any| judged(any, value).is_empty()),
            "required" => {
                says.as_array().expect("names").iter().all(|name| value.get(name.as_str().expect("a name")).is_some())
            }
            "items" => each(value.as_array().into_iter().flatten().enumerate(), at, found, |_| Some(says)),
            "propertyNames" => {
                value.as_object().is_none_or(|it| it.keys().all(|key| regex(&says["pattern"]).is_match(key)))
            }
            "properties" => each(value.as_object().into_iter().flatten(), at, found, |key| says.get(key)),
            "additionalProperties" => {
                let declared = |key: &str| schema.get("properties").is_some_and(|known| known.get(key).is_some());
                let others = || value.as_object().into_iter().flatten().filter(|(key, _)| !declared(key));
                match says.as_bool() {
                    Some(allowed) => allowed || others().next().is_none(),
                    None => each(others(), at, found, |_| Some(says)),
                }
            }
            other => panic!("the test does not know `{other}`"),
        };
        if !holds {
            found.push(format!("{at}: {key}"));
        }
    }
}

/// Judges what is within; what is wrong there is told there.
fn each<'a, K: std::fmt::Display>(
    within: impl Iterator<Item = (K, &'a Value)>,
    at: &str,
    found: &mut Vec<String>,
    schema: impl Fn(&str) -> Option<&'a Value>,
) -> bool {
    for (key, value) in within {
        let key = key.to_string();
        schema(&key).iter().for_each(|schema| mistakes(schema, value, &format!("{at}.{key}"), found));
    }
    true
}

fn judged(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    mistakes(schema, value, "", &mut found);
    found
}

fn is_of(value: &Value, ty: &str) -> bool {
    match ty {
        "string" => value.is_string(),
        "integer" => value.is_i64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no such type: {other}"),
    }
}

fn regex(says: &Value) -> Regex {
    Regex::new(says.as_str().expect("an expression")).expect("an expression")
}

/// The schema that layerbuild gives in a folder.
fn schema(folder: &Path, files: &str) -> Value {
    let held = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(PROGRAM);
    command.current_dir(folder).env("LAYERBUILD_CACHE_DIR", held.path()).args(["schema", "--for", files]);
    let output = command.output().expect("layerbuild runs");
    assert!(output.status.success(), "{}: {output:?}", folder.display());
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn read(path: &Path) -> Value {
    let text = fs::read_to_string(path).expect("a file");
    let table: toml::Table = text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::to_value(table).expect("JSON")
}

/// The files of one name, or of any name in a folder `rules`, below a folder.
fn files(folder: &Path, wanted: &dyn Fn(&Path) -> bool) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|entry| entry.file_type().expect("a type").is_dir());
    let here = files.into_iter().map(|entry| entry.path()).filter(|path| wanted(path));
    here.chain(folders.iter().flat_map(|folder| self::files(&folder.path(), wanted))).collect()
}

/// Workspaces of cases that the loader takes.
fn sound() -> Vec<PathBuf> {
    let cases = fs::read_dir(root().join("tests/cases")).expect("cases").map(|case| case.expect("a case").path());
    let workspaces = cases.map(|case| case.join("in")).filter(|folder| folder.join("layers.toml").is_file());
    workspaces.filter(|folder| loads(folder)).collect()
}

fn loads(folder: &Path) -> bool {
    let held = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(PROGRAM);
    command.current_dir(folder).env("LAYERBUILD_CACHE_DIR", held.path()).args(["query", "//..."]);
    command.output().expect("layerbuild runs").status.success()
}

/// Each file of sound workspaces, with its schema.
fn pairs() -> Vec<(PathBuf, Value)> {
    let named = |name: &'static str| move |path: &Path| path.ends_with(name);
    let mut pairs = Vec::new();
    let own = [root().join("layers.toml")].into_iter().chain(files(&root().join("images"), &named("layers.toml")));
    let layers = schema(root(), "layers");
    pairs.extend(own.map(|path| (path, layers.clone())));
    let of_rules = files(&root().join("rules"), &|path| path.extension().is_some_and(|extension| extension == "toml"));
    pairs.extend(of_rules.into_iter().map(|path| (path, schema(root(), "rules"))));
    for folder in sound() {
        let layers = schema(&folder, "layers");
        pairs.extend(files(&folder, &named("layers.toml")).into_iter().map(|path| (path, layers.clone())));
        let local = folder.join("layers.local.toml");
        pairs.extend(local.is_file().then(|| (local, schema(&folder, "local"))));
        let of_rules = |path: &Path| path.parent() == Some(&*folder.join("rules")) && !path.ends_with("layers.toml");
        pairs.extend(files(&folder, &of_rules).into_iter().map(|path| (path, schema(&folder, "rules"))));
    }
    assert!(pairs.len() > 30, "files went missing: {}", pairs.len());
    pairs
}

const WRONG: [(&str, &str); 13] = [
    ("[iamge.a]\n", "additionalProperties"),
    ("[image.App]\n", "propertyNames"),
    ("[image.python3.11]\n", "additionalProperties"),
    ("[image.a]\nentrypont = [\"a\"]\n", "additionalProperties"),
    ("[image.a]\nbase = \"b c\"\n", "pattern"),
    ("[image.a]\nlayers = \":b\"\n", "type"),
    ("[image.a]\nhealthcheck = { interval = \"1s\" }\n", "required"),
    ("[workspace]\nname = \"x\"\ncompression = \"gizp\"\n", "anyOf"),
    ("[profile.x]\ntga = \"1\"\n", "additionalProperties"),
    ("[profile.x.targets.\":a\"]\nbase = \":b\"\n", "propertyNames"),
    ("[profile.x.targets.\"//:a\"]\nbsae = \":b\"\n", "additionalProperties"),
    ("[profile.x.targets.\"//:a\"]\nentrypoint = 1\n", "anyOf"),
    ("[profile.x]\nlocal = \"//a/...\"\n", "type"),
];

#[test]
fn the_schemas_take_what_the_loader_takes() {
    for (path, schema) in pairs() {
        assert_eq!(judged(&schema, &read(&path)), [""; 0], "{}", path.display());
    }
}

#[test]
fn the_schema_refuses_what_the_loader_refuses() {
    let space = Space::with("");
    let schema = schema(&space.path(""), "layers");
    for (text, by) in WRONG {
        let table: toml::Table = text.parse().expect("TOML");
        let found = judged(&schema, &serde_json::to_value(table).expect("JSON"));
        assert!(found.iter().any(|found| found.ends_with(by)), "{text}: {found:?}");
    }
}

#[test]
fn a_rule_that_cannot_be_read_is_no_schema_without_it() {
    let space = Space::with("");
    space.write("rules/kit.toml", "[rule.kit.target.image]\n");
    assert!(space.layerbuild("schema").stdout.contains("\"kit\""));
    space.write("rules/kit.toml", "[rule.kit\n");
    let ran = space.layerbuild("schema");
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.contains("not all rules are known"), "{}", ran.stderr);
}

#[test]
fn a_file_is_written_once() {
    let space = Space::with("");
    assert_eq!(space.layerbuild("schema --output s.json --dry-run").stdout, "would write s.json\n");
    assert!(!space.path("s.json").exists());
    let written = || fs::metadata(space.path("s.json")).expect("a file").modified().expect("a time");
    assert_eq!(space.layerbuild("schema --output s.json").code, 0);
    let first = written();
    assert_eq!(space.layerbuild("schema --output s.json").code, 0);
    assert_eq!(written(), first);
    assert_eq!(fs::read_to_string(space.path("s.json")).expect("text"), space.layerbuild("schema").stdout);
}

/// Needs the network: taplo comes from PyPI into a folder of the test's own.
#[test]
#[ignore = "fetches taplo; run it with `cargo test --test it -- --ignored taplo`"]
fn taplo_takes_and_refuses_what_the_loader_does() {
    let held = tempfile::tempdir().expect("a folder");
    let run = |program: &str, args: &[&str]| Command::new(program).args(args).output().expect("a program that runs");
    let path = |name: &str| held.path().join(name).to_string_lossy().into_owned();
    assert!(run("python3", &["-m", "venv", &path("venv")]).status.success());
    assert!(run(&path("venv/bin/pip"), &["install", "-q", "taplo==0.9.3"]).status.success());
    let lint = |file: &str, schema: &Value| {
        fs::write(path("schema.json"), schema.to_string()).expect("a file");
        let url = format!("file://{}", path("schema.json"));
        let output = run(&path("venv/bin/taplo"), &["lint", "--no-auto-config", "--schema", &url, file]);
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for (file, schema) in pairs() {
        let (fine, said) = lint(&file.to_string_lossy(), &schema);
        assert!(fine, "{}: {said}", file.display());
    }
    let schema = schema(root(), "layers");
    for (text, _) in WRONG {
        fs::write(path("layers.toml"), text).expect("a file");
        let (fine, said) = lint(&path("layers.toml"), &schema);
        assert!(!fine && said.contains("error: "), "{text}: {said}");
    }
}

/// Needs the network, node and npm: the language server that editors run comes into a folder of the test's own.
#[test]
#[ignore = "fetches taplo's language server; run it with `cargo test --test it -- --ignored taplo`"]
fn taplos_language_server_completes_by_the_schema() {
    let held = tempfile::tempdir().expect("a folder");
    fs::write(held.path().join("package.json"), "{}").expect("a file");
    fs::write(held.path().join("editing.mjs"), include_str!("editing.mjs")).expect("a file");
    let run = |program: &str, args: &[&str], stdin: &str| {
        fs::write(held.path().join("stdin"), stdin).expect("a file");
        let stdin = fs::File::open(held.path().join("stdin")).expect("a file");
        let output = Command::new(program).args(args).current_dir(held.path()).stdin(stdin).output();
        let output = output.expect("a program that runs");
        assert!(output.status.success(), "{program}: {output:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    run("npm", &["install", "--no-audit", "--no-fund", "@taplo/lsp@0.8.0"], "");
    fs::write(held.path().join("schema.json"), schema(root(), "layers").to_string()).expect("a file");
    let folder = held.path().to_str().expect("UTF-8");
    // The cursor stands at the end of the last line, before what closes it.
    let offered = |text: &str| -> Vec<String> {
        let text = format!("#:schema file://{folder}/schema.json\n{text}");
        let last = text.lines().last().unwrap_or_default();
        let (line, column) = (text.lines().count() - 1, last.strip_suffix(['"', ']']).unwrap_or(last).len());
        let said = run("node", &["editing.mjs", folder, &line.to_string(), &column.to_string()], &text);
        said.lines().map(str::to_owned).collect()
    };
    let offers = |text: &str, wanted: &str| {
        let offered = offered(text);
        assert!(offered.iter().any(|offered| offered == wanted), "{text}: {offered:?}");
    };
    offers("[image.app]\nent", "entrypoint");
    offers("[wor]", "workspace");
    offers("[workspace]\ncompression = \"\"", "\"zstd\"");
}
