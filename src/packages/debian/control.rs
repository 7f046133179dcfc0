//! Control data (deb822(5)): paragraphs of fields, borrowed from their text.
//!
//! An archive's index is 50 MB of it, so nothing is copied. What is no field is passed over, as apt does.

/// The fields of one paragraph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paragraph<'t> {
    /// All of its lines.
    pub text: &'t str,
}

/// The paragraphs of a text, in order.
pub fn paragraphs(text: &str) -> impl Iterator<Item = Paragraph<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            rest = rest.trim_start_matches(['\n', '\r']);
            if rest.is_empty() {
                return None;
            }
            let end = rest.find("\n\n").map_or(rest.len(), |at| at + 1);
            let (paragraph, after) = rest.split_at(end);
            rest = after;
            if !paragraph.trim().is_empty() {
                return Some(Paragraph { text: paragraph });
            }
        }
    })
}

impl<'t> Paragraph<'t> {
    /// Every field: its name, and its value with all lines, without the space around it.
    pub fn fields(self) -> impl Iterator<Item = (&'t str, &'t str)> {
        let mut rest = self.text;
        std::iter::from_fn(move || {
            while !rest.is_empty() {
                let field = take_field(&mut rest);
                if let Some((name, value)) = field.split_once(':')
                    && !name.starts_with(['#', ' ', '\t'])
                {
                    return Some((name, value.trim()));
                }
            }
            None
        })
    }

    /// A field's value; `None` where it isn't written.
    pub fn get(self, name: &str) -> Option<&'t str> {
        self.fields().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// A line, and those behind it that go on with it.
fn take_field<'t>(rest: &mut &'t str) -> &'t str {
    let mut end = 0;
    loop {
        end += rest[end..].find('\n').map_or(rest.len() - end, |at| at + 1);
        if !rest[end..].starts_with([' ', '\t']) {
            let (field, after) = rest.split_at(end);
            *rest = after;
            return field;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_with_all_their_lines_are_found_whatever_their_case() {
        let text =
            "\n# a comment\nPackage: a\nDescription: short\n long\n .\n more\nsize:7\n\n\n\nPackage: b\nodd line\n";
        let all: Vec<_> = paragraphs(text).collect();
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].get("package"), Some("a"));
        assert_eq!(all[0].get("Description"), Some("short\n long\n .\n more"));
        assert_eq!((all[0].get("Size"), all[0].get("None")), (Some("7"), None));
        assert_eq!(all[1].fields().collect::<Vec<_>>(), [("Package", "b")]);
    }

    #[test]
    fn no_text_has_no_paragraphs() {
        assert_eq!(paragraphs("").count() + paragraphs("\n\n \n").count(), 0);
    }
}
