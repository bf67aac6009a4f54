//! A JSON document read by hand, so that every error knows its path.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::RangeInclusive;

use jsonc_parser::ast::{Object, Value};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use crate::ConfigWarning;
use crate::json::hints::{meant, sentence};
use media::text::{quoted, tame};
use media::{ConfigError, Word};

/// The text of a configuration may be at most this long, in bytes.
const MAX_TEXT: usize = 1 << 20;
/// A configuration may open at most this many objects and arrays. The parser descends once for each
/// level, on the stack of whichever thread of the program called; their number in all bounds the
/// depth without looking at strings and comments.
const MAX_OPENED: usize = 64;

/// The member of a document that makes its warnings errors.
const STRICT: &str = "strict";

/// What a document says in vain, a sentence for each thing.
type Warnings = RefCell<Vec<ConfigWarning>>;

/// Parses `text`, which must hold one object, and hands its members to `read`. Comments and
/// trailing commas are accepted; every other departure from RFC 8259 is not.
///
/// What the document says in vain comes back as warnings, or is an error if its member `strict` is
/// true.
pub(crate) fn read_document<T>(
    text: &str,
    read: impl FnOnce(&mut Members<'_, '_>) -> Result<T, ConfigError>,
) -> Result<(T, Vec<ConfigWarning>), ConfigError> {
    if text.starts_with('\u{feff}') {
        let found = "the text begins with a byte order mark, U+FEFF; save it as UTF-8 without one";
        return Err(ConfigError::malformed("line 1, column 1", found, ""));
    }
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
        ConfigError::malformed(place, sentence(error.kind()), "")
    })?;
    let value = parsed
        .value
        .ok_or_else(|| ConfigError::malformed("document", "nothing", "a JSON object"))?;
    let warnings = Warnings::default();
    let (result, strict) = Node { path: String::new(), value: &value, warnings: &warnings }
        .object(|members| {
            let strict = members.get_or(STRICT, false, Node::truth)?;
            Ok((read(members)?, strict))
        })?;
    let warnings = warnings.into_inner();
    match warnings.first() {
        Some(warning) if strict => Err(ConfigError::invalid(
            &warning.path,
            format!("{}, and \"strict\" is true", warning.text),
            "",
        )),
        _ => Ok((result, warnings)),
    }
}

/// One value and its path.
pub(crate) struct Node<'a, 'text> {
    path: String,
    value: &'a Value<'text>,
    warnings: &'a Warnings,
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

    /// Adds a warning about this value.
    pub(crate) fn warn(&self, text: impl Display) {
        let warning = ConfigWarning { path: tame(&self.path), text: text.to_string() };
        self.warnings.borrow_mut().push(warning);
    }

    /// Reads the members of an object. What `read` leaves untouched becomes a warning.
    pub(crate) fn object<T>(
        &self,
        read: impl FnOnce(&mut Members<'_, 'text>) -> Result<T, ConfigError>,
    ) -> Result<T, ConfigError> {
        let Value::Object(object) = self.value else {
            return Err(self.refuse("an object"));
        };
        let mut members = Members::new(&self.path, object, self.warnings)?;
        let result = read(&mut members)?;
        self.warnings.borrow_mut().extend(members.unknown());
        Ok(result)
    }

