//! Letters that are repeated for effect.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Prepared, TextOperation};
use crate::text::TextFault;

/// How often a letter may stand in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Repeats {
    /// The most times; 2 leaves `good` alone.
    #[serde(default = "two")]
    most: usize,
}

fn two() -> usize {
    2
}

impl TextOperation for Repeats {
    fn fault(&self) -> Option<TextFault> {
        (self.most == 0).then(|| TextFault {
            path: "most".to_owned(),
            message: "0 leaves no letter".to_owned(),
            help: Some("2 leaves `good` as it is".to_owned()),
        })
    }

    fn prepare(&self) -> Prepared {
        let most = self.most;
        Box::new(move |text| {
            let (mut before, mut times) = (None, 0);
            text.chars()
                .filter(|&c| {
                    times = if before == Some(c) { times + 1 } else { 1 };
                    before = Some(c);
                    times <= most || !c.is_alphabetic()
                })
                .collect()
        })
    }
}
