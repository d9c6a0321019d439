//! Longest common subsequences of words, 64 words at a time.

/// Finds longest common subsequences, and keeps its memory from one to the next.
///
/// The lengths `t[i][j]`, of the first `i` words of `a` and the first `j` of `b`, are known by their differences
/// `t[i][j] − t[i − 1][j]`, which are 0 or 1. A column of them is made from the one before with a few operations on 64
/// rows at once (Crochemore, Iliopoulos, Pinzon and Reid, "A fast and practical bit-vector algorithm for the longest
/// common subsequence problem", Information Processing Letters 80, 2001).
pub(super) struct Lcs {
    /// For each number of a word, at which of the 64 rows at hand it stands.
    places: Vec<u64>,
    /// For each word of `b`, what the addition of the last 64 rows carries over into these.
    carries: Vec<bool>,
    /// The columns of the first 64 rows, then those of the next.
    columns: Vec<u64>,
}

impl Lcs {
    /// For words with numbers below `n_words`.
    pub(super) fn new(n_words: usize) -> Self {
        Self { places: vec![0; n_words], carries: Vec::new(), columns: Vec::new() }
    }

    /// The length of the longest common subsequence: `|a| |b| / 64` steps, and a byte of memory for each word of `b`.
    pub(super) fn length(&mut self, a: &[u32], b: &[u32]) -> usize {
        scan(a, b, &mut self.places, &mut self.carries, |_| {})
    }

    /// Sets `marks` at those words of `a` that are in one longest common subsequence with `b`, and leaves the other
    /// marks as they are: as many steps, and `|a| |b| / 8` bytes.
    ///
    /// Of several, it is the one that is found from the ends of both texts: equal words are taken, otherwise a word of
    /// `a` is left out where that costs nothing, otherwise one of `b`.
    pub(super) fn mark(&mut self, a: &[u32], b: &[u32], marks: &mut [bool]) {
        self.columns.clear();
        scan(a, b, &mut self.places, &mut self.carries, |column| self.columns.push(column));
        let (mut i, mut j) = (a.len(), b.len());
        while i > 0 && j > 0 {
            let (row, column) = (i - 1, j - 1);
            if a[row] == b[column] {
                marks[row] = true;
                (i, j) = (row, column);
            } else if self.columns[row / 64 * b.len() + column] >> (row % 64) & 1 == 1 {
                i = row;
            } else {
                j = column;
            }
        }
    }
}

/// Gives `keep` each column of each 64 rows, bits set where the length does not grow, and returns the length.
fn scan(a: &[u32], b: &[u32], places: &mut [u64], carries: &mut Vec<bool>, mut keep: impl FnMut(u64)) -> usize {
    carries.clear();
    carries.resize(b.len(), false);
    let mut length = 0;
    for rows in a.chunks(64) {
        for (row, &word) in rows.iter().enumerate() {
            places[word as usize] |= 1 << row;
        }
        // Rows beyond the last have no words: their bits stay set.
        let mut column = u64::MAX;
        for (&word, carry) in b.iter().zip(carries.iter_mut()) {
            let equal = places[word as usize];
            let (sum, over) = column.carrying_add(column & equal, *carry);
            *carry = over;
            column = sum | (column & !equal);
            keep(column);
        }
        length += column.count_zeros() as usize;
        for &word in rows {
            places[word as usize] = 0;
        }
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The marks of `a`, by the table as it is defined.
    fn plain(a: &[u32], b: &[u32]) -> Vec<bool> {
        let mut table = vec![vec![0; b.len() + 1]; a.len() + 1];
        for i in 1..=a.len() {
            for j in 1..=b.len() {
                table[i][j] =
                    if a[i - 1] == b[j - 1] { table[i - 1][j - 1] + 1 } else { table[i - 1][j].max(table[i][j - 1]) };
            }
        }
        let mut marks = vec![false; a.len()];
        let (mut i, mut j) = (a.len(), b.len());
        while i > 0 && j > 0 {
            if a[i - 1] == b[j - 1] {
                marks[i - 1] = true;
                (i, j) = (i - 1, j - 1);
            } else if table[i][j - 1] > table[i - 1][j] {
                j -= 1;
            } else {
                i -= 1;
            }
        }
        marks
    }

    #[test]
    fn as_the_table() {
        let mut state = 1_u64;
        let mut below = |n: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % n
        };
        let mut lcs = Lcs::new(100);
        for round in 0..400 {
            let longest = [5, 70, 130, 300][round % 4];
            let n_words = [2, 5, 100][round % 3];
            let [a, b] = [(); 2].map(|()| {
                let n = below(longest + 1);
                (0..n).map(|_| below(n_words) as u32).collect::<Vec<_>>()
            });
            let mut marks = vec![false; a.len()];
            lcs.mark(&a, &b, &mut marks);
            assert_eq!(marks, plain(&a, &b), "{a:?} {b:?}");
            assert_eq!(lcs.length(&a, &b), marks.iter().filter(|on| **on).count(), "{a:?} {b:?}");
        }
    }

    #[test]
    fn at_the_edges_of_64_rows() {
        let mut lcs = Lcs::new(1000);
        for n in [0, 1, 63, 64, 65, 128, 1000] {
            let words: Vec<u32> = (0..n).collect();
            assert_eq!(lcs.length(&words, &words), n as usize);
            assert_eq!(lcs.length(&words, &[]), 0);
            assert_eq!(lcs.length(&[], &words), 0);
            let same = vec![0; n as usize];
            assert_eq!(lcs.length(&same, &[0, 0]), same.len().min(2));
        }
    }
}
