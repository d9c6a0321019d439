//! `summarize`: shortens long texts to some of their sentences, and scores that beside reference summaries.

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::evaluate::{ScoredSplit, write_scores};
use crate::{
    base::{device::DeviceId, plural, units},
    data::{self, Column, Dataset, Tokenizer},
    eval::{self, Rouge, RougeScores, SentenceScorer},
    generate::{GenerateError, Generation, Summarizer},
    model::{self, Model},
    stage::{ArtifactKind, Better, Faults, Metric, Port, Progress, Stage, StageCtx, StageError, Unit},
    text::{
        self, perturb,
        summary::{self, Blocking, Budget, Document, Idf, Links, Words},
    },
};

/// Documents that are worked on between two looks at the stop signal.
const CHUNK: usize = 64;

/// Parameters of `summarize`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The column with a summary that somebody wrote.
    reference: String,
    /// How sentences are chosen.
    #[serde(default)]
    method: Method,
    /// How long a summary may be: `{words: 100}` or `{sentences: 3}`.
    #[serde(default)]
    budget: Length,
    /// Whether sentences are passed over that share three words in a row with what has been chosen (Paulus et al., 2018).
    #[serde(default = "yes")]
    block_trigrams: bool,
    /// The rows that are summarised. There is no way to score on the training split.
    #[serde(default)]
    split: ScoredSplit,
    /// Tokens of a text that a model reads; as many as it takes where this is not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_length: Option<usize>,
    /// How `method: abstractive` writes; what is not set is as the model proposes.
    #[serde(default, skip_serializing_if = "is_default")]
    generation: Generation,
    /// The language of stop words and stems, by its code.
    #[serde(default = "english")]
    language: String,
    /// Whether ROUGE compares stems, as papers do. Like rouge-score, it sees Latin letters and digits alone.
    #[serde(default = "yes")]
    stem: bool,
}

fn yes() -> bool {
    true
}

fn is_default(generation: &Generation) -> bool {
    *generation == Generation::default()
}

fn english() -> String {
    "en".to_owned()
}

/// How sentences are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Method {
    /// The first ones: what any other method has to beat.
    Lead,
    /// By lot.
    Random,
    /// Those that are most like the others, words weighed by how rare they are in the training split (Erkan and Radev, 2004).
    #[default]
    LexRank,
    /// Those that share most words with the others (Mihalcea and Tarau, 2004).
    TextRank,
    /// Those that a model scores highest: one that `finetune` trained on `{extract: …}`, wired to `model`.
    Model,
    /// None: a LED writes a summary of its own, at the length of `generation`; one that is wired to `model` (Beltagy et al., 2020,
    /// section 7). `budget` is then of the first sentences that it is compared with.
    Abstractive,
    /// Those that come closest to the reference, one after the other: more than any method can know (Nallapati et al., 2017).
    Oracle,
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Random => "random",
            Self::LexRank => "lex_rank",
            Self::TextRank => "text_rank",
            Self::Model => "model",
            Self::Abstractive => "abstractive",
            Self::Oracle => "oracle",
        }
    }
}

/// The length of a summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Length {
    /// At most so many words.
    Words(usize),
    /// At most so many sentences.
    Sentences(usize),
}

impl Default for Length {
    fn default() -> Self {
        Self::Words(100)
    }
}

impl Length {
    fn budget(self) -> Budget {
        match self {
            Self::Words(most) => Budget::Words(most),
            Self::Sentences(most) => Budget::Sentences(most),
        }
    }

    fn most(self) -> usize {
        match self {
            Self::Words(most) | Self::Sentences(most) => most,
        }
    }
}

pub(super) struct Summarize;

impl Stage for Summarize {
    const KIND: &'static str = "summarize";
    const VERSION: u32 = 1;
    const ABOUT: &'static str = "shortens long texts to some of their sentences, or writes summaries with a LED, scored by ROUGE";
    const INPUTS: &'static [Port] = &[Port::dataset("data"), Port::model("model").optional()];
    const OUTPUT: ArtifactKind = ArtifactKind::Scores;
    const COMPUTES: bool = true;
    type Params = Params;

    fn check(params: &Params, faults: &mut Faults) {
        faults.at_least("budget", params.budget.most(), 1);
        if let Some(found) = perturb::stop_word_fault(&params.language) {
            faults.at("language", found.message).help = found.help;
        }
        if let Some((name, what)) = params.generation.fault() {
            faults.at(format!("generation.{name}"), what);
        }
        if params.method != Method::Abstractive && !is_default(&params.generation) {
            faults.at("generation", "it is for `method: abstractive`, which writes").help("`method: abstractive`");
        }
        if let Some(max_length) = params.max_length {
            faults.at_least("max_length", max_length, 3);
        }
    }

