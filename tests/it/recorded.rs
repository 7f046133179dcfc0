//! Records of builds and what is compared with them, as two machines do it; what builds cost.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::embedded::Embedded;
use crate::explained::assert_in_order;
use crate::sample::{ALL, APP, Checkout, EDITED, Ended, Sample, built, items, tree};
use crate::space::Space;

/// Builds everything with a record, which is given with its path.
fn recorded(sample: &Sample) -> (PathBuf, Value) {
    let path = sample.folder().join("ci.json");
    sample.run(&["build", ALL, "--record", path.to_str().expect("UTF-8")]);
    let text = fs::read_to_string(&path).expect("a record");
    (path, serde_json::from_str(&text).expect("JSON"))
}

fn against(sample: &Sample, record: &std::path::Path, more: &[&str]) -> String {
    let record = record.to_str().expect("UTF-8");
    sample.run(&[&["explain", "--against", record], more].concat()).out
}

#[test]
fn a_record_says_of_each_action_what_it_was_made_of_and_what_it_gave() {
    let sample = Sample::new();
    let (path, record) = recorded(&sample);
    let actions = record["actions"].as_object().expect("actions");
    let names: Vec<&str> = actions.keys().map(String::as_str).collect();
    assert_eq!(names, ["//app:app", "//app:app-files", "//app:config", "//base:base", "//base:rootfs"]);
    let layer = &actions["//app:app-files"];
    let output = &layer["output"]["layer"];
    assert!(output["blob"]["size"].as_u64() > Some(1000) && output["uncompressed"].as_u64() > Some(1000), "{layer}");
    assert!(layer["microseconds"].as_u64() > Some(0), "{layer}");
    assert_eq!((&layer["kind"], &layer["result"]), (&"files".into(), &"ran".into()));
    let entry = |component: &Value| component["name"] == "entry /opt/app/lib/1/1/module-31.py";
    assert!(layer["components"].as_array().expect("components").iter().any(entry));
    assert_eq!(actions["//app:app"]["platform"], "linux/amd64");
    let text = fs::read_to_string(&path).expect("a record");
    for private in [sample.folder().to_str().expect("UTF-8"), "/opt/app/bin:$PATH", "C.UTF-8"] {
        assert!(!text.contains(private), "{private} in {text}");
    }
    // Once more: all is known, and how long it took then still is.
    let (_, again) = recorded(&sample);
    assert_eq!(again["actions"]["//app:app-files"]["result"], "hit");
    assert_eq!(again["actions"]["//app:app-files"]["key"], layer["key"]);
    assert!(again["actions"]["//app:app-files"]["microseconds"].as_u64() > Some(0), "{again}");
}

#[test]
fn of_a_build_that_failed_the_record_tells_what_did_and_what_was_not_tried() {
    let space = Space::with(
        "[files.good]\ncontent = { \"/a\" = \"a\" }\n[tar.bad]\nsrc = \"bad.tar\"\n[image.both]\nlayers = [\":good\", \":bad\"]\n",
    );
    space.write("bad.tar", "no archive");
    let ended = space.layerbuild("build -k //... --record ci.json");
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    let record: Value = serde_json::from_slice(&fs::read(space.path("ci.json")).expect("a record")).expect("JSON");
    let results: Vec<(&str, &str)> = record["actions"]
        .as_object()
        .expect("actions")
        .iter()
        .map(|(name, entry)| (name.as_str(), entry["result"].as_str().expect("a result")))
        .collect();
    assert_eq!(results, [("//:bad", "failed"), ("//:good", "ran")]);
}

#[test]
fn another_checkout_is_as_the_record_without_building_anything() {
    let first = Sample::new();
    let (path, _) = recorded(&first);
    let other = Sample::of(items(), Checkout { folder: "elsewhere", ..Checkout::default() });
    assert_eq!(against(&other, &path, &[]), format!("all 5 actions of both are as in {}\n", path.display()));
    assert_eq!(against(&other, &path, &[APP]), format!("//app:app is as in {}\n", path.display()));
    assert!(tree(&other.cache.join("blobs")).values().all(Option::is_none), "something was built");
}

