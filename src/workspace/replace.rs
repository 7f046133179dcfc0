//! Dollars in a file's strings, replaced while it is loaded: `${vars.NAME}` by its text, `${git.NAME}` by a mark that is
//! filled in later.

use super::dollars::{self, Reference};
use super::marks;
use super::value::Table;
use super::vars::Vars;
use crate::diagnostic::Diagnostic;
use crate::span::Span;

/// What came of replacing.
#[derive(Debug, Default)]
pub struct Replaced {
    /// The mistakes.
    pub diagnostics: Vec<Diagnostic>,
    /// Whether a text waits for what git says.
    pub asks_git: bool,
}

/// Replaces in all strings of a table; keys are left as they are.
pub fn replace(table: &mut Table, vars: &Vars) -> Replaced {
    let mut replacer = Replacer { vars, replaced: Replaced::default() };
    table.each_text_mut(&mut |text, span| {
        if text.contains("${") {
            *text = replacer.text(text, span);
        }
    });
    replacer.replaced
}

/// Replaces in one text, which stands in the string at `span`.
pub fn replace_text(text: &str, span: Span, vars: &Vars, diagnostics: &mut Vec<Diagnostic>) -> String {
    let mut replacer = Replacer { vars, replaced: Replaced::default() };
    let text = replacer.text(text, span);
    diagnostics.append(&mut replacer.replaced.diagnostics);
    text
}

struct Replacer<'a> {
    vars: &'a Vars,
    replaced: Replaced,
}

impl Replacer<'_> {
    fn text(&mut self, text: &str, span: Span) -> String {
        let text = dollars::rewrite(text, span, &mut |reference| self.meaning(reference));
        self.replaced.asks_git |= marks::is_marked(&text);
        text
    }

    fn meaning(&mut self, reference: &Reference<'_>) -> String {
        let meaning = match (reference.kind, self.vars.get(reference.name)) {
            ("vars", Some(var)) => Ok(var.text.clone()),
            ("vars", None) => Err(dollars::no_such_var(reference, self.vars.keys())),
            _ => dollars::foreign(reference),
        };
        meaning.unwrap_or_else(|mistake| {
            self.replaced.diagnostics.push(mistake);
            String::new()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::git::Field;
    use super::super::origin::Origin;
    use super::super::vars::Var;
    use super::*;
    use crate::span::FileId;

    fn replaced(text: &str) -> (String, Vec<Diagnostic>) {
        let var = Var { text: "1.2".into(), origin: Origin::Flag("--var version".into()) };
        let vars = Vars::from([("version".to_owned(), var)]);
        let mut replacer = Replacer { vars: &vars, replaced: Replaced::default() };
        let out = replacer.text(text, Span::new(FileId(0), 0..0));
        (out, replacer.replaced.diagnostics)
    }

    #[test]
    fn only_our_own_dollars_are_touched() {
        for (text, meant) in [
            ("v${vars.version}-${vars.version}", "v1.2-1.2"),
            ("$${vars.version}", "${vars.version}"),
            ("$${env.HOME} and ${HOME}", "${env.HOME} and ${HOME}"),
            ("${PATH}:$$x ${a.b} $", "${PATH}:$$x ${a.b} $"),
            ("${vars.version", "${vars.version"),
        ] {
            assert_eq!(replaced(text), (meant.to_owned(), Vec::new()), "{text}");
        }
    }

    #[test]
    fn what_is_escaped_is_replaced_by_itself() {
        for text in ["${vars.version} $${env.HOME}$", "a$$${git.x}", "${PATH}${", "${vars.a${vars.b}}"] {
            let escaped = dollars::escape(text);
            assert_eq!(replaced(&escaped), (text.to_owned(), Vec::new()), "{escaped}");
        }
    }

    #[test]
    fn one_of_ours_in_the_wrong_place_is_an_error_with_the_right_spelling() {
        let shown = |text| format!("{:?}", replaced(text).1);
        assert!(shown("${vars.verson}").contains("did you mean `${vars.version}`?"));
        assert!(shown("${env.HOME}").contains("stands only in attributes of effects"));
        assert!(shown("${env.HOME}").contains("`$${env.HOME}` writes it as plain text"));
        assert!(shown("${git.sha}").contains("of git there are `${git.revision}`"));
        assert!(shown("${git.revison}").contains("did you mean `${git.revision}`?"));
    }

    #[test]
    fn what_git_says_waits_and_its_plain_text_does_not() {
        let (text, mistakes) = replaced("${git.revision} $${git.revision}");
        assert_eq!(mistakes, Vec::new());
        assert_eq!(text, format!("{} ${{git.revision}}", marks::mark(Field::Revision)));
    }
}
