//! A number or a text: ports by number or name, counts by number or percentage.

use std::fmt;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::api::schema::{Schema, Type};

/// A number, or a text such as `25%` or the name of a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IntOrString {
    /// A number.
    Int(i32),
    /// A text.
    String(String),
}

/// A text that is no percentage where a number or percentage is wanted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid value for IntOrString: `{0}` is not a percentage such as `25%`")]
pub struct NotAPercentage(String);

impl IntOrString {
    /// Returns the percentage, if this is one.
    pub fn percent(&self) -> Option<u32> {
        match self {
            Self::Int(_) => None,
            Self::String(text) => {
                let digits = text.strip_suffix('%')?;
                let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
                plain.then(|| digits.parse().unwrap_or(u32::MAX))
            }
        }
    }

    /// Returns the number itself, or the share of `total` that the percentage stands for.
    ///
    /// # Errors
    /// The text is no percentage.
    pub fn scaled(&self, total: i32, round_up: bool) -> Result<i32, NotAPercentage> {
        match self {
            Self::Int(number) => Ok(*number),
            Self::String(text) => {
                let percent = self.percent().ok_or_else(|| NotAPercentage(text.clone()))?;
                let hundredths = i64::from(percent) * i64::from(total);
                let share = if round_up { (hundredths + 99).div_euclid(100) } else { hundredths.div_euclid(100) };
                Ok(i32::try_from(share).unwrap_or(i32::MAX))
            }
        }
    }
}

impl Default for IntOrString {
    fn default() -> Self {
        Self::Int(0)
    }
}
impl From<i32> for IntOrString {
    fn from(number: i32) -> Self {
        Self::Int(number)
    }
}
impl From<&str> for IntOrString {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}
impl fmt::Display for IntOrString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(number) => number.fmt(f),
            Self::String(text) => f.write_str(text),
        }
    }
}
impl Serialize for IntOrString {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Int(number) => serializer.serialize_i32(*number),
            Self::String(text) => serializer.serialize_str(text),
        }
    }
}
impl<'de> Deserialize<'de> for IntOrString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = IntOrString;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a 32-bit integer or a string")
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<IntOrString, E> {
                i32::try_from(number)
                    .map(IntOrString::Int)
                    .map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<IntOrString, E> {
                i32::try_from(number)
                    .map(IntOrString::Int)
                    .map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<IntOrString, E> {
                Ok(IntOrString::String(text.to_owned()))
            }
        }
        deserializer.deserialize_any(Either)
    }
}
impl Schema for IntOrString {
    const TYPE: Type = Type::IntOrString;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_scale_with_the_asked_rounding() {
        for (value, total, up, expected) in [
            (IntOrString::from(3), 10, false, Ok(3)),
            ("25%".into(), 10, true, Ok(3)),
            ("25%".into(), 10, false, Ok(2)),
            ("0%".into(), 10, true, Ok(0)),
            ("100%".into(), 3, false, Ok(3)),
            ("25%".into(), 0, true, Ok(0)),
            ("200%".into(), 3, false, Ok(6)),
            ("25".into(), 10, true, Err(NotAPercentage("25".into()))),
            ("-5%".into(), 10, true, Err(NotAPercentage("-5%".into()))),
            ("%".into(), 10, true, Err(NotAPercentage("%".into()))),
        ] {
            assert_eq!(value.scaled(total, up), expected, "{value} of {total}");
        }
    }

    #[test]
    fn numbers_and_texts_keep_their_type_on_the_wire() {
        for json in ["80", "\"80\"", "\"25%\"", "-1"] {
            let value: IntOrString = serde_json::from_str(json).expect("parses");
            assert_eq!(serde_json::to_string(&value).expect("writes"), json);
        }
        assert!(serde_json::from_str::<IntOrString>("4294967296").is_err());
        assert!(serde_json::from_str::<IntOrString>("true").is_err());
    }
}
