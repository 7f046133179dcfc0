//! The files of a git commit by path, as `git ls-tree` lists them.
//!
//! Paths are relative to the repository's top, with `/` between their parts. Knows no content.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use crate::checkout::{Entry, Kind};

/// The file that says what git makes of others.
pub const ATTRIBUTES: &str = ".gitattributes";

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A regular file.
    File {
        /// Its blob.
        blob: Box<str>,
        /// Whether it may be executed.
        executable: bool,
    },
    /// A symbolic link, its target in a blob.
    Link {
        /// The blob.
        blob: Box<str>,
    },
    /// A folder.
    Folder,
    /// Another repository, whose files this one doesn't hold.
    Submodule,
}

impl Item {
    /// What it would be on disk.
    pub fn kind(&self) -> Kind {
        match self {
            Item::File { .. } => Kind::File,
            Item::Link { .. } => Kind::Link,
            Item::Folder | Item::Submodule => Kind::Folder,
        }
    }
}

/// Everything in a commit.
#[derive(Debug)]
pub struct GitTree {
    items: HashMap<Box<str>, Item>,
    folders: HashMap<Box<str>, Vec<Entry>>,
}

impl GitTree {
    /// Reads what `git ls-tree -r -t -z --full-tree` prints: `MODE SP TYPE SP NAME TAB PATH NUL` for each item.
    pub fn parse(listed: &[u8]) -> GitTree {
        let mut tree = GitTree {
            items: HashMap::from([("".into(), Item::Folder)]),
            folders: HashMap::from([("".into(), Vec::new())]),
        };
        listed.split(|byte| *byte == 0).filter_map(item).for_each(|(path, item)| tree.add(path, item));
        tree
    }

    fn add(&mut self, path: &[u8], item: Item) {
        // What no checkout writes, in a tree that was made to lead astray.
        if path.split(|byte| *byte == b'/').any(|part| [&b""[..], b".", b"..", b".git"].contains(&part)) {
            return;
        }
        let (folder, name) = match path.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => (&path[..slash], &path[slash + 1..]),
            None => (&path[..0], path),
        };
        // A folder whose path is no text can be reached by no path that is one; a name that is none is listed.
        let Ok(folder) = std::str::from_utf8(folder) else { return };
        let entry = Entry { name: OsString::from_vec(name.to_owned()), kind: item.kind() };
        self.folders.entry(folder.into()).or_default().push(entry);
        if let Ok(path) = std::str::from_utf8(path) {
            if item.kind() == Kind::Folder {
                self.folders.entry(path.into()).or_default();
            }
            self.items.insert(path.into(), item);
        }
    }

    /// What stands at a path; the top is a folder.
    pub fn item(&self, path: &str) -> Option<&Item> {
        self.items.get(path)
    }

    /// What stands in a folder; `None` where there is none.
    pub fn list(&self, folder: &str) -> Option<&[Entry]> {
        self.folders.get(folder).map(Vec::as_slice)
    }

    /// The paths of all files, in no order.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        let is_file = |(_, item): &(_, &Item)| matches!(item, Item::File { .. });
        self.items.iter().filter(is_file).map(|(path, _)| &**path)
    }

    /// Those of all that say what git makes of others, in no order.
    pub fn attributes(&self) -> impl Iterator<Item = &str> {
        self.files().filter(|path| path.rsplit('/').next() == Some(ATTRIBUTES))
    }

    /// All folders, in no order; the top is the empty path.
    pub fn folders(&self) -> impl Iterator<Item = &str> {
        self.folders.keys().map(|path| &**path)
    }
}

fn item(line: &[u8]) -> Option<(&[u8], Item)> {
    let tab = line.iter().position(|byte| *byte == b'\t')?;
    let mut words = std::str::from_utf8(&line[..tab]).ok()?.split(' ');
    let (mode, _type, blob) = (words.next()?, words.next()?, words.next()?);
    let item = match mode {
        "040000" => Item::Folder,
        "120000" => Item::Link { blob: blob.into() },
        "160000" => Item::Submodule,
        _ => Item::File { blob: blob.into(), executable: mode == "100755" },
    };
    Some((&line[tab + 1..], item))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_item_is_read_and_listed_in_its_folder() {
        let lines = ["100644 blob aa\tx y", "040000 tree bb\td", "100755 blob cc\td/run", "120000 blob dd\td/link"];
        let listed = [&lines[..], &["160000 commit ee\tsub"]].concat().join("\0");
        let tree = GitTree::parse(listed.as_bytes());
        assert_eq!(tree.item("x y"), Some(&Item::File { blob: "aa".into(), executable: false }));
        assert_eq!(tree.item("d/run"), Some(&Item::File { blob: "cc".into(), executable: true }));
        assert_eq!(tree.item("d/link").map(Item::kind), Some(Kind::Link));
        assert_eq!((tree.item("sub"), tree.list("sub")), (Some(&Item::Submodule), Some(&[][..])));
        let names = |folder| tree.list(folder).unwrap().iter().map(|entry| entry.name.clone()).collect::<Vec<_>>();
        assert_eq!(
            (names(""), names("d")),
            (vec!["x y".into(), "d".into(), "sub".into()], vec!["run".into(), "link".into()])
        );
        assert!(tree.list("x y").is_none());
        let mut files: Vec<&str> = tree.files().collect();
        files.sort_unstable();
        assert_eq!(files, ["d/run", "x y"]);
        let attributes = GitTree::parse(b"100644 blob aa\td/.gitattributes\x00100644 blob bb\tx.gitattributes\0");
        assert_eq!(attributes.attributes().collect::<Vec<_>>(), ["d/.gitattributes"]);
    }

    #[test]
    fn a_name_that_is_no_text_is_listed_and_nothing_below_it_is() {
        let tree = GitTree::parse(b"040000 tree aa\t\xff\x00100644 blob bb\t\xff/x\0");
        assert_eq!(tree.list("").map(<[Entry]>::len), Some(1));
    }

    #[test]
    fn what_no_checkout_writes_is_not_there() {
        let odd = ["../.gitattributes", "d/../../x", "./x", "d//x", ".git/config", "d/.git"];
        let listed = odd.map(|path| format!("100644 blob aa\t{path}")).join("\0");
        assert_eq!(GitTree::parse(listed.as_bytes()).files().count(), 0);
    }
}
