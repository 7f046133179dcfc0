//! A plain tar file's members one by one: headers decoded, long names and PAX records applied, contents left where they are.
//!
//! Reads v7, ustar, GNU and PAX headers. Judges the archive only, not what its names mean. Fields are decoded by the `tar` crate;
//! its iterator isn't used because it splits PAX records at line ends, which a binary xattr may hold.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::oci::tar_write::{BLOCK, padding};

/// Names and PAX records are held in memory: nobody's are longer than this.
const LONGEST_EXTENSION: u64 = 16 << 20;

/// One member, as the archive says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawMember {
    /// Its name, not normalised.
    pub name: Vec<u8>,
    /// What a symlink or hard link names; empty for others.
    pub link: Vec<u8>,
    /// The type flag (POSIX.1-2017, pax, "typeflag Field").
    pub type_flag: u8,
    /// As written, with whatever bits there are.
    pub mode: u32,
    /// Numeric owner.
    pub uid: u64,
    /// Numeric group.
    pub gid: u64,
    /// Device numbers, major and minor; zero for what is no device.
    pub device: (u32, u32),
    /// Extended attributes by name.
    pub xattrs: BTreeMap<String, Vec<u8>>,
    /// Where in the file its content begins.
    pub offset: u64,
    /// Length of its content in bytes; zero for all types that have none.
    pub size: u64,
}

/// Bytes that are no archive, or not the whole of one.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// The file can't be read.
    #[error("can't read it at byte {at}")]
    Read {
        /// Where.
        at: u64,
        /// What the system says.
        source: io::Error,
    },
    /// Not even the first header is one.
    #[error("not a tar archive, nor one compressed with gzip, zstd or xz")]
    NotTar,
    /// It ends within a member, or without the zero block that says that nothing follows.
    #[error("truncated: it ends at byte {at} without an end of archive")]
    Truncated {
        /// Where.
        at: u64,
    },
    /// A header that contradicts itself.
    #[error("corrupt header at byte {at}: {what}")]
    Corrupt {
        /// Where.
        at: u64,
        /// What is wrong with it.
        what: String,
    },
    /// A feature of some tar that we don't read.
    #[error("unsupported at byte {at}: {what}")]
    Unsupported {
        /// Where.
        at: u64,
        /// What it is.
        what: String,
    },
}

/// Walks through an archive. Ends after the first error.
#[derive(Debug)]
pub struct Members<'f> {
    file: &'f File,
    length: u64,
    at: u64,
    done: bool,
}

