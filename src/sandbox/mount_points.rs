//! Places to mount at: made where the base has none, and taken away again, so that none becomes part of a layer.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// What was made, in this order.
#[derive(Debug, Default)]
pub(super) struct MountPoints(Vec<PathBuf>);

impl MountPoints {
    /// A directory, with those above it.
    pub(super) fn directory(&mut self, path: &Path) -> io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.directory(parent)?;
        }
        fs::create_dir(path)?;
        self.0.push(path.to_owned());
        Ok(())
    }

    /// A file, with the directories above it.
    pub(super) fn file(&mut self, path: &Path) -> io::Result<()> {
        if path.exists() {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.directory(parent)?;
        }
        File::create_new(path)?;
        self.0.push(path.to_owned());
        Ok(())
    }

    /// Takes away what was made; a directory that something was put into meanwhile stays.
    pub(super) fn remove(self) {
        for path in self.0.iter().rev() {
            let empty = fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() == 0);
            let _ = if empty { fs::remove_file(path) } else { fs::remove_dir(path) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_goes_and_what_was_there_or_is_used_stays() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        fs::create_dir(at("etc")).unwrap();
        let mut points = MountPoints::default();
        points.directory(&at("a/b")).unwrap();
        points.file(&at("etc/hosts")).unwrap();
        points.directory(&at("c/d")).unwrap();
        fs::write(at("c/kept"), "").unwrap();
        points.remove();
        assert!(!at("a").exists() && !at("etc/hosts").exists() && !at("c/d").exists());
        assert!(at("etc").exists() && at("c/kept").exists());
    }
}
