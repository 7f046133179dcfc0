//! Versions, and which of a thing somebody works with: `[workspace] requires` of layerbuild, `compatible` of others.
//!
//! Comparisons of up to three numbers, joined by commas; pre-releases are not told apart. Numbers are those of semver 2.0.0,
//! which have no leading zeros: `00.2.0` would be another text for `0.2.0`, and another tag.

use super::attributes::Spanned;
use crate::diagnostic::Diagnostic;

const OPERATORS: [&str; 5] = [">=", "<=", ">", "<", "="];

/// That `running` does not meet a requirement; a malformed one counts as met.
pub fn unmet(wanted: Spanned<&str>, running: &str) -> Option<Diagnostic> {
    (meets(wanted.value, running) == Some(false)).then(|| {
        Diagnostic::error(format!("this workspace needs layerbuild {}, and this is {running}", wanted.value))
            .at(wanted.span, "")
            .help("install a version of layerbuild that fits, or change `requires`")
    })
}

/// The mistake in a requirement.
pub fn malformed(wanted: Spanned<&str>) -> Option<Diagnostic> {
    meets(wanted.value, "0").is_none().then(|| {
        let help = mended_requirement(wanted.value).map(|mended| format!("did you mean `{mended}`?"));
        let general = || "write comparisons joined by commas, such as `>=0.3` or `>=0.3, <2`".to_owned();
        Diagnostic::error(format!("`{}` is not a version requirement", wanted.value))
            .at(wanted.span, "")
            .help(help.unwrap_or_else(general))
    })
}

/// A workspace's own version; the error is a phrase that names the text.
pub fn check(text: &str) -> Result<(), String> {
    let is_one = |text: &str| text.split('.').count() == 3 && numbers(text).is_some();
    if is_one(text) {
        return Ok(());
    }
    let help = match mended(text).filter(|text| is_one(text)) {
        Some(mended) => format!("; did you mean \"{mended}\"?"),
        None => ", such as \"0.2.0\"".to_owned(),
    };
    Err(format!("`{text}` is not a version: three numbers without leading zeros{help}"))
}

/// What a malformed requirement was meant to be, where that can be told.
pub fn mended_requirement(text: &str) -> Option<String> {
    let one = |comparison: &str| {
        let operator = operator(comparison)?;
        Some(format!("{operator}{}", mended(&comparison[operator.len()..])?))
    };
    let all: Option<Vec<String>> = text.split(',').map(|comparison| one(comparison.trim())).collect();
    all.map(|all| all.join(", "))
}

/// A version as it should have been written: without `v`, blanks and leading zeros.
fn mended(text: &str) -> Option<String> {
    let text = text.trim().trim_start_matches(['v', 'V']);
    let part = |part: &str| match part.trim().trim_start_matches('0') {
        "" if part.contains('0') => "0".to_owned(),
        part => part.to_owned(),
    };
    let parts: Vec<String> = text.split('.').map(part).collect();
    Some(parts.join(".")).filter(|text| numbers(text).is_some())
}

fn operator(comparison: &str) -> Option<&'static str> {
    OPERATORS.into_iter().find(|operator| comparison.starts_with(operator))
}

/// Whether a version meets a requirement; `None` when either is malformed.
pub fn meets(wanted: &str, running: &str) -> Option<bool> {
    let running = numbers(running)?;
    let mut met = true;
    for comparison in wanted.split(',').map(str::trim) {
        let operator = operator(comparison)?;
        let version = numbers(comparison[operator.len()..].trim())?;
        met &= match operator {
            ">=" => running >= version,
            "<=" => running <= version,
            ">" => running > version,
            "<" => running < version,
            _ => running == version,
        };
    }
    Some(met)
}

fn numbers(text: &str) -> Option<[u64; 3]> {
    let mut numbers = [0; 3];
    for (index, part) in text.split('.').enumerate() {
        *numbers.get_mut(index)? = number(part)?;
    }
    Some(numbers)
}

fn number(part: &str) -> Option<u64> {
    let plain = part.bytes().all(|byte| byte.is_ascii_digit()) && (part == "0" || !part.starts_with('0'));
    if plain { part.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_are_compared_number_by_number() {
        for (wanted, met) in [(">=0.3", true), (">=0.10", false), (">0.2, <1", true), ("=0.9.1", true), ("<0.9", false)]
        {
            assert_eq!(meets(wanted, "0.9.1"), Some(met), "{wanted}");
        }
        for malformed in ["", "0.3", "^0.3", ">=", ">=x", ">=1.2.3.4", ">=0.3,", ">=00.3", ">=0.03", ">=+1"] {
            assert_eq!(meets(malformed, "0.9.1"), None, "{malformed}");
        }
    }

    #[test]
    fn a_version_is_one_text_and_what_was_meant_is_said() {
        for version in ["0.2.0", "10.20.30", "0.0.0"] {
            assert_eq!(check(version), Ok(()), "{version}");
        }
        for (text, meant) in [
            ("00.2.0", "did you mean \"0.2.0\"?"),
            ("0.02.0", "did you mean \"0.2.0\"?"),
            ("v1.2.3", "did you mean \"1.2.3\"?"),
            (" 1.2.3 ", "did you mean \"1.2.3\"?"),
            ("1.2. 3", "did you mean \"1.2.3\"?"),
            ("1.2.00", "did you mean \"1.2.0\"?"),
            ("1.2", "such as"),
            ("1..2", "such as"),
            ("+1.2.3", "such as"),
            ("1.2.3-rc.1", "such as"),
            ("1.2.99999999999999999999", "such as"),
            ("", "such as"),
        ] {
            let said = check(text).unwrap_err();
            assert!(said.contains(&format!("`{text}` is not a version")) && said.contains(meant), "{said}");
        }
        let mended = |text| mended_requirement(text).unwrap_or_default();
        assert_eq!(mended(">= v0.03,<02.0"), ">=0.3, <2.0");
        assert_eq!(["0.3", ">=x", ">=1,"].map(mended), ["", "", ""]);
    }
}
