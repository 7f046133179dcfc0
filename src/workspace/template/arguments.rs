//! A call held against its rule: one value for each attribute.

use super::super::check::{self, Open, Owner};
use super::super::schema::Type;
use super::super::value::{Table, Value};
use super::model::{Parameter, Rule};
use crate::diagnostic::Diagnostic;
use crate::label::PackagePath;
use crate::span::Span;

/// What a call says.
pub struct Arguments<'a> {
    /// The value of each attribute of the rule; `None` where it has none, or a wrong one.
    pub values: Vec<Option<&'a Value>>,
    /// What is wrong, with the rule's line as second place.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a call's table. `span`: the call's name; `open`: texts whose content is not known yet.
pub fn read<'a>(table: &'a Table, rule: &'a Rule, span: Span, here: &PackagePath, open: &Open) -> Arguments<'a> {
    let owner = Owner { name: &rule.name, span };
    let mut values: Vec<Option<&Value>> = rule.attributes.iter().map(|attribute| attribute.default.as_ref()).collect();
    let mut found = Vec::new();
    for entry in &table.0 {
        let Some(at) = rule.position(&entry.key) else {
            let names: Vec<&str> = rule.attributes.iter().map(|attribute| attribute.name.as_str()).collect();
            found.push((check::unknown(entry, &names, owner), rule.span));
            continue;
        };
        let parameter = &rule.attributes[at];
        let mistakes = mistakes(&entry.value, parameter, here, open);
        values[at] = mistakes.is_empty().then_some(&entry.value);
        found.extend(mistakes.into_iter().map(|mistake| (mistake, parameter.span)));
    }
    let missing = rule.attributes.iter().filter(|attribute| attribute.required && table.get(&attribute.name).is_none());
    found.extend(missing.map(|it| (check::lacks(&it.name, &it.describe(), &it.doc, owner), it.span)));
    let place = |(mistake, place): (Diagnostic, Span)| mistake.also(place, format!("of the rule `{}`", rule.name));
    Arguments { values, diagnostics: found.into_iter().map(place).collect() }
}

/// What is wrong with a value of an attribute.
pub fn mistakes(value: &Value, parameter: &Parameter, here: &PackagePath, open: &Open) -> Vec<Diagnostic> {
    let mut found = check::check_value(value, parameter.ty, &parameter.name, here, open);
    if found.is_empty() {
        value.each_text(&mut |text, span| {
            found.extend(judge(text, span, parameter).filter(|_| !open.contains(&span)));
        });
    }
    found
}

fn judge(text: &str, span: Span, parameter: &Parameter) -> Option<Diagnostic> {
    if let Some(words) = &parameter.words {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let expected = Type::one_of(&words);
        return (!words.contains(&text)).then(|| check::not_one_of(span, text, &words, &expected, &parameter.name));
    }
    let pattern = parameter.pattern.as_ref()?;
    (!pattern.is_match(text)).then(|| {
        let wanted = format!("does not match `{}`", parameter.pattern().unwrap_or_default());
        Diagnostic::error(format!("`{}` can't be `{text}`", parameter.name)).at(span, wanted)
    })
}
