//! Tests of whom we trust and contact: TLS with every mistake that a certificate can have, proxies, `allow-hosts`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use super::fake::{Fake, Reply, Seen};
use super::*;
use crate::reference::Reference;

const MANIFEST: &str = r#"{"schemaVersion":2}"#;

fn well(seen: &Seen) -> Reply {
    Reply::new(200).body(if seen.line.contains("/manifests/") { MANIFEST } else { "" })
}

/// An authority with a folder for its files.
struct Authority {
    folder: tempfile::TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Authority {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).expect("a file");
        Authority { folder, issuer }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A certificate for `name`, valid in `years`.
    fn certify(&self, name: &str, years: (i32, i32)) -> (rcgen::Certificate, KeyPair) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
        (params.not_before, params.not_after) = (date_time_ymd(years.0, 1, 1), date_time_ymd(years.1, 1, 1));
        let key = KeyPair::generate().expect("a key");
        (params.signed_by(&key, &self.issuer).expect("a certificate"), key)
    }

    /// A server that shows a certificate for `name`; with `clients`, only to who has one of that authority.
    fn server(&self, name: &str, years: (i32, i32), clients: Option<&Authority>) -> Fake {
        crate::tls::install_provider();
        let (certificate, key) = self.certify(name, years);
        let builder = ServerConfig::builder();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.issuer.der().clone()).expect("a root");
                let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().expect("a verifier");
                builder.with_client_cert_verifier(verifier)
            }
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let config = builder.with_single_cert(vec![certificate.der().clone()], key).expect("a configuration");
        Fake::start_tls(config, well)
    }

    /// Writes a certificate for a client and its key.
    fn identity(&self) -> ClientIdentity {
        let (certificate, key) = self.certify("bob", GOOD);
        let identity = ClientIdentity { certificate: self.path("client.pem"), key: self.path("client.key") };
        std::fs::write(&identity.certificate, certificate.pem()).expect("a file");
        std::fs::write(&identity.key, key.serialize_pem()).expect("a file");
        identity
    }
}

const GOOD: (i32, i32) = (2020, 2090);

fn config() -> ClientConfig {
    ClientConfig { retry: RetryPolicy::immediate(1), ..ClientConfig::default() }
}

fn with_host(registry: &str, host: HostConfig) -> ClientConfig {
    ClientConfig { hosts: [(registry.parse().expect("a registry"), host)].into(), ..config() }
}

fn trusting(ca: &Path) -> HostConfig {
    HostConfig { ca: Some(ca.to_owned()), ..HostConfig::default() }
}

fn resolve(config: ClientConfig, registry: &str) -> Result<Document, RegistryError> {
    let reference: Reference = format!("{registry}/a/b:t").parse().expect("a reference");
    Puller::new(config)?.resolve(&reference)
}

fn refused(config: ClientConfig, registry: &str) -> String {
    resolve(config, registry).expect_err("refused").to_string()
}

#[test]
fn a_registrys_own_authority_is_trusted_for_it() {
    let authority = Authority::new("ours");
    let fake = authority.server("127.0.0.1", GOOD, None);
    resolve(with_host(&fake.address, trusting(&authority.path("ca.pem"))), &fake.address).expect("trusted");
}

#[test]
fn each_mistake_of_a_certificate_is_told_with_what_to_do() {
    let (authority, other) = (Authority::new("ours"), Authority::new("another"));
    for (fake, ca, why, advice) in [
        (authority.server("127.0.0.1", GOOD, None), &other, "UnknownIssuer", "name its file as `ca`"),
        (authority.server("127.0.0.1", (2001, 2002), None), &authority, "expired", "this machine's clock"),
        (authority.server("h.test", GOOD, None), &authority, "not valid for name", "the name that it is for"),
    ] {
        let said = refused(with_host(&fake.address, trusting(&ca.path("ca.pem"))), &fake.address);
        assert!(said.contains(why) && said.contains(advice) && said.contains(&fake.address), "{said}");
        assert_eq!(fake.seen().len(), 0, "nothing was asked");
    }
}

#[test]
fn a_registry_that_wants_a_certificate_of_ours_gets_it() {
    let authority = Authority::new("ours");
    let fake = authority.server("127.0.0.1", GOOD, Some(&authority));
    let host = trusting(&authority.path("ca.pem"));
    let said = refused(with_host(&fake.address, host.clone()), &fake.address);
    assert!(said.contains("client-cert"), "{said}");
    let host = HostConfig { identity: Some(authority.identity()), ..host };
    resolve(with_host(&fake.address, host), &fake.address).expect("known");
}

#[test]
fn files_of_trust_that_cannot_be_used_are_the_users_mistake_and_named() {
    let authority = Authority::new("ours");
    let fake = authority.server("127.0.0.1", GOOD, None);
    std::fs::write(authority.path("empty.pem"), "no certificate").expect("a file");
    let identity = authority.identity();
    let swapped = ClientIdentity { certificate: identity.certificate.clone(), key: authority.path("ca.pem") };
    for (host, key, name) in [
        (trusting(&authority.path("none.pem")), "`ca`", "none.pem"),
        (trusting(&authority.path("empty.pem")), "`ca`", "empty.pem"),
        (HostConfig { identity: Some(swapped), ..HostConfig::default() }, "`client-cert`", "client.pem"),
    ] {
        let error = resolve(with_host(&fake.address, host), &fake.address).expect_err("no trust");
        let said = error.to_string();
        assert!(
            error.is_mistake() && said.contains(key) && said.contains(name) && said.contains(&fake.address),
            "{said}"
        );
    }
}

