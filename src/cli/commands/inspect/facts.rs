//! The facts of a model, a line each.

use super::{TOKENS, Words};
use crate::{
    base::{plural, units},
    cli::{output::Style, table::Table},
    model::{Embedding, EncoderSpec, Head, Inspection, Positions, Quantized},
};

/// Names shown of a list that may be long.
const SHOWN: usize = 6;

pub(super) fn lines(style: Style, inspection: &Inspection, words: &Words) -> Vec<String> {
    let model = &inspection.model;
    let mut table = Table::new(&[]).indent(2);
    let mut fact = |name: &str, text: String| table.row([style.faint(name), text]);
    fact("family", inspection.family.to_owned());
    fact("head", head(&model.head));
    fact("layers", layers(&model.spec));
    fact("width", width(&model.spec));
    fact("vocabulary", vocabulary(&model.spec));
    for (at, file) in inspection.files.iter().enumerate() {
        let kinds: Vec<_> =
            file.types.iter().map(|kind| format!("{} {}", plural::count(kind.tensors, "tensor"), kind.name)).collect();
        let text = format!("{}, {}: {}", file.name, units::bytes(file.bytes), kinds.join(", "));
        fact(if at == 0 { "weights" } else { "" }, text);
    }
    fact("quantised", quantised(&model.quantized));
    fact("work", format!("{} MACs at {TOKENS} tokens", count(model.macs(TOKENS))));
    fact("tokenizer", tokenizer(inspection, words));
    fact("transformers", inspection.transformers.describe());
    for text in &inspection.transformers.cautions {
        fact("", text.clone());
    }
    for (at, note) in shown(&model.notes).into_iter().enumerate() {
        fact(if at == 0 { "notes" } else { "" }, note);
    }
    table.lines()
}

fn head(head: &Head) -> String {
    match head {
        Head::None => "none: hidden states only".to_owned(),
        Head::MaskedLm => "masked language model".to_owned(),
        Head::SequenceClassification { labels } => {
            let more = if labels.len() > SHOWN { ", …" } else { "" };
            let names = labels[..labels.len().min(SHOWN)].join(", ");
            format!("classifier of {}: {names}{more}", plural::count(labels.len(), "label"))
        }
    }
}

/// Neighbours that are alike are told once.
fn layers(spec: &EncoderSpec) -> String {
    let shape = |layer: usize| {
        let shape = spec.layers[layer];
        let heads = plural::count(shape.heads, "head");
        let window = shape.reach.map_or_else(String::new, |reach| format!(", window {}", 2 * reach));
        format!(
            "{heads} of {}, feed-forward {}{window}",
            spec.head_dim,
            units::thousands(shape.intermediate_size as u64)
        )
    };
    let kinds: Vec<String> = (0..spec.n_layers()).map(shape).collect();
    let mut texts = vec![if kinds.iter().all(|kind| *kind == kinds[0]) {
        format!("{}, each {}", spec.n_layers(), kinds[0])
    } else {
        let runs: Vec<String> = runs(&kinds).into_iter().map(|(ends, kind)| format!("{ends}: {kind}")).collect();
        format!("{}; {}", spec.n_layers(), runs.join("; "))
    }];
    if spec.feed_forwards > 1 {
        texts.push(format!("{} feed-forward nets a layer", spec.feed_forwards));
    }
    if let Some(bottleneck) = spec.bottleneck {
        texts.push(format!("bottlenecks of {}", bottleneck.size));
    }
    if spec.layer_groups.is_some() {
        texts.push(format!("weights of {}, shared", plural::count(spec.n_stored_layers(), "layer")));
    }
    texts.join("; ")
}

/// Where each run of equal neighbours is, from 0, and what it is of.
fn runs(kinds: &[String]) -> Vec<(String, &String)> {
    let mut runs: Vec<(usize, usize, &String)> = Vec::new();
    for (at, kind) in kinds.iter().enumerate() {
        match runs.last_mut() {
            Some((_, end, of)) if *of == kind => *end = at,
            _ => runs.push((at, at, kind)),
        }
    }
    let ends = |start: usize, end: usize| if start == end { start.to_string() } else { format!("{start}–{end}") };
    runs.into_iter().map(|(start, end, kind)| (ends(start, end), kind)).collect()
}

fn width(spec: &EncoderSpec) -> String {
    let size = spec.hidden_size;
    match spec.embedding {
        Embedding::Plain => size.to_string(),
        Embedding::Projected(narrow) => format!("{size}, embeddings {narrow}"),
        Embedding::Words { size: narrow, trigrams } => {
            let trigrams = if trigrams { ", with both neighbours" } else { "" };
            format!("{size}, embeddings of words {narrow}{trigrams}")
        }
    }
}

fn vocabulary(spec: &EncoderSpec) -> String {
    let count = |n: usize| units::thousands(n as u64);
    let positions = match spec.positions {
        Positions::NoTable => "rotary positions, at most",
        Positions::FromZero | Positions::AfterPadding(_) => "positions",
    };
    let types = match spec.type_vocab_size {
        0 => String::new(),
        n => format!(", {}", plural::count(n, "token type")),
    };
    format!("{} tokens, {positions} {}{types}", count(spec.vocab_size), count(spec.max_positions))
}

fn quantised(quantized: &Quantized) -> String {
    match quantized {
        Quantized::No => "no".to_owned(),
        Quantized::Int8 { embeddings, ignore } => {
            let tables = if *embeddings { "embeddings int8, too" } else { "embeddings f32" };
            let ignored = shown(ignore).join(", ");
            format!("int8 by channel, activations by token (compressed-tensors); {tables}; all but {ignored}")
        }
    }
}

fn tokenizer(inspection: &Inspection, words: &Words) -> String {
    match (words, words.fault(inspection)) {
        (Words::Missing(why), _) => why.clone(),
        (Words::Known { files, tokens, .. }, fault) => {
            let fault = fault.map_or_else(String::new, |fault| format!("; they do not belong together: {fault}"));
            let (known, of) =
                (units::thousands(*tokens as u64), units::thousands(inspection.model.spec.vocab_size as u64));
            format!("{files}, {known} tokens for {of} embeddings{fault}")
        }
    }
}

/// The first of a list, and how many more there are.
fn shown(texts: &[String]) -> Vec<String> {
    let mut first = texts[..texts.len().min(SHOWN)].to_vec();
    if texts.len() > SHOWN {
        first.push(format!("and {} more", texts.len() - SHOWN));
    }
    first
}

/// A large number with three digits.
fn count(n: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
    let value = n as f64;
    match n {
        0..1_000_000 => units::thousands(n),
        1_000_000..1_000_000_000 => format!("{:.3} million", value / 1e6),
        _ => format!("{:.3} billion", value / 1e9),
    }
}