#[test]
fn what_differs_from_a_record_is_followed_to_all_its_root_causes() {
    let first = Sample::new();
    let (path, _) = recorded(&first);
    let other = Sample::new();
    other.write(EDITED, "edited");
    other.replace("app/layers.toml", "user = \"50000\"", "user = \"50001\"");
    other.replace("app/layers.toml", "APP_HOME = \"/opt/app\"", "APP_HOME = \"/srv/app\"");
    for built in [false, true] {
        let told = against(&other, &path, &[APP]);
        let chain = [
            "//app:app differs from ",
            "  DIFF //app:app image\n",
            "env APP_HOME changed: a value like ",
            "user changed: \"50000\" → \"50001\"",
            "  DIFF //app:app-files files\n",
            &format!("    file {EDITED} (entry /opt/app/lib/1/1/module-31.py) changed: file sha256:"),
            "2 root causes: //app:app, //app:app-files\n",
        ];
        assert_in_order(&told, &chain);
        assert_eq!(told.contains("another, not built here"), !built, "{told}");
        assert!(!told.contains("//base") && !told.contains("//app:config"), "{told}");
        other.build();
    }
    other.replace("app/layers.toml", "[files.config]", "[files.settings]");
    other.replace("app/layers.toml", "\":config\"", "\":settings\"");
    let told = against(&other, &path, &[]);
    let all = [
        "2 of 4 actions of both differ from ",
        "root causes:\n",
        "only here: //app:settings\n",
        "only there: //app:config\n",
    ];
    assert_in_order(&told, &all);
    let told = against(&other, &path, &["//app:settings"]);
    assert!(told.contains("//app:settings is not in "), "{told}");
    let json: Value = serde_json::from_str(&against(&other, &path, &["--json"])).expect("JSON");
    let roots: Vec<&Value> = json["root-causes"].as_array().expect("roots").iter().map(|root| &root["label"]).collect();
    assert_eq!(roots, ["//app:app", "//app:app-files", "//app:settings"]);
    assert_eq!(json["only-there"], serde_json::json!(["//app:config"]));
}

#[test]
fn another_result_of_the_same_key_is_a_root_cause() {
    let sample = Sample::new();
    let (path, record) = recorded(&sample);
    let digest = record["actions"]["//base:rootfs"]["output"]["layer"]["blob"]["digest"].as_str().expect("a digest");
    let other = format!("{}{}", &digest[..40], "0".repeat(31));
    let text = fs::read_to_string(&path).expect("a record");
    fs::write(&path, text.replace(digest, &other)).expect("a record");
    let told = against(&sample, &path, &["//base"]);
    assert_in_order(
        &told,
        &[
            "DIFF //base:base image",
            "DIFF //base:rootfs tar\n",
            "the same key gave another result",
            "root cause: //base:rootfs\n",
        ],
    );
}

#[test]
fn a_record_that_is_none_is_told() {
    let sample = built();
    let refused = |text: Option<&str>| {
        let path = sample.folder().join("other.json");
        text.map_or_else(|| drop(fs::remove_file(&path)), |text| fs::write(&path, text).expect("a file"));
        let ended = Ended::of(sample.command(&["explain", "--against", path.to_str().expect("UTF-8")]));
        assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{}", ended.err);
        ended.err
    };
    assert!(refused(Some("<html>")).contains("it is no record of a build"));
    assert!(refused(Some("{\"layerbuild-record\":7}")).contains("it is a record of form 7"));
    assert!(refused(None).contains("hint: a build writes one with `--record FILE`"));
}

