//! Modules of a model by name or pattern: what to prune, what not to quantise.

use super::CompressError;
use crate::{
    base::suggest,
    model::{Model, parameters},
};

/// The linear layers of a model, by the names of their modules, in the order of its computation.
#[must_use]
pub fn linear_modules(model: &Model) -> Vec<String> {
    parameters(&model.spec, &model.head)
        .into_iter()
        .filter(|parameter| parameter.shape.len() == 2 && !parameter.name.contains(".embeddings."))
        .filter_map(|parameter| parameter.name.strip_suffix(".weight").map(str::to_owned))
        .collect()
}

/// The linear layers of a model's encoder: neither the pooler nor the head.
#[must_use]
pub fn encoder_modules(model: &Model) -> Vec<String> {
    linear_modules(model).into_iter().filter(|module| module.contains(".layer.")).collect()
}

/// Whether a pattern names a module: its whole name, its last parts (`output.dense` names all of them, `classifier`
/// the classifier), or a name with `*` for any text (`*.layer.0.*`).
#[must_use]
pub fn names(pattern: &str, module: &str) -> bool {
    if !pattern.contains('*') {
        return module == pattern || module.strip_suffix(pattern).is_some_and(|before| before.ends_with('.'));
    }
    let parts: Vec<&str> = pattern.split('*').collect();
    let (first, last) = (parts[0], parts[parts.len() - 1]);
    let Some(mut rest) = module.strip_prefix(first) else { return false };
    for part in &parts[1..parts.len() - 1] {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// What is wrong with a pattern as such, whatever the model.
#[must_use]
pub fn fault(pattern: &str) -> Option<&'static str> {
    match pattern {
        "" => Some("a module's name is not empty"),
        _ if pattern.starts_with("re:") => {
            Some("regular expressions are not read here; write `*` for any text, as in `bert.encoder.layer.0.*`")
        }
        _ => None,
    }
}

/// The modules that patterns name, in the model's order.
///
/// # Errors
/// When a pattern names none of them: it would be ignored silently, and is most often misspelt.
pub fn select(patterns: &[String], modules: &[String]) -> Result<Vec<String>, CompressError> {
    for pattern in patterns {
        if !modules.iter().any(|module| names(pattern, module)) {
            let near = suggest::nearest(pattern, modules.iter().map(String::as_str));
            let hint = near.map_or_else(
                || format!("; modules are called `{}` and so on", modules.first().map_or("", String::as_str)),
                |near| format!("; did you mean `{near}`?"),
            );
            return Err(CompressError::Unfit(format!("no linear layer of the model is called `{pattern}`{hint}")));
        }
    }
    Ok(modules.iter().filter(|module| patterns.iter().any(|pattern| names(pattern, module))).cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let module = "bert.encoder.layer.10.attention.output.dense";
        let cases = [
            (module, true),
            ("output.dense", true),
            ("dense", true),
            ("put.dense", false),
            ("bert.encoder", false),
            ("*.layer.1.*", false),
            ("*.layer.10.*", true),
            ("bert.*.output.dense", true),
            ("bert.*.output.*.dense", false),
            ("*", true),
        ];
        for (pattern, expected) in cases {
            assert_eq!(names(pattern, module), expected, "{pattern}");
        }
    }

    #[test]
    fn a_pattern_without_a_module_is_told() {
        let modules = ["bert.pooler.dense".to_owned(), "classifier".to_owned()];
        assert_eq!(select(&["classifier".into()], &modules).unwrap(), ["classifier"]);
        let error = select(&["clasifier".into()], &modules).unwrap_err().to_string();
        assert_eq!(error, "no linear layer of the model is called `clasifier`; did you mean `classifier`?");
    }
}
