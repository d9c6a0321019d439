//! `profile`: tells what is in a dataset, and what was before.

mod shown;

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(super) use self::shown::shown;
use super::evaluate::write_scores;
use crate::{
    base::{fs, units},
    data::{Columns, DataError, RowSource, Split, Tokenizer},
    profile::{Lengths, Options, Profile},
    stage::{ArtifactKind, Better, Curve, Faults, Port, Progress, Stage, StageCtx, StageError, Unit},
};

/// The file beside the scores that holds all that was found.
pub(super) const PROFILE: &str = "profile.json";

/// Parameters of `profile`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Tokens of a row that models are to read: the share of longer rows is told (`cut.train`) and drawn. As many as the wired model
    /// takes where this is not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_length: Option<usize>,
}

/// See the file's first line.
pub(super) struct ProfileStage;

impl Stage for ProfileStage {
    const KIND: &'static str = "profile";
    const VERSION: u32 = 2;
    const ABOUT: &'static str =
        "tells what is in a dataset: lengths, labels, repeats within and across splits, languages, words";
    const INPUTS: &'static [Port] =
        &[Port::dataset("data"), Port::dataset("before").optional(), Port::model("model").optional()];
    const OUTPUT: ArtifactKind = ArtifactKind::Scores;
    type Params = Params;

    fn check(params: &Params, faults: &mut Faults) {
        if let Some(max_length) = params.max_length {
            faults.at_least("max_length", max_length, 3);
        }
    }

    fn check_wires(params: &Params, wired: &[&str], faults: &mut Faults) {
        if params.max_length.is_some() && !wired.contains(&"model") {
            faults
                .at("max_length", "no tokens are counted, since no model is wired")
                .help("wire one, for its tokenizer: `in: {data: …, model: …}`");
        }
    }

    fn run(params: &Params, ctx: &mut StageCtx<'_>) -> Result<(), StageError> {
        let model = ctx.optional("model").map(|model| model.dir.clone());
        let tokenizer = model.as_deref().map(Tokenizer::load).transpose()?;
        let positions = || model.as_deref().and_then(positions);
        let max_length = params.max_length.map(|most| most as u64).or_else(positions);
        let options = Options { tokenizer: tokenizer.as_ref(), max_length };
        let data = ctx.input("data")?.clone();
        let profile = look(ctx, &data.dir, options, &data.name)?;
        let before = match ctx.optional("before").cloned() {
            Some(before) => Some((look(ctx, &before.dir, options, &before.name)?, before.name)),
            None => None,
        };
        ctx.record.fact("dataset", &data.name);
        if let Some((_, name)) = &before {
            ctx.record.fact("before", name);
        }
        metrics(&profile, "", ctx);
        if let Some((before, _)) = &before {
            metrics(before, "before.", ctx);
        }
        tell(&profile, ctx);
        curves(&profile, ctx);
        let stored = Stored { data: data.name.clone(), profile, before };
        let json = serde_json::to_string_pretty(&stored)? + "\n";
        fs::write_atomic(&ctx.output.join(PROFILE), json.as_bytes())?;
        write_scores(ctx)
    }
}

/// What `profile.json` holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    /// The dataset.
    pub(super) data: String,
    /// What is in it.
    pub(super) profile: Profile,
    /// What was in the one before, and its name.
    pub(super) before: Option<(Profile, String)>,
}

fn look(ctx: &StageCtx<'_>, dir: &Path, options: Options<'_>, name: &str) -> Result<Profile, StageError> {
    let source = RowSource::open(dir, &Columns::default())?;
    let total = source.rows().unwrap_or_default();
    let mut watch = |done| {
        ctx.sink.progress(Progress { done, total, unit: "row", message: name.to_owned() });
        if ctx.cancel.is_cancelled() { Err(DataError::Content("stopped".to_owned())) } else { Ok(()) }
    };
    let profile = Profile::of(&source, options, &mut watch);
    ctx.check_cancelled()?;
    Ok(profile?)
}

