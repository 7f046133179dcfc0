//! What dpkg says of the packages in the reference images: of those with a Debian below, in a container; of the sidecar,
//! which has neither dpkg nor its one `status`, on the host.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::containers::run;
use crate::platform::loaded;
use crate::readers::programs::docker;
use crate::support::{docker_engine, has, is_root};

fn image(name: &str) -> String {
    format!("registry.localhost/{name}:0.1.0")
}

#[test]
fn dpkg_finds_nothing_wrong_in_images_on_debian() {
    if !has(&["docker"]) || !docker_engine() {
        return;
    }
    for (name, package) in [("platform/kerberos-base", "krb5-user"), ("warehouse/postgres", "postgresql-15")] {
        let label = format!("//{}", name.replace('/', ":"));
        if loaded(&[&label]).is_none() {
            return;
        }
        let line = format!("dpkg --audit; dpkg -V; dpkg -s {package} | grep Status");
        let said = run(&["--network=none", "--user=0", "--entrypoint=sh"], &image(name), &["-c", &line]);
        assert_eq!(
            String::from_utf8_lossy(&[said.stdout, said.stderr].concat()),
            "Status: install ok installed\n",
            "{name}"
        );
    }
}

#[test]
fn dpkg_finds_nothing_wrong_in_the_sidecar() {
    if !has(&["docker", "dpkg", "tar"]) || !docker_engine() || !is_root() {
        return;
    }
    if loaded(&["//platform:kerberos-sidecar"]).is_none() {
        return;
    }
    let root = tempfile::tempdir().expect("a folder");
    unpack(&image("platform/kerberos-sidecar"), root.path());
    let packages = with_one_status(&root.path().join("var/lib/dpkg"));
    assert!((15..30).contains(&packages), "{packages}");
    let dpkg = |option: &str| {
        let output = Command::new("dpkg").arg(format!("--root={}", root.path().display())).arg(option).output();
        let output = output.expect("dpkg");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    assert_eq!((dpkg("--audit"), dpkg("-V")), (String::new(), String::new()));
    assert_eq!(dpkg("-l").lines().filter(|line| line.starts_with("ii ")).count(), packages);
    fs::write(root.path().join("usr/bin/k5start"), "changed").expect("a file");
    assert!(dpkg("-V").contains("/usr/bin/k5start"));
}

fn unpack(image: &str, root: &Path) {
    let container = docker(&["create", image]).expect("a container");
    let mut export =
        Command::new("docker").args(["export", &container]).stdout(Stdio::piped()).spawn().expect("docker");
    let archive = export.stdout.take().expect("a pipe");
    let unpacked = Command::new("tar").arg("-x").arg("-C").arg(root).stdin(archive).status().expect("tar runs");
    assert!(export.wait().expect("docker ends").success() && unpacked.success());
    docker(&["rm", "--volumes", &container]).expect("a container");
}

/// Makes dpkg's own database of its parts, a file a package: how many those are.
fn with_one_status(database: &Path) -> usize {
    let parts = fs::read_dir(database.join("status.d")).expect("a folder").map(|part| part.expect("an entry").path());
    let mut parts: Vec<String> = parts.map(|part| fs::read_to_string(part).expect("a part")).collect();
    parts.sort();
    fs::write(database.join("status"), parts.join("\n")).expect("a file");
    // Says that files of `info` have an architecture in their names.
    fs::write(database.join("info/format"), "1\n").expect("a file");
    parts.len()
}
