//! `augment` and `lexicon`, run as the engine runs them.

use std::{collections::BTreeMap, path::Path};

use candle_core::Device;
use serde_json::{Value, json};

use super::{super::evaluate::rig::Rig, super::lexicon::LexiconSource, *};
use crate::{
    base::fs::write_atomic,
    data::{Dataset, Import, Roles},
    model::{EncoderSpec, Head, LayerShape, Model},
    stage::Record,
    text::perturb::Change,
};

/// Rows of a training split, with one of validation and one of test.
fn rig(rows: &[(&str, &str)]) -> Rig {
    let rig = Rig::new();
    write(&rig, "rows", rows);
    rig
}

fn write(rig: &Rig, name: &str, rows: &[(&str, &str)]) {
    let mut lines = Vec::new();
    for (at, (text, label)) in rows.iter().enumerate() {
        lines.push(json!({"id": format!("r{at}"), "text": text, "label": label, "split": "train"}));
    }
    let others: Vec<&str> = rows.iter().map(|(_, label)| *label).collect();
    for split in ["validation", "test"] {
        lines.push(json!({"id": split, "text": format!("some row of {split}"), "label": others[0], "split": split}));
    }
    let table = lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    let file = rig.path(&format!("{name}.jsonl"));
    write_atomic(&file, table.as_bytes()).unwrap();
    let import = Import::by_column(Roles { text: "text".into(), pair: None, label: Some("label".into()), id: Some("id".into()) }, "split");
    let (dataset, _) = import.read(&file, name).unwrap();
    std::fs::create_dir(rig.path(name)).unwrap();
    dataset.write(&rig.path(name)).unwrap();
}

/// What a copy says of itself.
struct Copy {
    text: String,
    parent: String,
    op: String,
    changes: Vec<Change>,
}

fn run(
    rig: &Rig,
    params: &Value,
    inputs: &[(&'static str, &[&str])],
    name: &str,
) -> Result<(Record, Vec<Copy>), String> {
    let record = rig.run::<Augment>(params, inputs, name).map_err(|error| error.to_string())?;
    let dataset = Dataset::open(&rig.path(name)).unwrap();
    let column = |name: &str| dataset.texts(Split::Train, name).unwrap();
    let (texts, parents, ops, changes) = (column("text"), column("parent"), column("op"), column("changes"));
    let copies = (0..texts.len()).filter(|row| !ops[*row].is_empty()).map(|row| Copy {
        text: texts[row].clone(),
        parent: parents[row].clone(),
        op: ops[row].clone(),
        changes: serde_json::from_str(&changes[row]).unwrap(),
    });
    Ok((record, copies.collect()))
}

fn fact<'a>(record: &'a Record, name: &str) -> &'a str {
    record.facts.iter().find(|(key, _)| key == name).map_or("", |(_, text)| text)
}

/// The text that comes out where changes are applied to a parent, from the last to the first.
fn applied(parent: &str, changes: &[Change]) -> String {
    let mut letters: Vec<char> = parent.chars().collect();
    for change in changes.iter().rev() {
        letters.splice(change.from[0]..change.from[1], change.to.chars());
    }
    letters.into_iter().collect()
}

const WORDS: [&str; 9] = ["the", "good", "bad", "film", "story", "plot", "a", "quick", "comedy"];

/// A masked LM over some words, which says what it was born with.
fn masked_lm(rig: &Rig, name: &str, head: Head) {
    let vocab = format!("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n{}\n##s\n!\n", WORDS.join("\n"));
    let words = rig.path(&format!("{name}-words"));
    std::fs::create_dir(&words).unwrap();
    write_atomic(&words.join("vocab.txt"), vocab.as_bytes()).unwrap();
    let mut spec = EncoderSpec::bert(16, 8, vec![LayerShape { heads: 2, intermediate_size: 24, reach: None }; 2]);
    (spec.vocab_size, spec.max_positions, spec.initializer_range, spec.pooler) = (WORDS.len() + 7, 64, 0.5, false);
    let model = Model::init(spec, head, 3, &Device::Cpu).unwrap();
    std::fs::create_dir(rig.path(name)).unwrap();
    model.save(&rig.path(name), &words).unwrap();
}

