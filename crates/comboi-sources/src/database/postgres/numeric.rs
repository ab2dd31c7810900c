//! PostgreSQL's `numeric` in its binary form: digits to the base of 10,000.

const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xC000;
const INFINITY: u16 = 0xD000;
const MINUS_INFINITY: u16 = 0xF000;

/// A number as it was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numeric<'a> {
    /// The power of 10,000 of the first digit.
    weight: i16,
    sign: u16,
    /// How many decimals are shown.
    scale: u16,
    /// Two bytes each, big-endian.
    digits: &'a [u8],
}

/// Why a number can't be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotExact {
    /// NaN or an infinity.
    NoNumber,
    /// It has more digits than there is room for.
    TooLong,
}

impl<'a> Numeric<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let word = |at: usize| Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
        let count = usize::from(word(0)?);
        let digits = bytes.get(8..)?;
        (digits.len() == count * 2).then_some(Self {
            weight: word(2)?.cast_signed(),
            sign: word(4)?,
            scale: word(6)?,
            digits,
        })
    }

    fn digits(&self) -> impl Iterator<Item = u16> + 'a {
        let pairs = self.digits.chunks_exact(2);
        pairs.map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
    }

    /// The number as so many whole units of `10^-scale`, if it is that exactly and has at most `precision` digits.
    pub(super) fn units(&self, precision: u8, scale: u8) -> Result<i128, NotExact> {
        if !matches!(self.sign, 0 | NEGATIVE) {
            return Err(NotExact::NoNumber);
        }
        if let Some(units) = self.few_units(scale) {
            let fits = power(u32::from(precision)).is_none_or(|most| i128::from(units) < most);
            let units = i128::from(if self.sign == NEGATIVE { -units } else { units });
            return if fits {
                Ok(units)
            } else {
                Err(NotExact::TooLong)
            };
        }
        let mut units: i128 = 0;
        // The power of ten that the digit stands for, in units.
        let mut exponent = 4 * i32::from(self.weight) + i32::from(scale);
        for digit in self.digits() {
            let digit = i128::from(digit);
            let (room, rest) = match exponent {
                0.. => (4, 0),
                -3..0 => (4 + exponent, exponent.abs()),
                _ => (0, 4),
            };
            let (room, rest) = (power(room.unsigned_abs()), power(rest.unsigned_abs()));
            let (Some(room), Some(rest)) = (room, rest) else {
                return Err(NotExact::TooLong);
            };
            if digit % rest != 0 {
                return Err(NotExact::TooLong);
            }
            units = units
                .checked_mul(room)
                .and_then(|units| units.checked_add(digit / rest))
                .ok_or(NotExact::TooLong)?;
            exponent -= 4;
        }
        // Digits that are zero are not sent.
        let zeros = u32::try_from(exponent + 4).unwrap_or(0);
        if units != 0 {
            units = power(zeros)
                .and_then(|power| units.checked_mul(power))
                .ok_or(NotExact::TooLong)?;
        }
        if power(u32::from(precision)).is_some_and(|most| units >= most) {
            return Err(NotExact::TooLong);
        }
        Ok(if self.sign == NEGATIVE { -units } else { units })
    }

    /// The same without its sign, where 64 bits are enough on the way: most numbers that people have.
    fn few_units(&self, scale: u8) -> Option<i64> {
        const POWERS: [i64; 5] = [1, 10, 100, 1000, 10_000];
        if self.digits.len() > 6 {
            return None;
        }
        let mut units = 0_i64;
        let mut exponent = 4 * i32::from(self.weight) + i32::from(scale);
        for digit in self.digits() {
            let digit = i64::from(digit);
            if exponent >= 0 {
                units = units * 10_000 + digit;
            } else {
                let power = *POWERS.get(usize::try_from(-exponent).ok()?)?;
                if digit % power != 0 {
                    return None;
                }
                units = units * (10_000 / power) + digit / power;
            }
            exponent -= 4;
        }
        match usize::try_from(exponent + 4) {
            Ok(zeros) if units != 0 => units.checked_mul(*POWERS.get(zeros)?),
            _ => Some(units),
        }
    }

    /// The number as PostgreSQL writes it.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self.sign {
            NAN => return out.extend(b"NaN"),
            INFINITY => return out.extend(b"Infinity"),
            MINUS_INFINITY => return out.extend(b"-Infinity"),
            NEGATIVE => out.push(b'-'),
            _ => {}
        }
        let digit = |place: i32| -> u16 {
            let at = i32::from(self.weight) - place;
            usize::try_from(at)
                .ok()
                .and_then(|at| self.digits().nth(at))
                .unwrap_or(0)
        };
        if self.weight < 0 {
            out.push(b'0');
        }
        for place in (0..=i32::from(self.weight)).rev() {
            let digit = digit(place);
            if place == i32::from(self.weight) {
                out.extend(digit.to_string().bytes());
            } else {
                out.extend(format!("{digit:04}").bytes());
            }
        }
        if self.scale > 0 {
            out.push(b'.');
            let mut decimals = Vec::with_capacity(usize::from(self.scale) + 4);
            let mut place = -1;
            while decimals.len() < usize::from(self.scale) {
                decimals.extend(format!("{:04}", digit(place)).bytes());
                place -= 1;
            }
            decimals.truncate(usize::from(self.scale));
            out.extend(decimals);
        }
    }
}

