//! Replacements of what regular expressions find.

use std::borrow::Cow;

use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Prepared, TextOperation};
use crate::text::TextFault;

/// What is replaced, one pattern after the other: `[{find: '(?i)\bdraft-ietf-\w+', with: draft}]`.
///
/// ```text
/// patterns: [{find: '(?i)\bdraft-ietf-[a-z0-9]+-', with: draft-}, {find: '\[(\d+)\]', with: '($1)'}]
///
/// before   as draft-ietf-ospf-mib-05 says [12]
/// after    as draft-mib-05 says (12)
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Patterns(Vec<Pattern>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Pattern {
    /// A regular expression as Rust's `regex` reads it: Unicode, no look-around, no back references. `(?i)` in front:
    /// any case; `(?m)`: `^` and `$` are the ends of lines.
    find: String,
    /// What takes the place of each match; `$1` or `${1}` is what the first group found, `$$` a dollar sign. Nothing if
    /// it is not given.
    #[serde(default)]
    with: String,
}

impl TextOperation for Patterns {
    fn fault(&self) -> Option<TextFault> {
        if self.0.is_empty() {
            return Some(TextFault {
                path: String::new(),
                message: "no patterns, so nothing is replaced".to_owned(),
                help: Some("`patterns: [{find: '\\bfoo\\b', with: bar}]`".to_owned()),
            });
        }
        self.0.iter().enumerate().find_map(|(at, pattern)| {
            let path = format!("[{at}].find");
            let error = match Regex::new(&pattern.find) {
                Ok(regex) if regex.is_match("") => {
                    let help = "it would stand between all letters: use `+` in place of `*`".to_owned();
                    let message = format!("`{}` finds the empty text", pattern.find);
                    return Some(TextFault { path, message, help: Some(help) });
                }
                Ok(regex) => {
                    let group = unknown_group(&regex, &pattern.with)?;
                    let message = format!("`{}` has no group `{group}`, so that nothing would take the place of `${group}`", pattern.find);
                    let help = "`${1}_x` keeps a group's number apart from what follows; `$$` is a dollar sign".to_owned();
                    return Some(TextFault { path: format!("[{at}].with"), message, help: Some(help) });
                }
                Err(error) => error,
            };
            // The message draws the place below the expression; its last line says what is wrong.
            let error = error.to_string();
            let what = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
            let message = format!("`{}` is no regular expression: {what}", pattern.find);
            let help = "single quotes keep backslashes: `find: '\\d+'`".to_owned();
            Some(TextFault { path, message, help: Some(help) })
        })
    }

    fn prepare(&self) -> Prepared {
        let patterns: Vec<(Regex, String)> =
            self.0.iter().filter_map(|it| Some((Regex::new(&it.find).ok()?, it.with.clone()))).collect();
        Box::new(move |text| {
            let mut text = Cow::Borrowed(text);
            for (find, with) in &patterns {
                // What is found nowhere is borrowed from the text before, which stays.
                if let Cow::Owned(new) = find.replace_all(&text, with) {
                    text = Cow::Owned(new);
                }
            }
            text
        })
    }
}

/// The first group that a replacement names and an expression has not: `$1_x` names the group `1_x`.
fn unknown_group(regex: &Regex, with: &str) -> Option<String> {
    let mut rest = with;
    while let Some(at) = rest.find('$') {
        rest = &rest[at + 1..];
        if let Some(behind) = rest.strip_prefix('$') {
            rest = behind;
            continue;
        }
        let name = match rest.strip_prefix('{') {
            Some(braced) => braced.split_once('}').map_or("", |(name, _)| name),
            None => &rest[..rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len())],
        };
        let is_number = |name: &str| name.parse::<usize>().is_ok_and(|number| number < regex.captures_len());
        if !name.is_empty() && !is_number(name) && !regex.capture_names().flatten().any(|known| known == name) {
            return Some(name.to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn patterns(value: serde_json::Value) -> Patterns {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_is_found_is_replaced_in_order() {
        for (value, text, expected) in [
            (json!([{"find": "o", "with": "0"}, {"find": "0+", "with": "x"}]), "foo bar", "fx bar"),
            (json!([{"find": r"\s*\[\d+\]"}]), "as [1] and [22] say [x]", "as and say [x]"),
            (json!([{"find": r"(?i)\bdraft-ietf-(\w+)-", "with": "draft-"}]), "Draft-IETF-ospf-mib", "draft-mib"),
            (json!([{"find": r"(\w+)@(\w+)", "with": "${2}_$1 $$"}]), "me@home", "home_me $"),
            (json!([{"find": "(?m)^#.*\n"}]), "a\n# b\nc # d\n", "a\nc # d\n"),
            (
                json!([{"find": r"\b\w+ [Ww]orking\s+[Gg]roup", "with": "working group"}]),
                "the OSPF Working\n Group",
                "the working group",
            ),
            (json!([{"find": r"\p{Han}+", "with": "字"}]), "RFC 文档 e\u{301}", "RFC 字 e\u{301}"),
            (json!([{"find": r"\x00"}]), "a\0b", "ab"),
            (json!([{"find": "x"}]), "", ""),
        ] {
            let patterns = patterns(value);
            assert_eq!(patterns.fault(), None);
            assert_eq!(patterns.prepare()(text), expected, "{text}");
        }
        // A pattern that would need exponential time elsewhere.
        let slow = patterns(json!([{"find": "(x+x+)+y"}]));
        assert_eq!(slow.prepare()(&"x".repeat(1 << 16)).len(), 1 << 16);
    }

    #[test]
    fn what_is_no_expression_is_a_fault() {
        for (value, path, message) in [
            (json!([]), "", "no patterns, so nothing is replaced"),
            (json!([{"find": "a"}, {"find": "(b"}]), "[1].find", "`(b` is no regular expression: unclosed group"),
            (json!([{"find": "a*"}]), "[0].find", "`a*` finds the empty text"),
            (
                json!([{"find": "(a)(?<b>b)", "with": "$1 $b ${2}_x $1_x"}]),
                "[0].with",
                "`(a)(?<b>b)` has no group `1_x`, so that nothing would take the place of `$1_x`",
            ),
            (
                json!([{"find": "(?=a)"}]),
                "[0].find",
                "`(?=a)` is no regular expression: look-around, including look-ahead and look-behind, is not supported",
            ),
        ] {
            let fault = patterns(value).fault().unwrap();
            assert_eq!((fault.path.as_str(), fault.message.as_str()), (path, message));
        }
    }
}
