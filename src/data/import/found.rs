//! `Found`: what the first reading of a table finds.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    base::plural,
    data::{Split, codes::Codes, types::Types},
};

/// What the first reading finds.
#[derive(Default)]
pub(super) struct Found {
    pub(super) types: Types,
    /// Rows that can be used.
    pub(super) rows: u64,
    /// The label of each row, where there are labels.
    pub(super) labels: Codes,
    /// What each row is spread over splits by, where that is not the label.
    pub(super) strata: Codes,
    /// The split of each row, where a column says it.
    pub(super) splits: Vec<Split>,
    /// The hashes of ids.
    pub(super) ids: Vec<u64>,
}

impl Found {
    pub(super) fn labels_by_split(&self, splits: &[Split]) -> BTreeMap<Split, BTreeSet<String>> {
        let mut seen = vec![[false; 3]; self.labels.values().len()];
        for (&code, &split) in self.labels.rows().iter().zip(splits) {
            seen[usize::from(code)][split as usize] = true;
        }
        let mut by_split = BTreeMap::new();
        for split in Split::ALL {
            let of_split = self.labels.values().iter().zip(&seen).filter(|(_, seen)| seen[split as usize]);
            let labels: BTreeSet<String> = of_split.filter_map(|(label, _)| label.clone()).collect();
            if !labels.is_empty() || split == Split::Train {
                by_split.insert(split, labels);
            }
        }
        by_split
    }

    /// Rows are named by their ids: in predictions, as the parents of augmented rows, in joins.
    pub(super) fn repeated_ids(&mut self, column: Option<&String>) -> Option<String> {
        let column = column?;
        let count = self.ids.len();
        self.ids.sort_unstable();
        self.ids.dedup();
        let repeats = count - self.ids.len();
        self.ids = Vec::new();
        if repeats > 0 {
            return Some(format!("`{column}`: {} with an id that an earlier row has", plural::count(repeats, "row")));
        }
        (self.rows as usize > count)
            .then(|| format!("`{column}`: whether ids repeat was looked at for {} only", plural::count(count, "row")))
    }
}
