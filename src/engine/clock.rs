//! The wall clock, as text.

use time::OffsetDateTime;

/// The time of day in UTC, RFC 3339, to the millisecond: `2026-11-24T04:59:41.123Z`.
pub(super) fn now() -> String {
    let t = OffsetDateTime::now_utc();
    let (hour, minute, second, milli) = t.time().as_hms_milli();
    format!("{}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z", t.date())
}

/// The seconds from 1970 to a time as runs note it, RFC 3339; nothing where it is none.
#[must_use]
pub fn seconds_since_1970(time: &str) -> Option<u64> {
    let time = OffsetDateTime::parse(time, &time::format_description::well_known::Rfc3339).ok()?;
    u64::try_from(time.unix_timestamp()).ok()
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
        assert_eq!(seconds_since_1970("1970-01-02T00:00:01.500Z"), Some(86_401));
        assert_eq!(seconds_since_1970("yesterday"), None);
        assert_eq!(stamp("2026-11-24T04:59:41.123Z"), "20261124-045941-123");
    }
}
