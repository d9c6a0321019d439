//! The subcommands, one file each.

pub(super) mod baseline;
pub(super) mod bench;
pub(super) mod cache;
pub(super) mod completions;
pub(super) mod dag;
pub(super) mod data;
pub(super) mod diff;
pub(super) mod doctor;
pub(super) mod export;
pub(super) mod gate;
pub(super) mod init;
pub(super) mod inspect;
mod load;
pub(super) mod ls;
pub(super) mod plan;
pub(super) mod predict;
pub(super) mod probe;
pub(super) mod report;
pub(super) mod reproduce;
pub(super) mod run;
pub(super) mod schema;
pub(super) mod stages;
pub(super) mod summarize;
mod summary;
pub(super) mod validate;
