//! What dry runs and `explain` tell: the truth, before and after a build.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

use layerbuild::digest::Digest;

use crate::sample::{ALL, APP, EDITED, Sample, built, original, root_file_system, tree};

/// All that the store holds but the hashes of source files: whoever reads those may keep them for the next.
fn remembered(sample: &Sample) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = tree(&sample.cache);
    found.retain(|path, _| !path.starts_with(sample.cache.join("files")));
    found
}

/// Verdict and label of each line of a dry run.
pub fn dry_run(sample: &Sample) -> Vec<String> {
    let told = sample.run(&["build", ALL, "--dry-run"]).out;
    let word = |line: &str, at| line.split_whitespace().nth(at).expect("a word").to_owned();
    told.lines().map(|line| format!("{} {}", word(line, 0), word(line, 1))).collect()
}

#[test]
fn a_dry_run_tells_what_a_build_does_and_does_nothing() {
    let sample = Sample::new();
    let cold = ["WAIT //app:app", "RUN //app:app-files", "RUN //app:config", "WAIT //base:base", "RUN //base:rootfs"];
    assert_eq!(dry_run(&sample), cold);
    assert!(tree(&sample.cache.join("blobs")).values().all(Option::is_none), "no blob");
    sample.build();
    sample.write(EDITED, "edited");
    let before = remembered(&sample);
    let told = sample.run(&["build", ALL, "--dry-run"]);
    let edited = ["WAIT //app:app", "RUN //app:app-files", "HIT //app:config", "HIT //base:base", "HIT //base:rootfs"];
    assert_eq!(dry_run(&sample), edited);
    assert!(
        told.out.contains(&format!("  file {EDITED} (entry /opt/app/lib/1/1/module-31.py) changed: ")),
        "{}",
        told.out
    );
    assert!(told.out.contains("  waits for //app:app-files\n"), "{}", told.out);
    assert!(before == remembered(&sample), "a dry run changed the store");
    let ended = sample.build();
    assert_eq!(ended.counts(), (2, 3));
    let hits = ["HIT //app:app", "HIT //app:app-files", "HIT //app:config", "HIT //base:base", "HIT //base:rootfs"];
    assert_eq!(dry_run(&sample), hits);
    for line in ended.out.lines() {
        let (label, digest) = line.split_once(' ').expect("two words");
        let told = sample.run(&["build", label, "--dry-run"]).out;
        assert!(
            told.lines().any(|line| line.starts_with(&format!("HIT  {label} ")) && line.ends_with(digest)),
            "{told}"
        );
    }
}

#[test]
fn a_dry_run_of_another_verb_writes_nothing_either() {
    let sample = built();
    sample.write(EDITED, "edited");
    let (before, to) = (remembered(&sample), sample.folder().join("layout"));
    for verb in ["export", "push"] {
        let to = ["--format", "oci", "--to", to.to_str().expect("UTF-8")];
        let arguments = [&[verb, APP, "--dry-run"][..], if verb == "export" { &to } else { &[] }].concat();
        let told = sample.run(&arguments).out;
        assert!(told.contains("WAIT //app:app image"), "{told}");
    }
    assert!(!to.exists());
    assert!(before == remembered(&sample), "a dry run changed the store");
}

/// The root file system with another shell.
fn other_root_file_system() -> Vec<u8> {
    let mut archive = root_file_system(0);
    let at = archive.windows(7).position(|bytes| bytes == b"a shell").expect("its content");
    archive[at..at + 7].copy_from_slice(b"A SHELL");
    archive
}

/// What is shown of the digest of some bytes.
fn short(bytes: &[u8]) -> String {
    Digest::of(bytes).to_string()[..19].to_owned()
}

fn explain(sample: &Sample, label: &str) -> String {
    sample.run(&["explain", label]).out
}

/// All parts stand in the text, in this order.
pub fn assert_in_order(text: &str, parts: &[&str]) {
    parts.iter().fold(text, |rest, part| {
        let (_, rest) =
            rest.split_once(part).unwrap_or_else(|| unreachable!("{part:?} is missing or misplaced in\n{text}"));
        rest
    });
}

