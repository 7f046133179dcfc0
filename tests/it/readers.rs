//! Images in every compression, read by programs that know nothing of us: which of them take which, and that what they
//! find is what was put in.

pub mod found;
pub mod programs;
pub mod sample;

use std::collections::BTreeMap;
use std::path::Path;

use layerbuild::digest::Digest;

use crate::support::{DockerRegistry, docker_engine, has, is_root};
use found::Found;
use programs::{Containerd, Podman, Reading};
use sample::{COMBINATIONS, LAYERS, Workspace};

/// What a reader makes of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It finds what was put in.
    Reads,
    /// It says that it can't.
    Refuses,
    /// It finds something else, and doesn't say so.
    Misreads,
}
use Verdict::{Misreads, Reads, Refuses};

/// Who takes what, by [`COMBINATIONS`], in the versions that Debian 12 has. docs/compression.md has this table too.
const READERS: [(&str, [Verdict; 5]); 14] = [
    ("docker pull", [Reads, Reads, Refuses, Refuses, Reads]),
    ("docker load", [Reads, Reads, Reads, Reads, Reads]),
    ("podman pull", [Reads, Reads, Reads, Reads, Reads]),
    ("podman pull oci:", [Reads, Reads, Reads, Reads, Reads]),
    ("containerd pull", [Reads, Reads, Reads, Reads, Reads]),
    ("containerd import", [Reads, Reads, Reads, Reads, Reads]),
    ("skopeo copy", [Reads, Reads, Reads, Reads, Reads]),
    ("skopeo copy --dest-decompress", [Reads, Reads, Reads, Reads, Reads]),
    ("skopeo copy docker-archive:", [Reads, Reads, Refuses, Refuses, Reads]),
    ("umoci unpack", [Reads, Reads, Refuses, Refuses, Reads]),
    ("GNU tar", [Reads, Reads, Reads, Reads, Reads]),
    ("bsdtar", [Reads, Reads, Reads, Reads, Reads]),
    ("Python tarfile, r:gz or r:", [Reads, Reads, Refuses, Refuses, Reads]),
    ("Python tarfile, r|gz or r|", [Misreads, Reads, Refuses, Refuses, Reads]),
];

