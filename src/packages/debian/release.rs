//! An archive's `Release`: how long it is valid and which indexes there are, by digest (DebianRepository/Format).
//!
//! The signed text in, plain values out. Says nothing of signatures.

use std::time::SystemTime;

use super::control::{Paragraph, paragraphs};
use crate::digest::Digest;

/// What a suite says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Release {
    /// After this it is not to be used; `None`: it doesn't say.
    pub valid_until: Option<SystemTime>,
    /// Whether files are to be had under their digest as well.
    pub by_hash: bool,
    /// Whether packages of architecture `all` stand in an index of their own only.
    pub separate_all: bool,
    /// The files that it vouches for.
    pub files: Vec<Listed>,
}

/// A file that a release vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Below the suite's folder.
    pub path: String,
    /// Of its bytes.
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
}

impl Release {
    /// Reads a release; `None` where it holds no SHA-256 of anything.
    pub fn parse(text: &str) -> Option<Release> {
        let paragraph = paragraphs(text).next()?;
        let files: Vec<Listed> = paragraph.get("SHA256")?.lines().filter_map(listed).collect();
        Some(Release {
            valid_until: paragraph.get("Valid-Until").and_then(date),
            by_hash: paragraph.get("Acquire-By-Hash") == Some("yes"),
            separate_all: has_all(paragraph),
            files,
        })
    }

    /// The index of a component and an architecture, in the smallest form that is read here. `None`: there is none.
    pub fn index(&self, component: &str, architecture: &str) -> Option<&Listed> {
        let folder = match component {
            "" => String::new(),
            component => format!("{component}/binary-{architecture}/"),
        };
        let listed = |end: &&str| self.files.iter().find(|file| file.path == format!("{folder}Packages{end}"));
        [".xz", ".gz", ""].iter().find_map(listed)
    }
}

fn has_all(paragraph: Paragraph<'_>) -> bool {
    let all = paragraph.get("Architectures").is_some_and(|names| names.split_whitespace().any(|name| name == "all"));
    all && paragraph.get("No-Support-for-Architecture-all") != Some("Packages")
}

fn listed(line: &str) -> Option<Listed> {
    let mut words = line.split_whitespace();
    let digest = Digest::from_hex(words.next()?)?;
    let size = words.next()?.parse().ok()?;
    Some(Listed { path: words.next()?.to_owned(), digest, size })
}

/// RFC 5322, as archives write it: `Sat, 09 Mar 2024 10:00:00 UTC`.
fn date(text: &str) -> Option<SystemTime> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [weekday, day, month, year, time, _zone] = words[..] else { return None };
    httpdate::parse_http_date(&format!("{weekday} {day:0>2} {month} {year} {time} GMT")).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn validity_and_the_smallest_index_are_found() {
        let digest = "1".repeat(64);
        let text = format!(
            "Suite: s\nValid-Until: Thu, 1 Jan 1970 00:01:00 UTC\nAcquire-By-Hash: yes\nArchitectures: all amd64\nMD5Sum:\n x 1 main/binary-amd64/Packages.xz\n\
             SHA256:\n {digest} 9 main/binary-amd64/Packages\n {digest}  5 main/binary-amd64/Packages.gz\n {digest} 3 Packages\n"
        );
        let release = Release::parse(&text).unwrap();
        assert_eq!(release.valid_until, Some(SystemTime::UNIX_EPOCH + Duration::from_secs(60)));
        assert!(release.by_hash && release.separate_all);
        assert_eq!(release.index("main", "amd64").unwrap().path, "main/binary-amd64/Packages.gz");
        assert_eq!(release.index("main", "arm64"), None);
        assert_eq!(release.index("", "amd64").unwrap().size, 3);
        assert_eq!(Release::parse("Suite: s\n"), None);
    }
}
