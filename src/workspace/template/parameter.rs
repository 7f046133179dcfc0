//! One attribute of a rule, as `[rule.X.attributes]` writes it.

use regex::Regex;

use super::super::attributes::{Attributes, Spanned};
use super::super::check::{self, Open};
use super::super::schema::{Attribute, Purpose, Type, optional};
use super::super::value::{Entry, Node, Table, Value};
use super::arguments;
use super::model::{Parameter, WHOLE};
use crate::diagnostic::Diagnostic;
use crate::label::{Label, PackagePath};

const ANY: &[Purpose] = &[Purpose::Layer, Purpose::Image, Purpose::Base, Purpose::Index];
const LABEL: Type = Type::Label(ANY);
const SCALARS: &[&str] = &["string", "integer", "boolean", "label", "enum"];

/// What may be said of an attribute.
pub const KEYS: &[Attribute] = &[
    optional(
        "type",
        Type::Enum(&["string", "integer", "boolean", "label", "enum", "list", "map"]),
        "What it takes. Default: `string`.",
    ),
    optional("of", Type::Enum(SCALARS), "What a list's items or a map's values are. Default: `string`."),
    optional("values", Type::List(&Type::String), "The words of an `enum`."),
    optional("pattern", Type::String, "A regular expression that each string matches as a whole."),
    optional("required", Type::Boolean, "Whether leaving it out is an error. Default: false."),
    optional("default", Type::Any, "What holds where a target is silent. A label in it is relative to the root."),
    optional("doc", Type::String, "What it is for, in a sentence."),
];

/// Reads an attribute; one that is wrong is still given, so that what mentions it is not wrong for that.
pub fn read(entry: &Entry, diagnostics: &mut Vec<Diagnostic>) -> Parameter {
    let root = PackagePath::default();
    let empty = Table::default();
    let table = entry.value.as_table().unwrap_or(&empty);
    let before = diagnostics.len();
    diagnostics.extend(check::check_value(&entry.value, &Type::Table(KEYS), &entry.key, &root, &Open::new()));
    diagnostics.extend(name_mistake(entry));
    let attributes = Attributes::new(table, &root);
    let mut parameter = Parameter {
        name: entry.key.clone(),
        span: entry.key_span,
        ty: ty(&attributes),
        words: words(&attributes, diagnostics),
        pattern: attributes.text("pattern").and_then(|text| pattern(text, diagnostics)),
        default: None,
        required: attributes.boolean("required").unwrap_or(false),
        doc: attributes.str("doc").unwrap_or_default().to_owned(),
    };
    if let Some(value) = attributes.get("default") {
        let known = diagnostics.len() == before;
        diagnostics.extend(arguments::mistakes(value, &parameter, &root, &Open::new()).into_iter().filter(|_| known));
        diagnostics.extend(parameter.required.then(|| needless(value)));
        parameter.default = Some(absolute(value, parameter.ty));
    }
    parameter
}

fn name_mistake(entry: &Entry) -> Option<Diagnostic> {
    let name = &entry.key;
    let diagnostic = |message: &str| Diagnostic::error(message.to_owned()).at(entry.key_span, "");
    if name == "name" {
        return Some(diagnostic("`name` is an attribute that every rule has").help("it is the target's own name"));
    }
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    let fine = name.starts_with(|first: char| first.is_ascii_lowercase()) && name.chars().all(allowed);
    let wrong = diagnostic(&format!("`{name}` can't be an attribute's name"));
    (!fine).then(|| wrong.help("a name is lower case letters, digits, `-` and `_`, beginning with a letter"))
}

fn needless(default: &Value) -> Diagnostic {
    Diagnostic::error("a required attribute has no default").at(default.span, "never used").help("keep one of the two")
}

fn ty(attributes: &Attributes<'_>) -> &'static Type {
    let of = attributes.str("of").unwrap_or("string");
    match (attributes.str("type").unwrap_or("string"), of) {
        ("integer", _) => &Type::Integer,
        ("boolean", _) => &Type::Boolean,
        ("label", _) => &LABEL,
        ("list", "integer") => &Type::List(&Type::Integer),
        ("list", "boolean") => &Type::List(&Type::Boolean),
        ("list", "label") => &Type::List(&LABEL),
        ("list", _) => &Type::List(&Type::String),
        ("map", "integer") => &Type::Map(&Type::Integer),
        ("map", "boolean") => &Type::Map(&Type::Boolean),
        ("map", "label") => &Type::Map(&LABEL),
        ("map", _) => &Type::Map(&Type::String),
        _ => &Type::String,
    }
}

/// The words of a choice, and what of `type`, `of` and `values` does not go together.
fn words(attributes: &Attributes<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<Vec<String>> {
    let (ty, of) = (attributes.text("type"), attributes.text("of"));
    let is = |text: &Option<Spanned<&str>>, word| text.is_some_and(|text| text.value == word);
    let holds = is(&ty, "list") || is(&ty, "map");
    if let Some(of) = of.filter(|_| !holds) {
        let wrong = Diagnostic::error("`of` is for lists and maps").at(of.span, "");
        diagnostics.push(wrong.help("write `type = \"list\"` or `type = \"map\"`"));
    }
    let choice = if is(&ty, "enum") { ty } else { of.filter(|of| holds && of.value == "enum") };
    let words: Vec<String> = attributes.strings("values").iter().map(|word| word.value.to_owned()).collect();
    match (choice, attributes.span("values")) {
        (Some(choice), _) if words.is_empty() => {
            let wrong = Diagnostic::error("an `enum` needs its words").at(choice.span, "");
            diagnostics.push(wrong.help("add `values = [\"…\"]`"));
        }
        (None, Some(span)) => {
            let wrong = Diagnostic::error("`values` is for an `enum`").at(span, "");
            diagnostics.push(wrong.help("write `type = \"enum\"`, or `of = \"string\"` for what a map holds"));
        }
        _ => {}
    }
    choice.map(|_| words)
}

fn pattern(text: Spanned<&str>, diagnostics: &mut Vec<Diagnostic>) -> Option<Regex> {
    let whole = Regex::new(&[WHOLE.0, text.value, WHOLE.1].concat());
    let told = |error: regex::Error| {
        // The last line says what is wrong; those before draw the place.
        let shown = error.to_string();
        let why = shown.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        Diagnostic::error(format!("`{}` is not a regular expression: {why}", text.value)).at(text.span, "")
    };
    whole.map_err(|error| diagnostics.push(told(error))).ok()
}

/// A default with its labels made absolute: whoever calls the rule, they name the same targets.
fn absolute(value: &Value, ty: &Type) -> Value {
    let node = match (&value.node, ty) {
        (Node::String(text), Type::Label(_)) => {
            let label = Label::parse(text, &PackagePath::default());
            Node::String(label.map_or_else(|_| text.clone(), |label| label.to_string()))
        }
        (Node::Array(items), Type::List(of)) => Node::Array(items.iter().map(|item| absolute(item, of)).collect()),
        (Node::Table(table), Type::Map(of)) => {
            let entry = |entry: &Entry| Entry { value: absolute(&entry.value, of), ..entry.clone() };
            Node::Table(Table(table.0.iter().map(entry).collect()))
        }
        (node, _) => node.clone(),
    };
    Value { span: value.span, node }
}
