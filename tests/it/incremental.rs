//! What an edit rebuilds, and what is told of it: no more than must be, and no less than the truth.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use flate2::bufread::GzDecoder;
use layerbuild::digest::Digest;

use crate::reproducible::reference;
use crate::sample::{ALL, APP, Ended, Item, Layout, Sample, items, noise, root_file_system, set_mtime, tree};

/// A file that shares its chunk with others.
const EDITED: &str = "app/src/lib/1/1/module-31.py";

/// What stands in it at first.
fn original() -> Vec<u8> {
    match &items()[EDITED] {
        Item::File(content, _) => content.clone(),
        Item::Link(_) => unreachable!("it is a file"),
    }
}

/// A workspace that was built.
fn built() -> Sample {
    let sample = Sample::new();
    sample.build();
    sample
}

/// The gzip members that a layer consists of.
fn members(blob: &[u8]) -> Vec<Vec<u8>> {
    let (mut members, mut rest) = (Vec::new(), blob);
    while !rest.is_empty() {
        let mut decoder = GzDecoder::new(rest);
        io::copy(&mut decoder, &mut io::sink()).expect("a sound member");
        let after = decoder.into_inner();
        members.push(rest[..rest.len() - after.len()].to_vec());
        rest = after;
    }
    members
}

/// The members of `//app:app-files` as the image has it.
fn app_members(sample: &Sample) -> Vec<Vec<u8>> {
    let layers = sample.export(APP).layers();
    assert_eq!(layers.len(), 3, "the base's, and two of its own");
    members(&layers[1])
}

/// How many members of the one layer the other lacks, and the reverse.
fn difference(before: &[Vec<u8>], after: &[Vec<u8>]) -> (usize, usize) {
    let set = |members: &[Vec<u8>]| members.iter().cloned().collect::<BTreeSet<_>>();
    let (before, after) = (set(before), set(after));
    (before.difference(&after).count(), after.difference(&before).count())
}

/// Builds before and after an edit; gives how many chunks went and came, of how many.
fn chunks_changed(edit: impl FnOnce(&Sample)) -> (usize, usize) {
    let sample = built();
    let before = app_members(&sample);
    assert!(before.len() >= 8, "{} members are too few to tell anything", before.len());
    edit(&sample);
    let ended = sample.build();
    assert_eq!(ended.counts(), (2, 3), "the layer and the image: {}", ended.err);
    let after = app_members(&sample);
    sample.assert_sound();
    difference(&before, &after)
}

#[test]
fn an_edit_of_the_same_length_makes_one_new_chunk() {
    let changed = chunks_changed(|sample| {
        let mut content = original();
        content[1000] ^= 1;
        sample.write(EDITED, content);
    });
    assert_eq!(changed, (1, 1));
}

#[test]
fn an_edit_that_makes_a_file_longer_makes_one_new_chunk() {
    assert_eq!(chunks_changed(|sample| sample.write(EDITED, [original(), noise("more", 700)].concat())), (1, 1));
}

#[test]
fn an_edit_within_a_large_file_makes_one_new_chunk() {
    let changed = chunks_changed(|sample| {
        let path = sample.path("app/src/data/large.bin");
        let mut content = fs::read(&path).expect("the file");
        let last = content.len() - 1;
        content[last] ^= 1;
        fs::write(path, content).expect("written");
    });
    assert_eq!(changed, (1, 1));
}

#[test]
fn a_new_file_makes_one_new_chunk() {
    assert_eq!(chunks_changed(|sample| sample.write("app/src/lib/1/1/module-new.py", "x = 1\n")), (1, 1));
}

#[test]
fn a_file_that_is_removed_makes_one_new_chunk() {
    let changed = chunks_changed(|sample| fs::remove_file(sample.path(EDITED)).expect("removed"));
    // Where its path ended a chunk, two became one.
    assert!(matches!(changed, (1 | 2, 1)), "{changed:?}");
}

#[test]
fn an_executable_bit_makes_one_new_chunk() {
    let executable = fs::Permissions::from_mode(0o755);
    assert_eq!(chunks_changed(|sample| fs::set_permissions(sample.path(EDITED), executable).expect("set")), (1, 1));
}

/// Builds, edits, builds: nothing may run, and the digests stay.
fn assert_builds_nothing(edit: impl FnOnce(&Sample)) {
    let sample = built();
    edit(&sample);
    let ended = sample.build();
    assert_eq!((ended.counts(), ended.out.as_str()), ((0, 5), reference()));
    sample.assert_sound();
}

