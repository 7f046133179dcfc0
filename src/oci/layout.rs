//! OCI image layouts: a directory or a tar with `oci-layout`, `index.json` and `blobs/sha256/…`.
//!
//! Takes manifests or indexes by descriptor, and reads all they stand on through a [`BlobSource`], verified. Knows
//! nothing of the store. Nothing is hard-linked: whoever edits an exported file must not change the source's. Where
//! the file system can, a file is cloned instead (copy on write).

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::digest::Digest;
use crate::oci::archive::Archive;
use crate::oci::blob_source::{BlobSource, LayoutBlobs, verified};
use crate::oci::canonical;
use crate::oci::closure::{Blobs, ClosureError, closure};
use crate::oci::descriptor::Descriptor;
use crate::oci::media_type::OCI_INDEX;
use crate::oci::raw_json::{Object, array};
use crate::platform::Platform;
use crate::reason::reason;

/// The annotation that names an image within a layout (image-spec, "Pre-Defined Annotation Keys").
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// All that the file `oci-layout` says.
const LAYOUT_FILE: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;

/// A manifest or index that a layout's `index.json` lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The manifest or index.
    pub descriptor: Descriptor,
    /// What it runs on; `None` for an index.
    pub platform: Option<Platform>,
    /// Its name in the layout, such as `0.1.0` or a whole reference; `None`: by digest only.
    pub name: Option<String>,
}

/// A layout that can't be written.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// Something else stands there, and nothing of it is lost.
    #[error("{} exists and is no OCI layout; it is left as it is", .0.display())]
    Other(PathBuf),
    /// The existing `index.json` can't be extended.
    #[error("{} can't be extended: {why}", path.display())]
    Index {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A manifest can't be followed.
    #[error(transparent)]
    Closure(#[from] ClosureError),
    /// A blob can't be copied: missing, corrupt, or no room for it.
    #[error("blob {digest} can't be copied: {}", reason(source))]
    Blob {
        /// Which.
        digest: Digest,
        /// Why.
        source: io::Error,
    },
    /// A file can't be read or written.
    #[error("{}: {}", path.display(), reason(source))]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl LayoutError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> LayoutError + use<> {
        let path = path.to_owned();
        move |source| LayoutError::Io { path, source }
    }
}

/// Writes images to a layout directory, or adds them to the layout that stands there.
///
/// A new layout appears as a whole. In an existing one blobs come first and `index.json` is replaced at last, in one
/// step; images of the same names are replaced in it, others stay, and no blob is removed. An empty directory
/// becomes a layout; any other directory is refused.
pub fn write_dir(target: &Path, images: &[Listed], source: &dyn BlobSource) -> Result<(), LayoutError> {
    let blobs = closure(images.iter().map(|image| &image.descriptor), source)?;
    if exists(target)? {
        check_is_layout(target)?;
        let _lock = lock(target).map_err(LayoutError::io(target))?;
        return fill(target, images, &blobs, source);
    }
    let parent = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(LayoutError::io(parent))?;
    let mut builder = tempfile::Builder::new();
    let new = builder.prefix(".layerbuild-").permissions(mode(0o777)).tempdir_in(parent);
    let new = new.map_err(LayoutError::io(parent))?;
    fill(new.path(), images, &blobs, source)?;
    fs::rename(new.path(), target).map_err(LayoutError::io(target))?;
    let _ = new.keep(); // it has another name now
    Ok(())
}

/// Writes images to an empty directory as a layout whose blobs are links to the source's files: for a reader on this
/// machine that verifies what it reads. Blobs that the source has in no file are copied.
pub fn link_dir(target: &Path, images: &[Listed], source: &dyn BlobSource) -> Result<(), LayoutError> {
    let folder = target.join("blobs/sha256");
    fs::create_dir_all(&folder).map_err(LayoutError::io(&folder))?;
    for (&digest, &size) in &closure(images.iter().map(|image| &image.descriptor), source)? {
        let link = || match source.file(&digest) {
            Some(file) => std::os::unix::fs::symlink(file, folder.join(digest.hex())),
            None => place(target, digest, size, source),
        };
        link().map_err(|source| LayoutError::Blob { digest, source })?;
    }
    replace(target, "oci-layout", LAYOUT_FILE.as_bytes())?;
    replace(target, "index.json", &canonical::to_bytes(&listing(fresh_index(), images).into()))
}

