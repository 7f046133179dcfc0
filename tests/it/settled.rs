//! Stats that are old enough to be trusted, and answers that are kept: still no edit goes unseen.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use crate::sample::{ALL, Ended, Sample, set_mtime, tree};

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
        ("y.toml", "[files.y]\ncontent = { \"/y\" = \"y\" }\n[kit.k]\n"),
        ("rules/kit.toml", "[rule.kit.target.files]\ncontent = { \"/k\" = \"${attr.name}\" }\n"),
    ]);
    symlink("a", sample.path("x/src/link")).expect("a link");
    fs::create_dir_all(sample.path("y")).expect("a folder");
    symlink("../y.toml", sample.path("y/layers.toml")).expect("a link");
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
fn an_answer_that_is_kept_does_not_stand_for_a_record() {
    let sample = settling();
    settle(std::slice::from_ref(&sample));
    let path = sample.folder().join("ci.json");
    sample.run(&["build", ALL, "--record", path.to_str().expect("UTF-8")]);
    assert!(path.exists());
}

#[test]
fn every_edit_of_a_workspace_whose_stats_are_trusted_is_found() {
    type Edit = (&'static str, fn(&Sample));
    let edits: [Edit; 17] = [
        ("what a linked package's file leads to", |sample| {
            sample.write("y.toml", "[files.y]\ncontent = { \"/y\" = \"Y\" }\n[kit.k]\n");
        }),
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
        ("a rule of the workspace", |sample| sample.replace("rules/kit.toml", "\"/k\"", "\"/kk\"")),
        ("a rule in another file", |sample| {
            fs::remove_file(sample.path("rules/kit.toml")).expect("removed");
            sample.write("rules/more.toml", "[rule.kit.target.files]\ncontent = { \"/more\" = \"\" }\n");
        }),
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
