//! How large pages say they are, before anybody makes room for them: the reader believes their headers.
//!
//! A header is a struct of Thrift's compact protocol, of which the first fields say the sizes (the Parquet format's
//! `parquet.thrift`, `PageHeader`).

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
};

use parquet::file::metadata::ParquetMetaData;

/// What a page may have: writers make pages of a megabyte, and a text is in one page.
const MOST_BYTES: i64 = 512 << 20;
/// How deep structs in a header may stand in each other; the format's stand three deep.
const MOST_DEEP: usize = 8;

/// Looks at the headers of all pages.
///
/// # Errors
/// When a page says that it is larger than any is, or a header cannot be understood; the text says which.
pub(super) fn check(file: &File, metadata: &ParquetMetaData) -> Result<(), String> {
    let mut reader = BufReader::with_capacity(1 << 12, file);
    for group in metadata.row_groups() {
        for column in group.columns() {
            let name = column.column_path().string();
            let wrong = |what: &str| format!("the column `{name}` {what}");
            let dictionary = column.dictionary_page_offset().filter(|offset| *offset > 0);
            let (start, bytes) = (dictionary.unwrap_or(column.data_page_offset()), column.compressed_size());
            let end = start.checked_add(bytes).filter(|_| start >= 0 && bytes >= 0);
            let (Ok(start), Some(Ok(end))) = (u64::try_from(start), end.map(u64::try_from)) else {
                return Err(wrong("stands at a negative place"));
            };
            let mut at = start;
            while at < end {
                reader.seek(SeekFrom::Start(at)).map_err(|error| error.to_string())?;
                let header =
                    Header::read(&mut reader).map_err(|error| wrong(&format!("has a damaged page: {error}")))?;
                if header.sizes.iter().any(|size| !(0..=MOST_BYTES).contains(size)) {
                    return Err(wrong(&format!("has a page that says it has {} bytes", header.sizes[0])));
                }
                at += header.length + header.sizes[1] as u64;
            }
        }
    }
    Ok(())
}

/// The header of a page.
#[derive(Debug, PartialEq, Eq)]
struct Header {
    /// Bytes of the page as it is used, and as it is stored.
    sizes: [i64; 2],
    /// Bytes of the header.
    length: u64,
}

impl Header {
    fn read(reader: &mut impl BufRead) -> io::Result<Self> {
        let mut thrift = Thrift { reader, length: 0 };
        let mut sizes = [0; 2];
        let mut id = 0;
        while let Some(kind) = thrift.field(&mut id)? {
            match (id, kind) {
                (2 | 3, 5) => sizes[id as usize - 2] = thrift.number()?,
                _ => thrift.skip(kind, MOST_DEEP)?,
            }
        }
        Ok(Self { sizes, length: thrift.length })
    }
}

/// Thrift's compact protocol.
struct Thrift<'a, R> {
    reader: &'a mut R,
    length: u64,
}

impl<R: BufRead> Thrift<'_, R> {
    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.reader.read_exact(&mut byte)?;
        self.length += 1;
        Ok(byte[0])
    }

    fn unsigned(&mut self) -> io::Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(damaged("a number without an end"))
    }

    /// A signed number, whose sign stands in the lowest bit.
    fn number(&mut self) -> io::Result<i64> {
        let value = self.unsigned()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    /// The type of the next field, whose number is put into `id`; none behind the last.
    fn field(&mut self, id: &mut i64) -> io::Result<Option<u8>> {
        let byte = self.byte()?;
        if byte == 0 {
            return Ok(None);
        }
        *id = if byte >> 4 == 0 { self.number()? } else { *id + i64::from(byte >> 4) };
        Ok(Some(byte & 0xf))
    }

    fn skip(&mut self, kind: u8, deep: usize) -> io::Result<()> {
        if deep == 0 {
            return Err(damaged("too deep"));
        }
        match kind {
            // Booleans are in the type.
            1 | 2 => {}
            3 => _ = self.byte()?,
            4..=6 => _ = self.unsigned()?,
            7 => self.pass(8)?,
            8 => {
                let length = self.unsigned()?;
                self.pass(length)?;
            }
            9 | 10 => {
                let byte = self.byte()?;
                let count = if byte >> 4 == 15 { self.unsigned()? } else { u64::from(byte >> 4) };
                for _ in 0..count {
                    match byte & 0xf {
                        1 | 2 => _ = self.byte()?,
                        kind => self.skip(kind, deep - 1)?,
                    }
                }
            }
            12 => {
                let mut id = 0;
                while let Some(kind) = self.field(&mut id)? {
                    self.skip(kind, deep - 1)?;
                }
            }
            _ => return Err(damaged("an unknown type")),
        }
        Ok(())
    }

    /// Goes on behind some bytes, which must be there.
    fn pass(&mut self, length: u64) -> io::Result<()> {
        let passed = io::copy(&mut self.reader.by_ref().take(length), &mut io::sink())?;
        self.length += passed;
        if passed < length { Err(damaged("it ends too early")) } else { Ok(()) }
    }
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> io::Result<Header> {
        Header::read(&mut &bytes[..])
    }

    #[test]
    fn sizes_are_found_between_other_fields() {
        // Type 0, sizes 300 and 40, a checksum, and a struct with a text, a list of two numbers and a boolean; then the page.
        let bytes = [
            0x15, 0x00, 0x15, 0xd8, 0x04, 0x15, 0x50, 0x15, 0x02, 0x1c, 0x18, 0x02, b'a', b'b', 0x19, 0x25, 0x02, 0x04,
            0x11, 0x00, 0x00, 0xff,
        ];
        assert_eq!(read(&bytes).unwrap(), Header { sizes: [300, 40], length: 21 });
        for end in 0..21 {
            assert!(read(&bytes[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn hostile_headers_are_errors() {
        for bytes in [
            &[0x1c; 100][..],
            &[0x18, 0xff, 0xff, 0xff, 0xff, 0x0f][..],
            &[0x15; 1][..],
            &[0x1d, 0][..],
            &[0x80; 20][..],
        ] {
            assert!(read(bytes).is_err(), "{bytes:?}");
        }
    }
}
