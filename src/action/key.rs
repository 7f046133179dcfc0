//! The action key and its explanation, from one walk over an action.
//!
//! Encoding (SHA-256 over it is the key): the version tag, then each field in the walk's order as
//! length and bytes of its name, length and bytes of its value; a length is 8 bytes, little-endian. Upstream
//! actions enter by the digests of their *outputs*: an input that is rebuilt and comes out the same stops the
//! rebuild there. No path of the host, no label, no time of day enters.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use serde::Serialize;
use serde_json::Value;

use super::record::Component;
use super::{
    Action, ActionId, Archive, CargoAction, DebsLayer, DebsPart, ExecAction, FileEntry, FileKind, FilesLayer,
    ImageAction, ImageTestAction, IndexAction, Operation, RunAction, RunBase, RunInput, TarLayer,
};
use crate::digest::{Digest, Hasher};
use crate::layer_path::LayerPath;
use crate::oci::canonical;
use crate::oci::tar_write;

/// Changes when the encoding or the meaning of a field changes: old records are then no longer found.
const VERSION: &str = "layerbuild action 1";
/// The same for source keys, so that one is never taken for the other.
const SOURCE_VERSION: &str = "layerbuild source 1";

/// What is known of an action's inputs when its key is asked for.
pub trait Inputs {
    /// What stands for an input: the digest of its output, or for source keys its own source key; `None` when that isn't
    /// known.
    fn digest(&self, id: ActionId) -> Option<Digest>;
    /// The label of an input's target, to tell people where a value comes from.
    fn label(&self, id: ActionId) -> String;
}

/// The key of an action; `None` while one of its inputs isn't built.
pub fn key(action: &Action, inputs: &dyn Inputs) -> Option<Digest> {
    match &action.operation {
        // The action that made it is another by now, or isn't known: its result stands under its own key.
        Operation::Local(local) => Some(local.key),
        _ => keyed(VERSION, action, inputs),
    }
}

/// The source key of an action, by the source keys of its inputs: nothing built enters it. `None` while one of those
/// isn't known.
pub fn source_key(action: &Action, inputs: &dyn Inputs) -> Option<Digest> {
    keyed(SOURCE_VERSION, action, inputs)
}

fn keyed(version: &str, action: &Action, inputs: &dyn Inputs) -> Option<Digest> {
    let mut sink = KeySink { hasher: Hasher::new(), text: String::new() };
    sink.bytes(version);
    walk(&action.operation, inputs, &mut sink)?;
    Some(sink.hasher.finish())
}

/// The same walk, kept as text; `None` while one of its inputs isn't built.
pub fn components(action: &Action, inputs: &dyn Inputs) -> Option<Vec<Component>> {
    let mut sink = Components(Vec::new());
    walk(&action.operation, inputs, &mut sink)?;
    Some(sink.0)
}

/// Takes the fields of one walk.
trait Sink {
    fn field(&mut self, name: fmt::Arguments<'_>, value: fmt::Arguments<'_>, origin: &dyn Fn() -> Option<String>);

    fn plain(&mut self, name: &str, value: fmt::Arguments<'_>) {
        self.field(format_args!("{name}"), value, &|| None);
    }
}

struct KeySink {
    hasher: Hasher,
    text: String,
}

impl KeySink {
    fn bytes(&mut self, text: &str) {
        self.hasher.update(&(text.len() as u64).to_le_bytes());
        self.hasher.update(text.as_bytes());
    }

    fn formatted(&mut self, text: fmt::Arguments<'_>) {
        let mut buffer = std::mem::take(&mut self.text);
        buffer.clear();
        buffer.write_fmt(text).expect("writing to a string succeeds");
        self.bytes(&buffer);
        self.text = buffer;
    }
}

impl Sink for KeySink {
    fn field(&mut self, name: fmt::Arguments<'_>, value: fmt::Arguments<'_>, _: &dyn Fn() -> Option<String>) {
        self.formatted(name);
        self.formatted(value);
    }
}

struct Components(Vec<Component>);

impl Sink for Components {
    fn field(&mut self, name: fmt::Arguments<'_>, value: fmt::Arguments<'_>, origin: &dyn Fn() -> Option<String>) {
        self.0.push(Component { name: name.to_string(), value: value.to_string(), origin: origin() });
    }
}

fn walk(operation: &Operation, inputs: &dyn Inputs, sink: &mut dyn Sink) -> Option<()> {
    match operation {
        Operation::Files(layer) => files(layer, sink),
        Operation::Tar(layer) => tar(layer, inputs, sink)?,
        Operation::Fetch(fetch) => {
            sink.plain("operation", format_args!("fetch"));
            sink.plain("digest", format_args!("{}", fetch.digest));
        }
        Operation::Image(action) => image(action, inputs, sink)?,
        Operation::Pull(pull) => {
            sink.plain("operation", format_args!("pull"));
            match pull.image() {
                Some(image) => sink.plain("base digest", format_args!("{}", image.manifest)),
                None => sink.plain("base digest", format_args!("not locked for {}", pull.platform)),
            }
        }
        Operation::Local(local) => {
            sink.plain("operation", format_args!("local"));
            sink.plain("digest", format_args!("{}", local.output.digest()));
        }
        Operation::Index(action) => index(action, inputs, sink)?,
        Operation::Debs(layer) => debs(layer, sink),
        Operation::Run(action) => run(action, inputs, sink)?,
        Operation::Exec(action) => exec(action, inputs, sink)?,
        Operation::Cargo(action) => cargo(action, inputs, sink)?,
        Operation::ImageTest(action) => image_test(action, inputs, sink)?,
    }
    Some(())
}

