//! `cargo`: a layer of Rust programs, compiled in a sandbox over a build base.
//!
//! Decides which crates, files and programs there are, and how cargo is called. Runs nothing and reads files only through
//! its context.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};

use super::image::{absolute, duration, env};
use super::sandbox::{self, Draft, seen};
use super::{Context, Rule, Target, shared};
use crate::action::cargo::{CARGO_HOME, CargoAction, TARGET, TOOLCHAIN, VENDOR, WORKSPACE};
use crate::action::{FileEntry, FileKind, Operation, Owner, RunAction, RunBase, RunInput};
use crate::cargo::crates::{Crates, Mistake, Texts, within};
use crate::cargo::reduced::root_manifest;
use crate::diagnostic::{Diagnostic, nearest};
use crate::layer_path::LayerPath;
use crate::span::Span;
use crate::workspace::attributes::Spanned;
use crate::workspace::globs::{Glob, GlobError};
use crate::workspace::schema::{Purpose, RuleSchema, Type, optional, quoted, required};

/// The rule.
pub static RULE: Rule = Rule {
    schema: RuleSchema {
        name: "cargo",
        purpose: Purpose::Layer,
        doc: "A layer of Rust programs. A crate is compiled over the build base, which has a C compiler to link with, by the \
              host's rustup toolchain, in a workspace that is written for it: the crate and those that it reaches by path, \
              and the part of Cargo.lock that they reach. Crates of registries are fetched beforehand by the user's own \
              cargo; the compiling has no network. Two checkouts, two users and another host get the same program.",
        example: "[cargo.server]\nmanifest = \"server/Cargo.toml\"\n",
        attributes: &[
            required("manifest", Type::String, "The Cargo.toml of the package, relative to this package's folder."),
            optional(
                "bins",
                Type::List(&Type::String),
                "The programs. Default: all of the package whose `required-features` are on.",
            ),
            optional(
                "features",
                Type::List(&Type::String),
                "Features of the package. Default: none but the default ones.",
            ),
            optional(
                "default-features",
                Type::Boolean,
                "Whether the package's default features are on. Default: `true`.",
            ),
            optional("profile", Type::String, "Cargo's profile. Default: `release`."),
            optional("dest", Type::String, "The directory of the image that programs go into. Default: `/usr/bin`."),
            optional(
                "env",
                Type::Map(&Type::String),
                "Variables for cargo, compiler and build scripts, beside those that are needed. `$PATH` is what there is; a dollar is `$$`.",
            ),
            sandbox::TIMEOUT,
            sandbox::BUILD_BASE,
            shared::COMPRESSION,
        ],
    },
    lower,
};

fn lower(target: &Target<'_>, context: &dyn Context) -> Result<Operation, Vec<Diagnostic>> {
    let mut draft = Draft::new(target, context);
    let attributes = target.attributes;
    let base = base(&mut draft);
    let env = env(attributes, &mut draft.errors);
    let timeout = attributes.text("timeout").and_then(|text| duration(text, &mut draft.errors));
    let dest = dest(&mut draft);
    let compression = shared::compression(target).map_err(|error| draft.errors.push(error));
    let found = sources(&mut draft);
    let (Some(base), Some(found), Some(dest), Ok(compression)) = (base, found, dest, compression) else {
        return Err(draft.errors);
    };
    let bins = bins(&mut draft, &found);
    if !draft.errors.is_empty() {
        return Err(draft.errors);
    }
    let compiler = context.compiler(&found.crates.root).map_err(|error| {
        let label = Diagnostic::error(error.message).at(target.span, "is compiled by the host's toolchain");
        draft.errors.push(label.help(error.help));
    });
    let (Ok(compiler), true) = (compiler, draft.errors.is_empty()) else { return Err(draft.errors) };
    let call = Call { draft: &draft, found: &found, bins: &bins };
    let step = RunAction {
        base,
        commands: vec![call.words()],
        env: call.env().into_iter().chain(env).collect(),
        user: None,
        workdir: Some(found.root().to_string()),
        inputs: BTreeMap::new(),
        caches: BTreeMap::new(),
        secrets: BTreeMap::new(),
        network: false,
        ignore: Vec::new(),
        timeout,
        compression,
        mtime: target.defaults.epoch,
    };
    let action = found.action(step, compiler, bins, dest);
    action.map(|action| Operation::Cargo(Box::new(action))).map_err(|error| vec![error.at(target.span, "")])
}

fn base(draft: &mut Draft<'_>) -> Option<RunBase> {
    let base = draft.build_base()?;
    if base == RunBase::Host {
        let help = "name an image or layer with a C compiler as `build-base`";
        draft.error("`cargo` compiles in a sandbox", draft.target.span, "but its build base is the host", help);
        return None;
    }
    Some(base)
}

