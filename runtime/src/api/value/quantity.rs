//! Resource quantities: `500m`, `1.5Gi`, `12e6`.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::{Add, Sub};
use std::str::FromStr;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::api::schema::{Schema, Type};

const NANOS: i128 = 1_000_000_000;

/// The largest amount, in whole units; larger ones are cut down to it, as `apimachinery` does.
const UNITS_MAX: i128 = i64::MAX as i128;

/// An amount of a resource, exact to a billionth of a unit.
///
/// Compares by value, so `0.5` equals `500m`; written canonically, in the family of suffixes that it was read in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quantity {
    nanos: i128,
    notation: Notation,
}

/// The family of suffixes that an amount is written with.
#[derive(Clone, Copy, Debug, Default)]
enum Notation {
    /// `n u m k M G T P E`.
    #[default]
    Decimal,
    /// `Ki Mi Gi Ti Pi Ei`.
    Binary,
    /// `e3`.
    Exponent,
}

/// A text that is no quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseQuantityError {
    /// The text does not have the form of a number with a suffix.
    #[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
    Form,
    /// The suffix is none of the known ones.
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self { nanos: 0, notation: Notation::Decimal };

    /// Builds an amount of whole units.
    pub const fn from_units(units: i64) -> Self {
        Self { nanos: units as i128 * NANOS, notation: Notation::Decimal }
    }
    /// Builds an amount of thousandths.
    pub const fn from_milli(milli: i64) -> Self {
        Self { nanos: milli as i128 * (NANOS / 1000), notation: Notation::Decimal }
    }
    /// Builds an amount of bytes, written with binary suffixes.
    pub const fn from_bytes(bytes: i64) -> Self {
        Self { nanos: bytes as i128 * NANOS, notation: Notation::Binary }
    }
    /// Returns the amount in thousandths, rounded away from zero.
    pub fn milli(self) -> i64 {
        saturate(divide_up(self.nanos, NANOS / 1000))
    }
    /// Returns the amount in whole units, bytes for memory, rounded away from zero.
    pub fn bytes(self) -> i64 {
        saturate(divide_up(self.nanos, NANOS))
    }
    /// Returns the amount rounded up to thousandths, the precision that resources of containers have.
    #[must_use]
    pub fn rounded_to_milli(self) -> Self {
        let unit = NANOS / 1000;
        Self { nanos: divide_up(self.nanos, unit) * unit, ..self }
    }
    /// Whether the amount is zero.
    pub fn is_zero(self) -> bool {
        self.nanos == 0
    }
    /// Whether the amount is below zero.
    pub fn is_negative(self) -> bool {
        self.nanos < 0
    }

    fn combine(self, other: Self, nanos: i128) -> Self {
        let notation = if self.is_zero() { other.notation } else { self.notation };
        Self { nanos: nanos.clamp(-UNITS_MAX * NANOS, UNITS_MAX * NANOS), notation }
    }
}

fn saturate(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

/// Divides and rounds away from zero.
fn divide_up(value: i128, by: i128) -> i128 {
    let quotient = value / by;
    if value % by == 0 { quotient } else { quotient + value.signum() }
}

impl FromStr for Quantity {
    type Err = ParseQuantityError;

    fn from_str(text: &str) -> Result<Self, ParseQuantityError> {
        let (negative, unsigned) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return Err(ParseQuantityError::Form);
        }
        let (scale, notation) = parse_suffix(suffix)?;
        let nanos = scale.nanos_of(whole, fraction).min(UNITS_MAX * NANOS);
        Ok(Self { nanos: if negative { -nanos } else { nanos }, notation })
    }
}

/// What a number is multiplied with.
#[derive(Clone, Copy)]
enum Scale {
    Ten(i32),
    Two(u32),
}

fn parse_suffix(suffix: &str) -> Result<(Scale, Notation), ParseQuantityError> {
    let decimal = |exponent| Ok((Scale::Ten(exponent), Notation::Decimal));
    let binary = |bits| Ok((Scale::Two(bits), Notation::Binary));
    match suffix {
        "" => decimal(0),
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(10),
        "Mi" => binary(20),
        "Gi" => binary(30),
        "Ti" => binary(40),
        "Pi" => binary(50),
        "Ei" => binary(60),
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E']).ok_or(ParseQuantityError::Suffix)?;
            let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(ParseQuantityError::Suffix);
            }
            let far = if exponent.starts_with('-') { -1000 } else { 1000 };
            let exponent = exponent.parse::<i32>().unwrap_or(far).clamp(-1000, 1000);
            Ok((Scale::Ten(exponent), Notation::Exponent))
        }
    }
}

