//! The main job on real input: a program on the Debian root file system, exported, loaded into Docker and run. The
//! workspace is the repository's own, in a temporary place and with one more package.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::platform::platform;
use crate::readers::programs::docker;
use crate::readers::sample::Workspace;
use crate::support::{docker_engine, has};

const BRONZE: &str = "registry.localhost/datakits/sqlserver-bronze:0.1.0";
const CHECKED: &str = "registry.localhost/checked/bronze:0.1.0";

/// Stands on the bronze image, and says more in its config.
const CHECKED_PACKAGE: &str = r#"
[image.bronze]
base = "//datakits:sqlserver-bronze"
healthcheck = { test = ["/usr/bin/sqlserver-bronze", "--version"], interval = "90s", timeout = "5s", start-period = "1m", retries = 2 }
env = { PATH = "/opt/bin:$PATH" }
stop-signal = "SIGINT"
"#;

#[test]
fn a_program_on_a_debian_root_file_system_runs_in_docker() {
    if !has(&["docker"]) || !docker_engine() {
        return;
    }
    let Some(workspace) = platform() else { return };
    workspace.write("images/checked/layers.toml", CHECKED_PACKAGE.as_bytes());
    load(&workspace, &["//datakits:sqlserver-bronze", "//checked:bronze"]);
    help_is_the_default_and_the_version_is_the_crates();
    missing_variables_are_named_and_complete_ones_accepted();
    the_base_is_a_debian_and_the_user_is_the_images();
    the_config_is_what_was_said_here_and_in_the_base();
    docker(&["rmi", "--force", BRONZE, CHECKED]).expect("images are removed");
}

#[test]
fn the_demo_publishes_what_it_built_and_lets_go_of_its_registry() {
    let Some(workspace) = platform() else { return };
    workspace.write("tools/demo", include_bytes!("../../tools/demo"));
    let folder = Path::new(env!("CARGO_BIN_EXE_layerbuild")).parent().expect("a folder");
    let mut demo = Command::new("bash");
    demo.arg(workspace.root().join("tools/demo")).arg(folder).env("LAYERBUILD_CACHE_DIR", workspace.beside("store"));
    let shown = demo.output().expect("bash runs");
    let (out, err) = (text(&shown.stdout), text(&shown.stderr));
    assert!(shown.status.success(), "{out}{err}");
    assert!(out.contains("→ sha256:") && out.contains("in step"), "{out}");
    assert!(err.contains("1 pushed, 0 cached") && err.contains("0 built, 9 cached"), "{err}");
    let address = out.split_once("LAYERBUILD_REGISTRY=localhost:").expect("an address").1;
    let port = address.lines().next().and_then(|port| port.parse().ok()).expect("a port");
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "the registry has ended");
}

fn help_is_the_default_and_the_version_is_the_crates() {
    let help = run(BRONZE, &[], &[]);
    assert!(help.status.success() && text(&help.stdout).contains("validate-env"), "{help:?}");
    let version = run(BRONZE, &[], &["--version"]);
    assert_eq!(text(&version.stdout), format!("sqlserver-bronze {}\n", env!("CARGO_PKG_VERSION")));
}

fn missing_variables_are_named_and_complete_ones_accepted() {
    let set =
        ["MSSQL_SERVER=sql01.corp.example", "BRONZE_HOST=warehouse", "BRONZE_USER=bronze", "BRONZE_PASSWORD=s3cret"];
    let missing = run(BRONZE, &[], &["validate-env"]);
    assert_eq!(missing.status.code(), Some(2), "{missing:?}");
    for variable in set {
        let (name, _) = variable.split_once('=').expect("a variable");
        assert!(text(&missing.stdout).contains(&format!("missing    {name}")), "{name} in {missing:?}");
    }
    let complete = run(BRONZE, &set.map(|variable| ["--env", variable]).concat(), &["validate-env"]);
    assert_eq!(complete.status.code(), Some(0), "{complete:?}");
    // //platform:kerberos-base says it, the image below.
    assert!(text(&complete.stdout).contains("/krb5/cache/krb5cc"), "{complete:?}");
    assert!(!text(&complete.stdout).contains("s3cret"), "{complete:?}");
}

fn the_base_is_a_debian_and_the_user_is_the_images() {
    let shell = "id -u; id -g; . /etc/os-release; echo $ID; touch /krb5/cache/krb5cc && stat -c %U:%g /krb5/cache/krb5cc; ls -ld /tmp | cut -c1-10";
    let shown = run(BRONZE, &["--entrypoint", "/bin/sh"], &["-c", shell]);
    assert_eq!(text(&shown.stdout), "50000\n0\ndebian\nUNKNOWN:0\ndrwxrwxrwt\n", "{shown:?}");
}

fn the_config_is_what_was_said_here_and_in_the_base() {
    let config = docker(&["inspect", "--format", "{{json .Config}}", CHECKED]).expect("an image");
    let config: serde_json::Value = serde_json::from_str(&config).expect("JSON");
    let second = 1_000_000_000_u64;
    let healthcheck = serde_json::json!({
        "Test": ["CMD", "/usr/bin/sqlserver-bronze", "--version"],
        "Interval": 90 * second, "Timeout": 5 * second, "StartPeriod": 60 * second, "Retries": 2,
    });
    assert_eq!(config["Healthcheck"], healthcheck);
    assert_eq!(config["StopSignal"], "SIGINT");
    assert_eq!(config["User"], "50000:0");
    assert_eq!(config["Entrypoint"], serde_json::json!(["/usr/bin/sqlserver-bronze"]));
    assert_eq!(config["Cmd"], serde_json::json!(["--help"]));
    assert_eq!(config["Labels"]["org.opencontainers.image.licenses"], "Apache-2.0");
    let path = "PATH=/opt/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    assert!(config["Env"].as_array().expect("variables").iter().any(|variable| variable == path), "{config}");
}

/// `layerbuild export … --to - | docker load`
fn load(workspace: &Workspace, labels: &[&str]) {
    let mut export =
        workspace.command(&[&["-q", "export", "--format", "docker-archive", "--to", "-"], labels].concat());
    let mut export = export.stdout(Stdio::piped()).spawn().expect("layerbuild runs");
    let archive = export.stdout.take().expect("a pipe");
    let loaded = Command::new("docker").arg("load").stdin(archive).output().expect("docker runs");
    assert!(export.wait().expect("layerbuild ends").success());
    assert!(loaded.status.success(), "{}", text(&loaded.stderr));
    for image in [BRONZE, CHECKED] {
        assert!(text(&loaded.stdout).contains(&format!("Loaded image: {image}")), "{loaded:?}");
    }
}

fn run(image: &str, options: &[&str], arguments: &[&str]) -> Output {
    let mut command = Command::new("docker");
    command.args(["run", "--rm", "--network", "none"]).args(options).arg(image).args(arguments);
    command.output().expect("docker runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
