//! A sample that is spread evenly over rows whose number is not known before their end.

/// Every row whose number a power of two divides: the least with which there are no more than `most`. What is in it depends on the
/// rows alone.
#[derive(Clone, Debug)]
pub(super) struct EvenSample<T> {
    most: usize,
    stride: u64,
    kept: Vec<(u64, T)>,
}

impl<T> EvenSample<T> {
    pub(super) fn new(most: usize) -> Self {
        Self { most, stride: 1, kept: Vec::new() }
    }

    /// Whether a row may be in it. What may not now, will not later.
    pub(super) fn wants(&self, row: u64) -> bool {
        row.is_multiple_of(self.stride)
    }

    /// Takes rows that follow those before.
    pub(super) fn extend(&mut self, rows: Vec<(u64, T)>) {
        for (row, value) in rows {
            if self.wants(row) {
                self.kept.push((row, value));
            }
            while self.kept.len() > self.most {
                self.stride *= 2;
                let stride = self.stride;
                self.kept.retain(|(row, _)| row.is_multiple_of(stride));
            }
        }
    }

    /// The values of the rows in it.
    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.kept.iter().map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_portions_do_not_matter() {
        let sample = |rows: u64, portion: usize| {
            let mut sample = EvenSample::new(100);
            let all: Vec<u64> = (0..rows).collect();
            for rows in all.chunks(portion) {
                let stride_then = sample.clone();
                sample.extend(rows.iter().filter(|row| stride_then.wants(**row)).map(|row| (*row, *row)).collect());
            }
            sample.values().copied().collect::<Vec<_>>()
        };
        for rows in [0, 1, 99, 100, 101, 1_000, 12_345] {
            let values = sample(rows, 1);
            assert_eq!(sample(rows, 7), values);
            assert_eq!(sample(rows, 5_000), values);
            assert!(values.len() <= 100 && (rows < 100 || values.len() > 49), "{rows}: {}", values.len());
            assert!(values.windows(3).all(|three| three[2] - three[1] == three[1] - three[0]), "evenly");
        }
    }
}
