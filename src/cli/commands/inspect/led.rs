//! What a LED is, an encoder and a decoder.

use serde_json::{Value, json};

use super::{Words, facts};
use crate::{
    base::{model_dir, plural, units},
    cli::{output::Style, table::Table},
    model::{EarlyStopping, Led, Writing},
};

/// What takes it.
const USES: &str = "`lmpipe summarize` and the stage `summarize` (`method: abstractive`); nothing else takes it";

pub(super) fn lines(style: Style, led: &Led, words: &Words, files: &model_dir::Weights) -> Vec<String> {
    let (encoder, decoder) = (&led.encoder.spec, &led.decoder);
    let number = |n: usize| units::thousands(n as u64);
    let mut table = Table::new(&[]).indent(2);
    let mut fact = |name: &str, text: String| table.row([style.faint(name), text]);
    fact("family", "led: an encoder and a decoder that writes".to_owned());
    for (at, line) in facts::layers(encoder).into_iter().enumerate() {
        fact(if at == 0 { "encoder" } else { "" }, line);
    }
    fact("", plural::count(encoder.max_positions, "position"));
    let (heads, dim) = (plural::count(decoder.heads, "head"), decoder.hidden_size / decoder.heads);
    let inner = number(decoder.intermediate_size);
    fact("decoder", format!("{}, each with {heads} of {dim}, feed-forward {inner}", decoder.layers));
    fact("", plural::count(decoder.max_positions, "position"));
    fact("width", decoder.hidden_size.to_string());
    fact("vocabulary", format!("{} tokens", number(decoder.vocab_size)));
    fact("parameters", number(led.n_parameters()));
    fact("weights", files.files.join(", "));
    for (at, line) in writing(&led.writing).into_iter().enumerate() {
        fact(if at == 0 { "writing" } else { "" }, line);
    }
    fact(
        "tokenizer",
        match words {
            Words::Missing(why) => why.clone(),
            Words::Known { files, tokens, .. } => {
                let fault = if *tokens > decoder.vocab_size { "; they do not belong together" } else { "" };
                format!("{files}, {} tokens for {} embeddings{fault}", number(*tokens), number(decoder.vocab_size))
            }
        },
    );
    fact("taken by", USES.to_owned());
    for (at, note) in led.notes.iter().enumerate() {
        fact(if at == 0 { "notes" } else { "" }, note.clone());
    }
    table.lines()
}

/// Special tokens, what the checkpoint proposes, and what of it is not followed.
fn writing(writing: &Writing) -> Vec<String> {
    let ids = |ids: &[u32]| ids.iter().map(u32::to_string).collect::<Vec<_>>().join(" or ");
    let ends = if writing.ends.is_empty() {
        "no token ends it".to_owned()
    } else {
        format!("ended by {}", ids(&writing.ends))
    };
    let mut lines = vec![format!("begun by token {}, {ends}", writing.start)];
    let proposed: Vec<String> = [
        writing.num_beams.map(|it| format!("num_beams {it}")),
        writing.length_penalty.map(|it| format!("length_penalty {it}")),
        writing.early_stopping.map(|it| format!("early_stopping {}", stopping(it))),
        writing.no_repeat_ngram_size.map(|it| format!("no_repeat_ngram_size {it}")),
        writing.min_length.map(|it| format!("min_length {it}")),
        writing.max_length.map(|it| format!("max_length {it}")),
        writing.forced_first.map(|it| format!("forced_bos_token_id {it}")),
        (!writing.forced_last.is_empty()).then(|| format!("forced_eos_token_id {}", ids(&writing.forced_last))),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !proposed.is_empty() {
        lines.push(format!("proposes {}", proposed.join(", ")));
    }
    if !writing.ignored.is_empty() {
        lines.push(format!("not followed: {}", writing.ignored.join(", ")));
    }
    lines
}

fn stopping(stopping: EarlyStopping) -> Value {
    match stopping {
        EarlyStopping::Heuristic => false.into(),
        EarlyStopping::AtOnce => true.into(),
        EarlyStopping::Never => "never".into(),
    }
}

pub(super) fn json(led: &Led, words: &Words, files: &model_dir::Weights) -> Value {
    let (encoder, decoder, writing) = (&led.encoder.spec, &led.decoder, &led.writing);
    let windows: Vec<_> = encoder.layers.iter().map(|layer| 2 * layer.reach.unwrap_or(encoder.max_positions)).collect();
    let tokens = if let Words::Known { tokens, .. } = words { Some(tokens) } else { None };
    json!({
        "version": 1,
        "family": "led",
        "hidden_size": decoder.hidden_size,
        "vocab_size": decoder.vocab_size,
        "encoder": {
            "layers": encoder.n_layers(),
            "heads": encoder.layers.iter().map(|layer| layer.heads).collect::<Vec<_>>(),
            "intermediate_sizes": encoder.layers.iter().map(|layer| layer.intermediate_size).collect::<Vec<_>>(),
            "windows": windows,
            "max_positions": encoder.max_positions,
        },
        "decoder": {
            "layers": decoder.layers,
            "heads": decoder.heads,
            "intermediate_size": decoder.intermediate_size,
            "max_positions": decoder.max_positions,
        },
        "parameters": led.n_parameters(),
        "weights": {"files": files.files},
        "writing": {
            "decoder_start_token_id": writing.start,
            "eos_token_id": writing.ends,
            "forced_bos_token_id": writing.forced_first,
            "forced_eos_token_id": writing.forced_last,
            "num_beams": writing.num_beams,
            "length_penalty": writing.length_penalty,
            "early_stopping": writing.early_stopping.map(stopping),
            "no_repeat_ngram_size": writing.no_repeat_ngram_size,
            "min_length": writing.min_length,
            "max_length": writing.max_length,
            "ignored": writing.ignored,
        },
        "tokenizer": {"tokens": tokens},
        "notes": led.notes,
    })
}
