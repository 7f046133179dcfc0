//! Where Debian packages come from: this machine's apt, and `[apt.NAME]` of the workspace.

use super::context::Context;
use super::project::Project;
use crate::packages::debian::machine::{Machine, Source};

/// As the workspace and the machine say; the machine is asked when it is needed.
pub fn of(project: &Project, cx: &Context) -> Machine {
    let named = project.workspace.settings.apt.iter().map(|(name, apt)| {
        let source = Source {
            suites: apt.suites.clone(),
            components: apt.components.clone(),
            architectures: apt.architectures.clone(),
            mirrors: apt.mirrors.clone(),
            keyring: apt.keyring.as_ref().map(|path| path.as_std_path().to_owned()),
            ignore_valid_until: !apt.check_valid_until,
        };
        (name.clone(), source)
    });
    Machine::new(named.collect(), cx.environment.iter().collect(), cx.globals.offline)
}
