//! Values of components, shortened for the eye: digests to a dozen digits, long texts to the part that differs.
//!
//! What differs stays different. Pure.

/// So many digits of a digest tell two apart by eye.
const DIGITS: usize = 12;
/// Longer values are cut.
const LONG: usize = 100;
/// So many characters stand before the first that differs.
const BEFORE: usize = 20;

/// One value.
pub fn one(value: &str) -> String {
    cut(&digests(value, DIGITS), 0)
}

/// Two values that differ.
pub fn two(old: &str, new: &str) -> (String, String) {
    let short = (digests(old, DIGITS), digests(new, DIGITS));
    let (old, new) = if short.0 == short.1 { (old.to_owned(), new.to_owned()) } else { short };
    let same = old.chars().zip(new.chars()).take_while(|(old, new)| old == new).count();
    let from = same.saturating_sub(BEFORE);
    (cut(&old, from), cut(&new, from))
}

/// Every digest within a text with so many digits only.
fn digests(text: &str, digits: usize) -> String {
    const MARK: &str = "sha256:";
    let mut short = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(MARK) {
        let (before, hex) = rest.split_at(at + MARK.len());
        let length = hex.bytes().take_while(u8::is_ascii_hexdigit).count();
        short.push_str(before);
        short.push_str(&hex[..if length == 64 { digits } else { length }]);
        rest = &hex[length..];
    }
    short + rest
}

/// A text that is too long from a character on, for as long as there is room.
fn cut(text: &str, from: usize) -> String {
    let length = text.chars().count();
    if length <= LONG {
        return text.to_owned();
    }
    let from = from.min(length - LONG);
    let part: String = text.chars().skip(from).take(LONG).collect();
    let (head, tail) = (if from > 0 { "…" } else { "" }, if from + LONG < length { "…" } else { "" });
    format!("{head}{part}{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    #[test]
    fn digests_are_short_wherever_they_stand_and_nothing_else_is() {
        let digest = Digest::of(b"x").to_string();
        let short = &digest[..7 + DIGITS];
        assert_eq!(one(&format!("file {digest} mode 0644")), format!("file {short} mode 0644"));
        assert_eq!(one("sha256:abc and more"), "sha256:abc and more");
    }

    #[test]
    fn two_that_begin_alike_are_told_apart() {
        let digest = Digest::of(b"x").to_string();
        let other = format!("{}{}", &digest[..40], "0".repeat(31));
        let (old, new) = two(&digest, &other);
        assert!(old != new && old == digest, "{old} {new}");
    }

    #[test]
    fn of_long_texts_the_part_that_differs_is_shown() {
        let (old, new) = (format!("{}é1{}", "a".repeat(300), "b".repeat(300)), format!("{}é2", "a".repeat(300)));
        let (old, new) = two(&old, &new);
        assert!(old.starts_with("…aaa") && old.contains("aé1bbb") && old.ends_with("b…"), "{old}");
        assert!(new.starts_with('…') && new.ends_with("aé2"), "{new}");
        assert_eq!(old.chars().count(), LONG + 2);
    }
}