    fn check_wires(params: &Params, wired: &[&str], faults: &mut Faults) {
        match (params.method, wired.contains(&"model")) {
            (Method::Model, false) => {
                faults
                    .at("method", "`method: model` needs a model that scores sentences")
                    .help("wire one that `finetune` trained: `in: {data: …, model: …}`");
            }
            (Method::Abstractive, false) => {
                faults.at("method", "`method: abstractive` needs a LED").help("wire one: `in: {data: …, model: …}`");
            }
            (method, true) if !matches!(method, Method::Model | Method::Abstractive) => {
                let message = format!("`method: {}` asks no model, but one is wired", method.name());
                faults.at("method", message).help("`method: model`");
            }
            _ => {}
        }
    }

    fn run(params: &Params, ctx: &mut StageCtx<'_>) -> Result<(), StageError> {
        let (split, split_name) = params.split.split();
        let data = ctx.input("data")?.clone();
        let dataset = Dataset::open(&data.dir)?;
        let rows = dataset.rows(split)?;
        if rows.texts.is_empty() {
            return Err(StageError::msg(format!("the {split_name} split of `{}` has no rows", data.name)));
        }
        let references = dataset.texts(split, &params.reference)?;
        let scorer = if params.method == Method::Model { Some(scorer(params, ctx)?) } else { None };
        let writer = if params.method == Method::Abstractive { Some(writer(params, ctx)?) } else { None };
        let summariser = Summariser { params, words: Words::of(&params.language), idf: idf(params, &dataset)?, seed: ctx.seed };

        let numbers: Vec<usize> = (0..rows.texts.len()).collect();
        let mut summaries: Vec<Summary> = Vec::with_capacity(numbers.len());
        // A model takes its time over a text.
        for chunk in numbers.chunks(if scorer.is_some() || writer.is_some() { 8 } else { CHUNK }) {
            ctx.check_cancelled()?;
            let (done, total) = (summaries.len() as u64, numbers.len() as u64);
            ctx.sink.progress(Progress { done, total, unit: "text", message: params.method.name().to_owned() });
            // A model has all threads for each text.
            let scores = match &scorer {
                Some(scorer) => score(scorer, ctx, chunk.iter().map(|&row| rows.texts[row].as_str()))?,
                None => vec![Vec::new(); chunk.len()],
            };
            let written = match &writer {
                Some(writer) => write(writer, params, ctx, chunk.iter().map(|&row| rows.texts[row].as_str()))?,
                None => vec![None; chunk.len()],
            };
            summaries.par_extend(chunk.par_iter().zip(&scores).zip(written).map(|((&row, scores), written)| {
                summariser.run(row, &rows.texts[row], scores, written.as_deref(), &references[row])
            }));
        }
        report(params, &summaries, ctx);
        match ctx.optional("model") {
            Some(model) => {
                let name = model.name.clone();
                ctx.record.fact("model", name);
            }
            None => ctx.record.fact("model", params.method.name()),
        }
        ctx.record.fact("dataset", &data.name);
        ctx.record.fact("split", split_name);
        let columns = vec![
            ("id", Column::Texts(rows.ids)),
            ("reference", Column::Texts(references)),
            ("lead", Column::Texts(summaries.iter().map(|it| it.lead.clone()).collect())),
            ("summary", Column::Texts(summaries.iter().map(|it| it.text.clone()).collect())),
        ];
        data::write_table(&ctx.output.join("summaries.arrow"), columns)?;
        write_scores(ctx)
    }
}

/// What scores sentences.
fn scorer(params: &Params, ctx: &StageCtx<'_>) -> Result<SentenceScorer, StageError> {
    let artifact = ctx.input("model")?;
    let model = Model::load(&artifact.dir, &model::candle_device(ctx.lease.device)?)?;
    let tokenizer = Tokenizer::for_model(&artifact.dir, model.spec.vocab_size)?;
    Ok(SentenceScorer::new(&artifact.name, model, tokenizer, params.max_length)?)
}