#[test]
fn every_reader_takes_the_compressions_that_the_table_says_and_finds_what_was_put_in() {
    let programs = ["docker", "podman", "containerd", "ctr", "skopeo", "umoci", "tar", "bsdtar", "python3", "zstd"];
    if !has(&programs) || !docker_engine() || !is_root() {
        return;
    }
    let Some(registry) = DockerRegistry::start() else { return };
    let published = Published::new(registry);
    let readers = [Published::docker, Published::podman, Published::containerd, Published::copies, Published::tars];
    let rows: Vec<Row> = std::thread::scope(|scope| {
        let threads = readers.map(|reader| {
            scope.spawn({
                let published = &published;
                move || reader(published)
            })
        });
        threads.into_iter().flat_map(|thread| thread.join().expect("a reader's thread")).collect()
    });
    let found: BTreeMap<_, _> = rows.into_iter().collect();
    let mut wrong = String::new();
    for (reader, verdicts) in READERS {
        for (((combination, _), expected), (verdict, why)) in COMBINATIONS.iter().zip(verdicts).zip(&found[reader]) {
            if *verdict != expected {
                wrong += &format!("{reader}, {combination}: {verdict:?} instead of {expected:?}: {why}\n");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!(found.len(), READERS.len());
}

/// A reader and what it made of each combination, with its words.
type Row = (&'static str, Vec<(Verdict, String)>);

/// All combinations, wherever readers take them from.
struct Published {
    workspace: Workspace,
    registry: DockerRegistry,
    /// By image; in the order of [`COMBINATIONS`].
    expected: Vec<Found>,
    /// By image: its layers' paths, each behind its layer's number.
    layers: Vec<Found>,
}

impl Published {
    fn new(registry: DockerRegistry) -> Published {
        let workspace = sample::workspace();
        let images: Vec<String> = COMBINATIONS.iter().map(|(name, _)| format!("//:{name}")).collect();
        let with = |verb: &[&str]| {
            let images: Vec<&str> = images.iter().map(String::as_str).collect();
            workspace.run(&[&["-q"], verb, &images[..]].concat())
        };
        with(&["--registry", &registry.address, "push"]);
        let path = |name: &str| workspace.beside(name).display().to_string();
        with(&["export", "--format", "oci", "--to", &path("oci")]);
        with(&["export", "--format", "docker-archive", "--to", &path("docker.tar")]);
        for (image, (name, _)) in images.iter().zip(COMBINATIONS) {
            let layout = path(&format!("{name}-oci"));
            workspace.run(&["-q", "export", "--format", "oci", "--to", &layout, image]);
            programs::run(std::process::Command::new("tar").args([
                "-cf",
                &format!("{layout}.tar"),
                "-C",
                &layout,
                ".",
            ]))
            .expect("a layout's tar");
        }
        let names = || COMBINATIONS.iter().map(|(name, _)| *name);
        let expected = names().map(|name| sample::expected(&workspace, name, name)).collect();
        let layer = |name: &str, layer: &str| sample::expected(&workspace, &format!("{name}-{layer}"), name);
        let layers = names().map(|name| stacked(LAYERS.iter().map(|part| layer(name, part)))).collect();
        Published { workspace, registry, expected, layers }
    }

    /// A row of the table: what is read of each image, compared.
    fn row(&self, reader: &'static str, read: impl Fn(&str) -> Reading) -> Row {
        let verdicts = COMBINATIONS.iter().zip(&self.expected).map(|((name, _), expected)| judge(read(name), expected));
        (reader, verdicts.collect())
    }

    /// As [`Published::row`], of each layer for itself. `read` takes the layers' digests and diff IDs.
    fn row_of_layers(
        &self,
        reader: &'static str,
        read: impl Fn(&str, &[(String, String)]) -> Result<Vec<Found>, String>,
    ) -> Row {
        let all = |name: &str| read(name, &self.layers_of(name)).map(stacked);
        let verdicts = COMBINATIONS.iter().zip(&self.layers).map(|((name, _), expected)| judge(all(name), expected));
        (reader, verdicts.collect())
    }

    fn in_registry(&self, name: &str) -> String {
        format!("{}/{name}:1", self.registry.address)
    }

    fn layout(&self) -> std::path::PathBuf {
        self.workspace.beside("oci")
    }

    fn docker(&self) -> Vec<Row> {
        let pull = self.row("docker pull", |name| {
            let image = self.in_registry(name);
            programs::docker(&["pull", "--quiet", &image])?;
            let found = programs::docker_export(&image);
            // Its layers go too, else `load` would find them there.
            programs::docker(&["rmi", "--force", &image])?;
            found
        });
        let archive = self.workspace.beside("docker.tar").display().to_string();
        programs::docker(&["load", "--input", &archive]).expect("an archive is loaded");
        let load = self.row("docker load", |name| {
            let image = local(name);
            let id = programs::docker(&["inspect", "--format", "{{.Id}}", &image])?;
            assert_eq!(id, self.manifest(name)["config"]["digest"], "the image's ID is its config's digest");
            let found = programs::docker_export(&image);
            programs::docker(&["rmi", "--force", &image])?;
            found
        });
        vec![pull, load]
    }

    fn podman(&self) -> Vec<Row> {
        let (pulling, copying) = (Podman::new(), Podman::new());
        let here = self.layout().parent().expect("a folder").to_owned();
        vec![
            self.row("podman pull", |name| pulling.read(&here, &format!("docker://{}", self.in_registry(name)))),
            self.row("podman pull oci:", |name| copying.read(&here, &format!("oci:oci:{}", local(name)))),
        ]
    }

    fn containerd(&self) -> Vec<Row> {
        let containerd = Containerd::start();
        vec![
            self.row("containerd pull", |name| containerd.pull(&self.in_registry(name))),
            self.row("containerd import", |name| {
                containerd.import(&self.workspace.beside(&format!("{name}-oci.tar")), &local(name))
            }),
        ]
    }

    fn copies(&self) -> Vec<Row> {
        let source = |name: &str| format!("oci:{}:{}", self.layout().display(), local(name));
        let copied = |name: &str, options: &[&str]| {
            let folder = tempfile::tempdir().expect("a folder");
            let target = format!("dir:{}", folder.path().display());
            programs::skopeo(&[&["copy", "--quiet"], options, &[&source(name), &target]].concat()).map(|_| folder)
        };
        let kept = self.row("skopeo copy", |name| {
            let copy = copied(name, &[])?;
            let manifest = std::fs::read(copy.path().join("manifest.json")).expect("a manifest");
            assert_eq!(Digest::of(&manifest).to_string(), self.manifest_digest(name), "{name}");
            let layers = self.layers_of(name).into_iter().map(|(digest, _)| checked(copy.path(), &digest));
            assert!(layers.map(|blob| blob.len()).sum::<usize>() > 1 << 20);
            Ok(self.expected_of(name))
        });
        let decompressed = self.row_of_layers("skopeo copy --dest-decompress", |name, layers| {
            let copy = copied(name, &["--dest-decompress"])?;
            Ok(layers.iter().map(|(_, diff_id)| found::in_tar(&checked(copy.path(), diff_id)[..])).collect())
        });
        let archived = self.row("skopeo copy docker-archive:", |name| {
            let folder = tempfile::tempdir().expect("a folder");
            let archive = folder.path().join("image.tar");
            let target = format!("docker-archive:{}", archive.display());
            programs::skopeo(&["copy", "--quiet", &source(name), &target])?;
            let packed = found::in_tar(std::fs::File::open(archive).expect("an archive"));
            let layers = self.layers_of(name).into_iter().map(|(_, diff_id)| diff_id.replace("sha256:", "") + ".tar");
            assert!(layers.into_iter().all(|layer| packed.contains_key(&layer)), "{packed:?}");
            Ok(self.expected_of(name))
        });
        let unpacked = self.row("umoci unpack", |name| programs::umoci(&self.layout(), &local(name)));
        vec![kept, decompressed, archived, unpacked]
    }

    fn tars(&self) -> Vec<Row> {
        let row = |reader, program: &dyn Fn(&Path, &Path) -> std::process::Command| {
            let extracted = |digest: &str| programs::extracted(&programs::blob(&self.layout(), digest), program);
            self.row_of_layers(reader, |_, layers| layers.iter().map(|(digest, _)| extracted(digest)).collect())
        };
        let python = |gzip: &'static str, plain: &'static str| {
            move |blob: &Path, into: &Path| {
                let is_plain = std::fs::read(blob).expect("a blob").len().is_multiple_of(512);
                programs::python(if is_plain { plain } else { gzip })(blob, into)
            }
        };
        vec![
            row("GNU tar", &programs::gnu_tar),
            row("bsdtar", &programs::bsdtar),
            row("Python tarfile, r:gz or r:", &python("r:gz", "r:")),
            row("Python tarfile, r|gz or r|", &python("r|gz", "r|")),
        ]
    }

    fn expected_of(&self, name: &str) -> Found {
        let at = COMBINATIONS.iter().position(|(known, _)| *known == name).expect("a combination");
        self.expected[at].clone()
    }

    /// Digests and diff IDs.
    fn layers_of(&self, name: &str) -> Vec<(String, String)> {
        let text = |value: &serde_json::Value| value.as_str().expect("a digest").to_owned();
        let manifest = self.manifest(name);
        let config = self.json(&text(&manifest["config"]["digest"]));
        let layers = manifest["layers"].as_array().expect("layers").iter().map(|layer| text(&layer["digest"]));
        layers.zip(config["rootfs"]["diff_ids"].as_array().expect("diff IDs").iter().map(text)).collect()
    }

    fn manifest_digest(&self, name: &str) -> String {
        let index = std::fs::read(self.layout().join("index.json")).expect("an index");
        let index: serde_json::Value = serde_json::from_slice(&index).expect("JSON");
        let is_it =
            |entry: &&serde_json::Value| entry["annotations"]["org.opencontainers.image.ref.name"] == *local(name);
        let entry = index["manifests"].as_array().expect("manifests").iter().find(is_it).expect("the image");
        entry["digest"].as_str().expect("a digest").to_owned()
    }

    fn manifest(&self, name: &str) -> serde_json::Value {
        self.json(&self.manifest_digest(name))
    }

    fn json(&self, digest: &str) -> serde_json::Value {
        let bytes = std::fs::read(programs::blob(&self.layout(), digest)).expect("a blob");
        serde_json::from_slice(&bytes).expect("JSON")
    }
}

/// The name under which exports have an image.
fn local(name: &str) -> String {
    format!("example.test/{name}:1")
}

/// Several layers' paths, each behind its layer's number.
fn stacked(layers: impl IntoIterator<Item = Found>) -> Found {
    let numbered =
        |(number, found): (usize, Found)| found.into_iter().map(move |(path, item)| (format!("{number}/{path}"), item));
    layers.into_iter().enumerate().flat_map(numbered).collect()
}

/// A blob of a folder as skopeo writes it; it must be what its name says.
fn checked(folder: &Path, digest: &str) -> Vec<u8> {
    let blob = std::fs::read(folder.join(digest.trim_start_matches("sha256:"))).expect("a blob");
    assert_eq!(Digest::of(&blob).to_string(), digest);
    blob
}

fn judge(reading: Reading, expected: &Found) -> (Verdict, String) {
    match reading {
        Err(why) => (Refuses, why),
        Ok(found) if found == *expected => (Reads, String::new()),
        Ok(found) => (Misreads, found::difference(expected, &found)),
    }
}
