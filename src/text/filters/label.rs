//! Which label a row has.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Failure, Measured, Prepared, RowCondition};
use crate::text::TextFault;

/// Labels that stay, or labels that go: one of the two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// Rows with one of these labels stay.
    #[serde(default)]
    is: Option<Vec<String>>,
    /// Rows with one of these labels go.
    #[serde(default)]
    not: Option<Vec<String>>,
}

impl RowCondition for Label {
    fn fault(&self) -> Option<TextFault> {
        let one = self.is.is_some() != self.not.is_some() && self.labels().is_some_and(|labels| !labels.is_empty());
        (!one).then(|| TextFault {
            path: String::new(),
            message: "it needs the labels of `is` or `not`, one of the two".to_owned(),
            help: Some("for example `label: {is: [positive, negative]}`".to_owned()),
        })
    }

    fn prepare(&self) -> Prepared {
        let (stays, labels) = (self.is.is_some(), self.labels().unwrap_or_default().to_vec());
        Box::new(move |row| {
            let label = row.label.unwrap_or_default();
            let measured = || Failure { rule: "label", measured: Measured::Text(label.to_owned()) };
            (labels.iter().any(|named| named == label) != stays).then(measured)
        })
    }

    fn labels(&self) -> Option<&[String]> {
        self.is.as_deref().or(self.not.as_deref())
    }
}
