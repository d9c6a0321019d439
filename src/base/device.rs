//! `DeviceId`: `cpu`, `cuda:0`, `metal:0`; a name, not a handle.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The name of a device that a stage may run on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeviceId {
    /// The processor.
    #[default]
    Cpu,
    /// An NVIDIA device, by its ordinal.
    Cuda(usize),
    /// An Apple device, by its ordinal.
    Metal(usize),
}

impl DeviceId {
    /// `cpu`, `cuda` or `metal`: the part of a device that can change the bits of a result.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda(_) => "cuda",
            Self::Metal(_) => "metal",
        }
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(n) => write!(f, "cuda:{n}"),
            Self::Metal(n) => write!(f, "metal:{n}"),
        }
    }
}

impl FromStr for DeviceId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, ordinal) = text.split_once(':').unwrap_or((text, "0"));
        let ordinal = ordinal.parse::<usize>();
        match (kind, ordinal) {
            ("cpu", Ok(0)) if !text.contains(':') => Ok(Self::Cpu),
            ("cuda", Ok(n)) => Ok(Self::Cuda(n)),
            ("metal", Ok(n)) => Ok(Self::Metal(n)),
            _ => Err(format!("no device is called `{text}`; devices are `cpu`, `cuda:N` and `metal:N`")),
        }
    }
}

impl Serialize for DeviceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DeviceId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for name in ["cpu", "cuda:0", "cuda:3", "metal:0"] {
            assert_eq!(name.parse::<DeviceId>().unwrap().to_string(), name);
        }
        assert_eq!("cuda".parse(), Ok(DeviceId::Cuda(0)));
        for name in ["gpu", "cpu:1", "cpu:0", "cuda:x", ""] {
            assert!(name.parse::<DeviceId>().is_err(), "{name}");
        }
    }
}
