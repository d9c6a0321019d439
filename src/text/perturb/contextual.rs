//! Lets a masked language model put words in, or replace words by others that fit.
//!
//! A step of this kind is done in two halves, as models answer many texts at once: it chooses places and shows the text around them
//! ([`Contextual::blanks`]), a model guesses, and it takes one of the guesses for each place ([`Contextual::fill`]).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Amount, Lexicon, Perturb, Surroundings, Words, choose, like, words::gap};
use crate::{
    base::rng::{self, Stream},
    text::{TextFault, segment},
};

/// Words of a text that a model sees at once: with their marks and pieces of words they fit in the 512 tokens that most models
/// take.
const WINDOW: usize = 200;

/// What a masked language model does: `{action: replace, rate: 0.1}`. Needs a model at the port `model`.
///
/// ```text
/// before    a quick comedy without tedious actors
/// replace   a quick drama without tedious actors
/// insert    a quick comedy film without tedious actors
/// ```
///
/// All places of a text are masked at once, and guessed in one pass. Of the words that the model thinks likeliest, one is drawn by its
/// probability; pieces of words, marks, the word that stood there and protected words are none of them. So works
/// `ContextualWordEmbsAug` of nlpaug, but for that it masks one word after the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Contextual {
    /// Whether words are put in or replaced.
    #[serde(default)]
    action: Action,
    /// Words to put in or replace, as a share of the text's words; at least one. 0.1 where there is no `count`.
    #[serde(default)]
    rate: Option<f64>,
    /// So many words instead.
    #[serde(default)]
    count: Option<usize>,
    /// The likeliest words among which one is drawn.
    #[serde(default = "ten")]
    top_k: usize,
    /// What the model's logits are divided by before one is drawn: below 1 the likeliest is drawn more often, above 1 less often.
    #[serde(default = "unchanged")]
    temperature: f64,
}

fn ten() -> usize {
    10
}

fn unchanged() -> f64 {
    1.0
}

/// What is done with words that a model guesses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Action {
    /// They take the place of words.
    #[default]
    Replace,
    /// They are put before words.
    Insert,
}

/// Places of a text that a model is to guess.
#[derive(Clone, Debug, Default)]
pub struct Blanks {
    /// The pieces that are replaced, or before which a word is put, ascending.
    places: Vec<usize>,
    /// Passages of the text with blanks in them: each is what stands before, between and behind its blanks, one part more than
    /// there are blanks.
    pub windows: Vec<Vec<String>>,
}

/// A word that a model guesses, and its logit.
pub type Guess<'a> = (&'a str, f32);

impl Perturb for Contextual {
    fn amount(&self) -> Amount {
        Amount { rate: self.rate, count: self.count }
    }

    fn wants_model(&self) -> Option<&'static str> {
        Some("`contextual` lets a masked language model guess words")
    }

    fn fault(&self) -> Option<TextFault> {
        let fault = |path: &str, message: String, help: &str| {
            Some(TextFault { path: path.to_owned(), message, help: Some(help.to_owned()) })
        };
        if self.top_k == 0 {
            return fault("top_k", "`top_k` is a number of words, at least 1".to_owned(), "1 takes the likeliest");
        }
        if !(self.temperature > 0.0 && self.temperature.is_finite()) {
            let message = format!("`temperature` must be above 0, not {}", self.temperature);
            return fault("temperature", message, "to take the likeliest word, `top_k: 1`");
        }
        None
    }

    /// Nothing: it is done in two halves.
    fn apply(&self, _: &mut Words<'_>, _: &Surroundings, _: &Lexicon, _: &mut Stream) {}
}

impl Contextual {
    /// The guesses that are of use for each blank: one may be the word that stood there.
    #[must_use]
    pub fn guesses(&self) -> usize {
        self.top_k.saturating_add(1)
    }

    /// Chooses places and shows the text around them.
    #[must_use]
    pub fn blanks(&self, words: &Words<'_>, random: &mut Stream) -> Blanks {
        let may = match self.action {
            Action::Replace => words.free(),
            Action::Insert => words.places(|piece| !piece.goes_on),
        };
        let mut places = choose(may, self.amount().of(words.count()), random);
        places.sort_unstable();
        let mut windows = Vec::new();
        let mut next = places.iter().copied().peekable();
        let mut start = 0;
        while next.peek().is_some() {
            let mut parts = vec![String::new()];
            let mut seen = 0;
            let mut at = start;
            while at < words.pieces.len() && seen < WINDOW {
                let piece = &words.pieces[at];
                seen += usize::from(piece.is_here());
                if next.next_if_eq(&at).is_some() {
                    parts.push(String::new());
                    let behind = parts.last_mut().expect("just pushed");
                    if self.action == Action::Insert {
                        behind.push_str(gap("", &piece.text));
                        behind.push_str(&piece.text);
                    }
                } else if let Some(part) = parts.last_mut() {
                    part.push_str(&piece.text);
                }
                at += 1;
            }
            if parts.len() > 1 {
                windows.push(parts);
            }
            start = at;
        }
        Blanks { places, windows }
    }

