//! A JSON document read by hand, so that every error knows its path.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::RangeInclusive;

use jsonc_parser::ast::{Object, Value};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use crate::error::{ConfigError, quoted, tame};
use crate::names::Word;

/// The text of a configuration may be at most this long, in bytes.
const MAX_TEXT: usize = 1 << 20;
/// A configuration may open at most this many objects and arrays. The parser descends once for each level, on the stack of whichever
/// thread of the program called; their number in all bounds the depth without looking at strings and comments.
const MAX_OPENED: usize = 64;

/// Parses `text`, which must hold one object, and hands its members to `read`. Comments and trailing commas are accepted; every other
/// departure from RFC 8259 is not.
pub(crate) fn read_document<T>(
    text: &str,
    read: impl FnOnce(&mut Members<'_, '_>) -> Result<T, ConfigError>,
) -> Result<T, ConfigError> {
    if text.len() > MAX_TEXT {
        let found = format!("{} bytes", text.len());
        return Err(ConfigError::malformed("document", found, format!("at most {MAX_TEXT} bytes")));
    }
    let opened = text.bytes().filter(|byte| matches!(byte, b'{' | b'[')).count();
    if opened > MAX_OPENED {
        let found = format!("{opened} opening brackets");
        return Err(ConfigError::malformed("document", found, format!("at most {MAX_OPENED}")));
    }
    let options = ParseOptions {
        allow_comments: true,
        allow_loose_object_property_names: false,
        allow_trailing_commas: true,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    let parsed = parse_to_ast(text, &CollectOptions::default(), &options).map_err(|error| {
        let place = format!("line {}, column {}", error.line_display(), error.column_display());
        ConfigError::malformed(place, error.kind(), "a JSON object")
    })?;
    let value = parsed
        .value
        .ok_or_else(|| ConfigError::malformed("document", "nothing", "a JSON object"))?;
    Node { path: String::new(), value: &value }.object(read)
}

/// One value and its path.
pub(crate) struct Node<'a, 'text> {
    path: String,
    value: &'a Value<'text>,
}

impl<'a, 'text> Node<'a, 'text> {
    /// An error at this value.
    pub(crate) fn refuse(&self, allowed: impl Display) -> ConfigError {
        let found = match self.value {
            Value::StringLit(text) => quoted(&text.value),
            Value::NumberLit(number) => number.value.to_owned(),
            Value::BooleanLit(truth) => truth.value.to_string(),
            Value::Object(_) => "an object".to_owned(),
            Value::Array(_) => "an array".to_owned(),
            Value::NullKeyword(_) => "null".to_owned(),
        };
        let path = if self.path.is_empty() { "document" } else { &self.path };
        ConfigError::invalid(path, found, allowed)
    }

    /// The path, such as `payload.video.width`.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Reads the members of an object. What `read` leaves untouched is reported as unknown.
    pub(crate) fn object<T>(
        &self,
        read: impl FnOnce(&mut Members<'_, 'text>) -> Result<T, ConfigError>,
    ) -> Result<T, ConfigError> {
        let Value::Object(object) = self.value else {
            return Err(self.refuse("an object"));
        };
        let mut members = Members::new(&self.path, object)?;
        let result = read(&mut members)?;
        for path in members.unknown() {
            log::warn!("configuration: {}: unknown key, ignored", tame(&path));
        }
        Ok(result)
    }

    /// A text.
    pub(crate) fn text(&self) -> Result<&'a str, ConfigError> {
        match self.value {
            Value::StringLit(text) => Ok(&text.value),
            _ => Err(self.refuse("a string")),
        }
    }

    /// One of the words of an enumeration.
    pub(crate) fn word<W: Word>(&self) -> Result<W, ConfigError> {
        match self.value {
            Value::StringLit(text) => W::from_word(&text.value),
            _ => None,
        }
        .ok_or_else(|| self.refuse(W::words()))
    }

    /// A whole number within a range.
    pub(crate) fn integer<T>(&self, range: RangeInclusive<T>) -> Result<T, ConfigError>
    where
        T: Copy + PartialOrd + Display + TryFrom<u64>,
    {
        self.number_text()
            .and_then(whole_number)
            .and_then(|number| T::try_from(number).ok())
            .filter(|number| range.contains(number))
            .ok_or_else(|| {
                self.refuse(format!("a whole number from {} to {}", range.start(), range.end()))
            })
    }

    /// The digits of a number, as written.
    pub(crate) fn number_text(&self) -> Option<&'a str> {
        match self.value {
            Value::NumberLit(number) => Some(number.value),
            _ => None,
        }
    }
}

/// Reads `16`, and also `16.0` and `1.6e1`, which JSON does not tell from it.
fn whole_number(text: &str) -> Option<u64> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let number: f64 = text.parse().ok()?;
    // Up to 2^53 every whole number has a double of its own.
    let exact = (0.0..=9_007_199_254_740_992.0).contains(&number) && number.fract() == 0.0;
    exact.then_some(number as u64)
}

/// The members of an object, and which of them have been asked for.
pub(crate) struct Members<'a, 'text> {
    path: &'a str,
    object: &'a Object<'text>,
    known: BTreeSet<&'static str>,
}