#[test]
fn a_record_is_published_and_compared_with_from_the_registry() {
    let (own, first) = (Space::empty(), Sample::new());
    let registry = Embedded::start(&own.cache(), &own.path("log"));
    let place = format!("{}/records/main:latest", registry.address);
    let told = first.run(&["build", ALL, "--record", &place]).err;
    assert!(told.contains(&format!("recorded {place}")), "{told}");
    let other = Sample::new();
    let explain = |more: &[&str]| Ended::of(other.command(&[&["explain", "--against"], more].concat()));
    assert_eq!(explain(&[&place]).success().out, format!("all 5 actions of both are as in {place}\n"));
    other.write(EDITED, "edited");
    assert_in_order(&explain(&[&place, APP]).success().out, &["DIFF //app:app-files", "root cause: //app:app-files\n"]);
    let gone = explain(&[&format!("{}/records/main:other", registry.address)]);
    assert!(gone.code == Some(2) && gone.err.contains("has no tag other"), "{}", gone.err);
    let image = format!("{}/app/app:1", registry.address);
    first.run(&["push", APP, "--registry", &registry.address]);
    let none = explain(&[&image]);
    assert!(none.code == Some(2) && none.err.contains("is no record of a build: an image is there"), "{}", none.err);
    let offline = explain(&[&place, "--offline"]);
    assert!(offline.code == Some(36) && offline.err.contains("offline"), "{}", offline.err);
}

#[test]
fn a_record_that_can_not_be_written_fails_the_call_and_not_the_build() {
    let sample = Sample::new();
    let path = sample.folder().join("no/such/folder/ci.json");
    let ended = Ended::of(sample.command(&["build", ALL, "--record", path.to_str().expect("UTF-8")]));
    assert_eq!((ended.code, ended.out.lines().count()), (Some(36), 5), "{}", ended.err);
    assert!(ended.err.contains("cannot write "), "{}", ended.err);
    assert_eq!(sample.build().counts(), (0, 5));
}

/// Rows of the first table of `explain --cost`, by their words.
fn rows(told: &str) -> Vec<Vec<&str>> {
    let table = told.split("\n\n").next().unwrap_or_default();
    table
        .lines()
        .skip(1)
        .map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect())
        .collect()
}

#[test]
fn costs_are_told_by_target_and_what_the_cache_saves() {
    let sample = Sample::new();
    let cold = sample.run(&["explain", "--cost"]).out;
    assert_in_order(&cold, &["the cache has 0 of 5 results", "of 5 the time is not known"]);
    sample.build();
    let told = sample.run(&["explain", "--cost"]).out;
    let rows = rows(&told);
    assert_eq!(rows.len(), 5, "{told}");
    let files = rows.iter().find(|row| row.last() == Some(&"//app:app-files")).expect("a row");
    assert_eq!(files[4..], ["HIT", "files", "//app:app-files"], "{told}");
    assert!(files[1].ends_with(" MB") && files[2].ends_with(" MB") && files[3].ends_with(" MB"), "{told}");
    assert!(files[0].ends_with('s'), "{told}");
    assert_in_order(&told, &["the cache has 5 of 5 results and saves "]);
    assert!(!told.contains("a build would take"), "{told}");
    sample.write(EDITED, "edited");
    let edited = sample.run(&["explain", "--cost", APP]).out;
    assert_in_order(&edited, &["MISS  files", "the cache has 3 of 5 results", "a build would take about "]);
    let json: Value = serde_json::from_str(&sample.run(&["--json", "explain", "--cost"]).out).expect("JSON");
    let times: Vec<u64> = json["targets"]
        .as_array()
        .expect("targets")
        .iter()
        .map(|row| row["microseconds"].as_u64().expect("a time"))
        .collect();
    assert!(times.is_sorted_by(|one, next| one >= next) && times[0] > 0, "{times:?}");
    let sum: u64 = times.iter().sum();
    let told = |name: &str| json[name].as_u64().expect("a time");
    assert!(sum - (told("saved-microseconds") + told("left-microseconds")) < 10, "{json}");
}
