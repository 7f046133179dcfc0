//! The order of libraries' names in the loader's cache, which it searches by halves.

use std::cmp::Ordering;

/// The loader's own order of names (`_dl_cache_libcmp`): numbers by their value, and behind all else.
pub fn order(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        match (a.first(), b.first()) {
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => match number(&mut a).cmp(&number(&mut b))
            {
                Ordering::Equal => {}
                other => return other,
            },
            (Some(x), Some(y)) if x == y => (a, b) = (&a[1..], &b[1..]),
            (x, y) => return rank(x).cmp(&rank(y)),
        }
    }
}

/// The number in front, taken off. It wraps as an `int` does there: the orders must agree.
fn number(text: &mut &[u8]) -> i32 {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = text.split_at(digits);
    *text = rest;
    number.iter().fold(0, |value: i32, digit| value.wrapping_mul(10).wrapping_add(i32::from(digit - b'0')))
}

fn rank(byte: Option<&u8>) -> (bool, u8) {
    byte.map_or((false, 0), |byte| (byte.is_ascii_digit(), *byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_the_loaders_order() {
        // As `ldconfig -p` prints them, from behind.
        let sorted =
            ["libc-2.so", "libc.so", "libc.so.6", "libc.so.10", "libcap.so", "libc1.so", "libc09.so", "libc10.so"];
        let mut names: Vec<&str> = sorted.iter().rev().copied().collect();
        names.sort_by(|a, b| order(a, b));
        assert_eq!(names, sorted);
        assert_eq!(order("libx.so.01", "libx.so.1"), Ordering::Equal);
        assert_eq!(order("libx.so", "libx.so.1"), Ordering::Less);
    }
}
