//! What an edit rebuilds, and what is told of it: no more than must be, and no less than the truth.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use flate2::bufread::GzDecoder;
use layerbuild::digest::Digest;

use crate::explained::dry_run;
use crate::reproducible::reference;
use crate::sample::{ALL, APP, EDITED, Layout, Sample, built, noise, original, root_file_system, set_mtime, tree};

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
