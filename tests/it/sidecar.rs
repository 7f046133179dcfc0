//! `//platform:kerberos-sidecar` and `//platform:kerberos-base` in Docker, against a real KDC.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use crate::containers::{Container, Volume, run, wait_until};
use crate::kdc::Kdc;
use crate::platform::loaded;
use crate::support::{docker_engine, has};

const SIDECAR: &str = "registry.localhost/platform/kerberos-sidecar:0.1.0";
const BASE: &str = "registry.localhost/platform/kerberos-base:0.1.0";

/// A ticket's life, and what a healthy one has left, in seconds. The next is due when half of its life is over.
const LIFE: u32 = 16;
const HEALTHY_FOR: u32 = 6;

/// Of a container that may do nothing but what the sidecar must: the host's network for the KDC, no rights.
const CONFINED: [&str; 6] = [
    "--network=host",
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--health-interval=1s",
    "--health-retries=1",
];

/// Reads the cache again and again, and tells what went wrong and how often it looked.
const READ_HARD: &str = "end=$(($(date +%s) + $1)); while [ $(date +%s) -lt $end ]; do klist -s || echo failed; n=$((n + 1)); done; echo $n";

struct Scene {
    kdc: Kdc,
    cache: Volume,
}

impl Scene {
    /// `None` where a program or the engine is missing (see [`has`]).
    fn new() -> Option<Scene> {
        if !has(&["docker"]) || !docker_engine() {
            return None;
        }
        let kdc = Kdc::start()?;
        loaded(&["//platform:kerberos-sidecar", "//platform:kerberos-base"])?;
        Some(Scene { kdc, cache: Volume::new() })
    }

    fn mounts(&self, mode: &str) -> Vec<String> {
        let (cache, config) = (&self.cache.name, self.kdc.krb5_conf());
        vec![
            format!("--volume={cache}:/krb5/cache:{mode}"),
            format!("--volume={}:/krb5/conf/krb5.conf:ro", config.display()),
        ]
    }

    /// The sidecar's options, with its keytab.
    fn options(&self, keytab: &Path) -> Vec<String> {
        let mut options = self.mounts("rw");
        options.push(format!("--volume={}:/krb5/keytabs/service.keytab:ro", keytab.display()));
        options.extend(CONFINED.map(str::to_owned));
        options.extend(["--env=KRB_REALM=EXAMPLE.TEST".into(), format!("--env=KRB_HEALTHY_FOR={HEALTHY_FOR}")]);
        options
    }

    /// A shell's line as another user of group 0, in the image that datakits stand on.
    fn as_a_datakit(&self, line: &str) -> Output {
        let mounts = self.mounts("ro");
        let options = [&["--network=host", "--user=50000:0"][..], &words(&mounts)].concat();
        run(&options, BASE, &["sh", "-c", line])
    }
}

