//! `present-packages`, `absent-packages`: what dpkg, apk and pip say is installed.
//!
//! Python packages are known by their `.dist-info` and `.egg-info` alone; nothing of them is read.

use globset::{Glob, GlobMatcher};

use super::{Contents, Finding, Root, Subject};
use crate::action::Expected;
use crate::layer_path::LayerPath;
use crate::oci::overlay::Placed;
use crate::packages::debian::control::paragraphs;

/// An installed package.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Package {
    name: String,
    version: String,
    /// Whether its name is one of Python's, in which `-`, `_` and `.` are the same.
    python: bool,
    /// The target whose layer brought it.
    layer: String,
}

/// Packages that are missing, and packages that should not be there.
pub fn check<C: Contents>(expected: &Expected, subject: &Subject<'_, C>) -> Result<Vec<Finding>, C::Error> {
    if expected.present_packages.is_empty() && expected.absent_packages.is_empty() {
        return Ok(Vec::new());
    }
    let installed = installed(&subject.root)?;
    let mut found = Vec::new();
    for pattern in &expected.present_packages {
        if !installed.iter().any(|package| package.is(pattern)) {
            found.push(Finding::new("present-packages", "", format!("a package `{pattern}`"), "none"));
        }
    }
    for pattern in &expected.absent_packages {
        let there = installed.iter().filter(|package| package.is(pattern));
        found.extend(there.map(|Package { name, version, layer, .. }| {
            let found = format!("{name} {version}");
            Finding::new("absent-packages", "", format!("no package `{pattern}`"), found.trim_end()).from(layer)
        }));
        // A check that can't see is no pass.
        found.extend(unseen(&subject.root).map(|(database, layer)| {
            let found = format!("the RPM database {database}, which can't be read");
            Finding::new("absent-packages", "", format!("no package `{pattern}`"), found).from(layer)
        }));
    }
    Ok(found)
}

impl Package {
    fn is(&self, pattern: &str) -> bool {
        match self.python {
            true => matcher(&python_name(pattern)),
            false => matcher(pattern),
        }
        .is_some_and(|glob| glob.is_match(&self.name))
    }
}

/// The rule has judged the pattern before.
fn matcher(pattern: &str) -> Option<GlobMatcher> {
    Some(Glob::new(pattern).ok()?.compile_matcher())
}

fn installed<C: Contents>(root: &Root<'_, C>) -> Result<Vec<Package>, C::Error> {
    let mut found = debian(root)?;
    found.extend(alpine(root)?);
    found.extend(root.entries().filter_map(|placed| python(placed, root)));
    found.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    Ok(found)
}

/// dpkg's `status`, and the files of `status.d` that layers bring which are no root file system.
fn debian<C: Contents>(root: &Root<'_, C>) -> Result<Vec<Package>, C::Error> {
    let parts = root.entries().map(|placed| placed.entry.path.to_string());
    let parts = parts.filter(|path| path.starts_with("/var/lib/dpkg/status.d/") && !path.ends_with(".md5sums"));
    let mut found = Vec::new();
    for file in parts.chain(["/var/lib/dpkg/status".to_owned()]) {
        let Some(text) = root.text(&file)? else { continue };
        for paragraph in paragraphs(&text) {
            let (Some(name), status) = (paragraph.get("Package"), paragraph.get("Status")) else { continue };
            if status.is_some_and(|status| status.ends_with("not-installed") || status.ends_with("config-files")) {
                continue;
            }
            let list = ["".to_owned(), format!(":{}", paragraph.get("Architecture").unwrap_or_default())];
            let lists = list.iter().map(|suffix| format!("/var/lib/dpkg/info/{name}{suffix}.list"));
            let layer = lists.chain([file.clone()]).find_map(|path| brought(&path, root)).unwrap_or_default();
            let version = paragraph.get("Version").unwrap_or_default().to_owned();
            found.push(Package { name: name.to_owned(), version, python: false, layer });
        }
    }
    Ok(found)
}

/// apk's database: a paragraph a package, `P:` its name and `V:` its version.
fn alpine<C: Contents>(root: &Root<'_, C>) -> Result<Vec<Package>, C::Error> {
    let mut found = Vec::new();
    for file in ["/lib/apk/db/installed", "/usr/lib/apk/db/installed"] {
        // One may be a link to the other.
        let Some(text) = root.text(file)?.filter(|_| found.is_empty()) else { continue };
        for paragraph in paragraphs(&text) {
            let Some(name) = paragraph.get("P").map(str::to_owned) else { continue };
            let version = paragraph.get("V").unwrap_or_default().to_owned();
            found.push(Package { name, version, python: false, layer: brought(file, root).unwrap_or_default() });
        }
    }
    Ok(found)
}

