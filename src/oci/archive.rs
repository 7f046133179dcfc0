//! The outer tar of an exported image: few plain files, headers always the same.
//!
//! Takes names of ours, short and simple, and bytes or streams of known size. Layers' own tars are not made here.

use std::io::{self, Read, Write};

/// Writes an export's tar: mode 0644 or 0755, owner 0:0, time 0, in the order of the calls.
pub struct Archive<W: Write>(tar::Builder<W>);

impl<W: Write> Archive<W> {
    /// An archive with nothing in it yet.
    pub fn new(out: W) -> Archive<W> {
        Archive(tar::Builder::new(out))
    }

    /// Adds a directory.
    pub fn directory(&mut self, name: &str) -> io::Result<()> {
        let header = header(&format!("{name}/"), tar::EntryType::Directory, 0o755, 0)?;
        self.0.append(&header, io::empty())
    }

    /// Adds a file from memory.
    pub fn bytes(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        self.stream(name, content.len() as u64, content)
    }

    /// Adds a file of `size` bytes, reading `content` to its end; fails when it is shorter or longer.
    pub fn stream(&mut self, name: &str, size: u64, content: impl Read) -> io::Result<()> {
        let header = header(name, tar::EntryType::Regular, 0o644, size)?;
        let mut content = content.take(size);
        self.0.append(&header, &mut content)?;
        let missing = content.limit();
        // One byte more: it tells a longer stream, and lets a verifying reader see the end.
        let excess = content.into_inner().read(&mut [0])?;
        if missing == 0 && excess == 0 {
            return Ok(());
        }
        let relation = if missing > 0 { "shorter" } else { "longer" };
        Err(io::Error::new(io::ErrorKind::InvalidData, format!("{name} is {relation} than its {size} bytes")))
    }

    /// Ends the archive.
    pub fn finish(self) -> io::Result<W> {
        let mut out = self.0.into_inner()?;
        out.flush()?;
        Ok(out)
    }
}

fn header(name: &str, kind: tar::EntryType, mode: u32, size: u64) -> io::Result<tar::Header> {
    let mut header = tar::Header::new_ustar();
    header.set_path(name)?;
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header.set_cksum();
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_of_another_size_is_refused() {
        for (content, relation) in [("abc", "shorter"), ("abcde", "longer")] {
            let error = Archive::new(Vec::new()).stream("x", 4, content.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(relation), "{error}");
        }
    }

    #[test]
    fn what_was_added_is_read_back() {
        let mut archive = Archive::new(Vec::new());
        archive.directory("d").unwrap();
        archive.bytes("d/f", b"content").unwrap();
        let bytes = archive.finish().unwrap();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let entries = archive.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            let path = entry.path().unwrap().display().to_string();
            (path, entry.header().mode().unwrap(), io::read_to_string(entry).unwrap())
        });
        let expected = [("d/", 0o755, ""), ("d/f", 0o644, "content")];
        assert_eq!(entries.collect::<Vec<_>>(), expected.map(|(path, mode, text)| (path.into(), mode, text.into())));
    }
}
