//! Sizes and spans with their units.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::SqlType;
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
    /// For dates and timestamps: `45s`, `30m`, `1.5h`, `3d`, `2w`.
    Time(Duration),
    /// For numbers: `500`, `1.5`.
    Number(Quantity),
}

/// A text is not a span.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a span: expected `45s`, `30m`, `1.5h`, `3d`, `2w` (whole seconds), or a plain number for a numeric column"
)]
pub struct BadLookback(String);

impl Refusal for BadLookback {}

impl FromStr for Lookback {
    type Err = BadLookback;
    fn from_str(text: &str) -> Result<Self, BadLookback> {
        let bad = || BadLookback(text.chars().take(60).collect());
        let trimmed = text.trim();
        match unit(trimmed) {
            Some((number, seconds)) => span(number, seconds).map(Self::Time),
            None => trimmed.parse().ok().map(Self::Number),
        }
        .ok_or_else(bad)
    }
}

impl Lookback {
    /// Whether it can be subtracted from values of a type; the error says what can.
    pub fn fits(&self, of: &SqlType) -> Result<(), &'static str> {
        match self {
            Self::Number(_) if of.is_number() => Ok(()),
            Self::Time(_) if of.is_moment() => Ok(()),
            _ if of.is_number() => Err("write a plain number, such as `500`"),
            _ if of.is_moment() => Err("write a span, such as `12h`"),
            _ => Err("leave it out, or name a column of a number, date or timestamp"),
        }
    }
}

impl fmt::Display for Lookback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Time(span) => Span(*span).fmt(f),
        }
    }
}

/// The number of a span and the seconds of its unit.
fn unit(text: &str) -> Option<(&str, u64)> {
    UNITS.into_iter().find_map(|(seconds, name)| {
        let number = text.strip_suffix(name)?;
        Some((number.trim_end(), seconds))
    })
}

fn span(number: &str, seconds: u64) -> Option<Duration> {
    let Quantity { units, scale } = number.parse().ok()?;
    let total = units.checked_mul(seconds)?;
    let divisor = 10_u64.checked_pow(scale.into())?;
    // More than 10,000 years is not a span but a slip.
    let seconds = (total % divisor == 0).then_some(total / divisor)?;
    (seconds < 10_000 * 366 * 86_400).then(|| Duration::from_secs(seconds))
}

const UNITS: [(u64, &str); 5] = [
    (604_800, "w"),
    (86_400, "d"),
    (3600, "h"),
    (60, "m"),
    (1, "s"),
];

/// A number of at most 18 digits that is not negative, with decimals: `500`, `1.5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quantity {
    units: u64,
    scale: u8,
}

impl Quantity {
    /// The number, if it has no decimals.
    pub fn whole(self) -> Option<u64> {
        (self.scale == 0).then_some(self.units)
    }
}

impl From<u64> for Quantity {
    fn from(units: u64) -> Self {
        Self { units, scale: 0 }
    }
}

impl FromStr for Quantity {
    type Err = BadLookback;
    fn from_str(text: &str) -> Result<Self, BadLookback> {
        let bad = || BadLookback(text.chars().take(60).collect());
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let decimals = decimals.trim_end_matches('0');
        let digits = format!("{whole}{decimals}");
        let is_number = !whole.is_empty() && digits.bytes().all(|it| it.is_ascii_digit());
        let is_short = digits.trim_start_matches('0').len() <= 18;
        if !is_number || !is_short || decimals.len() > 18 || text.ends_with('.') {
            return Err(bad());
        }
        Ok(Self {
            units: digits.parse().map_err(|_too_long| bad())?,
            scale: u8::try_from(decimals.len()).map_err(|_too_long| bad())?,
        })
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = usize::from(self.scale);
        let digits = format!("{:0>width$}", self.units, width = scale + 1);
        let (whole, decimals) = digits.split_at(digits.len() - scale);
        f.write_str(whole)?;
        if scale > 0 {
            write!(f, ".{decimals}")?;
        }
        Ok(())
    }
}

/// A span of time such as `12h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(Duration);

impl Span {
    /// One day.
    pub const DAY: Self = Self(Duration::from_secs(86_400));

    /// How long it is.
    pub const fn duration(self) -> Duration {
        self.0
    }
}

/// A text is not a span of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a span of time: expected `45s`, `30m`, `1.5h`, `3d` or `2w` (whole seconds)")]
pub struct BadSpan(String);

impl Refusal for BadSpan {}

impl FromStr for Span {
    type Err = BadSpan;
    fn from_str(text: &str) -> Result<Self, BadSpan> {
        let found = unit(text.trim()).and_then(|(number, seconds)| span(number, seconds));
        let bad = || BadSpan(text.chars().take(60).collect());
        found.map(Self).ok_or_else(bad)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let fits = |unit: u64| seconds > 0 && seconds.is_multiple_of(unit);
        match UNITS.into_iter().find(|(unit, _)| fits(*unit)) {
            Some((unit, name)) => write!(f, "{}{name}", seconds / unit),
            None => write!(f, "{seconds}s"),
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
        let shown = |text: &str| match text.parse::<Lookback>() {
            Ok(Lookback::Time(span)) => format!("{} s, {}", span.as_secs(), Lookback::Time(span)),
            Ok(Lookback::Number(number)) => number.to_string(),
            Err(_) => "refused".to_owned(),
        };
        for (text, expected) in [
            ("3d", "259200 s, 3d"),
            ("90m", "5400 s, 90m"),
            ("1.5h", "5400 s, 90m"),
            ("0.5 d", "43200 s, 12h"),
            ("0s", "0 s, 0s"),
            ("500", "500"),
            ("1.50", "1.5"),
            ("0.05", "0.05"),
            ("007", "7"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
        for wrong in [
            "",
            "d",
            "-3d",
            "3 months",
            "3dd",
            "99999999999w",
            "0.5s",
            "1.",
            ".5",
            "1.2.3",
            "1,5",
            "-1.5",
            "1e3",
            "1234567890123456789",
        ] {
            assert_eq!(shown(wrong), "refused", "{wrong}");
        }
    }

    #[test]
    fn a_span_has_a_unit() {
        let shown = |text: &str| text.parse::<Span>().map(|it| it.to_string()).ok();
        assert_eq!(shown("24h").as_deref(), Some("1d"));
        assert_eq!("1d".parse(), Ok(Span::DAY));
        for wrong in ["", "1", "1.5", "soon", "-1d"] {
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
