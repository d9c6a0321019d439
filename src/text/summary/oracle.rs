//! The oracle: the sentences that together are most like a reference summary, as labels to learn from.

use std::collections::HashMap;

use super::Document;

/// The sentences of a greedy choice: the one is added that raises the sum of the F1 of ROUGE-1 and ROUGE-2 most (of
/// equals the first), until none raises it or there are `most`; the result is in the order of the document.
///
/// The greedy choice is that of Nallapati et al. (2017, `SummaRuNNer`, "Extractive Training"), the sum that of the code
/// of Liu (2019, `BertSum`). As there, pairs of words do not reach over the end of a sentence; otherwise than there,
/// what repeats counts as often as the reference has it (Lin, 2004), not once. The reference is taken as one row of
/// words. None is chosen where no word is shared.
///
/// Counts are kept between rounds. A round costs as much as the document has words and pairs that the reference has,
/// too; there are at most twice as many rounds as the reference has words.
#[must_use]
pub fn oracle<S: AsRef<str>>(document: &Document, reference: &[S], most: usize) -> Vec<usize> {
    // No document has a word of the highest number: it stands for all words that the document does not have.
    let number = |word: &S| document.numbers.get(word.as_ref()).copied().unwrap_or(u32::MAX);
    let reference: Vec<u32> = reference.iter().map(number).collect();
    let mut overlaps = [1, 2].map(|n| Overlap::new(document, &reference, n));
    let (mut chosen, mut best_score) = (Vec::new(), 0.0);
    // A sentence without a word of the reference only makes the summary longer.
    let mut left: Vec<usize> = (0..document.len()).filter(|&at| !overlaps[0].shared[at].is_empty()).collect();
    while chosen.len() < most {
        let mut best = None;
        for (place, &at) in left.iter().enumerate() {
            let score: f64 = overlaps.iter().map(|overlap| overlap.f1_with(at)).sum();
            if score > best_score {
                (best, best_score) = (Some(place), score);
            }
        }
        let Some(place) = best else { break };
        let at = left.remove(place);
        for overlap in &mut overlaps {
            overlap.add(at);
        }
        chosen.push(at);
    }
    chosen.sort_unstable();
    chosen
}

/// What the chosen sentences have of the reference's n-grams, for one `n`.
struct Overlap {
    /// For each n-gram of the reference how many of its occurrences the chosen sentences do not have.
    missing: Vec<u32>,
    /// For each sentence the n-grams of the reference that it has, and how many of each.
    shared: Vec<Vec<(u32, u32)>>,
    /// How many n-grams each sentence has.
    sizes: Vec<usize>,
    n_reference: usize,
    n_chosen: usize,
    n_matched: usize,
}

impl Overlap {
    fn new(document: &Document, reference: &[u32], n: usize) -> Self {
        let (mut numbers, mut missing) = (HashMap::new(), Vec::new());
        for gram in reference.windows(n) {
            let number = *numbers.entry(gram).or_insert(missing.len());
            if number == missing.len() {
                missing.push(0);
            }
            missing[number] += 1;
        }
        let shared = |sentence: &Vec<u32>| {
            let known = sentence.windows(n).filter_map(|gram| numbers.get(gram)).map(|&number| number as u32);
            super::bag(&known.collect::<Vec<_>>())
        };
        let size = |words: usize| (words + 1).saturating_sub(n);
        Self {
            shared: document.sentences.iter().map(shared).collect(),
            sizes: document.sentences.iter().map(|sentence| size(sentence.len())).collect(),
            missing,
            n_reference: size(reference.len()),
            n_chosen: 0,
            n_matched: 0,
        }
    }

    /// How many more occurrences are matched with one more sentence.
    fn gain(&self, sentence: usize) -> usize {
        self.shared[sentence].iter().map(|&(gram, n)| n.min(self.missing[gram as usize]) as usize).sum()
    }