/// What writes.
fn writer(params: &Params, ctx: &mut StageCtx<'_>) -> Result<Summarizer, StageError> {
    if ctx.lease.device != DeviceId::Cpu {
        return Err(StageError::msg(format!("a LED writes on `cpu` only, not on `{}`", ctx.lease.device)));
    }
    let artifact = ctx.input("model")?.clone();
    let failed = |why: GenerateError| StageError::msg(format!("cannot summarise with `{}`: {why}", artifact.name));
    let summarizer = Summarizer::load(&artifact.dir).map_err(failed)?;
    let settings = summarizer.settings(&params.generation).map_err(failed)?;
    ctx.record.warnings.extend(summarizer.notes.iter().cloned());
    let beams = plural::count(settings.num_beams, "beam");
    ctx.record.fact("writing", format!("{beams}, {} to {} tokens", settings.min_length.max(1), settings.max_length));
    Ok(summarizer)
}

/// Summaries that a model writes, one after the other: all threads work on each.
fn write<'a>(
    writer: &Summarizer,
    params: &Params,
    ctx: &StageCtx<'_>,
    texts: impl Iterator<Item = &'a str>,
) -> Result<Vec<Option<String>>, StageError> {
    let written = texts.map(|text| {
        ctx.check_cancelled()?;
        let summary = writer.summarize(text, &params.generation);
        summary.map(Some).map_err(|why| StageError::msg(why.to_string()))
    });
    written.collect()
}

/// The scores of the sentences of texts.
fn score<'a>(
    scorer: &SentenceScorer,
    ctx: &StageCtx<'_>,
    texts: impl Iterator<Item = &'a str>,
) -> Result<Vec<Vec<f64>>, StageError> {
    let scores = texts.map(|text| {
        ctx.check_cancelled()?;
        Ok(scorer.scores(&text::sentences(text))?)
    });
    scores.collect()
}

/// How rare words are over the training split, where there is one and the method asks.
fn idf(params: &Params, dataset: &Dataset) -> Result<Option<Idf>, StageError> {
    if params.method != Method::LexRank || !dataset.splits.contains_key(&data::Split::Train) {
        return Ok(None);
    }
    let words = Words::of(&params.language);
    let rows = dataset.rows(data::Split::Train)?;
    let texts: Vec<Vec<String>> = rows.texts.par_iter().map(|text| words.content(text)).collect();
    let mut idf = Idf::default();
    for text in &texts {
        idf.add(text.iter().map(String::as_str));
    }
    Ok(Some(idf))
}

/// Chooses the sentences of texts; what it makes of one depends on the text, its number and the seed alone.
struct Summariser<'a> {
    params: &'a Params,
    words: Words,
    idf: Option<Idf>,
    seed: u64,
}

/// A summary, a sentence a line, and its scores.
struct Summary {
    text: String,
    scores: RougeScores,
    /// What the first sentences say, and their scores.
    lead: String,
    of_lead: RougeScores,
}

impl Summariser<'_> {
    /// `scores` are those of a model, where one is asked, and `written` what one wrote.
    fn run(&self, row: usize, text: &str, scores: &[f64], written: Option<&str>, reference: &str) -> Summary {
        let Params { method, budget, block_trigrams, stem, .. } = *self.params;
        let budget = budget.budget();
        let sentences = text::sentences(text);
        let whole: Vec<Vec<String>> = sentences.iter().map(|sentence| self.words.all(sentence)).collect();
        let whole = Document::new(&whole);
        let lead = summary::lead(&whole, budget);
        let content = || {
            let content: Vec<_> = sentences.iter().map(|sentence| self.words.content(sentence)).collect();
            Document::new(&content)
        };
        let blocking = if block_trigrams { Blocking::Trigrams } else { Blocking::Off };
        let best = |scores: &[f64]| summary::select(scores, &whole, budget, blocking);
        let chosen = match method {
            // None of them is chosen of what is written.
            Method::Lead | Method::Abstractive => lead.clone(),
            Method::Random => best(&summary::random(&whole, self.seed, row as u64)),
            Method::Model => best(scores),
            Method::TextRank => best(&summary::text_rank(&content())),
            Method::LexRank => {
                let content = content();
                let own = || Idf::of_sentences(&content);
                let idf = self.idf.as_ref().map_or_else(|| std::borrow::Cow::Owned(own()), std::borrow::Cow::Borrowed);
                best(&summary::lex_rank(&content, &idf, Links::Above(summary::PAPER_THRESHOLD)))
            }
            Method::Oracle => {
                let most = if let Length::Sentences(most) = self.params.budget { most } else { sentences.len() };
                summary::oracle(&whole, &self.words.all(reference), most)
            }
        };
        // An oracle may find nothing in common; some sentence is better than none.
        let chosen = if chosen.is_empty() { lead.clone() } else { chosen };
        let joined = |chosen: &[usize]| {
            let line = |at: &usize| sentences[*at].split_whitespace().collect::<Vec<_>>().join(" ");
            chosen.iter().map(line).collect::<Vec<_>>().join("\n")
        };
        let lines = |text: &str| {
            let line = |sentence: &&str| sentence.split_whitespace().collect::<Vec<_>>().join(" ");
            text::sentences(text).iter().map(line).collect::<Vec<_>>().join("\n")
        };
        let (text, lead) = (written.map_or_else(|| joined(&chosen), lines), joined(&lead));
        let (rouge, reference) = (Rouge { stem }, lines(reference));
        Summary { scores: rouge.score(&reference, &text), of_lead: rouge.score(&reference, &lead), text, lead }
    }
}

