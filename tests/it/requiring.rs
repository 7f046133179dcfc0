//! Requirements of images that are in a registry: Debian's `docker-registry` holds them, their label tells of them.

use crate::readers::programs::skopeo;
use crate::space::{PROGRAM, Ran, Space, digest};
use crate::support::{DockerRegistry, has};

const PLATFORM: &str = r#"
[image.base]
env = { KRB5_CONFIG = "/krb5/conf/krb5.conf" }
[image.base.requires]
KRB_REALM = { doc = "the realm", pattern = "[A-Z.]+" }
KRB_PASSWORD = { doc = "of the principal", secret = true }
KRB5_CONFIG = "path of the configuration"
"#;

const KIT: &str = "[image.kit]\nbase = \":base\"\nrequires = { MSSQL_SERVER = \"host of the source\" }\n";

/// Pushes the platform, whose registry the answer's workspace stands on.
fn published(registry: &DockerRegistry) -> Space {
    let space = Space::with(&format!("{PLATFORM}{KIT}[profile.upper]\nfrom-registry = [\"//:base\"]\n"));
    let pushed = run(&space, registry, "push //:base //:kit");
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    space
}

fn run(space: &Space, registry: &DockerRegistry, line: &str) -> Ran {
    space.run(["-q", "--registry", &registry.address].into_iter().chain(line.split(' ')))
}

/// NAME and FILLED BY of each row.
fn filled(ran: &Ran) -> Vec<(String, String)> {
    let row = |line: &str| {
        let cells: Vec<&str> = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        (cells[0].to_owned(), cells[2].to_owned())
    };
    ran.stdout.lines().skip(1).map(row).collect()
}

#[test]
fn a_reference_tells_the_whole_cascade_without_a_workspace() {
    let Some(registry) = DockerRegistry::start() else { return };
    drop(published(&registry));
    let nowhere = Space::empty();
    let reference = format!("{}/kit:latest", registry.address);
    let mut command = nowhere.command(PROGRAM);
    command.args(["env", &reference, "--check"]).env("KRB_REALM", "CORP").env("KRB_PASSWORD", "hunter2");
    let ran = nowhere.output(&mut command);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    let image = format!("env of {reference}");
    let expected = [
        ("MSSQL_SERVER", "nobody"),
        ("KRB5_CONFIG", &*image),
        ("KRB_PASSWORD", "set"),
        ("KRB_REALM", "this environment"),
    ];
    assert_eq!(filled(&ran), expected.map(|(name, by)| (name.to_owned(), by.to_owned())));
    assert!(!format!("{ran:?}").contains("hunter2") && ran.stderr.contains("1 of 4 variables"), "{ran:?}");

    let gone = nowhere.run(["env", &format!("{}/kit:gone", registry.address)]);
    assert_eq!((gone.code, gone.stdout.as_str()), (2, ""), "{}", gone.stderr);
}

#[test]
fn the_label_is_the_same_however_the_base_came() {
    let Some(registry) = DockerRegistry::start() else { return };
    if !has(&["skopeo"]) {
        return;
    }
    let space = published(&registry);
    let built = digest(&space.run(["-q", "build", "//:kit"]));
    assert_eq!(run(&space, &registry, "--profile upper lock").code, 0);
    let taken = run(&space, &registry, "--profile upper build //:kit");
    assert_eq!(digest(&taken), built, "{}", taken.stderr);
    let config = skopeo(&["inspect", "--config", "--tls-verify=false", &format!("docker://{}/kit", registry.address)]);
    let config: serde_json::Value = serde_json::from_slice(&config.expect("a config")).expect("JSON");
    let expected = concat!(
        r#"{"KRB5_CONFIG":{"doc":"path of the configuration"},"KRB_PASSWORD":{"doc":"of the principal","secret":true},"#,
        r#""KRB_REALM":{"doc":"the realm","pattern":"[A-Z.]+"},"MSSQL_SERVER":{"doc":"host of the source"}}"#
    );
    assert_eq!(config["config"]["Labels"]["dev.layerbuild.requires"], expected);

    let shown = run(&space, &registry, "--profile upper env //:kit");
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    let rows: Vec<(String, String)> = filled(&shown);
    assert_eq!(rows[3], ("KRB5_CONFIG".to_owned(), "env of //:base".to_owned()), "{shown:?}");
    assert!(shown.stdout.contains("KRB_REALM     //:base   nobody"), "{}", shown.stdout);
}

#[test]
fn what_contradicts_the_label_of_a_pulled_base_is_told_by_env_and_by_a_build() {
    let Some(registry) = DockerRegistry::start() else { return };
    drop(published(&registry));
    let space = Space::with(
        &format!(
            "[pull.base]\nimage = \"{}/base:latest\"\n{KIT}KRB_REALM = \"the realm, said again\"\n\
         [image.other]\nbase = \":base\"\nrequires = {{ KRB_REALM = {{ doc = \"x\", pattern = \".*\" }} }}\n\
         [image.wrong]\nbase = \":base\"\nenv = {{ KRB_REALM = \"corp\" }}\n\
         [image.secret]\nbase = \":base\"\nenv = {{ KRB_PASSWORD = \"hunter2\" }}\n",
            registry.address
        )
        .replace(
            "source\" }\nKRB_REALM = \"the realm, said again\"",
            "source\", KRB_REALM = \"the realm, said again\" }",
        ),
    );
    assert_eq!(space.layerbuild("lock").code, 0);
    let fine = space.layerbuild("-q build //:kit");
    assert_eq!(fine.code, 0, "{}", fine.stderr);
    for (label, told) in [
        (
            "other",
            "of the required `KRB_REALM` the pattern is `.*`, but `[A-Z.]+` in the image below (dev.layerbuild.requires)",
        ),
        ("wrong", "the value in `env` of `KRB_REALM` does not match its pattern"),
        ("secret", "the secret `KRB_PASSWORD` is set in an image's `env`"),
    ] {
        let ran = space.layerbuild(&format!("-q build //:{label}"));
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{label}: {}", ran.stderr);
        assert!(ran.stderr.contains(told), "{label}: {}", ran.stderr);
        assert!(ran.stderr.matches("hunter2").count() == 0, "{label}: {}", ran.stderr);
    }
    let ran = space.layerbuild("env //:other");
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{}", ran.stderr);
    for told in [
        "//:other and //:base require `KRB_REALM` with another pattern",
        "^^^^^^^^^ required here",
        "in the label dev.layerbuild.requires of //:base",
    ] {
        assert!(ran.stderr.contains(told), "{}", ran.stderr);
    }
}