fn files(layer: &FilesLayer, sink: &mut dyn Sink) {
    sink.plain("operation", format_args!("files"));
    sink.plain("format", format_args!("{}", tar_write::FORMAT));
    sink.plain("compression", format_args!("{}", layer.compression.identity()));
    sink.plain("mtime", format_args!("{}", layer.mtime));
    for (path, entry) in &layer.entries {
        sink.field(format_args!("entry {path}"), format_args!("{}", EntryText(entry)), &|| origin(entry));
    }
}

fn origin(entry: &FileEntry) -> Option<String> {
    match &entry.kind {
        FileKind::Source(source) => Some(format!("file {}", source.path)),
        _ => None,
    }
}

/// An entry on one line: what it is, then mode and owner.
struct EntryText<'a>(&'a FileEntry);

impl fmt::Display for EntryText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.kind {
            FileKind::Source(source) => write!(f, "file {}", source.digest)?,
            FileKind::Literal(bytes) => write!(f, "file {}", Digest::of(bytes))?,
            FileKind::Symlink(target) => write!(f, "link {target:?}")?,
            FileKind::Directory { implied } => write!(f, "{}", if *implied { "parent" } else { "directory" })?,
        }
        write!(f, " mode {:04o} owner {}:{}", self.0.mode, self.0.owner.uid, self.0.owner.gid)
    }
}

fn tar(layer: &TarLayer, inputs: &dyn Inputs, sink: &mut dyn Sink) -> Option<()> {
    sink.plain("operation", format_args!("tar"));
    sink.plain("format", format_args!("{}", tar_write::FORMAT));
    sink.plain("compression", format_args!("{}", layer.compression.identity()));
    sink.plain("mtime", format_args!("{}", layer.mtime));
    let (digest, origin) = match &layer.archive {
        Archive::Source(source) => (source.digest, format!("file {}", source.path)),
        Archive::Fetched(id) => (inputs.digest(*id)?, inputs.label(*id)),
    };
    sink.field(format_args!("archive"), format_args!("{digest}"), &|| Some(origin.clone()));
    Some(())
}

/// Changes when packages are laid out otherwise, or what is declared of their scripts does.
const DEBS: &str = "3";

fn debs(layer: &DebsLayer, sink: &mut dyn Sink) {
    sink.plain("operation", format_args!("debs {DEBS}"));
    sink.plain("format", format_args!("{}", tar_write::FORMAT));
    sink.plain("compression", format_args!("{}", layer.compression.identity()));
    sink.plain("mtime", format_args!("{}", layer.mtime));
    sink.plain("merged-usr", format_args!("{}", layer.merged_usr));
    for (number, part) in layer.below.iter().enumerate() {
        debs_part(part, layer, &format!("below {} ", number + 1), sink);
    }
    debs_part(&layer.own, layer, "", sink);
}

fn debs_part(part: &DebsPart, layer: &DebsLayer, place: &str, sink: &mut dyn Sink) {
    sink.plain(&format!("{place}essential"), format_args!("{}", part.essential));
    for user in &part.users {
        let (name, uid, gid) = (&user.name, user.uid, user.gid);
        sink.plain(&format!("{place}user {name}"), format_args!("{uid}:{gid} {:?} {:?}", user.home, user.shell));
    }
    for (number, glob) in part.exclude_paths.iter().enumerate() {
        sink.plain(&format!("{place}exclude-paths {}", number + 1), format_args!("{glob}"));
    }
    let packages = part.packages(&layer.platform);
    if packages.is_none() {
        sink.plain(&format!("{place}packages"), format_args!("not locked for {}", layer.platform));
    }
    for deb in packages.unwrap_or_default() {
        let (version, architecture, digest) = (&deb.version, &deb.architecture, deb.digest);
        sink.plain(&format!("{place}package {}", deb.name), format_args!("{version} {architecture} {digest}"));
    }
}

fn image(image: &ImageAction, inputs: &dyn Inputs, sink: &mut dyn Sink) -> Option<()> {
    sink.plain("operation", format_args!("image"));
    if let Some(base) = image.base {
        upstream("base", base, inputs, sink)?;
    }
    for (index, layer) in image.layers.iter().enumerate() {
        upstream(&format!("layer {}", index + 1), *layer, inputs, sink)?;
    }
    fields(&image.spec, sink);
    Some(())
}

