//! Versions, and which of a thing somebody works with: `[workspace] requires` of layerbuild, `compatible` of others.
//!
//! Comparisons of up to three numbers, joined by commas; pre-releases are not told apart.

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
        Diagnostic::error(format!("`{}` is not a version requirement", wanted.value))
            .at(wanted.span, "")
            .help("write comparisons joined by commas, such as `>=0.3` or `>=0.3, <2`")
    })
}

/// A workspace's own version; the error is a phrase that names the text.
pub fn check(text: &str) -> Result<(), String> {
    if text.split('.').count() == 3 && numbers(text).is_some() {
        return Ok(());
    }
    Err(format!("`{text}` is not a version: three numbers, such as \"0.2.0\""))
}

/// Whether a version meets a requirement; `None` when either is malformed.
pub fn meets(wanted: &str, running: &str) -> Option<bool> {
    let running = numbers(running)?;
    let mut met = true;
    for comparison in wanted.split(',').map(str::trim) {
        let operator = OPERATORS.into_iter().find(|operator| comparison.starts_with(operator))?;
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
        *numbers.get_mut(index)? = part.parse().ok()?;
    }
    Some(numbers)
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
        for malformed in ["", "0.3", "^0.3", ">=", ">=x", ">=1.2.3.4", ">=0.3,"] {
            assert_eq!(meets(malformed, "0.9.1"), None, "{malformed}");
        }
    }
}
