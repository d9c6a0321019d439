//! Values of options: read, or refused in words.

use crate::base::units;

pub(super) fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

pub(super) fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("expected a whole number from 1".to_owned()),
        Ok(n) => Ok(n),
    }
}

pub(super) fn size(text: &str) -> Result<u64, String> {
    match units::parse_bytes(text) {
        Some(bytes) if bytes >= 1.0 => Ok(bytes as u64),
        _ => Err(format!("`{text}` is no size as `500MB` or `20GB`")),
    }
}

pub(super) fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("expected a number from 0 to 1".to_owned()),
    }
}
