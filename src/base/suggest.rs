//! “did you mean …?”

/// The candidate that is nearest to a misspelt name, if one is near.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    candidates
        .into_iter()
        .filter(|candidate| *candidate != name)
        .map(|candidate| (strsim::normalized_damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(similarity, _)| *similarity >= 0.55)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// A help line: the nearest candidate, or the whole list when none is near.
#[must_use]
pub fn help(name: &str, candidates: &[&str]) -> Option<String> {
    match nearest(name, candidates.iter().copied()) {
        Some(near) => Some(format!("did you mean `{near}`?")),
        None if candidates.is_empty() => None,
        None => Some(format!("there is {}", super::plural::list(candidates))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_and_far() {
        assert_eq!(nearest("quantise", ["prune", "quantize"]), Some("quantize"));
        assert_eq!(nearest("temprature", ["temperature", "loss"]), Some("temperature"));
        assert_eq!(nearest("xyz", ["prune"]), None);
        assert_eq!(help("xyz", &["a", "b"]).unwrap(), "there is `a` and `b`");
    }
}
