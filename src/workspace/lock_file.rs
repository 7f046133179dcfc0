//! `layers.lock`: what the workspace's bases were when they were locked; read with places, written in one fixed form.
//!
//! Sorted, one line a thing, no host but in references that the user wrote: small differences. Knows nothing of registries
//! and not what an outline's lines mean.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::lock_debs::{LockedDebError, LockedDebs};
use super::parse::{self, Parsed};
use super::value::{Entry, Node, Table, Value};
use crate::diagnostic::Diagnostic;
use crate::digest::Digest;
use crate::label::{Label, PackagePath};
use crate::platform::Platform;
use crate::span::{FileId, Span};

/// The name of a workspace's lock file, beside the root's layers.toml.
pub const FILE_NAME: &str = "layers.lock";

/// The version of the format that is read and written here.
const VERSION: i64 = 1;

const HEADING: &str = "# Written by `layerbuild lock`. Commit it with the layers.toml files; don't edit it.\n";

/// What a workspace has locked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LockFile {
    /// By `pull` target, and by label of an image of another workspace.
    pub pulls: BTreeMap<Label, LockedImage>,
    /// By `debs` target.
    pub debs: BTreeMap<Label, LockedDebs>,
    /// By profile, then by target that the profile takes as published.
    pub profiles: BTreeMap<String, BTreeMap<Label, LockedImage>>,
}

/// An image as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedImage {
    /// The reference: of a pull as the user wrote it, of a published target its path and tag below the profile's registry.
    pub image: String,
    /// Of what the reference named: an index, or the manifest of one image.
    pub digest: Digest,
    /// By platform.
    pub platforms: BTreeMap<Platform, LockedPlatform>,
}

/// What an image is for one platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedPlatform {
    /// Of the manifest.
    pub manifest: Digest,
    /// Of the config.
    pub config: Digest,
    /// Of the listing of all its layers.
    pub listing: Digest,
    /// What strictness needs of the listing, a line each: see `oci::outline`.
    pub outline: Vec<String>,
}

impl LockFile {
    /// The entry of a `pull` or of another workspace's image, or with `profile` of a target that it takes as published.
    pub fn image(&self, label: &Label, profile: Option<&str>) -> Option<&LockedImage> {
        match profile {
            Some(profile) => self.profiles.get(profile)?.get(label),
            None => self.pulls.get(label),
        }
    }

    /// The file's text: the same for the same content.
    pub fn to_text(&self) -> String {
        let mut text = format!("{HEADING}version = {VERSION}\n");
        for (label, image) in &self.pulls {
            let section = if label.package.external().is_some() { "external" } else { "pull" };
            image.write_to(&mut text, &format!("{section}.{}", key(&label.to_string())));
        }
        for (label, debs) in &self.debs {
            debs.write_to(&mut text, &format!("debs.{}", key(&label.to_string())));
        }
        for (profile, images) in &self.profiles {
            for (label, image) in images {
                image.write_to(&mut text, &format!("profile.{}.{}", key(profile), key(&label.to_string())));
            }
        }
        text
    }

    /// Reads a file's text. Every mistake is told; what could be read is given even so.
    pub fn parse(text: &str, file: FileId) -> (LockFile, Vec<Diagnostic>) {
        let Parsed { table, diagnostics, .. } = parse::parse(text, file);
        let mut reader = Reader { diagnostics };
        if !reader.diagnostics.is_empty() {
            return (LockFile::default(), reader.told(text));
        }
        match table.get("version").map(|version| (&version.node, version.span)) {
            Some((Node::Integer(VERSION), _)) => {}
            Some((Node::Integer(newer), span)) if *newer > VERSION => {
                let message = "layers.lock was written by a newer layerbuild";
                let label = format!("this one reads version {VERSION}");
                let diagnostic = Diagnostic::error(message).at(span, label).help("use that layerbuild, or a newer one");
                return (LockFile::default(), vec![diagnostic]);
            }
            _ => reader.wrong(Span::new(file, 0..text.find('\n').unwrap_or(text.len())), "no version stands here"),
        }
        let lock = reader.file(&table);
        (lock, reader.told(text))
    }
}

