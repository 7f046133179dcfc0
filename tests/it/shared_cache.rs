//! `--cache-to` on one machine and `--cache-from` on another, over `docker-registry` and over `registry serve`: what is
//! built again, fetched and sent, with records and blobs that are there, gone or damaged.

use std::fs;
use std::path::{Path, PathBuf};

use layerbuild::digest::Digest;

use crate::embedded::Embedded;
use crate::fetching;
use crate::proxy::Proxy;
use crate::space::{Ran, Space, digest};
use crate::support::DockerRegistry;

/// An image on another, with a source, an archive, and a listing that is too large to travel in a record.
const TARGETS: &str = r#"
[files.base-files]
content = { "/etc/base" = "base\n" }
[image.base]
layers = [":base-files"]
[files.app-files]
srcs = ["app/**"]
dest = "/opt"
[tar.app-tar]
src = "app.tar"
[image.app]
base = ":base"
layers = [":app-files", ":app-tar"]
cmd = ["/opt/main"]
[index.both]
images = [":app"]
platforms = ["linux/amd64", "linux/arm64"]
"#;

/// The files that a `files` layer of [`machine`] has: their listing is larger than what a record holds.
const FILES: usize = 1500;

/// A workspace, always the same, on a machine with an empty store.
fn machine() -> Space {
    let space = Space::with(TARGETS);
    space.write("app/main", "main\n");
    (0..FILES).for_each(|number| space.write(&format!("app/a-folder-with-a-long-name/file-{number:05}"), ""));
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(4);
    header.set_mode(0o644);
    header.set_cksum();
    archive.append_data(&mut header, "srv/data", &b"data"[..]).expect("a member");
    space.write("app.tar", archive.into_inner().expect("an archive"));
    space
}

/// A place for the cache and for images, of either kind.
enum Place {
    Debian(DockerRegistry),
    Ours(Embedded, Space),
}

impl Place {
    fn all() -> Vec<Place> {
        let own = Space::empty();
        let embedded = Embedded::start(&own.cache(), &own.path("log"));
        let debian = DockerRegistry::start().map(Place::Debian);
        debian.into_iter().chain([Place::Ours(embedded, own)]).collect()
    }

    fn address(&self) -> &str {
        match self {
            Place::Debian(registry) => &registry.address,
            Place::Ours(embedded, _) => &embedded.address,
        }
    }

    /// The file of a blob.
    fn blob(&self, digest: &str) -> PathBuf {
        match self {
            Place::Debian(registry) => blob_of(registry, digest),
            Place::Ours(_, own) => stored(own, digest),
        }
    }
}

fn blob_of(registry: &DockerRegistry, digest: &str) -> PathBuf {
    let hex = hex(digest);
    registry.data().join("docker/registry/v2/blobs/sha256").join(&hex[..2]).join(hex).join("data")
}

fn stored(space: &Space, digest: &str) -> PathBuf {
    let hex = hex(digest);
    space.cache().join("blobs/sha256").join(&hex[..2]).join(hex)
}

fn hex(digest: &str) -> &str {
    digest.strip_prefix("sha256:").expect("a digest")
}

fn run(space: &Space, address: &str, line: &str) -> Ran {
    let line = line.replace("CACHE", &format!("{address}/caches/ours")).replace("REGISTRY", address);
    let ran = space.layerbuild(&line);
    assert_eq!(ran.code, 0, "{line}: {}\n{}", ran.stdout, ran.stderr);
    ran
}

/// What the closing line says was built and was known.
fn counts(ran: &Ran) -> (usize, usize) {
    let line = ran.stderr.lines().rev().find(|line| line.contains(" cached in ")).expect("a closing line");
    let number = |word: usize| line.split(' ').nth(word).expect("a word").parse().expect("a number");
    (number(0), number(2))
}

/// How many files are below a folder.
fn files(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("an entry").path());
    entries.map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
}

/// Overwrites a file that may be read-only.
fn overwrite(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).expect("a file");
    fs::write(path, bytes).expect("a file");
}

