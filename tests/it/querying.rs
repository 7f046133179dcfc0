//! Queries of workspaces: kept graphs that no edit outlives, what is wrong without bearing on the answer, and what is as
//! large as it may be.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use crate::space::Space;

const PACKAGE: &str = "[files.lib]\nsrcs = [\"src/**\"]\n[image.app]\nlayers = [\":lib\"]\n";

fn space() -> Space {
    let space = Space::empty();
    space.write("layers.toml", "[workspace]\nname = \"x\"\n");
    space.write("p/layers.toml", PACKAGE);
    space.write("p/src/one", "1");
    space
}

fn answer(space: &Space, query: &str) -> String {
    let ran = space.run(["query", query]);
    assert_eq!(ran.code, 0, "{query}: {}", ran.stderr);
    ran.stdout
}

/// The files of kept graphs, by their numbers: each is replaced whole.
fn kept(space: &Space) -> Vec<u64> {
    let entries = fs::read_dir(space.cache().join("snapshots")).into_iter().flatten();
    let mut files: Vec<u64> = entries.map(|entry| entry.expect("one").metadata().expect("a stat").ino()).collect();
    files.sort_unstable();
    files
}

/// Asks until stats are old enough to be trusted.
fn settle(space: &Space, query: &str) -> String {
    for _ in 0..200 {
        let told = answer(space, query);
        if !kept(space).is_empty() {
            return told;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("no graph is ever kept");
}

#[test]
fn a_kept_graph_answers_until_something_changes() {
    let space = space();
    let all = "//p:app\n//p:lib\n//p:src/one\n";
    assert_eq!(settle(&space, "deps(//...)"), all);
    let before = kept(&space);
    assert_eq!(answer(&space, "deps(//...)"), all);
    // Another query, of a part of it.
    assert_eq!(answer(&space, "deps(//p:lib)"), "//p:lib\n//p:src/one\n");
    assert_eq!(kept(&space), before, "what was kept was not used");
    type Edit = (fn(&Space), &'static str);
    let edits: [Edit; 5] = [
        (|space| space.write("p/src/two", ""), "//p:app\n//p:lib\n//p:src/one\n//p:src/two\n"),
        (|space| space.write("p/.gitignore", "two\n"), all),
        (|space| space.write("q/layers.toml", "[files.q]\n"), "//p:app\n//p:lib\n//p:src/one\n//q:q\n"),
        (|space| fs::remove_dir_all(space.path("q")).expect("removed"), all),
        (|space| space.write("p/layers.toml", "[files.new]\nsrcs = [\"x\"]\n"), "//p:new\n//p:x\n"),
    ];
    for (index, (edit, expected)) in edits.into_iter().enumerate() {
        edit(&space);
        assert_eq!(answer(&space, "deps(//...)"), expected, "edit {index}");
        settle(&space, "deps(//...)");
    }
}

#[test]
fn what_is_wrong_without_bearing_on_the_graph_stops_no_query() {
    let space = space();
    space.write("layers.lock", "this is no lock file");
    space.write("p/layers.toml", "[image.app]\nbase = \":app\"\nlayers = [\":below\"]\n[image.below]\n");
    let ran = space.run(["query", "deps(//p:app)", "--output", "graph"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    for edge in ["\"//p:app\" -> \"//p:app\"", "\"//p:app\" -> \"//p:below\""] {
        assert!(ran.stdout.contains(edge), "{}", ran.stdout);
    }
}

#[test]
fn what_is_wrong_is_told_and_with_keep_going_the_rest_is_answered() {
    let space = space();
    space.write("q/layers.toml", "[image.bad]\nbase = \"//p:gone\"\nlayers = [\"//p:lib\"]\n");
    assert_eq!(space.run(["query", "deps(//q:bad)"]).code, 2);
    let ran = space.run(["query", "-k", "deps(//q:bad) + //nowhere:x + //p:app", "--no-source-files"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (3, "//p:app\n//p:lib\n//q:bad\n"));
    for told in ["no such target `//p:gone`", "no such package `//nowhere`"] {
        assert!(ran.stderr.contains(told), "{}", ran.stderr);
    }
}

#[test]
fn labels_gives_what_an_attribute_names_whether_it_is_needed_or_not() {
    let space = space();
    space.write(
        "p/layers.toml",
        "[files.lib]\nsrcs = [\"src/**\"]\n\
         [image.app]\nlayers = [\":lib\"]\ntests = [\":small\", \"//q:other\"]\nwrites = [\"//r:sink\"]\n\
         [image_test.small]\nimage = \":app\"\n\
         [exec.made]\ncommand = [\"x\"]\nbuild-base = \":lib\"\ninputs = { one = \":lib\", two = [\"src/*\"] }\noutputs = { \"/x\" = \"x\" }\n",
    );
    space.write("q/layers.toml", "[image_test.other]\nimage = \"//p:app\"\n");
    space.write("r/layers.toml", "[image.sink]\n");
    let answers = [
        ("labels(tests, //p:app)", "//p:small\n//q:other\n"),
        ("labels(tests, //...)", "//p:small\n//q:other\n"),
        ("labels(layers, //p:app)", "//p:lib\n"),
        ("labels(image, //q:other)", "//p:app\n"),
        ("labels(inputs, //p:made)", "//p:lib\n//p:src/one\n"),
        ("labels(nothing, //...)", ""),
        // Told for people: whether it is read depends on what else is asked.
        ("labels(writes, //p:app)", ""),
        ("labels(writes, //...)", ""),
        ("deps(//p:app)", "//p:app\n//p:lib\n//p:src/one\n"),
        ("rdeps(//p:app + //q:other, //p:small)", ""),
        ("somepath(//p:app, //q:other)", ""),
    ];
    for (query, expected) in answers {
        assert_eq!(answer(&space, query), expected, "{query}");
    }
    // The same of a graph that was kept.
    settle(&space, "deps(//...)");
    for (query, expected) in answers {
        assert_eq!(answer(&space, query), expected, "{query}");
    }
}

#[test]
fn objects_name_the_same_deps_whatever_else_is_asked() {
    let space = space();
    let deps = |query: &str, more: &[&str]| -> serde_json::Value {
        let ran = space.run([["query", query, "--output", "jsonl"].as_slice(), more].concat());
        assert_eq!(ran.code, 0, "{query}: {}", ran.stderr);
        let lines = ran.stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("an object"));
        lines.filter(|one| one["kind"] != "source file").map(|one| one["deps"].clone()).collect()
    };
    let (with, without) = (serde_json::json!([["//p:src/one"]]), serde_json::json!([[]]));
    for query in
        ["//p:lib", "deps(//p:lib)", "//p:lib + //p:src/one", "kind(files, siblings(//p:app))", "some(deps(//p:lib))"]
    {
        assert_eq!(deps(query, &[]), with, "{query}");
        assert_eq!(deps(query, &["--no-source-files"]), without, "{query}");
    }
}

#[test]
fn a_source_folder_that_cannot_be_read_is_no_empty_one() {
    use std::os::unix::ffi::OsStrExt;
    let space = space();
    let named = std::ffi::OsStr::from_bytes(b"not \xff UTF-8");
    fs::write(space.path("p/src").join(named), "").expect("a file");
    let told = ["error: cannot read `p/src`", "p/layers.toml:2:9", "not UTF-8"];
    for arguments in [
        ["query", "deps(//p:app)"].as_slice(),
        &["query", "//p:app", "--output", "json"],
        &["query", "deps(//p:app)", "--output", "svg", "--source-files"],
    ] {
        let ran = space.run(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(told.iter().all(|part| ran.stderr.contains(part)), "{arguments:?}: {}", ran.stderr);
        let ran = space.run([["-k"].as_slice(), arguments].concat());
        assert_eq!(ran.code, 3, "{arguments:?}");
        assert!(ran.stdout.contains("p:app") && told.iter().all(|part| ran.stderr.contains(part)), "{}", ran.stderr);
    }
    // What doesn't ask for files is answered.
    assert_eq!(answer(&space, "rdeps(//..., //p:lib)"), "//p:app\n//p:lib\n");
    assert_eq!(space.run(["build", "//p:app"]).code, 2);
}

#[test]
fn an_expression_of_a_megabyte_is_answered_or_refused_in_a_few_lines() {
    let space = space();
    let ask = |text: String| {
        space.write("query", text);
        space.run(["query", "--query-file", "query"])
    };
    let sum = ask(format!("{}//p:lib", "//p:app + ".repeat(100_000)));
    assert_eq!((sum.code, sum.stdout.as_str()), (0, "//p:app\n//p:lib\n"));
    let set = ask(format!("set({})", "//p:app ".repeat(125_000)));
    assert_eq!((set.code, set.stdout.as_str()), (0, "//p:app\n"));
    for wrong in [
        "(".repeat(1 << 20),
        "//p:app ".repeat(125_000),
        format!("{}'", "//p:app + ".repeat(100_000)),
        "x".repeat(1 << 20),
        format!("kind('{}', //...)", "(a|".repeat(300_000)),
        format!("let {} = //p:app in //p:app", "v".repeat(1 << 20) + "-"),
    ] {
        let ran = ask(wrong);
        assert!([2, 7].contains(&ran.code), "{}", ran.code);
        assert!(ran.stderr.len() < 2000 && ran.stderr.contains("error: "), "{}", ran.stderr.len());
    }
}
