//! Modes and owners as users write them.

use crate::action::Owner;

/// Permission bits from octal text such as `0755` or `4755`; `None` for anything else.
pub fn parse_mode(text: &str) -> Option<u32> {
    let digits = matches!(text.len(), 3..=5) && text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    let mode = digits.then(|| u32::from_str_radix(text, 8).ok()).flatten()?;
    (mode <= 0o7777).then_some(mode)
}

/// An owner from `uid:gid` in digits; `None` for anything else.
pub fn parse_owner(text: &str) -> Option<Owner> {
    let (uid, gid) = text.split_once(':')?;
    let number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
    Some(Owner { uid: number(uid)?, gid: number(gid)? })
}

/// What to say of a mode that is none.
pub const MODE_HELP: &str = "write permission bits in octal and in quotes, such as \"0755\"";
/// What to say of an owner that is none.
pub const OWNER_HELP: &str = "write numbers, such as \"50000:0\": names depend on the image's passwd file";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_octal_text_of_at_most_twelve_bits() {
        assert_eq!(parse_mode("0755"), Some(0o755));
        assert_eq!(parse_mode("4755"), Some(0o4755));
        for text in ["", "7", "0o755", "0788", "17777", "-755", "rwx"] {
            assert_eq!(parse_mode(text), None, "{text}");
        }
    }

    #[test]
    fn owners_are_two_numbers() {
        assert_eq!(parse_owner("50000:0"), Some(Owner { uid: 50_000, gid: 0 }));
        for text in ["", "0", "root:root", ":", "1:", "-1:0", "1:2:3", "+1:0"] {
            assert_eq!(parse_owner(text), None, "{text}");
        }
    }
}
