//! What two summaries of several sentences have in common: the union of longest common subsequences.

use super::{lcs::Lcs, tokens::Tokens};

/// The words of a reference that a candidate has, too, in order: for each line of the reference the words that are in
/// its longest common subsequence with any line of the candidate (Lin, 2004, section 3.2, `LCS∪`).
///
/// A word that the candidate has twice counts twice at most, as in the program ROUGE-1.5.5; the paper would count it
/// for every line that has it.
pub(super) fn common(reference: &Tokens, candidate: &Tokens, n_words: usize, lcs: &mut Lcs) -> usize {
    if reference.lines().len() == 1 && candidate.lines().len() == 1 {
        // No word can be counted too often, and the length alone needs little memory where a line is a whole document.
        return lcs.length(reference.words(), candidate.words());
    }
    let mut left = vec![0_usize; n_words];
    for &word in candidate.words() {
        left[word as usize] += 1;
    }
    let mut common = 0;
    let mut marks = Vec::new();
    for line in reference.lines() {
        marks.clear();
        marks.resize(line.len(), false);
        for other in candidate.lines() {
            lcs.mark(line, other, &mut marks);
        }
        for (&word, _) in line.iter().zip(&marks).filter(|(_, marked)| **marked) {
            // A word of the reference is marked once, so that its own count cannot be exceeded.
            if left[word as usize] > 0 {
                left[word as usize] -= 1;
                common += 1;
            }
        }
    }
    common
}
