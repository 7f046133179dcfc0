//! dpkg's database as it is after all packages were installed: `status`, `info/*`, `triggers/*`.
//!
//! Opened packages in, entries for their tree out. dpkg, apt and scanners read it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;

use md5::{Digest as _, Md5};

use super::deb::{self, Deb};
use super::new;
use crate::layer_path::LayerPath;
use crate::oci::tree::{EntryKind, Tree};
use crate::packages::debian::control::paragraphs;

/// Adds the database to a tree. `whole`: the layer is a root file system; else what is below has a `status` of its own, and
/// each package a file in `status.d`.
pub fn add(tree: &mut Tree, debs: &[&Deb], whole: bool, mtime: u64) -> io::Result<()> {
    let mut put =
        |path: String, mode: u32, text: Vec<u8>| new::file(tree, &format!("var/lib/dpkg/{path}"), mode, text, mtime);
    let mut status = String::new();
    for deb in debs {
        let stanza = stanza(deb)?;
        match whole {
            true => status.push_str(&stanza),
            false => put(format!("status.d/{}", deb.name), 0o644, stanza.into_bytes()),
        }
        let name = info_name(deb);
        put(format!("info/{name}.list"), 0o644, list(deb).into_bytes());
        for (member, bytes) in deb.members.iter().filter(|(member, _)| *member != "control") {
            let script = ["preinst", "postinst", "prerm", "postrm", "config"].contains(&member.as_str());
            put(format!("info/{name}.{member}"), if script { 0o755 } else { 0o644 }, bytes.clone());
        }
        if !deb.members.contains_key("md5sums") {
            put(format!("info/{name}.md5sums"), 0o644, md5sums(deb)?.into_bytes());
        }
    }
    if whole {
        put("status".into(), 0o644, status.into_bytes());
        put("available".into(), 0o644, Vec::new());
        put("info/format".into(), 0o644, b"1\n".to_vec());
        triggers(debs).into_iter().for_each(|(file, text)| put(format!("triggers/{file}"), 0o644, text.into_bytes()));
    }
    Ok(())
}

/// Packages of which several architectures can be installed have theirs in the name.
fn info_name(deb: &Deb) -> String {
    match deb.field("Multi-Arch").as_deref() {
        Some("same") => format!("{}:{}", deb.name, deb.field("Architecture").unwrap_or_default()),
        _ => deb.name.clone(),
    }
}

fn stanza(deb: &Deb) -> io::Result<String> {
    let mut text = format!("Package: {}\nStatus: install ok installed\n", deb.name);
    let control = deb.member("control");
    let fields = paragraphs(&control).next().into_iter().flat_map(|paragraph| paragraph.fields());
    for (name, value) in fields.filter(|(name, _)| !["Package", "Status", "Conffiles"].contains(name)) {
        // Writing to a string can't fail.
        let _ = writeln!(text, "{name}: {value}");
    }
    let conffiles = deb.conffiles();
    let present = conffiles.iter().filter_map(|path| Some((path, deb.tree.entries.get(path)?)));
    let mut lines = String::new();
    for (path, entry) in present {
        if let EntryKind::File(content) = &entry.kind {
            let _ = write!(lines, "\n {path} {}", md5(&deb::read(content)?));
        }
    }
    if !lines.is_empty() {
        let _ = writeln!(text, "Conffiles:{lines}");
    }
    text.push('\n');
    Ok(text)
}

/// Every path of a package, as it names them.
fn list(deb: &Deb) -> String {
    let paths = deb.tree.entries.iter().filter(|(_, entry)| !entry.implied).map(|(path, _)| path);
    let mut text = b"/.\n".to_vec();
    paths.for_each(|path| text.extend([b"/", path.as_bytes(), b"\n"].concat()));
    String::from_utf8_lossy(&text).into_owned()
}

fn md5sums(deb: &Deb) -> io::Result<String> {
    let conffiles = deb.conffiles();
    let mut text = String::new();
    for (path, entry) in deb.tree.entries.iter().filter(|(path, _)| !conffiles.contains(path)) {
        if let EntryKind::File(content) = &entry.kind {
            let path: &LayerPath = path;
            let _ = writeln!(text, "{}  {}", md5(&deb::read(content)?), path.to_string().trim_start_matches('/'));
        }
    }
    Ok(text)
}

fn md5(bytes: &[u8]) -> String {
    Md5::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Who is interested in what (deb-triggers(5)): paths in `File`, names in files of their own.
fn triggers(debs: &[&Deb]) -> BTreeMap<String, String> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for deb in debs {
        for line in deb.member("triggers").lines() {
            let mut words = line.split_whitespace();
            let (Some(what), Some(name)) = (words.next(), words.next()) else { continue };
            let end = match what {
                "interest" | "interest-await" => "",
                "interest-noawait" => "/noawait",
                _ => continue,
            };
            match name.starts_with('/') {
                true => _ = writeln!(files.entry("File".into()).or_default(), "{name} {}{end}", deb.name),
                false => _ = writeln!(files.entry(name.to_owned()).or_default(), "{}{end}", deb.name),
            }
        }
    }
    files
}
