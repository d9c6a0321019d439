//! Perturbations: what they leave alone, how often they change what, and that what they say of it is true.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::{base::rng, text::TableForm};

pub(super) fn around() -> Surroundings {
    Surroundings::new("en", &negations()).with_stop_words("en").with_tokens(Box::new(halves))
}

fn negations() -> Vec<String> {
    NEGATIONS.iter().map(|word| (*word).to_owned()).collect()
}

/// A tokenizer of pieces of three characters.
fn halves(text: &str) -> Vec<Range<usize>> {
    let mut tokens = Vec::new();
    let mut start = 0;
    for (at, letter) in text.char_indices().chain([(text.len(), ' ')]) {
        if letter.is_whitespace() || text[start..at].chars().count() == 3 {
            tokens.push(start..at);
            start = at + if letter.is_whitespace() { letter.len_utf8() } else { 0 };
        }
    }
    tokens.retain(|token| token.start < token.end);
    tokens
}

fn step(value: &Value) -> Perturbation {
    let step: Perturbation = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(step.fault(), None);
    step
}

/// What a step makes of a text, after a check that the changes that it tells make the same of it.
fn run_in(around: &Surroundings, lexicon: &Lexicon, value: &Value, text: &str, seed: u64) -> String {
    let step = step(value);
    let random = &mut rng::stream(seed, "test");
    let mut words = around.words(text, &[]);
    if let Some(fill) = step.contextual() {
        words.begin(0);
        let blanks = fill.blanks(&words, random);
        let count: usize = blanks.windows.iter().map(|parts| parts.len() - 1).sum();
        let guesses = vec![vec![("drama", 2.0), ("不", 2.0), ("show", 1.0), ("not", 1.0), ("电影", 1.0)]; count];
        fill.fill(&mut words, &blanks, &guesses, around, random);
    } else {
        step.apply(0, &mut words, around, lexicon, random);
    }
    let copy = words.text();
    let changes = words.changes(&[step.name()]);
    assert_eq!(words::rebuilt(text, &changes), copy, "{value} {text:?} {changes:?}");
    assert!(changes.iter().all(|change| change.op == step.name()));
    assert_eq!(words.is_changed(), !changes.is_empty());
    assert_eq!(words.op(&[step.name()]), if changes.is_empty() { "" } else { step.name() });
    copy
}

fn run(value: &Value, text: &str, seed: u64) -> String {
    run_in(&around(), &Lexicon::English, value, text, seed)
}

/// Every operation, at a rate.
fn all(rate: f64) -> Vec<Value> {
    vec![
        json!({"contextual": {"rate": rate}}),
        json!({"contextual": {"rate": rate, "action": "insert"}}),
        json!({"delete": {"rate": rate}}),
        json!({"delete": {"count": 2}}),
        json!({"insert": {"rate": rate}}),
        json!({"keyboard": {"rate": rate, "letters": 2}}),
        json!({"keyboard": {"rate": rate, "layout": "qwertz"}}),
        json!({"mask": {"rate": rate}}),
        json!({"mask": {"rate": rate, "unit": "span"}}),
        json!({"mask": {"rate": rate, "unit": "token"}}),
        json!({"ocr": {"rate": rate, "letters": 2}}),
        json!({"replace": {"rate": rate}}),
        json!({"swap": {"rate": rate}}),
        json!({"typos": {"rate": rate, "letters": 2}}),
    ]
}

const TEXT: &str = "This film is not terrible, but the story doesn't begin: a quick comedy without tedious actors.";

#[test]
fn negations_are_never_touched_and_seeds_decide() {
    for step in all(0.9) {
        let mut changed = 0;
        for seed in 0..50 {
            let text = run(&step, TEXT, seed);
            assert_eq!(text, run(&step, TEXT, seed));
            for negation in ["not", "doesn't", "without"] {
                let count = |text: &str| segment::pieces(text).filter(|piece| *piece == negation).count();
                assert_eq!(count(&text), 1, "{step} {text}");
            }
            assert!(!text.contains("  "), "{step} {text:?}");
            changed += usize::from(text != TEXT);
        }
        assert!(changed > 40, "{step}: {changed}");
    }
}

