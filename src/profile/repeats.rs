//! Texts that are there more than once, within a split and across splits.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// Rows of a split that are compared at most, the first that come: eight bytes each.
pub(super) const COMPARED: usize = 1 << 24;

/// Rows of a split whose text is another row's, too. Texts are the same whose words are, in small letters and compatible forms.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repeats {
    /// Rows that were compared: all of a split, up to 16,777,216.
    pub compared: u64,
    /// Rows with a text that an earlier row of the split has.
    pub duplicates: u64,
    /// Rows with a text that a split which comes before has: what is measured or chosen on those is partly memory.
    pub leaks: u64,
    /// Rows with a text that another split has, by the name of that split.
    pub shared: Vec<(String, u64)>,
}

/// The hashes of the texts of a split.
#[derive(Clone, Debug, Default)]
pub(super) struct Forms(Vec<u64>);

/// What a text is compared by: the hash of its normal form; of texts without words, of what is there beside blanks.
pub(super) fn form(text: &str, normal: &str, pair: Option<(&str, &str)>) -> u64 {
    let of = |text: &str, normal: &str| xxh3_64(if normal.is_empty() { text.trim() } else { normal }.as_bytes());
    of(text, normal) ^ pair.map_or(0, |(text, normal)| of(text, normal).rotate_left(32))
}

impl Forms {
    pub(super) fn extend(&mut self, forms: &[u64]) {
        let room = COMPARED - self.0.len();
        self.0.extend(&forms[..forms.len().min(room)]);
    }

    pub(super) fn sort(&mut self) {
        self.0.sort_unstable();
    }

    /// What repeats in it and in others, which all are sorted; `is_before` says which of the others come before it.
    pub(super) fn repeats<'a>(&self, others: impl IntoIterator<Item = (&'a str, bool, &'a Self)>) -> Repeats {
        let mut repeats = Repeats { compared: self.0.len() as u64, ..Repeats::default() };
        repeats.duplicates = self.0.windows(2).filter(|pair| pair[0] == pair[1]).count() as u64;
        let others: Vec<_> = others.into_iter().collect();
        let (mut shared, mut places) = (vec![0; others.len()], vec![0; others.len()]);
        for form in &self.0 {
            let mut leaks = false;
            for (at, (_, is_before, other)) in others.iter().enumerate() {
                let place: &mut usize = &mut places[at];
                while other.0.get(*place).is_some_and(|other| other < form) {
                    *place += 1;
                }
                if other.0.get(*place) == Some(form) {
                    shared[at] += 1;
                    leaks |= is_before;
                }
            }
            repeats.leaks += u64::from(leaks);
        }
        repeats.shared = others.iter().zip(shared).map(|((name, ..), rows)| ((*name).to_owned(), rows)).collect();
        repeats
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forms(texts: &[&str]) -> Forms {
        let mut forms = Forms::default();
        forms.extend(&texts.iter().map(|text| form(text, text, None)).collect::<Vec<_>>());
        forms.sort();
        forms
    }

    #[test]
    fn rows_are_counted_within_and_across() {
        let (train, validation) = (forms(&["a", "b", "b", "b", "c"]), forms(&["c", "c", "d"]));
        let test = forms(&["b", "d", "d", "e"]);
        assert_eq!(train.repeats([]).duplicates, 2);
        let found = validation.repeats([("train", true, &train), ("test", false, &test)]);
        assert_eq!((found.compared, found.duplicates, found.leaks), (3, 1, 2));
        assert_eq!(found.shared, [("train".to_owned(), 2), ("test".to_owned(), 1)]);
        let found = test.repeats([("train", true, &train), ("validation", true, &validation)]);
        assert_eq!((found.duplicates, found.leaks), (1, 3));
        assert_eq!(Forms::default().repeats([]), Repeats::default());
    }

    #[test]
    fn texts_without_words_are_not_all_alike() {
        assert_ne!(form("!", "", None), form("?", "", None));
        assert_eq!(form(" ! ", "", None), form("!", "", None));
        assert_ne!(form("a", "a", Some(("b", "b"))), form("b", "b", Some(("a", "a"))));
    }
}