fn dest(draft: &mut Draft<'_>) -> Option<LayerPath> {
    let text = draft.target.attributes.text("dest");
    let text = text.unwrap_or(Spanned { value: "/usr/bin", span: draft.target.span });
    let path = LayerPath::new(absolute(text, &mut draft.errors)?);
    path.map_err(|error| draft.errors.push(Diagnostic::error(error.to_string()).at(text.span, ""))).ok()
}

/// The crates, and all of their files.
struct Found {
    crates: Crates,
    /// The folder that becomes [`WORKSPACE`].
    top: Utf8PathBuf,
    /// By path below it.
    files: BTreeMap<LayerPath, FileEntry>,
}

/// Texts as the context has them.
struct Manifests<'a>(&'a dyn Context);

impl Texts for Manifests<'_> {
    fn text(&self, path: &Utf8Path) -> Result<Option<String>, String> {
        self.0.text(path)
    }
}

fn sources(draft: &mut Draft<'_>) -> Option<Found> {
    let written = draft.target.attributes.text("manifest")?;
    let path = within(&draft.target.directory.join(written.value));
    let folder = path.as_ref().filter(|path| path.file_name() == Some("Cargo.toml")).and_then(|path| path.parent());
    let Some(folder) = folder else {
        let help = format!("write `{}/Cargo.toml`", written.value.trim_end_matches('/'));
        let label = "expected a path below the workspace's root";
        draft.error(format!("`{}` is no Cargo.toml", written.value), written.span, label, &help);
        return None;
    };
    let found = Crates::find(folder, &Manifests(draft.context));
    let crates = found.map_err(|Mistake { message, help }| draft.error(message, written.span, "", &help)).ok()?;
    let top = crates.top();
    let mut found = Found { crates, top, files: BTreeMap::new() };
    let folders: Vec<Utf8PathBuf> = found.crates.members.keys().cloned().collect();
    for folder in folders {
        found.add(&files_of(&folder, draft, written.span)?, draft, written.span);
    }
    let config = found.crates.root.join(".cargo/config.toml");
    if draft.context.text(&config).is_ok_and(|text| text.is_some()) {
        found.add(&[config], draft, written.span);
    }
    Some(found)
}

/// A crate's files, as `cargo package` would see them: folders with a Cargo.toml of their own are other crates'.
fn files_of(folder: &Utf8Path, draft: &mut Draft<'_>, span: Span) -> Option<Vec<Utf8PathBuf>> {
    let globs: Result<Vec<Glob>, GlobError> =
        ["**", "!target/**", "!layers.toml", "!layers.lock", "!Cargo.lock"].map(Glob::new).into_iter().collect();
    let found = globs.map_err(|error| vec![(0, error)]).and_then(|globs| draft.context.glob(folder, &globs));
    let files = found.map_err(|errors| {
        let told = errors.iter().map(|(_, error)| Diagnostic::error(format!("{folder}: {error}")).at(span, ""));
        draft.errors.extend(told);
    });
    let mut files = files.ok()?;
    let is_own = |path: &&Utf8PathBuf| path.file_name() == Some("Cargo.toml") && path.parent() != Some(folder);
    let others: BTreeSet<Utf8PathBuf> =
        files.iter().filter(is_own).filter_map(|path| Some(path.parent()?.to_owned())).collect();
    files.retain(|path| !path.ancestors().skip(1).any(|above| others.contains(above)));
    Some(files)
}

impl Found {
    fn add(&mut self, files: &[Utf8PathBuf], draft: &mut Draft<'_>, span: Span) {
        for (file, source) in files.iter().zip(draft.context.identify(files)) {
            let below = file.strip_prefix(&self.top).unwrap_or(file);
            match (LayerPath::new(below.as_str()), source) {
                (Ok(path), Ok(source)) => _ = self.files.insert(path, seen(file, source)),
                (_, Err(why)) => draft.error(why, span, "needs it", "look at the file"),
                (Err(error), _) => draft.error(error.to_string(), span, "needs it", "rename the file"),
            }
        }
    }

    /// The cargo workspace's root in the sandbox.
    fn root(&self) -> Utf8PathBuf {
        Utf8Path::new(WORKSPACE).join(self.crates.root.strip_prefix(&self.top).unwrap_or(Utf8Path::new("")))
    }

    fn below(&self, name: &str) -> Result<LayerPath, Diagnostic> {
        let root = self.crates.root.strip_prefix(&self.top).unwrap_or(Utf8Path::new(""));
        LayerPath::new(root.join(name).as_str()).map_err(|error| Diagnostic::error(error.to_string()))
    }

