//! What a regular expression matches somewhere: `kind`, `filter`, `attr`.

use super::Call;
use crate::query::error::QueryError;
use crate::query::graph::Value;
use crate::query::set::{Found, TargetSet};

/// `kind(re, e)`: those whose kind, such as `image rule` or `source file`, has it.
pub fn kind(call: &Call<'_>) -> Result<Found, QueryError> {
    // There are few kinds, and many targets of each.
    let mut known: Vec<(&str, bool)> = Vec::new();
    let has = |id: &u32| {
        let kind = call.graph.kind(*id);
        let judged = known.iter().find(|(known, _)| *known == kind).map(|(_, has)| *has);
        judged.unwrap_or_else(|| {
            let has = call.matches(0, kind);
            known.push((kind, has));
            has
        })
    };
    Ok(call.targets(1).iter().filter(has).collect::<TargetSet>().into())
}

/// `filter(re, e)`: those whose label has it.
pub fn filter(call: &Call<'_>) -> Result<Found, QueryError> {
    let has = |id: &u32| call.matches(0, &call.graph.label(*id));
    Ok(call.targets(1).iter().filter(has).collect::<TargetSet>().into())
}

/// `attr(a, re, e)`: the targets that have the attribute `a`, its value as text with a match.
pub fn attr(call: &Call<'_>) -> Result<Found, QueryError> {
    let has = |id: &u32| call.graph.attribute(*id, call.word(0)).is_some_and(|value| call.matches(1, &text(&value)));
    Ok(call.targets(2).iter().filter(has).collect::<TargetSet>().into())
}

/// A value as Bazel writes it: `[a, b]`, `{k=v, l=w}`, `1` for true.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(flag) => u8::from(*flag).to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(text).collect::<Vec<_>>().join(", ")),
        Value::Object(entries) => {
            let entries: Vec<String> = entries.iter().map(|(key, value)| format!("{key}={}", text(value))).collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::text;

    #[test]
    fn values_are_written_as_bazel_does() {
        assert_eq!(text(&json!(["//a:b", "c", []])), "[//a:b, c, []]");
        assert_eq!(text(&json!({"b": true, "a": {"x": 1}})), "{a={x=1}, b=1}");
        assert_eq!(text(&json!(false)) + &text(&json!(null)) + &text(&json!("x")), "0x");
    }
}
