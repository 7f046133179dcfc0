//! Two images compared: settings, layers, and the paths that their layers make.
//!
//! Takes images and listings as values. Whether two files of one size hold the same, the caller says, who has their
//! bytes. Extended attributes are not in a listing, so they are not compared.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::digest::DiffId;
use crate::oci::canonical;
use crate::oci::descriptor::Layer;
use crate::oci::image::Image;
use crate::oci::image_requires::LABEL;
use crate::oci::listing::{Listed, Listing};
use crate::oci::overlay::{Placed, overlay};
use crate::oci::tree::Kind;

/// A setting that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingChange {
    /// As `layers.toml` calls it, such as `env.PATH`; what it has no word for, as the config does.
    pub name: String,
    /// Before, as JSON; `None` where it wasn't said.
    pub old: Option<String>,
    /// After.
    pub new: Option<String>,
}

/// The settings of configs and manifests that differ, sorted by name. Layers and their history are left out.
pub fn settings(old: &Image, new: &Image) -> Vec<SettingChange> {
    let (mut old, mut new) = (said(old), said(new));
    let names: BTreeSet<String> = old.keys().chain(new.keys()).cloned().collect();
    let changes = names.into_iter().map(|name| SettingChange { old: old.remove(&name), new: new.remove(&name), name });
    changes.filter(|change| change.old != change.new).collect()
}

/// What the config calls `.0`, `layers.toml` calls `.1`.
const NAMES: &[(&str, &str)] = &[
    ("Env", "env"),
    ("Entrypoint", "entrypoint"),
    ("Cmd", "cmd"),
    ("User", "user"),
    ("WorkingDir", "workdir"),
    ("ExposedPorts", "ports"),
    ("Volumes", "volumes"),
    ("Labels", "labels"),
    ("StopSignal", "stop-signal"),
    ("Healthcheck", "healthcheck"),
];

/// Every setting by name, as JSON. Null and empty ones count as not said.
fn said(image: &Image) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let config = serde_json::from_slice(&image.config).unwrap_or_default();
    for (key, value) in object(&config).filter(|(key, _)| !["rootfs", "history", "config"].contains(key)) {
        add(&mut found, key.to_owned(), value);
    }
    for (key, value) in object(&config["config"]) {
        let name = NAMES.iter().find(|(theirs, _)| *theirs == key).map_or(key, |(_, ours)| ours);
        match (key, value) {
            ("Env", Value::Array(variables)) => {
                for (variable, value) in variables.iter().filter_map(|text| text.as_str()?.split_once('=')) {
                    add(&mut found, format!("env.{variable}"), &Value::from(value));
                }
            }
            ("Labels" | "ExposedPorts" | "Volumes", Value::Object(entries)) => {
                entries.iter().for_each(|(entry, value)| match requires(entry, value) {
                    Some(variables) => {
                        variables.iter().for_each(|(variable, said)| add_entry(&mut found, "requires", variable, said));
                    }
                    None => add_entry(&mut found, name, entry, value),
                });
            }
            _ => add(&mut found, name.to_owned(), value),
        }
    }
    let manifest: Value = serde_json::from_slice(&image.manifest).unwrap_or_default();
    object(&manifest["annotations"]).for_each(|(key, value)| add_entry(&mut found, "annotations", key, value));
    found
}

/// The variables in the label that names what an image requires; `None` for any other label.
fn requires(label: &str, value: &Value) -> Option<Map<String, Value>> {
    value.as_str().filter(|_| label == LABEL).and_then(|text| serde_json::from_str(text).ok())
}

fn object(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(key, value)| (key.as_str(), value))
}

fn add(found: &mut BTreeMap<String, String>, name: String, value: &Value) {
    let nothing = [Value::Null, Value::from(""), Value::Array(Vec::new()), Value::Object(Default::default())];
    if !nothing.contains(value) {
        found.insert(name, String::from_utf8_lossy(&canonical::to_bytes(value)).into_owned());
    }
}

/// An entry is said by being there: `{"8080/tcp": {}}`.
fn add_entry(found: &mut BTreeMap<String, String>, name: &str, entry: &str, value: &Value) {
    found.insert(format!("{name}.{entry}"), String::from_utf8_lossy(&canonical::to_bytes(value)).into_owned());
}

/// A layer that only one of two images has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerChange {
    /// Its place in the image, the lowest being 1.
    pub position: usize,
    /// The layer.
    pub layer: Layer,
    /// Whether it is the second image's.
    pub added: bool,
}

