//! The words of a call as a log may keep them: values of variables and passwords in addresses are blotted out.

use std::ffi::OsString;

/// Stands for what is left out.
pub const BLOT: &str = "…";

/// The words behind the program's name.
pub fn sanitised(args: &[OsString]) -> Vec<String> {
    let mut is_variable = false;
    let mut words = Vec::with_capacity(args.len());
    for arg in args.iter().skip(1) {
        let word = arg.to_string_lossy();
        let word = word.trim_start();
        words.push(match word.strip_prefix("--var=") {
            Some(pair) => format!("--var={}", without_value(pair)),
            None if is_variable => without_value(word),
            None => without_password(word),
        });
        is_variable = word == "--var";
    }
    words
}

fn without_value(pair: &str) -> String {
    pair.split_once('=').map_or_else(|| BLOT.to_owned(), |(name, _)| format!("{name}={BLOT}"))
}

/// `scheme://user:password@host` → `scheme://…@host`.
pub fn without_password(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else { return word.to_owned() };
    let end = rest.find('/').unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://{BLOT}{}", &rest[at..]),
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_passwords_are_blotted_out_and_nothing_else() {
        let words = |line: &str| sanitised(&line.split(' ').map(OsString::from).collect::<Vec<_>>()).join(" ");
        assert_eq!(words("layerbuild build //a:b -j 2"), "build //a:b -j 2");
        assert_eq!(words("layerbuild --var PASS=x=y --var=TOKEN=z push //a"), "--var PASS=… --var=TOKEN=… push //a");
        assert_eq!(words("layerbuild --var oops"), "--var …");
        assert_eq!(words("x --registry https://u:p@r.example:5000/a@b"), "--registry https://…@r.example:5000/a@b");
    }
}