/// Writes images as the tar of a layout directory: the same images give the same bytes.
pub fn write_tar<W: Write>(out: W, images: &[Listed], source: &dyn BlobSource) -> Result<W, LayoutError> {
    let blobs = closure(images.iter().map(|image| &image.descriptor), source)?;
    let io = |source| LayoutError::Io { path: "the archive".into(), source };
    let mut archive = Archive::new(out);
    archive.bytes("oci-layout", LAYOUT_FILE.as_bytes()).map_err(io)?;
    archive.bytes("index.json", &canonical::to_bytes(&listing(fresh_index(), images).into())).map_err(io)?;
    archive.directory("blobs").map_err(io)?;
    archive.directory("blobs/sha256").map_err(io)?;
    for (&digest, &size) in &blobs {
        let name = format!("blobs/sha256/{}", digest.hex());
        let copy =
            |archive: &mut Archive<W>| archive.stream(&name, size, verified(source.open(&digest, size)?, digest, size));
        copy(&mut archive).map_err(|source| LayoutError::Blob { digest, source })?;
    }
    archive.finish().map_err(io)
}

fn exists(target: &Path) -> Result<bool, LayoutError> {
    match fs::symlink_metadata(target) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(LayoutError::io(target)(error)),
    }
}

fn check_is_layout(target: &Path) -> Result<(), LayoutError> {
    if !target.is_dir() {
        return Err(LayoutError::Other(target.to_owned()));
    }
    let empty = fs::read_dir(target).map_err(LayoutError::io(target))?.next().is_none();
    if empty || target.join("oci-layout").is_file() { Ok(()) } else { Err(LayoutError::Other(target.to_owned())) }
}

/// Held until dropped: two exports to one layout must not lose each other's images.
fn lock(target: &Path) -> io::Result<File> {
    let directory = File::open(target)?;
    rustix::fs::flock(&directory, rustix::fs::FlockOperation::LockExclusive)?;
    Ok(directory)
}

/// `oci-layout` comes first, so that what a killed export leaves is still known as a layout.
fn fill(dir: &Path, images: &[Listed], blobs: &Blobs, source: &dyn BlobSource) -> Result<(), LayoutError> {
    let index = listing(existing_index(dir)?, images);
    replace(dir, "oci-layout", LAYOUT_FILE.as_bytes())?;
    let folder = dir.join("blobs/sha256");
    fs::create_dir_all(&folder).map_err(LayoutError::io(&folder))?;
    for (&digest, &size) in blobs {
        place(dir, digest, size, source).map_err(|source| LayoutError::Blob { digest, source })?;
    }
    replace(dir, "index.json", &canonical::to_bytes(&index.into()))
}

fn replace(dir: &Path, name: &str, content: &[u8]) -> Result<(), LayoutError> {
    let path = dir.join(name);
    let write = || {
        let mut file = temporary(dir)?;
        file.write_all(content)?;
        file.persist(&path)?;
        Ok(())
    };
    write().map_err(LayoutError::io(&path))
}

/// Puts one blob there, unless it is there already and sound.
fn place(dir: &Path, digest: Digest, size: u64, source: &dyn BlobSource) -> io::Result<()> {
    let there = LayoutBlobs(dir.to_owned());
    let sound = |blob| io::copy(&mut verified(blob, digest, size), &mut io::sink()).is_ok();
    if there.open(&digest, size).is_ok_and(sound) {
        return Ok(());
    }
    let mut file = temporary(dir)?;
    if clone(source.file(&digest), file.as_file()) {
        io::copy(&mut verified(file.as_file(), digest, size), &mut io::sink())?;
    } else {
        io::copy(&mut verified(source.open(&digest, size)?, digest, size), &mut file)?;
    }
    file.persist(dir.join("blobs/sha256").join(digest.hex()))?;
    Ok(())
}

/// Shares a file's data copy-on-write; false where the file system can't, and then nothing was written.
fn clone(from: Option<PathBuf>, to: &File) -> bool {
    from.and_then(|path| File::open(path).ok()).is_some_and(|from| rustix::fs::ioctl_ficlone(to, &from).is_ok())
}

/// Readable by whom the umask lets, as any exported file; beside `blobs`, so that a killed export leaves no odd blob.
fn temporary(dir: &Path) -> io::Result<tempfile::NamedTempFile> {
    tempfile::Builder::new().prefix(".layerbuild-").permissions(mode(0o666)).tempfile_in(dir)
}

fn mode(mode: u32) -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(mode)
}

fn fresh_index() -> Object {
    Object::from_iter([("schemaVersion".to_owned(), json!(2)), ("mediaType".to_owned(), json!(OCI_INDEX))])
}

fn existing_index(dir: &Path) -> Result<Object, LayoutError> {
    let path = dir.join("index.json");
    match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|error| error.to_string())
            .and_then(|index: Object| {
                array(index.get("manifests"), "manifests").map(|_| index).map_err(|e| e.to_string())
            })
            .map_err(|why| LayoutError::Index { path, why }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(fresh_index()),
        Err(error) => Err(LayoutError::io(&path)(error)),
    }
}

