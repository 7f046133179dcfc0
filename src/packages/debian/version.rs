//! Debian's order of versions (deb-version(7)).
//!
//! Texts in, an order out; what is no version is ordered as well, so that one odd stanza stops nobody.

use std::cmp::Ordering;

/// Compares `[EPOCH:]UPSTREAM[-REVISION]` as dpkg does: epochs as numbers, the rest in runs of other characters and digits,
/// where `~` sorts before everything, even the end.
///
/// ```
/// # use layerbuild::packages::debian::version::compare;
/// assert!(compare("1.0~rc1", "1.0").is_lt());
/// assert!(compare("1:0.9", "2.0").is_gt());
/// assert!(compare("1.0-0", "1.0").is_eq());
/// ```
pub fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (parts(a), parts(b));
    run(a.0, b.0).then_with(|| run(a.1, b.1)).then_with(|| run(a.2, b.2))
}

/// Epoch, upstream version and revision; empty where one isn't written.
fn parts(version: &str) -> (&[u8], &[u8], &[u8]) {
    let (epoch, rest) = version.split_once(':').unwrap_or(("", version));
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
    (epoch.as_bytes(), upstream.as_bytes(), revision.as_bytes())
}

fn run(mut a: &[u8], mut b: &[u8]) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        let found = others(&mut a, &mut b).then_with(|| digits(&mut a, &mut b));
        if found.is_ne() {
            return found;
        }
    }
    Ordering::Equal
}

/// The characters up to the next digit of either.
fn others(a: &mut &[u8], b: &mut &[u8]) -> Ordering {
    let next = |text: &[u8]| text.first().copied().filter(|byte| !byte.is_ascii_digit());
    while next(a).is_some() || next(b).is_some() {
        let found = weight(next(a)).cmp(&weight(next(b)));
        if found.is_ne() {
            return found;
        }
        (*a, *b) = (&a[1..], &b[1..]);
    }
    Ordering::Equal
}

/// `~`, then the end (or a digit), letters, all else.
fn weight(byte: Option<u8>) -> i32 {
    match byte {
        Some(b'~') => -1,
        None => 0,
        Some(letter) if letter.is_ascii_alphabetic() => letter.into(),
        Some(other) => i32::from(other) + 256,
    }
}

/// Numbers of any length, without leading zeros.
fn digits(a: &mut &[u8], b: &mut &[u8]) -> Ordering {
    let (a, b) = (number(a), number(b));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

fn number<'t>(text: &mut &'t [u8]) -> &'t [u8] {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    *text = rest;
    let zeros = number.iter().take_while(|byte| **byte == b'0').count();
    &number[zeros..]
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn versions_are_in_debians_order() {
        let sorted = [
            "0~~",
            "0~",
            "0",
            "1.0~rc1-1",
            "1.0-1~bpo",
            "1.0-1",
            "1.0-1+b1",
            "1.0-1+deb12u1",
            "1.0a",
            "1.0+1",
            "1.0.1",
            "1.2",
            "1.10",
            "1.10-0.1",
            "2-1",
            "1:0",
            "1:0.1",
            "2:0",
        ];
        for (at, a) in sorted.iter().enumerate() {
            for (other, b) in sorted.iter().enumerate() {
                assert_eq!(compare(a, b), at.cmp(&other), "{a} {b}");
            }
        }
        assert!(compare("1.0", "1.0-0").is_eq() && compare("0:1", "1").is_eq() && compare("1.01", "1.1").is_eq());
    }

    /// Whether dpkg says so; `None` without dpkg.
    fn dpkg(a: &str, b: &str) -> Option<Ordering> {
        let says = |operator| Command::new("dpkg").args(["--compare-versions", a, operator, b]).status().ok();
        Some(match (says("lt")?.success(), says("eq")?.success()) {
            (true, _) => Ordering::Less,
            (_, true) => Ordering::Equal,
            _ => Ordering::Greater,
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn the_order_is_dpkgs(a in "([0-2]:)?[0-9][0-9a~+.]{0,6}(-[0-9a~+.]{1,4})?", b in "([0-2]:)?[0-9][0-9a~+.]{0,6}(-[0-9a~+.]{1,4})?") {
            if let Some(expected) = dpkg(&a, &b) {
                prop_assert_eq!(compare(&a, &b), expected);
            }
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
        }
    }
}
