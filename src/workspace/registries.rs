//! `[registry."HOST"]` and `allow-hosts` → how registries are reached; the same in a workspace and in the user's own file.
//!
//! Plain values with absolute paths. What they are for, and whether the files exist, is not known here.

use std::collections::BTreeMap;
use std::fmt::Display;

use camino::{Utf8Path, Utf8PathBuf};

use super::attributes::{Attributes, Spanned};
use super::check::{self, Owner};
use super::schema::{Attribute, Type, optional};
use super::value::{Entry, Node, Table};
use crate::diagnostic::Diagnostic;
use crate::host_pattern::HostPattern;
use crate::label::PackagePath;
use crate::reference::{Registry, RegistryBase};
use crate::span::Span;

/// How registries are reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registries {
    /// What is said of single registries, by host and port as references write them.
    pub hosts: BTreeMap<Registry, RegistrySettings>,
    /// The hosts that may be contacted at all: every list must cover them. No list: all may.
    pub allow: Vec<Vec<HostPattern>>,
}

impl Registries {
    /// Takes what another workspace says of registries that nothing is said of here.
    pub fn add_hosts(&mut self, other: &Registries) {
        for (host, settings) in &other.hosts {
            self.hosts.entry(host.clone()).or_insert_with(|| settings.clone());
        }
    }
}

/// What is said of one registry; `None`: nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegistrySettings {
    /// Asked before it when something is pulled, in order.
    pub mirrors: Option<Vec<RegistryBase>>,
    /// Whether it is reached in plain HTTP.
    pub insecure: Option<bool>,
    /// A PEM file of authorities that are trusted for it.
    pub ca: Option<Utf8PathBuf>,
    /// A PEM file with our certificate for it.
    pub client_cert: Option<Utf8PathBuf>,
    /// A PEM file with the key of `client_cert`.
    pub client_key: Option<Utf8PathBuf>,
}

impl Registries {
    /// These under those of the user: key by key what the user says wins, as they know their machine and its network.
    /// Both lists of allowed hosts hold, so that neither can widen the other.
    pub fn under(mut self, user: Registries) -> Registries {
        for (registry, theirs) in user.hosts {
            let ours = self.hosts.remove(&registry).unwrap_or_default();
            self.hosts.insert(registry, ours.under(theirs));
        }
        self.allow.extend(user.allow);
        self
    }
}

impl RegistrySettings {
    fn under(self, user: RegistrySettings) -> RegistrySettings {
        RegistrySettings {
            mirrors: user.mirrors.or(self.mirrors),
            insecure: user.insecure.or(self.insecure),
            ca: user.ca.or(self.ca),
            client_cert: user.client_cert.or(self.client_cert),
            client_key: user.client_key.or(self.client_key),
        }
    }
}

/// `[workspace] allow-hosts`.
pub const ALLOW_HOSTS: Attribute = optional(
    "allow-hosts",
    Type::List(&Type::String),
    "the only hosts that may be contacted for images: `HOST`, `HOST:PORT` or `*.DOMAIN`; default: all",
);

/// What may stand in `[registry."HOST"]`.
pub const REGISTRY: &[Attribute] = &[
    optional("mirrors", Type::List(&Type::String), "HOST[:PORT][/PREFIX] of each, asked in order before it on pulls"),
    optional("insecure", Type::Boolean, "plain HTTP; default: only on this machine"),
    optional("ca", Type::String, "a PEM file of authorities that are trusted for it, besides the system's"),
    optional("client-cert", Type::String, "a PEM file with our certificate for it"),
    optional("client-key", Type::String, "a PEM file with that certificate's key"),
];

/// Reads the table `registry`. Paths are relative to `folder`.
pub fn read(entry: &Entry, folder: &Utf8Path) -> (BTreeMap<Registry, RegistrySettings>, Vec<Diagnostic>) {
    let mut reader = Reader { folder, hosts: BTreeMap::new(), diagnostics: Vec::new() };
    match &entry.value.node {
        Node::Table(registries) => registries.0.iter().for_each(|registry| reader.registry(registry)),
        _ => reader.refuse(entry.key_span, "a registry's settings need its name: `[registry.\"HOST[:PORT]\"]`"),
    }
    (reader.hosts, reader.diagnostics)
}