#[test]
fn nothing_is_lost_and_nothing_panics_whatever_the_text() {
    let long = "a".repeat(1 << 20);
    let odd = [
        "",
        " ",
        "\0",
        "a\0b film",
        "👩‍👩‍👧 film 👍🏽",
        "هذا الفيلم ليس جيدا",
        "这部电影不好看,我不喜欢。",
        "e\u{301}e\u{301} \u{200f}film",
        "don’t",
        "...",
        "\t\n film \r\n\r\n movie  ",
        "[MASK] film [MASK]",
        "Straße İstanbul ǅ",
        &long,
    ];
    let table = Lexicon::parse("film\tthe_movie\n电影\t影片\n喜欢\t喜爱", TableForm::Tsv).unwrap();
    let surroundings = [around(), Surroundings::new("zh", &[]).with_passages(&["不.".to_owned(), ".?".to_owned()])];
    let plain = Surroundings::new("zh", &[]);
    let steps = all(0.5).into_iter().map(|step| (step, 5)).chain(all(1.0).into_iter().map(|step| (step, 2)));
    for (step, seeds) in steps {
        for text in odd {
            for around in surroundings.iter().chain([&plain]) {
                // A word of a megabyte once for each.
                if text.len() > 1_000 && seeds == 2 {
                    continue;
                }
                for seed in 0..if text.len() > 1_000 { 1 } else { seeds } {
                    let copy = run_in(around, &table, &step, text, seed);
                    assert_eq!(copy.trim().is_empty(), text.trim().is_empty(), "{step} {text:?} {copy:?}");
                }
            }
        }
    }
}

#[test]
fn many_words_take_little_time() {
    let long = "the quick film is terrible and the story begins slowly ".repeat(20_000);
    let began = std::time::Instant::now();
    for step in all(0.3) {
        assert_ne!(run(&step, &long, 1), long);
    }
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
}

#[test]
fn a_replacement_is_a_synonym_with_the_same_capitals() {
    for seed in 0..10 {
        for (text, expected) in [("FILM", "MOVIE"), ("Film!", "Movie!"), ("xyzzy", "xyzzy")] {
            assert_eq!(run(&json!({"replace": {"rate": 0.9}}), text, seed), expected);
        }
    }
}

#[test]
fn masks_and_deletions_leave_a_text() {
    for seed in 0..20 {
        let masked = run(&json!({"mask": {"rate": 1.0, "token": "<mask>"}}), "terrible film", seed);
        assert!(["<mask> film", "terrible <mask>"].contains(&masked.as_str()), "{masked}");
        for step in [json!({"delete": {"rate": 1.0}}), json!({"delete": {"count": 5}})] {
            let deleted = run(&step, "terrible film", seed);
            assert!(["terrible", "film"].contains(&deleted.as_str()), "{deleted}");
        }
        let tokens = run(&json!({"mask": {"rate": 1.0, "unit": "token"}}), "terrible film", seed);
        assert_eq!(tokens.matches("[MASK]").count(), 4, "{tokens}");
        assert_eq!(
            run(&json!({"mask": {"rate": 1.0, "unit": "span"}}), "It is not a film", seed),
            "[MASK] [MASK] not [MASK] [MASK]"
        );
    }
    assert_eq!(run(&json!({"mask": {"count": 1}}), "terrible", 0), "terrible");
    assert_eq!(run(&json!({"delete": {"rate": 1.0}}), "", 0), "");
    assert_eq!(run(&json!({"swap": {"rate": 1.0}}), "terrible", 0), "terrible");
    assert_eq!(run(&json!({"swap": {"rate": 0.1}}), "terrible film", 0), "film terrible");
    assert_eq!(run(&json!({"delete": {"count": 1}}), "not film", 0), "not");
}

