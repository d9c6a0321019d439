//! Packed batches: tokens of all rows one after the other, and where each row starts. There is no padding.

use super::Encoding;
use crate::base::rng;

/// A packed batch of `rows` sequences.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Token ids, `[total_tokens]`.
    pub input_ids: Vec<u32>,
    /// Token types, `[total_tokens]`.
    pub type_ids: Vec<u32>,
    /// Where each sequence starts, and the end: `[rows + 1]`.
    pub offsets: Vec<usize>,
    /// The number of each row in the encodings that the batch was made from, `[rows]`.
    pub rows: Vec<usize>,
}

/// In which order rows go into batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As they are.
    File,
    /// Shuffled, by seed and epoch.
    Shuffled {
        /// The seed.
        seed: u64,
        /// The epoch, from 0.
        epoch: u64,
    },
}

/// Cuts rows into batches of at most `batch_size`; the last one holds what is left.
///
/// # Panics
/// When `batch_size` is 0, which the checks of every stage refuse.
#[must_use]
pub fn batches(encodings: &[Encoding], batch_size: usize, order: Order) -> Vec<Batch> {
    assert!(batch_size > 0, "a batch holds at least one row");
    let mut rows: Vec<usize> = (0..encodings.len()).collect();
    if let Order::Shuffled { seed, epoch } = order {
        rng::shuffle(&mut rng::item_stream(seed, "shuffle", epoch), &mut rows);
    }
    rows.chunks(batch_size).map(|rows| Batch::pack(encodings, rows)).collect()
}

impl Batch {
    /// Packs the rows of these numbers, in this order.
    #[must_use]
    pub fn pack(encodings: &[Encoding], rows: &[usize]) -> Self {
        let total = rows.iter().map(|&row| encodings[row].ids.len()).sum();
        let mut batch = Self {
            input_ids: Vec::with_capacity(total),
            type_ids: Vec::with_capacity(total),
            offsets: Vec::with_capacity(rows.len() + 1),
            rows: rows.to_vec(),
        };
        batch.offsets.push(0);
        for &row in rows {
            batch.input_ids.extend_from_slice(&encodings[row].ids);
            batch.type_ids.extend_from_slice(&encodings[row].type_ids);
            batch.offsets.push(batch.input_ids.len());
        }
        batch
    }

    /// The number of sequences.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether it holds no sequence.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encodings(n: usize) -> Vec<Encoding> {
        (0..n).map(|i| Encoding { ids: vec![i as u32; i % 3 + 1], type_ids: vec![0; i % 3 + 1] }).collect()
    }

    #[test]
    fn a_batch_is_packed() {
        let batches = batches(&encodings(5), 2, Order::File);
        assert_eq!(batches.len(), 3);
        assert_eq!(batches[1].input_ids, [2, 2, 2, 3]);
        assert_eq!(batches[1].offsets, [0, 3, 4]);
        assert_eq!(batches[1].rows, [2, 3]);
        assert_eq!((batches[2].len(), batches[2].offsets.as_slice()), (1, [0, 2].as_slice()));
    }

    #[test]
    fn an_epoch_has_every_row_once_in_an_order_of_its_own() {
        let encodings = encodings(50);
        let order = |seed, epoch| -> Vec<usize> {
            batches(&encodings, 7, Order::Shuffled { seed, epoch }).into_iter().flat_map(|batch| batch.rows).collect()
        };
        let first = order(1, 0);
        assert_eq!(first, order(1, 0));
        assert_ne!(first, order(1, 1));
        assert_ne!(first, order(2, 0));
        let mut sorted = first;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..50).collect::<Vec<_>>());
    }
}
