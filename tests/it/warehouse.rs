//! `//warehouse:postgres` in Docker: made on the first start, queried, stopped and started again.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::containers::{Container, Volume, run, wait_until};
use crate::platform::loaded;
use crate::support::{docker_engine, has};

const POSTGRES: &str = "registry.localhost/warehouse/postgres:0.1.0";
const NO_NETWORK: [&str; 4] =
    ["--network=none", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--health-interval=1s"];
const HEALTH: &str = "{{.State.Health.Status}}";

fn is_loaded() -> bool {
    has(&["docker"]) && docker_engine() && loaded(&["//warehouse:postgres"]).is_some()
}

/// A folder that containers may read, with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("a file");
    }
    folder
}

fn mounted(from: &str, to: &str) -> String {
    format!("--volume={from}:{to}")
}

#[test]
fn a_database_is_made_on_the_first_start_and_kept_by_the_next() {
    if !is_loaded() {
        return;
    }
    let scripts = folder(&[
        ("1.sql", "CREATE TABLE bronze (name text); INSERT INTO bronze VALUES ('żółw');"),
        ("2.sh", "psql -U \"$POSTGRES_USER\" -d \"$POSTGRES_DB\" -c \"INSERT INTO bronze VALUES ('of a script')\""),
    ]);
    let secrets = folder(&[("password", "s3cret\n")]);
    let data = Volume::new();
    let volumes = [
        mounted(&scripts.path().display().to_string(), "/docker-entrypoint-initdb.d:ro"),
        mounted(&secrets.path().display().to_string(), "/run/secrets:ro"),
        mounted(&data.name, "/var/lib/postgresql/data"),
    ];
    let variables = [
        "--env=POSTGRES_USER=loader",
        "--env=POSTGRES_DB=bronze",
        "--env=POSTGRES_PASSWORD_FILE=/run/secrets/password",
    ];
    let options = [&NO_NETWORK[..], &volumes.each_ref().map(String::as_str), &variables].concat();
    let server = Container::start(&options, POSTGRES, &[]);
    server.waits_for(HEALTH, "healthy");
    let query = |sql: &str| server.says(&["psql", "-U", "loader", "-d", "bronze", "-Atc", sql]);
    assert_eq!(query("SELECT name FROM bronze ORDER BY 1"), "of a script\nżółw");
    assert_eq!(query("SHOW server_encoding"), "UTF8");
    assert!(query("SELECT version()").starts_with("PostgreSQL 15."));
    only_the_password_opens_it_over_the_network(&server);
    assert_eq!(query("INSERT INTO bronze VALUES ('kept')"), "INSERT 0 1");
    assert_eq!(server.stop(), 0);
    assert!(server.logs().contains("received fast shutdown request"), "{}", server.logs());
    assert!(!server.logs().contains("s3cret"), "{}", server.logs());
    server.start_again();
    server.waits_for(HEALTH, "healthy");
    assert_eq!(query("SELECT count(*) FROM bronze"), "3");
}

fn only_the_password_opens_it_over_the_network(server: &Container) {
    let login = |password: &str| {
        let url = format!("postgresql://loader:{password}@127.0.0.1/bronze");
        server.exec(&["psql", &url, "-Atc", "SELECT 1"]).status.success()
    };
    assert!(login("s3cret") && !login("other"));
}

#[test]
fn a_first_start_that_failed_begins_again() {
    if !is_loaded() {
        return;
    }
    let scripts = folder(&[("1.sql", "CREATE TABLE half (x int);"), ("2.sql", "SELECT * FROM nothing;")]);
    let volume = mounted(&scripts.path().display().to_string(), "/docker-entrypoint-initdb.d:ro");
    let options = [&NO_NETWORK[..], &["--env=POSTGRES_HOST_AUTH_METHOD=trust", &volume]].concat();
    let server = Container::start(&options, POSTGRES, &[]);
    server.waits_for("{{.State.Status}}", "exited");
    assert!(server.logs().contains("relation \"nothing\" does not exist"), "{}", server.logs());
    fs::write(scripts.path().join("2.sql"), "INSERT INTO half VALUES (1);").expect("a file");
    server.start_again();
    let rows =
        || server.exec(&["psql", "-h", "127.0.0.1", "-U", "postgres", "-Atc", "SELECT count(*) FROM half"]).stdout;
    wait_until("the database is made", || rows() == b"1\n", || server.logs());
}

#[test]
fn it_says_what_a_first_start_needs() {
    if !is_loaded() {
        return;
    }
    let refuses = |options: &[&str], expected: &str| {
        let output = run(&[&NO_NETWORK[..], options].concat(), POSTGRES, &[]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && said.contains(expected), "{expected}: {output:?}");
    };
    refuses(&[], "set POSTGRES_PASSWORD, or POSTGRES_PASSWORD_FILE");
    refuses(&["--env=POSTGRES_PASSWORD=a", "--env=POSTGRES_PASSWORD_FILE=/b"], "are both set");
    refuses(&["--user=7:7"], "belongs to 999:999, and this runs as 7:7");
}