#[test]
fn a_second_machine_with_an_empty_store_rebuilds_nothing_and_its_push_sends_nothing() {
    for place in Place::all() {
        let (first, second) = (machine(), machine());
        let built = run(&first, place.address(), "push --registry REGISTRY --cache-to CACHE //:app //:both");
        let told = run(&second, place.address(), "build --cache-from CACHE //:app //:both //:app-files");
        assert_eq!(counts(&told).0, 0, "{}", told.stderr);
        assert!(!told.stderr.contains("warning"), "{}", told.stderr);
        let layer = told.stdout.lines().find_map(|line| line.strip_prefix("//:app-files ")).expect("a layer");
        assert!(!stored(&second, layer).exists(), "no layer comes unasked");

        let proxy = Proxy::start(place.address(), usize::MAX);
        let line = format!("push --registry {} --cache-from CACHE //:app //:both", proxy.address);
        let pushed = run(&second, place.address(), &line);
        assert!(pushed.stderr.contains("0 pushed, 2 cached"), "{}", pushed.stderr);
        let asked = proxy.seen();
        assert!(asked.iter().all(|line| line.starts_with("HEAD ") || line == "GET /v2/"), "{asked:?}");
        let digests = |ran: &Ran| ran.stdout.lines().map(|line| line[line.len() - 64..].to_owned()).collect::<Vec<_>>();
        assert_eq!(digests(&built), digests(&pushed));

        let exported = run(&second, place.address(), "export --cache-from CACHE //:app --format oci --to out");
        assert_eq!(counts(&exported).0, 0, "{}", exported.stderr);
        assert!(stored(&second, layer).exists());
        run(&second, place.address(), "ls //:app");
    }
}

#[test]
fn layers_are_neither_sent_twice_nor_once_more_where_the_image_is_published() {
    let Some(registry) = DockerRegistry::start() else { return };
    let (first, second) = (machine(), machine());
    let sends = |space: &Space, line: &str| {
        let proxy = Proxy::start(&registry.address, usize::MAX);
        run(space, &proxy.address, line);
        let uploads = |line: &&String| line.starts_with("PUT /v2/") && line.contains("/uploads/");
        proxy.seen().iter().filter(uploads).count()
    };
    // Three layers, a large listing, the empty config of records; then the image's config: layers come by mount.
    assert_eq!(sends(&first, "push --registry REGISTRY --cache-to CACHE //:app"), 5 + 1);
    run(&second, &registry.address, "push --registry REGISTRY/other //:app");
    assert_eq!(sends(&second, "build --registry REGISTRY/other --cache-to REGISTRY/new //:app"), 2);
    assert_eq!(sends(&second, "build --registry REGISTRY/other --cache-to REGISTRY/new //:app"), 0);
}

#[test]
fn an_edit_is_built_on_a_fresh_machine_and_nothing_else() {
    let Some(registry) = DockerRegistry::start() else { return };
    let (first, second) = (machine(), machine());
    run(&first, &registry.address, "build --cache-to CACHE //...");
    second.write("app/main", "edited\n");
    let told = run(&second, &registry.address, "build --cache-from CACHE --cache-to CACHE //:app");
    assert_eq!(counts(&told), (2, 3), "the layer and its image: {}", told.stderr);
    let third = machine();
    third.write("app/main", "edited\n");
    let again = run(&third, &registry.address, "build --cache-from CACHE //:app");
    assert_eq!((counts(&again).0, digest(&again)), (0, digest(&told)));
    second.write("app/main", "edited more\n");
    let why = run(&second, &registry.address, "explain --cache-from CACHE //:app").stdout;
    assert!(why.contains("file app/main (entry /opt/main) changed"), "{why}");
}