impl<'f> Members<'f> {
    /// The members of a plain tar file of this length in bytes.
    pub fn new(file: &'f File, length: u64) -> Members<'f> {
        Members { file, length, at: 0, done: false }
    }

    fn read_member(&mut self) -> Result<Option<RawMember>, FormatError> {
        let mut extension = Extension::default();
        while let Some(header) = self.read_header()? {
            let flag = header.block.entry_type().as_byte();
            match flag {
                b'x' => extension.add_records(header.at, &self.read_content(&header)?)?,
                b'g' => check_global(header.at, &self.read_content(&header)?)?,
                b'L' => extension.name = Some(until_nul(self.read_content(&header)?)),
                b'K' => extension.link = Some(until_nul(self.read_content(&header)?)),
                _ => return self.finish(header, extension).map(Some),
            }
        }
        match extension == Extension::default() {
            true => Ok(None),
            false => Err(FormatError::Truncated { at: self.at }),
        }
    }

    /// The next header; `None` at the end of the archive.
    fn read_header(&mut self) -> Result<Option<RawHeader>, FormatError> {
        let at = self.at;
        let mut bytes = [0; BLOCK as usize];
        self.read_at(at, &mut bytes)?;
        if bytes == [0; BLOCK as usize] {
            return Ok(None);
        }
        let header = RawHeader { at, block: tar::Header::from_byte_slice(&bytes).clone() };
        if header.block.cksum().ok() != Some(checksum(&bytes)) {
            return Err(if at == 0 { FormatError::NotTar } else { header.corrupt("its checksum is wrong") });
        }
        self.at += BLOCK;
        Ok(Some(header))
    }

    /// The whole content of an extension member.
    fn read_content(&mut self, header: &RawHeader) -> Result<Vec<u8>, FormatError> {
        let size = header.number(header.block.entry_size(), "size")?;
        if size > LONGEST_EXTENSION {
            return Err(header.corrupt("it describes the next member with more than 16 MiB"));
        }
        let start = self.skip(header, size)?;
        let mut content = vec![0; size as usize];
        self.read_at(start, &mut content)?;
        Ok(content)
    }

    /// Steps over a content; where it began.
    fn skip(&mut self, header: &RawHeader, size: u64) -> Result<u64, FormatError> {
        let start = self.at;
        let end = start.checked_add(size).ok_or_else(|| header.corrupt("its size is no size"))?;
        if end > self.length {
            return Err(FormatError::Truncated { at: self.length });
        }
        self.at = end + padding(size);
        Ok(start)
    }

    fn read_at(&self, at: u64, bytes: &mut [u8]) -> Result<(), FormatError> {
        self.file.read_exact_at(bytes, at).map_err(|source| match source.kind() {
            io::ErrorKind::UnexpectedEof if at == 0 => FormatError::NotTar,
            io::ErrorKind::UnexpectedEof => FormatError::Truncated { at: self.length },
            _ => FormatError::Read { at, source },
        })
    }

    fn finish(&mut self, header: RawHeader, extension: Extension) -> Result<RawMember, FormatError> {
        let block = &header.block;
        let type_flag = block.entry_type().as_byte();
        if extension.sparse || type_flag == b'S' {
            return Err(FormatError::Unsupported { at: header.at, what: "a sparse file".to_owned() });
        }
        let size = match type_flag {
            // These have no content, whatever their size field says.
            b'1'..=b'6' => 0,
            _ => extension.size.map_or_else(|| header.number(block.entry_size(), "size"), Ok)?,
        };
        Ok(RawMember {
            type_flag,
            mode: header.number(block.mode(), "mode")?,
            uid: extension.uid.map_or_else(|| header.number_or_blank(108, block.uid(), "uid"), Ok)?,
            gid: extension.gid.map_or_else(|| header.number_or_blank(116, block.gid(), "gid"), Ok)?,
            device: device(&header, &extension)?,
            offset: self.skip(&header, size)?,
            size,
            name: extension.name.unwrap_or_else(|| block.path_bytes().into_owned()),
            link: extension.link.unwrap_or_else(|| block.link_name_bytes().unwrap_or_default().into_owned()),
            xattrs: extension.xattrs,
        })
    }
}

impl Iterator for Members<'_> {
    type Item = Result<RawMember, FormatError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let member = self.read_member().transpose();
        self.done = !matches!(member, Some(Ok(_)));
        member
    }
}

struct RawHeader {
    at: u64,
    block: tar::Header,
}

impl RawHeader {
    fn corrupt(&self, what: impl Into<String>) -> FormatError {
        FormatError::Corrupt { at: self.at, what: what.into() }
    }

    fn number<T>(&self, field: io::Result<T>, name: &str) -> Result<T, FormatError> {
        field.map_err(|_| self.corrupt(format!("its {name} is no number")))
    }

    /// A field of eight bytes that some writers leave blank when it is zero.
    fn number_or_blank<T: Default>(&self, at: usize, field: io::Result<T>, name: &str) -> Result<T, FormatError> {
        let bytes = &self.block.as_bytes()[at..at + 8];
        let blank = bytes.iter().all(|byte| matches!(byte, 0 | b' '));
        if blank { Ok(T::default()) } else { self.number(field, name) }
    }
}

