//! The root's file → the workspace's settings, every mistake in them reported.
//!
//! `[vars]` first, then `[workspace]`, and over it what `overlays` says. Every profile is checked, the unused ones too.
//! Knows nothing of targets.

use camino::Utf8Path;

use super::attributes::{Attributes, Spanned};
use super::check::{self, Owner};
use super::keys::{LOCAL, PROFILE, WORKSPACE};
use super::origin::By;
use super::overlays::{self, Overlay, Overlays};
use super::places::{check_registry, check_tag};
use super::profile::Chosen;
use super::schema::Attribute;
use super::settings::{BuildBase, Compression, CompressionFormat, DeployKind, Said, Settings, SourceDateEpoch};
use super::taken::{self, List, Taken};
use super::value::{Entry, Node, Table, Value};
use super::vars::{self, Given};
use super::{apt, compatible, external, marks, overrides, own_paths, registries, replace, version};
use crate::checkout::{Checkout, Kind};
use crate::compression_level::Levels;
use crate::diagnostic::Diagnostic;
use crate::label::{Label, PackagePath};
use crate::pattern::TargetPattern;
use crate::span::Span;

/// The settings whose texts may hold what git says.
const OF_GIT: [&str; 2] = ["tag", "tags"];

/// Whether the workspace asks for another version of layerbuild; a malformed requirement counts as met.
pub fn wrong_version(root: &Table) -> Option<Diagnostic> {
    let written = root.get("workspace")?.as_table()?.get("requires")?;
    let wanted = Spanned { value: written.as_str()?, span: written.span };
    version::unmet(wanted, env!("CARGO_PKG_VERSION"))
}

/// What stands in no file of the workspace's.
#[derive(Debug, Default)]
pub struct Call<'a> {
    /// The profile that the call names, or another workspace that takes something of this one.
    pub profile: Option<Chosen<'a>>,
    /// Variables that the call sets.
    pub given: Given<'a>,
    /// The developer's own file, where it is read.
    pub local: Option<Table>,
    /// Where folders and other workspaces are looked for.
    pub checkout: &'a dyn Checkout,
}

/// What the root's file says.
#[derive(Debug, Default)]
pub struct Root {
    /// The settings.
    pub settings: Settings,
    /// Every mistake in them, and in dollars anywhere in the file.
    pub diagnostics: Vec<Diagnostic>,
    /// Whether any text waits for what git says.
    pub asks_git: bool,
}

/// Takes `[workspace]`, `[profile]`, `[external]`, `[registry]`, `[apt]` and `[vars]` out of the root file's table and reads them; in
/// what is left, dollars are replaced. `folder` is the root, `top` the place to complain at when `[workspace]` is missing.
pub fn read(root: &mut Table, folder: &Utf8Path, call: Call<'_>, top: Span) -> Root {
    let (settings, checkout) = (Settings::default(), call.checkout);
    let mut reader = Reader { folder, checkout, settings, diagnostics: Vec::new(), asks_git: false };
    let local = call.local.is_some();
    let mut overlays = overlays::of(take(root, "profile"), call.local, call.profile);
    reader.settings.local = local;
    reader.diagnostics.append(&mut overlays.diagnostics);
    reader.vars(take(root, "vars").as_ref(), &overlays, &call.given);
    reader.dollars(root, &mut overlays);
    match take(root, "workspace") {
        Some(entry) => reader.workspace(&entry),
        None => reader.diagnostics.push(Diagnostic::error("the root's layers.toml has no `[workspace]`").at(top, "")),
    }
    if let Some(entry) = take(root, own_paths::PATHS.name) {
        reader.diagnostics.push(own_paths::misplaced(entry.key_span));
    }
    if let Some(entry) = take(root, "external") {
        let (externals, mistakes) = external::read(&entry);
        reader.settings.externals = externals;
        reader.settings.tables.push(entry);
        reader.diagnostics.extend(mistakes);
    }
    reader.overlays(overlays);
    reader.compatible();
    if let Some(entry) = take(root, "registry") {
        let (hosts, mistakes) = registries::read(&entry, folder);
        reader.settings.registries.hosts = hosts;
        reader.settings.tables.push(entry);
        reader.diagnostics.extend(mistakes);
    }
    if let Some(entry) = take(root, "apt") {
        let (sources, mistakes) = apt::read(&entry, folder);
        reader.settings.apt = sources;
        reader.settings.tables.push(entry);
        reader.diagnostics.extend(mistakes);
    }
    let Reader { settings, diagnostics, asks_git, .. } = reader;
    Root { settings, diagnostics, asks_git }
}