const TEXTS: [(&str, &str); 6] = [
    ("The quick comedy isn't bad, but the story begins too slowly!", "pos"),
    ("Ein schöner film — 🎬 good story, good plot.", "pos"),
    ("film", "neg"),
    ("这部电影不好看 film", "neg"),
    ("A good film", "neg"),
    ("not a single good comedy in here", "neg"),
];

#[test]
fn receipts_rebuild_the_copies() {
    let rig = rig(&TEXTS);
    masked_lm(&rig, "bert", Head::MaskedLm);
    let steps = json!([
        {"replace": {"rate": 0.3}}, {"insert": {"rate": 0.2}}, {"contextual": {"rate": 0.2, "action": "insert"}},
        {"contextual": {"rate": 0.2}}, {"swap": {"rate": 0.2}}, {"delete": {"rate": 0.2}}, {"keyboard": {}}, {"ocr": {}},
        {"typos": {}}, {"mask": {"unit": "span"}}, {"mask": {"unit": "token"}}
    ]);
    let inputs: &[(&'static str, &[&str])] = &[("data", &["rows"]), ("model", &["bert"])];
    for (name, apply) in [("all", "all"), ("one", "one")] {
        let params = json!({"copies": 8, "steps": steps, "apply": apply});
        let (record, copies) = run(&rig, &params, inputs, name).unwrap();
        assert!(copies.len() > 30, "{}", copies.len());
        for copy in &copies {
            let parent: usize = copy.parent.strip_prefix('r').unwrap().parse().unwrap();
            assert_eq!(applied(TEXTS[parent].0, &copy.changes), copy.text, "{}", copy.op);
            assert_eq!(copy.op.contains('+'), apply == "all" && copy.op.contains('+'), "{}", copy.op);
            for change in &copy.changes {
                assert!(change.op.split('+').all(|op| copy.op.split('+').any(|all| all == op)), "{}", copy.op);
            }
        }
        assert!(!fact(&record, "copies changed by contextual").is_empty());
        let again = run(&rig, &params, inputs, &format!("{name}-again")).unwrap().1;
        assert!(copies.iter().map(|copy| &copy.text).eq(again.iter().map(|copy| &copy.text)));
    }
}

#[test]
fn guesses_depend_on_neither_threads_nor_the_rows_beside() {
    let rows: Vec<(String, &str)> = (0..90)
        .map(|row| {
            let words = (0..3 + row % 9).map(|word| WORDS[(row * 5 + word * 3) % WORDS.len()]).collect::<Vec<_>>();
            (words.join(" "), if row % 2 == 0 { "pos" } else { "neg" })
        })
        .collect();
    let rows: Vec<(&str, &str)> = rows.iter().map(|(text, label)| (text.as_str(), *label)).collect();
    let rig = rig(&rows);
    write(&rig, "some", &rows[..40]);
    masked_lm(&rig, "bert", Head::MaskedLm);
    let params = json!({"copies": 2, "steps": [{"contextual": {"rate": 0.3, "top_k": 3}}, {"contextual": {"action": "insert"}}]});
    let texts = |threads: usize, data: &'static str| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let name = format!("{data}-{threads}");
        pool.install(|| run(&rig, &params, &[("data", &[data]), ("model", &["bert"])], &name).unwrap().1)
            .into_iter()
            .map(|copy| (copy.parent, copy.text))
            .collect::<Vec<_>>()
    };
    let all = texts(1, "rows");
    assert!(all.len() > 150, "{}", all.len());
    assert_eq!(texts(3, "rows"), all);
    let some = texts(2, "some");
    assert_eq!(some, all[..some.len()]);
    for (parent, text) in &all {
        assert!(text.split(' ').all(|word| WORDS.contains(&word)), "{text}");
        let parent: usize = parent[1..].parse().unwrap();
        assert!(text.split(' ').count() > rows[parent].0.split(' ').count());
    }
}

#[test]
fn what_is_not_wired_is_named() {
    let rig = rig(&TEXTS);
    masked_lm(&rig, "plain", Head::None);
    let contextual = json!({"steps": [{"contextual": {}}]});
    let error = run(&rig, &contextual, &[("data", &["rows"])], "a").err().unwrap();
    assert!(error.contains("no model is wired"), "{error}");
    let error = run(&rig, &contextual, &[("data", &["rows"]), ("model", &["plain"])], "b").err().unwrap();
    assert!(error.contains("`plain`") && error.contains("no masked-LM head"), "{error}");
    let error = run(&rig, &json!({"steps": [{"mask": {"unit": "token"}}]}), &[("data", &["rows"])], "c").err().unwrap();
    assert!(error.contains("tokens of a model's tokenizer"), "{error}");
    let chinese = json!({"language": "zh", "steps": [{"replace": {}}]});
    let error = run(&rig, &chinese, &[("data", &["rows"])], "d").err().unwrap();
    assert!(error.contains("no synonyms of the language `zh`"), "{error}");
}

#[test]
fn small_classes_grow_and_rows_share_the_work() {
    let rows: Vec<(String, &str)> = (0..40)
        .map(|row| {
            (format!("a quick comedy number {row} with a good story"), if row % 10 < 7 { "big" } else { "small" })
        })
        .collect();
    let rows: Vec<(&str, &str)> = rows.iter().map(|(text, label)| (text.as_str(), *label)).collect();
    let rig = rig(&rows);
    let steps = json!([{"delete": {"rate": 0.2}}, {"swap": {"rate": 0.1}}]);
    for (name, balance, copies, after) in
        [("largest", json!(true), 16, "12 → 28"), ("to", json!({"to": 50}), 60, "12 → 50")]
    {
        let (record, made) =
            run(&rig, &json!({"balance": balance, "steps": steps}), &[("data", &["rows"])], name).unwrap();
        assert_eq!((made.len(), fact(&record, "rows of `small`")), (copies, after));
        let mut of: BTreeMap<&str, usize> = BTreeMap::new();
        for copy in &made {
            *of.entry(&copy.parent).or_insert(0) += 1;
        }
        let small: Vec<usize> =
            of.iter().filter(|(id, _)| id[1..].parse::<usize>().unwrap() % 10 >= 7).map(|(_, count)| *count).collect();
        assert_eq!(small.len(), 12);
        assert!(small.iter().max().unwrap() - small.iter().min().unwrap() <= 1, "{small:?}");
    }
    let faults =
        rig.run::<Augment>(&json!({"copies": 1, "balance": true, "steps": steps}), &[("data", &["rows"])], "x");
    assert!(faults.unwrap_err().to_string().contains("leave one of them out"));
}

#[test]
fn a_row_may_have_thousands_of_copies() {
    let long = "the quick brown fox jumps over a lazy dog and runs far away into deep woods where nobody looks for it";
    let rows: Vec<(&str, &str)> = [(long, "few")].into_iter().chain(std::iter::repeat_n(("one two", "many"), 3)).collect();
    let rig = rig(&rows);
    let params = json!({"balance": {"to": 3_000}, "steps": [{"swap": {"count": 2}}, {"delete": {"rate": 0.2}}]});
    let (_, copies) = run(&rig, &params, &[("data", &["rows"])], "made").unwrap();
    let mut of_few: Vec<&str> =
        copies.iter().filter(|copy| copy.parent == "r0").map(|copy| copy.text.as_str()).collect();
    let count = of_few.len();
    assert!(count > 2_900, "{count}");
    of_few.sort_unstable();
    of_few.dedup();
    assert_eq!(of_few.len(), count);
}

#[test]
fn copies_of_what_has_copies_are_others() {
    let rows: Vec<(&str, &str)> = vec![("one good film of many, and a long one at that", "a"), ("a dull story told twice over", "b")];
    let rig = rig(&rows);
    let params = json!({"steps": [{"delete": {"rate": 0.3}}]});
    let (_, first) = run(&rig, &params, &[("data", &["rows"])], "once").unwrap();
    let (_, both) = run(&rig, &params, &[("data", &["once"])], "twice").unwrap();
    assert_eq!((first.len(), both.len() >= 5), (2, true));
    let ids = Dataset::open(&rig.path("twice")).unwrap().texts(Split::Train, "id").unwrap();
    let distinct: std::collections::BTreeSet<&String> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len(), "{ids:?}");
    let again = both[2..].iter().filter(|copy| copy.parent == "r0").all(|copy| copy.text != first[0].text);
    assert!(again, "the second stage drew what the first one did");
}