#[test]
fn a_second_build_builds_nothing() {
    assert_builds_nothing(|_| {});
}

#[test]
fn touched_files_build_nothing() {
    assert_builds_nothing(|sample| {
        let now = fs::metadata(sample.path("layers.toml")).expect("a file").mtime();
        tree(&sample.root).keys().for_each(|path| set_mtime(path, now - 3600, 5));
    });
}

#[test]
fn files_written_anew_with_the_same_content_build_nothing() {
    assert_builds_nothing(|sample| {
        let path = sample.path(EDITED);
        fs::remove_file(&path).expect("removed");
        fs::write(path, original()).expect("written");
    });
}

#[test]
fn permissions_that_say_nothing_of_executing_build_nothing() {
    let private = fs::Permissions::from_mode(0o600);
    assert_builds_nothing(|sample| fs::set_permissions(sample.path(EDITED), private).expect("permissions"));
}

#[test]
fn sources_that_move_together_with_their_globs_build_nothing() {
    assert_builds_nothing(|sample| {
        fs::rename(sample.path("app/src"), sample.path("app/program")).expect("renamed");
        sample.replace("app/layers.toml", "src/**", "program/**");
    });
}

#[test]
fn comments_and_the_order_of_attributes_build_nothing() {
    assert_builds_nothing(|sample| {
        sample.replace(
            "app/layers.toml",
            "dest = \"/opt/app\"\nowner = \"50000:0\"",
            "owner = \"50000:0\" # the app's\ndest = \"/opt/app\"",
        );
        sample.replace("app/layers.toml", "labels = { b = \"2\", a = \"1\" }", "labels = { a = \"1\", b = \"2\" }");
    });
}

#[test]
fn a_layer_that_is_built_again_and_comes_out_the_same_ends_the_rebuild_there() {
    let sample = built();
    // The same members, packed at another time: the archive's digest changes, the layer's doesn't.
    sample.write("base/rootfs.tar", root_file_system(1_700_000_000));
    assert_eq!(
        dry_run(&sample),
        ["WAIT //app:app", "HIT //app:app-files", "HIT //app:config", "WAIT //base:base", "RUN //base:rootfs"]
    );
    let ended = sample.build();
    assert_eq!((ended.counts(), ended.out.as_str()), ((1, 4), reference()));
    assert!(ended.err.contains("built //base:rootfs tar"), "{}", ended.err);
    assert_eq!(sample.build().counts(), (0, 5));
}

#[test]
fn another_compression_gives_another_blob_of_the_same_content() {
    let sample = built();
    let before = sample.export(APP);
    sample.replace("app/layers.toml", "dest = \"/opt/app\"", "dest = \"/opt/app\"\ncompression = { level = 1 }");
    assert_eq!(sample.build().counts(), (2, 3));
    let after = sample.export(APP);
    assert_ne!(before.layers()[1], after.layers()[1]);
    assert_eq!(
        difference(&members(&before.layers()[1]), &members(&after.layers()[1])).0,
        members(&before.layers()[1]).len()
    );
    let diff_ids = |layout: &Layout| {
        let config = layout.manifest()["config"]["digest"].as_str().expect("a digest").to_owned();
        let config: serde_json::Value = serde_json::from_slice(&layout.blob(&config)).expect("JSON");
        config["rootfs"]["diff_ids"].clone()
    };
    assert_eq!(diff_ids(&before), diff_ids(&after));
}

#[test]
fn every_compression_gives_sound_images() {
    let choices = [
        "\"none\"",
        "{ format = \"gzip\", chunks = false }",
        "{ format = \"gzip\", level = 12 }",
        "\"zstd\"",
        "{ format = \"zstd\", level = 9, chunks = true }",
    ];
    let sample = Sample::new();
    for choice in choices {
        let package = format!(
            "[files.layer]\nsrcs = [\"src/**\", \"!src/data/large.bin\"]\ndest = \"/opt/app\"\ncompression = {choice}\n[image.app]\nbase = \"//base\"\nlayers = [\":layer\"]\n"
        );
        sample.write("app/layers.toml", package);
        sample.build();
        let layer = sample.export(APP).layers().remove(1);
        assert_eq!(sample.build().counts(), (0, 4), "{choice}");
        fs::remove_dir_all(&sample.cache).expect("removed");
        sample.build();
        assert_eq!(sample.export(APP).layers()[1], layer, "{choice}");
    }
}

