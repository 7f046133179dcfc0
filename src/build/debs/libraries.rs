//! Libraries that are found only by `/etc/ld.so.cache`: those in directories that `/etc/ld.so.conf` names (ldconfig(8)) and the
//! loader does not look into by itself.

use super::new;
use crate::layer_path::LayerPath;
use crate::oci::tree::Tree;

/// Where the loader has its cache.
pub const CACHE: &str = "etc/ld.so.cache";

/// The directories with such libraries, absolute, sorted; none where there is a cache.
pub fn unseen(tree: &Tree) -> Vec<String> {
    if new::has(tree, CACHE) {
        return Vec::new();
    }
    let configured = tree.entries.keys().filter_map(|path| new::read(tree, &configuration(path)?));
    let lines: Vec<String> = configured.flat_map(|bytes| lines(&bytes)).collect();
    let mut found: Vec<String> =
        lines.into_iter().filter(|line| !is_default(line) && has_libraries(tree, line)).collect();
    found.sort();
    found.dedup();
    found
}

fn configuration(path: &LayerPath) -> Option<String> {
    let path = path.to_string();
    (path.starts_with("/etc/ld.so.conf.d/") && path.ends_with(".conf")).then_some(path)
}

fn lines(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let plain = text.lines().map(str::trim).filter(|line| line.starts_with('/'));
    plain.map(|line| line.trim_end_matches('/').to_owned()).collect()
}

/// Debian's loader looks into `/lib`, `/usr/lib` and the folders of its own architecture in both.
fn is_default(directory: &str) -> bool {
    let below = directory.strip_prefix("/usr").unwrap_or(directory).strip_prefix("/lib");
    below.is_some_and(|below| below.is_empty() || below.ends_with("-linux-gnu") && below.matches('/').count() == 1)
}

fn has_libraries(tree: &Tree, directory: &str) -> bool {
    let merged = if directory.starts_with("/lib") { format!("/usr{directory}") } else { directory.to_owned() };
    tree.entries.keys().map(ToString::to_string).any(|path| {
        let name = path.strip_prefix(&merged).and_then(|path| path.strip_prefix('/'));
        name.is_some_and(|name| !name.contains('/') && name.contains(".so"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_directories_beside_the_default_ones_that_hold_libraries_are_told() {
        let mut tree = Tree::default();
        let conf = "# c\n/usr/lib/x86_64-linux-gnu\n/lib/x86_64-linux-gnu/fake\n/usr/local/lib\n/opt/x/\n";
        for (path, text) in [
            ("etc/ld.so.conf.d/a.conf", conf),
            ("usr/lib/x86_64-linux-gnu/liba.so.1", ""),
            ("usr/lib/x86_64-linux-gnu/fake/libb.so", ""),
            ("opt/x/deeper/libc.so", ""),
        ] {
            new::file(&mut tree, path, 0o644, text, 0);
        }
        assert_eq!(unseen(&tree), ["/lib/x86_64-linux-gnu/fake"]);
        new::file(&mut tree, "opt/x/libc.so.2", 0o644, "", 0);
        assert_eq!(unseen(&tree), ["/lib/x86_64-linux-gnu/fake", "/opt/x"]);
        new::file(&mut tree, CACHE, 0o644, "", 0);
        assert!(unseen(&tree).is_empty());
    }
}