/// Reads the attribute `allow-hosts`; `None` where it is not written.
pub fn read_allow(attributes: &Attributes<'_>) -> (Option<Vec<HostPattern>>, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let parse = |item: Spanned<&str>| {
        let wrong = |error: &dyn Display| Diagnostic::error(error.to_string()).at(item.span, "");
        item.value.parse().map_err(|error| diagnostics.push(wrong(&error).help(PATTERN_HELP))).ok()
    };
    let patterns = attributes.strings(ALLOW_HOSTS.name).into_iter().filter_map(parse).collect();
    (attributes.has(ALLOW_HOSTS.name).then_some(patterns), diagnostics)
}

const PATTERN_HELP: &str = "write `HOST`, `HOST:PORT`, or `*.DOMAIN` for all below a domain";

struct Reader<'a> {
    folder: &'a Utf8Path,
    hosts: BTreeMap<Registry, RegistrySettings>,
    diagnostics: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn registry(&mut self, entry: &Entry) {
        let Some(table) = entry.value.as_table() else {
            let message = format!("`[registry.\"{}\"]` is a table, not {}", entry.key, entry.value.kind());
            return self.refuse(entry.key_span, message);
        };
        if let Some(whole) = unquoted(&entry.key, table) {
            let diagnostic = Diagnostic::error("a registry's name needs quotes").at(entry.key_span, "");
            return self.diagnostics.push(diagnostic.help(format!("write `[registry.\"{whole}\"]`")));
        }
        let name = format!("[registry.\"{}\"]", entry.key);
        let owner = Owner { name: &name, span: entry.key_span };
        self.diagnostics.extend(check::check(table, REGISTRY, owner, &PackagePath::default()).diagnostics);
        match entry.key.parse::<Registry>() {
            Err(error) => self.refuse(entry.key_span, error.to_string()),
            Ok(registry) => {
                let settings = self.settings(table, &registry);
                self.hosts.insert(registry, settings);
            }
        }
    }

    fn settings(&mut self, table: &Table, registry: &Registry) -> RegistrySettings {
        let root = PackagePath::default();
        let attributes = Attributes::new(table, &root);
        let path = |key: &str| attributes.str(key).map(|path| self.folder.join(path));
        let (ca, client_cert, client_key) = (path("ca"), path("client-cert"), path("client-key"));
        let insecure = attributes.boolean("insecure");
        let mirrors = attributes.has("mirrors").then(|| self.mirrors(attributes.strings("mirrors"), registry));
        for (one, other) in [("client-cert", "client-key"), ("client-key", "client-cert")] {
            if let (Some(span), false) = (attributes.span(one), attributes.has(other)) {
                self.refuse(span, format!("`{one}` needs `{other}` beside it"));
            }
        }
        if let (Some(true), Some(span)) = (insecure, attributes.span("ca").or(attributes.span("client-cert"))) {
            self.refuse(span, "a certificate is of no use with `insecure = true`, which is plain HTTP");
        }
        RegistrySettings { mirrors, insecure, ca, client_cert, client_key }
    }

    fn mirrors(&mut self, written: Vec<Spanned<&str>>, registry: &Registry) -> Vec<RegistryBase> {
        let mut mirrors = Vec::new();
        for Spanned { value, span } in written {
            match value.parse::<RegistryBase>() {
                Err(error) => self.refuse(span, error.to_string()),
                Ok(mirror) if mirror.prefix.is_none() && mirror.registry == *registry => {
                    self.refuse(span, format!("`{registry}` is no mirror of itself: it is asked last anyway"));
                }
                Ok(mirror) => mirrors.push(mirror),
            }
        }
        mirrors
    }

    fn refuse(&mut self, span: Span, message: impl Into<String>) {
        self.diagnostics.push(Diagnostic::error(message).at(span, ""));
    }
}

