//! Beam search: several texts at once, the best by the sum of their log probabilities, divided by a power of their length (Wu
//! et al., 2016, section 7, in `transformers`' simpler form `Σ log p / length^penalty`).
//!
//! Scores are f32 and −10⁹ stands for "not in the running", as there: what it gives for equal logits, this gives.

use super::{NextToken, Settings, rules};
use crate::model::{EarlyStopping, ModelError};

/// What is added to the score of what must not win.
const OUT: f32 = -1e9;

/// A text and its score.
#[derive(Clone)]
struct Beam {
    tokens: Vec<u32>,
    score: f32,
}

/// A text that has ended, or the place of one.
#[derive(Clone)]
struct Ended {
    beam: Beam,
    has_ended: bool,
}

/// A token that may follow a beam.
#[derive(Clone, Copy)]
struct Candidate {
    beam: usize,
    token: u32,
    score: f32,
    ends: bool,
}

/// Writes until nothing better can come, and gives the best text.
pub(super) fn search(next: &mut dyn NextToken, settings: &Settings) -> Result<Vec<u32>, ModelError> {
    let (n, vocab_size) = (settings.num_beams, next.vocab_size());
    // Of so many, `n` go on even when each beam's best tokens end a text.
    let most = (n * (settings.ends.len() + 1).max(2)).min(n * vocab_size);
    let place = |score| Beam { tokens: vec![settings.start], score };
    // All begin alike: only the first may be gone on from.
    let mut running: Vec<Beam> = (0..n).map(|beam| place(if beam == 0 { 0.0 } else { OUT })).collect();
    let mut ended = vec![Ended { beam: place(OUT), has_ended: false }; n];
    let mut parents: Vec<usize> = vec![0];
    let mut can_improve = true;
    let mut scores = Vec::new();
    loop {
        let tokens: Vec<u32> =
            running.iter().take(parents.len()).filter_map(|beam| beam.tokens.last().copied()).collect();
        next.step(&parents, &tokens, &mut scores)?;
        for row in scores.chunks_exact_mut(vocab_size) {
            log_softmax(row);
        }
        while scores.len() < n * vocab_size {
            scores.extend_from_within(..vocab_size);
        }
        for (beam, row) in running.iter().zip(scores.chunks_exact_mut(vocab_size)) {
            rules::apply(settings, &beam.tokens, &mut *row);
            for score in row {
                *score += beam.score;
            }
        }
        let length = running[0].tokens.len() + 1;
        let candidates: Vec<Candidate> = greatest(scores.iter().copied(), most)
            .into_iter()
            .map(|(at, score)| {
                let token = (at % vocab_size) as u32;
                let ends = length >= settings.max_length || settings.ends.contains(&token);
                Candidate { beam: at / vocab_size, token, score, ends }
            })
            .collect();
        let go_on = |candidate: Candidate, score: f32| {
            let mut tokens = Vec::with_capacity(length);
            tokens.extend_from_slice(&running[candidate.beam].tokens);
            tokens.push(candidate.token);
            Beam { tokens, score }
        };

        let of_running = candidates.iter().map(|it| if it.ends { it.score + OUT } else { it.score });
        let chosen = greatest(of_running, n);
        // After the first step there is one beam, which the others are copies of.
        let last = parents.len() - 1;
        parents = chosen.iter().map(|(at, _)| candidates[*at].beam.min(last)).collect();
        let following = chosen.iter().map(|&(at, score)| go_on(candidates[at], score)).collect();

        // Candidates behind the first `n` are there to go on, not to end.
        let at_once = settings.early_stopping == EarlyStopping::AtOnce;
        let is_full = at_once && ended.iter().all(|it| it.has_ended);
        let by_length = power(length - 1, settings.length_penalty);
        let of_ended: Vec<f32> = candidates
            .iter()
            .enumerate()
            .map(|(rank, candidate)| {
                let mut score = candidate.score / by_length;
                for is_out in [is_full, !can_improve, !(candidate.ends && rank < n)] {
                    score += if is_out { OUT } else { 0.0 };
                }
                score
            })
            .collect();
        let merged = ended.iter().map(|it| it.beam.score).chain(of_ended);
        ended = greatest(merged, n)
            .into_iter()
            .map(|(at, score)| match at.checked_sub(n) {
                None => ended[at].clone(),
                Some(rank) => {
                    let candidate = candidates[rank];
                    Ended { beam: go_on(candidate, score), has_ended: candidate.ends && rank < n }
                }
            })
            .collect();
        running = following;

        can_improve = can_improve && may_improve(settings, &running[0], &ended, length);
        let all_ended = ended.iter().all(|it| it.has_ended);
        if !can_improve || (all_ended && at_once) || candidates.iter().all(|candidate| candidate.ends) {
            // They are in order.
            return Ok(ended.swap_remove(0).beam.tokens);
        }
    }
}

/// Whether the best beam may still become better than one of those that have ended.
fn may_improve(settings: &Settings, best: &Beam, ended: &[Ended], length: usize) -> bool {
    let is_longest = settings.early_stopping == EarlyStopping::Never && settings.length_penalty > 0.0;
    let best = best.score / power(if is_longest { settings.max_length } else { length } - 1, settings.length_penalty);
    let worst = ended.iter().map(|it| it.beam.score).fold(f32::INFINITY, f32::min);
    ended.iter().any(|it| best > if it.has_ended { worst } else { OUT })
}

fn power(length: usize, penalty: f64) -> f32 {
    (length as f64).powf(penalty) as f32
}

/// `log softmax(x)`, in place.
fn log_softmax(x: &mut [f32]) {
    let greatest = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let total: f64 = x.iter().map(|x| f64::from((x - greatest).exp())).sum();
    let shift = total.ln() as f32;
    for x in x {
        *x = *x - greatest - shift;
    }
}

/// The places and values of the greatest `n`, the greatest first, of equal ones the first.
fn greatest(values: impl Iterator<Item = f32>, n: usize) -> Vec<(usize, f32)> {
    let mut found: Vec<(usize, f32)> = Vec::with_capacity(n + 1);
    for (at, value) in values.enumerate() {
        if found.len() == n
            && found.last().is_some_and(|(_, least)| value.partial_cmp(least) != Some(std::cmp::Ordering::Greater))
        {
            continue;
        }
        let place = found.partition_point(|(_, other)| other.total_cmp(&value).is_ge());
        found.insert(place, (at, value));
        found.truncate(n);
    }
    found
}
