//! Where images are published, as settings write it: the grammar of registries and tags.
//!
//! Errors are phrases that name the text.

use super::marks;

/// The registry of a workspace that names none.
pub const DEFAULT_REGISTRY: &str = "registry.localhost";
/// The tag of a workspace that says none.
pub const DEFAULT_TAG: &str = "latest";

/// `HOST[:PORT][/PREFIX]`, as in the first part of a reference.
pub fn check_registry(text: &str) -> Result<(), String> {
    if text.contains("://") {
        return Err("a registry is written without `https://`: `HOST[:PORT][/PREFIX]`".to_owned());
    }
    let (host, prefix) = text.split_once('/').map_or((text, None), |(host, prefix)| (host, Some(prefix)));
    let host_ok =
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte));
    let part_ok = |part: &str| !part.is_empty() && part.bytes().all(is_repository_byte);
    if host_ok && prefix.is_none_or(|prefix| prefix.split('/').all(part_ok)) {
        return Ok(());
    }
    Err(format!("`{text}` is not a registry: expected `HOST[:PORT][/PREFIX]`, the prefix in lower case"))
}

fn is_repository_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte)
}

/// A tag (OCI distribution specification, "Pulling manifests").
pub fn check_tag(text: &str) -> Result<(), String> {
    // What git says is judged when it is known.
    let sample = marks::sample(text);
    let text = sample.as_str();
    let rest = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if first && text.len() <= 128 && text.bytes().all(rest) {
        return Ok(());
    }
    Err(format!("`{text}` is not a tag: at most 128 letters, digits, `.`, `_` or `-`, not beginning with `.` or `-`"))
}

#[cfg(test)]
mod tests {
    use super::super::git::Field;
    use super::*;

    #[test]
    fn what_git_says_is_not_judged_before_it_is_known() {
        assert_eq!(check_tag(&format!("v{}", marks::mark(Field::Branch))), Ok(()));
        assert!(check_tag(&format!("-{}", marks::mark(Field::Branch))).is_err());
    }
}
