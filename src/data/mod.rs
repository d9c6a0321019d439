//! Datasets on Arrow: splits, column roles, tokenising, packed batches.

mod batch;
mod columns;
mod dataset;
mod derive;
mod error;
mod import;
mod query;
mod readers;
mod split;
mod table;
mod tokenize;
mod vocabulary;
mod whole;

pub use batch::{Batch, Order, batches};
pub use dataset::{Dataset, Meta, Roles, Rows, Split};
pub use derive::DerivedRow;
pub use error::DataError;
pub use import::{Import, Limit, SplitLimits};
pub use query::{query, sql_fault};
pub use split::{Fractions, SplitBy};
pub use table::{Column, read_texts, write_table};
pub use tokenize::{Encoding, LongTexts, SentenceEncoding, Tokenizer, WordPieces};
pub use vocabulary::Vocabulary;
pub use whole::import_whole;