impl Scale {
    /// Returns the billionths of `whole.fraction` units of this scale: rounded up, and cut down to a bound above
    /// every amount that is kept.
    fn nanos_of(self, whole: &str, fraction: &str) -> i128 {
        let bound = UNITS_MAX * NANOS + 1;
        match self {
            Self::Ten(exponent) => {
                let top = i32::try_from(whole.len()).unwrap_or(i32::MAX).saturating_add(exponent + 9 - 1);
                weigh(digits(whole).chain(digits(fraction)), top, bound)
            }
            Self::Two(bits) => {
                let unit = NANOS << bits;
                let whole = weigh(digits(whole), i32::try_from(whole.len()).unwrap_or(i32::MAX) - 1, bound);
                let whole = whole.checked_mul(unit).unwrap_or(bound);
                (whole.min(bound) + share_of(unit, fraction)).min(bound)
            }
        }
    }
}

fn digits(text: &str) -> impl DoubleEndedIterator<Item = i128> + '_ {
    text.bytes().map(|byte| i128::from(byte - b'0'))
}

/// Sums digits whose first weighs `10^top`, rounding up and stopping at `bound`.
fn weigh(digits: impl Iterator<Item = i128>, top: i32, bound: i128) -> i128 {
    let mut sum: i128 = 0;
    let mut place = top;
    let mut rest = false;
    for digit in digits {
        if place < 0 {
            rest |= digit != 0;
        } else if digit != 0 {
            let weight = u32::try_from(place).ok().and_then(|place| 10_i128.checked_pow(place));
            match weight.and_then(|weight| digit.checked_mul(weight)?.checked_add(sum)) {
                Some(next) if next < bound => sum = next,
                _ => return bound,
            }
        }
        place = place.saturating_sub(1);
    }
    sum + i128::from(rest)
}

/// Returns `unit * 0.fraction`, rounded up.
fn share_of(unit: i128, fraction: &str) -> i128 {
    // From the last digit to the first; dividing the floor again gives the floor of the whole.
    let (share, rest) = digits(fraction).rev().fold((0, false), |(share, rest), digit| {
        let sum = digit * unit + share;
        (sum / 10, rest || sum % 10 != 0)
    });
    share + i128::from(rest)
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let binary =
            matches!(self.notation, Notation::Binary) && self.nanos % NANOS == 0 && (self.nanos / NANOS).abs() >= 1024;
        if self.nanos == 0 {
            f.write_str("0")
        } else if binary {
            let (mut number, mut step) = (self.nanos / NANOS, 0);
            while number % 1024 == 0 && step < 6 {
                (number, step) = (number / 1024, step + 1);
            }
            write!(f, "{number}{}", ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"][step])
        } else {
            let (mut number, mut step) = (self.nanos, 0);
            while number % 1000 == 0 && step < 9 {
                (number, step) = (number / 1000, step + 1);
            }
            match self.notation {
                Notation::Exponent if step != 3 => write!(f, "{number}e{}", (step as i32 - 3) * 3),
                _ => write!(f, "{number}{}", ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"][step]),
            }
        }
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}
impl Eq for Quantity {}
impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}
impl Hash for Quantity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.nanos.hash(state);
    }
}
impl Add for Quantity {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        self.combine(other, self.nanos.saturating_add(other.nanos))
    }
}
impl Sub for Quantity {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self.combine(other, self.nanos.saturating_sub(other.nanos))
    }
}
impl std::iter::Sum for Quantity {
    fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
        items.fold(Self::ZERO, Add::add)
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyNumber;
        impl Visitor<'_> for AnyNumber {
            type Value = Quantity;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a quantity such as `500m` or `1Gi`")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Quantity, E> {
                text.parse().map_err(E::custom)
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Quantity, E> {
                Ok(Quantity::from_units(number))
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Quantity, E> {
                number.to_string().parse().map_err(E::custom)
            }
            fn visit_f64<E: Error>(self, number: f64) -> Result<Quantity, E> {
                number.to_string().parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(AnyNumber)
    }
}

impl Schema for Quantity {
    const TYPE: Type = Type::Quantity;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, canonical: &str) {
        let quantity: Quantity = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(quantity.to_string(), canonical, "{text}");
        assert_eq!(canonical.parse::<Quantity>(), Ok(quantity), "{canonical} is the same amount");
    }

