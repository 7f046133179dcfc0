//! The scripts of `layerbuild completions`, in the shells themselves.

use crate::space::Space;
use crate::support::has;

const TARGETS: &str = r#"
[files.app-files]
content = { "/a" = "a" }
[image.app]
layers = [":app-files"]
"#;

/// What bash offers for a line with the cursor at its end, as it is inserted. Bash splits words at colons.
fn offered(space: &Space, line: &str) -> Vec<String> {
    let script = r#"
        source <(layerbuild completions bash) || exit 1
        COMP_LINE=$1 COMP_POINT=${#1}
        COMP_WORDS=(${1//:/ : }) COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        [[ $1 == *' ' ]] && { COMP_WORDS+=(''); COMP_CWORD=$((COMP_CWORD + 1)); }
        complete -p layerbuild | grep -q _layerbuild_labels || exit 1
        _layerbuild_labels layerbuild "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let ran = space.output(space.command("bash").args(["--norc", "-c", script, "bash", line]));
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{line}");
    ran.stdout.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[test]
fn bash_completes_verbs_flags_and_labels() {
    if !has(&["bash"]) {
        return;
    }
    let space = Space::with(TARGETS);
    space.write("data/kits/layers.toml", "[image.kits]\nbase = \"//:app\"\n");
    assert_eq!(offered(&space, "layerbuild comp"), ["completions"]);
    assert_eq!(offered(&space, "layerbuild load --t"), ["--to"]);
    assert_eq!(offered(&space, "layerbuild load --to "), ["docker", "podman"]);
    assert_eq!(offered(&space, "layerbuild build //d"), ["//data/kits:kits"]);
    assert_eq!(offered(&space, "layerbuild build //:a"), ["app", "app-files"]);
    assert_eq!(offered(&space, "layerbuild push //... -//d"), ["-//data/kits:kits"]);
    assert_eq!(offered(&space, "layerbuild //data/kits:k"), ["kits"]);
    assert_eq!(offered(&space, "layerbuild -C data/kits build :"), ["kits"]);
    assert_eq!(offered(&space, "layerbuild build //nothing"), [""; 0]);
}

#[test]
fn a_workspace_that_cannot_be_read_offers_nothing_and_says_nothing() {
    if !has(&["bash"]) {
        return;
    }
    assert_eq!(offered(&Space::with("[image.app\n"), "layerbuild build //"), [""; 0]);
}

#[test]
fn the_scripts_of_other_shells_know_every_verb() {
    let space = Space::empty();
    for shell in ["zsh", "fish"] {
        let ran = space.run(["completions", shell]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        for verb in ["build", "push", "load", "diff", "status", "completions"] {
            assert!(ran.stdout.contains(verb), "{shell}: {verb}");
        }
    }
}
