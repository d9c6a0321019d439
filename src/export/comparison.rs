//! What a written file says beside what the model says, and whether that is near enough.

use super::{ExportError, Samples};
use crate::{
    base::plural,
    model::{Head, Model, Packed},
    runtime::Executor,
};

/// The largest difference of an f32 answer, as a share of the largest answer: sums are taken in another order.
const F32_TOLERANCE: f64 = 1e-4;
/// The size of the difference of int8 answers as a share of theirs: only a wrong graph is further away.
const INT8_TOLERANCE: f64 = 0.25;

/// What a written file says beside what the model says.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// Sequences that were compared.
    pub rows: usize,
    /// Answers with a largest logit: rows of a classifier, tokens of a masked LM; 0 without a head.
    pub answers: usize,
    /// How many of these are the same.
    pub same: usize,
    /// The largest difference of a logit, or of a hidden state's number where there is no head.
    pub largest_difference: f64,
    /// The largest logit, without its sign.
    pub largest: f64,
    squared_difference: f64,
    squared: f64,
}

impl Comparison {
    /// The share of answers that are the same; none without a head.
    #[must_use]
    pub fn agreement(&self) -> Option<f64> {
        (self.answers > 0).then(|| self.same as f64 / self.answers as f64)
    }

    /// The size of the difference as a share of that of the answers: `‖found − expected‖₂ / ‖expected‖₂`.
    #[must_use]
    pub fn deviation(&self) -> f64 {
        (self.squared_difference / self.squared.max(f64::MIN_POSITIVE)).sqrt()
    }

    /// Adds one answer.
    pub(super) fn add(&mut self, expected: &[f32], found: &[f32], has_largest: bool) {
        for (&expected, &found) in expected.iter().zip(found) {
            let (expected, difference) = (f64::from(expected), f64::from(found) - f64::from(expected));
            // What is no number is infinitely far away.
            let difference = if difference.is_finite() { difference.abs() } else { f64::INFINITY };
            self.largest_difference = self.largest_difference.max(difference);
            self.largest = self.largest.max(expected.abs());
            self.squared_difference += difference * difference;
            self.squared += expected * expected;
        }
        if has_largest {
            self.answers += 1;
            self.same += usize::from(place_of_largest(expected) == place_of_largest(found));
        }
    }

    /// Whether that is near enough. Of int8 labels of texts, a share of `min_agreement` must be the same.
    pub(super) fn judge(&self, int8: bool, on_texts: bool, min_agreement: f64) -> Result<(), ExportError> {
        let wrong = |what: String| Err(ExportError::Differs(what));
        if !int8 {
            // A NaN is no number below the bound.
            let is_near = self.largest_difference <= F32_TOLERANCE * self.largest;
            let (difference, largest) = (self.largest_difference, self.largest);
            return if is_near {
                Ok(())
            } else {
                wrong(format!("by up to {difference:.1e}, where the largest number is {largest:.1e}"))
            };
        }
        if on_texts {
            self.judge_labels(min_agreement, "int8 activations are rounded otherwise there")?;
        }
        let deviation = self.deviation();
        if deviation > INT8_TOLERANCE {
            return wrong(format!(
                "by {:.0} % of their size, more than another way of quantising does",
                100.0 * deviation
            ));
        }
        Ok(())
    }

    /// Whether a share of `min_agreement` of the labels of texts are the same; `why` they may be others.
    pub(super) fn judge_labels(&self, min_agreement: f64, why: &str) -> Result<(), ExportError> {
        let others = self.answers - self.same;
        // A share is no binary fraction; and one of a few rows may be a near tie.
        let allowed = ((1.0 - min_agreement) * self.answers as f64 + 1e-9) as usize;
        let allowed = if min_agreement < 1.0 { allowed.max(1) } else { allowed };
        if self.answers != self.rows || others <= allowed {
            return Ok(());
        }
        Err(ExportError::Differs(format!(
            "{others} of {} have another label, and `min_agreement` is {min_agreement}: {why}, which changes some answers near \
             the boundary; a lower `min_agreement` takes it all the same",
            plural::count(self.answers, "row")
        )))
    }

    /// Runs two models over the samples; the second sees token types, or takes all tokens for type 0.
    pub(super) fn of_models(
        model: Model,
        written: Model,
        samples: &Samples,
        sees_types: bool,
    ) -> Result<Self, ExportError> {
        let width = match &model.head {
            Head::None => model.spec.hidden_size,
            Head::SequenceClassification { labels } | Head::TokenClassification { labels } => labels.len(),
            Head::MaskedLm => model.spec.vocab_size,
        };
        let has_largest = model.head != Head::None;
        let (model, written) = (Executor::new(model)?, Executor::new(written)?);
        let mut comparison = Self::default();
        for batch in &samples.batches {
            let packed = Packed::new(&batch.input_ids, &batch.type_ids, &batch.offsets);
            let untyped = vec![0; batch.type_ids.len()];
            let seen = if sees_types { packed } else { Packed { type_ids: &untyped, ..packed } };
            let (expected, found) = (model.answers(packed)?, written.answers(seen)?);
            for (expected, found) in expected.chunks(width).zip(found.chunks(width)) {
                comparison.add(expected, found, has_largest);
            }
            comparison.rows += batch.len();
        }
        Ok(comparison)
    }
}

fn place_of_largest(values: &[f32]) -> usize {
    let mut best = 0;
    for (place, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = place;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[([f32; 2], [f32; 2])]) -> Comparison {
        let mut comparison = Comparison { rows: pairs.len(), ..Comparison::default() };
        for (expected, found) in pairs {
            comparison.add(expected, found, true);
        }
        comparison
    }

    #[test]
    fn f32_is_near_and_int8_says_the_same() {
        let near = of(&[([1.0, 2.0], [1.0, 2.0001])]);
        assert!(near.judge(false, false, 0.99).is_ok());
        let far = of(&[([1.0, 2.0], [1.0, 2.001])]);
        assert!(far.judge(false, true, 0.99).unwrap_err().to_string().contains("by up to 1.0e-3"));
        assert!(far.judge(true, true, 0.99).is_ok());
        let one_of_a_few = [([1.0, 1.1], [1.1, 1.0]), ([1.0, 2.0], [1.0, 2.0])];
        assert!(of(&one_of_a_few).judge(true, true, 0.99).is_ok(), "a near tie");
        assert!(of(&one_of_a_few).judge(true, true, 1.0).is_err(), "all were asked for");
        let others = [([1.0, 1.1], [1.1, 1.0]); 2];
        let error = of(&others).judge(true, true, 0.99).unwrap_err().to_string();
        assert!(error.contains("2 of 2 rows have another label"), "{error}");
        assert!(of(&others).judge(true, true, 0.0).is_ok() && of(&others).judge(true, false, 0.99).is_ok());
        let mut many = Comparison { rows: 200, answers: 200, same: 198, ..far };
        assert!(many.judge(true, true, 0.99).is_ok());
        many.same = 197;
        assert!(many.judge(true, true, 0.99).is_err() && many.judge(true, true, 0.98).is_ok());
        let upside_down = of(&[([1.0, -2.0], [-1.0, 2.0])]);
        assert!(upside_down.judge(true, false, 0.99).unwrap_err().to_string().contains("200 %"));
        let broken = of(&[([1.0, 2.0], [f32::NAN, 2.0])]);
        assert!(broken.judge(false, false, 0.99).is_err() && broken.judge(true, false, 0.99).is_err());
        assert!(of(&[([f32::NAN, 2.0], [f32::NAN, 2.0])]).judge(true, true, 0.99).is_err());
    }
}
