//! `affected` of a workspace that stands on another's folder, in the same git repository and in another one.

use crate::affected::{asked, causes, commit, git};
use crate::space::Space;
use crate::support::has;

const UP: &str = "[workspace]\nname = \"up\"\n[external.low]\npath = \"../low\"\n[image.on]\nbase = \"@low//:b\"\n\
                  [image.plain]\nbase = \"@low//:stamped\"\n[image.own]\n";
const LOW: &str = "[workspace]\nname = \"low\"\n[files.f]\nsrcs = [\"x/*\"]\n[image.b]\nlayers = [\":f\"]\n\
                   [image.stamped]\nlabels = { revision = \"${git.revision}\", dirty = \"${git.dirty}\" }\n";

/// `up` stands on `low`, side by side; `None` where there is no git.
fn both() -> Option<Space> {
    if !has(&["git"]) {
        return None;
    }
    let space = Space::empty();
    [("up/layers.toml", UP), ("low/layers.toml", LOW), ("low/x/1", "1")]
        .iter()
        .for_each(|(path, text)| space.write(path, text));
    Some(space)
}

#[test]
fn the_past_of_a_workspace_in_the_same_repository_is_read() {
    let Some(space) = both() else { return };
    git(&space, "init -q");
    commit(&space);
    let since = |line: &str| asked(&space, &format!("-C up --since {line}"));
    assert_eq!(since("HEAD"), (Vec::new(), format!("0 of 3 targets affected since HEAD ({})\n", head(&space))));
    space.write("low/x/1", "2");
    space.write("low/x/2", "2");
    let stamped = "//:plain @low//:stamped: labels dirty changed: false → true";
    let (said, told) = since("HEAD");
    assert_eq!(said, ["//:on @low//:f: file ../low/x/1 changed", stamped], "{told}");
    assert!(!told.contains("warning"), "{told}");
    commit(&space);
    assert_eq!(since("HEAD").0, [""; 0]);
    assert_eq!(since("HEAD~1").0.len(), 2, "another revision, and other files");
    assert_eq!(since("HEAD --until HEAD~1").0.len(), 2);
    space.write("low/layers.toml", LOW.replace("[\":f\"]", "[\":f\"]\nuser = \"7\""));
    let said = since("HEAD").0;
    assert!(said.len() == 2 && said[0].starts_with("//:on @low//:b: user is new: \"7\""), "{said:?}");
    for gone in ["low/layers.toml", "low"] {
        git(&space, &format!("rm -q -r -f {gone}"));
        commit(&space);
        git(&space, "checkout -q HEAD~1 low");
        let (said, told) = since("HEAD");
        assert!(said.len() == 3 && told.contains("every target counts as affected"), "{gone}: {said:?} {told}");
        commit(&space);
    }
}

#[test]
fn nothing_is_known_of_the_past_of_a_workspace_in_another_repository() {
    let Some(space) = both() else { return };
    git(&space, "init -q low");
    git(&space, "-C low add -A");
    git(&space, "-C low commit -q -m x");
    git(&space, "init -q up");
    git(&space, "-C up add -A");
    git(&space, "-C up commit -q -m x");
    let (said, told) = asked(&space, "-C up --since HEAD");
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said[0].starts_with("//:on @low//:f: what it was made of is not known: `x/1` is of a workspace in"),
        "{said:?}"
    );
    assert!(said[1].starts_with("//:plain @low//:stamped: labels "), "{said:?}");
    let warnings: Vec<&str> = told.lines().filter(|line| line.starts_with("warning")).collect();
    assert!(warnings.len() == 1 && warnings[0].contains("doesn't hold the files of `@low`"), "{told}");
    assert_eq!(causes(&space, "-C up --since HEAD //:own"), [""; 0]);
    assert!(!asked(&space, "-C up --since HEAD //:own").1.contains("warning"), "nothing of it is looked at");
}

fn head(space: &Space) -> String {
    let revision = space.output(space.command("git").args(["rev-parse", "HEAD"])).stdout;
    revision.chars().take(12).collect()
}
