//! Modules of a model by name or pattern: what to prune, what not to quantise.

use regex::Regex;

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
/// the classifier), a name with `*` for any text (`*.layer.0.*`), or `re:` and a regular expression that matches from the
/// start of the name (`re:.*layer\.[01]\.`), as other tools that compress models have it.
#[must_use]
pub fn names(pattern: &str, module: &str) -> bool {
    if let Some(expression) = pattern.strip_prefix("re:") {
        return expression_of(expression).is_ok_and(|expression| expression.is_match(module));
    }
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

fn expression_of(expression: &str) -> Result<Regex, regex::Error> {
    Regex::new(&format!("^(?:{expression})"))
}

/// What is wrong with a pattern as such, whatever the model.
#[must_use]
pub fn fault(pattern: &str) -> Option<String> {
    if pattern.is_empty() {
        return Some("a module's name is not empty".to_owned());
    }
    let error = expression_of(pattern.strip_prefix("re:")?).err()?;
    let why = error.to_string();
    let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
    Some(format!("`{pattern}` is not a regular expression: {why}"))
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
            (r"re:.*\.layer\.\d+\.attention", true),
            (r"re:attention", false),
            (r"re:bert\.encoder|nothing", true),
        ];
        for (pattern, expected) in cases {
            assert_eq!(names(pattern, module), expected, "{pattern}");
        }
    }

    #[test]
    fn faults_of_patterns_are_said() {
        assert_eq!(fault(""), Some("a module's name is not empty".into()));
        assert_eq!(fault(r"re:.*\.layer\.[01]"), None);
        let fault = fault("re:layer.(").unwrap();
        assert_eq!(fault, "`re:layer.(` is not a regular expression: unclosed group");
    }

    #[test]
    fn a_pattern_without_a_module_is_told() {
        let modules = ["bert.pooler.dense".to_owned(), "classifier".to_owned()];
        assert_eq!(select(&["classifier".into()], &modules).unwrap(), ["classifier"]);
        let error = select(&["clasifier".into()], &modules).unwrap_err().to_string();
        assert_eq!(error, "no linear layer of the model is called `clasifier`; did you mean `classifier`?");
    }
}