#[test]
fn plain_http_is_for_this_machine_or_where_it_is_said() {
    let fake = Fake::start(well);
    resolve(config(), &fake.address).expect("this machine");
    let secure = HostConfig { insecure: Some(false), ..HostConfig::default() };
    let said = refused(with_host(&fake.address, secure), &fake.address);
    assert!(said.contains("insecure = true"), "{said}");
}

/// A proxy that answers itself what is asked of it in plain HTTP.
fn through(fake: &Fake) -> Proxies {
    Proxies { all: format!("http://bob:hunter2@{}", fake.address), ..Proxies::default() }
}

#[test]
fn a_proxy_is_used_with_its_password_and_not_for_hosts_that_no_proxy_names() {
    let proxy = Fake::start(well);
    let insecure = with_host("h.test", HostConfig::insecure());
    let config = ClientConfig { proxies: through(&proxy), ..insecure };
    resolve(config.clone(), "h.test").expect("through the proxy");
    let seen = proxy.seen().remove(0);
    assert_eq!(seen.line, "GET http://h.test/v2/");
    assert_eq!(seen.header("proxy-authorization"), Some("Basic Ym9iOmh1bnRlcjI="));
    let direct = Proxies { no: "h.test".into(), ..through(&proxy) };
    refused(ClientConfig { proxies: direct, ..config }, "h.test");
    assert_eq!(proxy.seen().len(), 2, "the second went elsewhere");
}

#[test]
fn a_proxy_that_fails_is_named_without_its_password() {
    let proxy = Fake::start(|_| Reply::new(407));
    for registry in ["h.test", "p.test"] {
        let config = ClientConfig { proxies: through(&proxy), ..with_host("p.test", HostConfig::insecure()) };
        let said = refused(config, registry);
        let named = format!("through the proxy http://{}", proxy.address);
        assert!(said.contains(&named) && !said.contains("hunter2"), "{said}");
    }
}

#[test]
fn a_name_that_does_not_exist_and_a_registry_that_is_down_are_told_apart() {
    let said = refused(config(), "nowhere.invalid");
    assert!(said.contains("nowhere.invalid:443 (") && said.contains("lookup"), "{said}");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let said = refused(config(), &nobody.to_string());
    assert!(said.contains("Connection refused") && said.contains("start one with"), "{said}");
}

/// Only these hosts may be contacted.
fn allowing(patterns: &[&str]) -> ClientConfig {
    let patterns = patterns.iter().map(|pattern| pattern.parse().expect("a pattern")).collect();
    ClientConfig { allow: vec![AllowHosts(patterns)], ..config() }
}

#[test]
fn hosts_that_are_not_allowed_are_not_contacted() {
    let fake = Fake::start(well);
    let error = resolve(allowing(&["other.test"]), &fake.address).expect_err("forbidden");
    assert!(error.is_mistake() && error.to_string().contains("`allow-hosts`"), "{error}");
    assert_eq!(fake.seen().len(), 0);
    resolve(allowing(&["other.test", "127.0.0.1"]), &fake.address).expect("allowed");
    let mut both = allowing(&["127.0.0.1"]);
    both.allow.extend(allowing(&["other.test"]).allow);
    resolve(both, &fake.address).expect_err("each list must allow it");
}

#[test]
fn token_servers_and_redirects_must_be_allowed_too() {
    let other = Fake::start(|_| Reply::new(200).body(r#"{"token":"x"}"#));
    let realm = format!("Bearer realm=\"http://{}/token\"", other.address);
    let asking = Fake::start(move |_| Reply::new(401).with("www-authenticate", realm.clone()));
    let location = format!("http://{}/m", other.address);
    let sending = Fake::start(move |seen| match seen.line.contains("/manifests/") {
        true => Reply::new(307).with("location", location.clone()),
        false => Reply::new(200),
    });
    for fake in [asking, sending] {
        let said = refused(allowing(&[&fake.address]), &fake.address);
        assert!(said.contains(&format!("`{}` is not contacted", other.address)), "{said}");
    }
    assert_eq!(other.seen().len(), 0);
}

#[test]
fn offline_names_whom_it_would_have_asked_and_asks_nobody() {
    let fake = Fake::start(well);
    let mirrors = vec![format!("{}/m", fake.address).parse().expect("a mirror")];
    let host = HostConfig { mirrors, ..HostConfig::default() };
    let error = resolve(ClientConfig { offline: true, ..with_host("a.test", host) }, "a.test").expect_err("offline");
    let expected = format!(
        "--offline forbids to ask `{}` and `a.test` for `a.test/a/b:t`: run it once without --offline",
        fake.address
    );
    assert_eq!(error.to_string(), expected);
    assert!(!error.is_mistake() && fake.seen().is_empty());
}