impl LockedImage {
    fn write_to(&self, text: &mut String, name: &str) {
        // Writing to a string can't fail.
        let _ = write!(text, "\n[{name}]\nimage = {}\ndigest = \"{}\"\n", quoted(&self.image), self.digest);
        for (platform, LockedPlatform { manifest, config, listing, outline }) in &self.platforms {
            let _ = write!(text, "\n[{name}.{}]\n", key(&platform.to_string()));
            let _ =
                write!(text, "manifest = \"{manifest}\"\nconfig = \"{config}\"\nlisting = \"{listing}\"\noutline = [");
            for line in outline {
                let _ = write!(text, "\n  {},", quoted(line));
            }
            text.push_str(if outline.is_empty() { "]\n" } else { "\n]\n" });
        }
    }
}

impl LockedDebs {
    fn write_to(&self, text: &mut String, name: &str) {
        // Writing to a string can't fail.
        let _ = write!(text, "\n[{name}]\nrequest = {}\n", quoted(&self.request));
        if let Some(below) = &self.below {
            let _ = writeln!(text, "below = \"{below}\"");
        }
        for (platform, debs) in &self.platforms {
            let _ = write!(text, "\n[{name}.{}]\npackages = [", key(&platform.to_string()));
            for deb in debs {
                let _ = write!(text, "\n  {},", quoted(&deb.to_string()));
            }
            text.push_str(if debs.is_empty() { "]\n" } else { "\n]\n" });
        }
    }
}

/// Bare where TOML allows it.
fn key(text: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if !text.is_empty() && text.bytes().all(bare) { text.to_owned() } else { quoted(text) }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            _ if character.is_control() => {
                // Writing to a string can't fail.
                let _ = write!(quoted, "\\u{:04x}", u32::from(character));
            }
            _ => quoted.push(character),
        }
    }
    quoted + "\""
}

struct Reader {
    diagnostics: Vec<Diagnostic>,
}

impl Reader {
    /// The mistakes, each with what to do.
    fn told(self, text: &str) -> Vec<Diagnostic> {
        // What a merge left is one mistake, whatever TOML makes of its lines.
        let (help, most) = if text.lines().any(|line| line.starts_with("<<<<<<<") || line.starts_with(">>>>>>>")) {
            ("a merge left both sides here: take either side whole, then run `layerbuild lock`", 1)
        } else {
            ("take the file from version control again, or remove it and run `layerbuild lock`", usize::MAX)
        };
        self.diagnostics.into_iter().take(most).map(|diagnostic| diagnostic.help(help)).collect()
    }

    fn wrong(&mut self, span: Span, why: impl Into<String>) {
        self.diagnostics.push(Diagnostic::error("layers.lock can't be read").at(span, why));
    }

    fn file(&mut self, table: &Table) -> LockFile {
        let mut lock = LockFile::default();
        for entry in &table.0 {
            match (entry.key.as_str(), entry.value.as_table()) {
                ("version", _) => {}
                ("pull" | "external", Some(images)) => lock.pulls.extend(self.images(images)),
                ("debs", Some(debs)) => lock.debs = self.debs(debs),
                ("profile", Some(profiles)) => {
                    for profile in &profiles.0 {
                        let images = self.table(profile).map(|images| self.images(images)).unwrap_or_default();
                        lock.profiles.insert(profile.key.clone(), images);
                    }
                }
                _ => self.wrong(entry.key_span, "nothing of this name is locked"),
            }
        }
        lock
    }

    fn images(&mut self, table: &Table) -> BTreeMap<Label, LockedImage> {
        let mut images = BTreeMap::new();
        for entry in &table.0 {
            let label = Label::parse(&entry.key, &PackagePath::default());
            match (label, self.table(entry)) {
                (Ok(label), Some(table)) => images.extend(self.image(entry, table).map(|image| (label, image))),
                (Err(error), _) => self.wrong(entry.key_span, error.to_string()),
                (Ok(_), None) => {}
            }
        }
        images
    }

