//! Pulls from Debian's `docker-registry`, of what skopeo put there, and trust in its certificates: two programs that
//! know nothing of us.

use std::path::PathBuf;
use std::process::Command;

use layerbuild::digest::Digest;
use layerbuild::registry::{BlobDescriptor, ClientConfig, HostConfig, Puller, RegistryError, RetryPolicy};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use crate::space::{Ran, Space};
use crate::support::{DockerRegistry, has};

const FILES: &str = "[files.f]\ncontent = { \"/hello\" = \"hello\" }\n[image.app]\nlayers = [\":f\"]\n";

fn skopeo(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("skopeo").args(arguments).output().expect("skopeo runs");
    assert!(output.status.success(), "skopeo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Pushes an image of ours, and lets skopeo copy it in another format.
fn published(registry: &DockerRegistry, format: &str, to: &str) {
    let space = Space::with(FILES);
    let pushed = space.run(["--registry", &registry.address, "push", "//:app"]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    let from = format!("docker://{}/app:latest", registry.address);
    let to = format!("docker://{}/{to}", registry.address);
    let plain = ["--insecure-policy", "copy", "--quiet", "--src-tls-verify=false", "--dest-tls-verify=false"];
    skopeo(&[&plain[..], &["--format", format, &from, &to]].concat());
}

#[test]
fn what_skopeo_put_below_a_mirrors_deep_path_is_pulled_as_docker_io() {
    if !has(&["skopeo"]) {
        return;
    }
    let Some(registry) = DockerRegistry::start() else { return };
    published(&registry, "v2s2", "corp/docker-remote/library/app:12");
    let mirrors = vec![format!("{}/corp/docker-remote", registry.address).parse().expect("a mirror")];
    let host = HostConfig { mirrors, ..HostConfig::default() };
    let hosts = [("docker.io".parse().expect("a registry"), host)].into();
    let puller = Puller::new(ClientConfig { hosts, ..ClientConfig::default() }).expect("a puller");
    let reference = "docker.io/app:12".parse().expect("a reference");
    let document = puller.resolve(&reference).expect("a manifest");
    let there = format!("docker://{}/corp/docker-remote/library/app:12", registry.address);
    assert_eq!(document.bytes, skopeo(&["inspect", "--raw", "--tls-verify=false", &there]));
    assert_eq!(document.media_type, "application/vnd.docker.distribution.manifest.v2+json");
    assert_eq!(puller.head(&reference), Ok(Some(document.digest)));
    let repository = reference.repository().expect("a repository");
    assert_eq!(puller.tags(&repository), Ok(vec!["12".to_owned()]));
    for blob in blobs(&document.bytes) {
        let mut bytes = Vec::new();
        puller.blob(&repository, &blob, &mut bytes).expect("a blob");
        assert_eq!((Digest::of(&bytes), bytes.len() as u64), (blob.digest, blob.size));
    }
}

/// The config and the layers that a manifest names.
fn blobs(manifest: &[u8]) -> Vec<BlobDescriptor> {
    let manifest: serde_json::Value = serde_json::from_slice(manifest).expect("a manifest");
    let layers = manifest["layers"].as_array().expect("layers");
    let blob = |value: &serde_json::Value| BlobDescriptor {
        digest: value["digest"].as_str().expect("a digest").parse().expect("a digest"),
        size: value["size"].as_u64().expect("a size"),
    };
    layers.iter().chain([&manifest["config"]]).map(blob).collect()
}

#[test]
fn a_schema_1_image_is_refused_with_what_to_do() {
    if !has(&["skopeo"]) {
        return;
    }
    let Some(registry) = DockerRegistry::with("compatibility: {schema1: {enabled: true}}") else { return };
    published(&registry, "v2s1", "old:1");
    let puller = Puller::new(ClientConfig::default()).expect("a puller");
    let reference = format!("{}/old:1", registry.address).parse().expect("a reference");
    let error = puller.resolve(&reference).expect_err("schema 1");
    assert!(matches!(error, RegistryError::Schema1 { .. }) && error.is_mistake(), "{error}");
}

/// An authority's, a server's and a client's certificate, in files.
struct Pki(tempfile::TempDir);

impl Pki {
    fn new() -> Pki {
        let pki = Pki(tempfile::tempdir().expect("a folder"));
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.distinguished_name.push(DnType::CommonName, "tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority =
            CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
        std::fs::write(pki.path("ca.pem"), authority.pem()).expect("a file");
        for (file, name) in [("server", "127.0.0.1"), ("client", "bob")] {
            let key = KeyPair::generate().expect("a key");
            let params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
            let certificate = params.signed_by(&key, &authority).expect("a certificate");
            std::fs::write(pki.path(&format!("{file}.pem")), certificate.pem()).expect("a file");
            std::fs::write(pki.path(&format!("{file}.key")), key.serialize_pem()).expect("a file");
        }
        pki
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A registry that speaks TLS only. `more`: further entries of its `tls`.
    fn registry(&self, more: &str) -> Option<DockerRegistry> {
        let (certificate, key) = (self.path("server.pem"), self.path("server.key"));
        let tls = format!(", tls: {{certificate: {}, key: {}{more}}}", certificate.display(), key.display());
        DockerRegistry::with_http(&tls, "")
    }

    /// Pushes to a registry of which the workspace says this; `$PKI` is our folder.
    fn push(&self, registry: &DockerRegistry, said: &str, roots: Option<&str>) -> Ran {
        let said = said.replace("$PKI", &self.0.path().to_string_lossy());
        let space = Space::with(&format!("{FILES}[registry.\"{}\"]\n{said}\n", registry.address));
        let mut command = space.command("layerbuild");
        command.args(["--registry", &registry.address, "push", "//:app"]);
        command.envs(roots.map(|roots| ("SSL_CERT_FILE", self.path(roots))));
        space.output(&mut command)
    }
}

#[test]
fn a_registry_is_trusted_by_the_roots_of_ssl_cert_file_or_by_its_own_ca() {
    let pki = Pki::new();
    let Some(registry) = pki.registry("") else { return };
    let unknown = pki.push(&registry, "insecure = false", None);
    assert_eq!(unknown.code, 36);
    assert!(unknown.stderr.contains("UnknownIssuer") && unknown.stderr.contains("SSL_CERT_FILE"), "{}", unknown.stderr);
    for (said, roots) in [("insecure = false", Some("ca.pem")), ("ca = \"$PKI/ca.pem\"", None)] {
        let pushed = pki.push(&registry, said, roots);
        assert_eq!(pushed.code, 0, "{said}: {}", pushed.stderr);
    }
}

#[test]
fn a_registry_that_wants_our_certificate_gets_it() {
    let pki = Pki::new();
    let clients = format!(", clientcas: [{}]", pki.path("ca.pem").display());
    let Some(registry) = pki.registry(&clients) else { return };
    let host = HostConfig { ca: Some(pki.path("ca.pem")), ..HostConfig::default() };
    let hosts = [(registry.address.parse().expect("a registry"), host)].into();
    let config = ClientConfig { hosts, retry: RetryPolicy::immediate(2), ..ClientConfig::default() };
    let reference = format!("{}/app:latest", registry.address).parse().expect("a reference");
    let stranger = Puller::new(config).expect("a puller").resolve(&reference).expect_err("a stranger");
    assert!(stranger.to_string().contains("`client-cert`"), "{stranger}");
    let ours = "ca = \"$PKI/ca.pem\"\nclient-cert = \"$PKI/client.pem\"\nclient-key = \"$PKI/client.key\"";
    let pushed = pki.push(&registry, ours, None);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
}
