//! The same inputs give the same digests, wherever, whenever and by whomever they are built.
//!
//! Each test changes one circumstance and compares every target's digest with one build in ordinary circumstances.

use std::fs;
use std::os::unix::fs::chown;
use std::process::Command;
use std::sync::OnceLock;

use crate::sample::{ALL, APP, Checkout, Ended, Sample, items, noise, program, program_for_all, skip, tree};
use crate::support::has;

/// stdout of `build //...` over the sample workspace: built once a test process.
pub fn reference() -> &'static str {
    static REFERENCE: OnceLock<String> = OnceLock::new();
    REFERENCE.get_or_init(|| {
        let sample = Sample::new();
        let built = sample.build();
        sample.assert_sound();
        built.out
    })
}

/// Builds everything cold; the digests must be the reference's.
fn assert_same(command: Command) {
    let ended = Ended::of(command).success();
    assert_eq!(ended.counts(), (5, 0), "it was to be built, not remembered: {}", ended.err);
    assert_eq!(ended.out, reference());
}

fn assert_same_checkout(checkout: Checkout) {
    assert_same(Sample::of(items(), checkout).command(&["build", ALL]));
}

fn assert_same_with(variables: &[(&str, &str)]) {
    let sample = Sample::new();
    let mut command = sample.command(&["build", ALL]);
    command.envs(variables.iter().copied());
    assert_same(command);
}

#[test]
fn neither_the_umask_of_the_checkout_nor_that_of_the_build_is_in_a_digest() {
    for umask in ["0077", "0000"] {
        let checkout = Checkout { umask: u32::from_str_radix(umask, 8).expect("octal"), ..Checkout::default() };
        let sample = Sample::of(items(), checkout);
        let shell = format!("umask {umask}; exec \"$@\"");
        assert_same(sample.command_of(&["sh", "-c", &shell, "sh", program()], &["build", ALL]));
    }
}

#[test]
fn the_user_who_builds_is_not_in_a_digest() {
    if !rustix::process::getuid().is_root() {
        return skip("only root can build as another user");
    }
    if !has(&["setpriv"]) {
        return;
    }
    const NOBODY: u32 = 65_534;
    let sample = Sample::new();
    let program = program_for_all(sample.folder());
    tree(sample.folder()).keys().filter(|path| !path.is_symlink()).for_each(|path| {
        chown(path, Some(NOBODY), Some(NOBODY)).expect("a new owner");
    });
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program.to_str().expect("UTF-8")];
    assert_same(sample.command_of(&nobody, &["build", ALL]));
}

#[test]
fn the_time_zone_is_not_in_a_digest() {
    assert_same_with(&[("TZ", "Pacific/Kiritimati")]);
}

#[test]
fn the_locale_is_not_in_a_digest() {
    assert_same_with(&[("LC_ALL", "tr_TR.UTF-8"), ("LANG", "tr_TR.UTF-8")]);
    assert_same_with(&[("LC_ALL", "C")]);
}

#[test]
fn variables_that_other_builders_heed_are_not_in_a_digest() {
    assert_same_with(&[("SOURCE_DATE_EPOCH", "1700000000"), ("USER", "ada"), ("HOSTNAME", "babbage")]);
}

#[test]
fn the_path_of_the_checkout_is_not_in_a_digest() {
    let folder = "a/much/longer path/to/wörk/which-is-not-what-it-was-in-any-other-test/of/this/program";
    assert_same_checkout(Checkout { folder, ..Checkout::default() });
}

#[test]
fn the_order_in_which_files_were_made_is_not_in_a_digest() {
    assert_same_checkout(Checkout { reverse: true, ..Checkout::default() });
}

#[test]
fn time_stamps_are_not_in_a_digest() {
    assert_same_checkout(Checkout { mtime: Some(86_400), ..Checkout::default() });
    assert_same_checkout(Checkout { mtime: Some(4_000_000_000), ..Checkout::default() });
}

#[test]
fn the_registry_is_not_in_a_digest() {
    assert_same(Sample::new().command(&["build", ALL, "--registry", "registry.corp.example:5000/data"]));
}

