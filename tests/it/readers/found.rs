//! What a reader gave back: every path with kind, mode, owner, size, link target and content. From a folder, from a tar, or
//! from what `layerbuild ls` prints, so that they can be compared. Knows no reader.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use layerbuild::digest::Digest;

/// Paths without a leading slash.
pub type Found = BTreeMap<String, Item>;

/// One path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// As `ls -l` writes it.
    pub mode: String,
    /// `uid:gid`.
    pub owner: String,
    /// In bytes; zero for all but files.
    pub size: u64,
    /// A symlink's target; a device's numbers, `major:minor`.
    pub target: Option<String>,
    /// For each name of a file with several: the first of them.
    pub linked: Option<String>,
    /// Of a file's content.
    pub digest: Option<Digest>,
}

/// A file without content, of root's.
pub fn empty_file() -> Item {
    let (mode, owner, digest) = (mode_text('-', 0o644), "0:0".to_owned(), Some(Digest::of(b"")));
    Item { mode, owner, size: 0, target: None, linked: None, digest }
}

/// `drwxr-xr-t` and the like, written down independently of what `ls` does.
pub fn mode_text(kind: char, bits: u32) -> String {
    let mut text: Vec<char> = format!("{kind}rwxrwxrwx").chars().collect();
    for (at, letter) in text.iter_mut().skip(1).enumerate() {
        if bits & (0o400 >> at) == 0 {
            *letter = '-';
        }
    }
    for (at, special, letter) in [(3, 0o4000, 's'), (6, 0o2000, 's'), (9, 0o1000, 't')] {
        if bits & special != 0 {
            text[at] = if text[at] == 'x' { letter } else { letter.to_ascii_uppercase() };
        }
    }
    text.into_iter().collect()
}

/// What lies below a folder.
pub fn in_folder(root: &Path) -> Found {
    let mut found = Found::new();
    let mut inodes: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(root).expect("below").to_str().expect("UTF-8").to_owned();
            let stat = fs::symlink_metadata(&path).expect("a file");
            if stat.is_dir() {
                folders.push(path.clone());
            } else if stat.nlink() > 1 {
                inodes.entry(stat.ino()).or_default().push(name.clone());
            }
            found.insert(name, on_disk(&path, &stat));
        }
    }
    inodes.into_values().for_each(|names| link(&mut found, names));
    found
}

fn on_disk(path: &Path, stat: &fs::Metadata) -> Item {
    let kind = match stat.file_type() {
        kind if kind.is_dir() => 'd',
        kind if kind.is_symlink() => 'l',
        kind if kind.is_char_device() => 'c',
        kind if kind.is_block_device() => 'b',
        kind if kind.is_fifo() => 'p',
        _ => '-',
    };
    let content = (kind == '-').then(|| fs::read(path).expect("a file's content"));
    let target = match kind {
        'l' => Some(fs::read_link(path).expect("a link").to_str().expect("UTF-8").to_owned()),
        'c' | 'b' => Some(format!("{}:{}", rustix::fs::major(stat.rdev()), rustix::fs::minor(stat.rdev()))),
        _ => None,
    };
    Item {
        mode: mode_text(kind, stat.mode()),
        owner: format!("{}:{}", stat.uid(), stat.gid()),
        size: content.as_ref().map_or(0, |content| content.len() as u64),
        target,
        linked: None,
        digest: content.map(|content| Digest::of(&content)),
    }
}

/// What a plain tar holds.
pub fn in_tar(tar: impl Read) -> Found {
    let mut found = Found::new();
    let mut links = Vec::new();
    for entry in tar::Archive::new(tar).entries().expect("a tar") {
        let mut entry = entry.expect("a member");
        let name = String::from_utf8(entry.path_bytes().into_owned()).expect("UTF-8");
        let name = name.trim_start_matches("./").trim_end_matches('/').to_owned();
        let item = in_archive(&mut entry);
        if entry.header().entry_type().is_hard_link() {
            links.push((name.clone(), item.target.clone().expect("a hard link's target")));
        }
        if !name.is_empty() {
            found.insert(name, item);
        }
    }
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, target) in links {
        groups.entry(target.clone()).or_insert_with(|| vec![target]).push(name);
    }
    groups.into_iter().for_each(|(target, names)| {
        let first = found.get(&target).expect("a hard link's target").clone();
        names.iter().for_each(|name| drop(found.insert(name.clone(), first.clone())));
        link(&mut found, names);
    });
    found
}