/// The index with the images in it: in the place of those of the same name, else behind.
fn listing(mut index: Object, images: &[Listed]) -> Object {
    let mut lines = array(index.get("manifests"), "manifests").unwrap_or_default();
    for line in images.iter().map(Listed::to_json) {
        let mut same = |other: &Value| identity(other) == identity(&line);
        match lines.iter().position(&mut same) {
            Some(place) => lines[place] = line,
            None => lines.push(line),
        }
    }
    index.insert("manifests".into(), lines.into());
    index
}

/// An image is known by its name, and without one by its digest.
fn identity(line: &Value) -> (Option<&str>, Option<&str>) {
    let name = line["annotations"][REF_NAME].as_str();
    (name, if name.is_none() { line["digest"].as_str() } else { None })
}

impl Listed {
    fn to_json(&self) -> Value {
        let mut descriptor = self.descriptor.clone();
        descriptor.annotations.extend(self.name.iter().map(|name| (REF_NAME.to_owned(), name.clone())));
        let mut line = descriptor.to_json();
        if let Some(platform) = &self.platform {
            line["platform"] = json!(platform);
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::oci::blob_source::MemoryBlobs;
    use crate::oci::image::Image;
    use crate::oci::image_spec::ImageSpec;
    use crate::oci::index::Index;
    use crate::oci::sample;
    use crate::oci::validate::validate_layout;

    fn labelled(blobs: &mut MemoryBlobs, value: &str) -> Image {
        let labels = [("which".to_owned(), value.to_owned())].into();
        sample::scratch(blobs, &ImageSpec { labels, ..ImageSpec::default() })
    }

    fn listed(image: &Image, name: &str) -> Listed {
        let (descriptor, platform) = (image.manifest_descriptor.clone(), Some(image.platform.clone()));
        Listed { descriptor, platform, name: Some(name.to_owned()) }
    }

    /// Names and digests in `index.json`, in its order.
    fn names(dir: &Path) -> Vec<(String, String)> {
        let index: Value = serde_json::from_slice(&fs::read(dir.join("index.json")).unwrap()).unwrap();
        let name = |line: &Value| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            (text(&line["annotations"][REF_NAME]), text(&line["digest"]))
        };
        index["manifests"].as_array().unwrap().iter().map(name).collect()
    }

    #[test]
    fn a_new_layout_is_sound_and_leaves_nothing_beside_it() {
        let (dir, mut blobs) = (tempfile::tempdir().unwrap(), MemoryBlobs::default());
        let image = labelled(&mut blobs, "a");
        let target = dir.path().join("deep/layout");
        write_dir(&target, &[listed(&image, "1.0")], &blobs).unwrap();
        assert_eq!(validate_layout(&target), []);
        assert_eq!(names(&target), [("1.0".to_owned(), image.digest().to_string())]);
        assert_eq!(fs::read_dir(dir.path().join("deep")).unwrap().count(), 1);
        assert_eq!(fs::read_dir(&target).unwrap().count(), 3);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        let (folder, file) = (dir.path().join("folder"), dir.path().join("file"));
        fs::create_dir(&folder).unwrap();
        fs::write(&file, "").unwrap();
        assert_eq!((mode(&target), mode(&target.join("index.json"))), (mode(&folder), mode(&file)));
    }

    #[test]
    fn a_layout_that_stands_there_is_extended_and_same_names_are_replaced_in_place() {
        let (dir, mut blobs) = (tempfile::tempdir().unwrap(), MemoryBlobs::default());
        let [a, b, c] = ["a", "b", "c"].map(|value| labelled(&mut blobs, value));
        write_dir(dir.path(), &[listed(&a, "x"), listed(&b, "y")], &blobs).unwrap();
        write_dir(dir.path(), &[listed(&c, "x"), listed(&c, "z")], &blobs).unwrap();
        assert_eq!(validate_layout(dir.path()), []);
        let expected = [("x", &c), ("y", &b), ("z", &c)];
        assert_eq!(names(dir.path()), expected.map(|(name, image)| (name.to_owned(), image.digest().to_string())));
    }

    #[test]
    fn a_corrupt_blob_that_stands_there_is_replaced() {
        let (dir, mut blobs) = (tempfile::tempdir().unwrap(), MemoryBlobs::default());
        let images = [listed(&labelled(&mut blobs, "a"), "x")];
        write_dir(dir.path(), &images, &blobs).unwrap();
        let blob = dir.path().join("blobs/sha256").join(images[0].descriptor.digest.hex());
        fs::write(&blob, "corrupt").unwrap();
        assert_ne!(validate_layout(dir.path()), []);
        write_dir(dir.path(), &images, &blobs).unwrap();
        assert_eq!(validate_layout(dir.path()), []);
    }

    #[test]
    fn what_is_no_layout_stays_as_it_is() {
        let (dir, mut blobs) = (tempfile::tempdir().unwrap(), MemoryBlobs::default());
        let images = [listed(&labelled(&mut blobs, "a"), "x")];
        let file = dir.path().join("file");
        fs::write(&file, "mine").unwrap();
        for target in [dir.path(), &file] {
            assert!(matches!(write_dir(target, &images, &blobs), Err(LayoutError::Other(_))));
        }
        assert_eq!(fs::read(&file).unwrap(), b"mine");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_or_corrupt_blob_leaves_no_layout_and_is_named() {
        struct Corrupt(MemoryBlobs, Digest);
        impl BlobSource for Corrupt {
            fn open(&self, digest: &Digest, size: u64) -> io::Result<Box<dyn Read + '_>> {
                if *digest == self.1 { Ok(Box::new(io::repeat(0).take(size))) } else { self.0.open(digest, size) }
            }
        }
        let (dir, mut blobs) = (tempfile::tempdir().unwrap(), MemoryBlobs::default());
        let image = labelled(&mut blobs, "a");
        let corrupt = Corrupt(blobs, image.layers[1].descriptor.digest);
        let target = dir.path().join("layout");
        let error = write_dir(&target, &[listed(&image, "x")], &corrupt).unwrap_err();
        assert!(error.to_string().contains(&format!("blob {}", corrupt.1)), "{error}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(write_tar(Vec::new(), &[listed(&image, "x")], &corrupt).is_err());
    }

    #[test]
    fn an_exported_file_is_not_the_file_it_came_from() {
        let (dir, mut blobs) = (tempfile::tempdir().unwrap(), MemoryBlobs::default());
        let image = labelled(&mut blobs, "a");
        let (first, second) = (dir.path().join("first"), dir.path().join("second"));
        write_dir(&first, &[listed(&image, "x")], &blobs).unwrap();
        write_dir(&second, &[listed(&image, "x")], &LayoutBlobs(first.clone())).unwrap();
        for blob in fs::read_dir(second.join("blobs/sha256")).unwrap() {
            fs::write(blob.unwrap().path(), "edited").unwrap();
        }
        assert_eq!(validate_layout(&first), []);
    }

    #[test]
    fn the_tar_of_a_layout_is_the_same_each_time_and_holds_a_sound_layout() {
        let (dir, mut blobs) = (tempfile::tempdir().unwrap(), MemoryBlobs::default());
        let images = ["a", "b"].map(|value| labelled(&mut blobs, value));
        let lines = images.each_ref().map(|image| (image.platform.clone(), image.manifest_descriptor.clone()));
        let mut lines = lines.to_vec();
        lines[1].0.variant = Some("v2".into());
        let index = Index::compose(&lines[..1], &[("note".into(), "x".into())].into()).unwrap();
        blobs.add(index.bytes.clone());
        let index = Listed { descriptor: index.descriptor, platform: None, name: None };
        let listed = [index, listed(&images[1], "b")];
        let tar = write_tar(Vec::new(), &listed, &blobs).unwrap();
        assert_eq!(write_tar(Vec::new(), &listed, &blobs).unwrap(), tar);
        tar::Archive::new(tar.as_slice()).unpack(dir.path()).unwrap();
        assert_eq!(validate_layout(dir.path()), []);
    }

    #[test]
    fn skopeo_and_umoci_read_a_layout() {
        if !sample::has("skopeo") || !sample::has("umoci") {
            return;
        }
        let (dir, mut blobs) = (tempfile::tempdir().unwrap(), MemoryBlobs::default());
        let layers = [sample::layer(&mut blobs, crate::oci::media_type::OCI_TAR_GZIP, "etc/one", "first")];
        let image = sample::image(&mut blobs, None, &ImageSpec::default(), &layers);
        let layout = dir.path().join("layout");
        write_dir(&layout, &[listed(&image, "1.0")], &blobs).unwrap();
        let reference = format!("{}:1.0", layout.display());
        let inspected = sample::run("skopeo", &["inspect", &format!("oci:{reference}")]);
        let inspected: Value = serde_json::from_str(&inspected).unwrap();
        assert_eq!(inspected["Digest"], json!(image.digest().to_string()));
        let copy = format!("docker-archive:{}:r/i:t", dir.path().join("copy.tar").display());
        sample::run("skopeo", &["copy", "--insecure-policy", &format!("oci:{reference}"), &copy]);
        let bundle = dir.path().join("bundle");
        sample::run("umoci", &["unpack", "--rootless", "--image", &reference, bundle.to_str().unwrap()]);
        assert_eq!(fs::read_to_string(bundle.join("rootfs/etc/one")).unwrap(), "first");
    }
}
