//! A real KDC (MIT's) for tests: a realm of its own on a free port of this machine's loopback.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::has;

/// The realm.
pub const REALM: &str = "EXAMPLE.TEST";

/// A KDC with its database; stopped, and gone, when dropped.
pub struct Kdc {
    folder: tempfile::TempDir,
    address: String,
    child: Option<Child>,
}

impl Kdc {
    /// Starts one without principals of ours. `None` without its programs (see [`has`]).
    pub fn start() -> Option<Kdc> {
        if !has(&["krb5kdc", "kadmin.local", "kdb5_util"]) {
            return None;
        }
        let address = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
        let mut kdc = Kdc { folder: tempfile::tempdir().expect("a folder"), address: address.to_string(), child: None };
        kdc.configure();
        kdc.run("kdb5_util", &["create", "-s", "-r", REALM, "-P", "only for this test"]);
        kdc.resume();
        Some(kdc)
    }

    fn configure(&self) {
        let (address, folder) = (&self.address, self.folder.path().display());
        let client = format!(
            "[libdefaults]\n default_realm = {REALM}\n dns_lookup_kdc = false\n dns_lookup_realm = false\n rdns = false\n \
             dns_canonicalize_hostname = false\n udp_preference_limit = 1\n[realms]\n {REALM} = {{\n  kdc = {address}\n }}\n"
        );
        let server = format!(
            "[kdcdefaults]\n kdc_listen = {address}\n kdc_tcp_listen = {address}\n[realms]\n {REALM} = {{\n  \
             database_name = {folder}/db\n  key_stash_file = {folder}/stash\n  acl_file = {folder}/acl\n  \
             supported_enctypes = aes256-cts:normal\n }}\n"
        );
        fs::write(self.krb5_conf(), client).expect("a configuration");
        fs::write(self.path("kdc.conf"), server).expect("a configuration");
        // Containers look into it as other users.
        fs::set_permissions(self.folder.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The clients' configuration.
    pub fn krb5_conf(&self) -> PathBuf {
        self.path("krb5.conf")
    }

    /// Makes a principal whose tickets live so many seconds; a keytab with its key, readable for group 0.
    pub fn principal(&self, name: &str, life: u32) -> PathBuf {
        let keytab = self.path(&name.replace(['/', ':'], "_")).with_extension("keytab");
        self.admin(&format!("addprinc -randkey -maxlife \"{life} seconds\" {name}"));
        self.admin(&format!("ktadd -k {} {name}", keytab.display()));
        fs::set_permissions(&keytab, fs::Permissions::from_mode(0o440)).expect("a mode");
        keytab
    }

    /// Another key for a principal: its keytabs are worth nothing any more.
    pub fn new_key(&self, name: &str) {
        self.admin(&format!("cpw -randkey {name}"));
    }

    fn admin(&self, query: &str) {
        self.run("kadmin.local", &["-r", REALM, "-q", query]);
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let output = self.command(program).args(arguments).output().expect("a program of the KDC");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("KRB5_CONFIG", self.krb5_conf()).env("KRB5_KDC_PROFILE", self.path("kdc.conf"));
        command.stdin(Stdio::null());
        command
    }

    /// Nobody answers any more.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts again, on the same port, what was stopped; waits until it answers.
    pub fn resume(&mut self) {
        let mut command = self.command("krb5kdc");
        command.args(["-n", "-r", REALM, "-P"]).arg(self.path("pid")).stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().expect("krb5kdc runs"));
        let answers = (0..500).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            TcpStream::connect(&self.address).is_ok()
        });
        assert!(answers, "krb5kdc did not start");
    }
}

impl Drop for Kdc {
    fn drop(&mut self) {
        self.stop();
    }
}