/// Device numbers, of devices only: other members' fields hold anything.
fn device(header: &RawHeader, extension: &Extension) -> Result<(u32, u32), FormatError> {
    if !matches!(header.block.entry_type().as_byte(), b'3' | b'4') {
        return Ok((0, 0));
    }
    let (major, minor) = (header.block.device_major(), header.block.device_minor());
    let major = header.number_or_blank(329, major, "device number")?.unwrap_or(0);
    let minor = header.number_or_blank(337, minor, "device number")?.unwrap_or(0);
    Ok((extension.major.unwrap_or(major), extension.minor.unwrap_or(minor)))
}

/// The sum of all bytes, the checksum's own counted as spaces.
fn checksum(bytes: &[u8; BLOCK as usize]) -> u32 {
    let sum = |part: &[u8]| part.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    sum(&bytes[..148]) + sum(&bytes[156..]) + 8 * u32::from(b' ')
}

fn until_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    bytes.truncate(end);
    bytes
}

/// What extended headers say about the member that follows them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Extension {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u64>,
    gid: Option<u64>,
    major: Option<u32>,
    minor: Option<u32>,
    xattrs: BTreeMap<String, Vec<u8>>,
    sparse: bool,
}

impl Extension {
    fn add_records(&mut self, at: u64, records: &[u8]) -> Result<(), FormatError> {
        for (key, value) in pax_records(at, records)? {
            match key {
                b"path" => self.name = Some(value.to_vec()),
                b"linkpath" => self.link = Some(value.to_vec()),
                b"size" => self.size = Some(decimal(at, value)?),
                b"uid" => self.uid = Some(decimal(at, value)?),
                b"gid" => self.gid = Some(decimal(at, value)?),
                b"SCHILY.devmajor" => self.major = Some(decimal(at, value)?),
                b"SCHILY.devminor" => self.minor = Some(decimal(at, value)?),
                _ if key.starts_with(b"GNU.sparse.") => self.sparse = true,
                _ => self.add_xattr(at, key, value)?,
            }
        }
        Ok(())
    }

    /// Any other record that isn't an xattr doesn't enter a layer: times, user names, comments.
    fn add_xattr(&mut self, at: u64, key: &[u8], value: &[u8]) -> Result<(), FormatError> {
        if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
            let name = std::str::from_utf8(name).map_err(|_| bad_records(at))?;
            self.xattrs.insert(name.to_owned(), value.to_vec());
        }
        Ok(())
    }
}

/// A PAX record's key and value.
type Record<'b> = (&'b [u8], &'b [u8]);

/// `length key=value\n`, the length counting all of it: the value may hold any byte.
fn pax_records(at: u64, mut records: &[u8]) -> Result<Vec<Record<'_>>, FormatError> {
    let mut found = Vec::new();
    while !records.is_empty() {
        let ((key, value), rest) = pax_record(records).ok_or_else(|| bad_records(at))?;
        // An empty value takes back what a global record said, and we take none of those.
        if !value.is_empty() || key.starts_with(b"SCHILY.xattr.") {
            found.push((key, value));
        }
        records = rest;
    }
    Ok(found)
}

fn pax_record(records: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let space = records.iter().position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(&records[..space]).ok()?.parse().ok()?;
    let record = records.get(space + 1..length)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    Some(((&record[..equals], &record[equals + 1..]), &records[length..]))
}

fn decimal<T: std::str::FromStr>(at: u64, value: &[u8]) -> Result<T, FormatError> {
    std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).ok_or_else(|| bad_records(at))
}

fn bad_records(at: u64) -> FormatError {
    FormatError::Corrupt { at, what: "its PAX records are malformed".to_owned() }
}

/// Global records may hold what no layer has (git's commit, times), but nothing that would change a member.
fn check_global(at: u64, records: &[u8]) -> Result<(), FormatError> {
    let harmless = |key: &[u8]| matches!(key, b"comment" | b"mtime" | b"atime" | b"ctime" | b"uname" | b"gname");
    match pax_records(at, records)?.into_iter().find(|(key, _)| !harmless(key)) {
        None => Ok(()),
        Some((key, _)) => {
            let what = format!("a global PAX record `{}`", String::from_utf8_lossy(key));
            Err(FormatError::Unsupported { at, what })
        }
    }
}
