//! Datasets on Arrow: splits, column roles, tokenising, packed batches.

mod batch;
mod codes;
mod columns;
mod dataset;
mod derive;
mod error;
mod feed;
mod files;
mod import;
mod origin;
mod query;
mod readers;
mod row_batch;
mod source;
mod split;
mod table;
mod tokenize;
mod types;
mod vocabulary;
mod whole;

pub use batch::{Batch, Order, batches};
pub use dataset::{Dataset, Meta, Roles, Rows, Split};
pub use derive::DerivedRow;
pub use error::DataError;
pub use files::{DatasetReader, DatasetWriter, Pause};
pub use import::{Import, Imported, Limit, REJECTED, SplitLimits};
pub use query::{query, sql_fault};
pub use row_batch::{RowBatch, Texts};
pub use source::{Columns, PlainFiles, RowSource, Unread};
pub use split::{Fractions, SplitBy};
pub use table::{Column, read_texts, write_table};
pub use tokenize::{Encoding, LongTexts, SentenceEncoding, Tokenizer, WordPieces};
pub use vocabulary::Vocabulary;
pub use whole::import_whole;
