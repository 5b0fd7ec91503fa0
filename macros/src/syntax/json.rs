//! Just enough JSON to write a default and to see whether a written one is well-formed.

/// The outermost type of a JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonType {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A number without fraction and exponent.
    Integer,
    /// Any other number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl JsonType {
    /// Returns the name with its article.
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Integer => "an integer",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}

/// Returns the text as a JSON string.
pub fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Returns the outermost type of a JSON text, or what is wrong and at which byte.
pub fn check(text: &str) -> Result<JsonType, String> {
    let mut reader = Reader { text, at: 0 };
    let found = reader.value()?;
    reader.space();
    if reader.at == text.len() { Ok(found) } else { Err(reader.expected("the end")) }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }
    fn expected(&self, what: &str) -> String {
        format!("expected {what} at byte {}", self.at)
    }
    fn space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start_matches([' ', '\t', '\n', '\r']).len();
    }
    fn eat(&mut self, word: &str) -> bool {
        self.space();
        let found = self.rest().starts_with(word);
        self.at += if found { word.len() } else { 0 };
        found
    }

    fn value(&mut self) -> Result<JsonType, String> {
        for (word, found) in [("null", JsonType::Null), ("true", JsonType::Boolean), ("false", JsonType::Boolean)] {
            if self.eat(word) {
                return Ok(found);
            }
        }
        if self.eat("[") {
            return self.members("]", Self::value).map(|()| JsonType::Array);
        }
        if self.eat("{") {
            return self.members("}", Self::member).map(|()| JsonType::Object);
        }
        if self.rest().starts_with('"') { self.string().map(|()| JsonType::String) } else { self.number() }
    }

    fn member(&mut self) -> Result<JsonType, String> {
        self.space();
        self.string()?;
        if self.eat(":") { self.value() } else { Err(self.expected("`:`")) }
    }

    fn members(&mut self, close: &str, one: fn(&mut Self) -> Result<JsonType, String>) -> Result<(), String> {
        if self.eat(close) {
            return Ok(());
        }
        loop {
            one(self)?;
            if self.eat(close) {
                return Ok(());
            }
            if !self.eat(",") {
                return Err(self.expected(&format!("`,` or `{close}`")));
            }
        }
    }

    fn string(&mut self) -> Result<(), String> {
        let mut chars = self.rest().char_indices();
        if chars.next().is_none_or(|(_, c)| c != '"') {
            return Err(self.expected("a string in double quotes"));
        }
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += at + 1;
                    return Ok(());
                }
                '\\' => match chars.next() {
                    Some((_, '"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't')) => {}
                    Some((_, 'u')) if (0..4).all(|_| chars.next().is_some_and(|(_, c)| c.is_ascii_hexdigit())) => {}
                    _ => return Err(self.expected("a string with JSON's escapes only")),
                },
                c if c < ' ' => return Err(self.expected("a string without control characters")),
                _ => {}
            }
        }
        Err(self.expected("a string that ends"))
    }

    fn number(&mut self) -> Result<JsonType, String> {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let rest = self.rest();
        let mut at = usize::from(rest.starts_with('-'));
        let whole = digits(&rest[at..]);
        if whole == 0 || (whole > 1 && rest[at..].starts_with('0')) {
            return Err(self.expected("a JSON value"));
        }
        at += whole;
        let mut found = JsonType::Integer;
        if rest[at..].starts_with('.') {
            let fraction = digits(&rest[at + 1..]);
            if fraction == 0 {
                return Err(self.expected("a number with digits after the point"));
            }
            (at, found) = (at + 1 + fraction, JsonType::Number);
        }
        if rest[at..].starts_with(['e', 'E']) {
            let sign = usize::from(rest[at + 1..].starts_with(['+', '-']));
            let exponent = digits(&rest[at + 1 + sign..]);
            if exponent == 0 {
                return Err(self.expected("a number with digits in its exponent"));
            }
            (at, found) = (at + 1 + sign + exponent, JsonType::Number);
        }
        self.at += at;
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn accepts(text: &str, expected: JsonType) {
        assert_eq!(check(text), Ok(expected), "{text}");
    }
    #[track_caller]
    fn refuses(text: &str, message: &str) {
        assert_eq!(check(text), Err(message.to_owned()), "{text}");
    }

    #[test]
    fn well_formed_text_is_told_by_its_outermost_type() {
        accepts("{}", JsonType::Object);
        accepts(r#" {"a": [1, -2.5e3, null], "b": {"c": "\u00e9\n"}} "#, JsonType::Object);
        accepts("[]", JsonType::Array);
        accepts("-0", JsonType::Integer);
        accepts("1.5", JsonType::Number);
        accepts("\"x\"", JsonType::String);
        accepts("false", JsonType::Boolean);
        accepts("null", JsonType::Null);
    }

    #[test]
    fn malformed_text_is_told_by_the_place_of_the_mistake() {
        refuses("", "expected a JSON value at byte 0");
        refuses("{a: 1}", "expected a string in double quotes at byte 1");
        refuses("[1 2]", "expected `,` or `]` at byte 3");
        refuses("{\"a\" 1}", "expected `:` at byte 5");
        refuses("01", "expected a JSON value at byte 0");
        refuses("1.", "expected a number with digits after the point at byte 0");
        refuses("\"\\x\"", "expected a string with JSON's escapes only at byte 0");
        refuses("\"a", "expected a string that ends at byte 0");
        refuses("{} x", "expected the end at byte 3");
        refuses("[1,]", "expected a JSON value at byte 3");
    }

    #[test]
    fn a_quoted_text_is_well_formed() {
        assert_eq!(quoted("a\"\\\n"), r#""a\"\\\u000a""#);
        accepts(&quoted("a\"\\\n"), JsonType::String);
    }
}