/// EDA's rates over many rows: words deleted with the probability `p`, and `max(1, α·l)` words replaced, put in, or swapped.
#[test]
fn rates_are_those_of_the_paper() {
    let words = ["film", "comedy", "actor", "terrible", "story", "drama", "camera", "music", "boring", "director"];
    let synonyms: String = words.map(|word| format!("{word}\t{word}x")).join("\n");
    let table = Lexicon::parse(&synonyms, TableForm::Tsv).unwrap();
    let around = around();
    for (alpha, length) in [(0.05, 10), (0.1, 7), (0.1, 30), (0.3, 25), (0.5, 40)] {
        let text = (0..length).map(|at| words[at % words.len()]).collect::<Vec<_>>().join(" ");
        let expected = ((alpha * f64::from(length as u32)) as usize).max(1);
        let mut left_out = 0;
        let rows = 2_000;
        for seed in 0..rows {
            let copy = |name: &str| run_in(&around, &table, &json!({name: {"rate": alpha}}), &text, seed);
            let deleted = copy("delete");
            left_out += length - deleted.split(' ').count();
            let replaced = copy("replace");
            assert_eq!(replaced.split(' ').filter(|word| word.ends_with('x')).count(), expected);
            assert_eq!(replaced.split(' ').count(), length);
            let inserted = copy("insert");
            assert_eq!(inserted.split(' ').count(), length + expected);
            assert_eq!(inserted.split(' ').filter(|word| word.ends_with('x')).count(), expected);
            assert!(!inserted.ends_with('x'), "nothing is put behind the last word");
            let swapped = copy("swap");
            let moved = swapped.split(' ').zip(text.split(' ')).filter(|(new, old)| new != old).count();
            assert!(moved <= 2 * expected, "{moved}");
            let count = |text: &str| {
                let mut counts = BTreeMap::new();
                text.split(' ').for_each(|word| *counts.entry(word.to_owned()).or_insert(0) += 1);
                counts
            };
            assert_eq!(count(&swapped), count(&text));
        }
        let share = left_out as f64 / (rows as f64 * length as f64);
        assert!((share - alpha).abs() < 0.01, "{alpha} {length}: {share}");
    }
    // A number of words instead of a share.
    for (name, count) in [("replace", 3), ("insert", 4)] {
        let copy = run_in(&around, &table, &json!({name: {"count": count}}), "film comedy actor terrible", 1);
        assert_eq!(copy.split(' ').filter(|word| word.ends_with('x')).count(), count);
    }
    assert_eq!(
        run_in(&around, &table, &json!({"delete": {"count": 3}}), "film comedy actor terrible", 1).split(' ').count(),
        1
    );
}

#[test]
fn stop_words_are_left_out_but_not_replaced() {
    let text = "the film is the film";
    let table = Lexicon::parse("the\tthis\nis\twas\nfilm\tmovie", TableForm::Tsv).unwrap();
    for seed in 0..20 {
        assert_eq!(run_in(&around(), &table, &json!({"replace": {"rate": 1.0}}), text, seed), "the movie is the movie");
        assert_eq!(run(&json!({"mask": {"rate": 1.0}}), text, seed), "the [MASK] is the [MASK]");
    }
    let deleted = (0..200).map(|seed| run(&json!({"delete": {"rate": 0.5}}), text, seed));
    let without: usize = deleted.map(|copy| 2 - copy.matches("the").count()).sum();
    assert!((150..250).contains(&without), "{without} of 400");
}

#[test]
fn protected_passages_stay_together() {
    let around = Surroundings::new("en", &[]).with_passages(&["New York( City)?".to_owned(), r"#\w+".to_owned()]);
    let text = "a film of New York City and #fun for happy people";
    for step in all(0.9) {
        for seed in 0..40 {
            let copy = run_in(&around, &Lexicon::English, &step, text, seed);
            assert!(copy.contains("New York City") && copy.contains("#fun"), "{step} {copy}");
        }
    }
    assert!(passage_fault("(").unwrap().contains("no regular expression"));
    assert_eq!(passage_fault("a+"), None);
}

#[test]
fn addresses_are_protected_and_letters_go_wrong_once() {
    let around = around().with_addresses();
    let text = "see http://x.org/a?b=c by @bob_b or me@x.org #goodFilm now";
    for seed in 0..50 {
        for step in all(1.0) {
            let step = self::step(&step);
            let mut words = around.words(text, &[]);
            step.apply(0, &mut words, &around, &Lexicon::English, &mut rng::stream(seed, "test"));
            for address in ["http://x.org/a?b=c", "@bob_b", "me@x.org", "#goodFilm"] {
                assert!(words.text().contains(address), "{step:?}: {}", words.text());
            }
        }
        let mistyped = run(&json!({"keyboard": {"count": 1, "letters": 3}}), "wonderful", seed);
        let wrong = mistyped.chars().zip("wonderful".chars()).filter(|(wrong, right)| wrong != right).count();
        assert_eq!(wrong, 3, "{mistyped}");
    }
    // Words that change their places and are the same did not change.
    assert_eq!(run(&json!({"swap": {"count": 3}}), "word word", 0), "word word");
}

