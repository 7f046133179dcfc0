//! Globs as the C library's glob(3) has them, in files of images: so whatever somebody wrote there.

use globset::{GlobBuilder, GlobMatcher};

/// No path is longer (`PATH_MAX`).
const LONGEST: usize = 4096;

/// A glob without alternatives: braces are plain characters there. `None` for what names nothing.
pub fn libc_glob(text: &str) -> Option<GlobMatcher> {
    if text.len() > LONGEST {
        return None;
    }
    let text = text.replace('{', "\\{").replace('}', "\\}");
    Some(GlobBuilder::new(&text).literal_separator(true).backslash_escape(true).build().ok()?.compile_matcher())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_are_plain_and_no_text_is_too_much() {
        let matches = |glob: &str, path: &str| libc_glob(glob).is_some_and(|glob| glob.is_match(path));
        assert!(matches("/etc/*.conf", "/etc/a.conf") && !matches("/etc/*.conf", "/etc/a/b.conf"));
        assert!(matches("/a{b,c}", "/a{b,c}") && !matches("/a{b,c}", "/ab"));
        assert!(matches(&"{a,".repeat(1000), &"{a,".repeat(1000)));
        assert!(libc_glob(&"{a,".repeat(5000)).is_none() && libc_glob("[").is_none());
    }
}
