//! Bytes that travel as base64 text.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::api::schema::{Schema, Type};

/// Bytes, written as base64. `Debug` shows only how many there are, for most of them are secrets.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteString(pub Vec<u8>);

/// A text that is no base64.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be base64 text: {0}")]
pub struct ParseByteStringError(base64::DecodeError);

impl FromStr for ByteString {
    type Err = ParseByteStringError;
    /// Reads base64; line breaks are skipped, as Go's decoder does.
    fn from_str(text: &str) -> Result<Self, ParseByteStringError> {
        let decoded = if text.contains(['\r', '\n']) {
            STANDARD.decode(text.replace(['\r', '\n'], ""))
        } else {
            STANDARD.decode(text)
        };
        decoded.map(Self).map_err(ParseByteStringError)
    }
}
impl From<&str> for ByteString {
    /// Takes the bytes of a text as they are; use `parse` to read base64.
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}
impl fmt::Display for ByteString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(&self.0))
    }
}
impl fmt::Debug for ByteString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ByteString({} bytes)", self.0.len())
    }
}
impl Serialize for ByteString {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for ByteString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Option::<std::borrow::Cow<'de, str>>::deserialize(deserializer)?.unwrap_or_default();
        text.parse().map_err(serde::de::Error::custom)
    }
}
impl Schema for ByteString {
    const TYPE: Type = Type::Bytes;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_survive_the_wire_and_stay_out_of_logs() {
        let bytes: ByteString = serde_json::from_str("\"aHVudGVy\\nMg==\"").expect("parses");
        assert_eq!(bytes.0, b"hunter2");
        assert_eq!(serde_json::to_string(&bytes).expect("writes"), "\"aHVudGVyMg==\"");
        assert_eq!(format!("{bytes:?}"), "ByteString(7 bytes)");
        assert!("not base64!".parse::<ByteString>().is_err());
    }
}