#[test]
fn words_of_the_label_are_protected() {
    let around = around();
    let own = around.label_words("Sports_News");
    assert_eq!(own, ["sports", "news", "sports_news"]);
    for step in all(1.0) {
        let step = self::step(&step);
        let mut words = around.words("News: sports win", &own);
        step.apply(0, &mut words, &around, &Lexicon::English, &mut rng::stream(1, "test"));
        assert!(words.text().contains("News") && words.text().contains("sports"), "{}", words.text());
    }
    assert_eq!(Surroundings::new("zh", &[]).label_words("体育_新闻"), ["体育", "新闻", "体育_新闻"]);
}

#[test]
fn chinese_words_are_changed_whole_and_without_spaces() {
    let around = Surroundings::new("zh", &negations()).with_stop_words("zh");
    let table = Lexicon::parse("电影\t影片\n喜欢\t喜爱\n", TableForm::Tsv).unwrap();
    let text = "我很喜欢这部电影。";
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..40 {
        let run = |step: Value| run_in(&around, &table, &step, text, seed);
        assert_eq!(run(json!({"replace": {"rate": 1.0}})), "我很喜爱这部影片。");
        let inserted = run(json!({"insert": {"count": 1}}));
        assert!(!inserted.contains(' ') && (inserted.contains("影片") || inserted.contains("喜爱")), "{inserted}");
        let swapped = run(json!({"swap": {"count": 1}}));
        assert!(swapped.contains("喜欢") && swapped.contains("电影"), "{swapped}");
        let deleted = run(json!({"delete": {"count": 1}}));
        assert!(deleted.contains("喜欢") || !deleted.contains('喜'), "{deleted}");
        seen.insert(deleted);
    }
    assert!(seen.len() > 3, "{seen:?}");
    let negated = "我不喜欢这部电影";
    for step in all(1.0) {
        assert!(run_in(&around, &table, &step, negated, 3).contains('不'), "{step}");
    }
}

#[test]
fn steps_in_a_row_tell_what_they_changed() {
    let names = ["insert", "swap", "delete", "replace", "typos"];
    let around = around();
    let mut ops = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let random = &mut rng::stream(seed, "test");
        let mut words = around.words(TEXT, &[]);
        for (at, name) in names.iter().enumerate() {
            step(&json!({*name: {"rate": 0.2}})).apply(at, &mut words, &around, &Lexicon::English, random);
        }
        let changes = words.changes(&names);
        assert_eq!(words::rebuilt(TEXT, &changes), words.text(), "{changes:?}");
        for change in &changes {
            ops.insert(change.op.clone());
        }
        assert!(!words.op(&names).is_empty());
    }
    assert!(["insert", "swap", "delete", "replace", "swap+typos"].iter().all(|op| ops.contains(*op)), "{ops:?}");
    let mut words = around.words("Ein schöner film", &[]);
    step(&json!({"replace": {"count": 1}})).apply(
        0,
        &mut words,
        &around,
        &Lexicon::English,
        &mut rng::stream(0, "test"),
    );
    let change = Change { op: "replace".into(), from: [12, 16], to: "movie".into() };
    assert_eq!(words.changes(&["replace"]), [change], "places are counted in characters");
}

#[test]
fn a_rate_is_a_share_and_a_count_a_number() {
    for (value, path) in [
        (json!({"delete": {"rate": 0.0}}), "rate"),
        (json!({"delete": {"rate": -0.1}}), "rate"),
        (json!({"swap": {"rate": 1.5}}), "rate"),
        (json!({"swap": {"count": 0}}), "count"),
        (json!({"swap": {"count": 1, "rate": 0.1}}), "count"),
        (json!({"typos": {"letters": 0}}), "letters"),
        (json!({"typos": {"kinds": []}}), "kinds"),
        (json!({"ocr": {"letters": 0}}), "letters"),
        (json!({"keyboard": {"letters": 0}}), "letters"),
        (json!({"contextual": {"top_k": 0}}), "top_k"),
        (json!({"contextual": {"temperature": 0.0}}), "temperature"),
    ] {
        let step: Perturbation = serde_json::from_value(value.clone()).unwrap();
        assert_eq!(step.fault().map(|fault| fault.path).as_deref(), Some(path), "{value}");
    }
    assert_eq!(step(&json!({"swap": {}})).fault(), None);
}
