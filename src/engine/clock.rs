//! The wall clock, as text.

use time::OffsetDateTime;

/// The time of day in UTC, RFC 3339, to the millisecond: `2026-11-24T04:59:41.123Z`.
pub(super) fn now() -> String {
    let t = OffsetDateTime::now_utc();
    let (hour, minute, second, milli) = t.time().as_hms_milli();
    format!("{}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z", t.date())
}

/// A time of [`now`] as a part of a file name, which sorts by time: `20261124-045941-123`.
pub(super) fn stamp(time: &str) -> String {
    let digits = |c: char| c.is_ascii_digit().then_some(c);
    time.chars().filter_map(|c| if matches!(c, 'T' | '.') { Some('-') } else { digits(c) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339() {
        let now = now();
        OffsetDateTime::parse(&now, &time::format_description::well_known::Rfc3339).unwrap();
        assert_eq!(now.len(), "2026-11-24T04:59:41.123Z".len());
        assert_eq!(stamp("2026-11-24T04:59:41.123Z"), "20261124-045941-123");
    }
}
