//! The form of torch before 1.6: five pickles one after the other, and the storages behind them.

use std::{
    collections::BTreeMap,
    io::{BufRead, Seek, SeekFrom},
};

use super::{
    Contents, Span,
    machine::{self, Object, Value, damaged},
};

/// The first two pickles, a magic number and the version of the form: the same bytes in every file.
pub(super) const START: [u8; 20] = *b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03";

/// Reads the pickles and finds the storages; the file stands behind [`START`].
pub(super) fn open(file: &mut (impl BufRead + Seek), n_bytes: u64) -> Result<Contents, String> {
    let mut stop = [0];
    file.read_exact(&mut stop).map_err(|_| damaged())?;
    if !is_little_endian(&machine::run(file)?) {
        return Err("it was written on a big-endian machine".to_owned());
    }
    let object = machine::run(file)?;
    let keys = machine::run(file)?;
    let Value::List(order) = keys.value(keys.root) else { return Err(damaged()) };
    let mut known = BTreeMap::new();
    for value in &object.values {
        let Value::Storage(storage) = value else { continue };
        let (key, size) = (object.text(storage.key)?, (storage.count, storage.bytes()));
        if known.insert(key, size).is_some_and(|other| other != size) {
            return Err(damaged());
        }
    }
    let unfinished = || "it ends within its storages (an unfinished download?)".to_owned();
    let mut storages = BTreeMap::new();
    for key in order {
        let key = keys.text(*key)?;
        let (count, bytes) = known.get(key).ok_or_else(|| format!("its storage `{key}` belongs to no tensor"))?;
        let mut written = [0; 8];
        file.read_exact(&mut written).map_err(|_| unfinished())?;
        if u64::from_le_bytes(written) != *count {
            return Err(format!("its storage `{key}` is not as long as its pickle says"));
        }
        let start = file.stream_position().map_err(|error| error.to_string())?;
        let len = bytes.filter(|len| *len <= n_bytes.saturating_sub(start)).ok_or_else(unfinished)?;
        file.seek(SeekFrom::Start(start + len)).map_err(|error| error.to_string())?;
        storages.insert(key.to_owned(), Span { start, len });
    }
    Ok(Contents { object, storages })
}

fn is_little_endian(system: &Object) -> bool {
    let Value::Dict(facts) = system.value(system.root) else { return false };
    let is_big = |(key, value): &(u32, u32)| matches!((system.value(*key), system.value(*value)), (Value::Text(key), Value::Flag(false)) if key == "little_endian");
    !facts.iter().any(is_big)
}
