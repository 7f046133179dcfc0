//! `layerbuild registry serve` and its clients: skopeo, podman, Docker, ourselves, and how it ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use layerbuild::digest::Digest;
use layerbuild::oci::media_type::{OCI_INDEX, OCI_MANIFEST};
use rustix::process::{Pid, Signal, kill_process};

use crate::readers::programs::{Containerd, Podman, docker, run, skopeo};
use crate::readers::sample::Workspace;
use crate::support::{docker_engine, has, is_root};

const LAYERS: &str = r#"
[workspace]
name = "embedded"
tag = "1.0"
[files.base-files]
content = { "/etc/base" = "base\n" }
[files.app-files]
srcs = ["app/**"]
dest = "/opt"
[image.base]
layers = [":base-files"]
[image.app]
base = ":base"
layers = [":app-files"]
cmd = ["/opt/file"]
"#;

/// A running `registry serve`; killed when dropped.
pub struct Embedded {
    child: Child,
    /// `127.0.0.1:PORT`
    pub address: String,
}

impl Embedded {
    /// Starts one over a store, and waits until it listens. Every request is told in `log`.
    pub fn start(store: &Path, log: &Path) -> Embedded {
        let mut command = Command::new(env!("CARGO_BIN_EXE_layerbuild"));
        command.arg("--cache-dir").arg(store).args(["--verbose", "registry", "serve", "--listen", "127.0.0.1:0"]);
        let log = std::fs::File::create(log).expect("a log");
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().expect("layerbuild runs");
        let mut address = String::new();
        let out = child.stdout.as_mut().expect("its output");
        BufReader::new(out).read_line(&mut address).expect("an address");
        assert!(address.starts_with("127.0.0.1:"), "{address}");
        Embedded { child, address: address.trim().to_owned() }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it is there");
    }

    /// Returns once it knows that it is to stop.
    fn wait_until_it_listens_no_more(&self) {
        while TcpStream::connect(&self.address).is_ok() {
            std::thread::yield_now();
        }
    }

    /// The raw answer to a request, which closes its connection.
    fn ask(&self, line: &str) -> String {
        self.send(line, "")
    }

