//! For tests: small layers and images made by hand, and a guard for tests that need a tool of the machine.

use std::io::Write;
use std::process::Command;

use crate::digest::{DiffId, Digest};
use crate::oci::blob_source::MemoryBlobs;
use crate::oci::descriptor::{Descriptor, Layer};
use crate::oci::image::{Base, Image, NewLayer};
use crate::oci::image_spec::ImageSpec;
use crate::oci::media_type::{OCI_TAR, OCI_TAR_GZIP, OCI_TAR_ZSTD};

/// A tar with one file.
pub fn tar(path: &str, content: &str) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_mtime(0);
    builder.append_data(&mut header, path, content.as_bytes()).unwrap();
    builder.into_inner().unwrap()
}

/// A blob in two gzip members, as our chunks are.
pub fn gzip(tar: &[u8]) -> Vec<u8> {
    let member = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let (first, second) = tar.split_at(tar.len() / 2);
    [member(first), member(second)].concat()
}

/// Adds a layer with one file, compressed as the media type says.
pub fn layer(blobs: &mut MemoryBlobs, media_type: &str, path: &str, content: &str) -> NewLayer {
    let tar = tar(path, content);
    let blob = match media_type {
        OCI_TAR => tar.clone(),
        OCI_TAR_GZIP => gzip(&tar),
        OCI_TAR_ZSTD => zstd::stream::encode_all(tar.as_slice(), 3).unwrap(),
        other => panic!("no sample of {other}"),
    };
    let layer = Layer { descriptor: Descriptor::of(media_type, &blob), diff_id: DiffId(Digest::of(&tar)) };
    blobs.add(blob);
    NewLayer { layer, created_by: Some(format!("files {path}")) }
}

/// An image with its config and manifest added to the blobs.
pub fn image(blobs: &mut MemoryBlobs, base: Option<&Base<'_>>, spec: &ImageSpec, layers: &[NewLayer]) -> Image {
    let image = Image::compose(base, spec, layers).unwrap();
    blobs.add(image.config.clone());
    blobs.add(image.manifest.clone());
    image
}

/// A scratch image with a layer of each kind.
pub fn scratch(blobs: &mut MemoryBlobs, spec: &ImageSpec) -> Image {
    let layers = [
        layer(blobs, OCI_TAR_GZIP, "etc/one", "first"),
        layer(blobs, OCI_TAR_ZSTD, "etc/two", "second"),
        layer(blobs, OCI_TAR, "etc/three", "third"),
    ];
    image(blobs, None, spec, &layers)
}

/// Whether a program is installed. In CI it must be; elsewhere the test is skipped, loudly.
pub fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    assert!(found || std::env::var("CI").as_deref() != Ok("true"), "{program} is missing, and CI must not skip tests");
    if !found {
        eprintln!("SKIPPED: needs {program}");
    }
    found
}

/// Runs a program that must succeed; gives its stdout.
pub fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?} failed: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}