#[test]
fn the_tag_is_not_in_a_digest() {
    let sample = Sample::new();
    sample.replace("layers.toml", "tag = \"1\"", "tag = \"2024-01-31\"");
    assert_same(sample.command(&["build", ALL]));
}

#[test]
fn the_profile_is_not_in_a_digest_and_a_switch_of_profiles_builds_nothing() {
    let sample = Sample::new();
    assert_same(sample.command(&["build", ALL, "--profile", "elsewhere"]));
    assert_eq!(sample.build().counts(), (0, 5));
}

#[test]
fn the_number_of_threads_is_not_in_a_digest() {
    assert_same(Sample::new().command(&["build", ALL, "--jobs", "1"]));
    assert_same(Sample::new().command(&["build", ALL, "--jobs", "8"]));
}

#[test]
fn remembered_chunks_give_the_bytes_that_new_ones_would() {
    let edit = |sample: &Sample| sample.write("app/src/lib/1/1/module-31.py", "edited");
    let warm = Sample::new();
    warm.build();
    edit(&warm);
    let edited = warm.build();
    let cold = Sample::new();
    edit(&cold);
    assert_eq!(edited.out, cold.build().out);
    assert_ne!(edited.out, reference());
    // Back to the old content with the actions forgotten: only the chunks are known.
    warm.write("app/src/lib/1/1/module-31.py", noise("lib/1/1/module-31.py", 31 * 31 * 46));
    fs::remove_dir_all(warm.cache.join("actions")).expect("removed");
    let reverted = warm.build();
    assert_eq!((reverted.counts(), reverted.out.as_str()), ((5, 0), reference()));
    warm.assert_sound();
}

/// A CPU without the instructions that hashes and compressors like to use.
fn assert_same_on(cpu: &str) {
    if !cfg!(target_arch = "x86_64") {
        return skip("the CPU models are those of x86-64");
    }
    if has(&["qemu-x86_64"]) {
        assert_same(Sample::new().command_of(&["qemu-x86_64", "-cpu", cpu, program()], &["build", ALL]));
    }
}

#[test]
fn a_plain_cpu_gives_the_same_bytes() {
    assert_same_on("qemu64");
}

#[test]
fn a_cpu_of_2008_gives_the_same_bytes() {
    assert_same_on("Nehalem");
}

#[test]
fn every_package_built_alone_gives_what_it_gives_among_others() {
    let sample = Sample::new();
    let all = sample.run(&["build", APP]);
    let app = reference().lines().find(|line| line.starts_with("//app:app ")).expect("the image");
    assert_eq!(all.out.trim_end(), app);
    assert_eq!(sample.export(APP).digest(), all.of_label("//app:app"));
}

/// One tiny image, for ever the same. Where this test fails, the bytes that layerbuild writes have changed: every user's
/// digests change with the next release, and every layer is pushed and pulled once more. If that is meant (a newer
/// compressor, another tar header), raise the version that stands in the action's key for what changed
/// (`tar_write::FORMAT`, `chunks::FORMAT`, `Compression::identity`), say so in the release notes, and put here
/// what the failed test shows.
const GOLDEN: &str = "//golden:golden sha256:d82356b46384523eb8e78db31d0514ef5692b9a783cc2d8beb16a2406442bf53";

#[test]
fn a_known_image_has_the_digest_that_it_always_had() {
    let package = r#"
        [files.layer]
        content = { "/etc/greeting" = "hello\n" }
        links = { "/greeting" = "etc/greeting" }
        dirs = { "/var/empty" = { mode = "0700", owner = "1:2" } }
        [image.golden]
        layers = [":layer"]
        platform = "linux/amd64"
        env = { PATH = "/bin", A = "b" }
        cmd = ["/bin/cat", "/greeting"]
        labels = { z = "1", a = "2" }
    "#;
    let sample = Sample::of_texts(&[("golden/layers.toml", package)]);
    assert_eq!(sample.run(&["build", "//golden"]).out.trim_end(), GOLDEN);
    drop(sample.export("//golden"));
}