#[test]
fn explain_names_file_old_and_new_value_and_root_cause_before_and_after_the_build() {
    let sample = built();
    assert!(explain(&sample, APP).contains("no earlier result of it is known here"));
    sample.write(EDITED, "edited");
    let (old, new) = (short(&original()), short(b"edited"));
    let change = format!("file {EDITED} (entry /opt/app/lib/1/1/module-31.py) changed: file {old}");
    let change = [change.as_str(), " → ", &format!("file {new}"), "root cause: //app:app-files\n"];
    let before = [
        "//app:app would be built",
        "MISS //app:app image\n",
        "waits for //app:app-files",
        "MISS //app:app-files files\n",
    ];
    assert_in_order(&explain(&sample, APP), &[&before[..], &change].concat());
    sample.build();
    let after = [
        "//app:app is up to date: sha256:",
        "HIT //app:app image\n",
        "//app:app-files (layer 1) changed: sha256:",
        "HIT //app:app-files files\n",
    ];
    assert_in_order(&explain(&sample, APP), &[&after[..], &change].concat());
}

#[test]
fn explain_follows_a_chain_of_images_to_the_layer_of_the_lowest() {
    let sample = built();
    sample.write("base/rootfs.tar", other_root_file_system());
    let root = [
        "//base:rootfs tar\n",
        "file base/rootfs.tar (archive) changed: sha256:",
        " → sha256:",
        "root cause: //base:rootfs\n",
    ];
    let before = [
        "would be built",
        "MISS //app:app image\n",
        "waits for //base:base",
        "MISS //base:base image\n",
        "waits for //base:rootfs",
    ];
    assert_in_order(&explain(&sample, APP), &[&before[..], &root].concat());
    assert_eq!(sample.build().counts(), (3, 2));
    let after = [
        "up to date",
        "HIT //app:app image\n",
        "//base:base (base) changed",
        "HIT //base:base image\n",
        "//base:rootfs (layer 1) changed",
    ];
    assert_in_order(&explain(&sample, APP), &[&after[..], &root].concat());
}

#[test]
fn explain_tells_what_came_what_went_and_what_an_image_itself_says() {
    let sample = built();
    fs::remove_file(sample.path(EDITED)).expect("removed");
    sample.write("app/src/lib/new.py", "new");
    let told = explain(&sample, "//app:app-files");
    assert_in_order(
        &told,
        &["file app/src/lib/new.py (entry /opt/app/lib/new.py) is new: ", &format!("file {EDITED} "), "is gone: was "],
    );
    sample.build();
    sample.replace("app/layers.toml", "user = \"50000\"", "user = \"50001\"");
    let told = explain(&sample, APP);
    assert_in_order(&told, &["user changed: \"50000\" → \"50001\"", "root cause: //app:app\n"]);
    assert!(!told.contains("//app:app-files"), "{told}");
}

#[test]
fn explain_does_not_blame_a_rebuild_that_changed_nothing() {
    let sample = built();
    sample.write("base/rootfs.tar", other_root_file_system());
    sample.build();
    // The base's layer is built once more and comes out the same: not what the image was last built for.
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&other_root_file_system()).expect("packed");
    sample.write("base/rootfs.tar", gzip.finish().expect("packed"));
    assert_eq!(sample.build().counts(), (1, 4));
    let told = explain(&sample, "//base");
    assert_in_order(
        &told,
        &["//base:rootfs (layer 1) changed", "built several times since", "root cause: //base:rootfs\n"],
    );
    assert!(!told.contains("(archive) changed"), "{told}");
}