/// The means over the texts with their intervals, and how far they are from those of the first sentences.
fn report(params: &Params, summaries: &[Summary], ctx: &mut StageCtx<'_>) {
    let mut push = |name: String, values: &[f64]| {
        let [low, high] = eval::bootstrap_mean(values, ctx.seed);
        let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
        ctx.record.metrics.push(Metric::new(name, mean, Unit::Share, Better::Higher).with_interval(low, high));
    };
    let names: Vec<&str> = RougeScores::default().named().iter().map(|(name, _)| *name).collect();
    for (at, name) in names.iter().enumerate() {
        let f1 = |scores: RougeScores| scores.named()[at].1.f1;
        push((*name).to_owned(), &summaries.iter().map(|it| f1(it.scores)).collect::<Vec<_>>());
    }
    if params.method != Method::Lead {
        for (at, name) in names.iter().enumerate() {
            let f1 = |scores: RougeScores| scores.named()[at].1.f1;
            // On the same texts, so that what is hard for both does not widen the interval.
            let differences: Vec<f64> = summaries.iter().map(|it| f1(it.scores) - f1(it.of_lead)).collect();
            push(format!("{name}_vs_lead"), &differences);
        }
    }
    let words = |texts: &mut dyn Iterator<Item = &str>| texts.map(text::count_words).sum::<usize>() as f64;
    let mean = words(&mut summaries.iter().map(|it| it.text.as_str())) / summaries.len().max(1) as f64;
    ctx.metric("words", mean, Unit::Number, Better::Neither);
    ctx.metric("rows", summaries.len() as f64, Unit::Count, Better::Neither);
    let stems = if params.stem { "F1 over stems" } else { "F1" };
    ctx.record.fact("ROUGE", stems);
    ctx.record.fact("summaries", format!("{} of {:.0} words", units::thousands(summaries.len() as u64), mean));
    ctx.record.fact("interval", "95 % percentile bootstrap, 2000 resamples of the rows");
    let empty = summaries.iter().filter(|it| it.text.is_empty()).count();
    if empty > 0 {
        ctx.record.warnings.push(format!("{} had no sentence to choose", plural::count(empty, "text")));
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use serde_json::json;

    use super::{
        super::{evaluate::rig::Rig, finetune::Finetune},
        *,
    };
    use crate::{
        base::fs::write_atomic,
        data::{Import, Roles, read_texts},
    };

    /// Texts whose third sentence is the reference, but for one that is empty and one of one word.
    fn dataset(rig: &Rig) {
        let mut csv = "text,gist,split\n".to_owned();
        for row in 0..24 {
            let split = ["train", "test"][row % 2];
            let gist = format!("routers of kind {row} forward packets by labels");
            let text = match row {
                1 => "x".to_owned(),
                _ => format!("Nothing is said here. Some words follow. Now: {gist}! Labels are short. The end of it."),
            };
            let _ = writeln!(csv, "\"{text}\",\"{gist}\",{split}");
        }
        let file = rig.path("docs.csv");
        write_atomic(&file, csv.as_bytes()).unwrap();
        let import = Import::by_column(Roles { text: "text".into(), pair: None, label: None, id: None }, "split");
        let (dataset, _) = import.read(&file, "docs").unwrap();
        std::fs::create_dir(rig.path("docs")).unwrap();
        dataset.write(&rig.path("docs")).unwrap();
    }

    #[test]
    fn every_method_summarises() {
        let rig = Rig::new();
        dataset(&rig);
        let mut found = Vec::new();
        for method in ["lead", "random", "lex_rank", "text_rank", "oracle"] {
            let params = json!({"reference": "gist", "method": method, "budget": {"sentences": 1}});
            let record = rig.run::<Summarize>(&params, &[("data", &["docs"])], method).unwrap();
            let value = |name: &str| record.metric(name).unwrap().value;
            assert_eq!(value("rows"), 12.0);
            assert_eq!(record.metric("rouge1_vs_lead").is_some(), method != "lead");
            let [summaries] = read_texts(&rig.path(method).join("summaries.arrow"), ["summary"]).unwrap();
            assert_eq!(summaries[0], "x");
            assert!(summaries.iter().all(|summary| !summary.contains('\n')));
            found.push(value("rouge1"));
        }
        assert_eq!(found.iter().copied().fold(0.0, f64::max), found[4], "the oracle is the best: {found:?}");
        assert!(found[4] > 0.8 && found[0] < 0.1, "{found:?}");
    }

    #[test]
    fn a_model_learns_which_sentences_say_most() {
        let rig = Rig::new();
        dataset(&rig);
        let training = json!({
            "task": {"extract": {"reference": "gist"}}, "epochs": 30, "batch_size": 4, "learning_rate": 2e-3, "max_length": 64,
        });
        let record = rig.run::<Finetune>(&training, &[("model", &["model"]), ("data", &["docs"])], "scorer").unwrap();
        assert!(record.metric("best_epoch").is_some());
        let params = json!({"reference": "gist", "method": "model", "budget": {"sentences": 1}});
        let record = rig.run::<Summarize>(&params, &[("data", &["docs"]), ("model", &["scorer"])], "learned").unwrap();
        let value = |name: &str| record.metric(name).unwrap().value;
        assert!(value("rouge1") > 0.6 && value("rouge1_vs_lead") > 0.5, "{} {}", value("rouge1"), value("rouge1_vs_lead"));
        let told = |params, model: &str| {
            let wires: [(&'static str, &[&str]); 2] = [("data", &["docs"]), ("model", &[model])];
            rig.run::<Summarize>(&params, &wires, "no").unwrap_err().to_string()
        };
        let error = told(json!({"reference": "gist", "method": "model"}), "model");
        assert!(error.contains("does not score sentences; train one"), "{error}");
        let error = told(json!({"reference": "gist", "method": "model", "max_length": 999}), "scorer");
        assert!(error.contains("takes 64 tokens"), "{error}");
    }

    #[test]
    fn a_led_writes() {
        let rig = Rig::new();
        dataset(&rig);
        std::fs::create_dir(rig.path("led")).unwrap();
        for file in std::fs::read_dir("tests/data/led/conditional").unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), rig.path("led").join(file.file_name())).unwrap();
        }
        let inputs: [(&'static str, &[&str]); 2] = [("data", &["docs"]), ("model", &["led"])];
        let generation = json!({"num_beams": 2, "max_length": 12, "early_stopping": "never"});
        let params = json!({"reference": "gist", "method": "abstractive", "generation": generation});
        let record = rig.run::<Summarize>(&params, &inputs, "out").unwrap();
        assert!(record.metric("rouge1").is_some() && record.metric("rouge1_vs_lead").is_some());
        let [summaries, lead] = read_texts(&rig.path("out").join("summaries.arrow"), ["summary", "lead"]).unwrap();
        assert!(summaries.len() == 12 && summaries != lead && summaries[1].len() < 40, "{summaries:?}");
        let told = |params, inputs: &[(&'static str, &[&str])]| {
            rig.run::<Summarize>(&params, inputs, "again").unwrap_err().to_string()
        };
        let long = json!({"reference": "gist", "method": "abstractive", "generation": {"max_length": 40}});
        assert!(told(long, &inputs).contains("`max_length` is 40, but the decoder has positions for 33 tokens"));
        let other = [("data", &["docs"][..]), ("model", &["model"])];
        let found = told(params.clone(), &other);
        assert!(found.contains("cannot summarise with `model`") && found.contains("what writes texts is a `led`"), "{found}");
        let scores = json!({"reference": "gist", "method": "model"});
        assert!(told(scores, &inputs).contains("the model is a LED"));
        let misplaced = json!({"reference": "gist", "method": "lead", "generation": generation});
        assert!(told(misplaced, &[("data", &["docs"])]).contains("it is for `method: abstractive`"));
        let none = json!({"reference": "gist", "method": "abstractive", "generation": {"num_beams": 0}});
        assert!(told(none, &inputs).contains("`num_beams` must be 1 to 64, not 0"));
    }

    #[test]
    fn what_cannot_be_is_told() {
        let rig = Rig::new();
        dataset(&rig);
        let told = |params| rig.run::<Summarize>(&params, &[("data", &["docs"])], "out").unwrap_err().to_string();
        assert!(told(json!({"reference": "abstract"})).contains("`abstract`"));
        assert!(told(json!({"reference": "gist", "budget": {"words": 0}})).contains("budget"));
        assert!(told(json!({"reference": "gist", "language": "xx"})).contains("no stop words"));
    }
}