/// The layers between those that both begin and end with, the first image's first. Layers are told apart by their blobs.
pub fn layers(old: &[Layer], new: &[Layer]) -> Vec<LayerChange> {
    let same = |(old, new): &(&Layer, &Layer)| old.descriptor.digest == new.descriptor.digest;
    let start = old.iter().zip(new).take_while(same).count();
    let left = old.len().min(new.len()) - start;
    let end = old.iter().rev().zip(new.iter().rev()).take(left).take_while(same).count();
    let part = |layers: &[Layer], added: bool| {
        let between = layers[start..layers.len() - end].iter().enumerate();
        between.map(|(at, layer)| LayerChange { position: start + at + 1, layer: layer.clone(), added }).collect()
    };
    let changes: [Vec<LayerChange>; 2] = [part(old, false), part(new, true)];
    changes.concat()
}

/// A path that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathChange {
    /// What stood there; `None` for a path that is new.
    pub old: Option<Listed>,
    /// What stands there; `None` for a path that is gone.
    pub new: Option<Listed>,
    /// Whether both are files of one size with other bytes.
    pub content: bool,
}

/// One image's file system: its layers with what they hold, lowest first.
pub type Stack<'a> = [(DiffId, &'a Listing)];

/// The paths that differ, sorted by their bytes. `same` says whether two files of one size, each of one of the layers,
/// hold the same.
pub fn paths<E>(
    old: &Stack<'_>,
    new: &Stack<'_>,
    mut same: impl FnMut((DiffId, &Listed), (DiffId, &Listed)) -> Result<bool, E>,
) -> Result<Vec<PathChange>, E> {
    let mut pairs: BTreeMap<&[u8], [Option<Placed<'_>>; 2]> = BTreeMap::new();
    for placed in view(old) {
        pairs.entry(placed.entry.path.as_bytes()).or_default()[0] = Some(placed);
    }
    for placed in view(new) {
        pairs.entry(placed.entry.path.as_bytes()).or_default()[1] = Some(placed);
    }
    let mut changes = Vec::new();
    for [before, after] in pairs.into_values() {
        let mut content = false;
        if let (Some(before), Some(after)) = (before, after) {
            let ids = (old[before.layer].0, new[after.layer].0);
            if seen(before.entry) == seen(after.entry) {
                let file = before.entry.kind == Kind::File && before.entry.size > 0;
                if ids.0 == ids.1 || !file || same((ids.0, before.entry), (ids.1, after.entry))? {
                    continue;
                }
                content = true;
            }
        }
        let entry = |placed: Option<Placed<'_>>| placed.map(|placed| placed.entry.clone());
        changes.push(PathChange { old: entry(before), new: entry(after), content });
    }
    Ok(changes)
}

fn view<'a>(stack: &Stack<'a>) -> Vec<Placed<'a>> {
    overlay(&stack.iter().map(|(_, listing)| *listing).collect::<Vec<_>>())
}

/// What makes two entries of one path different; whether a directory was asked for by name doesn't.
fn seen(entry: &Listed) -> (Kind, u32, u64, u64, u64, &[u8]) {
    (entry.kind, entry.mode, entry.uid, entry.gid, entry.size, &entry.target)
}

impl PathChange {
    /// What of a path that both have differs, as `mode 0644 → 0755`; what is on one side only, by its kind.
    pub fn aspects(&self) -> Vec<String> {
        let (old, new) = match (&self.old, &self.new) {
            (Some(old), Some(new)) => (old, new),
            (one, other) => return one.iter().chain(other).map(description).collect(),
        };
        let (mut aspects, text) = (Vec::new(), |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned());
        let mut differs = |what: &str, old: String, new: String| {
            if old != new {
                aspects.push(format!("{what} {old} → {new}"));
            }
        };
        differs("type", old.kind.to_string(), new.kind.to_string());
        differs("mode", format!("{:04o}", old.mode), format!("{:04o}", new.mode));
        differs("owner", format!("{}:{}", old.uid, old.gid), format!("{}:{}", new.uid, new.gid));
        differs("target", text(&old.target), text(&new.target));
        differs("size", old.size.to_string(), new.size.to_string());
        if self.content {
            aspects.push("content".into());
        }
        aspects
    }
}

