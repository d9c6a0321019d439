//! Which rows are the same or nearly so: two passes over a dataset.
//!
//! The first pass keeps of each row 16 bytes for its text and 16 for each band, on the disk where they are many. The second reads the
//! rows again that share a band with another, and keeps their shingles, at most 4 KiB a row, to compare them, on the disk, too, where
//! they are many. In memory are some ten bytes a row, and of rows that share bands with others four for each band.

use std::{
    borrow::Cow,
    ops::Range,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use rayon::prelude::*;

use super::{
    Near,
    buckets::{Buckets, Entry},
    kept::Kept,
};
use crate::{
    data::{DatasetReader, RowBatch, Split},
    stage::{Progress, StageCtx, StageError},
    stages::dataset::stream,
    text::dedup::{Bands, Clusters, Exact, Form, Resemblance, Sketcher},
};

/// Rows that a thread takes at a time.
const CHUNK: usize = 512;
/// Rows of other clusters that a row of a band is compared with: what all texts share (a licence, a footer) would else be compared
/// each with each.
const MOST_COMPARED: usize = 64;
/// Rows of a band before which these are looked for: most may be of the row's own cluster.
const MOST_LOOKED_AT: usize = 1_024;

/// Where the rows of a dataset lie. A row's number is its place over all splits, in their order.
pub(super) struct Places<'a> {
    pub(super) reader: &'a DatasetReader,
    batches: Vec<(Split, usize)>,
    /// The number behind the last row of each batch.
    ends: Vec<u64>,
}

impl<'a> Places<'a> {
    pub(super) fn new(reader: &'a DatasetReader) -> Result<Self, StageError> {
        let places = Self { reader, batches: reader.batches(), ends: reader.ends() };
        if places.ends.last().is_some_and(|rows| *rows > u64::from(u32::MAX)) {
            return Err(StageError::msg("more than 4,294,967,295 rows: deduplicate parts of the dataset one by one"));
        }
        Ok(places)
    }

    /// All rows.
    pub(super) fn rows(&self) -> u32 {
        self.ends.last().copied().unwrap_or_default() as u32
    }

    /// The rows of a split.
    pub(super) fn of(&self, split: Split) -> Range<u32> {
        let mut start = 0;
        for (&other, &rows) in &self.reader.meta().rows {
            if other == split {
                return start..start + rows as u32;
            }
            if other < split {
                start += rows as u32;
            }
        }
        start..start
    }

    /// The number of a batch's first row.
    pub(super) fn first(&self, rows: &RowBatch) -> u32 {
        self.of(rows.split()).start + rows.first_row() as u32
    }

    /// Reads the batches that have some of these rows (sorted), several at a time, makes something of each such row, and gives it away
    /// in their order.
    pub(super) fn visit<T: Send>(
        &self,
        ctx: &StageCtx<'_>,
        rows: &[u32],
        make: impl Fn(&RowBatch, usize) -> T + Sync,
        mut give: impl FnMut(T) -> Result<(), StageError>,
    ) -> Result<(), StageError> {
        let mut wanted: Vec<(usize, &[u32])> = Vec::new();
        let mut rest = rows;
        for (batch, &end) in self.ends.iter().enumerate() {
            let (here, behind) = rest.split_at(rest.partition_point(|row| u64::from(*row) < end));
            if !here.is_empty() {
                wanted.push((batch, here));
            }
            rest = behind;
        }
        for some in wanted.chunks(2 * rayon::current_num_threads()) {
            ctx.check_cancelled()?;
            let read = |&(batch, rows): &(usize, &[u32])| -> Result<Vec<T>, StageError> {
                let (split, index) = self.batches[batch];
                let batch = self.reader.read(split, index)?;
                let first = self.first(&batch);
                Ok(rows.par_iter().with_min_len(64).map(|row| make(&batch, (row - first) as usize)).collect())
            };
            for part in some.par_iter().map(read).collect::<Vec<_>>() {
                part?.into_iter().try_for_each(&mut give)?;
            }
        }
        Ok(())
    }
}

