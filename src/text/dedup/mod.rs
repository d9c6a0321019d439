//! Texts that are the same, or nearly so, without comparing each with every other.
//!
//! Two texts are the same when their [normal forms](super::normal_form) are. How near two others are is the Jaccard similarity of
//! their sets of shingles (Broder, 1997: "On the resemblance and containment of documents"): of A and B, `|A ∩ B| / |A ∪ B|`.
//!
//! 1. A [`Form`] is the normal form of a text, cut into [`Shingles`], each of which is hashed once.
//! 2. A [`Sketcher`] makes a signature of the hashes: two signatures agree at a place with a probability that is the similarity.
//! 3. [`Bands`] group the places of a signature: texts that agree in all places of a band are candidates (locality-sensitive hashing,
//!    Indyk and Motwani, 1998).
//! 4. The similarity of candidates is taken from their shingles ([`Resemblance`]), so that no error of a signature is left; those that
//!    are near enough are joined to [`Clusters`].

mod bands;
mod clusters;
mod form;
mod resemblance;
mod sketch;

pub use bands::Bands;
pub use clusters::Clusters;
pub use form::{Exact, Form, Shingles};
pub use resemblance::Resemblance;
pub use sketch::{MOST_PERMUTATIONS, Sketcher};

/// Two 64-bit numbers multiplied to 128 bits, whose halves are one again: a hash of one multiplication, as in wyhash.
#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

#[cfg(test)]
mod tests;