fn description(entry: &Listed) -> String {
    let owner = format!("{} mode {:04o} owner {}:{}", entry.kind, entry.mode, entry.uid, entry.gid);
    match entry.kind {
        Kind::File => format!("{owner} size {}", entry.size),
        Kind::Symlink | Kind::HardLink => format!("{owner} to {}", String::from_utf8_lossy(&entry.target)),
        _ => owner,
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::digest::Digest;
    use crate::oci::blob_source::MemoryBlobs;
    use crate::oci::image_spec::ImageSpec;
    use crate::oci::sample;

    fn listing(lines: &str) -> Listing {
        Listing::parse(&format!("listing 1\n{lines}")).unwrap()
    }

    fn told(old: &[&str], new: &[&str], same: bool) -> Vec<String> {
        let stack = |texts: &[&str]| -> Vec<(DiffId, Listing)> {
            texts.iter().map(|text| (DiffId(Digest::of(text.as_bytes())), listing(text))).collect()
        };
        let (old, new) = (stack(old), stack(new));
        let old: Vec<_> = old.iter().map(|(id, listing)| (*id, listing)).collect();
        let new: Vec<_> = new.iter().map(|(id, listing)| (*id, listing)).collect();
        let changes = paths(&old, &new, |_, _| Ok::<_, Infallible>(same)).unwrap();
        let path = |change: &PathChange| change.old.as_ref().or(change.new.as_ref()).unwrap().path.to_string();
        changes.iter().map(|change| format!("{} {}", path(change), change.aspects().join(", "))).collect()
    }

    #[test]
    fn what_is_new_gone_or_other_is_told_with_what_differs() {
        let old = "d 755 0 0 0 a\nf 644 0 0 5 a/file\nl 777 0 0 0 a/link to\nf 644 0 0 1 gone\n";
        let new = "d* 755 0 0 0 a\nf 755 1 0 7 a/file\nl 777 0 0 0 a/link other\nd 755 0 0 0 new\n";
        assert_eq!(
            told(&[old], &[new], true),
            [
                "/a/file mode 0644 → 0755, owner 0:0 → 1:0, size 5 → 7",
                "/a/link target to → other",
                "/gone file mode 0644 owner 0:0 size 1",
                "/new directory mode 0755 owner 0:0",
            ]
        );
    }

    #[test]
    fn files_of_one_size_are_asked_about_unless_one_layer_brought_both() {
        let (below, above) = ("f 644 0 0 1 a\n", "f 644 0 0 1 b\n");
        let other = "f 644 0 0 1 b\nf 644 0 0 0 c\n";
        assert_eq!(told(&[below, above], &[below, above], false), [""; 0]);
        assert_eq!(told(&[below, above], &[below, other], false), ["/b content", "/c file mode 0644 owner 0:0 size 0"]);
        assert_eq!(told(&[below, above], &[below, "f 644 0 0 1 .wh.a\nf 644 0 0 1 b\n"], true).len(), 1, "whited out");
    }

    #[test]
    fn settings_have_the_names_of_layers_toml() {
        let mut blobs = MemoryBlobs::default();
        let plain = sample::scratch(&mut blobs, &ImageSpec::default());
        let spec = ImageSpec {
            env: vec![("A".into(), "1".into())],
            user: Some("app".into()),
            labels: [("l".to_owned(), "x".to_owned())].into(),
            annotations: [("n".to_owned(), "y".to_owned())].into(),
            requires: serde_json::from_str(r#"{"V": {"doc": "v"}}"#).unwrap(),
            ..ImageSpec::default()
        };
        let said = sample::scratch(&mut blobs, &spec);
        let told: Vec<_> =
            settings(&plain, &said).into_iter().map(|change| (change.name, change.old, change.new)).collect();
        let new = |name: &str, value: &str| (name.to_owned(), None, Some(value.to_owned()));
        let expected = [
            new("annotations.n", "\"y\""),
            new("env.A", "\"1\""),
            new("labels.l", "\"x\""),
            new("requires.V", "{\"doc\":\"v\"}"),
            new("user", "\"app\""),
        ];
        assert_eq!(told, expected);
        assert_eq!(settings(&said, &said), []);
    }

    #[test]
    fn layers_are_told_between_what_both_begin_and_end_with() {
        let mut blobs = MemoryBlobs::default();
        let layers_of = |image: Image| image.layers;
        let three = layers_of(sample::scratch(&mut blobs, &ImageSpec::default()));
        let outer = [three[0].clone(), three[2].clone()];
        let told = layers(&three, &outer);
        assert_eq!(told, [LayerChange { position: 2, layer: three[1].clone(), added: false }]);
        assert!(layers(&outer, &three)[0].added);
    }
}
