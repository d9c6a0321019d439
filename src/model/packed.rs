//! Weights of 4 or 8 bits that are computed in f32, as compressed-tensors' `pack-quantized` stores them.

use candle_core::{Device, Tensor};

use super::ModelError;

/// The weight of a linear layer or an embedding table, `[rows, columns]`, in few bits:
/// `weight ≈ value · scale`, a scale for each group of neighbours in a row. It takes little room in a file; in memory, its f32
/// numbers stand in [`Model::params`] beside it.
///
/// [`Model::params`]: super::Model::params
#[derive(Clone, Debug, PartialEq)]
pub struct PackedWeight {
    columns: usize,
    width: Width,
    values: Vec<i8>,
    scales: Vec<f32>,
}

/// How wide such weights are, and how many share a scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Width {
    /// Bits a weight: 4 or 8.
    pub bits: u32,
    /// Neighbours in a row that share a scale, a divisor of the row's length; the whole row where it is none.
    pub group_size: Option<usize>,
}

impl Width {
    /// Neighbours in a row of so many numbers that share a scale.
    ///
    /// # Errors
    /// When they do not divide the row; the text says which sizes do.
    pub fn group_of(self, columns: usize) -> Result<usize, String> {
        let group = self.group_size.unwrap_or(columns);
        if group > 0 && columns.is_multiple_of(group) {
            return Ok(group);
        }
        let mut others: Vec<usize> = (16..=columns).filter(|size| columns.is_multiple_of(*size)).collect();
        others.sort_by_key(|size| size.abs_diff(group));
        others.truncate(3);
        let others: Vec<_> = others.iter().map(ToString::to_string).collect();
        Err(format!(
            "`group_size` is {group}, which does not divide its rows of {columns}; {} would",
            if others.is_empty() { "a scale a row".to_owned() } else { others.join(", ") }
        ))
    }

    /// The first of the numbers that these bits hold, without its sign.
    fn half(self) -> i32 {
        1 << (self.bits - 1)
    }

    fn per_word(self) -> usize {
        (u32::BITS / self.bits) as usize
    }

    /// 32-bit words that hold a row of so many numbers.
    pub(super) fn words(self, columns: usize) -> usize {
        columns.div_ceil(self.per_word())
    }
}

impl PackedWeight {
    /// From numbers, row after row, and scales, group after group.
    ///
    /// # Errors
    /// When a group does not divide a row, the lengths do not fit each other, or a number does not fit the bits.
    pub fn from_parts(columns: usize, width: Width, values: Vec<i8>, scales: Vec<f32>) -> Result<Self, ModelError> {
        let group = width.group_of(columns).map_err(ModelError::Checkpoint)?;
        if !values.len().is_multiple_of(columns.max(1)) || scales.len() * group != values.len() {
            let (values, scales) = (values.len(), scales.len());
            return Err(ModelError::Checkpoint(format!(
                "rows of {columns} weights cannot have {values} values and {scales} scales of {group} each"
            )));
        }
        if let Some(scale) = scales.iter().find(|scale| !(scale.is_finite() && **scale > 0.0)) {
            return Err(ModelError::Checkpoint(format!("the scale {scale} is not a positive number")));
        }
        let fits = |value: &i8| (-width.half()..width.half()).contains(&i32::from(*value));
        if let Some(value) = values.iter().find(|value| !fits(value)) {
            return Err(ModelError::Checkpoint(format!("{value} does not fit {} bits", width.bits)));
        }
        Ok(Self { columns, width, values, scales })
    }

    /// From the words of a file: each row starts a word, the first number in the lowest bits, with half the range added.
    ///
    /// # Errors
    /// As [`Self::from_parts`], and when there are not as many words as the rows take.
    pub(super) fn from_words(
        [rows, columns]: [usize; 2],
        width: Width,
        words: &[i32],
        scales: Vec<f32>,
    ) -> Result<Self, ModelError> {
        let per_row = width.words(columns);
        if words.len() != rows * per_row {
            let found = words.len();
            return Err(ModelError::Checkpoint(format!("{rows} rows of {per_row} words cannot have {found} words")));
        }
        let mask = 2 * width.half() - 1;
        let number = |row: &[i32], column: usize| {
            let (word, place) = (column / width.per_word(), column % width.per_word());
            (((row[word] >> (place as u32 * width.bits)) & mask) - width.half()) as i8
        };
        let rows = words.chunks(per_row.max(1));
        let values = rows.flat_map(|row| (0..columns).map(move |column| number(row, column))).collect();
        Self::from_parts(columns, width, values, scales)
    }

