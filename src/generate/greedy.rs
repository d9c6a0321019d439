//! Greedy search: the likeliest token, one after the other.

use super::{NextToken, Settings, rules};
use crate::{base::argmax::argmax, model::ModelError};

/// Writes until a text ends or is as long as it may be.
pub(super) fn search(next: &mut dyn NextToken, settings: &Settings) -> Result<Vec<u32>, ModelError> {
    let mut tokens = vec![settings.start];
    let mut logits = Vec::new();
    while tokens.len() < settings.max_length {
        next.step(&[0], &tokens[tokens.len() - 1..], &mut logits)?;
        rules::apply(settings, &tokens, &mut logits);
        let token = argmax(&logits) as u32;
        tokens.push(token);
        if settings.ends.contains(&token) {
            break;
        }
    }
    Ok(tokens)
}
