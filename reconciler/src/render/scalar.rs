//! What a YAML scalar means.
//!
//! Responsible for: turning the text of a scalar, its quoting and its tag into the JSON value that `kubectl` sends for
//! it. `kubectl` reads YAML 1.1 as go-yaml v2 does (`sigs.k8s.io/yaml`), then passes through JSON, which turns an
//! integral float into an integer.
//!
//! Must never: guess from the field a scalar belongs to; `0644` is 420 wherever it stands.

use base64::Engine as _;
use serde_json::{Number, Value};

/// A scalar as the parser hands it over.
pub(super) struct Raw<'a> {
    /// The text after quoting and folding are undone.
    pub text: &'a str,
    /// Whether it stood there without quotes and not as a block.
    pub plain: bool,
    /// The tag, in its long form for core tags (`tag:yaml.org,2002:int`), or as written.
    pub tag: Option<String>,
}

/// A resolved scalar before it becomes JSON.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Int(i64),
    /// Larger than `i64::MAX`: JSON consumers in Kubernetes see it as a float.
    BigInt(u64),
    Float(f64),
    Text(String),
    /// The plain key `<<`.
    Merge,
}

const CORE: &str = "tag:yaml.org,2002:";

impl Scalar {
    fn tag_name(&self) -> &'static str {
        match self {
            Self::Null => "!!null",
            Self::Bool(_) => "!!bool",
            Self::Int(_) | Self::BigInt(_) => "!!int",
            Self::Float(_) => "!!float",
            Self::Text(_) => "!!str",
            Self::Merge => "!!merge",
        }
    }

    /// Returns the JSON value, or what is wrong with it.
    pub(super) fn into_value(self) -> Result<Value, String> {
        Ok(match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::Int(value) => Value::from(value),
            Self::BigInt(value) => float_value(value as f64)?,
            Self::Float(value) => float_value(value)?,
            Self::Text(text) => Value::String(text),
            Self::Merge => Value::String("<<".to_owned()),
        })
    }

    /// Returns the mapping key that `kubectl` makes of the scalar, or what is wrong with it.
    pub(super) fn into_key(self) -> Result<String, String> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Int(value) => Ok(value.to_string()),
            Self::Bool(value) => Ok(value.to_string()),
            Self::Float(value) => Ok(float_key(value)),
            Self::Merge => Ok("<<".to_owned()),
            Self::Null => Err("null cannot be a key".to_owned()),
            Self::BigInt(value) => Err(format!("`{value}` is too large for a key")),
        }
    }
}

/// Makes the number that survives a way through JSON: integral floats come out as integers.
fn float_value(value: f64) -> Result<Value, String> {
    if value.fract() == 0.0 && value.abs() < 9.2e18 {
        return Ok(Value::from(value as i64));
    }
    Number::from_f64(value).map(Value::Number).ok_or_else(|| format!("`{value}` has no form in JSON"))
}

/// Formats a float key as Go's `strconv.FormatFloat(key, 'g', -1, 32)` does.
fn float_key(value: f64) -> String {
    let single = value as f32;
    if single.is_nan() {
        return ".nan".to_owned();
    }
    if single.is_infinite() {
        return if single > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let scientific = format!("{single:e}");
    let (mantissa, exponent) = scientific.split_once('e').expect("invariant: `{:e}` writes an exponent");
    let exponent: i32 = exponent.parse().expect("invariant: `{:e}` writes an integer exponent");
    // Go decides by a precision of 6 when the shortest form is asked for.
    if !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    format!("{single}")
}

/// Resolves a scalar, or says why its tag does not fit.
pub(super) fn resolve(raw: &Raw<'_>) -> Result<Scalar, String> {
    let core = raw.tag.as_deref().and_then(|tag| tag.strip_prefix(CORE));
    match (raw.tag.as_deref(), core) {
        (None, _) if raw.plain => Ok(plain(raw.text)),
        (None, _) | (Some(_), None) => Ok(Scalar::Text(raw.text.to_owned())),
        (Some(_), Some("binary")) => binary(raw.text),
        (Some(_), Some(core)) => tagged(raw.text, core),
    }
}

fn binary(text: &str) -> Result<Scalar, String> {
    let packed: String = text.split_ascii_whitespace().collect();
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(packed)
        .map_err(|_| "the value of `!!binary` is not valid base64".to_owned())?;
    String::from_utf8(bytes).map(Scalar::Text).map_err(|_| {
        "the value of `!!binary` is not text: put it into a field that takes base64, such as `binaryData`".to_owned()
    })
}

fn tagged(text: &str, core: &str) -> Result<Scalar, String> {
    if !matches!(core, "int" | "float" | "bool" | "null" | "merge") {
        return Ok(Scalar::Text(text.to_owned()));
    }
    let value = plain(text);
    match (core, &value) {
        ("int", Scalar::Int(_) | Scalar::BigInt(_))
        | ("float", Scalar::Float(_))
        | ("bool", Scalar::Bool(_))
        | ("null", Scalar::Null)
        | ("merge", Scalar::Merge) => Ok(value),
        ("float", Scalar::Int(int)) => Ok(Scalar::Float(*int as f64)),
        ("float", Scalar::BigInt(int)) => Ok(Scalar::Float(*int as f64)),
        _ => Err(format!("`{text}` is {}, its tag says `!!{core}`", value.tag_name())),
    }
}

/// Resolves an untagged plain scalar by the rules of go-yaml v2.
fn plain(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Scalar::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Scalar::Bool(false);
        }
        ".nan" | ".NaN" | ".NAN" => return Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Scalar::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Scalar::Float(f64::NEG_INFINITY),
        "<<" => return Scalar::Merge,
        _ => {}
    }
    let number = match text.as_bytes()[0] {
        // go-yaml leaves underscores in a number that starts with its point, and Go then refuses them.
        b'.' => float(text),
        b'+' | b'-' | b'0'..=b'9' => {
            let bare = text.replace('_', "");
            integer(&bare).or_else(|| float(&bare))
        }
        _ => None,
    };
    number.unwrap_or_else(|| Scalar::Text(text.to_owned()))
}

/// Reads an integer as Go's `strconv.ParseInt(text, 0, 64)`, then `ParseUint`, would.
fn integer(text: &str) -> Option<Scalar> {
    let (negative, signed, digits) = match text.as_bytes().first()? {
        b'-' => (true, true, &text[1..]),
        b'+' => (false, true, &text[1..]),
        _ => (false, false, text),
    };
    let lower = digits.get(..2).map(str::to_ascii_lowercase);
    let (radix, digits) = match lower.as_deref() {
        Some("0x") => (16, &digits[2..]),
        Some("0o") => (8, &digits[2..]),
        Some("0b") => (2, &digits[2..]),
        Some(_) if digits.starts_with('0') => (8, &digits[1..]),
        _ => (10, digits),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| (byte as char).is_digit(radix)) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    match (negative, i64::try_from(magnitude)) {
        (false, Ok(value)) => Some(Scalar::Int(value)),
        (true, Ok(value)) => Some(Scalar::Int(-value)),
        (true, Err(_)) => (magnitude == 1 << 63).then_some(Scalar::Int(i64::MIN)),
        (false, Err(_)) => (!signed).then_some(Scalar::BigInt(magnitude)),
    }
}

/// Reads a float matching `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?` that does not overflow.
fn float(text: &str) -> Option<Scalar> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if !digits(whole) || !digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    if let Some(exponent) = exponent {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        if exponent.is_empty() || !digits(exponent) {
            return None;
        }
    }
    let value: f64 = text.parse().ok()?;
    value.is_finite().then_some(Scalar::Float(value))
}