fn take(table: &mut Table, key: &str) -> Option<Entry> {
    let at = table.0.iter().position(|entry| entry.key == key)?;
    Some(table.0.remove(at))
}

struct Reader<'a> {
    folder: &'a Utf8Path,
    checkout: &'a dyn Checkout,
    settings: Settings,
    diagnostics: Vec<Diagnostic>,
    asks_git: bool,
}

impl Reader<'_> {
    fn vars(&mut self, declared: Option<&Entry>, overlays: &Overlays, given: &Given<'_>) {
        let mut reader = vars::Reader::new(declared);
        let tables = |at: &usize| Some((overlays.all[*at].vars.as_ref()?, &overlays.all[*at]));
        let unused = (0..overlays.all.len()).filter(|at| !overlays.used.contains(at));
        unused.filter_map(|at| tables(&at)).for_each(|(entry, overlay)| reader.check(entry, &overlay.name));
        let used = overlays.used.iter().filter_map(tables);
        used.for_each(|(entry, overlay)| reader.lay_over(entry, &overlay.name, &overlay.by));
        reader.give(given);
        let (vars, mistakes) = reader.resolve();
        self.settings.vars = vars;
        self.diagnostics.extend(mistakes);
    }

    /// Replaces in all that is still to be read, targets in the root's file among it.
    fn dollars(&mut self, root: &mut Table, overlays: &mut Overlays) {
        let vars = std::mem::take(&mut self.settings.vars);
        self.replace(root, &vars);
        for overlay in &mut overlays.all {
            self.replace(&mut overlay.settings, &vars);
            if let Some(Node::Table(targets)) = overlay.targets.as_mut().map(|entry| &mut entry.value.node) {
                self.replace(targets, &vars);
            }
        }
        self.settings.vars = vars;
        let of_root = root
            .0
            .iter_mut()
            .filter(|entry| ["workspace", "registry", "apt", "external"].contains(&entry.key.as_str()));
        let of_root = of_root.filter_map(|entry| entry.value.as_table_mut());
        let tables = of_root.chain(overlays.all.iter_mut().map(|overlay| &mut overlay.settings));
        self.diagnostics.extend(tables.flat_map(|table| &mut table.0).filter_map(asks_git_in_vain));
    }

    fn replace(&mut self, table: &mut Table, vars: &vars::Vars) {
        let replaced = replace::replace(table, vars);
        self.asks_git |= replaced.asks_git;
        self.diagnostics.extend(replaced.diagnostics);
    }

    /// Checks every overlay, the unused ones too, and lays those that are used over the settings.
    fn overlays(&mut self, overlays: Overlays) {
        let plain = self.settings.clone();
        for overlay in &overlays.all {
            let attributes = if overlay.by == By::Local { LOCAL } else { PROFILE };
            let found = check::check(
                &overlay.settings,
                attributes,
                Owner { name: &overlay.name, span: overlay.span },
                &PackagePath::default(),
            );
            self.diagnostics.extend(found.diagnostics);
            self.paths(overlay);
            self.overlay(overlay);
        }
        self.settings = Settings { paths: std::mem::take(&mut self.settings.paths), ..plain };
        let told = self.diagnostics.len();
        overlays.used.iter().for_each(|at| self.overlay(&overlays.all[*at]));
        self.diagnostics.truncate(told);
        self.settings.profiles = overlays.all.iter().filter_map(|overlay| profile_of(&overlay.by)).collect();
        (self.settings.profile, self.settings.chain) = (overlays.chosen, overlays.chain);
    }

    /// Folders of this machine, which only the developer's own file may name.
    fn paths(&mut self, overlay: &Overlay) {
        if overlay.by != By::Local {
            return self.refuse_paths(&overlay.settings);
        }
        let Some(value) = overlay.settings.get("paths") else { return };
        let (paths, mistakes) = own_paths::read(value, self.folder);
        self.settings.paths = paths;
        self.diagnostics.extend(mistakes);
    }

    /// Says why they can't stand here, instead of that the key is unknown.
    fn refuse_paths(&mut self, table: &Table) {
        let Some(entry) = table.entry("paths") else { return };
        let is_here = |told: &Diagnostic| told.primary.as_ref().is_some_and(|place| place.span == entry.key_span);
        self.diagnostics.retain(|told| !is_here(told));
        self.diagnostics.push(own_paths::misplaced(entry.key_span));
    }

    fn say(&mut self, table: &Table, by: &By) {
        for entry in &table.0 {
            let said = Said { value: entry.value.clone(), origin: by.at(entry.value.span) };
            self.settings.said.insert(entry.key.clone(), said);
        }
    }

    fn workspace(&mut self, entry: &Entry) {
        let Some(table) = self.checked(&entry.value, WORKSPACE, "[workspace]", entry.key_span) else { return };
        self.refuse_paths(table);
        let root = PackagePath::default();
        let attributes = Attributes::new(table, &root);
        self.say(table, &By::Workspace);
        if let Some(Spanned { value, span }) = attributes.text("name") {
            let is_one = !value.trim().is_empty() && !value.contains(char::is_control);
            self.refuse(
                span,
                if is_one { Ok(()) } else { Err("the workspace's name is a text of one line".to_owned()) },
            );
            value.clone_into(&mut self.settings.name);
        }
        if let Some(packages) = attributes.text("packages") {
            self.packages(packages);
        }
        let (allow, mistakes) = registries::read_allow(&attributes);
        self.settings.registries.allow.extend(allow);
        self.diagnostics.extend(mistakes);
        self.diagnostics.extend(attributes.text("requires").and_then(version::malformed));
        self.versions(&attributes);
        self.plain(&attributes);
    }

    /// The workspace's own version, which is its tag unless that is written, and those of others.
    fn versions(&mut self, attributes: &Attributes<'_>) {
        if let Some(Spanned { value, span }) = attributes.text("version") {
            self.refuse(span, version::check(value));
            value.clone_into(&mut self.settings.tag);
            let said = self.settings.said.get("version").filter(|_| !attributes.has("tag")).cloned();
            self.settings.said.extend(said.map(|said| ("tag".to_owned(), said)));
            self.settings.version = Some(Spanned { value: value.to_owned(), span });
        }
        let (compatible, mistakes) = compatible::read(attributes);
        self.settings.compatible = compatible;
        self.diagnostics.extend(mistakes);
    }

    /// That `compatible` names workspaces which there are.
    fn compatible(&mut self) {
        let externals = &self.settings.externals;
        let strangers = self.settings.compatible.iter().filter(|it| !externals.contains_key(&it.name));
        let told = strangers.map(|it| external::unknown(&it.name, externals).at(it.span, ""));
        self.diagnostics.extend(told);
    }

    fn checked<'a>(
        &mut self,
        value: &'a Value,
        attributes: &'static [Attribute],
        name: &str,
        span: Span,
    ) -> Option<&'a Table> {
        let Some(table) = value.as_table() else {
            self.diagnostics.push(Diagnostic::error(format!("`{name}` is a table, not {}", value.kind())).at(span, ""));
            return None;
        };
        let found = check::check(table, attributes, Owner { name, span }, &PackagePath::default());
        self.diagnostics.extend(found.diagnostics);
        Some(table)
    }

    fn overlay(&mut self, overlay: &Overlay) {
        let root = PackagePath::default();
        let attributes = Attributes::new(&overlay.settings, &root);
        self.say(&overlay.settings, &overlay.by);
        self.plain(&attributes);
        self.taken(&attributes, &overlay.by);
        let of_profile = overlay.by != By::Local;
        let shown = self.settings.tables.iter_mut().filter(|table| table.key == "external");
        shown.for_each(|table| attributes.get("external").into_iter().for_each(|over| external::merge(table, over)));
        self.diagnostics.extend(external::lay_over(&mut self.settings.externals, &attributes, of_profile));
        match attributes.str("deploy") {
            Some("compose") => self.settings.deploy = DeployKind::Compose,
            Some("kubernetes") => self.settings.deploy = DeployKind::Kubernetes,
            _ => {}
        }
        if let Some(entry) = &overlay.targets {
            let (overrides, mistakes) = overrides::read(entry, &overlay.by);
            self.settings.overrides.extend(overrides);
            self.diagnostics.extend(mistakes);
        }
    }

    /// Which images are taken and not built, or built after all.
    fn taken(&mut self, attributes: &Attributes<'_>, by: &By) {
        for (key, taken) in taken::KEYS {
            let Some(span) = attributes.key_span(key) else { continue };
            let mut written = attributes.strings(key);
            for text in written.extract_if(.., |text| taken == Taken::Built && text.value.starts_with('-')) {
                self.refuse(text.span, Err("`build` takes patterns without a minus".to_owned()));
            }
            let patterns = self.patterns(&written);
            taken::lay(&mut self.settings.taken, List { taken, patterns, by: by.clone(), span });
        }
    }

    /// Patterns are absolute, or relative to the root package.
    fn patterns(&mut self, written: &[Spanned<&str>]) -> Vec<TargetPattern> {
        let mut patterns = Vec::new();
        for text in written {
            match TargetPattern::parse(text.value, &PackagePath::default()) {
                Ok(pattern) if pattern.external().is_some() => {
                    let message = "`[external.NAME]` says whether another workspace is built or taken as published";
                    self.refuse(text.span, Err(message.to_owned()));
                }
                Ok(pattern) => patterns.push(pattern),
                Err(error) => {
                    let diagnostic = Diagnostic::error(error.to_string()).at(text.span, "");
                    self.diagnostics.push(diagnostic.help(error.hint));
                }
            }
        }
        patterns
    }

    fn caches(&mut self, attributes: &Attributes<'_>) {
        if attributes.has("cache-from") {
            let written = attributes.strings("cache-from");
            let parsed = written.iter().filter_map(|text| self.parsed(text.span, text.value.parse())).collect();
            self.settings.cache_from = parsed;
        }
        if let Some(to) = attributes.text("cache-to") {
            self.settings.cache_to = self.parsed(to.span, to.value.parse());
        }
    }

    /// What `[workspace]` and profiles both set.
    fn plain(&mut self, attributes: &Attributes<'_>) {
        if let Some(registry) = attributes.text("registry") {
            self.refuse(registry.span, check_registry(registry.value));
            self.settings.registry = registry.value.to_owned();
        }
        if let Some(tag) = attributes.text("tag") {
            self.refuse(tag.span, check_tag(tag.value));
            self.settings.tag = tag.value.to_owned();
        }
        if attributes.has("tags") {
            let tags = attributes.strings("tags");
            tags.iter().for_each(|tag| self.refuse(tag.span, check_tag(tag.value)));
            self.settings.tags = tags.into_iter().map(|tag| tag.value.to_owned()).collect();
        }
        if let Some(base) = attributes.text("build-base") {
            let label = |text| Label::parse(text, &PackagePath::default()).map(BuildBase::Target);
            let parsed = if base.value == BuildBase::HOST { Ok(BuildBase::Host) } else { label(base.value) };
            self.settings.build_base = self.parsed(base.span, parsed).map(|value| Spanned { value, span: base.span });
        }
        if let Some(platform) = attributes.text("platform")
            && let Some(parsed) = self.parsed(platform.span, platform.value.parse())
        {
            self.settings.platform = parsed;
        }
        self.caches(attributes);
        if let Some(value) = attributes.get("compression") {
            self.settings.compression = self.compression(value, attributes);
        }
        match attributes.get("source-date-epoch").map(|value| (value.span, &value.node)) {
            Some((span, Node::Integer(seconds))) => self.epoch(span, *seconds),
            Some((_, Node::String(_))) => self.settings.source_date_epoch = SourceDateEpoch::Env,
            _ => {}
        }
    }

    fn compression(&mut self, value: &Value, attributes: &Attributes<'_>) -> Option<Compression> {
        let inner = attributes.table("compression");
        let absent = inner.filter(|table| !table.has("format")).map(|_| "gzip");
        let format = match value.as_str().or_else(|| inner?.str("format")).or(absent)? {
            "gzip" => CompressionFormat::Gzip,
            "zstd" => CompressionFormat::Zstd,
            "none" => CompressionFormat::None,
            _ => return None,
        };
        let chunks = inner.and_then(|table| table.boolean("chunks"));
        let written = inner.and_then(|table| Some((table.integer("level")?, table.span("level")?)));
        let level = written.and_then(|(level, span)| {
            let levels = match format {
                CompressionFormat::Gzip => Levels::gzip(chunks != Some(false)),
                CompressionFormat::Zstd => Levels::zstd(),
                CompressionFormat::None => return None,
            };
            self.parsed(span, levels.check(level))
        });
        Some(Compression { format, level, chunks })
    }

    fn epoch(&mut self, span: Span, seconds: i64) {
        match u64::try_from(seconds) {
            Ok(seconds) => self.settings.source_date_epoch = SourceDateEpoch::Fixed(seconds),
            Err(_) => self.refuse(span, Err("`source-date-epoch` can't lie before 1970".to_owned())),
        }
    }

    fn packages(&mut self, written: Spanned<&str>) {
        let path = written.value.strip_prefix("./").unwrap_or(written.value).trim_end_matches('/');
        let path = if path == "." { "" } else { path };
        if written.value.starts_with('/') || path.split('/').any(|part| part == "..") {
            let message = "`packages` is a folder below the workspace's root".to_owned();
            return self.refuse(written.span, Err(message));
        }
        if !self.checkout.is_folder(&self.folder.join(path)) {
            return self.refuse(written.span, Err(format!("there is no folder `{path}`")));
        }
        if let Some(link) = Utf8Path::new(path).ancestors().find(|part| self.is_link(part)) {
            let message = format!("`{link}` is a symbolic link, and no packages are looked for behind one");
            return self.refuse(written.span, Err(message));
        }
        self.settings.packages = path.into();
    }

    fn is_link(&self, path: &Utf8Path) -> bool {
        !path.as_str().is_empty() && self.checkout.kind(&self.folder.join(path)).is_ok_and(|kind| kind == Kind::Link)
    }

    fn refuse(&mut self, span: Span, checked: Result<(), String>) {
        self.diagnostics.extend(checked.err().map(|message| Diagnostic::error(message).at(span, "")));
    }

    fn parsed<T, E: std::fmt::Display>(&mut self, span: Span, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.diagnostics.push(Diagnostic::error(error.to_string()).at(span, ""))).ok()
    }
}