#[test]
fn short_texts_are_left_out_or_take_other_steps() {
    let rig = rig(&TEXTS);
    let params = json!({"copies": 2, "steps": [{"swap": {}}], "back_off": {"under": 4}});
    let (record, copies) = run(&rig, &params, &[("data", &["rows"])], "out").unwrap();
    assert!(copies.iter().all(|copy| !["r2", "r4"].contains(&copy.parent.as_str())));
    assert_eq!(fact(&record, "copies left out, of texts under 4 words"), "4");
    let params = json!({"steps": [{"swap": {}}], "back_off": {"under": 4, "steps": [{"typos": {}}]}});
    let (record, copies) = run(&rig, &params, &[("data", &["rows"])], "typos").unwrap();
    for copy in &copies {
        assert_eq!(copy.op, if ["r2", "r4"].contains(&copy.parent.as_str()) { "typos" } else { "swap" });
    }
    assert_eq!(fact(&record, "copies by `back_off`, of texts under 4 words"), "2");
}

#[test]
fn copies_take_turns_and_the_next_step_steps_in() {
    let rows: Vec<(String, &str)> =
        (0..200).map(|row| (format!("the quick comedy has a good story {row}"), ["a", "b"][row % 2])).collect();
    let rows: Vec<(&str, &str)> = rows.iter().map(|(text, label)| (text.as_str(), *label)).collect();
    let rig = rig(&rows);
    // Nothing in it has a Chinese synonym: where it is the turn of `insert`, `swap` does it.
    write_atomic(&rig.path("zh.tsv"), "电影\t影片\n".as_bytes()).unwrap();
    let steps = json!([{"insert": {"table": "zh.tsv"}}, {"swap": {}}, {"delete": {"count": 1}}, {"typos": {}}]);
    let (record, copies) =
        run(&rig, &json!({"copies": 2, "steps": steps, "apply": "one"}), &[("data", &["rows"])], "one").unwrap();
    let count = |op: &str| copies.iter().filter(|copy| copy.op == op).count();
    assert_eq!(count("swap") + count("delete") + count("typos"), copies.len());
    assert!(count("swap") > 150 && (70..130).contains(&count("delete")), "{} {}", count("swap"), count("delete"));
    let later: usize = fact(&record, "copies by a later step, as theirs found nothing to change").parse().unwrap();
    assert!((70..130).contains(&later), "{later}");
}

