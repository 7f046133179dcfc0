//! What an ELF file asks for when it starts: its interpreter, its shared libraries and where it looks for them; and by what name
//! others ask for it.
//!
//! The `object` crate reads it, and of the file only what is asked for: a program may have gigabytes.

use object::elf::{
    DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_SONAME, DT_STRSZ, DT_STRTAB, ET_DYN, FileHeader32, FileHeader64, Machine,
    PT_LOAD,
};
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use object::read::{ReadCache, ReadRef};
use object::{Endianness, FileKind};

use crate::oci::layer_files::Part;

/// What an ELF file asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elf {
    /// What it runs on: `e_machine`, and whether it is one of 64 bits.
    pub machine: (Machine, bool),
    /// `PT_INTERP`; `None` for a static program and for libraries.
    pub interpreter: Option<String>,
    /// `DT_NEEDED`, in order.
    pub needed: Vec<String>,
    /// `DT_RPATH`, its directories.
    pub rpath: Vec<String>,
    /// `DT_RUNPATH`, its directories.
    pub runpath: Vec<String>,
    /// `DT_SONAME`; `None` where it isn't said.
    pub soname: Option<String>,
    /// Whether it can be loaded as a library; position-independent programs can, too.
    pub shared: bool,
}

/// Reads a file; `None` where it is no ELF file that a system could load, cut off ones among them.
pub fn read(part: Part) -> Option<Elf> {
    parse(&ReadCache::new(part))
}

/// As [`read`], of what is in memory or read piece by piece.
pub fn parse<'d>(data: impl ReadRef<'d>) -> Option<Elf> {
    match FileKind::parse(data).ok()? {
        FileKind::Elf32 => of::<FileHeader32<Endianness>, _>(data).ok(),
        FileKind::Elf64 => of::<FileHeader64<Endianness>, _>(data).ok(),
        _ => None,
    }
}

fn of<'d, H: FileHeader<Endian = Endianness>, R: ReadRef<'d>>(data: R) -> object::Result<Elf> {
    let header = H::parse(data)?;
    let endian = header.endian()?;
    let machine = (header.e_machine(endian), header.is_class_64());
    let (interpreter, needed, rpath, runpath, soname) = Default::default();
    let mut elf = Elf { machine, interpreter, needed, rpath, runpath, soname, shared: false };
    let segments = header.program_headers(endian, data)?;
    for segment in segments {
        if let Some(path) = segment.interpreter(endian, data)? {
            elf.interpreter = Some(text(path));
        }
        if let Some(entries) = segment.dynamic(endian, data)? {
            elf.shared = header.e_type(endian) == ET_DYN;
            elf.take(entries, strings::<H, R>(entries, segments, endian, data).unwrap_or_default(), endian);
        }
    }
    Ok(elf)
}

/// The names that dynamic entries point into; `None` where they are not in the file. Not the whole segment around them.
fn strings<'d, H: FileHeader<Endian = Endianness>, R: ReadRef<'d>>(
    entries: &[H::Dyn],
    segments: &[H::ProgramHeader],
    endian: Endianness,
    data: R,
) -> Option<&'d [u8]> {
    let value = |tag| entries.iter().find(|entry| entry.tag(endian) == tag).map(|entry| entry.val(endian));
    let (address, size) = (value(DT_STRTAB)?, value(DT_STRSZ)?);
    let at = segments.iter().filter(|segment| segment.p_type(endian) == PT_LOAD).find_map(|segment| {
        let (start, length): (u64, u64) = (segment.p_vaddr(endian).into(), segment.p_filesz(endian).into());
        let within = address.checked_sub(start).filter(|within| *within < length)?;
        segment.p_offset(endian).into().checked_add(within)
    })?;
    data.read_bytes_at(at, size).ok()
}

impl Elf {
    fn take<D: Dyn<Endian = Endianness>>(&mut self, entries: &[D], strings: &[u8], endian: Endianness) {
        for entry in entries {
            let rest = usize::try_from(entry.val(endian)).ok().and_then(|at| strings.get(at..)).unwrap_or_default();
            let word = text(rest.split(|byte| *byte == 0).next().unwrap_or_default());
            let folders = || word.split(':').filter(|folder| !folder.is_empty()).map(str::to_owned);
            match entry.tag(endian) {
                DT_NEEDED => self.needed.push(word),
                DT_SONAME => self.soname = Some(word),
                DT_RPATH => self.rpath.extend(folders()),
                DT_RUNPATH => self.runpath.extend(folders()),
                _ => {}
            }
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The name of a machine as images have it; `None` for one that no image names.
pub fn architecture((machine, wide): (Machine, bool)) -> Option<&'static str> {
    use object::elf::{EM_386, EM_AARCH64, EM_ARM, EM_LOONGARCH, EM_PPC64, EM_RISCV, EM_S390, EM_X86_64};
    Some(match (machine, wide) {
        (EM_X86_64, true) => "amd64",
        (EM_AARCH64, true) => "arm64",
        (EM_ARM, false) => "arm",
        (EM_386, false) => "386",
        (EM_PPC64, true) => "ppc64le",
        (EM_S390, true) => "s390x",
        (EM_RISCV, true) => "riscv64",
        (EM_LOONGARCH, true) => "loong64",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write as _;
    use std::sync::Arc;

    use super::super::testing;
    use super::*;

    fn part(file: File) -> Part {
        let size = file.metadata().unwrap().len();
        Part::new(Arc::new(file), 0, size)
    }

    #[test]
    fn a_program_of_the_host_asks_for_an_interpreter_and_libraries() {
        let elf = read(part(File::open("/bin/sh").unwrap())).unwrap();
        assert_eq!(architecture(elf.machine), Some(testing::architecture()));
        assert!(elf.interpreter.unwrap().contains("ld-"));
        assert!(elf.needed.iter().any(|name| name.starts_with("libc.")), "{:?}", elf.needed);
    }

    #[test]
    fn what_is_no_program_or_cut_off_is_none() {
        let whole = std::fs::read("/bin/sh").unwrap();
        for bytes in [&b""[..], b"#!/bin/sh\n", b"\x7fELF", &whole[..100]] {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(bytes).unwrap();
            assert_eq!(read(part(file)), None, "{} bytes", bytes.len());
        }
    }
}