#[test]
fn explain_of_a_result_that_is_known_from_before_tells_what_was_changed_back() {
    let sample = built();
    sample.write(EDITED, "edited");
    sample.build();
    sample.write(EDITED, original());
    let (old, new) = (short(b"edited"), short(&original()));
    let change = [
        "//app:app is up to date",
        "//app:app-files (layer 1) changed",
        &old,
        " → ",
        &new,
        "root cause: //app:app-files\n",
    ];
    assert_in_order(&explain(&sample, APP), &change);
    assert_eq!(sample.build().counts(), (0, 5));
    assert_in_order(&explain(&sample, APP), &change);
}

#[test]
fn causes_that_have_nothing_to_do_with_each_other_are_all_named_before_and_after_the_build() {
    let sample = built();
    sample.write(EDITED, "edited");
    sample.write("base/rootfs.tar", other_root_file_system());
    sample.replace("app/layers.toml", "user = \"50000\"", "user = \"50001\"");
    let roots = "3 root causes: //app:app, //base:rootfs, //app:app-files\n";
    let own = "    user changed: \"50000\" → \"50001\"\n";
    let before = [
        own,
        "    waits for //base:base, //app:app-files\n",
        "MISS //base:rootfs tar\n",
        "MISS //app:app-files files\n",
        roots,
    ];
    let told = explain(&sample, APP);
    assert_in_order(&told, &before);
    assert!(!told.contains("HIT "), "{told}");
    sample.build();
    let told = explain(&sample, APP);
    assert_in_order(&told, &[own, "HIT //base:rootfs tar\n", "HIT //app:app-files files\n", roots]);
    assert!(!told.contains("MISS "), "{told}");
}

#[test]
fn an_input_that_was_rebuilt_before_is_a_hit_and_still_the_cause() {
    let sample = built();
    sample.write(EDITED, "edited");
    sample.run(&["build", "//app:app-files"]);
    let chain = [
        "//app:app would be built\n",
        "MISS //app:app image\n",
        "HIT //app:app-files files\n",
        "root cause: //app:app-files\n",
    ];
    assert_in_order(&explain(&sample, APP), &chain);
}

#[test]
fn another_layer_in_the_place_of_one_is_the_images_own_change() {
    let sample = built();
    sample.replace("app/layers.toml", "[\":app-files\", \":config\"]", "[\":config\", \":app-files\"]");
    let told = explain(&sample, APP);
    assert_in_order(&told, &["//app:config instead of //app:app-files (layer 1): ", "root cause: //app:app\n"]);
    assert!(!told.contains("HIT "), "{told}");
}

#[test]
fn several_targets_are_explained_one_after_the_other_and_as_json() {
    let sample = built();
    sample.write(EDITED, "edited");
    let told = explain(&sample, "//app/...");
    assert_in_order(
        &told,
        &["//app:app would be built\n", "\n\n//app:app-files would be built\n", "\n\n//app:config is up to date"],
    );
    let json = sample.run(&["--json", "explain", "//app/..."]).out;
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let verdicts: Vec<&str> =
        json.as_array().expect("an array").iter().filter_map(|target| target["verdict"].as_str()).collect();
    assert_eq!(verdicts, ["MISS", "MISS", "HIT"]);
    assert_eq!(json[0]["root-causes"], serde_json::json!(["//app:app-files"]));
    let change = &json[0]["steps"][1]["changes"][0];
    assert_eq!(change["origin"], format!("file {EDITED}"));
    let whole =
        |side: &str| change[side].as_str().is_some_and(|value| value.contains(&Digest::of(b"edited").to_string()));
    assert!(whole("new") && !whole("old"), "{change}");
}

#[test]
fn of_many_changes_the_first_are_shown_and_v_shows_all_in_full() {
    let sample = built();
    (0..12).for_each(|number| sample.write(&format!("app/src/new-{number:02}"), "new"));
    let told = explain(&sample, "//app:app-files");
    assert!(
        told.contains("new-09 ") && !told.contains("new-10 ") && told.contains("    and 2 more changes (-v shows all)"),
        "{told}"
    );
    let all = sample.run(&["-v", "explain", "//app:app-files"]).out;
    assert!(all.contains("new-11 ") && all.contains(&Digest::of(b"new").to_string()), "{all}");
}