    /// Takes one of the guesses for each blank, in the order of the blanks; a blank without a fit one stays as it was.
    pub fn fill(
        &self,
        words: &mut Words<'_>,
        blanks: &Blanks,
        guesses: &[Vec<Guess<'_>>],
        around: &Surroundings,
        random: &mut Stream,
    ) {
        let mut new = Vec::new();
        for (&at, guesses) in blanks.places.iter().zip(guesses) {
            // A draw a blank, whatever is guessed: what is drawn for the next one does not depend on it.
            let draw = f64::from(rng::uniform(random));
            let old = segment::list_form(&words.pieces[at].text);
            let is_fit = |guess: &&Guess<'_>| {
                let form = segment::list_form(guess.0);
                !around.is_protected(&form) && (self.action == Action::Insert || form != old)
            };
            let fit: Vec<&Guess<'_>> = guesses.iter().filter(is_fit).take(self.top_k).collect();
            let Some(word) = self.draw(&fit, draw) else { continue };
            match self.action {
                Action::Insert => new.push((at, word.to_owned())),
                Action::Replace => {
                    let word = like(word, &words.pieces[at].text);
                    words.set(at, word);
                }
            }
        }
        words.put_before(new);
    }

    /// Draws by `softmax(logits / temperature)`.
    fn draw<'a>(&self, guesses: &[&Guess<'a>], draw: f64) -> Option<&'a str> {
        let greatest = guesses.iter().map(|(_, logit)| *logit).fold(f32::NEG_INFINITY, f32::max);
        let weights: Vec<f64> =
            guesses.iter().map(|(_, logit)| (f64::from(logit - greatest) / self.temperature).exp()).collect();
        let mut left = draw * weights.iter().sum::<f64>();
        for (guess, weight) in guesses.iter().zip(&weights) {
            left -= weight;
            if left < 0.0 {
                return Some(guess.0);
            }
        }
        // Rounding may leave a little.
        guesses.last().map(|guess| guess.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::text::perturb::tests::around;

    fn contextual(value: serde_json::Value) -> Contextual {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn blanks_show_the_text_around_them() {
        let around = around();
        let step = contextual(json!({"count": 1}));
        let words = around.words("The comedy!", &[]);
        let blanks = step.blanks(&words, &mut rng::stream(1, "test"));
        assert_eq!(blanks.windows, [["The ", "!"]]);
        let step = contextual(json!({"action": "insert", "count": 9}));
        let blanks = step.blanks(&words, &mut rng::stream(1, "test"));
        assert_eq!(blanks.windows, [["", " The ", " comedy!"]]);
        // A long text is seen in passages, and those without blanks are not looked at.
        let long = "film ".repeat(1_000);
        let words = around.words(&long, &[]);
        let blanks = contextual(json!({"count": 2})).blanks(&words, &mut rng::stream(4, "test"));
        assert!(blanks.windows.iter().all(|parts| parts.concat().len() <= 5 * WINDOW));
        assert_eq!(blanks.windows.iter().map(|parts| parts.len() - 1).sum::<usize>(), 2);
        assert!(blanks.windows.len() <= 2);
    }

    #[test]
    fn guesses_that_do_not_fit_are_passed_over() {
        let around = around();
        let guesses = vec![vec![("comedy", 9.0), ("never", 8.0), ("drama", 7.0), ("show", -100.0)]];
        let step = contextual(json!({"count": 1}));
        for seed in 0..20 {
            let random = &mut rng::stream(seed, "test");
            let mut words = around.words("The COMEDY!", &[]);
            let blanks = step.blanks(&words, random);
            step.fill(&mut words, &blanks, &guesses, &around, random);
            assert_eq!(words.text(), "The DRAMA!");
            let mut words = around.words("The comedy!", &[]);
            let blanks = step.blanks(&words, random);
            step.fill(&mut words, &blanks, &[Vec::new()], &around, random);
            assert_eq!(words.text(), "The comedy!");
        }
        let guesses: Vec<Guess<'_>> = vec![("a", 1.0), ("b", 0.0)];
        let guesses: Vec<&Guess<'_>> = guesses.iter().collect();
        let share = |temperature: f64| {
            let step = contextual(json!({"temperature": temperature}));
            (0..1000).filter(|at| step.draw(&guesses, f64::from(*at) / 1000.0) == Some("a")).count() as f64 / 1000.0
        };
        assert!((share(1.0) - 1.0 / (1.0 + (-1.0_f64).exp())).abs() < 0.002);
        assert!((share(0.5) - 1.0 / (1.0 + (-2.0_f64).exp())).abs() < 0.002);
    }
}
