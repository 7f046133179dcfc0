//! JSON as we write it: keys sorted by bytes at every depth, no whitespace, one spelling for every value.
//!
//! Takes a JSON value, gives bytes. The only place that writes config, manifest and index: their digests
//! depend on it. It sorts by itself, so that no feature of a JSON library can change a digest.

use serde_json::{Map, Number, Value};

/// Integers beyond this can't be told apart in a double, so a float that holds one stays a float.
const EXACT_IN_DOUBLE: f64 = 9_007_199_254_740_992.0;

/// The canonical bytes of a value.
///
/// A float without a fraction is written as an integer; strings are escaped only where JSON demands it.
pub fn to_bytes(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write_value(&mut out, value);
    out
}

fn write_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.extend(b"null"),
        Value::Bool(true) => out.extend(b"true"),
        Value::Bool(false) => out.extend(b"false"),
        Value::Number(number) => write_number(out, number),
        Value::String(text) => write_string(out, text),
        Value::Array(items) => {
            write_between(out, b"[]", items, write_value);
        }
        Value::Object(map) => write_object(out, map),
    }
}

fn write_object(out: &mut Vec<u8>, map: &Map<String, Value>) {
    let mut members: Vec<(&String, &Value)> = map.iter().collect();
    members.sort_by_key(|(key, _)| key.as_bytes());
    write_between(out, b"{}", members, |out, (key, value)| {
        write_string(out, key);
        out.push(b':');
        write_value(out, value);
    });
}

/// Items with commas between them, inside a pair of brackets.
fn write_between<T>(
    out: &mut Vec<u8>,
    brackets: &[u8; 2],
    items: impl IntoIterator<Item = T>,
    write: impl Fn(&mut Vec<u8>, T),
) {
    out.push(brackets[0]);
    for (position, item) in items.into_iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(brackets[1]);
}

fn write_number(out: &mut Vec<u8>, number: &Number) {
    let whole = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < EXACT_IN_DOUBLE);
    let text = match whole {
        Some(float) if number.is_f64() => format!("{}", float as i64),
        _ => number.to_string(),
    };
    out.extend(text.as_bytes());
}

fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for character in text.chars() {
        match character {
            '"' => out.extend(br#"\""#),
            '\\' => out.extend(br"\\"),
            '\n' => out.extend(br"\n"),
            '\r' => out.extend(br"\r"),
            '\t' => out.extend(br"\t"),
            control if control < ' ' => out.extend(format!("\\u{:04x}", u32::from(control)).as_bytes()),
            plain => out.extend(plain.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn text(value: &Value) -> String {
        String::from_utf8(to_bytes(value)).unwrap()
    }

    #[test]
    fn keys_are_sorted_by_bytes_at_every_depth() {
        let value = json!({"b": [{"z": 1, "a": 2}], "B": {}, "a": null, "é": [], "z": true});
        assert_eq!(text(&value), r#"{"B":{},"a":null,"b":[{"a":2,"z":1}],"z":true,"é":[]}"#);
    }

    #[test]
    fn whole_floats_are_integers_and_large_integers_stay_exact() {
        let value = json!([1.0, -2.0, 1.5, u64::MAX, i64::MIN, -0.0]);
        assert_eq!(text(&value), "[1,-2,1.5,18446744073709551615,-9223372036854775808,0]");
    }

    #[test]
    fn only_what_json_demands_is_escaped() {
        assert_eq!(text(&json!("a\"\\\n\t\r\u{8}\u{1f}/<é\u{7f}")), "\"a\\\"\\\\\\n\\t\\r\\u0008\\u001f/<é\u{7f}\"");
    }

    proptest! {
        #[test]
        fn any_string_is_read_back_as_it_was(string in any::<String>()) {
            let bytes = to_bytes(&json!({ string.clone(): string.clone() }));
            prop_assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap(), json!({ string.clone(): string }));
        }
    }
}