/// Tokens that a model reads, by its `config.json`; none where that does not say it.
fn positions(dir: &Path) -> Option<u64> {
    let config: Value = serde_json::from_slice(&fs::read(&dir.join("config.json")).ok()?).ok()?;
    let number = |key: &str| config.get(key).and_then(Value::as_u64);
    let positions = number("max_position_embeddings").or_else(|| number("max_encoder_position_embeddings"))?;
    // RoBERTa and those after it number positions from behind the padding.
    let kind = config.get("model_type").and_then(Value::as_str).unwrap_or_default();
    let unused = if ["roberta", "xlm-roberta", "longformer"].contains(&kind) { 2 } else { 0 };
    positions.checked_sub(unused).filter(|positions| *positions > 0)
}

/// The numbers that gates ask for: of every split, and of all rows together.
fn metrics(profile: &Profile, prefix: &str, ctx: &mut StageCtx<'_>) {
    let mut push = |name: String, value: f64, unit: Unit, better: Better| {
        ctx.metric(format!("{prefix}{name}"), value, unit, better);
    };
    let words = Lengths::joined(profile.splits.iter().map(|split| &split.words));
    let characters = Lengths::joined(profile.splits.iter().map(|split| &split.characters));
    for (name, lengths) in [("words", words), ("characters", characters)] {
        push(format!("{name}.mean"), lengths.mean, Unit::Number, Better::Neither);
    }
    for split in &profile.splits {
        let at = &split.name;
        let count = |rows: u64| rows as f64;
        push(format!("rows.{at}"), count(split.rows), Unit::Count, Better::Neither);
        push(format!("duplicates.{at}"), count(split.repeats.duplicates), Unit::Count, Better::Lower);
        if *at != Split::Train.name() {
            push(format!("leaks.{at}"), count(split.repeats.leaks), Unit::Count, Better::Lower);
        }
        let mut measures = vec![("characters", &split.characters), ("words", &split.words)];
        measures.extend(split.tokens.as_ref().map(|tokens| ("tokens", &tokens.lengths)));
        for (name, lengths) in measures {
            push(format!("{name}.mean.{at}"), lengths.mean, Unit::Number, Better::Neither);
            push(format!("{name}.p50.{at}"), lengths.p50, Unit::Number, Better::Neither);
            push(format!("{name}.p95.{at}"), lengths.p95, Unit::Number, Better::Neither);
            push(format!("{name}.p99.{at}"), lengths.p99, Unit::Number, Better::Neither);
            push(format!("{name}.max.{at}"), count(lengths.max), Unit::Count, Better::Neither);
        }
        if let Some(tokens) = split.tokens.as_ref().filter(|tokens| tokens.max_length.is_some()) {
            let share = share(tokens.longer, tokens.lengths.rows);
            push(format!("cut.{at}"), share, Unit::Share, Better::Lower);
        }
        push(format!("vocabulary.{at}"), count(split.vocabulary.distinct), Unit::Count, Better::Neither);
        push(format!("type_token_ratio.{at}"), split.vocabulary.type_token_ratio, Unit::Number, Better::Neither);
        let odd = &split.odd;
        for (name, rows) in [
            ("empty", odd.empty),
            ("very_long", odd.very_long),
            ("replacement", odd.replacement),
            ("control", odd.control),
            ("nul", odd.nul),
        ] {
            push(format!("{name}.{at}"), count(rows), Unit::Count, Better::Lower);
        }
        if let Some((_, rows)) = split.languages.sure.first() {
            let share = share(*rows, split.languages.rows);
            push(format!("main_language.{at}"), share, Unit::Share, Better::Neither);
        }
        if let [_, _, ..] = split.labels.as_slice() {
            let most = split.labels.iter().map(|label| label.rows).max().unwrap_or_default();
            push(format!("largest_label.{at}"), share(most, split.rows), Unit::Share, Better::Neither);
        }
    }
}

fn share(part: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { part as f64 / of as f64 }
}

