//! Parts of a JSON document that somebody else wrote: the shape that is expected, or an error naming the field.
//!
//! Absent and `null` are the same, for Go writes empty slices and maps as `null`.

use serde_json::{Map, Value, json};

/// A JSON object.
pub type Object = Map<String, Value>;

/// A field of another shape than its specification says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the base is malformed: `{field}` is not {expected}")]
pub struct Malformed {
    /// Such as `config.Env`.
    pub field: &'static str,
    /// What it should be, with its article.
    pub expected: &'static str,
}

/// The object at a key, made where it is absent or `null`.
pub fn object<'a>(parent: &'a mut Object, key: &str, field: &'static str) -> Result<&'a mut Object, Malformed> {
    let value = parent.entry(key).or_insert(Value::Null);
    if value.is_null() {
        *value = json!({});
    }
    value.as_object_mut().ok_or(Malformed { field, expected: "an object" })
}

/// An array; empty where it is absent or `null`.
pub fn array(value: Option<&Value>, field: &'static str) -> Result<Vec<Value>, Malformed> {
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) => Ok(items.clone()),
        Some(_) => Err(Malformed { field, expected: "an array" }),
    }
}

/// An array of strings; empty where it is absent or `null`.
pub fn strings(value: Option<&Value>, field: &'static str) -> Result<Vec<String>, Malformed> {
    let text = |item: Value| match item {
        Value::String(text) => Ok(text),
        _ => Err(Malformed { field, expected: "an array of strings" }),
    };
    array(value, field)?.into_iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_and_null_are_empty_and_another_shape_names_the_field() {
        let mut parent = json!({"a": null, "b": 1, "c": ["x", 2]}).as_object().cloned().unwrap();
        for key in ["a", "new"] {
            assert!(object(&mut parent, key, "field").unwrap().is_empty());
            assert_eq!(parent[key], json!({}));
        }
        assert_eq!(object(&mut parent, "b", "x.b"), Err(Malformed { field: "x.b", expected: "an object" }));
        assert_eq!(strings(None, "x").unwrap(), Vec::<String>::new());
        assert_eq!(strings(parent.get("c"), "x.c").unwrap_err().field, "x.c");
        assert_eq!(array(parent.get("b"), "x.b").unwrap_err().expected, "an array");
    }
}
