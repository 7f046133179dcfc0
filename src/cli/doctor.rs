//! `doctor`: what this machine has and lacks for the workspace around the current folder, each with what to do.
//!
//! Hands the checks of `doctor` what they look at. What each of them finds is theirs.

use std::io::Write;
use std::path::{Path, PathBuf};

use camino::Utf8Path;
use serde_json::{Value, json};

use super::context::Context;
use super::error::CliError;
use super::project::{self, Project};
use super::{machine, registries};
use crate::doctor::needs::Needs;
use crate::doctor::registry::{Heard, ask};
use crate::doctor::{
    Finding, State, archives, certificates, clock, engine, git, kerberos, proxies, registry, rust, sandbox, space,
};
use crate::exit::Exit;
use crate::reference::Registry;
use crate::registry::{Puller, RegistryError, RetryPolicy};
use crate::sandbox::host::Sandbox;
use crate::ui::table::{Align, Table};
use crate::workspace::registries::Registries;
use crate::workspace::root::find_root;

/// Say what this machine has and lacks for this workspace, and what to do about it
///
/// Looks at what the targets of the workspace use; outside of a workspace at the machine alone. Builds nothing. Ends with 3
/// where something that is needed is missing. With --json: an array of objects, on stdout.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {}

/// Looks, and tells.
pub fn run(_: &Args, cx: &mut Context) -> Result<(), CliError> {
    let project = project_of(cx)?;
    let needs = project.as_ref().map_or_else(Needs::default, |project| Needs::of(&project.workspace));
    let findings = findings(project.as_ref(), &needs, cx)?;
    if cx.globals.json {
        writeln!(cx.out, "{}", Value::from(findings.iter().map(json).collect::<Vec<_>>()))?;
    } else {
        table(&findings).write(&mut cx.out)?;
    }
    judge(&findings)
}

/// The whole workspace, whatever is wrong in it; `None` outside of one.
fn project_of(cx: &Context) -> Result<Option<Project>, CliError> {
    if find_root(cx.directory()).is_err() {
        return Ok(None);
    }
    let project = project::open_unstamped(&["//...".to_owned()], cx)?;
    project.show_findings();
    Ok(Some(project))
}

fn findings(project: Option<&Project>, needs: &Needs, cx: &Context) -> Result<Vec<Finding>, CliError> {
    let store = &cx.globals.cache_dir;
    let near = space::nearest(store);
    let (registry, heard) = registry_of(project, cx)?;
    let mut found = vec![
        space::check(store),
        sandbox::check(&Sandbox::default(), near.as_deref().map(Utf8Path::as_std_path), needs.sandbox),
    ];
    found.extend(of_network(registry.as_ref(), heard.as_ref(), needs, cx)?);
    found.push(kerberos::check(&needs.kerberos, &krb5_conf(cx)));
    if let Some(project) = project {
        found.extend(archives::check(&machine::of(project, cx), &needs.archives));
        found.extend(rust::check(&project.toolchains, project.root(), &needs.rust));
        found.push(git::check(&project.git, needs.git));
    }
    found.push(engine::check(&cx.environment.iter().collect::<Vec<_>>()));
    Ok(found)
}

type Answer = Result<Heard, RegistryError>;

/// The registry of the workspace or the call, and what it answered; neither where nobody names one, no answer where the
/// network is not to be used.
fn registry_of(project: Option<&Project>, cx: &Context) -> Result<(Option<Registry>, Option<Answer>), CliError> {
    let named = match (project, &cx.globals.registry) {
        (None, None) => return Ok((None, None)),
        (Some(project), _) => project::chosen_registry(&project.workspace.settings, cx)?,
        (None, Some(text)) => project::parsed_registry(text)?,
    };
    let settings = project.map_or_else(Registries::default, |project| project.workspace.settings.registries.clone());
    let mut client = registries::client(cx, &settings)?;
    // Whoever asks how things stand doesn't want to wait until they are better.
    client.retry = RetryPolicy { delays: Vec::new(), ..RetryPolicy::default() };
    let heard = || Puller::new(client).and_then(|puller| ask(&puller, &named.registry));
    let heard = (!cx.globals.offline).then(heard);
    Ok((Some(named.registry), heard))
}

fn of_network(
    named: Option<&Registry>,
    heard: Option<&Answer>,
    needs: &Needs,
    cx: &Context,
) -> Result<[Finding; 4], CliError> {
    let of_registry = match named {
        None => Finding::not_needed("registry", "there is no workspace that names one"),
        Some(_) => registry::check(heard, needs.registry),
    };
    let clocks = heard.and_then(|heard| heard.as_ref().ok()?.clocks);
    let far = named.is_some_and(|registry| !registry.is_loopback());
    let authorities = cx.environment.get("SSL_CERT_FILE").map(Path::new);
    Ok([
        of_registry,
        clock::check(clocks),
        proxies::check(&registries::proxies(&cx.environment)?, named),
        certificates::check(authorities, needs.pulls || needs.registry && far),
    ])
}

/// The first of the files that the variable names, as Kerberos' own library reads it.
fn krb5_conf(cx: &Context) -> PathBuf {
    let named = cx.environment.get("KRB5_CONFIG").map(|files| files.to_string_lossy().into_owned());
    let first = named.as_deref().and_then(|files| files.split(':').next());
    first.filter(|file| !file.is_empty()).unwrap_or("/etc/krb5.conf").into()
}

fn table(findings: &[Finding]) -> Table<3> {
    let mut table = Table::new([Align::Left; 3]);
    for finding in findings {
        let fix = finding.fix.as_ref().map(|fix| format!(" → {fix}")).unwrap_or_default();
        table.row([finding.what.to_owned(), finding.state.word().to_owned(), format!("{}{fix}", finding.found)]);
    }
    table
}

fn json(finding: &Finding) -> Value {
    let Finding { what, state, found, fix } = finding;
    json!({ "check": what, "state": state.word(), "found": found, "fix": fix })
}

fn judge(findings: &[Finding]) -> Result<(), CliError> {
    let missing: Vec<&str> =
        findings.iter().filter(|finding| finding.state == State::Missing).map(|finding| finding.what).collect();
    match missing[..] {
        [] => Ok(()),
        _ => Err(CliError::new(Exit::Partial, format!("what is needed is not all there: {}", missing.join(", ")))),
    }
}
