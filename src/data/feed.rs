//! `Feed`: the bytes of a text format, unpacked, as many as are needed at a time.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use super::{DataError, readers::COMPRESSED};
use crate::base::fs::AtPath;

/// Bytes that are read at a time.
const STEP: usize = 1 << 20;
/// Bytes of one record at most: what is longer is no record but a quote that is not closed, or no text at all.
const LONGEST: usize = 256 << 20;
/// What some programs put at the start of a text file.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Bytes that are looked at before they are used up.
pub(super) struct Feed {
    from: Box<dyn Read + Send>,
    bytes: Vec<u8>,
    /// Where those begin that are not used up.
    at: usize,
    is_over: bool,
    /// Bytes that are read at a time, or more.
    step: usize,
}

impl Feed {
    /// Opens a file and unpacks it if its name says that it is compressed.
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        let file = File::open(path).at("cannot read", path)?;
        let packing = path.extension().map(|extension| extension.to_string_lossy().to_lowercase()).unwrap_or_default();
        let from: Box<dyn Read + Send> = if packing == COMPRESSED[0] {
            Box::new(flate2::read::MultiGzDecoder::new(file))
        } else if COMPRESSED.contains(&packing.as_str()) {
            Box::new(zstd::stream::read::Decoder::new(file).at("cannot read", path)?)
        } else {
            Box::new(file)
        };
        Self::new(from)
    }

    fn new(from: Box<dyn Read + Send>) -> Result<Self, DataError> {
        Self::by_steps(from, STEP)
    }

    pub(super) fn by_steps(from: Box<dyn Read + Send>, step: usize) -> Result<Self, DataError> {
        let mut feed = Self { from, bytes: Vec::new(), at: 0, is_over: false, step };
        while feed.bytes.len() < BYTE_ORDER_MARK.len() && !feed.is_over {
            feed.more()?;
        }
        if feed.bytes.starts_with(BYTE_ORDER_MARK) {
            feed.at = BYTE_ORDER_MARK.len();
        }
        if matches!(feed.bytes.as_slice(), [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, 1..=255, ..] | [1..=255, 0, ..]) {
            return Err(DataError::content("UTF-16 text; save the file as UTF-8"));
        }
        Ok(feed)
    }

    /// The bytes that are there and not used up.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    /// Whether no others follow.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether so many are there that a record cannot be longer.
    pub(super) fn is_full(&self) -> bool {
        self.bytes().len() > LONGEST
    }

    /// Marks the first bytes as used up.
    pub(super) fn consume(&mut self, count: usize) {
        self.at += count;
    }

    /// Reads more behind those that are there.
    pub(super) fn more(&mut self) -> Result<(), DataError> {
        self.bytes.drain(..self.at);
        self.at = 0;
        // A record that does not fit is read again from its start: twice as many at a time keep that cheap.
        let step = self.step.max(self.bytes.len());
        let read = self.from.by_ref().take(step as u64).read_to_end(&mut self.bytes);
        let read = read.map_err(|error| DataError::content(packed(&error)))?;
        self.is_over = read < step;
        Ok(())
    }
}

fn packed(error: &io::Error) -> String {
    format!("cannot be read or unpacked: {error}")
}

/// How a record begins, for who has to find out what is wrong with it.
pub(super) fn beginning(bytes: &[u8]) -> String {
    const MOST: usize = 200;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * MOST)]);
    let mut short: String = text.chars().take(MOST).collect();
    if short.len() < text.len() || bytes.len() > 4 * MOST {
        short.push('…');
    }
    short
}

/// What to say of bytes that are not UTF-8.
pub(super) fn not_utf8(bytes: &[u8]) -> Option<String> {
    let error = std::str::from_utf8(bytes).err()?;
    let byte = bytes[error.valid_up_to()];
    Some(format!("not UTF-8 (byte 0x{byte:02X}); save the file as UTF-8"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn packed_and_plain_files_are_the_same_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let text = b"\xef\xbb\xbftext\n".repeat(300_000);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&text[..1_000_000]).unwrap();
        let mut gzip = gzip.finish().unwrap();
        // Two members, as `cat a.gz b.gz` makes them.
        let mut second = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        second.write_all(&text[1_000_000..]).unwrap();
        gzip.extend(second.finish().unwrap());
        let zstd = zstd::stream::encode_all(&text[..], 1).unwrap();
        for (name, bytes) in [("a.csv", &text), ("a.csv.gz", &gzip), ("a.csv.zst", &zstd)] {
            let path = dir.path().join(name);
            crate::base::fs::write_atomic(&path, bytes).unwrap();
            let mut feed = Feed::open(&path).unwrap();
            let mut read = Vec::new();
            loop {
                read.extend_from_slice(feed.bytes());
                feed.consume(feed.bytes().len());
                if feed.is_over() {
                    break;
                }
                feed.more().unwrap();
            }
            assert!(read == text[3..], "{name}");
        }
    }
}
