//! What attributes take → JSON schema. Knows no rule and no table by name.

use serde_json::{Map, Value, json};

use super::super::schema::{Attribute, Type};
use super::names;

/// A table of these attributes and no others.
pub fn table(attributes: &[Attribute]) -> Value {
    let required: Vec<&str> = attributes.iter().filter(|it| it.required).map(|it| it.name).collect();
    closed(properties(attributes), &required)
}

/// The attributes by name.
pub fn properties(attributes: &[Attribute]) -> Map<String, Value> {
    attributes.iter().map(|it| (it.name.to_owned(), attribute(it))).collect()
}

/// One attribute, with what it is for.
pub fn attribute(attribute: &Attribute) -> Value {
    described(of(&attribute.ty), attribute.doc)
}

/// A table with these keys alone.
pub fn closed(properties: Map<String, Value>, required: &[&str]) -> Value {
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

/// A table with free keys.
pub fn map(value: Value) -> Value {
    json!({ "type": "object", "additionalProperties": value })
}

/// A list.
pub fn list(item: Value) -> Value {
    json!({ "type": "array", "items": item })
}

/// One of some words, or a text in which something is filled in later.
pub fn words(words: &[impl serde::Serialize]) -> Value {
    json!({ "anyOf": [{ "enum": words }, { "type": "string", "pattern": names::OPEN }] })
}

/// Says what something is for.
pub fn described(mut schema: Value, doc: &str) -> Value {
    if !doc.is_empty() {
        schema["description"] = json!(doc);
    }
    schema
}

/// What a type takes.
pub fn of(ty: &Type) -> Value {
    match ty {
        Type::Boolean => json!({ "type": "boolean" }),
        Type::Integer => json!({ "type": "integer" }),
        Type::String => json!({ "type": "string" }),
        Type::Enum(these) => words(these),
        Type::Label(_) | Type::Mention(_) | Type::Aside(_) => names::label(),
        Type::List(item) => list(of(item)),
        Type::Map(value) => map(of(value)),
        // A table whose keys somebody else knows.
        Type::Table([]) => json!({ "type": "object" }),
        Type::Table(attributes) => table(attributes),
        Type::Either(types) => json!({ "anyOf": types.iter().map(of).collect::<Vec<_>>() }),
        Type::Any => json!({}),
    }
}
