//! An image's file system: its layers' listings laid over each other, links followed within it, contents on demand.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};

use crate::layer_path::LayerPath;
use crate::oci::layer_files::Part;
use crate::oci::listing::Listing;
use crate::oci::overlay::{Placed, overlay};
use crate::oci::tree::Kind;

/// Where contents come from.
pub trait Contents {
    /// Why they can't be had.
    type Error;

    /// The regular file, or hard link, at a path of a layer. `layer`: as in the listings.
    fn open(&self, layer: usize, path: &LayerPath) -> Result<Part, Self::Error>;

    /// The error of a part that can't be read.
    fn unreadable(&self, path: &LayerPath, error: io::Error) -> Self::Error;
}

/// An image's file system.
pub struct Root<'a, C> {
    entries: BTreeMap<&'a [u8], Placed<'a>>,
    labels: &'a [String],
    contents: &'a C,
}

/// A path that leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lost {
    /// Nothing stands there. `link`: the last symbolic link on the way, and what it names.
    Missing {
        /// What was not there.
        path: String,
        /// The link.
        link: Option<(LayerPath, String)>,
    },
    /// Links lead in a circle.
    Circle,
}

/// More links than this the kernel doesn't follow.
const MOST_LINKS: usize = 40;

impl<'a, C> Root<'a, C> {
    /// Layers over each other, lowest first, each with the target that made it.
    pub fn new(listings: &[&'a Listing], labels: &'a [String], contents: &'a C) -> Root<'a, C> {
        let entries = overlay(listings).into_iter().map(|placed| (placed.entry.path.as_bytes(), placed)).collect();
        Root { entries, labels, contents }
    }

    /// Everything there is, by the bytes of its path; not the root itself.
    pub fn entries(&self) -> impl Iterator<Item = Placed<'a>> {
        self.entries.values().copied()
    }

    /// What stands at a path, no link followed.
    pub fn get(&self, path: &LayerPath) -> Option<Placed<'a>> {
        self.entries.get(path.as_bytes()).copied()
    }

    /// The target whose layer brought an entry.
    pub fn label(&self, placed: Placed<'_>) -> &'a str {
        &self.labels[placed.layer]
    }

    /// What an absolute path leads to, as a process in the image would come there. `last`: also where it ends at a link.
    pub fn follow(&self, path: &[u8], last: bool) -> Result<Placed<'a>, Lost> {
        let (mut at, mut link, mut links): (Vec<u8>, _, usize) = (Vec::new(), None, 0);
        let mut open: Vec<Vec<u8>> = split(path).rev().collect();
        while let Some(part) = open.pop() {
            match &part[..] {
                b".." => at.truncate(at.iter().rposition(|byte| *byte == b'/').unwrap_or(0)),
                _ => {
                    let next = if at.is_empty() { part } else { [&at[..], b"/", &part].concat() };
                    let missing = || Lost::Missing { path: shown(&next), link: link.clone() };
                    let placed = *self.entries.get(&next[..]).ok_or_else(missing)?;
                    if placed.entry.kind == Kind::Symlink && (last || !open.is_empty()) {
                        links += 1;
                        if links > MOST_LINKS {
                            return Err(Lost::Circle);
                        }
                        let target = &placed.entry.target;
                        link = Some((placed.entry.path.clone(), String::from_utf8_lossy(target).into_owned()));
                        if target.starts_with(b"/") {
                            at.clear();
                        }
                        open.extend(split(target).rev());
                    } else {
                        at = next;
                    }
                }
            }
        }
        // The root itself stands in no listing.
        self.entries.get(&at[..]).copied().ok_or_else(|| Lost::Missing { path: shown(&at), link })
    }
}

impl<C: Contents> Root<'_, C> {
    /// A file's content.
    pub fn open(&self, placed: Placed<'_>) -> Result<Part, C::Error> {
        self.contents.open(placed.layer, &placed.entry.path)
    }

    /// A file's first bytes, `most` at most.
    pub fn read(&self, placed: Placed<'_>, most: u64) -> Result<Vec<u8>, C::Error> {
        let mut bytes = Vec::new();
        let read = self.open(placed)?.take(most).read_to_end(&mut bytes);
        read.map_err(|error| self.contents.unreadable(&placed.entry.path, error))?;
        Ok(bytes)
    }

    /// The text of a file that a path leads to; `None` where there is none.
    pub fn text(&self, path: &str) -> Result<Option<String>, C::Error> {
        /// No database of packages or accounts is longer.
        const MOST: u64 = 256 << 20;
        let Some(placed) = self.follow(path.as_bytes(), true).ok().filter(|placed| is_file(*placed)) else {
            return Ok(None);
        };
        Ok(Some(String::from_utf8_lossy(&self.read(placed, MOST)?).into_owned()))
    }
}

fn split(path: &[u8]) -> impl DoubleEndedIterator<Item = Vec<u8>> {
    path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".").map(<[u8]>::to_vec)
}

fn shown(path: &[u8]) -> String {
    format!("/{}", String::from_utf8_lossy(path))
}

/// Whether it is a regular file.
pub fn is_file(placed: Placed<'_>) -> bool {
    matches!(placed.entry.kind, Kind::File | Kind::HardLink)
}

impl fmt::Display for Lost {
    /// What is there instead, as a phrase.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lost::Missing { link: None, .. } => write!(f, "nothing"),
            Lost::Missing { path, link: Some((link, target)) } => {
                write!(f, "the link {link} to {target}, and no {path}")
            }
            Lost::Circle => write!(f, "links in a circle"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Image;
    use super::*;

    #[test]
    fn links_are_followed_within_the_image_whatever_they_name() {
        let image = Image::default().layer("//:base", |layer| {
            layer.text("/usr/bin/tool", 0o755, "x").link("/bin", "usr/bin").link("/up", "../../../bin/tool");
            layer.link("/round", "/about").link("/about", "round").link("/dead", "/usr/gone/x");
        });
        image.rooted(|root| {
            let to = |path: &str| root.follow(path.as_bytes(), true).map(|placed| placed.entry.path.to_string());
            assert_eq!(to("/bin/tool").unwrap(), "/usr/bin/tool");
            assert_eq!(to("/up").unwrap(), "/usr/bin/tool", "`..` at the top stays there");
            assert_eq!(to("/usr/bin/../bin/./tool").unwrap(), "/usr/bin/tool");
            assert_eq!(to("/round"), Err(Lost::Circle));
            assert_eq!(to("/dead").unwrap_err().to_string(), "the link /dead to /usr/gone/x, and no /usr/gone");
            assert_eq!(to("/none").unwrap_err().to_string(), "nothing");
            let link = root.follow(b"/up", false).unwrap();
            assert_eq!(link.entry.kind, Kind::Symlink);
        });
    }
}