    fn action(
        mut self,
        mut step: RunAction,
        compiler: String,
        bins: Vec<String>,
        dest: LayerPath,
    ) -> Result<CargoAction, Diagnostic> {
        let (lock, lock_file) = (self.crates.lock.to_text(), self.below("Cargo.lock")?);
        for (path, text) in
            [(self.below("Cargo.toml")?, root_manifest(&self.crates)), (lock_file.clone(), lock.clone())]
        {
            let kind = FileKind::Literal(text.into_bytes().into());
            self.files.insert(path, FileEntry { mode: 0o644, owner: Owner::default(), kind });
        }
        let at = LayerPath::new(WORKSPACE).map_err(|error| Diagnostic::error(error.to_string()))?;
        step.inputs.insert(at, RunInput::Files(self.files));
        let (crates, folder) = (self.crates.names(), self.crates.root);
        Ok(CargoAction { step, compiler, folder, lock_file, lock, crates, bins, dest })
    }
}

/// The programs that are asked for, else all that the features allow.
fn bins(draft: &mut Draft<'_>, found: &Found) -> Vec<String> {
    let attributes = draft.target.attributes;
    let manifest = found.crates.manifest();
    let folder = found.crates.folder.strip_prefix(&found.top).unwrap_or(Utf8Path::new(""));
    let files: Vec<String> =
        found.files.keys().map(|path| String::from_utf8_lossy(path.as_bytes()).into_owned()).collect();
    let below = files.iter().filter_map(|file| Utf8Path::new(file).strip_prefix(folder).ok()).map(Utf8Path::as_str);
    let all = manifest.bins(below);
    let names: Vec<&str> = all.iter().map(|bin| bin.name.as_str()).collect();
    let written = attributes.strings("bins");
    if attributes.has("bins") && !written.is_empty() {
        for bin in written.iter().filter(|bin| !names.contains(&bin.value)) {
            let help = nearest(bin.value, names.iter().copied())
                .map_or_else(|| format!("it has {}", quoted(&names)), |it| format!("did you mean `{it}`?"));
            draft.error(format!("the package has no program `{}`", bin.value), bin.span, "", &help);
        }
        return written.iter().map(|bin| bin.value.to_owned()).collect();
    }
    let on = manifest.features(&features(draft), attributes.boolean("default-features").unwrap_or(true));
    let wanted = all.iter().filter(|bin| bin.required_features.iter().all(|feature| on.contains(feature)));
    let wanted: Vec<String> = wanted.map(|bin| bin.name.clone()).collect();
    if wanted.is_empty() {
        let span = attributes.span("manifest").unwrap_or(draft.target.span);
        let help = "a program has a `src/main.rs`, or a `[[bin]]` whose `required-features` are on";
        draft.error("the package has no program", span, "makes nothing that could be in the layer", help);
    }
    wanted
}

fn features(draft: &Draft<'_>) -> Vec<String> {
    draft.target.attributes.strings("features").into_iter().map(|feature| feature.value.to_owned()).collect()
}

/// How cargo is called.
struct Call<'a> {
    draft: &'a Draft<'a>,
    found: &'a Found,
    bins: &'a [String],
}

impl Call<'_> {
    fn profile(&self) -> &str {
        self.draft.target.attributes.str("profile").unwrap_or("release")
    }

    fn words(&self) -> Vec<String> {
        let package = self.found.crates.manifest().name().unwrap_or_default();
        let remap = [(WORKSPACE, "/source"), (VENDOR, "/crates")]
            .map(|(from, to)| format!("\"--remap-path-prefix={from}={to}\""));
        let mut words = [
            "build",
            "--offline",
            "--message-format=json-render-diagnostics",
            "--package",
            package,
            "--profile",
            self.profile(),
        ]
        .map(str::to_owned)
        .to_vec();
        words.insert(0, format!("{TOOLCHAIN}/bin/cargo"));
        words.extend(["--config".to_owned(), format!("build.rustflags=[{}]", remap.join(", "))]);
        words.extend(self.bins.iter().flat_map(|bin| ["--bin".to_owned(), bin.clone()]));
        if self.draft.target.attributes.boolean("default-features") == Some(false) {
            words.push("--no-default-features".to_owned());
        }
        let features = features(self.draft);
        if !features.is_empty() {
            words.extend(["--features".to_owned(), features.join(",")]);
        }
        words
    }

    fn env(&self) -> Vec<(String, String)> {
        let strip = format!("CARGO_PROFILE_{}_STRIP", self.profile().to_uppercase().replace('-', "_"));
        let path = format!("{TOOLCHAIN}/bin:$PATH");
        let fixed = [
            ("PATH", path.as_str()),
            ("CARGO_HOME", CARGO_HOME),
            ("CARGO_TARGET_DIR", TARGET),
            ("CARGO_INCREMENTAL", "0"),
            ("CARGO_TERM_COLOR", "never"),
            (strip.as_str(), "symbols"),
        ];
        fixed.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    }
}