#[test]
fn a_dry_run_and_explain_look_into_the_cache_and_keep_nothing() {
    let Some(registry) = DockerRegistry::start() else { return };
    let (first, second) = (machine(), machine());
    let built = run(&first, &registry.address, "build --cache-to CACHE //:app");
    let told = run(&second, &registry.address, "build --dry-run --cache-from CACHE //:app").stdout;
    let cache = format!("(cache {}/caches/ours)", registry.address);
    assert!(told.lines().count() == 5 && told.lines().all(|line| line.starts_with("HIT ")), "{told}");
    assert!(told.lines().all(|line| line.ends_with(&cache)), "{told}");
    let explained = run(&second, &registry.address, "explain --cache-from CACHE //:app").stdout;
    assert!(explained.contains(&format!("up to date: {}", digest(&built))), "{explained}");
    assert!(explained.contains("  from the cache "), "{explained}");
    assert_eq!(files(&second.cache().join("blobs")), 0, "a blob was kept");
    assert!(run(&second, &registry.address, "build --dry-run //:app").stdout.contains("RUN "));
    second.write("app/main", "edited\n");
    let missed = run(&second, &registry.address, "explain --cache-from CACHE //:app").stdout;
    let asked = format!("    asked the cache {}/caches/ours for ", registry.address);
    let answer = |line: &&str| line.starts_with(&asked) && line.ends_with(": it has no record of this key");
    assert_eq!(missed.lines().filter(answer).count(), 1, "the layer; the image waits: {missed}");
}

#[test]
fn a_record_whose_blob_is_gone_is_a_miss() {
    let Some(registry) = DockerRegistry::start() else { return };
    let (first, second) = (machine(), machine());
    let built = run(&first, &registry.address, "build --cache-to CACHE //:app //:app-tar");
    let layer = built.stdout.lines().find_map(|line| line.strip_prefix("//:app-tar ")).expect("a layer");
    fs::remove_file(blob_of(&registry, layer)).expect("a blob");
    let told = run(&second, &registry.address, "build --cache-from CACHE //:app //:app-tar");
    assert_eq!((counts(&told).0, &told.stdout), (1, &built.stdout), "{}", told.stderr);
}

#[test]
fn damaged_records_and_blobs_are_told_and_built_again() {
    for place in Place::all() {
        let first = machine();
        let built = run(&first, place.address(), "build --cache-to CACHE //:app //:app-tar");
        let layer = built.stdout.lines().find_map(|line| line.strip_prefix("//:app-tar ")).expect("a layer");
        let file = place.blob(layer);
        let size = fs::metadata(&file).expect("a blob").len() as usize;
        overwrite(&file, &vec![b'x'; size]);
        let second = machine();
        let exported = run(&second, place.address(), "export --cache-from CACHE //:app --format oci --to out");
        let said =
            format!("blob {layer} of the cache {}/caches/ours can't be used, and is built again", place.address());
        assert!(exported.stderr.contains(&said), "{}", exported.stderr);
        assert!(stored(&second, layer).exists());

        let Place::Debian(registry) = &place else { continue };
        let keys = registry.data().join("docker/registry/v2/repositories/caches/ours/_manifests/tags");
        for key in fs::read_dir(keys).expect("tags") {
            let link = key.expect("a tag").path().join("current/link");
            let manifest = blob_of(registry, fs::read_to_string(link).expect("a link").trim());
            overwrite(&manifest, b"{\"schemaVersion\":2}");
        }
        let third = run(&machine(), place.address(), "build --cache-from CACHE //:app //:app-tar");
        assert_eq!((counts(&third), &third.stdout), ((5, 0), &built.stdout));
        assert!(third.stderr.contains("warning"), "{}", third.stderr);
    }
}

#[test]
fn a_record_under_another_key_is_not_taken() {
    let Some(registry) = DockerRegistry::start() else { return };
    let first = machine();
    run(&first, &registry.address, "build --cache-to CACHE //:app");
    let keys = registry.data().join("docker/registry/v2/repositories/caches/ours/_manifests/tags");
    let keys: Vec<PathBuf> = fs::read_dir(keys).expect("tags").map(|key| key.expect("a tag").path()).collect();
    let links: Vec<_> = keys.iter().map(|key| fs::read(key.join("current/link")).expect("a link")).collect();
    for (key, link) in keys.iter().zip(links.iter().cycle().skip(1)) {
        fs::write(key.join("current/link"), link).expect("a link");
    }
    let told = run(&machine(), &registry.address, "build --cache-from CACHE //:app");
    assert_eq!(counts(&told), (5, 0));
    assert!(told.stderr.contains("can't be used: it is the record of the key sha256:"), "{}", told.stderr);
}

