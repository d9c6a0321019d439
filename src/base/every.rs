//! `Every`: how often something is done, in time or in steps.

use std::{fmt, str::FromStr, time::Duration};

/// How often something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Every {
    /// After so much time.
    Time(Duration),
    /// After so many steps.
    Steps(usize),
    /// Not at all.
    Never,
}

impl Default for Every {
    /// Half a minute.
    fn default() -> Self {
        Self::Time(Duration::from_secs(30))
    }
}

impl fmt::Display for Every {
    /// As it is read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(time) => write!(f, "{}s", time.as_secs()),
            Self::Steps(steps) => write!(f, "{steps} steps"),
            Self::Never => f.write_str("never"),
        }
    }
}

impl FromStr for Every {
    type Err = String;

    /// Reads `30s`, `5m`, `2h`, `200 steps` and `never`.
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "never" {
            return Ok(Self::Never);
        }
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let fault = || format!("`{text}` is none of `30s`, `5m`, `2h`, `200 steps` and `never`");
        let number: u64 = text[..end].parse().map_err(|_| fault())?;
        let seconds = |unit: u64| number.checked_mul(unit).map(Duration::from_secs).map(Self::Time).ok_or_else(fault);
        match text[end..].trim() {
            _ if number == 0 => Err(fault()),
            "s" => seconds(1),
            "m" => seconds(60),
            "h" => seconds(3600),
            "step" | "steps" => usize::try_from(number).map(Self::Steps).map_err(|_| fault()),
            _ => Err(fault()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_steps_are_read() {
        let read = |text: &str| text.parse::<Every>();
        assert_eq!(read("30s"), Ok(Every::default()));
        assert_eq!(read("2h"), Ok(Every::Time(Duration::from_hours(2))));
        assert_eq!(read("200 steps"), Ok(Every::Steps(200)));
        assert_eq!(read("1step"), Ok(Every::Steps(1)));
        assert_eq!(read("never"), Ok(Every::Never));
        for every in [Every::default(), Every::Steps(7), Every::Never] {
            assert_eq!(read(&every.to_string()), Ok(every));
        }
        for wrong in ["", "s", "30", "0s", "5 minutes", "-1s", "99999999999999999999s", "18446744073709551615h"] {
            assert!(read(wrong).unwrap_err().contains("is none of `30s`"), "{wrong}");
        }
    }
}