#[test]
fn labels_and_passages_are_protected() {
    let rows = [("a Sports film #fun for people", "sports_film"), ("other things", "other")];
    let rig = rig(&rows);
    let steps = json!([{"typos": {"rate": 1.0}}, {"delete": {"rate": 0.5}}, {"mask": {"rate": 0.5}}]);
    let params = json!({"copies": 20, "steps": steps, "protect_labels": true, "protect_matches": ["#\\w+"]});
    let (_, copies) = run(&rig, &params, &[("data", &["rows"])], "more").unwrap();
    assert!(copies.len() > 9, "{}", copies.len());
    for copy in copies.iter().filter(|copy| copy.parent == "r0") {
        assert!(["Sports", "film", "#fun"].iter().all(|word| copy.text.contains(word)), "{}", copy.text);
    }
    let wrong = rig.run::<Augment>(&json!({"steps": steps, "protect_matches": ["("]}), &[("data", &["rows"])], "x");
    assert!(wrong.unwrap_err().to_string().contains("no regular expression"));
}

#[test]
fn chinese_rows_have_chinese_copies() {
    let rig = rig(&[("我很喜欢这部电影。", "好"), ("我不喜欢这部电影,演员很差", "差"), ("这家餐厅的菜很好吃", "好")]);
    write_atomic(&rig.path("zh.csv"), "word,synonyms\n电影,影片\n喜欢,喜爱,爱\n餐厅,饭店\n".as_bytes()).unwrap();
    rig.run::<LexiconSource>(&json!({"lexicon": "zh.csv", "license": "mine"}), &[], "words").unwrap();
    let params = json!({"language": "zh", "copies": 4, "apply": "one",
        "steps": [{"replace": {}}, {"insert": {}}, {"swap": {}}, {"delete": {}}]});
    let (record, copies) = run(&rig, &params, &[("data", &["rows"]), ("lexicon", &["words"])], "more").unwrap();
    assert!(copies.len() >= 8, "{}", copies.len());
    assert!(fact(&record, "copies changed by replace") != "0");
    for copy in &copies {
        assert!(!copy.text.contains(' '), "{}", copy.text);
        assert_eq!(copy.text.contains('不'), copy.parent == "r1", "{}", copy.text);
    }
}

