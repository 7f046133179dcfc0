//! The authorities that are trusted: what HTTPS to registries and archives is held against.

use std::path::{Path, PathBuf};

use super::Finding;

/// Where Linux distributions keep them.
const USUAL: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// `named`: SSL_CERT_FILE, which stands for the system's. `needed`: anything is reached by HTTPS.
pub fn check(named: Option<&Path>, needed: bool) -> Finding {
    let of_system = || USUAL.iter().map(PathBuf::from).find(|path| path.is_file());
    let Some(file) = named.map(Path::to_owned).or_else(of_system) else {
        let fix = "install them (package ca-certificates)";
        return Finding::missing("certificates", "the system trusts no authority", fix).needed(needed);
    };
    let count = std::fs::read_to_string(&file).map_or(0, |text| text.matches("-----BEGIN CERTIFICATE-----").count());
    let shown = file.display();
    match (count, named.is_some()) {
        (0, true) => {
            let fix = "name a PEM file of authorities as SSL_CERT_FILE, or unset it";
            Finding::missing("certificates", format!("SSL_CERT_FILE is {shown}, which holds none"), fix).needed(needed)
        }
        (0, false) => {
            let fix = "install them again (package ca-certificates)";
            Finding::missing("certificates", format!("{shown} holds none"), fix).needed(needed)
        }
        (count, _) => Finding::fine("certificates", format!("{count} authorities in {shown}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn a_file_that_is_named_has_to_hold_some() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let missing = check(Some(file.path()), true);
        assert!(missing.state == State::Missing && missing.found.contains("SSL_CERT_FILE"), "{missing:?}");
        assert_eq!(check(Some(Path::new("/nowhere/ca.pem")), false).state, State::NotNeeded);
        std::fs::write(file.path(), "-----BEGIN CERTIFICATE-----\n").unwrap();
        assert!(check(Some(file.path()), true).found.starts_with("1 authorities in"));
    }
}
