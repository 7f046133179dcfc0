//! What the targets of a workspace use of the machine.
//!
//! Told by what the rules say and by a few rules' names: what a rule's actions need of the host is no part of its schema.

use std::collections::BTreeSet;

use camino::Utf8PathBuf;

use crate::workspace::schema::{BUILD_BASE, Purpose};
use crate::workspace::settings::BuildBase;
use crate::workspace::{Target, Workspace};

/// What is used. `Default`: nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Images are published somewhere.
    pub registry: bool,
    /// Images are pulled from registries.
    pub pulls: bool,
    /// Commands run in a sandbox.
    pub sandbox: bool,
    /// The sources of Debian packages.
    pub archives: BTreeSet<String>,
    /// The packages' folders, relative to the root, in which Rust programs are compiled.
    pub rust: BTreeSet<Utf8PathBuf>,
    /// Variables of Kerberos that images ask for.
    pub kerberos: BTreeSet<String>,
    /// Texts wait for what git says.
    pub git: bool,
}

impl Needs {
    /// Of all targets that were read.
    pub fn of(workspace: &Workspace) -> Needs {
        let mut needs = Needs { git: workspace.asks_git, ..Needs::default() };
        for package in &workspace.packages {
            let folder = workspace.home(&package.path).folder_of(&package.path);
            package.targets.iter().for_each(|target| needs.add(target, &folder, workspace));
        }
        needs
    }

    fn add(&mut self, target: &Target, folder: &Utf8PathBuf, workspace: &Workspace) {
        let attributes = target.attributes();
        self.registry |= target.rule.purpose.is_published();
        self.pulls |= target.rule.purpose == Purpose::Base || target.published;
        match target.rule.name {
            "run" => self.sandbox = true,
            "exec" => self.sandbox |= !on_host(target, workspace),
            "cargo" => {
                self.sandbox |= !on_host(target, workspace);
                self.rust.insert(folder.clone());
            }
            "debs" => _ = self.archives.insert(attributes.str("source").unwrap_or("system").to_owned()),
            _ => {}
        }
        if target.rule.purpose == Purpose::Image {
            let names = attributes.map("requires").map(|entry| entry.key.value);
            let of_kerberos = names.filter(|name| ["KRB5", "KRB_"].iter().any(|start| name.starts_with(start)));
            self.kerberos.extend(of_kerberos.map(str::to_owned));
        }
    }
}

/// Whether a target's commands run without a sandbox.
fn on_host(target: &Target, workspace: &Workspace) -> bool {
    match target.attributes().str(BUILD_BASE) {
        Some(base) => base == BuildBase::HOST,
        None => workspace
            .home(&target.label.package)
            .settings
            .build_base
            .as_ref()
            .is_some_and(|base| base.value == BuildBase::Host),
    }
}