/// Platforms come with the images' digests.
fn index(index: &IndexAction, inputs: &dyn Inputs, sink: &mut dyn Sink) -> Option<()> {
    sink.plain("operation", format_args!("index"));
    for (number, image) in index.images.iter().enumerate() {
        upstream(&format!("image {}", number + 1), *image, inputs, sink)?;
    }
    for (name, value) in &index.annotations {
        sink.plain(&format!("annotation {name}"), format_args!("{value}"));
    }
    Some(())
}

/// Changes when a sandbox shows or gives something else than before.
const SANDBOX: &str = "sandbox 1";

fn run(run: &RunAction, inputs: &dyn Inputs, sink: &mut dyn Sink) -> Option<()> {
    sink.plain("operation", format_args!("run"));
    step(run, inputs, sink)
}

fn exec(exec: &ExecAction, inputs: &dyn Inputs, sink: &mut dyn Sink) -> Option<()> {
    sink.plain("operation", format_args!("exec"));
    step(&exec.step, inputs, sink)?;
    for (to, from) in &exec.outputs {
        sink.plain(&format!("output {to}"), format_args!("{from}"));
    }
    Some(())
}

/// Changes when programs are compiled otherwise.
const CARGO: &str = "1";

/// The lock file is among the files.
fn cargo(cargo: &CargoAction, inputs: &dyn Inputs, sink: &mut dyn Sink) -> Option<()> {
    sink.plain("operation", format_args!("cargo {CARGO}"));
    sink.plain("compiler", format_args!("{}", cargo.compiler.trim_end().replace('\n', ", ")));
    sink.plain("programs", format_args!("{:?} in {}", cargo.bins, cargo.dest));
    step(&cargo.step, inputs, sink)
}

/// Neither secrets' values nor the time limit.
fn step(run: &RunAction, inputs: &dyn Inputs, sink: &mut dyn Sink) -> Option<()> {
    sink.plain("sandbox", format_args!("{SANDBOX}"));
    sink.plain("format", format_args!("{}", tar_write::FORMAT));
    sink.plain("compression", format_args!("{}", run.compression.identity()));
    sink.plain("mtime", format_args!("{}", run.mtime));
    match &run.base {
        RunBase::Image(image) => upstream("base", *image, inputs, sink)?,
        RunBase::Host => sink.plain("base", format_args!("the host: not portable")),
        RunBase::Layers(layers) => {
            let layers = layers.iter().enumerate();
            layers
                .map(|(number, id)| upstream(&format!("base layer {}", number + 1), *id, inputs, sink))
                .collect::<Option<()>>()?;
        }
    }
    for (number, words) in run.commands.iter().enumerate() {
        sink.plain(&format!("command {}", number + 1), format_args!("{words:?}"));
    }
    for (name, value) in &run.env {
        sink.plain(&format!("env {name}"), format_args!("{value}"));
    }
    for (name, value) in [("user", &run.user), ("workdir", &run.workdir)] {
        if let Some(value) = value {
            sink.plain(name, format_args!("{value}"));
        }
    }
    for (path, input) in &run.inputs {
        run_input(path, input, inputs, sink)?;
    }
    for (path, name) in &run.caches {
        sink.plain(&format!("cache {path}"), format_args!("{name}"));
    }
    for (path, secret) in &run.secrets {
        sink.plain(&format!("secret {path}"), format_args!("{}", secret.name));
    }
    sink.plain("network", format_args!("{}", run.network));
    for glob in &run.ignore {
        sink.plain("ignore", format_args!("{glob}"));
    }
    Some(())
}

fn run_input(at: &LayerPath, input: &RunInput, inputs: &dyn Inputs, sink: &mut dyn Sink) -> Option<()> {
    match input {
        RunInput::Layer(layer) => upstream(&format!("input {at}"), *layer, inputs, sink)?,
        RunInput::Files(entries) => entries.iter().for_each(|(path, entry)| {
            sink.field(format_args!("input {at}{path}"), format_args!("{}", EntryText(entry)), &|| origin(entry));
        }),
    }
    Some(())
}

fn upstream(name: &str, id: ActionId, inputs: &dyn Inputs, sink: &mut dyn Sink) -> Option<()> {
    let digest = inputs.digest(id)?;
    sink.field(format_args!("{name}"), format_args!("{digest}"), &|| Some(inputs.label(id)));
    Some(())
}

/// Changes when a test finds something that it didn't find before.
const IMAGE_TEST: &str = "image_test 1";

fn image_test(test: &ImageTestAction, inputs: &dyn Inputs, sink: &mut dyn Sink) -> Option<()> {
    sink.plain("operation", format_args!("{IMAGE_TEST}"));
    upstream("image", test.image, inputs, sink)?;
    fields(&test.expected, sink);
    Some(())
}

/// Each field of a struct that says something, by name; a list or table as canonical JSON.
fn fields(of: &impl Serialize, sink: &mut dyn Sink) {
    let Ok(Value::Object(fields)) = serde_json::to_value(of) else {
        unreachable!("a struct serialises to an object");
    };
    let fields: BTreeMap<String, Value> = fields.into_iter().collect();
    for (name, value) in fields.iter().filter(|(_, value)| !is_empty(value)) {
        let text = canonical::to_bytes(value);
        sink.plain(name, format_args!("{}", String::from_utf8_lossy(&text)));
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}