/// What was found.
pub(super) struct Found<'a> {
    /// Of each row the first one that is the same.
    pub(super) same: Clusters,
    /// The rows that are the same or nearly so, joined.
    pub(super) clusters: Clusters,
    /// The bands that were compared.
    pub(super) bands: Option<Bands>,
    /// How often a row was not compared with all that it shares a band with.
    pub(super) cut: usize,
    /// Rows that shared a band with another, sorted, and their shingles.
    candidates: Vec<u32>,
    shingles: Kept<'a>,
}

impl Found<'_> {
    /// How similar two rows are, from 0 to 1.
    pub(super) fn similarity(&mut self, a: u32, b: u32) -> Result<f64, StageError> {
        let (a, b) = (self.same.first(a), self.same.first(b));
        if a == b {
            return Ok(1.0);
        }
        Ok(self.of(a)?.zip(self.of(b)?).map_or(0.0, |(a, b)| a.with(&b)))
    }

    fn of(&self, row: u32) -> Result<Option<Cow<'_, Resemblance>>, StageError> {
        self.candidates.binary_search(&row).ok().map(|at| self.shingles.get(at)).transpose()
    }
}

/// What a thread works in.
#[derive(Default)]
struct Room {
    form: Form,
    hashes: Vec<u64>,
    values: Vec<u64>,
    signature: Vec<u32>,
}

/// Finds the rows that are the same, and those that are nearly so if `near` is given; `dir` is for temporary files.
pub(super) fn search<'a>(
    places: &Places<'_>,
    exact: Exact,
    near: Option<&Near>,
    dir: &'a Path,
    ctx: &StageCtx<'_>,
) -> Result<Found<'a>, StageError> {
    let bands = near.and_then(Near::bands);
    let near = near.zip(bands);
    let (texts, signatures) = (Buckets::new(dir), Buckets::new(dir));
    let (done, total) = (AtomicU64::new(0), u64::from(places.rows()));
    let sketcher = Sketcher::new(near.map_or(1, |(near, _)| near.permutations));
    stream::survey(ctx, places.reader, |rows| {
        let first = places.first(rows);
        let numbers: Vec<usize> = (0..rows.len()).collect();
        numbers.par_chunks(CHUNK).try_for_each(|numbers| {
            let (mut room, mut keys, mut parts) = (Room::default(), Vec::new(), Vec::new());
            for &number in numbers {
                let (text, pair, row) = (rows.text(number), rows.pair(number), first + number as u32);
                room.form.set(text, pair);
                let key = exact.key(text, pair, &room.form);
                keys.push(Entry { key: key as u64, check: (key >> 64) as u32, row });
                if let Some((near, bands)) = near {
                    near.shingles.hash(&room.form, &mut room.hashes);
                    sketcher.sign(&room.hashes, &mut room.values, &mut room.signature);
                    parts.extend(bands.keys(&room.signature).map(|(check, key)| Entry { key, check, row }));
                }
            }
            texts.add(&mut keys)?;
            signatures.add(&mut parts)
        })?;
        let done = done.fetch_add(rows.len() as u64, Ordering::Relaxed) + rows.len() as u64;
        ctx.sink.progress(Progress { done, total, unit: "row", message: "fingerprints".to_owned() });
        Ok(())
    })?;

    let mut same = Clusters::new(places.rows());
    for rows in texts.shared(|_| true)? {
        for &row in &rows {
            same.join(rows[0], row);
        }
    }
    ctx.check_cancelled()?;
    let mut clusters = same.clone();
    let (candidates, shingles) = (Vec::new(), Kept::new(dir));
    let mut found = Found { same, clusters: Clusters::new(0), bands, cut: 0, candidates, shingles };
    if let Some((near, _)) = near {
        // Of rows that are the same the first stands for all.
        let stands: Vec<bool> = (0..places.rows()).map(|row| found.same.first(row) == row).collect();
        let mut buckets = signatures.shared(|row| stands[row as usize])?;
        // Most pairs share more than one band.
        buckets.par_sort_unstable();
        buckets.dedup();
        let mut shares = vec![false; stands.len()];
        buckets.iter().flatten().for_each(|row| shares[*row as usize] = true);
        found.candidates = (0..places.rows()).filter(|row| shares[*row as usize]).collect();
        drop((stands, shares));
        let of_row = |rows: &RowBatch, row: usize| {
            let mut room = Room::default();
            room.form.set(rows.text(row), rows.pair(row));
            near.shingles.hash(&room.form, &mut room.hashes);
            Resemblance::of(&room.hashes, &mut room.signature)
        };
        let shingles = &mut found.shingles;
        places.visit(ctx, &found.candidates, of_row, |row| shingles.push(row))?;
        for rows in &buckets {
            ctx.check_cancelled()?;
            found.cut += compare(rows, near.threshold, &found, &mut clusters)?;
        }
    }
    found.clusters = clusters;
    Ok(found)
}

