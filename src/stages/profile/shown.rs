//! What a report shows of a profile.

use super::Stored;
use crate::{
    profile::{Lengths, Profile, SplitProfile},
    report::{DataProfile, DataSide, DataSplit, LengthShape},
};

/// What a report shows of what the stage of a name found.
pub(in crate::stages) fn shown(stage: &str, stored: &Stored) -> DataProfile {
    let (now, before) = (&stored.profile, stored.before.as_ref());
    let mut names: Vec<&str> = now.splits.iter().map(|split| split.name.as_str()).collect();
    let gone = before.iter().flat_map(|(before, _)| &before.splits).map(|split| split.name.as_str());
    names.extend(gone.filter(|name| now.split(name).is_none()));
    let side = |profile: &Profile, name: &str| profile.split(name).map(side);
    let splits = names.into_iter().map(|name| DataSplit {
        name: name.to_owned(),
        now: side(now, name).unwrap_or_default(),
        before: before.and_then(|(before, _)| side(before, name)),
    });
    let tokens = now.splits.iter().find_map(|split| split.tokens.as_ref());
    DataProfile {
        stage: stage.to_owned(),
        data: stored.data.clone(),
        before: before.map(|(_, name)| name.clone()),
        max_length: tokens.and_then(|tokens| tokens.max_length),
        splits: splits.collect(),
        notes: now.notes.clone(),
    }
}

fn side(split: &SplitProfile) -> DataSide {
    let tokens = split.tokens.as_ref();
    DataSide {
        rows: split.rows,
        words: shape(&split.words),
        tokens: tokens.map(|tokens| shape(&tokens.lengths)),
        longer: tokens.filter(|tokens| tokens.max_length.is_some()).map(|tokens| tokens.longer),
        labels: split.labels.iter().map(|label| (label.label.clone(), label.rows)).collect(),
        identified: split.languages.rows,
        languages: split.languages.sure.clone(),
        unsure: split.languages.unsure,
        duplicates: split.repeats.duplicates,
        leaks: split.repeats.leaks,
        distinct: split.vocabulary.distinct,
        frequent: split.vocabulary.frequent.iter().map(|(word, _)| word.clone()).collect(),
        empty: split.odd.empty,
        odd: split.odd.replacement.max(split.odd.control),
    }
}

fn shape(lengths: &Lengths) -> LengthShape {
    LengthShape {
        rows: lengths.rows,
        mean: lengths.mean,
        median: lengths.p50,
        p95: lengths.p95,
        p99: lengths.p99,
        max: lengths.max,
        bins: lengths.bins.iter().map(|bin| (bin.from, bin.to, bin.rows)).collect(),
    }
}