    /// Puts an index of one manifest under the tag `index`.
    fn put_index(&self, repository: &str, digest: &str) {
        let manifest = self.ask(&format!("GET /v2/{repository}/manifests/{digest}"));
        let size = manifest.split_once("\r\n\r\n").expect("a body").1.len();
        let (index, image) = (OCI_INDEX, OCI_MANIFEST);
        let platform = r#""platform":{"os":"linux","architecture":"amd64"}"#;
        let entry = format!(r#"{{"mediaType":"{image}","digest":"{digest}","size":{size},{platform}}}"#);
        let body = format!(r#"{{"schemaVersion":2,"mediaType":"{index}","manifests":[{entry}]}}"#);
        let answer = self.send(&format!("PUT /v2/{repository}/manifests/index"), &body);
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    }

    fn send(&self, line: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let head = format!("{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Begins to upload a blob of ten bytes, up to where the registry waits for them.
fn begin_upload(registry: &Embedded, digest: &Digest) -> TcpStream {
    let mut stream = TcpStream::connect(&registry.address).expect("it listens");
    let head =
        format!("POST /v2/a/blobs/uploads/?digest={digest} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n");
    write!(stream, "{head}Expect: 100-continue\r\n\r\n").expect("a request begins");
    let mut leave = [0; 25];
    stream.read_exact(&mut leave).expect("leave to go on");
    assert_eq!(&leave, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

/// A workspace, a registry with a store of its own, and the log of its requests.
fn world() -> (Workspace, Embedded, std::path::PathBuf) {
    let workspace = Workspace::new(LAYERS);
    workspace.write("app/file", b"first\n");
    let log = workspace.beside("log");
    let registry = Embedded::start(&workspace.beside("served"), &log);
    (workspace, registry, log)
}

/// Pushes both images below `deep/er`; the digest of `//:app`.
fn push(workspace: &Workspace, registry: &Embedded) -> String {
    let to = format!("{}/deep/er", registry.address);
    let said = workspace.run(&["-q", "--registry", &to, "push", "//:all"]);
    let line = said.lines().find(|line| line.starts_with("//:app ")).expect("a line");
    line.rsplit_once('@').expect("a digest").1.to_owned()
}

#[test]
fn a_push_of_ours_is_complete_and_a_second_one_sends_nothing() {
    let (workspace, registry, log) = world();
    let digest = push(&workspace, &registry);
    let requests = |log: &Path| {
        std::fs::read_to_string(log).expect("a log").lines().skip(2).map(str::to_owned).collect::<Vec<_>>()
    };
    let first = requests(&log);
    assert!(first.iter().any(|line| line.starts_with("PUT ")), "{first:?}");
    assert_eq!(push(&workspace, &registry), digest);
    let second = requests(&log).split_off(first.len());
    let (heads, rest): (Vec<_>, Vec<_>) = second.iter().partition(|line| line.starts_with("HEAD /v2/deep/er/"));
    assert!(
        heads.iter().all(|line| line.ends_with("/manifests/1.0 200")) && heads.len() == 2,
        "a HEAD a tag: {second:?}"
    );
    assert!(rest.iter().all(|line| *line == "GET /v2/ 200"), "{second:?}");
    workspace.write("app/file", b"second\n");
    assert_ne!(push(&workspace, &registry), digest);
    let third = requests(&log).split_off(first.len() + second.len());
    let sent = third.iter().filter(|line| line.starts_with("PUT ") && line.contains("/blobs/")).count();
    assert_eq!(sent, 2, "one layer and one config: {third:?}");
    assert!(registry.ask("GET /v2/_catalog").contains(r#"["deep/er/app","deep/er/base"]"#));
}

#[test]
fn skopeo_copies_in_and_out_lists_and_deletes() {
    if !has(&["skopeo"]) {
        return;
    }
    let (workspace, registry, _) = world();
    let digest = push(&workspace, &registry);
    let image = |name: &str| format!("docker://{}/{name}", registry.address);
    let inspect = |name: &str| skopeo(&["inspect", "--raw", "--tls-verify=false", &image(name)]);
    let (from, to) = (image("deep/er/app:1.0"), image("copied/by/skopeo:x"));
    skopeo(&["copy", "-q", "--src-tls-verify=false", "--dest-tls-verify=false", &from, &to]).expect("a copy within");
    let layout = format!("oci:{}:x", workspace.beside("layout").display());
    skopeo(&["copy", "-q", "--src-tls-verify=false", &to, &layout]).expect("a copy out");
    let back = image("back:x");
    skopeo(&["copy", "-q", "--dest-tls-verify=false", "--preserve-digests", &layout, &back]).expect("a copy in");
    for name in ["copied/by/skopeo:x", "back:x", &format!("back@{digest}")] {
        assert_eq!(Digest::of(&inspect(name).expect(name)).to_string(), digest, "{name}");
    }
    skopeo(&["copy", "-q", "--dest-tls-verify=false", "--format", "v2s2", &layout, &image("back:docker")])
        .expect("Docker's types");
    let tags = skopeo(&["list-tags", "--tls-verify=false", &image("back")]).expect("tags");
    let tags: serde_json::Value = serde_json::from_slice(&tags).expect("JSON");
    assert_eq!(tags["Tags"], serde_json::json!(["docker", "x"]));
    registry.put_index("back", &digest);
    skopeo(&[
        "copy",
        "-q",
        "--all",
        "--src-tls-verify=false",
        "--dest-tls-verify=false",
        &image("back:index"),
        &image("all:index"),
    ])
    .expect("an index with its images");
    assert_eq!(inspect("all:index").expect("an index"), inspect("back:index").expect("an index"));
    assert!(skopeo(&["delete", "--tls-verify=false", &image("back:x")]).is_err(), "an index names it");
    skopeo(&["delete", "--tls-verify=false", &image("back:index")]).expect("a deletion");
    skopeo(&["delete", "--tls-verify=false", &image("back:x")]).expect("a deletion");
    assert!(inspect("back:x").is_err() && inspect("back:docker").is_ok() && inspect("copied/by/skopeo:x").is_ok());
}

#[test]
fn podman_pulls_and_pushes() {
    if !has(&["podman"]) || !is_root() {
        return;
    }
    let (workspace, registry, _) = world();
    push(&workspace, &registry);
    let (here, podman) = (workspace.root(), Podman::new());
    let from = format!("{}/deep/er/app:1.0", registry.address);
    let found = podman.read(&here, &format!("docker://{from}")).expect("podman pulls");
    assert!(found.contains_key("opt/file") && found.contains_key("etc/base"), "{:?}", found.keys());
    let to = format!("{}/from/podman:2", registry.address);
    podman.run(&here, &["push", "--tls-verify=false", &from, &format!("docker://{to}")]).expect("podman pushes");
    let again = Podman::new().read(&here, &format!("docker://{to}")).expect("another podman pulls");
    assert_eq!(again.keys().collect::<Vec<_>>(), found.keys().collect::<Vec<_>>());
}

#[test]
fn containerd_pulls() {
    if !has(&["containerd", "ctr"]) || !is_root() {
        return;
    }
    let (workspace, registry, _) = world();
    push(&workspace, &registry);
    let found = Containerd::start().pull(&format!("{}/deep/er/app:1.0", registry.address)).expect("containerd pulls");
    assert!(found.contains_key("opt/file") && found.contains_key("etc/base"), "{:?}", found.keys());
}

#[test]
fn docker_pulls_and_pushes() {
    if !has(&["docker"]) || !docker_engine() {
        return;
    }
    let (workspace, registry, _) = world();
    push(&workspace, &registry);
    let from = format!("{}/deep/er/app:1.0", registry.address);
    let to = format!("{}/from/docker/app:2", registry.address);
    docker(&["pull", "-q", &from]).expect("docker pulls");
    let image = docker(&["image", "inspect", "--format", "{{.Id}}", &from]).expect("an id");
    docker(&["tag", &from, &to]).expect("a tag");
    docker(&["push", "-q", &to]).expect("docker pushes");
    docker(&["rmi", &from, &to]).expect("images removed");
    docker(&["pull", "-q", &to]).expect("docker pulls what it pushed");
    assert_eq!(docker(&["image", "inspect", "--format", "{{.Id}}", &to]).expect("an id"), image);
    docker(&["rmi", &to]).expect("an image removed");
}

#[test]
fn a_server_asked_to_stop_ends_what_it_began_and_then_well() {
    for signal in [Signal::TERM, Signal::INT] {
        let (_workspace, mut registry, log) = world();
        let mut stream = begin_upload(&registry, &Digest::of(b"0123456789"));
        registry.signal(signal);
        registry.wait_until_it_listens_no_more();
        stream.write_all(b"0123456789").expect("a request ends");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
        assert_eq!(registry.child.wait().expect("an end").code(), Some(0));
        assert!(!std::fs::read_to_string(log).expect("a log").contains("interrupted"));
    }
}

#[test]
fn a_second_interrupt_ends_the_server_whatever_it_is_doing() {
    let (_workspace, mut registry, log) = world();
    let _stuck = begin_upload(&registry, &Digest::of(b"0123456789"));
    registry.signal(Signal::INT);
    registry.wait_until_it_listens_no_more();
    registry.signal(Signal::INT);
    assert_eq!(registry.child.wait().expect("an end").code(), Some(8));
    assert!(std::fs::read_to_string(log).expect("a log").contains("interrupted"));
}

#[test]
fn a_server_killed_in_an_upload_keeps_what_was_published_and_nothing_of_the_rest() {
    let (workspace, registry, log) = world();
    let digest = push(&workspace, &registry);
    let blob = Digest::of(b"0123456789");
    let mut stream = begin_upload(&registry, &blob);
    stream.write_all(b"01234").expect("half a blob");
    drop(registry);
    let registry = Embedded::start(&workspace.beside("served"), &log);
    let left: Vec<_> = std::fs::read_dir(workspace.beside("served/tmp")).expect("a folder").collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(registry.ask(&format!("HEAD /v2/a/blobs/{blob}")).starts_with("HTTP/1.1 404 "));
    assert!(registry.ask("HEAD /v2/deep/er/app/manifests/1.0").contains(&digest));
    let unchanged = workspace.layerbuild(&["--registry", &format!("{}/deep/er", registry.address), "push", "//:all"]);
    assert!(String::from_utf8_lossy(&unchanged.stderr).contains("0 pushed, 2 cached"), "{unchanged:?}");
}

#[test]
fn other_machines_are_never_listened_to_and_a_port_that_is_taken_is_told() {
    let (workspace, registry, _) = world();
    let serve = |listen: &str| -> Output { workspace.layerbuild(&["registry", "serve", "--listen", listen]) };
    let told = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:5000"] {
        let refused = serve(listen);
        assert_eq!(refused.status.code(), Some(2), "{listen}");
        assert!(told(&refused).contains("is not a loopback address"), "{}", told(&refused));
    }
    assert_eq!(serve("registry.example:5000").status.code(), Some(2));
    let taken = serve(&registry.address);
    assert_eq!(taken.status.code(), Some(36));
    assert!(told(&taken).contains(&format!("cannot listen on {}", registry.address)), "{}", told(&taken));
    assert!(told(&taken).contains("--listen 127.0.0.1:"), "{}", told(&taken));
}

#[test]
fn curl_reads_on_where_a_pull_broke_off() {
    if !has(&["curl"]) {
        return;
    }
    let (workspace, registry, _) = world();
    push(&workspace, &registry);
    let manifest = registry.ask("GET /v2/deep/er/app/manifests/1.0");
    let body = manifest.split_once("\r\n\r\n").expect("a body").1;
    let manifest: serde_json::Value = serde_json::from_str(body).expect("a manifest");
    let layer = &manifest["layers"][0];
    let digest = layer["digest"].as_str().expect("a digest");
    let url = format!("http://{}/v2/deep/er/app/blobs/{digest}", registry.address);
    let file = workspace.beside("blob");
    let curl = |more: &[&str]| run(Command::new("curl").args(["-sS", "--fail", "-o"]).arg(&file).args(more).arg(&url));
    curl(&["-r", "0-9"]).expect("the beginning");
    curl(&["-C", "-"]).expect("the rest");
    let whole = std::fs::read(&file).expect("a file");
    assert_eq!((Digest::of(&whole).to_string().as_str(), Some(whole.len() as u64)), (digest, layer["size"].as_u64()));
}
