//! `Bands`: which places of a signature must agree for two texts to be compared.

use super::fold;

/// So many bands of so many places: two texts are candidates when they agree in all places of one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bands {
    /// Bands.
    pub count: usize,
    /// Places of each.
    pub rows: usize,
}

impl Bands {
    /// The most selective bands with which a pair at the threshold is found with a probability of at least `recall`: as many places a
    /// band as that allows, then as few bands.
    ///
    /// Other programs minimise the sum of false positives and false negatives. Here candidates are compared by their shingles, so that
    /// a false positive costs a little time and a false negative is a duplicate that stays: for a threshold of 0.8 and 128 places they
    /// take 9 bands of 13, which find 40 % of the pairs at the threshold; a recall of 0.99 makes it 16 bands of 6.
    ///
    /// None where no bands of so many places reach it.
    #[must_use]
    pub fn choose(threshold: f64, permutations: usize, recall: f64) -> Option<Self> {
        (1..=permutations).rev().find_map(|rows| {
            // 1 - (1 - tʳ)ᵇ ≥ recall
            let count = ((1.0 - recall).ln() / (-threshold.powi(rows as i32)).ln_1p()).ceil().max(1.0);
            (count <= (permutations / rows) as f64).then_some(Self { count: count as usize, rows })
        })
    }

    /// The probability that a pair of a similarity is found: `1 - (1 - sʳ)ᵇ`.
    #[must_use]
    pub fn chance(&self, similarity: f64) -> f64 {
        1.0 - (1.0 - similarity.powi(self.rows as i32)).powi(self.count as i32)
    }

    /// A hash of each band of a signature, with the number of the band.
    pub fn keys<'a>(&self, signature: &'a [u32]) -> impl Iterator<Item = (u32, u64)> + use<'a> {
        let hash = |places: &[u32]| {
            places.iter().fold(0x2D35_8DCC_AA6C_78A5, |key, place| fold(key ^ u64::from(*place), 0x8BB8_4B93_962E_ACC9))
        };
        (0..).zip(signature.chunks_exact(self.rows).take(self.count).map(hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recall_is_kept_by_the_most_selective() {
        for threshold in [0.3, 0.5, 0.7, 0.8, 0.9, 0.95] {
            for permutations in [32, 128, 200] {
                for recall in [0.5, 0.9, 0.99] {
                    let Some(bands) = Bands::choose(threshold, permutations, recall) else { continue };
                    assert!(
                        bands.chance(threshold) >= recall - 1e-9 && bands.count * bands.rows <= permutations,
                        "{bands:?}"
                    );
                    let (longer, fewer) = (bands.rows + 1, bands.count.saturating_sub(1));
                    let worse = [Bands { count: permutations / longer, rows: longer }, Bands { count: fewer, ..bands }];
                    assert!(worse.iter().all(|bands| bands.chance(threshold) < recall), "{bands:?}");
                }
            }
        }
        assert_eq!(Bands::choose(0.8, 128, 0.99), Some(Bands { count: 16, rows: 6 }));
        assert_eq!(Bands::choose(0.1, 16, 0.99), None);
        assert!((Bands { count: 9, rows: 13 }.chance(0.8) - 0.399).abs() < 1e-3);
    }

    #[test]
    fn bands_that_agree_have_one_key() {
        let bands = Bands { count: 3, rows: 2 };
        let keys = |signature: [u32; 7]| bands.keys(&signature).collect::<Vec<_>>();
        let (one, two) = (keys([1, 2, 3, 4, 5, 6, 7]), keys([1, 2, 4, 3, 5, 6, 8]));
        assert_eq!(one.len(), 3);
        assert_eq!((one[0], one[2]), (two[0], two[2]));
        assert_ne!(one[1], two[1], "the order of places counts");
    }
}