/// Same size, same time stamp, other content: within the tick of the clock in which it was hashed, stat says nothing.
fn edit_in_secret(sample: &Sample) -> String {
    let path = sample.path(EDITED);
    let before = fs::metadata(&path).expect("a file");
    let mut content = original();
    content[0] ^= 1;
    fs::write(&path, &content).expect("written");
    set_mtime(&path, before.mtime(), before.mtime_nsec());
    Digest::of(&content).to_string()
}

#[test]
fn an_edit_that_changes_neither_size_nor_time_stamp_is_found() {
    for flags in [&["build", ALL][..], &["build", ALL, "--hash-content"]] {
        let sample = built();
        edit_in_secret(&sample);
        let ended = sample.run(flags);
        assert_eq!(ended.counts(), (2, 3), "{}", ended.err);
        let cold = Sample::new();
        edit_in_secret(&cold);
        assert_eq!(ended.out, cold.build().out);
    }
}

#[test]
fn many_edits_in_the_same_moment_are_all_found() {
    let sample = Sample::of_texts(&[
        ("x/layers.toml", "[files.layer]\nsrcs = [\"file\"]\n[image.x]\nlayers = [\":layer\"]\n"),
        ("x/file", "0000"),
    ]);
    let mut seen = BTreeSet::new();
    for number in 0..20 {
        // Overwritten in place, the same length: only the clock could tell.
        fs::write(sample.path("x/file"), format!("{number:04}")).expect("written");
        assert!(seen.insert(sample.run(&["build", "//x"]).out), "edit {number} was not seen");
    }
}

#[test]
fn hashing_all_content_changes_no_digest() {
    let sample = built();
    let ended = sample.run(&["build", ALL, "--hash-content"]);
    assert_eq!((ended.counts(), ended.out.as_str()), ((0, 5), reference()));
}

/// All that the store holds but the hashes of source files: whoever reads those may keep them for the next.
fn remembered(sample: &Sample) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = tree(&sample.cache);
    found.retain(|path, _| !path.starts_with(sample.cache.join("files")));
    found
}