impl<'a, 'text> Members<'a, 'text> {
    fn new(path: &'a str, object: &'a Object<'text>) -> Result<Self, ConfigError> {
        let members = Self { path, object, known: BTreeSet::new() };
        let mut seen = BTreeSet::new();
        for property in &object.properties {
            let name = property.name.as_str();
            if !seen.insert(name) {
                let path = members.path_of(name);
                return Err(ConfigError::invalid(path, "a repeated key", "each key once"));
            }
        }
        Ok(members)
    }

    /// The path of a member, whether it is there or not.
    pub(crate) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// A member, if it is there.
    pub(crate) fn get(&mut self, key: &'static str) -> Option<Node<'a, 'text>> {
        self.known.insert(key);
        let property = self.object.properties.iter().find(|p| p.name.as_str() == key)?;
        Some(Node { path: self.path_of(key), value: &property.value })
    }

    /// A member that must be there.
    pub(crate) fn require(
        &mut self,
        key: &'static str,
        allowed: &str,
    ) -> Result<Node<'a, 'text>, ConfigError> {
        self.get(key).ok_or_else(|| ConfigError::invalid(self.path_of(key), "nothing", allowed))
    }

    /// A member read by `read`, or a default.
    pub(crate) fn get_or<T>(
        &mut self,
        key: &'static str,
        default: T,
        read: impl FnOnce(&Node<'a, 'text>) -> Result<T, ConfigError>,
    ) -> Result<T, ConfigError> {
        self.get(key).map_or(Ok(default), |node| read(&node))
    }

    fn unknown(&self) -> impl Iterator<Item = String> {
        let names = self.object.properties.iter().map(|property| property.name.as_str());
        names.filter(|name| !self.known.contains(name)).map(|name| self.path_of(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ConfigErrorKind;

    fn number(text: &str) -> Result<u16, ConfigError> {
        read_document(text, |members| members.require("n", "a number")?.integer(1..=60_000))
    }

    #[test]
    fn whole_numbers() {
        for (text, value) in
            [("1", 1), ("60000", 60_000), ("16.0", 16), ("1.6e1", 16), ("0.5e1", 5)]
        {
            assert_eq!(number(&format!("{{\"n\": {text}}}")), Ok(value), "{text}");
        }
        for text in ["0", "-1", "60001", "65536", "1.5", "1e300", "\"16\"", "null", "true", "[]"] {
            let error = number(&format!("{{\"n\": {text}}}")).expect_err(text);
            assert_eq!(error.kind, ConfigErrorKind::Invalid, "{text}");
            assert_eq!(error.path, "n");
            assert_eq!(error.allowed, "a whole number from 1 to 60000");
        }
    }

    #[test]
    fn comments_and_trailing_commas_are_json_here() {
        assert_eq!(number("// one\n{ /* two */ \"n\": 3, }"), Ok(3));
    }

    #[test]
    fn other_liberties_are_not() {
        for text in [
            "",
            " ",
            "{",
            "{\"n\": 3",
            "{n: 3}",
            "{'n': 3}",
            "{\"n\": 0x3}",
            "{\"n\": +3}",
            "{\"n\": .3}",
            "{\"n\": NaN}",
            "{\"n\" 3}",
            "{\"m\": 1 \"n\": 3}",
            "{\"n\": 3} 4",
            "{\"n\": 3,,}",
            "{,}",
            "\u{0}",
        ] {
            let error = number(text).expect_err(text);
            assert_eq!(error.kind, ConfigErrorKind::Malformed, "{text}: {error}");
        }
        let error = number("{\n  \"n\": }").unwrap_err();
        assert_eq!(error.path, "line 2, column 8");
    }

    #[test]
    fn the_document_is_one_object() {
        for (text, found) in [("[]", "an array"), ("3", "3"), ("null", "null"), ("\"a\"", "\"a\"")]
        {
            let error = number(text).unwrap_err();
            assert_eq!((error.path.as_str(), error.found.as_str()), ("document", found));
        }
    }

    #[test]
    fn a_repeated_key_is_an_error() {
        let error = number("{\"n\": 3, \"n\": 4}").unwrap_err();
        assert_eq!((error.path.as_str(), error.found.as_str()), ("n", "a repeated key"));
    }

    #[test]
    fn unknown_keys_are_found() {
        let unknown = read_document("{\"a\": {\"b\": 1, \"c\": 2}, \"d\": 3}", |members| {
            let inner = members.get("a").unwrap().object(|inner| {
                inner.get("c");
                Ok(inner.unknown().collect::<Vec<_>>())
            })?;
            Ok(inner.into_iter().chain(members.unknown()).collect::<Vec<_>>())
        });
        assert_eq!(unknown, Ok(vec!["a.b".to_owned(), "d".to_owned()]));
    }

    /// Programs may call from a thread with a small stack.
    #[test]
    fn deep_nesting_is_refused_without_exhausting_the_stack() {
        for depth in [1, MAX_OPENED - 1, MAX_OPENED, 512, 100_000] {
            let small = std::thread::Builder::new().stack_size(256 << 10);
            let text = format!("{{\"n\": {}", "[".repeat(depth));
            let error = small.spawn(move || number(&text)).unwrap().join().unwrap().unwrap_err();
            assert_eq!(error.kind, ConfigErrorKind::Malformed, "{error}");
        }
    }

    #[test]
    fn an_endless_text_is_refused() {
        let error = number(&" ".repeat(MAX_TEXT + 1)).unwrap_err();
        assert_eq!(error.kind, ConfigErrorKind::Malformed);
    }
}
