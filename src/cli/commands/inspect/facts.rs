//! The facts of a model, a line each.

use super::{TOKENS, Words};
use crate::{
    base::{plural, units},
    cli::{output::Style, table::Table},
    model::{Embedding, EncoderSpec, Head, Inspection, Positions, Quantized, StoredType},
};

/// Names shown of a list that may be long.
const SHOWN: usize = 6;

pub(super) fn lines(style: Style, inspection: &Inspection, words: &Words) -> Vec<String> {
    let model = &inspection.model;
    let mut table = Table::new(&[]).indent(2);
    let mut fact = |name: &str, text: String| table.row([style.faint(name), text]);
    fact("family", inspection.family.to_owned());
    fact("head", head(&model.head));
    for (at, line) in layers(&model.spec).into_iter().enumerate() {
        fact(if at == 0 { "layers" } else { "" }, line);
    }
    fact("width", width(&model.spec));
    fact("vocabulary", vocabulary(&model.spec));
    for (at, file) in inspection.files.iter().enumerate() {
        let kind = |kind: &StoredType| plural::count(kind.tensors, &format!("{} tensor", kind.name));
        let kinds: Vec<_> = file.types.iter().map(kind).collect();
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
        Head::SequenceClassification { labels } | Head::TokenClassification { labels } => {
            let of = if matches!(head, Head::TokenClassification { .. }) { "of tokens, " } else { "of " };
            let more = if labels.len() > SHOWN { ", …" } else { "" };
            let names = labels[..labels.len().min(SHOWN)].join(", ");
            format!("classifier {of}{}: {names}{more}", plural::count(labels.len(), "label"))
        }
    }
}

/// Layers that are alike are told once.
pub(super) fn layers(spec: &EncoderSpec) -> Vec<String> {
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
    let mut kinds: Vec<(String, Vec<usize>)> = Vec::new();
    for layer in 0..spec.n_layers() {
        let shape = shape(layer);
        match kinds.iter_mut().find(|(kind, _)| *kind == shape) {
            Some((_, layers)) => layers.push(layer),
            None => kinds.push((shape, vec![layer])),
        }
    }
    let mut first = match &kinds[..] {
        [(kind, _)] => format!("{}, each with {kind}", spec.n_layers()),
        _ => spec.n_layers().to_string(),
    };
    if spec.feed_forwards > 1 {
        first = format!("{first}, {} feed-forward nets a layer", spec.feed_forwards);
    }
    if let Some(bottleneck) = spec.bottleneck {
        first = format!("{first}, bottlenecks of {}", bottleneck.size);
    }
    if spec.layer_groups.is_some() {
        first = format!("{first}, with the weights of {}", plural::count(spec.n_stored_layers(), "layer"));
    }
    let mut lines = vec![first];
    if kinds.len() > 1 {
        lines.extend(kinds.iter().map(|(kind, layers)| format!("{}: {kind}", ranges(layers))));
    }
    lines
}

/// Ascending numbers: `0, 2–4`.
fn ranges(numbers: &[usize]) -> String {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for &number in numbers {
        match ranges.last_mut() {
            Some((_, end)) if *end + 1 == number => *end = number,
            _ => ranges.push((number, number)),
        }
    }
    let text = |(start, end): (usize, usize)| if start == end { start.to_string() } else { format!("{start}–{end}") };
    ranges.into_iter().map(text).collect::<Vec<_>>().join(", ")
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
        Positions::NoTable => "rotary positions at most",
        Positions::FromZero | Positions::AfterPadding(_) => "positions",
    };
    let types = match spec.type_vocab_size {
        0 => String::new(),
        n => format!(", {}", plural::count(n, "token type")),
    };
    format!("{} tokens, {} {positions}{types}", count(spec.vocab_size), count(spec.max_positions))
}

fn quantised(quantized: &Quantized) -> String {
    match quantized {
        Quantized::No => "no".to_owned(),
        Quantized::Int8 { embeddings, ignore } => {
            let tables = if *embeddings { "embeddings int8, too" } else { "embeddings f32" };
            let ignored = shown(ignore).join(", ");
            format!("int8 by channel, activations by token (compressed-tensors); {tables}; all but {ignored}")
        }
        Quantized::WeightOnly { width, embeddings, ignore } => {
            let kind = quantized.weights();
            let by = width.group_size.map_or_else(|| "channel".to_owned(), |size| format!("{size} weights"));
            let tables = if *embeddings { format!("embeddings {kind}, too") } else { "embeddings f32".to_owned() };
            let ignored = shown(ignore).join(", ");
            format!("{kind} by {by}, computed in f32 (compressed-tensors); {tables}; all but {ignored}")
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
