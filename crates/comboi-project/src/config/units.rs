//! Sizes and spans with their units.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::read::Refusal;

/// An amount of memory or disk, such as `512MB` (1000 to the kilo) or `4GiB` (1024).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

impl ByteSize {
    /// So many bytes.
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// How many bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

/// A text is not an amount of bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a size: expected a number and a unit, such as `512MB` or `4GiB`")]
pub struct BadByteSize(String);

impl Refusal for BadByteSize {}

impl FromStr for ByteSize {
    type Err = BadByteSize;
    fn from_str(text: &str) -> Result<Self, BadByteSize> {
        let bad = || BadByteSize(text.chars().take(60).collect());
        let digits: String = text
            .trim()
            .chars()
            .take_while(|c| c.is_ascii_digit() || *c == '.')
            .collect();
        let unit = text
            .trim()
            .trim_start_matches(|c: char| c.is_ascii_digit() || c == '.')
            .trim()
            .to_ascii_lowercase();
        let bytes_per_unit: u64 = match unit.as_str() {
            "" | "b" => 1,
            "k" | "kb" => 1000,
            "m" | "mb" => 1000_u64.pow(2),
            "g" | "gb" => 1000_u64.pow(3),
            "t" | "tb" => 1000_u64.pow(4),
            "ki" | "kib" => 1 << 10,
            "mi" | "mib" => 1 << 20,
            "gi" | "gib" => 1 << 30,
            "ti" | "tib" => 1 << 40,
            _ => return Err(bad()),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
        let whole: u64 = whole.parse().map_err(|_no_number| bad())?;
        // 18 digits after the point are more than a terabyte has bytes.
        let tenth_parts = format!("{fraction:0<18}")
            .get(..18)
            .and_then(|digits| digits.parse::<u128>().ok())
            .ok_or_else(bad)?;
        let rest = tenth_parts * u128::from(bytes_per_unit) / 10_u128.pow(18);
        let rest = u64::try_from(rest).map_err(|_too_large| bad())?;
        whole
            .checked_mul(bytes_per_unit)
            .and_then(|bytes| bytes.checked_add(rest))
            .map(Self)
            .ok_or_else(bad)
    }
}

/// In the largest unit that keeps it exact, so that it reads back as the same size.
impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 8] = [
            (1 << 40, "TiB"),
            (1_000_000_000_000, "TB"),
            (1 << 30, "GiB"),
            (1_000_000_000, "GB"),
            (1 << 20, "MiB"),
            (1_000_000, "MB"),
            (1 << 10, "KiB"),
            (1000, "KB"),
        ];
        match UNITS
            .into_iter()
            .find(|(size, _)| self.0 >= *size && self.0.is_multiple_of(*size))
        {
            Some((size, unit)) => write!(f, "{}{unit}", self.0 / size),
            None => write!(f, "{}B", self.0),
        }
    }
}

/// How far below its checkpoint an incremental read begins again, for rows that arrive late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lookback {
    /// For dates and timestamps: `45s`, `30m`, `12h`, `3d`, `2w`.
    Time(Duration),
    /// For numbers: `500`.
    Number(u64),
}

/// A text is not a span.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a span: expected `45s`, `30m`, `12h`, `3d`, `2w`, or a plain number for a numeric column"
)]
pub struct BadLookback(String);

impl Refusal for BadLookback {}

impl FromStr for Lookback {
    type Err = BadLookback;
    fn from_str(text: &str) -> Result<Self, BadLookback> {
        let bad = || BadLookback(text.chars().take(60).collect());
        let trimmed = text.trim();
        let number = |digits: &str| digits.trim_end().parse::<u64>().map_err(|_no_number| bad());
        let (digits, seconds) = match trimmed.chars().last() {
            Some('s') => (trimmed.strip_suffix('s'), 1),
            Some('m') => (trimmed.strip_suffix('m'), 60),
            Some('h') => (trimmed.strip_suffix('h'), 3600),
            Some('d') => (trimmed.strip_suffix('d'), 86_400),
            Some('w') => (trimmed.strip_suffix('w'), 604_800),
            _ => return number(trimmed).map(Self::Number),
        };
        let count = number(digits.unwrap_or_default())?;
        // More than 10,000 years is not a lookback but a slip.
        let span = count
            .checked_mul(seconds)
            .filter(|seconds| *seconds < 10_000 * 366 * 86_400)
            .ok_or_else(bad)?;
        Ok(Self::Time(Duration::from_secs(span)))
    }
}

impl fmt::Display for Lookback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Time(span) => {
                let seconds = span.as_secs();
                let units = [(604_800, "w"), (86_400, "d"), (3600, "h"), (60, "m")];
                match units
                    .into_iter()
                    .find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit))
                {
                    Some((unit, name)) => write!(f, "{}{name}", seconds / unit),
                    None => write!(f, "{seconds}s"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_of_1000_and_of_1024() {
        let bytes = |text: &str| text.parse::<ByteSize>().map(ByteSize::bytes).ok();
        assert_eq!(bytes("512"), Some(512));
        assert_eq!(bytes("512MB"), Some(512_000_000));
        assert_eq!(bytes("4 GiB"), Some(4_294_967_296));
        assert_eq!(bytes("1.5gb"), Some(1_500_000_000));
        assert_eq!(bytes("0.1KB"), Some(100));
        for wrong in [
            "",
            "MB",
            "4 XB",
            "-1MB",
            "1.2.3MB",
            "99999999999999999999",
            "20000000TB",
            "4é",
        ] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn lookbacks_are_spans_or_numbers() {
        let shown = |text: &str| {
            text.parse::<Lookback>()
                .map(|lookback| format!("{lookback:?} {lookback}"))
                .ok()
        };
        assert_eq!(shown("3d").as_deref(), Some("Time(259200s) 3d"));
        assert_eq!(shown("90m").as_deref(), Some("Time(5400s) 90m"));
        assert_eq!(shown("500").as_deref(), Some("Number(500) 500"));
        for wrong in ["", "d", "-3d", "3 months", "3dd", "99999999999w", "1.5h"] {
            assert_eq!(shown(wrong), None, "{wrong}");
        }
    }

    proptest::proptest! {
        #[test]
        fn sizes_read_back(bytes: u64) {
            proptest::prop_assert_eq!(ByteSize(bytes).to_string().parse(), Ok(ByteSize(bytes)));
        }
    }
}