fn words(options: &[String]) -> Vec<&str> {
    options.iter().map(String::as_str).collect()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

#[test]
fn others_read_a_ticket_that_is_renewed_ahead_of_its_end_and_health_turns_before_it() {
    let Some(mut scene) = Scene::new() else { return };
    let keytab = scene.kdc.principal("etl", LIFE);
    scene.kdc.principal("MSSQLSvc/localhost:1433", LIFE);
    let options = scene.options(&keytab);
    let sidecar = Container::start(&[&words(&options)[..], &["--env=KRB_PRINCIPAL=etl"]].concat(), SIDECAR, &[]);
    sidecar.waits_for("{{.State.Health.Status}}", "healthy");
    let kvno = scene.as_a_datakit(
        "stat -c %u:%g,%a /krb5/cache/krb5cc; kvno -q MSSQLSvc/localhost:1433 && echo known; ls -A /krb5/cache",
    );
    assert_eq!(said(&kvno), "50001:0,640\nknown\nkrb5cc\n");
    never_seen_broken_or_ended(&scene, &sidecar);
    health_follows_the_kdc(&mut scene, &sidecar);
    let begun = Instant::now();
    assert_eq!(sidecar.stop(), 0);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(scene.as_a_datakit("klist -s").status.success(), "the ticket stays");
}

fn renewals(sidecar: &Container) -> usize {
    sidecar.logs().matches("got a ticket for etl@EXAMPLE.TEST").count()
}

/// For as long as a ticket lives and a little more: without the renewals it would have ended.
fn never_seen_broken_or_ended(scene: &Scene, sidecar: &Container) {
    let read = scene.as_a_datakit(&format!("set -- {}; {READ_HARD}", LIFE + 2));
    let looked: Result<u32, _> = said(&read).trim().parse();
    assert!(looked.as_ref().is_ok_and(|times| *times > 100), "{read:?}\n{}", sidecar.logs());
    assert!(renewals(sidecar) >= 3, "{}", sidecar.logs());
}

fn health_follows_the_kdc(scene: &mut Scene, sidecar: &Container) {
    let before = renewals(sidecar);
    wait_until("a ticket is fresh", || renewals(sidecar) > before, || sidecar.logs());
    scene.kdc.stop();
    sidecar.waits_for("{{.State.Health.Status}}", "unhealthy");
    assert!(sidecar.exec(&["klist", "-s"]).status.success(), "it has not ended yet");
    assert!(sidecar.logs().contains("Cannot contact any KDC"), "{}", sidecar.logs());
    scene.kdc.resume();
    sidecar.waits_for("{{.State.Health.Status}}", "healthy");
}

#[test]
fn it_refuses_to_start_without_what_it_needs_and_says_what_that_is() {
    let Some(scene) = Scene::new() else { return };
    let keytab = scene.kdc.principal("etl", LIFE);
    let options = scene.options(&keytab);
    let refuses = |more: &[&str], expected: &str| {
        let output = run(&[&words(&options)[..], more].concat(), SIDECAR, &[]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(said(&output).contains(expected), "{expected}: {output:?}");
    };
    refuses(&[], "KRB_PRINCIPAL is not set");
    refuses(&["--env=KRB_PRINCIPAL=other"], "holds no key of other@EXAMPLE.TEST, but of etl@EXAMPLE.TEST");
    let etl = "--env=KRB_PRINCIPAL=etl";
    refuses(&[etl, "--env=KRB_KEYTAB=/krb5/keytabs/none"], "there is no keytab /krb5/keytabs/none: mount it there");
    refuses(&[etl, "--user=1:1"], "/krb5/keytabs (0:0, mode 750), the keytab's folder, cannot be looked into as 1:1");
    refuses(&[etl, "--env=KRB5_CONFIG=/none"], "/none cannot be read: mount the realm's krb5.conf there");
    refuses(&[etl, "--env=KRB5CCNAME=FILE:/nowhere/cc"], "/nowhere, the cache's folder, is not there");
    fs::set_permissions(&keytab, fs::Permissions::from_mode(0o400)).expect("a mode");
    refuses(&[etl], "service.keytab (0:0, mode 400) cannot be read as 50001:0: give it that group, and mode 0440");
}

/// A ticket that another principal left behind is none, and one's own is taken only from a keytab that works.
#[test]
fn a_keytab_that_works_no_more_is_told_although_the_old_ticket_is_good() {
    let Some(scene) = Scene::new() else { return };
    let old = scene.kdc.principal("etl", 3600);
    let stale = old.with_extension("stale");
    fs::copy(&old, &stale).expect("a keytab");
    let options = scene.options(&old);
    let principal = ["--env=KRB_PRINCIPAL=etl@EXAMPLE.TEST"];
    let sidecar = Container::start(&[&words(&options)[..], &principal].concat(), SIDECAR, &[]);
    sidecar.waits_for("{{.State.Health.Status}}", "healthy");
    drop(sidecar);
    // A new key, of which the copy knows nothing.
    fs::remove_file(&old).expect("a keytab");
    scene.kdc.new_key("etl");
    let options = scene.options(&stale);
    let sidecar = Container::start(&[&words(&options)[..], &principal].concat(), SIDECAR, &[]);
    wait_until("it is told", || sidecar.logs().contains("no ticket for etl@EXAMPLE.TEST"), || sidecar.logs());
    assert!(sidecar.logs().contains("again in 600 s"), "{}", sidecar.logs());
    assert!(scene.as_a_datakit("klist -s").status.success(), "the old one stays");
}

#[test]
fn kinit_of_the_datakits_base_reaches_the_kdc() {
    let Some(scene) = Scene::new() else { return };
    let keytab = format!("--volume={}:/krb5/keytabs/service.keytab:ro", scene.kdc.principal("etl", 600).display());
    let mounts = scene.mounts("rw");
    let options = [&["--network=host", "--user=50000:0", &keytab][..], &words(&mounts)].concat();
    let line = "kinit -k -t /krb5/keytabs/service.keytab etl && klist -s && klist | grep Default; test -s /etc/ssl/certs/ca-certificates.crt && echo trusts";
    let output = run(&options, BASE, &["sh", "-c", line]);
    assert_eq!(said(&output), "Default principal: etl@EXAMPLE.TEST\ntrusts\n");
}
