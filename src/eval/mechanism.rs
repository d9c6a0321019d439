//! Attention mechanisms: the same weights with other choices of which tokens see which.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    data::Batch,
    model::{LayerShape, Model},
};

/// Which tokens see which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mechanism {
    /// All see all (Vaswani et al., 2017).
    Full,
    /// The text is cut into pieces of a window, each with the text's first and last token, which see themselves alone; the
    /// pieces' answers are averaged.
    Chunks,
    /// Each sees a window around it.
    Window,
    /// The same, and the first sees and is seen by all, with projections of its own (Beltagy et al., 2020, `Longformer`).
    WindowGlobal,
    /// In every third layer from the first on all see all, in the others a window (Warner et al., 2024, `ModernBERT`).
    Alternating,
}

impl Mechanism {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Full, Self::Chunks, Self::Window, Self::WindowGlobal, Self::Alternating];

    /// As recipes call it: `window_global`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Chunks => "chunks",
            Self::Window => "window",
            Self::WindowGlobal => "window_global",
            Self::Alternating => "alternating",
        }
    }

    /// A model with global projections that attends by the mechanism; windows lie half to each side.
    #[must_use]
    pub fn apply(self, mut model: Model, window: usize) -> Model {
        let spec = &mut model.spec;
        for (index, layer) in spec.layers.iter_mut().enumerate() {
            let sees_all = match self {
                Self::Full | Self::Chunks => true,
                Self::Window | Self::WindowGlobal => false,
                Self::Alternating => index % 3 == 0,
            };
            *layer = LayerShape { reach: (!sees_all).then_some(window / 2), ..*layer };
        }
        spec.global_projections = self == Self::WindowGlobal;
        if !spec.global_projections {
            model.params.retain(|name, _| !name.contains("_global."));
            model.int8.retain(|name, _| !name.ends_with("_global"));
            model.packed.retain(|name, _| !name.ends_with("_global"));
        }
        model
    }

    /// The sequences of a batch as the mechanism takes them.
    #[must_use]
    pub fn cut(self, batch: Batch, window: usize) -> Batch {
        if self != Self::Chunks {
            return batch;
        }
        let mut cut = Batch { offsets: vec![0], ..Batch::default() };
        for (ends, row) in batch.offsets.windows(2).zip(&batch.rows) {
            let (first, last) = (ends[0], ends[1] - 1);
            let inner: Vec<usize> = (first + 1..last.max(first + 1)).collect();
            let pieces = inner.chunks(window.saturating_sub(2).max(1));
            let pieces: Vec<&[usize]> = if inner.is_empty() { vec![&[]] } else { pieces.collect() };
            for piece in pieces {
                let ends = [&[first][..], piece, if last > first { &[last] } else { &[] }];
                for place in ends.into_iter().flatten() {
                    cut.input_ids.push(batch.input_ids[*place]);
                    cut.type_ids.push(batch.type_ids[*place]);
                }
                cut.offsets.push(cut.input_ids.len());
                cut.rows.push(*row);
            }
        }
        cut
    }

    /// Multiply–accumulates of a batch as [`Self::cut`] gives it.
    #[must_use]
    pub fn macs(model: &Model, batch: &Batch) -> u64 {
        batch.offsets.windows(2).map(|ends| model.macs(ends[1] - ends[0])).sum()
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Mechanism {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|mechanism| mechanism.name() == name);
        found.ok_or_else(|| format!("`{name}` is no attention mechanism"))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use candle_core::Device;

    use super::*;

    #[test]
    fn each_model_attends_as_it_says() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/families/longformer-classifier");
        let model = || Model::load(&dir, &Device::Cpu).unwrap();
        let reaches = |mechanism: Mechanism| -> Vec<Option<usize>> {
            mechanism.apply(model(), 8).spec.layers.iter().map(|layer| layer.reach).collect()
        };
        assert_eq!(reaches(Mechanism::Full), [None, None, None]);
        assert_eq!(reaches(Mechanism::Window), [Some(4); 3]);
        assert_eq!(reaches(Mechanism::Alternating), [None, Some(4), Some(4)]);
        for mechanism in Mechanism::ALL {
            let applied = mechanism.apply(model(), 8);
            let wanted = crate::model::parameters(&applied.spec, &applied.head);
            assert_eq!(wanted.len(), applied.params.len(), "{mechanism}");
            assert_eq!(mechanism.name().parse(), Ok(mechanism));
            assert_eq!(serde_json::to_value(mechanism).unwrap(), mechanism.name());
        }
    }

    #[test]
    fn chunks_cover_each_text() {
        let batch = Batch {
            input_ids: (0..20).collect(),
            type_ids: vec![0; 20],
            offsets: vec![0, 9, 9 + 8, 20],
            rows: vec![4, 0, 7],
        };
        let cut = Mechanism::Chunks.cut(batch.clone(), 5);
        // Seven, six and one token between the first and the last: pieces of three.
        assert_eq!(cut.offsets, [0, 5, 10, 13, 18, 23, 26]);
        assert_eq!(cut.rows, [4, 4, 4, 0, 0, 7]);
        assert_eq!(cut.input_ids[..13], [0, 1, 2, 3, 8, 0, 4, 5, 6, 8, 0, 7, 8]);
        for short in [1, 2] {
            let batch =
                Batch { input_ids: vec![5; short], type_ids: vec![0; short], offsets: vec![0, short], rows: vec![0] };
            assert_eq!(Mechanism::Chunks.cut(batch.clone(), 5), batch);
        }
        assert_eq!(Mechanism::Window.cut(batch.clone(), 5), batch);
    }
}
