//! Archives from a URL, served by a few lines of HTTP: what came is what was asked for, or the build says why not.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;

use layerbuild::digest::Digest;

use crate::space::{Space, digest};

/// Serves one answer to whoever asks, until the test process ends; gives its address.
pub fn serve(status: &str, body: &[u8], length: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let mut answer = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n").into_bytes();
    answer.extend_from_slice(body);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(&answer);
        }
    });
    address
}

/// An archive of one file.
pub fn tar(content: &[u8]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    builder.append_data(&mut header, "file", content).expect("a tar");
    builder.into_inner().expect("a tar")
}

/// A workspace with one archive from an address.
pub fn space(address: &str, sha256: Digest) -> Space {
    let hex = sha256.to_string().replace("sha256:", "");
    Space::with(&format!("[tar.t]\nurl    = \"http://{address}/x.tar\"\nsha256 = \"{hex}\"\n"))
}

#[test]
fn an_archive_is_fetched_once_and_a_damaged_one_again() {
    let archive = tar(b"hello");
    let space = space(&serve("200 OK", &archive, archive.len()), Digest::of(&archive));
    let first = space.layerbuild("//:t");
    assert_eq!(first.code, 0, "{first:?}");
    let offline = space.layerbuild("--offline //:t");
    assert_eq!((offline.code, &offline.stdout), (0, &first.stdout), "{offline:?}");
    // Its layer is gone, and the archive that it is made of has another byte in the file: no format notices that.
    let hex = Digest::of(&archive).to_string().replace("sha256:", "");
    let stored = space.cache().join("blobs/sha256").join(&hex[..2]).join(&hex);
    let mut damaged = fs::read(&stored).expect("a blob");
    damaged[512] ^= 1;
    fs::remove_file(&stored).expect("a blob");
    fs::write(&stored, damaged).expect("a blob");
    let layer = digest(&first).replace("sha256:", "");
    fs::remove_file(space.cache().join("blobs/sha256").join(&layer[..2]).join(&layer)).expect("a layer");
    let again = space.layerbuild("//:t");
    assert_eq!((again.code, &again.stdout), (0, &first.stdout), "{again:?}");
    assert!(again.stderr.contains("was damaged and is removed"), "{again:?}");
}

#[test]
fn other_content_than_asked_for_is_refused() {
    let archive = tar(b"hello");
    let space = space(&serve("200 OK", &archive, archive.len()), Digest::of(b"another"));
    let ran = space.layerbuild("//:t");
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains(&format!("has digest {}", Digest::of(&archive))), "{ran:?}");
    assert!(ran.stderr.contains("if the new content is meant, change `sha256`"), "{ran:?}");
    assert!(ran.stderr.contains("--> layers.toml:4:6"), "{ran:?}");
}

#[test]
fn an_answer_that_breaks_off_or_says_no_is_the_environments_fault() {
    let archive = tar(b"hello");
    for (address, told) in [
        (serve("200 OK", &archive, archive.len() + 100), "cannot fetch"),
        (serve("404 Not Found", b"", 0), "404 Not Found"),
        ("127.0.0.1:1".to_owned(), "Connection refused"),
    ] {
        let ran = space(&address, Digest::of(&archive)).layerbuild("//:t");
        assert_eq!(ran.code, 36, "{ran:?}");
        assert!(ran.stderr.contains(told), "{told}: {ran:?}");
    }
}