/// A database of `WordNet` with one synset.
fn wordnet(dir: &Path) {
    std::fs::create_dir(dir).unwrap();
    let write = |name: &str, text: &str| write_atomic(&dir.join(name), text.as_bytes()).unwrap();
    for part in ["noun", "verb", "adj", "adv"] {
        write(&format!("index.{part}"), "  1 WordNet Release 3.0 Copyright\n");
        write(&format!("data.{part}"), "  1 WordNet Release 3.0 Copyright\n");
    }
    write("index.noun", "  1 WordNet Release 3.0 Copyright\nfilm n 1 1 @ 1 1 00000010\nmovie n 1 1 @ 1 1 00000010\n");
    write("data.noun", "00000010 10 n 03 film 0 movie 0 motion_picture 0 000 | entertainment\n");
    write("cntlist.rev", "film%1:10:00:: 1 14\nmovie%1:10:00:: 1 9\n");
}

#[test]
fn wordnet_is_a_lexicon_with_its_licence() {
    let rig = rig(&[("one film", "a"), ("two things", "b")]);
    wordnet(&rig.path("dict"));
    for (senses, words) in [("frequent", vec!["movie"]), ("all", vec!["movie", "motion picture"])] {
        let name = format!("lexicon-{senses}");
        let record = rig.run::<LexiconSource>(&json!({"lexicon": "dict", "senses": senses}), &[], &name).unwrap();
        assert_eq!(fact(&record, "words"), "2");
        let license = std::fs::read_to_string(rig.path(&name).join("LICENSE-WordNet.txt")).unwrap();
        assert_eq!(license, "WordNet Release 3.0 Copyright\n");
        let params = json!({"copies": 9, "steps": [{"replace": {"count": 1}}]});
        let (_, copies) = run(&rig, &params, &[("data", &["rows"]), ("lexicon", &[&name])], senses).unwrap();
        let mut found: Vec<&str> = copies.iter().filter_map(|copy| copy.text.strip_prefix("one ")).collect();
        found.sort_unstable_by_key(|word| word.len());
        assert_eq!(found, words);
    }
    std::fs::remove_file(rig.path("dict").join("cntlist.rev")).unwrap();
    let error = rig.run::<LexiconSource>(&json!({"lexicon": "dict"}), &[], "no").unwrap_err().to_string();
    assert!(error.contains("`dict`") && error.contains("senses: all"), "{error}");
}

#[test]
fn tokens_of_a_model_are_masked() {
    let rig = rig(&[("good films", "a"), ("bad films!", "b")]);
    masked_lm(&rig, "bert", Head::MaskedLm);
    let params = json!({"copies": 20, "steps": [{"mask": {"unit": "token", "count": 1}}]});
    let (_, copies) = run(&rig, &params, &[("data", &["rows"]), ("model", &["bert"])], "more").unwrap();
    let texts: std::collections::BTreeSet<&str> = copies.iter().map(|copy| copy.text.as_str()).collect();
    for expected in ["[MASK] films", "good [MASK]s", "good film[MASK]", "bad films[MASK]"] {
        assert!(texts.contains(expected), "{expected}: {texts:?}");
    }
}
