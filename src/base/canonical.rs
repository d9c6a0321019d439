//! Values to bytes, the same on every machine.

use serde::Serialize;
use serde_json::Value;

use super::digest::Digest;

/// JSON with sorted keys and no white space: equal values give equal bytes.
#[must_use]
pub fn to_json(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

/// The digest of a value's canonical JSON.
///
/// # Panics
/// When the value does not serialise to JSON: a map with keys that are not strings, a bug.
#[must_use]
pub fn digest<T: Serialize>(value: &T) -> Digest {
    let value = serde_json::to_value(value).expect("plain data serialises to JSON");
    Digest::of(to_json(&value).as_bytes())
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|a, b| a.0.cmp(b.0));
            out.push('{');
            for (i, (key, value)) in entries.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(&Value::String(key.clone()).to_string());
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn key_order_does_not_matter() {
        let a = json!({"b": [1, {"y": null, "x": 0.5}], "a": "q\""});
        let b = json!({"a": "q\"", "b": [1, {"x": 0.5, "y": null}]});
        assert_eq!(to_json(&a), r#"{"a":"q\"","b":[1,{"x":0.5,"y":null}]}"#);
        assert_eq!(digest(&a), digest(&b));
    }
}