/// The whole name of a registry that lacks its quotes: `[registry.docker.io]` is a table in a table.
fn unquoted(first: &str, table: &Table) -> Option<String> {
    let [only] = table.0.as_slice() else { return None };
    let inner = only.value.as_table()?;
    let name = format!("{first}.{}", only.key);
    Some(unquoted(&name, inner).unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Tree, expect};
    use super::*;

    fn load(text: &str) -> (Registries, Vec<String>, Utf8PathBuf) {
        let tree = Tree::new(&[("layers.toml", &format!("[workspace]\nname = \"w\"\n{text}"))]);
        let (workspace, problems) = tree.load(&["//..."]);
        (workspace.settings.registries, problems, tree.root.clone())
    }

    #[test]
    fn mirrors_trust_and_allowed_hosts_are_read() {
        let (registries, problems, root) = load(
            "allow-hosts = [\"*.corp.example\", \"h:5000\"]\n\
             [registry.\"docker.io\"]\nmirrors = [\"artifactory.corp/docker-remote\", \"m:5000/a/b\"]\n\
             [registry.\"h:5000\"]\ninsecure = true\n\
             [registry.\"s.example\"]\nca = \"pki/ca.pem\"\nclient-cert = \"/c.pem\"\nclient-key = \"c.key\"\n",
        );
        assert_eq!(problems, Vec::<String>::new());
        let host = |name: &str| registries.hosts[&name.parse().expect("a registry")].clone();
        let mirrors: Vec<String> = host("docker.io").mirrors.iter().flatten().map(ToString::to_string).collect();
        assert_eq!(mirrors, ["artifactory.corp/docker-remote", "m:5000/a/b"]);
        assert_eq!(host("h:5000").insecure, Some(true));
        let secure = host("s.example");
        assert_eq!(secure.ca, Some(root.join("pki/ca.pem")));
        assert_eq!((secure.client_cert, secure.client_key), (Some("/c.pem".into()), Some(root.join("c.key"))));
        let allowed: Vec<String> = registries.allow.iter().flatten().map(ToString::to_string).collect();
        assert_eq!(allowed, ["*.corp.example", "h:5000"]);
    }

    #[test]
    fn every_mistake_is_reported_at_its_place() {
        let text = "allow-hosts = [\"https://h\", 1]\n\
                    [registry.docker.io]\nmirrors = []\n\
                    [registry.\"a/b\"]\nmirror = [\"x\"]\n\
                    [registry.\"h.io\"]\nmirrors = [\"http://m\", \"h.io\"]\ninsecure = \"yes\"\n\
                    [registry.\"i.io\"]\nclient-cert = \"c\"\nca = \"x\"\ninsecure = true\n\
                    [registry]\nplain = 1\n";
        expect(
            &load(text).1,
            &[
                &["without a scheme", "layers.toml:3:16", "`*.DOMAIN`"],
                &["`allow-hosts` takes a list of strings, and holds an integer", "layers.toml:3:29"],
                &["a registry's name needs quotes", "layers.toml:4:11", "write `[registry.\"docker.io\"]`"],
                &["`a/b` is not a registry", "layers.toml:6:11"],
                &["unknown attribute `mirror`", "layers.toml:7:1", "did you mean `mirrors`?"],
                &["without a scheme", "layers.toml:9:12"],
                &["`h.io` is no mirror of itself", "layers.toml:9:24"],
                &["`insecure` takes `true` or `false`, not a string", "layers.toml:10:12"],
                &["`client-cert` needs `client-key`", "layers.toml:12:15"],
                &["a certificate is of no use", "layers.toml:13:6"],
                &["`[registry.\"plain\"]` is a table, not an integer", "layers.toml:16:1"],
            ],
        );
    }

    #[test]
    fn the_users_settings_win_key_by_key_and_both_lists_of_hosts_hold() {
        let of = |text: &str| load(text).0;
        let ours = of(
            "allow-hosts = [\"a\"]\n[registry.\"h\"]\nmirrors = [\"m\"]\ninsecure = true\n[registry.\"o\"]\ninsecure = true\n",
        );
        let theirs = of("allow-hosts = [\"b\"]\n[registry.\"h\"]\nmirrors = []\n[registry.\"t\"]\ninsecure = false\n");
        let both = ours.under(theirs);
        let host = |name: &str| both.hosts[&name.parse().expect("a registry")].clone();
        assert_eq!((host("h").mirrors, host("h").insecure), (Some(Vec::new()), Some(true)));
        assert_eq!((host("o").insecure, host("t").insecure), (Some(true), Some(false)));
        assert_eq!(both.allow.len(), 2);
    }
}