    fn debs(&mut self, table: &Table) -> BTreeMap<Label, LockedDebs> {
        let mut all = BTreeMap::new();
        for entry in &table.0 {
            match (Label::parse(&entry.key, &PackagePath::default()), self.table(entry)) {
                (Ok(label), Some(table)) => all.extend(self.debs_of(entry, table).map(|debs| (label, debs))),
                (Err(error), _) => self.wrong(entry.key_span, error.to_string()),
                (Ok(_), None) => {}
            }
        }
        all
    }

    fn debs_of(&mut self, entry: &Entry, table: &Table) -> Option<LockedDebs> {
        let mut platforms = BTreeMap::new();
        for inner in table.0.iter().filter(|inner| !["request", "below"].contains(&inner.key.as_str())) {
            let platform = inner.key.parse::<Platform>();
            let packages = self.table(inner).and_then(|table| table.get("packages"));
            let lines = packages.and_then(Value::as_array).unwrap_or_default();
            let mut debs = Vec::new();
            for line in lines {
                match line.as_str().map(str::parse) {
                    Some(Ok(deb)) => debs.push(deb),
                    Some(Err(error)) => self.wrong(line.span, LockedDebError::to_string(&error)),
                    None => self.wrong(line.span, "a string is expected here"),
                }
            }
            match platform {
                Ok(platform) => _ = platforms.insert(platform, debs),
                Err(error) => self.wrong(inner.key_span, error.to_string()),
            }
        }
        let below = table.get("below").and_then(|_| self.digest(entry, table, "below"));
        Some(LockedDebs { request: self.text(entry, table, "request")?.to_owned(), below, platforms })
    }

    fn image(&mut self, entry: &Entry, table: &Table) -> Option<LockedImage> {
        let mut platforms = BTreeMap::new();
        for inner in table.0.iter().filter(|inner| !["image", "digest"].contains(&inner.key.as_str())) {
            match (inner.key.parse::<Platform>(), self.table(inner)) {
                (Ok(platform), Some(table)) => {
                    platforms.extend(self.platform(inner, table).map(|locked| (platform, locked)));
                }
                (Err(error), _) => self.wrong(inner.key_span, error.to_string()),
                (Ok(_), None) => {}
            }
        }
        let image = self.text(entry, table, "image").map(str::to_owned);
        Some(LockedImage { image: image?, digest: self.digest(entry, table, "digest")?, platforms })
    }

    fn platform(&mut self, entry: &Entry, table: &Table) -> Option<LockedPlatform> {
        let lines = table.get("outline").and_then(Value::as_array).unwrap_or_default();
        let outline = lines.iter().filter_map(|line| {
            let text = line.as_str().map(str::to_owned);
            if text.is_none() {
                self.wrong(line.span, "a string is expected here");
            }
            text
        });
        let outline = outline.collect();
        Some(LockedPlatform {
            manifest: self.digest(entry, table, "manifest")?,
            config: self.digest(entry, table, "config")?,
            listing: self.digest(entry, table, "listing")?,
            outline,
        })
    }

