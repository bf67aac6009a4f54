//! Hints that errors and warnings about a JSON document add for its author.

use jsonc_parser::ParseStringErrorKind;
use jsonc_parser::errors::ParseErrorKind;

/// What is wrong with a text that is no JSON.
pub(crate) fn sentence(error: &ParseErrorKind) -> String {
    use ParseErrorKind as Kind;
    match error {
        Kind::UnterminatedObject => "the object has no end, a }".into(),
        Kind::UnterminatedArray => "the array has no end, a ]".into(),
        Kind::UnterminatedCommentBlock => "the comment has no end, a */".into(),
        Kind::String(ParseStringErrorKind::UnterminatedStringLiteral) => {
            "the string has no end, a \"".into()
        }
        Kind::ExpectedColonAfterObjectKey => "a colon is missing after the key".into(),
        Kind::ExpectedObjectValue => "a value is missing after the colon".into(),
        Kind::ExpectedStringObjectProperty => "a key must be a string in double quotes".into(),
        Kind::ExpectedComma => "a comma is missing before this".into(),
        Kind::MultipleRootJsonValues => "something follows the end of the object".into(),
        Kind::UnexpectedComma => "a comma too many".into(),
        Kind::UnexpectedCloseBrace => "a } where a key or a value is expected".into(),
        Kind::UnexpectedCloseBracket => "a ] where a value is expected".into(),
        Kind::UnexpectedWord => {
            "a word that is not true, false or null; strings need double quotes".into()
        }
        Kind::UnexpectedToken | Kind::UnexpectedTokenInObject => {
            "a character that JSON does not have here".into()
        }
        // The parser's own words, which name what JSON does not allow.
        other => other.to_string(),
    }
}

/// The name among `known` that was probably meant by `name`: another case, another separator, the
/// end left out, or one or two letters off.
pub(crate) fn meant<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let plain = |text: &str| text.replace(['_', '-'], "").to_lowercase();
    let name = plain(name);
    let length = name.chars().count();
    let off = |known: &str| {
        let known = plain(known);
        if length >= 4 && known.starts_with(&name) { 1 } else { edit_distance(&name, &known) }
    };
    let (distance, found) =
        known.map(|known| (off(known), known)).min_by_key(|(distance, _)| *distance)?;
    (distance <= 2 && distance * 3 <= length).then_some(found)
}

/// How many letters have to be inserted, removed, replaced, or swapped with their neighbour to make
/// one text of the other.
fn edit_distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let (mut before_last, mut last) = (Vec::new(), (0..=other.len()).collect::<Vec<_>>());
    let mut previous = None;
    for (i, a) in one.chars().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let mut best = (last[j] + usize::from(a != *b)).min(last[j + 1] + 1).min(row[j] + 1);
            if j > 0 && previous == Some(*b) && other[j - 1] == a {
                best = best.min(before_last[j - 1] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
        previous = Some(a);
    }
    last[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_are_wrong() {
        for (one, other, letters) in [
            ("", "", 0),
            ("a", "", 1),
            ("vidoe", "video", 1),
            ("pixel", "pxel", 1),
            ("abc", "xyz", 3),
        ] {
            assert_eq!(edit_distance(one, other), letters, "{one} {other}");
            assert_eq!(edit_distance(other, one), letters, "{one} {other}");
        }
        assert_eq!(meant("num_endpoint", ["numEndpoints"].into_iter()), Some("numEndpoints"));
        assert_eq!(
            meant("apiDefaultTimeout", ["apiDefaultTimeoutMs"].into_iter()),
            Some("apiDefaultTimeoutMs")
        );
        assert_eq!(meant("x", ["y"].into_iter()), None);
    }
}