/// What a reader of the report wants to know, and must.
fn tell(profile: &Profile, ctx: &mut StageCtx<'_>) {
    for split in &profile.splits {
        let name = &split.name;
        let (lengths, rows) = (&split.words, units::thousands(split.rows));
        let (median, most) = (lengths.p50, units::thousands(lengths.max));
        ctx.record.fact(name, format!("{rows} rows of {median:.0} words (median), at most {most}"));
        let frequent: Vec<&str> = split.vocabulary.frequent.iter().take(10).map(|(word, _)| word.as_str()).collect();
        if !frequent.is_empty() {
            ctx.record.fact(format!("frequent words of {name}"), frequent.join(", "));
        }
        if split.repeats.leaks > 0 {
            let (leaks, of) = (units::thousands(split.repeats.leaks), &split.repeats.shared);
            let shared = of.iter().filter(|(_, rows)| *rows > 0);
            let shared: Vec<_> = shared.map(|(other, rows)| format!("`{other}` {}", units::thousands(*rows))).collect();
            ctx.record.warnings.push(format!(
                "`{name}`: {leaks} rows have a text that a split before it has ({}): what is measured there is partly memory",
                shared.join(", ")
            ));
        }
        if split.odd.replacement + split.odd.nul > 0 {
            let odd = units::thousands(split.odd.replacement.max(split.odd.nul));
            ctx.record.warnings.push(format!("`{name}`: {odd} rows have characters that no one wrote (U+FFFD or NUL)"));
        }
    }
    for note in &profile.notes {
        ctx.record.fact("note", note);
    }
}

/// Histograms: the share of a split's rows by length.
fn curves(profile: &Profile, ctx: &mut StageCtx<'_>) {
    for split in &profile.splits {
        let tokens = split.tokens.as_ref().map(|tokens| ("tokens", &tokens.lengths));
        for (name, lengths) in [("words", &split.words)].into_iter().chain(tokens) {
            let points = lengths.bins.iter().map(|bin| [bin.from as f64, share(bin.rows, lengths.rows)]);
            ctx.record.curves.push(Curve {
                name: format!("{name} of a row"),
                x: name.to_owned(),
                of: Some(split.name.clone()),
                is_log: false,
                points: points.collect(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::evaluate::rig::Rig, *};

    #[test]
    fn a_profile_is_left_with_numbers_for_gates() {
        let rig = Rig::new();
        let inputs: &[(&str, &[&str])] = &[("data", &["data"]), ("before", &["data"]), ("model", &["model"])];
        let record = rig.run::<ProfileStage>(&json!({"max_length": 6}), inputs, "profile").unwrap();
        let value = |name: &str| record.metric(name).unwrap_or_else(|| panic!("{name}")).value;
        assert_eq!((value("rows.train"), value("rows.validation"), value("rows.test")), (40.0, 20.0, 20.0));
        assert_eq!((value("words.max.train"), value("tokens.max.train")), (7.0, 9.0));
        assert_eq!(value("words.mean"), value("before.words.mean"));
        assert!(value("cut.train") > 0.3 && value("cut.train") < 0.6, "{}", value("cut.train"));
        assert!(record.metric("leaks.train").is_none() && record.metric("leaks.test").is_some());
        assert!(record.curves.iter().any(|curve| curve.name == "tokens of a row" && curve.of.as_deref() == Some("test")));
        let stored: Stored = serde_json::from_slice(&fs::read(&rig.path("profile").join(PROFILE)).unwrap()).unwrap();
        assert_eq!(stored.profile.split("train").unwrap().tokens.as_ref().unwrap().max_length, Some(6));
        assert_eq!(stored.before.unwrap().0, stored.profile);
        let again = rig.run::<ProfileStage>(&json!({"max_length": 6}), inputs, "again").unwrap();
        assert_eq!(again, record);
        let alone = rig.run::<ProfileStage>(&json!({}), &[("data", &["data"])], "alone").unwrap();
        assert!(alone.metric("tokens.mean.train").is_none() && alone.metric("cut.train").is_none());
        let found = rig.run::<ProfileStage>(&json!({}), inputs, "model's").unwrap();
        assert_eq!(found.metric("cut.train").unwrap().value, 0.0, "the model reads more");
        let error = rig.run::<ProfileStage>(&json!({"max_length": 6}), &[("data", &["data"])], "no").unwrap_err();
        assert!(error.to_string().contains("no model is wired"), "{error}");
    }
}
