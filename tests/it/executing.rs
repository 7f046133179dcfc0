//! `exec` with real namespaces, and on the host: what a command sees, and that its outputs alone become the layer.

use std::fs;

use crate::running::{failed, workspace};
use crate::sample::{Ended, Sample};

#[test]
fn outputs_alone_become_the_layer_and_the_command_sees_nothing_else() {
    let targets = r#"
        [exec.step]
        build-base = ":base"
        command = """
            test -z $GREETING && test $HOME = /root && test $MORE = yes && test $(grep -c : /proc/net/dev) = 1 &&
            ! touch /src/in/b 2>/dev/null &&
            cat src/in/a.txt > out/file && echo x > out/tool && chmod 4711 out/tool && chown 7:8 out/tool &&
            mkdir -p out/share/doc && echo doc > out/share/doc/a && ln -s ../file out/share/link && echo no > /noise
        """
        env = { MORE = "yes" }
        inputs = { "/src" = ["in/*.txt"], "/lib2" = ":root" }
        outputs = { "/usr/bin/tool" = "/out/tool", "/usr/share" = "/out/share", "/a" = "/out/file" }
    "#;
    let Some(sample) = workspace(targets) else { return };
    sample.write("p/in/a.txt", "from the workspace\n");
    let listed = sample.run(&["ls", "//p:step"]).out;
    let paths: Vec<&str> = listed.lines().filter_map(|line| line.split_whitespace().nth(3)).collect();
    assert_eq!(
        paths,
        [
            "/a",
            "/usr",
            "/usr/bin",
            "/usr/bin/tool",
            "/usr/share",
            "/usr/share/doc",
            "/usr/share/doc/a",
            "/usr/share/link"
        ],
        "{listed}"
    );
    assert!(listed.contains("-rwxr-xr-x  0:0") && listed.contains("19  /a") && !listed.contains("7:8"), "{listed}");
    assert!(fs::read_dir(sample.cache.join("steps")).expect("a folder").next().is_none(), "something is left over");
    assert_eq!(sample.run(&["build", "//p:step"]).counts().0, 0);
}

#[test]
fn an_output_that_is_not_made_or_can_not_be_taken_is_an_error_that_names_it() {
    let targets = r#"
        [exec.missing]
        build-base = ":base"
        command = "true"
        outputs = { "/usr/bin/x" = "/out/x", "/y" = "/out/y" }
        [exec.fails]
        build-base = ":base"
        command = "echo said; exit 3"
        outputs = { "/x" = "/out/x" }
        [exec.link]
        build-base = "host"
        command = "rm -r out/away && ln -s /usr/bin out/away"
        outputs = { "/x" = "/out/away/env" }
    "#;
    let Some(sample) = workspace(targets) else { return };
    let missing = failed(&sample, "//p:missing").err;
    assert!(missing.contains("the output /out/x is not there") && missing.contains("/out/y is not there"), "{missing}");
    let fails = failed(&sample, "//p:fails").err;
    assert!(fails.contains("exit status: 3") && fails.contains("| said"), "{fails}");
    assert!(fails.contains("layerbuild shell //p:fails --at 1"), "{fails}");
    let verbose = Ended::of(sample.command(&["-v", "build", "//p:fails"])).err;
    assert_eq!(verbose.matches("| said").count(), 1, "said as it came, and not once more: {verbose}");
    let link = Ended::of(sample.command(&["build", "//p:link"])).err;
    assert!(link.contains("/out/away/env leads out of its folder"), "{link}");
}

#[test]
fn on_the_host_it_is_not_portable_and_says_so_once() {
    let targets = r#"
        [exec.step]
        command = "cat src/in/a.txt lib2/doc/a > out/file; echo $HOST_ONLY$MORE >> out/file; echo c > cache/c; pwd >&2"
        env = { MORE = "more" }
        inputs = { "/src" = ["in/*.txt"], "/lib2" = ":root" }
        caches = { "/cache" = "some" }
        outputs = { "/file" = "/out/file" }
        [exec.slow]
        command = "sleep 86398"
        timeout = "1s"
        outputs = { "/file" = "/out/file" }
    "#;
    let Some(sample) = workspace(targets) else { return };
    sample.replace("layers.toml", "name = \"small\"", "name = \"small\"\nbuild-base = \"host\"");
    sample.write("p/in/a.txt", "text ");
    let build = || {
        let mut command = sample.command(&["build", "//p:step"]);
        command.env("HOST_ONLY", "seen");
        Ended::of(command)
    };
    let (first, again) = (build(), build());
    assert_eq!((first.code, again.code), (Some(0), Some(0)), "{}", first.err);
    assert_eq!(first.err.matches("warning:").count(), 1, "{}", first.err);
    assert!(!again.err.contains("warning:"), "nothing ran: {}", again.err);
    let told = sample.run(&["explain", "//p:step"]).out;
    assert!(told.contains("not portable"), "{told}");
    let listed = sample.run(&["ls", "//p:step"]).out;
    // `text a` and `more`, the host's variable left out.
    assert!(listed.contains(" 11  /file"), "{listed}");
    assert!(sample.cache.join("caches/some/c").is_file());
    assert!(fs::read_dir(sample.cache.join("steps")).expect("a folder").next().is_none(), "something is left over");
    assert!(failed(&sample, "//p:slow").err.contains("longer than the `timeout` of 1s"));
}

#[test]
fn the_workspaces_build_base_is_read_built_and_part_of_the_graph() {
    let Some(sample) = workspace("[exec.unused]\ncommand = \"true\"\noutputs = { \"/x\" = \"/x\" }\n") else { return };
    sample.replace("layers.toml", "name = \"small\"", "name = \"small\"\nbuild-base = \"//p:base\"");
    sample.write("q/layers.toml", "[exec.step]\ncommand = \"echo x > out/x\"\noutputs = { \"/x\" = \"/out/x\" }\n");
    assert!(sample.run(&["build", "//q:step"]).out.contains("//q:step sha256:"));
    let deps = sample.run(&["query", "deps(//q:step)", "--no-source-files"]).out;
    assert_eq!(deps, "//p:base\n//p:root\n//q:step\n");
    sample.replace("layers.toml", "//p:base", "//q:step");
    let circle = Ended::of(sample.command(&["build", "//q:step"])).err;
    assert!(circle.contains("//q:step → //q:step") && circle.contains("layers.toml:3:14"), "{circle}");
    sample.replace("layers.toml", "//q:step", "//p:bas");
    let unknown = Ended::of(sample.command(&["build", "//q:step"])).err;
    assert!(unknown.contains("no such target `//p:bas`") && unknown.contains("`//p:base`"), "{unknown}");
}

#[test]
fn a_shell_opens_where_the_command_begins() {
    let targets = r#"
        [exec.step]
        build-base = ":base"
        command = "false"
        inputs = { "/src" = ["in/*.txt"] }
        outputs = { "/x" = "/out/deep/x" }
    "#;
    let Some(sample) = workspace(targets) else { return };
    sample.write("p/in/a.txt", "text\n");
    let ended = shell(&sample, "cat src/in/a.txt; ls /out; echo $GREETING.\n");
    assert_eq!((ended.code, ended.out.as_str()), (Some(0), "text\ndeep\n.\n"), "{}", ended.err);
}

fn shell(sample: &Sample, text: &str) -> Ended {
    let mut command = sample.command(&["shell", "//p:step"]);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    std::io::Write::write_all(&mut stdin, text.as_bytes()).expect("it reads");
    drop(stdin);
    Ended::from(child.wait_with_output().expect("it ends"))
}
