//! Plain scalars to values, by the core schema of YAML 1.2.

use crate::base::node::NodeValue;

/// The value of an unquoted scalar.
///
/// One deviation from the core schema: a number with a leading zero (`007`) stays a text, because nobody who writes
/// one means the number 7.
pub(super) fn resolve(text: &str) -> NodeValue {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return NodeValue::Null,
        "true" | "True" | "TRUE" => return NodeValue::Bool(true),
        "false" | "False" | "FALSE" => return NodeValue::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return NodeValue::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return NodeValue::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return NodeValue::Float(f64::NEG_INFINITY),
        _ => {}
    }
    number(text).unwrap_or_else(|| NodeValue::String(text.to_owned()))
}

fn number(text: &str) -> Option<NodeValue> {
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            let valid = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
            return valid.then(|| i64::from_str_radix(digits, radix).ok().map(NodeValue::Int))?;
        }
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let whole = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    if whole > 1 && unsigned.starts_with('0') {
        return None;
    }
    let rest = &unsigned[whole..];
    if rest.is_empty() && whole > 0 {
        return text.parse().ok().map(NodeValue::Int).or_else(|| text.parse().ok().map(NodeValue::Float));
    }
    let (fraction, exponent) = match rest.find(['e', 'E']) {
        Some(at) => (&rest[..at], Some(&rest[at + 1..])),
        None => (rest, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let fraction_fits = match fraction.strip_prefix('.') {
        Some(after) => digits(after) && (whole > 0 || !after.is_empty()),
        None => fraction.is_empty() && whole > 0,
    };
    let exponent_fits = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    (fraction_fits && exponent_fits).then(|| text.parse().ok().map(NodeValue::Float))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_schema() {
        let text = |text: &str| NodeValue::String(text.into());
        for (written, value) in [
            ("", NodeValue::Null),
            ("~", NodeValue::Null),
            ("yes", text("yes")),
            ("no", text("no")),
            ("on", text("on")),
            ("True", NodeValue::Bool(true)),
            ("42", NodeValue::Int(42)),
            ("-3", NodeValue::Int(-3)),
            ("0", NodeValue::Int(0)),
            ("007", text("007")),
            ("1_000", text("1_000")),
            ("0x1F", NodeValue::Int(31)),
            ("0o17", NodeValue::Int(15)),
            ("0xG", text("0xG")),
            ("5.0e-5", NodeValue::Float(5.0e-5)),
            ("1e3", NodeValue::Float(1e3)),
            (".5", NodeValue::Float(0.5)),
            ("5.", NodeValue::Float(5.0)),
            (".", text(".")),
            ("-", text("-")),
            ("1e", text("1e")),
            ("1.2.3", text("1.2.3")),
            ("25MB", text("25MB")),
            ("99999999999999999999", NodeValue::Float(1e20)),
            (".inf", NodeValue::Float(f64::INFINITY)),
            ("infinity", text("infinity")),
            ("53aa5117", text("53aa5117")),
        ] {
            assert_eq!(resolve(written), value, "{written}");
        }
    }
}
