//! What may follow: rules that take tokens out of the choice, in the order in which `transformers` applies them.

use super::Settings;

/// Applies the rules to the scores of what follows `written`, `[vocab_size]`; what may not follow gets −∞.
pub(super) fn apply(settings: &Settings, written: &[u32], scores: &mut [f32]) {
    no_repeat(settings.no_repeat_ngram_size, written, scores);
    if written.len() < settings.min_length {
        for &end in &settings.ends {
            scores[end as usize] = f32::NEG_INFINITY;
        }
    }
    if written.len() == 1 {
        force(settings.forced_first.as_slice(), scores);
    }
    if written.len() + 1 == settings.max_length {
        force(&settings.forced_last, scores);
    }
}

/// No `n` tokens in a row stand twice (Paulus et al., 2018, section 2.5, for three).
fn no_repeat(n: usize, written: &[u32], scores: &mut [f32]) {
    if n == 0 || written.len() + 1 < n {
        return;
    }
    let last = &written[written.len() + 1 - n..];
    for gram in written.windows(n) {
        if let Some((token, before)) = gram.split_last()
            && before == last
        {
            scores[*token as usize] = f32::NEG_INFINITY;
        }
    }
}

/// Nothing but these, where there are any.
fn force(tokens: &[u32], scores: &mut [f32]) {
    if tokens.is_empty() {
        return;
    }
    scores.fill(f32::NEG_INFINITY);
    for &token in tokens {
        scores[token as usize] = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of six tokens may follow.
    fn left(settings: &Settings, written: &[u32]) -> Vec<usize> {
        let mut scores = [1.0; 6];
        apply(settings, written, &mut scores);
        (0..6).filter(|token| scores[*token] > f32::NEG_INFINITY).collect()
    }

    #[test]
    fn no_tokens_in_a_row_stand_twice() {
        let of = |no_repeat_ngram_size| Settings { no_repeat_ngram_size, max_length: 100, ..Settings::default() };
        assert_eq!(left(&of(0), &[1, 1, 1]), [0, 1, 2, 3, 4, 5]);
        assert_eq!(left(&of(1), &[1, 3, 1]), [0, 2, 4, 5]);
        assert_eq!(left(&of(2), &[1, 2, 1, 3, 1]), [0, 1, 4, 5]);
        assert_eq!(left(&of(3), &[1, 2, 3, 1, 2]), [0, 1, 2, 4, 5]);
        assert_eq!(left(&of(3), &[1]), [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn lengths_and_forced_tokens_are_kept_to() {
        let settings = Settings {
            ends: vec![2, 4],
            min_length: 3,
            max_length: 5,
            forced_first: Some(0),
            forced_last: vec![2],
            ..Settings::default()
        };
        assert_eq!(left(&settings, &[2]), [0]);
        assert_eq!(left(&settings, &[2, 0]), [0, 1, 3, 5]);
        assert_eq!(left(&settings, &[2, 0, 1]), [0, 1, 2, 3, 4, 5]);
        assert_eq!(left(&settings, &[2, 0, 1, 1]), [2]);
    }
}
