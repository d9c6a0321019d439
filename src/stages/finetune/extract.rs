//! Rows of sentences to learn a summary's from.

use rayon::prelude::*;

use crate::{
    data::{Dataset, Split, Tokenizer},
    stage::StageError,
    text::{
        self,
        summary::{Document, Words, oracle},
    },
    train::{Examples, Sentences},
};

/// The labels of an extractive summariser's head: the second is that of a summary's sentences.
pub(in crate::stages) const LABELS: [&str; 2] = ["other", "summary"];

/// The rows of a split cut into sentences, as many of each as fit in `max_length` tokens. Those of them are right that a greedy
/// choice takes to come close to the reference in ROUGE ([`oracle`]).
pub(super) fn examples(
    dataset: &Dataset,
    split: Split,
    tokenizer: &Tokenizer,
    max_length: usize,
    reference: &str,
    words: &Words,
) -> Result<Examples, StageError> {
    let texts = dataset.rows(split)?.texts;
    let references = dataset.texts(split, reference)?;
    let sentences: Vec<Vec<&str>> = texts.par_iter().map(|text| text::sentences(text)).collect();
    let rows = tokenizer.encode_sentences(&sentences, max_length)?;
    let (encodings, starts): (Vec<_>, Vec<_>) = rows.into_iter().map(|row| (row.encoding, row.starts)).unzip();
    let marked = |((sentences, starts), reference): ((&Vec<&str>, Vec<usize>), &String)| {
        // What cannot be seen cannot be chosen, so that it must not stand in the way of the next best.
        let seen: Vec<_> = sentences[..starts.len()].iter().map(|sentence| words.all(sentence)).collect();
        let chosen = oracle(&Document::new(&seen), &words.all(reference), seen.len());
        let mut targets = vec![0; starts.len()];
        for at in chosen {
            targets[at] = 1;
        }
        Sentences { starts, targets }
    };
    let sentences = sentences.par_iter().zip(starts).zip(&references).map(marked).collect();
    Ok(Examples { encodings, labels: None, sentences: Some(sentences) })
}