/// Joins the rows of a bucket that are near enough. Returns how many were not compared with all before them.
fn compare(rows: &[u32], threshold: f64, found: &Found<'_>, clusters: &mut Clusters) -> Result<usize, StageError> {
    let mut cut = 0;
    // Whether all rows so far are of one cluster, as those of a template are: one that joins it has no others to be compared with.
    let mut is_one = true;
    for (at, &row) in rows.iter().enumerate() {
        let (mut own, mut compared) = (None, 0);
        for (looked_at, &other) in rows[..at].iter().enumerate() {
            let is_other = clusters.first(other) != clusters.first(row);
            if looked_at == MOST_LOOKED_AT || is_other && compared == MOST_COMPARED {
                cut += 1;
                break;
            }
            if is_other {
                if own.is_none() {
                    own = found.of(row)?;
                }
                let similarity = found.of(other)?.zip(own.as_ref()).map_or(0.0, |(other, own)| other.with(own));
                if similarity >= threshold {
                    clusters.join(other, row);
                }
                compared += 1;
            }
            if is_one && clusters.first(other) == clusters.first(row) {
                break;
            }
        }
        is_one &= clusters.first(row) == clusters.first(rows[0]);
    }
    Ok(cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows whose shingles are numbers.
    fn found<'a>(rows: &[Vec<u64>], dir: &'a Path) -> Found<'a> {
        let mut room = Vec::new();
        let mut shingles = Kept::new(dir);
        for hashes in rows {
            let spread: Vec<u64> = hashes.iter().map(|hash| hash.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
            shingles.push(Resemblance::of(&spread, &mut room)).unwrap();
        }
        let count = rows.len() as u32;
        let (same, clusters) = (Clusters::new(count), Clusters::new(count));
        Found { same, clusters, bands: None, cut: 0, candidates: (0..count).collect(), shingles }
    }

    #[test]
    fn a_bucket_of_one_template_takes_linear_time_and_one_of_many_is_cut() {
        // Nine shingles of ten in common.
        let (count, dir) = (200_000_u32, tempfile::tempdir().unwrap());
        let alike: Vec<Vec<u64>> = (0..count).map(|row| (0..9).chain([100 + u64::from(row)]).collect()).collect();
        let bucket: Vec<u32> = (0..count).collect();
        let mut clusters = Clusters::new(count);
        assert_eq!(compare(&bucket, 0.8, &found(&alike, dir.path()), &mut clusters).unwrap(), 0);
        assert!(bucket.iter().all(|row| clusters.first(*row) == 0));
        // One in common: what is alike is found among the first, and what was not looked at is counted.
        let mut unlike: Vec<Vec<u64>> = (0..100).map(|row| (0..10).map(|shingle| row * 10 + shingle).collect()).collect();
        unlike[99] = unlike[5].clone();
        unlike[98] = unlike[90].clone();
        let mut clusters = Clusters::new(100);
        let cut = compare(&bucket[..100], 0.8, &found(&unlike, dir.path()), &mut clusters).unwrap();
        assert_eq!((clusters.first(99), clusters.first(98)), (5, 98));
        assert_eq!(cut, 35);
        // Two templates: what joins the second is looked for among the first rows only.
        let (mut two, bucket) = (alike[..20_000].to_vec(), &bucket[..20_000]);
        two.iter_mut().skip(1).step_by(2).for_each(|row| row.iter_mut().for_each(|shingle| *shingle += 1 << 40));
        let mut clusters = Clusters::new(20_000);
        compare(bucket, 0.8, &found(&two, dir.path()), &mut clusters).unwrap();
        assert!(bucket.iter().all(|row| clusters.first(*row) == row % 2));
    }
}
