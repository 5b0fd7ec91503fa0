//! Spans of time on the command line.

use std::time::Duration;

use bowline_runtime::api::Duration as Span;

/// Reads `90s`, `5m`, `1h30m`, or a plain number of seconds.
///
/// # Errors
/// The sentence that says what is accepted.
pub fn span(text: &str) -> Result<Duration, String> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map(Duration::from_secs).map_err(|_| format!("`{text}` seconds are too many"));
    }
    text.parse::<Span>().map(|span| span.0).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_seconds_or_has_units() {
        for (text, expected) in [("300", Some(300)), ("90s", Some(90)), ("1h30m", Some(5400)), ("", None), ("5x", None)]
        {
            assert_eq!(span(text).ok(), expected.map(Duration::from_secs), "{text}");
        }
        assert!(span("99999999999999999999").is_err(), "too many");
    }
}