/// 10 to the power of this.
fn power(of: u32) -> Option<i128> {
    10_i128.checked_pow(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(weight: i16, sign: u16, scale: u16, digits: &[u16]) -> Vec<u8> {
        let mut bytes = u16::try_from(digits.len()).unwrap().to_be_bytes().to_vec();
        bytes.extend(weight.to_be_bytes());
        bytes.extend(sign.to_be_bytes());
        bytes.extend(scale.to_be_bytes());
        bytes.extend(digits.iter().flat_map(|digit| digit.to_be_bytes()));
        bytes
    }

    fn check(bytes: &[u8], text: &str, units: Result<i128, NotExact>) {
        let number = Numeric::parse(bytes).unwrap();
        let mut written = Vec::new();
        number.write(&mut written);
        assert_eq!(String::from_utf8(written).unwrap(), text);
        assert_eq!(number.units(10, 2), units, "{text}");
    }

    #[test]
    fn numbers_as_postgres_sends_them() {
        check(&sent(0, 0, 0, &[]), "0", Ok(0));
        check(&sent(0, 0, 2, &[]), "0.00", Ok(0));
        check(&sent(0, 0, 2, &[12, 3400]), "12.34", Ok(1234));
        check(
            &sent(1, 0x4000, 1, &[1, 2345, 5000]),
            "-12345.5",
            Ok(-1_234_550),
        );
        check(&sent(-1, 0, 2, &[100]), "0.01", Ok(1));
        check(&sent(-2, 0, 6, &[100]), "0.000001", Err(NotExact::TooLong));
        check(&sent(2, 0, 0, &[1]), "100000000", Err(NotExact::TooLong));
        check(&sent(1, 0, 0, &[9999, 9999]), "99999999", Ok(9_999_999_900));
        check(&sent(0, 0xC000, 0, &[]), "NaN", Err(NotExact::NoNumber));
        check(
            &sent(0, 0xF000, 0, &[]),
            "-Infinity",
            Err(NotExact::NoNumber),
        );
    }

    #[test]
    fn all_38_digits() {
        let bytes = sent(
            9,
            0,
            0,
            &[99, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999],
        );
        let number = Numeric::parse(&bytes).unwrap();
        assert_eq!(
            number.units(38, 0),
            Ok(99_999_999_999_999_999_999_999_999_999_999_999_999)
        );
        assert_eq!(number.units(38, 1), Err(NotExact::TooLong));
    }
}
