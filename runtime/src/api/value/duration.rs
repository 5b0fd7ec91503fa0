//! Spans of time as Go writes them: `90s`, `1h30m`, `250ms`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration as Span;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::api::schema::{Schema, Type};

/// A span of time, zero or longer, written as `1h30m`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(pub Span);

/// A text that is no span of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a duration such as `90s`, `5m` or `1h30m`")]
pub struct ParseDurationError(String);

impl Duration {
    /// Builds a span of whole seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(Span::from_secs(secs))
    }
}

/// The units and their nanoseconds; a unit that begins like another stands before it.
const UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

impl FromStr for Duration {
    type Err = ParseDurationError;

    fn from_str(text: &str) -> Result<Self, ParseDurationError> {
        let refused = || ParseDurationError(text.to_owned());
        let mut rest = text.strip_prefix('+').unwrap_or(text);
        if rest == "0" {
            return Ok(Self(Span::ZERO));
        }
        let mut nanos: u128 = 0;
        let mut empty = true;
        while !rest.is_empty() {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(refused)?;
            let (number, tail) = rest.split_at(end);
            let (unit, size) = UNITS.into_iter().find(|(unit, _)| tail.starts_with(unit)).ok_or_else(refused)?;
            nanos = nanos_of(number, size).and_then(|part| nanos.checked_add(part)).ok_or_else(refused)?;
            rest = &tail[unit.len()..];
            empty = false;
        }
        let whole = u64::try_from(nanos / 1_000_000_000).map_err(|_| refused())?;
        let part = u32::try_from(nanos % 1_000_000_000).map_err(|_| refused())?;
        // Go's own limit is 2^63 nanoseconds, some 292 years.
        if empty || nanos > i64::MAX as u128 { Err(refused()) } else { Ok(Self(Span::new(whole, part))) }
    }
}

/// Returns the nanoseconds of a decimal number of units; what is finer than a nanosecond is dropped.
fn nanos_of(number: &str, size: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let fraction = &fraction[..fraction.len().min(18)];
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let fraction: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    whole.checked_mul(size)?.checked_add(fraction * size / scale)
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secs = self.0.as_secs();
        let (hours, minutes, seconds) = (secs / 3600, secs / 60 % 60, secs % 60);
        let nanos = self.0.subsec_nanos();
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        match nanos {
            0 if seconds > 0 || secs == 0 => write!(f, "{seconds}s"),
            0 => Ok(()),
            _ if secs > 0 => write!(f, "{}s", format!("{seconds}.{nanos:09}").trim_end_matches('0')),
            _ if nanos.is_multiple_of(1_000_000) => write!(f, "{}ms", nanos / 1_000_000),
            _ if nanos.is_multiple_of(1_000) => write!(f, "{}us", nanos / 1_000),
            _ => write!(f, "{nanos}ns"),
        }
    }
}
impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
impl Schema for Duration {
    const TYPE: Type = Type::Duration;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_written_short() {
        for (text, canonical) in [
            ("5m", "5m"),
            ("90s", "1m30s"),
            ("1h30m", "1h30m"),
            ("1.5h", "1h30m"),
            ("60m", "1h"),
            ("0", "0s"),
            ("0s", "0s"),
            ("250ms", "250ms"),
            ("1500ms", "1.5s"),
            ("1h0.5s", "1h0.5s"),
            ("3us", "3us"),
            ("3µs", "3us"),
            ("7ns", "7ns"),
            (".5s", "500ms"),
            ("1m0s", "1m"),
        ] {
            let span: Duration = text.parse().expect("parses");
            assert_eq!(span.to_string(), canonical, "{text}");
            assert_eq!(canonical.parse(), Ok(span), "{canonical}");
        }
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for text in ["", "5", "m", "-5m", "5 m", "1d", "1h30", "1..5s", "999999999999h", "5mm5"] {
            assert_eq!(text.parse::<Duration>(), Err(ParseDurationError(text.to_owned())));
        }
    }
}
