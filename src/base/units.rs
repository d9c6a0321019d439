//! Bytes, durations and counts: shown one way everywhere.

use std::time::Duration;

/// Bytes in decimal units, as disks and app stores count them: `999 B`, `12.3 kB`, `4.56 MB`.
///
/// ```
/// assert_eq!(lmpipe::base::units::bytes(90_868_376), "90.9 MB");
/// ```
#[must_use]
pub fn bytes(n: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
    let value = n as f64;
    match n {
        0..1_000 => format!("{n} B"),
        1_000..1_000_000 => format!("{} kB", three_digits(value / 1e3)),
        1_000_000..1_000_000_000 => format!("{} MB", three_digits(value / 1e6)),
        _ => format!("{} GB", three_digits(value / 1e9)),
    }
}

/// A size as people write it (`25MB`, `1.5 GB`, `4096`), in bytes. `kB`, `MB`, `GB` are decimal; `KiB`, `MiB`, `GiB` binary.
#[must_use]
pub fn parse_bytes(text: &str) -> Option<f64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let factor = match text[digits..].trim() {
        "" | "B" => 1.0,
        "kB" | "KB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    Some(text[..digits].parse::<f64>().ok()? * factor)
}

/// A duration with the precision that a person wants: `12 ms`, `3.4 s`, `2 m 05 s`, `1 h 02 m`.
#[must_use]
pub fn duration(d: Duration) -> String {
    let seconds = d.as_secs_f64();
    let whole = d.as_secs();
    if seconds < 0.9995 {
        format!("{:.0} ms", seconds * 1e3)
    } else if seconds < 59.95 {
        format!("{seconds:.1} s")
    } else if whole < 3600 {
        format!("{} m {:02} s", whole / 60, whole % 60)
    } else {
        format!("{} h {:02} m", whole / 3600, whole % 3600 / 60)
    }
}

/// A whole number with thousands separators: `22,713,216`.
#[must_use]
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn three_digits(value: f64) -> String {
    if value < 9.995 {
        format!("{value:.2}")
    } else if value < 99.95 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_one_way() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(90_868_376), "90.9 MB");
        assert_eq!(bytes(4_560_000), "4.56 MB");
        assert_eq!(parse_bytes("25MB"), Some(25e6));
        assert_eq!(parse_bytes("1.5 GiB"), Some(1.5 * 1_073_741_824.0));
        assert_eq!(parse_bytes("25 parsecs"), None);
        assert_eq!(duration(Duration::from_millis(12)), "12 ms");
        assert_eq!(duration(Duration::from_millis(3_400)), "3.4 s");
        assert_eq!(duration(Duration::from_secs(125)), "2 m 05 s");
        assert_eq!(duration(Duration::from_secs(3_725)), "1 h 02 m");
        assert_eq!(thousands(22_713_216), "22,713,216");
        assert_eq!(thousands(16), "16");
    }
}