    /// The words of a file, as [`Self::from_words`] reads them.
    pub(super) fn words(&self) -> Vec<i32> {
        let (width, per_word) = (self.width, self.width.per_word());
        let word = |numbers: &[i8]| {
            let numbers = numbers.iter().map(|value| (i32::from(*value) + width.half()).cast_unsigned());
            numbers.rev().fold(0, |word, number| word << width.bits | number).cast_signed()
        };
        self.values.chunks(self.columns.max(1)).flat_map(|row| row.chunks(per_word)).map(word).collect()
    }

    /// `[rows, columns]`: `[out, in]` of a linear layer.
    pub fn shape(&self) -> [usize; 2] {
        [self.values.len() / self.columns.max(1), self.columns]
    }

    /// How wide it is.
    pub fn width(&self) -> Width {
        self.width
    }

    /// The numbers, row after row.
    pub fn values(&self) -> &[i8] {
        &self.values
    }

    /// The scales, group after group.
    pub fn scales(&self) -> &[f32] {
        &self.scales
    }

    /// The f32 matrix that it stands for.
    ///
    /// # Errors
    /// When a tensor cannot be made.
    pub fn dequantize(&self, device: &Device) -> Result<Tensor, ModelError> {
        let group = self.values.len() / self.scales.len().max(1);
        let groups = self.values.chunks(group.max(1)).zip(&self.scales);
        let weights = groups.flat_map(|(values, scale)| values.iter().map(move |value| f32::from(*value) * scale));
        let [rows, columns] = self.shape();
        Ok(Tensor::from_vec(weights.collect(), (rows, columns), device)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_hold_the_numbers_of_a_row() {
        let four = Width { bits: 4, group_size: Some(5) };
        let values: Vec<i8> = (0..20).map(|i| i % 16 - 8).collect();
        let weight = PackedWeight::from_parts(10, four, values.clone(), vec![0.5, 1.0, 2.0, 4.0]).unwrap();
        // −8 is 0 in the lowest bits; a row of ten takes a word and a quarter.
        assert_eq!(weight.words(), [0x7654_3210, 0x98, 0x10FE_DCBA, 0x32]);
        let read = PackedWeight::from_words([2, 10], four, &weight.words(), weight.scales().to_vec()).unwrap();
        assert_eq!(read, weight);
        let numbers = weight.dequantize(&Device::Cpu).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(numbers[0], [-4.0, -3.5, -3.0, -2.5, -2.0, -3.0, -2.0, -1.0, 0.0, 1.0]);
        let eight = Width { bits: 8, group_size: None };
        let weight = PackedWeight::from_parts(10, eight, vec![-128; 20], vec![1.0; 2]).unwrap();
        let read = PackedWeight::from_words([2, 10], eight, &weight.words(), weight.scales().to_vec()).unwrap();
        assert_eq!(read, weight);
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let width = Width { bits: 4, group_size: Some(128) };
        let told = |values: Vec<i8>, scales: Vec<f32>, width| {
            PackedWeight::from_parts(48, width, values, scales).unwrap_err().to_string()
        };
        let error = told(vec![0; 48], vec![1.0], width);
        assert!(error.contains("does not divide its rows of 48; 48, 24, 16 would"), "{error}");
        let width = Width { group_size: None, ..width };
        assert!(told(vec![8; 48], vec![1.0], width).contains("8 does not fit 4 bits"));
        assert!(told(vec![0; 48], vec![0.0], width).contains("the scale 0 is not"));
        assert!(told(vec![0; 48], vec![1.0; 2], width).contains("48 values and 2 scales"));
        assert!(PackedWeight::from_words([1, 48], width, &[0; 5], vec![1.0]).is_err());
    }
}
