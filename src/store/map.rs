//! A file's bytes mapped into memory, read-only. The one `unsafe` of the store.
//!
//! Takes an open file, gives bytes. Knows nothing of what they mean.

use std::fs::File;
use std::io;
use std::ops::Deref;

/// The first bytes of a file, as many as it had when it was mapped. They stay even if its name goes to another file.
#[derive(Debug, Default)]
pub(super) struct Map(Option<memmap2::Mmap>);

impl Map {
    /// Maps all that the file holds now.
    pub(super) fn whole(file: &File) -> io::Result<Map> {
        // An empty mapping is an error to the kernel.
        if file.metadata()?.len() == 0 {
            return Ok(Map::default());
        }
        // SAFETY: a mapping is unsound only if the bytes below it change. What the store maps is appended to, or replaced
        // by rename; it is never written over and never truncated.
        unsafe { memmap2::Mmap::map(file) }.map(|map| Map(Some(map)))
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}