    /// A text.
    pub(crate) fn text(&self) -> Result<&'a str, ConfigError> {
        match self.value {
            Value::StringLit(text) => Ok(&text.value),
            _ => Err(self.refuse("a string")),
        }
    }

    /// True or false.
    pub(crate) fn truth(&self) -> Result<bool, ConfigError> {
        match self.value {
            Value::BooleanLit(truth) => Ok(truth.value),
            _ => Err(self.refuse("true or false")),
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
    /// Not ours, and no slip of the pen either.
    foreign: BTreeSet<&'static str>,
    warnings: &'a Warnings,
}

impl<'a, 'text> Members<'a, 'text> {
    fn new(
        path: &'a str,
        object: &'a Object<'text>,
        warnings: &'a Warnings,
    ) -> Result<Self, ConfigError> {
        let members =
            Self { path, object, known: BTreeSet::new(), foreign: BTreeSet::new(), warnings };
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
        Some(Node { path: self.path_of(key), value: &property.value, warnings: self.warnings })
    }

    /// Members that belong to another document, which existing programs keep in the same text.
    pub(crate) fn tolerate(&mut self, keys: &[&'static str]) {
        self.foreign.extend(keys);
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

    /// The names of the members that are there, in quotes, for an error about what is not.
    pub(crate) fn names(&self) -> String {
        let names = self.object.properties.iter().map(|property| quoted(property.name.as_str()));
        names.collect::<Vec<_>>().join(", ")
    }

    fn unknown(&self) -> impl Iterator<Item = ConfigWarning> {
        let names = self.object.properties.iter().map(|property| property.name.as_str());
        let unknown = |name: &&str| !self.known.contains(name) && !self.foreign.contains(name);
        names.filter(unknown).map(|name| {
            let hint = match meant(name, self.known.iter().copied()) {
                Some(meant) => format!("; did you mean \"{meant}\"?"),
                None if self.known.is_empty() => String::new(),
                None => {
                    let known: Vec<_> =
                        self.known.iter().copied().filter(|k| *k != STRICT).collect();
                    format!("; known are {}", known.join(", "))
                }
            };
            let path = tame(&self.path_of(name));
            ConfigWarning { path, text: format!("unknown key, ignored{hint}") }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use media::ConfigErrorKind;

    fn number(text: &str) -> Result<u16, ConfigError> {
        read_document(text, |members| members.require("n", "a number")?.integer(1..=60_000))
            .map(|(number, _)| number)
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

    fn warnings(text: &str) -> Result<Vec<String>, ConfigError> {
        let read = read_document(text, |members| {
            members.get("pixelFormat");
            members.get("a").map_or(Ok(()), |node| {
                node.object(|inner| {
                    inner.get("height");
                    inner.get("c");
                    Ok(())
                })
            })
        });
        read.map(|((), warnings)| warnings.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn unknown_keys_become_warnings_with_a_hint() {
        assert_eq!(
            warnings(r#"{"a": {"hight": 1, "c": 2}, "pixelformat": 3, "other": 4}"#).unwrap(),
            [
                "a.hight: unknown key, ignored; did you mean \"height\"?",
                "pixelformat: unknown key, ignored; did you mean \"pixelFormat\"?",
                "other: unknown key, ignored; known are a, pixelFormat",
            ]
        );
        assert!(warnings(r#"{"a": {"c": 2}, "pixelFormat": 3}"#).unwrap().is_empty());
    }

    #[test]
    fn a_strict_document_has_no_unknown_keys() {
        assert_eq!(warnings(r#"{"strict": true, "a": {}}"#), Ok(vec![]));
        assert_eq!(warnings(r#"{"strict": false, "b": 1}"#).unwrap().len(), 1);
        let error = warnings(r#"{"strict": true, "a": {"height": 1, "b": 1}}"#).unwrap_err();
        assert_eq!((error.kind, error.path.as_str()), (ConfigErrorKind::Invalid, "a.b"));
        assert_eq!(warnings(r#"{"strict": 1}"#).unwrap_err().path, "strict");
    }

    #[test]
    fn what_is_no_json_is_told_in_a_sentence() {
        for (text, expected) in [
            ("{", "line 1, column 1: the object has no end, a }"),
            ("{\n  \"n\": }", "line 2, column 8: a } where a key or a value is expected"),
            ("{\"n\" 3}", "line 1, column 6: a colon is missing after the key"),
            ("\u{feff}{\"n\": 3}", "line 1, column 1: the text begins with a byte order mark"),
            ("{\"n\": [1", "the array has no end, a ]"),
            ("{\"n\": 3} 4", "something follows the end of the object"),
        ] {
            let error = number(text).unwrap_err();
            assert_eq!(error.kind, ConfigErrorKind::Malformed);
            let told = error.to_string();
            assert!(told.contains(expected) && !told.contains("allowed"), "{text}: {told}");
        }
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
