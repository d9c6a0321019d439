//! English stems by Porter's first algorithm, with the deviations of NLTK's stemmer.

/// Words that the rules would stem wrongly, and what they become.
const IRREGULAR: &[(&str, &str)] = &[
    ("skies", "sky"),
    ("sky", "sky"),
    ("dying", "die"),
    ("lying", "lie"),
    ("tying", "tie"),
    ("news", "news"),
    ("inning", "inning"),
    ("innings", "inning"),
    ("outing", "outing"),
    ("outings", "outing"),
    ("canning", "canning"),
    ("cannings", "canning"),
    ("howe", "howe"),
    ("proceed", "proceed"),
    ("exceed", "exceed"),
    ("succeed", "succeed"),
];

/// Endings of step 2 and what takes their place where the rest has a measure above 0. A word has at most one: the first
/// that it ends in.
const STEP_2: &[(&str, &str)] = &[
    ("ational", "ate"),
    ("tional", "tion"),
    ("enci", "ence"),
    ("anci", "ance"),
    ("izer", "ize"),
    ("bli", "ble"),
    ("alli", "al"),
    ("entli", "ent"),
    ("eli", "e"),
    ("ousli", "ous"),
    ("ization", "ize"),
    ("ation", "ate"),
    ("ator", "ate"),
    ("alism", "al"),
    ("iveness", "ive"),
    ("fulness", "ful"),
    ("ousness", "ous"),
    ("aliti", "al"),
    ("iviti", "ive"),
    ("biliti", "ble"),
    ("fulli", "ful"),
];

/// The same for step 3.
const STEP_3: &[(&str, &str)] =
    &[("icate", "ic"), ("ative", ""), ("alize", "al"), ("iciti", "ic"), ("ical", "ic"), ("ful", ""), ("ness", "")];

/// Endings that step 4 removes where the rest has a measure above 1.
const STEP_4: &[(&str, &str)] = &[
    ("al", ""),
    ("ance", ""),
    ("ence", ""),
    ("er", ""),
    ("ic", ""),
    ("able", ""),
    ("ible", ""),
    ("ant", ""),
    ("ement", ""),
    ("ment", ""),
    ("ent", ""),
    ("ion", ""),
    ("ou", ""),
    ("ism", ""),
    ("ate", ""),
    ("iti", ""),
    ("ous", ""),
    ("ive", ""),
    ("ize", ""),
];

/// The stem of an English word in small ASCII letters and digits; what is no vowel counts as a consonant.
///
/// Porter, "An algorithm for suffix stripping", Program 14 (1980), with what its author changed later (`bli`, `logi`,
/// no stems of words of two letters) and with the changes of NLTK's `PorterStemmer`, whose default mode this equals: a
/// table of irregular words, `ies` and `ied` in short words, `y` only after consonants, `alli` before other endings,
/// `fulli`.
pub(super) fn stem(word: &str) -> String {
    if let Some((_, stem)) = IRREGULAR.iter().find(|(irregular, _)| *irregular == word) {
        return (*stem).to_owned();
    }
    let mut word = word.to_owned();
    if word.len() > 2 {
        plurals(&mut word);
        past_and_progressive(&mut word);
        final_y(&mut word);
        step_2(&mut word);
        replace(&mut word, STEP_3, |rest, _| measure(rest) > 0);
        replace(&mut word, STEP_4, |rest, ending| measure(rest) > 1 && (ending != "ion" || rest.ends_with(['s', 't'])));
        final_e(&mut word);
    }
    word
}

/// Step 1a.
fn plurals(word: &mut String) {
    // `dies` is `die`, but `flies` is `fli`, as `fly` will be.
    if word.len() == 4 && word.ends_with("ies") {
        word.pop();
    } else {
        replace(word, &[("sses", "ss"), ("ies", "i"), ("ss", "ss"), ("s", "")], |_, _| true);
    }
}

/// Step 1b.
fn past_and_progressive(word: &mut String) {
    if word.ends_with("ied") {
        // As in step 1a.
        let goes = if word.len() == 4 { 1 } else { 2 };
        word.truncate(word.len() - goes);
    } else if let Some(rest) = word.strip_suffix("eed") {
        // A word in `eed` is not looked at as one in `ed`: `feed` stays.
        if measure(rest) > 0 {
            word.pop();
        }
    } else if let Some(rest) = word.strip_suffix("ed").or_else(|| word.strip_suffix("ing"))
        && consonants(rest).any(|consonant| !consonant)
    {
        word.truncate(rest.len());
        if ["at", "bl", "iz"].iter().any(|ending| word.ends_with(ending)) {
            word.push('e');
        } else if ends_in_double_consonant(word) {
            if !word.ends_with(['l', 's', 'z']) {
                word.pop();
            }
        } else if measure(word) == 1 && ends_short(word) {
            word.push('e');
        }
    }
}

