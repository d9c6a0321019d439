//! Which language a text is in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Failure, Measured, Prepared, RowCondition, of_texts, share_fault};
use crate::{
    base::suggest,
    text::{TextFault, identifiable, identify},
};

/// Languages that a text may be in. A text of a few words is hard to tell: judge short texts by `length` instead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Language {
    /// The languages, by their codes: `[en, zh]`.
    is: Vec<String>,
    /// How sure that must be, from 0 to 1; a text of which it is less sure goes.
    #[serde(default = "half")]
    confidence: f64,
}

fn half() -> f64 {
    0.5
}

impl RowCondition for Language {
    fn fault(&self) -> Option<TextFault> {
        if self.is.is_empty() {
            let help = Some("for example `language: {is: [en]}`".to_owned());
            return Some(TextFault {
                path: "is".to_owned(),
                message: "no language, so no text is kept".to_owned(),
                help,
            });
        }
        let codes = identifiable();
        let unknown = self.is.iter().enumerate().find(|(_, code)| !codes.contains(&code.as_str()));
        if let Some((at, code)) = unknown {
            return Some(TextFault {
                path: format!("is[{at}]"),
                message: format!("`{code}` is no language that can be identified"),
                help: suggest::help(code, &codes),
            });
        }
        share_fault("confidence", self.confidence)
    }

    fn prepare(&self) -> Prepared {
        let Self { is, confidence: least } = self.clone();
        of_texts(move |text| {
            let measured = match identify(text) {
                Some((code, confidence)) if confidence >= least && is.iter().any(|is| is == code) => return None,
                Some((code, confidence)) => format!("{code} {confidence:.2}"),
                None => "none".to_owned(),
            };
            Some(Failure { rule: "language", measured: Measured::Text(measured) })
        })
    }
}