/// Verdict and label of each line of a dry run.
fn dry_run(sample: &Sample) -> Vec<String> {
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

fn explain(sample: &Sample, label: &str) -> String {
    sample.run(&["explain", label]).out
}

/// All parts stand in the text, in this order.
fn assert_in_order(text: &str, parts: &[&str]) {
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
    let (old, new) = (Digest::of(&original()).to_string(), Digest::of(b"edited").to_string());
    let change = format!("file {EDITED} (entry /opt/app/lib/1/1/module-31.py) changed: file {old}");
    let change = [change.as_str(), " → ", &format!("file {new}"), "root cause: //app:app-files\n"];
    let before = ["//app:app would be built", "waits for //app:app-files", "//app:app-files\n"];
    assert_in_order(&explain(&sample, APP), &[&before[..], &change].concat());
    sample.build();
    let after = ["//app:app is up to date: sha256:", "//app:app-files (layer 1) changed: sha256:", "//app:app-files\n"];
    assert_in_order(&explain(&sample, APP), &[&after[..], &change].concat());
}

#[test]
fn explain_follows_a_chain_of_images_to_the_layer_of_the_lowest() {
    let sample = built();
    sample.write("base/rootfs.tar", other_root_file_system());
    let root = [
        "//base:rootfs\n",
        "file base/rootfs.tar (archive) changed: sha256:",
        " → sha256:",
        "root cause: //base:rootfs\n",
    ];
    let before = ["would be built", "//app:app\n", "waits for //base:base", "//base:base\n", "waits for //base:rootfs"];
    assert_in_order(&explain(&sample, APP), &[&before[..], &root].concat());
    assert_eq!(sample.build().counts(), (3, 2));
    let after =
        ["up to date", "//app:app\n", "//base:base (base) changed", "//base:base\n", "//base:rootfs (layer 1) changed"];
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
    let (old, new) = (Digest::of(b"edited").to_string(), Digest::of(&original()).to_string());
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

/// A small workspace with all that can change around a build.
fn settling() -> Sample {
    let package = r#"
        [files.layer]
        srcs = ["src/**"]
        [image.x]
        layers = [":layer"]
    "#;
    let sample = Sample::of_texts(&[
        ("x/layers.toml", package),
        ("x/src/a", "aaaa"),
        ("x/src/b.log", "bbbb"),
        ("x/src/sub/c", "cccc"),
        ("y/layers.toml", "[files.y]\ncontent = { \"/y\" = \"y\" }\n"),
    ]);
    symlink("a", sample.path("x/src/link")).expect("a link");
    sample
}

/// Builds until stats are old enough to be trusted, and the answer of a build with nothing to do is kept.
fn settle(samples: &[Sample]) {
    let kept = |sample: &Sample| {
        sample.build();
        tree(&sample.cache.join("snapshots")).values().any(Option::is_some)
    };
    samples.iter().for_each(|sample| assert!((0..2000).any(|_| kept(sample)), "no answer is ever kept"));
}

#[test]
fn every_edit_of_a_workspace_whose_stats_are_trusted_is_found() {
    type Edit = (&'static str, fn(&Sample));
    let edits: [Edit; 14] = [
        ("the same size and time stamp", |sample| {
            let before = fs::metadata(sample.path("x/src/a")).expect("a file");
            fs::write(sample.path("x/src/a"), "AAAA").expect("written");
            set_mtime(&sample.path("x/src/a"), before.mtime(), before.mtime_nsec());
        }),
        ("an older file in its place", |sample| {
            sample.write("x/older", "AAAA");
            set_mtime(&sample.path("x/older"), 86_400, 0);
            fs::rename(sample.path("x/older"), sample.path("x/src/a")).expect("renamed");
        }),
        ("an executable bit", |sample| {
            fs::set_permissions(sample.path("x/src/a"), fs::Permissions::from_mode(0o755)).expect("set");
        }),
        ("another link", |sample| {
            fs::remove_file(sample.path("x/src/link")).expect("removed");
            symlink("b", sample.path("x/src/link")).expect("a link");
        }),
        ("a file more", |sample| sample.write("x/src/sub/d", "")),
        ("a file in a new folder", |sample| sample.write("x/src/new/folder/d", "")),
        ("a file less", |sample| fs::remove_file(sample.path("x/src/sub/c")).expect("removed")),
        ("another name of a folder", |sample| {
            fs::rename(sample.path("x/src/sub"), sample.path("x/src/bus")).expect("renamed");
        }),
        ("an ignored file", |sample| sample.write("x/src/.gitignore", "*.log\n")),
        ("an ignored file, said at the root", |sample| sample.write(".gitignore", "*.log\n")),
        ("a package within the glob's folder", |sample| sample.write("x/src/sub/layers.toml", "")),
        ("a package more", |sample| sample.write("z/w/layers.toml", "[files.w]\ncontent = { \"/w\" = \"w\" }\n")),
        ("a target that says something else", |sample| sample.replace("y/layers.toml", "\"/y\"", "\"/yy\"")),
        ("a setting of the workspace", |sample| {
            sample.write("layers.toml", "[workspace]\nname = \"small\"\nplatform = \"linux/arm64\"\n")
        }),
    ];
    let samples: Vec<Sample> = edits.iter().map(|_| settling()).collect();
    settle(&samples);
    let mut missed = Vec::new();
    for ((what, edit), mut sample) in edits.iter().zip(samples) {
        let before = sample.build();
        edit(&sample);
        let warm = sample.build();
        sample.cache = sample.folder().join("cold");
        let cold = sample.build();
        if warm.out != cold.out || warm.out == before.out {
            missed.push(what);
        }
    }
    assert!(missed.is_empty(), "not found: {missed:#?}");
}

#[test]
fn a_blob_that_is_gone_or_cut_is_made_anew_though_the_sources_are_trusted() {
    let samples = [settling(), settling()];
    settle(&samples);
    let breaks: [fn(&Path); 2] = [
        |blob| fs::remove_file(blob).expect("removed"),
        |blob| {
            fs::set_permissions(blob, fs::Permissions::from_mode(0o644)).expect("permissions");
            fs::write(blob, "").expect("cut");
        },
    ];
    for (sample, spoil) in samples.iter().zip(breaks) {
        let before = sample.build().out;
        let hex = before.lines().next().and_then(|line| line.split_once("sha256:")).expect("a digest").1.to_owned();
        spoil(&sample.cache.join("blobs/sha256").join(&hex[..2]).join(&hex));
        let ended = Ended::of(sample.command(&["build", ALL]));
        assert_eq!((ended.code, ended.out.as_str()), (Some(0), before.as_str()), "{}", ended.err);
        assert!(ended.err.contains("warning: ") && ended.err.contains(&hex), "{}", ended.err);
        sample.assert_sound();
    }
}