/// Of a setting that is needed where nothing is built.
fn asks_git_in_vain(entry: &mut Entry) -> Option<Diagnostic> {
    if OF_GIT.contains(&entry.key.as_str()) || !marks::any(&entry.value) {
        return None;
    }
    marks::blank(&mut entry.value);
    let diagnostic = Diagnostic::error(format!("`{}` can't depend on what git says", entry.key));
    Some(diagnostic.at(entry.value.span, "").help("`${git.…}` stands in targets, and in `tag` and `tags`"))
}

fn profile_of(by: &By) -> Option<String> {
    match by {
        By::Profile(name) => Some(name.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Tree, expect};
    use super::*;
    use crate::workspace::Workspace;

    fn load(text: &str, profile: Option<&str>) -> (Workspace, Vec<String>) {
        let root = PackagePath::default();
        Tree::new(&[("layers.toml", text), ("images/x", "")]).load_with(&root, &["//..."], profile)
    }

    #[test]
    fn a_profile_lies_over_what_it_inherits_and_that_over_the_workspace() {
        let text = "[workspace]\nname = \"w\"\ntag = \"1\"\nregistry = \"a.example\"\ncompression = \"zstd\"\n\
                    [profile.base]\nregistry = \"b.example:5000/x\"\ntag = \"2\"\nfrom-registry = []\n\
                    [profile.top]\ninherits = \"base\"\ntag = \"3\"\ndeploy = \"kubernetes\"\nplatform = \"linux/arm64\"\n";
        let (plain, problems) = load(text, None);
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!((&*plain.settings.registry, &*plain.settings.tag), ("a.example", "1"));
        assert_eq!(plain.settings.deploy, DeployKind::Compose);
        let (top, problems) = load(text, Some("top"));
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!((&*top.settings.registry, &*top.settings.tag), ("b.example:5000/x", "3"));
        assert_eq!(top.settings.platform.to_string(), "linux/arm64");
        assert_eq!(top.settings.deploy, DeployKind::Kubernetes);
        let zstd = Compression { format: CompressionFormat::Zstd, level: None, chunks: None };
        assert_eq!(top.settings.compression, Some(zstd));
    }

    #[test]
    fn caches_are_repositories_and_a_profiles_stand_for_the_workspaces() {
        let text = "[workspace]\nname = \"w\"\ncache-from = [\"a.example/x\"]\n[profile.ci]\ncache-from = [\"b.example/x\"]\n\
                    cache-to = \"b.example/x\"\n[profile.bad]\ncache-from = [\"a.example\"]\ncache-to = \"b.example/x:1\"\n";
        let (workspace, problems) = load(text, Some("ci"));
        let (from, to) = (workspace.settings.cache_from, workspace.settings.cache_to);
        assert_eq!(from, ["b.example/x".parse().unwrap()]);
        assert_eq!(to, "b.example/x".parse().ok());
        assert_eq!(problems.len(), 2, "{problems:?}");
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let (workspace, problems) = load("[workspace]\nname = \"w\"\n", None);
        assert_eq!(problems, Vec::<String>::new());
        let Settings { registry, tag, packages, source_date_epoch, .. } = workspace.settings;
        assert_eq!((&*registry, &*tag, packages.as_str()), ("registry.localhost", "latest", ""));
        assert_eq!(source_date_epoch, SourceDateEpoch::Fixed(0));
    }

    #[test]
    fn every_wrong_setting_is_reported_at_its_place() {
        let text = "[workspace]\nnmae = \"w\"\npackages = \"../x\"\nregistry = \"https://r\"\ntag = \"-\"\n\
                    platform = \"linux/amd46\"\nbuild-base = \"a b\"\nsource-date-epoch = -1\n\
                    compression = { format = \"gzip\", level = 13 }\nrequires = \"3\"\n\
                    [profile.a]\nfrom-registry = [\"//x\"]\ndeploy = \"swarm\"\ntga = \"x\"\n[vars]\nx = 1\n";
        expect(
            &load(text, None).1,
            &[
                &["`name` is missing", "layers.toml:1:2"],
                &["unknown attribute `nmae`", "layers.toml:2:1", "did you mean `name`?"],
                &["`packages` is a folder below the workspace's root", "layers.toml:3:12"],
                &["a registry is written without `https://`", "layers.toml:4:12"],
                &["`-` is not a tag", "layers.toml:5:7"],
                &["`linux/amd46` is not a platform", "layers.toml:6:12"],
                &["`a b` is not a label", "layers.toml:7:14"],
                &["`source-date-epoch` can't lie before 1970", "layers.toml:8:21"],
                &["`level` goes from 1 to 12 for gzip", "layers.toml:9:42"],
                &["`3` is not a version requirement", "layers.toml:10:12"],
                &["`deploy` can't be `swarm`", "layers.toml:13:10"],
                &["unknown attribute `tga`", "layers.toml:14:1", "did you mean `tag`?"],
                &["`x` takes a string, not an integer", "layers.toml:16:5"],
            ],
        );
    }

    #[test]
    fn compression_is_what_targets_may_say_too() {
        let said = |written: &str| {
            let (workspace, problems) = load(&format!("[workspace]\nname = \"w\"\ncompression = {written}\n"), None);
            (workspace.settings.compression, problems.concat())
        };
        let level = |written: &str| match said(written) {
            (Some(compression), problems) if problems.is_empty() => compression.level,
            other => panic!("{written}: {other:?}"),
        };
        assert_eq!(said("\"none\"").0.map(|compression| compression.format), Some(CompressionFormat::None));
        assert_eq!(level("{ level = 12 }"), Some(12));
        assert_eq!(level("{ level = 9, chunks = false }"), Some(9));
        assert_eq!(level("{ format = \"zstd\", level = 19 }"), Some(19));
        for (written, message) in [
            ("{ level = 0 }", "`level` goes from 1 to 12 for gzip"),
            ("{ level = 10, chunks = false }", "`level` goes from 1 to 9 for gzip with `chunks = false`"),
            ("{ format = \"zstd\", level = 20 }", "`level` goes from 1 to 19 for zstd"),
        ] {
            let problems = said(written).1;
            assert!(problems.contains(message) && problems.contains("layers.toml:3:"), "{problems}");
        }
    }

    #[test]
    fn an_unmet_requirement_is_all_that_is_said() {
        let text = "[workspace]\nname = \"w\"\nrequires = \">=99\"\nnew-key = 1\n[new_rule.x]\n";
        expect(&load(text, None).1, &[&["this workspace needs layerbuild >=99, and this is ", "layers.toml:3:12"]]);
    }

    #[test]
    fn an_unknown_profile_is_answered_with_the_nearest() {
        let text = "[workspace]\nname = \"w\"\n[profile.production]\ninherits = \"bsae\"\n[profile.base]\n";
        expect(
            &load(text, Some("producton")).1,
            &[
                &["no profile is named `producton`", "did you mean `production`?"],
                &["no profile is named `bsae`", "layers.toml:4:12", "did you mean `base`?"],
            ],
        );
    }

    #[test]
    fn profiles_that_inherit_in_a_circle_are_drawn_once() {
        let text = "[workspace]\nname = \"w\"\n[profile.a]\ninherits = \"b\"\n[profile.b]\ninherits = \"a\"\n\
                    [profile.c]\ninherits = \"a\"\n";
        expect(
            &load(text, Some("c")).1,
            &[&["profiles inherit in a circle: a → b → a", "layers.toml:4:12", "`b` inherits `a`"]],
        );
    }

    #[test]
    fn a_root_file_without_a_workspace_says_so() {
        expect(&load("[vars]\na = \"1\"\n", None).1, &[&["has no `[workspace]`", "layers.toml:1:1"]]);
    }
}
