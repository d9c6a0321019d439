//! `FloatType`: how f32 parameters are stored, and how they are rounded to halves and widened again.

/// A type that parameters are stored in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FloatType {
    /// 32 bits: as lmpipe computes.
    #[default]
    F32,
    /// IEEE half precision: 11 bits of precision, numbers below 65,520.
    F16,
    /// The upper half of an f32: 8 bits of precision, and its range.
    Bf16,
}

impl FloatType {
    /// Its short name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        }
    }

    /// What `config.json` calls it.
    pub(super) fn config_name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::F16 => "float16",
            Self::Bf16 => "bfloat16",
        }
    }

    /// The nearest number of this type, the even one of two; none where it is too large for one.
    #[must_use]
    pub fn round(self, value: f32) -> Option<f32> {
        match self {
            Self::F32 => Some(value),
            Self::F16 => f16_of_f32(value).map(f16_to_f32),
            Self::Bf16 => bf16_of_f32(value).map(bf16_to_f32),
        }
    }

    /// Numbers as they stand in a file; the place of the first that is too large where there is one.
    pub(super) fn bytes(self, values: &[f32]) -> Result<Vec<u8>, usize> {
        let half = |of_f32: fn(f32) -> Option<u16>| {
            let mut bytes = Vec::with_capacity(2 * values.len());
            for (place, &value) in values.iter().enumerate() {
                bytes.extend(of_f32(value).ok_or(place)?.to_le_bytes());
            }
            Ok(bytes)
        };
        match self {
            Self::F32 => Ok(values.iter().flat_map(|value| value.to_le_bytes()).collect()),
            Self::F16 => half(f16_of_f32),
            Self::Bf16 => half(bf16_of_f32),
        }
    }
}

/// Rounds to nearest, ties to even.
fn f16_of_f32(value: f32) -> Option<u16> {
    /// Halfway between the largest half, 65,504, and what would be the next.
    const TOO_LARGE: f32 = 65_520.0;
    const SMALLEST_NORMAL: f32 = 1.0 / 16_384.0;
    let sign = (value.to_bits() >> 16) as u16 & 0x8000;
    let size = value.abs();
    if size.is_nan() || size >= TOO_LARGE {
        return None;
    }
    let rounded = if size < SMALLEST_NORMAL {
        // Subnormals are counted in units of 2⁻²⁴; the product is exact.
        (size * 16_777_216.0).round_ties_even() as u32
    } else {
        // The exponent's bias is 15 instead of 127, and 13 bits of the fraction go. A carry into the exponent is right.
        let bits = size.to_bits() - (112 << 23);
        (bits + 0xfff + (bits >> 13 & 1)) >> 13
    };
    Some(sign | rounded as u16)
}

/// Rounds to nearest, ties to even.
fn bf16_of_f32(value: f32) -> Option<u16> {
    /// Halfway between the largest bf16 and what would be the next.
    const TOO_LARGE: u32 = 0x7f7f_8000;
    let bits = value.to_bits();
    (bits & 0x7fff_ffff < TOO_LARGE).then(|| ((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16)
}

/// IEEE half precision to single: exact.
pub(super) fn f16_to_f32(bits: u16) -> f32 {
    let sign = u32::from(bits >> 15) << 31;
    let exponent = u32::from(bits >> 10 & 0x1f);
    let fraction = u32::from(bits & 0x3ff);
    match (exponent, fraction) {
        // Zero and subnormals: the fraction in units of 2⁻²⁴.
        (0, _) => f32::from_bits(sign | (fraction as f32 / 16_777_216.0).to_bits()),
        (0x1f, _) => f32::from_bits(sign | 0x7f80_0000 | fraction << 13),
        _ => f32::from_bits(sign | (exponent + 112) << 23 | fraction << 13),
    }
}

/// The upper half of a single to all of it: exact.
pub(super) fn bf16_to_f32(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_widen_exactly() {
        let cases = [
            (0x0000, 0.0),
            (0x8000, -0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x3555, 0.333_251_95),
            (0x0001, 5.960_464_5e-8),
            (0x83ff, -6.097_555e-5),
            (0x7bff, 65504.0),
            (0x7c00, f32::INFINITY),
        ];
        for (bits, value) in cases {
            assert_eq!(f16_to_f32(bits).to_bits(), f32::to_bits(value), "{bits:x}");
        }
        assert!(f16_to_f32(0x7e00).is_nan());
    }

    #[test]
    fn every_finite_half_is_itself() {
        for bits in 0..=u16::MAX {
            let (f16, bf16) = (f16_to_f32(bits), bf16_to_f32(bits));
            assert_eq!(f16_of_f32(f16), f16.is_finite().then_some(bits), "{bits:x}");
            assert_eq!(bf16_of_f32(bf16), bf16.is_finite().then_some(bits), "{bits:x}");
        }
    }

    /// Bits of f32, f16 and bf16 as PyTorch 2.15 rounds them; it makes infinities of what has none here.
    #[test]
    fn numbers_round_as_in_pytorch() {
        let cases = [
            // ties: to the even one, down and up, and just beside
            (0x3f80_1000, Some(0x3c00), Some(0x3f80)),
            (0x3f80_3000, Some(0x3c02), Some(0x3f80)),
            (0x3f80_1001, Some(0x3c01), Some(0x3f80)),
            (0x3f80_8000, Some(0x3c04), Some(0x3f80)),
            (0x3f81_8000, Some(0x3c0c), Some(0x3f82)),
            (0xbf80_8001, Some(0xbc04), Some(0xbf81)),
            // a carry into the exponent
            (0x3fff_ffff, Some(0x4000), Some(0x4000)),
            // subnormal halves: a tie at half the smallest, just above, one and a half, the largest, the carry to a normal one
            (0x3300_0000, Some(0x0000), Some(0x3300)),
            (0x3300_0001, Some(0x0001), Some(0x3300)),
            (0x33c0_0000, Some(0x0002), Some(0x33c0)),
            (0xb87f_c000, Some(0x83ff), Some(0xb880)),
            (0x387f_f000, Some(0x0400), Some(0x3880)),
            // subnormal in f32 and bf16
            (0x0000_8000, Some(0x0000), Some(0x0000)),
            (0x8001_8000, Some(0x8000), Some(0x8002)),
            // the largest that fit, and the first that do not
            (0x477f_efff, Some(0x7bff), Some(0x4780)),
            (0x477f_f000, None, Some(0x4780)),
            (0x7f7f_7fff, None, Some(0x7f7f)),
            (0xff7f_8000, None, None),
            (0x7f80_0000, None, None),
            (0x7fc0_0000, None, None),
        ];
        for (bits, f16, bf16) in cases {
            let value = f32::from_bits(bits);
            assert_eq!(f16_of_f32(value), f16, "f16 of {value:e}");
            assert_eq!(bf16_of_f32(value), bf16, "bf16 of {value:e}");
            assert_eq!(FloatType::F16.round(value), f16.map(f16_to_f32));
            assert_eq!(
                FloatType::F16.bytes(&[0.0, value]),
                f16.map(|half| [0, half].map(u16::to_le_bytes).concat()).ok_or(1)
            );
        }
        assert_eq!(FloatType::F32.bytes(&[1.0]).unwrap(), [0, 0, 0x80, 0x3f]);
    }
}