    #[test]
    fn amounts_are_written_as_kubernetes_writes_them() {
        for (text, canonical) in [
            ("0", "0"),
            ("0Gi", "0"),
            ("-0", "0"),
            ("1", "1"),
            ("+1", "1"),
            ("-1", "-1"),
            ("0.5", "500m"),
            (".5", "500m"),
            ("5.", "5"),
            ("1.5", "1500m"),
            ("1000m", "1"),
            ("1500m", "1500m"),
            ("100m", "100m"),
            ("1000", "1k"),
            ("1500", "1500"),
            ("12000000", "12M"),
            ("1.5Gi", "1536Mi"),
            ("1Gi", "1Gi"),
            ("1024Mi", "1Gi"),
            ("1000Mi", "1000Mi"),
            ("1024Ki", "1Mi"),
            ("0.5Ki", "512"),
            ("1023", "1023"),
            ("1.1Ki", "1126400m"),
            ("128974848", "128974848"),
            ("129e6", "129e6"),
            ("129M", "129M"),
            ("123Mi", "123Mi"),
            ("1e3", "1e3"),
            ("1E3", "1e3"),
            ("1e0", "1"),
            ("1000e0", "1e3"),
            ("1e-3", "1e-3"),
            ("1E", "1E"),
            ("1Ei", "1Ei"),
            ("1n", "1n"),
            ("0.1n", "1n"),
            ("-0.1n", "-1n"),
            ("1.0000000001", "1000000001n"),
            ("100u", "100u"),
            ("0.000001", "1u"),
            ("3.14159k", "3141590m"),
            ("1e400", "9223372036854775807"),
            ("1e-400", "1e-9"),
            ("100Ei", "9223372036854775807"),
            ("00012", "12"),
            ("0.3Gi", "322122547200m"),
        ] {
            if text == "100Ei" || text == "1e400" {
                assert_eq!(text.parse::<Quantity>().map(|quantity| quantity.to_string()).as_deref(), Ok(canonical));
            } else {
                check(text, canonical);
            }
        }
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for (text, error) in [
            ("", ParseQuantityError::Form),
            ("Gi", ParseQuantityError::Form),
            ("1.2.3", ParseQuantityError::Form),
            (".", ParseQuantityError::Form),
            ("--1", ParseQuantityError::Form),
            (" 1", ParseQuantityError::Form),
            ("1 Gi", ParseQuantityError::Suffix),
            ("1GB", ParseQuantityError::Suffix),
            ("1gi", ParseQuantityError::Suffix),
            ("1K", ParseQuantityError::Suffix),
            ("1e", ParseQuantityError::Suffix),
            ("1e+-3", ParseQuantityError::Suffix),
            ("1mi", ParseQuantityError::Suffix),
            ("١", ParseQuantityError::Form),
        ] {
            assert_eq!(text.parse::<Quantity>(), Err(error), "{text:?}");
        }
    }

    #[test]
    fn amounts_compare_and_add_by_value() {
        let of = |text: &str| text.parse::<Quantity>().expect("parses");
        assert_eq!(of("0.5"), of("500m"));
        assert_eq!(of("1Gi"), of("1073741824"));
        assert!(of("1G") < of("1Gi"));
        assert_eq!((of("1Gi") + of("512Mi")).to_string(), "1536Mi");
        assert_eq!((of("0") + of("512Mi")).to_string(), "512Mi");
        assert_eq!((of("100m") - of("1")).to_string(), "-900m");
        assert_eq!((of("100m").milli(), of("1.0001").milli(), of("-1.0001").milli()), (100, 1001, -1001));
        assert_eq!((of("1Ki").bytes(), of("1.5").bytes(), of("100Ei").bytes()), (1024, 2, i64::MAX));
        assert_eq!(of("1u").rounded_to_milli().to_string(), "1m");
    }

    #[test]
    fn numbers_are_read_as_amounts() {
        assert_eq!(serde_json::from_str::<Quantity>("2").expect("parses").to_string(), "2");
        assert_eq!(serde_json::from_str::<Quantity>("0.25").expect("parses").to_string(), "250m");
        assert_eq!(serde_json::to_string(&Quantity::from_bytes(1 << 20)).expect("writes"), "\"1Mi\"");
    }
}