    /// F1 with one more sentence: `2 · matched / (chosen + reference)`; 0 where neither has n-grams.
    fn f1_with(&self, sentence: usize) -> f64 {
        let size = self.n_chosen + self.sizes[sentence] + self.n_reference;
        if size == 0 { 0.0 } else { 2.0 * (self.n_matched + self.gain(sentence)) as f64 / size as f64 }
    }

    fn add(&mut self, sentence: usize) {
        self.n_chosen += self.sizes[sentence];
        self.n_matched += self.gain(sentence);
        for &(gram, n) in &self.shared[sentence] {
            let missing = &mut self.missing[gram as usize];
            *missing = missing.saturating_sub(n);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::base::rng;

    fn grams<'a>(rows: &[&[&'a str]], n: usize) -> BTreeMap<Vec<&'a str>, usize> {
        let mut counts = BTreeMap::new();
        for gram in rows.iter().flat_map(|row| row.windows(n)) {
            *counts.entry(gram.to_vec()).or_insert(0) += 1;
        }
        counts
    }

    fn f1(chosen: &[&[&str]], reference: &[&str], n: usize) -> f64 {
        let (chosen, reference) = (grams(chosen, n), grams(&[reference], n));
        let matched: usize = chosen.iter().map(|(gram, n)| *n.min(reference.get(gram).unwrap_or(&0))).sum();
        match chosen.values().sum::<usize>() + reference.values().sum::<usize>() {
            0 => 0.0,
            size => 2.0 * matched as f64 / size as f64,
        }
    }

    /// The same from its definition: every summary is counted anew.
    fn plain(sentences: &[Vec<&str>], reference: &[&str], most: usize) -> Vec<usize> {
        let (mut chosen, mut best_score) = (Vec::new(), 0.0);
        while chosen.len() < most {
            let mut best = None;
            for at in (0..sentences.len()).filter(|at| !chosen.contains(at)) {
                let summary: Vec<&[&str]> = chosen.iter().chain([&at]).map(|&at| sentences[at].as_slice()).collect();
                let score = f1(&summary, reference, 1) + f1(&summary, reference, 2);
                if score > best_score {
                    (best, best_score) = (Some(at), score);
                }
            }
            let Some(at) = best else { break };
            chosen.push(at);
        }
        chosen.sort_unstable();
        chosen
    }

    #[test]
    fn as_if_counted_anew() {
        let words: Vec<String> = (0..40).map(|i| format!("w{i}")).collect();
        for seed in 0..60 {
            let mut rng = rng::stream(seed, "oracle");
            // Small numbers are frequent, so that words repeat.
            let mut text = |most: usize, n_words: usize| -> Vec<&str> {
                (0..rng::below(&mut rng, most))
                    .map(|_| {
                        let below = 1 + rng::below(&mut rng, n_words);
                        words[rng::below(&mut rng, below)].as_str()
                    })
                    .collect()
            };
            let sentences: Vec<Vec<&str>> = (0..30).map(|_| text(12, 30)).collect();
            let reference = text(60, 40);
            for most in [0, 1, 3, 30] {
                let found = oracle(&Document::new(&sentences), &reference, most);
                assert_eq!(found, plain(&sentences, &reference, most), "{seed} {most}");
            }
        }
    }

    #[test]
    fn the_reference_is_found_in_the_document() {
        let text = Document::new(&[vec!["x", "y"], vec!["c", "d"], vec![], vec!["a", "b"], vec!["a", "b"], vec!["a"]]);
        assert_eq!(oracle(&text, &["a", "b", "c", "d"], 9), [1, 3]);
        assert_eq!(oracle(&text, &["a", "b", "c", "d"], 1), [1]);
        assert_eq!(oracle(&text, &["nowhere"], 9), [0; 0]);
        assert_eq!(oracle::<&str>(&text, &[], 9), [0; 0]);
        assert_eq!(oracle(&Document::default(), &["a"], 9), [0; 0]);
    }
}
