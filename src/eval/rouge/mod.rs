//! ROUGE: how much of a reference summary a candidate has, in words, pairs of words and common subsequences.

mod lcs;
mod ngrams;
mod porter;
mod summary;
mod tokens;

use lcs::Lcs;
use tokens::Vocabulary;

/// How ROUGE is computed: Lin, "ROUGE: A Package for Automatic Evaluation of Summaries" (2004), with the numbers of the
/// Python package `rouge-score`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rouge {
    /// Whether English words count as the same that have the same stem (`use_stemmer`). Words of up to three characters
    /// are not stemmed.
    pub stem: bool,
}

/// What a candidate has of a reference by one of the measures; all are shares, 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RougeScore {
    /// The share of the candidate that the reference has, too.
    pub precision: f64,
    /// The share of the reference that the candidate has, too.
    pub recall: f64,
    /// Their harmonic mean; 0 where both are.
    pub f1: f64,
}

/// The four measures of one candidate.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RougeScores {
    /// ROUGE-1: words (Lin, 2004, equation 1, with *n* = 1).
    pub rouge1: RougeScore,
    /// ROUGE-2: pairs of words that follow each other (equation 1, with *n* = 2).
    pub rouge2: RougeScore,
    /// ROUGE-L: the longest common subsequence of the texts (equations 2 to 4, with β = 1).
    pub rouge_l: RougeScore,
    /// ROUGE-Lsum: the longest common subsequences of their sentences (equations 5 to 7, with β = 1).
    pub rouge_lsum: RougeScore,
}

impl Rouge {
    /// The scores of a candidate; 0 where the candidate or the reference has no words.
    ///
    /// Words are runs of `a` to `z` and digits, in small letters: a text in another script than Latin has none. For
    /// ROUGE-Lsum a line is a sentence: whoever wants its sentences compared puts `\n` between them. Where both texts
    /// are one line it is ROUGE-L.
    #[must_use]
    pub fn score(self, reference: &str, candidate: &str) -> RougeScores {
        let mut vocabulary = Vocabulary::new(self.stem);
        let (reference, candidate) = (vocabulary.tokens(reference), vocabulary.tokens(candidate));
        let (words, others) = (reference.words(), candidate.words());
        let ngrams = |n: usize| {
            let of = |words: &[u32]| (words.len() + 1).saturating_sub(n);
            RougeScore::of(ngrams::common(words, others, n), of(others), of(words))
        };
        let mut lcs = Lcs::new(vocabulary.len());
        let sequence = lcs.length(words, others);
        let summary = summary::common(&reference, &candidate, vocabulary.len(), &mut lcs);
        RougeScores {
            rouge1: ngrams(1),
            rouge2: ngrams(2),
            rouge_l: RougeScore::of(sequence, others.len(), words.len()),
            rouge_lsum: RougeScore::of(summary, others.len(), words.len()),
        }
    }
}

impl RougeScore {
    fn of(common: usize, n_candidate: usize, n_reference: usize) -> Self {
        if common == 0 {
            return Self::default();
        }
        let [precision, recall] = [n_candidate, n_reference].map(|n| common as f64 / n as f64);
        Self { precision, recall, f1: 2.0 * precision * recall / (precision + recall) }
    }
}

impl RougeScores {
    /// The measures with their names in records.
    #[must_use]
    pub fn named(self) -> [(&'static str, RougeScore); 4] {
        let Self { rouge1, rouge2, rouge_l, rouge_lsum } = self;
        [("rouge1", rouge1), ("rouge2", rouge2), ("rouge_l", rouge_l), ("rouge_lsum", rouge_lsum)]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn goldens() -> Vec<Value> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/rouge/goldens.json");
        let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        file["pairs"].as_array().unwrap().clone()
    }

    #[test]
    fn as_rouge_score() {
        let pairs = goldens();
        assert!(pairs.len() > 130, "{}", pairs.len());
        for pair in &pairs {
            let [reference, candidate] = ["reference", "candidate"].map(|key| pair[key].as_str().unwrap());
            // As `make.py` has them: a line a sentence.
            let [reference_lines, candidate_lines] = [reference, candidate]
                .map(|text| text.split_whitespace().collect::<Vec<_>>().join(" ").replace(". ", ".\n"));
            for (stem, key) in [(false, "words"), (true, "stems")] {
                let scores = Rouge { stem }.score(reference, candidate);
                let by_line = Rouge { stem }.score(&reference_lines, &candidate_lines);
                let measures = scores.named().into_iter().chain([("rouge_lsum_of_sentences", by_line.rouge_lsum)]);
                for (name, RougeScore { precision, recall, f1 }) in measures {
                    for (at, got) in [precision, recall, f1].into_iter().enumerate() {
                        let expected = pair[key][name][at].as_f64().unwrap();
                        assert!((got - expected).abs() < 1e-9, "{} {key} {name} {at}: {got} {expected}", pair["name"]);
                    }
                }
                // The measures that take no notice of lines are the same in both.
                assert_eq!(RougeScores { rouge_lsum: by_line.rouge_lsum, ..scores }, by_line);
            }
        }
    }

    #[test]
    fn of_the_paper() {
        // Lin, 2004, section 3: "police killed the gunman", and the example of the union of w1 w2 and w1 w3 w5.
        let score = |candidate| Rouge::default().score("police killed the gunman", candidate).rouge_l.f1;
        assert_eq!(score("police kill the gunman"), 0.75);
        assert_eq!(score("the gunman kill police"), 0.5);
        assert_eq!(score("the gunman police killed"), 0.5);
        let union = Rouge::default().score("w1 w2 w3 w4 w5", "w1 w2 w6 w7 w8\nw1 w3 w8 w9 w5").rouge_lsum;
        assert_eq!((union.precision, union.recall), (0.4, 0.8));
    }

    #[test]
    fn texts_without_words() {
        for empty in ["", "\n", " … ", "日本語", "É"] {
            for (reference, candidate) in [(empty, "one two"), ("one two", empty), (empty, empty)] {
                for stem in [false, true] {
                    assert_eq!(Rouge { stem }.score(reference, candidate), RougeScores::default(), "{empty:?}");
                }
            }
        }
    }

    #[test]
    fn one_word() {
        let one = RougeScore { precision: 1.0, recall: 1.0, f1: 1.0 };
        let none = RougeScore::default();
        assert_eq!(
            Rouge::default().score("Word", "\n«word»."),
            RougeScores { rouge1: one, rouge2: none, rouge_l: one, rouge_lsum: one }
        );
        assert_eq!(Rouge::default().score("word", "words"), RougeScores::default());
        assert_eq!(Rouge { stem: true }.score("word", "words").rouge1, one);
    }

    #[test]
    fn a_word_counts_as_often_as_both_have_it() {
        // Each of the reference's lines has a common subsequence of one word, but the candidate has that word once.
        let scores = Rouge::default().score("the a\nthe b\nthe c", "the");
        assert_eq!((scores.rouge_lsum.precision, scores.rouge_lsum.recall), (1.0, 1.0 / 6.0));
    }
}
