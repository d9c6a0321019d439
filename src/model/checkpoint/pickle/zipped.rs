//! The form of torch from 1.6: a ZIP file with the pickle as `data.pkl` and each storage as a file, none compressed.

use std::{
    collections::BTreeMap,
    io::{BufReader, Read, Seek},
};

use zip::{CompressionMethod, ZipArchive, read::ZipFile};

use super::{
    Contents, Span,
    machine::{self, Value},
};

/// Reads the pickle and finds the storages.
pub(super) fn open(file: &mut (impl Read + Seek), n_bytes: u64) -> Result<Contents, String> {
    let damaged = |error: zip::result::ZipError| format!("it is damaged: {error} (an unfinished download?)");
    let mut archive = ZipArchive::new(file).map_err(damaged)?;
    let names = archive.file_names().filter_map(Result::ok);
    let programs: Vec<_> = names.filter_map(|name| name.strip_suffix("data.pkl").map(str::to_owned)).collect();
    let [folder] = &programs[..] else {
        return Err(format!("it is no PyTorch checkpoint: it has {} files `data.pkl`, not one", programs.len()));
    };
    let mut order = String::new();
    if let Ok(entry) = archive.by_name(&format!("{folder}byteorder")) {
        entry.take(16).read_to_string(&mut order).map_err(|error| format!("its `byteorder` is damaged: {error}"))?;
    }
    if !matches!(order.trim(), "" | "little") {
        return Err("it was written on a big-endian machine".to_owned());
    }
    let object = {
        let entry = archive.by_name(&format!("{folder}data.pkl")).map_err(damaged)?;
        span(&entry, n_bytes)?;
        machine::run(&mut BufReader::new(entry))?
    };
    let mut storages = BTreeMap::new();
    for value in &object.values {
        let Value::Storage(storage) = value else { continue };
        let key = object.text(storage.key)?;
        if !storages.contains_key(key) {
            let entry = archive.by_name(&format!("{folder}data/{key}")).map_err(damaged)?;
            storages.insert(key.to_owned(), span(&entry, n_bytes)?);
        }
    }
    Ok(Contents { object, storages })
}

/// Where a file stands. A compressed one could be of any size, and torch writes none.
fn span<R: Read>(entry: &ZipFile<'_, R>, n_bytes: u64) -> Result<Span, String> {
    let name = entry.name().map_err(|error| format!("it is damaged: {error}"))?;
    if entry.compression() != CompressionMethod::Stored || entry.encrypted() {
        return Err(format!("its `{name}` is compressed, which `torch.save` does not do"));
    }
    let (start, len) = (entry.data_start().unwrap_or(u64::MAX), entry.size());
    match start.checked_add(len) {
        Some(end) if end <= n_bytes => Ok(Span { start, len }),
        _ => Err(format!("it is damaged: its `{name}` ends behind the file (an unfinished download?)")),
    }
}