fn in_archive(entry: &mut tar::Entry<'_, impl Read>) -> Item {
    let header = entry.header().clone();
    let kind = match header.entry_type() {
        tar::EntryType::Directory => 'd',
        tar::EntryType::Symlink => 'l',
        tar::EntryType::Char => 'c',
        tar::EntryType::Block => 'b',
        tar::EntryType::Fifo => 'p',
        _ => '-',
    };
    let link = entry.link_name_bytes().map(|target| String::from_utf8(target.into_owned()).expect("UTF-8"));
    let number = |field: std::io::Result<Option<u32>>| field.expect("a number").unwrap_or(0);
    let numbers = || format!("{}:{}", number(header.device_major()), number(header.device_minor()));
    let target = if matches!(kind, 'c' | 'b') { Some(numbers()) } else { link };
    let mut content = Vec::new();
    entry.read_to_end(&mut content).expect("content");
    let is_file = kind == '-' && !header.entry_type().is_hard_link();
    Item {
        mode: mode_text(kind, header.mode().expect("a mode")),
        owner: format!("{}:{}", header.uid().expect("a uid"), header.gid().expect("a gid")),
        size: content.len() as u64,
        target: target.filter(|_| matches!(kind, 'l' | 'c' | 'b') || header.entry_type().is_hard_link()),
        linked: None,
        digest: is_file.then(|| Digest::of(&content)),
    }
}

/// The names belong to one file.
fn link(found: &mut Found, names: Vec<String>) {
    let first = names.iter().min().expect("names").clone();
    for name in names {
        found.get_mut(&name).expect("a found name").linked = Some(first.clone());
    }
}

/// What `layerbuild ls` printed; `digests` has the files' contents, which it doesn't print.
pub fn listed(printed: &str, digests: &BTreeMap<String, Digest>) -> Found {
    let mut found = Found::new();
    let mut links = Vec::new();
    for line in printed.lines() {
        let columns: Vec<&str> = line.split("  ").map(str::trim).filter(|column| !column.is_empty()).collect();
        let [mode, owner, size, path, _layer] = columns[..] else { panic!("five columns: {line}") };
        let path = path.strip_prefix('/').expect("an absolute path");
        if let Some((name, target)) = path.split_once(" link to /") {
            links.push((name.to_owned(), target.to_owned()));
            continue;
        }
        let (name, target) = path.split_once(" -> ").map_or((path, None), |(name, target)| (name, Some(target)));
        let item = Item {
            mode: mode.to_owned(),
            owner: owner.to_owned(),
            size: size.parse().expect("a size"),
            target: target.map(str::to_owned),
            linked: None,
            digest: mode.starts_with('-').then(|| digests.get(name).copied()).flatten(),
        };
        found.insert(name.to_owned(), item);
    }
    for (name, target) in links {
        let item = found.get(&target).expect("a hard link's target").clone();
        found.insert(name.clone(), item);
        link(&mut found, vec![name, target]);
    }
    found
}

/// The first paths at which two findings differ; empty where they are the same.
pub fn difference(expected: &Found, found: &Found) -> String {
    let paths = expected.keys().chain(found.keys().filter(|path| !expected.contains_key(*path)));
    let differs = paths.filter(|path| expected.get(*path) != found.get(*path));
    let tell = |path: &String| format!("{path}: expected {:?}, found {:?}\n", expected.get(path), found.get(path));
    differs.take(3).map(tell).collect()
}
