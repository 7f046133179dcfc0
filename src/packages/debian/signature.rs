//! The signature of an `InRelease`, checked by gpgv: the program that apt asks, and that every Debian has.
//!
//! Signed bytes and keyrings in, the text that was signed out: never more than what the signature covers.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine;

/// Why a signature doesn't count. Reads on after what was signed.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// gpgv can't be started.
    #[error("can't be checked: gpgv can't be started: {0}")]
    NoProgram(std::io::Error),
    /// There are no keys.
    #[error("can't be checked: no keyring is there ({0})")]
    NoKeyring(String),
    /// A file of ours can't be written or read.
    #[error("can't be checked: {0}")]
    Io(#[from] std::io::Error),
    /// It is signed by keys that aren't in the keyrings.
    #[error("is signed by {keys}, which the keyrings {keyrings} don't hold")]
    UnknownKey {
        /// Their ids.
        keys: String,
        /// What was looked through.
        keyrings: String,
    },
    /// The key has expired, or was revoked.
    #[error("is signed by a key that has {0}")]
    Ended(&'static str),
    /// The content is not what was signed, or nothing was.
    #[error("has no valid signature: {0}")]
    Bad(String),
}

/// What an `InRelease` says, if a key of the keyrings has signed it. Keyrings may be armoured.
pub fn verified(signed: &[u8], keyrings: &[PathBuf], inline: Option<&str>) -> Result<String, SignatureError> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("InRelease");
    std::fs::write(&file, signed)?;
    let binary = binary_keyrings(keyrings, inline, folder.path())?;
    let mut gpgv = Command::new("gpgv");
    gpgv.arg("--homedir").arg(folder.path()).args(["--status-fd", "2", "--output", "-"]);
    binary.iter().for_each(|keyring| _ = gpgv.arg("--keyring").arg(keyring));
    let output = gpgv.env("LC_ALL", "C").arg(&file).output().map_err(SignatureError::NoProgram)?;
    judge(&String::from_utf8_lossy(&output.stderr), keyrings)?;
    String::from_utf8(output.stdout).map_err(|_| SignatureError::Bad("it is no text".into()))
}

/// gpgv reads binary keyrings only.
fn binary_keyrings(keyrings: &[PathBuf], inline: Option<&str>, folder: &Path) -> Result<Vec<PathBuf>, SignatureError> {
    let mut texts: Vec<Vec<u8>> = Vec::new();
    for keyring in keyrings {
        texts.extend(std::fs::read(keyring).ok().filter(|bytes| !bytes.is_empty()));
    }
    texts.extend(inline.map(|key| key.as_bytes().to_vec()));
    if texts.is_empty() {
        return Err(SignatureError::NoKeyring(named(keyrings)));
    }
    let mut written = Vec::new();
    for (number, bytes) in texts.into_iter().enumerate() {
        let path = folder.join(format!("{number}.gpg"));
        let binary = if bytes.starts_with(b"-----BEGIN") { dearmoured(&bytes)? } else { bytes };
        std::fs::File::create(&path)?.write_all(&binary)?;
        written.push(path);
    }
    Ok(written)
}

fn named(keyrings: &[PathBuf]) -> String {
    let names: Vec<String> = keyrings.iter().map(|path| path.display().to_string()).collect();
    if names.is_empty() { "none is configured".into() } else { names.join(", ") }
}

/// The binary form of armoured blocks (RFC 9580, 6.2); the checksum is not looked at.
fn dearmoured(text: &[u8]) -> Result<Vec<u8>, SignatureError> {
    let text = String::from_utf8_lossy(text);
    let mut binary = Vec::new();
    for block in text.split("-----BEGIN PGP PUBLIC KEY BLOCK-----").skip(1) {
        let block = block.split("-----END").next().unwrap_or(block);
        let body = block.replace('\r', "");
        let body = body.split_once("\n\n").map_or(body.as_str(), |(_, body)| body);
        let body: String = body.lines().filter(|line| !line.starts_with('=')).collect();
        let bytes = base64::engine::general_purpose::STANDARD.decode(body.trim());
        binary.extend(bytes.map_err(|error| SignatureError::Bad(format!("a key is not armoured rightly: {error}")))?);
    }
    Ok(binary)
}

/// One good signature is enough, and a bad one too much (gnupg, doc/DETAILS).
fn judge(status: &str, keyrings: &[PathBuf]) -> Result<(), SignatureError> {
    let said = |what: &'static str| {
        let lines = status.lines().filter_map(|line| line.strip_prefix("[GNUPG:] "));
        lines.filter_map(move |line| line.strip_prefix(what)).map(str::trim)
    };
    if said("BADSIG").next().is_some() {
        return Err(SignatureError::Bad("its content was changed after it was signed".into()));
    }
    if said("GOODSIG").next().is_some() && said("VALIDSIG").next().is_some() {
        return Ok(());
    }
    if said("EXPKEYSIG").next().is_some() {
        return Err(SignatureError::Ended("expired"));
    }
    if said("REVKEYSIG").next().is_some() {
        return Err(SignatureError::Ended("been revoked"));
    }
    let mut keys: Vec<&str> = said("NO_PUBKEY").collect();
    keys.dedup();
    if !keys.is_empty() {
        return Err(SignatureError::UnknownKey { keys: keys.join(" and "), keyrings: named(keyrings) });
    }
    let last = status.lines().rfind(|line| !line.starts_with("[GNUPG:]")).unwrap_or("there is none");
    Err(SignatureError::Bad(last.trim_start_matches("gpgv: ").to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn armour_is_taken_off() {
        let text = b"-----BEGIN PGP PUBLIC KEY BLOCK-----\nComment: x\n\naGVs\nbG8=\n=abcd\n-----END PGP PUBLIC KEY BLOCK-----\n";
        assert_eq!(dearmoured(text).unwrap(), b"hello");
        assert!(dearmoured(b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n%%%\n-----END").is_err());
    }

    #[test]
    fn statuses_are_judged() {
        let judged = |lines: &[&str]| {
            let text: String = lines.iter().map(|line| format!("[GNUPG:] {line}\n")).collect();
            judge(&text, &["/k.gpg".into()]).map_err(|error| error.to_string())
        };
        assert!(judged(&["GOODSIG A x", "VALIDSIG A"]).is_ok());
        assert!(judged(&["ERRSIG B", "NO_PUBKEY B", "GOODSIG A x", "VALIDSIG A"]).is_ok());
        assert!(judged(&["BADSIG B x", "GOODSIG A x", "VALIDSIG A"]).unwrap_err().contains("changed"));
        assert!(judged(&["EXPKEYSIG A x", "VALIDSIG A"]).unwrap_err().contains("expired"));
        assert!(judged(&["NO_PUBKEY AB12"]).unwrap_err().contains("signed by AB12, which the keyrings /k.gpg"));
        assert!(judged(&[]).unwrap_err().contains("no valid signature"));
    }
}