/// What stands in a vendored copy is no package that is installed.
fn python<C>(placed: Placed<'_>, root: &Root<'_, C>) -> Option<Package> {
    let path = String::from_utf8_lossy(placed.entry.path.as_bytes());
    let (above, name) = path.rsplit_once('/')?;
    let name = name.strip_suffix(".dist-info").or_else(|| name.strip_suffix(".egg-info"))?;
    if above.contains("/_vendor") || name.is_empty() {
        return None;
    }
    let (name, version) = name.split_once('-').unwrap_or((name, ""));
    let layer = root.label(placed).to_owned();
    Some(Package { name: python_name(name), version: version.to_owned(), python: true, layer })
}

/// As the index of Python packages compares names (PEP 503), a run of separators being one `-`.
fn python_name(name: &str) -> String {
    let lower = name.to_ascii_lowercase().replace(['_', '.'], "-");
    let parts: Vec<&str> = lower.split('-').collect();
    let ends = |at: usize| at == 0 || at == parts.len() - 1;
    let kept = parts.iter().enumerate().filter(|(at, part)| ends(*at) || !part.is_empty());
    kept.map(|(_, part)| *part).collect::<Vec<_>>().join("-")
}

fn brought<C>(path: &str, root: &Root<'_, C>) -> Option<String> {
    Some(root.label(root.follow(path.as_bytes(), true).ok()?).to_owned())
}

/// A database of packages that is none of text.
fn unseen<C>(root: &Root<'_, C>) -> Option<(LayerPath, String)> {
    let databases = ["/usr/lib/sysimage/rpm/rpmdb.sqlite", "/var/lib/rpm/rpmdb.sqlite", "/var/lib/rpm/Packages"];
    let placed = databases.iter().find_map(|path| root.follow(path.as_bytes(), true).ok())?;
    Some((placed.entry.path.clone(), root.label(placed).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::testing::Image;
    use super::*;

    const STATUS: &str = "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36-9\n\n\
                          Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n";

    fn expected(present: &[&str], absent: &[&str]) -> Expected {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Expected { present_packages: owned(present), absent_packages: owned(absent), ..Expected::default() }
    }

    fn image() -> Image {
        Image::default()
            .layer("//:root", |layer| {
                layer.text("/var/lib/dpkg/status", 0o644, STATUS);
                layer.text("/var/lib/dpkg/info/libc6:amd64.list", 0o644, "");
            })
            .layer("//:tools", |layer| {
                layer.text("/var/lib/dpkg/status.d/gcc-12", 0o644, "Package: gcc-12\nVersion: 12.2.0-14\n");
                layer.directory("/opt/venv/lib/python3.11/site-packages/Ruamel.YAML-0.18.dist-info", 0o755);
                layer.directory("/opt/venv/lib/python3.11/site-packages/setuptools/_vendor/jaraco-1.dist-info", 0o755);
            })
    }

    #[test]
    fn packages_are_found_wherever_they_are_noted_with_the_layer_that_brought_them() {
        assert_eq!(image().judged(expected(&["libc6", "ruamel_yaml", "gcc*"], &["gone", "jaraco", "libc"])), [""; 0]);
        assert_eq!(
            image().judged(expected(&["none"], &["libc6", "gcc*", "ruamel-*"])),
            [
                "present-packages: expected a package `none`, found none",
                "absent-packages: expected no package `libc6`, found libc6 2.36-9 (from //:root)",
                "absent-packages: expected no package `gcc*`, found gcc-12 12.2.0-14 (from //:tools)",
                "absent-packages: expected no package `ruamel-*`, found ruamel-yaml 0.18 (from //:tools)",
            ]
        );
    }

    #[test]
    fn alpine_says_it_in_its_own_way_and_an_rpm_database_is_no_pass() {
        let apk = Image::default().layer("//:a", |layer| {
            layer.text("/lib/apk/db/installed", 0o644, "C:Q1x=\nP:musl\nV:1.2.4-r2\n\nP:gcc\nV:13\n");
        });
        assert_eq!(
            apk.judged(expected(&["musl"], &["gcc"])),
            ["absent-packages: expected no package `gcc`, found gcc 13 (from //:a)"]
        );
        let rpm = Image::default().layer("//:r", |layer| _ = layer.text("/var/lib/rpm/Packages", 0o644, "\0"));
        assert_eq!(rpm.judged(expected(&[], &["gcc"])).len(), 1);
    }
}
