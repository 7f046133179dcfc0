//! Text and numbers as XML and HTML take them.

/// A text as it may stand between tags and in quotes; characters that XML has no way to write become U+FFFD.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(c),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A length in pixels, to a tenth.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_its_place() {
        assert_eq!(
            escaped("</title><script>'&\"\u{1b}\u{0}é\n"),
            "&lt;/title&gt;&lt;script&gt;&#39;&amp;&quot;\u{fffd}\u{fffd}é\n"
        );
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([12.0, 0.25, -0.01, 7.06].map(number), ["12", "0.2", "0", "7.1"]);
    }
}
