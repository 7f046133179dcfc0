//! A `.deb` (deb(5)) opened: its control members in memory, its data as a tree whose contents lie in spool files.
//!
//! Judges the package by itself; what stands beside it in a layer is not known here.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

use tempfile::{NamedTempFile, TempPath};

use crate::layer_path::LayerPath;
use crate::oci::tar_read::{TarError, TarOptions, read_archive};
use crate::oci::tree::{Content, Entry, EntryKind, Tree};
use crate::packages::debian::control::{Paragraph, paragraphs};

/// Why a `.deb` can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum DebError {
    /// It is no `.deb`, or not a whole one.
    #[error("is no .deb: {0}")]
    Format(&'static str),
    /// One of its archives can't be read.
    #[error("is damaged: {0}")]
    Tar(#[from] TarError),
    /// A file can't be read or written.
    #[error("can't be opened: {0}")]
    Io(#[from] io::Error),
}

/// An opened `.deb`.
pub struct Deb {
    /// Its name, from its control file.
    pub name: String,
    /// Its control members by name, `control` among them.
    pub members: BTreeMap<String, Vec<u8>>,
    /// Its files, as it names them.
    pub tree: Tree,
    _spools: Vec<TempPath>,
}

impl Deb {
    /// Opens a file; `spool` is a folder for what is unpacked, which goes when the value does.
    pub fn open(path: &Path, spool: &Path, mtime: u64) -> Result<Deb, DebError> {
        let file = File::open(path)?;
        let (mut control, mut data) = (None, None);
        for member in ar_members(&file)? {
            if member.name.starts_with("control.tar") {
                control = Some(Unpacked::of(&file, &member, spool, mtime)?);
            } else if member.name.starts_with("data.tar") {
                data = Some(Unpacked::of(&file, &member, spool, mtime)?);
            }
        }
        let control = control.ok_or(DebError::Format("it has no control.tar"))?;
        let data = data.ok_or(DebError::Format("it has no data.tar"))?;
        let members = control.texts()?;
        let text = members.get("control").ok_or(DebError::Format("it has no control file"))?;
        let text = String::from_utf8_lossy(text);
        let name = paragraphs(&text).next().and_then(|paragraph| paragraph.get("Package")).map(str::to_owned);
        let name = name.ok_or(DebError::Format("its control file names no package"))?;
        Ok(Deb { name, members, tree: data.tree, _spools: data.spools })
    }

    /// One that was never packed.
    #[cfg(test)]
    pub fn of(name: &str, members: BTreeMap<String, Vec<u8>>, tree: Tree) -> Deb {
        Deb { name: name.to_owned(), members, tree, _spools: Vec::new() }
    }

    /// A field of its control file; `None` where it isn't written.
    pub fn field(&self, name: &str) -> Option<String> {
        let text = String::from_utf8_lossy(self.members.get("control")?);
        let paragraph: Paragraph<'_> = paragraphs(&text).next()?;
        paragraph.get(name).map(str::to_owned)
    }

    /// A control member as text; empty where there is none.
    pub fn member(&self, name: &str) -> String {
        self.members.get(name).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
    }

    /// The files that people may change.
    pub fn conffiles(&self) -> Vec<LayerPath> {
        let member = self.member("conffiles");
        member.lines().filter_map(|line| LayerPath::new(line.strip_prefix('/')?).ok()).collect()
    }
}

/// All bytes of a file of a tree.
pub fn read(content: &Content) -> io::Result<Vec<u8>> {
    match content {
        Content::Bytes(bytes) => Ok(bytes.to_vec()),
        Content::File { path, .. } => std::fs::read(path),
        Content::Range { path, offset, size } => {
            let mut bytes = vec![0; *size as usize];
            File::open(path)?.read_exact_at(&mut bytes, *offset)?;
            Ok(bytes)
        }
    }
}

struct Unpacked {
    tree: Tree,
    spools: Vec<TempPath>,
}

impl Unpacked {
    fn of(mut file: &File, member: &Member, spool: &Path, mtime: u64) -> Result<Unpacked, DebError> {
        let mut packed = NamedTempFile::new_in(spool)?;
        file.seek(SeekFrom::Start(member.offset))?;
        io::copy(&mut file.take(member.size), packed.as_file_mut())?;
        let plain = NamedTempFile::new_in(spool)?.into_temp_path();
        let packed = packed.into_temp_path();
        let tree = read_archive(&packed, &plain, &TarOptions { mtime })?;
        Ok(Unpacked { tree, spools: vec![packed, plain] })
    }

    fn texts(&self) -> io::Result<BTreeMap<String, Vec<u8>>> {
        let text = |(path, entry): (&LayerPath, &Entry)| match &entry.kind {
            EntryKind::File(content) => {
                Some(read(content).map(|bytes| (path.to_string().trim_start_matches('/').to_owned(), bytes)))
            }
            _ => None,
        };
        self.tree.entries.iter().filter_map(text).collect()
    }
}

struct Member {
    name: String,
    offset: u64,
    size: u64,
}

/// The members of an ar archive, as deb(5) has it: short names only.
fn ar_members(file: &File) -> Result<Vec<Member>, DebError> {
    let length = file.metadata()?.len();
    let mut magic = [0; 8];
    file.read_exact_at(&mut magic, 0).map_err(|_| DebError::Format("it is too short"))?;
    if &magic != b"!<arch>\n" {
        return Err(DebError::Format("it doesn't begin as one"));
    }
    let (mut at, mut members) = (8, Vec::new());
    while at + 60 <= length {
        let mut header = [0; 60];
        file.read_exact_at(&mut header, at)?;
        let text = |range: std::ops::Range<usize>| String::from_utf8_lossy(&header[range]).trim().to_owned();
        let size: u64 = text(48..58).parse().map_err(|_| DebError::Format("a member has no size"))?;
        if &header[58..] != b"`\n" || at + 60 + size > length {
            return Err(DebError::Format("it is cut short"));
        }
        members.push(Member { name: text(0..16).trim_end_matches('/').to_owned(), offset: at + 60, size });
        at += 60 + size + size % 2;
    }
    Ok(members)
}
