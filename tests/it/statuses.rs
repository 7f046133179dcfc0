//! `layerbuild status` against Debian's `docker-registry`: what it says of images before and after a push, an edit, a build.

use crate::space::{Ran, Space};
use crate::support::DockerRegistry;

const TARGETS: &str = r#"
[files.app-files]
srcs = ["app"]
[image.app]
layers = [":app-files"]
[image.other]
cmd = ["/other"]
[index.both]
images = [":app"]
platforms = ["linux/amd64", "linux/arm64"]
"#;

fn run(space: &Space, registry: &DockerRegistry, arguments: &[&str]) -> Ran {
    space.run([&["-q", "--registry", &registry.address], arguments].concat())
}

/// The columns BUILT, PUBLISHED's digest and STATUS of each image, by label.
fn rows(ran: &Ran) -> Vec<(String, bool, bool, String)> {
    let row = |line: &str| {
        let cells: Vec<&str> = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        (cells[0].to_owned(), cells[1] != "not built", cells[2].contains("→ sha256:"), cells[3].to_owned())
    };
    ran.stdout.lines().skip(1).map(row).collect()
}

#[test]
fn images_are_in_step_only_after_a_push_of_what_is_built() {
    let Some(registry) = DockerRegistry::start() else { return };
    let space = Space::with(TARGETS);
    space.write("app", "one");
    let status = |arguments: &[&str]| run(&space, &registry, &[&["status"], arguments].concat());
    let expect = |told: &Ran, expected: [(bool, bool, &str); 3]| {
        let labels = ["//:app", "//:both", "//:other"];
        let expected = labels.into_iter().zip(expected);
        let expected = expected.map(|(label, (built, there, step))| (label.to_owned(), built, there, step.to_owned()));
        assert_eq!(rows(told), expected.collect::<Vec<_>>(), "{told:?}");
    };
    expect(&status(&[]), [(false, false, "not built"); 3]);
    assert_eq!(run(&space, &registry, &["build", "//..."]).code, 0);
    expect(&status(&[]), [(true, false, "not published"); 3]);
    assert_eq!(run(&space, &registry, &["push", "//..."]).code, 0);
    let strict = status(&["--strict"]);
    expect(&strict, [(true, true, "in step"); 3]);
    assert_eq!((strict.code, strict.stderr.as_str()), (0, ""));

    space.write("app", "changed");
    expect(&status(&[]), [(false, true, "not built"), (false, true, "not built"), (true, true, "in step")]);
    assert_eq!(run(&space, &registry, &["build", "//:app"]).code, 0);
    let strict = status(&["--strict", "//:app"]);
    assert_eq!(rows(&strict)[0].3, "out of step");
    assert_eq!(strict.code, 3);
    assert!(strict.stderr.contains("1 of 1 images are not in step"), "{}", strict.stderr);
}

#[test]
fn for_programs_the_rows_are_json_with_whole_digests() {
    let Some(registry) = DockerRegistry::start() else { return };
    let space = Space::with(TARGETS);
    space.write("app", "one");
    assert_eq!(run(&space, &registry, &["push", "//:app"]).code, 0);
    let built = crate::space::digest(&space.run(["build", "//:app"]));
    let told: serde_json::Value =
        serde_json::from_str(&run(&space, &registry, &["--json", "status", "//:app"]).stdout).expect("JSON");
    let expected = serde_json::json!([{
        "label": "//:app", "built": built, "local": false, "locked": null, "published": built, "status": "in step", "base": null,
        "reference": format!("{}/app:latest", registry.address),
    }]);
    assert_eq!(told, expected);
}

#[test]
fn what_a_profile_takes_as_published_is_held_against_its_tag() {
    let Some(registry) = DockerRegistry::start() else { return };
    let upper = "[image.over]\nbase = \":app\"\n[profile.upper]\nfrom-registry = [\"//:app\", \"//:both\"]\n";
    let space = Space::with(&format!("{TARGETS}{upper}"));
    space.write("app", "one");
    assert_eq!(run(&space, &registry, &["push", "//:app", "//:other", "//:over"]).code, 0);
    assert_eq!(run(&space, &registry, &["--profile", "upper", "lock"]).code, 0);
    let status = |arguments: &[&str]| run(&space, &registry, &[&["--profile", "upper", "status"], arguments].concat());
    assert_eq!(run(&space, &registry, &["--profile", "upper", "build", "//..."]).code, 0);
    let told = status(&["--strict"]);
    assert_eq!((rows(&told)[0].3.as_str(), rows(&told)[1].0.as_str()), ("in step", "//:other"), "{told:?}");
    assert!(told.stdout.contains(" (locked)  ") && told.code == 0, "{told:?}");
    space.write("app", "two");
    assert_eq!(run(&space, &registry, &["push", "//:app"]).code, 0);
    for arguments in [&["--strict"][..], &["--strict", "//:app"]] {
        let moved = status(arguments);
        assert_eq!((moved.code, rows(&moved)[0].3.as_str()), (3, "out of step"), "{moved:?}");
    }
}

#[test]
fn a_mirror_is_not_asked_what_is_published() {
    let (Some(registry), Some(mirror)) = (DockerRegistry::start(), DockerRegistry::start()) else { return };
    let (address, stale) = (&registry.address, &mirror.address);
    let profile = format!("[profile.other]\nregistry = \"{address}/other\"\n");
    let space = Space::with(&format!("{TARGETS}{profile}[registry.\"{address}\"]\nmirrors = [\"{stale}\"]\n"));
    space.write("app", "one");
    assert_eq!(run(&space, &mirror, &["push", "//:app"]).code, 0);
    space.write("app", "two");
    let pushed = run(&space, &registry, &["push", "//:app"]).stdout;
    assert_eq!(rows(&run(&space, &registry, &["status", "//:app"]))[0].3, "in step");
    let promoted = run(&space, &registry, &["promote", "//:app", "--to", "other"]).stdout;
    let digest = |line: &str| line.trim().rsplit_once('@').map(|(_, digest)| digest.to_owned());
    assert_eq!(digest(&promoted), digest(&pushed), "{promoted}");
}

#[test]
fn a_base_is_up_to_date_until_its_tag_moves() {
    let Some(registry) = DockerRegistry::start() else { return };
    let bases = Space::with(TARGETS);
    bases.write("app", "one");
    assert_eq!(run(&bases, &registry, &["push", "//:app", "//:both"]).code, 0);
    let reference = format!("{}/app:latest", registry.address);
    let targets = format!("[pull.base]\nimage = \"{reference}\"\n\n[image.over]\nbase = \":base\"\nuser = \"app\"\n");
    let space = Space::with(&targets);
    assert_eq!(run(&space, &registry, &["lock"]).code, 0);
    assert_eq!(run(&space, &registry, &["push", "//:over"]).code, 0);
    let fine = run(&space, &registry, &["status", "--strict"]);
    assert_eq!(fine.code, 0, "{}", fine.stderr);
    assert!(fine.stdout.contains(&format!("in step  {reference} up to date\n")), "{}", fine.stdout);

    bases.write("app", "two");
    assert_eq!(run(&bases, &registry, &["push", "//:app"]).code, 0);
    let moved = run(&space, &registry, &["status", "--strict"]);
    assert_eq!(moved.code, 3, "{}", moved.stderr);
    assert!(moved.stdout.contains(&format!("in step  {reference} moved to sha256:")), "{}", moved.stdout);
}
