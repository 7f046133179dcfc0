//! `layerbuild registry ls`: what is listed is what was pushed, by an embedded registry, by Debian's, and by one that lists nothing.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use crate::embedded::Embedded;
use crate::readers::sample::Workspace;
use crate::support::DockerRegistry;

const LAYERS: &str = r#"
[workspace]
name = "listed"
tag = "1.0"
[files.files]
content = { "/etc/a" = "a\n" }
[image.app]
layers = [":files"]
"#;

/// Lines of `registry ls` as words.
fn ls(workspace: &Workspace, registry: &str, more: &[&str]) -> Vec<Vec<String>> {
    let said = workspace.run(&[&["-q", "--registry", registry, "registry", "ls"], more].concat());
    said.lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
}

/// Pushes to `<address>/team` and `<address>/other` under two tags, and looks.
fn pushed_is_listed(address: &str) {
    let workspace = Workspace::new(LAYERS);
    let (team, other) = (format!("{address}/team"), format!("{address}/other"));
    let said = workspace.run(&["-q", "--registry", &team, "push", "--tag", "1.0", "--tag", "b", "//:app"]);
    workspace.run(&["-q", "--registry", &other, "push", "//:app"]);
    let digest = said.trim().rsplit_once('@').expect("a digest").1;
    let row = |repository: &str, tag: &str, size: &[String], target: &str| {
        let first = [&format!("{address}/{repository}"), tag, digest].map(str::to_owned);
        [&first[..], size, &[target.to_owned()]].concat()
    };
    let all = ls(&workspace, address, &[]);
    let size = all[0][3..5].to_vec();
    assert!(size[0].parse::<f64>().is_ok_and(|size| size > 100.0) && size[1] == "B", "{size:?}");
    let [a, b, c] = [("other/app", "1.0"), ("team/app", "1.0"), ("team/app", "b")];
    assert_eq!(all, [a, b, c].map(|(path, tag)| row(path, tag, &size, "-")), "none is where this registry has ours");
    let ours = [b, c].map(|(path, tag)| row(path, tag, &size, "//:app"));
    assert_eq!(ls(&workspace, &team, &[]), ours);
    assert_eq!(ls(&workspace, address, &["team"]), ours.map(|row| [&row[..5], &["-".to_owned()]].concat()));
    let json = workspace.run(&["--json", "--registry", &team, "registry", "ls", "app"]);
    let first: serde_json::Value = serde_json::from_str(json.lines().next().expect("a line")).expect("JSON");
    let told = ["registry", "repository", "tag", "digest", "target"].map(|key| first[key].as_str().unwrap_or_default());
    assert_eq!(told, [address, "team/app", "1.0", digest, "//:app"]);
    let nothing = workspace.layerbuild(&["--registry", address, "registry", "ls", "tea"]);
    assert_eq!((nothing.status.code(), nothing.stdout.len()), (Some(4), 0), "a prefix ends at a slash");
}

#[test]
fn what_is_pushed_to_the_embedded_registry_is_listed_with_its_target() {
    let folder = tempfile::tempdir().expect("a folder");
    let registry = Embedded::start(&folder.path().join("store"), &folder.path().join("log"));
    pushed_is_listed(&registry.address);
}

#[test]
fn what_is_pushed_to_debians_registry_is_listed_with_its_target() {
    let Some(registry) = DockerRegistry::start() else { return };
    pushed_is_listed(&registry.address);
}

#[test]
fn an_index_is_listed_with_its_target_as_an_image_is() {
    let Some(registry) = DockerRegistry::start() else { return };
    let workspace = Workspace::new(&format!("{LAYERS}[index.both]\nimages = [\":app\"]\n"));
    workspace.run(&["-q", "--registry", &registry.address, "push", "//..."]);
    let targets: Vec<String> = ls(&workspace, &registry.address, &[]).iter().map(|row| row[5].clone()).collect();
    assert_eq!(targets, ["//:app", "//:both"]);
}

/// A registry with one repository, `app`, and these tags; `old` is of schema 1. Gives its address.
fn odd_registry(catalog: &'static str, tags: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let request = lines.next().unwrap_or_default();
            lines.find(String::is_empty);
            let (status, body) = match request.split(' ').nth(1).unwrap_or_default() {
                "/v2/" => ("200 OK", "{}"),
                path if path.starts_with("/v2/_catalog") => (catalog, r#"{"repositories":["app"]}"#),
                "/v2/app/tags/list?n=1000" => ("200 OK", tags),
                "/v2/app/manifests/1.0" => ("200 OK", MANIFEST),
                "/v2/app/manifests/old" => ("200 OK", r#"{"schemaVersion":1,"fsLayers":[]}"#),
                _ => ("404 Not Found", "{}"),
            };
            let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes());
        }
    });
    address
}

#[test]
fn a_registry_that_does_not_list_its_repositories_is_asked_about_those_of_the_workspace() {
    for refusal in ["404 Not Found", "405 Method Not Allowed", "403 Forbidden"] {
        let address = odd_registry(refusal, r#"{"name":"app","tags":["1.0"]}"#);
        let output = Workspace::new(LAYERS).layerbuild(&["--registry", &address, "registry", "ls"]);
        let (said, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{refusal}: {told}");
        assert!(said.starts_with(&format!("{address}/app")) && said.trim().ends_with("//:app"), "{refusal}: {said}");
        assert!(told.contains("does not list its repositories"), "{refusal}: {told}");
    }
}

#[test]
fn what_cannot_be_read_is_told_and_the_rest_is_listed() {
    let address = odd_registry("200 OK", r#"{"name":"app","tags":["old","1.0","gone"]}"#);
    let output = Workspace::new(LAYERS).layerbuild(&["--registry", &address, "registry", "ls"]);
    let (said, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(said.contains("  1.0  ") && said.lines().count() == 1, "{said}");
    assert!(told.contains("/v2/app/manifests/old") && told.contains("1 of what"), "{told}");
}

const MANIFEST: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",
"config":{"mediaType":"application/vnd.oci.image.config.v1+json","size":2,
"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},"layers":[]}"#;

#[test]
fn outside_of_a_workspace_a_registry_is_listed_without_targets() {
    let workspace = Workspace::new(LAYERS);
    let registry = Embedded::start(&workspace.beside("served"), &workspace.beside("log"));
    workspace.run(&["-q", "--registry", &registry.address, "push", "//:app"]);
    std::fs::remove_file(workspace.root().join("layers.toml")).expect("a file");
    let rows = ls(&workspace, &registry.address, &[]);
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].last().map(String::as_str), Some("-"));
    let without = workspace.layerbuild(&["registry", "ls"]);
    assert_eq!(without.status.code(), Some(2), "neither a workspace nor --registry");
}