#[test]
fn an_archive_from_a_url_comes_from_the_cache_where_another_layer_is_made_of_it() {
    let Some(registry) = DockerRegistry::start() else { return };
    let archive = fetching::tar(b"hello");
    let served = fetching::serve("200 OK", &archive, archive.len());
    let machine = |address: &str, compression: &str| {
        let space = fetching::space(address, Digest::of(&archive));
        let text = fs::read_to_string(space.path("layers.toml")).expect("a file");
        space.write("layers.toml", format!("{text}{compression}"));
        space
    };
    run(&machine(&served, ""), &registry.address, "build --cache-to CACHE //:t");
    let gone = fetching::serve("404 Not Found", b"", 0);
    let told = run(&machine(&gone, "compression = \"none\"\n"), &registry.address, "build --cache-from CACHE //:t");
    assert_eq!(counts(&told), (1, 1), "{}", told.stderr);

    overwrite(&blob_of(&registry, &Digest::of(&archive).to_string()), &vec![b'x'; archive.len()]);
    let told = run(&machine(&served, "compression = \"none\"\n"), &registry.address, "build --cache-from CACHE //:t");
    assert!(told.stderr.contains("can't be used, and is built again"), "{}", told.stderr);
}

#[test]
fn a_profile_names_the_caches_of_its_builds() {
    let Some(registry) = DockerRegistry::start() else { return };
    let cache = format!("{}/caches/ci", registry.address);
    let text = format!("{TARGETS}\n[profile.ci]\ncache-from = [\"{cache}\"]\ncache-to = \"{cache}\"\n");
    let machine = || {
        let space = machine();
        space.write("layers.toml", format!("[workspace]\nname = \"test\"\n{text}"));
        space
    };
    let first = machine();
    run(&first, &registry.address, "build //:base");
    assert!(registry.get("/v2/caches/ci/tags/list").contains("404"), "off by default");
    assert_eq!(counts(&run(&first, &registry.address, "build --profile ci //:base")), (0, 2));
    assert_eq!(counts(&run(&machine(), &registry.address, "build --profile ci //:base")), (0, 2));
}

#[test]
fn a_cache_that_does_not_answer_is_a_warning_and_offline_asks_nobody() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port").port();
    let nobody = format!("127.0.0.1:{port}");
    let told = run(&machine(), &nobody, "build --cache-from CACHE --cache-to CACHE //:app");
    assert_eq!(counts(&told), (5, 0));
    let warnings: Vec<&str> = told.stderr.lines().filter(|line| line.starts_with("warning")).collect();
    assert_eq!(warnings.len(), 2, "{}", told.stderr);
    assert!(warnings[0].contains("is not asked any more: "), "{}", told.stderr);
    assert!(warnings[1].contains("5 of 5 records could not be written to the cache "), "{}", told.stderr);
    let offline = run(&machine(), &nobody, "build --offline --cache-from CACHE --cache-to CACHE //:app");
    assert!(!offline.stderr.contains("warning"), "{}", offline.stderr);
}

#[test]
fn a_cache_is_a_repository_without_a_tag() {
    let space = machine();
    for wrong in ["a.example/x:1", "a.example", "no/registry", "https://a.example/x"] {
        let told = space.layerbuild(&format!("build --cache-from {wrong} //:app"));
        assert_eq!(told.code, 2, "{wrong}: {}", told.stderr);
        let told =
            space.output(space.command(crate::space::PROGRAM).args(["//:app"]).env("LAYERBUILD_CACHE_TO", wrong));
        assert_eq!(told.code, 2, "{wrong}: {}", told.stderr);
        assert!(told.stderr.contains("LAYERBUILD_CACHE_TO"), "{}", told.stderr);
    }
}