    fn table<'t>(&mut self, entry: &'t Entry) -> Option<&'t Table> {
        let table = entry.value.as_table();
        if table.is_none() {
            self.wrong(entry.value.span, "a table is expected here");
        }
        table
    }

    fn text<'t>(&mut self, entry: &Entry, table: &'t Table, key: &str) -> Option<&'t str> {
        let text = table.get(key).and_then(Value::as_str);
        if text.is_none() {
            self.wrong(entry.key_span, format!("`{key}` is missing"));
        }
        text
    }

    fn digest(&mut self, entry: &Entry, table: &Table, key: &str) -> Option<Digest> {
        let text = self.text(entry, table, key)?;
        let span = table.get(key).map_or(entry.key_span, |value| value.span);
        text.parse().map_err(|error: crate::digest::DigestError| self.wrong(span, error.to_string())).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::Sources;

    fn locked() -> LockFile {
        let digest = |text: &str| Digest::of(text.as_bytes());
        let platform = |outline: &[&str]| LockedPlatform {
            manifest: digest("manifest"),
            config: digest("config"),
            listing: digest("listing"),
            outline: outline.iter().map(|line| (*line).to_owned()).collect(),
        };
        let platforms = [
            ("linux/amd64".parse().unwrap(), platform(&["/a\\x20\"b -> c", "/bin -> usr/bin"])),
            ("linux/arm/v7".parse().unwrap(), platform(&[])),
        ];
        let image = |text: &str| LockedImage {
            image: text.into(),
            digest: digest("index"),
            platforms: platforms.clone().into(),
        };
        let label = |text: &str| Label::parse(text, &PackagePath::default()).unwrap();
        LockFile {
            pulls: [
                (label("//base:debian"), image("docker.io/library/debian:12")),
                (label("//a:b.c"), image("h:5000/a/b")),
            ]
            .into(),
            debs: [(
                label("//base:debs"),
                LockedDebs {
                    request: "bash from system".into(),
                    below: Some(digest("below")),
                    platforms: [(
                        "linux/amd64".parse().unwrap(),
                        vec![format!("bash 5 amd64 system pool/b.deb {} 7", "0".repeat(64)).parse().unwrap()],
                    )]
                    .into(),
                },
            )]
            .into(),
            profiles: [("my profile".to_owned(), [(label("//p:x"), image("p/x:1"))].into())].into(),
        }
    }

    fn told(text: &str) -> Vec<String> {
        let mut sources = Sources::default();
        let file = sources.add(FILE_NAME.into(), text.into());
        LockFile::parse(text, file).1.iter().map(|diagnostic| diagnostic.render(&sources, false)).collect()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let text = locked().to_text();
        assert_eq!(LockFile::parse(&text, FileId(0)), (locked(), Vec::new()), "{text}");
        assert_eq!(LockFile::parse(&LockFile::default().to_text(), FileId(0)), (LockFile::default(), Vec::new()));
    }

    #[test]
    fn the_form_is_fixed() {
        let mut lock = locked();
        lock.profiles.clear();
        lock.debs.clear();
        lock.pulls.retain(|label, _| &*label.name == "debian");
        let digest = |text: &str| Digest::of(text.as_bytes()).to_string();
        let parts = ["index", "manifest", "config", "listing"];
        let text = parts.iter().fold(lock.to_text(), |text, part| text.replace(&digest(part), part));
        insta::assert_snapshot!(text, @r##"
        # Written by `layerbuild lock`. Commit it with the layers.toml files; don't edit it.
        version = 1

        [pull."//base:debian"]
        image = "docker.io/library/debian:12"
        digest = "index"

        [pull."//base:debian"."linux/amd64"]
        manifest = "manifest"
        config = "config"
        listing = "listing"
        outline = [
          "/a\\x20\"b -> c",
          "/bin -> usr/bin",
        ]

        [pull."//base:debian"."linux/arm/v7"]
        manifest = "manifest"
        config = "config"
        listing = "listing"
        outline = []
        "##);
    }

    #[test]
    fn a_newer_file_a_damaged_one_and_a_merge_are_told_with_what_to_do() {
        let newer = told("version = 2\n[else]\n");
        assert!(newer.len() == 1 && newer[0].contains("written by a newer layerbuild"), "{newer:?}");
        let merged = told("version = 1\n<<<<<<< HEAD\n[pull.\"//a:b\"]\n");
        assert!(merged[0].contains("layers.lock:2:") && merged[0].contains("take either side whole"), "{merged:?}");
        let good = locked().to_text();
        for (wrong, expected) in [
            (String::new(), "no version stands here"),
            (good.replace("sha256:", "sha512:"), "is not a digest"),
            (good.replace("[pull.\"//base:debian\"]", "[pull.\"base:debian:\"]"), "is not a label"),
            (good.replace("linux/arm/v7", "linux"), "is not a platform"),
            (good.replace("\nimage = ", "\nimages = "), "a platform"),
            (good.replace("system pool", "pool"), "expected NAME VERSION"),
            (good.replace("[profile", "[profiles"), "nothing of this name is locked"),
            (good.replace("listing = ", "lister = "), "`listing` is missing"),
        ] {
            let told = told(&wrong);
            assert!(
                told.iter().any(|one| one.contains(expected) && one.contains("run `layerbuild lock`")),
                "{told:#?}"
            );
        }
    }
}