/// Step 1c.
fn final_y(word: &mut String) {
    if let Some(rest) = word.strip_suffix('y')
        && rest.len() > 1
        && consonants(rest).last() == Some(true)
    {
        word.pop();
        word.push('i');
    }
}

fn step_2(word: &mut String) {
    // First, so that what it uncovers has its turn: `rationalli`, `rational`, `ration`.
    replace(word, &[("alli", "al")], |rest, _| measure(rest) > 0);
    // The `l` of `logi` is of the rest, so that `geologi` is treated as `archaeologi` is.
    if word.ends_with("logi") && measure(&word[..word.len() - 3]) > 0 {
        word.pop();
    } else {
        replace(word, STEP_2, |rest, _| measure(rest) > 0);
    }
}

/// Steps 5a and 5b.
fn final_e(word: &mut String) {
    if let Some(rest) = word.strip_suffix('e')
        && (measure(rest) > 1 || (measure(rest) == 1 && !ends_short(rest)))
    {
        word.pop();
    }
    if word.ends_with("ll") && measure(&word[..word.len() - 1]) > 1 {
        word.pop();
    }
}

/// Looks for the first ending that the word has, and replaces it if its condition, of the rest and the ending, holds.
/// Endings after the first are not tried.
fn replace(word: &mut String, endings: &[(&str, &str)], holds: impl Fn(&str, &str) -> bool) {
    let found = endings.iter().find_map(|(ending, by)| Some((word.strip_suffix(ending)?, ending, by)));
    if let Some((rest, ending, by)) = found
        && holds(rest, ending)
    {
        word.truncate(rest.len());
        word.push_str(by);
    }
}

/// Of each letter, whether it is a consonant: no vowel, and no `y` after a consonant.
fn consonants(word: &str) -> impl Iterator<Item = bool> {
    word.bytes().scan(false, |before, letter| {
        *before = match letter {
            b'a' | b'e' | b'i' | b'o' | b'u' => false,
            b'y' => !*before,
            _ => true,
        };
        Some(*before)
    })
}

/// `m` of Porter's `[C](VC)ᵐ[V]`: how often a consonant follows a vowel.
fn measure(word: &str) -> usize {
    let mut vowel_before = false;
    consonants(word).filter(|consonant| std::mem::replace(&mut vowel_before, !consonant) && *consonant).count()
}

/// Porter's `*d`.
fn ends_in_double_consonant(word: &str) -> bool {
    let [.., before, last] = word.as_bytes() else { return false };
    before == last && consonants(word).last() == Some(true)
}

/// Porter's `*o`: consonant, vowel, consonant that is not `w`, `x` or `y`; also a word of a vowel and a consonant.
fn ends_short(word: &str) -> bool {
    let mut end = [false; 3];
    for consonant in consonants(word) {
        end = [end[1], end[2], consonant];
    }
    match word.len() {
        0 | 1 => false,
        2 => !end[1] && end[2],
        _ => end == [true, false, true] && !word.ends_with(['w', 'x', 'y']),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_nltk() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/rouge/porter.txt");
        let lines = std::fs::read_to_string(path).unwrap();
        let mut n = 0;
        for line in lines.lines().filter(|line| !line.starts_with('#')) {
            let (word, expected) = line.split_once(' ').unwrap();
            assert_eq!(stem(word), expected, "{word}");
            n += 1;
        }
        assert!(n > 5000, "{n}");
    }

    #[test]
    fn measures_of_the_paper() {
        for (m, words) in [
            (0, ["tr", "ee", "tree", "y", "by"].as_slice()),
            (1, &["trouble", "oats", "trees", "ivy"]),
            (2, &["troubles", "private", "oaten", "orrery"]),
        ] {
            for word in words {
                assert_eq!(measure(word), m, "{word}");
            }
        }
        // Of `toy` t and y are consonants, of `syzygy` s, z and g.
        assert_eq!(consonants("toy").collect::<Vec<_>>(), [true, false, true]);
        assert_eq!(consonants("syzygy").collect::<Vec<_>>(), [true, false, true, false, true, false]);
    }

    #[test]
    fn any_word_has_a_stem() {
        for (word, expected) in [
            ("", ""),
            ("s", "s"),
            ("as", "as"),
            ("ies", "i"),
            ("ing", "ing"),
            ("yyyyyed", "yyyi"),
            ("1988s", "1988"),
            ("élèves", "élève"),
            ("ééed", "ééed"),
        ] {
            assert_eq!(stem(word), expected, "{word}");
        }
    }
}
